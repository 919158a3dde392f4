"""Plain transfers in RLP, row after row into one buffer: one compiled loop.

Its readable twin is `FeeMarketTransaction`, one transaction at a time.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

_FRAME_BYTES = 3  # type, and up to two bytes of list prefix
_WORD_BYTES, _WIDE_BYTES = 9, 33  # a number of 64 or of 256 bits at its longest
_ADDRESS_BYTES = 20
_TYPE, _EMPTY_STRING, _EMPTY_LIST = 0x02, 0x80, 0xC0
_SHORT = 55  # longest list whose length fits in the first byte (Yellow Paper, Appendix B)

MOST_ROW_BYTES = _FRAME_BYTES + 5 * _WORD_BYTES + 1 + _ADDRESS_BYTES + _WIDE_BYTES + 2 + 1 + 2 * _WIDE_BYTES
"""Longest row: five words, receiver, value, no data, no access list, parity, r and s. Below 256 bytes."""


@njit(cache=True, nogil=True)
def encode_rows(
    chain_id: Words,
    nonces: Words,
    priority_fees: Words,
    max_fees: Words,
    gas_limits: Words,
    to: Bytes,
    values: Words,
    wide_values: Bytes,
    signatures: Bytes,
    out: Bytes,
    offsets: NDArray[np.int64],
) -> None:
    """Write the rows to `out`, `MOST_ROW_BYTES` each at most, and where they begin and end to `offsets` (n + 1,).

    A column of words with one entry holds for all rows. Values are `wide_values` (n, 32) if that has rows, else
    `values`. Without rows in `signatures` (n, 65) the payload that is signed is written.
    """
    at = 0
    for row in range(len(offsets) - 1):
        start = at
        at += _FRAME_BYTES
        for column in (chain_id, nonces, priority_fees, max_fees, gas_limits):
            at = _put_word(out, at, column[row] if len(column) > 1 else column[0])
        out[at] = _EMPTY_STRING + _ADDRESS_BYTES
        for k in range(_ADDRESS_BYTES):
            out[at + 1 + k] = to[row, k]
        at += 1 + _ADDRESS_BYTES
        at = _put_digits(out, at, wide_values[row]) if len(wide_values) else _put_word(out, at, values[row])
        out[at], out[at + 1] = _EMPTY_STRING, _EMPTY_LIST
        at += 2
        if len(signatures):
            parity = signatures[row, 64]
            out[at] = parity if parity else _EMPTY_STRING
            at = _put_digits(out, at + 1, signatures[row, :32])
            at = _put_digits(out, at, signatures[row, 32:64])
        length = at - start - _FRAME_BYTES
        out[start] = _TYPE
        if length > _SHORT:
            out[start + 1] = _EMPTY_LIST + _SHORT + 1
            out[start + 2] = length
        else:
            out[start + 1] = _EMPTY_LIST + length
            for k in range(start + 2, at - 1):
                out[k] = out[k + 1]
            at -= 1
        offsets[row + 1] = at


@njit(cache=True, nogil=True, inline="always")
def _put_word(out: Bytes, at: int, value: np.uint64) -> int:
    """Write a number without its leading zeros; return the place behind it."""
    if value == 0:
        out[at] = _EMPTY_STRING
        return at + 1
    if value < np.uint64(_EMPTY_STRING):
        out[at] = value
        return at + 1
    digits = 1
    while digits < 8 and value >> np.uint64(8 * digits):
        digits += 1
    out[at] = _EMPTY_STRING + digits
    for k in range(digits):
        out[at + digits - k] = (value >> np.uint64(8 * k)) & np.uint64(0xFF)
    return at + 1 + digits


@njit(cache=True, nogil=True, inline="always")
def _put_digits(out: Bytes, at: int, digits: Bytes) -> int:
    """Write a big-endian number without its leading zeros; return the place behind it."""
    first, width = 0, len(digits)
    while first < width and digits[first] == 0:
        first += 1
    if first == width - 1 and digits[first] < _EMPTY_STRING:
        out[at] = digits[first]
        return at + 1
    out[at] = _EMPTY_STRING + width - first
    for k in range(first, width):
        out[at + 1 + k - first] = digits[k]
    return at + 1 + width - first
