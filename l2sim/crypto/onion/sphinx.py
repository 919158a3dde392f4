"""Onion packets: 1366 bytes that show each hop its own payload and nothing else (BOLT 4, "Packet Construction").

The payer first agrees a secret with every hop (`route_secrets`, all the curve work), then wraps the payloads
(`wrap_onion`, hashing and ciphers alone), so that one route's secrets can be made ahead or in bulk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from l2sim.crypto.onion.bigsize import decode_bigsize, encode_bigsize
from l2sim.crypto.onion.failures import FailureCode
from l2sim.crypto.onion.stream import cipher_stream, hmac_sha256, make_key, xor
from l2sim.crypto.signatures.keys import ecdh, is_public_key, multiply_point, multiply_secrets, public_key

__all__ = [
    "ONION_BYTES",
    "BuiltOnion",
    "OnionError",
    "PeeledOnion",
    "RouteSecrets",
    "build_onion",
    "peel_onion",
    "route_secrets",
    "wrap_onion",
]

PAYLOADS_BYTES = 1300
HMAC_BYTES = 32
_KEY_END = 34  # after the version byte and the 33-byte ephemeral key
ONION_BYTES = _KEY_END + PAYLOADS_BYTES + HMAC_BYTES
_LAST_HOP = bytes(HMAC_BYTES)


class OnionError(ValueError):
    """A packet that a hop cannot use: the failure code it answers with, then what is wrong."""

    @property
    def code(self) -> FailureCode:
        """The failure code."""
        code: FailureCode = self.args[0]
        return code


@dataclass(frozen=True, slots=True)
class RouteSecrets:
    """The payer's side of a route: the first ephemeral key, one secret a hop, and the key that pads the packet."""

    ephemeral_key: bytes
    shared_secrets: tuple[bytes, ...]
    pad_key: bytes


@dataclass(frozen=True, slots=True)
class BuiltOnion:
    """A packet for the first hop, and the secrets that later tell who failed the payment."""

    packet: bytes
    shared_secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PeeledOnion:
    """What a hop finds: its payload, the packet for the next hop (None at the payee), and its shared secret."""

    payload: bytes
    next_packet: bytes | None
    shared_secret: bytes


def route_secrets(session_key: bytes, node_keys: Sequence[bytes]) -> RouteSecrets:
    """Agree a secret with each node of a route, in order: per hop two multiplications and a blinding factor.

    `session_key` is 32 bytes, used for one packet only; node keys are 33 bytes. Raises ValueError for an empty route
    or an unusable key.
    """
    if not node_keys:
        raise ValueError("node_keys: must be at least one (got none)")
    secrets: list[bytes] = []
    ephemeral_secret, first_key = session_key, public_key(session_key)
    ephemeral_key = first_key
    for hop, node_key in enumerate(node_keys):
        if hop:
            blinding = sha256(ephemeral_key + secrets[-1]).digest()
            ephemeral_secret = multiply_secrets(ephemeral_secret, blinding)
            ephemeral_key = public_key(ephemeral_secret)
        secrets.append(ecdh(ephemeral_secret, node_key))
    return RouteSecrets(first_key, tuple(secrets), make_key(b"pad", session_key))


def wrap_onion(route: RouteSecrets, payloads: Sequence[bytes], associated_data: bytes) -> BuiltOnion:
    """Wrap one payload a hop, first hop first; the associated data is the payment hash.

    Payloads come without the length that precedes them in the packet. Raises ValueError for another number than the
    route has hops, an empty payload, or more than fits in 1300 bytes.
    """
    if len(payloads) != len(route.shared_secrets):
        raise ValueError(f"payloads: must be one a hop, {len(route.shared_secrets)} (got {len(payloads)})")
    if not all(len(payload) >= 2 for payload in payloads):
        raise ValueError("payloads: each must be at least 2 bytes, the shortest record")
    frames = [encode_bigsize(len(payload)) + payload for payload in payloads]
    sizes = [len(frame) + HMAC_BYTES for frame in frames]
    if sum(sizes) > PAYLOADS_BYTES:
        raise ValueError(f"payloads: must fit in {PAYLOADS_BYTES} bytes with lengths and tags (got {sum(sizes)})")
    streams = [
        cipher_stream(make_key(b"rho", secret), PAYLOADS_BYTES + size)
        for secret, size in zip(route.shared_secrets, sizes, strict=True)
    ]
    content, tag = cipher_stream(route.pad_key, PAYLOADS_BYTES), _LAST_HOP
    filler = _filler(streams, sizes)
    for hop in range(len(frames) - 1, -1, -1):
        content = xor((frames[hop] + tag + content)[:PAYLOADS_BYTES], streams[hop][:PAYLOADS_BYTES])
        if hop == len(frames) - 1:
            content = content[: PAYLOADS_BYTES - len(filler)] + filler
        tag = hmac_sha256(make_key(b"mu", route.shared_secrets[hop]), content + associated_data)
    return BuiltOnion(b"\x00" + route.ephemeral_key + content + tag, route.shared_secrets)


def build_onion(
    session_key: bytes, node_keys: Sequence[bytes], payloads: Sequence[bytes], associated_data: bytes
) -> BuiltOnion:
    """Build the packet of a route in one step: `route_secrets`, then `wrap_onion`.

    >>> secret = bytes([5]) * 32
    >>> built = build_onion(bytes([7]) * 32, [public_key(secret)], [b"to you"], bytes(32))
    >>> peeled = peel_onion(built.packet, secret, bytes(32))
    >>> peeled.payload, peeled.next_packet
    (b'to you', None)
    """
    return wrap_onion(route_secrets(session_key, node_keys), payloads, associated_data)


def peel_onion(packet: bytes, node_secret: bytes, associated_data: bytes) -> PeeledOnion:
    """Take one layer off a packet with a node's 32-byte secret.

    Raises OnionError where the version is unknown, the ephemeral key no point, the tag wrong or the payload's length
    impossible; ValueError where the packet is not 1366 bytes.
    """
    if len(packet) != ONION_BYTES:
        raise ValueError(f"packet: must be exactly {ONION_BYTES} bytes (got {len(packet)})")
    if packet[0] != 0:
        raise OnionError(FailureCode.INVALID_ONION_VERSION, f"version: must be 0 (got {packet[0]})")
    ephemeral_key = packet[1:_KEY_END]
    if not is_public_key(ephemeral_key):
        raise OnionError(
            FailureCode.INVALID_ONION_KEY, f"ephemeral key: must be a compressed point (got {ephemeral_key.hex()})"
        )
    shared_secret = ecdh(node_secret, ephemeral_key)
    content, tag = packet[_KEY_END:-HMAC_BYTES], packet[-HMAC_BYTES:]
    if not compare_digest(hmac_sha256(make_key(b"mu", shared_secret), content + associated_data), tag):
        raise OnionError(FailureCode.INVALID_ONION_HMAC, "hmac: must be that of payloads and associated data")
    stream = cipher_stream(make_key(b"rho", shared_secret), 2 * PAYLOADS_BYTES)
    plain = xor(content + bytes(PAYLOADS_BYTES), stream)
    try:
        length, start = decode_bigsize(plain)
    except ValueError as error:
        raise OnionError(FailureCode.INVALID_ONION_PAYLOAD, str(error)) from error
    end = start + length
    if length < 2 or end + HMAC_BYTES > PAYLOADS_BYTES:
        raise OnionError(
            FailureCode.INVALID_ONION_PAYLOAD, f"payload: must be 2 bytes or more and fit the packet (got {length})"
        )
    payload, next_tag = plain[start:end], plain[end : end + HMAC_BYTES]
    if next_tag == _LAST_HOP:
        return PeeledOnion(payload, None, shared_secret)
    next_key = multiply_point(ephemeral_key, sha256(ephemeral_key + shared_secret).digest())
    rest = plain[end + HMAC_BYTES : end + HMAC_BYTES + PAYLOADS_BYTES]
    return PeeledOnion(payload, b"\x00" + next_key + rest + next_tag, shared_secret)


def _filler(streams: list[bytes], sizes: list[int]) -> bytes:
    """What the hops before the last will have shifted in at the end, encrypted by each of them in turn."""
    filler = b""
    for stream, size in zip(streams[:-1], sizes[:-1], strict=True):
        filler = xor(filler + bytes(size), stream[PAYLOADS_BYTES - len(filler) : PAYLOADS_BYTES + size])
    return filler
