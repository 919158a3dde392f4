"""Describing a network: numbers against a hand-made one and against networkx; figures that draw."""

import json

import networkx
import numpy as np
import pytest

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import (
    GeneratedTopology,
    describe,
    describe_figure,
    from_networkx,
    generate,
    to_networkx,
)


def small() -> ChannelGraph:
    """A triangle with one parallel channel, a leaf, a pair of its own behind a disabled direction, a lone node."""
    ends = [(0, 1), (1, 2), (2, 0), (0, 1), (2, 3), (4, 5)]
    return ChannelGraph.from_channels(
        [f"n{i}" for i in range(7)],
        [(a, b, 1_000_000 * (c + 1)) for c, (a, b) in enumerate(ends)],
        enabled=[True] * 11 + [False],
        base_fee_msat=[0] * 6 + [1_000] * 6,
        fee_ppm=range(12),
    )


def test_a_network_made_by_hand() -> None:
    description = describe(small())
    assert (description.nodes, description.channels, description.nodes_without_channel) == (7, 6, 1)
    assert (description.channels_both_ways, description.directions_enabled) == (5, 11)
    assert (description.components, description.usable_nodes, description.usable_channels) == (3, 4, 5)
    assert description.capacity_btc == pytest.approx(21_000_000 / 1e11)
    assert description.usable_capacity_btc == pytest.approx(15_000_000 / 1e11)
    assert description.leaf_share == pytest.approx(3 / 7)
    assert description.parallel_share == pytest.approx(1 / 6)
    assert description.clustering == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert description.mean_distance == pytest.approx((1 + 1 + 1 + 1 + 2 + 2) / 6)
    assert description.zero_base_fee_share == pytest.approx(6 / 11)
    assert description.zero_ppm_share == pytest.approx(1 / 11)
    assert description.inbound_fee_share == 0
    assert description.degree is not None
    assert (description.degree.mean, description.degree.largest, description.degree.p50) == (2.0, 3.0, 1.0)
    assert description.capacity_sat is not None
    assert description.capacity_sat.largest == 6_000


@pytest.mark.parametrize("seed", [1, 2])
def test_structure_agrees_with_networkx(seed: int) -> None:
    graph = from_networkx(networkx.powerlaw_cluster_graph(60, 3, 0.6, seed=seed), capacity_msat=1_000)
    description = describe(graph)
    simple = networkx.Graph(to_networkx(graph))
    clustering = [c for node, c in networkx.clustering(simple).items() if simple.degree(node) > 1]
    assert description.clustering == pytest.approx(float(np.mean(clustering)))
    assert description.mean_distance == pytest.approx(networkx.average_shortest_path_length(simple))


def test_forms_of_a_description() -> None:
    description = describe(small())
    text = str(description)
    assert json.loads(json.dumps(description.to_dict()))["fee_ppm"]["largest"] == 10
    assert "channels both ways     5" in text
    assert len(text.splitlines()) == len(description.to_dict())
    assert description.table().row_count == len(description.to_dict())


def test_no_direction_enabled_is_described_and_drawn() -> None:
    graph = ChannelGraph.from_channels(["a", "b"], [(0, 1, 1_000)], enabled=False)
    description = describe(graph)
    assert description.fee_ppm is None
    assert description.usable_nodes == 1
    assert "fee ppm                none" in str(description)
    describe_figure(graph).canvas.draw()


def test_no_channel_is_refused() -> None:
    for function in (describe, describe_figure):
        with pytest.raises(TopologyError, match=r"must have at least one channel .* \(got 0 among 2 nodes\)"):
            function(ChannelGraph.empty(["a", "b"]))


def test_the_figure_shows_every_channel_and_every_direction() -> None:
    graph = generate(GeneratedTopology(nodes=80), seed=2)
    figure = describe_figure(graph)
    figure.canvas.draw()
    panels = figure.axes
    assert [panel.get_xlabel() for panel in panels] == [
        "channels of a node",
        "capacity of a channel (sat)",
        "capacity of a node (sat)",
        "proportional fee (ppm)",
        "base fee (msat)",
        "expiry delta (blocks)",
    ]
    assert sum(bar.get_height() for bar in panels[1].patches) == graph.channel_count
    assert sum(bar.get_height() for bar in panels[3].patches) == 2 * graph.channel_count
    for panel in panels[4:]:
        assert sum(bar.get_height() for bar in panel.patches) == pytest.approx(1.0)
