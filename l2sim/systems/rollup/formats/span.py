"""Span batches of the OP Stack: many L2 blocks at once, their transactions column by column.

    batch   = string(0x01 || prefix || payload)
    prefix  = rel_timestamp || l1_origin_num || parent_check[20] || l1_origin_check[20]
    payload = block_count || origin_bits || block_tx_counts || txs
    txs     = contract_creation_bits || y_parity_bits || sigs[64 n] || tos[20] || datas || nonces || gases
              || protected_bits

Numbers are in base 128, bits a big-endian whole number with the first one lowest; `protected_bits` has a bit for each
legacy transaction, of which there are none here. A span has every block of the chain, also those with nothing in
them: a block time after the last one each. Source: ethereum-optimism/specs fd72cf79, protocol/delta/span-batches.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.ethereum.transactions import TYPE, FeeMarketTransaction
from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.systems.rollup.formats.columns import ADDRESS_BYTES, split_columns
from l2sim.systems.rollup.formats.varint import bitlist, read_bitlist, read_uvarint, uvarint, uvarints

SPAN_VERSION = b"\x01"
CHECK_BYTES = 20
MOST_ELEMENTS = 10_000_000
"""MAX_SPAN_BATCH_ELEMENT_COUNT (specs, protocol/derivation.md): blocks, and transactions, of a span."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """What a span batch says of its blocks; times in seconds from the chain's start, a row a block."""

    first_timestamp_s: int
    origins: Counts
    """Number of the L1 block that each block looks back to; they rise by 0 or 1."""
    parent_origin: int
    """The same of the block before the first."""
    parent_check: bytes
    """First 20 bytes of the hash of the block before the first."""
    origin_check: bytes
    """First 20 bytes of the hash of the last block's L1 block."""
    counts: Counts
    """Transactions of each block."""


def encode_span(span: Span, transactions: EncodedBatch) -> bytes:
    """The span batch of these blocks, whose transactions follow each other; ValueError where it cannot be said."""
    steps = np.diff(span.origins, prepend=span.parent_origin)
    if len(span.counts) == 0 or len(steps) != len(span.counts) or int(span.counts.sum()) != len(transactions):
        raise ValueError(
            f"a span must have an L1 block and a count for each block and a transaction for each counted (got "
            f"{len(steps)} L1 blocks, {len(span.counts)} counts of {int(span.counts.sum())}, {len(transactions)})"
        )
    if steps.min() < 0 or steps.max() > 1:
        raise ValueError(
            f"the L1 block of a span's blocks must rise by 0 or 1 (got {int(steps.min())} or {int(steps.max())})"
        )
    if max(len(span.counts), len(transactions)) > MOST_ELEMENTS:
        raise ValueError(f"a span must have at most {MOST_ELEMENTS} blocks and transactions")
    columns = split_columns(transactions)
    content = b"".join(
        (
            SPAN_VERSION,
            uvarint(span.first_timestamp_s),
            uvarint(int(span.origins[-1])),
            span.parent_check,
            span.origin_check,
            uvarint(len(span.counts)),
            bitlist(steps == 1),
            uvarints(span.counts.astype(np.uint64)),
            bitlist(columns.creates),
            bitlist(columns.parities == 1),
            columns.signatures.tobytes(),
            columns.to.tobytes(),
            columns.bodies.tobytes(),
            uvarints(columns.nonces),
            uvarints(columns.gas_limits),
        )
    )
    return rlp.encode(content)


def decode_span(data: bytes, chain_id: int) -> tuple[Span, list[bytes]]:
    """The span and its signed transactions; raises ValueError where `data` is not exactly one span batch."""
    content = rlp.decode(data)
    if not isinstance(content, bytes) or content[:1] != SPAN_VERSION:
        raise ValueError("a span batch must be a byte string of batch version 1")
    timestamp_s, place = read_uvarint(content, 1)
    last_origin, place = read_uvarint(content, place)
    parent_check, place = _take(content, place, CHECK_BYTES)
    origin_check, place = _take(content, place, CHECK_BYTES)
    blocks, place = read_uvarint(content, place)
    if not 1 <= blocks <= MOST_ELEMENTS:
        raise ValueError(f"a span must have from 1 to {MOST_ELEMENTS} blocks (got {blocks})")
    changes, place = read_bitlist(content, place, blocks)
    counts, place = _numbers(content, place, blocks)
    raws = _transactions(content, place, sum(counts), chain_id)
    parent_origin = last_origin - int(changes.sum())
    if parent_origin < 0:
        raise ValueError(f"the L1 block before a span must be at least 0 (got {parent_origin})")
    origins = parent_origin + np.cumsum(changes, dtype=np.int64)
    span = Span(timestamp_s, origins, parent_origin, parent_check, origin_check, np.array(counts, np.int64))
    return span, raws


def _transactions(content: bytes, place: int, count: int, chain_id: int) -> list[bytes]:
    if count > MOST_ELEMENTS:
        raise ValueError(f"a span must have at most {MOST_ELEMENTS} transactions (got {count})")
    creates, place = read_bitlist(content, place, count)
    parities, place = read_bitlist(content, place, count)
    signatures, place = _take(content, place, 64 * count)
    receivers = count - int(creates.sum())
    tos, place = _take(content, place, ADDRESS_BYTES * receivers)
    bodies: list[Sequence[rlp.Decoded]] = []
    for _ in range(count):
        if content[place : place + 1] != TYPE:
            raise ValueError(f"byte {place} must begin a transaction of type 2")
        end = _list_end(content, place + 1)
        body = rlp.decode(content[place + 1 : end])
        if not isinstance(body, list) or len(body) != 5 or body[4] != []:
            raise ValueError(f"byte {place} must begin five fields with an empty access list")
        bodies.append(body)
        place = end
    nonces, place = _numbers(content, place, count)
    gas_limits, place = _numbers(content, place, count)
    if place != len(content):
        raise ValueError(f"a span batch must end after {place} bytes (got {len(content)})")
    raws = []
    receiver = iter(range(0, len(tos), ADDRESS_BYTES))
    for row in range(count):
        to = b""
        if not creates[row]:
            start = next(receiver)
            to = tos[start : start + ADDRESS_BYTES]
        value, priority, cap, data = (_string(field) for field in bodies[row][:4])
        transaction = FeeMarketTransaction(
            chain_id=chain_id,
            nonce=nonces[row],
            to=to,
            value_wei=int.from_bytes(value, "big"),
            max_priority_fee_wei=int.from_bytes(priority, "big"),
            max_fee_wei=int.from_bytes(cap, "big"),
            gas_limit=gas_limits[row],
            data=data,
        )
        raws.append(transaction.signed_bytes(signatures[64 * row : 64 * row + 64] + bytes([int(parities[row])])))
    return raws


def _numbers(data: bytes, place: int, count: int) -> tuple[list[int], int]:
    values = []
    for _ in range(count):
        value, place = read_uvarint(data, place)
        values.append(value)
    return values, place


def _take(data: bytes, place: int, size: int) -> tuple[bytes, int]:
    if place + size > len(data):
        raise ValueError(f"byte {place} must begin {size} bytes (got {len(data) - place})")
    return data[place : place + size], place + size


def _list_end(data: bytes, start: int) -> int:
    """Where the RLP list that begins at `start` ends."""
    first = data[start] if start < len(data) else 0
    if first < 0xC0:
        raise ValueError(f"byte {start} must begin a list")
    if first <= 0xF7:
        return start + 1 + first - 0xC0
    digits = first - 0xF7
    return start + 1 + digits + int.from_bytes(data[start + 1 : start + 1 + digits], "big")


def _string(item: rlp.Decoded) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("the fields of a transaction must be byte strings")
    return item
