"""Roots over the transactions of a block, so that every block commits to what is in it.

Background transactions are not made one by one: those of one block that pay the same stand as one leaf, the
hash of a canonical record of chain, height, price and amount; on the Ethereum-like chain all of a block that take
gas do, and all that take blobs, with the amounts of each class of tips. Most blocks hold few leaves, so that they
are hashed one by one: no block waits for a kernel to be compiled.
"""

import hashlib
from collections.abc import Sequence

from l2sim.crypto.hashing.reference import keccak256

EMPTY_TRIE_ROOT = keccak256(b"\x80")
"""What an Ethereum block without transactions commits to: the hash of an empty RLP string."""


def bitcoin_root(leaves: Sequence[bytes]) -> bytes:
    """Bitcoin's Merkle root of 32-byte ids: SHA-256d of pairs, a last node without partner paired with itself.

    Raises ValueError if there is no leaf: every Bitcoin block has a coinbase.
    """
    if not leaves:
        raise ValueError("a Bitcoin block must hold at least one transaction, its coinbase (got none)")
    level = list(leaves)
    sha256 = hashlib.sha256
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [
            sha256(sha256(left + right).digest()).digest() for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def ethereum_root(leaves: Sequence[bytes]) -> bytes:
    """A binary Keccak tree over 32-byte ids in block order, a last node without partner carried up as it is.

    It stands in for the Patricia trie of the protocol: same commitment to the same list, other shape.
    No leaf at all gives the protocol's own root of an empty trie.
    """
    if not leaves:
        return EMPTY_TRIE_ROOT
    level = list(leaves)
    while len(level) > 1:
        above = [keccak256(left + right) for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def record(kind: str, chain: str, height: int, price: int = 0, amount: int = 0) -> bytes:
    """The canonical record of what a leaf stands for when it is not a system's transaction.

    >>> record("background", "bitcoin", 7, price=2143, amount=35)
    b'background bitcoin 7 2143 35'
    """
    return f"{kind} {chain} {height} {price} {amount}".encode()
