"""Taking outputs back to a wallet: sweeps of what a closed channel left, by whoever may claim it.

Every such output is unlocked by one signature followed by fixed items, so one small record, a `Claim`, says all
that a sweep needs to know of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from l2sim.crypto.bitcoin.channel_scripts import anchor_script, to_remote_script
from l2sim.crypto.bitcoin.channel_type import ANCHOR_SAT, ChannelType
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.htlc import HtlcOutput
from l2sim.crypto.bitcoin.script import p2pkh_code
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash
from l2sim.crypto.bitcoin.transaction import SEQUENCE_RBF, OutPoint, Transaction, TxInput, TxOutput, compact_size
from l2sim.crypto.signatures.ecdsa import compact_to_der

__all__ = [
    "Claim",
    "anchor_claim",
    "delayed_claim",
    "peer_htlc_claim",
    "second_stage_claim",
    "shared_anchor_claim",
    "sign_sweep",
    "sweep_digests",
    "sweep_weight_wu",
    "to_local_claim",
    "to_remote_claim",
    "unsigned_sweep",
]

SIGNATURE_ITEM_BYTES = 73  # BOLT 3 counts 72 bytes of DER, the most without low-S, and the sighash byte


@dataclass(frozen=True, slots=True)
class Claim:
    """An output and the way to unlock it: `witness` follows the signature, `script_code` is what it signs.

    `sequence` carries the relative delay in blocks that the script asks for, `locktime` the absolute height.
    """

    outpoint: OutPoint
    value_sat: int
    script_code: bytes
    witness: tuple[bytes, ...]
    sequence: int = SEQUENCE_RBF
    locktime: int = 0


def to_local_claim(commitment: Commitment) -> Claim:
    """Return the owner's claim of its own output, by the delayed key and after the delay.

    Raises ValueError where the output was trimmed, as all claims here do.
    """
    vout = _place("to_local", commitment.to_local_vout)
    value_sat = commitment.transaction.outputs[vout].value_sat
    return delayed_claim(commitment, OutPoint(commitment.txid, vout), value_sat)


def second_stage_claim(commitment: Commitment, output: HtlcOutput, second_stage: Transaction, vout: int = 0) -> Claim:
    """Return the owner's claim of an HTLC transaction's output, by the delayed key and after the delay."""
    if second_stage.outputs[vout].script != output.delayed_output:
        raise ValueError(f"vout: must be the output that the HTLC transaction pays to its owner (got {vout})")
    return delayed_claim(commitment, second_stage.outpoint(vout), second_stage.outputs[vout].value_sat)


def delayed_claim(commitment: Commitment, outpoint: OutPoint, value_sat: int) -> Claim:
    """Return the claim of any output locked by the commitment's `to_local` script, by its delayed key."""
    script = commitment.to_local_script
    delay = commitment.parameters.to_self_delay_blocks
    return Claim(outpoint, value_sat, script, (b"", script), sequence=delay)


def to_remote_claim(commitment: Commitment) -> Claim:
    """Return the peer's claim of its output, by its payment key: one block deep with anchors."""
    vout = _place("to_remote", commitment.to_remote_vout)
    key = commitment.parameters.peer_payment_key
    outpoint, value_sat = OutPoint(commitment.txid, vout), commitment.transaction.outputs[vout].value_sat
    if commitment.parameters.channel_type is ChannelType.ANCHORS:
        script = to_remote_script(key)
        return Claim(outpoint, value_sat, script, (script,), sequence=1)
    return Claim(outpoint, value_sat, p2pkh_code(key), (key,))


def anchor_claim(commitment: Commitment, *, owner: bool) -> Claim:
    """Return one side's claim of its anchor by its funding key, to pay a commitment's fee by a child.

    Only channels of type ANCHORS have such anchors; the shared one of zero-fee commitments needs no signature.
    """
    if commitment.parameters.channel_type is not ChannelType.ANCHORS:
        raise ValueError(f"commitment: must be of type anchors (got {commitment.parameters.channel_type.value})")
    vout = _place("anchor", commitment.owner_anchor_vout if owner else commitment.peer_anchor_vout)
    parameters = commitment.parameters
    script = anchor_script(parameters.owner_funding_key if owner else parameters.peer_funding_key)
    return Claim(OutPoint(commitment.txid, vout), ANCHOR_SAT, script, (script,))


def shared_anchor_claim(commitment: Commitment) -> Claim:
    """Return anyone's claim of the shared anchor of a zero-fee commitment: nothing has to be signed for it."""
    if commitment.parameters.channel_type is not ChannelType.ZERO_FEE:
        raise ValueError(f"commitment: must be of type zero_fee (got {commitment.parameters.channel_type.value})")
    vout = _place("anchor", commitment.owner_anchor_vout)
    return Claim(OutPoint(commitment.txid, vout), commitment.transaction.outputs[vout].value_sat, b"", ())


def peer_htlc_claim(output: HtlcOutput, preimage: bytes | None = None) -> Claim:
    """Return the peer's claim of an HTLC straight from the owner's commitment, by its HTLC key.

    With the preimage where the owner offered the HTLC, after its expiry where the owner received it. Raises
    ValueError where a preimage is missing, wrong or too much.
    """
    script = output.witness_script
    # A script without relative delay still needs a sequence below the final one for its locktime to count.
    sequence = output.channel_type.htlc_sequence or SEQUENCE_RBF
    if output.offered:
        if preimage is None or sha256(preimage).digest() != output.htlc.payment_hash:
            raise ValueError("preimage: must be that of the HTLC's payment hash")
        return Claim(output.outpoint, output.value_sat, script, (preimage, script), sequence)
    if preimage is not None:
        raise ValueError("preimage: must be None for an HTLC that the peer offered, which times out")
    return Claim(output.outpoint, output.value_sat, script, (b"", script), sequence, output.htlc.cltv_expiry_blocks)


def unsigned_sweep(claims: Sequence[Claim], outputs: Sequence[TxOutput], *, version: int = 2) -> Transaction:
    """Return the transaction that takes these claims to these outputs, valid once the last locktime has passed.

    Raises ValueError where there are no claims or outputs, or the outputs ask for more than the claims hold.
    """
    if not claims or not outputs:
        raise ValueError(f"sweep: must have claims and outputs (got {len(claims)} and {len(outputs)})")
    held, asked = sum([claim.value_sat for claim in claims]), sum([output.value_sat for output in outputs])
    if held < asked:
        raise ValueError(f"claims: must hold at least the outputs' {asked} sat (got {held} sat)")
    inputs = tuple([TxInput(claim.outpoint, claim.sequence) for claim in claims])
    return Transaction(inputs, tuple(outputs), version, max([claim.locktime for claim in claims]))


def sweep_digests(sweep: Transaction, claims: Sequence[Claim]) -> list[bytes]:
    """Return the 32 bytes that each claim's key signs (SIGHASH_ALL), in the order of the inputs."""
    if [claim.outpoint for claim in claims] != [txin.outpoint for txin in sweep.inputs]:
        raise ValueError("claims: must be those the inputs spend, in the same order")
    digests = SegwitDigests(sweep)
    return [digests.digest(i, claim.script_code, claim.value_sat) for i, claim in enumerate(claims)]


def sign_sweep(sweep: Transaction, claims: Sequence[Claim], signatures: Sequence[bytes]) -> Transaction:
    """Return the sweep ready to broadcast, from 64-byte signatures of `sweep_digests`."""
    flag = bytes((SigHash.ALL,))
    pairs = zip(signatures, claims, strict=True)
    return sweep.with_witnesses([(compact_to_der(rs) + flag, *claim.witness) for rs, claim in pairs])


def sweep_weight_wu(claims: Sequence[Claim], output_scripts: Sequence[bytes]) -> int:
    """Return the weight to reckon with before signing, each signature item counted as 73 bytes (BOLT 3)."""
    stripped = 4 + len(compact_size(len(claims))) + 41 * len(claims) + len(compact_size(len(output_scripts))) + 4
    stripped += sum([8 + len(compact_size(len(script))) + len(script) for script in output_scripts])
    witness = 2
    for claim in claims:
        witness += 1 + 1 + SIGNATURE_ITEM_BYTES
        witness += sum([len(compact_size(len(item))) + len(item) for item in claim.witness])
    return 4 * stripped + witness


def _place(name: str, vout: int | None) -> int:
    if vout is None:
        raise ValueError(f"{name}: this commitment has no such output, its amount is below the dust limit")
    return vout
