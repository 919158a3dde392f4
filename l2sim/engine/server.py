"""A CPU with a queue: work is served first come, first served, and its cost limits throughput."""

from collections.abc import Callable
from heapq import heapify, heapreplace
from typing import Any

from l2sim.engine.environment import Environment


class Server:
    """A first-come-first-served server with one or more cores and, if asked for, a bounded queue.

    Because service is in order of arrival and its length is known on arrival, a job's completion is known at
    once: it is scheduled as one bare call, and no queue is kept.
    """

    __slots__ = ("_environment", "_free_at_ns", "_in_system", "busy_ns", "capacity", "jobs", "waiting_ns")

    def __init__(self, environment: Environment, cores: int = 1, capacity: int | None = None) -> None:
        if cores < 1:
            raise ValueError(f"cores must be at least 1 (got {cores})")
        if capacity is not None and capacity < cores:
            raise ValueError(f"capacity must be at least the number of cores, {cores} (got {capacity})")
        self._environment = environment
        self._free_at_ns = [0] * cores
        heapify(self._free_at_ns)
        self._in_system = 0
        self.capacity = capacity
        self.jobs = 0
        self.busy_ns = 0
        self.waiting_ns = 0

    @property
    def in_system(self) -> int:
        """Jobs waiting or in service now."""
        return self._in_system

    @property
    def free_at_ns(self) -> int:
        """When the first core will be free of the work accepted so far."""
        return self._free_at_ns[0]

    def submit(self, service_ns: int, done: Callable[..., object], *args: Any) -> int | None:
        """Queue a job of `service_ns` and call `done(*args)` at its end; returns that time, or None if full."""
        if service_ns < 0:
            raise ValueError(f"service_ns must be at least 0 (got {service_ns})")
        if self.capacity is not None and self._in_system >= self.capacity:
            return None
        now = self._environment.now
        start = max(now, self._free_at_ns[0])
        finish = start + service_ns
        heapreplace(self._free_at_ns, finish)
        self._in_system += 1
        self.jobs += 1
        self.busy_ns += service_ns
        self.waiting_ns += start - now
        self._environment.call_at(finish, self._finish, done, args)
        return finish

    def _finish(self, done: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._in_system -= 1
        done(*args)
