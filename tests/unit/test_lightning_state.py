"""The rules inside a channel: what may be offered, what must be kept, what a commitment costs."""

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.errors import InvariantError
from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.state import ChannelState, Phase, Waived, commitment_fee_msat
from tests.support.lightning import SAT, line


def channel(left_sat, right_sat, rules=None, **columns):
    graph = line((left_sat, right_sat), **columns)
    return ChannelState(graph, rules or Channels(), graph.balance_msat)


def test_the_largest_first_htlc_of_a_funder_leaves_reserve_anchors_and_twice_the_fee():
    # A million sat at 2500 sat/kw: reserve 10 000, anchors 660, 5000 sat/kw x 1468 wu (BOLT 2, BOLT 3).
    state = channel(1_000_000, 0, Channels(commitment_feerate_sat_per_kw=2_500))
    most = 1_000_000 - 10_000 - 660 - 5_000 * 1_468 // 1_000
    assert most == 982_000
    assert state.spendable_msat(np.array([0])).tolist() == [most * SAT]
    assert state.refusal(0, most * SAT) is None
    assert state.refusal(0, most * SAT + 1) is Refusal.INSUFFICIENT_BALANCE


def test_the_other_side_keeps_its_reserve_alone():
    state = channel(500_000, 500_000)
    assert state.spendable_msat(np.array([1])).tolist() == [490_000 * SAT]
    assert state.refusal(1, 490_000 * SAT) is None
    assert state.refusal(1, 490_000 * SAT + 1) is Refusal.INSUFFICIENT_BALANCE


def test_nobody_adds_an_htlc_that_the_funder_could_not_pay_for():
    state = channel(900, 999_100)
    assert state.refusal(1, 100_000 * SAT) is Refusal.INSUFFICIENT_BALANCE
    assert state.spendable_msat(np.array([1])).tolist() == [0]


@pytest.mark.parametrize(
    ("columns", "amount_msat", "refusal", "code"),
    [
        ({"enabled": [False, True]}, 10_000_000, Refusal.CHANNEL_DISABLED, FailureCode.CHANNEL_DISABLED),
        ({"htlc_min_msat": 5_000}, 4_999, Refusal.AMOUNT_BELOW_MINIMUM, FailureCode.AMOUNT_BELOW_MINIMUM),
        ({"htlc_max_msat": 5_000}, 5_001, Refusal.AMOUNT_ABOVE_MAXIMUM, FailureCode.TEMPORARY_CHANNEL_FAILURE),
        ({}, 600_000_000, Refusal.INSUFFICIENT_BALANCE, FailureCode.TEMPORARY_CHANNEL_FAILURE),
    ],
)
def test_every_refusal_has_its_reason_and_its_code(columns, amount_msat, refusal, code):
    state = channel(500_000, 500_000, **columns)
    assert state.refusal(0, amount_msat) is refusal
    assert refusal.code is code


def test_slots_are_counted_in_each_direction():
    state = channel(500_000, 500_000, Channels(max_accepted_htlcs=2))
    state.lock(0, 1_000 * SAT)
    state.lock(0, 1_000 * SAT)
    assert state.refusal(0, 1_000 * SAT) is Refusal.TOO_MANY_HTLCS
    assert Refusal.TOO_MANY_HTLCS.code is FailureCode.TEMPORARY_CHANNEL_FAILURE
    assert state.spendable_msat(np.array([0, 1])).tolist() == [0, 490_000 * SAT]
    assert state.refusal(1, 1_000 * SAT) is None


@pytest.mark.parametrize("edge", [0, 1])
def test_what_can_be_spent_is_what_is_not_refused_around_the_dust_limit(edge):
    # Every balance of the side that funds the channel, from one that cannot pay for a commitment with one output
    # to one that can pay for two and an HTLC above dust.
    for funder_sat in range(1_000, 1_900):
        state = channel(funder_sat, 100_000, Channels(reserve_ppm=0))
        spendable = int(state.spendable_msat(np.array([edge]))[0])
        for amount_msat in (1_000, 353 * SAT, 354 * SAT - 1, 354 * SAT, 400 * SAT, spendable, spendable + 1):
            if amount_msat >= 1_000:
                assert (state.refusal(edge, amount_msat) is None) == (amount_msat <= spendable), funder_sat


def test_rules_are_waived_one_after_the_other():
    state = channel(900, 999_100, Channels(max_accepted_htlcs=1), htlc_max_msat=200_000 * SAT)
    state.lock(1, 1_000 * SAT)
    limits = [state.spendable_msat(np.array([1]), waived)[0] for waived in Waived]
    # Its slot is taken; the funder could not pay; what it announces; what it owns above its reserve; anything.
    assert limits[:4] == [0, 0, 200_000 * SAT, (999_100 - 1_000 - 10_000) * SAT]
    assert limits[4] > 10**12
    state.begin_closing(0)
    assert [state.spendable_msat(np.array([1]), waived)[0] for waived in Waived] == [0] * 5


def test_an_htlc_is_money_on_its_way():
    state = channel(500_000, 500_000)
    state.lock(0, 100_000 * SAT)
    assert state.money_msat() == (900_000 * SAT, 100_000 * SAT)
    state.drop_output(0, 100_000 * SAT)
    state.settle(0, 100_000 * SAT)
    state.earn(0, 7)
    assert state.balance_msat.tolist() == [400_000 * SAT, 600_000 * SAT]
    assert (state.settled[0], state.settled_msat[0], state.fees_msat[0]) == (1, 100_000 * SAT, 7)
    state.lock(1, 50_000 * SAT)
    state.drop_output(1, 50_000 * SAT)
    state.release(1, 50_000 * SAT)
    assert state.balance_msat.tolist() == [400_000 * SAT, 600_000 * SAT]
    assert state.failed[0] == 1
    state.check("after both")


def test_dust_gets_no_output():
    state = channel(500_000, 500_000)
    state.lock(0, 354 * SAT - 1)
    assert state.outputs_of(0) == 0
    state.lock(0, 354 * SAT)
    assert state.outputs_of(0) == 1
    assert state.in_use(0)


def test_broken_books_are_found_with_their_numbers():
    state = channel(500_000, 500_000)
    state.balance_msat[0] += 1
    with pytest.raises(InvariantError, match="channel 0 of 1000000000 msat holds balances 500000001"):
        state.check("test")
    with pytest.raises(InvariantError, match="must not unlock"):
        state.settle(0, 1)
    with pytest.raises(InvariantError, match="must not lock"):
        state.lock(1, 500_000 * SAT + 1)


def test_a_channel_goes_through_its_phases_in_order():
    graph = line((1, 1))
    state = ChannelState(graph, Channels(), np.zeros(2, np.int64), np.array([Phase.UNFUNDED], np.uint8))
    with pytest.raises(InvariantError, match="must be funding \\(got unfunded\\)"):
        state.open(0)
    state.fund(0, 300_000 * SAT, 100_000 * SAT)
    assert state.refusal(0, 1_000 * SAT) is Refusal.UNKNOWN_NEXT_PEER
    state.check("funding")
    state.open(0)
    assert state.refusal(0, 1_000 * SAT) is None
    assert state.reserve_msat[0] == 4_000 * SAT
    state.begin_closing(0)
    assert state.close(0) == (300_000 * SAT, 100_000 * SAT)
    assert state.money_msat() == (0, 0)
    state.check("closed")


def test_commitment_fees_follow_bolt_3():
    assert commitment_fee_msat(253, 5) == 501 * SAT  # 1984 wu
    assert commitment_fee_msat(253, 966) == 42_320 * SAT  # 167 276 wu, the largest commitment
