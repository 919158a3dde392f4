"""What waits for an L2 block: payments in their order, and those whose time is still to come."""

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]

NONE: Indices = np.empty(0, np.int64)


class WaitingPayments:
    """The sequencer's mempool, in runs of payments as they came; it holds so many and no more.

    >>> waiting = WaitingPayments(limit=3)
    >>> waiting.admit(np.arange(4)).tolist(), len(waiting)
    ([3], 3)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: deque[Indices] = deque()
        self._count = 0
        self._times_ns = NONE
        self._arrived = 0

    def __len__(self) -> int:
        return self._count

    def follow(self, times_ns: Indices) -> None:
        """Payment i comes at `times_ns[i]`; the times never fall."""
        self._times_ns = times_ns

    @property
    def next_ns(self) -> int | None:
        """When the next payment comes of those that are followed; None if all have."""
        return int(self._times_ns[self._arrived]) if self._arrived < len(self._times_ns) else None

    def arrive(self, now_ns: int) -> Indices:
        """Those that have come by now and were not told yet; they do not wait until they are admitted."""
        before, self._arrived = self._arrived, int(np.searchsorted(self._times_ns, now_ns, side="right"))
        return np.arange(before, self._arrived)

    def admit(self, payments: Indices) -> Indices:
        """Let payments wait; returns those at the end for which there is no room."""
        room = self._limit - self._count
        taken, dropped = payments[:room], payments[room:]
        if len(taken):
            self._runs.append(taken)
            self._count += len(taken)
        return dropped

    def all(self) -> Indices:
        """All that wait, the first one first."""
        return np.concatenate([NONE, *self._runs])

    def keep(self, payments: Indices) -> None:
        """Let these wait in place of all."""
        self._runs = deque([payments] if len(payments) else [])
        self._count = len(payments)

    def runs(self) -> Iterator[Indices]:
        """One run after the other, each taken out; what is not used of it goes back by `put_back`."""
        while self._runs:
            run = self._runs.popleft()
            self._count -= len(run)
            yield run

    def put_back(self, payments: Indices) -> None:
        """Let these wait before all others."""
        if len(payments):
            self._runs.appendleft(payments)
            self._count += len(payments)

    def give_up(self) -> Indices:
        """Let nothing wait and nothing come any more; what did and what would have."""
        rest = np.concatenate([self.all(), np.arange(self._arrived, len(self._times_ns))])
        self.keep(NONE)
        self._arrived = len(self._times_ns)
        return rest
