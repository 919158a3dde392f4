"""A binary Keccak tree over transaction hashes: pairs in order, a last node without partner carried up as it is."""

import numpy as np
import numpy.typing as npt

from l2sim.crypto.hashing import keccak256_batch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work

EMPTY_ROOT = keccak256(b"")
PAIR_BYTES = 64


def payments_root(hashes: npt.NDArray[np.uint8], work: Work) -> bytes:
    """The root over `hashes`, uint8 (n, 32); it takes n - 1 hashes.

    >>> payments_root(np.zeros((1, 32), np.uint8), Work()) == bytes(32)
    True
    """
    if len(hashes) == 0:
        return EMPTY_ROOT
    work.count_keccak(len(hashes) - 1, PAIR_BYTES)
    level = np.ascontiguousarray(hashes)
    while len(level) > 1:
        pairs = len(level) // 2
        above = keccak256_batch(level[: 2 * pairs].reshape(pairs, PAIR_BYTES))
        level = np.concatenate((above, level[2 * pairs :]))
    return bytes(level[0])
