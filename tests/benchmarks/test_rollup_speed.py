"""A rollup's transactions end to end and a week of L1: `L2SIM_BENCH_FULL=1 pytest tests/benchmarks --benchmark-only`.

The figures to hold:

- transactions with modelled cryptography, one core: 500,000 in a second of processor time, with the lightest Brotli
  and with the level that a scenario has unless it says otherwise;
- with real cryptography, two cores: 0.6 times the rate of the batch verification alone, signing counted apart;
- a week of L1, 50,400 slots with background demand: 5 s;
- 10 million transactions: less than 2 GB of memory at the peak.

`extra_info` of each benchmark holds them. By default everything is small, so that a test run sees it work.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l2sim.crypto.cores import available_cores
from l2sim.crypto.signatures import KeyTable, public_keys_batch, sign_ecdsa_batch, verify_ecdsa_batch
from l2sim.engine import NS_PER_S
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import World
from l2sim.systems.rollup import transactions
from l2sim.systems.rollup.system import RollupSystem
from l2sim.workload.payments import Workload
from tests.support.l1 import ethereum
from tests.support.rollup import onboard, pay_all, rollup

IN_FULL = os.environ.get("L2SIM_BENCH_FULL") == "1"
MODELLED = 1_000_000 if IN_FULL else 5_000
REAL = 100_000 if IN_FULL else 500
HUGE = 10_000_000 if IN_FULL else 20_000
SLOTS = 50_400 if IN_FULL else 200
USERS = 10_000 if IN_FULL else 100
RATE_PER_S = 20_000
SUSTAINED_PER_S = 2_000
"""What L1 has blobs for, however long it goes on."""
ROUNDS = 3 if IN_FULL else 1


def uniform_load(payments: int, rate_per_s: int, users: int = USERS) -> Workload:
    """Payments of 10 to 1,000 satoshi between random users, at an even rate."""
    draw = np.random.default_rng(1)
    payers = draw.integers(0, users, payments, np.int32)
    return Workload(
        time_ns=np.arange(payments) * (NS_PER_S // rate_per_s),
        payer=payers,
        payee=(payers + draw.integers(1, users, payments, np.int32)) % np.int32(users),
        amount_msat=draw.integers(10, 1_000, payments) * 1_000,
        funds_msat=np.full(users, 10**9),
    )


def onboarded(
    payments: int, crypto: Any, rate_per_s: int = RATE_PER_S, level: int | None = 1, **sequencer: Any
) -> tuple[RollupSystem, World]:
    """A rollup with room for the load whose users are in, at the start of the payment phase."""
    system, built = rollup(
        uniform_load(payments, rate_per_s),
        crypto=crypto,
        onboarding_s=7_200,
        payments_s=payments / rate_per_s + 3_600,  # time enough for the last batch to come into a block
        sequencer={"block_gas_limit": 10**10, "mempool_limit": 10**9, "cores": 64, **sequencer},
        batcher={} if level is None else {"compression": "brotli", "level": level},
    )
    onboard(system, built)
    return system, built


def check(built: World) -> None:
    assert (built.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert (built.recorder.payments.included_ns > 0).all()


@pytest.mark.parametrize("level", [1, None], ids=["level 1", "default level"])
def test_transactions_with_modelled_cryptography(benchmark: Any, level: int | None) -> None:
    pay_all(*onboarded(1_000, "modelled"))  # loads the kernels
    cpu_s: list[float] = []
    last: list[World] = []

    def pay(system: RollupSystem, built: World) -> None:
        started = time.process_time()
        pay_all(system, built)
        cpu_s.append(time.process_time() - started)
        last[:] = [built]

    benchmark.pedantic(pay, setup=lambda: (onboarded(MODELLED, "modelled", level=level), {}), rounds=ROUNDS)
    benchmark.extra_info["transactions_per_cpu_s"] = round(MODELLED / min(cpu_s))
    check(last[0])


def test_transactions_with_real_cryptography(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round times its batch verification right after it; the ratio is the median of the rounds'."""
    signing_s = 0.0
    sign = transactions.sign_ecdsa_recoverable_batch

    def timed(*arguments: Any) -> Any:
        nonlocal signing_s
        started = time.perf_counter()
        signed = sign(*arguments)
        signing_s += time.perf_counter() - started
        return signed

    monkeypatch.setattr(transactions, "sign_ecdsa_recoverable_batch", timed)
    secrets = np.random.default_rng(2).integers(0, 256, (USERS, 32), dtype=np.uint8)
    table = KeyTable(public_keys_batch(secrets))
    who = np.arange(REAL) % USERS
    digests = np.random.default_rng(3).integers(0, 256, (REAL, 32), dtype=np.uint8)
    signatures = sign_ecdsa_batch(digests, secrets[who])
    found: list[tuple[float, float]] = []
    last: list[World] = []

    def pay(system: RollupSystem, built: World) -> None:
        nonlocal signing_s
        signing_s = 0.0
        started = time.perf_counter()
        pay_all(system, built)
        paid_s = time.perf_counter() - started - signing_s
        started = time.perf_counter()
        assert verify_ecdsa_batch(digests, signatures, table.rows(who)).all()
        found.append((paid_s, time.perf_counter() - started))
        last[:] = [built]

    benchmark.pedantic(pay, setup=lambda: (onboarded(REAL, "real", signature_check="verify"), {}), rounds=ROUNDS)
    ratios = [verified_s / paid_s for paid_s, verified_s in found]
    benchmark.extra_info["ratio_to_batch_verification"] = round(float(np.median(ratios)), 3)
    benchmark.extra_info["transactions_per_s"] = round(REAL / min(paid_s for paid_s, _ in found))
    benchmark.extra_info["cores"] = available_cores()
    check(last[0])


def test_a_week_of_l1(benchmark: Any) -> None:
    background = EthereumConfig().background.model_dump()

    def week() -> Any:
        environment, chain, recorder = ethereum(background=background)
        environment.run_until(SLOTS * 12 * NS_PER_S)
        return chain, recorder

    started = time.process_time()
    chain, recorder = benchmark.pedantic(week, rounds=ROUNDS)
    benchmark.extra_info["cpu_s"] = round((time.process_time() - started) / ROUNDS, 2)
    assert chain.height >= SLOTS - 1
    assert len(recorder.blocks) >= SLOTS - 1


def test_memory_of_many_transactions(benchmark: Any) -> None:
    """In a process of its own, whose peak is its own."""
    program = Path(__file__).resolve()
    run = [sys.executable, "-m", "tests.benchmarks.test_rollup_speed", str(HUGE)]
    done = benchmark.pedantic(
        lambda: subprocess.run(run, cwd=program.parents[2], check=True, capture_output=True, text=True), rounds=1
    )
    peak_mb = int(done.stdout)
    benchmark.extra_info["peak_mb"] = peak_mb
    assert peak_mb > 0
    if IN_FULL:
        assert peak_mb < 2_000


if __name__ == "__main__":
    world_of_many = onboarded(int(sys.argv[1]), "modelled", SUSTAINED_PER_S)
    pay_all(*world_of_many)
    check(world_of_many[1])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6)  # Linux counts in KiB
