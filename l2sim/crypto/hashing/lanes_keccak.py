"""Keccak-256 (Ethereum padding) on vector lanes, one message per lane of 64-bit words.

The rate is 136 bytes, 17 words: two runs of eight, loaded as rows and turned, and one word loaded lane by lane. The
last block of a message holds its padding, laid over what was read; where at most 64 bytes of it belong to the
message, the rest is padding alone and nothing more is read.
"""

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.hashing.lanes_ir import VectorCode

RATE_BYTES = 136
_RATE_WORDS = 17
_RUN_BYTES = 64

# Words of the kernel's parameter block: (mask, padding) of a whole block and of the last block.
_WHOLE, _LAST, _PARAMETER_WORDS = 0, 34, 68


def _round_constants() -> list[int]:
    """The 24 iota constants from their feedback register (Keccak reference 3.0, section 1.2)."""
    register = 1
    constants = []
    for _ in range(24):
        value = 0
        for j in range(7):
            if register & 1:
                value |= 1 << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(value)
    return constants


def _rotations() -> list[int]:
    """The rho offsets of the lanes, index x + 5 y (Keccak reference 3.0, section 2.3.2)."""
    offsets = [0] * 25
    x, y = 1, 0
    for t in range(24):
        offsets[x + 5 * y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


ROUND_CONSTANTS = _round_constants()
ROTATIONS = _rotations()


def parameters(length: int) -> tuple[int, int, NDArray[np.uint64]]:
    """Return (blocks, message bytes in the last block, parameter words) for messages of `length` bytes."""
    blocks = length // RATE_BYTES + 1
    used = length % RATE_BYTES
    words = np.zeros(_PARAMETER_WORDS, np.uint64)
    words[_WHOLE : _WHOLE + _RATE_WORDS] = 0xFFFFFFFFFFFFFFFF
    last = words[_LAST:].view(np.uint8)
    last[:used] = 0xFF
    last[RATE_BYTES + used] = 0x01
    last[2 * RATE_BYTES - 1] |= 0x80
    return blocks, used, words


def kernel_text(lanes: int) -> str:
    """Return the kernel as LLVM text for vectors of `lanes` 64-bit words."""
    c = VectorCode(
        "keccak256",
        "ptr noalias %src, ptr noalias %dst, i64 %groups, i64 %length, i64 %blocks, i64 %used, ptr noalias %parameters",
        lanes,
        64,
    )
    per_run = 8 // lanes  # vectors in eight words of one message
    c.label("entry")
    whole, last = (c.address("%parameters", 8 * i) for i in (_WHOLE, _LAST))
    last_block = c.op("sub i64 %blocks, 1")
    group_bytes = c.op(f"mul i64 %length, {lanes}")
    rows = ["0"]
    for _ in range(lanes - 1):
        rows.append(c.op(f"add i64 {rows[-1]}, %length"))
    c.do("br label %group")

    c.label("group")
    g = c.phi(("0", "entry"), ("%g_next", "written"), of="i64")
    group_start = c.address("%src", c.op(f"mul i64 {g}, {group_bytes}"))
    c.do("br label %block")

    c.label("block")
    b = c.phi(("0", "group"), ("%b_next", "absorb"), of="i64")
    state = [c.phi(("zeroinitializer", "group"), (f"%s{i}", "absorb")) for i in range(25)]
    block_start = c.address(group_start, c.op(f"mul i64 {b}, {RATE_BYTES}"))
    is_last = c.op(f"icmp eq i64 {b}, {last_block}")
    pattern = c.op(f"select i1 {is_last}, ptr {last}, ptr {whole}")
    in_block = c.op(f"select i1 {is_last}, i64 %used, i64 {RATE_BYTES}")
    first = _load_run(c, block_start, rows, pattern, 0, per_run)
    reads_rest = c.op(f"icmp ugt i64 {in_block}, {_RUN_BYTES}")
    c.do(f"br i1 {reads_rest}, label %rest, label %padding")

    c.label("rest")
    rest = _load_run(c, block_start, rows, pattern, 1, per_run)
    rest.append(_load_word(c, block_start, rows, pattern))
    c.do("br label %absorb")
    c.label("padding")
    padding = [c.load_splat(c.address(pattern, RATE_BYTES + 8 * i)) for i in range(8, _RATE_WORDS)]
    c.do("br label %absorb")

    c.label("absorb")
    block = first + [c.phi((rest[i], "rest"), (padding[i], "padding")) for i in range(9)]
    mixed = [c.xor(state[i], block[i]) for i in range(_RATE_WORDS)] + state[_RATE_WORDS:]
    for constant in ROUND_CONSTANTS:
        mixed = _round(c, mixed, constant)
    absorbed = [c.named(f"%s{i}", v) for i, v in enumerate(mixed)]
    c.do(f"%b_next = add i64 {b}, 1")
    more = c.op("icmp ult i64 %b_next, %blocks")
    c.do(f"br i1 {more}, label %block, label %written")

    c.label("written")
    out = c.address("%dst", c.op(f"mul i64 {g}, {32 * lanes}"))
    for i, v in enumerate(c.transpose(absorbed[:4], 4)):
        c.store(v, c.address(out, 8 * lanes * i))
    c.do(f"%g_next = add i64 {g}, 1")
    again = c.op("icmp ult i64 %g_next, %groups")
    c.do(f"br i1 {again}, label %group, label %end")
    c.label("end")
    c.do("ret void")
    return c.text()


def _load_run(c: VectorCode, start: str, rows: list[str], pattern: str, run: int, per_run: int) -> list[str]:
    """Eight words of each message, as eight vectors of one word each."""
    offset = run * _RUN_BYTES
    masks = c.load_parts(c.address(pattern, offset), per_run)
    pads = c.load_parts(c.address(pattern, RATE_BYTES + offset), per_run)
    starts = [c.address(c.address(start, row), offset) for row in rows]
    return c.transpose(c.load_rows(starts, masks, pads), c.lanes)


def _load_word(c: VectorCode, start: str, rows: list[str], pattern: str) -> str:
    """The last word of the rate, collected lane by lane."""
    offset = 8 * (_RATE_WORDS - 1)
    vector = "poison"
    for lane, row in enumerate(rows):
        word = c.op(f"load i64, ptr {c.address(c.address(start, row), offset)}, align 1")
        vector = c.op(f"insertelement {c.vector} {vector}, i64 {word}, i32 {lane}")
    mask, pad = (c.load_splat(c.address(pattern, at + offset)) for at in (0, RATE_BYTES))
    return c.or_(c.and_(vector, mask), pad)


def _round(c: VectorCode, a: list[str], constant: int) -> list[str]:
    """Theta, rho, pi, chi and iota over 25 vectors, index x + 5 y."""
    ones = c.splat(-1)
    column = []
    for x in range(5):
        parity = a[x]
        for y in range(1, 5):
            parity = c.xor(parity, a[x + 5 * y])
        column.append(parity)
    turned = [c.rotate_left(column[x], 1) for x in range(5)]
    b = [""] * 25
    for x in range(5):
        for y in range(5):
            v = c.xor(c.xor(a[x + 5 * y], column[(x + 4) % 5]), turned[(x + 1) % 5])
            rotation = ROTATIONS[x + 5 * y]
            b[y + 5 * ((2 * x + 3 * y) % 5)] = c.rotate_left(v, rotation) if rotation else v
    out = [
        c.xor(b[i], c.and_(c.xor(b[i - x + (x + 1) % 5], ones), b[i - x + (x + 2) % 5]))
        for i, x in ((i, i % 5) for i in range(25))
    ]
    out[0] = c.xor(out[0], c.splat(constant))
    return out
