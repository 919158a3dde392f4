"""The nodes of one level of a sparse tree: an array where they lie dense, a hash table where they are scattered.

Accounts are mostly numbered from zero up, so the low positions of a level go to a plain array, read and written
directly. Positions beyond it go to an open-addressed table. The array doubles as long as at least half of it would
be in use, taking over from the table what then belongs to it.
"""

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.trees.rows import NODE_BYTES, Rows

Positions = NDArray[np.uint64]

_FIRST_ARRAY = 1 << 10
_ROW = np.dtype(f"V{NODE_BYTES}")  # one row as one item: taken and put as a whole, several times faster
_PAIR = np.dtype(f"V{2 * NODE_BYTES}")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads consecutive keys (Knuth, TAOCP 3, 6.4)
_EMPTY = -1


class ScatteredNodes:
    """Rows of 32 bytes by 64-bit key, in a table with linear probing that is at most half full."""

    def __init__(self) -> None:
        """Start with no rows."""
        self._count = 0
        self._keys = np.empty(0, np.uint64)
        self._rows = np.empty(0, _ROW)
        self._slots = np.full(16, _EMPTY, np.int64)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    @property
    def keys(self) -> Positions:
        """The keys of the rows, in the order they came."""
        return self._keys[: self._count]

    @property
    def rows(self) -> NDArray[np.void]:
        """The rows, in the order of `keys`."""
        return self._rows[: self._count]

    def find(self, keys: Positions) -> NDArray[np.int64]:
        """Return the place of each key among the rows, or -1."""
        found = np.full(len(keys), _EMPTY, np.int64)
        if not self._count:
            return found
        mask = len(self._slots) - 1
        asked = np.arange(len(keys))
        places = self._first_places(keys)
        while len(asked):
            rows = self._slots[places]
            hit = (rows != _EMPTY) & (self._keys[rows] == keys[asked])
            found[asked[hit]] = rows[hit]
            going = (rows != _EMPTY) & ~hit
            asked, places = asked[going], (places[going] + 1) & mask
        return found

    def put(self, keys: Positions, rows: NDArray[np.void]) -> None:
        """Write the rows of distinct `keys`, new or known."""
        found = self.find(keys)
        known = found != _EMPTY
        self._rows[found[known]] = rows[known]
        new = ~known
        added = int(np.count_nonzero(new))
        if not added:
            return
        self._reserve(self._count + added)
        self._keys[self._count : self._count + added] = keys[new]
        self._rows[self._count : self._count + added] = rows[new]
        self._enter(np.arange(self._count, self._count + added))
        self._count += added

    def _first_places(self, keys: Positions) -> NDArray[np.int64]:
        shift = np.uint64(64 - (len(self._slots) - 1).bit_length())
        return ((keys * _GOLDEN) >> shift).astype(np.int64)

    def _reserve(self, count: int) -> None:
        if count > len(self._keys):
            capacity = max(count, len(self._keys) * 3 // 2)
            self._keys = np.concatenate([self.keys, np.empty(capacity - self._count, np.uint64)])
            self._rows = np.concatenate([self.rows, np.empty(capacity - self._count, _ROW)])
        if 2 * count > len(self._slots):
            self._slots = np.full(1 << (2 * count - 1).bit_length(), _EMPTY, np.int64)
            self._enter(np.arange(self._count))

    def _enter(self, rows: NDArray[np.int64]) -> None:
        """Find a slot for each of the rows, whose keys are in place and not yet in the table."""
        mask = len(self._slots) - 1
        places = self._first_places(self._keys[rows])
        while len(rows):
            free = self._slots[places] == _EMPTY
            self._slots[places[free]] = rows[free]  # of several that claim a slot, the last one has it
            waiting = self._slots[places] != rows
            rows, places = rows[waiting], (places[waiting] + 1) & mask


class LevelNodes:
    """The nodes of one level; those never written are the root of an empty subtree."""

    def __init__(self, width: int, empty: bytes) -> None:
        """Start a level of `width` positions, a power of two, all holding `empty`."""
        self._width = width
        self._empty = np.frombuffer(empty, _ROW)
        self._array = np.full(min(width, _FIRST_ARRAY), self._empty, _ROW)
        self._scattered = ScatteredNodes()
        self._next_try = 0

    def get(self, positions: Positions) -> Rows:
        """Return the nodes at sorted `positions` as an array (k, 32)."""
        cut = self._cut(positions)
        rows = np.empty(len(positions), _ROW)
        rows[:cut] = self._array.take(_places(positions[:cut]))
        rows[cut:] = self._get_scattered(positions[cut:])
        return _as_bytes(rows, NODE_BYTES)

    def get_pairs(self, parents: Positions) -> Rows:
        """Return both children of each of sorted `parents`, positions one level up, as an array (k, 64)."""
        cut = int(np.searchsorted(parents, np.uint64(len(self._array) // 2)))
        if cut == len(parents):
            return _as_bytes(self._array.view(_PAIR).take(_places(parents)), 2 * NODE_BYTES)
        pairs = np.empty(len(parents), _PAIR)
        pairs[:cut] = self._array.view(_PAIR).take(_places(parents[:cut]))
        far = pairs[cut:].view(_ROW)
        left = parents[cut:] << np.uint64(1)
        far[0::2] = self._get_scattered(left)
        far[1::2] = self._get_scattered(left | np.uint64(1))
        return _as_bytes(pairs, 2 * NODE_BYTES)

    def put(self, positions: Positions, nodes: Rows) -> None:
        """Write nodes (k, 32) at sorted, distinct `positions`."""
        rows = nodes.view(_ROW).reshape(-1)
        cut = self._cut(positions)
        if cut < len(positions) and len(self._scattered) + len(positions) - cut >= self._next_try:
            self._widen(positions[cut:])
            cut = self._cut(positions)
        self._array[_places(positions[:cut])] = rows[:cut]
        if cut < len(positions):
            self._scattered.put(positions[cut:], rows[cut:])

    def _cut(self, positions: Positions) -> int:
        """Return how many of the sorted positions lie in the array."""
        if len(self._array) == self._width:
            return len(positions)
        return int(np.searchsorted(positions, np.uint64(len(self._array))))

    def _get_scattered(self, positions: Positions) -> NDArray[np.void]:
        found = self._scattered.find(positions)
        rows = np.full(len(positions), self._empty, _ROW)
        there = found != _EMPTY
        rows[there] = self._scattered.rows[found[there]]
        return rows

    def _widen(self, new: Positions) -> None:
        """Double the array as far as at least half of it is in use, counting the positions about to come."""
        used = self._used()
        outside = np.concatenate([self._scattered.keys, new])  # a key met twice only lets the array grow sooner
        size = best = before = len(self._array)
        while size < self._width and size < 2 * (used + len(outside)):
            size *= 2
            if 2 * (used + int(np.count_nonzero(outside < size))) >= size:
                best = size
        if best > before:
            old, self._array = self._array, np.full(best, self._empty, _ROW)
            self._array[:before] = old
            keys, rows = self._scattered.keys, self._scattered.rows
            inside = keys < best
            self._array[_places(keys[inside])] = rows[inside]
            self._scattered = ScatteredNodes()
            self._scattered.put(keys[~inside], rows[~inside])
        # While all positions lie in the array, the first beyond its end looks again; outliers do not each time.
        self._next_try = 2 * len(self._scattered) if best > before else 2 * (len(outside) + 1)

    def _used(self) -> int:
        words = self._array.view(np.uint64).reshape(-1, NODE_BYTES // 8)
        return int(np.count_nonzero((words != self._empty.view(np.uint64)).any(axis=1)))


def _places(positions: Positions) -> NDArray[np.int64]:
    """Return positions within an array as numpy indexes by them, without a copy."""
    return positions.view(np.int64)


def _as_bytes(rows: NDArray[np.void], width: int) -> Rows:
    return rows.view(np.uint8).reshape(-1, width)
