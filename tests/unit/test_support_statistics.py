"""The error bars that published results are judged by must themselves be right."""

from collections.abc import Mapping

import numpy as np
import pytest

from l2sim.engine import Streams
from tests.support.statistics import EVENTS, REPLICATIONS, Published, estimate, table


def autocorrelated(streams: Streams, length: int) -> Mapping[str, float]:
    """The mean of a series with mean 1 that forgets half of its noise in seven steps, and that of its noise."""
    noise = streams.get("noise").generator.normal(size=length)
    level, total = 0.0, 0.0
    for step in noise:
        level = 0.9 * level + step
        total += level
    return {"mean": 1 + total / length, "noise": noise.mean(), EVENTS: length}


def test_intervals_hold_the_truth_about_99_times_in_100() -> None:
    generator = np.random.default_rng(1)
    trials = 2_000
    plain = controlled = 0
    for _ in range(trials):
        control = generator.normal(size=REPLICATIONS)
        samples = 5 + 2 * control + generator.normal(size=REPLICATIONS)
        plain += abs(estimate(samples).mean - 5) <= estimate(samples).half_width
        found = estimate(samples, {"control": (control, 0.0)})
        controlled += abs(found.mean - 5) <= found.half_width
    assert plain / trials == pytest.approx(0.99, abs=0.006)
    assert controlled / trials == pytest.approx(0.99, abs=0.006)


def test_a_control_narrows_the_interval_by_what_it_explains() -> None:
    runs = Published(False, 1, lambda row: None).replicate(autocorrelated, length=500)
    plain = estimate(runs.values["mean"])
    controlled = estimate(runs.values["mean"], {"noise": (runs.values["noise"], 0.0)})
    assert controlled.half_width < plain.half_width / 5
    assert runs.events == REPLICATIONS * 500


def test_a_constant_control_tells_nothing() -> None:
    samples = np.arange(REPLICATIONS, dtype=float)
    assert estimate(samples, {"same": (np.full(REPLICATIONS, 3.0), 1.0)}) == estimate(samples)


def test_two_equal_controls_are_refused() -> None:
    samples = np.arange(REPLICATIONS, dtype=float)
    with pytest.raises(ValueError, match="must differ from each other"):
        estimate(samples, {"one": (samples**2, 0.0), "other": (samples**2, 0.0)})


def test_a_wrong_law_and_a_run_that_says_nothing_are_refused() -> None:
    rows: list[dict[str, str]] = []
    published = Published(False, 1, rows.append)
    runs = published.replicate(autocorrelated, length=2_000)
    published.assert_law("true", runs, "mean", 1.0, tolerance=0.01, half_width=0.2)
    with pytest.raises(AssertionError, match="inside the 99 % interval"):
        published.assert_law("wrong", runs, "mean", 1.3, tolerance=0.01, half_width=0.2)
    with pytest.raises(AssertionError, match="too short to say anything"):
        published.assert_law("vague", runs, "mean", 1.0, tolerance=0.01, half_width=0.02)
    full = Published(True, 1, rows.append)
    with pytest.raises(AssertionError, match=r"at most 1\.00%"):
        full.assert_law("full size asks for the published tolerance", runs, "mean", 1.0, tolerance=0.01, half_width=0.2)
    assert [row["item"] for row in rows][:2] == ["true", "wrong"]


def test_ten_laws_at_once_get_wider_intervals() -> None:
    rows: list[dict[str, str]] = []
    published = Published(False, 1, rows.append)
    runs = published.replicate(autocorrelated, length=2_000)
    one = published.assert_law("one", runs, "mean", 1.0, tolerance=0.01, half_width=0.2)
    ten = published.assert_law("ten", runs, "mean", 1.0, tolerance=0.01, half_width=0.3, one_of_ten=True)
    assert ten.half_width / one.half_width == pytest.approx(3.8834 / 2.8609)


def test_rows_of_a_table_line_up() -> None:
    assert table([{"item": "a law", "n": "1"}, {"item": "b", "n": "22"}]) == ["item   n", "a law  1", "b      22"]
