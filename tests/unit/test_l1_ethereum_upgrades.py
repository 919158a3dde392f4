"""Forks, gas limits, block sizes, random intervals, reorganisations and traces within a run."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from l2sim.engine import NS_PER_S
from l2sim.errors import TraceError
from l2sim.l1.base import Purpose, Receipt, Refusal
from l2sim.l1.ethereum.background import poisson_quantile
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.fees import blob_base_fee, next_base_fee, next_excess_blob_gas, next_gas_limit
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB, fork_named
from l2sim.l1.ethereum.safe import SafeReceipt
from l2sim.l1.ethereum.trace import read_demand
from l2sim.money import WEI_PER_GWEI
from l2sim.results.recorder import Recorder
from tests.support.l1 import ethereum, ethereum_tx

BUSY = {"gas_load": 1.0, "blob_share": 0.9, "burn_in_slots": 0}
BPO1_S = fork_named("bpo1").activation_s
BPO3 = {
    "name": "bpo3", "activation_s": 1_900_000_000, "target_blobs": 21, "max_blobs": 32,
    "blob_update_fraction": 20_609_697,
}  # fmt: skip


def kept(recorder: Recorder) -> list[dict[str, float]]:
    """The blocks that no reorganisation threw out, in order."""
    columns = recorder.blocks.columns
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row for row in rows if row["orphaned_ns"] is None]


def follow(config: EthereumConfig, blocks: list[dict[str, float]], base: int, excess: int) -> None:
    """Work out base fee, excess and blob fee of every block from the one before, by the fork of its time."""
    upgrades = config.upgrades
    limit = int(blocks[0]["limit"])
    for height, block in enumerate(blocks):
        fork = next((fork for time_ns, fork in reversed(upgrades) if time_ns <= block["time_ns"]), config.rules)
        if height:
            before = blocks[height - 1]
            excess = next_excess_blob_gas(excess, int(before["blobs"]) * GAS_PER_BLOB, base, fork)
            base = next_base_fee(base, int(before["used"]), limit)
            if config.gas_limit_target is not None:
                limit = next_gas_limit(limit, config.gas_limit_target)
        assert block["height"] == height
        assert block["limit"] == limit
        assert block["fee_level"] == base / WEI_PER_GWEI
        assert block["blob_fee_level"] == blob_base_fee(excess, fork.blob_update_fraction) / WEI_PER_GWEI
        assert block["blobs"] <= fork.max_blobs


@pytest.mark.parametrize("missed", [0.0, 0.2])
def test_every_block_follows_from_the_one_before_across_two_forks_and_a_drifting_gas_limit(missed: float) -> None:
    settings = {
        "fork": "osaka", "start_unix_s": BPO1_S - 6_000, "forks": [], "gas_limit": 36_000_000,
        "gas_limit_target": 60_000_000, "initial_base_fee_wei": 10**9, "initial_excess_blob_gas": 30_000_000,
        "missed_slot_rate": missed, "background": BUSY,
    }  # fmt: skip
    environment, chain, recorder = ethereum(**settings)
    assert chain.fork.name == "osaka"
    environment.run_until(40_000 * NS_PER_S)
    assert chain.fork.name == "bpo1"
    follow(chain.config, kept(recorder), 10**9, 30_000_000)
    assert max(recorder.blocks.columns["blobs"]) > fork_named("osaka").max_blobs


def test_blob_fee_falls_with_the_first_block_of_a_wider_fraction() -> None:
    environment, _, recorder = ethereum(
        fork="osaka", start_unix_s=BPO1_S - 60, initial_base_fee_wei=10**9, initial_excess_blob_gas=80_000_000
    )
    environment.run_until(120 * NS_PER_S)
    fees = recorder.blocks.columns["blob_fee_level"]
    # Slots at 12, 24, 36 and 48 s lie before the fork at 60 s, whose own slot is the fifth.
    assert fees[4] < fees[3] / 100
    assert min(fees[:4]) > max(fees[4:])


def test_a_scenario_adds_rows_to_the_fork_table() -> None:
    config = EthereumConfig.model_validate({"forks": [BPO3], "fork": "bpo3"})
    assert config.rules.max_blobs == 32
    assert config.rules.max_transaction_blobs == 6  # as in the row before
    assert config.fork_table[:-1] == FORKS


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (
            {"forks": [{**BPO3, "activation_s": 1_767_747_671}]},
            "forks.0.activation_s must be later than 1767747671",
        ),
        (
            {"forks": [BPO3, {**BPO3, "name": "bpo4", "activation_s": 1_800_000_000}]},
            "forks.1.activation_s must be later than",
        ),
        ({"forks": [{**BPO3, "name": "bpo1"}]}, r"forks\.0\.name must be none of london, .*bpo2 \(got bpo1\)"),
        ({"forks": [{**BPO3, "target_blobs": 32}]}, r"forks\.0\.target_blobs must be above 0 and below max_blobs, 32"),
        ({"forks": [{**BPO3, "blob_update_fraction": 131_071}]}, "greater than or equal to 131072"),
        ({"fork": "cancun", "initial_excess_blob_gas": 178 * 3_338_477 + 1}, "at most 594248906, 178 times"),
        ({"fork": "shanghai"}, "fork must be one of london, cancun, prague, osaka, bpo1, bpo2"),
        ({"fork": "bpo2", "start_unix_s": BPO1_S}, "must be the one in force at start_unix_s, bpo1"),
        ({"start_unix_s": 5}, "none of the table"),
        ({"reorgs": {"probability": 0.1, "max_depth": 64}}, "reorgs.max_depth must be below 64"),
    ],
)
def test_fork_tables_and_reorganisations_that_cannot_be_are_refused(settings: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        EthereumConfig.model_validate(settings)


def test_gas_limit_moves_by_less_than_a_1024th_and_stops_at_its_target() -> None:
    environment, chain, recorder = ethereum(gas_limit=36_000_000, gas_limit_target=36_100_000)
    environment.run_until(60 * NS_PER_S)
    assert recorder.blocks.columns["limit"] == [36_000_000, 36_035_155, 36_070_344, 36_100_000, 36_100_000]
    assert chain.gas_limit == 36_100_000


def test_a_block_holds_no_more_bytes_than_the_fork_allows() -> None:
    limit = fork_named("osaka").max_block_bytes
    assert limit == 8_388_608
    environment, chain, recorder = ethereum(gas_limit=10**9)
    for number in range(3):
        fields = {"gas": 10**7, "size_bytes": 3_000_000}
        assert chain.submit(ethereum_tx(number, **fields)) is None
    too_large = ethereum_tx(9, gas=10**7, size_bytes=limit + 1)
    assert chain.submit(too_large) is Refusal.TOO_LARGE
    with_blobs = ethereum_tx(10, size_bytes=limit + GAS_PER_BLOB, blobs=1, max_blob_fee_wei=10**18)
    assert with_blobs.block_bytes == limit
    environment.run_until(24 * NS_PER_S)
    assert recorder.blocks.columns["transactions"] == [2, 1]


def test_background_blobs_that_tip_more_go_first_and_those_that_tip_less_wait() -> None:
    background = {"gas_load": 0.0, "blob_share": 4.0, "blob_tolerance_gwei": 10**8, "burn_in_slots": 4}
    environment, chain, recorder = ethereum(background=background)
    got: dict[str, Receipt] = {}
    for number, (name, tip_gwei) in enumerate([("high", 10), ("low", 0)]):
        blob = ethereum_tx(number, tip_wei=tip_gwei * WEI_PER_GWEI, blobs=1, max_blob_fee_wei=10**18)
        assert chain.submit(blob, lambda receipt, name=name: got.__setitem__(name, receipt)) is None
    environment.run_until(240 * NS_PER_S)
    assert got["high"].height == 0
    assert "low" not in got
    assert recorder.blocks.columns["blobs"] == [21] * 20
    _, usual_wei = chain.suggest_fees()
    _, wanted_wei = chain.suggest_fees(blobs=1)
    assert wanted_wei > usual_wei  # blocks are full of blobs, not of gas
    blob = ethereum_tx(5, tip_wei=wanted_wei + 1, blobs=1, max_blob_fee_wei=10**18)
    assert chain.submit(blob, lambda receipt: got.__setitem__("wallet", receipt)) is None
    environment.run_until(252 * NS_PER_S)
    assert "wallet" in got


def test_poisson_blocks_come_at_random_and_as_often_in_the_mean() -> None:
    environment, _, recorder = ethereum(block_times="poisson", background={"burn_in_slots": 256})
    environment.run_until(48_000 * NS_PER_S)
    times = recorder.blocks.columns["time_ns"]
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(12 * NS_PER_S, rel=0.06)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation == pytest.approx(mean, rel=0.1)
    used = recorder.blocks.columns["used"]
    assert sum(used) / len(used) == pytest.approx(30_000_000, rel=0.05)


def test_a_reorganisation_takes_fees_and_transactions_back_and_loses_none() -> None:
    settings = {
        "reorgs": {"probability": 0.2, "deeper": 0.5, "max_depth": 4}, "initial_base_fee_wei": 10**9,
        "initial_excess_blob_gas": 30_000_000, "background": BUSY, "gas_limit": 400_000,
    }  # fmt: skip
    environment, chain, recorder = ethereum(**settings)
    done: dict[int, Receipt] = {}

    def safe(number: int, receipt: Receipt) -> None:
        assert number not in done
        done[number] = receipt

    for sender in range(4):
        for nonce in range(30):
            number = 100 * sender + nonce
            way = SafeReceipt(chain, partial(safe, number))
            assert way.submit(ethereum_tx(number, sender=sender, nonce=nonce, tip_wei=nonce % 3 * 10**9)) is None
    environment.run_until(600 * 12 * NS_PER_S)
    assert chain.pending == 0
    assert sorted(done) == sorted(100 * sender + nonce for sender in range(4) for nonce in range(30))
    orphaned = [time_ns for time_ns in recorder.blocks.columns["orphaned_ns"] if time_ns is not None]
    assert len(orphaned) > 60
    blocks = kept(recorder)
    assert len(blocks) + len(orphaned) == 600
    follow(chain.config, blocks, 10**9, 30_000_000)
    for sender in range(4):
        heights = [done[100 * sender + nonce].height for nonce in range(30)]
        assert heights == sorted(heights)
    # What is counted as spent is what the blocks that stayed hold.
    paid = sum(receipt.fee for receipt in done.values())
    assert sum(int(block["fees"]) for block in blocks) == paid == chain.burnt_wei + chain.tips_wei
    assert chain.spending[Purpose.PAYMENT].fee == paid
    assert chain.spending[Purpose.PAYMENT].transactions == sum(int(block["transactions"]) for block in blocks) == 120


def test_who_waits_for_finality_gets_the_receipt_that_holds() -> None:
    environment, chain, recorder = ethereum(reorgs={"probability": 0.5, "max_depth": 3})
    receipts: list[Receipt] = []
    final: list[Receipt] = []
    for number in range(20):
        chain.submit(
            ethereum_tx(number, sender=1, nonce=number),
            lambda receipt: (receipts.append(receipt), chain.finalize(receipt, final.append)),
            receipts.append,
        )
        environment.run_until(environment.now + 12 * NS_PER_S)
    environment.run_until(3_000 * NS_PER_S)
    blocks = {int(block["height"]): block["time_ns"] for block in kept(recorder)}
    assert len(receipts) > 20
    assert len(final) == 20
    assert all(blocks[receipt.height] == receipt.time_ns for receipt in final)


def test_no_reorganisation_reaches_a_final_block_however_many_slots_are_missed() -> None:
    settings = {
        "missed_slot_rate": 0.9, "slots_per_epoch": 4, "finality_epochs": 2,
        "reorgs": {"probability": 0.5, "deeper": 0.9, "max_depth": 7},
    }  # fmt: skip
    environment, chain, recorder = ethereum(**settings)
    safe: list[tuple[int, Receipt]] = []
    for number in range(60):
        way = SafeReceipt(chain, lambda receipt: safe.append((environment.now, receipt)))
        way.submit(ethereum_tx(number, sender=1, nonce=number))
        environment.run_until(environment.now + 24 * NS_PER_S)
    environment.run_until(environment.now + 10_000 * NS_PER_S)
    columns = recorder.blocks.columns
    lost = [
        (time_ns, gone_ns)
        for time_ns, gone_ns in zip(columns["time_ns"], columns["orphaned_ns"], strict=True)
        if gone_ns is not None
    ]
    assert len(lost) > 20
    # Final two epochs after the first epoch's start at or after the block's slot.
    finals = [(-(-time_ns // (48 * NS_PER_S)) + 2) * 48 * NS_PER_S for time_ns, _ in lost]
    assert all(gone_ns < final_ns for (_, gone_ns), final_ns in zip(lost, finals, strict=True))
    assert len(safe) == 60
    assert chain.pending == 0
    blocks = {int(block["height"]): block["time_ns"] for block in kept(recorder)}
    assert all(blocks[receipt.height] == receipt.time_ns for _, receipt in safe)
    # Whoever waits to be safe is told when its block is final, if so many blocks on top come later.
    assert all(told_ns <= max(chain.final_ns(receipt), receipt.time_ns) for told_ns, receipt in safe)


def test_demand_of_a_trace_comes_row_by_row_and_again_from_the_first(tmp_path: Path) -> None:
    file = tmp_path / "demand.csv"
    file.write_text("note,gas,blobs,base_fee_wei\na,800000,3,1000000000\nb,4000000,0,1000000000\nc,80,1,1000000000\n")
    environment, _, recorder = ethereum(
        gas_limit=60_000_000, initial_base_fee_wei=10**9, background={"trace_path": str(file), "elasticity": 0.1}
    )
    environment.run_until(6 * 12 * NS_PER_S)
    columns = recorder.blocks.columns
    assert columns["blobs"] == [3, 0, 1, 3, 0, 1]
    fees = columns["fee_level"]
    assert columns["used"] == [
        8 * int(gas * fee**-0.1 / 8) for gas, fee in zip([800_000, 4_000_000, 80] * 2, fees, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gas\n1\n", ":1:1: must have the columns gas, blobs, each once"),
        ("gas,blobs\n1,2\n1,-2\n", ":3:3 blobs: must be a whole number from 0 to 10000 (got -2)"),
        ("gas,blobs\n1,2\n1\n", ":3:1: must have 2 cells"),
        ("gas,blobs\n", ":2:1: must have a row"),
        ("gas,blobs,base_fee_wei\n1,2,0\n", ":2:5 base_fee_wei: must be a whole number from 1"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "demand.csv"
    file.write_text(text)
    with pytest.raises(TraceError) as caught:
        read_demand(file)
    assert message in str(caught.value)


def test_what_waits_with_more_blobs_than_the_new_fork_allows_can_still_be_outbid() -> None:
    environment, chain, _ = ethereum(
        fork="prague", start_unix_s=fork_named("osaka").activation_s - 60, initial_base_fee_wei=10**9,
        background={"gas_load": 0.0, "blob_share": 0.0},
    )  # fmt: skip
    low = ethereum_tx(0, blobs=9, max_fee_wei=1, tip_wei=1, max_blob_fee_wei=1)
    assert chain.submit(low) is None
    environment.run_until(70 * NS_PER_S)
    assert chain.fork.name == "osaka"
    receipts: list[Receipt] = []
    price = 10**10
    outbid = {"max_fee_wei": price, "tip_wei": price, "max_blob_fee_wei": price}
    assert chain.submit(ethereum_tx(0, blobs=10, **outbid)) is Refusal.BAD_BLOBS
    assert chain.submit(ethereum_tx(1, blobs=9, **outbid)) is Refusal.BAD_BLOBS
    assert chain.submit(ethereum_tx(0, blobs=9, **outbid), receipts.append) is None
    environment.run_until(100 * NS_PER_S)
    assert len(receipts) == 1


def test_others_want_blobs_from_the_first_fork_on_that_has_them() -> None:
    environment, _, recorder = ethereum(
        fork="london", start_unix_s=fork_named("cancun").activation_s - 1_200, background=BUSY
    )
    environment.run_until(12_000 * NS_PER_S)
    blobs = recorder.blocks.columns["blobs"]
    assert not any(blobs[:99])
    assert sum(blobs[100:]) / len(blobs[100:]) > 2  # nine tenths of six are wanted, less as the fee rises


def test_poisson_numbers_of_any_mean_have_it_as_their_mean() -> None:
    for mean in (0.0, 3.0, 499.0, 501.0, 5_000.0):
        numbers = [poisson_quantile((k + 0.5) / 2_000, mean) for k in range(2_000)]
        assert sum(numbers) / 2_000 == pytest.approx(mean, rel=1e-3)
        assert sum((number - mean) ** 2 for number in numbers) / 2_000 == pytest.approx(mean, rel=0.02)
    assert poisson_quantile(0.0, 5_000.0) >= 0
