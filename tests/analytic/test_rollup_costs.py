"""Costs and times of a rollup that can be worked out by hand."""

import numpy as np
import pytest

from l2sim.crypto.work import Work
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.results.outcomes import Outcome
from tests.support.rollup import live, onboard, pay_all, random_load, rollup

WEEK_NS = 7 * 86_400 * NS_PER_S
GAS_PRICE_WEI = 10**9
BLOB_PRICE_WEI = GAS_PRICE_WEI // 16


def l1_cost_per_transaction(settings: dict[str, object]) -> float:
    """L1 cost a transaction at fixed prices, of the batches that a fixed load makes; blobs at the reserve price."""
    system, world = rollup(random_load(2_000, 100, 1_200), batcher=settings)
    onboard(system, world)
    pay_all(system, world)
    batches = world.recorder.batches.columns
    gas, blobs, transactions = sum(batches["gas"]), sum(batches["blobs"]), sum(batches["payments"])
    assert transactions == 2_000
    return (gas * GAS_PRICE_WEI + blobs * GAS_PER_BLOB * BLOB_PRICE_WEI) / transactions


@pytest.mark.parametrize("medium", ["blob", "calldata"])
def test_a_larger_batch_never_costs_more_a_transaction_at_equal_load(medium: str) -> None:
    costs = [
        l1_cost_per_transaction({"max_interval_s": interval_s, "medium": medium})
        for interval_s in (10, 30, 100, 300, 900)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]


def test_one_batch_in_blobs_costs_21000_gas_and_whole_blobs() -> None:
    system, world = rollup(
        random_load(3_000, 100, 200),
        chain={"background": {"noise_sigma": 0.0, "drift_sigma": 0.0, "burn_in_slots": 50}},
        batcher={"medium": "blob", "compression": "zlib", "level": 0},
    )
    onboard(system, world)
    pay_all(system, world)
    batches = world.recorder.batches.columns
    assert batches["payments"] == [3_000]
    assert batches["blobs"] == [-(-batches["compressed_bytes"][0] // 130_020)] == [3]
    assert batches["gas"] == [21_000]
    blocks = world.recorder.blocks.columns
    block = blocks["time_ns"].index(batches["included_ns"][0])
    base_fee_wei = round(blocks["fee_level"][block] * 10**9)
    blob_fee_wei = round(blocks["blob_fee_level"][block] * 10**9)
    tip_wei = 50_000_000  # the chain's usual one
    assert batches["gas_fee_wei"] == [21_000 * (base_fee_wei + tip_wei)]
    assert batches["blob_fee_wei"] == [3 * GAS_PER_BLOB * blob_fee_wei]
    spending = world.chains["eth"].spending[Purpose.OPERATE]
    assert spending.transactions == 1
    assert spending.fee == batches["gas_fee_wei"][0] + batches["blob_fee_wei"][0]


def test_optimistic_payments_are_final_a_week_after_their_proposal_to_the_nanosecond() -> None:
    system, world = rollup(random_load(300, 20, 600))
    live(system, world)
    record = world.recorder.payments
    assert system.left
    hour_ns, slot_ns = 3_600 * NS_PER_S, 12 * NS_PER_S  # proposals are sent on the hour, and in the next slot's block
    assert (record.final_ns == (record.included_ns // hour_ns + 1) * hour_ns + slot_ns + WEEK_NS).all()
    assert (record.submitted_ns <= record.assured_ns).all()
    assert (record.assured_ns < record.included_ns).all()
    assert (record.included_ns < record.l1_final_ns).all()
    assert (record.l1_final_ns < record.final_ns).all()
    final = world.recorder.batches.columns["final_ns"]
    assert set(record.final_ns.tolist()) <= set(final)


def test_a_proven_payment_is_final_with_the_block_of_its_proof_or_after_the_delay() -> None:
    for delay_s in (0, 76_000):
        system, world = rollup(
            random_load(300, 20, 600),
            settlement={"kind": "validity", "proof_s": 1_000, "execution_delay_s": delay_s},
        )
        live(system, world)
        assert system.left
        record, batches = world.recorder.payments, world.recorder.batches.columns
        for included_ns, proven_ns, final_ns in zip(
            batches["included_ns"], batches["proven_ns"], batches["final_ns"], strict=True
        ):
            proof_wait_ns = proven_ns - included_ns - 1_000 * NS_PER_S
            assert 0 < proof_wait_ns <= 12 * NS_PER_S, "the proof goes into the next block"
            if delay_s:
                assert final_ns == proven_ns + delay_s * NS_PER_S
            else:  # 64 to 95 slots: the chain's own rule
                assert 64 * 12 * NS_PER_S <= final_ns - proven_ns <= 95 * 12 * NS_PER_S
        assert (record.included_ns < record.l1_final_ns).all()
        assert (record.l1_final_ns < record.final_ns).all()


def test_a_proven_batch_that_must_be_executed_is_final_with_that_block_and_pays_for_it() -> None:
    spent = {}
    for execute_gas in (0, 109_000):
        system, world = rollup(
            random_load(300, 20, 600),
            chain={"background": {"noise_sigma": 0.0, "drift_sigma": 0.0, "burn_in_slots": 50}},
            settlement={"kind": "validity", "proof_s": 1_000, "execution_delay_s": 7_200, "execute_gas": execute_gas},
        )
        live(system, world)
        assert system.left
        assert system.audit().conserved
        batches = world.recorder.batches.columns
        for proven_ns, final_ns in zip(batches["proven_ns"], batches["final_ns"], strict=True):
            waited_s = (final_ns - proven_ns) / NS_PER_S - 7_200
            if execute_gas:  # a block for the execution, then 64 to 95 slots until that is final
                assert 64 * 12 < waited_s <= 97 * 12
            else:
                assert waited_s == 0
        # A withdrawal is claimed in a block after that of the execution.
        spent[execute_gas] = world.chains["eth"].spending[Purpose.OPERATE].transactions
        count = len(batches["proven_ns"])
    assert spent[109_000] == spent[0] + count


def test_provers_limit_how_fast_batches_are_proven() -> None:
    """Ten batches a minute apart, each ten minutes of proving: one prover ends ten times later than ten."""
    lasts = []
    for provers in (1, 10):
        system, world = rollup(
            random_load(600, 20, 600),
            batcher={"max_interval_s": 60},
            settlement={"kind": "validity", "proof_s": 600, "provers": provers},
        )
        onboard(system, world)
        pay_all(system, world)
        world.environment.run_until(world.horizon.payments_ns + 3 * 3_600 * NS_PER_S)
        proven = world.recorder.batches.columns["proven_ns"]
        assert None not in proven
        assert proven == sorted(proven)
        assert system.server_busy_ns["prover"] == len(proven) * 600 * NS_PER_S
        lasts.append((proven[-1] - world.horizon.payments_ns) / NS_PER_S)
    count = len(proven)
    assert lasts[0] == pytest.approx(count * 600 + 60, abs=60)
    assert lasts[1] == pytest.approx(600 + 660, abs=60)


def test_a_cpu_that_falls_behind_fills_the_mempool_up_to_its_limit() -> None:
    """One core gets several times what it can check: what the mempool cannot hold is dropped, and no block waits."""
    span_s, block_s, limit = 0.4, 0.1, 5_000
    system, world = rollup(
        random_load(60_000, 100, span_s),
        sequencer={"cores": 1, "block_time_s": block_s, "block_gas_limit": 10**10, "mempool_limit": limit},
        batcher={"level": 0},
    )
    onboard(system, world)
    system.open()
    cpu = system.sequencer._cpu
    deepest_ns = deepest_jobs = 0
    while not system.sequencer.idle:
        world.environment.step()
        deepest_ns = max(deepest_ns, cpu.free_at_ns - world.environment.now)
        deepest_jobs = max(deepest_jobs, cpu.in_system)
    record = world.recorder.payments
    done, dropped = (int((record.outcome == outcome).sum()) for outcome in (Outcome.COMPLETED, Outcome.DROPPED))
    assert done + dropped == 60_000
    per_transaction_s = world.profile.cost_ns(Work(ecdsa_recovers=100, keccak_blocks=225)) / 100 / NS_PER_S
    assert deepest_jobs <= 2
    assert deepest_ns <= (block_s + limit * per_transaction_s * 1.02) * NS_PER_S
    # What the CPU checks in the time that payments come, and what waits at its end: in service and in the mempool.
    assert dropped > 0
    assert done <= span_s / per_transaction_s + 3 * limit
    # From the first block with payments on, the CPU never stands idle.
    span_ns = record.assured_ns.max() - world.horizon.payments_ns - round(block_s * NS_PER_S)
    assert cpu.busy_ns == pytest.approx(span_ns, rel=0.001)


def test_the_cpu_bounds_throughput_and_confirms_blocks_in_turn() -> None:
    """40,000 payments within 0.8 s are more than one core recovers keys for in that time, so it works on."""
    system, world = rollup(
        random_load(40_000, 100, 0.8),
        sequencer={"cores": 1, "block_time_s": 0.2, "block_gas_limit": 10**10},
        batcher={"level": 0},
    )
    onboard(system, world)
    pay_all(system, world)
    record = world.recorder.payments
    span_s = (record.assured_ns.max() - world.horizon.payments_ns) / NS_PER_S
    # A recovery, a digest, and a transaction hash with its part in the block's.
    per_transaction_s = world.profile.cost_ns(Work(ecdsa_recovers=100, keccak_blocks=225)) / 100 / NS_PER_S
    assert 40_000 * per_transaction_s > 0.8
    assert span_s == pytest.approx(0.2 + 40_000 * per_transaction_s, rel=0.02)
    assert (np.diff(record.assured_ns) >= 0).all()
    assert system.server_busy_ns["sequencer"] == pytest.approx(40_000 * per_transaction_s * NS_PER_S, rel=0.01)
