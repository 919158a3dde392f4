"""Three slips that others made in these rules, each with a test that would catch it."""

import pytest

from l2sim.l1.ethereum.fees import blob_base_fee, excess_for_blob_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB
from l2sim.results.outcomes import Outcome
from tests.support.l1 import ethereum
from tests.support.rollup import live, random_load, rollup

WITH_BLOBS = [fork for fork in FORKS if fork.max_blobs]


@pytest.mark.parametrize("fork", WITH_BLOBS, ids=lambda fork: fork.name)
def test_a_full_block_raises_the_blob_fee_by_an_eighth_at_most_and_never_by_15_percent(fork) -> None:
    excess = excess_for_blob_fee(10**12, fork.blob_update_fraction)
    full = fork.max_blobs * GAS_PER_BLOB
    after = next_excess_blob_gas(excess, full, 7, fork)
    step = blob_base_fee(after, fork.blob_update_fraction) / blob_base_fee(excess, fork.blob_update_fraction)
    assert step == pytest.approx(1.125 if fork.name == "cancun" else 1.082, abs=0.0006)
    assert step < 1.126


def test_the_target_is_that_of_the_fork_in_force_and_of_a_row_of_ones_own() -> None:
    """Six blobs a block raise the fee on Cancun, hold it on Prague, and let it fall since."""
    moves = {}
    for fork in WITH_BLOBS:
        excess = excess_for_blob_fee(10**12, fork.blob_update_fraction)
        moves[fork.name] = next_excess_blob_gas(excess, 6 * GAS_PER_BLOB, 7, fork) - excess
    expected = {"cancun": 3, "prague": 0, "osaka": 0, "bpo1": -4, "bpo2": -8}
    assert moves == {name: blobs * GAS_PER_BLOB for name, blobs in expected.items()}
    row = {"name": "mine", "activation_s": 1_900_000_000, "target_blobs": 2, "max_blobs": 4}
    _, chain, _ = ethereum(fork="mine", forks=[row])
    assert chain.fork.target_blobs == 2
    assert next_excess_blob_gas(10**9, 6 * GAS_PER_BLOB, 7, chain.fork) == 10**9 + 4 * GAS_PER_BLOB


@pytest.mark.parametrize(("fork", "gas_per_byte"), [("cancun", 16), ("prague", 40), ("bpo2", 40)])
def test_a_batch_in_calldata_pays_16_gas_a_byte_only_before_the_floor(fork: str, gas_per_byte: int) -> None:
    system, built = rollup(
        random_load(200, 10, 60), chain={"fork": fork}, batcher={"medium": "calldata", "max_interval_s": 120}
    )
    system.batcher.poster.archive = []
    live(system, built)
    assert (built.recorder.payments.outcome == Outcome.COMPLETED).all()
    gas = built.recorder.batches.columns["gas"]
    for number, parts in enumerate(system.batcher.poster.archive):
        tokens = sum(part.count(0) + 4 * (len(part) - part.count(0)) for part in parts)
        assert gas[number] == 21_000 * len(parts) + tokens * gas_per_byte // 4
