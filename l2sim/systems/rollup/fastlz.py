"""The length that FastLZ, level 1, gives a byte string: the OP Stack's measure of how well a transaction compresses.

Only the length is wanted, so nothing is written. A match is at least three equal bytes within the last 8,191; the
hash table holds the last place of each 13-bit hash of three bytes. Matching stops 13 bytes before the end.
`fastlz_length` is the readable form, `fastlz_lengths` the fast one over many strings; tests hold them equal.
Source of the rule: ethereum-optimism/specs, fjord/exec-engine.md, and Ariya Hidayat's FastLZ.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

HASH_SIZE = 8_192
MAX_DISTANCE = 8_191
TAIL = 13
LONGEST_MATCH = 262
"""A longer match is written as several."""


def fastlz_length(data: bytes) -> int:
    """The FastLZ length of `data`, in bytes.

    >>> fastlz_length(bytes(1000)), fastlz_length(b"")
    (21, 0)
    """
    last_seen = [0] * HASH_SIZE
    limit = max(0, len(data) - TAIL)
    length = 0
    anchor = 0  # where the literals not yet written begin
    place = 2
    while place < limit:
        match = -1
        while place < limit:
            key = _hash(data, place)
            candidate = last_seen[key]
            last_seen[key] = place
            if place - candidate <= MAX_DISTANCE and data[candidate : candidate + 3] == data[place : place + 3]:
                match = candidate
                break
            place += 1
        # A match at the very last place counts as none: the search had stepped past the limit.
        if match < 0 or place + 1 >= limit:
            break
        length += _literals(place - anchor)
        run = _match_run(data, match + 3, place + 3, limit + 9)
        length += _match(run)
        place += run
        for _ in range(2):
            last_seen[_hash(data, place)] = place
            place += 1
        anchor = place
    return length + _literals(len(data) - anchor)


def _hash(data: bytes, place: int) -> int:
    word = data[place] | data[place + 1] << 8 | data[place + 2] << 16
    return (2_654_435_769 * word & 0xFFFFFFFF) >> 19


def _match_run(data: bytes, earlier: int, place: int, end: int) -> int:
    """Bytes that agree from there on, and the first that does not; at most up to `end`."""
    run = 0
    while place + run < end:
        run += 1
        if data[earlier + run - 1] != data[place + run - 1]:
            break
    return run


def _literals(count: int) -> int:
    """Literals go in runs of 32 with a byte of head each."""
    runs, rest = divmod(count, 32)
    return 33 * runs + (rest + 1 if rest else 0)


def _match(run: int) -> int:
    long, rest = divmod(run - 1, LONGEST_MATCH)
    return 3 * long + (3 if rest >= 6 else 2)


@njit(cache=True)
def fastlz_lengths(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`fastlz_length` of each string `data[offsets[i]:offsets[i + 1]]`; int64 (n,)."""
    count = len(offsets) - 1
    lengths = np.zeros(count, np.int64)
    last_seen = np.zeros(HASH_SIZE, np.int64)
    for row in range(count):
        last_seen[:] = 0
        start, size = offsets[row], offsets[row + 1] - offsets[row]
        lengths[row] = _length(data[start : start + size], last_seen)
    return lengths


@njit(cache=True)
def _length(data: npt.NDArray[np.uint8], last_seen: npt.NDArray[np.int64]) -> int:
    size = len(data)
    limit = max(0, size - TAIL)
    length = 0
    anchor = 0
    place = 2
    while place < limit:
        match = -1
        while place < limit:
            key = _key(data, place)
            candidate = last_seen[key]
            last_seen[key] = place
            if (
                place - candidate <= MAX_DISTANCE
                and data[candidate] == data[place]
                and data[candidate + 1] == data[place + 1]
                and data[candidate + 2] == data[place + 2]
            ):
                match = candidate
                break
            place += 1
        if match < 0 or place + 1 >= limit:
            break
        length += _literal_bytes(place - anchor)
        run = 0
        while place + 3 + run < limit + 9:
            run += 1
            if data[match + 2 + run] != data[place + 2 + run]:
                break
        length += 3 * ((run - 1) // LONGEST_MATCH) + (3 if (run - 1) % LONGEST_MATCH >= 6 else 2)
        place += run
        for _ in range(2):
            last_seen[_key(data, place)] = place
            place += 1
        anchor = place
    return length + _literal_bytes(size - anchor)


@njit(cache=True)
def _key(data: npt.NDArray[np.uint8], place: int) -> np.int64:
    word = np.int64(data[place]) | np.int64(data[place + 1]) << 8 | np.int64(data[place + 2]) << 16
    return ((2_654_435_769 * word) & 0xFFFFFFFF) >> 19


@njit(cache=True)
def _literal_bytes(count: int) -> int:
    return 33 * (count // 32) + (count % 32 + 1 if count % 32 else 0)
