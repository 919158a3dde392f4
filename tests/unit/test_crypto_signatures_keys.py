"""Secrets, public keys and what is done with them, against outside values; other lengths and encodings refused."""

import json
from collections.abc import Callable

import pytest

from l2sim.crypto.signatures import ecdsa, keys, schnorr
from tests.shared import shared

ONE = bytes(31) + b"\x01"
SECRET = bytes(range(1, 33))
N = keys.ORDER
G = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")  # SEC 2 v2.0, 2.4.1
INFINITY_X = bytes(32)


def test_the_public_key_of_one_is_the_generator() -> None:
    assert keys.public_key(ONE) == G
    assert keys.public_key((N - 1).to_bytes(32, "big")) == b"\x03" + G[1:]
    assert keys.x_only(b"\x03" + G[1:]) == schnorr.public_key(ONE) == G[1:]


@pytest.mark.parametrize("value", [0, N, N + 1, 2**256 - 1])
def test_a_secret_outside_the_order_is_refused(value: int) -> None:
    secret = value.to_bytes(32, "big")
    assert not keys.is_secret(secret)
    with pytest.raises(ValueError, match="secret: must be a number from 1 to n - 1"):
        keys.public_key(secret)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    # coincurve pads shorter secrets and cuts 33 bytes that begin with a zero
    with pytest.raises(ValueError, match=rf"secret: must be exactly 32 bytes \(got {length}\)"):
        keys.public_key(bytes(length))


@pytest.mark.parametrize("secret", [bytearray(SECRET), memoryview(SECRET), SECRET.hex(), 5, None])
def test_a_secret_that_is_not_bytes_is_refused(secret: bytes) -> None:
    with pytest.raises(TypeError, match="secret: must be bytes"):
        keys.public_key(secret)


class LongerThanItSays(bytes):
    """Bytes whose own idea of their length and parts is wrong; C would read past their end."""

    def __len__(self) -> int:
        return 32

    def __getitem__(self, key: object) -> bytes:  # type: ignore[override]  # that is the point
        return b""


def test_a_length_of_ones_own_is_not_believed() -> None:
    for data in (LongerThanItSays(b"short"), LongerThanItSays(SECRET)):
        for function in (keys.public_key, keys.is_secret, keys.is_x_only):
            with pytest.raises(TypeError, match=r"must be bytes \(got LongerThanItSays\); convert it with bytes"):
                function(data)
        with pytest.raises(TypeError, match=r"signature: must be bytes \(got LongerThanItSays\)"):
            ecdsa.verify_der(SECRET, data, G)


@pytest.mark.parametrize("function", [keys.is_secret, keys.is_public_key, keys.is_x_only])
def test_a_question_about_data_names_data(function: Callable[[bytes], bool]) -> None:
    with pytest.raises(ValueError, match=r"^data: must be exactly 3[23] bytes \(got 3\)"):
        function(b"abc")
    with pytest.raises(TypeError, match=r"^data: must be bytes \(got str\)"):
        function("abc")  # type: ignore[arg-type]  # that is the point


def test_only_compressed_points_of_the_curve_are_public_keys() -> None:
    uncompressed_y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"  # SEC 2 v2.0, 2.4.1
    assert keys.is_public_key(G)
    for prefix in (0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0xFF):
        assert not keys.is_public_key(bytes([prefix]) + G[1:])
    assert not keys.is_public_key(b"\x02" + (5).to_bytes(32, "big"))  # no point has x = 5: BIP-327, key_agg error 0
    assert not keys.is_public_key(b"\x02" + b"\xff" * 32)
    for encoding in ("04", "06"):  # uncompressed and hybrid, which coincurve takes
        with pytest.raises(ValueError, match=r"data: must be exactly 33 bytes \(got 65\)"):
            keys.is_public_key(bytes.fromhex(encoding + G[1:].hex() + uncompressed_y))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_x_only_key_has_exactly_32_bytes(length: int) -> None:
    # coincurve reads past the end of 31 bytes and cuts 33
    with pytest.raises(ValueError, match=rf"must be exactly 32 bytes \(got {length}\)"):
        keys.is_x_only(G[:length])


def test_key_arithmetic_agrees_on_both_sides() -> None:
    a, b = SECRET, SECRET[::-1]
    pub_a, pub_b = keys.public_key(a), keys.public_key(b)
    total = (int.from_bytes(a, "big") + int.from_bytes(b, "big")) % N
    product = int.from_bytes(a, "big") * int.from_bytes(b, "big") % N
    assert keys.add_secrets(a, b) == total.to_bytes(32, "big")
    assert keys.multiply_secrets(a, b) == product.to_bytes(32, "big")
    assert keys.add_points(pub_a, pub_b) == keys.public_key(keys.add_secrets(a, b))
    assert keys.multiply_point(pub_a, b) == keys.public_key(keys.multiply_secrets(a, b))
    assert keys.negate_point(pub_a) == keys.public_key(keys.negate_secret(a))
    assert keys.add_secrets(a, bytes(32)) == a
    assert a == bytes(range(1, 33))  # nothing was changed in place


def test_sums_that_vanish_are_refused() -> None:
    with pytest.raises(ValueError, match=rf"point at infinity \(got {G.hex()}, 03{G[1:].hex()}\)"):
        keys.add_points(G, b"\x03" + G[1:])
    with pytest.raises(ValueError, match=r"tweak: must not bring the sum to zero \(got n - secret\)$"):
        keys.add_secrets(SECRET, keys.negate_secret(SECRET))  # whose number would give the secret away
    with pytest.raises(ValueError, match=rf"tweak: must be below n \(got {N:064x}\)"):
        keys.add_secrets(SECRET, N.to_bytes(32, "big"))
    for tweak in (keys.negate_secret(ONE), N.to_bytes(32, "big")):
        with pytest.raises(ValueError, match=rf"tweak: must be below n .*point at infinity \(got {tweak.hex()}\)"):
            keys.tweak_x_only(G[1:], tweak)
    with pytest.raises(ValueError, match="at least one"):
        keys.add_points()


def test_a_taproot_output_key_is_the_internal_key_tweaked() -> None:
    # bips/bip-0341/wallet-test-vectors.json, scriptPubKey case 0
    internal = bytes.fromhex("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d")
    tweak = bytes.fromhex("b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70")
    output = bytes.fromhex("53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343")
    key, parity = keys.tweak_x_only(internal, tweak)
    assert key == output
    full = keys.add_points(b"\x02" + internal, keys.public_key(tweak))
    assert full == bytes([2 + parity]) + output


def test_diffie_hellman_is_that_of_bolt_4() -> None:
    # bolts/bolt04/onion-test.json: session key 41..41 and the first hop; its shared secret
    first_hop = bytes.fromhex("02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619")
    expected = "53eb63ea8a3fec3b3cd433b85cd62a4b145e1dda09391b348c4e1cd36a03ea66"
    assert keys.ecdh(b"\x41" * 32, first_hop).hex() == expected


def test_ethereum_addresses() -> None:
    # EIP-155, example: private key 46..46, sender
    assert keys.ethereum_address(keys.public_key(b"\x46" * 32)).hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


def test_wycheproof_diffie_hellman() -> None:
    """The 237 cases that must agree; the others are about the encodings of a certificate, which we never read."""
    tests = json.loads(shared("vectors/lightning/wycheproof/ecdh_secp256k1_part.json").read_text())["testGroups"]
    agreed = 0
    for case in (case for group in tests for case in group["tests"] if case["result"] == "valid"):
        point = compressed_tail(bytes.fromhex(case["public"]))
        secret = int(case["private"], 16).to_bytes(32, "big")
        assert keys.multiply_point(point, secret)[1:].hex() == case["shared"], case["tcId"]
        agreed += 1
    assert agreed == 237


def compressed_tail(der: bytes) -> bytes:
    """The point at the end of a DER SubjectPublicKeyInfo, compressed."""
    if der[-65] == 4 and der[-66] == 0:  # a BIT STRING's count of unused bits, then the uncompressed point
        return bytes([2 + (der[-1] & 1)]) + der[-64:-32]
    return der[-33:]
