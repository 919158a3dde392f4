"""The channel graph: its columns, what it refuses, how it grows."""

import re
from typing import Any

import networkx
import numpy as np
import pytest

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import from_networkx, to_networkx


def triangle(**columns: Any) -> ChannelGraph:
    return ChannelGraph.from_channels(["a", "b", "c"], [(0, 1, 1_000), (1, 2, 2_000), (2, 0, 4_000)], **columns)


def test_edges_come_in_pairs_of_opposite_direction() -> None:
    graph = triangle()
    assert graph.edge_source().tolist() == [0, 1, 1, 2, 2, 0]
    assert graph.edge_target().tolist() == [1, 0, 2, 1, 0, 2]
    assert graph.edge_capacity_msat().tolist() == [1_000, 1_000, 2_000, 2_000, 4_000, 4_000]
    assert graph.total_capacity_msat == 7_000
    assert graph.degrees().tolist() == [2, 2, 2]
    assert graph.htlc_max_msat.tolist() == graph.edge_capacity_msat().tolist()


def test_columns_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        triangle().fee_ppm[0] = 5


def test_a_graph_keeps_its_own_copy_of_the_columns() -> None:
    fees = np.arange(6)
    graph = triangle(fee_ppm=fees)
    fees[0] = 99
    assert graph.fee_ppm.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"fee_ppm": [0, 0, 0, -1, 0, 0]},
            "'1x0x0' b to a fee_ppm: must be at least 0 and at most 4294967295 (got -1)",
        ),
        ({"cltv_delta": 70_000}, "channel '0x0x0' a to b cltv_delta: must be at least 0 and at most 65535 (got 70000)"),
        ({"fee_ppm": 0.5}, "fee_ppm must hold values that fit int64"),
        ({"fee_ppm": [1, 2]}, "fee_ppm must be one number or have shape (6,) (got (2,))"),
        (
            {"balance_msat": [500, 501, 0, 2_000, 4_000, 0]},
            "'0x0x0' balance_msat: both sides must sum to the capacity (got 1001)",
        ),
        ({"balance_msat": [-1, 1_001, 0, 2_000, 4_000, 0]}, "a to b balance_msat: must be at least 0 (got -1)"),
        ({"channel_names": ["x", "y", "x"]}, "channel names must be unique (got 'x' more than once)"),
        ({"channel_names": ["x", "", "z"]}, "channel names must not be empty"),
    ],
)
def test_bad_columns_are_refused_with_channel_value_and_rule(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)):
        triangle(**columns)


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ((0, 0, 1_000), "channel '0x0x0' node_b: must differ from node_a: no loops (got 0)"),
        ((0, 2, 1_000), "channel '0x0x0' node_b: must be a node, 0 to 1 (got 2)"),
        ((-1, 1, 1_000), "channel '0x0x0' node_a: must be a node, 0 to 1 (got -1)"),
        ((0, 1, 0), "capacity_msat: must be above 0"),
        ((0, 1, 2_100_000_000_000_000_001), "at most 2100000000000000000 (got 2100000000000000001)"),
    ],
)
def test_bad_channels_are_refused(channel: tuple[int, int, int], message: str) -> None:
    with pytest.raises(TopologyError, match=re.escape(message)):
        ChannelGraph.from_channels(["a", "b"], [channel])


def test_node_names_must_be_unique() -> None:
    with pytest.raises(TopologyError, match="node names must be unique"):
        ChannelGraph.empty(["a", "a"])


def test_extended_keeps_old_numbers_and_appends() -> None:
    graph = triangle(fee_ppm=7)
    more = graph.extended(
        node_names=["d"], channel_names=["new"], node_a=[3], node_b=[0], capacity_msat=[9_000], fee_ppm=[1, 2]
    )
    assert more.node_names == ("a", "b", "c", "d")
    assert more.channel_names == (*graph.channel_names, "new")
    assert more.fee_ppm.tolist() == [7] * 6 + [1, 2]
    assert more.select(nodes=np.array([True, True, True, False])) == graph


def test_extended_wants_balances_just_when_the_graph_has_them() -> None:
    channel: dict[str, Any] = {"channel_names": ["new"], "node_a": [0], "node_b": [1], "capacity_msat": [10]}
    with pytest.raises(TopologyError, match="it has no, got some"):
        triangle().extended(**channel, balance_msat=[4, 6])
    even = triangle().with_balances(np.array([500, 500, 1_000, 1_000, 2_000, 2_000]))
    with pytest.raises(TopologyError, match="it has, got none"):
        even.extended(**channel)
    more = even.extended(**channel, balance_msat=[4, 6])
    assert more.balance_msat is not None
    assert more.balance_msat.tolist() == [500, 500, 1_000, 1_000, 2_000, 2_000, 4, 6]


def test_equality_looks_at_every_column() -> None:
    assert triangle() == triangle()
    assert triangle() != triangle(fee_ppm=2)
    assert triangle() != triangle().with_balances(np.array([500, 500, 1_000, 1_000, 2_000, 2_000]))
    assert triangle() != "a graph"


def test_select_refuses_masks_of_other_length() -> None:
    with pytest.raises(TopologyError, match=r"must mark 3 nodes and 3 channels \(got shapes \(2,\) and \(3,\)\)"):
        triangle().select(nodes=np.array([True, False]))


def test_a_network_of_networkx_becomes_a_channel_graph() -> None:
    graph = from_networkx(networkx.barabasi_albert_graph(50, 2, seed=1), capacity_msat=5_000)
    assert (graph.node_count, graph.channel_count) == (50, 96)
    assert graph.enabled.all()
    assert set(graph.capacity_msat.tolist()) == {5_000}
    assert to_networkx(graph).number_of_edges() == 96


def test_networkx_without_capacity_or_with_directions_is_refused() -> None:
    with pytest.raises(TopologyError, match="edge 0 to 1: capacity_msat must be an attribute"):
        from_networkx(networkx.path_graph(2))
    with pytest.raises(TopologyError, match="undirected"):
        from_networkx(networkx.DiGraph([(0, 1)]), capacity_msat=1)
