"""The one base of every settings class, so that all of a scenario file is checked alike."""

from inspect import cleandoc
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue


class Config(BaseModel):
    """Settings of one part of a scenario: unknown keys are refused, values are frozen, floats must be finite."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=False,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, in which a key that chooses this group, `kind` or its like, says what it chooses."""
        schema = handler(core_schema)
        for value in handler.resolve_ref_schema(schema).get("properties", {}).values():
            if "const" in value and cls.__doc__:
                value.setdefault("description", " ".join(cleandoc(cls.__doc__).split("\n\n")[0].split()))
        return schema
