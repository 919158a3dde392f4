"""Replications of a scenario: the same systems and users, other random numbers, and intervals for every figure."""

import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2sim.errors import ResultsError
from l2sim.experiment.executors import EXECUTORS, Crew, compute_all, make_executor
from l2sim.experiment.manifest import RunKey
from l2sim.experiment.metrics import Value, absent, check_metric
from l2sim.experiment.result import Result, open_result
from l2sim.experiment.run import Notice, default_folder
from l2sim.experiment.statistics import Interval, interval, paired_where_known
from l2sim.experiment.stopping import StoppingRule
from l2sim.experiment.sweep import Sweep, SweepProgress, Task, compute_run, open_sweep, ordered_systems, sweep, telling
from l2sim.experiment.tables import Systems, collect
from l2sim.results.folder import canonical_json, read_run
from l2sim.results.partial import RUN_FILE, refuse_existing, write_folder
from l2sim.scenario.schema import Scenario, scenario_sha256
from l2sim.scenario.variation import single

FOLDER = "replications"
"""In a run folder with replications: where all but the first of them lie."""


@dataclass(frozen=True, slots=True)
class Replications:
    """The figures of each system in every replication of one scenario."""

    name: str
    """What it is called in tables: the scenario, or the folder."""
    kinds: Mapping[str, str]
    """The kind of each system."""
    figures: Mapping[str, Mapping[str, list[Value]]]
    """By system and figure: one value a replication, in order; None where it could not be measured."""

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems, in the order of the scenario."""
        return tuple(self.figures)

    @property
    def count(self) -> int:
        """How many replications there are."""
        return len(next(iter(next(iter(self.figures.values())).values())))

    def interval(self, system: str, metric: str) -> Interval | None:
        """Mean, deviation and 95 % interval of a figure; None where it was never measured."""
        known = [float(value) for value in self.values(system, metric) if value is not None]
        return interval(known) if known else None

    def difference(self, metric: str, first: str, second: str) -> Interval | None:
        """The interval of `second - first`, paired by replication; None where no pair was measured."""
        return paired_where_known(self.values(first, metric), self.values(second, metric))

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """The interval of every figure, by system and figure."""
        return {
            system: {metric: found for metric in named if (found := self.interval(system, metric)) is not None}
            for system, named in self.figures.items()
        }

    def table(self) -> pa.Table:
        """One row a system and figure: n, mean, deviation, half_width, low, high."""
        rows = [
            {"system": system, "kind": self.kinds[system], "metric": metric, **interval_dict(found)}
            for system, named in self.intervals().items()
            for metric, found in named.items()
        ]
        return pa.Table.from_pylist(rows)

    def values(self, system: str, metric: str) -> list[Value]:
        """A figure in every replication, in order; None where it was not measured, 0 for a count not listed."""
        check_metric(metric, "metric")
        return self.figures[system].get(metric, [absent(metric)] * self.count)

    @classmethod
    def of_runs(cls, name: str, runs: list[Systems]) -> "Replications":
        """From the `systems` block of each replication's `run.json`."""
        return cls(name, {system: block["kind"] for system, block in runs[0].items()}, collect(runs))

    @classmethod
    def of_sweep(cls, study: Sweep, name: str | None = None) -> "Replications":
        """From a study without varied keys; raises ResultsError for one that has points, or nothing finished."""
        if study.keys:
            raise ResultsError(
                f"{study.folder}: is a sweep of several points, compare its runs in {study.folder}/points"
            )
        if not study.runs:
            raise ResultsError(f"{study.folder}: has no finished run yet; go on with --resume")
        return cls.of_runs(name or study.name, list(study.summaries.values()))

    def _repr_html_(self) -> str:
        from l2sim.report.sweep_figures import intervals_html

        return intervals_html(self.name, self.table(), ())


def interval_dict(found: Interval) -> dict[str, Any]:
    """An interval as plain values: n, mean, deviation, half_width, low, high."""
    return {**asdict(found), "low": found.low, "high": found.high}


def replicate(
    scenario: Scenario,
    replications: int | None = None,
    *,
    until: StoppingRule | None = None,
    out: str | Path | None = None,
    executor: str | Executor = EXECUTORS[0],
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    figures: bool = False,
    progress: SweepProgress | None = None,
) -> Replications:
    """Run a scenario several times, each with random numbers of its own, and keep every figure of every system.

    `replications` defaults to the scenario's own. With `out` the runs are kept in a sweep's folder without varied
    keys, which `resume` goes on with; else only their figures. Raises as `sweep` does.

    >>> import l2sim
    >>> scenario = l2sim.load_scenario("scenarios/quickstart.yaml")  # doctest: +SKIP
    >>> five = l2sim.replicate(scenario, 5)  # doctest: +SKIP
    >>> five.difference("cost_usd_per_payment", "lightning", "optimistic").high  # doctest: +SKIP
    """

    def study(folder: str | Path) -> Sweep:
        return sweep(
            scenario, {}, out=folder, replications=replications, until=until, executor=executor, workers=workers,
            scheduler=scheduler, resume=resume, figures=figures, progress=progress,
        )  # fmt: skip

    if out is not None:
        return Replications.of_sweep(study(out))
    with tempfile.TemporaryDirectory(prefix="l2sim-") as temporary:
        return Replications.of_sweep(study(Path(temporary) / "study"))


def run_replicated(
    scenario: Scenario,
    replications: int,
    *,
    out: Path | None = None,
    force: bool = False,
    figures: bool = True,
    executor: str = EXECUTORS[0],
    workers: int | None = None,
    scheduler: str | None = None,
    progress: SweepProgress | None = None,
    notice: Notice | None = None,
) -> Result:
    """Run a scenario several times into one run folder: `out`, or `runs/<name>-<hash>-x<replications>`.

    The folder is that of replication 0, as a run without replications writes it; the others are run folders in
    its `replications/`, without figures. The block `replications` of `run.json` has mean, deviation and 95 %
    interval of every figure. `notice` is told what was sure to fail in them. Raises ResultsError before the first event
    if the folder is in the way.
    """
    folder = out if out is not None else default_folder(scenario, f"-x{replications}")
    refuse_existing(folder, force)
    alone = single(scenario)
    finished: list[Task] = []

    def done(task: Task) -> None:
        finished.append(task)
        if progress is not None:
            progress(len(finished), replications, len(finished))

    def fill(partial_folder: Path) -> None:
        inner = partial_folder / FOLDER
        inner.mkdir()
        tasks = [
            Task(RunKey(0, k), alone, scenario_sha256(alone), (inner / f"r{k}").absolute(), False, "")
            for k in range(replications)
        ]
        with Crew(partial(make_executor, executor, workers, scheduler)) as crew:
            compute_all(compute_run, tasks, crew, done, telling(notice))
        runs = [read_run(task.folder) for task in tasks]
        for file in sorted(tasks[0].folder.iterdir()):
            os.replace(file, partial_folder / file.name)
        tasks[0].folder.rmdir()
        found = Replications.of_runs(scenario.name, [ordered_systems(run) for run in runs]).intervals()
        block = {
            "count": replications,
            "systems": {
                name: {metric: interval_dict(i) for metric, i in named.items()} for name, named in found.items()
            },
        }
        (partial_folder / RUN_FILE).write_text(canonical_json({**runs[0], "replications": block}), encoding="utf-8")
        if figures:
            from l2sim.report.page import write_report

            write_report(open_result(partial_folder), partial_folder)

    write_folder(folder, fill, force=force)
    return open_result(folder)


def replications_of(folder: str | Path) -> Replications:
    """The figures of a run folder, with its replications if it has some, or of a study folder; raises ResultsError."""
    path = Path(folder)
    if (path / "manifest.json").exists():
        return Replications.of_sweep(open_sweep(path), str(folder))
    runs = [read_run(path)]
    count = int(runs[0].get("replications", {}).get("count", 1))
    runs += [read_run(path / FOLDER / f"r{k}") for k in range(1, count)]
    return Replications.of_runs(str(folder), [ordered_systems(run) for run in runs])
