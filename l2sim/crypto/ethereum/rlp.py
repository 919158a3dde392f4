"""Recursive length prefix: how Ethereum writes byte strings and lists of them (Yellow Paper, Appendix B)."""

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Item", "decode", "encode", "encode_integer"]

Item: TypeAlias = bytes | int | Sequence["Item"]
"""What can be encoded: bytes, a whole number from 0 (as its shortest big-endian bytes), or a list of items."""

Decoded: TypeAlias = bytes | list["Decoded"]

_SHORT = 55  # longest content whose length fits in the first byte
_DEEPEST = 200  # lists within lists that are read; Ethereum's own structures stay below ten


def encode(item: Item) -> bytes:
    """Return the encoding of bytes, a number or a list.

    Raises ValueError for a negative number and TypeError for anything else.

    >>> encode([b"cat", b"dog"]).hex(), encode(1024).hex()
    ('c88363617483646f67', '820400')
    """
    if isinstance(item, int):
        return encode_integer(item)
    if isinstance(item, bytes | bytearray):
        if len(item) == 1 and item[0] < 0x80:
            return bytes(item)
        return _prefix(len(item), 0x80) + item
    if isinstance(item, list | tuple):
        content = b"".join([encode(part) for part in item])
        return _prefix(len(content), 0xC0) + content
    raise TypeError(f"item: must be bytes, a whole number or a list of these (got {type(item).__name__})")


def encode_integer(value: int) -> bytes:
    """Return the encoding of a number from 0: that of its big-endian bytes without leading zeros."""
    if value < 0:
        raise ValueError(f"value: must be at least 0 (got {value})")
    if 0 < value < 0x80:
        return bytes((value,))
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _prefix(len(content), 0x80) + content


def decode(data: bytes) -> Decoded:
    """Return the bytes or nested lists that exactly these bytes encode.

    Raises ValueError where they end early or late, an item is not in its only valid form, or lists are nested more
    than 200 deep.

    >>> decode(bytes.fromhex("c88363617483646f67"))
    [b'cat', b'dog']
    """
    item, end = _decode(data, 0, len(data), 0)
    if end != len(data):
        raise ValueError(f"rlp: must end after {end} bytes (got {len(data)})")
    return item


def _decode(data: bytes, start: int, stop: int, depth: int) -> tuple[Decoded, int]:
    if depth > _DEEPEST:
        raise ValueError(f"rlp: byte {start}: lists must be nested at most {_DEEPEST} deep")
    if start >= stop:
        raise ValueError(f"rlp: an item must start before byte {stop} (got {start})")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    base = 0xC0 if first >= 0xC0 else 0x80
    body, end = _content(data, start, stop, first - base)
    if base == 0x80:
        content = data[body:end]
        if len(content) == 1 and content[0] < 0x80:
            raise ValueError(f"rlp: byte {start}: a byte below 0x80 must stand for itself")
        return content, end
    items: list[Decoded] = []
    while body < end:
        item, body = _decode(data, body, end, depth + 1)
        items.append(item)
    return items, end


def _content(data: bytes, start: int, stop: int, size: int) -> tuple[int, int]:
    """Where the content of the item at `start` begins and ends; `size` is what its first byte says."""
    body, length = start + 1, size
    if size > _SHORT:
        digits = data[body : min(body + size - _SHORT, stop)]
        body += size - _SHORT
        length = int.from_bytes(digits, "big")
        if len(digits) != size - _SHORT or digits[0] == 0 or length <= _SHORT:
            raise ValueError(f"rlp: byte {start}: a length must be in its shortest form (got {digits.hex()})")
    if body + length > stop:
        raise ValueError(f"rlp: byte {start}: its item must end by byte {stop} (got {body + length})")
    return body, body + length


def _prefix(length: int, base: int) -> bytes:
    if length <= _SHORT:
        return bytes((base + length,))
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + _SHORT + len(digits),)) + digits


def string_end(data: bytes, start: int = 0) -> int:
    """Where the byte string ends that begins at `start`; raises ValueError if none begins there.

    >>> string_end(encode(b"dog") + b"more")
    4
    """
    if start >= len(data) or data[start] > 0xBF:
        raise ValueError(f"byte {start} must begin a byte string (got {data[start : start + 1].hex() or 'nothing'})")
    first = data[start]
    if first < 0x80:
        return start + 1
    if first <= 0xB7:
        return start + 1 + first - 0x80
    digits = first - 0xB7
    return start + 1 + digits + int.from_bytes(data[start + 1 : start + 1 + digits], "big")
