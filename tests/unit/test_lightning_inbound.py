"""Inbound fees: who reckons with them, what is charged, and how payers come to know of them."""

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.engine import NS_PER_S, Streams
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.inbound import has_inbound_fees, inbound_fee_msat, with_inbound_fees
from l2sim.systems.lightning.node_config import AnnouncedInboundFees, DrawnInboundFees
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.topology import describe
from tests.support.lightning import SAT, line, on_graph, run_payments, settings

EVEN = (500_000, 500_000)
AMOUNT_MSAT = 100_000 * SAT


def network(base_msat, ppm):
    """Three channels in a line; nodes 1 and 2 ask 1000 msat + 1000 ppm, and more of what comes from the left."""
    base, rate = np.zeros(6, np.int64), np.zeros(6, np.int64)
    base[[0, 2]], rate[[0, 2]] = base_msat, ppm
    return line(
        EVEN, EVEN, EVEN, base_fee_msat=1_000, fee_ppm=1_000, inbound_base_msat=base, inbound_ppm=rate
    )  # fmt: skip


def paid(policy, base_msat, ppm, **nodes):
    nodes = {"inbound_fees": {"kind": "announced"}} | nodes
    config = settings(payer={"policy": policy, "multipath": {"parts": 1}}, nodes=nodes)
    system = run_payments(on_graph(network(base_msat, ppm), [(0, 0, 3, AMOUNT_MSAT)], config))
    record = system.world.recorder.payments
    return Outcome(record.outcome[0]), int(record.fee[0]), int(record.failure_code[0]), system


# Without discounts: node 2 asks 101 000 msat, node 1 101 101 msat of 100 101 000.
FULL_MSAT = 101_000 + 101_101


@pytest.mark.parametrize("policy", ["lnd", "cheapest"])
def test_who_knows_inbound_fees_pays_less_by_the_discount(policy):
    outcome, fee_msat, _, system = paid(policy, 0, -500)
    # Node 2: 500 ppm of 100 101 000 less, so that node 1 sends on 100 050 950 and asks 500 ppm of its own sum less.
    second = 101_000 - 50_050
    first = 1_000 + (AMOUNT_MSAT + second) // 1_000
    first -= (AMOUNT_MSAT + second + first) * 500 // 1_000_000
    assert (outcome, fee_msat) == (Outcome.COMPLETED, second + first)
    assert system.state.earned_msat[[2, 4]].tolist() == [first, second]


@pytest.mark.parametrize("policy", ["cln", "ldk", "eclair", "uniform"])
def test_who_does_not_know_them_pays_outbound_fees_in_full(policy):
    assert paid(policy, 0, -500)[:2] == (Outcome.COMPLETED, FULL_MSAT)


def test_a_discount_never_makes_a_hop_pay_the_payer():
    assert paid("lnd", -200_000, 0)[:2] == (Outcome.COMPLETED, 0)


def test_what_is_asked_on_top_is_refused_to_those_who_do_not_pay_it():
    outcome, _, code, _ = paid("eclair", 50, 0)
    assert (outcome, code) == (Outcome.NOT_FORWARDED, FailureCode.FEE_INSUFFICIENT)
    assert paid("lnd", 50, 0)[:2] == (Outcome.COMPLETED, FULL_MSAT + 100)  # of 50 msat nobody asks 1000 ppm


def test_a_description_counts_them():
    assert describe(network(0, -500)).inbound_fee_share == 2 / 6


def test_nobody_asks_for_any_unless_told():
    assert paid("lnd", 0, -500, inbound_fees=None)[:2] == (Outcome.COMPLETED, FULL_MSAT)


def test_drawn_ones_are_those_of_whole_routers():
    graph = line(*[EVEN] * 400)
    made = with_inbound_fees(graph, DrawnInboundFees(kind="drawn", share=0.25, base_msat=-5, ppm=-70), Streams(3))
    asks = np.zeros(graph.node_count, np.bool_)
    asks[graph.edge_target()[made.inbound_ppm == -70]] = True
    assert 60 < asks.sum() < 140
    np.testing.assert_array_equal(made.inbound_base_msat, np.where(asks[graph.edge_target()], -5, 0))
    assert with_inbound_fees(made, AnnouncedInboundFees(kind="announced"), Streams(3)) is made
    assert not has_inbound_fees(with_inbound_fees(made, None, Streams(3)))


def test_payers_know_a_change_once_gossip_has_brought_it():
    gossip = {"kind": "staggered", "flush_s": 60, "relays": 3}
    rows = [(0, 0, 3, AMOUNT_MSAT), (1_000, 0, 3, AMOUNT_MSAT)]
    nodes = {"inbound_fees": {"kind": "announced"}}
    system = on_graph(network(0, -500), rows, settings(gossip=gossip, nodes=nodes))
    start_ns = system.world.horizon.payments_ns

    def change():
        for edge in (0, 2):
            system.policies.change_inbound(edge, start_ns, 0, 0)
            system.announcements.update(edge ^ 1)

    system.world.environment.call_in(start_ns, change)
    record = run_payments(system).world.recorder.payments
    # The first pays less than is asked for by then, which is honoured for ten minutes.
    assert record.outcome.tolist() == [Outcome.COMPLETED, Outcome.COMPLETED]
    assert record.fee[0] < record.fee[1] == FULL_MSAT
    for later_s, refused in ((599, None), (601, Refusal.FEE_INSUFFICIENT)):
        assert system.policies.refusal(0, 2, 60_000, AMOUNT_MSAT, 80, start_ns + later_s * NS_PER_S) is refused


def test_the_share_is_reckoned_of_no_more_than_ten_times_the_amount():
    assert inbound_fee_msat(0, -(2**31), 10**14) == -(10**15)
    assert inbound_fee_msat(-3, 999_999, 1) == -3
