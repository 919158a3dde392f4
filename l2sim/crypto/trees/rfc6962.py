"""The Merkle tree of RFC 6962 (kept by RFC 9162): SHA-256 with separate leaf and node hashes, any number of leaves.

A node without a partner moves up unchanged. Inclusion proofs show that a leaf is in a tree, consistency proofs that
a tree is the beginning of a later one.
"""

from collections.abc import Sequence

import numpy as np

from l2sim.crypto.hashing import sha256_batch
from l2sim.crypto.hashing.reference import sha256
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_index, check_node, row_bytes

# RFC 6962, section 2.1: domain separation of leaves and nodes, and the hash of no leaves.
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
EMPTY_ROOT = sha256(b"")


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf's data."""
    return sha256(LEAF_PREFIX + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two nodes."""
    return sha256(NODE_PREFIX + left + right)


class Rfc6962Tree:
    """The tree over leaf hashes, an array (n, 32) of uint8 or a sequence of 32-byte strings; n may be 0.

    >>> tree = Rfc6962Tree([leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")])
    >>> verify_inclusion(tree.root, leaf_hash(b"c"), 2, 3, tree.inclusion_proof(2))
    True
    """

    def __init__(self, leaf_hashes: RowsLike) -> None:
        """Hash all levels, each as one batch."""
        level = as_rows("leaf_hashes", leaf_hashes)
        self.size = len(level)
        self._levels: list[Rows] = [level]
        while len(level) > 1:
            pairs = level[: len(level) // 2 * 2].reshape(-1, 2 * NODE_BYTES)
            messages = np.empty((len(pairs), 1 + 2 * NODE_BYTES), np.uint8)
            messages[:, 0] = NODE_PREFIX[0]
            messages[:, 1:] = pairs
            above = sha256_batch(messages)
            level = np.concatenate([above, level[-1:]]) if len(level) % 2 else above
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return row_bytes(self._levels[-1], 0) if self.size else EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the audit path of leaf `index`, from the leaf up (RFC 6962, section 2.1.1)."""
        check_index("index", index, self.size)
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(row_bytes(level, index ^ 1))
            index >>= 1
        return path

    def consistency_proof(self, earlier_size: int) -> list[bytes]:
        """Return the proof that the first `earlier_size` leaves are the tree's beginning (section 2.1.2)."""
        if not 1 <= earlier_size <= self.size:
            raise ValueError(f"earlier_size: must be at least 1 and at most {self.size} (got {earlier_size})")
        return self._subproof(earlier_size, 0, self.size, whole=True)

    def _subproof(self, earlier: int, start: int, end: int, whole: bool) -> list[bytes]:
        if earlier == end:
            return [] if whole else [self._range_root(start, end)]
        split = start + _split(end - start)
        if earlier <= split:
            return [*self._subproof(earlier, start, split, whole), self._range_root(split, end)]
        return [*self._subproof(earlier, split, end, whole=False), self._range_root(start, split)]

    def _range_root(self, start: int, end: int) -> bytes:
        """Return the root of a subtree of this tree, or of its left part."""
        size = end - start
        if size & (size - 1) == 0:
            height = size.bit_length() - 1
            return row_bytes(self._levels[height], start >> height)
        split = start + _split(size)
        return node_hash(self._range_root(start, split), self._range_root(split, end))


def verify_inclusion(root: bytes, leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the hash `leaf` is at `index` in the tree of `size` leaves with `root`.

    The walk is that of RFC 9162, section 2.1.3.2. Raises `ValueError` for values that are not 32 bytes.
    """
    _check_nodes([root, leaf, *proof])
    if not 0 <= index < size:
        return False
    node, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree (`size1`, `root1`) is the beginning of (`size2`, `root2`).

    The walk is that of RFC 9162, section 2.1.4.2. A first size of 0 is refused: it would prove nothing. Raises
    `ValueError` for values that are not 32 bytes.
    """
    _check_nodes([root1, root2, *proof])
    if not 1 <= size1 <= size2:
        return False
    if size1 == size2:
        return not proof and root1 == root2
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    if not path:
        return False
    first, last = size1 - 1, size2 - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    node1 = node2 = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            node1, node2 = node_hash(sibling, node1), node_hash(sibling, node2)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            node2 = node_hash(node2, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and node1 == root1 and node2 == root2


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_nodes(values: list[bytes]) -> None:
    for value in values:
        check_node("hash in a proof", value)
