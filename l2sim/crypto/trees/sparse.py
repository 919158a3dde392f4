"""A sparse Merkle tree of accounts, updated a batch at a time.

The tree has 2^depth leaves of 32 bytes; a leaf never written is 32 zero bytes, and an empty subtree's hash depends
on its height alone. An update hashes only the paths it touches, level by level, each level as one batch.
`l2sim.crypto.trees.sparse_plain` is the same tree in plain Python, and the tests hold both equal.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.hashing import hash_function
from l2sim.crypto.trees.nodes import LevelNodes, Positions
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_index, check_node, climb, row_bytes

EMPTY_LEAF = bytes(NODE_BYTES)
MAXIMUM_DEPTH = 64


@dataclass(frozen=True, slots=True)
class SparseProof:
    """The leaf at `index` and the siblings of its path, from the leaf's level up.

    With `leaf` equal to `EMPTY_LEAF` it proves that nothing is at `index`.
    """

    index: int
    leaf: bytes
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Overwritten:
    """What one update wrote over: for each level, positions and the nodes that were there."""

    root: bytes
    levels: tuple[tuple[Positions, Rows], ...]


@lru_cache(maxsize=16)
def empty_subtrees(depth: int, hash: str) -> tuple[bytes, ...]:
    """Return the hashes of empty subtrees of height 0 to `depth`."""
    single = hash_function(hash).single
    found = [EMPTY_LEAF]
    for _ in range(depth):
        found.append(single(found[-1] * 2))
    return tuple(found)


class SparseMerkleTree:
    """A Merkle tree of 2^depth leaves, of which few are in use.

    `depth` is 1 to 64, `hash` is `keccak256`, `sha256` or `sha256d`. `history` is how many past versions stay
    readable for disputes (`root_at`, `prove`, `rollback`): what an update writes over is kept, some 40 bytes a node;
    `None` keeps all. `threads` bounds the cores used by hashing, by default all that the process may use.

    Ten million accounts numbered from zero take about 1.1 GB and some seconds to build; indices spread over the
    whole range take up to 0.8 kB each and nine times as long, since nearly each has a path of its own.

    >>> tree = SparseMerkleTree(history=1)
    >>> root = tree.update(np.array([7], np.uint64), np.full((1, 32), 1, np.uint8))
    >>> verify_proof(root, tree.prove(7)), verify_proof(root, tree.prove(8)), tree.prove(8).leaf == EMPTY_LEAF
    (True, True, True)
    >>> verify_proof(tree.root_at(0), tree.prove(7, version=0))
    True
    """

    def __init__(
        self, depth: int = 32, hash: str = "keccak256", *, history: int | None = 0, threads: int | None = None
    ) -> None:
        """Start with all leaves empty."""
        if not 1 <= depth <= MAXIMUM_DEPTH:
            raise ValueError(f"depth: must be at least 1 and at most {MAXIMUM_DEPTH} (got {depth})")
        if history is not None and history < 0:
            raise ValueError(f"history: must be at least 0, or None to keep all versions (got {history})")
        self._depth = depth
        self._hash = hash_function(hash)
        self._history = history
        self._threads = threads
        self._empty = empty_subtrees(depth, hash)
        self._levels = [LevelNodes(1 << (depth - height), self._empty[height]) for height in range(depth)]
        self._root = self._empty[depth]
        self._version = 0
        self._journal: list[_Overwritten] = []

    @property
    def depth(self) -> int:
        """Levels between a leaf and the root."""
        return self._depth

    @property
    def hash(self) -> str:
        """The name of the node hash."""
        return self._hash.name

    @property
    def root(self) -> bytes:
        """The root now."""
        return self._root

    @property
    def version(self) -> int:
        """How many updates were made."""
        return self._version

    @property
    def oldest_version(self) -> int:
        """The oldest version that can still be read."""
        return self._version - len(self._journal)

    def update(self, indices: NDArray[np.uint64], leaves: RowsLike) -> bytes:
        """Write `leaves` (k, 32) at `indices` (k,), in any order, and return the new root.

        A leaf of zeros empties its place. Each call is one version. Raises `ValueError` where the shapes differ, an
        index does not fit the depth, or an index comes twice.
        """
        rows = as_rows("leaves", leaves)
        positions = self._as_positions(indices)
        if len(positions) != len(rows):
            raise ValueError(f"leaves: must be as many as indices = {len(positions)} (got {len(rows)})")
        if len(positions) > 1 and not bool((positions[:-1] < positions[1:]).all()):
            order = np.argsort(positions, kind="stable")
            positions, rows = positions[order], rows[order]
            twice = np.flatnonzero(positions[:-1] == positions[1:])
            if len(twice):
                raise ValueError(f"indices: must be distinct (got {int(positions[twice[0]])} more than once)")
        overwritten: list[tuple[Positions, Rows]] = []
        before = self._root
        if len(positions):
            for level in self._levels:
                if self._history != 0:
                    overwritten.append((positions, level.get(positions)))
                level.put(positions, rows)
                positions = _parents(positions)
                rows = self._hash.batch(level.get_pairs(positions), threads=self._threads)
            self._root = row_bytes(rows, 0)
        self._version += 1
        self._remember(_Overwritten(before, tuple(overwritten)))
        return self._root

    def get(self, indices: NDArray[np.uint64]) -> Rows:
        """Return the leaves (k, 32) at `indices` (k,), zeros where nothing is."""
        positions = self._as_positions(indices)
        order = np.argsort(positions, kind="stable")
        rows = np.empty((len(positions), NODE_BYTES), np.uint8)
        rows[order] = self._levels[0].get(positions[order])
        return rows

    def nodes(self, height: int, count: int) -> Rows:
        """Return the first `count` nodes of a level as an array (count, 32).

        The leaves are at `height` 0, the root at `depth`.
        """
        check_index("height", height, self._depth + 1)
        if not 0 <= count <= 1 << (self._depth - height):
            raise ValueError(f"count: must be at most 2^{self._depth - height} (got {count})")
        if height == self._depth:
            return as_rows("root", [self._root][:count])
        return self._levels[height].get(np.arange(count, dtype=np.uint64))

    def prove(self, index: int, version: int | None = None) -> SparseProof:
        """Return the proof of what is at `index`, or that nothing is, now or at an earlier `version`."""
        check_index("index", index, 1 << self._depth)
        later = self._later_than(self._version if version is None else version)
        siblings = [self._node(height, (index >> height) ^ 1, later) for height in range(self._depth)]
        return SparseProof(index, self._node(0, index, later), tuple(siblings))

    def root_at(self, version: int) -> bytes:
        """Return the root after `version` updates. Raises `ValueError` where that version is not kept."""
        later = self._later_than(version)
        return later[0].root if later else self._root

    def rollback(self, version: int) -> bytes:
        """Go back to `version`, forget what came after, and return the root."""
        for update in reversed(self._later_than(version)):
            for level, (positions, rows) in zip(self._levels, update.levels, strict=False):
                level.put(positions, rows)
            self._root = update.root
            self._journal.pop()
        self._version = version
        return self._root

    def _as_positions(self, indices: NDArray[np.uint64]) -> Positions:
        given = np.asarray(indices)
        if given.ndim != 1:
            raise ValueError(f"indices: must have the shape (k,) (got {given.shape})")
        if given.dtype.kind not in "ui" and len(given):
            raise ValueError(f"indices: must be of an integer type (got {given.dtype})")
        if len(given) and (int(given.min()) < 0 or int(given.max()) >> self._depth):
            wrong = int(given.min()) if int(given.min()) < 0 else int(given.max())
            raise ValueError(f"indices: must be at least 0 and below 2^{self._depth} (got {wrong})")
        return given.astype(np.uint64)

    def _remember(self, update: _Overwritten) -> None:
        if self._history == 0:
            return
        self._journal.append(update)
        if self._history is not None and len(self._journal) > self._history:
            del self._journal[0]

    def _later_than(self, version: int) -> list[_Overwritten]:
        """Return what the updates after `version` wrote over, oldest first."""
        if not self.oldest_version <= version <= self._version:
            raise ValueError(
                f"version: must be at least {self.oldest_version} and at most {self._version} (got {version}); "
                f"the tree keeps history={self._history} past versions"
            )
        return self._journal[len(self._journal) - (self._version - version) :]

    def _node(self, height: int, position: int, later: list[_Overwritten]) -> bytes:
        """Return a node as it was before the updates `later`: the first of them that wrote over it knows."""
        wanted = np.uint64(position)
        for update in later:
            if update.levels:
                positions, rows = update.levels[height]
                at = int(np.searchsorted(positions, wanted))
                if at < len(positions) and positions[at] == wanted:
                    return row_bytes(rows, at)
        return row_bytes(self._levels[height].get(np.array([wanted])), 0)


def verify_proof(root: bytes, proof: SparseProof, *, depth: int = 32, hash: str = "keccak256") -> bool:
    """Return whether `proof` leads to `root` in a tree of this depth and hash.

    A proof of another length is refused: a node of the tree would pass for a leaf of a lower one. Raises
    `ValueError` where a value is not 32 bytes.
    """
    check_node("root", root)
    if len(proof.siblings) != depth or not 0 <= proof.index < 1 << depth:
        return False
    return climb(hash_function(hash).single, proof.leaf, proof.index, proof.siblings) == root


def _parents(positions: Positions) -> Positions:
    """Return the distinct parents of sorted positions, sorted."""
    parents = positions >> np.uint64(1)
    first = np.ones(len(parents), bool)
    np.not_equal(parents[1:], parents[:-1], out=first[1:])
    return parents[first]
