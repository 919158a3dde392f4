"""When a study has replications enough: the stopping rule on the relative half-width of a metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sim.errors import ResultsError
from l2sim.experiment.metrics import Value, check_metric
from l2sim.experiment.statistics import interval

FIRST = 5
"""Replications before the rule is first asked, at least: an interval of fewer is too uncertain itself."""


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """Replicate until, for every system, the 95 % interval of `metric` is narrow enough.

    The rule is asked after 5 replications (or as many as are wanted anyway) and then each time half as many more
    are done, rather than after each one: an interval that is looked at often is narrow by chance too soon (Law,
    Simulation Modeling and Analysis, 5th edition, section 9.4.1). `maximum` bounds the replications.
    """

    metric: str
    """A figure of the summary by its dotted name, such as `cost_usd_per_payment`."""
    relative_half_width: float
    """Half-width over the mean: 0.05 for plus or minus five per cent."""
    maximum: int = 100

    def __post_init__(self) -> None:
        check_metric(self.metric, "--until")
        if not 0.0 < self.relative_half_width < 1.0:
            raise ResultsError(
                f"--until {self.metric}: relative half-width must be between 0 and 1 (got {self.relative_half_width})"
            )
        if self.maximum < 2:
            raise ResultsError(f"--max-replications: must be at least 2 (got {self.maximum})")

    def first(self, wanted: int) -> int:
        """Replications to begin with where `wanted` are asked for."""
        return min(self.maximum, max(wanted, FIRST))

    def following(self, count: int) -> int:
        """Replications after which to ask again."""
        return min(self.maximum, count + (count + 1) // 2)

    def met(self, figures: Mapping[str, Mapping[str, Sequence[Value]]]) -> bool:
        """Whether each system's interval is narrow enough; `figures` by system and name, one value a replication.

        A system in which the metric was never measured asks for nothing.
        """
        for named in figures.values():
            values = [float(value) for value in named.get(self.metric, ()) if value is not None]
            if values and interval(values).relative_half_width > self.relative_half_width:
                return False
        return True

    def to_dict(self) -> dict[str, Any]:
        """The rule as the manifest holds it."""
        return {
            "metric": self.metric,
            "relative_half_width": self.relative_half_width,
            "maximum": self.maximum,
        }
