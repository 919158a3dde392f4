"""ECDSA against RFC 6979, Wycheproof, BOLT 11 and EIP-155."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from l2sim.crypto.signatures import ecdsa, keys
from l2sim.crypto.signatures.ecdsa import Rule
from tests.shared import shared

N = keys.ORDER
SECRET = bytes(31) + b"\x01"
DIGEST = hashlib.sha256(b"a payment").digest()


def high_s(signature: bytes) -> bytes:
    return signature[:32] + (N - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")


# noble-curves, test/vectors/secp256k1/ecdsa.json (MIT), first two cases: secret, digest, r and s
RFC6979_FACTS = [
    (
        "0000000000000000000000000000000000000000000000000000000000000001",
        "06ef2b193b83b3d701f765f1db34672ab84897e1252343cc2197829af3a30456",
        "33a69cd2065432a30f3d1ce4eb0d59b8ab58c74f27c41a7fdb5696ad4e6108c9"
        "6f807982866f785d3f6418d24163ddae117b7db4d5fdf0071de069fa54342262",
    ),
    (
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
        "4d642665c81dd2d6fc3d386ee018043e1f38c5def0a9925febd766f5b15fdb8d",
        "ff466a9f1b7b273e2f4c3ffe032eb2e814121ed18ef84665d0f515360dab3dd0"
        "6fc95f5132e5ecfdc8e5e6e616cc77151455d46ed48f5589b7db7771a332b283",
    ),
]


@pytest.mark.parametrize(("secret", "digest", "signature"), RFC6979_FACTS)
def test_signing_is_deterministic(secret: str, digest: str, signature: str) -> None:
    check_signer(bytes.fromhex(secret), bytes.fromhex(digest), bytes.fromhex(signature))


def test_rfc6979_signatures() -> None:
    cases = json.loads(shared("vectors/lightning/rfc6979/ecdsa_compact.json").read_text())["valid"]
    for case in cases:
        check_signer(*(bytes.fromhex(case[name]) for name in ("d", "m", "signature")))
    assert len(cases) == 120


def check_signer(secret: bytes, digest: bytes, expected: bytes) -> None:
    assert ecdsa.sign(digest, secret) == expected
    assert ecdsa.sign_recoverable(digest, secret)[:64] == expected
    assert ecdsa.verify(digest, expected, keys.public_key(secret))
    assert ecdsa.recover(digest, ecdsa.sign_recoverable(digest, secret)) == keys.public_key(secret)


def test_rfc6979_nonces() -> None:
    """k itself stays inside libsecp256k1; r must be the x of k times the generator, mod n."""
    cases = json.loads(shared("vectors/lightning/rfc6979/nonces.json").read_text())["vectors"]
    for case in cases:
        digest = hashlib.sha256(case["message"].encode()).digest()
        x = int.from_bytes(keys.public_key(bytes.fromhex(case["k0"]))[1:], "big")
        assert ecdsa.sign(digest, bytes.fromhex(case["d"]))[:32] == (x % N).to_bytes(32, "big")
    assert len(cases) == 5


@pytest.mark.parametrize(
    ("file", "rule", "encoding", "count"),
    [
        ("ecdsa_secp256k1_sha256_bitcoin_part.json", Rule.BITCOIN, "der", 234),
        ("ecdsa_secp256k1_sha256_part.json", Rule.PLAIN, "der", 242),
        ("ecdsa_secp256k1_sha256_p1363_part.json", Rule.PLAIN, "compact", 130),
    ],
)
def test_wycheproof(file: str, rule: Rule, encoding: str, count: int) -> None:
    groups = json.loads(shared(f"vectors/lightning/wycheproof/{file}").read_text())["testGroups"]
    cases = [(group["publicKey"], case) for group in groups for case in group["tests"]]
    assert len(cases) == count
    for public_key, case in cases:
        x, y = int(public_key["wx"], 16), int(public_key["wy"], 16)
        key = bytes([2 + (y & 1)]) + x.to_bytes(32, "big")
        assert accepts(encoding, case, key, rule) == (case["result"] == "valid"), case["tcId"]


def accepts(encoding: str, case: dict[str, Any], key: bytes, rule: Rule) -> bool:
    digest = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
    signature = bytes.fromhex(case["sig"])
    if encoding == "der":
        return ecdsa.verify_der(digest, signature, key, rule=rule)
    if len(signature) != 64:
        with pytest.raises(ValueError, match="signature: must be exactly 64 bytes"):
            ecdsa.verify(digest, signature, key, rule=rule)
        return False
    return ecdsa.verify(digest, signature, key, rule=rule)


def test_the_rules_differ_in_high_s_alone() -> None:
    # Wycheproof, ecdsa_secp256k1_sha256_bitcoin_test.json, case 1, "Signature malleability": s is high
    key = bytes.fromhex("03b838ff44e5bc177bf21189d0766082fc9d843226887fc9760371100b7ee20a6f")
    signature = bytes.fromhex(
        "3046022100813ef79ccefa9a56f7ba805f0e478584fe5f0dd5f567bc09b5123ccbc9832365"
        "022100900e75ad233fcc908509dbff5922647db37c21f4afd3203ae8dc4ae7794b0f87"
    )
    digest = hashlib.sha256(b"123400").digest()
    assert not ecdsa.verify_der(digest, signature, key)
    assert ecdsa.verify_der(digest, signature, key, rule=Rule.PLAIN)
    low = ecdsa.normalise(ecdsa.der_to_compact(signature))
    assert low == high_s(ecdsa.der_to_compact(signature))
    assert ecdsa.verify(digest, low, key)


def test_bolt11_signatures_recover_the_payee() -> None:
    """The published digests and signatures; then every valid invoice, its signature read from its own end."""
    invoices = json.loads(shared("vectors/lightning/bolt11/invoices.json").read_text())
    node, secret = bytes.fromhex(invoices["node_id"]), bytes.fromhex(invoices["priv_key"])
    assert keys.public_key(secret) == node
    published = 0
    for case in invoices["valid"]:
        digest, signature = read_invoice(case["invoice"])
        if "sha256" in case:
            published += 1
            assert digest.hex() == case["sha256"]
            assert signature.hex() == case["signature_rs"] + f"{case['recovery_id']:02x}"
        assert signature == ecdsa.sign_recoverable(digest, secret)
        assert ecdsa.recover(digest, signature, rule=Rule.BITCOIN) == node
    assert (len(invoices["valid"]), published) == (8, 5)
    (unrecoverable,) = (case for case in invoices["invalid"] if case["description"] == "Signature is not recoverable.")
    with pytest.raises(ValueError, match="some public key made"):
        ecdsa.recover(*read_invoice(unrecoverable["invoice"]))


def test_a_negated_s_recovers_another_key() -> None:
    # BOLT 11 lets a payer recover from a high s; as the recovery id was not changed with it, the key is not the payee's
    signature = ecdsa.sign_recoverable(DIGEST, SECRET)
    negated = high_s(signature) + signature[64:]
    assert ecdsa.recover(DIGEST, negated) != keys.public_key(SECRET)
    assert ecdsa.recover(DIGEST, negated[:64] + bytes([signature[64] ^ 1])) == keys.public_key(SECRET)
    with pytest.raises(ValueError, match=rf"at most n / 2 under Rule\.BITCOIN \(got {negated.hex()}\)"):
        ecdsa.recover(DIGEST, negated, rule=Rule.BITCOIN)


def read_invoice(invoice: str) -> tuple[bytes, bytes]:
    """The digest that a BOLT 11 invoice signs and its 65-byte signature (BIP 173's alphabet, no checksum check)."""
    prefix, _, data = invoice.lower().rpartition("1")
    words = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(letter) for letter in data[:-6]]
    signed, signature = (to_bytes(part) for part in (words[:-104], words[-104:]))
    return hashlib.sha256(prefix.encode() + signed).digest(), signature


def to_bytes(words: list[int]) -> bytes:
    """Five-bit words as bytes, zero bits at the end."""
    bits = "".join(f"{word:05b}" for word in words)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def test_an_ethereum_transaction_is_signed_as_eip_155_shows() -> None:
    # EIP-155, example: signing hash, private key 46..46, r, s; v = 37 = 35 + 2 * chain 1 + recovery id 0
    digest = bytes.fromhex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")
    signature = ecdsa.sign_recoverable(digest, b"\x46" * 32)
    assert int.from_bytes(signature[:32], "big") == int(
        "18515461264373351373200002665853028612451056578545711640558177340181847433846"
    )
    assert int.from_bytes(signature[32:64], "big") == int(
        "46948507304638947509940763649030358759909902576025900602547168820602576006531"
    )
    assert signature[64] == 37 - 35 - 2
    sender = keys.ethereum_address(ecdsa.recover(digest, signature, rule=Rule.BITCOIN))
    assert sender.hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"


def test_der_and_compact_forms_are_one_signature() -> None:
    signature = ecdsa.sign(DIGEST, SECRET)
    der = ecdsa.compact_to_der(signature)
    assert ecdsa.der_to_compact(der) == signature
    assert ecdsa.verify_der(DIGEST, der, keys.public_key(SECRET))
    least, most = (1).to_bytes(32, "big") * 2, (N - 1).to_bytes(32, "big") * 2
    assert (len(ecdsa.compact_to_der(least)), len(ecdsa.compact_to_der(most))) == (8, 72)


@pytest.mark.parametrize(
    "spoilt", [b"", b"\x30", b"\x30\x06\x02\x01\x01\x02\x01", bytes(70), b"\xff" * 72, bytes(2000)]
)
def test_what_is_not_der_is_false(spoilt: bytes) -> None:
    assert not ecdsa.verify_der(DIGEST, spoilt, keys.public_key(SECRET))
    assert not ecdsa.verify_der(DIGEST, spoilt, keys.public_key(SECRET), rule=Rule.PLAIN)
    with pytest.raises(ValueError, match="signature: must be strict DER"):
        ecdsa.der_to_compact(spoilt)


@pytest.mark.parametrize("rule", ["plain", "bitcoin", "PLAIN", None, True, Rule])
def test_a_rule_is_a_rule_and_not_its_name(rule: Any) -> None:
    key, signature = keys.public_key(SECRET), ecdsa.sign_recoverable(DIGEST, SECRET)
    for call in (
        lambda: ecdsa.verify(DIGEST, signature[:64], key, rule=rule),
        lambda: ecdsa.verify_der(DIGEST, b"", key, rule=rule),
        lambda: ecdsa.recover(DIGEST, signature, rule=rule),
    ):
        with pytest.raises(TypeError, match=r"^rule: must be Rule\.BITCOIN or Rule\.PLAIN \(got ") as raised:
            call()
        assert str(raised.value).endswith(f"(got {rule!r})")


@pytest.mark.parametrize("function", [ecdsa.normalise, ecdsa.compact_to_der])
def test_a_signature_above_the_order_is_shown(function: Callable[[bytes], bytes]) -> None:
    for spoilt in (bytes(31) + b"\x01" + b"\xff" * 32, b"\xff" * 32 + bytes(32)):
        with pytest.raises(ValueError, match=rf"signature: r and s must be below n \(got {spoilt.hex()}\)"):
            function(spoilt)


@pytest.mark.parametrize("r", [0, N, 2**256 - 1])
@pytest.mark.parametrize("rule", Rule)
def test_numbers_out_of_range_verify_nothing(r: int, rule: Rule) -> None:
    good = ecdsa.sign(DIGEST, SECRET)
    spoilt = r.to_bytes(32, "big")
    for signature in (spoilt + good[32:], good[:32] + spoilt, spoilt + spoilt):
        assert not ecdsa.verify(DIGEST, signature, keys.public_key(SECRET), rule=rule)
        with pytest.raises(ValueError, match=rf"signature: .* \(got {signature.hex()}"):
            ecdsa.recover(DIGEST, signature + b"\x00", rule=rule)


def test_a_key_off_the_curve_verifies_nothing() -> None:
    assert not ecdsa.verify(DIGEST, ecdsa.sign(DIGEST, SECRET), b"\x02" + (5).to_bytes(32, "big"))
    assert not ecdsa.verify_der(DIGEST, ecdsa.compact_to_der(ecdsa.sign(DIGEST, SECRET)), bytes(33))


@pytest.mark.parametrize("recovery_id", [4, 27, 255])
def test_a_recovery_id_above_3_is_refused(recovery_id: int) -> None:
    # libsecp256k1 ends the process on these
    with pytest.raises(ValueError, match=rf"recovery id must be from 0 to 3 \(got {recovery_id}\)"):
        ecdsa.recover(DIGEST, ecdsa.sign(DIGEST, SECRET) + bytes([recovery_id]))


def test_another_recovery_id_never_gives_the_signer() -> None:
    signature = ecdsa.sign_recoverable(DIGEST, SECRET)
    assert ecdsa.recover(DIGEST, signature) == keys.public_key(SECRET)
    other = signature[:64] + bytes([signature[64] ^ 1])
    assert ecdsa.recover(DIGEST, other) != keys.public_key(SECRET)
    with pytest.raises(ValueError, match="some public key made"):  # r + n is above the field's size
        ecdsa.recover(DIGEST, signature[:64] + bytes([signature[64] | 2]))


@pytest.mark.parametrize(
    ("digest", "signature", "key", "message"),
    [
        (DIGEST[:31], bytes(64), bytes(33), r"digest: must be exactly 32 bytes \(got 31\)"),
        (DIGEST, bytes(65), bytes(33), r"signature: must be exactly 64 bytes \(got 65\)"),
        (DIGEST, bytes(64), bytes(32), r"public_key: must be exactly 33 bytes \(got 32\)"),
    ],
)
def test_another_length_is_refused(digest: bytes, signature: bytes, key: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ecdsa.verify(digest, signature, key)
