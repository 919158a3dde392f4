"""The benchmark of whole scenarios: `l2sim bench scenarios` as a library.

The same payments go through a channel network and through a rollup, at several sizes, with modelled and with real
cryptography. What is measured is the processor time of a run from its workload to its summary, all threads together.
A probe, a fixed piece of work that has nothing to do with l2sim, takes turns with the runs: a row's ratio is what the
probe takes over what a payment takes, so that records of different machines and hours can be compared.
"""

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from l2sim.bench import records
from l2sim.bench.measure import Row, measure
from l2sim.bench.records import Comparison
from l2sim.crypto.cores import available_cores
from l2sim.experiment.run import run
from l2sim.scenario.loader import parse_scenario
from l2sim.scenario.schema import Scenario

FORMAT = "l2sim-scenario-benchmark-1"
DEFAULT_THRESHOLD = 0.3
"""Share of a row's speed that may be lost before `compare` calls it a regression; whole runs are noisier than the
core."""

SYSTEMS = ("channels", "rollup")
CRYPTO = ("modelled", "real")
SIZES: dict[str, tuple[int, ...]] = {"modelled": (1_000, 4_000, 16_000), "real": (250, 1_000)}
"""Payments of the runs, by what cryptography is."""
QUICK_SIZES: dict[str, tuple[int, ...]] = {"modelled": (40, 80), "real": (20, 40)}

PAYMENTS_PER_USER = 20
_ROUNDS = 3
_WARM_UP_PAYMENTS = 20
_ROUTERS, _QUICK_ROUTERS = 300, 30

SCENARIO = """
name: benchmark
seed: 1
prices: {btc_usd: 100000, eth_usd: 4000}
phases: {onboarding_s: 10800, settling_s: 7200, leaving_s: 864000}
workload:
  users: 50
  payments: 1000
  arrivals: {kind: poisson, rate_per_s: 10}
  amounts: {kind: lognormal, median_usd: 12, sigma: 1.2, max_usd: 200}
  funds: {kind: constant, usd: 800}
l1:
  bitcoin: {kind: bitcoin}
  ethereum: {kind: ethereum}
systems:
  channels: {kind: lightning, l1: bitcoin, topology: {kind: generated, nodes: 300}}
  rollup: {kind: rollup, l1: ethereum, settlement: {kind: optimistic}}
"""
"""The scenario of every run but for the number of payments and users, the cryptography and the routers."""


def scenario_of(system: str, crypto: str, payments: int, routers: int = _ROUTERS) -> Scenario:
    """Return the scenario of one row."""
    users = max(10, payments // PAYMENTS_PER_USER)
    return parse_scenario(
        SCENARIO,
        "<benchmark>",
        [
            f"crypto={crypto}",
            f"workload.payments={payments}",
            f"workload.users={users}",
            f"systems.channels.topology.nodes={routers}",
        ],
    ).only([system])


def run_scenario_benchmarks(
    *,
    quick: bool = False,
    systems: Sequence[str] | None = None,
    crypto: Sequence[str] | None = None,
    payments: Sequence[int] | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure whole runs and return a JSON-able record, in the shape of `core.run_core_benchmarks`.

    `systems` are among `SYSTEMS`, `crypto` among `CRYPTO`, `payments` are the sizes instead of `SIZES` (or, where
    `quick`, of sizes that only show that all rows run). `progress` is called with each finished row. An operation is a
    payment; nanoseconds are of processor time. Rows have besides the keys of `measure` their `system`, `crypto`,
    `payments`, `users`, `cpu_s` of the whole run and `success_rate`; the record has `probe`, in words, and `growth`
    (see `growth`). Raises `ValueError` for an unknown system or cryptography and sizes below 1. In full it takes some
    two minutes.
    """
    chosen_systems, chosen_crypto = systems or SYSTEMS, crypto or CRYPTO
    for name, given, known in (("systems", chosen_systems, SYSTEMS), ("crypto", chosen_crypto, CRYPTO)):
        for word in given:
            if word not in known:
                raise ValueError(f"{name}: must be among {', '.join(known)} (got {word!r})")
    for size in payments or ():
        if size < 1:
            raise ValueError(f"payments: must be at least 1 (got {size})")
    routers = _QUICK_ROUTERS if quick else _ROUTERS
    rows: list[dict[str, Any]] = []
    for kind in chosen_crypto:
        sizes = sorted(set(payments)) if payments else (QUICK_SIZES if quick else SIZES)[kind]
        for system in chosen_systems:
            run(scenario_of(system, kind, _WARM_UP_PAYMENTS, routers))  # loads the kernels
            for size in sizes:
                rows.append(_measure(scenario_of(system, kind, size, routers), system, kind, 1 if quick else _ROUNDS))
                if progress is not None:
                    progress(rows[-1])
    return records.start(FORMAT, quick) | {
        "probe": "hashing, a loop over a dictionary and a sort, fixed: see `probe` in l2sim/bench/scenarios.py",
        "rows": rows,
        "skipped": [],
        "growth": growth(rows),
    }


def _measure(scenario: Scenario, system: str, crypto: str, rounds: int) -> dict[str, Any]:
    summaries: list[dict[str, Any]] = []

    def whole() -> None:
        summaries.append(run(scenario).summary[system])

    payments = scenario.workload.payments or 0
    row = Row(
        f"{system}, {crypto}, {payments:,} payments",
        whole,
        payments,
        available_cores() if crypto == "real" else 1,
        probe,
        "probe of the machine",
        1,
    )
    figures = measure(row, rounds, clock=time.process_time, warm_up=False, loops_a_turn=3)
    return figures | {
        "system": system,
        "crypto": crypto,
        "payments": payments,
        "users": scenario.workload.users,
        "cpu_s": float(f"{figures['ns_per_operation'] * payments / 1e9:.4g}"),
        "success_rate": summaries[-1]["success_rate"],
    }


def probe() -> bytes:
    """Do a fixed piece of work, some 50 ms of one core, of the kinds that a run does: hashes, objects, arrays."""
    digest = b"probe"
    for _ in range(20_000):
        digest = hashlib.sha256(digest).digest()
    counts: dict[int, int] = defaultdict(int)
    state = 1
    for _ in range(100_000):
        state = state * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        counts[state >> 20] += state & 1
    values = np.arange(400_000, dtype=np.uint64) * np.uint64(2_654_435_761) % np.uint64(1 << 32)
    values.sort()
    return hashlib.sha256(digest + values[::1000].tobytes() + bytes([len(counts) & 0xFF])).digest()


def growth(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how processor time grows with payments, for each system and cryptography with two sizes or more.

    `exponent` is the slope of log time over log payments by least squares: 1 where twice the payments take twice the
    time, below 1 while what a run costs at any size still counts, above 1 where each payment gets dearer.
    """
    found = []
    for system in SYSTEMS:
        for crypto in CRYPTO:
            points = [
                (row["payments"], row["cpu_s"]) for row in rows if row["system"] == system and row["crypto"] == crypto
            ]
            if len(points) < 2:
                continue
            slope = np.polyfit([math.log(n) for n, _ in points], [math.log(s) for _, s in points], 1)[0]
            found.append({"system": system, "crypto": crypto, "exponent": round(float(slope), 3)})
    return found


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float = DEFAULT_THRESHOLD) -> list[Comparison]:
    """Compare the rows that two records of scenarios share, each scaled by its probe; see `records.compare`."""
    return records.compare(old, new, FORMAT, threshold)
