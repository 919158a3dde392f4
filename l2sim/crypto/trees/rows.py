"""What the trees share: rows of 32 bytes and how arguments are read into them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.arrays import as_plain

NODE_BYTES = 32
Rows = NDArray[np.uint8]
RowsLike = NDArray[np.uint8] | Sequence[bytes]


def as_rows(name: str, values: RowsLike) -> Rows:
    """Return `values`, an array (n, 32) of uint8 or a sequence of 32-byte strings, as a C-contiguous array.

    Raises `ValueError` that names the argument `name`, the rule and what came.
    """
    if isinstance(values, np.ndarray):
        values = as_plain(name, values, f"a numpy array (n, {NODE_BYTES}) of uint8")
        if values.dtype != np.uint8:
            raise ValueError(f"{name}: must be of type uint8 (got {values.dtype})")
        if values.ndim != 2 or values.shape[1] != NODE_BYTES:
            raise ValueError(f"{name}: must have the shape (n, {NODE_BYTES}) (got {values.shape})")
        return np.ascontiguousarray(values)
    for i, value in enumerate(values):
        check_node(f"{name}[{i}]", value)
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, NODE_BYTES)


def check_node(name: str, value: bytes) -> None:
    """Raise `ValueError` unless `value` is bytes and 32 of them."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"{name}: must be bytes (got {type(value).__name__})")
    if len(value) != NODE_BYTES:
        raise ValueError(f"{name}: must be {NODE_BYTES} bytes (got {len(value)})")


def check_index(name: str, index: int, end: int) -> None:
    """Raise `ValueError` unless 0 <= `index` < `end`."""
    if not 0 <= index < end:
        raise ValueError(f"{name}: must be at least 0 and below {end} (got {index})")


def row_bytes(rows: Rows, place: int) -> bytes:
    """Return row `place` as bytes."""
    return rows[place : place + 1].tobytes()


def climb(hash_pair: Callable[[bytes], bytes], leaf: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Return the root that `siblings`, from the leaf up, lead to from `leaf` at position `index`.

    Raises `ValueError` where a value is not 32 bytes.
    """
    check_node("leaf", leaf)
    reached = leaf
    for height, sibling in enumerate(siblings):
        check_node(f"sibling at height {height}", sibling)
        reached = hash_pair(sibling + reached if index >> height & 1 else reached + sibling)
    return reached
