"""The generator: like the network it was fitted to, connected, and the same for the same seed."""

import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from l2sim.engine import Streams
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import GeneratedTopology, build_graph, generate, load_graph
from l2sim.systems.lightning.topology.fit import fit_model
from l2sim.systems.lightning.topology.model import NetworkModel, mainnet_2026
from l2sim.systems.lightning.topology.scores import GRID
from l2sim.systems.lightning.topology.siblings import alike_share, eldest, policies_of
from tests.shared import shared

SEEDS = (1, 2, 3)
# Largest distance between the distribution functions of a generated and the real network (Kolmogorov-Smirnov).
# Degrees, capacities, ppm and largest HTLCs follow quantile tables, so only the tables' grid shows; base fees and
# deltas are drawn whole nodes at a time, and the largest nodes are 1 to 3 % of all edges each.
DISTANCES = {"degree": 0.01, "capacity_msat": 0.01, "fee_ppm": 0.015, "base_fee_msat": 0.03, "cltv_delta": 0.04}
DISTANCES |= {"htlc_min_msat": 0.04, "htlc_max_msat": 0.03}


@cache
def like_mainnet(seed: int) -> ChannelGraph:
    return generate(GeneratedTopology(nodes=mainnet_2026().nodes), seed)


@cache
def mainnet() -> ChannelGraph:
    return load_graph(shared("data/lightning/cln-listchannels-2026-02-03.json.xz")).largest_component()


def column(graph: ChannelGraph, name: str) -> npt.NDArray[Any]:
    return graph.degrees() if name == "degree" else getattr(graph, name)


def distance(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
    points = np.unique(np.concatenate((x, y)))
    below = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (x, y)]
    return float(np.abs(below[0] - below[1]).max())


def degree_correlation(graph: ChannelGraph) -> float:
    """Correlation of the logarithms of the degrees at the two ends of channels."""
    log_degree = np.log(graph.degrees())
    return float(np.corrcoef(log_degree[graph.edge_source()], log_degree[graph.edge_target()])[0, 1])


def modal_share(graph: ChannelGraph, name: str) -> float:
    """Share of edges that have their node's most common value, over nodes with five edges or more."""
    source, values = graph.edge_source(), getattr(graph, name)
    order = np.argsort(source, kind="stable")
    groups = np.split(values[order], np.flatnonzero(np.diff(source[order])) + 1)
    large = [np.unique(group, return_counts=True)[1] for group in groups if len(group) >= 5]
    return sum(int(counts.max()) for counts in large) / sum(int(counts.sum()) for counts in large)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DISTANCES)
def test_distributions_are_those_of_the_snapshot(name: str, seed: int) -> None:
    assert distance(column(like_mainnet(seed), name), column(mainnet(), name)) < DISTANCES[name]


def test_structure_is_that_of_the_snapshot() -> None:
    real, made = mainnet(), like_mainnet(1)
    assert made.channel_count == pytest.approx(real.channel_count, rel=0.02)
    assert made.total_capacity_msat == pytest.approx(real.total_capacity_msat, rel=0.05)
    assert degree_correlation(made) == pytest.approx(degree_correlation(real), abs=0.05)
    for name, tolerance in (("base_fee_msat", 0.1), ("cltv_delta", 0.1), ("fee_ppm", 0.1)):
        assert modal_share(made, name) == pytest.approx(modal_share(real, name), abs=tolerance)
    default = [
        float(((g.base_fee_msat == 1_000) & (g.fee_ppm == 1) & np.isin(g.cltv_delta, (40, 80))).mean())
        for g in (made, real)
    ]
    assert default[0] == pytest.approx(default[1], abs=0.04)
    medians = [np.median(g.fee_ppm[g.base_fee_msat == 0]) for g in (made, real)]
    assert medians[0] == pytest.approx(medians[1], rel=0.25)


def test_the_shipped_model_is_the_fit_of_the_snapshot() -> None:
    shipped = mainnet_2026()
    fitted = json.loads(fit_model(mainnet(), shipped.source).to_json())
    for name, value in json.loads(shipped.to_json()).items():
        if name == "source":
            assert value == fitted[name]
        else:  # least squares may differ in the last digit from machine to machine
            np.testing.assert_allclose(_flat(fitted[name]), _flat(value), atol=2e-4, rtol=0, err_msg=name)


def _flat(value: Any) -> list[float]:
    return [number for item in value for number in _flat(item)] if isinstance(value, list) else [float(value)]


@pytest.mark.parametrize("name", ["degree", "capacity_sat", "fee_ppm"])
def test_distributions_are_those_of_the_shipped_quantiles(name: str) -> None:
    """The same fit without the snapshot: the distribution function at every shipped quantile."""
    model, graph = mainnet_2026(), like_mainnet(1)
    values = np.sort(graph.capacity_msat // 1_000 if name == "capacity_sat" else column(graph, name))
    table = np.array(getattr(model, name))
    # A quantile that repeats stands for all probabilities up to the last of its places.
    last = GRID[np.searchsorted(table, table, side="right") - 1]
    reached = np.searchsorted(values, table, side="right") / len(values)
    assert np.abs(reached - last).max() < 0.015


@pytest.mark.parametrize(
    ("name", "tolerance"), [("base_fee_msat", 0.02), ("cltv_delta", 0.03), ("htlc_min_msat", 0.03)]
)
def test_policy_values_are_as_common_as_the_shipped_counts_say(name: str, tolerance: float) -> None:
    model, graph = mainnet_2026(), like_mainnet(1)
    expected: dict[int, float] = {}
    for profile in model.profiles[:-1]:
        value = getattr(profile, name)
        expected[value] = expected.get(value, 0.0) + sum(profile.edges) / (2 * model.channels)
    rest = np.array(getattr(model, f"rest_{name}"))
    rest_share = sum(model.profiles[-1].edges) / (2 * model.channels)
    found = getattr(graph, name)
    for value, share in expected.items():
        share += rest_share * float((np.interp(np.linspace(0, 1, 2_001), GRID, rest).round() == value).mean())
        assert float((found == value).mean()) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 7, 11, 30, 100, 500, 9_000])
def test_any_size_gives_a_connected_network_open_both_ways(nodes: int) -> None:
    graph = generate(GeneratedTopology(nodes=nodes), seed=nodes)
    assert graph.node_count == nodes
    assert graph.enabled.all()
    assert not graph.components().any()
    assert (graph.htlc_min_msat <= graph.htlc_max_msat).all()
    assert (graph.htlc_max_msat <= graph.edge_capacity_msat()).all()
    assert not (graph.capacity_msat % 1_000).any()
    assert graph.degrees().argmax() == 0


def test_capacities_grow_with_the_size_of_the_smaller_end() -> None:
    graph = like_mainnet(1)
    degrees = graph.degrees()
    low = np.minimum(degrees[graph.node_a], degrees[graph.node_b])
    medians = [np.median(graph.capacity_msat[(low >= a) & (low < b)]) for a, b in ((1, 3), (3, 20), (20, 100))]
    assert medians == sorted(medians)


def test_a_number_of_channels_can_be_asked_for() -> None:
    for wanted in (1.0, 3.0, 12.0):
        graph = generate(GeneratedTopology(nodes=300, channels_per_node=wanted), seed=1)
        assert graph.channel_count == pytest.approx(wanted * 300, rel=0.05)
    with pytest.raises(ValidationError, match=r"channels_per_node must be at most a tenth of nodes, 5 \(got 6\)"):
        GeneratedTopology(nodes=50, channels_per_node=6)


def test_capacity_scale_multiplies_capacities_and_changes_nothing_else() -> None:
    one = generate(GeneratedTopology(nodes=100), seed=3)
    ten = generate(GeneratedTopology(nodes=100, capacity_scale=10), seed=3)
    np.testing.assert_allclose(ten.capacity_msat, 10 * one.capacity_msat, rtol=1e-3)
    np.testing.assert_array_equal(ten.fee_ppm, one.fee_ppm)
    np.testing.assert_array_equal(ten.node_a, one.node_a)


def test_seed_and_nothing_else_decides() -> None:
    config = GeneratedTopology(nodes=150)
    assert generate(config, 5) == generate(config, 5)
    assert generate(config, 5) != generate(config, 6)
    streams = Streams(5)
    streams.get("another").generator.random(1_000)
    assert build_graph(config, streams.get("topology")) == generate(config, 5)


def test_the_model_survives_its_json() -> None:
    model = mainnet_2026()
    assert NetworkModel.from_json(model.to_json()) == model
    assert "BSD-MIT" in model.source


def test_a_model_can_be_fitted_to_any_network() -> None:
    """Fit, generate, fit again: what the second model says is near the first."""
    first = fit_model(generate(GeneratedTopology(nodes=800), 1), "made for this test")
    assert (first.nodes, sum(sum(profile.edges) for profile in first.profiles)) == (800, 2 * first.channels)
    assert first.home_share_profile == pytest.approx(mainnet_2026().home_share_profile, abs=0.1)
    assert first.home_share_ppm == pytest.approx(mainnet_2026().home_share_ppm, abs=0.15)


@pytest.mark.parametrize("nodes", [300, 3_000])
def test_parallel_channels_mostly_ask_the_same(nodes: int) -> None:
    graph = generate(GeneratedTopology(nodes=nodes), seed=2)
    first = eldest(graph.edge_source(), graph.edge_target())
    assert alike_share(first, policies_of(graph)) == pytest.approx(mainnet_2026().parallel_alike, abs=0.06)
