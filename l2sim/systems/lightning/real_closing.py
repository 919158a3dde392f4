"""Transactions of channels that one side took on chain: the commitment with both signatures, and all that spends it.

What a commitment of `crypto: real` says was agreed and signed in the channel's life; here it must say what the model
takes it to say. Every signature made is checked under the key that the spent script names, not under the secret it
was made with.
"""

from hashlib import sha256
from typing import Final

from l2sim.crypto.bitcoin.claims import sign_sweep, unsigned_sweep
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.htlc import HtlcOutput
from l2sim.crypto.bitcoin.keys import derive_revocation_secret, derive_secret
from l2sim.crypto.bitcoin.script import p2pkh_code, p2wpkh
from l2sim.crypto.bitcoin.shachain import per_commitment_index
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash
from l2sim.crypto.bitcoin.transaction import SEQUENCE_RBF, OutPoint, Transaction, TxInput, TxOutput
from l2sim.crypto.signatures import ecdsa
from l2sim.errors import InvariantError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.transactions import ChannelFacts, Key, Spending, agreed_balances
from l2sim.systems.lightning.real_channel import Channel, SignedCommitment

COIN_SAT: Final = 100_000_000  # what a wallet's coin holds that pays a fee; the rest is change
SIGNATURE_SPARE_WU: Final = 3  # BOLT 3 counts 73 bytes a signature; strict DER with low S and its flag has 70 to 72


class Counts:
    """Signatures made and verified, revocation secrets checked."""

    def __init__(self) -> None:
        self.made = 0
        self.verified = 0
        self.revocations = 0

    def sign(self, digest: bytes, secret: bytes) -> bytes:
        """Sign 32 bytes; returns r and s, 64 bytes."""
        self.made += 1
        return ecdsa.sign(digest, secret)

    def verify(self, digest: bytes, signature: bytes, key: bytes, what: str) -> None:
        """Check a signature; raises InvariantError if it does not fit."""
        self.verified += 1
        if not ecdsa.verify(digest, signature, key):
            raise InvariantError(f"a signature of {what} must verify under {key.hex()} (digest {digest.hex()})")


class RealClosing:
    """One channel on chain: its published commitment, and the keys of both sides."""

    def __init__(self, channel: Channel, facts: ChannelFacts, side: int, number: int, held: SignedCommitment) -> None:
        self._channel = channel
        self._facts = facts
        self._side = side
        """Who published the commitment."""
        self._number = number
        self._held = held
        self.transactions: list[Transaction] = []
        """All that was signed for L1, in order; the commitment first."""
        self._check()

    def _check(self) -> None:
        """The signed commitment must say what the model takes it to say."""
        facts, state = self._facts, self._held.commitment.state
        balances = agreed_balances(facts)
        expected = [
            tuple([(htlc.amount_msat, sha256(htlc.preimage).digest()) for htlc in facts.htlcs if htlc.side == by])
            for by in (self._side, 1 - self._side)
        ]
        found = [
            tuple([(htlc.amount_msat, htlc.payment_hash) for htlc in of]) for of in (state.offered, state.received)
        ]
        said = (balances[self._side], balances[1 - self._side], facts.feerate_per_kw)
        if said != (state.owner_msat, state.peer_msat, state.feerate_per_kw) or expected != found:
            raise InvariantError(
                f"channel {facts.channel}: the commitment of side {self._side} must say {said} with HTLCs {expected} "
                f"(got {state.owner_msat}, {state.peer_msat}, {state.feerate_per_kw} with {found})"
            )

    def publish(self, counts: Counts) -> Commitment:
        """Add the publisher's signature to the other side's; both must verify."""
        commitment, keys = self._held.commitment, self._held.commitment.parameters
        signature = counts.sign(commitment.digest, self._channel.sides[self._side].funding_secret)
        counts.verify(commitment.digest, signature, keys.owner_funding_key, "a commitment")
        counts.verify(commitment.digest, self._held.signature, keys.peer_funding_key, "a commitment")
        self.transactions.append(commitment.signed(signature, self._held.signature))
        return commitment

    def spend(self, spending: Spending, fee_sat: int, counts: Counts) -> bytes:
        """Make, sign and verify a transaction that spends the commitment's outputs at that fee; returns its id."""
        if spending.second_stage is not None:
            signed = self._second_stage(spending, spending.second_stage, fee_sat, counts)
        else:
            signed = self._sweep(spending, fee_sat, counts)
        spare_wu = spending.weight_wu - signed.weight_wu
        signatures = spending.own_signatures + spending.other_signatures
        if not 0 <= spare_wu <= SIGNATURE_SPARE_WU * signatures:
            raise InvariantError(
                f"{spending.name}: must weigh {spending.weight_wu} wu, up to {SIGNATURE_SPARE_WU} less for each of "
                f"{signatures} signatures (got {signed.weight_wu})"
            )
        self.transactions.append(signed)
        return signed.txid

    def _sweep(self, spending: Spending, fee_sat: int, counts: Counts) -> Transaction:
        """Claims to the wallet, which pays the fee by a coin of its own if so wished."""
        wallet = self._channel.sides[spending.side].wallet_key
        claims = spending.claims
        held_sat = sum([claim.value_sat for claim in claims])
        if not spending.by_wallet:
            sweep = unsigned_sweep(claims, [TxOutput(held_sat - fee_sat, p2wpkh(wallet))])
        else:
            coin = self._coin(spending)
            inputs = [TxInput(claim.outpoint, claim.sequence) for claim in claims] + [TxInput(coin, SEQUENCE_RBF)]
            outputs = (TxOutput(held_sat + COIN_SAT - fee_sat, p2wpkh(wallet)),)
            sweep = Transaction(tuple(inputs), outputs, spending.version)
        digests = SegwitDigests(sweep)
        signatures: list[bytes] = []
        for i, (claim, key) in enumerate(zip(claims, spending.keys, strict=True)):
            if key is Key.NONE:
                continue
            digest = digests.digest(i, claim.script_code, claim.value_sat)
            signatures.append(counts.sign(digest, self._secret(spending.side, key)))
            counts.verify(digest, signatures[-1], self._named_key(spending.side, key), spending.name)
        if not spending.by_wallet:
            return sign_sweep(sweep, claims, signatures)
        witnesses: list[tuple[bytes, ...]] = [()]  # of a shared anchor, which is the only one if there is one
        if signatures:
            witnesses = [
                (ecdsa.compact_to_der(rs) + bytes((SigHash.ALL,)), *claim.witness)
                for rs, claim in zip(signatures, claims, strict=True)
            ]
        return sweep.with_witnesses([*witnesses, self._coin_witness(spending, digests, len(claims), counts)])

    def _second_stage(self, spending: Spending, output: HtlcOutput, fee_sat: int, counts: Counts) -> Transaction:
        """The HTLC transaction that the other side signed with SINGLE|ANYONECANPAY, a coin and change beside it."""
        wallet, alone = self._channel.sides[spending.side].wallet_key, output.transaction
        transaction = Transaction(
            (*alone.inputs, TxInput(self._coin(spending), SEQUENCE_RBF)),
            (*alone.outputs, TxOutput(COIN_SAT - fee_sat, p2wpkh(wallet))),
            alone.version,
            alone.locktime,
        )
        digests = SegwitDigests(transaction)
        place = self._held.commitment.htlcs.index(output)
        theirs = self._held.htlc_signatures[place]
        keys = self._held.commitment.state.keys
        digest = digests.digest(0, output.witness_script, output.value_sat, output.hash_type)
        counts.verify(digest, theirs, keys.peer_htlc, spending.name)
        digest = digests.digest(0, output.witness_script, output.value_sat)
        mine = counts.sign(digest, self._secret(spending.side, Key.HTLC))
        counts.verify(digest, mine, keys.owner_htlc, spending.name)
        witness = output.witness(theirs, mine, spending.preimage)
        return transaction.with_witnesses([witness, self._coin_witness(spending, digests, 1, counts)])

    def _coin(self, spending: Spending) -> OutPoint:
        """A coin of the side's wallet for this transaction, whatever its version."""
        wallet = self._channel.sides[spending.side].wallet_key
        return OutPoint(sha256(b"coin" + wallet + spending.name.encode()).digest(), 0)

    def _coin_witness(
        self, spending: Spending, digests: SegwitDigests, place: int, counts: Counts
    ) -> tuple[bytes, ...]:
        side = self._channel.sides[spending.side]
        digest = digests.digest(place, p2pkh_code(side.wallet_key), COIN_SAT)
        signature = counts.sign(digest, side.wallet_secret)
        counts.verify(digest, signature, side.wallet_key, spending.name)
        return (ecdsa.compact_to_der(signature) + bytes((SigHash.ALL,)), side.wallet_key)

    def _secret(self, side: int, key: Key) -> bytes:
        """The secret that a side has to sign with."""
        own, number = self._channel.sides[side], self._number
        point = self._channel.sides[self._side].point(number)
        match key:
            case Key.FUNDING:
                return own.funding_secret
            case Key.PAYMENT:
                return own.payment_secret
            case Key.DELAYED:
                return derive_secret(own.delayed_payment_secret, point)
            case Key.HTLC:
                return derive_secret(own.htlc_secret, point)
            case Key.NONE:
                raise InvariantError(f"channel {self._facts.channel}: what anyone may spend must not be signed for")
            case Key.REVOCATION:
                # Only who was given the secret of a revoked commitment has it.
                given = own.received.secret(per_commitment_index(number))
                return derive_revocation_secret(own.revocation_secret, given)

    def _named_key(self, side: int, key: Key) -> bytes:
        """The key that the script of the claimed output names."""
        parameters, keys = self._held.commitment.parameters, self._held.commitment.state.keys
        by_owner = side == self._side
        match key:
            case Key.FUNDING:
                return parameters.owner_funding_key if by_owner else parameters.peer_funding_key
            case Key.PAYMENT:
                return parameters.peer_payment_key
            case Key.DELAYED:
                return keys.delayed
            case Key.HTLC:
                return keys.owner_htlc if by_owner else keys.peer_htlc
            case Key.REVOCATION:
                return keys.revocation
            case Key.NONE:
                raise InvariantError(f"channel {self._facts.channel}: what anyone may spend must not name a key")


def first_commitment(channel: Channel, facts: ChannelFacts, side: int) -> Commitment:
    """The commitment of a channel that nothing has crossed yet, as it was made when it was funded."""
    if facts.htlcs:
        raise InvariantError(f"channel {facts.channel}: its first commitment must have no HTLC (got {facts.htlcs})")
    return channel.build(side, 0, agreed_balances(facts), facts.feerate_per_kw, [])


def without_spare(balances_msat: list[int], side: int) -> tuple[list[int], list[int]]:
    """Balances in whole satoshis together, and what was beyond, which is that side's."""
    spare_msat = [0, 0]
    spare_msat[side] = sum(balances_msat) % MSAT_PER_SAT
    return [msat - spare for msat, spare in zip(balances_msat, spare_msat, strict=True)], spare_msat
