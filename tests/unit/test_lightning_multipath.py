"""Payments in several parts: delivered all or none, tried again part by part, given back when one stays away."""

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.payer_config import payer
from tests.support.lightning import SAT, on_graph, run_payments, settings

POLICIES = ("lnd", "cln", "ldk", "eclair", "uniform", "cheapest")


def ways(*balances_sat, empty=()):
    """Node 0 pays node 1 over as many ways of two channels; the second channel of those in `empty` is dry."""
    triples, balances = [], []
    for i, amount_sat in enumerate(balances_sat):
        triples += [(0, 2 + i, 2 * amount_sat * SAT), (2 + i, 1, 2 * amount_sat * SAT)]
        second = (0, 2 * amount_sat) if i in empty else (amount_sat, amount_sat)
        balances += [amount_sat, amount_sat, *second]
    names = [f"n{i}" for i in range(2 + len(balances_sat))]
    return ChannelGraph.from_channels(names, triples, balance_msat=np.array(balances, np.int64) * SAT)


def pay(graph, amount_sat, crypto="modelled", change=None, **multipath):
    """One payment from node 0 to node 1 after `change(system)`."""
    policy = multipath.pop("policy", "lnd")
    config = settings(payer={"policy": policy, "multipath": multipath})
    system = on_graph(graph, [(0, 0, 1, amount_sat * SAT)], config, crypto=crypto, payments_s=86_400)
    if change is not None:
        change(system)
    run_payments(system)
    system.audit().check("after a payment")
    assert system.settled
    return system, system.world.recorder.payments


WAYS = [(policy, split) for policy in POLICIES for split in ("halving", "capacity")]


@pytest.mark.parametrize(("policy", "split"), [*WAYS, ("cln", "flow"), ("uniform", "flow")])
def test_two_channels_carry_together_what_neither_carries_alone(policy, split):
    system, record = pay(ways(500_000, 500_000), 700_000, policy=policy, split=split, parts=8)
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED
    assert record.parts[0] >= 2
    assert record.hops[0] == 2
    assert record.fee[0] == system.payments.fees_msat > 0
    assert system.state.balance_msat[[3, 7]].sum() == (1_000_000 + 700_000) * SAT


@pytest.mark.parametrize("policy", POLICIES)
def test_one_part_at_most_divides_nothing(policy):
    _, record = pay(ways(500_000, 500_000), 700_000, policy=policy, parts=1)
    assert Outcome(int(record.outcome[0])) is Outcome.INSUFFICIENT_FUNDS
    assert (record.attempts[0], record.parts[0], record.fee[0]) == (0, 0, 0)


def test_real_onions_state_the_total_of_all_parts(monkeypatch):
    from l2sim.systems.lightning import real_onions

    totals, made = [], real_onions.HopPayload

    class Watched(made):
        def __init__(self, amount_msat, *values, **fields):
            if fields.get("total_msat") is not None:
                totals.append((amount_msat, fields["total_msat"]))
            super().__init__(amount_msat, *values, **fields)

    monkeypatch.setattr(real_onions, "HopPayload", Watched)
    _, record = pay(ways(500_000, 500_000), 700_000, crypto="real")
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED
    assert len(totals) >= 2
    assert set(totals) == {(350_000 * SAT, 700_000 * SAT)}


def test_both_signers_give_the_same_payment():
    found = [pay(ways(500_000, 500_000), 700_000, crypto)[1] for crypto in ("modelled", "real")]
    for column in ("outcome", "parts", "fee", "assured_ns", "final_ns", "attempts"):
        assert np.array_equal(getattr(found[0], column), getattr(found[1], column)), column


def test_a_lost_part_is_tried_again_another_way():
    _, record = pay(ways(500_000, 500_000, 500_000, empty=[0]), 700_000)
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED
    assert record.attempts[0] > record.parts[0] >= 2


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_parts_that_wait_in_vain_come_back_with_mpp_timeout(crypto):
    graph = ways(500_000, 500_000, empty=[1])
    refused = []

    def watch(system):
        refuse = system.htlcs.refuse

        def seen(attempt, refusal):
            refused.append((system.world.environment.now, refusal.code))
            refuse(attempt, refusal)

        system.htlcs.refuse = seen

    system, record = pay(graph, 700_000, crypto, watch, hold_s=90)
    assert Outcome(int(record.outcome[0])) is Outcome.NO_LIQUIDITY
    assert {code for _, code in refused} == {FailureCode.MPP_TIMEOUT}
    waited_s = (refused[0][0] - int(record.submitted_ns[0])) / 1e9
    assert 90 < waited_s < 95
    assert len({at for at, _ in refused}) == 1
    assert np.array_equal(system.state.balance_msat, graph.balance_msat)
    assert (record.parts[0], record.fee[0], system.payments.fees_msat) == (0, 0, 0)


def test_parts_are_not_made_smaller_than_the_least():
    assert pay(ways(500_000, 500_000), 700_000, min_part_sat=350_000)[1].parts[0] == 2
    assert pay(ways(500_000, 500_000), 700_000, min_part_sat=350_001)[1].attempts[0] == 0


def test_capacity_fills_a_way_before_it_takes_the_next():
    _, record = pay(ways(500_000, 500_000, 500_000, 500_000), 900_000, split="capacity", parts=16)
    _, halved = pay(ways(500_000, 500_000, 500_000, 500_000), 1_100_000, split="halving", parts=16)
    assert record.parts[0] == 2
    # 275 000 sat is the largest half of a half that goes out; then all of the rest, 825 000, is halved once.
    assert halved.parts[0] == 3


def test_each_implementation_has_limits_of_its_own():
    found = {}
    for policy in POLICIES:
        rules = payer(policy=policy).multipath
        found[policy] = (rules.split, rules.parts, rules.min_part_sat, rules.hold_s)
    assert found == {
        "lnd": ("halving", 16, 10_000, 120),
        "cln": ("flow", 100, 1_000, 60),
        "ldk": ("capacity", 10, 10_000, 180),
        "eclair": ("capacity", 5, 15_000, 60),
        "uniform": ("capacity", 1, 10_000, 60),
        "cheapest": ("capacity", 1, 10_000, 60),
    }
    assert payer(multipath={"parts": 3}).multipath.split == "halving"


@pytest.mark.parametrize("split", ["halving", "capacity"])
def test_nothing_is_sent_when_all_own_channels_together_are_not_enough(split):
    _, record = pay(ways(500_000, 500_000), 1_100_000, split=split)
    assert Outcome(int(record.outcome[0])) is Outcome.INSUFFICIENT_FUNDS
    assert record.attempts[0] == 0


def test_halving_asks_for_all_of_the_rest_after_each_part_as_lnd_does():
    system, record = pay(ways(45_000, 45_000, 45_000, 45_000), 100_000, split="halving", parts=16)
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED
    carried_sat = sorted(int(gain) // SAT for gain in system.state.settled_msat[1::2] if gain)
    assert carried_sat == [25_000, 37_500, 37_500]


def test_halving_counts_the_parts_under_way_and_not_those_that_failed():
    # The first two ways are dry: three parts at a time are enough for three ways, however many failed before.
    graph = ways(45_000, 45_000, 45_000, 45_000, 45_000, empty=(0, 1))
    _, record = pay(graph, 100_000, split="halving", parts=3)
    assert (Outcome(int(record.outcome[0])), record.parts[0]) == (Outcome.COMPLETED, 3)
    assert record.attempts[0] >= 5
    _, record = pay(graph, 100_000, split="halving", parts=2)
    assert Outcome(int(record.outcome[0])) is not Outcome.COMPLETED


def test_core_lightning_leaves_a_channel_that_refuses_out_for_one_payment_and_others_for_an_hour():
    """The first of two ways asks for more than it says; each payment of `cln` finds out for itself."""
    tried = {}
    for policy in ("cln", "uniform"):
        graph = ways(900_000, 900_000)
        rows = [(10 * i, 0, 1, 900 * SAT) for i in range(4)]
        system = on_graph(graph, rows, settings(payer={"policy": policy}, nodes={"policy_grace_s": 0}))
        system.policies.change(2, 0, 5_000, 100, 80)
        system.policies.change(6, 0, 1_000, 1, 80)
        record = run_payments(system).world.recorder.payments
        assert record.outcome.tolist() == [Outcome.COMPLETED] * 4
        tried[policy] = record.attempts.tolist()
    assert tried == {"cln": [2, 2, 2, 2], "uniform": [2, 1, 1, 1]}
