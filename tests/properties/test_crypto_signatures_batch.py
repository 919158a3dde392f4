"""A batch is its single calls: on random, edge and hostile rows, and with any one bit turned over."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.crypto.compiler import KernelUnavailableError
from l2sim.crypto.kernels import Kernel
from l2sim.crypto.signatures import (
    KeyTable,
    Rule,
    _compiled_loops,
    ecdsa,
    keys,
    public_keys_batch,
    recover_batch,
    schnorr,
    sign_ecdsa_batch,
    sign_ecdsa_recoverable_batch,
    sign_schnorr_batch,
    verify_ecdsa_batch,
    verify_schnorr_batch,
)

N = keys.ORDER
P = 2**256 - 2**32 - 977  # the field's size: SEC 2 v2.0, section 2.4.1
EDGES = [number.to_bytes(32, "big") for number in (0, 1, N // 2, N // 2 + 1, N - 1, N, N + 1, P - 1, P, 2**256 - 1)]

Bytes = npt.NDArray[np.uint8]


def kernels_here() -> list[Kernel]:
    """The loops over cffi, and the compiled ones where they can run."""
    try:
        _compiled_loops.load()
    except KernelUnavailableError:
        return ["reference"]
    return ["lanes", "reference"]


kernels = st.sampled_from(kernels_here())
numbers = st.one_of(st.sampled_from(EDGES), st.binary(min_size=32, max_size=32))
secrets = st.integers(1, N - 1).map(lambda value: value.to_bytes(32, "big"))


def stack(rows: list[bytes], width: int) -> Bytes:
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, width)


def rows_of(array: Bytes) -> list[bytes]:
    return [row.tobytes() for row in array]


@st.composite
def ecdsa_rows(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A digest, a signature and a key: honest, or spoilt in one of the ways that matter."""
    digest, secret = draw(numbers), draw(secrets)
    signature, key = ecdsa.sign(digest, secret), keys.public_key(secret)
    match draw(st.sampled_from(["honest", "high s", "numbers", "prefix", "key", "digest"])):
        case "high s":
            signature = signature[:32] + (N - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
        case "numbers":
            signature = draw(numbers) + draw(numbers)
        case "prefix":
            key = draw(st.binary(min_size=1, max_size=1)) + key[1:]
        case "key":
            key = draw(st.sampled_from([b"\x02", b"\x03"])) + draw(numbers)
        case "digest":
            digest = draw(numbers)
    return digest, signature, key


@st.composite
def schnorr_rows(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A message, a signature and an x-only key: honest, or spoilt."""
    message, secret = draw(numbers), draw(secrets)
    signature, key = schnorr.sign(message, secret), schnorr.public_key(secret)
    match draw(st.sampled_from(["honest", "r", "s", "key", "message"])):
        case "r":
            signature = draw(numbers) + signature[32:]
        case "s":
            signature = signature[:32] + draw(numbers)
        case "key":
            key = draw(numbers)
        case "message":
            message = draw(numbers)
    return message, signature, key


@given(st.lists(ecdsa_rows(), max_size=24), st.sampled_from(Rule), st.sampled_from([1, 2]), kernels)
def test_ecdsa_verification(rows: list[tuple[bytes, bytes, bytes]], rule: Rule, threads: int, kernel: Kernel) -> None:
    digests, signatures, public = (stack([row[i] for row in rows], width) for i, width in enumerate((32, 64, 33)))
    expected = [ecdsa.verify(*row, rule=rule) for row in rows]
    assert (
        verify_ecdsa_batch(digests, signatures, public, rule=rule, threads=threads, kernel=kernel).tolist() == expected
    )
    table = KeyTable(public[::-1], kernel=kernel)
    assert table.valid.tolist() == [keys.is_public_key(row[2]) for row in rows[::-1]]
    by_row = table.rows(np.arange(len(rows))[::-1])
    assert (
        verify_ecdsa_batch(digests, signatures, by_row, rule=rule, threads=threads, kernel=kernel).tolist() == expected
    )


@given(st.lists(schnorr_rows(), max_size=24), st.sampled_from([1, 2]), kernels)
def test_schnorr_verification(rows: list[tuple[bytes, bytes, bytes]], threads: int, kernel: Kernel) -> None:
    messages, signatures, public = (stack([row[i] for row in rows], width) for i, width in enumerate((32, 64, 32)))
    expected = [schnorr.verify(*row) for row in rows]
    assert verify_schnorr_batch(messages, signatures, public, threads=threads, kernel=kernel).tolist() == expected
    table = KeyTable(public, kernel=kernel)
    assert table.valid.tolist() == [keys.is_x_only(row[2]) for row in rows]
    by_row = table.rows(np.arange(len(rows)))
    assert verify_schnorr_batch(messages, signatures, by_row, threads=threads, kernel=kernel).tolist() == expected


@given(st.lists(st.tuples(numbers, secrets, numbers), max_size=20), st.sampled_from([1, 2]), kernels)
def test_signing(rows: list[tuple[bytes, bytes, bytes]], threads: int, kernel: Kernel) -> None:
    digests, own, aux = (stack([row[i] for row in rows], 32) for i in range(3))
    assert rows_of(public_keys_batch(own, threads=threads, kernel=kernel)) == [
        keys.public_key(secret) for _, secret, _ in rows
    ]
    assert rows_of(sign_ecdsa_batch(digests, own, threads=threads, kernel=kernel)) == [
        ecdsa.sign(d, s) for d, s, _ in rows
    ]
    assert rows_of(sign_ecdsa_recoverable_batch(digests, own, threads=threads, kernel=kernel)) == [
        ecdsa.sign_recoverable(d, s) for d, s, _ in rows
    ]
    assert rows_of(sign_schnorr_batch(digests, own, threads=threads, kernel=kernel)) == [
        schnorr.sign(d, s) for d, s, _ in rows
    ]
    assert rows_of(sign_schnorr_batch(digests, own, aux, threads=threads, kernel=kernel)) == [
        schnorr.sign(d, s, a) for d, s, a in rows
    ]


@given(
    st.lists(st.tuples(ecdsa_rows(), st.integers(0, 255) | st.integers(0, 3)), max_size=24),
    st.sampled_from(Rule),
    st.sampled_from([1, 2]),
    kernels,
)
def test_recovery(rows: list[tuple[tuple[bytes, bytes, bytes], int]], rule: Rule, threads: int, kernel: Kernel) -> None:
    digests = [digest for (digest, _, _), _ in rows]
    signatures = [signature + bytes([recovery_id]) for (_, signature, _), recovery_id in rows]
    recovered, found = recover_batch(
        stack(digests, 32), stack(signatures, 65), rule=rule, threads=threads, kernel=kernel
    )
    for i, (digest, signature) in enumerate(zip(digests, signatures, strict=True)):
        try:
            expected = ecdsa.recover(digest, signature, rule=rule)
        except ValueError:
            expected = bytes(33)
        assert recovered[i].tobytes() == expected
        assert found[i] == any(expected)
        if found[i]:
            assert ecdsa.verify(digest, signature[:64], expected, rule=Rule.PLAIN)


def turned(data: bytes) -> Bytes:
    """One row for each bit of the data, with that bit turned over."""
    rows = np.tile(np.frombuffer(data, dtype=np.uint8), (8 * len(data), 1))
    bits = np.arange(8 * len(data))
    rows[bits, bits // 8] ^= (1 << bits % 8).astype(np.uint8)
    return rows


def same(data: bytes, rows: int) -> Bytes:
    return np.tile(np.frombuffer(data, dtype=np.uint8), (rows, 1))


SIGNERS = [bytes(31) + b"\x01", bytes(range(32)), (N - 1).to_bytes(32, "big")]


@pytest.mark.parametrize("kernel", kernels_here())
@pytest.mark.parametrize("secret", SIGNERS)
@pytest.mark.parametrize("rule", Rule)
def test_any_bit_turned_over_is_refused_by_ecdsa(secret: bytes, kernel: Kernel, rule: Rule) -> None:
    digest, key = bytes(range(100, 132)), keys.public_key(secret)
    signature = ecdsa.sign(digest, secret)
    assert ecdsa.verify(digest, signature, key, rule=rule)
    assert not verify_ecdsa_batch(turned(digest), same(signature, 256), same(key, 256), rule=rule, kernel=kernel).any()
    assert not verify_ecdsa_batch(same(digest, 512), turned(signature), same(key, 512), rule=rule, kernel=kernel).any()
    assert not verify_ecdsa_batch(same(digest, 264), same(signature, 264), turned(key), rule=rule, kernel=kernel).any()


@pytest.mark.parametrize("kernel", kernels_here())
@pytest.mark.parametrize("secret", SIGNERS)
def test_any_bit_turned_over_is_refused_by_schnorr(secret: bytes, kernel: Kernel) -> None:
    message, key = bytes(range(100, 132)), schnorr.public_key(secret)
    signature = schnorr.sign(message, secret)
    assert schnorr.verify(message, signature, key)
    assert not verify_schnorr_batch(turned(message), same(signature, 256), same(key, 256), kernel=kernel).any()
    assert not verify_schnorr_batch(same(message, 512), turned(signature), same(key, 512), kernel=kernel).any()
    assert not verify_schnorr_batch(same(message, 256), same(signature, 256), turned(key), kernel=kernel).any()


@pytest.mark.parametrize("kernel", kernels_here())
@pytest.mark.parametrize("secret", SIGNERS)
def test_any_bit_turned_over_recovers_somebody_else(secret: bytes, kernel: Kernel) -> None:
    digest, key = bytes(range(100, 132)), keys.public_key(secret)
    signature = ecdsa.sign_recoverable(digest, secret)
    for digests, signatures in (
        (turned(digest), same(signature, 256)),
        (same(digest, 520), turned(signature)),
    ):
        recovered, _ = recover_batch(digests, signatures, kernel=kernel)
        assert not (recovered == np.frombuffer(key, dtype=np.uint8)).all(axis=1).any()
