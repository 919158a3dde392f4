"""Runs the vector kernels over arrays: groups of messages straight from memory, the rest from a padded copy.

A kernel reads whole blocks, so it may read past a message's end into the next message, never past the array: the
last rows, those that do not fill a group or whose last block would reach beyond the array, are copied to a scratch
array with room behind it.
"""

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto import compiler
from l2sim.crypto.compiler import CompiledKernel, KernelUnavailableError
from l2sim.crypto.hashing import lanes_ir, lanes_keccak, lanes_sha256, reference

DIGEST_BYTES = reference.DIGEST_BYTES
_BLOCKS_PER_THREAD = 1 << 12  # at least 0.08 ms of hashing; a thread takes some 0.04 ms to start
_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64


# Each kernel: its text, its word size in bits, the modules that write it, its ctypes argument types.
_KERNELS: dict[str, tuple[Callable[[int], str], int, tuple[str, ...], tuple[type, ...]]] = {
    "sha256": (
        lanes_sha256.kernel_text,
        32,
        (lanes_ir.__name__, lanes_sha256.__name__),
        (_POINTER, _POINTER, _COUNT, _COUNT, _COUNT, _COUNT, _COUNT, _POINTER),
    ),
    "keccak256": (
        lanes_keccak.kernel_text,
        64,
        (lanes_ir.__name__, lanes_keccak.__name__),
        (_POINTER, _POINTER, _COUNT, _COUNT, _COUNT, _COUNT, _POINTER),
    ),
}


@dataclass(frozen=True, slots=True)
class LaneKernel:
    """A compiled kernel and how many messages it takes at a time."""

    name: str
    lanes: int
    compiled: CompiledKernel


_loaded: dict[str, LaneKernel | KernelUnavailableError] = {}
_loading = threading.Lock()


def lane_kernel(name: str) -> LaneKernel:
    """Return the kernel `sha256` or `keccak256`, compiled or read from the cache at the first call.

    A kernel is checked against the reference before its first use. Raises `KernelUnavailableError` with the reason
    where it cannot run; that is remembered.
    """
    with _loading:
        if name not in _loaded:
            try:
                _loaded[name] = _load(name)
            except KernelUnavailableError as error:
                _loaded[name] = error
        found = _loaded[name]
    if isinstance(found, KernelUnavailableError):
        raise found
    return found


def sha256_lanes(
    messages: NDArray[np.uint8], *, prefix: bytes = b"", double: bool = False, threads: int = 1
) -> NDArray[np.uint8]:
    """Return SHA-256 of `prefix` (a multiple of 64 bytes) and each row, hashed once more where `double`."""
    return _sha256(lane_kernel("sha256"), messages, prefix, double, threads)


def keccak256_lanes(messages: NDArray[np.uint8], *, threads: int = 1) -> NDArray[np.uint8]:
    """Return Keccak-256 of each row."""
    return _keccak256(lane_kernel("keccak256"), messages, threads)


def _load(name: str) -> LaneKernel:
    bits = compiler.host_processor().vector_bits
    kernel_text, word_bits, modules, arguments = _KERNELS[name]
    lanes = bits // word_bits
    compiled = compiler.load_kernel(name, modules, lambda: kernel_text(lanes), {name: arguments})
    kernel = LaneKernel(name, lanes, compiled)
    _check(kernel)
    return kernel


def _check(kernel: LaneKernel) -> None:
    """Compare one short and one long batch with the reference; a kernel that differs is not used."""
    for length in (64, 201):
        rows = np.arange((kernel.lanes + 1) * length, dtype=np.uint64).astype(np.uint8).reshape(-1, length)
        if kernel.name == "sha256":
            pairs = [
                (_sha256(kernel, rows, b"", False, 1), reference.hash_rows(reference.sha256, rows)),
                (_sha256(kernel, rows, b"", True, 1), reference.hash_rows(reference.sha256d, rows)),
            ]
        else:
            pairs = [(_keccak256(kernel, rows, 1), reference.hash_rows(reference.keccak256, rows))]
        if not all(np.array_equal(got, wanted) for got, wanted in pairs):
            raise KernelUnavailableError(f"the compiled {kernel.name} kernel differs from the reference here")


@lru_cache(maxsize=1024)
def _sha256_parameters(length: int, prefix: bytes) -> tuple[int, bool, NDArray[np.uint32]]:
    state = list(lanes_sha256.INITIAL_STATE)
    for start in range(0, len(prefix), lanes_sha256.BLOCK_BYTES):
        state = lanes_sha256.compress(state, prefix[start : start + lanes_sha256.BLOCK_BYTES])
    return lanes_sha256.parameters(length, state, len(prefix))


_keccak_parameters = lru_cache(maxsize=1024)(lanes_keccak.parameters)


def _sha256(
    kernel: LaneKernel, messages: NDArray[np.uint8], prefix: bytes, double: bool, threads: int
) -> NDArray[np.uint8]:
    length = messages.shape[1]
    if length == 0:
        digest = (reference.sha256d if double else reference.sha256)(prefix)
        return np.tile(np.frombuffer(digest, np.uint8), (len(messages), 1))
    blocks, constant, words = _sha256_parameters(length, prefix)
    call, parameters = kernel.compiled.calls[kernel.name], words.ctypes.data

    def hash_groups(source: int, target: int, groups: int) -> None:
        call(source, target, groups, length, blocks, constant, double, parameters)

    return _over_rows(hash_groups, kernel.lanes, messages, blocks, lanes_sha256.BLOCK_BYTES, threads)


def _keccak256(kernel: LaneKernel, messages: NDArray[np.uint8], threads: int) -> NDArray[np.uint8]:
    length = messages.shape[1]
    if length == 0:
        return np.tile(np.frombuffer(reference.keccak256(b""), np.uint8), (len(messages), 1))
    blocks, used, words = _keccak_parameters(length)
    call, parameters = kernel.compiled.calls[kernel.name], words.ctypes.data

    def hash_groups(source: int, target: int, groups: int) -> None:
        call(source, target, groups, length, blocks, used, parameters)

    return _over_rows(hash_groups, kernel.lanes, messages, blocks, lanes_keccak.RATE_BYTES, threads)


def _over_rows(
    hash_groups: Callable[[int, int, int], None],
    lanes: int,
    messages: NDArray[np.uint8],
    blocks: int,
    block_bytes: int,
    threads: int,
) -> NDArray[np.uint8]:
    """Call `hash_groups(source, target, groups)` so that each row is hashed and none is read past the array."""
    messages = np.ascontiguousarray(messages)
    n, length = messages.shape
    digests = np.empty((n, DIGEST_BYTES), np.uint8)
    reach = blocks * block_bytes
    inside = min(n, (n * length - reach) // length + 1) if n * length >= reach else 0
    groups = inside // lanes
    source, target = messages.ctypes.data, digests.ctypes.data
    threads = min(threads, groups * lanes * blocks // _BLOCKS_PER_THREAD)
    if threads > 1:
        cuts = [groups * i // threads for i in range(threads + 1)]

        def part(first: int, end: int) -> None:
            hash_groups(source + first * lanes * length, target + first * lanes * DIGEST_BYTES, end - first)

        # Threads live for one batch: waiting ones would be in the way of whoever forks this process.
        others = [threading.Thread(target=part, args=cut) for cut in pairwise(cuts[1:])]
        for other in others:
            other.start()
        part(cuts[0], cuts[1])
        for other in others:
            other.join()
    elif groups:
        hash_groups(source, target, groups)
    done = groups * lanes
    if done < n:
        rest_groups = -(-(n - done) // lanes)
        scratch = np.zeros(rest_groups * lanes * length + reach, np.uint8)
        scratch[: (n - done) * length] = messages[done:].ravel()
        rest = np.empty((rest_groups * lanes, DIGEST_BYTES), np.uint8)
        hash_groups(scratch.ctypes.data, rest.ctypes.data, rest_groups)
        digests[done:] = rest[: n - done]
    return digests
