"""Belief: what payers learned from their own attempts, sparse, one small table a payer.

A failure says that an edge could not carry an amount; everything before it on the route, and a whole route that
delivered, says that edges could. Path search weighs both by age (see `search`). Nothing here touches the truth.
"""

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.routing import Memory

NO_FAILURE = np.int64(2**62)  # msat: nothing is known to fail
RELAX_NS = 60 * 10**9  # a newer failure of a larger amount replaces an older one only after a minute (LND)


class PayerMemory:
    """What one payer learned: a row an edge, the rows of least recent news replaced when there are too many."""

    __slots__ = ("_keeps_successes", "_limit", "_news_ns", "_row_of", "count", "table")

    def __init__(self, limit: int, keeps_successes: bool = True) -> None:
        self._limit = limit
        self._keeps_successes = keeps_successes
        self._row_of: dict[int, int] = {}
        self._news_ns: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.count = 0
        """Rows in use."""
        self.table = Memory(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))

    def failed(self, position: int, amount_msat: int, now_ns: int) -> None:
        """The edge at that position could not carry the amount."""
        row = self._row(position, now_ns)
        table = self.table
        recent = table.failure_msat[row] != NO_FAILURE and now_ns - table.failure_ns[row] < RELAX_NS
        if not (recent and table.failure_msat[row] < amount_msat):
            table.failure_msat[row] = amount_msat
        table.failure_ns[row] = now_ns
        table.success_msat[row] = min(int(table.success_msat[row]), amount_msat - 1)

    def succeeded(self, position: int, amount_msat: int, now_ns: int) -> None:
        """The edge at that position carried the amount; without a failure before, noted only if successes count."""
        if not self._keeps_successes and position not in self._row_of:
            return
        row = self._row(position, now_ns)
        table = self.table
        if table.success_msat[row] < amount_msat:
            table.success_msat[row] = amount_msat
        if table.failure_msat[row] <= amount_msat:
            table.failure_msat[row] = amount_msat + 1

    def _row(self, position: int, now_ns: int) -> int:
        row = self._row_of.get(position)
        if row is None:
            if self.count < self._limit:
                row = self.count
                self.count += 1
                if row == len(self._news_ns):
                    self._grow()
            else:
                row = int(np.argmin(self._news_ns[: self.count]))
                del self._row_of[int(self.table.position[row])]
            self._row_of[position] = row
            self.table.position[row] = position
            self.table.failure_msat[row] = NO_FAILURE
            self.table.failure_ns[row] = 0
            self.table.success_msat[row] = 0
        self._news_ns[row] = now_ns
        return row

    def _grow(self) -> None:
        size = max(8, 2 * len(self._news_ns))
        self._news_ns = np.resize(self._news_ns, size)
        position, failure_msat, failure_ns, success_msat = self.table
        self.table = Memory(
            np.resize(position, size),
            np.resize(failure_msat, size),
            np.resize(failure_ns, size),
            np.resize(success_msat, size),
        )


class Belief:
    """The memories of all payers, made when a payer first learns something."""

    def __init__(self, entries: int, keeps_successes: bool = True) -> None:
        self._entries = entries
        self._keeps_successes = keeps_successes
        self._memories: dict[int, PayerMemory] = {}

    def of(self, node: int) -> PayerMemory | None:
        """What that node learned, or None if nothing yet."""
        return self._memories.get(node)

    def learn(self, node: int) -> PayerMemory:
        """The memory of that node to write into."""
        memory = self._memories.get(node)
        if memory is None:
            memory = self._memories[node] = PayerMemory(self._entries, self._keeps_successes)
        return memory
