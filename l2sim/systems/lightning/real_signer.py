"""Cryptography performed: keys, commitments, signatures, revocations, funding and closing transactions, onions.

Every channel has both sides' keys and the newest commitment's content; each `commitment_signed` builds the other
side's next commitment byte for byte (BOLT 3, anchors), signs it and all its HTLC transactions, and verifies what
was signed; each `revoke_and_ack` gives a per-commitment secret, which must fit the point known before and all
secrets given earlier. What both sides would build alike is built once.

Channels of the backbone are older than the run: their commitments begin, with their live balances, at the first
HTLC that crosses them.
"""

from hashlib import sha256
from typing import Final

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.closing import ClosingSide, build_closing
from l2sim.crypto.bitcoin.commitment import (
    Commitment,
    CommitmentParameters,
    CommitmentState,
    build_commitment,
    obscuring_factor,
)
from l2sim.crypto.bitcoin.funding import funding_output
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.keys import Basepoints, commitment_keys, derive_secret
from l2sim.crypto.bitcoin.p2wpkh import Coin, sign_payment, unsigned_payment, verify_payment
from l2sim.crypto.bitcoin.script import p2wpkh
from l2sim.crypto.bitcoin.shachain import SecretStore, per_commitment_index, per_commitment_secret
from l2sim.crypto.bitcoin.transaction import OutPoint, TxOutput
from l2sim.crypto.onion.failures import Failure, FailureCode, create_failure, unwrap_failure, wrap_failure
from l2sim.crypto.onion.payload import HopPayload
from l2sim.crypto.onion.sphinx import OnionError, build_onion, peel_onion
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from l2sim.engine import Streams
from l2sim.errors import InvariantError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.link import Contents, LinkHtlc
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState

TO_SELF_DELAY_BLOCKS: Final = 144  # CLN's and LND's least (BOLT 2 leaves it open)
START_HEIGHT: Final = 900_000  # added to the simulated chain's heights in HTLC expiries: that of mid 2025
CHANGE_SAT: Final = 10_000  # what a funding transaction leaves its makers (see AttachedUsers.wallet_reserve_sat)


class _Side:
    """One side of a channel: its secrets, its commitments' numbers, and the other's secrets that it was given."""

    def __init__(self, streams: Streams, edge: int) -> None:
        def secret(what: str) -> bytes:
            return streams.secret(f"lightning/{what}", edge)

        self.funding_secret = secret("funding key")
        self.htlc_secret = secret("htlc basepoint")
        self.wallet_secret = secret("wallet key")
        self.seed = secret("commitment seed")
        self.funding_key = public_key(self.funding_secret)
        self.wallet_key = public_key(self.wallet_secret)
        self.basepoints = Basepoints(
            payment=public_key(secret("payment basepoint")),
            delayed_payment=public_key(secret("delayed payment basepoint")),
            htlc=public_key(self.htlc_secret),
            revocation=public_key(secret("revocation basepoint")),
        )
        self.points: dict[int, bytes] = {}
        """Per-commitment points given to the other side and not revoked yet, by commitment number."""
        self.signed = 0
        """Number of the newest commitment that the other side signed."""
        self.revoked = 0
        """Commitments below this number are revoked."""
        self.received = SecretStore()

    def point(self, number: int) -> bytes:
        """The per-commitment point of one of this side's commitments."""
        point = self.points.get(number)
        if point is None:
            point = self.points[number] = public_key(self.commitment_secret(number))
        return point

    def commitment_secret(self, number: int) -> bytes:
        """The secret that revokes that commitment."""
        return per_commitment_secret(self.seed, per_commitment_index(number))


class _Channel:
    """Both sides of a channel, its funding output, and what its newest commitments say."""

    def __init__(self, sides: tuple[_Side, _Side], funding: OutPoint, balances_msat: list[int], dust_sat: int) -> None:
        self.sides = sides
        self.funding = funding
        self.capacity_sat = sum(balances_msat) // MSAT_PER_SAT
        self.balances_msat = balances_msat
        self.spare_msat = [0, 0]
        """What each side owns beyond whole sat in all, which is in no output."""
        self.htlcs: dict[tuple[Attempt, int], tuple[int, Htlc]] = {}
        """HTLCs in the newest commitments: (attempt, hop) to (offering side, HTLC)."""
        factor = obscuring_factor(sides[0].basepoints.payment, sides[1].basepoints.payment)
        self.parameters = tuple(
            CommitmentParameters(
                channel_type=ChannelType.ANCHORS,
                funding=funding,
                funding_sat=self.capacity_sat,
                owner_is_funder=owner == 0,
                owner_funding_key=sides[owner].funding_key,
                peer_funding_key=sides[1 - owner].funding_key,
                peer_payment_key=sides[1 - owner].basepoints.payment,
                obscuring_factor=factor,
                to_self_delay_blocks=TO_SELF_DELAY_BLOCKS,
                dust_limit_sat=dust_sat,
            )
            for owner in (0, 1)
        )

    def commitment(
        self, owner: int, number: int, feerate_sat_per_kw: int, contents: Contents | None = None
    ) -> Commitment:
        """The owner's commitment of that number, with these contents or with what is in the channel now."""
        side, peer = self.sides[owner], self.sides[1 - owner]
        if contents is None:
            balances, htlcs = self.balances_msat, list(self.htlcs.values())
        else:
            feerate_sat_per_kw = contents.feerate
            balances = [msat - spare for msat, spare in zip(contents.balances_msat, self.spare_msat, strict=True)]
            htlcs = [(htlc.side, _output(htlc)) for htlc in contents.htlcs]
        state = CommitmentState(
            number=number,
            keys=commitment_keys(side.basepoints, peer.basepoints, side.point(number)),
            owner_msat=balances[owner],
            peer_msat=balances[1 - owner],
            feerate_per_kw=feerate_sat_per_kw,
            offered=tuple(htlc for by, htlc in htlcs if by == owner),
            received=tuple(htlc for by, htlc in htlcs if by != owner),
        )
        return build_commitment(self.parameters[owner], state)


class _Packet:
    """An onion on its way, and the failure on its way back."""

    __slots__ = ("failure", "found", "malformed", "onion", "shared_secrets")

    def __init__(self, onion: bytes, shared_secrets: tuple[bytes, ...]) -> None:
        self.onion = onion
        self.shared_secrets = shared_secrets
        """The payer's, one a node after it."""
        self.found: list[bytes] = []
        """Those that the nodes found in their layers, so far."""
        self.failure: bytes | None = None
        self.malformed = b""
        """Hash of the onion that a node could not read."""


class RealSigner(Signer):
    """Performs and checks every step; raises InvariantError where a signature, secret or amount does not fit."""

    def __init__(self, name: str, streams: Streams, state: ChannelState) -> None:
        super().__init__(name)
        self._streams = streams
        self._state = state
        self._channels: dict[int, _Channel] = {}
        self._packets: dict[Attempt, _Packet] = {}
        self._node_secrets: dict[int, bytes] = {}
        self._node_keys: dict[int, bytes] = {}
        self._onions = 0
        self.made = 0
        """Signatures made."""
        self.verified = 0
        """Signatures verified."""
        self.revocations = 0
        """Revocation secrets checked."""

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
        self.made += len(coins)
        self.verified += len(coins)
        if not verify_payment(payment, coins):
            raise InvariantError(f"the funding transaction of channel {channel} must verify")
        balances = [funder_sat * MSAT_PER_SAT, other_sat * MSAT_PER_SAT]
        opened = _Channel(sides, payment.outpoint(0), balances, self._state.rules.dust_limit_sat)
        for owner in (0, 1):
            self._exchange(opened, owner, 0, self._state.rules.commitment_feerate_sat_per_kw)
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
            signature = ecdsa.sign(closing.digest, side.funding_secret)
            self.made += 1
            self._verify(closing.digest, signature, side.funding_key, f"the close of channel {channel}")
            signatures.append(signature)
        return closing.signed(signatures[0], signatures[1]).txid

    def _sides(self, channel: int, renewal: bool) -> tuple[_Side, _Side]:
        """New keys for both sides; a renewed channel's new funding has keys of its own."""
        offset = 2 * len(self._state.phase) if renewal else 0
        return _Side(self._streams, offset + 2 * channel), _Side(self._streams, offset + 2 * channel + 1)

    # Onions.

    def build_onion(self, attempt: Attempt) -> None:
        """Wrap what each node must know: amount, expiry and next channel, or the payee's payment secret."""
        expiries = [START_HEIGHT + attempt.height + blocks for blocks in attempt.expiries_blocks]
        payloads = [
            HopPayload(amount_msat, expiry, short_channel_id=edge >> 1).encode()
            for edge, amount_msat, expiry in zip(attempt.edges[1:], attempt.amounts_msat[1:], expiries[1:], strict=True)
        ]
        amount_msat = attempt.amounts_msat[-1]
        payment_secret = self._streams.secret("lightning/payment secret", attempt.payment)
        final = HopPayload(amount_msat, expiries[-1], payment_secret=payment_secret, total_msat=attempt.total_msat)
        keys = [self._node_key(node) for node in attempt.nodes[1:]]
        session_key = self._streams.secret("lightning/session key", self._onions)
        self._onions += 1
        built = build_onion(session_key, keys, [*payloads, final.encode()], self._payment_hash(attempt.payment))
        self._packets[attempt] = _Packet(built.packet, built.shared_secrets)

    def peel_onion(self, attempt: Attempt, hop: int, fault: Refusal | None = None) -> None:
        """Open the layer of the target of channel `hop`; it must say what the next HTLC, or the last, says.

        With a malformed onion for a fault, the packet is spoiled before and must be found so.
        """
        packet = self._packets[attempt]
        node = attempt.nodes[hop + 1]
        payment_hash = self._payment_hash(attempt.payment)
        if fault is not None and fault.malformed:
            spoiled = _spoil(packet.onion, fault)
            packet.malformed = sha256(spoiled).digest()
            try:
                peel_onion(spoiled, self._node_secrets[node], payment_hash)
            except OnionError as error:
                if error.code in (fault.code, FailureCode.INVALID_ONION_HMAC):
                    return
                raise
            raise InvariantError(f"payment {attempt.payment}: a spoiled onion must not open ({fault.name})")
        peeled = peel_onion(packet.onion, self._node_secrets[node], payment_hash)
        payload = HopPayload.decode(peeled.payload)
        following = min(hop + 1, len(attempt.edges) - 1)
        asked = (attempt.amounts_msat[following], START_HEIGHT + attempt.height + attempt.expiries_blocks[following])
        if (payload.amount_msat, payload.cltv_expiry_blocks) != asked:
            raise InvariantError(f"payment {attempt.payment}: hop {hop} must be asked for {asked} (got {payload})")
        packet.found.append(peeled.shared_secret)
        if peeled.next_packet is not None:
            packet.onion = peeled.next_packet

    def _node_key(self, node: int) -> bytes:
        key = self._node_keys.get(node)
        if key is None:
            secret = self._node_secrets[node] = self._streams.secret("lightning/node key", node)
            key = self._node_keys[node] = public_key(secret)
        return key

    def _payment_hash(self, payment: int) -> bytes:
        return sha256(self._preimage(payment)).digest()

    # The commitment dance.

    def add_htlc(self, attempt: Attempt, hop: int) -> Htlc:
        """Put the HTLC of channel `hop` into the newest commitments."""
        edge, amount_msat = attempt.taken[hop], attempt.amounts_msat[hop]
        channel = self._channel(edge >> 1)
        expiry = START_HEIGHT + attempt.height + attempt.expiries_blocks[hop]
        htlc = Htlc(amount_msat, self._payment_hash(attempt.payment), expiry)
        channel.balances_msat[edge & 1] -= amount_msat
        channel.htlcs[attempt, hop] = (edge & 1, htlc)
        return htlc

    def remove_htlc(self, attempt: Attempt, hop: int, refusal: Refusal | None) -> None:
        """Take it out again, with the preimage or with a failure packet."""
        channel = self._channel(attempt.taken[hop] >> 1)
        by, htlc = channel.htlcs.pop((attempt, hop))
        if refusal is None:
            if self._payment_hash(attempt.payment) != htlc.payment_hash:
                raise InvariantError(f"payment {attempt.payment}: the preimage must hash to the payment hash")
            channel.balances_msat[1 - by] += htlc.amount_msat
            if hop == 0:
                del self._packets[attempt]
            return
        channel.balances_msat[by] += htlc.amount_msat
        packet = self._packets[attempt]
        if refusal.malformed and hop == len(packet.found):
            return  # update_fail_malformed_htlc: without a shared secret there is no packet to make
        secret = packet.found[hop]
        if packet.failure is None:
            failure = _failure(refusal, attempt, hop, packet.malformed)
            packet.failure = create_failure(secret, failure.encode())
        else:
            packet.failure = wrap_failure(secret, packet.failure)

    def read_failure(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """Unwrap the failure packet and check whom it names and why."""
        packet = self._packets.pop(attempt)
        if hop == 0:
            return  # the payer knows by itself: its peer could not read the onion, or its channel is on chain
        if packet.failure is None:
            raise InvariantError(f"payment {attempt.payment}: a failed attempt must bring a failure packet")
        returned = unwrap_failure(packet.shared_secrets, packet.failure)
        if returned is None or returned.hop != hop - 1 or Failure.decode(returned.message).code is not refusal.code:
            raise InvariantError(
                f"payment {attempt.payment}: its failure must come from node {hop - 1} of the route with "
                f"{refusal.code.name} (got {returned})"
            )

    def _preimage(self, payment: int) -> bytes:
        return self._streams.secret("lightning/preimage", payment)

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
        self, channel: _Channel, owner: int, number: int, feerate: int, contents: Contents | None = None
    ) -> int:
        """Sign and verify the owner's commitment; returns its HTLC outputs."""
        peer = channel.sides[1 - owner]
        commitment = channel.commitment(owner, number, feerate, contents)
        self._sign_and_verify(commitment.digest, peer.funding_secret, peer.funding_key)
        if commitment.htlcs:
            point = channel.sides[owner].point(number)
            secret = derive_secret(peer.htlc_secret, point)
            for output in commitment.htlcs:
                self._sign_and_verify(output.digest, secret, commitment.state.keys.peer_htlc)
        return len(commitment.htlcs)

    def _sign_and_verify(self, digest: bytes, secret: bytes, key: bytes) -> None:
        signature = ecdsa.sign(digest, secret)
        self.made += 1
        self._verify(digest, signature, key, "a commitment_signed")

    def _verify(self, digest: bytes, signature: bytes, key: bytes, what: str) -> None:
        self.verified += 1
        if not ecdsa.verify(digest, signature, key):
            raise InvariantError(f"a signature of {what} must verify under {key.hex()} (digest {digest.hex()})")

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
        side.revoked += 1
        self.revocations += 1

    def _channel(self, channel: int) -> _Channel:
        live = self._channels.get(channel)
        if live is None:
            # Older than the run, and crossed for the first time: nothing else is in flight in it.
            state = self._state
            balances = [int(state.balance_msat[e] + state.in_flight_msat[e]) for e in (2 * channel, 2 * channel + 1)]
            # L1 knows whole satoshi: what a network file states beyond them is in no output.
            spare_msat = sum(balances) % MSAT_PER_SAT
            spare_side = 0 if balances[0] >= spare_msat else 1
            balances[spare_side] -= spare_msat
            sides = self._sides(channel, renewal=False)
            funding = OutPoint(sha256(b"funding" + sides[0].funding_key).digest(), 0)
            live = self._channels[channel] = _Channel(sides, funding, balances, state.rules.dust_limit_sat)
            live.spare_msat[spare_side] = spare_msat
        return live


def _output(htlc: LinkHtlc) -> Htlc:
    """What the HTLC's output says, as `add_htlc` made it."""
    if htlc.output is None:
        raise InvariantError(f"payment {htlc.attempt.payment}: the HTLC of hop {htlc.hop} must have an output")
    return htlc.output


def _spoil(onion: bytes, fault: Refusal) -> bytes:
    """The packet with what the fault says wrong with it; blinding, which is not modelled, is a wrong tag."""
    if fault is Refusal.INVALID_ONION_VERSION:
        return b"\x01" + onion[1:]
    if fault is Refusal.INVALID_ONION_KEY:
        return onion[:1] + b"\x05" + onion[2:]  # 5 begins no compressed point
    return onion[:-1] + bytes([onion[-1] ^ 1])


def _failure(refusal: Refusal, attempt: Attempt, hop: int, malformed: bytes) -> Failure:
    """The failure message of the target of channel `hop`, which got the HTLC over it and takes it no further."""
    code = refusal.code
    amount_msat, blocks = attempt.amounts_msat[hop], attempt.expiries_blocks[hop]
    expiry = START_HEIGHT + attempt.height + blocks
    following = min(hop + 1, len(attempt.edges) - 1)
    match refusal:
        case Refusal.AMOUNT_BELOW_MINIMUM:
            return Failure.of(code, attempt.amounts_msat[following])
        case Refusal.FEE_INSUFFICIENT | Refusal.FINAL_INCORRECT_HTLC_AMOUNT:
            return Failure.of(code, amount_msat)
        case Refusal.INCORRECT_CLTV_EXPIRY | Refusal.FINAL_INCORRECT_CLTV_EXPIRY:
            return Failure.of(code, expiry)
        case Refusal.CHANNEL_DISABLED:
            return Failure.of(code, 0)
        case Refusal.UNKNOWN_PAYMENT_DETAILS:
            return Failure.of(code, amount_msat, START_HEIGHT + attempt.height)
    # BOLT 4 numbers a bad onion by its hash; the other codes say nothing more.
    return Failure(code, malformed) if refusal.malformed else Failure.of(code)
