"""Queue laws that the engine and its server must obey (textbook results; published-results item 1).

Full-size runs are the same functions with more jobs; here the tolerance fits the reduced size.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest

from l2sim.engine import NS_PER_S, Environment, Server, Streams

pytestmark = pytest.mark.published

LOAD = 0.8
MEAN_SERVICE_NS = NS_PER_S


class Station:
    """Poisson arrivals at one server, one arrival ahead; measures each job's wait and stay, and the mean number."""

    def __init__(self, service_ns: Callable[[], int], jobs: int, capacity: int | None = None, seed: int = 1) -> None:
        self.environment = Environment()
        self.server = Server(self.environment, capacity=capacity)
        self.arrivals = Streams(seed).get("arrivals")
        self.service_ns = service_ns
        self.jobs = jobs
        self.refusals: list[bool] = []
        self.waits: list[int] = []
        self.stays: list[int] = []
        self.area = 0  # integral of the number in the system over time
        self._last_ns = 0
        self.environment.call_in(self._gap(), self._arrive)
        while self.environment.peek() != math.inf:
            self.environment.step()

    def _gap(self) -> int:
        return self.arrivals.exponential_ns(round(MEAN_SERVICE_NS / LOAD))

    def _count(self) -> None:
        now = self.environment.now
        self.area += self._in_system * (now - self._last_ns)
        self._last_ns = now

    _in_system = 0

    def _arrive(self) -> None:
        self._count()
        service = self.service_ns()
        arrived = self.environment.now
        finish = self.server.submit(service, self._leave)
        self.refusals.append(finish is None)
        if finish is not None:
            self._in_system += 1
            self.waits.append(finish - service - arrived)
            self.stays.append(finish - arrived)
        self.jobs -= 1
        if self.jobs:
            self.environment.call_in(self._gap(), self._arrive)

    def _leave(self) -> None:
        self._count()
        self._in_system -= 1


def exponential_service(seed: int) -> Callable[[], int]:
    stream = Streams(seed).get("service")
    return lambda: stream.exponential_ns(MEAN_SERVICE_NS)


def hyperexponential_service(seed: int) -> Callable[[], int]:
    """Balanced two-phase hyperexponential with mean 1 and squared coefficient of variation 4."""
    stream = Streams(seed).get("service")
    scv = 4.0
    p = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2

    def draw() -> int:
        branch = p if stream.uniform() < p else 1 - p
        return stream.exponential_ns(round(MEAN_SERVICE_NS / (2 * branch)))

    return draw


JOBS = 250_000
BATCHES = 20
T_99 = 2.861  # Student's t, 19 degrees of freedom, two-sided 99 % (any table of it)


def assert_mean(values: list[int] | list[float], expected: float, tolerance: float) -> None:
    """The mean lies within `tolerance` of the law, and the law within the 99 % interval of the batch means."""
    means = np.array([batch.mean() for batch in np.array_split(np.asarray(values, float), BATCHES)])
    half_width = T_99 * means.std(ddof=1) / math.sqrt(BATCHES)
    assert means.mean() == pytest.approx(expected, rel=tolerance)
    assert abs(means.mean() - expected) <= half_width
    assert half_width < 0.25 * expected, "the run is too short to say anything"


def in_seconds(values: list[int]) -> list[float]:
    return [value / NS_PER_S for value in values]


def test_m_m_1_waits_stays_and_tail() -> None:
    station = Station(exponential_service(2), JOBS)
    assert_mean(in_seconds(station.waits), 4.0, 0.06)
    assert_mean(in_seconds(station.stays), 5.0, 0.05)
    assert np.percentile(station.stays, 95) / NS_PER_S == pytest.approx(14.98, rel=0.06)


def test_m_d_1_waits_half_as_long() -> None:
    station = Station(lambda: MEAN_SERVICE_NS, JOBS)
    assert_mean(in_seconds(station.waits), 2.0, 0.05)
    assert_mean(in_seconds(station.stays), 3.0, 0.04)


def test_m_g_1_follows_pollaczek_khinchine() -> None:
    station = Station(hyperexponential_service(3), 2 * JOBS)
    assert_mean(in_seconds(station.waits), 10.0, 0.10)


def test_m_m_1_10_blocks_the_stated_share() -> None:
    station = Station(exponential_service(4), 2 * JOBS, capacity=10)
    assert_mean([float(refused) for refused in station.refusals], 0.02349, 0.05)


def test_little_holds_to_half_a_percent() -> None:
    station = Station(exponential_service(5), JOBS)
    span_s = station.environment.now / NS_PER_S
    mean_number = station.area / station.environment.now
    arrival_rate = len(station.stays) / span_s
    assert mean_number == pytest.approx(arrival_rate * np.mean(in_seconds(station.stays)), rel=0.005)
