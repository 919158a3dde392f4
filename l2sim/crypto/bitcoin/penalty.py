"""Punishing a revoked commitment: everything in it goes to the side that was to be cheated (BOLT 5).

`owner` is the cheater who broadcast an old commitment, `peer` the victim, who holds its per-commitment secret and
so the revocation key's secret (`keys.derive_revocation_secret`).
"""

from l2sim.crypto.bitcoin.claims import Claim
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.htlc import HtlcOutput
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction

__all__ = ["revoked_claims", "revoked_htlc_claim", "revoked_second_stage_claim", "revoked_to_local_claim"]

_BY_REVOCATION_KEY = b"\x01"  # takes the first branch of the to_local script


def revoked_claims(commitment: Commitment) -> list[Claim]:
    """Return the victim's claims by the revocation key: the cheater's balance, then every untrimmed HTLC.

    The victim's own balance is no part of it: `claims.to_remote_claim`, by the payment key.
    """
    claims = [] if commitment.to_local_vout is None else [revoked_to_local_claim(commitment)]
    return claims + [revoked_htlc_claim(commitment, output) for output in commitment.htlcs]


def revoked_to_local_claim(commitment: Commitment) -> Claim:
    """Return the claim of the cheater's own balance; raise ValueError where it was trimmed."""
    vout = commitment.to_local_vout
    if vout is None:
        raise ValueError("to_local: this commitment has no such output, its amount is below the dust limit")
    return _delayed(commitment, OutPoint(commitment.txid, vout), commitment.transaction.outputs[vout].value_sat)


def revoked_htlc_claim(commitment: Commitment, output: HtlcOutput) -> Claim:
    """Return the claim of one HTLC's output in the revoked commitment."""
    sequence = output.channel_type.htlc_sequence
    witness = (commitment.state.keys.revocation, output.witness_script)
    return Claim(output.outpoint, output.value_sat, output.witness_script, witness, sequence)


def revoked_second_stage_claim(commitment: Commitment, second_stage: Transaction, vout: int = 0) -> Claim:
    """Return the claim of an HTLC transaction's output, where the cheater was quicker to confirm it."""
    return _delayed(commitment, second_stage.outpoint(vout), second_stage.outputs[vout].value_sat)


def _delayed(commitment: Commitment, outpoint: OutPoint, value_sat: int) -> Claim:
    script = commitment.to_local_script
    return Claim(outpoint, value_sat, script, (_BY_REVOCATION_KEY, script))
