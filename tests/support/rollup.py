"""A rollup in a world of its own, and its life from onboarding to the last exit."""

from dataclasses import replace
from typing import Any

import numpy as np

from l2sim.crypto.ethereum.transactions import FeeMarketTransaction
from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.engine import NS_PER_S
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.systems.base import CryptoMode, World
from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.channel import BlockHeader
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.system import RollupSystem
from l2sim.workload.payments import Workload
from tests.support.worlds import workload, world

QUIET = {"gas_load": 0.0, "blob_share": 0.0}
SAT_MSAT = 1_000


def config(**settings: Any) -> RollupConfig:
    """Settings of a rollup on the chain `eth`."""
    return RollupConfig.model_validate({"kind": "rollup", "l1": "eth", **settings})


def rollup(
    load: Workload,
    *,
    crypto: CryptoMode = "modelled",
    chain: dict[str, Any] | None = None,
    onboarding_s: float = 600,
    payments_s: float = 3_600,
    end_s: float = 20 * 86_400,
    leaving_spread_s: float = 0,
    seed: int = 1,
    **settings: Any,
) -> tuple[RollupSystem, World]:
    """A rollup on a quiet chain, unless `chain` says otherwise; not yet onboarded."""
    chain_config = EthereumConfig.model_validate({"background": QUIET, **(chain or {})})
    built = world(
        load, "eth", chain_config, crypto=crypto, seed=seed, onboarding_s=onboarding_s, payments_s=payments_s,
        end_s=end_s,
    )  # fmt: skip
    built = replace(built, horizon=replace(built.horizon, leaving_spread_ns=round(leaving_spread_s * NS_PER_S)))
    return RollupSystem("rollup", config(**settings), built, built.chains["eth"]), built


def random_load(payments: int, users: int, span_s: float, *, seed: int = 1, funds_sat: int = 1_000_000) -> Workload:
    """Payments of 10 to 1,000 satoshi between random users at random times."""
    draw = np.random.default_rng(seed)
    times = np.sort(draw.random(payments) * span_s)
    payers = draw.integers(0, users, payments)
    payees = (payers + draw.integers(1, users, payments)) % users
    amounts = draw.integers(10, 1_000, payments) * SAT_MSAT
    rows = list(zip(times.tolist(), payers.tolist(), payees.tolist(), amounts.tolist(), strict=True))
    return workload(rows, [funds_sat * SAT_MSAT] * users)


def onboard(system: RollupSystem, built: World) -> None:
    """Run to the start of the payment phase."""
    system.onboard()
    built.environment.run_until(built.horizon.payments_ns)


def pay_all(system: RollupSystem, built: World) -> None:
    """Take all payments and run until nothing is under way, at most to the end of settling."""
    system.open()
    environment = built.environment
    while not system.settled and environment.now < built.horizon.settle_ns:
        environment.run_until(environment.now + NS_PER_S)


def let_out(system: RollupSystem, built: World) -> None:
    """Let everyone leave and run until they have, at most to the end of the run."""
    system.leave()
    environment, end_ns = built.environment, built.horizon.end_ns
    while not system.left and environment.now < end_ns:
        environment.run_until(int(min(max(environment.peek(), environment.now + NS_PER_S), end_ns)))
    system.finish()


def live(system: RollupSystem, built: World) -> None:
    """The whole life, money counted at each turn."""
    onboard(system, built)
    system.audit().check("onboarded")
    pay_all(system, built)
    system.audit().check("settled")
    let_out(system, built)
    system.audit().check("left")


def batch_of(rows: list[bytes]) -> EncodedBatch:
    """Byte strings end to end."""
    return EncodedBatch(np.frombuffer(b"".join(rows), np.uint8), np.cumsum([0, *map(len, rows)]))


def bare_block(time_s: int = 0) -> L2Block:
    """An L2 block with one transaction that is nobody's payment and changes no account."""
    transaction = FeeMarketTransaction(10, 0, bytes(20), 0, 0, 0).signed_bytes(bytes(64) + b"\x01")
    none = np.empty(0, np.uint64)
    return L2Block(
        header=BlockHeader(bytes(32), 0, bytes(32), time_s),
        block_hash=bytes(32),
        transactions=batch_of([transaction]),
        hashes=np.zeros((1, 32), np.uint8),
        payments=np.empty(0, np.int64),
        withdrawals=(),
        delta=StateDelta(np.empty(0, np.int64), none, none, none),
        amounts=(none, none),
        fee_wei=0,
        withdrawal_fee_wei=0,
        credits=(),
    )
