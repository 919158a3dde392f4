"""The keys of a hop, its cipher stream, and exclusive or (BOLT 4, "Key Generation")."""

from hmac import digest as hmac_digest

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

__all__ = ["cipher_stream", "hmac_sha256", "make_key", "xor"]

# 96 bits of nonce and, before them, the 32-bit block counter, all zero: each key is used for one packet only.
_COUNTER_AND_NONCE = bytes(16)


def make_key(kind: bytes, shared_secret: bytes) -> bytes:
    """Return the key `kind` (rho, mu, um, ammag, pad) of a 32-byte secret: its HMAC-SHA256 keyed by the name."""
    return hmac_digest(kind, shared_secret, "sha256")


def cipher_stream(key: bytes, length: int) -> bytes:
    """Return `length` bytes of the ChaCha20 stream of a 32-byte key (RFC 8439), from its start."""
    return Cipher(ChaCha20(key, _COUNTER_AND_NONCE), mode=None).encryptor().update(bytes(length))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 (RFC 2104), 32 bytes."""
    return hmac_digest(key, message, "sha256")


def xor(first: bytes, second: bytes) -> bytes:
    """Return the exclusive or of two byte strings of one length."""
    mixed = int.from_bytes(first, "little") ^ int.from_bytes(second, "little")
    return mixed.to_bytes(len(first), "little")
