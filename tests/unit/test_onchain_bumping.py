"""Wallets that raise fees, evicted payments, and payments whose block is thrown out."""

from typing import Any

import pytest

from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.results.outcomes import Outcome
from l2sim.systems.onchain.bitcoin import OnchainBitcoin
from l2sim.systems.onchain.config import OnchainConfig
from tests.support.worlds import workload, world

SAT = 1_000
MISERLY = {"background": {"load": 1.2}, "estimator": {"success_share": 0.02}}
"""Wallets that bid what would have been enough in one case of fifty."""


def run(
    chain: dict[str, Any], payments: int, crypto: Any = "modelled", days: float = 2, **config: Any
) -> OnchainBitcoin:
    """Payments of ten users to their neighbours, one a minute; the money is checked at the end."""
    rows = [(60.0 * i, i % 10, (i + 1) % 10, 50_000 * SAT) for i in range(payments)]
    made = world(workload(rows, [10_000_000 * SAT] * 10), "bitcoin", BitcoinConfig.model_validate(chain), crypto=crypto)
    system = OnchainBitcoin("base", OnchainConfig(kind="onchain", l1="bitcoin", **config), made, made.chains["bitcoin"])
    system.onboard()
    system.open()
    made.environment.run_until(round(days * 86_400 * NS_PER_S))
    system.audit().check("at the end")
    return system


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_a_wallet_that_bumps_gets_in_where_a_patient_one_waits_and_pays_more(crypto: str) -> None:
    patient = run(MISERLY, 40, target_blocks=3)
    hasty = run(MISERLY, 40, crypto, target_blocks=3, bump_after_blocks=2)

    assert (hasty.record.included_ns > 0).sum() > (patient.record.included_ns > 0).sum()
    assert hasty.record.attempts.max() > 1
    assert hasty.record.fee.sum() > patient.record.fee.sum()
    assert hasty.chain.spending[Purpose.PAYMENT].fee == hasty.record.fee.sum()
    assert hasty.chain.spending[Purpose.PAYMENT].transactions == (hasty.record.included_ns > 0).sum()


def test_an_evicted_payment_fails_and_its_coins_are_free_again() -> None:
    chain = {"background": {"load": 4.0, "burn_in_blocks": 3}, "mempool": {"limit_vbyte": 2_500_000}}
    system = run(chain, 60, target_blocks=1_008)
    dropped = int((system.record.outcome == Outcome.DROPPED).sum())
    assert dropped > 0
    assert dropped + int((system.record.outcome == Outcome.COMPLETED).sum()) + system.undecided == 60
    assert system.in_flight_sat == 0 or system.undecided


def test_payments_outlive_reorganisations() -> None:
    chain = {"background": {"load": 0.5}, "reorgs": {"probability": 0.3, "deeper": 0.3}}
    system = run(chain, 60)
    assert (system.record.outcome == Outcome.COMPLETED).all()
    blocks = system.world.recorder.blocks.columns
    orphaned = [
        height for height, lost in zip(blocks["height"], blocks["orphaned_ns"], strict=True) if lost is not None
    ]
    assert orphaned
    stands = {time for time, lost in zip(blocks["time_ns"], blocks["orphaned_ns"], strict=True) if lost is None}
    assert set(system.record.included_ns.tolist()) <= stands
    assert system.chain.spending[Purpose.PAYMENT].fee == system.record.fee.sum()
    assert system.left
