"""Plain transfers by the hundred thousand: the same bytes as `transactions`, written by one compiled loop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.ethereum.transactions import ADDRESS_BYTES, TRANSFER_GAS, FeeMarketTransaction
from l2sim.crypto.hashing import keccak256_batch
from l2sim.crypto.kernels import chosen_kernel

__all__ = ["EncodedBatch", "Transfers", "encode_transfers", "signing_digests", "signing_payloads"]

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

_FEW_ROWS = 6  # up to this many, rows are encoded one by one
_HASH_ROWS = 65536  # rows gathered at a time for hashing


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
        for length in np.flatnonzero(np.bincount(lengths)):
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
    return _encode(transfers, signatures)


def _encode(transfers: Transfers, signatures: Bytes | None) -> EncodedBatch:
    """The rows as they are signed, or to be signed where there are no signatures."""
    n = len(transfers)
    if n <= _FEW_ROWS or chosen_kernel(None) == "reference":
        return _one_by_one(transfers, signatures)
    from l2sim.crypto.ethereum.transfer_kernel import MOST_ROW_BYTES, encode_rows

    out, offsets = np.empty(n * MOST_ROW_BYTES, np.uint8), np.zeros(n + 1, np.int64)
    wide = transfers.values_wei.dtype == np.uint8
    none = np.empty((0, 0), np.uint8)
    encode_rows(
        _words(transfers.chain_id),
        _words(transfers.nonces),
        _words(transfers.max_priority_fees_wei),
        _words(transfers.max_fees_wei),
        _words(transfers.gas_limits),
        np.ascontiguousarray(transfers.to),
        _words(0 if wide else transfers.values_wei),
        np.ascontiguousarray(transfers.values_wei) if wide else none,
        none if signatures is None else np.ascontiguousarray(signatures),
        out,
        offsets,
    )
    return EncodedBatch(out[: offsets[-1]].copy(), offsets)


def _words(column: Words | Bytes | int) -> Words:
    """A column for the kernel; one entry where one number holds for all rows."""
    return np.ascontiguousarray(np.array([column], np.uint64) if isinstance(column, int) else column)


def _one_by_one(transfers: Transfers, signatures: Bytes | None) -> EncodedBatch:
    """The readable twin of the kernel, and the faster for a handful of rows."""

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
        if signatures is None:
            rows.append(transaction.signing_payload())
        else:
            rows.append(transaction.signed_bytes(signatures[row].tobytes()))
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(raw) for raw in rows], out=offsets[1:])
    return EncodedBatch(np.frombuffer(b"".join(rows), np.uint8), offsets)


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
