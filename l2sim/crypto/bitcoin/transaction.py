"""Transactions: fields, bytes, ids and weight (BIP 141, BIP 144)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from struct import pack

__all__ = [
    "MAX_MONEY_SAT",
    "SEQUENCE_FINAL",
    "SEQUENCE_RBF",
    "OutPoint",
    "Transaction",
    "TxInput",
    "TxOutput",
    "compact_size",
    "display_id",
    "txid_from_display",
]

SEQUENCE_FINAL = 0xFFFFFFFF
SEQUENCE_RBF = 0xFFFFFFFD  # replaceable, locktime in force, no relative locktime (BIP 125, BIP 68)
MAX_MONEY_SAT = 21_000_000 * 100_000_000  # Bitcoin Core consensus/amount.h
WITNESS_SCALE = 4  # weight units of one byte outside the witness (BIP 141)
_SEGWIT_MARKER = b"\x00\x01"  # marker and flag (BIP 144)


def compact_size(value: int) -> bytes:
    """Return Bitcoin's variable-length form of a count, 1 to 9 bytes (BIP 144).

    >>> compact_size(252).hex(), compact_size(253).hex()
    ('fc', 'fdfd00')
    """
    if value < 0xFD:
        return value.to_bytes(1, "little")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "little")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "little")
    return b"\xff" + value.to_bytes(8, "little")


def display_id(txid: bytes) -> str:
    """Return the hex by which people know a transaction: its id with the bytes reversed."""
    return txid[::-1].hex()


def txid_from_display(text: str) -> bytes:
    """Return the 32 bytes of an id given as people write it; raise ValueError for anything but 64 hex digits."""
    txid = bytes.fromhex(text)[::-1]
    if len(txid) != 32:
        raise ValueError(f"txid: must be 64 hex digits (got {text!r})")
    return txid


@dataclass(frozen=True, slots=True)
class OutPoint:
    """One output of an earlier transaction: its id (32 bytes, hashing order) and its place among the outputs.

    Raises ValueError for an id of another length or a place that does not fit in 32 bits.
    """

    txid: bytes
    vout: int

    def __post_init__(self) -> None:
        if len(self.txid) != 32 or not 0 <= self.vout <= 0xFFFFFFFF:
            raise ValueError(f"outpoint: must be 32 bytes and a 32-bit place (got {self.txid.hex()} and {self.vout})")

    def serialize(self) -> bytes:
        """Return the 36 bytes by which an input names it."""
        return self.txid + self.vout.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class TxInput:
    """An input: what it spends, its sequence number, and what unlocks it."""

    outpoint: OutPoint
    sequence: int = SEQUENCE_FINAL
    script_sig: bytes = b""
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOutput:
    """An output: an amount and the script that locks it.

    Raises ValueError for a negative amount or more than all money.
    """

    value_sat: int
    script: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.value_sat <= MAX_MONEY_SAT:
            raise ValueError(f"value_sat: must be from 0 to {MAX_MONEY_SAT} (got {self.value_sat})")

    def serialize(self) -> bytes:
        """Return its bytes: 8 of value, the length of the script, the script."""
        return self.value_sat.to_bytes(8, "little") + compact_size(len(self.script)) + self.script


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction; a value that never changes, so that its id can be trusted.

    >>> coin = OutPoint(bytes(32), 0)
    >>> payment = Transaction((TxInput(coin),), (TxOutput(1000, bytes.fromhex("51024e73")),))
    >>> payment.weight_wu, Transaction.parse(payment.serialize()) == payment
    (256, True)
    """

    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    version: int = 2
    locktime: int = 0

    def serialize_stripped(self) -> bytes:
        """Return the bytes without witness, those that the txid commits to."""
        inputs, outputs = self.inputs, self.outputs
        parts = [pack("<I", self.version), compact_size(len(inputs))]
        for txin in inputs:
            script, point = txin.script_sig, txin.outpoint
            length = compact_size(len(script))
            parts += (point.txid, pack("<I", point.vout), length, script, pack("<I", txin.sequence))
        parts.append(compact_size(len(outputs)))
        for out in outputs:
            parts += (pack("<Q", out.value_sat), compact_size(len(out.script)), out.script)
        parts.append(pack("<I", self.locktime))
        return b"".join(parts)

    def serialize(self) -> bytes:
        """Return the bytes as nodes relay them: with marker, flag and witness where any input has one."""
        stripped = self.serialize_stripped()
        if not self.has_witness:
            return stripped
        return b"".join((stripped[:4], _SEGWIT_MARKER, stripped[4:-4], self._serialize_witness(), stripped[-4:]))

    def _serialize_witness(self) -> bytes:
        parts = []
        for txin in self.inputs:
            parts.append(compact_size(len(txin.witness)))
            for item in txin.witness:
                parts += (compact_size(len(item)), item)
        return b"".join(parts)

    @property
    def has_witness(self) -> bool:
        """Whether any input carries a witness."""
        return any(txin.witness for txin in self.inputs)

    @property
    def txid(self) -> bytes:
        """Double SHA-256 of the stripped bytes, in hashing order; `display_id` gives the usual hex."""
        return sha256(sha256(self.serialize_stripped()).digest()).digest()

    @property
    def wtxid(self) -> bytes:
        """Double SHA-256 of the whole bytes, witness included (BIP 141)."""
        return sha256(sha256(self.serialize()).digest()).digest()

    @property
    def weight_wu(self) -> int:
        """Three times the stripped size plus the whole size, in weight units (BIP 141)."""
        stripped = len(self.serialize_stripped())
        if not self.has_witness:
            return WITNESS_SCALE * stripped
        return WITNESS_SCALE * stripped + len(_SEGWIT_MARKER) + len(self._serialize_witness())

    @property
    def vsize_vbyte(self) -> int:
        """Weight over four, rounded up (BIP 141)."""
        return -(-self.weight_wu // WITNESS_SCALE)

    def outpoint(self, vout: int) -> OutPoint:
        """Return the name of output `vout`; raise ValueError where there is none."""
        if not 0 <= vout < len(self.outputs):
            raise ValueError(f"vout: must be from 0 to {len(self.outputs) - 1} (got {vout})")
        return OutPoint(self.txid, vout)

    def with_witnesses(self, witnesses: Sequence[tuple[bytes, ...]]) -> "Transaction":
        """Return the same transaction with these witnesses, one an input; raise ValueError for another number."""
        if len(witnesses) != len(self.inputs):
            raise ValueError(f"witnesses: must be one an input, {len(self.inputs)} (got {len(witnesses)})")
        pairs = zip(self.inputs, witnesses, strict=True)
        return replace(self, inputs=tuple(replace(txin, witness=tuple(witness)) for txin, witness in pairs))

    @classmethod
    def parse(cls, data: bytes) -> "Transaction":
        """Read one transaction from exactly these bytes.

        Raises ValueError where they end early or late, a count is not in its shortest form, the witness is
        marked but empty, or an output holds more than all money.
        """
        reader = _Reader(data)
        version = reader.integer(4)
        marked = data[4:6] == _SEGWIT_MARKER
        if marked:
            reader.take(2)
        inputs = []
        for _ in range(reader.count()):
            outpoint = OutPoint(reader.take(32), reader.integer(4))
            script_sig = reader.take(reader.count())
            inputs.append(TxInput(outpoint, reader.integer(4), script_sig))
        outputs = []
        for _ in range(reader.count()):
            value_sat = reader.integer(8)
            outputs.append(TxOutput(value_sat, reader.take(reader.count())))
        if marked:
            inputs = [replace(txin, witness=reader.items()) for txin in inputs]
            if not any(txin.witness for txin in inputs):
                raise ValueError("transaction: a marked witness must hold at least one item (BIP 144)")
        locktime = reader.integer(4)
        if reader.position != len(data):
            raise ValueError(f"transaction: must end after {reader.position} bytes (got {len(data)})")
        return cls(tuple(inputs), tuple(outputs), version, locktime)


class _Reader:
    """A place in a byte string that moves as fields are read."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            raise ValueError(f"transaction: needs {end} bytes or more (got {len(self.data)})")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def integer(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def count(self) -> int:
        first = self.integer(1)
        if first < 0xFD:
            return first
        length = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        value = self.integer(length)
        if len(compact_size(value)) != 1 + length:
            raise ValueError(f"transaction: a count must be in its shortest form (got {value} in {length} bytes)")
        return value

    def items(self) -> tuple[bytes, ...]:
        return tuple(self.take(self.count()) for _ in range(self.count()))
