"""Published figures that a sequencer and a batcher must meet (published-results, items 1 and 9)."""

import numpy as np
import pytest

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup.batcher import Batcher
from tests.support.rollup import bare_block, onboard, random_load, rollup
from tests.support.worlds import workload

pytestmark = pytest.mark.published


def test_400_million_gas_every_two_seconds_are_9524_transfers_a_second() -> None:
    """Base: 200 Mgas/s (docs.base.org, throughput page). A load of 12,000 a second, four blocks long."""
    seconds = 8
    load = random_load(12_000 * seconds, users=500, span_s=seconds, funds_sat=10_000_000)
    system, world = rollup(
        load,
        sequencer={"block_gas_limit": 400_000_000, "block_time_s": 2, "cores": 1_024},
        batcher={"level": 0, "target_bytes": 10_000_000},
    )
    onboard(system, world)
    system.open()
    world.environment.run_until(world.horizon.payments_ns + (seconds + 1) * NS_PER_S)
    done = int((world.recorder.payments.outcome == Outcome.COMPLETED).sum())
    # The first block, at the very start of the phase, holds nothing: `seconds / 2` are full.
    assert done / seconds == pytest.approx(9_524, rel=0.01)


def feed(batcher_settings: dict[str, float], rate_per_s: float, count: int, seed: int) -> tuple[list[float], list[int]]:
    """Single transactions into a real batcher at Poisson times: each one's wait in the open batch, s; batch sizes."""
    system, world = rollup(workload([], [1_000]), batcher={"format": "singular", "medium": "blob", **batcher_settings})
    batcher: Batcher = system.batcher
    gaps = np.random.default_rng(seed).exponential(1 / rate_per_s, count)
    times = (np.cumsum(gaps) * NS_PER_S).astype(np.int64)
    block = bare_block()
    environment = world.environment
    for time_ns in times.tolist():
        environment.run_until(time_ns)
        batcher.add(block)
    environment.run_until(int(times[-1]) + 3_600 * NS_PER_S)
    sizes = world.recorder.batches.columns["payments"][:-1]  # the last may be cut off by the end
    closed = world.recorder.batches.columns["closed_ns"]
    waits = []
    first = 0
    for size, closed_ns in zip(sizes, closed, strict=False):
        waits += ((closed_ns - times[first : first + size]) / NS_PER_S).tolist()
        first += size
    return waits, sizes


def test_a_batch_closed_at_n_transactions_makes_them_wait_n_minus_1_over_2_lambda() -> None:
    n, rate = 20, 2.0
    waits, sizes = feed({"max_transactions": n, "max_interval_s": 3_600}, rate, 20_000, seed=1)
    assert set(sizes) == {n}
    assert np.mean(waits) == pytest.approx((n - 1) / (2 * rate), rel=0.02)


def test_a_timer_started_by_the_first_transaction_gives_the_stated_size_and_wait() -> None:
    rate, timer_s = 2.0, 5.0
    waits, sizes = feed({"max_interval_s": timer_s}, rate, 20_000, seed=2)
    assert np.mean(sizes) == pytest.approx(1 + rate * timer_s, rel=0.02)
    expected = timer_s * (1 + rate * timer_s / 2) / (1 + rate * timer_s)
    assert np.mean(waits) == pytest.approx(expected, rel=0.02)
