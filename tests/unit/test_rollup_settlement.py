"""Every kind of settlement: disputes, folded proofs, outages, committees, escape hatches, bought exits, lost blocks."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from l2sim.crypto.work import Work
from l2sim.engine import NS_PER_S, Environment
from l2sim.l1.base import Purpose, Receipt
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.outage_config import OutageConfig
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.settlement.committee import Committee
from l2sim.systems.rollup.settlement.config import CommitteeConfig
from l2sim.systems.rollup.settlement.optimistic import OptimisticSettlement
from l2sim.systems.rollup.settlement.provers import Provers
from l2sim.systems.rollup.settlement.validity import ValiditySettlement
from tests.support.rollup import config, let_out, live, onboard, pay_all, random_load, rollup

DAY_NS = 86_400 * NS_PER_S
PROVEN = {"kind": "validity", "proof_s": 600, "provers": 4}


def load(payments: int = 60, users: int = 12) -> Any:
    """Payments over half an hour, users with 0.001 bitcoin each."""
    return random_load(payments, users, 1_800, funds_sat=100_000)


def times(built: Any, column: str) -> list[int]:
    """A column of the batches of a run."""
    return list(built.recorder.batches.columns[column])


@pytest.mark.parametrize("depth", [8, 73])
def test_a_lying_proposer_loses_its_bonds_and_users_leave_a_little_later(depth: int) -> None:
    disputes = {"lying_proposals": [0], "max_depth": depth, "split_depth": 4}
    settlement = {"kind": "optimistic", "proposal_interval_s": 600, "disputes": disputes}
    system, built = rollup(load(), settlement=settlement, batcher={"max_interval_s": 300}, end_s=30 * 86_400)
    live(system, built)
    assert isinstance(system.settlement, OptimisticSettlement)
    (dispute,) = system.settlement.disputes
    assert dispute.watcher_won
    assert dispute.moves == depth
    assert dispute.watcher_gain_wei == dispute.liar_loss_wei > 0
    assert dispute.resolved_ns is not None
    assert dispute.resolved_ns - dispute.begun_ns < 7 * DAY_NS
    assert system.settlement.bonded_wei == 0
    assert system.left
    # Batches are final a window after the proposal that holds: those of the lie after the one that took its place.
    proposed = [time_ns / NS_PER_S - 604_800 for time_ns in times(built, "final_ns")]
    included = [time_ns / NS_PER_S for time_ns in times(built, "included_ns")]
    lie = 600 * (included[0] // 600 + 1) + 12
    first = [proposal for proposal, time in zip(proposed, included, strict=True) if time < lie]
    assert set(first) == {lie + 600}
    assert proposed == [max(lie + 600, 600 * (time // 600 + 1) + 12) for time in included]


def test_a_batch_is_final_and_a_withdrawal_paid_a_window_after_the_next_proposal() -> None:
    settlement = {"kind": "optimistic", "proposal_interval_s": 3_600, "challenge_window_s": 86_400}
    system, built = rollup(load(), settlement=settlement, batcher={"max_interval_s": 300}, end_s=10 * 86_400)
    onboard(system, built)
    pay_all(system, built)
    asked_s = built.environment.now / NS_PER_S
    paid: list[float] = []
    left = system.bridge._account.send

    def send(sender: int, purpose: Purpose, gas: int, included: Any, **rest: Any) -> None:
        def noted(receipt: Receipt) -> None:
            if purpose is Purpose.EXIT:
                paid.append(receipt.time_ns / NS_PER_S)
            included(receipt)

        left(sender, purpose, gas, noted, **rest)

    system.bridge._account.send = send  # type: ignore[method-assign]
    let_out(system, built)
    included = np.array(times(built, "included_ns")) / NS_PER_S
    final = np.array(times(built, "final_ns")) / NS_PER_S
    # A proposal is sent on the beat after the batch's block and is in the next slot's block.
    proposed = 3_600 * (included // 3_600 + 1) + 12
    assert (final == proposed + 86_400).all()
    # Proven in the slot after the proposal's, claimed in the one after the window.
    assert sorted(set(paid)) == [proposed[-1] + 12, proposed[-1] + 12 + 86_400 + 12]
    assert 86_400 < paid[-1] - asked_s < 86_400 + 3_600 + 300 + 5 * 12


def test_who_lies_twice_about_the_same_batches_loses_twice() -> None:
    disputes = {"lying_proposals": [0, 1], "max_depth": 8, "split_depth": 4}
    settlement = {"kind": "optimistic", "proposal_interval_s": 600, "disputes": disputes}
    system, built = rollup(load(), settlement=settlement, batcher={"max_interval_s": 300}, end_s=30 * 86_400)
    live(system, built)
    assert isinstance(system.settlement, OptimisticSettlement)
    assert [dispute.proposal for dispute in system.settlement.disputes] == [0, 1]
    assert all(dispute.watcher_won for dispute in system.settlement.disputes)
    assert system.left


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_a_watcher_executes_every_batch_again_and_finds_the_same_roots(crypto: Any) -> None:
    system, built = rollup(load(), settlement={"kind": "optimistic", "disputes": {}}, crypto=crypto)
    live(system, built)
    assert isinstance(system.settlement, OptimisticSettlement)
    assert system.settlement.disputes == []
    replay = system.settlement._replay
    assert replay is not None
    assert replay.executed >= 60 + 12 + 12  # payments, deposits and withdrawals
    assert all(root is not None for root in times(built, "state_root"))
    assert all(replay.balance_wei(user) == system.accounts.balance_wei(user) for user in range(12))


def test_one_proof_stands_for_several_batches_and_is_verified_once() -> None:
    settings = {"batcher": {"max_interval_s": 120}, "chain": {"fork": "bpo2"}}
    apart, world_apart = rollup(load(), settlement=PROVEN, **settings)
    live(apart, world_apart)
    folded = {**PROVEN, "batches_per_proof": 5, "aggregation_s": 60, "aggregation_wait_s": 900}
    together, world_together = rollup(load(), settlement=folded, **settings)
    live(together, world_together)
    assert isinstance(apart.settlement, ValiditySettlement)
    assert isinstance(together.settlement, ValiditySettlement)
    batches = len(world_apart.recorder.batches)
    assert apart.settlement.proofs == batches > 10
    assert together.settlement.proofs < apart.settlement.proofs / 2
    proven = times(world_together, "proven_ns")
    assert sorted(proven) == proven
    assert len(set(proven)) == together.settlement.proofs


def test_proofs_come_to_l1_in_the_order_of_batches_though_one_alone_needs_no_folding() -> None:
    folded = {**PROVEN, "batches_per_proof": 2, "aggregation_s": 3_000, "aggregation_wait_s": 200}
    system, built = rollup(load(60), settlement=folded, batcher={"max_interval_s": 120}, leaving_spread_s=20_000)
    live(system, built)
    assert isinstance(system.settlement, ValiditySettlement)
    proven = times(built, "proven_ns")
    assert len(proven) / 2 < system.settlement.proofs < len(proven)  # some alone, some in pairs
    assert proven == sorted(proven)
    assert system.left


def test_provers_stand_still_in_an_outage_and_l2_goes_on() -> None:
    outage = {"start_s": 100, "duration_s": 4 * 3_600}  # payments begin after 600 s
    system, built = rollup(load(), settlement={**PROVEN, "outages": [outage]}, batcher={"max_interval_s": 120})
    live(system, built)
    assert (built.recorder.payments.outcome == Outcome.COMPLETED).all()
    # Nothing is proven from the outage's begin to its end.
    assert all(not 700 * NS_PER_S < time_ns < (700 + 4 * 3_600) * NS_PER_S for time_ns in times(built, "proven_ns"))
    assert min(times(built, "proven_ns")) > (700 + 4 * 3_600) * NS_PER_S
    assert (built.recorder.payments.assured_ns < 2 * 3_600 * NS_PER_S).all()


def test_provers_work_in_parallel_and_go_on_where_they_were() -> None:
    environment = Environment()
    outages = [OutageConfig(start_s=5, duration_s=5), OutageConfig(start_s=15, duration_s=5)]
    provers = Provers(environment, 2, Outages(outages, payments_ns=5 * NS_PER_S))
    done: list[int] = []
    ends_ns = [provers.submit(8 * NS_PER_S, done.append, number) for number in range(4)]
    assert [end_ns // NS_PER_S for end_ns in ends_ns] == [8, 8, 26, 26]
    environment.run_until(30 * NS_PER_S)
    assert done == [0, 1, 2, 3]
    assert provers.busy_ns == 32 * NS_PER_S


@pytest.mark.parametrize("crypto", ["modelled", "real"])
@pytest.mark.parametrize("signatures", ["ecdsa", "bls"])
def test_a_validium_puts_roots_and_certificates_on_l1_and_no_data(crypto: Any, signatures: str) -> None:
    settlement = {**PROVEN, "kind": "validium", "committee": {"signatures": signatures, "members": 5, "threshold": 3}}
    system, built = rollup(load(40, 6), settlement=settlement, crypto=crypto, batcher={"max_interval_s": 600})
    live(system, built)
    assert set(times(built, "medium")) == {"committee"}
    assert set(times(built, "blobs")) == {0}
    assert system.batcher.poster.committee is not None
    assert system.batcher.poster.committee.certificates == len(built.recorder.batches)
    assert system.left
    checks = 3 * 3_000 if signatures == "ecdsa" else 102_900 + 2 * 375
    assert all(gas > 100_000 + checks for gas in times(built, "gas"))


@pytest.mark.parametrize("signatures", ["ecdsa", "bls"])
def test_a_committees_signatures_take_cpu_time_by_the_cost_profile(signatures: str) -> None:
    settlement = {**PROVEN, "kind": "validium", "committee": {"members": 5, "threshold": 4, "signatures": signatures}}
    system, built = rollup(load(), settlement=settlement, batcher={"max_interval_s": 300})
    live(system, built)
    batches, profile = len(built.recorder.batches), built.profile
    made = profile.ecdsa_sign_ns + profile.ecdsa_recover_ns
    each = (
        4 * made
        if signatures == "ecdsa"
        else 4 * profile.bls_sign_ns + profile.bls_verify_ns + 6 * profile.bls_point_ns
    )
    busy_ns = system.server_busy_ns["committee"]
    assert busy_ns >= batches * each
    assert busy_ns == pytest.approx(batches * each, rel=0.05)  # the rest is hashing the data
    assert system.work.bls_signs == (4 * batches if signatures == "bls" else 0)


@pytest.mark.parametrize("signatures", ["ecdsa", "bls"])
def test_a_certificate_holds_for_its_data_and_its_signers_only(signatures: Any) -> None:
    _, built = rollup(load(1, 2), crypto="real")
    committee = Committee(CommitteeConfig(members=4, threshold=2, signatures=signatures), built, Work())
    root = bytes(32)
    certificate = committee.certify(b"data", root)
    assert committee.holds(certificate, b"data", root)
    assert not committee.holds(certificate, b"other data", root)
    assert not committee.holds(certificate, b"data", bytes([1]) + bytes(31))
    assert not committee.holds(bytes([1]) + certificate[1:], b"data", root)  # one signer is too few
    assert not committee.holds(bytes([0b101]) + certificate[1:], b"data", root)  # not those who signed
    assert len(certificate) == committee.config.certificate_bytes


def test_everyone_escapes_after_the_window_as_fast_as_l1_has_room() -> None:
    escape = {"window_s": 86_400, "request_gas": 100_000, "escape_gas": 1_000_000}
    chain = {"gas_limit": 5_000_000}
    system, built = rollup(load(60, 25), settlement=PROVEN, escape=escape, chain=chain)
    live(system, built)
    assert system.left
    assert system.bridge.claimed.all()
    blocks = built.recorder.blocks.columns
    last = [height for height, used in zip(blocks["height"], blocks["used"], strict=True) if used == 5_000_000]
    assert len(last) == 5  # 25 proofs of balance, five to a block
    members = system.membership()
    assert members.went_out == 25
    assert members.stranded == 0


def test_who_cannot_get_at_the_data_cannot_get_out() -> None:
    settlement = {**PROVEN, "kind": "validium", "committee": {"withholds": True}}
    system, built = rollup(load(), settlement=settlement, escape={"window_s": 86_400})
    live(system, built)
    assert system.left
    members = system.membership()
    assert members.went_out == 0
    audit = system.audit()
    assert members.stranded == audit.in_flight > 0
    assert audit.left == 0


def test_in_a_volition_those_with_data_on_l1_get_out_though_it_is_withheld() -> None:
    settlement = {**PROVEN, "kind": "validium", "l1_share": 0.5, "committee": {"withholds": True}}
    system, built = rollup(load(60, 24), settlement=settlement, escape={"window_s": 86_400})
    live(system, built)
    assert system.left
    on_l1 = system.batcher.poster.on_l1
    assert on_l1 is not None
    assert 6 < on_l1.sum() < 18
    assert (system.bridge.claimed == on_l1).all()
    assert system.membership().stranded > 0
    assert set(times(built, "medium")) == {"committee"}
    assert all(blobs == 1 for blobs in times(built, "blobs"))
    # The data of half of the accounts is posted, and both transactions are paid for.
    assert all(gas >= 100_000 + 6 * 3_000 + 21_000 for gas in times(built, "gas"))


@pytest.mark.parametrize(
    "settings",
    [
        {"settlement": {"kind": "optimistic", "disputes": {}}},
        {"settlement": PROVEN},
        {"settlement": {**PROVEN, "kind": "validium", "l1_share": 0.5}},
    ],
)
def test_money_adds_up_and_no_nonce_comes_twice_at_every_batch(settings: dict[str, Any]) -> None:
    system, built = rollup(load(300, 8), batcher={"max_interval_s": 60}, **settings)
    nonces: list[np.ndarray[Any, np.dtype[np.uint64]]] = []
    sent = np.zeros(8, np.uint64)
    add, batches = system.batcher.add, system.settlement.batch_included

    def added(block: L2Block) -> None:
        payers = built.workload.payer[block.payments]
        for user in payers.tolist() + [user for user, _ in block.withdrawals]:
            sent[user] += np.uint64(1)
        # Blocks come confirmed, in order: an account has used as many nonces as it has sent transactions.
        assert (block.delta.nonces == sent[block.delta.accounts]).all()
        add(block)

    def included(batch: Any, receipt: Any) -> None:
        system.audit().check(f"batch {batch.number}")
        audit = system.audit()
        assert audit.entered == audit.balances + audit.in_flight + audit.fees + audit.left
        nonces.append(system.accounts.nonces.copy())
        batches(batch, receipt)

    system.batcher.add = added  # type: ignore[method-assign]
    system.settlement.batch_included = included  # type: ignore[method-assign]
    live(system, built)
    assert len(nonces) > 15
    assert all((after >= before).all() for before, after in pairwise(nonces))
    assert (sent == system.accounts.nonces).all()


def test_a_provider_pays_at_once_for_a_fee_as_far_as_its_capital_goes() -> None:
    fast = {"capital_usd": 10**6, "fee_bips": 10}
    system, built = rollup(load(), settlement={"kind": "optimistic"}, fast_exits=fast)
    live(system, built)
    provider = system.provider
    assert provider is not None
    assert provider.business.exits == 12
    assert provider.business.income_wei == system.economics.exit_fees - system.sequencer.withdrawal_fees_wei > 0
    assert provider.lent_wei == 0  # all has come back through the bridge
    assert system.bridge.claimed.all()
    poor, poor_world = rollup(load(), settlement={"kind": "optimistic"}, fast_exits={**fast, "capital_usd": 250})
    live(poor, poor_world)
    assert poor.provider is not None
    assert 0 < poor.provider.business.exits < 12
    assert poor.provider.business.refused > 0
    assert poor.bridge.claimed.all()


def test_a_withdrawal_that_a_provider_bought_and_gives_up_is_its_loss_and_no_users() -> None:
    fast = {"capital_usd": 10**6, "fee_bips": 10}
    system, built = rollup(load(), settlement={"kind": "optimistic"}, fast_exits=fast)
    onboard(system, built)
    pay_all(system, built)
    open_exits = system.bridge.exits_open

    def dear(batch: Any) -> None:
        built.chains["eth"].base_fee_wei = 10**18  # type: ignore[attr-defined]  # an EthereumChain
        open_exits(batch)

    system.settlement._on_exits = dear
    let_out(system, built)
    provider = system.provider
    assert provider is not None
    assert provider.business.exits == 12
    assert provider.business.lost_wei == provider.lent_wei > 0
    members = system.membership()
    assert (members.went_out, members.stranded) == (12, 0)
    assert system.economics.operator_costs_usd == pytest.approx(provider.lent_wei / 1e18 * 4_000, rel=1e-9)
    assert system.audit().in_flight > provider.lent_wei  # it lies in the bridge for ever
    system.audit().check("left")


@pytest.mark.parametrize(
    "settlement",
    [
        {"kind": "optimistic", "proposal_interval_s": 300},
        {"kind": "optimistic", "proposal_interval_s": 300, "disputes": {"lying_proposals": [1], "max_depth": 6}},
        PROVEN,
        {**PROVEN, "batches_per_proof": 3, "aggregation_s": 30},
        {**PROVEN, "kind": "validium"},
        {**PROVEN, "kind": "validium", "l1_share": 0.5},
    ],
    ids=["optimistic", "disputed", "validity", "folded", "validium", "volition"],
)
def test_a_reorganisation_that_drops_a_batch_loses_no_transaction(settlement: dict[str, Any]) -> None:
    if "disputes" in settlement:
        settlement = {**settlement, "disputes": {**settlement["disputes"], "split_depth": 3}}
    chain = {"reorgs": {"probability": 0.3, "deeper": 0.5, "max_depth": 4}}
    system, built = rollup(
        load(200, 12), settlement=settlement, chain=chain, batcher={"max_interval_s": 60}, onboarding_s=1_200,
        end_s=40 * 86_400,
    )  # fmt: skip
    live(system, built)
    orphaned = [
        count
        for count, time_ns in zip(
            built.recorder.blocks.columns["transactions"], built.recorder.blocks.columns["orphaned_ns"], strict=True
        )
        if time_ns is not None
    ]
    assert sum(orphaned) > 5  # batches, deposits and proofs among them
    payments = built.recorder.payments
    assert (payments.outcome == Outcome.COMPLETED).all()
    assert (payments.final_ns >= payments.included_ns).all()
    blocks = {
        time_ns
        for time_ns, gone in zip(
            built.recorder.blocks.columns["time_ns"], built.recorder.blocks.columns["orphaned_ns"], strict=True
        )
        if gone is None
    }
    assert set(np.unique(payments.included_ns).tolist()) <= blocks
    assert system.left


@pytest.mark.parametrize("form", ["singular", "span", "nitro"])
def test_blocks_never_look_back_to_an_l1_block_before_that_of_their_parent(form: str) -> None:
    chain = {"reorgs": {"probability": 0.5, "deeper": 0.7, "max_depth": 6}}
    batcher = {"format": form, "max_interval_s": 60}
    system, built = rollup(load(200), chain=chain, batcher=batcher, onboarding_s=1_200)
    system.batcher.taken = []
    live(system, built)
    heights = built.recorder.blocks.columns["height"]
    assert min(after - before for before, after in pairwise(heights)) < -1  # the chain went back by some
    origins = [block.header.epoch_number for _, block in system.batcher.taken]
    assert all(after >= before for before, after in pairwise(origins))
    assert system.left


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"settlement": {"kind": "validity", "provers": 0}}, "greater than or equal to 1"),
        ({"settlement": PROVEN, "escape": {"window_s": 900}}, "its execution delay take, 900"),
        ({"settlement": {"kind": "validium", "committee": {"members": 3, "threshold": 4}}}, "at most members, 3"),
        (
            {"settlement": {"kind": "optimistic", "challenge_window_s": 600_000, "disputes": {"lying_proposals": [0]}}},
            "at least both clocks of a dispute, 604800",
        ),
        ({"settlement": {"kind": "optimistic", "disputes": {"response_s": 10_000}}}, "more than the watcher's moves"),
        (
            {"settlement": {**PROVEN, "outages": [{"start_s": 5, "duration_s": 5}, {"start_s": 9, "duration_s": 1}]}},
            "must be after 10",
        ),
        (
            {"settlement": {**PROVEN, "kind": "validium", "l1_share": 0.5}, "batcher": {"format": "span"}},
            "needs batcher.format state_diffs",
        ),
        ({"escape": {}, "fast_exits": {}}, "leave out escape or fast_exits"),
    ],
)
def test_settlements_that_cannot_work_are_refused(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        config(**settings)
