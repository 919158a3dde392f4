"""Ethereum's fee and gas rules against official vectors, exact to the wei, and against facts with their source."""

import json
from dataclasses import replace
from typing import Any

import pytest

from l2sim.l1.ethereum.fees import (
    blob_base_fee,
    excess_for_blob_fee,
    fake_exponential,
    gas_limit_follows,
    next_base_fee,
    next_excess_blob_gas,
)
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB, Fork, fork_at, fork_named
from l2sim.l1.ethereum.gas import byte_counts, floor_gas, intrinsic_gas, transaction_gas
from tests.shared import shared


def vectors(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shared(f"vectors/rollup/{name}.json").read_text())
    return data


def test_base_fee_vectors() -> None:
    cases = vectors("eip1559_base_fee")["cases"]
    for case in cases:
        got = next_base_fee(
            case["parent_base_fee"],
            case["parent_gas_used"],
            case["parent_gas_limit"],
            elasticity=case["elasticity"],
            denominator=case["denominator"],
        )
        assert got == case["expected_base_fee"], case
    assert len(cases) >= 20


def test_gas_limit_vectors() -> None:
    for case in vectors("eip1559_gas_limit_bounds")["cases"]:
        assert gas_limit_follows(case["parent_gas_limit"], case["gas_limit"]) is case["valid"], case


def test_gas_limit_bound_is_strict_and_has_a_floor() -> None:
    assert gas_limit_follows(20_000_000, 20_019_530)  # one below parent // 1024 away (EIP-1559)
    assert not gas_limit_follows(5_000, 4_999)


def test_fake_exponential_vectors() -> None:
    for case in vectors("eip4844_fake_exponential")["cases"]:
        factor, numerator, denominator, expected = (
            int(case[key]) for key in ("factor", "numerator", "denominator", "expected")
        )
        assert fake_exponential(factor, numerator, denominator) == expected, case


def test_blob_base_fee_vectors() -> None:
    for case in vectors("eip4844_blob_base_fee")["cases"]:
        assert blob_base_fee(int(case["excess_blob_gas"]), case["update_fraction"]) == int(case["expected"]), case


def test_excess_blob_gas_vectors() -> None:
    for case in vectors("eip4844_7918_excess_blob_gas")["cases"]:
        fork = replace(
            fork_named("bpo2"),
            target_blobs=case["target"],
            max_blobs=case["max"],
            blob_update_fraction=case["update_fraction"],
            blob_reserve_price=case["parent_base_fee"] is not None,
        )
        base_fee = case["parent_base_fee"] or 0
        got = next_excess_blob_gas(case["parent_excess"], case["parent_blob_gas_used"], base_fee, fork)
        assert got == case["expected"], case


def test_trajectories_of_every_fork() -> None:
    trajectories = vectors("l1_fee_trajectories")["trajectories"]
    assert [t["fork"] for t in trajectories] == [fork.name for fork in FORKS if fork.max_blobs]
    for trajectory in trajectories:
        fork = fork_named(trajectory["fork"])
        assert (fork.target_blobs, fork.max_blobs) == (trajectory["target"], trajectory["max"])
        _, _, base_fee, excess, _ = trajectory["steps"][0]
        for blobs, gas_used, expected_base_fee, expected_excess, expected_blob_fee in trajectory["steps"]:
            assert (base_fee, excess) == (expected_base_fee, expected_excess)
            assert blob_base_fee(excess, fork.blob_update_fraction) == expected_blob_fee
            if blobs is None:  # the last row holds only the values in force after the last block
                break
            excess = next_excess_blob_gas(excess, blobs * GAS_PER_BLOB, base_fee, fork)
            base_fee = next_base_fee(base_fee, gas_used, trajectory["gas_limit"])


def test_calldata_gas_vectors() -> None:
    data = vectors("eip7623_calldata_gas")
    for case in data["geth_rows"] + data["cases"]:
        zeros, others = case["zero_bytes"], case["nonzero_bytes"]
        assert floor_gas(zeros, others) == case["floor_gas"], case
        payload = bytes(zeros) + b"\x7f" * others
        assert transaction_gas(payload) == case["floor_gas"], case
        if "intrinsic_gas" in case:
            assert intrinsic_gas(zeros, others) == case["intrinsic_gas"], case
            assert transaction_gas(payload, calldata_floor=False) == case["intrinsic_gas"], case


def test_base_fee_stops_falling_at_seven_wei() -> None:
    fee = 1_000
    for _ in range(200):
        fee = next_base_fee(fee, gas_used=0, gas_limit=30_000_000)
    assert fee == 7  # alloy crates/eips/src/eip1559/constants.rs MIN_PROTOCOL_BASE_FEE


@pytest.mark.parametrize(
    ("fork", "full_percent", "empty_percent"),
    [("cancun", 12.5, -11.1), ("prague", 8.2, -14.5), ("bpo1", 8.2, -14.5), ("bpo2", 8.2, -14.5)],
)
def test_blob_fee_step_of_a_full_and_an_empty_block(fork: str, full_percent: float, empty_percent: float) -> None:
    # EIP-4844, EIP-7691, EIP-8134, EIP-8135; a +15 % step or a target of 3 kept for ever would fail here.
    rules = replace(fork_named(fork), blob_reserve_price=False)
    excess = 20 * rules.blob_update_fraction
    now = blob_base_fee(excess, rules.blob_update_fraction)
    for blobs, percent in ((rules.max_blobs, full_percent), (0, empty_percent)):
        after = next_excess_blob_gas(excess, blobs * GAS_PER_BLOB, 0, rules)
        change = blob_base_fee(after, rules.blob_update_fraction) / now - 1
        assert 100 * change == pytest.approx(percent, abs=0.06)


def test_reserve_is_one_sixteenth_of_the_base_fee() -> None:
    # EIP-7918: at or above base_fee / 16 the excess follows the target; below, it rises by a third of what was used.
    rules = fork_named("bpo2")
    excess = excess_for_blob_fee(10**9, rules.blob_update_fraction)
    price = blob_base_fee(excess, rules.blob_update_fraction)
    used = 6 * GAS_PER_BLOB
    assert next_excess_blob_gas(excess, used, 16 * price, rules) == excess + used - 14 * GAS_PER_BLOB
    assert next_excess_blob_gas(excess, used, 16 * price + 1, rules) == excess + used * 7 // 21


def test_blob_fee_falls_when_a_fork_widens_the_fraction() -> None:
    excess = 100_000_000
    prices = [blob_base_fee(excess, fork_named(name).blob_update_fraction) for name in ("osaka", "bpo1", "bpo2")]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] > prices[2]


def test_excess_for_blob_fee_is_the_smallest() -> None:
    fraction = fork_named("bpo2").blob_update_fraction
    for price in (2, 3, 1_000, 12_345_678, 10**12):
        excess = excess_for_blob_fee(price, fraction)
        assert blob_base_fee(excess - 1, fraction) < price <= blob_base_fee(excess, fraction)
    assert excess_for_blob_fee(1, fraction) == 0


def test_data_only_transaction_costs_ten_and_forty_gas_a_byte() -> None:
    # EIP-7623; calldata priced at 16 gas a byte since Prague would fail here.
    assert transaction_gas(bytes(1_000)) == 21_000 + 10_000
    assert transaction_gas(b"\xff" * 1_000) == 21_000 + 40_000
    assert transaction_gas(b"\xff" * 1_000, execution_gas=24_000) == 21_000 + 40_000
    assert transaction_gas(b"\xff" * 1_000, execution_gas=24_001) == 21_000 + 40_001
    assert byte_counts(b"\x00\x01\x00") == (2, 1)


def test_forks_are_in_order_and_found_by_time() -> None:
    times = [fork.activation_s for fork in FORKS]
    assert times == sorted(times)
    assert fork_at(1_710_338_134).name == "london"
    assert fork_at(1_710_338_135).name == "cancun"  # EIP-7569
    assert fork_at(1_746_612_311).name == "prague"  # EIP-7600
    assert fork_at(1_900_000_000).name == "bpo2"
    with pytest.raises(ValueError, match="London fork"):
        fork_at(1_600_000_000)
    with pytest.raises(ValueError, match="london, cancun, prague, osaka, bpo1, bpo2"):
        fork_named("shanghai")


def test_fork_columns() -> None:
    def column(name: str) -> list[object]:
        return [getattr(fork, name) for fork in FORKS]

    assert column("target_blobs") == [0, 3, 6, 6, 10, 14]
    assert column("max_blobs") == [0, 6, 9, 9, 15, 21]
    assert column("max_transaction_blobs") == [0, 6, 9, 6, 6, 6]  # EIP-7594: six since Osaka
    assert column("max_transaction_gas") == [None, None, None, 2**24, 2**24, 2**24]  # EIP-7825
    assert column("calldata_floor") == [False, False, True, True, True, True]
    assert column("blob_reserve_price") == [False, False, False, True, True, True]
    assert all(isinstance(fork, Fork) for fork in FORKS)
