"""Bitcoin's Merkle tree: double SHA-256 of pairs, the last hash of an odd level paired with itself.

Hashes are in internal byte order (a txid as it is serialised, the reverse of how it is displayed). A block whose
last hashes are repeated has the same root as one without the repetition (CVE-2012-2459); who checks blocks must
check for that, `has_repeated_pair` says it.
"""

from dataclasses import dataclass

import numpy as np

from l2sim.crypto.hashing import sha256d_batch
from l2sim.crypto.hashing.reference import sha256d
from l2sim.crypto.trees.rows import NODE_BYTES, Rows, RowsLike, as_rows, check_index, check_node, climb, row_bytes


def levels(hashes: RowsLike, *, threads: int | None = None) -> list[Rows]:
    """Return all levels of the tree, leaves first; `hashes` is (n, 32) with n at least 1."""
    level = as_rows("hashes", hashes)
    if not len(level):
        raise ValueError("hashes: must hold at least 1 hash, a block has at least its coinbase (got 0)")
    found = [level]
    while len(level) > 1:
        if len(level) % 2:
            level = np.concatenate([level, level[-1:]])
        level = sha256d_batch(level.reshape(-1, 2 * NODE_BYTES), threads=threads)
        found.append(level)
    return found


def merkle_root(hashes: RowsLike, *, threads: int | None = None) -> bytes:
    """Return the Merkle root of transaction ids: an array (n, 32) of uint8 or a sequence of 32-byte strings.

    Raises `ValueError` for no hashes or another shape.

    >>> merkle_root([bytes(32), bytes(32)]).hex()[:16]
    'e2f61c3f71d1defd'
    """
    return row_bytes(levels(hashes, threads=threads)[-1], 0)


def has_repeated_pair(hashes: RowsLike) -> bool:
    """Return whether some level holds two equal hashes as a pair, as a block altered by repetition does."""
    for level in levels(hashes)[:-1]:
        pairs = level[: len(level) // 2 * 2].reshape(-1, 2, NODE_BYTES)
        if (pairs[:, 0] == pairs[:, 1]).all(axis=1).any():
            return True
    return False


def merkle_branch(hashes: RowsLike, index: int) -> list[bytes]:
    """Return the siblings of leaf `index`, from the leaf's level up."""
    found = levels(hashes)
    check_index("index", index, len(found[0]))
    branch = []
    for level in found[:-1]:
        sibling = min(index ^ 1, len(level) - 1)
        branch.append(row_bytes(level, sibling))
        index >>= 1
    return branch


def root_from_branch(leaf: bytes, index: int, branch: list[bytes]) -> bytes:
    """Return the root that `branch` leads to from `leaf` at position `index`."""
    check_index("index", index, 1 << len(branch))
    return climb(sha256d, leaf, index, branch)


def verify_branch(root: bytes, leaf: bytes, index: int, branch: list[bytes]) -> bool:
    """Return whether `leaf` is at position `index` of the tree with this `root`."""
    return index >> len(branch) == 0 and root_from_branch(leaf, index, branch) == root


@dataclass(frozen=True, slots=True)
class PartialMerkleTree:
    """BIP 37's proof that some transactions are in a block: hashes and flags of a depth-first walk.

    `total` is the block's number of transactions; `hashes` are in internal byte order; `flags` are the bits in
    order, padded with zeros to whole bytes when serialised.
    """

    total: int
    hashes: tuple[bytes, ...]
    flags: tuple[bool, ...]


def partial_tree(hashes: RowsLike, matched: list[int]) -> PartialMerkleTree:
    """Return the proof for the transactions at the positions `matched`."""
    found = levels(hashes)
    total = len(found[0])
    for position in matched:
        check_index("matched", position, total)
    wanted = [set(matched)]
    for _ in found[1:]:
        wanted.append({position >> 1 for position in wanted[-1]})
    kept: list[bytes] = []
    flags: list[bool] = []

    def walk(height: int, position: int) -> None:
        inside = position in wanted[height]
        flags.append(inside)
        if height == 0 or not inside:
            kept.append(row_bytes(found[height], position))
            return
        walk(height - 1, 2 * position)
        if 2 * position + 1 < len(found[height - 1]):
            walk(height - 1, 2 * position + 1)

    walk(len(found) - 1, 0)
    return PartialMerkleTree(total, tuple(kept), tuple(flags))


def extract_matches(proof: PartialMerkleTree) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return (root, matched (position, hash) pairs) of a proof.

    Raises `ValueError` where the proof is not well formed: no transactions, too few or too many hashes or flags,
    or equal siblings (CVE-2012-2459).
    """
    if proof.total < 1:
        raise ValueError(f"proof.total: must be at least 1 (got {proof.total})")
    if len(proof.hashes) > proof.total:
        raise ValueError(f"proof.hashes: must be at most total = {proof.total} (got {len(proof.hashes)})")
    for i, value in enumerate(proof.hashes):
        check_node(f"proof.hashes[{i}]", value)
    height = (proof.total - 1).bit_length()
    hashes, flags = iter(proof.hashes), iter(proof.flags)
    used = [0, 0]
    matches: list[tuple[int, bytes]] = []

    def walk(at: int, position: int) -> bytes:
        inside = next(flags, None)
        if inside is None:
            raise ValueError(f"proof.flags: must reach the end of the walk (got {len(proof.flags)})")
        used[0] += 1
        if at == 0 or not inside:
            value = next(hashes, None)
            if value is None:
                raise ValueError(f"proof.hashes: must reach the end of the walk (got {len(proof.hashes)})")
            used[1] += 1
            if inside:
                matches.append((position, value))
            return value
        left = walk(at - 1, 2 * position)
        width_below = (proof.total + (1 << (at - 1)) - 1) >> (at - 1)
        if 2 * position + 1 >= width_below:
            return sha256d(left + left)
        right = walk(at - 1, 2 * position + 1)
        if left == right:
            raise ValueError(f"proof: siblings must differ (equal at height {at - 1}, position {2 * position})")
        return sha256d(left + right)

    root = walk(height, 0)
    if used[1] != len(proof.hashes):
        raise ValueError(f"proof.hashes: must all be used (used {used[1]}, got {len(proof.hashes)})")
    if (used[0] + 7) // 8 != (len(proof.flags) + 7) // 8 or any(proof.flags[used[0] :]):
        raise ValueError(f"proof.flags: must all be used (used {used[0]}, got {len(proof.flags)})")
    return root, matches
