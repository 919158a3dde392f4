"""The transactions of a channel that is closed by one side: built byte for byte, weighed as BOLT 3 reckons.

Keys are stand-ins of the right length, one set a channel: scripts, outputs, trimming, fees, ids and weights are those
of real transactions, which are signed only in number.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from l2sim.crypto.bitcoin.channel_type import ANCHOR_SAT, ChannelType, commitment_fee_sat, htlc_weight_wu
from l2sim.crypto.bitcoin.claims import (
    Claim,
    anchor_claim,
    delayed_claim,
    peer_htlc_claim,
    sweep_weight_wu,
    to_local_claim,
    to_remote_claim,
)
from l2sim.crypto.bitcoin.commitment import Commitment, CommitmentParameters, CommitmentState, build_commitment
from l2sim.crypto.bitcoin.htlc import Htlc, HtlcOutput
from l2sim.crypto.bitcoin.keys import CommitmentKeys
from l2sim.crypto.bitcoin.script import p2wpkh
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.money import MSAT_PER_SAT

WALLET_INPUT_WU: Final = 272  # a P2WPKH input: 4 x 41 and a witness of 108 (BIP 141)
WALLET_OUTPUT_WU: Final = 124  # a P2WPKH output: 4 x 31
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
    htlcs: tuple[ForcedHtlc, ...] = ()


def _key(channel: int, name: str) -> bytes:
    return b"\x02" + sha256(f"l2sim channel {channel} {name}".encode()).digest()


def commitment_of(facts: ChannelFacts, side: int, number: int) -> Commitment:
    """The commitment that `side` of a channel publishes; side 0 funded it and pays its fee and its anchors.

    A funder that owns too little for that (no rule of the protocol lets it come to this) has the rest from the
    other side, so that the transaction exists.
    """
    mine = _balances(facts)
    channel, other = facts.channel, 1 - side
    htlcs: tuple[list[Htlc], list[Htlc]] = ([], [])
    for htlc in facts.htlcs:
        payment_hash = sha256(htlc.preimage).digest()
        htlcs[htlc.side].append(Htlc(htlc.amount_msat, payment_hash, htlc.expiry_blocks))
    funding_sat = (sum(facts.balances_msat) + sum([htlc.amount_msat for htlc in facts.htlcs])) // MSAT_PER_SAT
    parameters = CommitmentParameters(
        ChannelType.ANCHORS,
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


def _balances(facts: ChannelFacts) -> list[int]:
    """Both balances, the funder's at least what fee and anchors take."""
    cost_sat = commitment_fee_sat(ChannelType.ANCHORS, facts.feerate_per_kw, len(facts.htlcs)) + 2 * ANCHOR_SAT
    balances = list(facts.balances_msat)
    htlcs_msat = sum([htlc.amount_msat for htlc in facts.htlcs])
    balances[balances[0] < balances[1]] -= (sum(balances) + htlcs_msat) % MSAT_PER_SAT  # funding is in whole satoshis
    lacking_msat = max(0, min(cost_sat * MSAT_PER_SAT - balances[0], balances[1]))
    return [balances[0] + lacking_msat, balances[1] - lacking_msat]


def anchor_child_wu(commitment: Commitment, *, owner: bool) -> int:
    """Weight of the child that spends one anchor and a coin of the wallet to pay for the commitment."""
    return sweep_weight_wu([anchor_claim(commitment, owner=owner)], [WALLET_SCRIPT]) + WALLET_INPUT_WU


def second_stage_wu(output: HtlcOutput) -> int:
    """Weight of the owner's HTLC transaction with a coin of the wallet that pays for it, and change."""
    return htlc_weight_wu(ChannelType.ANCHORS, offered=output.offered) + WALLET_INPUT_WU + WALLET_OUTPUT_WU


def direct_claim(output: HtlcOutput, preimage: bytes) -> Claim:
    """The peer's claim of an HTLC straight from the commitment: by preimage, or after its expiry."""
    return peer_htlc_claim(output, preimage if output.offered else None)


def second_stage_sweep(commitment: Commitment, output: HtlcOutput, txid: bytes) -> Claim:
    """The owner's claim of what its HTLC transaction of that id holds back for the delay."""
    return delayed_claim(commitment, OutPoint(txid, 0), output.value_sat)


def balance_claims(commitment: Commitment) -> list[tuple[bool, Claim, int]]:
    """The claims of both balances where they have an output: whether the owner's, the claim, and blocks to wait."""
    claims = []
    if commitment.to_local_vout is not None:
        claims.append((True, to_local_claim(commitment), commitment.parameters.to_self_delay_blocks))
    if commitment.to_remote_vout is not None:
        claims.append((False, to_remote_claim(commitment), BLOCK_DELAY_OF_ANCHORS))
    return claims


def sweep_wu(claims: list[Claim]) -> int:
    """Weight of the transaction that takes these claims to a wallet."""
    return sweep_weight_wu(claims, [WALLET_SCRIPT])
