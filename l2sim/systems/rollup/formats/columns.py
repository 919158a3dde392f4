"""Signed transactions taken apart into columns: one compiled pass over their bytes, and the same in plain Python.

Only type-2 transactions (EIP-1559) with an empty access list are read, which is all that this model's wallets sign.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.ethereum.transactions import TYPE, parse_signed
from l2sim.crypto.ethereum.transfers import EncodedBatch

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

FIELDS = 12
"""Of a signed type-2 transaction: chain id, nonce, two fees, gas, to, value, data, access list, parity, r, s."""
ADDRESS_BYTES = 20
NO_ACCESS_LIST = 0xC0


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields of n signed transactions; `bodies` are those that stay in RLP, end to end, as span batches have it."""

    parities: Bytes
    signatures: Bytes
    """r and s, (n, 64)."""
    creates: npt.NDArray[np.bool_]
    """Which have no receiver, because they make a contract."""
    to: Bytes
    """Receivers of the others, (m, 20)."""
    nonces: Words
    gas_limits: Words
    bodies: Bytes
    """For each, 0x02 and the list of value, priority fee, fee cap, data and access list."""

    def __len__(self) -> int:
        return len(self.parities)


def split_columns(batch: EncodedBatch) -> Columns:
    """The columns of these transactions; raises ValueError for a row that is not of the form read here."""
    n = len(batch)
    parities, signatures = np.zeros(n, np.uint8), np.zeros((n, 64), np.uint8)
    creates, to = np.zeros(n, np.bool_), np.zeros((n, ADDRESS_BYTES), np.uint8)
    nonces, gas_limits = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    bodies = np.zeros(len(batch.data) + 1, np.uint8)
    size = _split(
        batch.data, batch.offsets, parities, signatures, creates, to, nonces, gas_limits, bodies
    )  # fmt: skip
    if size < 0:
        raise ValueError(f"transaction {-1 - size} must be of type 2 with an empty access list")
    return Columns(parities, signatures, creates, to[~creates], nonces, gas_limits, bodies[:size])


@njit(cache=True)
def _split(
    data: Bytes,
    offsets: npt.NDArray[np.int64],
    parities: Bytes,
    signatures: Bytes,
    creates: npt.NDArray[np.bool_],
    to: Bytes,
    nonces: Words,
    gas_limits: Words,
    bodies: Bytes,
) -> int:
    """Fill the columns; return the size of `bodies`, or -1 minus the first row that is of another form."""
    size = 0
    starts, ends = np.zeros(12, np.int64), np.zeros(12, np.int64)
    heads = np.zeros(12, np.int64)
    for row in range(len(offsets) - 1):
        place, stop = offsets[row], offsets[row + 1]
        if stop - place < 3 or data[place] != 2 or data[place + 1] < 0xC0:
            return -1 - row
        place += 2 if data[place + 1] <= 0xF7 else 2 + np.int64(data[place + 1]) - 0xF7
        for field in range(12):
            if place >= stop:
                return -1 - row
            first = np.int64(data[place])
            heads[field] = place
            if first < 0x80:
                starts[field], ends[field] = place, place + 1
            elif first <= 0xB7:
                starts[field], ends[field] = place + 1, place + 1 + first - 0x80
            elif first <= 0xBF:
                long = 0
                for digit in range(first - 0xB7):
                    long = long << 8 | int(data[place + 1 + digit])
                starts[field] = place + 1 + first - 0xB7
                ends[field] = starts[field] + long
            elif field == 8 and first == 0xC0:
                starts[field], ends[field] = place + 1, place + 1
            else:
                return -1 - row
            place = ends[field]
        receiver = ends[5] - starts[5]
        parity_bytes = ends[9] - starts[9]
        if place != stop or (receiver != 20 and receiver != 0) or data[heads[8]] != 0xC0:
            return -1 - row
        if ends[10] - starts[10] > 32 or ends[11] - starts[11] > 32 or parity_bytes > 1:
            return -1 - row
        for k in range(starts[1], ends[1]):
            nonces[row] = nonces[row] << np.uint64(8) | np.uint64(data[k])
        for k in range(starts[4], ends[4]):
            gas_limits[row] = gas_limits[row] << np.uint64(8) | np.uint64(data[k])
        creates[row] = receiver == 0
        for k in range(receiver):
            to[row, k] = data[starts[5] + k]
        parities[row] = data[starts[9]] if parity_bytes else 0
        for k in range(ends[10] - starts[10]):
            signatures[row, 32 - (ends[10] - starts[10]) + k] = data[starts[10] + k]
        for k in range(ends[11] - starts[11]):
            signatures[row, 64 - (ends[11] - starts[11]) + k] = data[starts[11] + k]
        # 0x02 and the list of the five fields: value; priority fee and fee cap; data and access list.
        length = (ends[6] - heads[6]) + (ends[3] - heads[2]) + (ends[8] - heads[7])
        bodies[size] = 2
        size += 1
        if length <= 55:
            bodies[size] = 0xC0 + length
            size += 1
        else:
            digits = 0
            while length >> 8 * digits:
                digits += 1
            bodies[size] = 0xF7 + digits
            for digit in range(digits):
                bodies[size + 1 + digit] = length >> 8 * (digits - 1 - digit) & 0xFF
            size += 1 + digits
        for first_field, last_field in ((6, 6), (2, 3), (7, 8)):
            for k in range(heads[first_field], ends[last_field]):
                bodies[size] = data[k]
                size += 1
    return size


def split_columns_plain(batch: EncodedBatch) -> Columns:
    """`split_columns` transaction by transaction, to be read."""
    rows = [parse_signed(batch[row]) for row in range(len(batch))]
    bodies = b"".join(
        TYPE + rlp.encode([tx.value_wei, tx.max_priority_fee_wei, tx.max_fee_wei, tx.data, []]) for tx, _ in rows
    )
    return Columns(
        parities=np.array([signature[64] for _, signature in rows], np.uint8),
        signatures=np.frombuffer(b"".join(signature[:64] for _, signature in rows), np.uint8).reshape(-1, 64),
        creates=np.array([not tx.to for tx, _ in rows], np.bool_),
        to=np.frombuffer(b"".join(tx.to for tx, _ in rows), np.uint8).reshape(-1, ADDRESS_BYTES),
        nonces=np.array([tx.nonce for tx, _ in rows], np.uint64),
        gas_limits=np.array([tx.gas_limit for tx, _ in rows], np.uint64),
        bodies=np.frombuffer(bodies, np.uint8),
    )
