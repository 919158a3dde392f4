"""The OP Stack's fees by fork against published vectors, two of them real transactions."""

import json
from typing import Any

import numpy as np
import pytest

from l2sim.systems.rollup.fees import l1_data_fee, l1_gas
from l2sim.systems.rollup.op_fees import (
    OP_FORKS,
    DataFormula,
    L1FeeParameters,
    data_cost,
    fjord_fee_upper_bound,
    op_fork_named,
    operator_fee,
)
from tests.shared import shared

PRICES = L1FeeParameters(
    10**9, blob_base_fee_wei=10**7, base_fee_scalar=5_227, blob_base_fee_scalar=1_014_213, overhead=188, scalar=684_000
)


def vectors() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shared("vectors/rollup/op_l1_cost.json").read_text())
    return data


def prices_of(case: dict[str, Any]) -> L1FeeParameters:
    names = ("base_fee_scalar", "blob_base_fee_scalar", "overhead", "scalar")
    given = {name: case[name] for name in names if name in case}
    return L1FeeParameters(case["l1_base_fee"], case.get("blob_base_fee", 0), **given)


def test_data_fees_and_gas_are_those_of_the_vectors() -> None:
    cases = vectors()["cases"]
    for case in cases:
        prices = prices_of(case)
        if "tx_hex" in case:
            cost = data_cost(bytes.fromhex(case["tx_hex"]), op_fork_named(case["fork"]), prices)
            gas, fee_wei = cost
        else:  # only the FastLZ length is given
            weights = prices.base_fee_scalar, prices.blob_base_fee_scalar
            gas = l1_gas(case["fastlz_size"])
            fee_wei = l1_data_fee(case["fastlz_size"], prices.l1_base_fee_wei, prices.blob_base_fee_wei, *weights)
        assert fee_wei == case["expected_fee"], case["id"]
        if "expected_gas" in case:
            assert gas == case["expected_gas"], case["id"]
    assert len(cases) == 9
    assert {case["fork"] for case in cases} == {"bedrock", "regolith", "ecotone", "fjord"}


def test_operator_fees_are_those_of_the_vectors() -> None:
    for case in vectors()["operator_fee"]:
        fork = op_fork_named(case["fork"])
        fee = operator_fee(case["gas"], fork, case["operator_fee_scalar"], case["operator_fee_constant"])
        assert fee == case["expected_fee"], case


def test_upper_bounds_are_those_of_the_vectors() -> None:
    for case in vectors()["fee_upper_bound"]:
        assert fjord_fee_upper_bound(case["unsigned_len"], prices_of(case)) == case["expected_upper_bound"]


@pytest.mark.parametrize(("unsigned_bytes", "holds"), [(1, True), (103, True), (508, True), (509, False)])
def test_the_upper_bound_holds_for_short_transactions_whatever_their_bytes(unsigned_bytes: int, holds: bool) -> None:
    """And no longer than that if nothing compresses: FastLZ adds a byte to 32, the oracle's rule one to 255."""
    incompressible = b"\x02" + np.random.default_rng(1).bytes(unsigned_bytes + 67)
    fee_wei = data_cost(incompressible, op_fork_named("fjord"), PRICES).fee_wei
    assert (fee_wei <= fjord_fee_upper_bound(unsigned_bytes, PRICES)) is holds


def test_each_fork_charges_as_the_sheet_says() -> None:
    formulas = {fork.name: fork.data_formula.name.lower() for fork in OP_FORKS}
    assert formulas == {
        "bedrock": "bedrock",
        "regolith": "regolith",
        "canyon": "regolith",
        "delta": "regolith",
        "ecotone": "ecotone",
        **dict.fromkeys(("fjord", "granite", "holocene", "isthmus", "jovian", "karst"), "fjord"),
    }
    assert [fork.name for fork in OP_FORKS if fork.operator_fee_ratio] == ["isthmus", "jovian", "karst"]


@pytest.mark.parametrize("formula", list(DataFormula))
def test_a_formula_reads_the_parameters_that_it_names_and_no_others(formula: DataFormula) -> None:
    fork = next(fork for fork in OP_FORKS if fork.data_formula is formula)
    values = {name: getattr(PRICES, name) for name in L1FeeParameters.__slots__}
    transaction = bytes(range(1, 200))
    fee = data_cost(transaction, fork, PRICES).fee_wei
    for name, value in values.items():
        changed = data_cost(transaction, fork, L1FeeParameters(**{**values, name: 2 * value})).fee_wei
        assert (changed != fee) == (name in formula.parameters), name


def test_a_deposit_pays_nothing_and_no_transaction_is_empty() -> None:
    for fork in OP_FORKS:
        assert data_cost(b"\x7e" + bytes(300), fork, PRICES) == (0, 0)
        with pytest.raises(ValueError, match="at least one byte"):
            data_cost(b"", fork, PRICES)


def test_data_is_not_priced_at_the_floor_of_eip_7623() -> None:
    assert data_cost(b"\x01" * 100, op_fork_named("ecotone"), PRICES).gas == 1_600


def test_what_a_fork_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"isthmus or later for an operator fee \(got holocene\)"):
        operator_fee(1, op_fork_named("holocene"), 1, 1)
    with pytest.raises(ValueError, match=r"must be one of bedrock, .*karst \(got prague\)"):
        op_fork_named("prague")
