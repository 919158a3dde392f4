"""Commitment transactions, byte for byte (BOLT 3, "Commitment Transaction").

`owner` is the side that holds the commitment and may broadcast it, `peer` the side that signs it for the owner.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import NamedTuple

from l2sim.crypto.bitcoin.channel_scripts import HtlcScripts, anchor_script, to_local_script, to_remote_script
from l2sim.crypto.bitcoin.channel_type import (
    ANCHOR_SAT,
    MAX_SHARED_ANCHOR_SAT,
    ChannelType,
    commitment_fee_sat,
    htlc_fee_sat,
)
from l2sim.crypto.bitcoin.funding import funding_witness
from l2sim.crypto.bitcoin.htlc import Htlc, HtlcOutput
from l2sim.crypto.bitcoin.keys import CommitmentKeys
from l2sim.crypto.bitcoin.script import P2A, multisig_2_of_2, p2wpkh, p2wsh
from l2sim.crypto.bitcoin.sighash import segwit_digest
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

__all__ = [
    "Commitment",
    "CommitmentParameters",
    "CommitmentState",
    "build_commitment",
    "obscuring_factor",
]

_NUMBER_BITS = 48


def obscuring_factor(opener_payment_basepoint: bytes, accepter_payment_basepoint: bytes) -> int:
    """Return the 48-bit number that hides commitment numbers: the end of SHA-256 of both payment basepoints."""
    return int.from_bytes(sha256(opener_payment_basepoint + accepter_payment_basepoint).digest()[-6:], "big")


@dataclass(frozen=True, slots=True)
class CommitmentParameters:
    """What stays the same in every commitment of one side of a channel.

    `to_self_delay_blocks` is what the peer imposes on the owner, `dust_limit_sat` the owner's own limit;
    `peer_payment_key` is the peer's payment basepoint, as `option_static_remotekey` has it.
    """

    channel_type: ChannelType
    funding: OutPoint
    funding_sat: int
    owner_is_funder: bool
    owner_funding_key: bytes
    peer_funding_key: bytes
    peer_payment_key: bytes
    obscuring_factor: int
    to_self_delay_blocks: int
    dust_limit_sat: int
    funding_script: bytes = field(init=False, repr=False)
    to_remote_output: bytes = field(init=False, repr=False)
    owner_anchor_output: bytes = field(init=False, repr=False)
    peer_anchor_output: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.obscuring_factor < 1 << _NUMBER_BITS:
            raise ValueError(f"obscuring_factor: must be below 2**48 (got {self.obscuring_factor})")
        if self.dust_limit_sat < 1:
            raise ValueError(f"dust_limit_sat: must be at least 1 (got {self.dust_limit_sat})")
        anchors = self.channel_type is ChannelType.ANCHORS
        to_remote = p2wsh(to_remote_script(self.peer_payment_key)) if anchors else p2wpkh(self.peer_payment_key)
        derived = {
            "funding_script": multisig_2_of_2(self.owner_funding_key, self.peer_funding_key),
            "to_remote_output": to_remote,
            "owner_anchor_output": p2wsh(anchor_script(self.owner_funding_key)),
            "peer_anchor_output": p2wsh(anchor_script(self.peer_funding_key)),
        }
        for name, script in derived.items():
            object.__setattr__(self, name, script)


@dataclass(frozen=True, slots=True)
class CommitmentState:
    """What one commitment says: who has how much, and which HTLCs are in flight.

    Balances are after the HTLCs in flight are taken out and before the fee and the anchors; all amounts together
    are the funding amount. `offered` and `received` are seen from the owner.
    """

    number: int
    keys: CommitmentKeys
    owner_msat: int
    peer_msat: int
    feerate_per_kw: int
    offered: tuple[Htlc, ...] = ()
    received: tuple[Htlc, ...] = ()


@dataclass(frozen=True, slots=True)
class Commitment:
    """A commitment transaction, unsigned, and what both sides need to know of it.

    `digest` is what both funding keys sign; `htlcs` are the untrimmed ones in output order, the order of the
    signatures in `commitment_signed`. The places of the other outputs are None where they do not exist; the shared
    anchor of a zero-fee commitment counts as the owner's. The fee includes what trimming and rounding leave.
    """

    parameters: CommitmentParameters
    state: CommitmentState
    transaction: Transaction
    txid: bytes
    digest: bytes
    fee_sat: int
    to_local_script: bytes
    to_local_vout: int | None
    to_remote_vout: int | None
    owner_anchor_vout: int | None
    peer_anchor_vout: int | None
    htlcs: tuple[HtlcOutput, ...]

    def digests(self) -> list[bytes]:
        """Return all that the peer signs for `commitment_signed`: the commitment, then each HTLC transaction."""
        return [self.digest, *[output.digest for output in self.htlcs]]

    def signed(self, owner_signature: bytes, peer_signature: bytes) -> Transaction:
        """Return the transaction ready to broadcast, from the 64-byte signatures of both funding keys."""
        keys = self.parameters
        witness = funding_witness(keys.owner_funding_key, owner_signature, keys.peer_funding_key, peer_signature)
        return self.transaction.with_witnesses([witness])


class _Draft(NamedTuple):
    """An output on its way into a commitment; the fields behind `field` are an HTLC's."""

    value_sat: int
    script: bytes
    expiry_blocks: int = 0
    field: str = ""  # where `Commitment` keeps the place of an output that is no HTLC
    htlc: Htlc | None = None
    place: int = 0
    offered: bool = False
    witness_script: bytes = b""
    fee_sat: int = 0


_in_output_order = itemgetter(0, 1, 2)  # value, script, expiry (BOLT 3, "Transaction Output Ordering")


def build_commitment(parameters: CommitmentParameters, state: CommitmentState) -> Commitment:
    """Build the owner's commitment transaction of this state, and the digests to sign.

    Raises ValueError where the amounts do not add up to the funding amount, a balance is negative, a number does
    not fit in 48 bits, the feerate of a zero-fee channel is not 0, or the funder cannot pay for the anchors. A fee that
    the funder cannot pay in full takes what there is (BOLT 3, Appendix C, the last case).
    """
    _check(parameters, state)
    kind, dust_limit_sat = parameters.channel_type, parameters.dust_limit_sat
    delayed_script = to_local_script(state.keys, parameters.to_self_delay_blocks)
    delayed_output = p2wsh(delayed_script)
    drafts = _htlc_drafts(parameters, state)
    htlcs = len(drafts)

    owner_sat, peer_sat = _balances_after_fee(parameters, state, htlcs)
    if owner_sat >= dust_limit_sat:
        drafts.append(_Draft(owner_sat, delayed_output, field="to_local_vout"))
    if peer_sat >= dust_limit_sat:
        drafts.append(_Draft(peer_sat, parameters.to_remote_output, field="to_remote_vout"))
    if kind is ChannelType.ANCHORS:
        if owner_sat >= dust_limit_sat or htlcs:
            drafts.append(_Draft(ANCHOR_SAT, parameters.owner_anchor_output, field="owner_anchor_vout"))
        if peer_sat >= dust_limit_sat or htlcs:
            drafts.append(_Draft(ANCHOR_SAT, parameters.peer_anchor_output, field="peer_anchor_vout"))
    fee_sat = parameters.funding_sat - sum([draft.value_sat for draft in drafts])
    if fee_sat < 0:
        raise ValueError(f"state: the funder must be able to pay for both anchors (lacks {-fee_sat} sat)")
    if kind is ChannelType.ZERO_FEE:
        anchor_sat = min(fee_sat, MAX_SHARED_ANCHOR_SAT)
        drafts.append(_Draft(anchor_sat, P2A, field="owner_anchor_vout"))
        fee_sat -= anchor_sat
    drafts.sort(key=_in_output_order)

    transaction = _transaction(parameters, state.number, drafts)
    txid = transaction.txid
    places: dict[str, int] = {}
    outputs = []
    for vout, draft in enumerate(drafts):
        if draft.htlc is None:
            places[draft.field] = vout
        else:
            outputs.append(
                HtlcOutput(
                    draft.htlc,
                    draft.place,
                    draft.offered,
                    OutPoint(txid, vout),
                    draft.value_sat,
                    draft.fee_sat,
                    draft.witness_script,
                    delayed_output,
                    kind,
                )
            )
    return Commitment(
        parameters=parameters,
        state=state,
        transaction=transaction,
        txid=txid,
        digest=segwit_digest(transaction, 0, parameters.funding_script, parameters.funding_sat),
        fee_sat=fee_sat,
        to_local_script=delayed_script,
        to_local_vout=places.get("to_local_vout"),
        to_remote_vout=places.get("to_remote_vout"),
        owner_anchor_vout=places.get("owner_anchor_vout"),
        peer_anchor_vout=places.get("peer_anchor_vout"),
        htlcs=tuple(outputs),
    )


def _htlc_drafts(parameters: CommitmentParameters, state: CommitmentState) -> list[_Draft]:
    """The outputs of the untrimmed HTLCs, in no order yet."""
    drafts: list[_Draft] = []
    if not state.offered and not state.received:
        return drafts
    kind, feerate = parameters.channel_type, state.feerate_per_kw
    scripts = HtlcScripts(state.keys, kind)
    for offered, htlcs in ((True, state.offered), (False, state.received)):
        fee_sat = htlc_fee_sat(kind, feerate, offered=offered)
        least_sat = parameters.dust_limit_sat + fee_sat
        for place, htlc in enumerate(htlcs):
            value_sat = htlc.amount_msat // 1000
            if value_sat < least_sat:
                continue
            expiry = htlc.cltv_expiry_blocks
            if offered:
                script = scripts.offered(htlc.payment_hash_160)
            else:
                script = scripts.received(htlc.payment_hash_160, expiry)
            drafts.append(_Draft(value_sat, p2wsh(script), expiry, "", htlc, place, offered, script, fee_sat))
    return drafts


def _balances_after_fee(parameters: CommitmentParameters, state: CommitmentState, htlcs: int) -> tuple[int, int]:
    """Owner's and peer's balance in whole satoshis, the funder's less the fee and the anchors, never below 0."""
    kind = parameters.channel_type
    cost_sat = commitment_fee_sat(kind, state.feerate_per_kw, htlcs)
    if kind is ChannelType.ANCHORS:
        cost_sat += 2 * ANCHOR_SAT
    owner_sat, peer_sat = state.owner_msat // 1000, state.peer_msat // 1000
    if parameters.owner_is_funder:
        return max(0, owner_sat - cost_sat), peer_sat
    return owner_sat, max(0, peer_sat - cost_sat)


def _transaction(parameters: CommitmentParameters, number: int, drafts: list[_Draft]) -> Transaction:
    """The transaction itself; its sequence and locktime carry the obscured commitment number."""
    hidden = number ^ parameters.obscuring_factor
    return Transaction(
        inputs=(TxInput(parameters.funding, 0x80000000 | hidden >> 24),),
        outputs=tuple([TxOutput(draft.value_sat, draft.script) for draft in drafts]),
        version=parameters.channel_type.transaction_version,
        locktime=0x20000000 | hidden & 0xFFFFFF,
    )


def _check(parameters: CommitmentParameters, state: CommitmentState) -> None:
    if not 0 <= state.number < 1 << _NUMBER_BITS:
        raise ValueError(f"number: must be from 0 to 2**48 - 1 (got {state.number})")
    if state.owner_msat < 0 or state.peer_msat < 0:
        raise ValueError(f"balances: must be at least 0 (got {state.owner_msat} and {state.peer_msat} msat)")
    total_msat = state.owner_msat + state.peer_msat
    for htlcs in (state.offered, state.received):
        total_msat += sum([htlc.amount_msat for htlc in htlcs])
    if total_msat != parameters.funding_sat * 1000:
        raise ValueError(
            f"state: balances and HTLCs must add up to {parameters.funding_sat * 1000} msat (got {total_msat})"
        )
    if state.feerate_per_kw < 0 or (parameters.channel_type is ChannelType.ZERO_FEE and state.feerate_per_kw):
        raise ValueError(
            f"feerate_per_kw: must be at least 0, and 0 in a zero-fee channel (got {state.feerate_per_kw})"
        )
