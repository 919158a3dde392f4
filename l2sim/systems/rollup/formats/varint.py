"""Whole numbers in base 128 and bits in rows, as span batches write them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MOST_BYTES = 10
"""Of a number below 2**64 in base 128."""


def uvarint(value: int) -> bytes:
    """A number in base 128, lowest digits first, the highest bit of each byte but the last set.

    >>> uvarint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def uvarints(values: npt.NDArray[np.uint64]) -> bytes:
    """Many numbers in base 128, end to end."""
    if len(values) == 0:
        return b""
    digits = np.zeros((len(values), MOST_BYTES), np.uint8)
    used = np.zeros((len(values), MOST_BYTES), np.bool_)
    rest = values.astype(np.uint64)
    for place in range(MOST_BYTES):
        used[:, place] = True if place == 0 else rest > 0
        digits[:, place] = (rest & np.uint64(0x7F)).astype(np.uint8)
        rest = rest >> np.uint64(7)
        digits[:, place] |= np.where(rest > 0, np.uint8(0x80), np.uint8(0))
        if not rest.any():
            break
    return digits[used].tobytes()


def read_uvarint(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place` and where it ends; raises ValueError where it does not end or is not below 2**64."""
    value = 0
    for index in range(MOST_BYTES):
        if place + index >= len(data):
            break
        digit = data[place + index]
        value |= (digit & 0x7F) << 7 * index
        if digit < 0x80:
            if value >= 1 << 64 or (digit == 0 and index):
                break
            return value, place + index + 1
    raise ValueError(f"byte {place} must begin a number in base 128 below 2**64")


def bitlist(bits: npt.NDArray[np.bool_] | Sequence[bool]) -> bytes:
    """Bits as a big-endian whole number, bit 0 the lowest, filled up to whole bytes.

    >>> bitlist([True] + [False] * 8).hex()
    '0001'
    """
    return np.packbits(np.asarray(bits, np.bool_), bitorder="little")[::-1].tobytes()


def read_bitlist(data: bytes, place: int, count: int) -> tuple[npt.NDArray[np.bool_], int]:
    """`count` bits at `place` and where they end; raises ValueError where bytes are missing or others are set."""
    end = place + (count + 7) // 8
    if end > len(data):
        raise ValueError(f"byte {place} must begin {count} bits (got {len(data) - place} bytes)")
    bits = np.unpackbits(np.frombuffer(data[place:end], np.uint8)[::-1], bitorder="little").astype(np.bool_)
    if bits[count:].any():
        raise ValueError(f"byte {place} must begin with no more than {count} bits")
    return bits[:count], end
