"""Distributions draw what they say: stated means, bounds kept, first draws unchanged by asking for more."""

import math

import numpy as np
import pytest

from l2sim.workload.distributions import MAX_AMOUNT_MSAT, Classes, Constant, Distribution, LogNormal, Uniform, pick

DISTRIBUTIONS: list[Distribution] = [
    Constant(5_000),
    Uniform(1, 9),
    Uniform(1_000, 1_000_000),
    LogNormal(10_000_000, 1.0),
    LogNormal(10_000_000, 1.2, low=1_000_000, high=30_000_000),
    LogNormal(10_000_000, 2.0, high=12_000_000),
    LogNormal(3, 0.5, low=2, high=5),
    Classes((1, 1_000), (10, 50_000), (3.0, 1.0)),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_the_stated_mean_is_the_mean_of_the_draws(distribution: Distribution) -> None:
    draws = distribution.draw(np.random.default_rng(7), 400_000)
    error = draws.std() / math.sqrt(len(draws))
    # Five standard errors; the rounding of small amounts to whole numbers adds at most a hundredth of one.
    assert abs(draws.mean() - distribution.mean) <= 5 * error + 0.01


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_asking_for_more_leaves_the_first_draws_as_they_were(distribution: Distribution) -> None:
    few = distribution.draw(np.random.default_rng(3), 100)
    many = distribution.draw(np.random.default_rng(3), 100_000)
    assert np.array_equal(few, many[:100])


def test_lognormal_bounds_are_kept_and_the_shape_inside_stays() -> None:
    bounded = LogNormal(10_000, 1.0, low=5_000, high=20_000)
    draws = bounded.draw(np.random.default_rng(1), 200_000)
    assert draws.min() >= 5_000
    assert draws.max() <= 20_000
    # The bounds are symmetric in the logarithm, so the median stays the median.
    assert abs(np.median(draws) / 10_000 - 1) < 0.01


def test_lognormal_without_bounds_has_the_textbook_mean() -> None:
    assert LogNormal(1_000_000, 0.8).mean == pytest.approx(1_000_000 * math.exp(0.32), rel=1e-9)


def test_lognormal_refuses_bounds_that_leave_almost_nothing() -> None:
    with pytest.raises(ValueError, match=r"must leave at least 1%.*got 100000 to 200000"):
        LogNormal(100, 1.0, low=100_000, high=200_000)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "between 1 and"),
        (lambda: Constant(MAX_AMOUNT_MSAT + 1), "between 1 and"),
        (lambda: Uniform(9, 5), "must not be above"),
        (lambda: LogNormal(0, 1.0), "median must be at least 1"),
        (lambda: LogNormal(5, math.nan), "sigma above 0"),
        (lambda: Classes((), (), ()), "not empty"),
        (lambda: Classes((1,), (2,), (0.0,)), "not all 0"),
    ],
)
def test_wrong_parameters_are_refused_with_their_values(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_extremes_fit_in_an_integer() -> None:
    draws = Uniform(MAX_AMOUNT_MSAT - 10, MAX_AMOUNT_MSAT).draw(np.random.default_rng(1), 1000)
    assert draws.max() == MAX_AMOUNT_MSAT
    wide = LogNormal(MAX_AMOUNT_MSAT // 2, 10.0).draw(np.random.default_rng(1), 1000)
    assert 1 <= wide.min() <= wide.max() <= MAX_AMOUNT_MSAT


def test_picks_follow_the_weights_and_never_a_weight_of_zero() -> None:
    weights = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    picked = pick(weights, np.random.default_rng(5).random(100_000))
    counts = np.bincount(picked, minlength=5)
    assert counts[[0, 2, 4]].tolist() == [0, 0, 0]
    assert counts[3] / counts[1] == pytest.approx(3, rel=0.05)
    assert pick(weights, np.array([0.0, np.nextafter(1.0, 0.0)])).tolist() == [1, 3]
