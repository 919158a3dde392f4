"""The tagged fields of an invoice: how they are laid out, and the parts that have a form of their own.

A field is its type (one word of five bits), its length in words (two words), then the words. Words are held as `bytes`
of values from 0 to 31.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from l2sim.crypto.invoice.bech32 import ALPHABET, to_bytes, to_words, word_bits
from l2sim.crypto.signatures.keys import is_public_key

__all__ = [
    "FIELD_BYTES_MOST",
    "Fallback",
    "RouteHop",
    "bits_to_words",
    "number_to_words",
    "read_fields",
    "read_route",
    "words_to_bits",
    "write_field",
    "write_route",
]

FIELD_WORDS_MOST = 1023  # BOLT 11: data_length has 10 bits
FIELD_BYTES_MOST = FIELD_WORDS_MOST * 5 // 8

_P2PKH, _P2SH = 17, 18  # BOLT 11: fallback versions that are no witness versions
_WITNESS_VERSIONS = range(17)  # BIP 141
_HOP_BYTES = 51  # BOLT 11, `r`: 33 + 8 + 4 + 4 + 2


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where to pay on chain: a witness version (0 to 16) and program, or 17 or 18 and the hash of a key or script.

    Raises ValueError for another version or a program that no address of that version has.
    """

    version: int
    program: bytes

    def __post_init__(self) -> None:
        if not self.is_known(self.version):
            raise ValueError(f"fallback: its version must be from 0 to 18 (got {self.version})")
        if self.version in (_P2PKH, _P2SH):
            lengths, rule = range(20, 21), "20"
        elif self.version == 0:
            lengths, rule = range(20, 33, 12), "20 or 32"  # BIP 141: P2WPKH, P2WSH
        else:
            lengths, rule = range(2, 41), "2 to 40"  # BIP 141
        if len(self.program) not in lengths:
            raise ValueError(f"fallback: version {self.version} must have {rule} bytes (got {len(self.program)})")

    @staticmethod
    def is_known(version: int) -> bool:
        """Whether a payer understands this version; fields of others are skipped."""
        return version in _WITNESS_VERSIONS or version in (_P2PKH, _P2SH)


@dataclass(frozen=True, slots=True)
class RouteHop:
    """A channel towards the payee that is not in the public graph, and what the node at its start asks for.

    `node_id` is that node's 33-byte key. Raises ValueError where it is no key or a number does not fit its field.
    """

    node_id: bytes
    short_channel_id: int
    fee_base_msat: int
    fee_proportional_millionths: int
    cltv_expiry_delta_blocks: int

    def __post_init__(self) -> None:
        if not is_public_key(self.node_id):
            raise ValueError(f"node_id: must be a compressed point of secp256k1 (got {self.node_id.hex()})")
        for name, bits in (
            ("short_channel_id", 64),
            ("fee_base_msat", 32),
            ("fee_proportional_millionths", 32),
            ("cltv_expiry_delta_blocks", 16),
        ):
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise ValueError(f"{name}: must be from 0 to 2**{bits} - 1 (got {value})")


def write_field(tag: str, words: bytes) -> bytes:
    """Return a field: the type whose letter is `tag`, the length, the words; ValueError above 1023 words."""
    if len(words) > FIELD_WORDS_MOST:
        raise ValueError(f"field {tag}: must be at most {FIELD_WORDS_MOST} words of five bits (got {len(words)})")
    return bytes((ALPHABET.index(tag), len(words) >> 5, len(words) & 31)) + words


def read_fields(words: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each field's letter and words in order; raise ValueError where the last one is cut."""
    place = 0
    while place < len(words):
        start = place + 3
        if start > len(words):
            raise ValueError(f"fields: the last must have a type and a length (got {len(words) - place} words)")
        end = start + (words[place + 1] << 5 | words[place + 2])
        tag = ALPHABET[words[place]]
        if end > len(words):
            raise ValueError(f"field {tag}: must end before the signature (got {end - len(words)} words too many)")
        yield tag, words[start:end]
        place = end


def number_to_words(value: int) -> bytes:
    """Return a number in the fewest words, at least one.

    >>> number_to_words(60).hex()
    '011c'
    """
    count = max(1, -(-value.bit_length() // 5))
    return bytes(value >> 5 * (count - 1 - i) & 31 for i in range(count))


def bits_to_words(bits: tuple[int, ...]) -> bytes:
    """Return a feature vector: the words in which just these bits are set, bit 0 the last of the last word."""
    return number_to_words(sum(1 << bit for bit in bits))


def words_to_bits(words: bytes) -> tuple[int, ...]:
    """Return which bits of a feature vector are set, from the lowest up."""
    number = word_bits(words)
    return tuple(bit for bit in range(number.bit_length()) if number >> bit & 1)


def write_route(route: tuple[RouteHop, ...]) -> bytes:
    """Return the words of a route, its hops in the order of payment."""
    return to_words(
        b"".join(
            hop.node_id
            + hop.short_channel_id.to_bytes(8, "big")
            + hop.fee_base_msat.to_bytes(4, "big")
            + hop.fee_proportional_millionths.to_bytes(4, "big")
            + hop.cltv_expiry_delta_blocks.to_bytes(2, "big")
            for hop in route
        )
    )


def read_route(words: bytes) -> tuple[RouteHop, ...]:
    """Return the hops of a route; raise ValueError where they are not one or more whole ones."""
    data = to_bytes("field r", words)
    if not data or len(data) % _HOP_BYTES:
        raise ValueError(f"field r: must be one or more hops of {_HOP_BYTES} bytes (got {len(data)} bytes)")
    return tuple(
        RouteHop(
            node_id=data[at : at + 33],
            short_channel_id=int.from_bytes(data[at + 33 : at + 41], "big"),
            fee_base_msat=int.from_bytes(data[at + 41 : at + 45], "big"),
            fee_proportional_millionths=int.from_bytes(data[at + 45 : at + 49], "big"),
            cltv_expiry_delta_blocks=int.from_bytes(data[at + 49 : at + 51], "big"),
        )
        for at in range(0, len(data), _HOP_BYTES)
    )
