"""ECDSA over secp256k1, one call at a time: the readable reference beside the batches.

Messages are 32-byte digests: hashing is the caller's. Signatures are deterministic (RFC 6979) and low-S. They come
as 64 bytes (r, s), as strict DER, or as 65 bytes with a recovery id, which is how Ethereum and BOLT 11 send them.
Whether a high-S signature counts is a choice with a name, `Rule`.
"""

from enum import Enum

from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    CONTEXT,
    DIGEST_BYTES,
    NULL,
    RECOVERABLE_BYTES,
    CData,
    check_bytes,
    check_secret,
    ffi,
    find_public_key,
    lib,
    serialize_public_key,
)

__all__ = [
    "Rule",
    "compact_to_der",
    "der_to_compact",
    "normalise",
    "recover",
    "sign",
    "sign_recoverable",
    "verify",
    "verify_der",
]

_DER_BYTES_MOST = 72  # a sequence of two integers of at most 33 bytes: 2 + 2 * (2 + 33)
_RECOVERY_ID_MOST = 3  # bit 0: parity of R's y; bit 1: R's x was n or more (SEC 1, section 4.1.6)


class Rule(Enum):
    """Which of the two signatures (r, s) and (r, n - s) counts; both satisfy the equation of ECDSA."""

    BITCOIN = "bitcoin"
    """s above n / 2 is refused: Bitcoin's relay policy (BIP 146), Lightning (BOLT 2), Ethereum (EIP-2)."""

    PLAIN = "plain"
    """Both count: ECDSA as SEC 1 has it, and the recovery of a payee's key from an invoice (BOLT 11)."""


def check_rule(rule: Rule) -> None:
    """Refuse anything but a `Rule`, its name or value too: which signatures count must not hang on a spelling."""
    if not isinstance(rule, Rule):
        raise TypeError(f"rule: must be Rule.BITCOIN or Rule.PLAIN (got {rule!r})")


def sign(digest: bytes, secret: bytes) -> bytes:
    """Sign a 32-byte digest: 64 bytes, r then s, low-S, nonce by RFC 6979.

    Raises ValueError for another length or a secret that is not from 1 to n - 1.

    >>> from l2sim.crypto.signatures.keys import public_key
    >>> secret, digest = bytes(31) + bytes([1]), bytes(32)
    >>> verify(digest, sign(digest, secret), public_key(secret))
    True
    """
    check_bytes("digest", digest, DIGEST_BYTES)
    check_secret("secret", secret)
    signature = ffi.new("secp256k1_ecdsa_signature *")
    lib.secp256k1_ecdsa_sign(CONTEXT, signature, digest, secret, NULL, NULL)
    return _compact(signature)


def sign_recoverable(digest: bytes, secret: bytes) -> bytes:
    """Sign a 32-byte digest so that the public key can be recovered: 65 bytes, r, s, recovery id (0 to 3).

    r and s are those of `sign`. Ethereum's v is 27 + id, or the id itself in typed transactions (EIP-2718).
    """
    check_bytes("digest", digest, DIGEST_BYTES)
    check_secret("secret", secret)
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    lib.secp256k1_ecdsa_sign_recoverable(CONTEXT, signature, digest, secret, NULL, NULL)
    compact, recovery_id = ffi.new("unsigned char[]", COMPACT_BYTES), ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(CONTEXT, compact, recovery_id, signature)
    return bytes(ffi.buffer(compact)) + bytes([recovery_id[0]])


def verify(digest: bytes, signature: bytes, public_key: bytes, *, rule: Rule = Rule.BITCOIN) -> bool:
    """Say whether a 64-byte signature of a 32-byte digest is that of a 33-byte public key.

    False for r or s of 0 or n and above, for a key off the curve and, under `Rule.BITCOIN`, for a high s.
    Raises ValueError only where an argument has another length, TypeError for another type.
    """
    check_rule(rule)
    check_bytes("digest", digest, DIGEST_BYTES)
    parsed = _parse_compact(signature)
    point = find_public_key("public_key", public_key)
    return parsed is not None and point is not None and _holds(digest, parsed, point, rule)


def verify_der(digest: bytes, signature: bytes, public_key: bytes, *, rule: Rule = Rule.BITCOIN) -> bool:
    """Say whether a DER signature (without sighash byte) of a 32-byte digest is that of a 33-byte public key.

    The encoding must be strict DER under both rules (BIP 66); anything else is False, whatever its length.
    """
    check_rule(rule)
    check_bytes("digest", digest, DIGEST_BYTES)
    parsed = _parse_der(signature)
    point = find_public_key("public_key", public_key)
    return parsed is not None and point is not None and _holds(digest, parsed, point, rule)


def recover(digest: bytes, signature: bytes, *, rule: Rule = Rule.PLAIN) -> bytes:
    """Return the 33-byte public key that made a 65-byte signature (r, s, recovery id) of a 32-byte digest.

    Raises ValueError where no key fits: r or s of 0 or n and above, an id above 3, no point with that x, or a
    high s under `Rule.BITCOIN`.
    """
    check_rule(rule)
    check_bytes("digest", digest, DIGEST_BYTES)
    check_bytes("signature", signature, RECOVERABLE_BYTES)
    if signature[64] > _RECOVERY_ID_MOST:
        raise ValueError(f"signature: its recovery id must be from 0 to 3 (got {signature[64]})")
    if rule is Rule.BITCOIN and normalise(signature[:64]) != signature[:64]:
        raise ValueError(f"signature: s must be at most n / 2 under Rule.BITCOIN (got {signature.hex()})")
    parsed = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    point = ffi.new("secp256k1_pubkey *")
    parse = lib.secp256k1_ecdsa_recoverable_signature_parse_compact
    if not (
        parse(CONTEXT, parsed, signature[:64], signature[64])
        and lib.secp256k1_ecdsa_recover(CONTEXT, point, parsed, digest)
    ):
        raise ValueError(
            "signature: must be one that some public key made, with r and s from 1 to n - 1 and R on the curve "
            f"(got {signature.hex()})"
        )
    return serialize_public_key(point)


def normalise(signature: bytes) -> bytes:
    """Return a 64-byte signature with the lower of s and n - s; raise ValueError where r or s is n or more."""
    parsed = _require_compact(signature)
    lib.secp256k1_ecdsa_signature_normalize(CONTEXT, parsed, parsed)
    return _compact(parsed)


def compact_to_der(signature: bytes) -> bytes:
    """Return the DER form, 8 to 72 bytes, of a 64-byte signature; raise ValueError where r or s is n or more."""
    parsed = _require_compact(signature)
    out, length = ffi.new("unsigned char[]", _DER_BYTES_MOST), ffi.new("size_t *", _DER_BYTES_MOST)
    lib.secp256k1_ecdsa_signature_serialize_der(CONTEXT, out, length, parsed)
    return bytes(ffi.buffer(out, length[0]))


def der_to_compact(signature: bytes) -> bytes:
    """Return the 64-byte form of a strict DER signature; raise ValueError for any other encoding.

    libsecp256k1 reads a well-formed r or s that is negative or above n - 1 as zero, which never verifies.
    """
    parsed = _parse_der(signature)
    if parsed is None:
        raise ValueError(f"signature: must be strict DER (got {signature.hex()})")
    return _compact(parsed)


def _parse_compact(signature: bytes) -> CData | None:
    check_bytes("signature", signature, COMPACT_BYTES)
    parsed = ffi.new("secp256k1_ecdsa_signature *")
    return parsed if lib.secp256k1_ecdsa_signature_parse_compact(CONTEXT, parsed, signature) else None


def _require_compact(signature: bytes) -> CData:
    parsed = _parse_compact(signature)
    if parsed is None:
        raise ValueError(f"signature: r and s must be below n (got {signature.hex()})")
    return parsed


def _parse_der(signature: bytes) -> CData | None:
    check_bytes("signature", signature)
    parsed = ffi.new("secp256k1_ecdsa_signature *")
    return parsed if lib.secp256k1_ecdsa_signature_parse_der(CONTEXT, parsed, signature, len(signature)) else None


def _compact(parsed: CData) -> bytes:
    out = ffi.new("unsigned char[]", COMPACT_BYTES)
    lib.secp256k1_ecdsa_signature_serialize_compact(CONTEXT, out, parsed)
    return bytes(ffi.buffer(out))


def _holds(digest: bytes, parsed: CData, point: CData, rule: Rule) -> bool:
    if rule is Rule.PLAIN:
        lib.secp256k1_ecdsa_signature_normalize(CONTEXT, parsed, parsed)
    return bool(lib.secp256k1_ecdsa_verify(CONTEXT, parsed, digest, point))
