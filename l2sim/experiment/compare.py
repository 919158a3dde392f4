"""Comparisons: the systems of one scenario paired by replication, or the same systems in several runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from l2sim.errors import ResultsError
from l2sim.experiment.manifest import MANIFEST_FILE
from l2sim.experiment.metrics import HEADLINE, Value, check_metric
from l2sim.experiment.replicate import Replications, replicate, replications_of
from l2sim.experiment.result import Result
from l2sim.experiment.statistics import Interval, interval, known_pairs, paired
from l2sim.experiment.sweep import Sweep, open_sweep, ordered_systems
from l2sim.experiment.tables import write_table
from l2sim.report.origin import UNKNOWN, ComparedRun, Origin
from l2sim.results.folder import read_run
from l2sim.scenario.schema import Scenario, resolved
from l2sim.scenario.wording import did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_REPLICATIONS = 5
"""Replications of `compare SCENARIO` where neither the scenario nor the caller says how many."""

Compared = Result | Sweep | Replications | str | Path


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two: of two systems, or of one system in two runs."""

    metric: str
    first: str
    second: str
    first_mean: float
    second_mean: float
    change: Interval
    """Of second - first, paired by replication."""

    @property
    def relative(self) -> float | None:
        """The mean change over the size of the first mean; None about 0."""
        return None if self.first_mean == 0 else self.change.mean / abs(self.first_mean)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of figures, each second against its first, with intervals where there are replications."""

    title: str
    replications: int
    differences: tuple[Difference, ...]
    origin: Origin = UNKNOWN
    """What was compared, for the report."""

    def table(self) -> pa.Table:
        """One row a figure and pair: means, difference, its deviation and 95 % interval, and the relative change."""
        rows = [
            {
                "metric": row.metric,
                "first": row.first,
                "second": row.second,
                "n": row.change.n,
                "first_mean": row.first_mean,
                "second_mean": row.second_mean,
                "difference": row.change.mean,
                "deviation": row.change.deviation,
                "low": row.change.low,
                "high": row.change.high,
                "relative": row.relative,
            }
            for row in self.differences
        ]
        texts = ("metric", "first", "second")
        floats = ("first_mean", "second_mean", "difference", "deviation", "low", "high", "relative")
        types = {**dict.fromkeys(texts, pa.string()), "n": pa.int64(), **dict.fromkeys(floats, pa.float64())}
        return pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))

    def of(self, metric: str, first: str, second: str) -> Difference:
        """One difference; raises KeyError where it was not measured."""
        for row in self.differences:
            if (row.metric, row.first, row.second) == (metric, first, second):
                return row
        raise KeyError((metric, first, second))

    def figure(self) -> "Figure":
        """Relative changes with their intervals, one panel a figure."""
        from l2sim.report.comparison import differences

        return differences(self.title, self.table())

    def save(self, folder: str | Path) -> Path:
        """Write `comparison.parquet`, `comparison.csv`, `figures/differences` and `report.html` into a folder.

        The folder may be that of the study itself. Returns the path of the report.
        """
        from l2sim.report.compare_page import write_comparison_report

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        table = self.table()
        write_table(table, target, "comparison")
        write_comparison_report(self.title, self.replications, table, self.origin, target)
        return target / "report.html"

    def _repr_html_(self) -> str:
        from l2sim.report.comparison import differences_html

        return differences_html(self.title, self.table())


def compare(
    *what: Scenario | Compared,
    replications: int | None = None,
    baseline: str | None = None,
    metrics: Sequence[str] | None = None,
    out: str | Path | None = None,
    **study: Any,
) -> Comparison:
    """Compare the systems of one scenario over replications, or the same systems in two or more runs.

    For a scenario, it is run in `replications` (by default its own, or 5), and each system is compared with
    `baseline`, by default the first, replication by replication: both faced the same payments. `out` and the
    keywords of `replicate` say where and how. For runs (results or folders), each later one is compared with the
    first, for every system that both have. `metrics` are figures of the summary, by default the headline ones.

    Raises InputError for an unknown system or metric, for runs without a system in common, and as `replicate`.

    >>> import l2sim
    >>> scenario = l2sim.load_scenario("scenarios/quickstart.yaml")  # doctest: +SKIP
    >>> l2sim.compare(scenario, replications=5, baseline="lightning").table()  # doctest: +SKIP
    """
    for metric in metrics or ():
        check_metric(metric, "--metric")
    wanted = list(metrics or HEADLINE)
    if len(what) == 1 and isinstance(what[0], Scenario):
        scenario = what[0]
        _check_baseline(baseline, scenario.systems)
        if replications is None:
            replications = scenario.replications if scenario.replications > 1 else DEFAULT_REPLICATIONS
        found = compare_systems(replicate(scenario, replications, out=out, **study), baseline, wanted)
        command = ["l2sim", "compare", f"{scenario.name}.yaml", "--replications", str(found.replications)]
        origin = Origin(scenario.description, [*command, *_options(baseline, metrics)], resolved(scenario))
        return replace(found, origin=origin)
    if any(isinstance(one, Scenario) for one in what):
        raise ResultsError("compare: takes one scenario, or runs (got a scenario among others); run them first")
    runs = [one for one in what if not isinstance(one, Scenario)]
    studies = [_replications(one) for one in runs]
    compared = compare_systems(studies[0], baseline, wanted) if len(studies) == 1 else compare_runs(studies, wanted)
    return replace(compared, origin=_origin_of(runs, _options(baseline, metrics)))


def compare_systems(found: Replications, baseline: str | None, metrics: Sequence[str]) -> Comparison:
    """Every system against the baseline (by default the first), paired by replication."""
    _check_baseline(baseline, found.systems)
    first = baseline if baseline is not None else found.systems[0]
    rows = []
    for metric in metrics:
        for second in found.systems:
            if second != first:
                values = (found.values(system, metric) for system in (first, second))
                rows += _difference(metric, first, second, *values)
    return Comparison(f"{found.name}: difference from {first}", found.count, tuple(rows))


def _difference(
    metric: str, first: str, second: str, first_values: Sequence[Value], second_values: Sequence[Value]
) -> list[Difference]:
    """The difference, and both means, over the replications in which both were measured; nothing without any."""
    a, b = known_pairs(first_values, second_values)
    return [Difference(metric, first, second, interval(a).mean, interval(b).mean, paired(a, b))] if a else []


def compare_runs(found: Sequence[Replications], metrics: Sequence[str]) -> Comparison:
    """Each later run against the first, for every system that both have; paired if they have as many replications."""
    if len(found) < 2:
        raise ResultsError(f"compare: needs one scenario or at least two runs (got {len(found)} runs)")
    first = found[0]
    rows = []
    for second in found[1:]:
        common = [name for name in first.systems if name in second.systems]
        if not common:
            raise ResultsError(
                f"{second.name}: has no system in common with {first.name} "
                f"({', '.join(second.systems)}; {', '.join(first.systems)})"
            )
        count = min(first.count, second.count)
        for metric in metrics:
            for system in common:
                a, b = (one.values(system, metric)[:count] for one in (first, second))
                rows += _difference(metric, f"{system} in {first.name}", f"{system} in {second.name}", a, b)
    return Comparison(f"Difference from {first.name}", min(one.count for one in found), tuple(rows))


def _replications(one: Compared) -> Replications:
    if isinstance(one, Replications):
        return one
    if isinstance(one, Result):
        name = str(one.folder) if one.folder is not None else one.name
        return Replications.of_runs(name, [ordered_systems(one.run)])
    if isinstance(one, Sweep):
        return Replications.of_sweep(one, str(one.folder))
    return replications_of(one)


def _options(baseline: str | None, metrics: Sequence[str] | None) -> list[str]:
    """The options of a command that compares so."""
    chosen = [] if baseline is None else ["--baseline", baseline]
    return [*chosen, *(word for metric in metrics or () for word in ("--metric", metric))]


def _origin_of(compared: Sequence[Compared], options: Sequence[str]) -> Origin:
    """Where runs come from; no command makes a comparison again of which one lies in no folder."""
    folders = [_folder(one) for one in compared]
    known = [folder for folder in folders if folder is not None]
    command = ["l2sim", "compare", *map(str, known), *options] if len(known) == len(folders) else []
    words = "The systems of one study." if len(compared) == 1 else f"{len(compared)} results, system by system."
    return Origin(words, command, None, [*map(_compared_run, known)])


def _folder(one: Compared) -> Path | None:
    if isinstance(one, str | Path):
        return Path(one)
    return one.folder if isinstance(one, Result | Sweep) else None


def _compared_run(folder: Path) -> ComparedRun:
    if (folder / MANIFEST_FILE).exists():
        manifest = open_sweep(folder).manifest
        seed, version = manifest["scenario"]["seed"], manifest["l2sim"]
        return ComparedRun(str(folder), str(manifest["scenario_sha256"]), int(seed), str(version))
    run = read_run(folder)
    return ComparedRun(str(folder), str(run["scenario_sha256"]), int(run["seed"]), str(run["versions"]["l2sim"]))


def _check_baseline(baseline: str | None, systems: Any) -> None:
    if baseline is not None and baseline not in systems:
        hint = did_you_mean(baseline, systems)
        raise ResultsError(f"--baseline: must be one of {', '.join(systems)}{hint} (got {baseline})")
