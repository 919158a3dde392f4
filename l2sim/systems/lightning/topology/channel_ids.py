"""Short channel ids in their two written forms: block x transaction x output, and LND's one 64-bit number."""

from typing import Final

BLOCK_BITS: Final = 24  # BOLT 7: 3 bytes of block height, 3 of transaction index, 2 of output index
TRANSACTION_BITS: Final = 24
OUTPUT_BITS: Final = 16


def from_number(number: int) -> str:
    """The readable form of LND's 64-bit channel id.

    >>> from_number(559493088906641408)
    '508856x657x0'
    """
    output = number & ((1 << OUTPUT_BITS) - 1)
    transaction = (number >> OUTPUT_BITS) & ((1 << TRANSACTION_BITS) - 1)
    return f"{number >> (OUTPUT_BITS + TRANSACTION_BITS)}x{transaction}x{output}"


def to_number(name: str) -> int | None:
    """LND's number for a short channel id in its readable form, or None if it is not one.

    >>> to_number("508856x657x0"), to_number("alice-bob")
    (559493088906641408, None)
    """
    parts = name.split("x")
    if len(parts) != 3 or not all(part.isdecimal() and part.isascii() and len(part) <= 8 for part in parts):
        return None
    block, transaction, output = map(int, parts)
    if block >> BLOCK_BITS or transaction >> TRANSACTION_BITS or output >> OUTPUT_BITS:
        return None
    number = (((block << TRANSACTION_BITS) | transaction) << OUTPUT_BITS) | output
    return number if from_number(number) == name else None  # "01x2x3" is not the written form
