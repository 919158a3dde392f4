"""What a batch is in bytes: sizes, frames, and that every malformed one is refused."""

import numpy as np
import pytest

from l2sim.crypto.ethereum.transactions import parse_signed
from l2sim.crypto.ethereum.transfers import EncodedBatch, Transfers, encode_transfers
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.systems.rollup.batcher_config import BatcherConfig
from l2sim.systems.rollup.channel import (
    FRAME_OVERHEAD,
    BlockHeader,
    assemble,
    compress,
    decode_blocks,
    decompress,
    encode_block,
    payloads,
)
from l2sim.systems.rollup.posting import BLOB_BYTES, BLOB_FRAME_BYTES
from l2sim.systems.rollup.roots import EMPTY_ROOT, payments_root

HEADER = BlockHeader(parent_hash=b"\x01" * 32, epoch_number=7, epoch_hash=b"\x02" * 32, timestamp_s=1_234)


def transfers(count: int, users: int = 2_000, seed: int = 1) -> EncodedBatch:
    """Transfers from and to random ones of `users`, as the sheet's size figures take them."""
    draw = np.random.default_rng(seed)
    addresses = draw.integers(0, 256, (users, 20), dtype=np.uint8)
    columns = Transfers(
        chain_id=10,
        nonces=draw.integers(0, 200, count).astype(np.uint64),
        to=addresses[draw.integers(0, users, count)],
        values_wei=draw.integers(10**14, 10**17, count).astype(np.uint64),
        max_priority_fees_wei=1_000_000,
        max_fees_wei=1_400_000,
    )
    signatures = draw.integers(0, 256, (count, 65), dtype=np.uint8)
    signatures[:, 64] &= 1
    return encode_transfers(columns, signatures)


def test_a_transfer_has_about_116_bytes_raw_and_93_to_101_compressed_among_2000() -> None:
    """Section 6 of the sheet: 116 raw; Brotli 10 93 and zlib 101 in a batch of 2,000 (synthetic)."""
    batch = transfers(2_000)
    assert len(batch.data) / 2_000 == pytest.approx(116, abs=2)
    content = encode_block(HEADER, batch)
    assert len(compress(content, "brotli", 10)) / 2_000 == pytest.approx(93, abs=4)
    assert len(compress(content, "zlib", 6)) / 2_000 == pytest.approx(101, abs=4)


@pytest.mark.parametrize(("compression", "level"), [("zlib", 0), ("zlib", 9), ("brotli", 0), ("brotli", 5)])
def test_blocks_come_back_from_the_payloads(compression: str, level: int) -> None:
    first, second = transfers(300), transfers(1, seed=2)
    content = encode_block(HEADER, first) + encode_block(HEADER, second)
    channel = compress(content, compression, level)  # type: ignore[arg-type]  # parametrised
    parts = payloads(channel, b"c" * 16, 1_000)
    assert all(len(part) == 1_000 for part in parts[:-1])
    blocks = decode_blocks(decompress(assemble(parts)))
    assert [header for header, _ in blocks] == [HEADER, HEADER]
    assert blocks[0][1] == [first[row] for row in range(300)]
    assert blocks[1][1] == [second[0]]
    assert parse_signed(blocks[1][1][0])[0].chain_id == 10


def test_rows_of_any_length_are_encoded_not_only_transfers() -> None:
    rows = [b"", b"\x05", b"a" * 55, b"b" * 56, b"c" * 300]
    batch = EncodedBatch(np.frombuffer(b"".join(rows), np.uint8), np.cumsum([0, *map(len, rows)]))
    assert decode_blocks(encode_block(HEADER, batch)) == [(HEADER, rows)]


def test_an_empty_block_is_a_block() -> None:
    empty = EncodedBatch(np.empty(0, np.uint8), np.zeros(1, np.int64))
    assert decode_blocks(encode_block(HEADER, empty)) == [(HEADER, [])]


def test_six_full_blobs_are_the_default_target() -> None:
    assert BatcherConfig().target_bytes == 6 * BLOB_FRAME_BYTES
    channel = bytes(6 * BLOB_FRAME_BYTES)
    assert [len(part) for part in payloads(channel, bytes(16), BLOB_BYTES)] == [BLOB_BYTES] * 6
    assert len(payloads(channel + b"\x00", bytes(16), BLOB_BYTES)) == 7
    assert BLOB_BYTES - BLOB_FRAME_BYTES == FRAME_OVERHEAD + 1


def test_frames_missing_swapped_foreign_or_cut_are_refused() -> None:
    parts = payloads(b"x" * 100, b"a" * 16, 60)
    other = payloads(b"x" * 100, b"b" * 16, 60)
    assert assemble(parts) == b"x" * 100
    with pytest.raises(ValueError, match="last frame must end the channel"):
        assemble(parts[:-1])
    with pytest.raises(ValueError, match="must be frame 0"):
        assemble(parts[::-1])
    with pytest.raises(ValueError, match="must be frame 1"):
        assemble([parts[0], other[1], parts[2]])
    with pytest.raises(ValueError, match="besides its"):
        assemble([parts[0][:-1]])
    with pytest.raises(ValueError, match="version 00"):
        assemble([b"\x01" + parts[0][1:]])
    with pytest.raises(ValueError, match="must be frame 3"):
        assemble([*parts, parts[0]])
    with pytest.raises(ValueError, match="16 bytes"):
        payloads(b"x", b"short", 100)


def test_content_that_is_no_block_is_refused() -> None:
    good = encode_block(HEADER, transfers(2))
    with pytest.raises(ValueError, match="must begin a block"):
        decode_blocks(b"\x05" + good)
    with pytest.raises(ValueError, match="rlp"):
        decode_blocks(good[:-1])
    with pytest.raises(ValueError, match="batch version 0"):
        decode_blocks(b"\x82\x01\xc0")
    with pytest.raises(ValueError, match="five fields"):
        decode_blocks(b"\x82\x00\xc0")
    with pytest.raises(ValueError, match="zlib header or the byte 01"):
        decompress(b"\x03abc")


def test_the_root_is_the_pairwise_hash_with_a_lone_node_carried_up() -> None:
    hashes = np.frombuffer(b"".join(keccak256(bytes([k])) for k in range(5)), np.uint8).reshape(5, 32)
    a, b, c, d, e = [row.tobytes() for row in hashes]
    work = Work()
    expected = keccak256(keccak256(keccak256(a + b) + keccak256(c + d)) + e)
    assert payments_root(hashes, work) == expected
    assert work.hashes == 4
    assert payments_root(hashes[:1], work) == a
    assert payments_root(hashes[:0], work) == EMPTY_ROOT
    assert work.hashes == 4


def test_a_block_hash_commits_to_parent_and_transactions() -> None:
    work = Work()
    one = HEADER.block_hash(b"\x00" * 64, work)
    assert one != HEADER.block_hash(b"\x01" * 64, Work())
    assert one != BlockHeader(one, 7, b"\x02" * 32, 1_234).block_hash(b"\x00" * 64, Work())
    assert work.hashes == 2
