"""Onions performed: packets wrapped, peeled layer by layer, and failures on their way back (BOLT 4)."""

from hashlib import sha256
from typing import TYPE_CHECKING

from l2sim.crypto.onion.failures import Failure, FailureCode, create_failure, unwrap_failure, wrap_failure
from l2sim.crypto.onion.payload import HopPayload
from l2sim.crypto.onion.sphinx import OnionError, build_onion, peel_onion
from l2sim.crypto.signatures.keys import public_key
from l2sim.engine import Streams
from l2sim.errors import InvariantError
from l2sim.systems.lightning.real_channel import START_HEIGHT
from l2sim.systems.lightning.refusals import Refusal

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt


class _Packet:
    """An onion on its way, and the failure on its way back."""

    __slots__ = ("failed_at", "failure", "found", "malformed", "onion", "shared_secrets")

    def __init__(self, onion: bytes, shared_secrets: tuple[bytes, ...]) -> None:
        self.onion = onion
        self.shared_secrets = shared_secrets
        """The payer's, one a node after it."""
        self.found: list[bytes] = []
        """Those that the nodes found in their layers, so far."""
        self.failure: bytes | None = None
        self.failed_at = -1
        """The channel whose target wrapped it last."""
        self.malformed = b""
        """Hash of the onion that a node could not read."""


class Onions:
    """The packets of all attempts under way, and the keys of the nodes that open them."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._packets: dict[Attempt, _Packet] = {}
        self._node_secrets: dict[int, bytes] = {}
        self._node_keys: dict[int, bytes] = {}
        self._built = 0

    def preimage(self, payment: int) -> bytes:
        """What the payee releases, 32 bytes."""
        return self._streams.secret("lightning/preimage", payment)

    def payment_hash(self, payment: int) -> bytes:
        """What locks the HTLCs of a payment, 32 bytes."""
        return sha256(self.preimage(payment)).digest()

    def build(self, attempt: "Attempt") -> None:
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
        session_key = self._streams.secret("lightning/session key", self._built)
        self._built += 1
        built = build_onion(session_key, keys, [*payloads, final.encode()], self.payment_hash(attempt.payment))
        self._packets[attempt] = _Packet(built.packet, built.shared_secrets)

    def peel(self, attempt: "Attempt", hop: int, fault: Refusal | None) -> None:
        """Open the layer of the target of channel `hop`; it must say what the next HTLC, or the last, says.

        With a malformed onion for a fault, the packet is spoiled before and must be found so.
        """
        packet = self._packets[attempt]
        node = attempt.nodes[hop + 1]
        payment_hash = self.payment_hash(attempt.payment)
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

    def fail(self, attempt: "Attempt", hop: int, refusal: Refusal) -> None:
        """The target of channel `hop` makes the failure packet, or adds its layer to the one it got."""
        packet = self._packets[attempt]
        if refusal.malformed and hop == len(packet.found):
            return  # update_fail_malformed_htlc: without a shared secret there is no packet to make
        secret = packet.found[hop]
        if packet.failure is None or packet.failed_at != hop + 1:  # what failed further on came too late: on chain
            failure = _failure(refusal, attempt, hop, packet.malformed)
            packet.failure = create_failure(secret, failure.encode())
        else:
            packet.failure = wrap_failure(secret, packet.failure)
        packet.failed_at = hop

    def read_failure(self, attempt: "Attempt", hop: int, refusal: Refusal) -> None:
        """Unwrap the failure packet and check whom it names and why."""
        if hop == 0:
            if attempt.left == 0:
                self._packets.pop(attempt, None)
            return  # the payer knows by itself: its peer could not read the onion, or its channel is on chain
        packet = self._packets[attempt]
        if attempt.left == 0:  # else the rest of the route goes on without it: a channel between went on chain
            del self._packets[attempt]
        if packet.failure is None:
            raise InvariantError(f"payment {attempt.payment}: a failed attempt must bring a failure packet")
        returned = unwrap_failure(packet.shared_secrets, packet.failure)
        if returned is None or returned.hop != hop - 1 or Failure.decode(returned.message).code is not refusal.code:
            raise InvariantError(
                f"payment {attempt.payment}: its failure must come from node {hop - 1} of the route with "
                f"{refusal.code.name} (got {returned})"
            )

    def forget(self, attempt: "Attempt") -> None:
        """The attempt has come through."""
        del self._packets[attempt]

    def _node_key(self, node: int) -> bytes:
        key = self._node_keys.get(node)
        if key is None:
            secret = self._node_secrets[node] = self._streams.secret("lightning/node key", node)
            key = self._node_keys[node] = public_key(secret)
        return key


def _spoil(onion: bytes, fault: Refusal) -> bytes:
    """The packet with what the fault says wrong with it; blinding, which is not modelled, is a wrong tag."""
    if fault is Refusal.INVALID_ONION_VERSION:
        return b"\x01" + onion[1:]
    if fault is Refusal.INVALID_ONION_KEY:
        return onion[:1] + b"\x05" + onion[2:]  # 5 begins no compressed point
    return onion[:-1] + bytes([onion[-1] ^ 1])


def _failure(refusal: Refusal, attempt: "Attempt", hop: int, malformed: bytes) -> Failure:
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
