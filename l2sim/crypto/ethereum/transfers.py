"""Plain transfers by the hundred thousand: the same bytes as `transactions`, written column by column.

All rows of a chunk are laid out in one matrix with a slot for every byte that any row could need; a mask says which
slots a row uses, and picking the used ones in order joins the encodings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.ethereum.transactions import ADDRESS_BYTES, TRANSFER_GAS, TYPE, FeeMarketTransaction
from l2sim.crypto.hashing import keccak256_batch

__all__ = ["EncodedBatch", "Transfers", "encode_transfers", "signing_digests", "signing_payloads"]

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

_FEW_ROWS = 6  # below this many, rows are encoded one by one
_CHUNK_ROWS = 8192  # a matrix and its mask of about 150 columns stay in a core's cache
_HASH_ROWS = 65536  # rows gathered at a time for hashing
_EMPTY_STRING, _EMPTY_LIST = 0x80, 0xC0
_PLACES = np.array([1 << 8 * place for place in range(8)], np.uint64)
_SHORT = 55  # longest list whose length fits in the first byte (Yellow Paper, Appendix B)


@dataclass(frozen=True, slots=True)
class Transfers:
    """Plain transfers as columns: n rows; fees in wei per gas, values in wei.

    `nonces`, `max_priority_fees_wei`, `max_fees_wei` and `gas_limits` are uint64, of shape (n,) or one number for
    all; `to` is uint8 of shape (n, 20); `values_wei` is uint64 (n,), or uint8 (n, 32) big-endian where values reach
    2**64 wei. Raises ValueError for other shapes and TypeError for other types.
    """

    chain_id: int
    nonces: Words
    to: Bytes
    values_wei: Words | Bytes
    max_priority_fees_wei: Words | int
    max_fees_wei: Words | int
    gas_limits: Words | int = TRANSFER_GAS

    def __post_init__(self) -> None:
        if not 0 <= self.chain_id < 1 << 64:
            raise ValueError(f"chain_id: must be from 0 to 2**64 - 1 (got {self.chain_id})")
        rows = len(_column("nonces", self.nonces))
        _check_rows("to", self.to, rows, ADDRESS_BYTES)
        if self.values_wei.dtype == np.uint8:
            _check_rows("values_wei", self.values_wei, rows, 32)
        else:
            _column("values_wei", self.values_wei, rows)
        for name in ("max_priority_fees_wei", "max_fees_wei", "gas_limits"):
            value = getattr(self, name)
            if isinstance(value, int):
                if not 0 <= value < 1 << 64:
                    raise ValueError(f"{name}: must be from 0 to 2**64 - 1 (got {value})")
            else:
                _column(name, value, rows)

    def __len__(self) -> int:
        return len(self.nonces)


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Byte strings of many lengths, end to end: row i is `data[offsets[i]:offsets[i + 1]]`.

    `data` is uint8, `offsets` int64 of shape (n + 1,).
    """

    data: Bytes
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        """Return one row; IndexError past the end, as lists have it."""
        if not 0 <= row < len(self):
            raise IndexError(f"row: must be from 0 to {len(self) - 1} (got {row})")
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def keccak256(self) -> Bytes:
        """Return the Keccak-256 of every row, uint8 of shape (n, 32); rows of one length are hashed together."""
        lengths = np.diff(self.offsets)
        digests = np.empty((len(self), 32), np.uint8)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            windows = np.lib.stride_tricks.sliding_window_view(self.data, int(length))
            for start in range(0, len(same), _HASH_ROWS):
                rows = same[start : start + _HASH_ROWS]
                digests[rows] = keccak256_batch(windows[self.offsets[rows]])
        return digests


def signing_payloads(transfers: Transfers) -> EncodedBatch:
    """Return what each sender hashes and signs; row by row `FeeMarketTransaction.signing_payload`."""
    return _encode(transfers, None)


def signing_digests(transfers: Transfers) -> Bytes:
    """Return the 32 bytes that each sender signs, uint8 of shape (n, 32).

    >>> two = Transfers(1, np.array([0, 1], np.uint64), np.zeros((2, 20), np.uint8), np.array([5, 6], np.uint64), 1, 2)
    >>> signing_digests(two).shape
    (2, 32)
    """
    return signing_payloads(transfers).keccak256()


def encode_transfers(transfers: Transfers, signatures: Bytes) -> EncodedBatch:
    """Return the signed transactions; row by row `FeeMarketTransaction.signed_bytes`.

    `signatures` is uint8 of shape (n, 65): r, s, recovery id 0 or 1; ValueError otherwise. The rows' Keccak-256 are
    the transaction hashes.
    """
    _check_rows("signatures", signatures, len(transfers), 65)
    highest = int(signatures[:, 64].max(initial=0))
    if highest > 1:
        raise ValueError(f"signatures: their recovery ids must be 0 or 1 (got {highest})")
    if len(transfers) <= _FEW_ROWS:
        return _encode_few(transfers, signatures)
    return _encode(transfers, signatures)


def _encode_few(transfers: Transfers, signatures: Bytes) -> EncodedBatch:
    """One transaction at a time: for a handful the matrix costs more than it saves."""

    def at(column: Words | int, row: int) -> int:
        return column if isinstance(column, int) else int(column[row])

    rows = []
    for row in range(len(transfers)):
        value = transfers.values_wei[row]
        transaction = FeeMarketTransaction(
            chain_id=transfers.chain_id,
            nonce=int(transfers.nonces[row]),
            to=transfers.to[row].tobytes(),
            value_wei=int(value) if transfers.values_wei.ndim == 1 else int.from_bytes(value.tobytes(), "big"),
            max_priority_fee_wei=at(transfers.max_priority_fees_wei, row),
            max_fee_wei=at(transfers.max_fees_wei, row),
            gas_limit=at(transfers.gas_limits, row),
        )
        rows.append(transaction.signed_bytes(signatures[row].tobytes()))
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(raw) for raw in rows], out=offsets[1:])
    return EncodedBatch(np.frombuffer(b"".join(rows), np.uint8), offsets)


def _encode(transfers: Transfers, signatures: Bytes | None) -> EncodedBatch:
    n = len(transfers)
    offsets = np.zeros(n + 1, np.int64)
    pieces = []
    for start in range(0, n, _CHUNK_ROWS):
        chunk = slice(start, min(start + _CHUNK_ROWS, n))
        rows = _layout(transfers, signatures, chunk)
        offsets[chunk.start + 1 : chunk.stop + 1] = rows.lengths
        pieces.append(rows.slots[rows.used])
    data = np.concatenate(pieces) if pieces else np.empty(0, np.uint8)
    return EncodedBatch(data, np.cumsum(offsets))


class _Block(NamedTuple):
    """Slots for one field or for whole rows, which of them each row uses, and how many that is; one row fits all."""

    slots: Bytes
    used: NDArray[np.bool_]
    lengths: NDArray[np.int64]


def _layout(transfers: Transfers, signatures: Bytes | None, chunk: slice) -> _Block:
    """The matrix of one chunk: the type, up to two bytes of list prefix, then the fields."""
    rows = chunk.stop - chunk.start
    fields = list(_fields(transfers, signatures, chunk, rows))
    width = 3 + sum([field.slots.shape[1] for field in fields])
    slots, used = np.empty((rows, width), np.uint8), np.empty((rows, width), np.bool_)
    lengths = np.zeros(rows, np.int64)
    position = 3
    for field in fields:
        end = position + field.slots.shape[1]
        slots[:, position:end], used[:, position:end] = field.slots, field.used
        lengths += field.lengths
        position = end
    long = lengths > _SHORT  # every row stays below 256 bytes, so one byte of length is enough
    slots[:, 0], used[:, 0] = TYPE[0], True
    slots[:, 1], used[:, 1] = _EMPTY_LIST + _SHORT + 1, long
    slots[:, 2], used[:, 2] = np.where(long, lengths, _EMPTY_LIST + lengths), True
    return _Block(slots, used, lengths + 2 + long)


def _fields(transfers: Transfers, signatures: Bytes | None, chunk: slice, rows: int) -> Iterator[_Block]:
    """The encoded fields in order."""

    def number(column: Words | Bytes | int) -> _Block:
        return _numbers(np.array([column], np.uint64) if isinstance(column, int) else column[chunk])

    yield number(transfers.chain_id)
    yield number(transfers.nonces)
    yield number(transfers.max_priority_fees_wei)
    yield number(transfers.max_fees_wei)
    yield number(transfers.gas_limits)
    address = np.empty((rows, 1 + ADDRESS_BYTES), np.uint8)
    address[:, 0], address[:, 1:] = _EMPTY_STRING + ADDRESS_BYTES, transfers.to[chunk]
    yield _whole(address)
    yield number(transfers.values_wei)
    yield _whole(np.array([[_EMPTY_STRING, _EMPTY_LIST]], np.uint8))  # no data, no access list
    if signatures is not None:
        part = signatures[chunk]
        yield _whole(np.where(part[:, 64:] == 0, np.uint8(_EMPTY_STRING), part[:, 64:]))
        yield _numbers(part[:, :32])
        yield _numbers(part[:, 32:64])


def _whole(slots: Bytes) -> _Block:
    """A field whose every slot is used."""
    return _Block(slots, np.ones((1, slots.shape[1]), np.bool_), np.array([slots.shape[1]], np.int64))


def _numbers(column: Words | Bytes) -> _Block:
    """Numbers, uint64 (n,) or big-endian uint8 (n, width), without their leading zeros."""
    if column.dtype == np.uint64:
        digits = column.astype(">u8").view(np.uint8).reshape(-1, 8)
        significant = column[:, None] >= _PLACES[::-1]
        lengths = np.searchsorted(_PLACES, column, side="right")
    else:
        digits = column.astype(np.uint8, copy=False)
        significant = np.ones(digits.shape, np.bool_)
        lengths = np.full(len(digits), digits.shape[1], np.int64)
        short = np.flatnonzero(digits[:, 0] == 0)  # one in 256 of signature halves
        significant[short] = np.logical_or.accumulate(digits[short] != 0, axis=1)
        lengths[short] = np.count_nonzero(significant[short], axis=1)
    n, width = digits.shape
    slots, used = np.empty((n, 1 + width), np.uint8), np.empty((n, 1 + width), np.bool_)
    # A number from 1 to 127 stands for itself; zero is the empty string.
    prefixed = (lengths != 1) | (digits[:, -1] >= _EMPTY_STRING)
    slots[:, 0], slots[:, 1:] = _EMPTY_STRING + lengths, digits
    used[:, 0], used[:, 1:] = prefixed, significant
    return _Block(slots, used, lengths + prefixed)


def _column(name: str, column: NDArray[np.generic], rows: int | None = None) -> NDArray[np.generic]:
    if column.dtype != np.uint64:
        raise TypeError(f"{name}: must be of type uint64 (got {column.dtype})")
    if column.ndim != 1 or (rows is not None and len(column) != rows):
        raise ValueError(f"{name}: must have shape ({'n' if rows is None else rows},) (got {column.shape})")
    return column


def _check_rows(name: str, array: NDArray[np.generic], rows: int, width: int) -> None:
    if array.dtype != np.uint8:
        raise TypeError(f"{name}: must be of type uint8 (got {array.dtype})")
    if array.shape != (rows, width):
        raise ValueError(f"{name}: must have shape ({rows}, {width}) (got {array.shape})")
