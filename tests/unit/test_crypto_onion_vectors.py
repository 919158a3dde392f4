"""Onions and failures against BOLT 4's vectors, and everything that a hop refuses."""

import json
from typing import Any

import pytest

from l2sim.crypto.onion.bigsize import decode_bigsize, decode_records, encode_bigsize
from l2sim.crypto.onion.failures import (
    Failure,
    FailureCode,
    ReturnedFailure,
    create_failure,
    unwrap_failure,
    wrap_failure,
)
from l2sim.crypto.onion.payload import HopPayload
from l2sim.crypto.onion.sphinx import ONION_BYTES, OnionError, build_onion, peel_onion, route_secrets
from l2sim.crypto.onion.stream import make_key
from l2sim.crypto.signatures.keys import public_key
from tests.shared import shared

SESSION_KEY = bytes([0x41]) * 32
ASSOCIATED = bytes([0x42]) * 32
NODE_SECRETS = [bytes([0x41 + hop]) * 32 for hop in range(5)]
NODE_KEYS = [public_key(secret) for secret in NODE_SECRETS]
# BOLT 4, "Returning Errors": the secrets that the five hops of its example share with the payer.
SHARED_SECRETS = [
    "53eb63ea8a3fec3b3cd433b85cd62a4b145e1dda09391b348c4e1cd36a03ea66",
    "a6519e98832a0b179f62123b3567c106db99ee37bef036e783263602f3488fae",
    "3a6b412548762f0dbccce5c7ae7bb8147d1caf9b5471c34120b30bc9c04891cc",
    "21e13c2d7cfe7e18836df50872466117a295783ab8aab0e7ecc8c725503ad02d",
    "b5756b9b542727dbafc6765a49488b023a725d631af688fc031217e90770c328",
]


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared(f"vectors/lightning/bolt4/{name}.json").read_text())
    return loaded


def without_length(frame: str) -> bytes:
    data = bytes.fromhex(frame)
    length, start = decode_bigsize(data)
    assert start + length == len(data)
    return data[start:]


def test_shared_secrets_of_bolt4() -> None:
    route = route_secrets(SESSION_KEY, NODE_KEYS)
    assert [secret.hex() for secret in route.shared_secrets] == SHARED_SECRETS
    assert route.ephemeral_key == public_key(SESSION_KEY)
    assert make_key(b"ammag", route.shared_secrets[4]).hex() == (
        "2f36bb8822e1f0d04c27b7d8bb7d7dd586e032a3218b8d414afbba6f169a4d68"
    )


def test_the_printed_onion_of_bolt4() -> None:
    # A clone alone: payloads, first and last bytes of bolt04/onion-test.json; its last tag vouches for the rest.
    secret = "24a33562c54507a9334e79f0dc4f17d407e6d7c61f0e2f3d0d38599502f61704"
    payloads = [
        "02023a98040205dc06080000000000000001",
        "020236b00402057806080000000000000002fd02013c" + bytes(range(1, 16)).hex() * 4,
        "020230d4040204e206080000000000000003",
        "02022710040203e806080000000000000004",
        "02022710040203e80822" + secret + "2710fd012de0" + "2a" * 224,
    ]
    built = build_onion(SESSION_KEY, NODE_KEYS, [bytes.fromhex(payload) for payload in payloads], ASSOCIATED)
    assert built.packet[34:66].hex() == "f7f3416a5aa36dc7eeb3ec6d421e9615471ab870a33ac07fa5d5a51df0a8823a"
    assert built.packet[-32:].hex() == "4051e4ef908828db9cca13277ef65db3fd47ccc2179126aaefb627719f421e20"


def test_the_onion_of_bolt4_is_built_and_peeled() -> None:
    case = load("onion-test")
    generate = case["generate"]
    payloads = [without_length(hop["payload"]) for hop in generate["hops"]]
    keys = [bytes.fromhex(hop["pubkey"]) for hop in generate["hops"]]
    built = build_onion(bytes.fromhex(generate["session_key"]), keys, payloads, ASSOCIATED)
    assert generate["associated_data"] == ASSOCIATED.hex()
    assert built.packet.hex() == case["onion"]
    packet: bytes | None = built.packet
    for hop, secret in enumerate(case["decode"]):
        assert packet is not None
        peeled = peel_onion(packet, bytes.fromhex(secret), ASSOCIATED)
        assert peeled.payload == payloads[hop]
        assert peeled.shared_secret == built.shared_secrets[hop]
        packet = peeled.next_packet
        assert packet is None or len(packet) == ONION_BYTES == 1366
    assert packet is None


def test_payloads_of_bolt4_say_what_they_mean() -> None:
    hops = load("onion-test")["generate"]["hops"]
    first = HopPayload.decode(without_length(hops[0]["payload"]))
    assert first == HopPayload(amount_msat=15_000, cltv_expiry_blocks=1500, short_channel_id=1)
    second = HopPayload.decode(without_length(hops[1]["payload"]))
    assert (second.amount_msat, second.short_channel_id, list(second.extra)) == (14_000, 2, [513])
    last = HopPayload.decode(without_length(hops[4]["payload"]))
    assert last.is_final
    assert last.payment_secret is not None
    assert last.payment_secret.hex() == "24a33562c54507a9334e79f0dc4f17d407e6d7c61f0e2f3d0d38599502f61704"
    assert (last.amount_msat, last.cltv_expiry_blocks, last.total_msat) == (10_000, 1000, 10_000)
    for hop in hops:
        data = without_length(hop["payload"])
        assert HopPayload.decode(data).encode() == data


def test_the_error_of_bolt4_goes_back_over_five_hops() -> None:
    case = load("onion-error-test")
    generate = case["generate"]
    secrets = [bytes.fromhex(hop["hop_shared_secret"]) for hop in generate["hops"]]
    assert [secret.hex() for secret in secrets] == SHARED_SECRETS
    for hop, secret in zip(generate["hops"], secrets, strict=True):
        assert make_key(b"ammag", secret).hex() == hop["ammag_key"]
    assert make_key(b"um", secrets[4]).hex() == generate["hops"][4]["um_key"]
    message = bytes.fromhex(generate["failure_message"])
    packet = create_failure(secrets[4], message)
    assert len(packet) == 292
    for secret in reversed(secrets[:4]):
        packet = wrap_failure(secret, packet)
    assert packet.hex() == case["errorpacket"]
    assert unwrap_failure(secrets, packet) == ReturnedFailure(4, message)
    assert Failure.decode(message).code is FailureCode.TEMPORARY_NODE_FAILURE


def test_failure_codes_of_bolt4() -> None:
    table = load("failure_codes")["codes"]
    assert {entry["name"].upper(): entry["code"] for entry in table} == {code.name: code.value for code in FailureCode}
    # A few as facts.
    assert FailureCode.TEMPORARY_CHANNEL_FAILURE == 0x1007
    assert FailureCode.FEE_INSUFFICIENT == 0x100C
    assert FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS == 0x400F
    assert FailureCode.INVALID_ONION_HMAC == 0xC005


def test_failures_carry_their_fields() -> None:
    # BOLT 4, "Returning Errors" prints 400f0000000000000064000c3500 for 100 msat at height 800 000.
    unknown = Failure.of(FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, 100, 800_000)
    assert unknown.encode().hex() == "400f0000000000000064000c3500"
    assert Failure.decode(unknown.encode()) == unknown
    assert unknown.is_permanent
    assert not unknown.blames_node
    assert Failure.of(FailureCode.TEMPORARY_CHANNEL_FAILURE).encode().hex() == "10070000"
    assert Failure.of(FailureCode.FEE_INSUFFICIENT, 5).encode().hex() == "100c00000000000000050000"
    assert Failure.of(FailureCode.PERMANENT_NODE_FAILURE).blames_node
    with pytest.raises(ValueError, match=r"FEE_INSUFFICIENT must have 1 \(got 0\)"):
        Failure.of(FailureCode.FEE_INSUFFICIENT)
    with pytest.raises(ValueError, match="at least 2 bytes"):
        Failure.decode(b"\x10")
    with pytest.raises(ValueError, match="FailureCode"):
        Failure.decode(b"\x12\x34")


def test_a_garbled_failure_blames_nobody() -> None:
    secrets = [bytes.fromhex(secret) for secret in SHARED_SECRETS]
    packet = create_failure(secrets[2], b"\x10\x07\x00\x00")
    garbled = wrap_failure(secrets[1], packet[:-1] + bytes([packet[-1] ^ 1]))
    assert unwrap_failure(secrets, wrap_failure(secrets[0], garbled)) is None


def test_a_long_failure_is_not_padded() -> None:
    secret = bytes.fromhex(SHARED_SECRETS[0])
    message = bytes(300)
    packet = create_failure(secret, message)
    assert len(packet) == 32 + 2 + 300 + 2
    assert unwrap_failure([secret], packet) == ReturnedFailure(0, message)


def test_what_a_hop_refuses() -> None:
    packet = build_onion(SESSION_KEY, NODE_KEYS[:1], [b"hello"], ASSOCIATED).packet
    changed = {
        FailureCode.INVALID_ONION_VERSION: b"\x01" + packet[1:],
        FailureCode.INVALID_ONION_KEY: packet[:1] + b"\x05" + packet[2:],
        FailureCode.INVALID_ONION_HMAC: packet[:-1] + bytes([packet[-1] ^ 1]),
    }
    for code, bad in changed.items():
        with pytest.raises(OnionError) as caught:
            peel_onion(bad, NODE_SECRETS[0], ASSOCIATED)
        assert caught.value.code is code
    with pytest.raises(OnionError) as caught:
        peel_onion(packet, NODE_SECRETS[0], bytes(32))
    assert caught.value.code is FailureCode.INVALID_ONION_HMAC
    with pytest.raises(OnionError) as caught:
        peel_onion(packet, NODE_SECRETS[1], ASSOCIATED)
    assert caught.value.code is FailureCode.INVALID_ONION_HMAC
    with pytest.raises(ValueError, match="exactly 1366 bytes"):
        peel_onion(packet[:-1], NODE_SECRETS[0], ASSOCIATED)


def test_what_the_payer_may_not_send() -> None:
    with pytest.raises(ValueError, match="at least one"):
        route_secrets(SESSION_KEY, [])
    with pytest.raises(ValueError, match=r"one a hop, 1 \(got 2\)"):
        build_onion(SESSION_KEY, NODE_KEYS[:1], [b"aa", b"bb"], ASSOCIATED)
    with pytest.raises(ValueError, match="at least 2 bytes"):
        build_onion(SESSION_KEY, NODE_KEYS[:1], [b""], ASSOCIATED)
    most = 1300 - 32 - 3
    built = build_onion(SESSION_KEY, NODE_KEYS[:1], [bytes(most)], ASSOCIATED)
    assert peel_onion(built.packet, NODE_SECRETS[0], ASSOCIATED).payload == bytes(most)
    with pytest.raises(ValueError, match=r"must fit in 1300 bytes .*\(got 1301\)"):
        build_onion(SESSION_KEY, NODE_KEYS[:1], [bytes(most + 1)], ASSOCIATED)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("04010a", "record of type 2"),
        ("0201010401", "must be"),
        ("0201010401010401ff", "types must rise"),
        ("02020001040101", "leading zeros"),
        ("0209010101010101010101040101", "at most 8 bytes"),
        ("0201010401010a00", r"even types must be known \(got 10\)"),
        ("020101040101060101", "exactly 8 bytes"),
        ("0201010401010801ff", "payment_secret: must be exactly 32 bytes"),
        ("020101040101" + "fd000c00", "shortest form"),
        ("020101040101fd", "bigsize"),
    ],
)
def test_malformed_payloads_are_refused(data: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        HopPayload.decode(bytes.fromhex(data))


def test_contradictory_payloads_are_refused() -> None:
    with pytest.raises(ValueError, match="come together"):
        HopPayload(1, 1, payment_secret=bytes(32))
    with pytest.raises(ValueError, match="only the payee"):
        HopPayload(1, 1, short_channel_id=1, payment_metadata=b"m")
    with pytest.raises(ValueError, match="type 2 has a field"):
        HopPayload(1, 1, extra={2: b""})
    with pytest.raises(ValueError, match=r"amount_msat: must be from 0 to 2\*\*64 - 1 \(got -1\)"):
        HopPayload(-1, 1)
    with pytest.raises(ValueError, match="short_channel_id"):
        HopPayload(1, 1, short_channel_id=2**64)


def test_bigsize_of_bolt1() -> None:
    # BOLT 1, Appendix A.
    facts = {0: "00", 252: "fc", 253: "fd00fd", 65535: "fdffff", 65536: "fe00010000", 4294967295: "feffffffff"}
    facts |= {4294967296: "ff0000000100000000", 2**64 - 1: "ffffffffffffffffff"}
    for value, encoded in facts.items():
        assert encode_bigsize(value).hex() == encoded
        assert decode_bigsize(bytes.fromhex(encoded)) == (value, len(encoded) // 2)
    for bad in ("", "fd00", "fd00fc", "fe0000ffff", "ff00000000ffffffff", "ff01"):
        with pytest.raises(ValueError, match="bigsize"):
            decode_bigsize(bytes.fromhex(bad))
    with pytest.raises(ValueError, match=r"type 1 must be 2 bytes \(got 1\)"):
        decode_records(bytes.fromhex("0102ff"))
