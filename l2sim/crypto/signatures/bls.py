"""BLS signatures over BLS12-381 that add up: committees, data-availability committees, beacon-chain style.

The scheme is that of Ethereum's consensus layer: 48-byte public keys in G1, 96-byte signatures in G2, proof of
possession against rogue keys (draft-irtf-cfrg-bls-signature-05, ciphersuite
BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_; consensus-specs, phase0, "BLS signatures"). Aggregates are safe only
among signers who have proved possession of their secrets.

Needs the extra `bls` (py-arkworks-bls12381).
"""

from collections.abc import Sequence

from l2sim.crypto.signatures._secp256k1 import check_bytes

try:
    from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar
except ImportError as error:
    raise ImportError("BLS signatures need py-arkworks-bls12381: pip install 'l2sim[bls]'") from error

__all__ = [
    "aggregate",
    "aggregate_verify",
    "fast_aggregate_verify",
    "is_public_key",
    "prove_possession",
    "public_key",
    "sign",
    "verify",
    "verify_possession",
]

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Number r of points of either group (draft-irtf-cfrg-pairing-friendly-curves-11, section 4.2.1)."""

SECRET_BYTES = 32
PUBLIC_KEY_BYTES = 48
SIGNATURE_BYTES = 96

_SIGNING = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"  # section 4.2.3 of the draft
_POSSESSION = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"


def public_key(secret: bytes) -> bytes:
    """Return the 48-byte public key of a 32-byte big-endian secret from 1 to r - 1; ValueError otherwise."""
    return bytes((G1Point() * _scalar(secret)).to_compressed_bytes())


def sign(message: bytes, secret: bytes) -> bytes:
    """Sign a message of any length: 96 bytes, a function of message and secret.

    >>> secret = bytes(31) + bytes([5])
    >>> verify(b"batch 7 is available", sign(b"batch 7 is available", secret), public_key(secret))
    True
    """
    check_bytes("message", message)
    return bytes((G2Point.hash_to_curve(message, _SIGNING) * _scalar(secret)).to_compressed_bytes())


def verify(message: bytes, signature: bytes, key: bytes) -> bool:
    """Say whether a 96-byte signature of a message is that of a 48-byte public key.

    Here and below, other lengths raise ValueError and other types than bytes TypeError; whatever else is no valid
    key or signature is False.
    """
    check_bytes("message", message)
    return _core_verify(message, _find_signature("signature", signature), _find_key("key", key), _SIGNING)


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """Return the 96-byte sum of signatures; ValueError where there is none or one is no point of its group."""
    if not signatures:
        raise ValueError("signatures: must be at least one (got none)")
    total = G2Point.identity()
    for i, signature in enumerate(signatures):
        point = _find_signature(f"signatures[{i}]", signature)
        if point is None:
            raise ValueError(f"signatures[{i}]: must be a point of G2's subgroup (got {signature.hex()})")
        total += point
    return bytes(total.to_compressed_bytes())


def aggregate_verify(messages: Sequence[bytes], signature: bytes, keys: Sequence[bytes]) -> bool:
    """Say whether an aggregate is the sum of each key's signature of the message in its place.

    One pairing for each message and one for the signature. Keys are looked at one by one (CoreAggregateVerify of
    the draft): signatures that cancel out, by secrets s and r - s of one message, rightly sum to infinity here.
    Raises ValueError unless there is a key for each message, and at least one.
    """
    if not keys or len(messages) != len(keys):
        raise ValueError(f"keys: must be one a message, at least one (got {len(keys)} for {len(messages)})")
    for i, message in enumerate(messages):
        check_bytes(f"messages[{i}]", message)
    total = _find_signature("signature", signature)
    points = _find_keys(keys)
    if points is None or total is None:
        return False
    return _pairs_to_one(points, [G2Point.hash_to_curve(message, _SIGNING) for message in messages], total)


def fast_aggregate_verify(message: bytes, signature: bytes, keys: Sequence[bytes]) -> bool:
    """Say whether an aggregate is the sum of all keys' signatures of one message: two pairings, however many.

    False also where the keys sum to infinity, which everybody could sign for (FastAggregateVerify of the draft
    runs CoreVerify on the sum, which validates it as a key). Raises ValueError where there is no key.
    """
    check_bytes("message", message)
    if not keys:
        raise ValueError("keys: must be at least one (got none)")
    total = _find_signature("signature", signature)
    points = _find_keys(keys)
    return _core_verify(message, total, None if points is None else _sum(points), _SIGNING)


def prove_possession(secret: bytes) -> bytes:
    """Sign one's own public key, 96 bytes, so that others may aggregate with it."""
    own = public_key(secret)
    return bytes((G2Point.hash_to_curve(own, _POSSESSION) * _scalar(secret)).to_compressed_bytes())


def verify_possession(proof: bytes, key: bytes) -> bool:
    """Say whether a proof is that of the secret of this public key."""
    point = _find_key("key", key)
    return _core_verify(key, _find_signature("proof", proof), point, _POSSESSION)


def is_public_key(key: bytes) -> bool:
    """Say whether 48 bytes are a point of G1's subgroup other than infinity (KeyValidate of the draft)."""
    return _find_key("key", key) is not None


def _core_verify(message: bytes, signature: G2Point | None, key: G1Point | None, purpose: bytes) -> bool:
    """CoreVerify of the draft; None is what was no point, and a key (a sum of keys, say) may not be infinity."""
    if signature is None or key is None or key == G1Point.identity():
        return False
    return _pairs_to_one([key], [G2Point.hash_to_curve(message, purpose)], signature)


def _sum(points: list[G1Point]) -> G1Point:
    total = G1Point.identity()
    for point in points:
        total += point
    return total


def _pairs_to_one(points: list[G1Point], hashes: list[G2Point], signature: G2Point) -> bool:
    """Whether e(key, hash) over all pairs equals e(G, signature)."""
    return bool(GT.pairing_check([*points, -G1Point()], [*hashes, signature]))


def _scalar(secret: bytes) -> Scalar:
    check_bytes("secret", secret, SECRET_BYTES)
    if not 0 < int.from_bytes(secret, "big") < ORDER:
        raise ValueError("secret: must be a number from 1 to r - 1, r the order of BLS12-381's groups")
    return Scalar.from_be_bytes(secret)


def _find_keys(keys: Sequence[bytes]) -> list[G1Point] | None:
    """The points of all keys, or None where one of them is no key; each key's length is checked all the same."""
    found = [_find_key(f"keys[{i}]", key) for i, key in enumerate(keys)]
    points = [point for point in found if point is not None]
    return points if len(points) == len(found) else None


def _find_key(name: str, key: bytes) -> G1Point | None:
    """The point of a public key; None for infinity, which everybody could sign for, and for no point at all."""
    check_bytes(name, key, PUBLIC_KEY_BYTES)
    try:
        point = G1Point.from_compressed_bytes(key)
    except ValueError:  # not on the curve or not in the subgroup: an answer, not a mistake
        return None
    return point if _is_canonical(point, key) and point != G1Point.identity() else None


def _find_signature(name: str, signature: bytes) -> G2Point | None:
    check_bytes(name, signature, SIGNATURE_BYTES)
    try:
        point = G2Point.from_compressed_bytes(signature)
    except ValueError:  # as above
        return None
    return point if _is_canonical(point, signature) else None


def _is_canonical(point: G1Point | G2Point, data: bytes) -> bool:
    """Whether these are the point's only bytes: the library takes any tail behind the flag of infinity."""
    return bytes(point.to_compressed_bytes()) == data
