"""Starknet's packing of field elements into fewer ones, since its version 0.13.3 ("stateless compression").

    packed  = header || values || pointers || places       each list packed by itself, lowest digit first
    header  = version || elements || lengths of the six buckets || repetitions        nine numbers of 20 bits
    values  = each bucket from the widest to the narrowest: what is in it for the first time
    pointers = for each repetition, which of the values it is
    places  = for each element in order its bucket, or 6 for a repetition

A value goes into the narrowest bucket that it fits, of 252, 125, 83, 62, 31 or 15 bits; an element holds as many of
them as go into 251 bits. Sources: starknet-io/starknet-docs 9736ff0b, learn/protocol/data-availability.mdx, v0.13.3;
starkware-libs/sequencer de69f82d, crates/starknet_os, stateless_compression/utils.rs.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

VERSION: Final = 0
ELEMENT_BITS: Final = 251
"""What of an element is used where several numbers go into one."""
BUCKET_BITS: Final = (252, 125, 83, 62, 31, 15)
REPEATED: Final = len(BUCKET_BITS)
"""The bucket of elements that were there before."""
PLACES: Final = REPEATED + 1
HEADER_BOUND: Final = 1 << 20
HEADER_NUMBERS: Final = 2 + PLACES
MOST_ELEMENTS: Final = HEADER_BOUND - 1


def pack_elements(elements: Sequence[int]) -> list[int]:
    """The same in fewer elements; raises ValueError for more than a header can count, or one of more than 252 bits.

    >>> [hex(element) for element in pack_elements([2, 3, 1])]
    ['0x300000000000000000000000000000300000', '0x40018002', '0x11d']
    """
    if len(elements) > MOST_ELEMENTS:
        raise ValueError(f"elements must be at most {MOST_ELEMENTS} (got {len(elements)})")
    buckets: list[dict[int, int]] = [{} for _ in BUCKET_BITS]
    repeated: list[tuple[int, int]] = []
    places: list[int] = []
    for element in elements:
        place = bucket_of(element)
        bucket = buckets[place]
        if element in bucket:
            repeated.append((place, bucket[element]))
            places.append(REPEATED)
        else:
            bucket[element] = len(bucket)
            places.append(place)
    lengths = [len(bucket) for bucket in buckets]
    starts = [sum(lengths[:place]) for place in range(len(lengths))]
    packed = _pack([VERSION, len(elements), *lengths, len(repeated)], HEADER_BOUND)
    for bucket, bits in zip(buckets, BUCKET_BITS, strict=True):
        packed += list(bucket) if bits > ELEMENT_BITS else _pack(list(bucket), 1 << bits, ELEMENT_BITS // bits)
    packed += _pack([starts[place] + index for place, index in repeated], sum(lengths))
    return packed + _pack(places, PLACES)


def unpack_elements(packed: deque[int]) -> list[int]:
    """What was packed, taken off the left of `packed`; raises ValueError where it is not of the form above."""
    header = _unpack(packed, HEADER_NUMBERS, HEADER_BOUND)
    if header[0] != VERSION:
        raise ValueError(f"packed elements must be of version {VERSION} (got {header[0]})")
    count, lengths, repetitions = header[1], header[2:-1], header[-1]
    values: list[int] = []
    ends: list[int] = []
    for bits, length in zip(BUCKET_BITS, lengths, strict=True):
        if bits > ELEMENT_BITS:
            values += _taken(packed, length)
        else:
            values += _unpack(packed, length, 1 << bits, ELEMENT_BITS // bits)
        ends.append(len(values))
    pointers = _unpack(packed, repetitions, len(values))
    starts = [0, *ends]
    values += [values[pointer] for pointer in pointers]
    ends.append(len(values))
    elements: list[int] = []
    for place in _unpack(packed, count, PLACES):
        if starts[place] == ends[place]:
            raise ValueError(f"element {len(elements)} must be in a bucket that still holds one (got bucket {place})")
        elements.append(values[starts[place]])
        starts[place] += 1
    return elements


def bucket_of(element: int) -> int:
    """The narrowest bucket that an element fits; raises ValueError where none is wide enough."""
    bits = element.bit_length()
    for place in range(REPEATED - 1, -1, -1):
        if bits <= BUCKET_BITS[place]:
            return place
    raise ValueError(f"elements must have at most {BUCKET_BITS[0]} bits (got {bits})")


def _room(bound: int) -> int:
    """How many numbers go into an element; `bound` is one more than the greatest."""
    return ELEMENT_BITS if bound <= 1 else ELEMENT_BITS // bound.bit_length()


def _pack(numbers: Sequence[int], bound: int, room: int = 0) -> list[int]:
    step = room or _room(bound)
    packed = []
    for start in range(0, len(numbers), step):
        element = 0
        for number in reversed(numbers[start : start + step]):
            element = element * bound + number
        packed.append(element)
    return packed


def _unpack(packed: deque[int], count: int, bound: int, room: int = 0) -> list[int]:
    step = room or _room(bound)
    numbers: list[int] = []
    for element in _taken(packed, -(-count // step)):
        rest = element
        for _ in range(min(step, count - len(numbers))):
            rest, number = divmod(rest, max(bound, 1))
            numbers.append(number)
        if rest:
            raise ValueError(f"a packed element must hold numbers below {bound} and no more of them (got {element})")
    return numbers


def _taken(packed: deque[int], count: int) -> list[int]:
    if len(packed) < count:
        raise ValueError(f"packed elements must go on for {count} elements (got {len(packed)})")
    return [packed.popleft() for _ in range(count)]
