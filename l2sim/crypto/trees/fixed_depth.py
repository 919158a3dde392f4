"""A tree of 2^depth leaves of which the first n are given and the others are zero.

With Keccak-256 and depth 16 it is the tree of the OP Stack's large preimages, with SHA-256 it is the body of SSZ
(`l2sim.crypto.trees.ssz`), and with depth 32 the deposit tree's shape.
"""

from collections.abc import Sequence

import numpy as np

from l2sim.crypto.hashing import hash_function
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_index, check_node, climb, row_bytes
from l2sim.crypto.trees.sparse import empty_subtrees

OP_PREIMAGE_DEPTH = 16
"""Depth of the OP Stack's keccak tree (optimism specs, fault-proof/stage-one, preimage oracle)."""


def padded_levels(leaves: RowsLike, depth: int, hash: str) -> list[Rows]:
    """Return the levels 0 to `depth`, each as far as it is not empty; `leaves` is (n, 32) with n at most 2^depth."""
    level = as_rows("leaves", leaves)
    if len(level) > 1 << depth:
        raise ValueError(f"leaves: must be at most 2^{depth} (got {len(level)})")
    zeros = empty_subtrees(depth, hash)
    batch = hash_function(hash).batch
    found = [level]
    for height in range(depth):
        if len(level) % 2:
            level = np.concatenate([level, np.frombuffer(zeros[height], np.uint8).reshape(1, NODE_BYTES)])
        level = batch(level.reshape(-1, 2 * NODE_BYTES))
        found.append(level)
    return found


def padded_root(leaves: RowsLike, depth: int, hash: str = "keccak256") -> bytes:
    """Return the root. Raises `ValueError` for more than 2^depth leaves or rows that are not 32 bytes.

    >>> padded_root([], 1).hex()[:16]
    'ad3228b676f7d3cd'
    """
    top = padded_levels(leaves, depth, hash)[-1]
    return row_bytes(top, 0) if len(top) else empty_subtrees(depth, hash)[depth]


def padded_branch(leaves: RowsLike, index: int, depth: int, hash: str = "keccak256") -> list[bytes]:
    """Return the `depth` siblings of position `index`, from the leaf up; the position may be an empty one."""
    check_index("index", index, 1 << depth)
    zeros = empty_subtrees(depth, hash)
    branch = []
    for height, level in enumerate(padded_levels(leaves, depth, hash)[:-1]):
        sibling = (index >> height) ^ 1
        branch.append(row_bytes(level, sibling) if sibling < len(level) else zeros[height])
    return branch


def verify_branch(
    root: bytes, leaf: bytes, index: int, branch: Sequence[bytes], *, depth: int, hash: str = "keccak256"
) -> bool:
    """Return whether `branch` leads from `leaf` at `index` to `root` in a tree of just this depth."""
    check_node("root", root)
    if len(branch) != depth or not 0 <= index < 1 << depth:
        return False
    return climb(hash_function(hash).single, leaf, index, branch) == root
