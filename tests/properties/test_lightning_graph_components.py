"""Channel graphs against networkx, and what selecting and extending must keep."""

import networkx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l2sim.systems.lightning.graph import ChannelGraph, connected_components
from l2sim.systems.lightning.topology import from_networkx, to_networkx

EDGE_COLUMNS = (
    "enabled", "base_fee_msat", "fee_ppm", "cltv_delta", "htlc_min_msat", "htlc_max_msat", "inbound_base_msat",
    "inbound_ppm",
)  # fmt: skip


@st.composite
def channel_graphs(draw: st.DrawFn, balances: bool | None = None, inbound: bool = False) -> ChannelGraph:
    nodes = draw(st.integers(2, 8))
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).filter(lambda ends: ends[0] != ends[1])
    ends = draw(st.lists(pairs, max_size=12))
    count = len(ends)

    def column(low: int, high: int, length: int = 2 * count) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=length, max_size=length))

    capacity = [1_000 * sat for sat in column(1, 10**10, count)]
    triples = [(a, b, c) for (a, b), c in zip(ends, capacity, strict=True)]
    with_balances = draw(st.booleans()) if balances is None else balances
    side_a = [draw(st.integers(0, amount)) for amount in capacity] if with_balances else []
    return ChannelGraph.from_channels(
        [f"node{i}" for i in range(nodes)],
        triples,
        enabled=np.array(column(0, 1), np.bool_),
        base_fee_msat=column(0, 2**32 - 1),
        fee_ppm=column(0, 2**32 - 1),
        cltv_delta=column(0, 2**16 - 1),
        htlc_min_msat=column(0, 10**13),
        htlc_max_msat=[draw(st.integers(1, amount)) for amount in capacity for _ in range(2)],
        inbound_base_msat=column(-(2**31), 2**31 - 1) if inbound else 0,
        inbound_ppm=column(-(2**31), 2**31 - 1) if inbound else 0,
        balance_msat=[m for x, c in zip(side_a, capacity, strict=True) for m in (x, c - x)] if with_balances else None,
    )


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_components_are_those_of_networkx(case: tuple[int, list[tuple[int, int]]]) -> None:
    nodes, edges = case
    table = np.array(edges, np.int64).reshape(-1, 2)
    found = connected_components(nodes, table[:, 0], table[:, 1])
    reference = networkx.Graph(edges)
    reference.add_nodes_from(range(nodes))
    expected = np.empty(nodes, np.int64)
    for component in networkx.connected_components(reference):
        expected[list(component)] = min(component)
    np.testing.assert_array_equal(found, expected)


def test_components_of_a_long_line_settle() -> None:
    nodes = np.random.default_rng(1).permutation(5_000)
    assert not connected_components(5_000, nodes[:-1], nodes[1:]).any()


@given(channel_graphs())
def test_largest_component_is_connected_usable_and_no_smaller_than_any_other(graph: ChannelGraph) -> None:
    part = graph.largest_component()
    assert part.enabled.all()
    assert len(np.unique(part.components())) == 1
    sizes = np.bincount(graph.components(graph.enabled_both_ways()), minlength=1)
    assert part.node_count == sizes.max()
    kept = set(part.node_names)
    index = {name: i for i, name in enumerate(graph.node_names)}
    usable = graph.enabled_both_ways()
    inside = np.isin(graph.node_a, [index[name] for name in kept])
    assert part.channel_count == int((usable & inside).sum())


@given(channel_graphs(), st.randoms(use_true_random=False))
def test_select_keeps_each_channel_as_it_was(graph: ChannelGraph, random) -> None:  # type: ignore[no-untyped-def]
    nodes = np.array([random.random() < 0.7 for _ in range(graph.node_count)], np.bool_)
    part = graph.select(nodes=nodes)
    names = [name for name, keep in zip(graph.node_names, nodes, strict=True) if keep]
    assert list(part.node_names) == names
    old = {name: c for c, name in enumerate(graph.channel_names)}
    assert part.channel_count == int((nodes[graph.node_a] & nodes[graph.node_b]).sum())
    for c, name in enumerate(part.channel_names):
        was = old[name]
        assert part.node_names[part.node_a[c]] == graph.node_names[graph.node_a[was]]
        assert part.node_names[part.node_b[c]] == graph.node_names[graph.node_b[was]]
        for column in EDGE_COLUMNS:
            for side in (0, 1):
                assert getattr(part, column)[2 * c + side] == getattr(graph, column)[2 * was + side]


@given(channel_graphs(inbound=True))
def test_there_and_back_through_networkx(graph: ChannelGraph) -> None:
    back = from_networkx(to_networkx(graph))
    assert back.node_names == graph.node_names
    order = [back.channel_names.index(name) for name in graph.channel_names]
    sorted_back = ChannelGraph(
        back.node_names,
        tuple(back.channel_names[c] for c in order),
        *(getattr(back, name)[order] for name in ("node_a", "node_b", "capacity_msat")),
        *(getattr(back, name).reshape(-1, 2)[order].reshape(-1) for name in EDGE_COLUMNS),
        balance_msat=None if back.balance_msat is None else back.balance_msat.reshape(-1, 2)[order].reshape(-1),
    )
    assert sorted_back == graph.with_balances(graph.balance_msat if graph.channel_count else None)
