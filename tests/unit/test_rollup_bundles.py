"""Bundles of operations, with a signature each and with one for all: gas by the published measurements, and bytes."""

import pytest

from l2sim.systems.rollup.bundles import (
    DIRECT_CALL_GAS,
    PAIRINGS,
    aggregated_gas,
    breakeven_gas_per_byte,
    bundle_data,
    bundle_gas,
    marginal_gas,
    operation_bytes,
)


def test_gas_is_what_was_measured() -> None:
    """rollups.md, section 7: 79,994 for one, 459,921 for ten, 42,200 for one more, 13,200 above a direct call."""
    assert bundle_gas(1) == 79_994
    assert bundle_gas(10) == 459_921
    assert marginal_gas() == pytest.approx(42_200, rel=1e-3)
    assert marginal_gas() - DIRECT_CALL_GAS == pytest.approx(13_200, rel=5e-3)
    with pytest.raises(ValueError, match="at least 1"):
        bundle_gas(0)


def test_pairings_cost_what_the_rules_say() -> None:
    """37,700 + 32,600 (n + 1) with EIP-2537, 45,000 + 34,000 (n + 1) on BN254; 102,900 for one message."""
    for messages in (1, 10, 500):
        assert PAIRINGS["bls12-381"].check_gas(messages) == 37_700 + 32_600 * (messages + 1)
        assert PAIRINGS["bn254"].check_gas(messages) == 45_000 + 34_000 * (messages + 1)
    assert PAIRINGS["bls12-381"].check_gas(1) == 102_900


@pytest.mark.parametrize("curve", ["bls12-381", "bn254"])
@pytest.mark.parametrize("operations", [1, 10, 100])
def test_on_l1_an_aggregate_costs_more_than_it_saves(curve: str, operations: int) -> None:
    """Each operation spares 3,000 for ecrecover and 1,040 for its 65 bytes, against more than 32,600 for a pairing."""
    spared = operations * (3_000 + 1_040)
    points = {"bls12-381": 192, "bn254": 64}[curve] * 16
    assert aggregated_gas(operations, curve) == bundle_gas(operations) - spared + points + PAIRINGS[curve].check_gas(
        operations
    )
    assert aggregated_gas(operations, curve) > bundle_gas(operations)


def test_it_pays_where_data_is_dear() -> None:
    for operations in (5, 100):
        price = breakeven_gas_per_byte(operations)
        assert price > 400
        own = operations * (3_000 + 65 * price)
        assert own == pytest.approx(PAIRINGS["bls12-381"].check_gas(operations) + 192 * price)
    assert breakeven_gas_per_byte(1) == float("inf")  # one aggregate is longer than one signature


def test_a_bundle_holds_its_operations_word_by_word() -> None:
    operation = operation_bytes(b"\x0a" * 20, 7, b"\x0b" * 20, 10**18, (3, 5), b"\x0c" * 65)
    words = [operation[start : start + 32] for start in range(0, len(operation), 32)]
    assert len(operation) == 21 * 32
    assert words[0][12:] == b"\x0a" * 20
    assert int.from_bytes(words[1], "big") == 7
    call, signature = int.from_bytes(words[3], "big"), int.from_bytes(words[8], "big")
    assert int.from_bytes(operation[call : call + 32], "big") == 132
    assert operation[call + 36 + 12 : call + 68] == b"\x0b" * 20
    assert int.from_bytes(operation[call + 68 : call + 100], "big") == 10**18
    assert operation[signature + 32 : signature + 97] == b"\x0c" * 65
    data = bundle_data([operation, operation], b"\x0d" * 20)
    assert int.from_bytes(data[68:100], "big") == 2
    second = 100 + int.from_bytes(data[132:164], "big")
    assert data[second:] == operation
    shorter = operation_bytes(b"\x0a" * 20, 7, b"\x0b" * 20, 10**18, (3, 5), b"")
    assert len(operation) - len(shorter) == 96
