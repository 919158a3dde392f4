"""A node may forward over any of its channels to the peer that the onion's channel leads to."""

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from tests.support.lightning import SAT, on_graph, run_payments, run_whole, settings

# Node 0 - node 1 = three channels = node 2. Edges 2, 4 and 6 lead from node 1 to node 2.
FIRST, SECOND, THIRD = 2, 4, 6


def parallel(*left_sat, fee_ppm=(1, 1, 1)):
    """Three channels of 2 M sat; `left_sat` is what node 1 owns in each."""
    triples = [(0, 1, 100_000_000 * SAT), *[(1, 2, 2_000_000 * SAT)] * 3]
    balances = np.array([(50_000_000, 50_000_000), *[(left, 2_000_000 - left) for left in left_sat]]).reshape(-1) * SAT
    ppm = np.array([1, 1, *[rate for rate in fee_ppm for _ in range(2)]])
    return ChannelGraph.from_channels(list("abc"), triples, balance_msat=balances, fee_ppm=ppm)


def paid(graph, forwarding, count=1, amount_msat=500_000 * SAT, **changes):
    rows = [(20.0 * i, 0, 2, amount_msat) for i in range(count)]
    payer = {"policy": changes.pop("policy", "lnd"), "max_attempts": 1, "multipath": {"parts": 1}}
    crypto = changes.pop("crypto", "modelled")
    config = settings(nodes={"forwarding": forwarding}, payer=payer, **changes)
    return run_payments(on_graph(graph, rows, config, crypto=crypto))


def sent_over(system):
    """How many HTLCs each of the three channels settled."""
    return system.state.settled[1:].tolist()


def outcomes(system):
    return system.world.recorder.payments.outcome.tolist()


@pytest.mark.parametrize("crypto", ["modelled", "real"])
@pytest.mark.parametrize("forwarding", ["any", "fullest"])
def test_one_dry_channel_does_not_block_its_siblings(forwarding, crypto):
    dry = [paid(parallel(*funds), forwarding, crypto=crypto) for funds in ((0, 0, 10**6), (0, 10**6, 0), (10**6, 0, 0))]
    assert [sent_over(system) for system in dry] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    strict = [paid(parallel(*funds), "named", crypto=crypto) for funds in ((0, 0, 10**6), (0, 10**6, 0), (10**6, 0, 0))]
    assert [outcomes(system)[0] for system in strict].count(Outcome.COMPLETED) == 1
    for system in dry:
        assert outcomes(system) == [Outcome.COMPLETED]
        assert system.state.earned_msat.sum() == system.world.recorder.payments.fee[0]


def test_any_spreads_htlcs_and_fullest_evens_balances_out():
    spread = paid(parallel(10**6, 10**6, 10**6), "any", 90, 5_000 * SAT)
    assert min(sent_over(spread)) > 15  # 30 each in the mean
    level = paid(parallel(1_500_000, 10**6, 500_000), "fullest", 90, 5_000 * SAT)
    assert sent_over(level)[0] > 85  # it stays the fullest
    named = paid(parallel(10**6, 10**6, 10**6), "named", 90, 5_000 * SAT)
    assert sorted(sent_over(named)) == [0, 0, 90]


def test_each_channel_asks_for_its_own_fee_and_fullest_looks_at_equal_ones_only():
    # The payer names the cheap channel and pays no more than it asks for; LND's pays what any of them asks for.
    cheap_is_dry = parallel(0, 10**6, 10**6, fee_ppm=(1, 500, 500))
    refused = paid(cheap_is_dry, "any", policy="cheapest").world.recorder.payments
    assert refused.failure_code.tolist() == [FailureCode.TEMPORARY_CHANNEL_FAILURE]
    assert outcomes(paid(cheap_is_dry, "any")) == [Outcome.COMPLETED]
    dear_is_fuller = parallel(10**6, 2 * 10**6, 800_000, fee_ppm=(1, 100, 1))
    assert sent_over(paid(dear_is_fuller, "fullest", policy="cheapest")) == [1, 0, 0]
    assert sent_over(paid(dear_is_fuller, "fullest")) == [0, 1, 0]


def test_without_any_that_takes_it_the_named_ones_failure_comes_back():
    graph = parallel(0, 0, 0)
    system = on_graph(graph, [(0, 0, 2, 500_000 * SAT)], settings(payer={"policy": "lnd", "multipath": {"parts": 1}}))
    system.state.enabled[[SECOND, THIRD]] = False
    system.state.enabled[FIRST] = True
    for edge in (SECOND, THIRD):
        system.announcements.update(edge)
    run_payments(system)
    record = system.world.recorder.payments
    assert (record.failure_code[0], record.failed_hop[0]) == (FailureCode.TEMPORARY_CHANNEL_FAILURE, 1)
    assert system.state.failed[1] == record.attempts[0]


@pytest.mark.parametrize("dance", ["quick", "full"])
def test_money_is_where_the_htlc_went_and_the_payer_is_not_told(dance):
    system = paid(parallel(0, 0, 10**6), "any", 2, 400_000 * SAT, channels={"dance": dance})
    assert outcomes(system) == [Outcome.COMPLETED] * 2
    assert system.state.balance_msat[[FIRST, SECOND]].tolist() == [0, 0]
    assert system.state.balance_msat[THIRD] == 200_000 * SAT
    system.audit().check("after both")


def test_the_payers_own_first_channel_is_the_one_it_chose():
    triples = [(0, 1, 2_000_000 * SAT), (0, 1, 2_000_000 * SAT)]
    balances = np.array([1_000_000, 1_000_000, 2_000_000, 0]) * SAT
    graph = ChannelGraph.from_channels(["a", "b"], triples, balance_msat=balances)
    rows = [(30.0 * i, 0, 1, 10_000 * SAT) for i in range(20)]
    system = run_whole(on_graph(graph, rows, settings(payer={"policy": "cheapest"})))
    assert sorted(system.state.settled.tolist()) == [0, 20]
