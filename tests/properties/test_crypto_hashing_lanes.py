"""Lanes equal the reference on every length around a block's end, every batch size, and every memory layout."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto import compiler, hashing
from l2sim.crypto.compiler import KernelUnavailableError
from l2sim.crypto.hashing import lanes, lanes_sha256, reference

BOUNDARIES = [0, 1, 3, 31, 32, 33, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 135, 136, 137]
BOUNDARIES += [183, 184, 191, 192, 193, 200, 201, 271, 272, 273, 1000]


def random_rows(seed: int, n: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, length), dtype=np.uint8)


def assert_all_equal(messages: np.ndarray, threads: int | None = None) -> None:
    pairs = [
        (hashing.sha256_batch, reference.sha256),
        (hashing.sha256d_batch, reference.sha256d),
        (hashing.keccak256_batch, reference.keccak256),
    ]
    for batch, single in pairs:
        expected = [single(row.tobytes()) for row in messages]
        for kernel in ("lanes", "reference", "auto"):
            digests = batch(messages, kernel=kernel, threads=threads)
            assert digests.shape == (len(messages), 32)
            assert digests.dtype == np.uint8
            assert [d.tobytes() for d in digests] == expected
    tagged = hashing.tagged_hash_batch("l2sim/test", messages, kernel="lanes", threads=threads)
    assert [d.tobytes() for d in tagged] == [reference.tagged_hash("l2sim/test", row.tobytes()) for row in messages]


@pytest.fixture(autouse=True)
def _lanes() -> None:
    try:
        lanes.lane_kernel("sha256")
        lanes.lane_kernel("keccak256")
    except KernelUnavailableError as error:
        pytest.skip(f"vector kernels cannot run here: {error}")


@pytest.mark.parametrize("length", BOUNDARIES)
def test_lengths_around_block_ends(length: int) -> None:
    for n in (0, 1, 15, 16, 17, 65):
        assert_all_equal(random_rows(length, n, length))


@given(seed=st.integers(0, 2**32), n=st.integers(0, 70), length=st.integers(0, 420))
@settings(max_examples=60, deadline=None)
def test_any_shape(seed: int, n: int, length: int) -> None:
    assert_all_equal(random_rows(seed, n, length))


@given(seed=st.integers(0, 2**32), n=st.integers(1, 40), length=st.sampled_from(BOUNDARIES[1:24]))
@settings(max_examples=25, deadline=None)
def test_any_memory_layout(seed: int, n: int, length: int) -> None:
    wide = random_rows(seed, 2 * n, 2 * length + 3)
    for view in (wide[::2, 3 : 3 + length], wide[:n, ::-2][:, :length], np.asfortranarray(wide[:n, :length])):
        assert not view.flags["C_CONTIGUOUS"] or min(view.shape) == 1
        before = view.copy()
        assert_all_equal(view)
        assert np.array_equal(view, before)


def test_unaligned_start_and_read_only() -> None:
    memory = random_rows(5, 1, 33 * 77 + 1)[0]
    rows = memory[1:].reshape(77, 33)
    rows.flags.writeable = False
    assert_all_equal(rows)


@pytest.mark.parametrize("length", [32, 64, 136])
def test_threads_give_the_same_bytes(length: int) -> None:
    rows = random_rows(length, 20_001, length)
    for batch in (hashing.sha256_batch, hashing.sha256d_batch, hashing.keccak256_batch):
        one = batch(rows, kernel="lanes", threads=1)
        assert np.array_equal(one, batch(rows, kernel="lanes", threads=3))
        assert np.array_equal(one[::997], batch(rows[::997], kernel="reference"))


@given(st.binary(min_size=0, max_size=300))
def test_plain_compression_makes_sha256(message: bytes) -> None:
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = list(lanes_sha256.INITIAL_STATE)
    for i in range(0, len(padded), 64):
        state = lanes_sha256.compress(state, padded[i : i + 64])
    assert b"".join(word.to_bytes(4, "big") for word in state) == reference.sha256(message)


@pytest.mark.parametrize("bits", [128, 256])
def test_narrower_vectors(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same kernel text at the widths of processors without AVX-512, compiled in memory for this one."""
    here = compiler.host_processor()
    if bits > here.vector_bits:
        pytest.skip(f"this processor has vectors of {here.vector_bits} bits")
    monkeypatch.setattr(compiler, "host_processor", lambda: replace(here, vector_bits=bits))
    monkeypatch.setattr(lanes, "_loaded", {})
    assert lanes.lane_kernel("sha256").lanes == bits // 32
    assert lanes.lane_kernel("keccak256").lanes == bits // 64
    for length in (1, 32, 55, 56, 64, 135, 136, 200):
        assert_all_equal(random_rows(length, 37, length))


def test_a_kernel_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = lanes_sha256.parameters(64, [0] * 8, 0)
    monkeypatch.setattr(lanes, "_sha256_parameters", lambda length, prefix: wrong)
    monkeypatch.setattr(lanes, "_loaded", {})
    with pytest.raises(KernelUnavailableError, match="differs from the reference"):
        lanes.lane_kernel("sha256")
    assert np.array_equal(
        hashing.sha256_batch(np.zeros((50, 64), np.uint8), kernel="auto"),
        hashing.sha256_batch(np.zeros((50, 64), np.uint8), kernel="reference"),
    )
