"""Failures: what a hop says went wrong, and how only the payer learns which hop it was (BOLT 4, "Returning Errors")."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest

from l2sim.crypto.onion.stream import cipher_stream, hmac_sha256, make_key, xor

__all__ = [
    "Failure",
    "FailureCode",
    "ReturnedFailure",
    "create_failure",
    "open_failure",
    "unwrap_failure",
    "wrap_failure",
]

BADONION, PERM, NODE, UPDATE = 0x8000, 0x4000, 0x2000, 0x1000
_HMAC_BYTES = 32
PADDED_BYTES = 256  # failure message and padding together, at least (BOLT 4)


class FailureCode(IntEnum):
    """The reasons of BOLT 4, "Failure Messages", with their flags."""

    TEMPORARY_NODE_FAILURE = NODE | 2
    PERMANENT_NODE_FAILURE = PERM | NODE | 2
    REQUIRED_NODE_FEATURE_MISSING = PERM | NODE | 3
    INVALID_ONION_VERSION = BADONION | PERM | 4
    INVALID_ONION_HMAC = BADONION | PERM | 5
    INVALID_ONION_KEY = BADONION | PERM | 6
    TEMPORARY_CHANNEL_FAILURE = UPDATE | 7
    PERMANENT_CHANNEL_FAILURE = PERM | 8
    REQUIRED_CHANNEL_FEATURE_MISSING = PERM | 9
    UNKNOWN_NEXT_PEER = PERM | 10
    AMOUNT_BELOW_MINIMUM = UPDATE | 11
    FEE_INSUFFICIENT = UPDATE | 12
    INCORRECT_CLTV_EXPIRY = UPDATE | 13
    EXPIRY_TOO_SOON = UPDATE | 14
    INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS = PERM | 15
    FINAL_INCORRECT_CLTV_EXPIRY = 18
    FINAL_INCORRECT_HTLC_AMOUNT = 19
    CHANNEL_DISABLED = UPDATE | 20
    EXPIRY_TOO_FAR = 21
    INVALID_ONION_PAYLOAD = PERM | 22
    MPP_TIMEOUT = 23
    INVALID_ONION_BLINDING = BADONION | PERM | 24


# Bytes of the whole numbers that follow a code; with the UPDATE flag a channel update and its length come last.
_FIELDS: dict[FailureCode, tuple[int, ...]] = {
    FailureCode.AMOUNT_BELOW_MINIMUM: (8,),  # htlc_msat
    FailureCode.FEE_INSUFFICIENT: (8,),  # htlc_msat
    FailureCode.INCORRECT_CLTV_EXPIRY: (4,),  # cltv_expiry
    FailureCode.CHANNEL_DISABLED: (2,),  # disabled_flags
    FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS: (8, 4),  # htlc_msat, height
    FailureCode.FINAL_INCORRECT_CLTV_EXPIRY: (4,),  # cltv_expiry
    FailureCode.FINAL_INCORRECT_HTLC_AMOUNT: (8,),  # incoming_htlc_amt
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason and the bytes that go with it.

    >>> Failure.of(FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, 100, 800_000).encode().hex()
    '400f0000000000000064000c3500'
    """

    code: FailureCode
    data: bytes = b""

    @classmethod
    def of(cls, code: FailureCode, *numbers: int) -> "Failure":
        """Return the failure whose fields are these numbers, without a channel update, as BOLT 4 now advises.

        Raises ValueError for another count of numbers than the code has fields.
        """
        sizes = _FIELDS.get(code, ())
        if len(numbers) != len(sizes):
            raise ValueError(f"numbers: {code.name} must have {len(sizes)} (got {len(numbers)})")
        data = b"".join([number.to_bytes(size, "big") for number, size in zip(numbers, sizes, strict=True)])
        return cls(code, data + bytes(2) if code & UPDATE else data)

    def encode(self) -> bytes:
        """Return the failure message: the code in two bytes, then the data."""
        return self.code.to_bytes(2, "big") + self.data

    @classmethod
    def decode(cls, message: bytes) -> "Failure":
        """Read a failure message; raise ValueError where it is shorter than a code or the code is not BOLT 4's."""
        if len(message) < 2:
            raise ValueError(f"message: must be at least 2 bytes (got {len(message)})")
        return cls(FailureCode(int.from_bytes(message[:2], "big")), message[2:])

    @property
    def is_permanent(self) -> bool:
        """Whether trying again does not help."""
        return bool(self.code & PERM)

    @property
    def blames_node(self) -> bool:
        """Whether the whole node failed, not one of its channels."""
        return bool(self.code & NODE)


@dataclass(frozen=True, slots=True)
class ReturnedFailure:
    """What the payer learns: which hop failed the payment (0 is the first), and the message it sent."""

    hop: int
    message: bytes


def create_failure(shared_secret: bytes, message: bytes, *, padded_bytes: int = PADDED_BYTES) -> bytes:
    """Return the packet that the failing hop hands back: 292 bytes for messages up to 256 bytes.

    `shared_secret` is the hop's own, from its onion. The message is padded to `padded_bytes` or left as long as it
    is, authenticated with the key `um` and encrypted with the key `ammag`.
    """
    padding = max(0, padded_bytes - len(message))
    body = b"".join((len(message).to_bytes(2, "big"), message, padding.to_bytes(2, "big"), bytes(padding)))
    return wrap_failure(shared_secret, hmac_sha256(make_key(b"um", shared_secret), body) + body)


def wrap_failure(shared_secret: bytes, packet: bytes) -> bytes:
    """Return the packet with one more layer, as each hop adds on the way back; a second time takes it off again."""
    return xor(packet, cipher_stream(make_key(b"ammag", shared_secret), len(packet)))


def open_failure(shared_secret: bytes, packet: bytes) -> bytes | None:
    """Return the message of a packet without layers if this hop made it, None otherwise."""
    tag, body = packet[:_HMAC_BYTES], packet[_HMAC_BYTES:]
    if not compare_digest(hmac_sha256(make_key(b"um", shared_secret), body), tag):
        return None
    return body[2 : 2 + int.from_bytes(body[:2], "big")]


def unwrap_failure(shared_secrets: Sequence[bytes], packet: bytes) -> ReturnedFailure | None:
    """Return the failing hop and its message, from the route's shared secrets, first hop first.

    None where no layer carries a valid tag: some hop garbled the packet, and without attribution data nobody can be
    blamed.
    """
    for hop, secret in enumerate(shared_secrets):
        packet = wrap_failure(secret, packet)
        message = open_failure(secret, packet)
        if message is not None:
            return ReturnedFailure(hop, message)
    return None
