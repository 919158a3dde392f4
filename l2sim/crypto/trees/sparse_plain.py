"""The sparse Merkle tree in plain Python: a dictionary a level, one hash at a time.

The readable twin of `l2sim.crypto.trees.sparse`, against which it is tested and measured.
"""

from collections.abc import Iterable, Mapping

from l2sim.crypto.hashing import hash_function
from l2sim.crypto.trees.sparse import EMPTY_LEAF, SparseProof, empty_subtrees


class PlainSparseTree:
    """A Merkle tree of 2^depth leaves that holds the nodes ever written."""

    def __init__(self, depth: int = 32, hash: str = "keccak256") -> None:
        """Start with all leaves empty."""
        self.depth = depth
        self._hash = hash_function(hash).single
        self._empty = empty_subtrees(depth, hash)
        self.levels: list[dict[int, bytes]] = [{} for _ in range(depth + 1)]

    @property
    def root(self) -> bytes:
        """The root now."""
        return self.levels[-1].get(0, self._empty[self.depth])

    def update(self, leaves: Mapping[int, bytes] | Iterable[tuple[int, bytes]]) -> bytes:
        """Write leaves by index and return the new root; only touched paths are hashed, each node once."""
        written = dict(leaves)
        self.levels[0].update(written)
        touched = list(written)
        for height in range(self.depth):
            below, above, empty = self.levels[height], self.levels[height + 1], self._empty[height]
            touched = list(dict.fromkeys([index >> 1 for index in touched]))
            for parent in touched:
                left = below.get(2 * parent, empty)
                right = below.get(2 * parent + 1, empty)
                above[parent] = self._hash(left + right)
        return self.root

    def prove(self, index: int) -> SparseProof:
        """Return the proof of what is at `index`, or that nothing is."""
        siblings = [self.levels[height].get((index >> height) ^ 1, self._empty[height]) for height in range(self.depth)]
        return SparseProof(index, self.levels[0].get(index, EMPTY_LEAF), tuple(siblings))
