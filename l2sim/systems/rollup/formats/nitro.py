"""Batches of Arbitrum Nitro: the sequencer's messages as a row of segments, Brotli over all of them.

    batch    = header[40] || payload                       the header: least and greatest time and L1 block of the
                                                           messages, and the delayed messages read; 8 bytes each
    payload  = 0x00 || brotli(string(segment) || string(segment) ...)
    segment  = 0x00 || message                             the messages of one L2 block
             | 0x03 || number                              the time moves on by that many seconds
             | 0x04 || number                              the L1 block moves on by that many
    message  = 0x04 || transaction  |  0x03 || length[8] || message || length[8] || message ...

`string` and `number` are those of RLP. The header goes into no payload on L1: the inbox contract puts it together
from the call. Sources: OffchainLabs/nitro 6dce8d13, arbstate/inbox.go, arbos/parse_l2.go, arbnode/batch_poster.go.
"""

from dataclasses import dataclass
from typing import Final

import brotli

from l2sim.crypto.ethereum import rlp

HEADER_NUMBERS: Final = 5
HEADER_BYTES: Final = 8 * HEADER_NUMBERS
BROTLI_FLAG: Final = b"\x00"
L2_MESSAGE: Final = 0
ADVANCE_TIMESTAMP: Final = 3
ADVANCE_L1_BLOCK: Final = 4
BATCH_KIND: Final = b"\x03"
SIGNED_KIND: Final = b"\x04"
BROTLI_WINDOW: Final = 22
LENGTH_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Message:
    """One L2 block as the sequencer's message: its time in seconds, the L1 block it saw, and its transactions."""

    timestamp_s: int
    l1_block: int
    transactions: tuple[bytes, ...]


def segments(messages: list[Message]) -> bytes:
    """The messages in RLP strings, before compression."""
    out = []
    timestamp_s, l1_block = 0, 0
    for message in messages:
        for kind, new, old in (
            (ADVANCE_TIMESTAMP, message.timestamp_s, timestamp_s),
            (ADVANCE_L1_BLOCK, message.l1_block, l1_block),
        ):
            if new < old:
                raise ValueError(f"times and L1 blocks of messages must not fall (got {new} after {old})")
            if new > old:
                out.append(rlp.encode(bytes([kind]) + rlp.encode(new - old)))
        timestamp_s, l1_block = message.timestamp_s, message.l1_block
        out.append(rlp.encode(bytes([L2_MESSAGE]) + _joined(message.transactions)))
    return b"".join(out)


def _joined(transactions: tuple[bytes, ...]) -> bytes:
    if len(transactions) == 1:
        return SIGNED_KIND + transactions[0]
    parts = [(len(raw) + 1).to_bytes(LENGTH_BYTES, "big") + SIGNED_KIND + raw for raw in transactions]
    return BATCH_KIND + b"".join(parts)


def header(messages: list[Message], delayed_messages: int = 0) -> bytes:
    """The 40 bytes that the inbox contract puts before a batch: bounds of its times and L1 blocks."""
    times = [message.timestamp_s for message in messages]
    blocks = [message.l1_block for message in messages]
    numbers = (min(times), max(times), min(blocks), max(blocks), delayed_messages)
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def compress_segments(content: bytes, level: int) -> bytes:
    """What is posted: the flag of Brotli and the compressed segments."""
    packed: bytes = brotli.compress(content, quality=level, lgwin=BROTLI_WINDOW)
    return BROTLI_FLAG + packed


def decompress_segments(payload: bytes) -> bytes:
    """The segments of a posted batch; raises ValueError for another flag."""
    if payload[:1] != BROTLI_FLAG:
        raise ValueError(f"a batch must begin with the flag 00 (got {payload[:1].hex()!r})")
    content: bytes = brotli.decompress(payload[1:])
    return content


def read_segments(content: bytes) -> list[Message]:
    """The messages of these segments; raises ValueError where they are not of the form above."""
    messages: list[Message] = []
    timestamp_s, l1_block, place = 0, 0, 0
    while place < len(content):
        end = rlp.string_end(content, place)
        segment = rlp.decode(content[place:end])
        place = end
        if not isinstance(segment, bytes) or not segment:
            raise ValueError(f"segment before byte {place} must be a byte string with a kind")
        kind, body = segment[0], segment[1:]
        if kind == L2_MESSAGE:
            messages.append(Message(timestamp_s, l1_block, _parted(body)))
        elif kind in (ADVANCE_TIMESTAMP, ADVANCE_L1_BLOCK):
            number = rlp.decode(body)
            if not isinstance(number, bytes):
                raise ValueError(f"segment before byte {place} must hold a number")
            if kind == ADVANCE_TIMESTAMP:
                timestamp_s += int.from_bytes(number, "big")
            else:
                l1_block += int.from_bytes(number, "big")
        else:
            raise ValueError(f"segment before byte {place} must be of kind 0, 3 or 4 (got {kind})")
    return messages


def _parted(body: bytes) -> tuple[bytes, ...]:
    if body[:1] == SIGNED_KIND:
        return (body[1:],)
    if body[:1] != BATCH_KIND:
        raise ValueError(f"a message must be signed or a batch (got kind {body[:1].hex()!r})")
    transactions = []
    place = 1
    while place < len(body):
        length = int.from_bytes(body[place : place + LENGTH_BYTES], "big")
        start = place + LENGTH_BYTES
        part = body[start : start + length]
        if len(part) != length or part[:1] != SIGNED_KIND:
            raise ValueError(f"byte {place} of a message must begin a signed transaction")
        transactions.append(part[1:])
        place = start + length
    return tuple(transactions)
