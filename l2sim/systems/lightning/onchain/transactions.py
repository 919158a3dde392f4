"""The transactions of a channel that is closed by one side: built byte for byte, weighed as BOLT 3 reckons.

Here keys are stand-ins of the right length, one set a channel: scripts, outputs, trimming, fees and weights are those
of real transactions. With `crypto: real` the signer of the channel makes them from its own keys, and signs them
(`real_closing`).
"""

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple

from l2sim.crypto.bitcoin.channel_type import ANCHOR_SAT, ChannelType, commitment_fee_sat, htlc_weight_wu
from l2sim.crypto.bitcoin.claims import (
    Claim,
    anchor_claim,
    delayed_claim,
    peer_htlc_claim,
    shared_anchor_claim,
    sweep_weight_wu,
)
from l2sim.crypto.bitcoin.commitment import Commitment, CommitmentParameters, CommitmentState, build_commitment
from l2sim.crypto.bitcoin.htlc import Htlc, HtlcOutput
from l2sim.crypto.bitcoin.keys import CommitmentKeys
from l2sim.crypto.bitcoin.script import p2wpkh
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.money import MSAT_PER_SAT

WALLET_INPUT_WU: Final = 272  # a P2WPKH input: 4 x 41 and a witness of 108 (BIP 141)
WALLET_OUTPUT_WU: Final = 124  # a P2WPKH output: 4 x 31
SHARED_ANCHOR_CHILD_WU: Final = 4 * (4 + 1 + 41 + 1 + 31 + 4) + 2 + 1
"""A transaction of one input that needs no witness and one P2WPKH output (BIP 141 byte counts)."""
WALLET_SCRIPT: Final = p2wpkh(b"\x02" + bytes(32))
BLOCK_DELAY_OF_ANCHORS: Final = 1  # outputs to the peer wait for a block (BOLT 3, option_anchors)


class ForcedHtlc(NamedTuple):
    """An HTLC in a channel that is closed: from which side, how much, until when, and what unlocks it."""

    side: int
    amount_msat: int
    expiry_blocks: int
    preimage: bytes


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What a commitment says: the channel, its two balances and fee rate, and the terms of its sides."""

    channel: int
    funding_txid: bytes
    balances_msat: tuple[int, int]
    feerate_per_kw: int
    to_self_delay_blocks: int
    dust_limit_sat: int
    channel_type: ChannelType = ChannelType.ANCHORS
    htlcs: tuple[ForcedHtlc, ...] = ()
    spare_side: int = 0
    """Whose balance is less by what the channel holds beyond whole satoshis, which is in no output."""


def _key(channel: int, name: str) -> bytes:
    return b"\x02" + sha256(f"l2sim channel {channel} {name}".encode()).digest()


def commitment_of(facts: ChannelFacts, side: int, number: int) -> Commitment:
    """The commitment that `side` of a channel publishes; side 0 funded it and pays its fee and its anchors.

    A funder that owns too little for that (no rule of the protocol lets it come to this) has the rest from the
    other side, so that the transaction exists.
    """
    mine = agreed_balances(facts)
    channel, other = facts.channel, 1 - side
    htlcs: tuple[list[Htlc], list[Htlc]] = ([], [])
    for htlc in facts.htlcs:
        payment_hash = sha256(htlc.preimage).digest()
        htlcs[htlc.side].append(Htlc(htlc.amount_msat, payment_hash, htlc.expiry_blocks))
    funding_sat = (sum(facts.balances_msat) + sum([htlc.amount_msat for htlc in facts.htlcs])) // MSAT_PER_SAT
    parameters = CommitmentParameters(
        facts.channel_type,
        OutPoint(facts.funding_txid, 0),
        funding_sat,
        side == 0,
        _key(channel, f"funding {side}"),
        _key(channel, f"funding {other}"),
        _key(channel, f"payment {other}"),
        channel & (2**48 - 1),
        facts.to_self_delay_blocks,
        max(1, facts.dust_limit_sat),
    )
    keys = CommitmentKeys(
        *[_key(channel, f"{name} {side} {number}") for name in ("owner htlc", "peer htlc", "delayed", "revocation")]
    )
    state = CommitmentState(
        number, keys, mine[side], mine[other], facts.feerate_per_kw, tuple(htlcs[side]), tuple(htlcs[other])
    )
    return build_commitment(parameters, state)


def agreed_balances(facts: ChannelFacts) -> list[int]:
    """Both balances as a commitment says them, the funder's at least what fee and anchors take."""
    outputs = sum([htlc.amount_msat // MSAT_PER_SAT >= facts.dust_limit_sat for htlc in facts.htlcs])
    cost_sat = commitment_fee_sat(facts.channel_type, facts.feerate_per_kw, outputs)
    if facts.channel_type is ChannelType.ANCHORS:
        cost_sat += 2 * ANCHOR_SAT
    balances = list(facts.balances_msat)
    htlcs_msat = sum([htlc.amount_msat for htlc in facts.htlcs])
    balances[facts.spare_side] -= (sum(balances) + htlcs_msat) % MSAT_PER_SAT
    lacking_msat = max(0, min(cost_sat * MSAT_PER_SAT - balances[0], balances[1]))
    return [balances[0] + lacking_msat, balances[1] - lacking_msat]


class Key(Enum):
    """Which key of a side a claim is signed with."""

    FUNDING = "funding"
    PAYMENT = "payment"
    DELAYED = "delayed"
    HTLC = "htlc"
    REVOCATION = "revocation"
    NONE = "none"
    """With none: anyone may spend it."""


@dataclass(frozen=True, slots=True)
class Spending:
    """A transaction that one side of a closed channel may send, at whatever fee it then bids.

    A sweep takes its claims to the side's wallet and pays out of them. With `by_wallet` a coin of the wallet pays:
    for a child of the commitment that takes its anchor, or for an HTLC transaction (`second_stage`), which holds
    back the HTLC's value for the owner's delay; `preimage` is for an HTLC-success transaction alone.
    """

    name: str
    channel: int
    side: int
    commitment: Commitment
    weight_wu: int
    claims: tuple[Claim, ...] = ()
    keys: tuple[Key, ...] = ()
    by_wallet: bool = False
    second_stage: HtlcOutput | None = None
    preimage: bytes | None = None

    @property
    def spends(self) -> tuple[OutPoint, ...]:
        """The outputs that it spends and others might."""
        if self.second_stage is not None:
            return (self.second_stage.outpoint,)
        return tuple([claim.outpoint for claim in self.claims])

    @property
    def own_signatures(self) -> int:
        """Signatures that the side makes for each version of it."""
        claims = len(self.claims) - self.keys.count(Key.NONE)
        return (1 if self.second_stage is not None else claims) + self.by_wallet

    @property
    def version(self) -> int:
        """The version of the transaction: that of the commitment for what belongs to it, else 2."""
        of_commitment = self.by_wallet  # its children, and HTLC transactions
        return self.commitment.parameters.channel_type.transaction_version if of_commitment else 2

    @property
    def other_signatures(self) -> int:
        """Signatures in it that the other side gave before."""
        return int(self.second_stage is not None)


def sweep(
    name: str, channel: int, side: int, commitment: Commitment, claims: list[Claim], keys: tuple[Key, ...]
) -> Spending:
    """The side takes outputs to its wallet."""
    weight_wu = sweep_weight_wu(claims, [WALLET_SCRIPT])
    return Spending(name, channel, side, commitment, weight_wu, tuple(claims), keys)


def anchor_child(name: str, channel: int, side: int, commitment: Commitment, *, owner: bool) -> Spending:
    """A side pays for the commitment through an anchor, with a coin of its wallet: who published it, or the other."""
    if commitment.parameters.channel_type is ChannelType.ZERO_FEE:
        claim, key = shared_anchor_claim(commitment), Key.NONE
        weight_wu = WALLET_INPUT_WU + SHARED_ANCHOR_CHILD_WU
    else:
        claim, key = anchor_claim(commitment, owner=owner), Key.FUNDING
        weight_wu = sweep_weight_wu([claim], [WALLET_SCRIPT]) + WALLET_INPUT_WU
    return Spending(name, channel, side, commitment, weight_wu, (claim,), (key,), by_wallet=True)


def second_stage(
    name: str, channel: int, side: int, commitment: Commitment, output: HtlcOutput, preimage: bytes | None
) -> Spending:
    """The owner's HTLC transaction, with a coin of its wallet that pays for it, and change."""
    weight_wu = htlc_weight_wu(output.channel_type, offered=output.offered) + WALLET_INPUT_WU + WALLET_OUTPUT_WU
    return Spending(name, channel, side, commitment, weight_wu, by_wallet=True, second_stage=output, preimage=preimage)


def direct_claim(output: HtlcOutput, preimage: bytes) -> Claim:
    """The peer's claim of an HTLC straight from the commitment: by preimage, or after its expiry."""
    return peer_htlc_claim(output, preimage if output.offered else None)


def second_stage_sweep(commitment: Commitment, output: HtlcOutput, txid: bytes) -> Claim:
    """The owner's claim of what its HTLC transaction of that id holds back for the delay."""
    return delayed_claim(commitment, OutPoint(txid, 0), output.value_sat)
