"""SHA-256 (FIPS 180-4) on vector lanes, and the plain compression function beside it.

The kernel hashes groups of messages of one length. A message's blocks are of three kinds: those read from memory,
the last of which may end inside (padding is laid over it), and, where the padding does not fit there, one more that
is the same for all messages and whose schedule is computed once in Python.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from l2sim.crypto.hashing.lanes_ir import VectorCode

BLOCK_BYTES = 64
LENGTH_BYTES = 8
_WORD_MASK = 0xFFFFFFFF

# Words of the kernel's parameter block: initial state, (mask, padding) of a whole block, (mask, padding) of the
# last block in memory, schedule plus round constants of the constant block.
_STATE, _WHOLE, _LAST, _CONSTANT, _PARAMETER_WORDS = 0, 8, 40, 72, 136


def _first_primes(count: int) -> list[int]:
    found: list[int] = []
    k = 2
    while len(found) < count:
        if all(k % p for p in found):
            found.append(k)
        k += 1
    return found


def _root_fraction(p: int, degree: int) -> int:
    """First 32 bits of the fractional part of the root of p of that degree, in integers."""
    target = p << (32 * degree)
    low, high = 0, 1 << 40
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= target else (low, middle - 1)
    return low & _WORD_MASK


# FIPS 180-4, sections 4.2.2 and 5.3.3: cube roots of the first 64 primes, square roots of the first 8.
ROUND_CONSTANTS = [_root_fraction(p, 3) for p in _first_primes(64)]
INITIAL_STATE = [_root_fraction(p, 2) for p in _first_primes(8)]


def _rotate_right(x: int, n: int) -> int:
    return ((x >> n) | (x << (32 - n))) & _WORD_MASK


def schedule(block: Sequence[int]) -> list[int]:
    """Return the 64 schedule words of a block of 16 words (FIPS 180-4, section 6.2.2, step 1)."""
    w = list(block)
    for i in range(16, 64):
        s0 = _rotate_right(w[i - 15], 7) ^ _rotate_right(w[i - 15], 18) ^ (w[i - 15] >> 3)
        s1 = _rotate_right(w[i - 2], 17) ^ _rotate_right(w[i - 2], 19) ^ (w[i - 2] >> 10)
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & _WORD_MASK)
    return w


def compress(state: Sequence[int], block: bytes) -> list[int]:
    """Return the state of 8 words after one 64-byte block: the plain twin of the kernel's rounds."""
    words = [int.from_bytes(block[i : i + 4], "big") for i in range(0, BLOCK_BYTES, 4)]
    a, b, c, d, e, f, g, h = state
    for k, w in zip(ROUND_CONSTANTS, schedule(words), strict=True):
        big1 = _rotate_right(e, 6) ^ _rotate_right(e, 11) ^ _rotate_right(e, 25)
        big0 = _rotate_right(a, 2) ^ _rotate_right(a, 13) ^ _rotate_right(a, 22)
        t1 = (h + big1 + ((e & f) ^ (~e & g)) + k + w) & _WORD_MASK
        t2 = (big0 + ((a & b) ^ (a & c) ^ (b & c))) & _WORD_MASK
        a, b, c, d, e, f, g, h = (t1 + t2) & _WORD_MASK, a, b, c, (d + t1) & _WORD_MASK, e, f, g
    return [(x + y) & _WORD_MASK for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def parameters(length: int, state: Sequence[int], hashed_bytes: int) -> tuple[int, bool, NDArray[np.uint32]]:
    """Return what the kernel needs for messages of `length` >= 1 bytes after `hashed_bytes` bytes left `state`.

    Returns (blocks in memory, whether a constant block follows, parameter words).
    """
    blocks = -(-length // BLOCK_BYTES)
    used = length - (blocks - 1) * BLOCK_BYTES
    bit_length = ((hashed_bytes + length) * 8).to_bytes(LENGTH_BYTES, "big")
    padding = bytearray(2 * BLOCK_BYTES)
    padding[used] = 0x80
    constant = used + 1 + LENGTH_BYTES > BLOCK_BYTES
    end = 2 * BLOCK_BYTES if constant else BLOCK_BYTES
    padding[end - LENGTH_BYTES : end] = bit_length
    words = np.zeros(_PARAMETER_WORDS, np.uint32)
    words[_STATE : _STATE + 8] = state
    words[_WHOLE : _WHOLE + 16] = _WORD_MASK
    last = words[_LAST : _LAST + 32].view(np.uint8)
    last[:used] = 0xFF
    last[BLOCK_BYTES:] = np.frombuffer(padding[:BLOCK_BYTES], np.uint8)
    if constant:
        fixed = schedule([int.from_bytes(padding[i : i + 4], "big") for i in range(64, 128, 4)])
        words[_CONSTANT:] = [(w + k) & _WORD_MASK for w, k in zip(fixed, ROUND_CONSTANTS, strict=True)]
    return blocks, constant, words


def kernel_text(lanes: int) -> str:
    """Return the kernel as LLVM text for vectors of `lanes` 32-bit words."""
    c = VectorCode(
        "sha256",
        "ptr noalias %src, ptr noalias %dst, i64 %groups, i64 %length, i64 %blocks, "
        "i64 %constant, i64 %double, ptr noalias %parameters",
        lanes,
        32,
    )
    per_row = 16 // lanes  # vectors in one block of one message
    c.label("entry")
    whole, last, fixed = (c.address("%parameters", 4 * i) for i in (_WHOLE, _LAST, _CONSTANT))
    last_block = c.op("sub i64 %blocks, 1")
    has_constant = c.op("icmp ne i64 %constant, 0")
    is_double = c.op("icmp ne i64 %double, 0")
    group_bytes = c.op(f"mul i64 %length, {lanes}")
    rows = ["0"]
    for _ in range(lanes - 1):
        rows.append(c.op(f"add i64 {rows[-1]}, %length"))
    c.do("br label %group")

    c.label("group")
    g = c.phi(("0", "entry"), ("%g_next", "written"), of="i64")
    group_start = c.address("%src", c.op(f"mul i64 {g}, {group_bytes}"))
    initial = [c.load_splat(c.address("%parameters", 4 * (_STATE + i))) for i in range(8)]
    c.do("br label %block")

    c.label("block")
    b = c.phi(("0", "group"), ("%b_next", "block"), of="i64")
    state = [c.phi((initial[i], "group"), (f"%s{i}", "block")) for i in range(8)]
    block_start = c.address(group_start, c.op(f"mul i64 {b}, {BLOCK_BYTES}"))
    is_last = c.op(f"icmp eq i64 {b}, {last_block}")
    pattern = c.op(f"select i1 {is_last}, ptr {last}, ptr {whole}")
    masks = c.load_parts(pattern, per_row)
    pads = c.load_parts(c.address(pattern, BLOCK_BYTES), per_row)
    stream = c.load_rows([c.address(block_start, row) for row in rows], masks, pads)
    words = [c.swap_bytes(v) for v in c.transpose(stream, lanes)]
    read = [c.named(f"%s{i}", v) for i, v in enumerate(_add_state(c, state, _rounds(c, state, words)))]
    c.do(f"%b_next = add i64 {b}, 1")
    more = c.op("icmp ult i64 %b_next, %blocks")
    c.do(f"br i1 {more}, label %block, label %after")

    c.label("after")
    c.do(f"br i1 {has_constant}, label %fixed, label %hashed")
    c.label("fixed")
    padded = _add_state(c, read, _fixed_rounds(c, read, [c.address(fixed, 4 * i) for i in range(64)]))
    c.do("br label %hashed")

    c.label("hashed")
    once = [c.phi((read[i], "after"), (padded[i], "fixed")) for i in range(8)]
    c.do(f"br i1 {is_double}, label %again, label %write")
    c.label("again")
    digest_block = once + [c.splat(w) for w in [0x80000000, 0, 0, 0, 0, 0, 0, 256]]
    start = [c.splat(w) for w in INITIAL_STATE]
    twice = _add_state(c, start, _rounds(c, start, digest_block))
    c.do("br label %write")

    c.label("write")
    result = [c.phi((once[i], "hashed"), (twice[i], "again")) for i in range(8)]
    out = c.address("%dst", c.op(f"mul i64 {g}, {32 * lanes}"))
    for i, v in enumerate(c.transpose([c.swap_bytes(v) for v in result], 8)):
        c.store(v, c.address(out, 4 * lanes * i))
    c.do("br label %written")
    c.label("written")
    c.do(f"%g_next = add i64 {g}, 1")
    again = c.op("icmp ult i64 %g_next, %groups")
    c.do(f"br i1 {again}, label %group, label %end")
    c.label("end")
    c.do("ret void")
    return c.text()


def _add_state(c: VectorCode, before: Sequence[str], after: Sequence[str]) -> list[str]:
    return [c.add(x, y) for x, y in zip(before, after, strict=True)]


def _rounds(c: VectorCode, state: Sequence[str], block: Sequence[str]) -> list[str]:
    """The 64 rounds over a block of 16 vectors, with the schedule in a window of 16."""
    w = list(block)
    s = list(state)
    for i in range(64):
        if i >= 16:
            x, y = w[(i + 1) & 15], w[(i + 14) & 15]
            s0 = c.xor(c.xor(c.rotate_right(x, 7), c.rotate_right(x, 18)), c.shift_right(x, 3))
            s1 = c.xor(c.xor(c.rotate_right(y, 17), c.rotate_right(y, 19)), c.shift_right(y, 10))
            w[i & 15] = c.add(c.add(w[i & 15], s0), c.add(w[(i + 9) & 15], s1))
        s = _round(c, s, c.add(w[i & 15], c.splat(ROUND_CONSTANTS[i])))
    return s


def _fixed_rounds(c: VectorCode, state: Sequence[str], addresses: Sequence[str]) -> list[str]:
    """The 64 rounds over a block whose schedule plus round constants lie in memory."""
    s = list(state)
    for address in addresses:
        s = _round(c, s, c.load_splat(address))
    return s


def _round(c: VectorCode, state: Sequence[str], schedule_and_constant: str) -> list[str]:
    a, b, cc, d, e, f, g, h = state
    big1 = c.xor(c.xor(c.rotate_right(e, 6), c.rotate_right(e, 11)), c.rotate_right(e, 25))
    big0 = c.xor(c.xor(c.rotate_right(a, 2), c.rotate_right(a, 13)), c.rotate_right(a, 22))
    choose = c.xor(g, c.and_(e, c.xor(f, g)))
    majority = c.majority(a, b, cc)
    t1 = c.add(c.add(h, big1), c.add(choose, schedule_and_constant))
    return [c.add(t1, c.add(big0, majority)), a, b, cc, c.add(d, t1), e, f, g]
