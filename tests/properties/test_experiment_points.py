"""Designs: every combination once, lists side by side, and one sample in each stratum of a hypercube."""

import itertools
import math
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.engine import Streams
from l2sim.errors import ScenarioError
from l2sim.experiment.points import combine, latin_column, parse_vary, points_of, sweep_config
from l2sim.scenario import load_scenario, resolved, scenario_sha256
from l2sim.scenario.sweep import Range
from l2sim.scenario.variation import varied
from tests.support.scenarios import SCENARIOS, quickstart
from tests.support.sweeps import tiny

VALUES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=4, unique=True)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_grid_is_every_combination_once_the_last_key_fastest(lists: list[list[int]]) -> None:
    vary = {f"key{number}": values for number, values in enumerate(lists)}
    rows = [tuple(point.values()) for point in combine(sweep_config(vary), seed=1)]
    assert rows == list(itertools.product(*lists))


@given(
    samples=st.integers(2, 200),
    low=st.floats(0.001, 100),
    spread=st.floats(1.5, 1e6),
    scale=st.sampled_from(["linear", "log"]),
    seed=st.integers(0, 2**32),
)
def test_a_hypercube_has_one_sample_in_each_equal_part(
    samples: int, low: float, spread: float, scale: Any, seed: int
) -> None:
    values = Range(low=low, high=low * spread, scale=scale)
    column = latin_column(values, samples, Streams(seed).get("column"))
    assert all(isinstance(value, float) and low <= value <= low * spread for value in column)
    position = (
        (lambda value: math.log(value / low) / math.log(spread))
        if scale == "log"
        else (lambda value: (value - low) / (low * (spread - 1)))
    )
    places = sorted(position(value) * samples for value in column)
    rounding = samples * 1e-5 * spread / (spread - 1) + 1e-6
    assert all(part - rounding <= place <= part + 1 + rounding for part, place in enumerate(places))


@given(samples=st.integers(2, 100), low=st.integers(-50, 50), width=st.integers(1, 1000))
def test_a_hypercube_over_whole_numbers_has_whole_numbers(samples: int, low: int, width: int) -> None:
    column = latin_column(Range(low=low, high=low + width), samples, Streams(1).get("column"))
    assert all(isinstance(value, int) and low <= value <= low + width for value in column)
    if samples == width + 1:
        assert sorted(column) == list(range(low, low + width + 1))


def test_another_axis_changes_no_axis_that_was_there() -> None:
    users = {"workload.users": Range(low=10, high=90)}
    both = {**users, "workload.duration_s": Range(low=60.0, high=600.0, scale="log")}
    alone = [point["workload.users"] for point in combine(sweep_config(users, "latin", 20), 3)]
    assert [point["workload.users"] for point in combine(sweep_config(both, "latin", 20), 3)] == alone
    assert [point["workload.users"] for point in combine(sweep_config(users, "latin", 20), 4)] != alone


def test_lists_go_side_by_side() -> None:
    config = sweep_config({"workload.users": [6, 8], "seed": [3, 4]}, "list")
    assert combine(config, 1) == [{"workload.users": 6, "seed": 3}, {"workload.users": 8, "seed": 4}]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("a.b=1,2", [1, 2]),
        ("a=x, y", ["x", "y"]),
        ("a=1e3,0.5,true,null", [1000, 0.5, True, None]),
        ("a=[1,2],[3]", [[1, 2], [3]]),
        ("a={kind: even},{kind: uniform}", [{"kind": "even"}, {"kind": "uniform"}]),
        ("a='1,2'", ["1,2"]),
        ("a=1..10", {"low": 1, "high": 10, "scale": "linear"}),
        ("a=0.5..1e3:log", {"low": 0.5, "high": 1000, "scale": "log"}),
        ("a=", []),
    ],
)
def test_values_on_the_command_line(option: str, values: object) -> None:
    assert parse_vary(option)[1] == values


@pytest.mark.parametrize("option", ["", "a", "=1", "a=1,,2", "a=[1", "a=.nan", "a=!!python/name:os.system", "a=*x"])
def test_what_cannot_be_values_is_refused(option: str) -> None:
    with pytest.raises(ScenarioError, match="--vary"):
        parse_vary(option)


@pytest.mark.parametrize(
    ("vary", "design", "samples", "message"),
    [
        ({"workload.users": []}, "grid", None, "must hold at least 1 value"),
        ({"workload.users": [1, 1]}, "grid", None, "must hold distinct values"),
        ({"workload.users": [6], "seed": [1, 2]}, "list", None, "lists of equal length"),
        ({"sweep": [1]}, "grid", None, "must be a dotted key of the scenario other than"),
        ({"replications": [1, 2]}, "grid", None, "must be a dotted key of the scenario other than"),
        ({"workload..users": [6]}, "grid", None, "must be a dotted key"),
        ({"workload.users": [6, 7]}, "latin", 5, "must be a range"),
        ({"workload.users": Range(low=1, high=2)}, "grid", None, "must be a list of values"),
        ({"workload.users": Range(low=1, high=2)}, "latin", None, "samples: must be given for design latin"),
        ({"workload.users": [6]}, "grid", 4, "samples: must be left out"),
        ({"workload.users": {"low": 2, "high": 1}}, "latin", 5, "low must be less than high"),
        ({"workload.users": {"low": 0, "high": 1, "scale": "log"}}, "latin", 5, "more than 0 on a log scale"),
        ({"workload.users": 5}, "grid", None, "must be a list"),
        ({"workload.users": [6]}, "gird", None, "must be one of grid, list, latin, sobol; did you mean grid?"),
    ],
)  # fmt: skip
def test_a_sweep_that_cannot_be_is_refused_with_the_key(
    vary: dict[str, Any], design: str, samples: int | None, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        sweep_config(vary, design, samples)
    assert message in str(caught.value)
    assert "--vary" in str(caught.value)


def test_the_problems_of_all_points_come_at_once() -> None:
    config = sweep_config({"workload.users": [6, 1, "x"], "worklaod.users": [2]})
    with pytest.raises(ScenarioError) as caught:
        points_of(tiny(), config)
    text = str(caught.value)
    assert "--vary:workload.users workload.users: must be at least 2 (got 1)" in text
    assert "--vary:workload.users workload.users: must be a whole number (got 'x')" in text
    assert "did you mean workload?" in text


def test_too_many_points_are_refused_before_they_are_made() -> None:
    config = sweep_config({"seed": list(range(400)), "workload.users": list(range(2, 402))})
    with pytest.raises(ScenarioError, match="at most 100,000 points"):
        points_of(tiny(), config)


@pytest.mark.parametrize("name", ["quickstart", "channel_vs_rollup"])
def test_a_point_is_what_set_makes_of_the_file(name: str) -> None:
    path = SCENARIOS / f"{name}.yaml"
    point = varied(load_scenario(path), {"workload.users": 30, "seed": 5})
    assert resolved(point) == resolved(load_scenario(path, ["workload.users=30", "seed=5", "sweep={}"]))
    assert scenario_sha256(varied(load_scenario(path), {})) == scenario_sha256(load_scenario(path, ["sweep={}"]))


def test_another_kind_can_be_a_value() -> None:
    scenario = quickstart()
    point = varied(scenario, {"systems.optimistic.settlement": {"kind": "validity"}})
    assert point.systems["optimistic"] == point.systems["validity"]


def test_paths_stay_as_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = resources.files("l2sim.crypto.profiles").joinpath("reference.json").read_text()
    (tmp_path / "mine.json").write_text(profile)
    text = (SCENARIOS / "quickstart.yaml").read_text().replace("cost_profile: reference", "cost_profile: mine.json")
    (tmp_path / "a.yaml").write_text(text)
    monkeypatch.chdir(tmp_path.parent)
    point = varied(load_scenario(tmp_path / "a.yaml"), {"seed": 7})
    assert resolved(point)["cost_profile"] == "mine.json"
    assert Path(point.cost_profile) == tmp_path / "mine.json"
