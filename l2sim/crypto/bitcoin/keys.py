"""The keys of one commitment, derived from basepoints and a per-commitment point (BOLT 3, "Key Derivation")."""

from dataclasses import dataclass
from hashlib import sha256

from l2sim.crypto.signatures.keys import (
    add_points,
    add_secrets,
    multiply_point,
    multiply_secrets,
    public_key,
)

__all__ = [
    "Basepoints",
    "CommitmentKeys",
    "commitment_keys",
    "derive_public_key",
    "derive_revocation_key",
    "derive_revocation_secret",
    "derive_secret",
]


@dataclass(frozen=True, slots=True)
class Basepoints:
    """The four public keys (33 bytes) that one side of a channel announces when it opens."""

    payment: bytes
    delayed_payment: bytes
    htlc: bytes
    revocation: bytes


@dataclass(frozen=True, slots=True)
class CommitmentKeys:
    """The public keys in one commitment; `owner` is the side that may broadcast it, `peer` the other.

    `delayed` is the owner's, for the outputs that wait; `revocation` the peer's once the owner has given away the
    per-commitment secret.
    """

    owner_htlc: bytes
    peer_htlc: bytes
    delayed: bytes
    revocation: bytes


def derive_public_key(basepoint: bytes, per_commitment_point: bytes) -> bytes:
    """Return basepoint + SHA256(per_commitment_point || basepoint) * G."""
    return add_points(basepoint, public_key(_tweak(per_commitment_point, basepoint)))


def derive_secret(base_secret: bytes, per_commitment_point: bytes) -> bytes:
    """Return the secret of `derive_public_key`, from that of the basepoint."""
    return add_secrets(base_secret, _tweak(per_commitment_point, public_key(base_secret)))


def derive_revocation_key(revocation_basepoint: bytes, per_commitment_point: bytes) -> bytes:
    """Return the key that no side can sign for until the per-commitment secret is known to the peer.

    revocation_basepoint * SHA256(revocation_basepoint || per_commitment_point)
    + per_commitment_point * SHA256(per_commitment_point || revocation_basepoint).
    """
    return add_points(
        multiply_point(revocation_basepoint, _tweak(revocation_basepoint, per_commitment_point)),
        multiply_point(per_commitment_point, _tweak(per_commitment_point, revocation_basepoint)),
    )


def derive_revocation_secret(revocation_base_secret: bytes, per_commitment_secret: bytes) -> bytes:
    """Return the secret of `derive_revocation_key`, from the two halves."""
    basepoint, point = public_key(revocation_base_secret), public_key(per_commitment_secret)
    return add_secrets(
        multiply_secrets(revocation_base_secret, _tweak(basepoint, point)),
        multiply_secrets(per_commitment_secret, _tweak(point, basepoint)),
    )


def commitment_keys(owner: Basepoints, peer: Basepoints, per_commitment_point: bytes) -> CommitmentKeys:
    """Return the keys of the owner's commitment at one of the owner's per-commitment points.

    Five multiplications and four additions of points: a new commitment costs this before any signature.
    """
    return CommitmentKeys(
        owner_htlc=derive_public_key(owner.htlc, per_commitment_point),
        peer_htlc=derive_public_key(peer.htlc, per_commitment_point),
        delayed=derive_public_key(owner.delayed_payment, per_commitment_point),
        revocation=derive_revocation_key(peer.revocation, per_commitment_point),
    )


def _tweak(first: bytes, second: bytes) -> bytes:
    return sha256(first + second).digest()
