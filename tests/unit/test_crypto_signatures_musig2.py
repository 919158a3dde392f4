"""MuSig2 against every file of BIP-327, through libsecp256k1 and through a plain twin of the specification.

libsecp256k1 signs 32-byte messages only and takes no secret nonce from outside. So the vectors with other messages
are checked on the twin alone, the twin and the library are checked against each other, and the vectors' secret
nonces are written into the library's object, at the places where this version of it keeps them.
"""

import copy
import hashlib
import json
import pickle
import random
from typing import Any

import pytest

from l2sim.crypto.signatures import keys, schnorr
from l2sim.crypto.signatures._secp256k1 import ffi
from l2sim.crypto.signatures.musig2 import (
    AggregateKey,
    ContributionError,
    SecretNonce,
    Session,
    aggregate_nonces,
    make_nonce,
    sort_keys,
)
from tests.shared import shared

Point = tuple[int, int] | None  # None is the point at infinity

# SEC 2 v2.0, section 2.4.1
P = 2**256 - 2**32 - 977
N = keys.ORDER
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


# The twin: BIP-327 in plain numbers


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    (xa, ya), (xb, yb) = a, b
    if xa == xb and (ya + yb) % P == 0:
        return None
    slope = (3 * xa * xa * pow(2 * ya, -1, P) if a == b else (yb - ya) * pow(xb - xa, -1, P)) % P
    x = (slope * slope - xa - xb) % P
    return x, (slope * (xa - x) - ya) % P


def multiply(point: Point, scalar: int) -> Point:
    total = None
    for bit in bin(scalar % N)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def encode(point: Point) -> bytes:
    return bytes(33) if point is None else bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")


def decode(data: bytes) -> Point:
    x = int.from_bytes(data[1:], "big")
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if data[0] not in (2, 3) or x >= P or y * y % P != (x**3 + 7) % P:
        raise ValueError("no compressed point")
    return x, y if y % 2 == data[0] % 2 else P - y


def tagged(tag: str, data: bytes) -> int:
    prefix = hashlib.sha256(tag.encode()).digest() * 2
    return int.from_bytes(hashlib.sha256(prefix + data).digest(), "big")


class TwinKey:
    """KeyAgg and ApplyTweak."""

    def __init__(self, public_keys: list[bytes], tweaks: list[tuple[bytes, bool]]) -> None:
        self.keys = public_keys
        self.point: Point = None
        for key in public_keys:
            self.point = add(self.point, multiply(decode(key), self.coefficient(key)))
        self.sign, self.tweak = 1, 0
        for tweak, x_only in tweaks:
            assert self.point is not None
            g = N - 1 if x_only and self.point[1] % 2 else 1
            self.point = add(multiply(self.point, g), multiply(G, int.from_bytes(tweak, "big")))
            self.sign, self.tweak = g * self.sign % N, (int.from_bytes(tweak, "big") + g * self.tweak) % N

    def coefficient(self, key: bytes) -> int:
        second = next((other for other in self.keys if other != self.keys[0]), None)
        if key == second:
            return 1
        listed = tagged("KeyAgg list", b"".join(self.keys)).to_bytes(32, "big")
        return tagged("KeyAgg coefficient", listed + key) % N


class TwinSession:
    """GetSessionValues, Sign, PartialSigVerify and PartialSigAgg."""

    def __init__(self, key: TwinKey, aggregate_nonce: bytes, message: bytes) -> None:
        assert key.point is not None
        self.key = key
        x = key.point[0].to_bytes(32, "big")
        self.b = tagged("MuSig/noncecoef", aggregate_nonce + x + message) % N
        halves = [None if half == bytes(33) else decode(half) for half in (aggregate_nonce[:33], aggregate_nonce[33:])]
        self.nonce = add(halves[0], multiply(halves[1], self.b)) or G
        r = self.nonce[0].to_bytes(32, "big")
        self.e = tagged("BIP0340/challenge", r + x + message) % N
        self.flip = -1 if key.point[1] % 2 else 1

    def sign(self, k: tuple[int, int], secret: bytes) -> bytes:
        own = encode(multiply(G, int.from_bytes(secret, "big")))
        if own not in self.key.keys:
            raise ValueError("the signer's key must be in the list")
        if not all(0 < half < N for half in k):
            raise ValueError("secret nonce out of range")
        k1, k2 = (N - half if self.nonce[1] % 2 else half for half in k)
        d = self.flip * self.key.sign * int.from_bytes(secret, "big")
        return ((k1 + self.b * k2 + self.e * self.key.coefficient(own) * d) % N).to_bytes(32, "big")

    def verify(self, partial: bytes, public_nonce: bytes, signer: int) -> bool:
        s, key = int.from_bytes(partial, "big"), self.key.keys[signer]
        point = add(decode(public_nonce[:33]), multiply(decode(public_nonce[33:]), self.b))
        if self.nonce[1] % 2:
            point = multiply(point, N - 1)
        weight = self.e * self.key.coefficient(key) * self.flip * self.key.sign
        return s < N and multiply(G, s) == add(point, multiply(decode(key), weight))

    def aggregate(self, partials: list[bytes]) -> bytes:
        if any(int.from_bytes(partial, "big") >= N for partial in partials):
            raise ValueError("partial signature out of range")
        s = sum(int.from_bytes(partial, "big") for partial in partials) + self.e * self.flip * self.key.tweak
        return self.nonce[0].to_bytes(32, "big") + (s % N).to_bytes(32, "big")


def twin_nonces(
    rand: bytes, key: bytes, secret: bytes, aggregate: bytes, message: bytes, extra: bytes
) -> tuple[int, int]:
    """NonceGen with every optional argument given."""
    seed = int.from_bytes(secret, "big") ^ tagged("MuSig/aux", rand)
    data = seed.to_bytes(32, "big") + bytes([33]) + key + bytes([32]) + aggregate
    data += b"\x01" + len(message).to_bytes(8, "big") + message + len(extra).to_bytes(4, "big") + extra
    k1, k2 = (tagged("MuSig/nonce", data + bytes([i])) % N for i in (0, 1))
    return k1, k2


# Facts: bips/bip-0327/vectors

KEYS = [
    bytes.fromhex("02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"),
    bytes.fromhex("03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"),
    bytes.fromhex("023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66"),
]
OFF_CURVE = b"\x02" + (5).to_bytes(32, "big")


def test_three_keys_aggregate_in_their_order() -> None:
    # key_agg_vectors.json, valid cases 0 and 1
    assert AggregateKey(KEYS).x_only.hex() == "90539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c"
    assert AggregateKey(KEYS[::-1]).x_only.hex() == "6204de8b083426dc6eaf9502d27024d53fc826bf7d2012148a0575435df54b2b"


def test_an_aggregate_signature_from_published_parts() -> None:
    # sig_agg_vectors.json, valid case 0
    group = AggregateKey(
        [
            bytes.fromhex("03935f972da013f80ae011890fa89b67a27b7be6ccb24d3274d18b2d4067f261a9"),
            bytes.fromhex("02d2dc6f5df7c56acf38c7fa0ae7a759ae30e19b37359dfde015872324c7ef6e05"),
        ]
    )
    nonce = bytes.fromhex(
        "0341432722c5cd0268d829c702cf0d1cbce57033eed201fd335191385227c3210c"
        "03d377f2d258b64aadc0e16f26462323d701d286046a2ea93365656afd9875982b"
    )
    message = bytes.fromhex("599c67ea410d005b9da90817cf03ed3b1c868e4da4edf00a5880b0082c237869")
    partials = [
        bytes.fromhex("b15d2cd3c3d22b04dae438ce653f6b4ecf042f42cfded7c41b64aaf9b4af53fb"),
        bytes.fromhex("6193d6ac61b354e9105bbdc8937a3454a6d705b6d57322a5a472a02ce99fcb64"),
    ]
    signature = Session(group, nonce, message).aggregate(partials)
    assert signature.hex() == (
        "041da22223ce65c92c9a0d6c2cac828aaf1eee56304fec371ddf91ebb2b9ef09"
        "12f1038025857fedeb3ff696f8b99fa4bb2c5812f6095a2e0004ec99ce18de1e"
    )
    assert schnorr.verify(message, signature, group.x_only)


# The files


def load(name: str) -> dict[str, Any]:
    """A vector file with its lists of hex strings decoded."""
    data = json.loads(shared(f"vectors/lightning/bip327/{name}").read_text())
    for field, value in data.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            data[field] = [bytes.fromhex(item) for item in value]
    return dict(data)


def pick(data: dict[str, Any], case: dict[str, Any], field: str, indices: str) -> list[bytes]:
    return [data[field][i] for i in case[indices]]


def tweaks_of(data: dict[str, Any], case: dict[str, Any]) -> list[tuple[bytes, bool]]:
    return list(zip(pick(data, case, "tweaks", "tweak_indices"), case["is_xonly"], strict=True))


def tweaked(key: AggregateKey, tweaks: list[tuple[bytes, bool]]) -> AggregateKey:
    for tweak, x_only in tweaks:
        key = key.tweak(tweak, x_only=x_only)
    return key


def check_blame(raised: pytest.ExceptionInfo[ContributionError], case: dict[str, Any]) -> None:
    assert (raised.value.signer, raised.value.contribution) == (case["error"]["signer"], case["error"]["contrib"])


def test_key_sort_vectors() -> None:
    data = load("key_sort_vectors.json")
    assert sort_keys(data["pubkeys"]) == data["sorted_pubkeys"]


def test_key_agg_vectors() -> None:
    data = load("key_agg_vectors.json")
    for case in data["valid_test_cases"]:
        chosen = pick(data, case, "pubkeys", "key_indices")
        assert AggregateKey(chosen).x_only.hex().upper() == case["expected"]
        assert encode(TwinKey(chosen, []).point)[1:].hex().upper() == case["expected"]
    for case in data["error_test_cases"]:
        chosen = pick(data, case, "pubkeys", "key_indices")
        if case["error"]["type"] == "invalid_contribution":
            with pytest.raises(ContributionError) as raised:
                AggregateKey(chosen)
            check_blame(raised, case)
        else:
            with pytest.raises(ValueError, match="tweak: must be below n and must not bring the sum"):
                tweaked(AggregateKey(chosen), tweaks_of(data, case))
    assert (len(data["valid_test_cases"]), len(data["error_test_cases"])) == (4, 5)


def test_nonce_agg_vectors() -> None:
    data = load("nonce_agg_vectors.json")
    for case in data["valid_test_cases"]:
        chosen = pick(data, case, "pnonces", "pnonce_indices")
        assert aggregate_nonces(chosen).hex().upper() == case["expected"]
    for case in data["error_test_cases"]:
        with pytest.raises(ContributionError) as raised:
            aggregate_nonces(pick(data, case, "pnonces", "pnonce_indices"))
        check_blame(raised, case)
    assert (len(data["valid_test_cases"]), len(data["error_test_cases"])) == (2, 3)


def test_sig_agg_vectors() -> None:
    data = load("sig_agg_vectors.json")
    message = bytes.fromhex(data["msg"])
    for case in data["valid_test_cases"] + data["error_test_cases"]:
        signers = pick(data, case, "pubkeys", "key_indices")
        nonces = pick(data, case, "pnonces", "nonce_indices")
        partials = pick(data, case, "psigs", "psig_indices")
        tweaks, aggregate_nonce = tweaks_of(data, case), bytes.fromhex(case["aggnonce"])
        group = tweaked(AggregateKey(signers), tweaks)
        session = Session(group, aggregate_nonce, message)
        twin = TwinSession(TwinKey(signers, tweaks), aggregate_nonce, message)
        assert aggregate_nonces(nonces) == aggregate_nonce
        if "error" in case:
            with pytest.raises(ContributionError) as raised:
                session.aggregate(partials)
            check_blame(raised, case)
            continue
        for signer, (partial, nonce) in enumerate(zip(partials, nonces, strict=True)):
            assert session.verify(partial, nonce, signer)
            assert twin.verify(partial, nonce, signer)
        signature = session.aggregate(partials)
        assert signature.hex().upper() == case["expected"]
        assert twin.aggregate(partials) == signature
        assert schnorr.verify(message, signature, group.x_only)
    assert (len(data["valid_test_cases"]), len(data["error_test_cases"])) == (4, 1)


def secret_nonce(raw: bytes) -> SecretNonce:
    """The library's object for a secret nonce of BIP-327 (k1, k2, public key): its own, with other numbers in it.

    libsecp256k1 0.6 keeps four bytes of magic, then k1 and k2; a wrong place would give another signature.
    """
    nonce = make_nonce(b"\x01" * 32, raw[64:])
    ffi.buffer(nonce._secret)[4:68] = raw[:64]
    return nonce


def test_sign_verify_vectors_that_are_valid() -> None:
    data = load("sign_verify_vectors.json")
    secret, raw = bytes.fromhex(data["sk"]), data["secnonces"][0]
    signed = 0
    for case in data["valid_test_cases"]:
        signers, nonces = pick(data, case, "pubkeys", "key_indices"), pick(data, case, "pnonces", "nonce_indices")
        aggregate_nonce, message = data["aggnonces"][case["aggnonce_index"]], data["msgs"][case["msg_index"]]
        twin = TwinSession(TwinKey(signers, []), aggregate_nonce, message)
        partial = twin.sign((int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")), secret)
        assert partial.hex().upper() == case["expected"]
        assert twin.verify(partial, nonces[case["signer_index"]], case["signer_index"])
        assert aggregate_nonces(nonces) == aggregate_nonce
        if len(message) != 32:  # not libsecp256k1's
            with pytest.raises(ValueError, match="message: must be exactly 32 bytes"):
                Session(AggregateKey(signers), aggregate_nonce, message)
            continue
        session = Session(AggregateKey(signers), aggregate_nonce, message)
        assert session.sign(secret_nonce(raw), secret) == partial
        assert session.verify(partial, nonces[case["signer_index"]], case["signer_index"])
        signed += 1
    assert (len(data["valid_test_cases"]), signed) == (6, 4)


def test_sign_verify_vectors_that_must_not_sign() -> None:
    data = load("sign_verify_vectors.json")
    secret = bytes.fromhex(data["sk"])
    for case in data["sign_error_test_cases"]:
        signers = pick(data, case, "pubkeys", "key_indices")
        nonce, message = data["aggnonces"][case["aggnonce_index"]], data["msgs"][case["msg_index"]]
        raw = data["secnonces"][case["secnonce_index"]]
        if case["error"]["type"] == "invalid_contribution":
            with pytest.raises(ContributionError) as raised:
                Session(AggregateKey(signers), nonce, message)
            check_blame(raised, case)
            continue
        session = Session(AggregateKey(signers), nonce, message)
        if any(raw[:64]):
            with pytest.raises(ValueError, match="its public key must be one of the signers'"):
                session.sign(secret_nonce(raw), secret)
        else:  # zeros, what signing leaves behind: here, a nonce that has signed
            used = secret_nonce(data["secnonces"][0])
            session.sign(used, secret)
            with pytest.raises(ValueError, match="must sign only once"):
                session.sign(used, secret)
            with pytest.raises(ValueError, match="out of range"):
                TwinSession(TwinKey(signers, []), nonce, message).sign((0, 0), secret)
    assert len(data["sign_error_test_cases"]) == 6


def test_sign_verify_vectors_that_must_not_verify() -> None:
    data = load("sign_verify_vectors.json")
    for case in data["verify_fail_test_cases"] + data["verify_error_test_cases"]:
        signers, nonces = pick(data, case, "pubkeys", "key_indices"), pick(data, case, "pnonces", "nonce_indices")
        partial, message = bytes.fromhex(case["sig"]), data["msgs"][case["msg_index"]]
        signer = case["signer_index"]
        if "error" in case:
            with pytest.raises(ContributionError) as raised:
                Session(AggregateKey(signers), data["aggnonces"][0], message).verify(partial, nonces[signer], signer)
            check_blame(raised, case)
            continue
        aggregate_nonce = aggregate_nonces(nonces)
        assert not Session(AggregateKey(signers), aggregate_nonce, message).verify(partial, nonces[signer], signer)
        twin = TwinSession(TwinKey(signers, []), aggregate_nonce, message)
        assert not twin.verify(partial, nonces[signer], signer)
    assert (len(data["verify_fail_test_cases"]), len(data["verify_error_test_cases"])) == (3, 2)


# The library and the twin, and what is refused


@pytest.mark.parametrize("signers", [1, 2, 5])
def test_a_whole_signing_agrees_with_the_twin(signers: int) -> None:
    draw = random.Random(signers)
    secrets = [draw.randbytes(32) for _ in range(signers)]
    public = [keys.public_key(secret) for secret in secrets]
    message, extra = draw.randbytes(32), draw.randbytes(32)
    tweaks = [(draw.randbytes(32), True), (draw.randbytes(32), False)]
    group, twin_key = tweaked(AggregateKey(public), tweaks), TwinKey(public, tweaks)
    assert encode(twin_key.point) == group.public_key
    rands = [draw.randbytes(32) for _ in secrets]
    numbers = [
        twin_nonces(rand, key, secret, group.x_only, message, extra)
        for rand, key, secret in zip(rands, public, secrets, strict=True)
    ]
    nonces = [
        make_nonce(rand, key, secret=secret, message=message, aggregate_key=group, extra=extra)
        for rand, key, secret in zip(rands, public, secrets, strict=True)
    ]
    sent = [nonce.public for nonce in nonces]
    assert sent == [encode(multiply(G, k1)) + encode(multiply(G, k2)) for k1, k2 in numbers]
    session = Session(group, aggregate_nonces(sent), message)
    twin = TwinSession(twin_key, aggregate_nonces(sent), message)
    partials = [session.sign(nonce, secret) for nonce, secret in zip(nonces, secrets, strict=True)]
    assert partials == [twin.sign(pair, secret) for pair, secret in zip(numbers, secrets, strict=True)]
    assert all(session.verify(partial, sent[i], i) for i, partial in enumerate(partials))
    signature = session.aggregate(partials)
    assert signature == twin.aggregate(partials)
    assert schnorr.verify(message, signature, group.x_only)
    assert not schnorr.verify(message, session.aggregate([*partials[:-1], bytes(32)]), group.x_only)


def test_a_secret_nonce_is_neither_copied_nor_used_for_another_key() -> None:
    ours, theirs = bytes(31) + b"\x01", bytes(31) + b"\x02"
    group = AggregateKey([keys.public_key(ours), keys.public_key(theirs)])
    nonce = make_nonce(b"\x07" * 32, keys.public_key(ours))
    session = Session(group, aggregate_nonces([nonce.public, nonce.public]), bytes(32))
    with pytest.raises(
        ValueError, match="nonce: must be one made for public key"
    ):  # libsecp256k1 would end the process
        session.sign(nonce, theirs)
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a nonce signs only once"):
            duplicate(nonce)
    assert len(session.sign(nonce, ours)) == 32  # the refusals have not used it up


def test_keys_of_a_group_and_of_a_nonce_cannot_be_set() -> None:
    # libsecp256k1 ends the process where a nonce signs for another key, or a signer is none of the group's
    secret = bytes(31) + b"\x01"
    group, nonce = AggregateKey([keys.public_key(secret)]), make_nonce(b"\x07" * 32, keys.public_key(secret))
    for thing, name in (
        (nonce, "public"),
        (nonce, "public_key"),
        (group, "signers"),
        (group, "public_key"),
        (group, "x_only"),
    ):
        before = getattr(thing, name)
        with pytest.raises(AttributeError, match=f"property '{name}' of .* has no setter"):
            setattr(thing, name, KEYS[0])
        with pytest.raises(AttributeError, match=f"property '{name}' of .* has no deleter"):
            delattr(thing, name)
        assert getattr(thing, name) == before
    moved, tweak = group.tweak(secret, x_only=False), keys.public_key(secret)
    assert (moved.signers, moved.public_key) == (group.signers, keys.add_points(group.public_key, tweak))


def test_the_signers_are_those_that_were_aggregated() -> None:
    listed = list(KEYS)
    group = AggregateKey(listed)
    listed.clear()
    assert group.signers == tuple(KEYS)
    assert AggregateKey(key for key in KEYS).signers == group.signers  # type: ignore[arg-type]  # reads it once


def test_what_musig2_refuses() -> None:
    with pytest.raises(ValueError, match="public_keys: must be at least one"):
        AggregateKey([])
    with pytest.raises(ValueError, match="public_nonces: must be at least one"):
        aggregate_nonces([])
    with pytest.raises(ValueError, match=r"public_keys\[1\]: must be exactly 33 bytes"):
        AggregateKey([KEYS[0], KEYS[1][:32]])
    with pytest.raises(ContributionError, match="pubkey of signer 1: must be a compressed point"):
        AggregateKey([KEYS[0], OFF_CURVE])
    with pytest.raises(ValueError, match="must be a compressed point"):
        sort_keys([KEYS[0], OFF_CURVE])
    with pytest.raises(ValueError, match="session_secret: must not be all zeros"):
        make_nonce(bytes(32), KEYS[0])
    with pytest.raises(ValueError, match=rf"secret: must be the secret of public_key {KEYS[0].hex()} \(got that of 0"):
        make_nonce(b"\x01" * 32, KEYS[0], secret=b"\x09" * 32)
    session = Session(AggregateKey(KEYS), bytes(66), bytes(32))
    with pytest.raises(ValueError, match=r"^public_nonce: must be exactly 66 bytes \(got 33\)"):
        session.verify(bytes(32), KEYS[0], 0)
    with pytest.raises(ValueError, match=r"^public_nonces\[1\]: must be exactly 66 bytes \(got 33\)"):
        aggregate_nonces([KEYS[0] * 2, KEYS[0]])
    with pytest.raises(ContributionError, match=rf"psig of signer 2: must be a number below n \(got {'ff' * 32}\)"):
        session.aggregate([bytes(32), bytes(32), b"\xff" * 32])
    over = keys.ORDER.to_bytes(32, "big")
    with pytest.raises(ValueError, match=rf"tweak: must be below n .* \(got {over.hex()}\)"):
        AggregateKey(KEYS).tweak(over, x_only=True)
    with pytest.raises(ValueError, match=r"signer: must be from 0 to 2 \(got 3\)"):
        session.verify(bytes(32), KEYS[0] * 2, 3)
    with pytest.raises(ValueError, match=r"partials: must be 3, one a signer \(got 2\)"):
        session.aggregate([bytes(32)] * 2)
    with pytest.raises(ContributionError, match="aggnonce of the aggregator: must be two compressed points"):
        Session(AggregateKey(KEYS), b"\x04" * 66, bytes(32))
