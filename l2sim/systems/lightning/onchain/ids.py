"""Ids of transactions whose bytes depend on fees and signatures that are only counted."""

from hashlib import sha256


def next_txid(what: str) -> bytes:
    """32 bytes that stand for a transaction's id: the hash of what it does and in which version.

    >>> len(next_txid("sweep of channel 7"))
    32
    """
    return sha256(b"l2sim transaction " + what.encode()).digest()
