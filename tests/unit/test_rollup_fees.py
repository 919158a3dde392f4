"""What users pay: FastLZ and the Fjord rule against published vectors; blobs or calldata."""

import json

import numpy as np
import pytest

from l2sim.crypto.ethereum.transfers import Transfers, encode_transfers
from l2sim.l1.ethereum.forks import fork_named
from l2sim.systems.rollup.charges import FeeSchedule, L1Prices
from l2sim.systems.rollup.fastlz import fastlz_length, fastlz_lengths
from l2sim.systems.rollup.fee_config import FeeConfig
from l2sim.systems.rollup.fees import LONGEST_TRANSFER_BYTES, estimated_size, l1_data_fee, l1_gas
from l2sim.systems.rollup.posting import cheaper_medium, gas_per_calldata_byte
from tests.shared import shared


def fast_length(data: bytes) -> int:
    return int(fastlz_lengths(np.frombuffer(data, np.uint8), np.array([0, len(data)]))[0])


def test_fastlz_lengths_are_those_of_the_vectors_in_both_forms() -> None:
    cases = json.loads(shared("vectors/rollup/op_fastlz_len.json").read_text())["cases"]
    for case in cases:
        data = bytes.fromhex(case["input_hex"])
        assert fastlz_length(data) == case["expected_len"], case["name"]
        assert fast_length(data) == case["expected_len"], case["name"]
    assert len(cases) == 27


def test_many_strings_at_once_do_not_see_each_other() -> None:
    strings = [b"", b"\x00" * 300, b"abcdef" * 40, bytes(range(200)), b"\x00" * 300]
    joined = np.frombuffer(b"".join(strings), np.uint8)
    offsets = np.cumsum([0, *[len(string) for string in strings]])
    assert fastlz_lengths(joined, offsets).tolist() == [fastlz_length(string) for string in strings]


def test_fjord_fees_and_gas_are_those_of_the_vectors() -> None:
    cases = json.loads(shared("vectors/rollup/op_l1_cost.json").read_text())["cases"]
    fjord = [case for case in cases if case["fork"] == "fjord"]
    assert len(fjord) == 5
    for case in fjord:
        size = case["fastlz_size"] if "fastlz_size" in case else fastlz_length(bytes.fromhex(case["tx_hex"]))
        fee = l1_data_fee(
            size, case["l1_base_fee"], case["blob_base_fee"], case["base_fee_scalar"], case["blob_base_fee_scalar"]
        )
        assert fee == case["expected_fee"], case["id"]
        if "expected_gas" in case:
            assert l1_gas(size) == case["expected_gas"], case["id"]


def test_the_least_size_binds_up_to_a_fastlz_length_of_170() -> None:
    assert estimated_size(170) == 100_000_000
    assert estimated_size(171) > 100_000_000
    assert estimated_size(202) == 126_387_400  # the DeFi call of the sheet: 126.4 bytes


def test_no_plain_transfer_passes_the_least_size_even_with_its_longest_numbers() -> None:
    draw = np.random.default_rng(1)
    rows = 2_000
    values = np.zeros((rows, 32), np.uint8)
    values[:, 16:] = draw.integers(128, 256, (rows, 16))
    transfers = Transfers(
        chain_id=2**53 - 12_345_678_901,
        nonces=draw.integers(2**31, 2**32, rows).astype(np.uint64),
        to=draw.integers(0, 256, (rows, 20), dtype=np.uint8),
        values_wei=values,
        max_priority_fees_wei=draw.integers(10**14, 10**15, rows).astype(np.uint64),
        max_fees_wei=draw.integers(10**15, 3 * 10**15, rows).astype(np.uint64),
        gas_limits=draw.integers(2**17, 2**24, rows).astype(np.uint64),
    )
    signatures = draw.integers(128, 256, (rows, 65), dtype=np.uint8)
    signatures[:, 64] = 1
    longest = encode_transfers(transfers, signatures)
    assert LONGEST_TRANSFER_BYTES - 3 <= int(np.diff(longest.offsets).max()) <= LONGEST_TRANSFER_BYTES
    assert LONGEST_TRANSFER_BYTES < int(fastlz_lengths(longest.data, longest.offsets).max()) <= 148


def test_a_transfer_pays_l2_gas_and_the_data_fee() -> None:
    schedule = FeeSchedule(FeeConfig(l2_base_fee_wei=1_000, priority_fee_wei=10), L1Prices(0, 0))
    data_fee = l1_data_fee(0, 10**9, 10**7, 5_227, 1_014_213)
    assert schedule.quote(21_000, 10**9, 10**7) == 21_000 * 1_010 + data_fee
    assert data_fee == 100 * (16 * 10**9 * 5_227 + 10**7 * 1_014_213) // 10**6


def test_blob_or_calldata_is_chosen_as_in_the_vectors() -> None:
    cases = json.loads(shared("vectors/rollup/batch_da_choice.json").read_text())["cases"]
    for case in cases:
        chosen = cheaper_medium(
            case["base_fee"],
            case["tip"],
            case["blob_base_fee"],
            case["target_num_frames"],
            case["calldata_gas_per_byte"],
        )
        assert chosen == case["expected"], case
    assert len(cases) == 20


@pytest.mark.parametrize(("blobs", "switch"), [(1, 39.7), (6, 39.8)])
def test_calldata_wins_when_blob_gas_costs_some_forty_times_gas(blobs: int, switch: float) -> None:
    """The sheet's break-even with the EIP-7623 floor; a calldata price of 16 gas a byte would put it at 16."""
    per_byte = gas_per_calldata_byte(fork_named("bpo2"))
    price = 10**9
    assert cheaper_medium(price, 0, round((switch - 0.1) * price), blobs, per_byte) == "blob"
    assert cheaper_medium(price, 0, round((switch + 0.1) * price), blobs, per_byte) == "calldata"
    assert gas_per_calldata_byte(fork_named("cancun")) == 16


def test_at_the_same_cost_data_goes_into_blobs() -> None:
    """channel_config_provider.go: calldata only if blobs are strictly dearer."""
    # One blob and its transaction for 130,044 bytes against 120,000 bytes at 16 gas: 1,941,000 * 130,044 / 120,000
    # gas of the first, less 21,000, over 131,072; all times 10**7 to be whole numbers.
    price, fee = 131_072 * 10_000, 131_072 * 10_000 * (1_941_000 * 130_044 - 21_000 * 120_000) // (131_072 * 120_000)
    assert price * (1_941_000 * 130_044 - 21_000 * 120_000) % (131_072 * 120_000) == 0
    assert cheaper_medium(price, 0, fee, 1, 16) == "blob"
    assert cheaper_medium(price, 0, fee + 1, 1, 16) == "calldata"
    assert cheaper_medium(0, 0, 0, 1, 16) == "blob"
