"""Batches and FastLZ on random and hostile bytes."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l2sim.systems.rollup.channel import (
    BlockHeader,
    assemble,
    compress,
    decode_blocks,
    decompress,
    encode_block,
    payloads,
)
from l2sim.systems.rollup.fastlz import fastlz_length, fastlz_lengths
from l2sim.systems.rollup.transactions import select
from tests.support.rollup import batch_of

ROWS = st.lists(st.binary(max_size=300), max_size=12)
HASH = st.binary(min_size=32, max_size=32)
HEADERS = st.builds(BlockHeader, HASH, st.integers(0, 2**40), HASH, st.integers(0, 2**40))
REPETITIVE = st.lists(st.tuples(st.binary(max_size=6), st.integers(1, 200)), max_size=12).map(
    lambda runs: b"".join(piece * times for piece, times in runs)
)


@given(
    st.lists(st.tuples(HEADERS, ROWS), min_size=1, max_size=4),
    st.sampled_from([("zlib", 6), ("brotli", 1)]),
    st.integers(30, 2_000),
)
def test_every_batch_gives_back_its_blocks(
    blocks: list[tuple[BlockHeader, list[bytes]]], how: tuple[str, int], most_bytes: int
) -> None:
    content = b"".join(encode_block(header, batch_of(rows)) for header, rows in blocks)
    channel = compress(content, *how)  # type: ignore[arg-type]  # sampled
    parts = payloads(channel, bytes(16), most_bytes)
    assert max(map(len, parts)) <= most_bytes
    assert decode_blocks(decompress(assemble(parts))) == blocks


@given(st.one_of(st.binary(max_size=600), REPETITIVE))
def test_fastlz_is_the_same_in_both_forms_and_grows_by_a_32nd_at_most(data: bytes) -> None:
    length = fastlz_length(data)
    assert int(fastlz_lengths(np.frombuffer(data, np.uint8), np.array([0, len(data)]))[0]) == length
    assert length <= len(data) + -(-len(data) // 32)


@given(ROWS, st.randoms(use_true_random=False))
def test_selected_rows_are_those_kept(rows: list[bytes], source: Random) -> None:
    keep = np.array([source.random() < 0.5 for _ in rows], np.bool_)
    chosen = select(batch_of(rows), keep)
    assert [chosen[row] for row in range(len(chosen))] == [row for row, kept in zip(rows, keep, strict=True) if kept]
