"""Flows of least cost on small networks: who gets how much, and what becomes of parts that fail."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.flow.arcs import FlowTerms, last_unit, next_unit, piece_end, pieces_of
from l2sim.systems.lightning.flow.planning import Planner
from l2sim.systems.lightning.flow.weights import median_ratio
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies.choice import make_belief, style_of
from l2sim.systems.lightning.policies.cln import median_ratio as median_ratio_of_paths
from l2sim.systems.lightning.routing import OwnChannels, RoutingTable, fee_limit_msat
from l2sim.systems.lightning.search import NO_MEMORY, Searcher
from tests.support.lightning import SAT, on_graph, run_payments, settings

UNIFORM = payer(policy="uniform", mu=0)
CLN = payer(policy="cln")


def ways(*capacities_sat, **columns):
    """Node 0 pays node 1 over as many ways; the payer's own channels are large, the second of each way as given."""
    triples = []
    for i, capacity_sat in enumerate(capacities_sat):
        triples += [(0, 2 + i, 10**8 * SAT), (2 + i, 1, capacity_sat * SAT)]
    return ChannelGraph.from_channels([f"n{i}" for i in range(2 + len(capacities_sat))], triples, **columns)


def plan(graph, amount_sat, rules=UNIFORM, parts=10, least_sat=1, learn=None, fee_limit_msat_=None, own_sat=10**8):
    """What is divided so: the routes' second edges, with the sat that each delivers."""
    table = RoutingTable(graph, np.ones(graph.node_count, np.bool_), style_of(rules).remembered_by)
    edges = np.flatnonzero(graph.edge_source() == 0).astype(np.int64)
    targets = graph.edge_target()[edges].astype(np.int32)
    own = OwnChannels(edges, targets, graph.htlc_min_msat[edges], np.full(len(edges), own_sat * SAT, np.int64))
    belief = make_belief(table, rules)
    if learn is not None:
        learn(belief, table.position)
    memory = belief.of(0)
    limit = fee_limit_msat(rules, amount_sat * SAT) if fee_limit_msat_ is None else fee_limit_msat_
    query = Searcher(table, rules, len(edges)).query(0, 1, amount_sat * SAT, limit, 0)
    known = (NO_MEMORY, 0) if memory is None else (memory.table, memory.count)
    routes = Planner(table, rules).plan(query, own, *known, parts, least_sat * SAT)
    if routes is None:
        return None
    return {route.edges[-1]: route.amounts_msat[-1] // SAT for route in routes}


def terms(units=1_000):
    return FlowTerms(units, 1, units, 0, 1.0, 0.0, 1e9, 0.0, 0.0)


def test_a_channel_is_taken_in_pieces_of_rising_cost():
    pieces = pieces_of(terms(), 100, 1_109, 10**9)  # 1 % of the bounds is left for fees
    assert pieces == (99, 1_000, 1_000)
    assert [piece_end(pieces, i) for i in range(4)] == [99, 599, 899, 1_000]
    found = [next_unit(terms(), 0, pieces, used) for used in (0, 99, 600, 899, 1_000)]
    assert [room for _, room in found] == [99, 500, 299, 101, 0]
    costs = [cost for cost, _ in found[:4]]
    assert costs[0] == 0
    assert costs[1:] == [pytest.approx(1e9 / 1_000 * slope, rel=1e-3) for slope in (1.3863, 3.0543, 9.242)]
    assert last_unit(terms(), 0, pieces, 99) == (0, 99)
    assert last_unit(terms(), 0, pieces, 100) == (costs[1], 1)
    # Together the pieces cost what -log P does at each end: ln 2, ln 5, ln 20.
    assert costs[1] * 500 == pytest.approx(1e9 * np.log(2), rel=1e-3)
    assert costs[1] * 500 + costs[2] * 300 == pytest.approx(1e9 * np.log(5), rel=1e-3)


def test_alike_channels_share_an_amount_by_what_is_likely():
    found = plan(ways(1_000_000, 1_000_000, 1_000_000), 1_500_000)
    # Each carries half of what it is thought to hold before any carries more.
    assert sorted(found.values()) == pytest.approx([500_000] * 3, rel=0.02)
    assert sum(found.values()) == 1_500_000


def test_the_smaller_channel_waits_until_the_larger_has_as_little_left():
    # -log P is least where what is left of each is the same: 3 - 2 = 1 - 0, and 3 - 2.25 = 1 - 0.25.
    assert plan(ways(3_000_000, 1_000_000), 2_000_000) == {2: 2_000_000}
    found = plan(ways(3_000_000, 1_000_000), 2_500_000)
    assert found[2] == pytest.approx(2_250_000, rel=0.06)  # as near as pieces come
    assert found[2] + found[6] == 2_500_000


def test_what_failed_and_what_passed_moves_the_flow():
    def learned(belief, position):
        belief.failed(0, int(position[2]), 200_000 * SAT, 0)
        belief.carried(0, int(position[6]), 900_000 * SAT, 0)

    for rules in (UNIFORM, CLN):
        found = plan(ways(1_000_000, 1_000_000), 900_000, rules, learn=learned)
        assert found[6] > 800_000  # what has passed is certain
        assert sum(found.values()) == 900_000
        assert plan(ways(1_000_000, 1_000_000), 1_250_000, rules, learn=learned) is None
        assert plan(ways(1_000_000, 1_000_000), 1_250_000, rules) is not None


def test_what_is_under_way_is_not_there_twice():
    def locked(belief, position):
        belief.locked(0, int(position[2]), 900_000 * SAT, 0)

    found = plan(ways(1_000_000, 1_000_000), 500_000, learn=locked)
    assert found.get(2, 0) < 60_000
    assert plan(ways(1_000_000), 500_000, learn=locked) is None


def test_parts_are_no_more_and_no_smaller_than_allowed():
    network = ways(1_000_000, 1_000_000, 1_000_000, 300_000)
    found = plan(network, 2_450_000)
    assert len(found) == 4
    assert found[14] < 150_000
    assert len(plan(network, 2_450_000, parts=3)) == len(plan(network, 2_450_000, least_sat=150_000)) == 3
    assert plan(network, 2_450_000, parts=2) is None  # two channels do not hold as much
    assert min(plan(network, 1_500_000, parts=2).values()) >= 500_000


def test_fees_count_more_until_they_are_within_the_limit():
    ppm = np.full(8, 100)
    ppm[2] = 1_500
    network = ways(2_000_000, 2_000_000, base_fee_msat=0, fee_ppm=ppm)
    for rules in (CLN, payer(policy="uniform", mu=0.001)):
        free = plan(network, 1_600_000, rules, fee_limit_msat_=10**12)
        tight = plan(network, 1_600_000, rules, fee_limit_msat_=300_000)
        assert free[2] > 600_000
        assert free[2] * 1_500 + free[6] * 100 > 300 * 1_000_000
        assert tight.get(2, 0) * 1_500 + tight[6] * 100 <= 300 * 1_000_000
        assert plan(network, 1_600_000, rules, fee_limit_msat_=160_000) == {6: 1_600_000}
        assert plan(network, 1_600_000, rules, fee_limit_msat_=159_999) is None


def test_a_channel_that_asks_for_more_is_left_out():
    smallest = np.zeros(12, np.int64)
    smallest[6] = 600_000 * SAT
    network = ways(1_000_000, 1_000_000, 1_000_000, htlc_min_msat=smallest)
    assert set(plan(network, 900_000)) == {2, 10}
    smallest[4] = 10**9 * SAT
    assert set(plan(ways(1_000_000, 1_000_000, 1_000_000, htlc_min_msat=smallest), 900_000)) == {2, 10}


def test_a_way_that_does_not_carry_its_own_fees_is_left():
    fees = np.zeros(8, np.int64)
    fees[2] = 2**31  # two million sat, more than the payer's own channel to it holds
    network = ways(10_000_000, 1_000_000, base_fee_msat=fees, fee_ppm=0)
    assert plan(network, 500_000, fee_limit_msat_=10**12, own_sat=1_500_000) == {6: 500_000}


def test_slow_ways_are_left_when_they_are_too_slow():
    deltas = np.full(8, 40)
    deltas[2] = 2_000
    network = ways(1_000_000, 1_000_000, cltv_delta=deltas)
    assert set(plan(network, 900_000, CLN)) == {6}
    assert set(plan(network, 900_000, payer(policy="cln", max_cltv_blocks=4_000))) == {2, 6}


def test_scales_are_medians_over_channels():
    graph = ways(1_000_000, 2_000_000, 4_000_000, base_fee_msat=1_000, fee_ppm=100)
    network = RoutingTable(graph, np.ones(5, np.bool_)).network
    amount_msat = 100_000 * SAT
    # Each edge has one piece that is of use: half of b - a is more than the amount.
    costs = [1.3862943611198906 * 1_000 * 1_000 / (1 + c * 10 * 100 // 101) for c in (1_000, 2_000, 4_000)]
    large = 1.3862943611198906 * 1_000 * 1_000 / (1 + 10**6 * 100 // 101)
    expected = 200 / np.sort([large] * 3 + costs * 2)[4]
    assert median_ratio(network, amount_msat) == pytest.approx(expected, rel=1e-3)
    logs = [-np.log(1 - 100_000 / c) for c in (10**8, 10**8, 10**8, *(10**6, 2 * 10**6, 4 * 10**6) * 2)]
    expected = (1_000 + 10_000) / np.sort(logs)[4]
    assert median_ratio_of_paths(network, amount_msat) == pytest.approx(expected, rel=1e-3)
    assert median_ratio_of_paths(network, 10) == 1.0  # too little to lose


@pytest.mark.parametrize("policy", ["cln", "uniform"])
def test_parts_of_a_flow_that_fail_find_another_way(policy):
    graph = ways(1_000_000, 1_000_000, 1_000_000, 1_000_000)
    balances = np.repeat(graph.capacity_msat // 2, 2)
    balances[[2, 3]] = 10_000 * SAT, 990_000 * SAT  # one way is dry
    graph = replace(graph, balance_msat=balances)
    rules = {"policy": policy, "multipath": {"split": "flow", "parts": 20, "min_part_sat": 1_000}}
    system = run_payments(on_graph(graph, [(0, 0, 1, 800_000 * SAT)], settings(payer=rules)))
    record = system.world.recorder.payments
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED
    assert record.attempts[0] > record.parts[0] >= 2
    system.audit().check("after a payment")


def test_flows_are_refused_where_costs_make_none():
    for policy in ("lnd", "ldk", "eclair", "cheapest"):
        with pytest.raises(ValidationError, match="split"):
            payer(policy=policy, multipath={"split": "flow"})
    with pytest.raises(ValidationError, match="must be halving or capacity with search: getroute"):
        payer(policy="cln", search="getroute", multipath={"split": "flow"})
    assert payer(policy="cln", search="getroute").multipath.split == "halving"
    assert payer(policy="cln").multipath.split == "flow"
