"""Cryptography performed: keys, commitments, signatures, revocations, funding and closing transactions, onions.

Every channel has both sides' keys and the newest commitment's content; each `commitment_signed` builds the other
side's next commitment byte for byte (BOLT 3, anchors), signs it and all its HTLC transactions, and verifies what
was signed; each `revoke_and_ack` gives a per-commitment secret, which must fit the point known before and all
secrets given earlier. What both sides would build alike is built once. Channels that go on chain are in
`real_closing`, onions in `real_onions`.

Channels of the backbone are older than the run: their commitments begin, with their live balances, at the first
HTLC that crosses them.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.closing import ClosingSide, build_closing
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.funding import funding_output
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.keys import derive_secret
from l2sim.crypto.bitcoin.p2wpkh import Coin, sign_payment, unsigned_payment, verify_payment
from l2sim.crypto.bitcoin.script import p2wpkh
from l2sim.crypto.bitcoin.shachain import per_commitment_index
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxOutput
from l2sim.crypto.signatures.keys import public_key
from l2sim.engine import Streams
from l2sim.errors import InvariantError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.agents.swap import Swap
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.link import Contents
from l2sim.systems.lightning.onchain.force_close import spare_side
from l2sim.systems.lightning.onchain.transactions import ChannelFacts, Spending
from l2sim.systems.lightning.real_channel import START_HEIGHT, Channel, Side, SignedCommitment
from l2sim.systems.lightning.real_closing import Counts, RealClosing, first_commitment, without_spare
from l2sim.systems.lightning.real_onions import Onions
from l2sim.systems.lightning.real_splices import sign_splice
from l2sim.systems.lightning.real_swaps import RealSwaps
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState


class _Splice(NamedTuple):
    """The funding outputs before and after it, and by how much its owner has more in the second."""

    old: OutPoint
    new: OutPoint
    change_msat: int


CHANGE_SAT: Final = 10_000  # what a funding transaction leaves its makers (see AttachedUsers.wallet_reserve_sat)


class RealSigner(Signer):
    """Performs and checks every step; raises InvariantError where a signature, secret or amount does not fit."""

    def __init__(self, name: str, streams: Streams, state: ChannelState, to_self_delay_blocks: int) -> None:
        super().__init__(name)
        self._streams = streams
        self._state = state
        self._to_self_delay_blocks = to_self_delay_blocks
        self._channels: dict[int, Channel] = {}
        self._onions = Onions(streams)
        self.counts = Counts()
        self.swaps = RealSwaps(streams, self.counts)
        self._spliced: dict[int, _Splice] = {}
        """By channel, the last splice of it."""
        self.splices: list[Transaction] = []
        """All splices that were signed, in order."""
        self.closings: dict[int, RealClosing] = {}
        """Channels that were taken on chain."""

    # Transactions on L1.

    def fund(self, channel: int, funder_sat: int, other_sat: int, fee_sat: int, renewal: bool = False) -> bytes:
        """Build and sign the funding transaction and both first commitments.

        The funding spends a coin of each side that adds money to the 2-of-2 and to change.
        """
        sides = self._sides(channel, renewal)
        amounts = (funder_sat, other_sat) if other_sat else (funder_sat,)
        coins, secrets = [], []
        outputs = [funding_output(sides[0].funding_key, sides[1].funding_key, funder_sat + other_sat)]
        for i, amount_sat in enumerate(amounts):
            origin = OutPoint(sha256(b"coin" + sides[i].wallet_key).digest(), 0)
            cost_sat = amount_sat + (fee_sat if i == 0 else 0)
            coins.append(Coin(origin, cost_sat + CHANGE_SAT, sides[i].wallet_key))
            secrets.append(sides[i].wallet_secret)
            outputs.append(TxOutput(CHANGE_SAT, p2wpkh(sides[i].wallet_key)))
        payment = sign_payment(unsigned_payment(coins, outputs), coins, secrets)
        self.counts.made += len(coins)
        self.counts.verified += len(coins)
        if not verify_payment(payment, coins):
            raise InvariantError(f"the funding transaction of channel {channel} must verify")
        opened = self._make(sides, payment.outpoint(0), [funder_sat * MSAT_PER_SAT, other_sat * MSAT_PER_SAT])
        for owner in (0, 1):
            self._exchange(opened, owner, 0, self._state.feerate_of(channel))
        if not renewal:
            self._channels[channel] = opened
        return payment.txid

    def close(self, channel: int, funder_sat: int, other_sat: int, renewal: bool = False) -> bytes:
        """Build the mutual close, sign it by both sides and verify both signatures."""
        if renewal:
            sides = self._sides(channel, renewal=False)
            funding = OutPoint(sha256(b"funding" + sides[0].funding_key).digest(), 0)
            capacity_sat = int(self._state.capacity_msat[channel]) // MSAT_PER_SAT
        else:
            live = self._channels.pop(channel)
            sides, funding, capacity_sat = live.sides, live.funding, live.capacity_sat
        fee_sat = capacity_sat - funder_sat - other_sat
        closing = build_closing(
            funding,
            capacity_sat,
            ClosingSide(sides[0].funding_key, funder_sat + fee_sat, p2wpkh(sides[0].wallet_key)),
            ClosingSide(sides[1].funding_key, other_sat, p2wpkh(sides[1].wallet_key)),
            fee_sat=fee_sat,
        )
        signatures = []
        for side in sides:
            signature = self.counts.sign(closing.digest, side.funding_secret)
            self.counts.verify(closing.digest, signature, side.funding_key, f"the close of channel {channel}")
            signatures.append(signature)
        return closing.signed(signatures[0], signatures[1]).txid

    def _sides(self, channel: int, renewal: bool) -> tuple[Side, Side]:
        """New keys for both sides; a renewed channel's new funding has keys of its own."""
        offset = 2 * len(self._state.phase) if renewal else 0
        return Side(self._streams, offset + 2 * channel), Side(self._streams, offset + 2 * channel + 1)

    def _make(self, sides: tuple[Side, Side], funding: OutPoint, balances_msat: list[int]) -> Channel:
        dust_sat = max(1, self._state.rules.dust_limit_sat)
        channel_type = ChannelType(self._state.rules.channel_type)
        return Channel(sides, funding, balances_msat, dust_sat, self._to_self_delay_blocks, channel_type)

    # Onions.

    def build_onion(self, attempt: Attempt) -> None:
        """Wrap what each node must know."""
        self._onions.build(attempt)

    def peel_onion(self, attempt: Attempt, hop: int, fault: Refusal | None = None) -> None:
        """Open the layer of the target of channel `hop`, and check what it says."""
        self._onions.peel(attempt, hop, fault)

    def read_failure(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """Unwrap the failure packet and check whom it names and why."""
        self._onions.read_failure(attempt, hop, refusal)

    def preimage(self, payment: int) -> bytes:
        """What unlocks the HTLCs of a payment, 32 bytes."""
        return self._onions.preimage(payment)

    # The commitment dance.

    def add_htlc(self, attempt: Attempt, hop: int) -> Htlc:
        """Put the HTLC of channel `hop` into the newest commitments."""
        edge, amount_msat = attempt.taken[hop], attempt.amounts_msat[hop]
        channel = self._channel(edge >> 1)
        expiry = START_HEIGHT + attempt.height + attempt.expiries_blocks[hop]
        htlc = Htlc(amount_msat, self._onions.payment_hash(attempt.payment), expiry)
        channel.balances_msat[edge & 1] -= amount_msat
        channel.htlcs[attempt, hop] = (edge & 1, htlc)
        return htlc

    def remove_htlc(self, attempt: Attempt, hop: int, refusal: Refusal | None) -> None:
        """Take it out again, with the preimage or with a failure packet."""
        channel = self._channel(attempt.taken[hop] >> 1)
        by, htlc = channel.htlcs.pop((attempt, hop))
        channel.balances_msat[by if refusal is not None else 1 - by] += htlc.amount_msat
        if refusal is not None:
            self._onions.fail(attempt, hop, refusal)
            return
        if sha256(self.preimage(attempt.payment)).digest() != htlc.payment_hash:
            raise InvariantError(f"payment {attempt.payment}: the preimage must hash to the payment hash")
        if hop == 0:
            self._onions.forget(attempt)

    def sign_commitment(self, edge: int, contents: Contents | None = None) -> None:
        """The source of `edge` signs the other side's next commitment and its HTLCs; the other verifies all."""
        channel = self._channel(edge >> 1)
        owner = 1 - (edge & 1)
        channel.sides[owner].signed += 1
        feerate = self._state.feerate_of(edge >> 1)
        htlcs = self._exchange(channel, owner, channel.sides[owner].signed, feerate, contents)
        expected = self._state.outputs_of(edge >> 1) if contents is None else contents.outputs
        if htlcs != expected:
            raise InvariantError(f"channel {edge >> 1}: its commitment must have {expected} HTLC outputs (got {htlcs})")

    def _exchange(
        self, channel: Channel, owner: int, number: int, feerate: int, contents: Contents | None = None
    ) -> int:
        """Sign and verify the owner's commitment; returns its HTLC outputs."""
        commitment = channel.commitment(owner, number, feerate, contents)
        channel.sides[owner].commitments[number] = self._signed(channel, owner, commitment, self.counts)
        return len(commitment.htlcs)

    @staticmethod
    def _signed(channel: Channel, owner: int, commitment: Commitment, counts: Counts) -> SignedCommitment:
        """The other side's signatures for the owner's commitment, verified."""
        peer = channel.sides[1 - owner]
        what = "a commitment_signed"
        signature = counts.sign(commitment.digest, peer.funding_secret)
        counts.verify(commitment.digest, signature, peer.funding_key, what)
        of_htlcs = []
        if commitment.htlcs:
            secret = derive_secret(peer.htlc_secret, channel.sides[owner].point(commitment.state.number))
            for output in commitment.htlcs:
                digest = output.digest
                of_htlcs.append(counts.sign(digest, secret))
                counts.verify(digest, of_htlcs[-1], commitment.state.keys.peer_htlc, what)
        return SignedCommitment(commitment, signature, tuple(of_htlcs))

    def revoke(self, edge: int) -> None:
        """The source of `edge` gives the secret of its oldest commitment; the other side checks and keeps it."""
        channel = self._channel(edge >> 1)
        side, peer = channel.sides[edge & 1], channel.sides[1 - (edge & 1)]
        number = side.revoked
        if number >= side.signed:
            raise InvariantError(f"edge {edge}: commitment {number} must not be revoked before a newer one is signed")
        secret = side.commitment_secret(number)
        if public_key(secret) != side.point(number):
            raise InvariantError(f"edge {edge}: the secret of commitment {number} must fit its point")
        peer.received.insert(per_commitment_index(number), secret)
        del side.points[number]
        side.commitments.pop(number, None)  # of an older channel, the first is not made before it is needed
        side.revoked += 1
        self.counts.revocations += 1

    def _channel(self, channel: int) -> Channel:
        live = self._channels.get(channel)
        if live is None:
            # Older than the run, and crossed for the first time: nothing else is in flight in it.
            state = self._state
            balances = [int(state.balance_msat[e] + state.in_flight_msat[e]) for e in (2 * channel, 2 * channel + 1)]
            # L1 knows whole satoshi: what a network file states beyond them is in no output.
            balances, spare_msat = without_spare(balances, spare_side(balances[0], sum(balances)))
            sides = self._sides(channel, renewal=False)
            funding = OutPoint(sha256(b"funding" + sides[0].funding_key).digest(), 0)
            live = self._channels[channel] = self._make(sides, funding, balances)
            live.spare_msat = spare_msat
        return live

    # Channels that one side takes on chain.

    def remember(self, edge: int) -> None:
        """The source of `edge` keeps its newest commitment, to publish it although it will be revoked."""
        side = self._channel(edge >> 1).sides[edge & 1]
        side.kept = side.revoked, side.commitments.get(side.revoked)

    def publish(self, facts: ChannelFacts, side: int, number: int, *, revoked: bool = False) -> Commitment:
        """Add the publisher's signature to the newest commitment that it holds, or to the revoked one it kept."""
        channel = self._channel(facts.channel)
        owner = channel.sides[side]
        number, held = owner.revoked, owner.commitments.get(owner.revoked)
        if revoked:
            if owner.kept is None or owner.kept[0] == owner.revoked:
                raise InvariantError(f"channel {facts.channel}: side {side} must hold a revoked commitment")
            number, held = owner.kept
        if held is None:
            # Signed when the channel was funded, before the run; made now that it is needed, and not counted.
            held = self._signed(channel, side, first_commitment(channel, facts, side), Counts())
        closing = self.closings[facts.channel] = RealClosing(channel, facts, side, number, held)
        return closing.publish(self.counts)

    def spend(self, spending: Spending, fee_sat: int) -> bytes:
        """Make, sign and verify a transaction that spends what a closed channel left; returns its id."""
        return self.closings[spending.channel].spend(spending, fee_sat, self.counts)

    # Splices.

    def splice(self, edge: int, change_sat: int, fee_sat: int) -> bytes:
        """Sign the splice and both commitments on the new funding; returns its id."""
        channel = self._channel(edge >> 1)
        splice = sign_splice(channel, edge & 1, change_sat, fee_sat, self.counts)
        self.splices.append(splice)
        self._spliced[edge >> 1] = _Splice(channel.funding, splice.outpoint(0), change_sat * MSAT_PER_SAT)
        candidate = channel.on(splice.outpoint(0), edge & 1, change_sat * MSAT_PER_SAT)
        for owner in (0, 1):
            number = channel.sides[owner].signed
            commitment = candidate.commitment(owner, number, self._state.feerate_of(edge >> 1))
            self._signed(candidate, owner, commitment, self.counts)
        return splice.txid

    def move_funding(self, edge: int) -> None:
        """Go on with the new funding, or with the one before again, and sign what the channel says now."""
        channel, splice = self._channel(edge >> 1), self._spliced[edge >> 1]
        if channel.funding == splice.old:
            moved = channel.on(splice.new, edge & 1, splice.change_msat)
        else:
            moved = channel.on(splice.old, edge & 1, -splice.change_msat)
        self._channels[edge >> 1] = moved
        if moved.capacity_sat != int(self._state.capacity_msat[edge >> 1]) // MSAT_PER_SAT:
            raise InvariantError(
                f"channel {edge >> 1}: its funding must hold {self._state.capacity_msat[edge >> 1]} msat after a "
                f"splice (got {moved.capacity_sat} sat)"
            )
        for owner in (0, 1):
            self._exchange(moved, owner, moved.sides[owner].signed, self._state.feerate_of(edge >> 1))

    # Submarine swaps.

    def lock_swap(self, swap: Swap, fee_sat: int) -> bytes:
        """Make and sign the transaction that locks a swap's coins; returns its id."""
        return self.swaps.lock(swap, fee_sat, self._onions.payment_hash(swap.payment))

    def unlock_swap(self, swap: Swap, fee_sat: int, *, claimed: bool) -> bytes:
        """Make and sign the one that takes them, with the preimage or back; returns its id."""
        return self.swaps.unlock(swap, fee_sat, self.preimage(swap.payment) if claimed else None)
