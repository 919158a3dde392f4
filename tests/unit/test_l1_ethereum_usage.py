"""Fees worked out from how full blocks were: official trajectories, the chain's own blocks, and bad files."""

import json
from pathlib import Path

import pytest

from l2sim.engine import NS_PER_S
from l2sim.errors import TraceError
from l2sim.l1.ethereum.fees import blob_base_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB, fork_named
from l2sim.l1.ethereum.usage import BlockUsage, fees_in_force, read_usage
from l2sim.money import WEI_PER_GWEI
from tests.shared import shared
from tests.support.l1 import ethereum

BPO2 = fork_named("bpo2")
FULL = BlockUsage(gas_used=30_000_000, gas_limit=30_000_000, blobs=21)


def test_trajectories_of_every_fork() -> None:
    trajectories = json.loads(shared("vectors/rollup/l1_fee_trajectories.json").read_text())["trajectories"]
    assert [trajectory["fork"] for trajectory in trajectories] == [fork.name for fork in FORKS if fork.max_blobs]
    for trajectory in trajectories:
        limit, steps = trajectory["gas_limit"], trajectory["steps"]
        # The last row holds only the values in force after the last block, so any usage will do for it.
        usage = [BlockUsage(gas_used or 0, limit, blobs or 0) for blobs, gas_used, *_ in steps]
        _, _, base_fee, excess, _ = steps[0]
        got = fees_in_force(usage, base_fee, excess, fork_named(trajectory["fork"]))
        assert [list(fees) for fees in got] == [step[2:] for step in steps]
        assert len(steps) == 121


@pytest.mark.parametrize("fork", [fork.name for fork in FORKS])
def test_thousands_of_blocks_of_a_chain_have_the_fees_that_follow_from_their_usage(fork: str) -> None:
    # Blobs are wanted beyond every fork's target, so that their fee moves.
    background = {"gas_load": 1.0, "blob_share": 0.9, "blob_tolerance_gwei": 0.5, "burn_in_slots": 0}
    environment, chain, recorder = ethereum(fork=fork, background=background, initial_excess_blob_gas=0)
    first = chain.base_fee_wei
    count = 3_000
    environment.run_until(count * 12 * NS_PER_S)
    blocks = recorder.blocks.columns
    usage = list(map(BlockUsage._make, zip(blocks["used"], blocks["limit"], blocks["blobs"], strict=True)))
    fees = list(fees_in_force(usage, first, 0, fork_named(fork)))
    assert len(fees) == count
    assert [fee.base_fee_wei / WEI_PER_GWEI for fee in fees] == blocks["fee_level"]
    assert len({fee.base_fee_wei for fee in fees}) > count / 2
    if fork_named(fork).max_blobs:
        assert [fee.blob_base_fee_wei / WEI_PER_GWEI for fee in fees] == blocks["blob_fee_level"]
        assert len({fee.blob_base_fee_wei for fee in fees}) > 100
    else:
        assert {(fee.excess_blob_gas, fee.blob_base_fee_wei) for fee in fees} == {(0, 0)}


def test_each_fee_of_a_bpo2_block_follows_from_the_block_before() -> None:
    before, after = fees_in_force([FULL, FULL], 10**9, 200_000_000, BPO2)
    assert before == (10**9, 200_000_000, blob_base_fee(200_000_000, 11_684_671))
    assert after.base_fee_wei == 1_125_000_000
    assert after.excess_blob_gas == next_excess_blob_gas(200_000_000, 21 * GAS_PER_BLOB, 10**9, BPO2)


def test_fees_that_no_header_can_hold_are_refused_with_their_block() -> None:
    fees = fees_in_force([FULL] * 10, 2**256 - 1, 0, BPO2)
    assert next(fees).base_fee_wei == 2**256 - 1
    with pytest.raises(ValueError, match=r"block 1: base fee must be below 2\*\*256"):
        next(fees)
    with pytest.raises(ValueError, match=r"block 0: excess blob gas must be at most 178 times"):
        next(fees_in_force([FULL], 1, 2**200, BPO2))
    with pytest.raises(ValueError, match=r"block 0: blob base fee must be below 2\*\*256"):
        next(fees_in_force([FULL], 1, 178 * 11_684_671, BPO2))
    with pytest.raises(ValueError, match=r"excess_blob_gas must be 0 on london, which has no blobs \(got 1\)"):
        next(fees_in_force([FULL], 1, 1, fork_named("london")))


def test_a_usage_file_may_have_other_columns_quotes_spaces_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text('\ufeff"number", "blobs","gas_limit","gas_used"\r\n7, 3 ,30000000,"15000000"\r\n8,0,5000,0\n\n')
    assert read_usage(file, BPO2) == [BlockUsage(15_000_000, 30_000_000, 3), BlockUsage(0, 5_000, 0)]


HEADER = "gas_used,gas_limit,blobs\n"
WHOLE_GAS = "must be a whole number from 0 to 30000000, the block's gas_limit"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1:1: must have the columns gas_used, gas_limit, blobs, each once (got none)"),
        ("gas_used;gas_limit;blobs\n", ":1:1: must have the columns"),
        ("gas_used,gas_limit,blobs,blobs\n", ":1:1: must have the columns"),
        (HEADER, ":2:1: must have a row for each block (got none)"),
        (HEADER + "1,30000000\n", ":2:1: must have 3 cells, as the header has (got 2)"),
        (HEADER + "1,30000000,0\n\n1,30000000,0\n", ":3:1: must have 3 cells, as the header has (got 1)"),
        (HEADER + "1,30000000,0\n30000001,30000000,0\n", f":3:1 gas_used: {WHOLE_GAS} (got 30000001)"),
        (HEADER + "1.0,30000000,0\n", f":2:1 gas_used: {WHOLE_GAS} (got 1.0)"),
        (HEADER + "-1,30000000,0\n", f":2:1 gas_used: {WHOLE_GAS} (got -1)"),
        (HEADER + "٣,30000000,0\n", f":2:1 gas_used: {WHOLE_GAS} (got ٣)"),
        (HEADER + ",30000000,0\n", f":2:1 gas_used: {WHOLE_GAS} (got nothing)"),
        (HEADER + "0,4999,0\n", ":2:3 gas_limit: must be a whole number from 5000 to 9223372036854775807 (got 4999)"),
        (HEADER + "0,30000000, 22\n", ":2:13 blobs: must be a whole number from 0 to 21, the most of bpo2 (got 22)"),
    ],
)
def test_a_bad_usage_file_is_refused_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TraceError) as caught:
        read_usage(file, BPO2)
    assert str(caught.value).startswith(f"{file}{message}")


def test_a_usage_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(b"gas_used\xff")
    with pytest.raises(TraceError, match=r"usage.csv: must be text in UTF-8 \(got byte 0xff\)"):
        read_usage(file, BPO2)
    with pytest.raises(TraceError, match=r"none.csv: cannot be read \(No such file or directory\)"):
        read_usage(tmp_path / "none.csv", BPO2)


def test_blobs_before_cancun_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(HEADER + "0,30000000,1\n")
    with pytest.raises(TraceError, match="blobs: must be a whole number from 0 to 0, the most of london"):
        read_usage(file, fork_named("london"))
