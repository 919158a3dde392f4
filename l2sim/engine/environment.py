"""The clock and the event queue: SimPy's own heap, with bare calls beside processes.

Time is a whole number of nanoseconds. Events happen in one stated order: by time, then by priority, then in
the order in which they were scheduled. Actors with a life of their own (a block producer, a sequencer) are
SimPy generator processes; the many (hops, HTLC timers, signature completions) are bare calls, which cost
half of a process step and can be cancelled.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, Final

import simpy
from simpy.events import NORMAL, URGENT, EventPriority

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000


def ns(seconds: float) -> int:
    """Seconds as whole nanoseconds, rounded to the nearest."""
    return round(seconds * NS_PER_S)


class Call:
    """One scheduled call of a function; `cancel()` takes it back."""

    __slots__ = ("_environment", "args", "function")

    def __init__(self, environment: "Environment", function: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._environment = environment
        self.function: Callable[..., object] | None = function
        self.args = args

    def run(self) -> None:
        """Make the call now, unless it was cancelled."""
        function, self.function = self.function, None
        if function is not None:
            function(*self.args)

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self.function is not None

    def cancel(self) -> None:
        """Take the call back; no effect when it has happened or was cancelled before."""
        if self.function is not None:
            self.function = None
            self.args = ()
            self._environment._count_cancelled()


class Environment(simpy.Environment):
    """A SimPy environment with integer nanoseconds, bare scheduled calls and an inclusive `run_until`.

    >>> environment = Environment()
    >>> seen = []
    >>> _ = environment.call_in(5, seen.append, "later")
    >>> _ = environment.call_at(5, seen.append, "same instant, scheduled second")
    >>> environment.run_until(5)
    2
    >>> seen, environment.now
    (['later', 'same instant, scheduled second'], 5)
    """

    def __init__(self, initial_time: int = 0) -> None:
        super().__init__(initial_time)
        self._cancelled = 0

    def call_at(self, time_ns: int, function: Callable[..., object], *args: Any) -> Call:
        """Call `function(*args)` at `time_ns`, which must not lie in the past."""
        return self._call(time_ns, NORMAL, function, args)

    def call_first_at(self, time_ns: int, function: Callable[..., object], *args: Any) -> Call:
        """Call `function(*args)` at `time_ns` before all plain calls of that instant, whenever they were scheduled."""
        return self._call(time_ns, URGENT, function, args)

    def _call(
        self, time_ns: int, priority: EventPriority, function: Callable[..., object], args: tuple[Any, ...]
    ) -> Call:
        if time_ns < self._now:
            raise ValueError(f"a call must not be scheduled in the past (got {time_ns} ns, now is {self._now} ns)")
        call = Call(self, function, args)
        heappush(self._queue, (time_ns, priority, next(self._eid), call))  # type: ignore[misc]  # a Call acts as an event
        return call

    def call_in(self, delay_ns: int, function: Callable[..., object], *args: Any) -> Call:
        """Call `function(*args)` after `delay_ns`, which must not be negative."""
        return self.call_at(int(self._now) + delay_ns, function, *args)

    @property
    def now(self) -> int:
        """The current simulated time in nanoseconds."""
        return self._now  # type: ignore[return-value]  # SimPy allows float; every time scheduled here is int

    def run_until(self, time_ns: int) -> int:
        """Run every event up to and including `time_ns`, set the clock to it, and say how many ran.

        SimPy's own `run(until=t)` leaves out the events at exactly t; this does not.
        """
        if time_ns < self._now:
            raise ValueError(f"cannot run back in time (got {time_ns} ns, now is {self._now} ns)")
        queue = self._queue
        count = 0
        while queue and queue[0][0] <= time_ns:
            event: Any = queue[0][3]
            if type(event) is Call:  # step() written out: this loop is the hottest of a run
                self._now = heappop(queue)[0]
                function = event.function
                if function is None:
                    self._cancelled -= 1
                    continue
                event.function = None
                function(*event.args)
            else:
                super().step()
            count += 1
        self._now = time_ns
        return count

    def run_while(self, condition: Callable[[], bool], limit_ns: int) -> bool:
        """Run event by event while `condition()` holds, up to and including `limit_ns`.

        Returns whether the condition ended the run; the clock stays at the last event that ran, or at
        `limit_ns` if the condition still holds there.
        """
        while condition():
            if self.peek() > limit_ns:
                self._now = max(self.now, limit_ns)
                return False
            self.step()
        return True

    def peek(self) -> int | float:
        """The time of the next event that will happen, or infinity."""
        queue = self._queue
        while queue:
            event: Any = queue[0][3]
            if type(event) is not Call or event.function is not None:
                break
            heappop(queue)
            self._cancelled -= 1
        return super().peek()

    def step(self) -> None:
        """Run the next event; raises SimPy's `EmptySchedule` if there is none."""
        self.peek()
        event: Any = self._queue[0][3] if self._queue else None
        if type(event) is not Call:
            super().step()
            return
        self._now = heappop(self._queue)[0]
        event.run()

    def _count_cancelled(self) -> None:
        """Clear the remains of cancelled calls once they are the larger part of the queue."""
        self._cancelled += 1
        if self._cancelled > 64 and 2 * self._cancelled > len(self._queue):
            # In place: run_until holds on to this very list.
            self._queue[:] = [entry for entry in self._queue if _is_live(entry[3])]
            heapify(self._queue)
            self._cancelled = 0


def _is_live(event: object) -> bool:
    return type(event) is not Call or event.function is not None
