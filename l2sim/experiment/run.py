"""Run a scenario: one workload, every system in a world of its own, one result."""

import itertools
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from l2sim._version import __version__
from l2sim.crypto.profiles import load_profile
from l2sim.engine import Streams, ns
from l2sim.experiment.result import Result
from l2sim.experiment.steady import scaled, steady_means
from l2sim.experiment.world import Life, horizon_of, live
from l2sim.results.metrics import summarise
from l2sim.results.partial import refuse_existing
from l2sim.results.schema import PAYMENTS, SCHEMA_VERSION, TABLES
from l2sim.results.tables import payments_table, rows_table, stack
from l2sim.systems.build import share_blobs
from l2sim.workload.draw import draw_workload, phase_ns

if TYPE_CHECKING:
    from l2sim.scenario import Scenario


class Progress(Protocol):
    """Told how far a run has come."""

    def __call__(self, system: str, done_fraction: float, payments_done: int, payments_total: int) -> None:
        """`done_fraction` is the share of the system's simulated time, 1.0 when it is whole."""


Notice = Callable[[str], object]
"""Told in a sentence what a run's user should know before it goes on."""


class Interrupted(KeyboardInterrupt):
    """A run that was stopped; `result` holds the systems that are whole, or is None."""

    def __init__(self, result: Result | None) -> None:
        super().__init__(result)
        self.result = result


def run(
    scenario: "Scenario",
    *,
    systems: Sequence[str] | None = None,
    replication: int = 0,
    progress: Progress | None = None,
    notice: Notice | None = None,
) -> Result:
    """Run a scenario and return its result, in memory.

    `systems` restricts the run to some of the scenario's systems, in the scenario's order; `replication` says
    which of its independent repetitions, each with its own random numbers, from 0; `notice` is told, before a
    system's first event, what is sure to fail in it. Raises ScenarioError
    for a system the scenario does not have, InvariantError if the model breaks a promise, and `Interrupted`,
    with what is whole, when stopped.
    """
    from l2sim.scenario import input_digests, resolved, scenario_sha256
    from l2sim.scenario.variation import single

    scenario = single(scenario)
    if systems is not None:
        scenario = scenario.only(systems)
    started = time.perf_counter()
    clock: dict[str, float] = {}
    stage = _Stage(scenario, replication)
    prices, workload, horizon = stage.prices, stage.workload, stage.horizon
    summaries: dict[str, dict[str, Any]] = {}
    tables: dict[str, dict[str, pa.Table]] = {}
    interrupted = False
    try:
        for names in scenario.together():
            begun = time.perf_counter()
            lives = stage.lives(names)
            if notice is not None:
                for sentence in _sentences(lives):
                    notice(sentence)
            live(lives, _step(progress, " + ".join(names), len(workload)))
            for life in lives:
                name, recorder, asset = life.name, life.world.recorder, life.system.asset
                summary = summarise(life.facts(), recorder.payments, prices, ns(scenario.phases.warm_up_s))
                made = {PAYMENTS.name: payments_table(name, recorder.payments, workload.columns(), asset, prices)}
                made |= {part: rows_table(name, rows) for part, rows in recorder.rows.items()}
                clock[name] = (time.perf_counter() - begun) / len(lives)
                steady = steady_means(recorder.payments, horizon.payments_ns, ns(scenario.phases.warm_up_s))
                steady["fee_usd"] = scaled(steady.pop("fee"), prices.usd_per_unit(asset))
                summaries[name] = {"kind": life.kind, "summary": summary, "steady": steady}  # whole from here on
                tables[name] = made
    except KeyboardInterrupt:
        interrupted = True
    if interrupted and not tables:
        raise Interrupted(None)
    order = [name for name in scenario.systems if name in tables]
    document = {
        "schema": SCHEMA_VERSION,
        "complete": not interrupted,
        "scenario": resolved(scenario),
        "scenario_sha256": scenario_sha256(scenario),
        "seed": scenario.seed,
        "replication": replication,
        "versions": _versions(),
        "inputs": input_digests(scenario),
        "order": order,
        "systems": {name: summaries[name] for name in order},
        "wall_clock": {"total_s": time.perf_counter() - started, "system_s": clock},
    }
    result = Result(document, {table.name: stack([tables[name][table.name] for name in order]) for table in TABLES})
    if interrupted:
        raise Interrupted(result)
    return result


class _Stage:
    """One replication of a scenario before its first event: the workload is drawn, and systems can be built on it."""

    def __init__(self, scenario: "Scenario", replication: int) -> None:
        self._scenario = scenario
        self._replication = replication
        self._profile = load_profile(scenario.cost_profile)
        self.prices = scenario.prices.prices()
        self.workload = draw_workload(scenario.workload, self.prices, Streams(scenario.seed, replication))
        self.horizon, self._payments_end_ns = horizon_of(scenario, phase_ns(scenario.workload, self.workload))

    def lives(self, names: Sequence[str]) -> list[Life]:
        """The systems of these names, which live together, each in its world."""
        scenario = self._scenario
        lives: list[Life] = []
        for name in names:
            config = scenario.systems[name]
            lives.append(
                Life(
                    name,
                    config,
                    scenario.l1[config.l1],
                    streams=Streams(scenario.seed, self._replication),
                    workload=self.workload,
                    horizon=self.horizon,
                    payments_end_ns=self._payments_end_ns,
                    prices=self.prices,
                    profile=self._profile,
                    crypto=scenario.crypto,
                    ground=lives[0].ground if lives else None,
                    tenant=len(lives),
                )
            )
        if len(lives) > 1:
            share_blobs([life.system for life in lives], scenario.sharing_of(names))
        return lives


def foreseen(scenario: "Scenario") -> list[str]:
    """What is sure to fail in the first replication of a scenario, in sentences: all is built, and nothing is run.

    Raises InputError for what a run would refuse while it builds.
    """
    from l2sim.scenario.variation import single

    scenario = single(scenario)
    stage = _Stage(scenario, 0)
    return [sentence for names in scenario.together() for sentence in _sentences(stage.lives(names))]


def _sentences(lives: Sequence[Life]) -> list[str]:
    return [f"{life.name}: {sentence}" for life in lives for sentence in life.system.foreseen()]


def run_scenario(
    scenario: "Scenario",
    *,
    out: Path | None = None,
    systems: Sequence[str] | None = None,
    replication: int = 0,
    force: bool = False,
    progress: Progress | None = None,
    figures: bool = True,
    notice: Notice | None = None,
) -> Result:
    """Run a scenario into a run folder: `out`, or `runs/<name>-<hash>`, with `-r<replication>` from the second on.

    Raises ResultsError before the first event if the folder is in the way. When stopped, the systems that are
    whole are kept in `<folder>-interrupted`, and `Interrupted` tells.
    """
    folder = out if out is not None else default_folder(scenario, f"-r{replication}" if replication else "")
    refuse_existing(folder, force)
    try:
        result = run(scenario, systems=systems, replication=replication, progress=progress, notice=notice)
    except Interrupted as stop:
        if stop.result is not None:
            stop.result.save(_free_name(folder), figures=False)
        raise
    try:
        result.save(folder, force=force, figures=figures)
    except KeyboardInterrupt:  # while drawing: the run itself is whole
        result.save(_free_name(folder), figures=False)
        raise Interrupted(result) from None
    return result


def _free_name(folder: Path) -> Path:
    """Where what is whole of an interrupted run can be kept without touching anything that is there."""
    for number in itertools.count(1):
        name = folder.with_name(f"{folder.name}-interrupted" + (f"-{number}" if number > 1 else ""))
        if not name.exists():
            return name
    raise AssertionError("numbers do not end")


def default_folder(scenario: "Scenario", suffix: str = "") -> Path:
    """Where a run of that scenario goes if nobody says: `runs/<name>-<hash>`, and what tells it from others."""
    from l2sim.scenario import scenario_sha256
    from l2sim.scenario.variation import single

    return Path("runs") / f"{scenario.name}-{scenario_sha256(single(scenario))[:12]}{suffix}"


def _step(progress: Progress | None, name: str, total: int) -> Callable[[float, int], None] | None:
    if progress is None:
        return None
    return lambda fraction, done: progress(name, fraction, done, total)


def _versions() -> dict[str, str]:
    """Versions of what results depend on."""
    from importlib.metadata import version

    names = (
        "numpy", "simpy", "networkx", "coincurve", "cryptography", "safe-pysha3", "numba", "llvmlite", "pyarrow",
        "matplotlib", "brotli",
    )  # fmt: skip
    return {"l2sim": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}
