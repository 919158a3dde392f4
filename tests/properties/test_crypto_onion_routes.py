"""Onions over any route: every hop finds its own payload, every failure is laid at the right door."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.onion.failures import ReturnedFailure, create_failure, unwrap_failure, wrap_failure
from l2sim.crypto.onion.payload import HopPayload
from l2sim.crypto.onion.sphinx import ONION_BYTES, OnionError, build_onion, peel_onion
from l2sim.crypto.signatures.keys import public_key

SECRETS = [bytes(30) + (1 + i).to_bytes(2, "big") for i in range(27)]
KEYS = [public_key(secret) for secret in SECRETS]
SESSION = st.integers(1, 2**250).map(lambda value: value.to_bytes(32, "big"))


@settings(max_examples=40)
@given(SESSION, st.integers(1, 27), st.data())
def test_every_hop_finds_its_payload(session_key: bytes, hops: int, data: st.DataObject) -> None:
    room = 1300 // hops - 32 - (3 if 1300 // hops - 33 > 252 else 1)
    payloads = [data.draw(st.binary(min_size=2, max_size=max(2, room))) for _ in range(hops)]
    associated = data.draw(st.binary(max_size=40))
    built = build_onion(session_key, KEYS[:hops], payloads, associated)
    packet: bytes | None = built.packet
    for hop in range(hops):
        assert packet is not None
        assert len(packet) == ONION_BYTES
        peeled = peel_onion(packet, SECRETS[hop], associated)
        assert (peeled.payload, peeled.shared_secret) == (payloads[hop], built.shared_secrets[hop])
        packet = peeled.next_packet
    assert packet is None


@settings(max_examples=40)
@given(st.integers(1, 27), st.data())
def test_failures_name_their_hop(hops: int, data: st.DataObject) -> None:
    secrets = [bytes([hop + 1]) * 32 for hop in range(hops)]
    failing = data.draw(st.integers(0, hops - 1))
    message = data.draw(st.binary(min_size=2, max_size=400))
    packet = create_failure(secrets[failing], message)
    for hop in reversed(range(failing)):
        packet = wrap_failure(secrets[hop], packet)
    assert unwrap_failure(secrets, packet) == ReturnedFailure(failing, message)


@settings(max_examples=60)
@given(st.integers(0, ONION_BYTES * 8 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    packet = bytearray(build_onion(bytes([9]) * 32, KEYS[:2], [b"first", b"second"], b"hash").packet)
    packet[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OnionError):
        peel_onion(bytes(packet), SECRETS[0], b"hash")


FORWARD = st.builds(
    HopPayload,
    amount_msat=st.integers(0, 2**64 - 1),
    cltv_expiry_blocks=st.integers(0, 2**32 - 1),
    short_channel_id=st.integers(0, 2**64 - 1),
)
FINAL = st.builds(
    HopPayload,
    amount_msat=st.integers(0, 2**64 - 1),
    cltv_expiry_blocks=st.integers(0, 2**32 - 1),
    payment_secret=st.binary(min_size=32, max_size=32),
    total_msat=st.integers(0, 2**64 - 1),
    payment_metadata=st.none() | st.binary(max_size=60),
    extra=st.dictionaries(st.integers(0, 2**40).map(lambda n: 2 * n + 1), st.binary(max_size=20), max_size=3),
)


@given(FORWARD | FINAL)
def test_payloads_survive_the_round_trip(payload: HopPayload) -> None:
    assert HopPayload.decode(payload.encode()) == payload


@given(st.binary(max_size=60))
def test_payloads_have_one_encoding(data: bytes) -> None:
    try:
        payload = HopPayload.decode(data)
    except ValueError:
        return
    assert payload.encode() == data
