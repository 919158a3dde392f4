"""Sorted-pair Keccak trees, as OpenZeppelin's contracts verify them.

A node is the Keccak-256 of its two children in ascending order, so a proof needs no left or right. The tree is held
as an array: node 0 is the root, 2 i + 1 and 2 i + 2 are the children of i, and the leaves fill the array from its
end. Standard trees hash each leaf twice, so that no node passes for a leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2sim.crypto.hashing import keccak256_batch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_index, check_node, row_bytes


def standard_leaf(encoded: bytes) -> bytes:
    """Return the leaf of ABI-encoded values: Keccak-256 of their Keccak-256."""
    return keccak256(keccak256(encoded))


def node_hash(a: bytes, b: bytes) -> bytes:
    """Return the Keccak-256 of two nodes, the smaller first."""
    return keccak256(a + b if a <= b else b + a)


@dataclass(frozen=True, slots=True)
class MultiProof:
    """Leaves, the other nodes needed, and for each hash whether both its inputs come from what was hashed."""

    leaves: tuple[bytes, ...]
    proof: tuple[bytes, ...]
    flags: tuple[bool, ...]


class SortedPairTree:
    """The tree over leaf hashes (n, 32), n at least 1; `sort_leaves` orders the leaves by value first.

    >>> tree = SortedPairTree([standard_leaf(b"a"), standard_leaf(b"b"), standard_leaf(b"c")])
    >>> verify_proof(tree.root, standard_leaf(b"b"), tree.prove(1))
    True
    """

    def __init__(self, leaves: RowsLike, *, sort_leaves: bool = True) -> None:
        """Hash all nodes, each level of the array as one batch."""
        rows = as_rows("leaves", leaves)
        n = len(rows)
        if not n:
            raise ValueError("leaves: must hold at least 1 leaf (got 0)")
        order = np.lexsort(_big_endian_words(rows).T[::-1]) if sort_leaves else np.arange(n)
        self._tree: Rows = np.empty((2 * n - 1, NODE_BYTES), np.uint8)
        places = 2 * n - 2 - np.arange(n)
        self._tree[places] = rows[order]
        self._place_of_leaf = np.empty(n, np.int64)
        self._place_of_leaf[order] = places
        depth = (n - 1).bit_length()
        for level in reversed(range(depth)):
            first, end = (1 << level) - 1, min((1 << (level + 1)) - 1, n - 1)
            if first < end:
                self._tree[first:end] = _hash_pairs(self._tree[2 * first + 1 : 2 * end + 1])

    @property
    def root(self) -> bytes:
        """The tree's root."""
        return row_bytes(self._tree, 0)

    @property
    def nodes(self) -> Rows:
        """All nodes in array order, the root first."""
        return self._tree

    def place(self, leaf: int) -> int:
        """Return where in the array the leaf given as number `leaf` stands."""
        check_index("leaf", leaf, len(self._place_of_leaf))
        return int(self._place_of_leaf[leaf])

    def prove(self, leaf: int) -> list[bytes]:
        """Return the siblings of the leaf given as number `leaf`, from the leaf up."""
        at = self.place(leaf)
        path = []
        while at:
            path.append(row_bytes(self._tree, _sibling(at)))
            at = (at - 1) // 2
        return path

    def prove_many(self, leaves: Sequence[int]) -> MultiProof:
        """Return one proof of several distinct leaves, given by their numbers."""
        places = sorted((self.place(leaf) for leaf in leaves), reverse=True)
        if len(set(places)) != len(places):
            raise ValueError(f"leaves: must be distinct (got {list(leaves)})")
        waiting = list(places)
        proof: list[bytes] = []
        flags: list[bool] = []
        at = 0
        while at < len(waiting) and waiting[at]:
            place = waiting[at]
            at += 1
            together = at < len(waiting) and waiting[at] == _sibling(place)
            if together:
                at += 1
            else:
                proof.append(row_bytes(self._tree, _sibling(place)))
            flags.append(together)
            waiting.append((place - 1) // 2)
        if not places:
            proof.append(self.root)
        return MultiProof(tuple(row_bytes(self._tree, p) for p in places), tuple(proof), tuple(flags))


def verify_proof(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` leads from the hash `leaf` to `root`."""
    check_node("root", root)
    check_node("leaf", leaf)
    node = leaf
    for i, sibling in enumerate(proof):
        check_node(f"proof[{i}]", sibling)
        node = node_hash(node, sibling)
    return node == root


def verify_multiproof(root: bytes, multiproof: MultiProof) -> bool:
    """Return whether the proof's leaves are all in the tree with `root`; a malformed proof is not."""
    check_node("root", root)
    for i, node in enumerate([*multiproof.leaves, *multiproof.proof]):
        check_node(f"multiproof node {i}", node)
    if len(multiproof.leaves) + len(multiproof.proof) != len(multiproof.flags) + 1:
        return False
    known, at = list(multiproof.leaves), 0
    spare, used = multiproof.proof, 0
    for together in multiproof.flags:
        wanted = 2 if together else 1
        if at + wanted > len(known) or (not together and used == len(spare)):
            return False
        if together:
            other = known[at + 1]
        else:
            other, used = spare[used], used + 1
        known.append(node_hash(known[at], other))
        at += wanted
    left = [*known[at:], *spare[used:]]
    return len(left) == 1 and left[0] == root


def _sibling(place: int) -> int:
    return place + 1 if place % 2 else place - 1


def _big_endian_words(rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Return rows as four numbers each that compare as the bytes do."""
    return rows.view(">u8").astype(np.uint64)


def _hash_pairs(children: Rows) -> Rows:
    """Return the hashes of consecutive pairs, the smaller of each pair first."""
    words = _big_endian_words(children).reshape(-1, 2, NODE_BYTES // 8)
    differs = words[:, 0] != words[:, 1]
    first = differs.argmax(axis=1)
    row = np.arange(len(words))
    swap = words[row, 0, first] > words[row, 1, first]
    pairs = np.ascontiguousarray(children).reshape(-1, 2, NODE_BYTES)
    ordered = np.where(swap[:, None, None], pairs[:, ::-1], pairs)
    return keccak256_batch(ordered.reshape(-1, 2 * NODE_BYTES))
