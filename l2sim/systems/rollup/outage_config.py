"""Settings of outages: times in which a part of a rollup stands still."""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field

from l2sim.config import Config


class OutageConfig(Config):
    """A time in which a part of the rollup stands still; it goes on afterwards where it was."""

    start_s: float = Field(ge=0, le=1e9)
    """Its begin, seconds from the start of the payments."""
    duration_s: float = Field(gt=0, le=1e9)
    """Its length, seconds."""


def refuse_overlaps(outages: Sequence[OutageConfig]) -> None:
    """Raise ValueError unless outages follow each other, in order and apart."""
    for before, after in pairwise(outages):
        end_s = before.start_s + before.duration_s
        if after.start_s <= end_s:
            raise ValueError(
                f"outages must follow each other: the next start_s must be after {end_s:g} (got {after.start_s:g})"
            )
