"""What users pay by each chain's rule, in whole runs and by hand; kinds of transactions, tips, and their order."""

import json
from dataclasses import replace
from typing import Any

import brotli
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from l2sim.crypto.ethereum.transactions import parse_signed
from l2sim.engine import NS_PER_S
from l2sim.errors import InputError, InvariantError
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import World
from l2sim.systems.rollup.arbitrum_pricing import L1Pricing, Report
from l2sim.systems.rollup.channel import assemble, decompress
from l2sim.systems.rollup.charges import SAMPLE, calldata_gases, starknet_data_gas
from l2sim.systems.rollup.fastlz import fastlz_length
from l2sim.systems.rollup.formats.span import decode_span
from l2sim.systems.rollup.kernels import execute_metered, execute_metered_plain
from l2sim.systems.rollup.metered import ENTRY_POINT, EXCHANGE, KINDS, TOKEN
from l2sim.systems.rollup.op_fees import L1FeeParameters, data_cost, op_fork_named, operator_fee
from l2sim.systems.rollup.system import RollupSystem
from tests.shared import shared
from tests.support.rollup import SAT_MSAT, batch_of, config, live, onboard, pay_all, random_load, rollup
from tests.support.worlds import workload

RICH = 100_000_000 * SAT_MSAT
STEADY = {"initial_base_fee_wei": 10**9, "background": {"gas_load": 1.0, "base_fee_gwei": 1.0, "noise_sigma": 0.0,
          "drift_sigma": 0.0, "burn_in_slots": 0, "blob_share": 0.3}}  # fmt: skip


def posted(system: RollupSystem) -> list[bytes]:
    """Every transaction that was posted, in order."""
    raws: list[bytes] = []
    for parts in system.batcher.poster.archive or []:
        raws += decode_span(decompress(assemble(parts)), 10)[1]
    return raws


def lived(load: Any, **settings: Any) -> tuple[RollupSystem, World]:
    system, world = rollup(load, **settings)
    system.batcher.poster.archive = []
    live(system, world)
    assert system.left
    return system, world


@pytest.mark.parametrize("fork", ["bedrock", "regolith", "ecotone", "fjord", "isthmus", "jovian"])
def test_every_payment_pays_what_its_forks_formula_says_of_its_own_bytes(fork: str) -> None:
    load = random_load(60, 6, 60)
    fees = {"op_fork": fork, "l1_base_fee_scalar": 7_000, "tip_sigma": 0.5}
    if fork in ("isthmus", "jovian"):
        fees |= {"operator_fee_scalar": 3, "operator_fee_constant_wei": 1_234}
    quiet = {"gas_load": 0.0, "blob_share": 0.0}
    system, world = lived(load, fees=fees, chain={"initial_base_fee_wei": 7, "background": quiet})
    record = world.recorder.payments
    settings = system.sequencer.fees._config
    rules = op_fork_named(fork)
    # The base fee is 7 wei in every block, its least; blobs cost 1.
    prices = L1FeeParameters(7, 1, settings.l1_base_fee_scalar, settings.l1_blob_base_fee_scalar, settings.overhead,
                             settings.scalar)  # fmt: skip
    for payment, raw in enumerate(posted(system)[:60]):
        transfer, _ = parse_signed(raw)
        expected = 21_000 * (settings.l2_base_fee_wei + transfer.max_priority_fee_wei)
        expected += data_cost(raw, rules, prices).fee_wei
        if rules.operator_fee_ratio:
            expected += operator_fee(21_000, rules, 3, 1_234)
        assert record.fee[payment] == expected
    assert len(set(record.fee.tolist())) > 50


def test_the_plain_path_charges_operators_part_and_pubdata_the_same_for_all() -> None:
    for fees, more in (
        ({"op_fork": "isthmus", "operator_fee_constant_wei": 5_000}, 5_000),
        ({"rule": "pubdata", "pubdata_bytes": 50, "pubdata_overcharge_percent": 150}, 75),
        ({"rule": "pubdata", "pubdata_bytes": 50, "pubdata_in": "calldata"}, 50 * 16 * 7),
        ({"rule": "starknet"}, 32 * (2 * (2 - 1) + 2 * (3 - 1))),
        ({"rule": "starknet", "starknet_contracts": 4, "starknet_cells": 6}, 32 * (2 * 3 + 2 * 5)),
        # Rounded up: 192 * (1 + 10) * 0.135 = 285.12.
        ({"rule": "starknet", "starknet_surcharge_wei": 10, "starknet_scale_per_mille": 135}, 286),
    ):
        assert config(fees=fees).plain
        load = workload([(1.0, 0, 1, 1_000), (1.5, 1, 0, 1_000)], [RICH, RICH])
        system, world = rollup(load, fees=fees, chain={"initial_base_fee_wei": 7})
        onboard(system, world)
        pay_all(system, world)
        fee = world.recorder.payments.fee
        settings = system.sequencer.fees._config
        floor = (16 * 7 * settings.l1_base_fee_scalar + settings.l1_blob_base_fee_scalar) * 10**8 // 10**12
        expected = 21_000 * system.sequencer.fees.gas_price_wei + more + (0 if fees.get("rule") else floor)
        assert fee.tolist() == [expected] * 2


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_kinds_differ_in_gas_and_bytes_and_payments_stay_payments(crypto: str) -> None:
    load = random_load(200, 10, 100)
    mix = {"transfer": 0.4, "token_transfer": 0.3, "swap": 0.1, "user_operation": 0.2, "bundle_size": 4}
    system, world = lived(load, crypto=crypto, sequencer={"mix": mix})
    record = world.recorder.payments
    assert (record.outcome == Outcome.COMPLETED).all()
    kinds = system.sequencer._metered.kinds  # type: ignore[union-attr]  # a mix has one
    counts = dict(zip(KINDS, np.bincount(kinds, minlength=4).tolist(), strict=True))
    found = [parse_signed(raw)[0] for raw in posted(system)]
    by_receiver = {name: [tx for tx in found if tx.to == to] for name, to in (
        ("token_transfer", TOKEN), ("swap", EXCHANGE), ("bundle", ENTRY_POINT)
    )}  # fmt: skip
    assert len(by_receiver["token_transfer"]) == counts["token_transfer"]
    assert {len(tx.data) for tx in by_receiver["token_transfer"]} == {68}
    assert len(by_receiver["swap"]) == counts["swap"]
    assert {len(tx.data) for tx in by_receiver["swap"]} == {260}
    bundled = [int.from_bytes(tx.data[68:100], "big") for tx in by_receiver["bundle"]]
    assert sum(bundled) == counts["user_operation"]
    assert max(bundled) <= 4
    plain = [tx for tx in found if not tx.data][: counts["transfer"]]
    assert len(plain) == counts["transfer"]
    mean = [record.fee[kinds == kind].mean() for kind in range(4)]
    assert mean[0] < mean[1] < mean[2]
    assert mean[0] < mean[3]


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_one_signature_stands_for_a_bundles_operations_and_makes_it_shorter_and_dearer_in_gas(crypto: str) -> None:
    pytest.importorskip("py_arkworks_bls12381", reason="the extra bls is not installed")
    load = random_load(24, 6, 20)
    lengths, gas = {}, {}
    for aggregate in ("none", "bls12-381"):
        mix = {"transfer": 0.0, "user_operation": 1.0, "bundle_size": 8, "aggregate": aggregate}
        system, world = lived(load, crypto=crypto, sequencer={"mix": mix})
        assert (world.recorder.payments.outcome == Outcome.COMPLETED).all()
        bundles = [tx for tx in (parse_signed(raw)[0] for raw in posted(system)) if tx.to == ENTRY_POINT]
        lengths[aggregate] = sum(len(tx.data) for tx in bundles)
        gas[aggregate] = sum(tx.gas_limit for tx in bundles)
    bundles_made = len(bundles)
    # 96 bytes less for each operation; the aggregate and its length, 224 bytes, for each bundle.
    assert lengths["none"] - lengths["bls12-381"] == 24 * 96 - bundles_made * 224
    assert gas["bls12-381"] > gas["none"]


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_signatures_that_add_up_are_made_checked_and_paid_for_in_processor_time(crypto: str) -> None:
    pytest.importorskip("py_arkworks_bls12381", reason="the extra bls is not installed")
    # Eight operations in two bundles of four, and one that its payer cannot afford.
    rows = [(0.5, k, (k + 1) % 5, 1_000) for k in range(4)] + [(2.5, k, k + 1, 1_000) for k in range(4)]
    rows += [(2.6, 4, 0, 2 * RICH)]
    mix = {"transfer": 0.0, "user_operation": 1.0, "bundle_size": 4, "aggregate": "bls12-381"}
    system, world = rollup(workload(rows, [RICH] * 5), crypto=crypto, sequencer={"mix": mix})
    onboard(system, world)
    before, busy_ns = replace(system.work), system.sequencer._cpu.busy_ns
    pay_all(system, world)
    outcomes = world.recorder.payments.outcome.tolist()
    assert outcomes == [Outcome.COMPLETED] * 8 + [Outcome.INSUFFICIENT_FUNDS]
    names = ("bls_signs", "bls_points", "bls_pairs", "bls_verifies", "ecdsa_signs", "ecdsa_recovers")
    done = [getattr(system.work, name) - getattr(before, name) for name in names]
    assert done == [9, 8, 8, 1, 3, 3]  # the last two are of both bundles, and of the batch on L1
    profile = world.profile
    checked_ns = 8 * (profile.bls_point_ns + profile.bls_pair_ns) + profile.bls_verify_ns + 2 * profile.ecdsa_recover_ns
    spent_ns = (system.sequencer._cpu.busy_ns - busy_ns) * system.sequencer._config.cores
    assert checked_ns < spent_ns < checked_ns + 50_000  # the hashes of blocks and operations


def test_a_bundle_whose_aggregate_does_not_hold_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("py_arkworks_bls12381", reason="the extra bls is not installed")
    from l2sim.crypto.signatures import bls

    sign = bls.sign
    monkeypatch.setattr(bls, "sign", lambda message, secret: sign(message[::-1], secret))
    mix = {"transfer": 0.0, "user_operation": 1.0, "aggregate": "bls12-381"}
    system, world = rollup(random_load(3, 3, 3), crypto="real", sequencer={"mix": mix})
    onboard(system, world)
    with pytest.raises(InvariantError, match=r"the aggregate of \d operations must hold"):
        pay_all(system, world)


def test_curves_that_cannot_be_really_signed_on_are_refused() -> None:
    mix = {"transfer": 0.0, "user_operation": 1.0, "aggregate": "bn254"}
    with pytest.raises(InputError, match="bls12-381 with crypto: real"):
        rollup(random_load(2, 2, 2), crypto="real", sequencer={"mix": mix})


def test_gas_by_kind_fills_blocks() -> None:
    load = workload([(0.5, k % 5, (k + 1) % 5, 1_000) for k in range(20)], [RICH] * 5)
    mix = {"transfer": 0.0, "swap": 1.0, "swap_gas": 100_000}
    system, world = rollup(load, sequencer={"mix": mix, "block_gas_limit": 400_000})
    onboard(system, world)
    pay_all(system, world)
    assured = (world.recorder.payments.assured_ns - world.horizon.payments_ns) // NS_PER_S
    assert sorted(assured.tolist()) == sorted([2, 4, 6, 8, 10] * 4)


def test_who_pays_a_higher_tip_goes_first_and_nobody_overtakes_himself() -> None:
    rows = [(0.5, k % 10, (k + 1) % 10, 1_000) for k in range(60)]
    load = workload(rows, [RICH] * 10)
    settings = {"fees": {"tip_sigma": 1.0}, "sequencer": {"ordering": "priority", "block_gas_limit": 10 * 21_000}}
    system, world = rollup(load, **settings)
    onboard(system, world)
    pay_all(system, world)
    record, tips = world.recorder.payments, system.sequencer._metered.tips_wei  # type: ignore[union-attr]
    order = np.argsort(record.assured_ns, kind="stable")
    first, last = order[:10], order[-10:]
    assert tips[first].mean() > tips[last].mean()
    for user in range(10):
        assert (np.diff(record.assured_ns[user::10]) >= 0).all()
    arrival, other = rollup(load, fees={"tip_sigma": 1.0}, sequencer={"block_gas_limit": 10 * 21_000})
    onboard(arrival, other)
    pay_all(arrival, other)
    assert (np.diff(other.recorder.payments.assured_ns) >= 0).all()


def test_a_payment_that_fails_leaves_no_gap_in_its_payers_nonces() -> None:
    load = workload([(1.0, 0, 1, 1_000), (1.1, 0, 1, 2 * RICH), (1.2, 0, 1, 1_000)], [RICH, RICH])
    system, world = lived(load, fees={"tip_sigma": 0.1})
    outcomes = world.recorder.payments.outcome.tolist()
    assert outcomes == [Outcome.COMPLETED, Outcome.INSUFFICIENT_FUNDS, Outcome.COMPLETED]
    nonces = [parse_signed(raw)[0].nonce for raw in posted(system)[:2]]
    assert nonces == [0, 1]


SMALL = st.integers(0, 3)
ROWS = st.lists(
    st.tuples(SMALL, SMALL, st.integers(0, 2**66), st.integers(0, 2**20), st.integers(1, 50), SMALL), max_size=12
)


@given(ROWS, st.lists(st.integers(0, 2**68), min_size=4, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4),
       st.integers(0, 200))  # fmt: skip
def test_metered_execution_is_the_same_in_both_forms(
    rows: list[tuple[int, ...]], balances: list[int], is_open: list[bool], room: int
) -> None:
    results = []
    for execute in (execute_metered, execute_metered_plain):
        low = np.array([b & 2**64 - 1 for b in balances], np.uint64)
        high = np.array([b >> 64 for b in balances], np.uint64)
        nonces, opened, touched = np.zeros(4, np.uint64), np.array(is_open), np.zeros(4, np.bool_)
        verdicts = np.zeros(len(rows), np.uint8)
        column = [np.array([row[k] for row in rows], np.int32) for k in (0, 1)]
        amounts = [np.array([row[2] & 2**64 - 1 for row in rows], np.uint64),
                   np.array([row[2] >> 64 for row in rows], np.uint64)]  # fmt: skip
        fees, gas = np.array([row[3] for row in rows], np.uint64), np.array([row[4] for row in rows], np.int64)
        signed = np.array([row[5] for row in rows], np.uint64)
        taken = execute(low, high, nonces, opened, touched, *column, *amounts, fees, gas, room, signed, verdicts)
        results.append([taken, *(a.tolist() for a in (low, high, nonces, opened, touched, verdicts))])
    assert results[0] == results[1]


# -- Arbitrum ------------------------------------------------------------------------------------------------------


def test_the_fund_is_split_as_the_published_cases_have_it() -> None:
    for case in json.loads(shared("vectors/rollup/arbitrum_l1_pricing_funds.json").read_text())["cases"]:
        fund = L1Pricing(
            price_per_unit_wei=0,
            per_unit_reward_wei=case["per_unit_reward"],
            amortized_cost_cap_bips=case["amortized_cost_cap_bips"],
            last_update_time_s=case["last_update_time"],
            units_since_update=case["units_since_update"],
            l1_fees_available_wei=case["fees_available"],
        )
        report = Report(case["update_time"], case["current_time"], case["wei_spent"], case["l1_base_fee_wei"])
        payout = fund.report(report)
        assert {
            "reward_recipient_balance": payout.reward_wei,
            "units_remaining": fund.units_since_update,
            "poster_received": payout.poster_wei,
            "fees_still_held": fund.l1_fees_available_wei,
        } == case["expected"]


def test_rewards_that_a_report_could_not_pay_stay_due() -> None:
    """l1pricing.go: each report pays the reward of its own units, as far as the fund goes, and no arrears."""
    fund = L1Pricing(price_per_unit_wei=0, units_since_update=100, l1_fees_available_wei=400)
    assert fund.report(Report(10, 10, 0, 0)).reward_wei == 400
    fund.units_since_update, fund.l1_fees_available_wei = 7, 10**6
    assert fund.report(Report(20, 20, 0, 0)).reward_wei == 70
    assert fund.funds_due_for_rewards_wei == 600
    assert fund.last_surplus_wei == 10**6 - 70 - 600


@pytest.mark.parametrize("start_wei", [0, 10**9, 50 * 10**9])
def test_the_price_comes_to_what_posting_costs(start_wei: int) -> None:
    """Whatever it began with: a batch of 1.6 M units costs 16 M gwei, so the price goes to 10 gwei less the reward."""
    fund = L1Pricing(start_wei, per_unit_reward_wei=0)
    for number in range(1, 4_000):
        fund.charge(1_600_000)
        fund.report(Report(number * 60, number * 60, 16 * 10**15, 10**9))
    assert fund.price_per_unit_wei == pytest.approx(10 * 10**9, rel=0.01)
    assert abs(fund.last_surplus_wei) < 0.02 * 160_000_000 * 10 * 10**9


def test_a_report_of_another_time_is_refused() -> None:
    fund = L1Pricing(1, last_update_time_s=10)
    with pytest.raises(ValueError, match="from the last one, 10"):
        fund.report(Report(9, 20, 1, 1))


def test_users_of_an_arbitrum_chain_pay_by_the_compressed_byte_and_the_price_follows() -> None:
    load = random_load(300, 10, 600)
    fees = {"rule": "arbitrum", "arbitrum_price_wei": 1_000, "arbitrum_equilibration_units": 100_000}
    settings = {"batcher": {"format": "nitro", "max_interval_s": 60}, "chain_id": 42_161}
    system, world = rollup(load, fees=fees, chain=STEADY, **settings)
    live(system, world)
    record = world.recorder.payments
    gas_fee = 21_000 * system.sequencer.fees.gas_price_wei
    units = {(fee - gas_fee) / 1_000 for fee in record.fee[:10].tolist()}
    assert all(unit % 16 == 0 and 16 * 90 < unit < 16 * 130 for unit in units)
    rule = system.sequencer.fees.rule
    assert rule.pricing.price_per_unit_wei != 1_000  # type: ignore[union-attr]  # Arbitrum's
    assert record.fee[-1] != record.fee[0]


def test_all_that_users_of_an_arbitrum_chain_pay_for_data_goes_into_the_fund(monkeypatch: pytest.MonkeyPatch) -> None:
    """Withdrawals as well: else what users pay for going out would be nobody's, and the price too high."""
    fees = {"rule": "arbitrum", "arbitrum_price_wei": 1_000}
    system, world = rollup(random_load(100, 10, 300), fees=fees, chain=STEADY, batcher={"format": "nitro"})
    charge, paid = L1Pricing.charge, []

    def charged(fund: L1Pricing, units: int) -> int:
        paid.append(charge(fund, units))
        return paid[-1]

    monkeypatch.setattr(L1Pricing, "charge", charged)
    live(system, world)
    assert system.bridge.withdrew.sum() == 10
    price = system.sequencer.fees.gas_price_wei
    gas_wei = (100 * 21_000 + 10 * 96_000) * price
    assert sum(paid) == system.sequencer.fees_wei + system.sequencer.withdrawal_fees_wei - gas_wei


def test_small_measures() -> None:
    raw = SAMPLE[0]
    zeros = raw.count(0)
    assert calldata_gases(batch_of([raw, b"\x00\x01"])).tolist() == [4 * zeros + 16 * (len(raw) - zeros), 20]
    assert fastlz_length(raw) < 148
    assert len(brotli.compress(raw, quality=0)) > 90
    # A transfer: the token and the payer's account, four cells (two balances, nonce, the sequencer's balance).
    assert starknet_data_gas(contracts=3, cells=4) == 32 * (2 * 2 + 2 * 3)


@pytest.mark.parametrize(
    ("mix", "limit", "rule"),
    [
        ({"transfer": 0.5, "swap": 0.5}, 129_999, "sequencer.mix.swap_gas, 130000"),
        (
            {"transfer": 0.9, "token_transfer": 0.1, "token_transfer_gas": 200_000},
            199_999,
            "token_transfer_gas, 200000",
        ),
        ({"transfer": 0.9, "user_operation": 0.1, "bundle_size": 1, "aggregate": "bn254"}, 160_000, "user operation"),
    ],
)
def test_a_kind_that_no_block_has_room_for_is_refused(mix: dict[str, Any], limit: int, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        config(sequencer={"mix": mix, "block_gas_limit": limit})
    config(sequencer={"mix": mix, "block_gas_limit": 200_000})


def test_settings_that_cannot_go_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="must add up to 1"):
        config(sequencer={"mix": {"transfer": 0.5}})
    for settings in (
        {"sequencer": {"ordering": "priority"}},
        {"fees": {"tip_sigma": 1.0}},
        {"fees": {"op_fork": "ecotone"}},
    ):
        with pytest.raises(ValidationError, match="must go with plain transfers"):
            config(settlement={"kind": "validity"}, batcher={"format": "chunks"}, **settings)


class ByTheSheet:
    """ArbOS's pricing, formula by formula, with nothing kept that the formulas do not name."""

    def __init__(self, price: int, reward: int, equilibration: int, inertia: int, cap_bips: int) -> None:
        self.price, self.reward, self.equilibration, self.inertia, self.cap_bips = (
            price, reward, equilibration, inertia, cap_bips,
        )  # fmt: skip
        self.units = self.fees = self.due_rewards = self.due_poster = self.last = self.last_surplus = 0

    def charge(self, units: int) -> None:
        self.units, self.fees = self.units + units, self.fees + self.price * units

    def report(self, update: int, now: int, spent: int, base_fee: int) -> None:
        last = update - 1 if self.last == 0 and update > 0 else self.last
        part = (update - last, now - last) if now > last else (1, 1)
        alloc = self.units * part[0] // part[1]
        self.units -= alloc
        if self.cap_bips:
            spent = min(spent, base_fee * alloc * self.cap_bips // 10_000)
        self.due_poster += spent
        owed, paid = alloc * self.reward, min(self.fees, alloc * self.reward)
        self.due_rewards, self.fees = self.due_rewards + owed - paid, self.fees - paid
        paid = min(self.fees, self.due_poster)
        self.due_poster, self.fees, self.last = self.due_poster - paid, self.fees - paid, update
        if alloc:
            surplus = self.fees - self.due_poster - self.due_rewards
            slope = (-surplus) // self.equilibration - (surplus - self.last_surplus) // alloc
            self.price = max(0, self.price + slope * alloc // (self.equilibration // self.inertia + alloc))
            self.last_surplus = surplus


@given(
    st.integers(0, 10**11),
    st.sampled_from([(160_000_000, 10), (1_000_000, 3), (100, 1)]),
    st.integers(0, 100),
    st.sampled_from([0, 10_000, 25_000]),
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 4_000), st.integers(0, 900), st.integers(0, 10**18),
                  st.integers(0, 10**11)),
        min_size=1, max_size=30,
    ),
)  # fmt: skip
def test_the_price_takes_the_way_of_the_published_formulas(
    price: int, pace: tuple[int, int], reward: int, cap_bips: int, steps: list[tuple[int, int, int, int, int]]
) -> None:
    """nitro, l1pricing.go: every report is of a time since the last and is heard later; all whole numbers agree."""
    ours = L1Pricing(price, reward, *pace, amortized_cost_cap_bips=cap_bips)
    sheet = ByTheSheet(price, reward, *pace, cap_bips)
    update = 0
    for units, later, heard, spent, base_fee in steps:
        update += later
        assert ours.charge(units) == sheet.price * units
        sheet.charge(units)
        ours.report(Report(update, update + heard, spent, base_fee))
        sheet.report(update, update + heard, spent, base_fee)
        names = ("price_per_unit_wei", "units_since_update", "l1_fees_available_wei", "funds_due_to_poster_wei",
                 "funds_due_for_rewards_wei", "last_surplus_wei")  # fmt: skip
        expected = (sheet.price, sheet.units, sheet.fees, sheet.due_poster, sheet.due_rewards, sheet.last_surplus)
        assert tuple(getattr(ours, name) for name in names) == expected


def test_a_late_report_finds_the_units_of_the_time_after_its_batch_still_waiting() -> None:
    fund = L1Pricing(1_000, last_update_time_s=100)
    fund.charge(6_000)
    fund.report(Report(update_time_s=200, current_time_s=400, wei_spent=10**6, l1_base_fee_wei=1))
    assert fund.units_since_update == 4_000  # a third of the time had passed when the batch was posted


def test_what_a_batch_cost_is_heard_as_late_as_the_chain_says() -> None:
    heard: dict[float, list[tuple[int, int]]] = {}
    for delay_s in (0.0, 600.0):
        fees = {"rule": "arbitrum", "arbitrum_price_wei": 1_000, "arbitrum_report_delay_s": delay_s}
        batcher = {"format": "nitro", "max_interval_s": 60}
        system, world = rollup(random_load(60, 6, 300), fees=fees, chain=STEADY, batcher=batcher)
        seen: list[tuple[int, int]] = []
        report = system.sequencer.fees.batch_posted

        def hear(posted_s: int, now_s: int, cost_wei: int, seen: Any = seen, report: Any = report) -> None:
            seen.append((posted_s, now_s))
            report(posted_s, now_s, cost_wei)

        system.sequencer.fees.batch_posted = hear  # type: ignore[method-assign]  # to listen in
        live(system, world)
        heard[delay_s] = seen
        included_s = [time_ns // NS_PER_S for time_ns in world.recorder.batches.columns["included_ns"]]
        assert [posted for posted, _ in seen] == included_s[: len(seen)]
        assert {now - posted for posted, now in seen} == {delay_s}
    assert len(heard[0.0]) >= len(heard[600.0]) > 3
