"""The one base of every settings class, so that all of a scenario file is checked alike."""

import ast
import sys
from functools import cache
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
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
        validate_default=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, in which a key that chooses this group, `kind` or its like, says what it chooses."""
        schema = handler(core_schema)
        said = field_docstrings(cls)
        for name, value in handler.resolve_ref_schema(schema).get("properties", {}).items():
            if name in said:
                value["description"] = said[name]
            if "const" in value and cls.__doc__:
                value.setdefault("description", " ".join(cleandoc(cls.__doc__).split("\n\n")[0].split()))
        return schema


def field_docstrings(group: type[BaseModel]) -> dict[str, str]:
    """What stands under each field of a group of settings, those that it inherits included.

    Read from the source when somebody asks, not when the class is made: a run has no use for it, and pays for the
    reading of a hundred classes.
    """
    found: dict[str, str] = {}
    for one in reversed(group.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            found |= _docstrings_of(one.__module__).get(one.__qualname__, {})
    return found


@cache
def _docstrings_of(module: str) -> dict[str, dict[str, str]]:
    """By class and field: the docstrings under the fields of a module's classes."""
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        return {}
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: _under_fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _under_fields(group: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, after in pairwise(group.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = cleandoc(after.value.value)
    return found
