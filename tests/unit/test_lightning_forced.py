"""Channels on chain against a peer's will: delays, HTLCs, who pays, cheaters and who punishes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.l1.base import Purpose
from l2sim.l1.bitcoin.mempool import Filling
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.onchain.breach import Breaches
from l2sim.systems.lightning.onchain.closing import CloseKind
from l2sim.systems.lightning.onchain.config import Breach
from l2sim.systems.lightning.onchain.watchtower import TowerBill
from tests.support.forced import BLOCK_NS, OneChannel
from tests.support.lightning import SAT, line, on_graph, run_payments, run_whole, settings

FULL = {"dance": "full", "confirmations": 1}


def test_a_forced_close_pays_the_other_side_first_and_its_own_after_the_delay() -> None:
    one = OneChannel(600_000, 400_000, to_self_delay_blocks=144)
    assert one.home.force(0, 0) is not None
    assert one.home.force(0, 1) is None  # once is enough
    one.run(1)
    # 1124 wu at 253 sat/kw; each sweep is 486 (to_local) or 4 x 82 + 2 + 1 + 1 + 73 + 1 + 37 (to_remote) wu.
    assert one.chain.spending[Purpose.EXIT].fee == 284 * SAT
    assert one.book.closed_ns[0] == BLOCK_NS
    one.run(143)
    assert not one.closed
    one.run(1)
    one.check()
    assert one.book.home_ns[0] == 145 * BLOCK_NS
    assert one.book.close_kind[0] == CloseKind.FORCE
    sweeps_sat = 13 + 12  # 486 and 442 wu at 0.1 sat/vB
    assert int(one.book.close_fee_sat[0]) == 284 + sweeps_sat
    assert one.home.left_msat == (1_000_000 - 284 - sweeps_sat - 660) * SAT  # both anchors stay where they are


def test_htlcs_are_claimed_with_the_preimage_or_taken_back_after_their_expiry() -> None:
    one = OneChannel(500_000, 500_000, to_self_delay_blocks=10)
    one.htlcs.offer(0, 30_000, expiry=20)  # by the publisher, nobody knows the preimage
    one.htlcs.offer(0, 31_000, expiry=20, known_from=5)  # its target learns it in time
    one.htlcs.offer(1, 32_000, expiry=25, known_from=0)  # the publisher knows it
    one.htlcs.offer(1, 33_000, expiry=22)  # nobody does: the other side takes it back directly
    one.htlcs.offer(0, 300, expiry=20)  # trimmed
    one.home.force(0, 0)
    one.run(60)
    one.check()
    assert one.htlcs.ends == {0: False, 1: True, 2: True, 3: False, 4: False}
    # Commitment, two balances, four HTLCs, and two sweeps after the delay for the publisher's two.
    assert one.chain.spending[Purpose.EXIT].transactions == 1 + 2 + 4 + 2
    # The publisher's two are second-stage transactions, which a coin of its wallet pays for.
    assert one.work.total().ecdsa_signs == 1 + 2 + (2 + 2 + 1 + 1) + 2
    assert one.home.entered_msat > 0  # wallets pay for HTLC-timeout and HTLC-success


def test_a_claim_too_late_loses_to_the_timeout() -> None:
    one = OneChannel(500_000, 500_000)
    one.htlcs.offer(0, 30_000, expiry=20, known_from=30)
    one.home.force(0, 1)
    one.run(400)
    one.check()
    assert one.htlcs.ends == {0: False}


def test_a_child_pays_for_a_commitment_whose_own_fee_is_too_low() -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    one = OneChannel(5_000_000, 5_000_000, chain=dear, to_self_delay_blocks=10, commitment_target_blocks=2)
    one.home.force(0, 0)
    one.run(2)
    assert one.book.closed_ns[0] > 0  # 1 sat/vB alone would not have got in
    one.run(60)
    one.check()
    assert one.home.entered_msat > 5_000 * SAT  # the child's fee, out of the wallet


def test_a_commitment_below_the_floor_comes_in_with_its_child() -> None:
    full = {"background": {"load": 3.0, "burn_in_blocks": 30}, "mempool": {"limit_vbyte": 2_000_000}}
    one = OneChannel(5_000_000, 5_000_000, chain=full, to_self_delay_blocks=10)
    assert one.chain.relay_floor_sat_per_kvb > 1_012
    one.home.force(0, 0)
    one.run(40)
    one.check()


def test_small_outputs_are_left_behind_where_their_sweep_costs_too_much() -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 30.0}}
    one = OneChannel(2_000_000, 2_000, chain=dear, to_self_delay_blocks=10)
    one.home.force(0, 0)
    one.run(60)
    one.check()
    assert one.home.given_up_sat == 2_000


def test_an_htlc_not_worth_its_fee_ends_when_its_source_should_have_it_back() -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    one = OneChannel(5_000_000, 5_000_000, chain=dear, to_self_delay_blocks=10, commitment_target_blocks=2)
    one.htlcs.offer(0, 400, expiry=20)
    one.htlcs.offer(1, 400, expiry=20, known_from=5)
    one.home.force(0, 0)
    one.run(37)
    assert not one.htlcs.ends
    one.run(3)
    one.check()
    assert one.htlcs.ends == {0: False, 1: False}
    assert one.home.given_up_sat == 800


def test_a_payment_does_not_wait_for_an_htlc_whose_bid_the_market_has_left_behind() -> None:
    one = OneChannel(5_000_000, 5_000_000, to_self_delay_blocks=10)
    one.htlcs.offer(0, 5_000, expiry=5)
    one.home.force(0, 0)
    one.run(4)
    rate = one.chain.feerate_sat_per_kvb
    one.chain.feerate_sat_per_kvb = lambda target: 1_000 if one.chain.height < 6 else 40_000  # type: ignore[method-assign]
    fill = one.chain._mempool.fill
    one.chain._mempool.fill = lambda *_: fill(0, None)  # type: ignore[method-assign]  # no block takes it
    one.run(18)
    assert not one.htlcs.ends
    one.run(3)
    assert one.htlcs.ends == {0: False}
    assert not one.closed  # its output is still bid for
    one.chain.feerate_sat_per_kvb, one.chain._mempool.fill = rate, fill  # type: ignore[method-assign]
    one.run(60)
    one.check()


def test_a_commitment_without_fee_comes_in_with_the_child_that_pays_for_both() -> None:
    one = OneChannel(600_000, 400_000, channel_type="zero_fee", to_self_delay_blocks=10)
    one.htlcs.offer(0, 30_000, expiry=20)
    one.htlcs.offer(1, 32_000, expiry=25, known_from=0)
    one.htlcs.offer(1, 100, expiry=25)  # trimmed, into the shared anchor
    closing = one.home.force(0, 0)
    assert closing is not None
    commitment = closing.commitment
    assert (commitment.fee_sat, commitment.transaction.version, closing.anchor_sat) == (0, 3, 100)
    assert commitment.state.owner_msat == 570_000 * SAT  # nobody pays for a fee or for anchors
    one.run(1)
    # 776 + 2 x 172 wu, and the child of 331 wu and a P2WPKH input: 431 vB at 0.1 sat/vB.
    assert one.chain.spending[Purpose.EXIT].fee == 44 * SAT
    one.run(60)
    one.check()
    assert one.htlcs.ends == {0: False, 1: True, 2: False}


def test_the_child_of_a_commitment_without_fee_is_replaced_as_its_deadline_comes() -> None:
    one = OneChannel(600_000, 400_000, channel_type="zero_fee", to_self_delay_blocks=10)
    one.htlcs.offer(1, 200_000, expiry=6, known_from=0)
    fill = one.chain._mempool.fill
    set_market(one, 1_000, lambda *_: fill(0, None))
    closing = one.home.force(0, 0)
    assert closing is not None
    fees = []
    for _ in range(5):
        one.run(1)
        waiting = one.chain._mempool.spender(
            OutPoint(closing.commitment.txid, closing.commitment.owner_anchor_vout or 0)
        )
        assert waiting is not None
        assert waiting.transaction.version == 3
        fees.append(waiting.transaction.fee_sat)
    assert fees == sorted(set(fees))
    assert one.chain.pending == 2  # it is one child at a time
    set_market(one, 100, fill)
    one.run(60)
    one.check()
    assert one.htlcs.ends == {0: True}


@pytest.mark.parametrize("presses", [True, False])
def test_a_market_above_the_budget_is_bid_the_budget_where_htlcs_press(presses: bool) -> None:
    one = OneChannel(20_000, 50_000, channel_type="zero_fee", to_self_delay_blocks=10)
    if presses:
        one.htlcs.offer(1, 10_000, expiry=6, known_from=0)
    fill = one.chain._mempool.fill
    set_market(one, 200_000, fill)
    closing = one.home.force(0, 0)
    assert closing is not None
    assert one.chain.waits(closing.commitment.txid) == presses
    if presses:
        assert closing.first_child is not None
        assert closing.first_child[2] == (20_000 + 10_000) // 2
    set_market(one, 100, fill)
    one.run(60)
    one.check()


def test_either_side_bids_through_the_shared_anchor() -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    one = OneChannel(
        1_000, 999_000, channel_type="zero_fee", chain=dear, to_self_delay_blocks=10, commitment_target_blocks=2
    )
    one.home.force(0, 0)
    one.run(100)
    one.check()
    assert one.book.close_fee_of_sat[1] > 5_000


def set_market(one: OneChannel, rate: int, blocks: Callable[..., Any]) -> None:
    """Let wallets estimate that fee rate whatever they ask for, and blocks be filled by `blocks(space, background)`."""
    one.chain.feerate_sat_per_kvb = lambda _: rate  # type: ignore[method-assign]
    one.chain._mempool.fill = blocks  # type: ignore[method-assign]


def test_a_payment_does_not_wait_for_an_htlc_that_a_rivals_cheap_claim_keeps_its_source_from() -> None:
    one = OneChannel(5_000_000, 5_000_000, to_self_delay_blocks=10)
    one.htlcs.offer(1, 10_000, expiry=20, known_from=0)
    one.home.force(0, 0)
    one.run(1)
    # The publisher bids all that it may, 5,000 sat for an HTLC-success of 1,102 wu, and no block takes it. The other
    # side's direct claim weighs 547 wu, and could pay the market's rate; but not more than 5,000 sat.
    fill = one.chain._mempool.fill
    set_market(one, 30_000, lambda *_: fill(0, None))
    one.run(36)
    assert not one.htlcs.ends
    one.run(3)
    assert one.htlcs.ends == {0: False}
    assert not one.closed
    set_market(one, 100, fill)
    one.run(60)
    one.check()
    assert one.book.lost_msat[1] > 9_000 * SAT  # the payment's source was told that it had it back
    assert one.book.lost_msat[0] < -9_000 * SAT


def test_a_channel_does_not_wait_for_a_child_that_its_commitment_did_not_need() -> None:
    one = OneChannel(1_000_000, 1_000_000, feerate=1_000, to_self_delay_blocks=10)
    mempool = one.chain._mempool
    fill = mempool.fill

    def without_child(space_wu: int, background: Any) -> Filling:
        mempool.remove(child)
        filling = fill(space_wu, background)
        mempool.put_back(child)
        return filling

    set_market(one, 40_000, without_child)
    closing = one.home.force(0, 0)
    assert closing is not None
    assert closing.child is not None
    waiting = mempool.spender(closing.child._wish.spending.spends[0])
    assert waiting is not None
    child = waiting
    set_market(one, 100, without_child)
    one.run(12)
    one.check()
    assert closing.child.waits
    before = one.home.entered_msat, int(one.book.lost_msat[0])
    set_market(one, 100, fill)
    one.run(1)
    one.check()
    child_sat = child.transaction.fee_sat
    assert (one.home.entered_msat, int(one.book.lost_msat[0])) == (child_sat * SAT, before[1] - 330 * SAT)
    assert before[0] == 0


@pytest.mark.parametrize(("left_sat", "to_local"), [(1_070, False), (1_600, True)])
def test_the_other_side_pays_for_a_commitment_in_which_its_publisher_has_too_little(
    left_sat: int, to_local: bool
) -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    one = OneChannel(left_sat, 999_000, chain=dear, to_self_delay_blocks=10, commitment_target_blocks=2)
    closing = one.home.force(0, 0)
    assert closing is not None
    assert (closing.commitment.to_local_vout is not None) == to_local
    one.run(60)
    one.check()
    assert one.home.entered_msat > 0


def breached(victim: dict[str, Any], chain: dict[str, Any] | None = None) -> tuple[OneChannel, Breaches]:
    """Side 0 once owned 900,000 sat of a million and publishes that when 200,000 are left."""
    one = OneChannel(900_000, 100_000, chain=chain, to_self_delay_blocks=20, feerate=1_000)
    rules = Breach.model_validate({"cheaters_share": 1.0, "probability": 1.0, "every_s": 60, **victim})
    from l2sim.engine import Streams

    breaches = Breaches(one.environment, rules, one.home, 2, Streams(1).get("breaches"))
    breaches.start()
    one.environment.run_until(61 * 10**9)
    one.state.lock(0, 700_000 * SAT)
    one.state.drop_output(0, 700_000 * SAT)
    one.state.settle(0, 700_000 * SAT)
    one.run(100)
    one.check()
    assert breaches.attempts == 1
    return one, breaches


def test_a_cheater_loses_all_to_a_victim_that_watches() -> None:
    one, breaches = breached({})
    assert (breaches.punished, breaches.stolen_msat) == (1, 0)
    assert one.book.close_kind[0] == CloseKind.BREACH_PUNISHED
    # The cheater had 200,000 sat when it cheated, and paid for the commitment; the other side has them now.
    assert one.book.lost_msat[0] == 200_000 * SAT - int(one.book.close_fee_of_sat[0]) * SAT
    assert one.book.lost_msat[1] == -one.book.lost_msat[0] + 660 * SAT  # less both anchors


def test_a_cheater_keeps_what_it_published_when_nobody_watches() -> None:
    one, breaches = breached({"victim_away_share": 1.0, "victim_back_blocks": 30})
    assert breaches.punished == 0
    assert 690_000 * SAT < breaches.stolen_msat < 700_000 * SAT  # less the commitment's fee and the anchors
    assert one.book.lost_msat[1] == 700_000 * SAT
    assert one.book.lost_msat[0] == -(700_000 - 660) * SAT
    assert one.book.close_kind[0] == CloseKind.BREACH_PAID


def test_a_victim_back_in_time_punishes() -> None:
    _, breaches = breached({"victim_away_share": 1.0, "victim_back_blocks": 10})
    assert (breaches.punished, breaches.by_towers) == (1, 0)


def test_a_watchtower_punishes_in_its_clients_absence() -> None:
    away = {"victim_away_share": 1.0, "watchtower": {"reward_ppm": 10_000}}
    _, breaches = breached(away)
    assert (breaches.punished, breaches.by_towers) == (1, 1)
    assert 9_900 < breaches.tower_rewards_sat <= 10_000
    figures = breaches.measures(revocations=5_000)
    assert (figures["breaches"], figures["breaches_punished"], figures["stolen_by_breaches_sat"]) == (1, 1, 0)
    assert (figures["tower_backups"], figures["tower_stored_bytes"]) == (5_000, 5_000 * 330)
    assert (figures["tower_breaches_seen"], figures["tower_breaches_punished"]) == (1, 1)
    bill = TowerBill.of(5_000, Breach.model_validate(away).watchtower)  # type: ignore[arg-type]
    assert (bill.sessions, bill.stored_bytes) == (5, 5_000 * 330)


def test_a_towers_fixed_fee_is_too_low_when_the_market_rises() -> None:
    away = {"victim_away_share": 1.0, "watchtower": {"sweep_sat_per_kw": 253}}
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    _, breaches = breached(away, dear)
    assert (breaches.punished, breaches.by_towers) == (0, 0)


def test_failures_and_silent_routers_close_by_force_and_money_is_kept() -> None:
    rules = {"forced_per_channel_year": 2_000.0, "to_self_delay_blocks": 6}
    graph = line(*[(1_000_000, 1_000_000)] * 6)
    rows = [(60.0 * i, i % 6, (i + 2) % 7, 1_000 * SAT) for i in range(200)]
    system = run_whole(on_graph(graph, rows, settings(channels=FULL, onchain=rules), payments_s=14_400))
    kinds = system.world.recorder.channels.columns["close_kind"]
    assert kinds.count("force") == system.forced.closed > 0
    closed = [kind is not None for kind in kinds]
    home = system.world.recorder.channels.columns["home_ns"]
    assert [time is not None for time in home] == closed


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_users_whose_routers_do_not_answer_leave_by_force(share: float) -> None:
    from l2sim.systems.lightning.system import LightningSystem
    from tests.support.lightning import quiet_world

    made = quiet_world([(1.0, 0, 1, 50_000 * SAT)], 4, funds_msat=10**9)
    config = settings(
        users={"kind": "attached"}, liquidity={"kind": "even"}, topology={"kind": "generated", "nodes": 20},
        onchain={"uncooperative_share": share, "to_self_delay_blocks": 6},
    )  # fmt: skip
    system = run_whole(LightningSystem("lightning", config, made, made.chains["bitcoin"]))
    kinds = system.world.recorder.channels.columns["close_kind"]
    assert kinds.count("force") == 4 * share
    assert kinds.count("mutual") == 4 * (1 - share)
    assert system.left
    members = system.membership()
    assert (members.came_in, members.went_out) == (4, 4)
    assert np.isfinite(system.economics.operator_l1_share)


def test_htlcs_in_a_channel_that_fails_end_on_chain_and_payments_are_told() -> None:
    graph = line(*[(3_000_000, 3_000_000)] * 4)
    rows = [(120.0 * i, 0, 4, 20_000 * SAT) for i in range(30)]
    config = settings(
        channels=FULL,
        nodes={"hold": {"kind": "constant", "seconds": 900}},
        onchain={"forced_per_channel_year": 10_000.0, "to_self_delay_blocks": 6},
    )
    system = run_whole(on_graph(graph, rows, config, payments_s=86_400, end_s=4 * 86_400))
    assert system.forced.closed == 4
    assert system.htlcs.under_way == 0
    assert system.settled
    outcomes = system.world.recorder.payments.outcome
    assert (outcomes != Outcome.PENDING).all()
    failed = np.flatnonzero(outcomes != Outcome.COMPLETED)
    assert len(failed)


def test_an_htlc_that_its_payee_keeps_past_the_expiry_goes_on_chain() -> None:
    graph = line((1_000_000, 1_000_000), (1_000_000, 1_000_000))
    config = settings(
        channels=FULL,
        nodes={"hold": {"kind": "constant", "seconds": 4 * 3_600}},  # beyond the 18 blocks that the payee asked for
        onchain={"to_self_delay_blocks": 6},
    )
    rows = [(1.0, 0, 2, 50_000 * SAT)]
    system = run_whole(on_graph(graph, rows, config, payments_s=2 * 86_400, end_s=10 * 86_400))
    rows_of = system.world.recorder.channels.columns
    assert rows_of["close_kind"] == [None, "force"]
    # The last hop is out of the money, and the payer has it back.
    assert system.state.balance_msat[0] + system.state.balance_msat[1] == 2_000_000 * SAT
    assert system.htlcs.under_way == 0


def test_funders_follow_the_market_with_update_fee() -> None:
    from l2sim.l1.bitcoin.config import BitcoinConfig
    from l2sim.systems.lightning.system import LightningSystem
    from tests.support.worlds import workload, world

    graph = line((1_000_000, 1_000_000), (1_000, 1_999_000))
    chain = BitcoinConfig.model_validate({"background": {"load": 1.5}})
    rows = [(600.0 * i, 0, 1, 20_000 * SAT) for i in range(20)]
    made = world(workload(rows, [10**9] * 3), "bitcoin", chain, payments_s=14_400)
    config = settings(channels=FULL, onchain={"update_fee": {"every_s": 600}})
    system = LightningSystem("lightning", config, made, made.chains["bitcoin"], graph)
    system.population.node_of_user[:] = np.arange(3)
    run_whole(system)
    assert system.fee_follower is not None
    assert system.fee_follower.updates > 0
    assert system.state.feerate_of(0) > 253
    assert system.state.feerate_of(1) == 253  # its funder cannot afford a change


def forced_while_held(graph: ChannelGraph) -> Any:
    """Node 0 pays 300 sat to node 2, who keeps HTLCs for two hours; the payer's channel is forced after a minute."""
    config = settings(
        channels=FULL,
        nodes={"hold": {"kind": "constant", "seconds": 7_200}},
        onchain={"to_self_delay_blocks": 6},
        payer={"timeout_s": 86_400},
    )
    system = on_graph(graph, [(1.0, 0, 2, 300 * SAT)], config, payments_s=2 * 86_400, end_s=10 * 86_400)

    def force() -> None:
        edge = next(edge for edge in np.flatnonzero(system.state.htlcs).tolist() if system.state.source[edge] == 0)
        system.forced.force(edge >> 1, 0)

    system.world.environment.call_at(system.world.horizon.payments_ns + 61 * 10**9, force)
    return run_whole(system)


def test_a_trimmed_htlc_goes_back_on_chain_and_whoever_is_between_pays_the_payee() -> None:
    system = forced_while_held(line((1_000_000, 1_000_000), (1_000_000, 1_000_000)))
    record = system.world.recorder.payments
    assert record.outcome[0] == Outcome.COMPLETED  # the payee releases the preimage long after
    assert (record.fee[0], system.payments.fees_msat, system.payments.under_way) == (0, 0, 0)
    assert (record.attempts[0], record.parts[0], record.failed_hop[0]) == (1, 1, -1)
    assert system.state.balance_msat.tolist()[2:] == [999_700 * SAT, 1_000_300 * SAT]
    assert system.state.earned_msat.tolist() == [0] * 4  # it got nothing for what it forwarded
    assert system.htlcs.lost_msat == [0, 300 * SAT, 0]
    columns = system.world.recorder.routers.columns
    assert columns["lost_msat"][1] == 300 * SAT + int(system._book.lost_msat[1])
    profit_msat = -columns["lost_msat"][1] - columns["chain_fee_msat"][1]
    year = 365 * 86_400 / (system._run_ns / 1e9)
    assert columns["return_ppm_per_year"][1] == pytest.approx(profit_msat / 2_000_000_000 * 1e6 * year)


def test_an_invoice_is_paid_once_though_its_payer_tries_again_after_its_money_came_back() -> None:
    ways = [(0, 1, 2_000_000 * SAT), (1, 2, 2_000_000 * SAT), (0, 3, 2_000_000 * SAT), (3, 2, 2_000_000 * SAT)]
    balances = np.full(8, 1_000_000 * SAT, np.int64)
    system = forced_while_held(ChannelGraph.from_channels(["n0", "n1", "n2", "n3"], ways, balance_msat=balances))
    record = system.world.recorder.payments
    assert record.outcome[0] == Outcome.COMPLETED
    assert record.attempts[0] == 2  # the second is refused: the payee has been paid meanwhile
    assert (record.fee[0], system.payments.fees_msat, system.payments.under_way) == (0, 0, 0)
    into_payee = [3, 7]
    assert system.state.balance_msat[into_payee].sum() == (2_000_000 + 300) * SAT


@pytest.mark.parametrize("later_ms", [1, 60, 5_000])
def test_a_node_that_had_the_preimage_before_its_htlc_timed_out_keeps_both(later_ms: int) -> None:
    graph = line(*[(1_000_000, 1_000_000)] * 3)
    system = on_graph(graph, [(1.0, 0, 3, 20_000 * SAT)], settings(channels=FULL), payments_s=86_400)
    network, environment = system.htlcs, system.world.environment
    cut: list[int] = []

    def look() -> None:
        link = network._links.get(1)
        known = [] if link is None else [key for key, htlc in link.htlcs.items() if htlc.known]
        if known:
            cut.append(environment.now)
            network.take_on_chain(1, 0)
            environment.call_in(later_ms * 10**6, lambda: network.resolve(*known[0], fulfilled=False))
        else:
            environment.call_in(10**6, look)

    environment.call_at(system.world.horizon.payments_ns, look)
    run_payments(system)
    assert cut
    assert system.settled
    record = system.world.recorder.payments
    assert record.outcome[0] == Outcome.COMPLETED
    assert record.fee[0] == system.payments.fees_msat == 2_040
    # Node 1 has been paid by the payer and has its own HTLC back; node 2 has paid the payee for nothing.
    assert system.state.balance_msat.tolist()[:4] == [979_997_960, 1_020_002_040, 1_000_000_000, 1_000_000_000]
    assert system.state.balance_msat.tolist()[4:] == [980_000_000, 1_020_000_000]
    assert network.lost_msat == [0, -20_001_020, 20_000_000, 0]
