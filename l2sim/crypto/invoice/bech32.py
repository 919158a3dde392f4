"""Text of five-bit words behind a readable prefix, with a checksum (BIP 173).

Words are held as `bytes` of values from 0 to 31. BIP 173 ends a string at 90 characters; BOLT 11 lifts that limit, and
so does this module.

>>> encode("abcdef", bytes(range(32)))
'abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw'
"""

__all__ = ["decode", "encode", "to_bytes", "to_words", "word_bits"]

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # BIP 173, "Bech32": the letter of each word
CHECKSUM_WORDS = 6
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
_DIGITS = b"0123456789abcdefghijklmnopqrstuv".ljust(256)  # the digit of each word in Python's base 32
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)  # BIP 173, "Checksum"


def encode(prefix: str, words: bytes) -> str:
    """Return prefix, separator, words and checksum in lower case.

    Raises ValueError where the prefix is empty, not in lower case or not printable ASCII, or a word is above 31.
    """
    if prefix != prefix.lower():
        raise ValueError(f"prefix: must be in lower case (got {prefix!r})")
    _check_prefix(prefix)
    if words and max(words) > 31:
        raise ValueError(f"words: must be from 0 to 31 (got {max(words)})")
    residue = _residue(_spread(prefix) + words + bytes(CHECKSUM_WORDS)) ^ 1
    checksum = bytes(residue >> 5 * (CHECKSUM_WORDS - 1 - i) & 31 for i in range(CHECKSUM_WORDS))
    return prefix + "1" + "".join([ALPHABET[word] for word in words + checksum])


def decode(text: str) -> tuple[str, bytes]:
    """Return the prefix in lower case and the words of a string, without its checksum.

    Raises ValueError where upper and lower case are mixed, the separator is missing, a character is not of the
    alphabet, the string is too short or the checksum does not hold.
    """
    if not text.isascii():  # a few other letters become ASCII when their case is changed
        raise ValueError(f"bech32: must be printable ASCII characters (got {text[:20]!r}...)")
    if text not in (text.lower(), text.upper()):
        raise ValueError(f"bech32: must not mix upper and lower case (got {text[:20]!r}...)")
    prefix, separator, letters = text.lower().rpartition("1")
    if not separator:
        raise ValueError(f"bech32: must have the separator '1' after its prefix (got {text[:20]!r}...)")
    _check_prefix(prefix)
    if len(letters) < CHECKSUM_WORDS:
        raise ValueError(f"bech32: must end in a checksum of 6 characters (got {len(letters)} after the separator)")
    for place, letter in enumerate(letters, start=len(prefix) + 1):
        if letter not in _VALUE:
            raise ValueError(f"bech32: must hold characters of its alphabet only (got {letter!r} at {place})")
    words = bytes(_VALUE[letter] for letter in letters)
    residue = _residue(_spread(prefix) + words)
    if residue != 1:
        raise ValueError(f"bech32: its checksum must leave the remainder 1 (got {residue}): some character is wrong")
    return prefix, words[:-CHECKSUM_WORDS]


def to_words(data: bytes) -> bytes:
    """Return bytes as five-bit words, most significant bit first, the last filled up with zero bits.

    >>> to_words(b"\\xff").hex()
    '1f1c'
    """
    count = -(-8 * len(data) // 5)
    number = int.from_bytes(data, "big") << 5 * count - 8 * len(data)
    return bytes(number >> 5 * (count - 1 - i) & 31 for i in range(count))


def to_bytes(name: str, words: bytes) -> bytes:
    """Return the whole bytes in five-bit words; raise ValueError where the bits left over are not 0 to 4 zeros."""
    left_over = 5 * len(words) % 8
    number = word_bits(words)
    if left_over > 4 or number & (1 << left_over) - 1:
        raise ValueError(
            f"{name}: must be whole bytes and at most 4 zero bits "
            f"(got {5 * len(words)} bits, the last {left_over} {number & (1 << left_over) - 1:0{left_over}b})"
        )
    return (number >> left_over).to_bytes(5 * len(words) // 8, "big")


def word_bits(words: bytes) -> int:
    """Return the words' bits as one number, the first word the most significant."""
    return int(words.translate(_DIGITS), 32) if words else 0


def _check_prefix(prefix: str) -> None:
    if not prefix or not all("!" <= letter <= "~" for letter in prefix):
        raise ValueError(f"prefix: must be one or more printable ASCII characters (got {prefix!r})")


def _spread(prefix: str) -> bytes:
    """The prefix as words, for the checksum."""
    codes = prefix.encode("ascii")
    return bytes(code >> 5 for code in codes) + b"\x00" + bytes(code & 31 for code in codes)


def _residue(words: bytes) -> int:
    """The remainder of the words, as a polynomial over GF(32), by BIP 173's generator."""
    residue = 1
    for word in words:
        top = residue >> 25
        residue = (residue & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                residue ^= generator
    return residue
