"""State differences as zkSync Era posts them: which slots a batch changed, each in as few bytes as may be.

    pubdata  = count[4] || log[88] ...  ||  count[4] || (length[4] || message) ...  ||  count[4] = 0 (no contracts)
               || diffs ...
    diffs    = version[1] = 1 || length[3] || index_bytes[1] = 4 || first_writes[2]
               || (key[32] || value) ... || (index[4] || value) ...
    value    = length << 3 | operation [1] || digits        add, subtract, or replace, whichever is the shortest;
               0x00 || value[32]                            where none of them is shorter

A slot is named by its key when it is first written and by the number that it then gets ever after. An account has two
slots, balance and nonce. A batch with more first writes than 16 bits count has several `diffs`. Sources:
matter-labs/zksync-era 3e29e4a0, docs/src/specs/data_availability/compression.md and pubdata.md.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.kernels import Words, join

VERSION: Final = 1
INDEX_BYTES: Final = 4
KEY_BYTES: Final = 32
VALUE_BYTES: Final = 32
LOG_BYTES: Final = 88
MESSAGE_BYTES: Final = 56
"""Of a withdrawal: selector, receiver, amount."""
WITHDRAW_SELECTOR: Final = bytes.fromhex("6c0960f9")
"""First bytes of keccak256("finalizeEthWithdrawal(uint256,uint256,uint16,bytes,bytes32[])")."""
MOST_FIRST_WRITES: Final = 2**16 - 1

PLAIN, ADD, SUBTRACT, REPLACE = 0, 1, 2, 3
WHOLE: Final = 1 << 8 * VALUE_BYTES

Withdrawals = Sequence[tuple[int, int]]
Slots = list[tuple[int, int, int]]
"""Number of the slot, value before and value after."""


def slot_key(slot: int) -> bytes:
    """The key of a slot: Blake2s of its account, here its number in the place of an address, and which slot it is."""
    account, which = divmod(slot, 2)
    return hashlib.blake2s(account.to_bytes(32, "big") + which.to_bytes(32, "big")).digest()


def pack_value(old: int, new: int) -> bytes:
    """A slot's new value in the shortest form, given its old one; both below 2**256.

    >>> pack_value(7, 8).hex(), pack_value(2**60, 0).hex(), pack_value(0, 0x1234).hex()
    ('0901', '03', '111234')
    """
    best = min(
        ((_size(number), operation, number) for operation, number in (
            (ADD, (new - old) % WHOLE), (SUBTRACT, (old - new) % WHOLE), (REPLACE, new)
        )),
    )  # fmt: skip
    size, operation, number = best
    if size >= VALUE_BYTES:
        return bytes([PLAIN]) + new.to_bytes(VALUE_BYTES, "big")
    return bytes([size << 3 | operation]) + number.to_bytes(size, "big")


def unpack_value(data: bytes, place: int, old: int) -> tuple[int, int]:
    """The new value at `place`, given the old one, and where it ends; raises ValueError for what is no value."""
    if place >= len(data):
        raise ValueError(f"byte {place} must begin a value")
    size, operation = divmod(data[place], 8)
    size = VALUE_BYTES if operation == PLAIN and size == 0 else size
    end = place + 1 + size
    if operation > REPLACE or size > VALUE_BYTES or end > len(data) or (operation == PLAIN and data[place]):
        raise ValueError(f"byte {place} must begin a value (got {data[place]:02x} and {len(data) - place - 1} bytes)")
    number = int.from_bytes(data[place + 1 : end], "big")
    if operation == ADD:
        number = (old + number) % WHOLE
    elif operation == SUBTRACT:
        number = (old - number) % WHOLE
    return number, end


def _size(number: int) -> int:
    return (number.bit_length() + 7) // 8


@dataclass(slots=True)
class PostedState:
    """What is on L1 already: the value of each slot, and the number that it got when it was first written."""

    low: Words
    high: Words
    nonces: Words
    indices: npt.NDArray[np.int64]
    """By slot, two an account: balance, then nonce; 0 if it was never written."""
    written: int = 0

    @classmethod
    def empty(cls, accounts: int) -> "PostedState":
        """Nothing posted yet."""
        low, high, nonces = (np.zeros(accounts, np.uint64) for _ in range(3))
        return cls(low, high, nonces, np.zeros(2 * accounts, np.int64))

    def changes(self, delta: StateDelta) -> Slots:
        """The slots that `delta` changes, by number."""
        accounts = delta.accounts
        old_low, old_high, old_nonces = self.low[accounts], self.high[accounts], self.nonces[accounts]
        paid = np.flatnonzero((old_low != delta.low) | (old_high != delta.high))
        sent = np.flatnonzero(old_nonces != delta.nonces)
        slots = [
            (2 * int(accounts[k]), join(old_low[k], old_high[k]), join(delta.low[k], delta.high[k]))
            for k in paid.tolist()
        ]
        slots += [(2 * int(accounts[k]) + 1, int(old_nonces[k]), int(delta.nonces[k])) for k in sent.tolist()]
        return sorted(slots)

    def post(self, delta: StateDelta) -> None:
        """Take `delta` for posted."""
        for slot, _, _ in self.changes(delta):
            if not self.indices[slot]:
                self.written += 1
                self.indices[slot] = self.written
        self.low[delta.accounts] = delta.low
        self.high[delta.accounts] = delta.high
        self.nonces[delta.accounts] = delta.nonces


def encode_diffs(state: PostedState, delta: StateDelta, withdrawals: Withdrawals = ()) -> bytes:
    """The pubdata of a batch on top of `state`, which is left as it is."""
    slots = state.changes(delta)
    known = [slot for slot in slots if state.indices[slot[0]]]
    fresh = [slot for slot in slots if not state.indices[slot[0]]]
    parts = [_withdrawals(withdrawals)]
    repeated = b"".join(
        int(state.indices[slot]).to_bytes(INDEX_BYTES, "big") + pack_value(old, new) for slot, old, new in known
    )
    for start in range(0, max(1, len(fresh)), MOST_FIRST_WRITES):
        first = fresh[start : start + MOST_FIRST_WRITES]
        body = b"".join(slot_key(slot) + pack_value(old, new) for slot, old, new in first)
        parts.append(_section(len(first), body + (repeated if start == 0 else b"")))
    return b"".join(parts)


def _section(first_writes: int, body: bytes) -> bytes:
    head = bytes([VERSION]) + len(body).to_bytes(3, "big") + bytes([INDEX_BYTES])
    return head + first_writes.to_bytes(2, "big") + body


def _withdrawals(withdrawals: Withdrawals) -> bytes:
    logs, messages = [], []
    for number, (user, amount_wei) in enumerate(withdrawals):
        message = WITHDRAW_SELECTOR + user.to_bytes(20, "big") + amount_wei.to_bytes(32, "big")
        digest = hashlib.sha256(message).digest()
        sender = (0x800A).to_bytes(20, "big")
        logs.append(bytes([0, 1]) + (number & 0xFFFF).to_bytes(2, "big") + sender + user.to_bytes(32, "big") + digest)
        messages.append(len(message).to_bytes(4, "big") + message)
    count = len(withdrawals).to_bytes(4, "big")
    return count + b"".join(logs) + count + b"".join(messages) + bytes(4)


@dataclass(slots=True)
class Follower:
    """Whoever reads the batches on L1 and knows the state from them alone."""

    keys: list[bytes] = field(default_factory=list)
    """Keys of the slots in the order in which they were first written."""
    values: dict[bytes, int] = field(default_factory=dict)

    def read(self, pubdata: bytes) -> list[tuple[int, int]]:
        """Apply a batch and return its withdrawals; raises ValueError where it is not of the form above."""
        withdrawals, place = _read_withdrawals(pubdata)
        fresh: list[bytes] = []
        while place < len(pubdata):
            if pubdata[place] != VERSION or len(pubdata) < place + 7 or pubdata[place + 4] != INDEX_BYTES:
                raise ValueError(f"byte {place} must begin state differences of version {VERSION}")
            end = place + 7 + int.from_bytes(pubdata[place + 1 : place + 4], "big")
            if end > len(pubdata):
                raise ValueError(f"the state differences at byte {place} must end by byte {len(pubdata)} (got {end})")
            first_writes = int.from_bytes(pubdata[place + 5 : place + 7], "big")
            place += 7
            for _ in range(first_writes):
                key = pubdata[place : place + KEY_BYTES]
                self.values[key], place = unpack_value(pubdata[:end], place + KEY_BYTES, 0)
                fresh.append(key)
            while place < end:
                index = int.from_bytes(pubdata[place : place + INDEX_BYTES], "big")
                if not 1 <= index <= len(self.keys):
                    raise ValueError(f"byte {place} must be the number of a slot up to {len(self.keys)} (got {index})")
                key = self.keys[index - 1]
                self.values[key], place = unpack_value(pubdata[:end], place + INDEX_BYTES, self.values[key])
        self.keys += fresh
        return withdrawals


def _read_withdrawals(pubdata: bytes) -> tuple[list[tuple[int, int]], int]:
    logs = int.from_bytes(pubdata[:4], "big")
    place = 4 + LOG_BYTES * logs
    messages = int.from_bytes(pubdata[place : place + 4], "big")
    if messages != logs:
        raise ValueError(f"a batch must have a message for each of its {logs} logs (got {messages})")
    place += 4
    withdrawals = []
    for _ in range(messages):
        length = int.from_bytes(pubdata[place : place + 4], "big")
        message = pubdata[place + 4 : place + 4 + length]
        if length != MESSAGE_BYTES or len(message) != length:
            raise ValueError(f"byte {place} must begin a message of {MESSAGE_BYTES} bytes")
        withdrawals.append((int.from_bytes(message[4:24], "big"), int.from_bytes(message[24:], "big")))
        place += 4 + length
    if pubdata[place : place + 4] != bytes(4):
        raise ValueError(f"byte {place} must say that no contracts are made")
    return withdrawals, place + 4
