"""Blobs as the OP Stack and Arbitrum fill them, and the commitments that stand for them in a transaction.

The OP Stack's encoding keeps each field element of 32 bytes below the curve's modulus by using only the lower six
bits of its first byte: four elements carry 4 x 31 bytes and three more in those bits, 127 bytes a round, 1,024 rounds
a blob; the first four bytes are the version and the length. Source: ethereum-optimism/specs, protocol/derivation.md,
blob encoding. Arbitrum's goes further and uses all 254 bits (`encode_nitro_blobs`).
"""

import hashlib
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.kzg import BLOB_BYTES, FIELD_ELEMENT_BYTES, KzgSetup, KzgUnavailableError, load_setup, versioned_hash
from l2sim.errors import InputError

ROUNDS = 1024
ROUND_BYTES = 4 * 31 + 3
HEADER_BYTES = 4
VERSION = 0
MOST_DATA_BYTES = ROUNDS * ROUND_BYTES - HEADER_BYTES
"""130,044: what one blob holds."""

GIST_BYTES = 256
"""Of a blob's beginning in the stand-in for its commitment."""

Committer = Callable[[Sequence[bytes]], list[bytes]]
"""From the data of a transaction's blobs to their versioned hashes of 32 bytes."""


def encode_blob(data: bytes) -> bytes:
    """The blob of 131,072 bytes that holds `data`, at most 130,044 bytes; raises ValueError for more.

    >>> decode_blob(encode_blob(b"batch"))
    b'batch'
    """
    if len(data) > MOST_DATA_BYTES:
        raise ValueError(f"data: must be at most {MOST_DATA_BYTES} bytes (got {len(data)})")
    plain = (bytes([VERSION]) + len(data).to_bytes(3, "big") + data).ljust(ROUNDS * ROUND_BYTES, b"\0")
    elements = []
    for start in range(0, HEADER_BYTES + len(data), ROUND_BYTES):
        part = plain[start : start + ROUND_BYTES]
        # In the order of the stream: 31 bytes, one to share out, and so on; the last element only gets its 31 bytes.
        first, x, second, y, third, z, fourth = (
            part[0:31], part[31], part[32:63], part[63], part[64:95], part[95], part[96:127],
        )  # fmt: skip
        heads = (x & 0x3F, (y & 0x0F) | (x & 0xC0) >> 2, z & 0x3F, (z & 0xC0) >> 2 | (y & 0xF0) >> 4)
        for head, body in zip(heads, (first, second, third, fourth), strict=True):
            elements.append(bytes([head]) + body)
    return b"".join(elements).ljust(BLOB_BYTES, b"\0")


def decode_blob(blob: bytes) -> bytes:
    """The data that a blob holds; raises ValueError for a wrong length, version, length field or padding."""
    if len(blob) != BLOB_BYTES:
        raise ValueError(f"blob: must be {BLOB_BYTES} bytes (got {len(blob)})")
    parts: list[bytes] = []
    for start in range(0, BLOB_BYTES, 4 * FIELD_ELEMENT_BYTES):
        a, b, c, d = (blob[start + 32 * i : start + 32 * (i + 1)] for i in range(4))
        if (a[0] | b[0] | c[0] | d[0]) & 0xC0:
            raise ValueError(f"blob: the two highest bits of every field element must be 0 (round at byte {start})")
        x = a[0] & 0x3F | (b[0] & 0x30) << 2
        y = b[0] & 0x0F | (d[0] & 0x0F) << 4
        z = c[0] & 0x3F | (d[0] & 0x30) << 2
        parts += (a[1:], bytes([x]), b[1:], bytes([y]), c[1:], bytes([z]), d[1:])
    plain = b"".join(parts)
    length = int.from_bytes(plain[1:4], "big")
    if plain[0] != VERSION or length > MOST_DATA_BYTES:
        raise ValueError(
            f"blob: must have version {VERSION} and at most {MOST_DATA_BYTES} bytes (got {plain[0]}, {length})"
        )
    if any(plain[HEADER_BYTES + length :]):
        raise ValueError("blob: must hold zeros after its data")
    return plain[HEADER_BYTES : HEADER_BYTES + length]


# -- Arbitrum ---------------------------------------------------------------------------------------------------------

ELEMENTS = BLOB_BYTES // FIELD_ELEMENT_BYTES
SPARE_BITS = 6
NITRO_DATA_BYTES = (8 * (FIELD_ELEMENT_BYTES - 1) + SPARE_BITS) * ELEMENTS // 8
"""130,048: what one blob holds as Arbitrum fills it, 254 bits an element."""


def encode_nitro_blobs(data: bytes) -> list[bytes]:
    """The blobs that hold a batch of Arbitrum's.

    The batch is an RLP string; of each blob's share of it the first part fills the lower 31 bytes of the elements, the
    rest the six bits above them, the lowest bits first. Source: OffchainLabs/nitro 6dce8d13, util/blobs/blobs.go.

    >>> decode_nitro_blobs(encode_nitro_blobs(b"batch"))
    b'batch'
    """
    stream = rlp.encode(data)
    return [
        encode_nitro_blob(stream[start : start + NITRO_DATA_BYTES]) for start in range(0, len(stream), NITRO_DATA_BYTES)
    ]


def encode_nitro_blob(part: bytes) -> bytes:
    """The blob that holds so much of a stream, at most 130,048 bytes; raises ValueError for more."""
    if len(part) > NITRO_DATA_BYTES:
        raise ValueError(f"part: must be at most {NITRO_DATA_BYTES} bytes (got {len(part)})")
    whole = (FIELD_ELEMENT_BYTES - 1) * ELEMENTS
    bodies = np.frombuffer(part[:whole].ljust(whole, b"\0"), np.uint8).reshape(ELEMENTS, FIELD_ELEMENT_BYTES - 1)
    spare = np.frombuffer(part[whole:].ljust(NITRO_DATA_BYTES - whole, b"\0"), np.uint8)
    bits = np.unpackbits(spare, bitorder="little").reshape(ELEMENTS, SPARE_BITS)
    heads = np.packbits(bits, axis=1, bitorder="little")
    return np.hstack([heads, bodies]).tobytes()


def decode_nitro_blobs(blobs: Sequence[bytes]) -> bytes:
    """The batch that these blobs hold; raises ValueError for a wrong length, element, head or padding."""
    parts = []
    for blob in blobs:
        if len(blob) != BLOB_BYTES:
            raise ValueError(f"blob: must be {BLOB_BYTES} bytes (got {len(blob)})")
        elements = np.frombuffer(blob, np.uint8).reshape(ELEMENTS, FIELD_ELEMENT_BYTES)
        if (elements[:, 0] >> SPARE_BITS).any():
            raise ValueError("blob: the two highest bits of every field element must be 0")
        bits = np.unpackbits(elements[:, :1], axis=1, bitorder="little")[:, :SPARE_BITS]
        parts.append(elements[:, 1:].tobytes() + np.packbits(bits.reshape(-1), bitorder="little").tobytes())
    stream = b"".join(parts)
    end = rlp.string_end(stream)
    if any(stream[end:]):
        raise ValueError("blob: must hold zeros after its data")
    data = rlp.decode(stream[:end])
    if not isinstance(data, bytes):
        raise ValueError("blob: must hold a byte string")
    return data


def encode_felt_blob(data: bytes) -> bytes:
    """The blob that holds Starknet's field elements as they are: each is below the modulus of both curves."""
    if len(data) > BLOB_BYTES:
        raise ValueError(f"data: must be at most {BLOB_BYTES} bytes (got {len(data)})")
    return data.ljust(BLOB_BYTES, b"\0")


# -- commitments ------------------------------------------------------------------------------------------------------


def modelled_hashes(blobs: Sequence[bytes]) -> list[bytes]:
    """Versioned hashes of the right size that commit to nothing: the rollup itself never opens a commitment.

    Blobs with other bytes have others, by length, checksum and beginning: hashing all of a blob takes longer than
    compressing it.
    """
    return [b"\x01" + hashlib.sha256(_gist(data)).digest()[1:] for data in blobs]


def _gist(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + zlib.crc32(data).to_bytes(4, "big") + data[:GIST_BYTES]


def kzg_committer(setup_path: str | None, encode: Callable[[bytes], bytes] = encode_blob) -> Committer:
    """Real KZG commitments of the blobs as `encode` fills them, with the trusted setup at `setup_path`.

    Raises InputError that says what to install or set where they cannot be made.
    """
    try:
        setup: KzgSetup = load_setup(setup_path)
    except KzgUnavailableError as error:
        raise InputError(f"batcher.commitments: kzg cannot be used: {error}") from error
    return lambda blobs: [versioned_hash(setup.commit(encode(data))) for data in blobs]
