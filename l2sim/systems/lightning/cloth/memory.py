"""Where it is kept what CLoTH's payers learn of pairs of nodes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.tables import Int32s, Int64s

Floats = npt.NDArray[np.float64]


class Memory(NamedTuple):
    """What payers learned of pairs of nodes: rows linked by payer, and for one search by the pair's first node.

    `first[payer]` and `last[payer]` are rows or -1; `used[0]` rows are in use. `failed_ms` is 0 for no failure.
    `left` is what is left of the failure at the time of the search.
    """

    first: Int32s
    last: Int32s
    used: Int64s
    source: Int32s
    target: Int32s
    success_msat: Int64s
    failure_msat: Int64s
    failed_ms: Int64s
    next: Int32s
    next_of_node: Int32s
    left: Floats


def make_memory(nodes: int, rows: int) -> Memory:
    """An empty memory for payers 0 to `nodes` - 1 with room for that many rows."""
    return Memory(
        np.full(nodes, -1, np.int32),
        np.full(nodes, -1, np.int32),
        np.zeros(1, np.int64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.full(rows, -1, np.int32),
        np.full(rows, -1, np.int32),
        np.zeros(rows, np.float64),
    )


def grown(memory: Memory) -> Memory:
    """The same memory with twice the room."""
    rows = len(memory.source)
    larger = make_memory(0, 2 * rows)._replace(first=memory.first, last=memory.last, used=memory.used)
    for name in ("source", "target", "success_msat", "failure_msat", "failed_ms", "next"):
        getattr(larger, name)[:rows] = getattr(memory, name)
    return larger
