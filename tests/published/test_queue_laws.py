"""Queue laws that the engine and its server must obey (textbook results; published-results 2.1).

One server, Poisson arrivals, load 0.8, mean service one second; times in seconds.

The means are regressed on control variates. Neither the service of a job nor the gap after it depends on what the
job met, so the products of their excess over the mean with the job's wait or stay have expectation zero, exactly;
and as the square of the next wait is made of just these products (Lindley), they explain most of the noise.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pytest

from l2sim.engine import NS_PER_S, Environment, Server, Stream, Streams, ns
from tests.support.statistics import EVENTS, Published

pytestmark = pytest.mark.published

LOAD = 0.8
WARM_UP_S = 2_000
"""Longer than ten relaxation times of the slowest queue here (M/G/1 with squared coefficient of variation 4)."""


class Service(NamedTuple):
    """A law of service times with mean one second, and its second moment in s2."""

    draw_ns: Callable[[Stream], int]
    second_moment: float


def hyperexponential_ns(stream: Stream) -> int:
    """Two exponential phases with balanced means; squared coefficient of variation 4."""
    often = (1 + math.sqrt(3 / 5)) / 2
    share = often if stream.uniform() < often else 1 - often
    return stream.exponential_ns(round(NS_PER_S / (2 * share)))


EXPONENTIAL = Service(lambda stream: stream.exponential_ns(NS_PER_S), 2.0)
CONSTANT = Service(lambda stream: NS_PER_S, 1.0)
HYPEREXPONENTIAL = Service(hyperexponential_ns, 5.0)

GAP_CONTROLS = {"stay x excess gap": 0.0, "excess squared gap": 0.0}
CONTROLS = {**GAP_CONTROLS, "wait x excess service": 0.0, "excess squared service": 0.0}


class Job(NamedTuple):
    """A job at its arrival; the end of a refused one is -1."""

    arrived_ns: int
    gap_ns: int
    service_ns: int
    end_ns: int


class Station:
    """Jobs at one server, one arrival ahead; the number in the system is the server's own count over time."""

    def __init__(self, streams: Streams, law: str, service: Service, capacity: int | None) -> None:
        self.environment = Environment()
        self.server = Server(self.environment, capacity=capacity)
        self.jobs: list[Job] = []
        self.number_ns = 0
        """Integral of the number in the system."""
        self.queue_ns = 0
        """Integral of the number that waits for service."""
        self._gaps = streams.get(f"{law}/arrivals")  # of its own, so that laws do not miss together by chance
        self._services = streams.get(f"{law}/service")
        self._service = service
        self._number = 0
        self._last_ns = 0
        self.environment.call_in(self._gap_ns(), self._arrive)

    def _gap_ns(self) -> int:
        return self._gaps.exponential_ns(round(NS_PER_S / LOAD))

    def _arrive(self) -> None:
        gap_ns = self._gap_ns()
        self.environment.call_in(gap_ns, self._arrive)
        self.count()
        service_ns = self._service.draw_ns(self._services)
        end_ns = self.server.submit(service_ns, self.count)
        self._number = self.server.in_system
        self.jobs.append(Job(self.environment.now, gap_ns, service_ns, -1 if end_ns is None else end_ns))

    def count(self) -> None:
        """Add the number in the system over the time since it last changed."""
        now = self.environment.now
        self.number_ns += self._number * (now - self._last_ns)
        self.queue_ns += max(0, self._number - 1) * (now - self._last_ns)
        self._number = self.server.in_system
        self._last_ns = now


def observe(
    streams: Streams, law: str, service: Service, jobs: int, capacity: int | None = None
) -> Mapping[str, float]:
    """Averages over a window in which `jobs` jobs arrive in the mean, after the warm-up."""
    station = Station(streams, law, service, capacity)
    window_s = jobs / LOAD
    events = station.environment.run_until(ns(WARM_UP_S))
    station.count()
    before, number_ns, queue_ns = len(station.jobs), station.number_ns, station.queue_ns
    events += station.environment.run_until(ns(WARM_UP_S + window_s))
    station.count()

    arrived, gap, length, end = np.array(station.jobs[before:], float).T / NS_PER_S
    served = end >= 0
    stay = np.where(served, end - arrived, 0)
    wait = np.where(served, stay - length, 0)
    number = (station.number_ns - number_ns) / NS_PER_S / window_s
    throughput = np.count_nonzero(served) / window_s
    return {
        "wait": wait[served].mean(),
        "stay": stay[served].mean(),
        "number": number,
        "queue": (station.queue_ns - queue_ns) / NS_PER_S / window_s,
        "little": number / (throughput * stay[served].mean()),
        "refused": 1 - served.mean(),
        "stays above 5 s": np.mean(stay > 5),
        "95th percentile": np.percentile(stay, 95),
        "stay x excess gap": np.sum(stay * (gap - 1 / LOAD)) / jobs,
        "excess squared gap": np.sum(gap**2 - 2 / LOAD**2) / jobs,
        "wait x excess service": np.sum(wait * (length - 1)) / jobs,
        "excess squared service": np.sum(length**2 - service.second_moment) / jobs,
        EVENTS: events,
    }


def test_m_m_1(published: Published) -> None:
    runs = published.replicate(observe, law="M/M/1", service=EXPONENTIAL, jobs=published.size(5_000, 100_000))
    for quantity, expected, half_width in [
        ("wait", 4.0, 0.03),
        ("stay", 5.0, 0.03),
        ("queue", 3.2, 0.03),
        ("number", 4.0, 0.03),
        ("stays above 5 s", math.exp(-0.2 * 5), 0.06),
        ("95th percentile", 5 * math.log(20), 0.06),
    ]:
        published.assert_law(
            f"M/M/1 {quantity}", runs, quantity, expected, tolerance=0.02, half_width=half_width, controls=CONTROLS
        )
    published.assert_little("M/M/1", runs, reduced=0.005)


def test_m_d_1(published: Published) -> None:
    runs = published.replicate(observe, law="M/D/1", service=CONSTANT, jobs=published.size(5_000, 50_000))
    for quantity, expected in [("wait", 2.0), ("stay", 3.0), ("queue", 1.6), ("number", 2.4)]:
        published.assert_law(
            f"M/D/1 {quantity}", runs, quantity, expected, tolerance=0.01, half_width=0.02, controls=GAP_CONTROLS
        )
    published.assert_little("M/D/1", runs, reduced=0.005)


def test_m_g_1_follows_pollaczek_khinchine(published: Published) -> None:
    runs = published.replicate(observe, law="M/G/1", service=HYPEREXPONENTIAL, jobs=published.size(10_000, 100_000))
    for quantity, expected in [("wait", 10.0), ("stay", 11.0), ("queue", 8.0), ("number", 8.8)]:
        published.assert_law(
            f"M/G/1 {quantity}", runs, quantity, expected, tolerance=0.02, half_width=0.05, controls=CONTROLS
        )
    published.assert_little("M/G/1", runs, reduced=0.005)


def test_m_m_1_10(published: Published) -> None:
    runs = published.replicate(
        observe, law="M/M/1/10", service=EXPONENTIAL, jobs=published.size(10_000, 150_000), capacity=10
    )
    shares = LOAD ** np.arange(11)
    shares /= shares.sum()
    number = float(shares @ np.arange(11))
    for quantity, expected, half_width in [("refused", 0.02349, 0.07), ("number", number, 0.02)]:
        published.assert_law(
            f"M/M/1/10 {quantity}", runs, quantity, expected, tolerance=0.02, half_width=half_width, controls=CONTROLS
        )
    published.assert_little("M/M/1/10", runs, reduced=0.005)
