"""BLS aggregates against the consensus layer's values."""

import importlib
import json
import sys

import pytest

from tests.shared import shared

pytest.importorskip("py_arkworks_bls12381", reason="the extra `bls` is not installed")

from l2sim.crypto.signatures import bls

SECRETS = [bytes(31) + bytes([i]) for i in (3, 4, 5)]
KEYS = [bls.public_key(secret) for secret in SECRETS]
INFINITY_KEY = b"\xc0" + bytes(47)
INFINITY_SIGNATURE = b"\xc0" + bytes(95)


def test_a_signature_of_the_consensus_layer() -> None:
    # ethereum/consensus-spec-tests, general/phase0/bls/sign: this secret, message 56..56
    secret = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
    message = b"\x56" * 32
    signature = bytes.fromhex(
        "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98abbe1b68f85e49fe7652a55ec3d0591c2"
        "0767677e33e5cbb1207315c41a9ac03be39c2e7668edc043d6cb1d9fd93033caa8a1c5b0e84bedaeb6c64972503a43eb"
    )
    key = bytes.fromhex(
        "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a"
    )
    assert bls.public_key(secret) == key
    assert bls.sign(message, secret) == signature
    assert bls.verify(message, signature, key)
    assert not bls.verify(message[1:], signature, key)


def test_aggregate_vectors() -> None:
    cases = json.loads(shared("vectors/rollup/bls_aggregate.json").read_text())["cases"]
    for case in cases:
        public = [bytes.fromhex(key) for key in case["pubkeys"]]
        messages = [bytes.fromhex(message) for message in case["messages"]]
        signature = bytes.fromhex(case["signature"])
        if case["kind"] == "aggregate_verify":
            held = bls.aggregate_verify(messages, signature, public)
        elif case["kind"] == "fast_aggregate_verify":
            held = bls.fast_aggregate_verify(messages[0], signature, public)
        else:
            held = bls.verify(messages[0], signature, public[0])
        assert held == case["expected"]
    assert len(cases) == 18


def test_a_committee_signs_one_message() -> None:
    signature = bls.aggregate([bls.sign(b"root", secret) for secret in SECRETS])
    assert bls.fast_aggregate_verify(b"root", signature, KEYS)
    assert bls.aggregate_verify([b"root"] * 3, signature, KEYS)
    assert not bls.fast_aggregate_verify(b"root", signature, KEYS[:2])
    assert not bls.fast_aggregate_verify(b"toor", signature, KEYS)


def test_every_bit_of_a_signature_counts() -> None:
    signature = bls.sign(b"root", SECRETS[0])
    for bit in range(8 * len(signature)):
        spoilt = bytearray(signature)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert not bls.verify(b"root", bytes(spoilt), KEYS[0]), bit


def test_possession_is_proved_for_one_key() -> None:
    proof = bls.prove_possession(SECRETS[0])
    assert bls.verify_possession(proof, KEYS[0])
    assert not bls.verify_possession(proof, KEYS[1])
    assert not bls.verify_possession(bls.sign(KEYS[0], SECRETS[0]), KEYS[0])  # signing is not proving


@pytest.mark.parametrize("key", [INFINITY_KEY, b"\xff" * 48, bytes(48), b"\x80" + bytes(46) + b"\x04"])
def test_what_is_no_key_verifies_nothing(key: bytes) -> None:
    # infinity; bytes that the library takes for infinity; no encoding; a point outside the subgroup
    assert not bls.is_public_key(key)
    assert not bls.verify(b"root", INFINITY_SIGNATURE, key)
    assert not bls.fast_aggregate_verify(b"root", bls.sign(b"root", SECRETS[0]), [KEYS[0], key])


def test_keys_that_sum_to_infinity_verify_nothing_together() -> None:
    # draft-irtf-cfrg-bls-signature-05, section 3.3.4: FastAggregateVerify runs CoreVerify on the sum of the keys,
    # whose KeyValidate refuses infinity; else s and r - s would make infinity a signature of everything
    secrets = [SECRETS[0], (bls.ORDER - 3).to_bytes(32, "big")]
    pair = [bls.public_key(secret) for secret in secrets]
    for secret, key in zip(secrets, pair, strict=True):
        assert bls.verify_possession(bls.prove_possession(secret), key)
    honest = bls.aggregate([bls.sign(b"root", secret) for secret in secrets])
    assert honest == INFINITY_SIGNATURE
    for message in (b"root", b"", b"never signed"):
        assert not bls.fast_aggregate_verify(message, INFINITY_SIGNATURE, pair)
        assert not bls.fast_aggregate_verify(message, INFINITY_SIGNATURE, pair + pair[::-1])
    assert not bls.aggregate_verify([b"root", b"toor"], INFINITY_SIGNATURE, pair)
    assert bls.aggregate_verify([b"root"] * 2, honest, pair)  # section 2.9, CoreAggregateVerify: each key is one
    others = [*pair, KEYS[1]]
    assert bls.fast_aggregate_verify(b"root", bls.sign(b"root", SECRETS[1]), others)  # their sum is the third key
    assert not bls.verify_possession(INFINITY_SIGNATURE, pair[0])


def test_bls_names_the_argument_as_its_caller_does() -> None:
    good = bls.sign(b"root", SECRETS[0])
    for call, name in (
        (lambda: bls.verify(b"root", good, bytes(47)), "key"),
        (lambda: bls.verify(b"root", bytes(95), KEYS[0]), "signature"),
        (lambda: bls.is_public_key(bytes(47)), "key"),
        (lambda: bls.verify_possession(good, bytes(47)), "key"),
        (lambda: bls.verify_possession(bytes(95), KEYS[0]), "proof"),
        (lambda: bls.aggregate([good, bytes(95)]), r"signatures\[1\]"),
        (lambda: bls.aggregate_verify([b"root"], good, [bytes(47)]), r"keys\[0\]"),
        (lambda: bls.fast_aggregate_verify(b"root", good, [INFINITY_KEY, bytes(47)]), r"keys\[1\]"),
    ):
        with pytest.raises(ValueError, match=rf"^{name}: must be exactly (48|96) bytes \(got (47|95)\)"):
            call()
    for call, name in (
        (lambda: bls.sign("root", SECRETS[0]), "message"),
        (lambda: bls.verify("root", good, KEYS[0]), "message"),
        (lambda: bls.fast_aggregate_verify("root", good, KEYS), "message"),
        (lambda: bls.aggregate_verify([b"root", "root"], good, KEYS[:2]), r"messages\[1\]"),
    ):
        with pytest.raises(TypeError, match=rf"^{name}: must be bytes \(got str\)"):
            call()


def test_what_bls_refuses() -> None:
    with pytest.raises(ValueError, match="secret: must be a number from 1 to r - 1"):
        bls.public_key(bytes(32))
    with pytest.raises(ValueError, match="secret: must be a number from 1 to r - 1"):
        bls.public_key(bls.ORDER.to_bytes(32, "big"))
    with pytest.raises(ValueError, match=r"signature: must be exactly 96 bytes \(got 95\)"):
        bls.verify(b"", bytes(95), KEYS[0])
    with pytest.raises(ValueError, match=r"key: must be exactly 48 bytes \(got 33\)"):
        bls.verify(b"", INFINITY_SIGNATURE, bytes(33))
    with pytest.raises(ValueError, match=r"signatures\[1\]: must be a point"):
        bls.aggregate([INFINITY_SIGNATURE, b"\xff" * 96])
    with pytest.raises(ValueError, match="signatures: must be at least one"):
        bls.aggregate([])
    with pytest.raises(ValueError, match="keys: must be at least one"):
        bls.fast_aggregate_verify(b"", INFINITY_SIGNATURE, [])
    with pytest.raises(ValueError, match=r"keys: must be one a message, at least one \(got 3 for 2\)"):
        bls.aggregate_verify([b"", b""], INFINITY_SIGNATURE, KEYS)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py_arkworks_bls12381", None)
    monkeypatch.delitem(sys.modules, "l2sim.crypto.signatures.bls")
    with pytest.raises(ImportError, match=r"pip install 'l2sim\[bls\]'"):
        importlib.import_module("l2sim.crypto.signatures.bls")
