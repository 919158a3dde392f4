"""The readable path: one message at a time through hashlib and a Keccak library.

The same bytes as the vector kernels give, on every machine; the batch functions use it for small batches and
where lanes are not available.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# safe-pysha3 is a top-level module named sha3; its keccak_256 pads with 0x01 (Ethereum), unlike NIST SHA3-256.
from sha3 import keccak_256

DIGEST_BYTES = 32


def sha256(message: bytes) -> bytes:
    """Return the SHA-256 digest of `message` (FIPS 180-4)."""
    return hashlib.sha256(message).digest()


def sha256d(message: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of `message`, Bitcoin's hash of blocks and transactions."""
    return hashlib.sha256(hashlib.sha256(message).digest()).digest()


def keccak256(message: bytes) -> bytes:
    """Return Ethereum's Keccak-256 digest of `message` (padding 0x01, not NIST SHA3-256)."""
    digest: bytes = keccak_256(message).digest()
    return digest


def tagged_hash(tag: str, message: bytes) -> bytes:
    """Return BIP-340's tagged hash: SHA-256 of SHA-256(tag) twice, then the message."""
    return hashlib.sha256(tag_prefix(tag) + message).digest()


def tag_prefix(tag: str) -> bytes:
    """Return the 64 bytes that a tagged hash puts before its message; raise TypeError where the tag is no string."""
    if not isinstance(tag, str):
        raise TypeError(f"tag: must be str (got {tag!r})")
    return _prefix(tag)


@lru_cache(maxsize=256)
def _prefix(tag: str) -> bytes:
    return hashlib.sha256(tag.encode()).digest() * 2


def hash_rows(function: Callable[[bytes], bytes], messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `function` of each row of `messages` (n, length) as an array (n, 32)."""
    n, length = messages.shape
    data = messages.tobytes()
    digests = b"".join([function(data[i * length : (i + 1) * length]) for i in range(n)])
    return np.frombuffer(bytearray(digests), np.uint8).reshape(n, DIGEST_BYTES)
