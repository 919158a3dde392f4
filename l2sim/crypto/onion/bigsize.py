"""Lightning's numbers and type-length-value records (BOLT 1, "Type-Length-Value Format", "Fundamental Types")."""

__all__ = [
    "decode_bigsize",
    "decode_records",
    "decode_truncated",
    "encode_bigsize",
    "encode_record",
    "encode_truncated",
]


def encode_bigsize(value: int) -> bytes:
    """Return the shortest form, 1 to 9 bytes, of a number below 2**64 (BOLT 1, Appendix A).

    >>> encode_bigsize(252).hex(), encode_bigsize(253).hex(), encode_bigsize(65536).hex()
    ('fc', 'fd00fd', 'fe00010000')
    """
    if value < 0xFD:
        return value.to_bytes(1, "big")
    if value <= 0xFFFF:
        return b"\xfd" + value.to_bytes(2, "big")
    if value <= 0xFFFFFFFF:
        return b"\xfe" + value.to_bytes(4, "big")
    return b"\xff" + value.to_bytes(8, "big")


def decode_bigsize(data: bytes, start: int = 0) -> tuple[int, int]:
    """Return the number at `start` and where it ends; raise ValueError where it is cut or not the shortest form."""
    first = data[start : start + 1]
    if not first:
        raise ValueError(f"bigsize: must have a byte at {start} (got {len(data)} bytes)")
    if first[0] < 0xFD:
        return first[0], start + 1
    length = 2 ** (first[0] - 0xFC)
    end = start + 1 + length
    if len(data) < end:
        raise ValueError(f"bigsize: must end by byte {len(data)} (got {end})")
    value = int.from_bytes(data[start + 1 : end], "big")
    if len(encode_bigsize(value)) != 1 + length:
        raise ValueError(f"bigsize: must be in its shortest form (got {value} in {length} bytes)")
    return value, end


def encode_truncated(value: int) -> bytes:
    """Return a number's big-endian bytes without leading zeros (tu32, tu64): none for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode_truncated(data: bytes, longest: int) -> int:
    """Return the number in at most `longest` bytes; raise ValueError for more bytes or a leading zero."""
    if len(data) > longest or data[:1] == b"\x00":
        raise ValueError(f"number: must be at most {longest} bytes without leading zeros (got {data.hex()})")
    return int.from_bytes(data, "big")


def encode_record(kind: int, value: bytes) -> bytes:
    """Return one record: its type, the length of its value, the value."""
    return encode_bigsize(kind) + encode_bigsize(len(value)) + value


def decode_records(data: bytes) -> dict[int, bytes]:
    """Return the values of a stream by type, in order; raise ValueError where types do not rise or a value is cut."""
    records: dict[int, bytes] = {}
    position, last = 0, -1
    while position < len(data):
        kind, position = decode_bigsize(data, position)
        if kind <= last:
            raise ValueError(f"records: types must rise (got {kind} after {last})")
        length, position = decode_bigsize(data, position)
        value = data[position : position + length]
        if len(value) != length:
            raise ValueError(f"records: the value of type {kind} must be {length} bytes (got {len(value)})")
        records[kind], last, position = value, kind, position + length
    return records
