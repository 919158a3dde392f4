"""Replications and comparisons, from Python and on the command line."""

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import l2sim
from l2sim.errors import ResultsError
from l2sim.experiment.compare import compare, compare_runs, compare_systems
from l2sim.experiment.metrics import always_there, flatten
from l2sim.experiment.replicate import Replications, replicate, replications_of, run_replicated
from l2sim.experiment.run import run_scenario
from l2sim.experiment.statistics import student_t
from l2sim.report.comparison import difference_cells, sentences
from l2sim.report.sweep_figures import pareto
from tests.support.scenarios import folder_bytes
from tests.support.sweeps import TINY, sweep_bytes, tiny
from tests.unit.test_cli_main import l2sim as command

FIRST = [0.5, 0.7, 0.6, 0.8]
SECOND = [0.6, 0.9, 0.6, 0.9]


def made_up(name: str = "made up", **others: list[float | None]) -> Replications:
    figures = {"first": FIRST, "second": SECOND, **others}
    return Replications(name, dict.fromkeys(figures, "onchain"), {s: {"success_rate": v} for s, v in figures.items()})


def test_a_paired_difference_by_hand() -> None:
    (row,) = compare_systems(made_up(), None, ["success_rate"]).differences
    assert (row.metric, row.first, row.second) == ("success_rate", "first", "second")
    assert row.first_mean == pytest.approx(0.65)
    assert row.second_mean == pytest.approx(0.75)
    assert row.change.mean == pytest.approx(0.1)
    deviation = math.sqrt((0.0 + 0.01 + 0.01 + 0.0) / 3)  # of 0.1, 0.2, 0.0, 0.1
    assert row.change.half_width == pytest.approx(student_t(3) * deviation / 2)
    assert row.relative == pytest.approx(0.1 / 0.65)


def test_what_was_not_measured_is_left_out_of_its_pair() -> None:
    comparison = compare_systems(made_up(third=[None, 0.7, None, 0.9], never=[None] * 4), "first", ["success_rate"])
    assert [row.second for row in comparison.differences] == ["second", "third"]
    third = comparison.of("success_rate", "first", "third")
    assert (third.change.n, third.change.mean) == (2, pytest.approx(0.05))
    # The means are those of the pairs as well, so that the difference is theirs.
    assert (third.first_mean, third.second_mean) == (pytest.approx(0.75), pytest.approx(0.8))
    with pytest.raises(KeyError):
        comparison.of("success_rate", "first", "never")


def test_a_count_that_a_system_does_not_list_is_nought() -> None:
    kinds = {"first": "onchain", "second": "onchain"}
    found = Replications("counts", kinds, {"first": {"failures.dropped": [3, 5]}, "second": {"success_rate": [1, 1]}})
    (row,) = compare_systems(found, None, ["failures.dropped"]).differences
    assert (row.first_mean, row.second_mean, row.change.mean) == (4.0, 0.0, -4.0)
    paid = Replications("all paid", kinds, {"first": {"success_rate": [1, 1]}})
    (same,) = compare_runs([found, paid], ["failures.dropped"]).differences
    assert (same.first_mean, same.second_mean) == (4.0, 0.0)


def test_runs_are_compared_system_by_system() -> None:
    other = Replications("other", {"second": "onchain"}, {"second": {"success_rate": FIRST}})
    comparison = compare_runs([made_up(), other], ["success_rate"])
    (row,) = comparison.differences
    assert (row.first, row.second) == ("second in made up", "second in other")
    assert row.change.mean == pytest.approx(-0.1)
    strange = Replications("strange", {"x": "onchain"}, {"x": {"success_rate": FIRST}})
    with pytest.raises(ResultsError, match="strange: has no system in common with made up"):
        compare_runs([made_up(), strange], ["success_rate"])


def test_replications_are_independent_runs_that_can_be_run_alone(tmp_path: Path) -> None:
    three = replicate(tiny(), 3, out=tmp_path / "study", executor="serial")
    assert (three.systems, three.count) == (("first", "second"), 3)
    values = three.figures["second"]["fee_usd.mean"]
    assert len(set(values)) == 3
    for k in range(3):
        alone = l2sim.run(tiny(), replication=k)
        assert alone.run["replication"] == k
        assert flatten(alone.summary["second"])["fee_usd.mean"] == values[k]
    assert replicate(tiny(), 3, executor="serial") == three, "kept or not, the figures are the same"
    found = three.interval("second", "fee_usd.mean")
    assert found is not None
    assert found.n == 3


def test_every_summary_has_the_figures_that_are_always_there() -> None:
    flat = flatten(l2sim.run(tiny()).summary["first"])
    assert set(always_there()) <= set(flat)
    assert not any(name.startswith("audit") for name in flat)


def test_a_run_with_replications_is_the_run_folder_of_the_first_with_the_others_inside(tmp_path: Path) -> None:
    result = run_replicated(tiny(), 3, out=tmp_path / "run", figures=False, executor="serial")
    for k in range(3):
        run_scenario(tiny(), out=tmp_path / f"r{k}", replication=k, figures=False)
    assert folder_bytes(tmp_path / "run" / "replications" / "r2") == folder_bytes(tmp_path / "r2")
    whole, first = folder_bytes(tmp_path / "run"), folder_bytes(tmp_path / "r0")
    own = json.loads(whole["run.json"])
    assert own.pop("replications")["count"] == 3
    assert own == json.loads(first["run.json"])
    assert {name: whole[name] for name in first if name != "run.json"} == {
        name: first[name] for name in first if name != "run.json"
    }
    block = result.run["replications"]["systems"]["second"]["fee_usd.mean"]
    study = replications_of(tmp_path / "run")
    found = study.interval("second", "fee_usd.mean")
    assert found is not None
    assert (block["n"], block["mean"], block["half_width"]) == (3, found.mean, found.half_width)
    assert block["low"] < block["mean"] < block["high"]
    with pytest.raises(ResultsError, match="exists already"):
        run_replicated(tiny(), 2, out=tmp_path / "run", executor="serial")


def test_comparing_takes_results_folders_studies_and_scenarios(tmp_path: Path) -> None:
    single = run_scenario(tiny(), out=tmp_path / "single", figures=False)
    several = replicate(tiny(), 3, out=tmp_path / "study", executor="serial")
    assert compare(single, tmp_path / "single").differences[0].change.mean == 0
    assert compare(tmp_path / "study", several).replications == 3
    paired = compare(tiny(), replications=3, metrics=["fee_usd.mean"], executor="serial")
    assert paired.differences == compare(several, metrics=["fee_usd.mean"]).differences
    assert paired.differences[0].change.n == 3
    other_way = compare(several, metrics=["fee_usd.mean"], baseline="second").differences[0].change.mean
    assert other_way == pytest.approx(-paired.differences[0].change.mean)


@pytest.mark.parametrize(
    ("what", "keywords", "words"),
    [
        ((), {}, "at least two runs"),
        ((tiny(), tiny()), {}, "takes one scenario, or runs"),
        ((made_up(),), {"baseline": "frist"}, "did you mean first"),
        ((tiny(),), {"baseline": "third"}, "must be one of first, second"),
        ((made_up(), made_up()), {"metrics": ["sucess_rate"]}, "did you mean success_rate"),
        (("nowhere", "elsewhere"), {}, "is not a run folder"),
    ],
)
def test_what_cannot_be_compared_is_refused(what: Any, keywords: Any, words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        compare(*what, **keywords)


def test_a_comparison_shows_itself(tmp_path: Path) -> None:
    comparison = compare_systems(made_up(hostile_name=SECOND), "first", ["success_rate"])
    assert comparison.table().num_rows == 2
    html = Replications("<script>", made_up().kinds, made_up().figures)._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "65 %" in html
    assert "+15.4 %" in comparison._repr_html_()
    figure = comparison.figure()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["share completed"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["second", "hostile_name"]
    assert difference_cells(comparison.table().to_pylist()[0])[3:5] == ["65 %", "75 %"]


def test_the_frontier_is_what_nothing_beats_in_both() -> None:
    assert pareto([(3, 3), (1, 4), (2, 2), (2, 5), (4, 1)]) == [(1, 4), (2, 2), (4, 1)]
    assert pareto([]) == []


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny scenario in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path / "tiny.yaml"


SERIAL = ("--executor", "serial")


def test_sweep_prints_a_table_and_ends_with_its_folder(scenario: Path) -> None:
    arguments = ("sweep", "tiny.yaml", "--vary", "workload.users=6,8", *SERIAL, "--no-figures", "--out", "study")
    shown = command(*arguments)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[-1] == "study"
    assert "workload.users" in shown.stdout
    assert {path.name for path in Path("study").iterdir()} == {
        "manifest.json", "points", "table.csv", "table.parquet", "intervals.csv", "intervals.parquet",
        "report.html", "figures",
    }  # fmt: skip
    before = sweep_bytes(Path("study"))
    again = command(*arguments)
    assert again.exit_code == 2
    assert "--resume to go on" in again.stderr
    resumed = command(*arguments, "--resume", "--quiet")
    assert (resumed.exit_code, resumed.stdout) == (0, "study\n")
    assert sweep_bytes(Path("study")) == before
    different = command(*arguments, "--resume", "--seed-typo")
    assert different.exit_code == 2


def test_sweep_without_out_takes_a_folder_named_after_scenario_and_study(scenario: Path) -> None:
    done = command("sweep", "tiny.yaml", "--vary", "workload.users=6", *SERIAL, "--no-figures", "--quiet")
    assert done.exit_code == 0, done.output
    (folder,) = Path("sweeps").iterdir()
    assert done.stdout == f"{folder}\n"
    assert folder.name.startswith("tiny-")


def test_sweep_draws_a_hypercube_and_replicates_until_an_interval_is_narrow(scenario: Path) -> None:
    done = command("sweep", "tiny.yaml", "--vary", "workload.users=6..60:log", "--samples", "2", "--until",
                   "fee_usd.mean=0.9", "--max-replications", "6", *SERIAL, "--no-figures", "--out", "here")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(list(Path("here/points").iterdir())) >= 10


def test_run_takes_replications_or_one_of_them(scenario: Path) -> None:
    several = command("run", "tiny.yaml", "--replications", "2", "--workers", "1", "--no-figures")
    assert several.exit_code == 0, several.output
    assert "2 replications, 95 % intervals" in several.stdout
    (folder,) = Path("runs").iterdir()
    assert folder.name.endswith("-x2")
    one = command("run", "tiny.yaml", "--replication", "1", "--no-figures", "--quiet")
    assert one.exit_code == 0, one.output
    alone = Path(one.stdout.strip())
    assert alone.name.endswith("-r1")
    assert folder_bytes(alone) == folder_bytes(folder / "replications" / "r1")
    as_json = command("run", "tiny.yaml", "--replications", "2", "--workers", "1", "--json", "--no-figures", "--force")
    assert json.loads(as_json.stdout)["second"]["fee_usd.mean"]["n"] == 2


def test_compare_a_scenario_keeps_its_runs_table_and_figure(scenario: Path) -> None:
    arguments = ("compare", "tiny.yaml", "--replications", "3", *SERIAL, "--out", "kept")
    done = command(*arguments)
    assert done.exit_code == 0, done.output
    assert "difference from first, 3 replications, paired 95 % intervals" in done.stdout
    assert done.stdout.splitlines()[-1] == "kept"
    names = {str(path.relative_to("kept")) for path in Path("kept").rglob("*")}
    assert {
        "comparison.csv",
        "comparison.parquet",
        "figures/differences.svg",
        "report.html",
        "points/0000-r2/run.json",
    } <= names
    resumed = command(*arguments, "--resume", "--json", "--metric", "fee_usd.mean")
    (row,) = json.loads(resumed.stdout)
    assert (row["metric"], row["first"], row["second"], row["n"]) == ("fee_usd.mean", "first", "second", 3)
    runs = command("compare", "kept/points/0000-r0", "kept/points/0000-r1", "--json", "--metric", "fee_usd.mean")
    assert [row["second"] for row in json.loads(runs.stdout)] == [
        "first in kept/points/0000-r1", "second in kept/points/0000-r1",
    ]  # fmt: skip


def test_the_page_of_compared_runs_names_them_and_how_to_compare_them_again(scenario: Path) -> None:
    for seed in (1, 2):
        made = command("run", "tiny.yaml", "--seed", str(seed), "--no-figures", "--quiet", "--out", f"run {seed}")
        assert made.exit_code == 0, made.output
    done = command("compare", "run 1", "run 2", "--out", "kept", "--metric", "fee_usd.mean", "--quiet")
    assert (done.exit_code, done.stdout) == (0, "kept\n"), done.output
    page = Path("kept/report.html").read_text(encoding="utf-8")
    assert "l2sim compare &#39;run 1&#39; &#39;run 2&#39; --metric fee_usd.mean" in page
    assert "One run each is one draw of chance" in page
    for number in (1, 2):
        own = json.loads(Path(f"run {number}/run.json").read_text(encoding="utf-8"))
        assert own["scenario_sha256"] in page


def test_what_a_comparison_found_is_told_in_sentences() -> None:
    table = compare_systems(made_up(third=FIRST), "first", ["success_rate"]).table()
    assert sentences(table) == [
        "Share completed: 65 % on first; 75 % on second (+15.4 %, may be chance); 65 % on third (no difference)."
    ]
    rows = [{**row, "low": 0.05, "high": 0.15} for row in table.to_pylist()]
    assert "beyond chance" in sentences(pa.Table.from_pylist(rows))[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "tiny.yaml"), "say what to vary"),
        (("sweep", "tiny.yaml", "--design", "grid"), "--design and --samples go with --vary"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--vary", "seed=2"), "names seed twice"),
        (("sweep", "tiny.yaml", "--vary", "seed"), "must be key=value"),
        (("sweep", "tiny.yaml", "--vary", "seed=-1,x"), "--vary:seed seed: must be at least 0 (got -1)"),
        (("sweep", "tiny.yaml", "--vary", "sed=1"), "did you mean seed?"),
        (("sweep", "tiny.yaml", "--vary", "seed=1..5"), "must be given for design latin"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--until", "success_rate"), "--until must be METRIC=SHARE"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--until", "nothing=0.1"), "must name a figure of the summary"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--out", "tiny.yaml"), "exists already and is not a sweep"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--workers", "0"), "0 is not in the range"),
        (("sweep", "tiny.yaml", "--vary", "seed=1", "--scheduler", "x"), "is for --executor dask"),
        (("sweep", "none.yaml", "--vary", "seed=1"), "none.yaml:1:1 scenario file: cannot be read"),
        (("run", "tiny.yaml", "--replications", "2", "--replication", "1"), "give one of the two"),
        (("compare",), "Missing argument"),
        (("compare", "tiny.yaml", "tiny.yaml"), "compare one scenario, or run folders"),
        (("compare", "tiny.yaml", "."), "not both"),
        (("compare", ".", "."), "is not a run folder"),
        (("compare", ".", ".", "--replications", "2"), "go with a scenario"),
        (("compare", "tiny.yaml", "--resume"), "--resume goes with --out"),
        (("compare", "tiny.yaml", "--baseline", "third"), "must be one of first, second"),
        (("compare", "tiny.yaml", "--metric", "nothing"), "must name a figure of the summary"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_usage_ends_with_2_one_message_and_nothing_written(
    scenario: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = command(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in scenario.parent.iterdir()) == ["tiny.yaml"]


def test_a_sweep_that_is_interrupted_ends_with_130_and_says_how_to_go_on(
    scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l2sim.experiment.executors import SerialExecutor

    honest, computed = SerialExecutor.submit, []

    def stop_at_the_second(self: SerialExecutor, *task: Any) -> Any:
        if computed:
            raise KeyboardInterrupt
        computed.append(task)
        return honest(self, *task)

    monkeypatch.setattr(SerialExecutor, "submit", stop_at_the_second)
    stopped = command("sweep", "tiny.yaml", "--vary", "seed=1,2,3", *SERIAL, "--no-figures", "--out", "study")
    assert stopped.exit_code == 130
    assert "interrupted: 1 finished runs are kept in study; go on with --resume" in stopped.stderr
