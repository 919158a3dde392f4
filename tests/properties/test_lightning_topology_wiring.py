"""Wiring: every node gets its degree, nobody a channel with itself, and all are joined."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l2sim.systems.lightning.graph import connected_components
from l2sim.systems.lightning.topology.wiring import feasible_degrees, fitted_mixing, wire


@given(
    st.integers(2, 60).flatmap(lambda n: st.lists(st.integers(1, max(1, n // 3)), min_size=n, max_size=n)),
    st.integers(0, 2**32),
    st.floats(0, 1),
)
def test_degrees_hold_and_all_are_joined(wanted: list[int], seed: int, parallel_share: float) -> None:
    degrees = feasible_degrees(np.sort(wanted)[::-1])
    assert degrees.sum() % 2 == 0
    assert degrees.sum() >= 2 * (len(degrees) - 1)
    classes = np.digitize(degrees, (2, 5))
    mixing = np.array([[0, 5, 20], [5, 40, 10], [20, 10, 2]])
    a, b = wire(degrees, classes, mixing, parallel_share, np.random.default_rng(seed))
    assert (a < b).all()
    assert not connected_components(len(degrees), a, b).any()
    found = np.bincount(np.concatenate((a, b)), minlength=len(degrees))
    if len(degrees) >= 10:
        np.testing.assert_array_equal(found, degrees)


@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=3))
def test_fitted_mixing_is_symmetric_and_keeps_what_can_be_kept(stubs: list[int]) -> None:
    mixing = np.array([[1, 5, 20], [5, 40, 10], [20, 10, 2]])
    table = fitted_mixing(np.array(stubs), mixing)
    np.testing.assert_allclose(table, table.T)
    np.testing.assert_allclose(table.sum(axis=1), stubs, rtol=0.01)
    # Odds ratios are what the fitting leaves alone.
    np.testing.assert_allclose(table[0, 1] * table[1, 0] / (table[0, 0] * table[1, 1]), 25 / 40, rtol=1e-6)


def test_parallel_channels_stay_within_their_share() -> None:
    degrees = feasible_degrees(np.repeat([20, 5, 2], [10, 50, 200]))
    for share in (0.0, 0.1):
        a, b = wire(degrees, np.zeros(260, np.intp), np.ones((1, 1)), share, np.random.default_rng(4))
        pairs = np.unique(np.stack((a, b)), axis=1).shape[1]
        assert 1 - pairs / len(a) <= share + 0.01  # joining components may add one or two
