"""The baseline on the Bitcoin-like chain: coins, waiting, fees to the satoshi, real signatures."""

import numpy as np
import pytest

from l2sim.crypto.bitcoin.p2wpkh import Coin
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.l1.bitcoin.config import BitcoinBackgroundConfig, BitcoinConfig
from l2sim.results.outcomes import Outcome
from l2sim.systems.onchain.bitcoin import OnchainBitcoin
from l2sim.systems.onchain.coins import Wallet
from l2sim.systems.onchain.config import OnchainConfig
from tests.support.worlds import workload, world

SAT = 1_000
CLOCKED = BitcoinConfig(block_times="clocked", background=BitcoinBackgroundConfig(load=0))


def build(rows, funds_sat, crypto="modelled", **config) -> OnchainBitcoin:
    load = workload(rows, [funds * SAT for funds in funds_sat])
    surroundings = world(load, "bitcoin", CLOCKED, crypto=crypto, onboarding_s=600)
    system = OnchainBitcoin(
        "base", OnchainConfig(kind="onchain", l1="bitcoin", **config), surroundings, surroundings.chains["bitcoin"]
    )
    system.onboard()
    system.open()
    return system


def run(system: OnchainBitcoin, seconds: float) -> None:
    environment = system.world.environment
    environment.run_until(environment.now + round(seconds * NS_PER_S))
    system.audit().check("test")


def coin(value_sat: int, index: int = 0) -> Coin:
    return Coin(OutPoint(bytes(32), index), value_sat, b"\x02" + bytes(32))


def test_a_payment_takes_the_next_block_pays_by_weight_and_is_final_after_six() -> None:
    system = build([(1.0, 0, 1, 50_000 * SAT)], [100_000, 0], coins_per_user=1)
    run(system, 3_000)
    record = system.record
    assert record.outcome[0] == Outcome.COMPLETED
    assert record.submitted_ns[0] == 601 * NS_PER_S
    assert record.included_ns[0] == record.assured_ns[0] == 1_200 * NS_PER_S
    weight_wu, rate_sat_per_kvb = 562, 100
    fee_msat = -(-weight_wu * rate_sat_per_kvb // 4_000) * SAT
    assert record.fee[0] == fee_msat
    assert system.chain.spending[Purpose.PAYMENT].fee == fee_msat
    assert not system.left
    run(system, 3_000)
    assert record.final_ns[0] == 1_200 * NS_PER_S + 5 * 600 * NS_PER_S
    assert system.left
    assert system.wallets[1].confirmed_sat == 50_000
    assert system.wallets[0].confirmed_sat == 50_000 - fee_msat // SAT


def test_a_wallet_without_confirmed_coins_waits_for_its_change() -> None:
    system = build([(1.0, 0, 1, 30_000 * SAT), (2.0, 0, 1, 30_000 * SAT)], [100_000, 0], coins_per_user=1)
    run(system, 4_000)
    assert system.record.included_ns.tolist() == [1_200 * NS_PER_S, 1_800 * NS_PER_S]


def test_a_payer_without_money_fails_at_once_and_dust_is_refused() -> None:
    rows = [(1.0, 0, 1, 99_990 * SAT), (2.0, 0, 1, 293 * SAT), (3.0, 1, 0, 1_000 * SAT)]
    system = build(rows, [100_000, 0])
    run(system, 2_000)
    assert [Outcome(code) for code in system.record.outcome] == [
        Outcome.INSUFFICIENT_FUNDS,
        Outcome.AMOUNT_TOO_SMALL,
        Outcome.INSUFFICIENT_FUNDS,
    ]
    assert system.settled
    assert system.left


def test_small_change_is_left_to_the_miner_and_counted_as_fee() -> None:
    system = build([(1.0, 0, 1, 99_800 * SAT)], [100_000, 0], coins_per_user=1)
    run(system, 1_300)
    assert system.record.fee[0] == 200 * SAT
    assert system.wallets[0].confirmed_sat == 0


def test_amounts_are_rounded_up_to_whole_satoshis() -> None:
    system = build([(1.0, 0, 1, 5_000 * SAT + 1)], [100_000, 0])
    run(system, 1_300)
    assert system.wallets[1].confirmed_sat == 5_001


def test_real_cryptography_gives_the_same_payments_with_real_transactions() -> None:
    rows = [(float(i), i % 3, (i + 1) % 3, (1_000 + 137 * i) * SAT) for i in range(1, 40)]
    modelled, real = build(rows, [200_000] * 3), build(rows, [200_000] * 3, crypto="real")
    run(modelled, 20_000)
    run(real, 20_000)
    for name in ("outcome", "submitted_ns", "assured_ns", "included_ns", "final_ns", "fee"):
        assert np.array_equal(getattr(modelled.record, name), getattr(real.record, name)), name
    assert real.work == modelled.work
    assert real.work.signatures_made == real.work.signatures_verified > 0
    assert np.all(real.record.outcome == Outcome.COMPLETED)


def test_a_wallet_spends_the_smallest_coin_that_covers_else_the_largest() -> None:
    wallet = Wallet(b"\x02" + bytes(32), bytes(22))
    for index, value in enumerate((500, 100, 300, 200)):
        wallet.add(coin(value, index))
    assert [c.value_sat for c in wallet.choose((250, 260)) or []] == [300]
    assert [c.value_sat for c in wallet.choose((600, 700, 800)) or []] == [500, 300]
    assert wallet.choose((2_000, 2_000, 2_000, 2_000)) is None
    wallet.spend([coin(300, 2)])
    assert (wallet.confirmed_sat, len(wallet)) == (800, 3)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_funds_are_split_into_coins_without_loss(count: int) -> None:
    system = build([], [100_001, 5], coins_per_user=count)
    assert [wallet.confirmed_sat for wallet in system.wallets] == [100_001, 5]
    assert system.audit().conserved
