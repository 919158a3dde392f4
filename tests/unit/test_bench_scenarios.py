"""The benchmark of whole scenarios: its rows, its scaling by a probe, its figure and its command."""

import copy
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from l2sim.bench import plot, scenarios
from l2sim.cli.main import cli


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    seen: list[dict[str, Any]] = []
    found = scenarios.run_scenario_benchmarks(quick=True, progress=seen.append)
    assert seen == found["rows"]
    return found


def test_channels_and_rollup_run_at_several_sizes_with_both_kinds_of_cryptography(record: dict[str, Any]) -> None:
    assert json.loads(json.dumps(record)) == record
    assert record["format"] == scenarios.FORMAT
    runs = [(row["system"], row["crypto"], row["payments"]) for row in record["rows"]]
    assert sorted(runs) == sorted(
        (system, crypto, size)
        for system in scenarios.SYSTEMS
        for crypto in scenarios.CRYPTO
        for size in scenarios.QUICK_SIZES[crypto]
    )
    assert len({row["name"] for row in record["rows"]}) == len(runs)
    for row in record["rows"]:
        assert row["success_rate"] > 0.9, row["name"]
        assert row["cpu_s"] == pytest.approx(row["ns_per_operation"] * row["payments"] / 1e9, rel=1e-3)
        assert row["ratio"] == pytest.approx(row["loop_ns_per_operation"] / row["ns_per_operation"], rel=1e-2)
        assert row["loop"] == "probe of the machine"
    assert {"machine", "kernels", "libraries", "probe", "date"} <= record.keys()


def test_the_same_record_has_the_keys_of_the_core_benchmark(record: dict[str, Any]) -> None:
    from l2sim.bench.core import run_core_benchmarks

    core = run_core_benchmarks(quick=True, groups=["onions"])
    assert core.keys() <= record.keys()
    assert core["rows"][0].keys() <= record["rows"][0].keys()


def test_growth_is_the_slope_of_time_over_payments() -> None:
    rows = [
        {"system": "rollup", "crypto": "real", "payments": size, "cpu_s": 3e-3 * size**1.5} for size in (10, 100, 1000)
    ]
    rows.append({"system": "channels", "crypto": "real", "payments": 10, "cpu_s": 1.0})
    assert scenarios.growth(rows) == [{"system": "rollup", "crypto": "real", "exponent": 1.5}]


def test_a_machine_of_half_the_speed_is_no_regression(record: dict[str, Any]) -> None:
    slow_machine = copy.deepcopy(record)
    for row in slow_machine["rows"]:
        row["ns_per_operation"] *= 2
        row["loop_ns_per_operation"] *= 2
    assert not any(row.regressed for row in scenarios.compare(record, slow_machine))
    slow_program = copy.deepcopy(record)
    slow_program["rows"][0]["ns_per_operation"] *= 2
    slow_program["rows"][0]["ratio"] /= 2
    found = scenarios.compare(record, slow_program)
    assert [row.name for row in found if row.regressed] == [record["rows"][0]["name"]]
    with pytest.raises(ValueError, match="old: must be a record of the format l2sim-scenario-benchmark-1"):
        scenarios.compare({"format": "l2sim-core-benchmark-1"}, record)


def test_the_probe_is_a_fixed_piece_of_work() -> None:
    assert scenarios.probe() == scenarios.probe()


def test_sizes_and_systems_can_be_chosen() -> None:
    found = scenarios.run_scenario_benchmarks(quick=True, systems=["rollup"], crypto=["modelled"], payments=[30, 10])
    assert [row["name"] for row in found["rows"]] == ["rollup, modelled, 10 payments", "rollup, modelled, 30 payments"]
    for wrong, message in (
        ({"systems": ["sidechain"]}, r"systems: must be among channels, rollup \(got 'sidechain'\)"),
        ({"crypto": ["none"]}, r"crypto: must be among modelled, real \(got 'none'\)"),
        ({"payments": [0]}, r"payments: must be at least 1 \(got 0\)"),
    ):
        with pytest.raises(ValueError, match=message):
            scenarios.run_scenario_benchmarks(**wrong)  # type: ignore[arg-type]  # each is of its argument's type


def test_the_figure_has_a_line_a_system_and_cryptography(record: dict[str, Any], tmp_path: Path) -> None:
    figure = plot.cost_against_size(record)
    whole, each = figure.axes
    assert len(whole.lines) == len(each.lines) == 4
    assert whole.lines[0].get_xdata().tolist() == list(scenarios.QUICK_SIZES["modelled"])
    assert "of payments" in figure.legends[0].get_texts()[0].get_text()
    plot.save(record, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bench", "scenarios", *arguments])


SMALL = ("--quick", "--system", "rollup", "--crypto", "modelled", "--payments", "10", "--payments", "30")


def test_the_command_measures_writes_draws_and_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(*SMALL, "--json", "now.json", "--plot", "cost.svg")
    assert result.exit_code == 0, result.output
    assert "rollup, modelled: processor time grows with payments to the power of" in result.stdout
    assert ElementTree.parse("cost.svg").getroot().tag.endswith("svg")
    record = json.loads(Path("now.json").read_text())
    for row in record["rows"]:
        row["ratio"] /= 1e6
    Path("slow.json").write_text(json.dumps(record))
    assert bench(*SMALL, "--compare", "slow.json").exit_code == 0
    for row in record["rows"]:
        row["ratio"] *= 1e12
    Path("fast.json").write_text(json.dumps(record))
    slower = bench(*SMALL, "--compare", "fast.json", "--threshold", "0.9")
    assert slower.exit_code == 3
    assert "some rows lost more than 90% of their speed" in slower.stderr
    record["rows"] = [row | {"name": "another"} for row in record["rows"]]
    Path("other.json").write_text(json.dumps(record))
    nothing = bench(*SMALL, "--compare", "other.json")
    assert nothing.exit_code == 2
    assert "the two measurements have no row in common" in nothing.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--compare", "none.json"), "none.json: cannot be read"),
        (("--system", "nonsense"), "--system must be one of channels, rollup (got nonsense)"),
        (("--crypto", "none"), "--crypto must be one of modelled, real (got none)"),
        (("--plot", "cost.pdf"), "--plot must end in .svg or .png (got cost.pdf)"),
        (("--payments", "0"), "Invalid value for '--payments'"),
        (("--threshold", "0"), "Invalid value for '--threshold'"),
    ],
)
def test_the_command_refuses_wrong_input_before_it_measures(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
