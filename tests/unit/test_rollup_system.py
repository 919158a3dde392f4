"""A rollup's life: coming in, paying, batches, going out; and that real and modelled do the same work."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.crypto.ethereum.transactions import parse_signed
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.engine import NS_PER_S
from l2sim.errors import InputError
from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Membership
from l2sim.systems.rollup.channel import assemble, decode_blocks, decompress
from l2sim.systems.rollup.roots import payments_root
from l2sim.systems.rollup.settlement.config import MAX_L1_GAS
from l2sim.systems.rollup.transactions import MESSAGE_PASSER
from tests.support.rollup import SAT_MSAT, config, let_out, live, onboard, pay_all, random_load, rollup
from tests.support.worlds import workload

RICH = 100_000_000 * SAT_MSAT


def test_a_payment_moves_its_amount_and_its_fee() -> None:
    system, world = rollup(workload([(10.0, 0, 1, 5_000 * SAT_MSAT)], [RICH, RICH]))
    onboard(system, world)
    before = [system.accounts.balance_wei(user) for user in (0, 1)]
    pay_all(system, world)
    record = world.recorder.payments
    amount_wei = world.prices.msat_to_wei(5_000 * SAT_MSAT)
    assert record.outcome.tolist() == [Outcome.COMPLETED]
    assert record.attempts.tolist() == [1]
    assert record.submitted_ns[0] == world.horizon.payments_ns + 10 * NS_PER_S
    assert system.accounts.balance_wei(0) == before[0] - amount_wei - int(record.fee[0])
    assert system.accounts.balance_wei(1) == before[1] + amount_wei
    assert record.fee[0] >= 21_000 * 1_200_000
    system.finish()
    assert system.economics.service_fees == record.fee[0]
    assert system.accounts.nonces.tolist() == [1, 0]


def test_payments_are_confirmed_at_the_next_block_when_its_cpu_work_is_done() -> None:
    system, world = rollup(workload([(1.0, 0, 1, 1_000), (2.0, 1, 0, 1_000), (2.1, 0, 1, 1_000)], [RICH, RICH]))
    onboard(system, world)
    pay_all(system, world)
    assured_s = (world.recorder.payments.assured_ns - world.horizon.payments_ns) / NS_PER_S
    # What comes on a beat is in its block.
    assert assured_s == pytest.approx([2.0, 2.0, 4.0], abs=1e-3)
    assert (assured_s > [2.0, 2.0, 4.0]).all()


def test_payments_fail_for_want_of_money_or_of_a_deposit_and_cost_nothing() -> None:
    rows = [(1.0, 0, 1, 2 * RICH), (2.0, 2, 1, 1_000), (3.0, 0, 2, 1_000)]
    system, world = rollup(workload(rows, [RICH, RICH, 0]))
    onboard(system, world)
    pay_all(system, world)
    record = world.recorder.payments
    assert record.outcome.tolist() == [Outcome.INSUFFICIENT_FUNDS, Outcome.NOT_ONBOARDED, Outcome.COMPLETED]
    assert record.fee[:2].tolist() == [0, 0]
    assert record.assured_ns[:2].tolist() == [-1, -1]
    assert system.membership().came_in == 2
    assert world.recorder.batches.columns["payments"] == [1]
    assert system.work.ecdsa_signs == 3 + 2 + 1  # payments, deposits, a batch


def test_a_payment_before_the_deposit_is_credited_fails() -> None:
    system, world = rollup(workload([(0.0, 0, 1, 1_000), (400.0, 0, 1, 1_000)], [RICH, RICH]), onboarding_s=1)
    onboard(system, world)
    pay_all(system, world)
    assert world.recorder.payments.outcome.tolist() == [Outcome.NOT_ONBOARDED, Outcome.COMPLETED]
    system.audit().check("after")


def test_a_full_mempool_drops_what_comes_last() -> None:
    load = workload([(1.0, 0, 1, 1_000)] * 5, [RICH, RICH])
    system, world = rollup(load, sequencer={"mempool_limit": 3})
    onboard(system, world)
    pay_all(system, world)
    assert world.recorder.payments.outcome.tolist() == [Outcome.COMPLETED] * 3 + [Outcome.DROPPED] * 2


def test_paying_one_by_one_or_in_bulk_is_the_same() -> None:
    columns = []
    for bulk in (True, False):
        system, world = rollup(random_load(300, 10, 100))
        onboard(system, world)
        if bulk:
            pay_all(system, world)
        else:
            super(type(system), system).open()
            world.environment.run_until(world.horizon.settle_ns)
        record = world.recorder.payments
        columns.append([record.assured_ns.tolist(), record.included_ns.tolist(), record.fee.tolist()])
    # A payment that comes just on a beat may miss its block when it is an event of its own; here none does.
    assert columns[0] == columns[1]


@pytest.mark.parametrize("crypto", ["modelled", "real"])
@pytest.mark.parametrize("medium", ["blob", "calldata"])
def test_what_is_posted_gives_back_the_transactions_and_their_root(crypto: str, medium: str) -> None:
    load = random_load(200, 10, 300)
    system, world = rollup(
        load, crypto=crypto, batcher={"format": "singular", "medium": medium, "max_calldata_bytes": 5_000}
    )  # type: ignore[arg-type]  # parametrised
    system.batcher.poster.archive = []
    live(system, world)
    batches = world.recorder.batches.columns
    assert len(system.batcher.poster.archive) == len(batches["batch"])
    seen = 0
    parents = []
    for number, parts in enumerate(system.batcher.poster.archive):
        content = decompress(assemble(parts))
        assert len(content) == batches["raw_bytes"][number]
        raws = []
        for header, transactions in decode_blocks(content):
            parents.append(header.parent_hash)
            raws += transactions
        hashes = np.frombuffer(b"".join(map(keccak256, raws)), np.uint8).reshape(-1, 32)
        assert payments_root(hashes, Work()) == batches["payments_root"][number]
        for raw in raws:
            transfer, signature = parse_signed(raw)
            if transfer.to == MESSAGE_PASSER:
                continue
            payee = int(load.payee[seen])
            assert transfer.to == system.sequencer.wallets.addresses[payee].tobytes()
            assert transfer.value_wei == world.prices.msat_to_wei(int(load.amount_msat[seen]))
            if crypto == "real":
                payer = int(load.payer[seen])
                assert transfer.sender(signature) == system.sequencer.wallets.addresses[payer].tobytes()
            seen += 1
    assert seen == 200
    assert len(set(parents)) == len(parents)


@pytest.mark.parametrize("check", ["recover", "verify"])
def test_real_and_modelled_cryptography_count_the_same_work_and_take_the_same_time(check: str) -> None:
    runs = []
    for crypto in ("modelled", "real"):
        system, world = rollup(
            random_load(150, 10, 100),
            crypto=crypto,  # type: ignore[arg-type]  # one of two
            sequencer={"signature_check": check},
            batcher={"max_interval_s": 40},
            settlement={"kind": "validity", "proof_s": 60},
        )
        live(system, world)
        runs.append((system.work, world.recorder.payments.assured_ns.tolist(), world.recorder.batches.columns))
    (modelled, modelled_ns, modelled_rows), (real, real_ns, real_rows) = runs
    assert modelled == real
    assert modelled_ns == real_ns
    assert set(modelled_rows["state_root"]) == {None}
    assert len(set(real_rows["state_root"])) == len(real_rows["state_root"])
    payments_and_exits = 150 + 10
    assert (real.ecdsa_verifies if check == "verify" else real.ecdsa_recovers) >= payments_and_exits


def test_everyone_leaves_with_what_is_left_after_the_fees() -> None:
    system, world = rollup(random_load(200, 10, 100))
    live(system, world)
    audit = system.audit()
    assert system.left
    assert system.membership() == Membership(came_in=10, went_out=10, stranded=0)
    assert audit.in_flight == 0
    assert audit.balances == system.bridge.wallets_wei
    exits = world.chains["eth"].spending[Purpose.EXIT]
    assert exits.transactions == 2 * 10  # prove and claim
    deposits = world.chains["eth"].spending[Purpose.ONBOARD]
    assert deposits.transactions == 10
    assert audit.fees == exits.fee + deposits.fee + system.economics.service_fees + system.economics.exit_fees
    assert world.environment.now > world.horizon.payments_ns + 7 * 86_400 * NS_PER_S


def test_who_has_less_than_leaving_costs_stays() -> None:
    dear = {"background": {"base_fee_gwei": 20.0, "noise_sigma": 0.0, "drift_sigma": 0.0, "burn_in_slots": 20}}
    # 290,000 gas at most at twice 20 gwei are 0.0116 ETH; the poor user deposits 0.0075.
    system, world = rollup(workload([(1.0, 0, 1, 1_000)], [RICH, 30_000 * SAT_MSAT]), chain=dear)
    onboard(system, world)
    pay_all(system, world)
    poor_wei = system.accounts.balance_wei(1)
    let_out(system, world)
    assert system.left
    assert poor_wei > 0
    assert system.membership() == Membership(came_in=2, went_out=1, stranded=poor_wei)
    assert world.chains["eth"].spending[Purpose.EXIT].transactions == 2
    system.audit().check("left")


def test_a_batch_that_waits_too_long_is_sent_again_at_higher_fees() -> None:
    system, world = rollup(workload([(1.0, 0, 1, 1_000)], [RICH, RICH]), chain={"initial_base_fee_wei": 10**9})
    onboard(system, world)
    system.open()
    chain = world.chains["eth"]
    batcher = system.batcher
    while batcher.due_ns is None:
        world.environment.run_until(world.environment.now + NS_PER_S // 2)
    world.environment.run_until(batcher.due_ns)
    # Just posted: the base fee leaps far above its cap.
    chain.base_fee_wei *= 1_000_000  # type: ignore[attr-defined]  # an EthereumChain
    world.environment.run_until(world.environment.now + 40 * NS_PER_S)
    assert world.recorder.batches.columns["included_ns"] == [None]
    world.environment.run_until(world.environment.now + 40 * NS_PER_S)
    assert world.recorder.batches.columns["included_ns"] != [None]
    assert chain.spending[Purpose.OPERATE].transactions == 1


def test_a_batch_never_exceeds_its_target_unless_one_block_does() -> None:
    load = random_load(2_000, 100, 100)
    system, world = rollup(load, batcher={"target_bytes": 20_000})
    onboard(system, world)
    pay_all(system, world)
    sizes = world.recorder.batches.columns["compressed_bytes"]
    assert len(sizes) > 5
    assert max(sizes) <= 20_000
    assert min(sizes[1:-1]) > 15_000  # the first one did not know yet how well blocks compress
    assert sum(world.recorder.batches.columns["payments"]) == 2_000
    small, small_world = rollup(load, batcher={"target_bytes": 1_000})
    onboard(small, small_world)
    pay_all(small, small_world)
    assert len(small_world.recorder.batches) == 50  # one L2 block each


def test_blocks_that_a_batch_had_no_room_for_keep_their_time_in_the_next() -> None:
    # The batcher takes blocks to shrink to a hundredth: the first batch is far too large when its time is up.
    load = random_load(400, 50, 100)
    interval_s = 60
    system, world = rollup(load, batcher={"format": "singular", "target_bytes": 20_000, "max_interval_s": interval_s})
    system.batcher._ratio = 0.01
    onboard(system, world)
    pay_all(system, world)
    batches = world.recorder.batches.columns
    payments, record = batches["payments"], world.recorder.payments
    assert sum(payments) == 400
    assert batches["closed_ns"][0] - batches["opened_ns"][0] == interval_s * NS_PER_S
    first = 0
    for number, count in enumerate(payments):
        assert batches["opened_ns"][number] == record.assured_ns[first]
        assert batches["closed_ns"][number] <= batches["opened_ns"][number] + interval_s * NS_PER_S
        first += count
    assert batches["opened_ns"][1] < batches["closed_ns"][0]


def test_fees_that_results_cannot_record_end_the_run_with_the_reason() -> None:
    load = workload([(1.0, 0, 1, 1_000)], [RICH, RICH])
    dear = {"fork": "london", "initial_base_fee_wei": 10**6}
    system, world = rollup(load, chain=dear)
    onboard(system, world)
    world.chains["eth"].base_fee_wei = 10**19  # type: ignore[attr-defined]  # an EthereumChain
    with pytest.raises(InputError, match="fee of an L2 transfer must be at most 9223372036854775807 wei"):
        pay_all(system, world)
    system, world = rollup(load, chain=dear)
    onboard(system, world)
    system.open()
    world.environment.run_until(world.horizon.payments_ns + 10 * NS_PER_S)
    world.chains["eth"].base_fee_wei = 10**16  # type: ignore[attr-defined]  # an EthereumChain
    system.batcher.close()
    with pytest.raises(InputError, match="fees of a batch must be at most 9223372036854775807 wei"):
        world.environment.run_until(world.environment.now + 60 * NS_PER_S)


def test_a_batch_larger_than_six_blobs_takes_more_transactions() -> None:
    load = random_load(9_500, 500, 20, funds_sat=10_000_000)
    system, world = rollup(
        load,
        batcher={"format": "singular", "target_bytes": 2_000_000, "medium": "blob", "compression": "zlib", "level": 0},
    )
    onboard(system, world)
    pay_all(system, world)
    batches = world.recorder.batches.columns
    assert batches["blobs"] == [9]
    assert batches["gas"] == [2 * 21_000]
    assert (world.recorder.payments.included_ns == batches["included_ns"][0]).all()


def test_auto_takes_calldata_where_there_are_no_blobs_and_blob_is_refused_there() -> None:
    load = workload([(1.0, 0, 1, 1_000)], [RICH, RICH])
    system, world = rollup(load, chain={"fork": "london"})
    onboard(system, world)
    pay_all(system, world)
    batches = world.recorder.batches.columns
    assert batches["medium"] == ["calldata"]
    assert batches["gas"][0] < 21_000 + 16 * 400  # no floor price before Prague
    with pytest.raises(InputError, match="fork without blobs"):
        rollup(load, chain={"fork": "london"}, batcher={"medium": "blob"})


@pytest.mark.parametrize(
    ("gas_limit", "settings", "key", "gas"),
    [
        (4_000_000, {}, "batcher.max_calldata_bytes", 4_821_000),
        (56_000, {}, "bridge.deposit_gas", 57_000),
        (110_000, {}, "settlement.claim_gas", 120_000),
        (150_000, {}, "settlement.prove_gas", 170_000),
        (80_000, {"settlement": {"prove_gas": 21_000, "claim_gas": 21_000}}, "settlement.proposal_gas", 90_000),
        (280_000, {"settlement": {"kind": "validity"}}, "settlement.verify_gas", 296_248),
        (60_000_000, {"settlement": {"kind": "validity", "verify_gas": MAX_L1_GAS}}, "settlement.verify_gas", 0),
        (300_000, {"settlement": {"kind": "validium", "verify_gas": 0, "committee": {"members": 200, "threshold": 99}}},
         "settlement.update_gas", 0),
        (390_000, {"settlement": {"disputes": {}}}, "settlement.disputes.step_gas", 400_000),
        (180_000, {"escape": {}}, "escape.escape_gas", 200_000),
        (180_000, {"sequencer": {"forced_inclusion": {"l1_gas": 181_000}}}, "sequencer.forced_inclusion.l1_gas", 0),
        (180_000, {"fast_exits": {"fill_gas": 181_000}}, "fast_exits.fill_gas", 181_000),
    ],
)  # fmt: skip
def test_transactions_that_no_l1_block_can_hold_are_refused_before_the_run(
    gas_limit: int, settings: dict[str, Any], key: str, gas: int
) -> None:
    batcher = {} if "calldata" in key else {"medium": "blob"}
    optimistic = {"kind": "optimistic"} if "kind" not in settings.get("settlement", {}) else {}
    settings = {**settings, "settlement": {**optimistic, **settings.get("settlement", {})}}
    with pytest.raises(InputError, match=rf"{key} must fit into \d+ gas of eth.*got {gas or ''}"):
        rollup(workload([], [RICH]), chain={"gas_limit": gas_limit}, batcher=batcher, **settings)


def test_the_same_seed_gives_the_same_bytes() -> None:
    roots = []
    for _ in range(2):
        system, world = rollup(random_load(100, 10, 50))
        live(system, world)
        roots.append(world.recorder.batches.columns)
    assert roots[0] == roots[1]


def test_an_idle_rollup_sleeps_through_the_challenge_window() -> None:
    system, world = rollup(random_load(50, 5, 50))
    live(system, world)
    blocks = world.recorder.blocks.columns["time_ns"]
    week_slots = 7 * 86_400 // 12
    assert system.left
    assert len(blocks) < week_slots / 20


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"batcher": {"compression": "zlib", "level": 11}}, "level of zlib must be at most 9"),
        ({"sequencer": {"block_gas_limit": 50_000}}, "block_gas_limit must be at least"),
        ({"settlement": {"kind": "validity", "provers": 0}}, "greater than or equal to 1"),
        ({"settlement": {"kind": "trust me"}}, "optimistic"),
        ({"batcher": {"max_interval": 5}}, "Extra inputs"),
        ({"fees": {"l2_base_fee_wei": 10**15, "priority_fee_wei": 10**15}}, r"at most 9223372036854775807 wei.*lower"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        config(**settings)
