"""Routes on small networks: what is taken, what is refused, what is remembered."""

import numpy as np

from l2sim.engine import NS_PER_S
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies.choice import make_belief, style_of
from l2sim.systems.lightning.policies.terms import FAILURE_MSAT, NO_FAILURE, SUCCESS_MSAT
from l2sim.systems.lightning.routing import OwnChannels, RoutingTable, fee_limit_msat
from l2sim.systems.lightning.search import NO_MEMORY, Searcher
from tests.support.lightning import SAT


def diamond(**columns):
    """0-1-3 and 0-2-3; channels 0: 0-1, 1: 1-3, 2: 0-2, 3: 2-3."""
    channels = [(0, 1, 10**9), (1, 3, 10**9), (0, 2, 10**9), (2, 3, 10**9)]
    return ChannelGraph.from_channels(["n0", "n1", "n2", "n3"], channels, **columns)


def table_of(graph, settings):
    return RoutingTable(graph, np.ones(graph.node_count, np.bool_), style_of(settings).remembered_by)


def find(graph, settings=None, amount_msat=10**8, own_msat=10**9, learn=None, now_ns=0, fee_limit=None):
    settings = settings or payer()
    table = table_of(graph, settings)
    edges = np.flatnonzero(graph.edge_source() == 0).astype(np.int64)
    own = OwnChannels(
        edges,
        graph.edge_target()[edges].astype(np.int32),
        graph.htlc_min_msat[edges],
        np.broadcast_to(own_msat, len(edges)).astype(np.int64),
    )
    searcher = Searcher(table, settings, len(edges))
    limit = fee_limit_msat(settings, amount_msat) if fee_limit is None else fee_limit
    query = searcher.query(0, graph.node_count - 1, amount_msat, limit, now_ns)
    if learn is None:
        return searcher.find(query, own, NO_MEMORY, 0)
    belief = make_belief(table, settings)
    learn(belief, table.position)
    memory = belief.of(0)
    return searcher.find(query, own, memory.table, memory.count)


def test_the_cheaper_of_two_ways_is_taken():
    fees = np.zeros(8, np.int64)
    fees[2] = 2_000  # 1 to 3
    fees[6] = 1_000  # 2 to 3
    for policy in ("cheapest", "lnd"):
        route = find(diamond(base_fee_msat=fees, fee_ppm=0), payer(policy=policy))
        assert route.edges == [4, 6]
        assert route.amounts_msat == [10**8 + 1_000, 10**8]
        assert route.expiries_blocks == [18 + 3 + 80, 18 + 3]  # LND's padding of three blocks


def test_equal_costs_are_decided_by_the_smaller_node():
    assert find(diamond()).edges == [0, 2]


def test_locked_money_has_a_price():
    fees, deltas = np.zeros(8, np.int64), np.full(8, 40)
    fees[6] = 100
    deltas[2] = 144
    # 104 blocks of 100 000 sat at 15e-9 a block cost 156 msat, more than the 100 msat saved.
    route = find(diamond(base_fee_msat=fees, fee_ppm=0, cltv_delta=deltas), payer(policy="cheapest"))
    assert route.edges == [4, 6]
    assert route.cost == 100 + (10**8 + 100) * 40 * 15 // 10**9


def test_lnd_prefers_the_larger_channel_when_the_amount_is_near_its_capacity():
    channels = [(0, 1, 10**9), (1, 3, 10**8), (0, 2, 10**9), (2, 3, 10**9)]
    graph = ChannelGraph.from_channels(["n0", "n1", "n2", "n3"], channels)
    assert find(graph, payer(policy="cheapest"), amount_msat=98_000_000).edges == [0, 2]
    assert find(graph, payer(policy="lnd"), amount_msat=98_000_000).edges == [4, 6]


def test_improbable_routes_are_left_out():
    # 0.95 for the payer's own channel and 0.6 for one that nothing is known of.
    assert find(diamond(), payer(min_probability=0.56)) is not None
    assert find(diamond(), payer(min_probability=0.58)) is None


def test_a_remembered_failure_fades():
    def failed_both(belief, position):
        belief.failed(0, int(position[2]), 50_000 * SAT, 0)
        belief.failed(0, int(position[6]), 200_000 * SAT, 0)

    for policy in ("cheapest", "lnd"):
        extra = {"min_probability": 0.2} if policy == "lnd" else {}
        settings = payer(policy=policy, memory_s=60, **extra)
        assert find(diamond(), settings, learn=failed_both).edges == [4, 6]  # less than what failed there
        assert find(diamond(), settings, amount_msat=2 * 10**8, learn=failed_both) is None
        late = find(diamond(), settings, amount_msat=2 * 10**8, learn=failed_both, now_ns=90 * NS_PER_S)
        assert late.edges == [0, 2]


def test_lnd_prefers_what_went_through_before():
    def carried(belief, position):
        belief.carried(0, int(position[6]), 200_000 * SAT, 0)

    def carried_and_failed(belief, position):
        belief.carried(0, int(position[6]), 200_000 * SAT, 0)
        belief.failed(0, int(position[6]), 300_000 * SAT, 0)

    assert find(diamond(), learn=carried).edges == [4, 6]
    assert find(diamond(), payer(policy="cheapest"), learn=carried_and_failed).edges == [0, 2]


def test_memory_keeps_the_newest_news():
    settings = payer(memory_entries=2)
    table = table_of(diamond(), settings)
    belief = make_belief(table, settings)
    seven, eight, nine = (int(table.position[edge]) for edge in (2, 6, 1))
    for position, now_ns in ((seven, 1), (eight, 2), (seven, 3), (nine, 4)):
        belief.carried(0, position, 1_000, now_ns)
    memory = belief.of(0)
    keys = table.network.key
    assert sorted(memory.table.key[: memory.count].tolist()) == sorted([int(keys[seven]), int(keys[nine])])
    belief.failed(0, nine, 900, 5)
    facts = memory.find(int(keys[nine]))
    assert facts[SUCCESS_MSAT] == 899
    # Within a minute a larger failure does not make the payer hopeful again.
    belief.failed(0, nine, 2_000, 6)
    assert facts[FAILURE_MSAT] == 900
    belief.carried(0, nine, 5_000, 7)
    assert facts[FAILURE_MSAT] == 5_001
    assert NO_FAILURE > 21_000_000 * 10**11


def test_fees_that_no_real_number_of_bits_could_hold_are_still_exact():
    fees = np.zeros(8, np.int64)
    fees[2], fees[6] = 2**32 - 1, 2**32 - 2
    route = find(diamond(fee_ppm=fees, base_fee_msat=0), fee_limit=10**13, own_msat=10**13)
    assert route.edges == [4, 6]
    assert route.fee_msat == 10**8 * (2**32 - 2) // 10**6


def test_nodes_that_do_not_forward_are_never_in_the_middle():
    graph = diamond()
    table = RoutingTable(graph, np.array([True, False, True, True]))
    assert (table.position[graph.edge_source() == 1] == -1).all()
    assert table.edge_count == 6


def test_the_fee_limit_is_lnds():
    assert fee_limit_msat(payer(), 1_000 * SAT) == 1_000 * SAT
    assert fee_limit_msat(payer(), 1_001 * SAT) == 50_050


def test_lnd_takes_parallel_channels_for_one_that_asks_what_the_dearest_asks():
    channels = [(0, 1, 10**9), (1, 2, 10**9), (1, 2, 4 * 10**8), (1, 2, 10**8), (0, 1, 10**9)]
    fees, deltas = np.zeros(10, np.int64), np.full(10, 40)
    fees[[2, 4, 6]] = 1_000, 3_000, 9_000
    deltas[2] = 144
    graph = ChannelGraph.from_channels(["n0", "n1", "n2"], channels, base_fee_msat=fees, fee_ppm=0, cltv_delta=deltas)
    # Of 200 000 sat the last of the three is too small, so that what it asks does not count.
    route = find(graph, payer(policy="lnd"), amount_msat=2 * 10**8)
    assert (route.edges, route.fee_msat) == ([0, 4], 3_000)
    assert route.expiries_blocks[0] - route.expiries_blocks[1] == 144
    plain = find(graph, payer(policy="cheapest"), amount_msat=2 * 10**8)
    assert (plain.edges, plain.fee_msat) == ([0, 2], 1_000)


def test_lnd_pays_over_the_fullest_of_its_channels_to_a_peer():
    channels = [(0, 1, 10**9), (0, 1, 3 * 10**9), (0, 1, 2 * 10**9), (1, 2, 10**9)]
    graph = ChannelGraph.from_channels(["n0", "n1", "n2"], channels)
    own_msat = np.array([10**9, 3 * 10**9, 2 * 10**9])
    for estimator in ("apriori", "bimodal"):
        assert find(graph, payer(policy="lnd", estimator=estimator), own_msat=own_msat).edges == [2, 6]
    assert find(graph, payer(policy="cheapest"), own_msat=own_msat).edges == [0, 6]
