"""The hashes that Bitcoin builds from SHA-256 and RIPEMD-160, one message at a time.

RIPEMD-160 comes from OpenSSL where it has it (some builds leave it out) and from the code below elsewhere; both give
the same bytes.
"""

import hashlib

__all__ = ["hash160", "ripemd160", "ripemd160_plain"]

_MASK = 0xFFFFFFFF

# RIPEMD-160 (Dobbertin, Bosselaers, Preneel 1996, Appendix A): order of the message words, amounts of the rotates
# and constants of the left and the right line, five rounds of sixteen steps each.
_WORDS_LEFT = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8),
    (3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12),
    (1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2),
    (4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13),
)
_WORDS_RIGHT = (
    (5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12),
    (6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2),
    (15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13),
    (8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14),
    (12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11),
)
_TURNS_LEFT = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12),
    (11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5),
    (11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12),
    (9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6),
)
_TURNS_RIGHT = (
    (8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6),
    (9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11),
    (9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5),
    (15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8),
    (8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11),
)
_ADDED_LEFT = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_ADDED_RIGHT = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)


def ripemd160_plain(message: bytes) -> bytes:
    """Return the RIPEMD-160 digest (20 bytes) of `message`, computed in Python.

    >>> ripemd160_plain(b"abc").hex()
    '8eb208f7e05d987a9b044a8e98c6b087f15a0bfc'
    """
    padding = b"\x80" + bytes((55 - len(message)) % 64) + (8 * len(message)).to_bytes(8, "little")
    padded = message + padding
    state = list(_START)
    for start in range(0, len(padded), 64):
        words = [int.from_bytes(padded[i : i + 4], "little") for i in range(start, start + 64, 4)]
        left = _line(state, words, _WORDS_LEFT, _TURNS_LEFT, _ADDED_LEFT, (0, 1, 2, 3, 4))
        right = _line(state, words, _WORDS_RIGHT, _TURNS_RIGHT, _ADDED_RIGHT, (4, 3, 2, 1, 0))
        state = [(state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5)]
    return b"".join(word.to_bytes(4, "little") for word in state)


def _line(
    state: list[int],
    words: list[int],
    orders: tuple[tuple[int, ...], ...],
    turns: tuple[tuple[int, ...], ...],
    added: tuple[int, ...],
    functions: tuple[int, ...],
) -> list[int]:
    """Run one of the two parallel lines of the compression function over a block of sixteen words."""
    a, b, c, d, e = state
    for round_ in range(5):
        for step in range(16):
            mixed = _mix(functions[round_], b, c, d)
            total = (a + mixed + words[orders[round_][step]] + added[round_]) & _MASK
            a, b, c, d, e = e, (_turn(total, turns[round_][step]) + e) & _MASK, b, _turn(c, 10), d
    return [a, b, c, d, e]


def _mix(function: int, x: int, y: int, z: int) -> int:
    if function == 0:
        return x ^ y ^ z
    if function == 1:
        return (x & y) | (~x & z)
    if function == 2:
        return (x | ~y) ^ z
    if function == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


def _turn(word: int, by: int) -> int:
    return ((word << by) | (word >> (32 - by))) & _MASK


def _ripemd160_openssl(message: bytes) -> bytes:
    return hashlib.new("ripemd160", message).digest()


def _openssl_has_ripemd160() -> bool:
    """Ask OpenSSL itself: it may list the name and still refuse it (the legacy provider of OpenSSL 3.0)."""
    try:
        hashlib.new("ripemd160")
    except ValueError:
        return False
    return True


ripemd160 = _ripemd160_openssl if _openssl_has_ripemd160() else ripemd160_plain
"""RIPEMD-160 of one message, 20 bytes: OpenSSL's where it has it, `ripemd160_plain` otherwise."""


def hash160(message: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256 of `message` (20 bytes), Bitcoin's short hash of public keys and scripts."""
    return ripemd160(hashlib.sha256(message).digest())
