"""What `commitment_signed` carries: the signatures of a commitment and of each of its HTLC transactions (BOLT 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.signatures import ecdsa

__all__ = ["CommitmentSignatures", "sign_commitment", "verify_commitment"]


@dataclass(frozen=True, slots=True)
class CommitmentSignatures:
    """64-byte signatures (r, s): of the commitment, and of the untrimmed HTLCs' transactions in output order."""

    commitment: bytes
    htlcs: tuple[bytes, ...]


def sign_commitment(commitment: Commitment, funding_secret: bytes, htlc_secret: bytes) -> CommitmentSignatures:
    """Sign the owner's commitment as its peer: 1 + k signatures for k untrimmed HTLCs.

    `funding_secret` is the peer's; `htlc_secret` that of `CommitmentKeys.peer_htlc`, derived by
    `keys.derive_secret`, since each commitment has its own.
    """
    return CommitmentSignatures(
        ecdsa.sign(commitment.digest, funding_secret),
        tuple([ecdsa.sign(output.digest, htlc_secret) for output in commitment.htlcs]),
    )


def verify_commitment(commitment: Commitment, signatures: CommitmentSignatures) -> bool:
    """Say whether these are the peer's signatures of the owner's commitment: as many as it has HTLCs, all good, low S.

    The owner checks this before it revokes its previous commitment.
    """
    if len(signatures.htlcs) != len(commitment.htlcs):
        return False
    return ecdsa.verify(
        commitment.digest, signatures.commitment, commitment.parameters.peer_funding_key
    ) and _verify_htlcs(commitment, signatures.htlcs)


def _verify_htlcs(commitment: Commitment, signatures: Sequence[bytes]) -> bool:
    key = commitment.state.keys.peer_htlc
    pairs = zip(commitment.htlcs, signatures, strict=True)
    return all(ecdsa.verify(output.digest, signature, key) for output, signature in pairs)
