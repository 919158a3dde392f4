"""Sweeps: run folders as `l2sim run` writes them, the same bytes whoever computes them, nothing lost or doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import l2sim
from l2sim.errors import InvariantError, ResultsError
from l2sim.experiment import sweep as sweep_module
from l2sim.experiment.executors import Crew, ProcessesExecutor, SerialExecutor, compute_all, make_executor
from l2sim.experiment.manifest import RunKey
from l2sim.experiment.run import run_scenario
from l2sim.experiment.stopping import StoppingRule
from l2sim.experiment.sweep import Sweep, SweepInterrupted, fill, open_sweep, sweep
from l2sim.results.schema import SCHEMA_VERSION, TABLES, tables_of
from l2sim.scenario.variation import varied
from tests.shared import ROOT
from tests.support.dying import die_always, die_once
from tests.support.scenarios import folder_bytes
from tests.support.sweeps import MADE_UP_POINTS, TINY, made_up_folder, make_up, sweep_bytes, tiny

VARY = {"workload.users": [6, 8], "workload.amounts.usd": [5, 7.5]}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A finished sweep of four points in two replications, computed in this process."""
    folder = tmp_path_factory.mktemp("reference") / "sweep"
    return sweep(tiny(), VARY, out=folder, replications=2, executor="serial", figures=False)


def test_each_point_is_the_run_folder_of_its_scenario(reference: Sweep, tmp_path: Path) -> None:
    scenario = varied(tiny(), {"workload.users": 8, "workload.amounts.usd": 5})
    run_scenario(scenario, out=tmp_path / "alone", replication=1, figures=False)
    assert reference.points[2] == {"workload.users": 8, "workload.amounts.usd": 5}
    assert folder_bytes(tmp_path / "alone") == folder_bytes(reference.folder / "points" / "0002-r1")
    assert reference.result(2, 1).payments().num_rows == 24


def test_replications_differ_and_points_share_their_random_numbers(reference: Sweep) -> None:
    def payers(point: int, replication: int) -> list[int]:
        rows: list[int] = reference.result(point, replication).payments()["payer"].to_pylist()
        return rows

    assert payers(0, 0) != payers(0, 1)
    assert payers(0, 0) == payers(1, 0), "only the amount differs between these two points"


def test_the_table_has_every_figure_of_every_run(reference: Sweep) -> None:
    table = reference.table()
    assert table.num_rows == 4 * 2 * 2
    assert table.column_names[:6] == ["point", "replication", *VARY, "system", "kind"]
    for row in table.to_pylist():
        summary = reference.result(row["point"], row["replication"]).summary[row["system"]]
        assert row["success_rate"] == summary["success_rate"]
        assert row["latency_s.assured.p50"] == summary["latency_s"]["assured"]["p50"]
        assert row["workload.users"] == reference.points[row["point"]]["workload.users"]
    assert pq.read_table(reference.folder / "table.parquet").equals(table)
    assert pyarrow.csv.read_csv(reference.folder / "table.csv").num_rows == table.num_rows


def test_the_intervals_are_those_of_the_table(reference: Sweep) -> None:
    rows = [row for row in reference.intervals().to_pylist() if row["metric"] == "fee_usd.mean"]
    assert len(rows) == 4 * 2
    for row in rows:
        values = [
            one["fee_usd.mean"]
            for one in reference.table().to_pylist()
            if (one["point"], one["system"]) == (row["point"], row["system"])
        ]
        assert row["n"] == 2
        assert row["mean"] == pytest.approx(sum(values) / 2)
        assert row["half_width"] == pytest.approx(12.7062047 * abs(values[0] - values[1]) / 2)
        assert (row["low"], row["high"]) == (row["mean"] - row["half_width"], row["mean"] + row["half_width"])


def test_results_do_not_depend_on_executor_and_workers(reference: Sweep, tmp_path: Path) -> None:
    again = sweep(tiny(), VARY, out=tmp_path / "sweep", replications=2, workers=3, figures=False)
    assert sweep_bytes(again.folder) == sweep_bytes(reference.folder)


def test_any_executor_will_do_and_stays_open(reference: Sweep, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        again = sweep(tiny(), VARY, out=tmp_path / "sweep", replications=2, executor=threads, figures=False)
        assert threads.submit(int, "5").result() == 5
    assert sweep_bytes(again.folder) == sweep_bytes(reference.folder)


def test_figures_and_reports_are_drawn_when_asked_for(tmp_path: Path) -> None:
    done = sweep(tiny(), {"workload.users": [6]}, out=tmp_path / "sweep", executor="serial")
    assert (done.folder / "points" / "0000-r0" / "report.html").is_file()
    names = {path.name for path in (done.folder / "figures").iterdir()}
    assert {"lines.svg", "lines.png", "frontier.svg", "frontier.png"} <= names


def inodes(folder: Path) -> dict[str, int]:
    return {entry.name: entry.stat().st_ino for entry in (folder / "points").iterdir()}


def test_resume_computes_only_what_is_missing(tmp_path: Path) -> None:
    def resumed() -> list[int]:
        computed: list[int] = []
        sweep(
            tiny(), VARY, out=tmp_path / "sweep", executor="serial", resume=True, figures=False,
            progress=lambda done, total, new: computed.append(new),
        )  # fmt: skip
        return computed

    assert resumed()[-1] == 4, "a folder that is not there is begun"
    whole, before = sweep_bytes(tmp_path / "sweep"), inodes(tmp_path / "sweep")
    assert resumed()[-1] == 0
    points = tmp_path / "sweep" / "points"
    for file in (points / "0001-r0").iterdir():
        file.unlink()
    (points / "0001-r0").rmdir()
    run_json = points / "0002-r0" / "run.json"
    run_json.write_text(run_json.read_text()[:100])
    payments = points / "0003-r0" / "payments.parquet"
    payments.write_bytes(payments.read_bytes()[:-50])
    assert resumed()[-1] == 3, "one is missing, two are damaged"
    after = inodes(tmp_path / "sweep")
    assert after["0000-r0"] == before["0000-r0"]
    assert sweep_bytes(tmp_path / "sweep") == whole


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vary": {"workload.users": [6, 9]}}, "its points differ"),
        ({"vary": {"workload.payments": [6, 8]}}, "it varies other keys"),
        ({"replications": 3}, "its replications differ"),
        ({"scenario": varied(tiny(), {"seed": 2})}, "its scenario differs"),
        ({"figures": True}, "--figures/--no-figures"),
        ({"resume": False}, "--resume to go on"),
    ],
)  # fmt: skip
def test_a_folder_of_a_different_sweep_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    usual: dict[str, Any] = {
        "scenario": tiny(), "vary": {"workload.users": [6, 8]}, "out": tmp_path / "sweep", "executor": "serial",
        "figures": False, "resume": True,
    }  # fmt: skip
    folder = tmp_path / "sweep"
    sweep(**usual)
    before = sweep_bytes(folder)
    with pytest.raises(ResultsError, match=words):
        sweep(**{**usual, **change})
    assert sweep_bytes(folder) == before


def test_a_sweep_does_not_go_on_with_a_demand_file_that_has_changed(tmp_path: Path) -> None:
    trace = tmp_path / "demand.csv"
    trace.write_text("gas,blobs\n20000000,3\n40000000,9\n")
    settings = {"l1": {"ethereum": {"kind": "ethereum", "background": {"trace_path": str(trace)}}}}
    scenario = varied(tiny(), {"l1": {**tiny().model_dump(mode="json")["l1"], **settings["l1"]}})
    folder = tmp_path / "sweep"
    one: dict[str, Any] = {"workload.users": [6]}
    usual: dict[str, Any] = {"out": folder, "executor": "serial", "figures": False, "resume": True}
    sweep(scenario, one, **usual)
    before = sweep_bytes(folder)
    sweep(scenario, one, **usual)
    trace.write_text("gas,blobs\n20000000,3\n40000000,8\n")
    with pytest.raises(ResultsError, match="holds a different sweep \\(a file that it reads has changed since\\)"):
        sweep(scenario, one, **usual)
    assert sweep_bytes(folder) == before
    # A file that only one point reads counts as well.
    other = tmp_path / "other.csv"
    other.write_text("gas,blobs\n30000000,1\n")
    paths: dict[str, Any] = {"l1.ethereum.background.trace_path": [str(trace), str(other)]}
    sweep(scenario, paths, **{**usual, "out": tmp_path / "paths"})
    other.write_text("gas,blobs\n30000000,2\n")
    with pytest.raises(ResultsError, match="a file that it reads has changed"):
        sweep(scenario, paths, **{**usual, "out": tmp_path / "paths"})


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(ResultsError, match="exists already and is not a sweep"):
            sweep(tiny(), VARY, out=tmp_path, executor="serial", resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_manifest_that_is_damaged_or_newer_is_refused(tmp_path: Path) -> None:
    for text, words in (
        ("{", "cannot be read"),
        ("[]", "was not written by l2sim sweep"),
        ('{"kind": "sweep", "schema": 99}', "schema must be at most 1"),
    ):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ResultsError, match=words):
            open_sweep(tmp_path)
    with pytest.raises(ResultsError, match="is not a sweep"):
        open_sweep(tmp_path / "nowhere")


def test_a_sweep_of_another_schema_is_read_and_not_gone_on_with(tmp_path: Path) -> None:
    usual: dict[str, Any] = {"out": tmp_path / "sweep", "executor": "serial", "figures": False, "resume": True}
    sweep(tiny(), {"workload.users": [6, 8]}, **usual)
    manifest = tmp_path / "sweep" / "manifest.json"
    older = json.loads(manifest.read_text()) | {"results_schema": SCHEMA_VERSION - 1}
    manifest.write_text(json.dumps(older))
    for run in (tmp_path / "sweep" / "points").iterdir():
        (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | {"schema": 1}))
        for table in set(TABLES) - set(tables_of(1)):
            (run / f"{table.name}.parquet").unlink()
    before = sweep_bytes(tmp_path / "sweep")
    with pytest.raises(
        ResultsError, match=r"holds a different sweep \(it was begun by an l2sim that writes other tables"
    ):
        sweep(tiny(), {"workload.users": [6, 8]}, **usual)
    assert sweep_bytes(tmp_path / "sweep") == before
    read = open_sweep(tmp_path / "sweep")
    assert len(read.runs) == 2, "its runs are whole as they were written"
    assert read.table().num_rows == 4


def test_a_run_of_another_scenario_in_a_points_place_is_refused(tmp_path: Path) -> None:
    usual: dict[str, Any] = {"out": tmp_path / "sweep", "executor": "serial", "figures": False, "resume": True}
    sweep(tiny(), {"workload.users": [6, 8]}, **usual)
    points = tmp_path / "sweep" / "points"
    (points / "0000-r0").rename(points / "mine")
    (points / "0001-r0").rename(points / "0000-r0")
    with pytest.raises(ResultsError, match="holds another run than the sweep's"):
        sweep(tiny(), {"workload.users": [6, 8]}, **usual)


def test_the_scenarios_own_sweep_and_replications_are_taken(tmp_path: Path) -> None:
    block = "sweep: {design: latin, samples: 3, vary: {workload.users: {low: 6, high: 40}}}\nreplications: 2\n"
    scenario = l2sim.load_scenario(_file(tmp_path, TINY + block))
    done = sweep(scenario, out=tmp_path / "sweep", executor="serial", figures=False)
    assert [key.name for key in done.runs] == [f"000{point}-r{k}" for point in range(3) for k in range(2)]
    users = sorted(point["workload.users"] for point in done.points)
    assert all(6 + 35 * part // 3 <= value <= 6 + 35 * (part + 1) // 3 for part, value in enumerate(users))
    run = done.result(1).run
    assert (run["scenario"]["replications"], run["scenario"]["sweep"]["vary"]) == (1, {})
    assert done.manifest["scenario"]["sweep"]["samples"] == 3


def _file(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text)
    return path


def test_the_stopping_rule_gives_each_point_what_it_needs(tmp_path: Path) -> None:
    rule = StoppingRule("fee_usd.mean", 0.15, maximum=20)

    def run(name: str, executor: str) -> Sweep:
        return sweep(tiny(), {}, out=tmp_path / name, until=rule, executor=executor, workers=2, figures=False)

    done = run("here", "serial")
    rows = [row for row in done.intervals().to_pylist() if row["metric"] == "fee_usd.mean"]
    assert len(rows) == 2
    assert all(row["half_width"] <= 0.15 * row["mean"] for row in rows)
    assert {row["n"] for row in rows} <= {5, 8, 12}
    assert max(row["n"] for row in rows) > 5, "five replications are not enough here"
    assert sweep_bytes(run("there", "processes").folder) == sweep_bytes(done.folder)


def test_a_point_that_fails_is_named_and_the_others_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = sweep_module.run

    def broken(scenario: l2sim.Scenario, **keywords: Any) -> l2sim.Result:
        if scenario.workload.users == 8:
            raise InvariantError("entered 5, left 4")
        return honest(scenario, **keywords)

    monkeypatch.setattr(sweep_module, "run", broken)
    with pytest.raises(InvariantError) as caught:
        sweep(tiny(), {"workload.users": [6, 8, 10]}, out=tmp_path / "sweep", executor="serial", figures=False)
    assert caught.value.__notes__ == ["while computing point 1 (workload.users=8), replication 0"]
    assert open_sweep(tmp_path / "sweep").runs == (RunKey(0, 0),)
    monkeypatch.undo()
    assert len(sweep(tiny(), {"workload.users": [6, 8, 10]}, out=tmp_path / "sweep", executor="serial", figures=False,
                     resume=True).runs) == 3  # fmt: skip


def test_a_sweep_that_is_stopped_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    def stop(done: int, total: int, computed: int) -> None:
        if computed == 2:
            raise KeyboardInterrupt

    with pytest.raises(SweepInterrupted) as caught:
        sweep(tiny(), VARY, out=tmp_path / "sweep", workers=2, figures=False, progress=stop)
    kept = len(open_sweep(tmp_path / "sweep").runs)
    assert kept >= 2
    assert caught.value.message == f"{kept} finished runs are kept in {tmp_path / 'sweep'}; go on with --resume"
    assert [path.name for path in (tmp_path / "sweep" / "points").glob(".*")] == []


def test_two_processes_do_not_compute_one_sweep(reference: Sweep) -> None:
    keywords: dict[str, Any] = {"out": reference.folder, "executor": "serial", "figures": False, "resume": True}
    with reference._folder.locked(), pytest.raises(ResultsError, match="another process is computing it"):
        sweep(tiny(), VARY, replications=2, **keywords)
    sweep(tiny(), VARY, replications=2, **keywords)


def _full_disk(folder: Path) -> None:
    """Compute made-up runs where no file may grow past two hundred bytes, as on a disk that is full."""
    import resource

    made, points = made_up_folder(folder)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, resource.RLIM_INFINITY))
    try:
        fill(made, points, 1, None, Crew(SerialExecutor), compute=make_up)
    except ResultsError as error:
        os.write(1, str(error).encode())


def test_a_full_disk_leaves_no_half_written_run(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.unit.test_experiment_sweep import _full_disk; "
        f"_full_disk(Path({str(tmp_path / 'sweep')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "0000-r0: cannot be written: " in done.stdout
    assert "File too large" in done.stdout
    assert list((tmp_path / "sweep" / "points").iterdir()) == []
    folder, points = made_up_folder(tmp_path / "sweep")
    fill(folder, points, 1, None, Crew(SerialExecutor), compute=make_up)
    assert len(folder.runs()) == MADE_UP_POINTS


def test_a_worker_that_dies_is_replaced_and_its_task_done_again(tmp_path: Path) -> None:
    done: list[int] = []
    with Crew(lambda: ProcessesExecutor(1)) as crew:
        compute_all(die_once, [(tmp_path, n) for n in range(6)], crew, lambda task: done.append(task[1]))
    assert sorted(done) == list(range(6)), "each task is reported once"
    assert {int(path.name.partition("-")[0]) for path in tmp_path.iterdir() if path.name != "died"} == set(range(6))


def test_workers_that_always_die_are_an_error_that_says_what_to_do() -> None:
    with (
        Crew(lambda: ProcessesExecutor(1)) as crew,
        pytest.raises(ResultsError, match="died 3 times without finishing a run: is there memory enough"),
    ):
        compute_all(die_always, [1, 2], crew, lambda task: None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: make_executor("proceses"), "must be one of processes, serial, dask"),
        (lambda: make_executor("processes", 0), "--workers: must be at least 1"),
        (lambda: make_executor("serial", 1, "tcp://here:1"), "--scheduler: is for --executor dask"),
        (lambda: make_executor("dask", 1, " "), "--scheduler: must be an address"),
    ],
)
def test_executors_that_cannot_be_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        make()


KILLS = 60


def test_sweeps_killed_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.kill_sweeps", str(tmp_path), str(KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["kills"] >= KILLS
    assert found["ended"] >= 1
    assert found["moments"]["while writing"] >= 10, "the kills must hit runs in the middle"


def test_the_command_survives_kills_and_its_workers_do_not(tmp_path: Path) -> None:
    folder, vary = tmp_path / "killed", {"workload.users": [6, 8]}
    command = [
        sys.executable, "-c", "from l2sim.cli.main import main; main()", "sweep", str(_file(tmp_path, TINY)),
        "--vary", "workload.users=6,8", "--replications", "5", "--out", str(folder), "--resume",
        "--workers", "2", "--no-figures", "--quiet",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    finished: dict[str, int] = {}
    for kill_after in (1, 4):
        process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not (folder / "points").is_dir() or len(_finished(folder)) < kill_after:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        _wait_for_the_end_of(process.pid)
        before, finished = finished, _finished(folder)
        assert finished.items() >= before.items(), "a finished run is gone or was computed again"
    last = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert last.stdout == f"{folder}\n"
    assert _finished(folder).items() >= finished.items()
    whole = sweep(l2sim.load_scenario(_file(tmp_path, TINY)), vary, out=tmp_path / "whole", replications=5,
                  executor="serial", figures=False)  # fmt: skip
    assert sweep_bytes(folder) == sweep_bytes(whole.folder)


def _finished(folder: Path) -> dict[str, int]:
    """The finished runs of a sweep, and the inode of each."""
    return {entry.name: entry.stat().st_ino for entry in (folder / "points").glob("[0-9]*")}


def _wait_for_the_end_of(session: int) -> None:
    """Wait until no process of a killed command is at work."""
    for _ in range(200):
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        if not _at_work(session):
            return
        time.sleep(0.025)
    pytest.fail("workers outlived their parent by five seconds")


def _at_work(group: int) -> bool:
    """Whether a process of the group lives; Linux also tells those that are dead but not yet buried."""
    if not Path("/proc/self/stat").exists():
        return True
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, found, *_ = entry.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(found) == group and state != "Z":
            return True
    return False
