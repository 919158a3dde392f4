"""Hashes of many messages of one length at once: the public face.

The setting L2SIM_KERNELS, or the argument `kernel`, says which path runs: `auto` (lanes for batches large enough to
gain from them where the processor has them, else the reference), `lanes` or `reference`. All give the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.arrays import as_plain
from l2sim.crypto.cores import check_threads, count_threads
from l2sim.crypto.hashing import reference
from l2sim.crypto.kernels import KERNEL_VARIABLE, Kernel, chosen_kernel

LANES_THRESHOLD = 24
"""Messages from which `auto` takes the lanes: below, a loop over the reference is as fast (measured for 64 bytes)."""


# hashlib uses the processor's SHA instructions, which beat few lanes once a message is long: bytes up to which lanes
# win, by number of lanes. From 16 lanes on they always do. Measured against OpenSSL with SHA-NI.
_LONGEST_FOR_LANES = {8: 2048, 4: 192}


class BatchHash(Protocol):
    """A hash of each row of an array (n, length), as an array (n, 32)."""

    def __call__(
        self, messages: NDArray[np.uint8], *, kernel: Kernel | None = None, threads: int | None = None
    ) -> NDArray[np.uint8]:
        """Return the digests."""
        ...


@dataclass(frozen=True, slots=True)
class HashFunction:
    """A named hash in its two forms: of one message, and of the rows of an array."""

    name: str
    single: Callable[[bytes], bytes]
    batch: BatchHash


def sha256_batch(
    messages: NDArray[np.uint8], *, kernel: Kernel | None = None, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return the SHA-256 of each row.

    `messages` is uint8 of shape (n, length), any n and length; the result is uint8 of shape (n, 32). `kernel` is
    `auto`, `lanes` or `reference` and stands over the setting L2SIM_KERNELS; `threads`, at least 1, bounds the
    cores used, by default all that the process may use. Raises `ValueError` for another shape or type and for a
    masked array, and `l2sim.crypto.compiler.KernelUnavailableError` where lanes are asked for and cannot run.

    >>> sha256_batch(np.zeros((2, 0), np.uint8))[1].tobytes().hex()[:16]
    'e3b0c44298fc1c14'
    """
    messages = _check(messages, threads)
    if _use_lanes("sha256", messages, kernel):
        from l2sim.crypto.hashing.lanes import sha256_lanes

        return sha256_lanes(messages, threads=count_threads(threads))
    return reference.hash_rows(reference.sha256, messages)


def sha256d_batch(
    messages: NDArray[np.uint8], *, kernel: Kernel | None = None, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return SHA-256 of the SHA-256 of each row; arguments and errors as `sha256_batch`."""
    messages = _check(messages, threads)
    if _use_lanes("sha256", messages, kernel):
        from l2sim.crypto.hashing.lanes import sha256_lanes

        return sha256_lanes(messages, double=True, threads=count_threads(threads))
    return reference.hash_rows(reference.sha256d, messages)


def tagged_hash_batch(
    tag: str, messages: NDArray[np.uint8], *, kernel: Kernel | None = None, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return BIP-340's tagged hash of each row under the same `tag`, a string; the rest is as in `sha256_batch`.

    Raises `TypeError` where the tag is no string.

    >>> one = tagged_hash_batch("TapLeaf", np.zeros((1, 4), np.uint8))
    >>> one[0].tobytes() == reference.tagged_hash("TapLeaf", bytes(4))
    True
    """
    prefix = reference.tag_prefix(tag)
    messages = _check(messages, threads)
    if _use_lanes("sha256", messages, kernel):
        from l2sim.crypto.hashing.lanes import sha256_lanes

        return sha256_lanes(messages, prefix=prefix, threads=count_threads(threads))
    return reference.hash_rows(lambda message: reference.sha256(prefix + message), messages)


def keccak256_batch(
    messages: NDArray[np.uint8], *, kernel: Kernel | None = None, threads: int | None = None
) -> NDArray[np.uint8]:
    """Return Ethereum's Keccak-256 of each row; arguments and errors as `sha256_batch`.

    >>> keccak256_batch(np.zeros((1, 0), np.uint8))[0].tobytes().hex()[:16]
    'c5d2460186f7233c'
    """
    messages = _check(messages, threads)
    if _use_lanes("keccak256", messages, kernel):
        from l2sim.crypto.hashing.lanes import keccak256_lanes

        return keccak256_lanes(messages, threads=count_threads(threads))
    return reference.hash_rows(reference.keccak256, messages)


_FUNCTIONS = {
    "sha256": HashFunction("sha256", reference.sha256, sha256_batch),
    "sha256d": HashFunction("sha256d", reference.sha256d, sha256d_batch),
    "keccak256": HashFunction("keccak256", reference.keccak256, keccak256_batch),
}


def hash_function(name: str) -> HashFunction:
    """Return the hash `sha256`, `sha256d` or `keccak256` by its name. Raises `ValueError` for another."""
    if name not in _FUNCTIONS:
        raise ValueError(f"hash: must be one of {', '.join(_FUNCTIONS)} (got {name!r})")
    return _FUNCTIONS[name]


def kernel_info() -> dict[str, Any]:
    """Return which kernel runs for large batches, and why: a JSON-able record for result files.

    Loads the kernels (and compiles them at their first use on this machine). Keys: `setting`, `cpu`, `features`
    (those that matter here), and for `sha256` and `keccak256` each `kernel` (`lanes` or `reference`), `lanes` and
    `source` (`cache`, `compiled`, `memory`), or `reason` where the reference runs.
    """
    setting = chosen_kernel(None)
    info: dict[str, Any] = {"setting": setting, "cpu": None, "features": [], "vector_bits": None}
    from l2sim.crypto import compiler
    from l2sim.crypto.hashing import lanes

    try:
        processor = compiler.host_processor()
        info |= {"cpu": processor.name, "features": processor.named_features, "vector_bits": processor.vector_bits}
    except compiler.KernelUnavailableError as error:
        info["reason"] = str(error)
    for name in ("sha256", "keccak256"):
        if setting == "reference":
            info[name] = {"kernel": "reference", "reason": f"{KERNEL_VARIABLE} is set to reference"}
            continue
        try:
            found = lanes.lane_kernel(name)
            info[name] = {"kernel": "lanes", "lanes": found.lanes, "source": found.compiled.source}
        except compiler.KernelUnavailableError as error:
            info[name] = {"kernel": "reference", "reason": str(error)}
    return info


def _check(messages: NDArray[np.uint8], threads: int | None) -> NDArray[np.uint8]:
    """Return the messages as numpy's own type; raise where they or `threads` are not what a batch takes."""
    messages = as_plain("messages", messages, "a numpy array of uint8")
    if messages.dtype != np.uint8:
        raise ValueError(f"messages: must be of type uint8 (got {messages.dtype})")
    if messages.ndim != 2:
        raise ValueError(f"messages: must have the shape (n, length) (got {messages.shape})")
    check_threads(threads)
    return messages


def _use_lanes(name: str, messages: NDArray[np.uint8], kernel: str | None) -> bool:
    """Say whether the lanes are to hash the messages."""
    setting = chosen_kernel(kernel)
    if setting != "auto":
        return setting == "lanes"
    if len(messages) < LANES_THRESHOLD:
        return False
    from l2sim.crypto import compiler
    from l2sim.crypto.hashing import lanes

    try:
        found = lanes.lane_kernel(name)
    except compiler.KernelUnavailableError:
        return False  # kernel_info says why
    return name == "keccak256" or messages.shape[1] <= _LONGEST_FOR_LANES.get(found.lanes, messages.shape[1])
