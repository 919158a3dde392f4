"""The compiled path search finds what its plain twin finds, on any network and on a real one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.systems.lightning.belief import PayerMemory
from l2sim.systems.lightning.config import Payer
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.routing import OwnChannels, RoutingTable, fee_limit_msat
from l2sim.systems.lightning.search import Searcher, search_reference
from l2sim.systems.lightning.topology import load_graph
from tests.shared import shared

POLICIES = ("cheapest", "lnd")


def random_graph(rng, nodes, channels):
    """Few different numbers, so that equal costs are common."""
    ends = [rng.choice(nodes, 2, replace=False) for _ in range(channels)]
    capacity = rng.choice([10**7, 10**8, 10**9, 10**10], channels)
    return ChannelGraph.from_channels(
        [f"n{i}" for i in range(nodes)],
        [(int(a), int(b), int(c)) for (a, b), c in zip(ends, capacity, strict=True)],
        enabled=rng.random(2 * channels) < 0.9,
        base_fee_msat=rng.choice([0, 0, 1_000, 5_000], 2 * channels),
        fee_ppm=rng.choice([0, 1, 100, 100, 50_000, 2**32 - 1], 2 * channels),
        cltv_delta=rng.choice([18, 40, 144, 900], 2 * channels),
        htlc_min_msat=rng.choice([0, 1_000, 10**7], 2 * channels),
        htlc_max_msat=np.repeat(capacity, 2) // rng.choice([1, 1, 2], 2 * channels),
    )


def random_memory(rng, edges, now_ns):
    memory = PayerMemory(limit=50)
    for _ in range(int(rng.integers(0, 12)) if edges else 0):
        position, amount_msat = int(rng.integers(edges)), int(rng.choice([10**6, 10**8]))
        (memory.failed if rng.random() < 0.6 else memory.succeeded)(position, amount_msat, int(rng.integers(now_ns)))
    return memory


def own_channels(graph, payer, rng):
    edges = np.flatnonzero((graph.edge_source() == payer) & graph.enabled).astype(np.int64)
    limits = (graph.htlc_max_msat[edges] * rng.random(len(edges))).astype(np.int64)
    return OwnChannels(edges, graph.edge_target()[edges].astype(np.int32), graph.htlc_min_msat[edges], limits)


def check(graph, payer_settings, rng, queries):
    forwards = rng.random(graph.node_count) < 0.95
    table = RoutingTable(graph, forwards)
    searcher = Searcher(table, payer_settings, int(graph.degrees().max()))
    now_ns = 10**13
    found = 0
    for _ in range(queries):
        payer, payee = (int(node) for node in rng.choice(graph.node_count, 2, replace=False))
        amount_msat = int(10 ** rng.uniform(3, 10))
        limit = int(rng.choice([0, fee_limit_msat(payer_settings, amount_msat), 10**9]))
        own, memory = own_channels(graph, payer, rng), random_memory(rng, table.edge_count, now_ns)
        query = searcher.query(payer, payee, amount_msat, limit, now_ns)
        route = searcher.find(query, own, memory.table, memory.count)
        expected, _ = search_reference(table.network, own, memory.table, memory.count, query)
        assert route == expected
        if route is not None:
            found += 1
            check_route(graph, payer_settings, payer, payee, amount_msat, limit, route)
    return found


def check_route(graph, payer_settings, payer, payee, amount_msat, limit, route):
    """A route is connected and every hop is paid and given its blocks."""
    source, target = graph.edge_source(), graph.edge_target()
    assert source[route.edges[0]] == payer
    assert target[route.edges[-1]] == payee
    assert route.amounts_msat[-1] == amount_msat
    assert route.expiries_blocks[-1] == payer_settings.final_cltv_blocks + payer_settings.block_padding
    assert 0 <= route.fee_msat <= limit
    assert len(route.edges) <= payer_settings.max_hops
    assert route.expiries_blocks[0] <= payer_settings.max_cltv_blocks
    for k in range(1, len(route.edges)):
        edge = route.edges[k]
        amount = route.amounts_msat[k]
        assert source[edge] == target[route.edges[k - 1]]
        assert graph.htlc_min_msat[edge] <= amount <= graph.htlc_max_msat[edge]
        fee = int(graph.base_fee_msat[edge]) + amount * int(graph.fee_ppm[edge]) // 1_000_000
        assert route.amounts_msat[k - 1] - amount == fee
        assert route.expiries_blocks[k - 1] - route.expiries_blocks[k] == graph.cltv_delta[edge]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(2, 14),
    channels=st.integers(1, 40),
    policy=st.sampled_from(POLICIES),
    hops=st.integers(1, 20),
    memory_s=st.sampled_from([1.0, 3_600.0, 1e5]),
)
def test_kernel_and_twin_agree_on_random_networks(seed, nodes, channels, policy, hops, memory_s):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, nodes, channels)
    check(graph, Payer(policy=policy, max_hops=hops, memory_s=memory_s), rng, queries=8)


def test_kernel_and_twin_agree_on_a_real_network():
    graph = load_graph(shared("data/lightning/lnd-describegraph-2019-03-09.json.xz")).largest_component()
    for policy in POLICIES:
        assert check(graph, Payer(policy=policy), np.random.default_rng(5), queries=6) >= 2
