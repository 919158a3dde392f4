"""Sweeps: a scenario at many points, each point in independent replications, every run a folder of its own."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from l2sim.errors import ResultsError
from l2sim.experiment.executors import EXECUTORS, BorrowedExecutor, Crew, PointExecutor, compute_all, make_executor
from l2sim.experiment.manifest import POINTS, RunKey, SweepFolder, is_whole, manifest_of
from l2sim.experiment.points import Point, describe, points_of, sweep_config
from l2sim.experiment.result import Result, open_result
from l2sim.experiment.run import Notice, run
from l2sim.experiment.sensitivity import sobol_indices
from l2sim.experiment.stopping import StoppingRule
from l2sim.experiment.tables import Systems, collect, interval_table, sweep_table, write_table
from l2sim.experiment.verdicts import ladder_of, verdicts_of
from l2sim.report.verdicts import Rung, Verdict
from l2sim.results.folder import read_run
from l2sim.scenario.schema import Scenario, content_digests, resolved, scenario_sha256

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SweepProgress(Protocol):
    """Told how far a sweep has come."""

    def __call__(self, done: int, total: int, computed: int) -> None:
        """`done` of `total` runs are finished, `computed` of them by this process."""


class SweepInterrupted(KeyboardInterrupt):
    """A sweep that was stopped; what is finished is kept, and `message` says how to go on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Task:
    """One run to compute, with all that a worker must know."""

    key: RunKey
    scenario: Scenario
    sha256: str
    folder: Path
    figures: bool
    words: str

    def __str__(self) -> str:
        return f"point {self.key.point} ({self.words or 'the scenario'}), replication {self.key.replication}"


_ONE_AT_A_TIME = Lock()
"""Matplotlib's settings are the process's own: a cluster worker with several threads computes one run at a time."""


def compute_run(task: Task) -> list[str]:
    """Compute a run into its folder, unless it is there already; returns what was sure to fail in it.

    What a worker does.
    """
    foreseen: list[str] = []

    def there() -> bool:
        return is_whole(task.folder, task.sha256, task.key.replication, report=task.figures)

    with _ONE_AT_A_TIME:
        if there():
            return foreseen
        result = run(task.scenario, replication=task.key.replication, notice=foreseen.append)
        try:
            result.save(task.folder, force=task.folder.exists(), figures=task.figures)
        except ResultsError:
            if not there():  # else a worker whose parent died has just finished the same run
                raise
    return foreseen


def telling(notice: Notice | None) -> Callable[[Task, list[str]], None] | None:
    """Passes on what is sure to fail in runs, each sentence once, with the run in which it came up first."""
    if notice is None:
        return None
    tell, known = notice, set[str]()

    def told(task: Task, foreseen: list[str]) -> None:
        for sentence in foreseen:
            if sentence not in known:
                known.add(sentence)
                tell(f"{task}: {sentence}")

    return told


class Sweep:
    """A finished sweep: its points, the run of each, tables and figures."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self.manifest = folder.manifest
        self.folder = folder.path

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.manifest["scenario"]["name"])

    @property
    def keys(self) -> tuple[str, ...]:
        """The varied keys."""
        return tuple(self.manifest["keys"])

    @property
    def points(self) -> list[dict[str, Any]]:
        """The values of the varied keys at each point."""
        return [dict(point["values"]) for point in self.manifest["points"]]

    @cached_property
    def runs(self) -> tuple[RunKey, ...]:
        """The finished runs, by point and replication."""
        return tuple(self._folder.runs())

    @cached_property
    def summaries(self) -> dict[RunKey, Systems]:
        """Kind and summary of each system, by run."""
        return {key: ordered_systems(read_run(self._folder.run_folder(key))) for key in self.runs}

    def result(self, point: int = 0, replication: int = 0) -> Result:
        """The result of one run; raises ResultsError where it is not there."""
        return open_result(self._folder.run_folder(RunKey(point, replication)))

    def table(self) -> pa.Table:
        """One row a point, replication and system: the varied keys and every figure of the summary."""
        return sweep_table(self.keys, self.points, self.summaries)

    def intervals(self) -> pa.Table:
        """One row a point, system and figure: mean, deviation and Student-t 95 % interval."""
        return interval_table(self.keys, self.points, self.summaries)

    def which_key_matters(self) -> pa.Table:
        """Sobol's indices with their 95 % reach, a row a system, figure and key; only of a sweep of design sobol.

        Raises ResultsError for another design, MissingExtraError without SALib.
        """
        if self.manifest["design"] != "sobol":
            raise ResultsError(f"{self.folder}: has design {self.manifest['design']}; indices need design sobol")
        seed = int(self.manifest["scenario"]["seed"])
        return sobol_indices(self.intervals(), self.keys, len(self.points), seed % 2**32)

    @property
    def plot(self) -> "SweepPlots":
        """The figures."""
        return SweepPlots(self)

    def save(self) -> None:
        """Write the tables and, where there is something to vary, the report into the sweep's folder."""
        self.save_tables()
        if self.keys and self.runs:
            from l2sim.report.sweep_page import write_sweep_report

            indices = self.which_key_matters() if self.manifest["design"] == "sobol" else None
            write_sweep_report(self.manifest, self.intervals(), self.ladder(), len(self.runs), self.folder, indices)

    def save_tables(self) -> None:
        """Write the tables into the sweep's folder."""
        write_table(self.table(), self.folder, "table")
        write_table(self.intervals(), self.folder, "intervals")
        indices = self.which_key_matters() if self.manifest["design"] == "sobol" else None
        if indices is not None:
            write_table(indices, self.folder, "sobol")

    def verdicts(self, payments_per_user: float | None = None) -> list[Verdict]:
        """At each point, which system is cheapest, as run or for users who make so many payments.

        By the mean cost of a payment; whether the next is dearer by more than chance explains is told by the paired
        differences over the replications. Points where no cost is known are left out.
        """
        return verdicts_of(self._by_point(), payments_per_user)

    def ladder(self) -> list[Rung]:
        """The verdicts as run, then for users who make 100, 1,000 and 10,000 payments."""
        return ladder_of(self._by_point())

    def _by_point(self) -> dict[int, list[Systems]]:
        """The replications of each point."""
        points: dict[int, list[Systems]] = {}
        for key in self.runs:
            points.setdefault(key.point, []).append(self.summaries[key])
        return points

    def _repr_html_(self) -> str:
        from l2sim.report.style import inline_png
        from l2sim.report.sweep_figures import intervals_html
        from l2sim.report.sweep_maps import can_map

        table = intervals_html(self.name, self.intervals(), self.keys)
        if not self.keys or not self.runs:
            return table
        mapped = can_map(self.intervals(), self.keys)
        return table + inline_png(self.plot.maps() if mapped else self.plot.lines(), f"{self.name} by point")


class SweepPlots:
    """The figures of a sweep; each method returns a matplotlib Figure."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def lines(self, metrics: Sequence[str] | None = None) -> "Figure":
        """Each metric against the first varied key, by system, with intervals: small multiples."""
        from l2sim.report.sweep_figures import LINES, lines

        return lines(self._sweep.intervals(), self._sweep.keys, metrics or LINES)

    def maps(self) -> "Figure":
        """Who is cheapest at every combination of two varied keys, and what each system costs there."""
        from l2sim.report.sweep_maps import maps

        return maps(self._sweep.intervals(), self._sweep.keys)

    def ladder(self) -> "Figure":
        """Who is cheapest at every point, for users who stay longer: 100, 1,000 and 10,000 payments a user.

        Raises ResultsError unless the sweep varies one key, or two in every combination, with 2 to 12 values each.
        """
        from l2sim.report.sweep_ladder import can_ladder, ladder_maps

        intervals, keys = self._sweep.intervals(), self._sweep.keys
        if not can_ladder(intervals, keys):
            raise ResultsError(f"{self._sweep.folder}: has no map of winners; that needs 1 or 2 keys of 2 to 12 values")
        return ladder_maps(intervals, keys, self._sweep.ladder())

    def frontier(self) -> "Figure":
        """Cost of a payment against the wait until the payee is assured: every point and system."""
        from l2sim.report.sweep_figures import frontier

        return frontier(self._sweep.intervals())


def open_sweep(folder: str | Path) -> Sweep:
    """Open a sweep's folder, finished or not; raises ResultsError."""
    return Sweep(SweepFolder.open(folder))


def sweep(
    scenario: Scenario,
    vary: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    design: str = "grid",
    samples: int | None = None,
    replications: int | None = None,
    until: StoppingRule | None = None,
    executor: str | Executor = EXECUTORS[0],
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    figures: bool = True,
    progress: SweepProgress | None = None,
    notice: Notice | None = None,
) -> Sweep:
    """Run a scenario at every point of a sweep, each in so many replications, into a folder.

    `vary` maps dotted keys to lists of values or, for designs latin and sobol, to a `Range`; without it the scenario's
    own `sweep` block says what to vary. `out` is `sweeps/<name>-<hash>` by default. With `resume` only what is
    missing is computed. `executor` is processes (of this machine; in a script, call under
    `if __name__ == "__main__":`), serial, dask, or any `concurrent.futures.Executor`. With `until`, points get
    more replications until the rule is met. `figures` draws figures and a report for each run; the
    sweep has a report of its own in any case. `notice` is told what was sure to fail in the runs computed.

    Raises InputError before anything is computed for what cannot be run, InvariantError if a run breaks a promise
    of the model, and `SweepInterrupted` when stopped; what was finished stays.

    >>> import l2sim
    >>> scenario = l2sim.load_scenario("scenarios/quickstart.yaml")  # doctest: +SKIP
    >>> study = l2sim.sweep(scenario, {"workload.users": [20, 60]}, replications=3)  # doctest: +SKIP
    >>> study.intervals().to_pandas()  # doctest: +SKIP
    """
    config = scenario.sweep if vary is None else sweep_config(vary, design, samples)
    count = scenario.replications if replications is None else replications
    if count < 1:
        raise ResultsError(f"--replications: must be at least 1 (got {count})")
    points = points_of(scenario, config)
    begun = until.first(count) if until is not None else count
    manifest = manifest_of(
        scenario=resolved(scenario),
        scenario_sha256=scenario_sha256(scenario),
        design=config.design,
        keys=list(config.vary),
        points=[{"values": point.values, "scenario_sha256": scenario_sha256(point.scenario)} for point in points],
        replications={"count": begun, "until": None if until is None else until.to_dict()},
        figures=figures,
        inputs=content_digests([scenario, *(point.scenario for point in points)]),
    )
    path = Path(out) if out is not None else Path("sweeps") / f"{scenario.name}-{_hash(manifest)[:12]}"
    if isinstance(executor, str):
        make: Callable[[], PointExecutor] = partial(make_executor, executor, workers, scheduler)
    else:
        make = partial(BorrowedExecutor, executor, workers)
    with Crew(make) as crew:
        crew.executor()  # so that one that cannot be had is refused before anything is written
        folder = SweepFolder.begin(path, manifest, resume=resume)
        with folder.locked():
            folder.clear_remains()
            try:
                fill(folder, points, begun, until, crew, progress, notice=notice)
            except KeyboardInterrupt as stop:
                crew.abandon()
                folder.clear_remains()
                message = f"{len(folder.runs())} finished runs are kept in {path}; go on with --resume"
                raise SweepInterrupted(message) from stop
            folder.clear_remains()
            done = Sweep(folder)
            done.save()
    return done


def fill(
    folder: SweepFolder,
    points: Sequence[Point],
    replications: int,
    until: StoppingRule | None,
    crew: Crew,
    progress: SweepProgress | None = None,
    compute: Callable[[Task], object] = compute_run,
    notice: Notice | None = None,
) -> None:
    """Compute the runs of a sweep that are missing; `replications` of each point, and more until the rule is met.

    How many replications a point gets depends on its results alone, not on the order in which they come.
    """
    (folder.path / POINTS).mkdir(exist_ok=True)
    finished = set(folder.runs())
    counts = {point.number: replications for point in points}
    computed = 0
    told = telling(notice)
    while True:
        wanted = [RunKey(number, k) for number, count in counts.items() for k in range(count)]
        missing = [key for key in wanted if key not in finished]

        def done(task: Task) -> None:
            nonlocal computed
            computed += 1
            finished.add(task.key)
            if progress is not None:
                progress(len(finished), len(wanted), computed)  # noqa: B023  # called within this round only

        if progress is not None:
            progress(len(finished), len(wanted), computed)
        compute_all(compute, (_task(folder, points[key.point], key) for key in missing), crew, done, told)
        if until is None:
            return
        grown = False
        for number, count in counts.items():
            if count >= until.maximum:
                continue
            runs = [ordered_systems(read_run(folder.run_folder(RunKey(number, k)))) for k in range(count)]
            if not until.met(collect(runs)):
                counts[number] = until.following(count)
                grown = True
        if not grown:
            return


def ordered_systems(run: Mapping[str, Any]) -> Systems:
    """The systems of a `run.json` in the order of the scenario."""
    return {name: run["systems"][name] for name in run["order"]}


def _task(folder: SweepFolder, point: Point, key: RunKey) -> Task:
    return Task(
        key=key,
        scenario=point.scenario,
        sha256=str(folder.manifest["points"][point.number]["scenario_sha256"]),
        folder=folder.run_folder(key).absolute(),
        figures=bool(folder.manifest["figures"]),
        words=describe(point.values),
    )


def _hash(manifest: Mapping[str, Any]) -> str:
    import hashlib

    from l2sim.results.folder import canonical_json

    return hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
