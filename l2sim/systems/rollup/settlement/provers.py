"""Provers: machines that work at batches in parallel, and stand still in outages."""

from collections.abc import Callable
from heapq import heapify, heapreplace
from typing import Any

from l2sim.engine import Environment
from l2sim.systems.rollup.outages import Outages


class Provers:
    """First come, first served; work under way when an outage begins goes on after it.

    >>> environment = Environment()
    >>> provers = Provers(environment, 2, Outages([], payments_ns=0))
    >>> [provers.submit(3 * 10**9, print, "done") // 10**9 for _ in range(3)]
    [3, 3, 6]
    """

    def __init__(self, environment: Environment, count: int, outages: Outages) -> None:
        self._environment = environment
        self._free_at_ns = [0] * count
        heapify(self._free_at_ns)
        self._outages = outages
        self.busy_ns = 0
        """Time worked, all machines together."""

    def submit(self, service_ns: int, done: Callable[..., object], *args: Any) -> int:
        """Give a job to the machine that is free first, and call `done(*args)` at its end; returns that time."""
        start_ns = max(self._environment.now, self._free_at_ns[0])
        finish_ns = self._outages.finish_ns(start_ns, service_ns)
        heapreplace(self._free_at_ns, finish_ns)
        self.busy_ns += service_ns
        self._environment.call_at(finish_ns, done, *args)
        return finish_ns
