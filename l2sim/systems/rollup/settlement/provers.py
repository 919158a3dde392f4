"""Provers: machines that work at batches in parallel, and stand still in outages."""

from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace
from typing import Any

from l2sim.engine import Environment, ns
from l2sim.systems.rollup.settlement.config import OutageConfig


class Provers:
    """First come, first served; work under way when an outage begins goes on after it.

    >>> environment = Environment()
    >>> provers = Provers(environment, 1, [OutageConfig(start_s=1, duration_s=10)])
    >>> provers.submit(3 * 10**9, print, "done")
    13000000000
    """

    def __init__(self, environment: Environment, count: int, outages: Sequence[OutageConfig] = ()) -> None:
        self._environment = environment
        self._free_at_ns = [0] * count
        heapify(self._free_at_ns)
        self._outages = [(ns(outage.start_s), ns(outage.start_s + outage.duration_s)) for outage in outages]
        self.busy_ns = 0
        """Time worked, all machines together."""

    def submit(self, service_ns: int, done: Callable[..., object], *args: Any) -> int:
        """Give a job to the machine that is free first, and call `done(*args)` at its end; returns that time."""
        start_ns = max(self._environment.now, self._free_at_ns[0])
        finish_ns = self.finish_ns(start_ns, service_ns)
        heapreplace(self._free_at_ns, finish_ns)
        self.busy_ns += service_ns
        self._environment.call_at(finish_ns, done, *args)
        return finish_ns

    def finish_ns(self, start_ns: int, service_ns: int) -> int:
        """When work that takes so long is done if it begins then; outages are left out."""
        at_ns, left_ns = start_ns, service_ns
        for begin_ns, end_ns in self._outages:
            if end_ns <= at_ns:
                continue
            if at_ns + left_ns <= begin_ns:
                break
            left_ns -= max(0, begin_ns - at_ns)
            at_ns = end_ns
        return at_ns + left_ns
