"""Secrets, public keys and the arithmetic between them.

A secret is 32 bytes, big-endian, from 1 to n - 1. A public key is its 33 compressed bytes (02 or 03, then x),
an x-only key the 32 bytes of BIP-340. All are plain `bytes`: they hash, compare and go into arrays as they are.
Hybrid and uncompressed encodings, and any other length, are refused.
"""

import sha3

from l2sim.crypto.signatures._secp256k1 import (
    CONTEXT,
    NULL,
    ORDER,
    SECRET_BYTES,
    CData,
    check_bytes,
    check_secret,
    ffi,
    find_public_key,
    find_x_only,
    lib,
    parse_public_key,
    serialize_public_key,
    serialize_x_only,
)

__all__ = [
    "ORDER",
    "add_points",
    "add_secrets",
    "ecdh",
    "ethereum_address",
    "is_public_key",
    "is_secret",
    "is_x_only",
    "multiply_point",
    "multiply_secrets",
    "negate_point",
    "negate_secret",
    "public_key",
    "tweak_x_only",
    "x_only",
]


def is_secret(data: bytes) -> bool:
    """Say whether 32 bytes hold a usable secret; other lengths raise ValueError."""
    check_bytes("data", data, SECRET_BYTES)
    return bool(lib.secp256k1_ec_seckey_verify(CONTEXT, data))


def is_public_key(data: bytes) -> bool:
    """Say whether 33 bytes are a compressed point of the curve; other lengths raise ValueError."""
    return find_public_key("data", data) is not None


def is_x_only(data: bytes) -> bool:
    """Say whether 32 bytes are the x of a point of the curve (BIP-340); other lengths raise ValueError."""
    return find_x_only("data", data) is not None


def public_key(secret: bytes) -> bytes:
    """Return the 33-byte public key of a 32-byte secret.

    Raises ValueError where the secret has another length or is not from 1 to n - 1.

    >>> public_key(bytes(31) + bytes([1])).hex()
    '0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
    """
    check_secret("secret", secret)
    point = ffi.new("secp256k1_pubkey *")
    lib.secp256k1_ec_pubkey_create(CONTEXT, point, secret)
    return serialize_public_key(point)


def x_only(key: bytes) -> bytes:
    """Return the 32-byte x-only form (BIP-340) of a 33-byte public key.

    Raises ValueError where the key is no compressed point.
    """
    parse_public_key("key", key)
    return key[1:]


def ecdh(secret: bytes, key: bytes) -> bytes:
    """Return the 32-byte Diffie-Hellman secret of BOLT 4 and BOLT 8: SHA-256 of the compressed product.

    Raises ValueError for an unusable secret or public key.
    """
    check_secret("secret", secret)
    point = parse_public_key("key", key)
    shared = ffi.new("unsigned char[]", 32)
    lib.secp256k1_ecdh(CONTEXT, shared, point, secret, NULL, NULL)
    return bytes(ffi.buffer(shared))


def multiply_point(key: bytes, scalar: bytes) -> bytes:
    """Return a public key times a scalar from 1 to n - 1.

    The x coordinate of the result (its last 32 bytes) is the bare Diffie-Hellman value of SEC 1, section 3.3.1.
    """
    point = parse_public_key("key", key)
    check_secret("scalar", scalar)
    lib.secp256k1_ec_pubkey_tweak_mul(CONTEXT, point, scalar)
    return serialize_public_key(point)


def add_points(*keys: bytes) -> bytes:
    """Return the sum of one or more public keys; raise ValueError where it is the point at infinity."""
    if not keys:
        raise ValueError("keys: must be at least one (got none)")
    points = [parse_public_key(f"keys[{i}]", key) for i, key in enumerate(keys)]
    total = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_combine(CONTEXT, total, points, len(points)):
        shown = ", ".join(key.hex() for key in keys)
        raise ValueError(f"keys: their sum must not be the point at infinity (got {shown})")
    return serialize_public_key(total)


def negate_point(key: bytes) -> bytes:
    """Return the public key of the negated secret."""
    point = parse_public_key("key", key)
    lib.secp256k1_ec_pubkey_negate(CONTEXT, point)
    return serialize_public_key(point)


def add_secrets(secret: bytes, tweak: bytes) -> bytes:
    """Return secret + tweak mod n; the tweak is 32 bytes below n, zero allowed.

    Raises ValueError where the sum is zero, which no secret may be.
    """
    check_secret("secret", secret)
    check_bytes("tweak", tweak, SECRET_BYTES)
    if int.from_bytes(tweak, "big") >= ORDER:
        raise ValueError(f"tweak: must be below n (got {tweak.hex()})")
    total = _copy(secret)
    if not lib.secp256k1_ec_seckey_tweak_add(CONTEXT, total, tweak):
        # not shown: it would give the secret away
        raise ValueError("tweak: must not bring the sum to zero (got n - secret)")
    return bytes(ffi.buffer(total))


def multiply_secrets(secret: bytes, scalar: bytes) -> bytes:
    """Return secret * scalar mod n; both from 1 to n - 1."""
    check_secret("secret", secret)
    check_secret("scalar", scalar)
    product = _copy(secret)
    lib.secp256k1_ec_seckey_tweak_mul(CONTEXT, product, scalar)
    return bytes(ffi.buffer(product))


def negate_secret(secret: bytes) -> bytes:
    """Return n - secret."""
    check_secret("secret", secret)
    negated = _copy(secret)
    lib.secp256k1_ec_seckey_negate(CONTEXT, negated)
    return bytes(ffi.buffer(negated))


def tweak_x_only(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """Return the x-only key of lift_x(key) + tweak * G and the parity of its y (BIP-341, taproot_tweak_pubkey).

    `key` is x-only, 32 bytes. Raises ValueError where it is no x of the curve, the tweak is not below n or the
    sum is the point at infinity.
    """
    check_bytes("tweak", tweak, SECRET_BYTES)
    internal = find_x_only("key", key)
    if internal is None:
        raise ValueError(f"key: must be the x of a point of secp256k1 (got {key.hex()})")
    output = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_xonly_pubkey_tweak_add(CONTEXT, output, internal, tweak):
        raise ValueError(
            f"tweak: must be below n and must not bring the sum to the point at infinity (got {tweak.hex()})"
        )
    parity = ffi.new("int *")
    even = ffi.new("secp256k1_xonly_pubkey *")
    lib.secp256k1_xonly_pubkey_from_pubkey(CONTEXT, even, parity, output)
    return serialize_x_only(even), int(parity[0])


def ethereum_address(key: bytes) -> bytes:
    """Return the 20-byte Ethereum address of a public key: the end of Keccak-256 of its x and y.

    Source: Ethereum Yellow Paper, Appendix F, equation for A(p_r).
    """
    point = parse_public_key("key", key)
    out = ffi.new("unsigned char[]", 65)
    length = ffi.new("size_t *", 65)
    lib.secp256k1_ec_pubkey_serialize(CONTEXT, out, length, point, lib.SECP256K1_EC_UNCOMPRESSED)
    return bytes(sha3.keccak_256(bytes(ffi.buffer(out))[1:]).digest()[12:])


def _copy(secret: bytes) -> CData:
    """A buffer that libsecp256k1 may change in place."""
    return ffi.new("unsigned char[]", list(secret))
