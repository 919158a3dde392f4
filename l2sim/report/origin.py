"""Where a comparison comes from, so that its page can say how to make it again."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class ComparedRun(NamedTuple):
    """A run or study that was compared: its folder or name, and what identifies it."""

    name: str
    scenario_sha256: str
    seed: int
    version: str
    """Of l2sim."""


class Origin(NamedTuple):
    """What was compared."""

    description: str
    command: Sequence[str]
    """The words of the command that makes the comparison again; empty where no command does."""
    scenario: Mapping[str, Any] | None = None
    """The scenario whose systems were compared, with every default; None where runs were."""
    runs: Sequence[ComparedRun] = ()
    """The runs that were compared, as far as they lie in folders."""


UNKNOWN = Origin("", ())
"""Of what was put together by hand."""
