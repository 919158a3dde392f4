"""What a sweep says in sentences besides who is cheapest: how fast payments are, how final, how many get through."""

from collections.abc import Callable

import pyarrow as pa

from l2sim.report.verdicts import enumerated, span
from l2sim.report.words import seconds, share

ASSURED, FINAL, COMPLETED = "latency_s.assured.p50", "latency_s.final.p50", "success_rate"


def speed_and_success(intervals: pa.Table) -> list[str]:
    """A sentence each on the median wait, on finality and on completion: the range over the points, by system.

    `intervals` is the table of a sweep. The best system comes first; systems that read the same are named together. A
    figure that was measured nowhere has no sentence.
    """
    ranges = _ranges(intervals)
    found = []
    for metric, beginning, say, best in (
        (ASSURED, "Half of the payees are assured within", seconds, 1),
        (FINAL, "Half of the payments are final within", seconds, 1),
        (COMPLETED, "Of the payments sent,", share, -1),
    ):
        said = _by_system(ranges.get(metric, {}), say, best)
        if said:
            found.append(f"{beginning} {said}{' are completed' if metric == COMPLETED else ''}.")
    return found


def _ranges(intervals: pa.Table) -> dict[str, dict[str, list[float]]]:
    """The means of every point, by figure and system."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in intervals.to_pylist():
        if row["metric"] in (ASSURED, FINAL, COMPLETED):
            found.setdefault(row["metric"], {}).setdefault(row["system"], []).append(row["mean"])
    return found


def _by_system(values: dict[str, list[float]], say: Callable[[float], str], best: int) -> str:
    """The range of each system's values in words, from the best to the worst; `best` is 1 where less is better."""
    groups: dict[str, list[str]] = {}
    for name in sorted(values, key=lambda one: best * sum(values[one]) / len(values[one])):
        groups.setdefault(span(values[name], say), []).append(name)
    parts = [f"{said} on {enumerated(names)}" for said, names in groups.items()]
    return "; ".join(parts)
