"""Root of Ethereum's Merkle-Patricia trie, computed whole from its pairs: an oracle for small tries.

Yellow Paper, Appendix D: keys are paths of half-bytes; a node is a leaf, an extension over a shared path, or a branch
of sixteen children and a value, written in RLP; a node of at least 32 bytes stands in its parent as its hash.
"""

from collections.abc import Mapping

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.hashing.reference import keccak256

EMPTY_ROOT = keccak256(rlp.encode(b""))

_Pairs = list[tuple[bytes, bytes]]  # (half-bytes of the key, one a byte; value), sorted by key


def patricia_root(pairs: Mapping[bytes, bytes], *, secure: bool = False) -> bytes:
    """Return the root of the trie that holds `pairs`; an empty value is no entry.

    `secure` hashes the keys first, as the state trie does.

    >>> patricia_root({b"dog": b"puppy"}).hex()[:16]
    'ed6e08740e4a267e'
    """
    entries = [(_half_bytes(keccak256(key) if secure else key), value) for key, value in pairs.items() if value]
    return keccak256(rlp.encode(_node(sorted(entries), 0)))


def list_root(items: list[bytes]) -> bytes:
    """Return the root of a list, as block headers commit to transactions: each key is the RLP of the item's place."""
    return patricia_root({rlp.encode(place): item for place, item in enumerate(items)})


def _half_bytes(key: bytes) -> bytes:
    return bytes(half for byte in key for half in (byte >> 4, byte & 15))


def _node(pairs: _Pairs, depth: int) -> rlp.Item:
    """Return the node under which `pairs` hang, whose keys agree in their first `depth` half-bytes."""
    if not pairs:
        return b""
    first, value = pairs[0]
    if len(pairs) == 1:
        return [_path(first[depth:], leaf=True), value]
    shared = _shared(first, pairs[-1][0])  # of sorted keys, the first and the last differ soonest
    if shared > depth:
        return [_path(first[depth:shared], leaf=False), _reference(_node(pairs, shared))]
    children: list[_Pairs] = [[] for _ in range(16)]
    here = b""
    for key, value in pairs:
        if len(key) == depth:
            here = value
        else:
            children[key[depth]].append((key, value))
    return [*(_reference(_node(child, depth + 1)) for child in children), here]


def _reference(node: rlp.Item) -> rlp.Item:
    encoded = rlp.encode(node)
    return node if len(encoded) < 32 else keccak256(encoded)


def _shared(a: bytes, b: bytes) -> int:
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return length


def _path(half_bytes: bytes, leaf: bool) -> bytes:
    """Return the hex-prefix encoding (Appendix C): a flag for leaves, a flag for odd length, then the path."""
    odd = len(half_bytes) % 2
    whole = bytes([2 * leaf + odd, *([] if odd else [0]), *half_bytes])
    return bytes(whole[i] << 4 | whole[i + 1] for i in range(0, len(whole), 2))
