"""Per-commitment secrets: made from one seed, kept by the receiver in at most 49 places.

Source: BOLT 3, "Per-commitment Secret Requirements" and "Efficient Per-commitment Secret Storage". Secrets are
used from index 2**48 - 1 downwards, so each one gives away only those that came before it.
"""

from hashlib import sha256

__all__ = ["FIRST_INDEX", "INDEX_BITS", "SecretStore", "per_commitment_index", "per_commitment_secret"]

INDEX_BITS = 48
FIRST_INDEX = (1 << INDEX_BITS) - 1


def per_commitment_index(commitment_number: int) -> int:
    """Return the index of a commitment's secret: the first commitment, number 0, uses the highest index."""
    if not 0 <= commitment_number <= FIRST_INDEX:
        raise ValueError(f"commitment_number: must be from 0 to {FIRST_INDEX} (got {commitment_number})")
    return FIRST_INDEX - commitment_number


def per_commitment_secret(seed: bytes, index: int) -> bytes:
    """Return the 32-byte secret at `index` of the chain that a 32-byte seed starts (`generate_from_seed`).

    >>> per_commitment_secret(bytes(32), FIRST_INDEX).hex()[:16]
    '02a40c85b6f28da0'
    """
    _check_index(index)
    if len(seed) != 32:
        raise ValueError(f"seed: must be exactly 32 bytes (got {len(seed)})")
    return _descend(seed, index, INDEX_BITS)


class SecretStore:
    """What a receiver keeps: enough to find every secret it was ever given, in at most 49 entries.

    >>> store = SecretStore()
    >>> for index in (FIRST_INDEX, FIRST_INDEX - 1, FIRST_INDEX - 2):
    ...     store.insert(index, per_commitment_secret(bytes(32), index))
    >>> store.secret(FIRST_INDEX - 1) == per_commitment_secret(bytes(32), FIRST_INDEX - 1), len(store)
    (True, 2)
    """

    __slots__ = ("_known", "_next")

    def __init__(self) -> None:
        self._known: list[tuple[int, bytes]] = []  # (index, secret), by the number of zero bits that end the index
        self._next = FIRST_INDEX

    def __len__(self) -> int:
        return len(self._known)

    @property
    def next_index(self) -> int:
        """The index that the next secret must have."""
        return self._next

    def insert(self, index: int, secret: bytes) -> None:
        """Keep the next secret.

        Raises ValueError where the index is not the next one downwards, or where the secret does not give the
        older ones it must give: then the peer is cheating or broken and the channel must be failed.
        """
        if index != self._next:
            raise ValueError(f"index: must be the next one downwards, {self._next} (got {index})")
        if len(secret) != 32:
            raise ValueError(f"secret: must be exactly 32 bytes (got {len(secret)})")
        place = _trailing_zeros(index)
        for older, known in self._known[:place]:
            if _descend(secret, older, place) != known:
                raise ValueError(f"secret: must lead to the secret of index {older} that was given before")
        self._known[place : place + 1] = [(index, secret)]
        self._next = index - 1

    def secret(self, index: int) -> bytes:
        """Return the secret at an index that was inserted; raise LookupError where none leads to it."""
        _check_index(index)
        for place, (known_index, known) in enumerate(self._known):
            if index >> place == known_index >> place:
                return _descend(known, index, place)
        raise LookupError(f"index: must be above {self._next}, the next to come (got {index})")


def _descend(secret: bytes, index: int, bits: int) -> bytes:
    """Flip and hash for every bit set among the lowest `bits` of the index, from the highest (`derive_secret`)."""
    value = bytearray(secret)
    for bit in range(bits - 1, -1, -1):
        if index >> bit & 1:
            value[bit // 8] ^= 1 << bit % 8
            value = bytearray(sha256(value).digest())
    return bytes(value)


def _trailing_zeros(index: int) -> int:
    return (index & -index).bit_length() - 1 if index else INDEX_BITS


def _check_index(index: int) -> None:
    if not 0 <= index <= FIRST_INDEX:
        raise ValueError(f"index: must be from 0 to {FIRST_INDEX} (got {index})")
