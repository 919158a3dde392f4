"""The compiled path search finds what its plain twin finds, on any network and on a real one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.inbound import inbound_fee_msat
from l2sim.systems.lightning.kernels import make_scratch
from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies import kernels as any_policy
from l2sim.systems.lightning.policies.choice import make_belief, style_of
from l2sim.systems.lightning.routing import MAX_PAYMENT_MSAT, OwnChannels, RoutingTable, fee_limit_msat
from l2sim.systems.lightning.search import NO_MEMORY, Searcher, search_reference
from l2sim.systems.lightning.topology import load_graph
from tests.shared import shared

SETTINGS = {
    "cheapest": {"policy": "cheapest"},
    "lnd": {"policy": "lnd"},
    "lnd without history": {"policy": "lnd", "apriori_weight": 1.0, "time_preference": 0.5},
    "lnd bimodal": {"policy": "lnd", "estimator": "bimodal", "bimodal_decay_s": 4_000.0},
    "cln getroute": {"policy": "cln", "search": "getroute"},
    "cln": {"policy": "cln"},
    "ldk": {"policy": "ldk"},
    "ldk by bounds": {"policy": "ldk", "liquidity_penalty_multiplier_msat": 30_000, "saturation_power_of_half": 0},
    "eclair": {"policy": "eclair"},
    "uniform": {"policy": "uniform"},
    "uniform without fees": {"policy": "uniform", "mu": 0},
}


def random_graph(rng, nodes, channels, inbound=False):
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
        inbound_base_msat=rng.choice([0, 0, -500, -10_000, 300], 2 * channels) if inbound else 0,
        inbound_ppm=rng.choice([0, -1, -100, -60_000, 50, -(2**31)], 2 * channels) if inbound else 0,
    )


def random_memory(rng, table, settings, now_ns):
    """What a payer learned in the hours before, one thing after the other."""
    belief = make_belief(table, settings)
    count = int(rng.integers(0, 14)) if table.edge_count else 0
    for age_ns in sorted(rng.integers(0, now_ns, count).tolist(), reverse=True):
        position, amount_msat = int(rng.integers(min(table.edge_count, 30))), int(rng.choice([10**6, 10**8]))
        told = rng.choice(["failed", "failed", "carried", "settled", "locked"])
        getattr(belief, told)(0, position, amount_msat, now_ns - age_ns)
    memory = belief.of(0)
    return (NO_MEMORY, 0) if memory is None else (memory.table, memory.count)


def own_channels(graph, payer, rng):
    edges = np.flatnonzero((graph.edge_source() == payer) & graph.enabled).astype(np.int64)
    limits = (graph.htlc_max_msat[edges] * rng.random(len(edges))).astype(np.int64)
    return OwnChannels(edges, graph.edge_target()[edges].astype(np.int32), graph.htlc_min_msat[edges], limits)


def check(graph, settings, rng, queries):
    forwards = rng.random(graph.node_count) < 0.95
    table = RoutingTable(graph, forwards, style_of(settings).remembered_by)
    searcher = Searcher(table, settings, int(graph.degrees().max()))
    now_ns = 10**13
    found = 0
    for _ in range(queries):
        payer_node, payee = (int(node) for node in rng.choice(graph.node_count, 2, replace=False))
        amount_msat = int(10 ** rng.uniform(3, 10))
        limit = int(rng.choice([0, fee_limit_msat(settings, amount_msat), 10**9]))
        own, (memory, count) = own_channels(graph, payer_node, rng), random_memory(rng, table, settings, now_ns)
        query = searcher.query(payer_node, payee, amount_msat, limit, now_ns)
        terms = searcher.terms(amount_msat)
        route = searcher.find(query, own, memory, count, terms)
        expected, _ = search_reference(table.network, own, memory, count, query, terms)
        if expected is None and terms.saturation_power:
            expected, _ = search_reference(table.network, own, memory, count, query, terms._replace(saturation_power=0))
        assert route == expected
        if route is not None:
            found += 1
            check_route(graph, settings, payer_node, payee, amount_msat, limit, route)
    return found


def check_route(graph, settings_, payer, payee, amount_msat, limit, route):
    """A route is connected and every hop is paid and given its blocks."""
    source, target = graph.edge_source(), graph.edge_target()
    assert source[route.edges[0]] == payer
    assert target[route.edges[-1]] == payee
    assert route.amounts_msat[-1] == amount_msat
    assert route.expiries_blocks[-1] == settings_.final_cltv_blocks + settings_.block_padding
    assert 0 <= route.fee_msat <= limit
    assert len(route.edges) <= settings_.max_hops
    assert route.expiries_blocks[0] <= settings_.max_cltv_blocks
    knows_inbound = settings_.policy in ("lnd", "cheapest")
    for k in range(1, len(route.edges)):
        edge = route.edges[k]
        amount = route.amounts_msat[k]
        assert source[edge] == target[route.edges[k - 1]]
        assert graph.htlc_min_msat[edge] <= amount <= graph.htlc_max_msat[edge]
        fee = int(graph.base_fee_msat[edge]) + amount * int(graph.fee_ppm[edge]) // 1_000_000
        if knows_inbound:
            before = route.edges[k - 1]
            base_msat, ppm = int(graph.inbound_base_msat[before]), int(graph.inbound_ppm[before])
            fee = max(0, fee + inbound_fee_msat(base_msat, ppm, amount + fee))
        assert route.amounts_msat[k - 1] - amount == fee
        delta = route.expiries_blocks[k - 1] - route.expiries_blocks[k]
        # LND asks for the longest of parallel channels, so that any of them will do.
        beside = (source == source[edge]) & (target == target[edge])
        assert delta in graph.cltv_delta[beside] if settings_.policy == "lnd" else delta == graph.cltv_delta[edge]
        assert delta >= graph.cltv_delta[edge]


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(2, 14),
    channels=st.integers(1, 40),
    name=st.sampled_from(list(SETTINGS)),
    hops=st.integers(1, 20),
    memory_s=st.sampled_from([1.0, 3_600.0, 1e5]),
    inbound=st.booleans(),
)
def test_kernel_and_twin_agree_on_random_networks(seed, nodes, channels, name, hops, memory_s, inbound):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, nodes, channels, inbound)
    chosen = SETTINGS[name] | {"max_hops": hops}
    if chosen["policy"] != "ldk":
        chosen["memory_s"] = memory_s
    check(graph, payer(**chosen), rng, queries=8)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), nodes=st.integers(2, 14), channels=st.integers(1, 40))
def test_the_default_policys_own_kernel_finds_what_the_general_one_finds(seed, nodes, channels):
    rng = np.random.default_rng(seed)
    graph, chosen, now_ns = random_graph(rng, nodes, channels), payer(), 10**13
    table = RoutingTable(graph, np.ones(nodes, np.bool_))
    searcher = Searcher(table, chosen, int(graph.degrees().max()))
    scratch = make_scratch(nodes, table.edge_count, table.key_count, int(graph.degrees().max()), 1_000, 20)
    for mark in range(1, 6):
        payer_node, payee = (int(node) for node in rng.choice(nodes, 2, replace=False))
        own, (memory, count) = own_channels(graph, payer_node, rng), random_memory(rng, table, chosen, now_ns)
        query = searcher.query(payer_node, payee, int(10 ** rng.uniform(3, 10)), 10**9, now_ns)
        route = searcher.find(query, own, memory, count)
        terms = searcher.terms(query.amount_msat)
        length, _, cost = any_policy.search(table.network, own, memory, count, query, terms, scratch, mark)
        found = None if route is None else (len(route.edges), route.cost)
        assert found == (None if length == 0 else (length, cost))


@pytest.mark.parametrize("hop_probability", [0.6, 1e-3, 1e-9])
@pytest.mark.parametrize("estimator", ["apriori", "bimodal"])
def test_no_cost_overflows_at_the_largest_amounts_settings_allow(hop_probability, estimator):
    chosen = payer(
        attempt_cost_sat=10**9, attempt_cost_ppm=1_000_000, time_preference=1, min_probability=0,
        hop_probability=hop_probability, estimator=estimator, max_cltv_blocks=65_535, risk_factor_billionths=1_000_000,
        fee_limit_ppm=100_000_000,
    )  # fmt: skip
    # Two ways of six channels; the one over the larger nodes asks for a little more at each.
    ways = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 11), (0, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11)]
    graph = ChannelGraph.from_channels(
        [f"n{i}" for i in range(12)], [(a, b, 2 * MAX_PAYMENT_MSAT) for a, b in ways], cltv_delta=10_000,
        base_fee_msat=np.where(np.arange(24) < 12, 2_000, 1_000), fee_ppm=0,
    )  # fmt: skip
    table = RoutingTable(graph, np.ones(12, np.bool_), style_of(chosen).remembered_by)
    searcher = Searcher(table, chosen, 2)
    scratch = make_scratch(12, table.edge_count, table.key_count, 2, 1_000, 20)
    edges = np.array([0, 12], np.int64)
    own = OwnChannels(edges, graph.edge_target()[edges].astype(np.int32), np.zeros(2, np.int64), edges * 0 + 2**62)
    query = searcher.query(0, 11, MAX_PAYMENT_MSAT - 10_000, 10_000, 0)
    terms = searcher.terms(query.amount_msat)
    assert terms.attempt_cost_msat > 10**15
    route = searcher.find(query, own)
    assert route == search_reference(table.network, own, NO_MEMORY, 0, query, terms)[0]
    assert route is not None
    assert route.fee_msat == 5_000
    assert 0 <= route.cost < 2**62
    length, _, cost = any_policy.search(table.network, own, NO_MEMORY, 0, query, terms, scratch, 1)
    assert (length, cost) == (6, route.cost)


def real_graph():
    return load_graph(shared("data/lightning/cln-listchannels-2026-02-03.json.xz")).largest_component()


def test_kernel_and_twin_agree_on_a_real_network():
    graph = real_graph()
    for name, chosen in SETTINGS.items():
        assert check(graph, payer(**chosen), np.random.default_rng(5), queries=3) >= 1, name
