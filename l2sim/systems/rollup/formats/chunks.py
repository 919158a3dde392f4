"""Operations of a payments-only validity rollup in chunks of 10 bytes, as zkSync Lite posts them.

A transfer takes two chunks, 20 bytes; every operation is filled up to whole chunks with zeros. Amounts are packed into
5 bytes, fees into 2: a mantissa of 35 (11) bits and a power of ten of 5 bits, so users can only pay amounts of that
form. Source: matter-labs/zksync 97dea592, docs/protocol.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.rollup.kernels import Words, join, split

CHUNK_BYTES: Final = 10
EXPONENT_BITS: Final = 5
AMOUNT_MANTISSA_BITS: Final = 35
FEE_MANTISSA_BITS: Final = 11
TOKEN: Final = 0
"""Ether."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation is called, its number, its bytes before filling up, and its chunks."""

    name: str
    code: int
    significant: int
    chunks: int
    commit_gas: int | None = None
    """L1 gas of committing to it (core/lib/types/src/gas_counter.rs); None where the source has no figure."""


OPERATIONS: Final = (
    Operation("noop", 0, 1, 1),
    Operation("deposit", 1, 45, 6, 7_700),
    Operation("transfer_to_new", 2, 40, 6, 940),
    Operation("withdraw", 3, 47, 6, 3_900),
    Operation("transfer", 5, 20, 2, 300),
    Operation("full_exit", 6, 85, 11, 10_000),
    Operation("change_pubkey", 7, 49, 6),
    Operation("forced_exit", 8, 51, 6, 3_900),
    Operation("mint_nft", 9, 47, 5, 920),
    Operation("withdraw_nft", 10, 95, 10, 5_150),
    Operation("swap", 11, 46, 5, 710),
)
"""All of them; the first five are made here."""
NAMED: Final = {operation.name: operation for operation in OPERATIONS}
COMMIT_BASE_GAS: Final = 51_000
VERIFY_BASE_GAS: Final = 10_000


def pack(value: int, mantissa_bits: int) -> int:
    """A number as mantissa and power of ten, 5 bits; raises ValueError where it has more digits than that.

    >>> pack(2_140_000_000_000_000_000_000, AMOUNT_MANTISSA_BITS) & 31, pack(5, FEE_MANTISSA_BITS)
    (11, 160)
    """
    mantissa, exponent = value, 0
    while mantissa >= 1 << mantissa_bits:
        mantissa, rest = divmod(mantissa, 10)
        exponent += 1
        if rest or exponent >= 1 << EXPONENT_BITS:
            raise ValueError(f"value must have a mantissa of at most {mantissa_bits} bits (got {value})")
    return mantissa << EXPONENT_BITS | exponent


def unpack(packed: int) -> int:
    """The number that mantissa and power of ten stand for."""
    value: int = (packed >> EXPONENT_BITS) * 10 ** (packed & (1 << EXPONENT_BITS) - 1)
    return value


def packable(value: int, mantissa_bits: int, *, up: bool = False) -> int:
    """The nearest number that can be packed, at most `value`, or at least with `up`.

    >>> packable(204_799, FEE_MANTISSA_BITS), packable(204_799, FEE_MANTISSA_BITS, up=True)
    (204700, 205000)
    """
    scale = 1
    while (-(-value // scale) if up else value // scale) >= 1 << mantissa_bits:
        scale *= 10
    return (-(-value // scale) if up else value // scale) * scale


def packable_amounts(low: Words, high: Words) -> tuple[Words, Words]:
    """`packable` of many amounts, rounded down."""
    if high.any():
        words = [split(packable(join(a, b), AMOUNT_MANTISSA_BITS)) for a, b in zip(low, high, strict=True)]
        return np.array([a for a, _ in words], np.uint64), np.array([b for _, b in words], np.uint64)
    mantissas, scale = low.copy(), np.ones(len(low), np.uint64)
    while (long := mantissas >= np.uint64(1 << AMOUNT_MANTISSA_BITS)).any():
        mantissas[long] //= np.uint64(10)
        scale[long] *= np.uint64(10)
    return mantissas * scale, high


def _packed_amounts(low: Words, high: Words) -> Words:
    if high.any():
        return np.array([pack(join(a, b), AMOUNT_MANTISSA_BITS) for a, b in zip(low, high, strict=True)], np.uint64)
    mantissas, exponents = low.copy(), np.zeros(len(low), np.uint64)
    while (long := mantissas >= np.uint64(1 << AMOUNT_MANTISSA_BITS)).any():
        if (mantissas[long] % np.uint64(10)).any():
            raise ValueError("amounts must be packable")
        mantissas[long] //= np.uint64(10)
        exponents[long] += np.uint64(1)
    return mantissas << np.uint64(EXPONENT_BITS) | exponents


def encode_transfers(
    payers: npt.NDArray[np.int32],
    payees: npt.NDArray[np.int32],
    amounts: tuple[Words, Words],
    fee_wei: int,
    new: npt.NDArray[np.bool_],
    addresses: npt.NDArray[np.uint8],
) -> bytes:
    """Transfers in order; `new` says whose payee had no account, and `addresses` (n, 20) where it lies."""
    n = len(payers)
    wide = CHUNK_BYTES * NAMED["transfer_to_new"].chunks
    rows = np.zeros((n, wide), np.uint8)
    rows[:, 0] = np.where(new, NAMED["transfer_to_new"].code, NAMED["transfer"].code)
    rows[:, 1:5] = _digits(payers, 4)
    rows[:, 5:9] = _digits(np.full(n, TOKEN), 4)
    packed = _digits(_packed_amounts(*amounts), 8)[:, 3:]
    fee = np.frombuffer(pack(fee_wei, FEE_MANTISSA_BITS).to_bytes(2, "big"), np.uint8)
    old = ~new
    rows[old, 9:13], rows[old, 13:18], rows[old, 18:20] = _digits(payees[old], 4), packed[old], fee
    rows[new, 9:14], rows[new, 14:34], rows[new, 34:38], rows[new, 38:40] = (
        packed[new], addresses[new], _digits(payees[new], 4), fee,
    )  # fmt: skip
    sizes = np.where(new, wide, CHUNK_BYTES * NAMED["transfer"].chunks)
    return rows[np.arange(wide) < sizes[:, None]].tobytes()


def encode_deposit(account: int, amount_wei: int, address: bytes) -> bytes:
    """A deposit from L1."""
    body = account.to_bytes(4, "big") + TOKEN.to_bytes(4, "big") + amount_wei.to_bytes(16, "big") + address
    return _filled("deposit", body)


def encode_withdrawal(account: int, amount_wei: int, fee_wei: int, address: bytes) -> bytes:
    """A withdrawal to L1; the fee must be packable."""
    fee = pack(fee_wei, FEE_MANTISSA_BITS).to_bytes(2, "big")
    body = account.to_bytes(4, "big") + TOKEN.to_bytes(4, "big") + amount_wei.to_bytes(16, "big") + fee + address
    return _filled("withdraw", body)


def _filled(name: str, body: bytes) -> bytes:
    operation = NAMED[name]
    return (bytes([operation.code]) + body).ljust(CHUNK_BYTES * operation.chunks, b"\0")


def _digits(values: npt.NDArray[np.generic], width: int) -> npt.NDArray[np.uint8]:
    return values.astype(">u8").view(np.uint8).reshape(len(values), 8)[:, 8 - width :]


@dataclass(frozen=True, slots=True)
class Done:
    """An operation as read back; fields that it does not have are 0 or empty."""

    name: str
    account: int
    amount_wei: int
    fee_wei: int = 0
    to: int = 0
    address: bytes = b""


def decode_operations(data: bytes) -> Iterator[Done]:
    """The operations of a batch in order; raises ValueError where a code is unknown or bytes are missing."""
    by_code = {operation.code: operation for operation in OPERATIONS[:5]}
    place = 0
    while place < len(data):
        operation = by_code.get(data[place])
        if operation is None:
            raise ValueError(f"byte {place} must be the code of an operation (got {data[place]})")
        raw = data[place : place + CHUNK_BYTES * operation.chunks]
        if len(raw) != CHUNK_BYTES * operation.chunks or any(raw[operation.significant :]):
            raise ValueError(f"byte {place} must begin {operation.chunks} chunks filled up with zeros")
        place += len(raw)
        account, body = int.from_bytes(raw[1:5], "big"), raw[9 : operation.significant]
        number = int.from_bytes
        match operation.name:
            case "deposit":
                yield Done("deposit", account, number(body[:16], "big"), address=body[16:])
            case "withdraw":
                fee = unpack(number(body[16:18], "big"))
                yield Done("withdraw", account, number(body[:16], "big"), fee, address=body[18:])
            case "transfer":
                amount, fee = unpack(number(body[4:9], "big")), unpack(number(body[9:11], "big"))
                yield Done("transfer", account, amount, fee, number(body[:4], "big"))
            case "transfer_to_new":
                amount, fee = unpack(number(body[:5], "big")), unpack(number(body[29:31], "big"))
                yield Done("transfer_to_new", account, amount, fee, number(body[25:29], "big"), body[5:25])
