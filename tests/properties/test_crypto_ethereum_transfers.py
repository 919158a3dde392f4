"""A batch of transfers is row by row the single transaction; RLP survives the round trip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.crypto.ethereum import transfers as module
from l2sim.crypto.ethereum.rlp import decode, encode
from l2sim.crypto.ethereum.transactions import FeeMarketTransaction, parse_signed
from l2sim.crypto.ethereum.transfers import Transfers, encode_transfers, signing_digests, signing_payloads
from l2sim.crypto.signatures.batch import sign_ecdsa_recoverable_batch

EDGES = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x100, 2**32, 2**56 - 1, 2**56, 2**64 - 1])
NUMBERS = EDGES | st.integers(0, 2**64 - 1)
WIDE = NUMBERS | st.integers(0, 2**256 - 1)
ROW = st.tuples(
    NUMBERS, st.binary(min_size=20, max_size=20), WIDE, NUMBERS, NUMBERS, NUMBERS, WIDE, WIDE, st.integers(0, 1)
)
ITEMS = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=30)


@given(ITEMS)
def test_rlp_round_trip(item: object) -> None:
    assert decode(encode(item)) == item  # type: ignore[arg-type]  # the strategy makes nested lists of bytes


@given(st.binary(max_size=80))
def test_rlp_has_one_encoding_of_each_item(data: bytes) -> None:
    try:
        item = decode(data)
    except ValueError:
        return
    assert encode(item) == data


@given(st.integers(0, 2**64 - 1), st.lists(ROW, max_size=12))
def test_a_batch_equals_single_transactions(
    chain_id: int, rows: list[tuple[int, bytes, int, int, int, int, int, int, int]]
) -> None:
    def words(column: int) -> np.ndarray:
        return np.array([row[column] for row in rows], np.uint64)

    def joined(pieces: list[bytes], width: int) -> np.ndarray:
        return np.frombuffer(b"".join(pieces), np.uint8).reshape(-1, width)

    values = joined([row[2].to_bytes(32, "big") for row in rows], 32)
    batch = Transfers(chain_id, words(0), joined([row[1] for row in rows], 20), values, words(3), words(4), words(5))
    signatures = [row[6].to_bytes(32, "big") + row[7].to_bytes(32, "big") + bytes([row[8]]) for row in rows]
    payloads, digests = signing_payloads(batch), signing_digests(batch)
    encoded = encode_transfers(batch, joined(signatures, 65))
    hashes = encoded.keccak256()
    assert len(batch) == len(payloads) == len(encoded) == len(rows)
    for i, (nonce, to, value, priority, fee, gas, *_) in enumerate(rows):
        single = FeeMarketTransaction(chain_id, nonce, to, value, priority, fee, gas)
        assert payloads[i] == single.signing_payload()
        assert digests[i].tobytes() == single.signing_digest()
        assert encoded[i] == single.signed_bytes(signatures[i])
        assert hashes[i].tobytes() == single.transaction_hash(signatures[i])
        assert parse_signed(encoded[i]) == (single, signatures[i])


def test_chunks_hashed_apart_give_the_same_and_senders_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(7)
    n = 50
    batch = Transfers(
        8453,
        np.arange(n, dtype=np.uint64) * 7,
        generator.integers(0, 256, (n, 20), dtype=np.uint8),
        generator.integers(0, 2**63, n, dtype=np.uint64),
        10**6,
        2 * 10**9,
    )
    secrets = np.full((n, 32), 3, np.uint8)
    signatures = sign_ecdsa_recoverable_batch(signing_digests(batch), secrets)
    whole = encode_transfers(batch, signatures)
    hashes = whole.keccak256()
    monkeypatch.setattr(module, "_HASH_ROWS", 3)
    assert (whole.keccak256() == hashes).all()
    senders = {parse_signed(whole[i])[0].sender(signatures[i].tobytes()) for i in range(n)}
    assert len(senders) == 1


def test_the_kernel_and_its_twin_write_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    n = 600
    digits = 2 ** generator.integers(0, 64, n, dtype=np.uint64)
    signatures = generator.integers(0, 256, (n, 65), dtype=np.uint8)
    signatures[:, 64] &= 1
    signatures[::7, :3] = signatures[::5, 32:63] = 0
    to = generator.integers(0, 256, (n, 20), dtype=np.uint8)
    tiny = np.zeros((n, 20), np.uint8)
    for batch in (
        Transfers(10, digits, to, digits[::-1].copy(), digits - np.uint64(1), 2**63, digits),
        Transfers(0, np.zeros(n, np.uint64), tiny, signatures[:, :32].copy(), 0, 0, 0),
    ):
        monkeypatch.setenv("L2SIM_KERNELS", "auto")
        fast = encode_transfers(batch, signatures), signing_payloads(batch)
        monkeypatch.setenv("L2SIM_KERNELS", "reference")
        plain = encode_transfers(batch, signatures), signing_payloads(batch)
        for left, right in zip(fast, plain, strict=True):
            assert left.data.tobytes() == right.data.tobytes()
            assert left.offsets.tolist() == right.offsets.tolist()


def test_arrays_of_another_layout_give_the_same_bytes() -> None:
    n = 9
    to = np.asfortranarray(np.arange(n * 20, dtype=np.uint8).reshape(n, 20))
    nonces = np.arange(2 * n, dtype=np.uint64)[::2]
    strided = Transfers(1, nonces, to, nonces, 1, 2)
    plain = Transfers(1, nonces.copy(), np.ascontiguousarray(to), nonces.copy(), 1, 2)
    assert signing_payloads(strided).data.tobytes() == signing_payloads(plain).data.tobytes()


def test_what_is_refused() -> None:
    nonces, to = np.zeros(2, np.uint64), np.zeros((2, 20), np.uint8)
    with pytest.raises(TypeError, match=r"nonces: must be of type uint64 \(got int64\)"):
        Transfers(1, np.zeros(2, np.int64), to, nonces, 1, 2)  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(ValueError, match=r"to: must have shape \(2, 20\) \(got \(1, 20\)\)"):
        Transfers(1, nonces, to[:1], nonces, 1, 2)
    with pytest.raises(ValueError, match=r"values_wei: must have shape \(2,\) \(got \(3,\)\)"):
        Transfers(1, nonces, to, np.zeros(3, np.uint64), 1, 2)
    with pytest.raises(ValueError, match="max_fees_wei: must be from 0"):
        Transfers(1, nonces, to, nonces, 1, -2)
    with pytest.raises(ValueError, match="chain_id"):
        Transfers(1 << 64, nonces, to, nonces, 1, 2)
    batch = Transfers(1, nonces, to, nonces, 1, 2)
    with pytest.raises(ValueError, match=r"signatures: must have shape \(2, 65\)"):
        encode_transfers(batch, np.zeros((2, 64), np.uint8))
    with pytest.raises(ValueError, match=r"recovery ids must be 0 or 1 \(got 27\)"):
        encode_transfers(batch, np.full((2, 65), 27, np.uint8))
    with pytest.raises(IndexError, match="row"):
        signing_payloads(batch)[2]
