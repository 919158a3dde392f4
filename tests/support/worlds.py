"""A world for one system: a quiet chain, a given workload, a given horizon."""

from typing import Any

import numpy as np

from l2sim.crypto.profiles import load_profile
from l2sim.engine import NS_PER_S, Environment, Streams
from l2sim.l1.build import build_chain
from l2sim.money import Prices
from l2sim.results.recorder import Recorder
from l2sim.systems.base import CryptoMode, Horizon, World
from l2sim.workload.payments import Workload

PRICES = Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000)


def workload(rows: list[tuple[float, int, int, int]], funds_msat: list[int]) -> Workload:
    """A workload from rows (seconds, payer, payee, amount in msat) and each user's funds."""
    times, payers, payees, amounts = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Workload(
        time_ns=np.array([round(t * NS_PER_S) for t in times], np.int64),
        payer=np.array(payers, np.int32),
        payee=np.array(payees, np.int32),
        amount_msat=np.array(amounts, np.int64),
        funds_msat=np.array(funds_msat, np.int64),
    )


def world(
    load: Workload,
    chain_name: str,
    chain_config: Any,
    *,
    crypto: CryptoMode = "modelled",
    seed: int = 1,
    onboarding_s: float = 3_600,
    payments_s: float = 3_600,
    end_s: float = 10 * 86_400,
) -> World:
    """A world with one chain of that name, started."""
    environment = Environment()
    recorder = Recorder(len(load))
    streams = Streams(seed)
    chain = build_chain(chain_name, chain_config, environment, streams, recorder)
    chain.start()
    payments_ns = round(onboarding_s * NS_PER_S)
    settle_ns = payments_ns + round(payments_s * NS_PER_S)
    return World(
        environment=environment,
        streams=streams,
        chains={chain_name: chain},
        prices=PRICES,
        profile=load_profile("reference"),
        crypto=crypto,
        workload=load,
        horizon=Horizon(payments_ns, settle_ns, round(end_s * NS_PER_S)),
        recorder=recorder,
    )
