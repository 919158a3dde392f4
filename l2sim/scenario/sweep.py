"""The `sweep` block of a scenario: which keys take which values, and in which combinations."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from l2sim.config import Config
from l2sim.scenario.document import KeyPath
from l2sim.scenario.problems import ListedProblemsError
from l2sim.scenario.wording import show

NOT_VARIED = ("name", "description", "sweep", "replications")
"""Keys that say what a study is called and how it is made, and change no run."""


class Range(Config):
    """A range from which a Latin hypercube draws; of whole numbers if both ends are whole."""

    low: int | float = Field(ge=-1e18, le=1e18)
    """Lowest value, in the unit of the key."""
    high: int | float = Field(ge=-1e18, le=1e18)
    """Highest value, in the unit of the key."""
    scale: Literal["linear", "log"] = "linear"
    """Whether values are spread evenly, or evenly in their logarithm."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high (got {self.low} and {self.high})")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"low must be more than 0 on a log scale (got {self.low})")
        return self


class SweepConfig(Config):
    """The points of a sweep: each is the scenario with some keys changed."""

    design: Literal["grid", "list", "latin", "sobol"] = "grid"
    """grid: every combination; list: the first values together, then the second, and so on; latin: a Latin
    hypercube over ranges; sobol: the sample over ranges from which Sobol's indices say which key matters."""
    vary: dict[str, list[JsonValue] | Range] = Field(default_factory=dict, max_length=20)
    """Dotted keys of the scenario, each with a list of values, or for designs latin and sobol with a range;
    none: no sweep."""
    samples: int | None = Field(default=None, ge=2, le=100_000)
    """Points of a Latin hypercube; for design sobol a power of two, and the points are (keys + 2) times as many."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        found = tuple(self._faults())
        if found:
            raise ListedProblemsError(found)
        return self

    def _faults(self) -> Iterator[tuple[KeyPath, str, str | None]]:
        latin = self.design in ("latin", "sobol")
        if latin and self.samples is None:
            yield ("sweep", "samples"), f"must be given for design {self.design}", None
        if self.design == "sobol" and self.samples is not None and self.samples & (self.samples - 1):
            yield ("sweep", "samples"), "must be a power of two for design sobol", show(self.samples)
        if not latin and self.samples is not None:
            yield ("sweep", "samples"), f"must be left out for design {self.design}", show(self.samples)
        lengths = set()
        for key, values in self.vary.items():
            path = ("sweep", "vary", key)
            if not all(key.split(".")) or key.split(".")[0] in NOT_VARIED:
                yield path, f"must be a dotted key of the scenario other than {', '.join(NOT_VARIED)}", show(key)
            if isinstance(values, Range):
                if not latin:
                    yield path, f"must be a list of values for design {self.design}", "a range"
                continue
            lengths.add(len(values))
            if latin:
                yield path, f"must be a range (low, high) for design {self.design}", show(values)
            elif not values:
                yield path, "must hold at least 1 value", show(values)
            elif self.design == "grid" and any(value in values[:index] for index, value in enumerate(values)):
                yield path, "must hold distinct values", show(values)
        if self.design == "list" and len(lengths) > 1:
            yield ("sweep", "vary"), "must hold lists of equal length for design list", show(sorted(lengths))
