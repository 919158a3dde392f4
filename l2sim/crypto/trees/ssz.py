"""SSZ merkleization (consensus specs, ssz/simple-serialize.md and ssz/merkle-proofs.md).

SHA-256 over 32-byte chunks, padded with zero subtrees to the limit of the type; a list's length is mixed in above.
Nodes are named by generalized index: 1 is the root, 2 i and 2 i + 1 are the children of i.
"""

from collections.abc import Sequence

import numpy as np

from l2sim.crypto.hashing.reference import sha256
from l2sim.crypto.trees import fixed_depth
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_node, row_bytes
from l2sim.crypto.trees.sparse import empty_subtrees


def pack(data: bytes) -> Rows:
    """Return serialised basic values as chunks (n, 32), the last one filled with zeros."""
    padded = data + bytes(-len(data) % NODE_BYTES)
    return np.frombuffer(padded, np.uint8).reshape(-1, NODE_BYTES)


def depth_of(limit: int) -> int:
    """Return the depth of the smallest tree with room for `limit` chunks."""
    if limit < 0:
        raise ValueError(f"limit: must be at least 0 (got {limit})")
    return max(0, limit - 1).bit_length()


def merkleize(chunks: RowsLike, limit: int | None = None) -> bytes:
    """Return the root of chunks (n, 32) in a tree with room for `limit` chunks, by default for just these.

    Raises `ValueError` for more chunks than the limit.
    """
    rows = as_rows("chunks", chunks)
    room = len(rows) if limit is None else limit
    if len(rows) > room:
        raise ValueError(f"chunks: must be at most limit = {room} (got {len(rows)})")
    return fixed_depth.padded_root(rows, depth_of(room), "sha256")


def mix_in_length(root: bytes, length: int) -> bytes:
    """Return the hash of `root` with a list's length, 32 bytes little-endian."""
    return sha256(root + length.to_bytes(NODE_BYTES, "little"))


def list_root(chunks: RowsLike, limit: int, length: int) -> bytes:
    """Return the root of a list: `limit` is its room in chunks, `length` the number of its elements.

    >>> list_root([], 1 << 20, 0).hex()[:16]
    '7ffe241ea60187fd'
    """
    return mix_in_length(merkleize(chunks, limit), length)


def node_at(chunks: RowsLike, limit: int, index: int) -> bytes:
    """Return the node at a generalized index of the tree of `chunks` with room for `limit`."""
    depth = depth_of(limit)
    level = index.bit_length() - 1
    if index < 1 or level > depth:
        raise ValueError(f"index: must be at least 1 and below 2^{depth + 1} (got {index})")
    rows = fixed_depth.padded_levels(chunks, depth, "sha256")[depth - level]
    position = index - (1 << level)
    return row_bytes(rows, position) if position < len(rows) else empty_subtrees(depth, "sha256")[depth - level]


def multiproof_indices(indices: Sequence[int]) -> list[int]:
    """Return the generalized indices whose nodes prove those at `indices`, highest first."""
    paths: set[int] = set()
    siblings: set[int] = set()
    for index in indices:
        if index < 1:
            raise ValueError(f"indices: must be at least 1 (got {index})")
        while index > 1:
            paths.add(index)
            siblings.add(index ^ 1)
            index >>= 1
    return sorted(siblings - paths, reverse=True)


def multiproof(chunks: RowsLike, limit: int, indices: Sequence[int]) -> list[bytes]:
    """Return the nodes that prove those at generalized `indices`, in the order of `multiproof_indices`."""
    depth = depth_of(limit)
    levels = fixed_depth.padded_levels(chunks, depth, "sha256")
    zeros = empty_subtrees(depth, "sha256")
    proof = []
    for index in multiproof_indices(indices):
        height = depth - (index.bit_length() - 1)
        if height < 0:
            raise ValueError(f"indices: must be below 2^{depth + 1} (a proof would need {index})")
        position = index - (1 << (depth - height))
        rows = levels[height]
        proof.append(row_bytes(rows, position) if position < len(rows) else zeros[height])
    return proof


def root_from_multiproof(nodes: Sequence[bytes], proof: Sequence[bytes], indices: Sequence[int]) -> bytes:
    """Return the root that `nodes` at generalized `indices` and their `proof` lead to.

    Raises `ValueError` where the numbers do not fit, or one index lies below another.
    """
    helpers = multiproof_indices(indices)
    if len(nodes) != len(indices):
        raise ValueError(f"nodes: must be as many as indices = {len(indices)} (got {len(nodes)})")
    if not indices:
        raise ValueError("indices: must hold at least 1 index (got 0)")
    if len(proof) != len(helpers):
        raise ValueError(f"proof: must hold {len(helpers)} nodes for these indices (got {len(proof)})")
    known: dict[int, bytes] = {}
    for index, node in [*zip(indices, nodes, strict=True), *zip(helpers, proof, strict=True)]:
        check_node(f"node {index}", node)
        if index in known:
            raise ValueError(f"indices: must be distinct (got {index} more than once)")
        known[index] = node
    waiting = sorted(known, reverse=True)
    at = 0
    while at < len(waiting):
        index = waiting[at]
        parent = index >> 1
        if index > 1 and index ^ 1 in known and parent not in known:
            known[parent] = sha256(known[index & ~1] + known[index | 1])
            waiting.append(parent)
        elif index > 1 and parent in known and parent in indices:
            raise ValueError(f"indices: none may lie below another (got {index} below {parent})")
        at += 1
    return known[1]


def verify_multiproof(root: bytes, nodes: Sequence[bytes], proof: Sequence[bytes], indices: Sequence[int]) -> bool:
    """Return whether `proof` shows `nodes` at generalized `indices` of the tree with `root`."""
    check_node("root", root)
    return root_from_multiproof(nodes, proof, indices) == root
