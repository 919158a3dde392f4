"""Intervals, batch means and warm-up against published tables and sums by hand."""

import math

import numpy as np
import pytest

from l2sim.errors import ResultsError
from l2sim.experiment.statistics import (
    EXACT_DEGREES,
    Interval,
    batch_means,
    interval,
    mser5,
    paired,
    student_t,
    two_sided_probability,
)
from l2sim.experiment.stopping import StoppingRule

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, critical values of Student's t: upper tail 0.10,
# 0.05, 0.025, 0.01, 0.005, 0.001.
NIST = {
    1: (3.078, 6.314, 12.706, 31.821, 63.657, 318.309),
    2: (1.886, 2.920, 4.303, 6.965, 9.925, 22.327),
    3: (1.638, 2.353, 3.182, 4.541, 5.841, 10.215),
    4: (1.533, 2.132, 2.776, 3.747, 4.604, 7.173),
    5: (1.476, 2.015, 2.571, 3.365, 4.032, 5.893),
    10: (1.372, 1.812, 2.228, 2.764, 3.169, 4.144),
    29: (1.311, 1.699, 2.045, 2.462, 2.756, 3.396),
    30: (1.310, 1.697, 2.042, 2.457, 2.750, 3.385),
    100: (1.290, 1.660, 1.984, 2.364, 2.626, 3.174),
}


@pytest.mark.parametrize("degrees", NIST)
def test_student_t_is_the_published_table(degrees: int) -> None:
    for tail, value in zip((0.10, 0.05, 0.025, 0.01, 0.005, 0.001), NIST[degrees], strict=True):
        assert student_t(degrees, 1 - 2 * tail) == pytest.approx(value, abs=0.00051)


@pytest.mark.parametrize("degrees", [1, 2, 3, 7, 50, 999, 1000])
def test_student_t_inverts_its_distribution(degrees: int) -> None:
    for confidence in (0.01, 0.5, 0.95, 0.999):
        assert two_sided_probability(student_t(degrees, confidence), degrees) == pytest.approx(confidence, abs=1e-14)


def test_student_t_goes_over_into_its_expansion_without_a_step() -> None:
    assert student_t(EXACT_DEGREES + 1) == pytest.approx(student_t(EXACT_DEGREES), abs=1e-7)
    assert student_t(EXACT_DEGREES + 1) < student_t(EXACT_DEGREES)
    assert student_t(10**9) == pytest.approx(1.959963985, abs=1e-8)


def test_student_t_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is no dependency; it only checks")
    for degrees in (1, 2, 5, 30, 1000, 20_000):
        for confidence in (0.5, 0.9, 0.95, 0.99):
            assert student_t(degrees, confidence) == pytest.approx(stats.t.ppf((1 + confidence) / 2, degrees), rel=1e-9)


@pytest.mark.parametrize(("degrees", "confidence"), [(0, 0.95), (5, 0.0), (5, 1.0)])
def test_student_t_refuses_what_has_no_answer(degrees: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="degrees must be at least 1"):
        student_t(degrees, confidence)


def test_an_interval_by_hand() -> None:
    found = interval([2.0, 4.0, 6.0, 8.0])
    assert found.n == 4
    assert found.mean == 5.0
    assert found.deviation == pytest.approx(math.sqrt(20 / 3))
    assert found.half_width == pytest.approx(3.182446305 * math.sqrt(20 / 3) / 2)
    assert found.low == pytest.approx(found.mean - found.half_width)
    assert found.high == pytest.approx(found.mean + found.half_width)
    assert found.relative_half_width == pytest.approx(found.half_width / 5)
    assert found.excludes_zero


def test_one_value_has_no_interval_and_none_has_nothing() -> None:
    assert interval([3.0]) == Interval(1, 3.0, None, None)
    assert interval([3.0]).relative_half_width == math.inf
    assert not interval([3.0]).excludes_zero
    assert interval([0.0, 0.0]).relative_half_width == 0.0
    assert interval([-1.0, 1.0]).relative_half_width == math.inf
    with pytest.raises(ValueError, match="at least 1 value"):
        interval([])


def test_pairs_take_out_what_both_have_in_common() -> None:
    first = [10.0, 20.0, 30.0, 40.0]
    found = paired(first, [value + 1.0 for value in first])
    assert (found.mean, found.half_width) == (1.0, 0.0)
    with pytest.raises(ValueError, match="shorter"):
        paired(first, first[:3])


def test_batch_means_leave_out_the_start_that_fills_no_batch() -> None:
    assert batch_means([99.0, 1.0, 3.0, 5.0, 7.0], batches=2) == interval([2.0, 6.0])
    with pytest.raises(ValueError, match="2 batches of 1 values"):
        batch_means([1.0], batches=2)


def test_mser5_cuts_a_warm_up_and_nothing_of_a_steady_series() -> None:
    noise = np.random.Generator(np.random.PCG64(5)).normal(size=1000)
    steady = mser5((10 + noise).tolist())
    assert steady <= 100
    ramp = np.concatenate((np.linspace(100, 10, 200), np.full(800, 10.0))) + noise
    assert 150 <= mser5(ramp.tolist()) <= 250
    assert mser5([1.0] * 4) == mser5([]) == 0


def test_mser5_is_its_definition() -> None:
    values = np.random.Generator(np.random.PCG64(6)).exponential(size=203)
    means = values[:200].reshape(-1, 5).mean(axis=1)
    errors = [means[d:].var() / (len(means) - d) for d in range(len(means) // 2 + 1)]
    assert mser5(values.tolist()) == 5 * int(np.argmin(errors))


def test_the_stopping_rule_asks_every_system_and_grows_by_half() -> None:
    rule = StoppingRule("success_rate", 0.1, maximum=12)
    assert [rule.first(1), rule.first(8), rule.first(50)] == [5, 8, 12]
    assert [rule.following(5), rule.following(8)] == [8, 12]
    narrow, wide = [0.5, 0.5, 0.51], [0.2, 0.5, 0.8]
    assert rule.met({"a": {"success_rate": narrow}, "b": {"success_rate": narrow}})
    assert not rule.met({"a": {"success_rate": narrow}, "b": {"success_rate": wide}})
    assert rule.met({"a": {"success_rate": narrow}, "b": {"success_rate": [None, None, None]}})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sucess_rate", 0.1), "did you mean success_rate?"),
        (("success_rate", 0.0), "between 0 and 1"),
        (("success_rate", 0.1, 1), "at least 2"),
    ],
)
def test_a_stopping_rule_that_cannot_be_is_refused(arguments: tuple[str, float], message: str) -> None:
    with pytest.raises(ResultsError, match=message.replace("?", r"\?")):
        StoppingRule(*arguments)
