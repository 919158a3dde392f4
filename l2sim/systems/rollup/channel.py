"""What a batch is in bytes: L2 blocks in RLP, compressed, cut into frames; and the way back.

The form is the OP Stack's (specs, protocol/derivation.md) with singular batches::

    block   = string(0x00 || list(parent_hash, epoch_number, epoch_hash, timestamp, list(string(transaction), ...)))
    channel = zlib(block || block ...)   or   0x01 || brotli(block || block ...)       (fjord/derivation.md)
    frame   = channel_id[16] || frame_number[2] || length[4] || data || is_last[1]
    payload = 0x00 || frame                              one blob, or the data of one L1 transaction

`string` and `list` are those of RLP; the epoch is the L1 block that an L2 block looks back to.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import brotli
import numpy as np

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work

BATCH_VERSION: Final = b"\x00"
DERIVATION_VERSION: Final = b"\x00"
BROTLI_VERSION: Final = b"\x01"
BROTLI_WINDOW: Final = 22  # op-node, channel compressor
CHANNEL_ID_BYTES: Final = 16
FRAME_OVERHEAD: Final = 23
ZLIB_METHODS: Final = (8, 15)
"""Low four bits of a zlib stream's first byte, by which it is told from a version byte."""

Compression = Literal["zlib", "brotli"]


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What an L2 block says besides its transactions; `timestamp_s` counts from the start of the run."""

    parent_hash: bytes
    epoch_number: int
    epoch_hash: bytes
    timestamp_s: int

    def block_hash(self, transaction_hashes: bytes, work: Work) -> bytes:
        """The hash of a block with this header and these joined transaction hashes."""
        commitment = keccak256(transaction_hashes)
        body = rlp.encode([self.parent_hash, self.epoch_number, self.epoch_hash, self.timestamp_s, commitment])
        work.count_keccak(1, len(transaction_hashes))
        work.count_keccak(1, len(body))
        return keccak256(body)


def encode_block(header: BlockHeader, transactions: EncodedBatch) -> bytes:
    """One block as it goes into a channel."""
    strings = _string_items(transactions)
    head = b"".join(
        rlp.encode(field) for field in (header.parent_hash, header.epoch_number, header.epoch_hash, header.timestamp_s)
    )
    listed = _prefix(len(strings), 0xC0) + strings
    content = BATCH_VERSION + _prefix(len(head) + len(listed), 0xC0) + head + listed
    return _prefix(len(content), 0x80) + content


def decode_blocks(data: bytes) -> list[tuple[BlockHeader, list[bytes]]]:
    """The blocks of a channel's content, each with its transactions; ValueError where it is not of that form."""
    blocks: list[tuple[BlockHeader, list[bytes]]] = []
    place = 0
    while place < len(data):
        end = _string_end(data, place)
        content = rlp.decode(data[place:end])
        place = end
        if not isinstance(content, bytes) or content[:1] != BATCH_VERSION:
            raise ValueError(f"block {len(blocks)} must be a byte string of batch version 0")
        fields = rlp.decode(content[1:])
        if not isinstance(fields, list) or len(fields) != 5:
            raise ValueError(f"block {len(blocks)} must be a list of five fields")
        *head, listed = fields
        parent, epoch_number, epoch_hash, timestamp = [_string(field) for field in head]
        header = BlockHeader(parent, int.from_bytes(epoch_number, "big"), epoch_hash, int.from_bytes(timestamp, "big"))
        if not isinstance(listed, list):
            raise ValueError(f"block {len(blocks)} must end with a list of transactions")
        blocks.append((header, [_string(item) for item in listed]))
    return blocks


def compress(data: bytes, compression: Compression, level: int) -> bytes:
    """A channel from its content."""
    if compression == "zlib":
        return zlib.compress(data, level)
    packed: bytes = brotli.compress(data, quality=level, lgwin=BROTLI_WINDOW)
    return BROTLI_VERSION + packed


def decompress(channel: bytes) -> bytes:
    """The content of a channel, its compression told by the first byte; ValueError if that is neither's."""
    if channel[:1] == BROTLI_VERSION:
        content: bytes = brotli.decompress(channel[1:])
        return content
    if channel and channel[0] & 0x0F in ZLIB_METHODS:
        return zlib.decompress(channel)
    raise ValueError(f"a channel must begin with a zlib header or the byte 01 (got {channel[:1].hex()!r})")


def payloads(channel: bytes, channel_id: bytes, most_bytes: int) -> list[bytes]:
    """The channel in frames, one to a payload of at most `most_bytes`.

    >>> [len(payload) for payload in payloads(bytes(250), bytes(16), most_bytes=124)]
    [124, 124, 74]
    """
    if len(channel_id) != CHANNEL_ID_BYTES:
        raise ValueError(f"channel_id must be {CHANNEL_ID_BYTES} bytes (got {len(channel_id)})")
    step = most_bytes - len(DERIVATION_VERSION) - FRAME_OVERHEAD
    pieces = [channel[start : start + step] for start in range(0, len(channel), step)] or [b""]
    last = len(pieces) - 1
    return [
        DERIVATION_VERSION
        + channel_id
        + number.to_bytes(2, "big")
        + len(piece).to_bytes(4, "big")
        + piece
        + bytes([number == last])
        for number, piece in enumerate(pieces)
    ]


def assemble(parts: Sequence[bytes]) -> bytes:
    """The channel from the payloads of one batch in order; ValueError where frames are missing or foreign."""
    pieces: list[bytes] = []
    channel_id = b""
    ended = False
    for payload in parts:
        if payload[:1] != DERIVATION_VERSION:
            raise ValueError(f"a payload must begin with version 00 (got {payload[:1].hex()!r})")
        for frame_id, number, data, is_last in _frames(payload[1:]):
            channel_id = channel_id or frame_id
            if ended or frame_id != channel_id or number != len(pieces):
                raise ValueError(
                    f"frame {number} of channel {frame_id.hex()} must be frame {len(pieces)} of {channel_id.hex()}"
                )
            pieces.append(data)
            ended = is_last
    if not ended:
        raise ValueError(f"the last frame must end the channel (got {len(pieces)} frames)")
    return b"".join(pieces)


def _frames(data: bytes) -> Iterator[tuple[bytes, int, bytes, bool]]:
    while data:
        length = int.from_bytes(data[18:22], "big")
        end = 22 + length
        if len(data) <= end or data[end] > 1:
            raise ValueError(f"a frame must have {FRAME_OVERHEAD} bytes besides its {length} of data")
        yield data[:16], int.from_bytes(data[16:18], "big"), data[22:end], data[end] == 1
        data = data[end + 1 :]


def _string_items(batch: EncodedBatch) -> bytes:
    """The rows of `batch` as RLP strings, end to end."""
    lengths = np.diff(batch.offsets)
    if len(lengths) == 0:
        return b""
    if lengths.min() <= 55 or lengths.max() > 255:
        return b"".join([rlp.encode(batch[row]) for row in range(len(batch))])
    # Signed transfers all have the two-byte head 0xb8, length.
    out = np.empty(len(batch.data) + 2 * len(batch), np.uint8)
    heads = batch.offsets[:-1] + 2 * np.arange(len(batch))
    body = np.ones(len(out), np.bool_)
    body[heads] = body[heads + 1] = False
    out[heads] = 0xB8
    out[heads + 1] = lengths
    out[body] = batch.data
    return out.tobytes()


def _prefix(length: int, base: int) -> bytes:
    """The head of an RLP string (base 0x80) or list (0xC0) of that many bytes."""
    if length <= 55:
        return bytes((base + length,))
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(digits),)) + digits


def _string_end(data: bytes, start: int) -> int:
    """Where the RLP string that begins at `start` ends."""
    first = data[start]
    if not 0x80 <= first <= 0xBF:
        raise ValueError(f"byte {start} must begin a block (got {first:02x})")
    if first <= 0xB7:
        return start + 1 + first - 0x80
    digits = first - 0xB7
    return start + 1 + digits + int.from_bytes(data[start + 1 : start + 1 + digits], "big")


def _string(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("a block's head and its transactions must be byte strings")
    return item
