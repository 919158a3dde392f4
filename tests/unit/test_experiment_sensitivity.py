"""Sobol's indices: their sample, their known answer on Ishigami's function, and a sweep that has them."""

import math
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from l2sim.errors import MissingExtraError, ResultsError, ScenarioError
from l2sim.experiment.points import combine, sweep_config
from l2sim.experiment.sensitivity import sobol_indices, sobol_shares
from l2sim.experiment.sweep import sweep
from l2sim.scenario.sweep import Range
from tests.support.sweeps import tiny

pytest.importorskip("SALib", reason="SALib is not installed: pip install 'l2sim[stats]'")


def test_indices_are_those_of_ishigamis_function() -> None:
    """With a = 7 and b = 0.1: first order 0.3139, 0.4424, 0, total 0.5576, 0.4424, 0.2437.

    Ishigami and Homma, ISUMA 1990; the values follow from the variances in closed form.
    """
    keys = ["x", "y", "z"]
    rows = []
    shares = sobol_shares(keys, 1024, 1)
    for point, row in enumerate(shares):
        x, y, z = (math.pi * (2 * share - 1) for share in row)
        value = math.sin(x) + 7 * math.sin(y) ** 2 + 0.1 * z**4 * math.sin(x)
        rows.append({"point": point, "system": "s", "metric": "throughput_per_s", "mean": value})
        rows.append({"point": point, "system": "s", "metric": "success_rate", "mean": 1.0})
    found = sobol_indices(pa.Table.from_pylist(rows), keys, len(shares), 1).to_pylist()
    assert [row["key"] for row in found] == keys, "a figure that never changes has no indices"
    for row, first, total in zip(found, (0.3139, 0.4424, 0.0), (0.5576, 0.4424, 0.2437), strict=True):
        assert row["first"] == pytest.approx(first, abs=0.06)
        assert row["total"] == pytest.approx(total, abs=0.06)
        assert 0 < row["total_reach"] < 0.2


def test_the_sample_is_the_same_each_time_and_lies_in_its_ranges() -> None:
    vary = {"workload.users": Range(low=6, high=12), "workload.duration_s": Range(low=10.0, high=1000.0, scale="log")}
    points = combine(sweep_config(vary, "sobol", 8), 3)
    assert len(points) == 8 * 4
    assert points == combine(sweep_config(vary, "sobol", 8), 3)
    assert points != combine(sweep_config(vary, "sobol", 8), 4)
    for point in points:
        assert isinstance(point["workload.users"], int)
        assert 6 <= point["workload.users"] <= 12
        assert 10 <= point["workload.duration_s"] <= 1000  # type: ignore[operator]  # numbers, by the range


@pytest.mark.parametrize(
    ("vary", "samples", "message"),
    [
        ({"workload.users": Range(low=6, high=12)}, 6, "samples: must be a power of two for design sobol"),
        ({"workload.users": Range(low=6, high=12)}, None, "samples: must be given for design sobol"),
        ({"workload.users": [6, 7]}, 8, "must be a range"),
    ],
)  # fmt: skip
def test_a_sample_that_cannot_be_is_refused(vary: dict[str, Any], samples: int | None, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        sweep_config(vary, "sobol", samples)
    assert message in str(caught.value)


def test_a_sweep_of_design_sobol_says_which_key_matters(tmp_path: Path) -> None:
    vary = {"workload.users": Range(low=6, high=8), "workload.arrivals.rate_per_s": Range(low=0.5, high=4.0)}
    done = sweep(
        tiny(), vary, design="sobol", samples=4, out=tmp_path / "sobol", executor="serial", figures=False,
    )  # fmt: skip
    assert len(done.runs) == 16
    rows = done.which_key_matters().to_pylist()
    assert {row["key"] for row in rows} == set(vary)
    assert {row["system"] for row in rows} == {"first", "second"}
    assert (done.folder / "sobol.csv").exists()
    assert "Which key matters" in (done.folder / "report.html").read_text(encoding="utf-8")


def test_other_designs_have_no_indices(tmp_path: Path) -> None:
    done = sweep(tiny(), {"seed": [1]}, out=tmp_path / "grid", executor="serial", figures=False)
    with pytest.raises(ResultsError, match="has design grid"):
        done.which_key_matters()


def test_without_salib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SALib.sample.sobol", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'l2sim\[stats\]'"):
        sobol_shares(["a"], 8, 1)
