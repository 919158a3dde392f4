"""Balances: every pair sums to its capacity, and each law has the mean and shape it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.engine import Streams
from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.liquidity import draw_balances
from l2sim.systems.lightning.topology.config import (
    BimodalBalances,
    EvenBalances,
    FileBalances,
    LiquidityConfig,
    UniformBalances,
)

LAWS = st.one_of(
    st.just(EvenBalances()),
    st.just(UniformBalances()),
    st.builds(BimodalBalances, scale_sat=st.integers(1, 10**9)),
)


def line(capacities: list[int]) -> ChannelGraph:
    return ChannelGraph.from_channels(["a", "b"], [(0, 1, capacity) for capacity in capacities])


def shares(config: LiquidityConfig, capacity_msat: int = 10_000_000_000, count: int = 20_000) -> np.ndarray:
    balances = draw_balances(line([capacity_msat] * count), config, Streams(5).get("balances"))
    return balances[0::2] / capacity_msat


@given(st.lists(st.integers(1, 2_100_000_000_000_000_000), max_size=20), LAWS, st.integers(0, 2**32))
def test_both_sides_sum_to_the_capacity(capacities: list[int], config: LiquidityConfig, seed: int) -> None:
    graph = line(capacities)
    balances = draw_balances(graph, config, Streams(seed).get("balances"))
    assert (balances >= 0).all()
    np.testing.assert_array_equal(balances[0::2] + balances[1::2], graph.capacity_msat)
    graph.with_balances(balances)
    np.testing.assert_array_equal(balances, draw_balances(graph, config, Streams(seed).get("balances")))


def test_even_is_half() -> None:
    assert set(shares(EvenBalances(), count=10).tolist()) == {0.5}


def test_uniform_has_the_mean_and_spread_of_a_uniform() -> None:
    drawn = shares(UniformBalances())
    assert abs(drawn.mean() - 1 / 2) < 4 * (1 / 12) ** 0.5 / 20_000**0.5
    assert abs(drawn.var() - 1 / 12) < 0.002


def test_bimodal_follows_its_density() -> None:
    capacity_sat, scale_sat = 10_000_000, 300_000
    drawn = np.sort(shares(BimodalBalances(scale_sat=scale_sat), capacity_sat * 1_000)) * capacity_sat
    # Distribution function of the density exp(-x / s) + exp((x - c) / s) on 0..c.
    norm = 2 * (1 - np.exp(-capacity_sat / scale_sat))
    expected = (
        1 - np.exp(-drawn / scale_sat) + np.exp((drawn - capacity_sat) / scale_sat) - np.exp(-capacity_sat / scale_sat)
    ) / norm
    distance = np.abs(expected - (np.arange(len(drawn)) + 0.5) / len(drawn)).max()
    assert distance < 1.63 / len(drawn) ** 0.5  # Kolmogorov-Smirnov, one chance in a hundred


def test_bimodal_of_a_large_scale_is_uniform() -> None:
    drawn = np.sort(shares(BimodalBalances(scale_sat=10**12)))
    assert np.abs(drawn - (np.arange(len(drawn)) + 0.5) / len(drawn)).max() < 1.63 / len(drawn) ** 0.5


def test_balances_of_the_file() -> None:
    graph = line([1_000])
    with pytest.raises(TopologyError, match="from_file needs a network file that states them"):
        draw_balances(graph, FileBalances(), Streams(1).get("balances"))
    stated = graph.with_balances(np.array([1, 999]))
    assert draw_balances(stated, FileBalances(), Streams(1).get("balances")).tolist() == [1, 999]
