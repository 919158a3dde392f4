"""95 % intervals hold the true value in about 95 of 100 studies, on models whose answer is known."""

import numpy as np

from l2sim.engine import NS_PER_S, Environment, Server, Streams
from l2sim.experiment.statistics import batch_means, interval, paired

LOAD = 0.3
STUDIES, REPLICATIONS, JOBS = 150, 10, 150


def mean_wait(seed: int, replication: int, speed: float = 1.0) -> float:
    """The mean wait of the first jobs of an M/M/1 queue that starts in its steady state, in seconds.

    The work that the first job finds, at time 0, is 0 with probability 1 - load, else exponential with the mean of
    a stay (Kleinrock, Queueing Systems I, section 5.12), so each job's expected wait is load / (1 - load) services.
    """
    streams = Streams(seed, replication)
    environment, start = Environment(), streams.get("start").generator
    server = Server(environment)
    load = LOAD / speed
    service_ns = NS_PER_S / speed
    busy, stay = start.random(), start.exponential()
    if busy < load:
        server.submit(round(stay * service_ns / (1 - load)), lambda: None)
    already_ns = server.waiting_ns
    gaps = streams.get("gaps").generator.exponential(NS_PER_S / LOAD, JOBS)
    gaps[0] = 0.0
    services = streams.get("services").generator.exponential(service_ns, JOBS)
    for time, service in zip(np.cumsum(gaps).round().tolist(), services.round().tolist(), strict=True):
        environment.call_at(int(time), server.submit, int(service), lambda: None)
    environment.run_until(int(gaps.sum()) + 1)
    return (server.waiting_ns - already_ns) / JOBS / NS_PER_S


def true_wait(speed: float = 1.0) -> float:
    load = LOAD / speed
    return load / (1 - load) / speed


def test_intervals_over_replications_cover_the_wait_of_a_queue() -> None:
    covered = paired_covered = 0
    narrower, waits = [], []
    for study in range(STUDIES):
        slow = [mean_wait(study, k) for k in range(REPLICATIONS)]
        fast = [mean_wait(study, k, speed=1.25) for k in range(REPLICATIONS)]
        waits += slow
        found, difference = interval(slow), paired(fast, slow)
        assert found.low is not None
        assert found.high is not None
        assert difference.low is not None
        assert difference.high is not None
        covered += found.low <= true_wait() <= found.high
        paired_covered += difference.low <= true_wait() - true_wait(1.25) <= difference.high
        narrower.append((difference.half_width or 0.0) / (found.half_width or 1.0))
    assert abs(interval(waits).mean - true_wait()) < 1.5 * (interval(waits).half_width or 0.0), "three standard errors"
    # A wait is skewed, so that intervals of ten means cover a little less than they say; 150 studies tell a
    # coverage to within 0.035 (two standard errors).
    assert 0.88 <= covered / STUDIES <= 0.985
    assert 0.88 <= paired_covered / STUDIES <= 0.985
    assert np.mean(narrower) < 0.75, "pairing must pay"


def test_intervals_of_normal_values_cover_exactly() -> None:
    draws = np.random.Generator(np.random.PCG64(11)).normal(3.0, 2.0, (4000, 5))
    found = [interval(row) for row in draws.tolist()]
    covered = sum(one.low <= 3.0 <= one.high for one in found if one.low is not None and one.high is not None)
    assert abs(covered / 4000 - 0.95) < 0.0105, "three standard errors of 4,000 studies"


def test_batch_means_cover_the_mean_of_a_correlated_series_where_single_values_do_not() -> None:
    generator = np.random.Generator(np.random.PCG64(12))
    series, value = np.empty((300, 4000)), generator.normal(0.0, 1 / np.sqrt(1 - 0.8**2), 300)
    for step in range(4000):  # a first-order autoregression from its steady state, with mean 0
        value = 0.8 * value + generator.normal(size=300)
        series[:, step] = value
    batches = [batch_means(row) for row in series.tolist()]
    singles = [interval(row) for row in series.tolist()]
    covered, naive = (sum(not one.excludes_zero for one in found) / 300 for found in (batches, singles))
    assert 0.91 <= covered <= 0.985
    assert naive < 0.6
