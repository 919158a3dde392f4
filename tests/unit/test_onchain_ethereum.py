"""The baseline on the Ethereum-like chain: nonces, reserved fees, exact EIP-1559 fees, real signatures."""

import numpy as np

from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.l1.ethereum.config import EthereumBackgroundConfig, EthereumConfig
from l2sim.money import WEI_PER_GWEI
from l2sim.results.outcomes import Outcome
from l2sim.systems.onchain.config import OnchainConfig
from l2sim.systems.onchain.ethereum import OnchainEthereum
from tests.support.worlds import PRICES, workload, world

USD_MSAT = PRICES.usd_to_msat(1.0)
QUIET = EthereumConfig(background=EthereumBackgroundConfig(gas_load=0, blob_share=0))


def build(rows, funds_usd, crypto="modelled", chain=QUIET) -> OnchainEthereum:
    load = workload(rows, [round(funds * USD_MSAT) for funds in funds_usd])
    surroundings = world(load, "ethereum", chain, crypto=crypto, onboarding_s=6)
    config = OnchainConfig(kind="onchain", l1="ethereum")
    system = OnchainEthereum("base", config, surroundings, surroundings.chains["ethereum"])
    system.onboard()
    system.open()
    return system


def run(system: OnchainEthereum, seconds: float) -> None:
    environment = system.world.environment
    environment.run_until(environment.now + round(seconds * NS_PER_S))
    system.audit().check("test")


def test_a_transfer_takes_the_next_slot_pays_21000_gas_and_is_final_after_its_epochs() -> None:
    system = build([(1.0, 0, 1, 10 * USD_MSAT)], [100, 0])
    base_fee = system.ethereum.base_fee_wei
    max_fee_wei, tip_wei = system.ethereum.suggest_fees()
    run(system, 12)
    record = system.record
    assert record.included_ns[0] == record.assured_ns[0] == 12 * NS_PER_S
    assert record.fee[0] == 21_000 * (base_fee + tip_wei) == system.chain.spending[Purpose.PAYMENT].fee
    assert max_fee_wei == 2 * base_fee + tip_wei
    run(system, 3_600)
    # Slot 1 lies in epoch 0: its checkpoint is slot 32, final two epochs later.
    assert record.final_ns[0] == (32 + 64) * 12 * NS_PER_S
    assert system.left


def test_money_reserved_for_a_waiting_transfer_cannot_be_spent_twice() -> None:
    rows = [(1.0, 0, 1, 60 * USD_MSAT), (2.0, 0, 1, 60 * USD_MSAT), (13.0, 1, 0, 30 * USD_MSAT)]
    system = build(rows, [100, 0])
    run(system, 60)
    assert [Outcome(code).label for code in system.record.outcome] == [
        "completed",
        "insufficient_funds",
        "completed",
    ]
    assert system.settled


def test_transfers_of_one_payer_keep_their_order() -> None:
    system = build([(0.001 * i, 0, 1, USD_MSAT) for i in range(50)], [100, 0])
    run(system, 60)
    assert np.all(system.record.outcome == Outcome.COMPLETED)
    assert np.all(np.diff(system.record.included_ns) >= 0)
    assert system.accounts[0].nonce == 50


def test_real_cryptography_gives_the_same_payments() -> None:
    rows = [(float(i), i % 3, (i + 1) % 3, (1 + i) * USD_MSAT) for i in range(30)]
    busy = EthereumConfig()
    modelled, real = build(rows, [200] * 3, chain=busy), build(rows, [200] * 3, crypto="real", chain=busy)
    run(modelled, 3_600)
    run(real, 3_600)
    for name in ("outcome", "submitted_ns", "assured_ns", "included_ns", "final_ns", "fee"):
        assert np.array_equal(getattr(modelled.record, name), getattr(real.record, name)), name
    assert real.work.signatures_made == real.work.signatures_verified == modelled.work.signatures_made == 30
    assert real.work.hashes == modelled.work.hashes
    assert np.all(real.record.outcome == Outcome.COMPLETED)


def test_fees_are_in_wei_and_plausible() -> None:
    system = build([(1.0, 0, 1, USD_MSAT)], [100, 0], chain=EthereumConfig())
    run(system, 600)
    assert 0 < system.record.fee[0] < 21_000 * 1_000 * WEI_PER_GWEI
