"""One channel as a random walk: unit payments over a channel of C units succeed as the walk's law says.

Source: gambler's ruin and M/M/1/K; for payment channels Shabgahi, Hosseini, Shariatpanahi, Bahrak, "Modeling
Effective Lifespan of Payment Channels", ePrint 2022/1376. Some thousand payments go through the real channel and
must be decided one by one as by the bare walk; the bare walk meets the law within 1 % at 10**6 payments.
"""

import numpy as np
import pytest

from l2sim.results.outcomes import Outcome
from tests.support.lightning import FRICTIONLESS, SAT, line, on_graph, settings

pytestmark = pytest.mark.published

UNIT_MSAT = 1_000 * SAT
CONFIG = settings(**FRICTIONLESS, payer={"policy": "cheapest"})


def channel(capacity, start, directions):
    """A channel of that many units, and one payment after the other: True from its first node."""
    rows = [(float(i), 0 if right else 1, 1 if right else 0, UNIT_MSAT) for i, right in enumerate(directions)]
    graph = line((start * 1_000, (capacity - start) * 1_000))
    return on_graph(graph, rows, CONFIG, payments_s=len(rows) + 1)


def bare_walk(capacity, start, directions):
    """Which payments are blocked when each moves one unit, if it is there."""
    left, blocked = start, []
    for right in directions:
        blocked.append(left == 0 if right else left == capacity)
        if not blocked[-1]:
            left += -1 if right else 1
    return np.array(blocked)


@pytest.mark.parametrize(
    ("capacity", "p", "expected", "forward", "backward"),
    [
        (10, 0.5, 10 / 11, 1 / 11, 1 / 11),
        (20, 0.5, 20 / 21, 1 / 21, 1 / 21),
        (100, 0.5, 100 / 101, 1 / 101, 1 / 101),
        (10, 0.6, 0.7953, 0.3372, 0.00585),
        (20, 0.55, 0.8970, 0.1845, 0.00334),
    ],
)
def test_success_is_that_of_a_finite_queue(capacity, p, expected, forward, backward):
    directions = np.random.default_rng(11).random(1_000_000) < p
    blocked = bare_walk(capacity, capacity // 2, directions.tolist())
    assert 1 - blocked.mean() == pytest.approx(expected, rel=0.01)
    assert blocked[directions].mean() == pytest.approx(forward, rel=0.02, abs=0.0025)
    assert blocked[~directions].mean() == pytest.approx(backward, rel=0.02, abs=0.0025)

    system = channel(capacity, capacity // 2, directions[:8_000].tolist())
    system.open()
    system.world.environment.run_until(system.world.horizon.settle_ns)
    outcome = system.world.recorder.payments.outcome
    assert ((outcome == Outcome.INSUFFICIENT_FUNDS) == blocked[:8_000]).all()
    assert (outcome[~blocked[:8_000]] == Outcome.COMPLETED).all()
    assert (outcome == Outcome.COMPLETED).mean() == pytest.approx(expected, rel=0.02)
    system.audit().check("after the walk")


def depletions(capacity, start, p, runs, seed):
    """Payments until one side is empty, and which side: one row a run, each from the same start."""
    rng = np.random.default_rng(seed)
    lengths, sender_empty = [], []
    for _ in range(runs):
        # A walk that is long enough; the channel is read after each payment.
        system = channel(capacity, start, (rng.random(40 * capacity) < p).tolist())
        system.open()
        environment, balance = system.world.environment, system.state.balance_msat
        for count in range(1, 40 * capacity + 1):
            environment.run_until(system.world.horizon.payments_ns + count * 10**9 - 1)
            if not balance.all():
                lengths.append(count)
                sender_empty.append(balance[0] == 0)
                break
    return np.array(lengths), np.array(sender_empty)


@pytest.mark.parametrize(
    ("capacity", "start", "p", "expected", "sender_share", "runs"),
    [(20, 10, 0.5, 100.0, 0.5, 100), (20, 10, 0.55, 76.30, 0.8815, 100), (100, 50, 0.6, 250.0, 1.0, 12)],
)
def test_first_depletion_takes_as_long_as_the_gamblers_ruin(capacity, start, p, expected, sender_share, runs):
    lengths, sender_empty = depletions(capacity, start, p, runs, seed=13)
    assert len(lengths) == runs
    error = lengths.std(ddof=1) / np.sqrt(runs)
    assert abs(lengths.mean() - expected) < 2.6 * error  # inside the 99 % interval
    assert abs(sender_empty.mean() - sender_share) < 2.6 * np.sqrt(0.25 / runs)


def bare_depletion(start, capacity, directions):
    """How many payments until one side is empty."""
    left = start + np.cumsum(np.where(directions, -1, 1))
    return int(np.argmax((left == 0) | (left == capacity))) + 1


def test_first_depletion_of_a_balanced_hundred_takes_two_thousand_five_hundred():
    # Row 2.2 at p = 1/2: 50 x 50. The law's runs are long and vary as much as they last, so the bare walk meets it
    # over four thousand runs, and the channel is depleted by the same payment as the bare walk.
    rng = np.random.default_rng(17)
    left = np.full(4_000, 50)
    lengths = []
    for count in range(1, 60_001):
        left += np.where(rng.random(len(left)) < 0.5, -1, 1)
        over = (left == 0) | (left == 100)
        lengths += [count] * int(over.sum())
        left = left[~over]
        if not len(left):
            break
    assert len(lengths) == 4_000
    error = np.std(lengths, ddof=1) / np.sqrt(4_000)
    assert abs(np.mean(lengths) - 2_500) < 2.6 * error < 0.04 * 2_500
    for seed in (1, 2):
        directions = np.random.default_rng(seed).random(12_000) < 0.5
        expected = bare_depletion(50, 100, directions)
        system = channel(100, 50, directions[: expected + 1].tolist())
        system.open()
        environment, start_ns = system.world.environment, system.world.horizon.payments_ns
        environment.run_until(start_ns + (expected - 1) * 10**9 - 1)
        assert system.state.balance_msat.all()
        environment.run_until(start_ns + expected * 10**9 - 1)
        assert not system.state.balance_msat.all()
