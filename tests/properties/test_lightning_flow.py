"""Flows of least cost: what the compiled kernel finds costs what its plain twin's and networkx's flows cost, and plans
keep every limit."""

from collections import Counter

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.systems.lightning.flow.arcs import PIECES, FlowTerms, piece_end, unit_cost
from l2sim.systems.lightning.flow.kernels import least_cost_flow
from l2sim.systems.lightning.flow.planning import Planner
from l2sim.systems.lightning.flow.reference import channels_of
from l2sim.systems.lightning.flow.reference import least_cost_flow as least_cost_flow_reference
from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies.choice import style_of
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.search import Searcher
from tests.properties.test_lightning_search import own_channels, random_graph, random_memory

CLN = payer(policy="cln")
NOW_NS = 10**13


def drawn(seed, nodes):
    """A network, what a payer knows, and a flow to be found."""
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, nodes, 3 * nodes)
    table = RoutingTable(graph, np.ones(nodes, np.bool_), style_of(CLN).remembered_by)
    here, there = (int(node) for node in rng.choice(nodes, 2, replace=False))
    amount_msat = int(10 ** rng.uniform(5, 10))
    unit_msat = -(-amount_msat // 1_000)
    terms = FlowTerms(
        amount_msat, unit_msat, -(-amount_msat // unit_msat), NOW_NS, 3.6e12, float(rng.choice([0, 1, 100])),
        float(rng.choice([0, 1e5, 1e9])), 1e7 / amount_msat, 1e-6,
    )  # fmt: skip
    taken_msat = np.where(rng.random(table.edge_count) < 0.1, 10**7, 0)
    barred = rng.random(table.edge_count) < 0.05
    known = random_memory(rng, table, CLN, NOW_NS)
    return table.network, own_channels(graph, here, rng), *known, taken_msat, barred, here, there, terms


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_the_kernel_finds_what_the_plain_twin_finds(seed, nodes):
    arguments = drawn(seed, nodes)
    assert least_cost_flow(*arguments)[:2] == least_cost_flow_reference(*arguments)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_no_flow_costs_less(seed, nodes):
    network, own, memory, remembered, taken_msat, barred, here, there, terms = drawn(seed, nodes)
    sent, cost, _, flow, used, own_flow = least_cost_flow(
        network, own, memory, remembered, taken_msat, barred, here, there, terms
    )
    channels = channels_of(network, own, memory, remembered, taken_msat, barred, here, terms)
    graph = nx.MultiDiGraph()
    graph.add_node(here, demand=-sent)
    graph.add_node(there, demand=sent)
    for source, target, fee_ppm, pieces in channels:
        start = 0
        for piece in range(PIECES):
            end = piece_end(pieces, piece)
            if end > start:
                weight = unit_cost(terms, fee_ppm, piece, pieces.unsure)
                graph.add_edge(source, target, weight=int(weight), capacity=int(end - start))
            start = end
    assert cost == nx.network_simplex(graph)[0]
    # Nor is there a larger one, where this is not all of the amount.
    plain = nx.DiGraph()
    plain.add_nodes_from((here, there))
    room = Counter()
    for source, target, _, pieces in channels:
        room[source, target] += int(piece_end(pieces, PIECES - 1))
    plain.add_edges_from((a, b, {"capacity": units}) for (a, b), units in room.items())
    assert sent == min(terms.units, nx.maximum_flow_value(plain, here, there))
    # What each channel carries adds up at every node.
    net = Counter({here: -sent, there: sent})
    for position in used.tolist():
        net[int(network.source[position])] += int(flow[position])
        net[int(network.target[position])] -= int(flow[position])
    for i, units in enumerate(own_flow.tolist()):
        net[here] += units
        net[int(own.target[i])] -= units
    assert not any(net.values())
    assert set(np.flatnonzero(flow).tolist()) <= set(used.tolist())


@settings(max_examples=40)
@given(
    st.integers(0, 2**32), st.integers(3, 14), st.sampled_from(("cln", "uniform")), st.integers(1, 20),
    st.sampled_from((1, 1_000, 10**8)),
)  # fmt: skip
def test_plans_deliver_the_amount_within_every_limit(seed, nodes, policy, parts, least_msat):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, nodes, 3 * nodes)
    rules = payer(policy=policy, max_cltv_blocks=1_000, max_hops=5)
    table = RoutingTable(graph, np.ones(nodes, np.bool_), style_of(rules).remembered_by)
    searcher, planner = Searcher(table, rules, nodes * 6), Planner(table, rules)
    network = table.network
    for _ in range(3):
        here, there = (int(node) for node in rng.choice(nodes, 2, replace=False))
        own, (memory, remembered) = own_channels(graph, here, rng), random_memory(rng, table, rules, NOW_NS)
        query = searcher.query(here, there, int(10 ** rng.uniform(5, 10)), int(10 ** rng.uniform(3, 9)), NOW_NS)
        before = own.limit_msat.copy()
        routes = planner.plan(query, own, memory, remembered, parts, least_msat)
        assert np.array_equal(own.limit_msat, before)
        if routes is None:
            continue
        assert len(routes) <= parts
        assert sum(route.amounts_msat[-1] for route in routes) == query.amount_msat
        assert sum(route.fee_msat for route in routes) <= query.fee_limit_msat
        assert len(routes) == 1 or min(route.amounts_msat[-1] for route in routes) >= least_msat
        carried = Counter()
        for route in routes:
            node = here
            assert len(route.edges) <= 5
            assert route.expiries_blocks[0] <= 1_000
            for hop, edge in enumerate(route.edges):
                assert graph.edge_source()[edge] == node
                node = int(graph.edge_target()[edge])
                carried[edge] += route.amounts_msat[hop]
                assert route.amounts_msat[hop] >= graph.htlc_min_msat[edge]
                if hop > 0:
                    position = table.position[edge]
                    asked = int(network.base_fee_msat[position])
                    asked += route.amounts_msat[hop] * int(network.fee_ppm[position]) // 1_000_000
                    assert route.amounts_msat[hop - 1] - route.amounts_msat[hop] == asked
                    assert route.amounts_msat[hop] <= network.limit_msat[position]
                    passed = route.expiries_blocks[hop - 1] - route.expiries_blocks[hop]
                    assert passed == network.cltv_delta[position]
            assert node == there
            assert route.expiries_blocks[-1] == query.final_cltv_blocks
        own_limit = dict(zip(own.edge.tolist(), own.limit_msat.tolist(), strict=True))
        for edge, carried_msat in carried.items():
            capacity_msat = int(graph.edge_capacity_msat()[edge])
            assert carried_msat <= own_limit.get(edge, capacity_msat)
