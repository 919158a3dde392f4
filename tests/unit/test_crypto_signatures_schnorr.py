"""Schnorr signatures against BIP-340."""

import csv

import pytest

from l2sim.crypto.signatures import keys, schnorr
from tests.shared import shared

SECRET = bytes(31) + b"\x03"
MESSAGE = bytes(32)


def test_the_first_vector_of_bip_340() -> None:
    # bips/bip-0340/test-vectors.csv, index 0
    assert schnorr.public_key(SECRET).hex() == "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
    assert schnorr.sign(MESSAGE, SECRET).hex() == (
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )


def test_a_message_of_17_bytes() -> None:
    # bips/bip-0340/test-vectors.csv, index 17
    message = bytes.fromhex("0102030405060708090a0b0c0d0e0f1011")
    signature = bytes.fromhex(
        "5130f39a4059b43bc7cac09a19ece52b5d8699d1a71e3c52da9afdb6b50ac370"
        "c4a482b77bf960f8681540e25b6771ece1e5a37fd80e5a51897c5566a97ea5a5"
    )
    assert schnorr.sign(message, bytes.fromhex("0340" * 16)) == signature
    assert schnorr.verify(message, signature, schnorr.public_key(bytes.fromhex("0340" * 16)))


def test_a_point_off_the_curve_is_false() -> None:
    # bips/bip-0340/test-vectors.csv, index 5
    off = bytes.fromhex("eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34")
    assert not schnorr.verify(MESSAGE, schnorr.sign(MESSAGE, SECRET), off)
    assert not keys.is_x_only(off)


def test_all_vectors_of_bip_340() -> None:
    with shared("vectors/lightning/bip340/test-vectors.csv").open() as file:
        cases = list(csv.DictReader(file))
    signed = 0
    for case in cases:
        key, message, signature = (bytes.fromhex(case[name]) for name in ("public key", "message", "signature"))
        assert schnorr.verify(message, signature, key) == (case["verification result"] == "TRUE"), case["index"]
        if case["secret key"]:
            secret, aux = bytes.fromhex(case["secret key"]), bytes.fromhex(case["aux_rand"])
            assert schnorr.public_key(secret) == key
            assert schnorr.sign(message, secret, aux) == signature, case["index"]
            signed += 1
    assert (len(cases), signed) == (19, 8)


def test_other_lengths_are_refused() -> None:
    signature, key = schnorr.sign(MESSAGE, SECRET), schnorr.public_key(SECRET)
    with pytest.raises(ValueError, match=r"signature: must be exactly 64 bytes \(got 63\)"):
        schnorr.verify(MESSAGE, signature[:63], key)
    for length in (31, 33):  # coincurve reads past 31 bytes and cuts 33
        with pytest.raises(ValueError, match=rf"key: must be exactly 32 bytes \(got {length}\)"):
            schnorr.verify(MESSAGE, signature, (key + b"\x00")[:length])
    with pytest.raises(ValueError, match=r"aux: must be exactly 32 bytes \(got 0\)"):
        schnorr.sign(MESSAGE, SECRET, b"")
    with pytest.raises(ValueError, match="secret: must be a number from 1 to n - 1"):
        schnorr.sign(MESSAGE, bytes(32))
    with pytest.raises(TypeError, match="message: must be bytes"):
        schnorr.sign(bytearray(32), SECRET)  # type: ignore[arg-type]  # that is the point
