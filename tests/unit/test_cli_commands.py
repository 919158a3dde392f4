"""What each command prints and writes when all is well."""

import json
import time
from pathlib import Path

import pytest

from l2sim.cli.progress import RunProgress, show_progress
from l2sim.cli.table import ROWS, comparison_table, number, percent, seconds, usd
from tests.shared import ROOT, shared
from tests.unit.test_cli_main import l2sim, scenario

__all__ = ["scenario"]  # a fixture


def test_run_prints_a_table_and_ends_with_the_path_of_the_report(scenario: Path) -> None:
    result = l2sim("run", "tiny.yaml", "--out", "here")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert Path(lines[-1]) == Path("here/report.html")
    assert Path(lines[-1]).is_file()
    for label, _ in ROWS:
        assert any(line.strip().startswith(label) for line in lines), label
    assert "first" in result.stdout
    assert "second" in result.stdout
    assert result.stderr == ""
    run = json.loads(Path("here/run.json").read_text())
    assert run["seed"] == 1
    assert list(run["systems"]) == ["first", "second"]


def test_run_without_out_takes_a_folder_named_after_scenario_and_hash(scenario: Path) -> None:
    result = l2sim("run", "tiny.yaml", "--quiet", "--no-figures", "--systems", "second", "--seed", "5")
    assert result.exit_code == 0, result.output
    (folder,) = Path("runs").iterdir()
    assert result.stdout == f"{folder}\n"
    run = json.loads((folder / "run.json").read_text())
    assert folder.name == f"tiny-{run['scenario_sha256'][:12]}"
    assert run["seed"] == run["scenario"]["seed"] == 5
    assert list(run["systems"]) == list(run["scenario"]["systems"]) == ["second"]


def test_run_json_prints_the_summary_and_nothing_else(scenario: Path) -> None:
    result = l2sim("run", "tiny.yaml", "--json", "--no-figures", "--set", "workload.payments=2")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert list(summary) == ["first", "second"]
    assert summary["first"]["offered"] == 2
    assert result.stderr == ""


def test_run_refuses_a_folder_that_exists_and_replaces_it_with_force(scenario: Path) -> None:
    arguments = ("run", "tiny.yaml", "--quiet", "--no-figures", "--out", "here")
    assert l2sim(*arguments).exit_code == 0
    first = Path("here/run.json").read_bytes()
    again = l2sim(*arguments, "--seed", "2")
    assert again.exit_code == 2
    assert Path("here/run.json").read_bytes() == first
    assert l2sim(*arguments, "--seed", "2", "--force").exit_code == 0
    assert json.loads(Path("here/run.json").read_text())["seed"] == 2


def test_export_writes_every_table_as_csv(scenario: Path) -> None:
    assert l2sim("run", "tiny.yaml", "--quiet", "--no-figures", "--out", "here").exit_code == 0
    result = l2sim("export", "here", "--csv", "--out", "tables")
    assert result.exit_code == 0, result.output
    files = [Path(line) for line in result.stdout.splitlines()]
    assert {file.name for file in files} >= {"payments.csv", "blocks.csv"}
    assert len(Path("tables/payments.csv").read_text().splitlines()) == 1 + 2 * 4
    assert l2sim("export", "here", "--csv", "--out", "tables").exit_code == 2
    assert l2sim("export", "here", "--csv", "--out", "tables", "--force").exit_code == 0


def test_validate_says_what_would_run(scenario: Path) -> None:
    result = l2sim("validate", "tiny.yaml")
    assert result.exit_code == 0
    assert result.stdout == (
        "tiny.yaml: ok\n"
        "  tiny: 4 payments of 50 USD on average among 3 users, crypto modelled\n"
        "  first: onchain on bitcoin\n"
        "  second: onchain on bitcoin\n"
    )


def test_validate_checks_every_file_and_reports_all_problems(scenario: Path) -> None:
    Path("broken.yaml").write_text(scenario.read_text().replace("users: 3", "users: 0"))
    result = l2sim("validate", "broken.yaml", "tiny.yaml", "none.yaml")
    assert result.exit_code == 2
    assert "tiny.yaml: ok" in result.stdout
    assert result.stderr.splitlines() == [
        "errors:",
        "broken.yaml:4:3 workload.users: must be at least 2 (got 0)",
        "none.yaml:1:1 scenario file: cannot be read (got No such file or directory)",
    ]


def test_validate_reads_the_files_that_a_scenario_names(scenario: Path) -> None:
    Path("trace.csv").write_text("time_s,payer,payee,amount_sat\n0,0,9,5\n")
    text = scenario.read_text().replace("kind: constant, rate_per_s: 0.05", "kind: trace, path: trace.csv")
    text = text.replace("  payments: 4\n", "").replace("  amounts: {kind: constant, usd: 50}\n", "")
    Path("traced.yaml").write_text(text)
    result = l2sim("validate", "traced.yaml")
    assert result.exit_code == 2
    assert "trace.csv:2 payee: must be a user from 0 to 2 (got 9)" in result.stderr


def test_validate_reads_a_real_network() -> None:
    snapshot = shared("data/lightning/cln-listchannels-2026-02-03.json.xz")
    path = f"systems.lightning.topology.path={snapshot}"
    result = l2sim("validate", str(ROOT / "scenarios" / "lightning_snapshot.yaml"), "--set", path)
    assert result.exit_code == 0, result.output
    assert "lightning: lightning on bitcoin" in result.stdout


def test_schema_is_a_json_schema() -> None:
    result = l2sim("schema")
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    assert {"workload", "l1", "systems"} <= set(schema["properties"])


def test_new_writes_a_scenario_that_is_valid(scenario: Path) -> None:
    result = l2sim("new", "my-study")
    assert result.exit_code == 0
    assert "l2sim run my-study.yaml" in result.stdout
    assert l2sim("validate", "my-study.yaml").exit_code == 0
    assert l2sim("new", "my-study.yaml").exit_code == 2
    Path("my-study.yaml").write_text("mine")
    assert l2sim("new", "my-study", "--force").exit_code == 0
    assert "name: my-study" in Path("my-study.yaml").read_text()


def test_new_lists_its_templates() -> None:
    result = l2sim("new", "--list")
    assert result.exit_code == 0
    assert "comparison" in result.stdout.splitlines()


def test_a_network_can_be_made_described_drawn_and_converted(scenario: Path) -> None:
    made = l2sim("topology", "generate", "net.json.xz", "--nodes", "40", "--seed", "3")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("net.json.xz: 40 nodes, ")
    described = l2sim("topology", "describe", "net.json.xz", "--json", "--figure", "net.svg")
    assert described.exit_code == 0, described.output
    assert json.loads(described.stdout)["nodes"] == 40
    assert Path("net.svg").read_text().lstrip().startswith("<?xml")
    assert "nodes" in l2sim("topology", "describe", "net.json.xz").stdout
    converted = l2sim("topology", "convert", "net.json.xz", "net.cln.json", "--to", "cln")
    assert converted.exit_code == 0, converted.output
    assert converted.stdout.partition(": ")[2] == made.stdout.partition(": ")[2]
    again = l2sim("topology", "describe", "net.cln.json", "--json")
    assert json.loads(again.stdout)["channels"] == json.loads(described.stdout)["channels"]
    assert l2sim("topology", "convert", "net.json.xz", "net.cln.json", "--to", "cln").exit_code == 2


def test_equal_seeds_make_equal_networks(scenario: Path) -> None:
    for name, seed in (("a.json", "3"), ("b.json", "3"), ("c.json", "4")):
        assert l2sim("topology", "generate", name, "--nodes", "20", "--seed", seed).exit_code == 0
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes() != Path("c.json").read_bytes()


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (seconds(0.0), "0 ms"), (seconds(0.4), "400 ms"), (seconds(12.34), "12.3 s"), (seconds(600), "10 min"),
        (seconds(7_200), "2 h"), (seconds(604_800), "7 d"), (seconds(None), "-"),
        (usd(0), "0"), (usd(0.0004567), "0.000457"), (usd(12_345.678), "12,345.68"), (usd(-3), "-3.00"),
        (usd(None), "-"),
        (number(1_234_567), "1,234,567"), (number(3.0), "3"), (number(0.5), "0.5"), (number(None), "-"),
        (percent(1.0), "100 %"), (percent(0.0), "0 %"), (percent(None), "-"),
    ],
)  # fmt: skip
def test_figures_are_shown_as_people_read_them(shown: str, text: str) -> None:
    assert shown == text


def test_a_table_shows_names_with_brackets_as_they_are() -> None:
    from rich.console import Console

    summary = {
        "offered": 10, "completed": 7, "success_rate": 0.7, "failures": {"no_route": 1, "no_liquidity": 2},
        "throughput_per_s": 0.5, "latency_s": {"assured": {"p50": 1, "p95": 2}, "final": {"p50": None}},
        "fee_usd": {"mean": 0.1}, "cost_usd_per_payment": None, "l1_bytes_per_payment": 140.0,
        "capital_locked_usd": 5.0, "signatures_made": 1, "signatures_verified": 2, "hashes": 3,
    }  # fmt: skip
    console = Console(width=80)
    with console.capture() as captured:
        console.print(comparison_table("[bold]t", {"[red]a": "onchain"}, {"[red]a": summary}))
    text = captured.get()
    assert "[bold]t" in text
    assert "[red]a" in text
    assert "no liquidity 2" in text


def test_progress_shows_time_payments_and_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as progress:
        assert isinstance(progress, RunProgress)
        progress("lightning", 0.0, 0, 1000)
        time.sleep(0.05)  # so that the rate is one that a run could have
        progress("lightning", 0.5, 400, 1000)
    shown = capsys.readouterr().err
    assert "50% simulated 400/1,000" in shown
    assert "payments/s" in shown
    assert "left" in shown
    assert "…" not in shown, "everything fits into eighty columns"


def test_bench_core_measures_writes_and_compares(scenario: Path) -> None:
    arguments = ("bench", "core", "--quick", "--group", "hashes")
    result = l2sim(*arguments, "--json", "now.json", "--write-profile", "mine.json")
    assert result.exit_code == 0, result.output
    record = json.loads(Path("now.json").read_text())
    assert len(record["rows"]) > 2
    for row in record["rows"]:
        assert row["name"] in result.stdout
    assert "mine.json written; from the reference: ecdsa_sign_ns" in result.stdout
    assert l2sim("validate", "tiny.yaml", "--set", "cost_profile=./mine.json").exit_code == 0

    for row in record["rows"]:  # a past so slow that nothing can be slower now, then one that nothing reaches
        row["ns_per_operation"] *= 1e6
        row["ratio"] = None
    Path("slow.json").write_text(json.dumps(record))
    faster = l2sim(*arguments, "--compare", "slow.json")
    assert faster.exit_code == 0, faster.output
    assert "times as fast as before" in faster.stdout
    for row in record["rows"]:
        row["ns_per_operation"] /= 1e12
    Path("fast.json").write_text(json.dumps(record))
    slower = l2sim(*arguments, "--compare", "fast.json", "--threshold", "0.9")
    assert slower.exit_code == 3
    assert "regressed" in slower.stdout
    assert slower.stderr == "some rows lost more than 90% of their speed\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--compare", "none.json"), "none.json: cannot be read (No such file or directory)"),
        (("--compare", "tiny.yaml"), "tiny.yaml: is no file that `l2sim bench core --json` wrote"),
        (("--group", "nonsense"), "--group must be one of signatures, hashes"),
        (("--json", "tiny.yaml"), "tiny.yaml: exists already"),
        (("--write-profile", "mine.txt"), "--write-profile must end in .json (got mine.txt)"),
        (("--threshold", "1"), "Invalid value for '--threshold'"),
    ],
)
def test_bench_core_refuses_wrong_input_before_it_measures(
    scenario: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = l2sim("bench", "core", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
