"""The one base of every settings class, so that all of a scenario file is checked alike."""

from pydantic import BaseModel, ConfigDict


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
