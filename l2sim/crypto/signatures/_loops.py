"""The batches' inner loops: the C calls of one row after another, for the rows from `start` to `stop`.

This is the readable path, through cffi; `_compiled_loops` does the same faster and is tested equal to it. cffi lets
go of the interpreter lock during each call, so that threads really run side by side. To verify, the many short calls
of a chunk come first and the long ones then follow each other with next to nothing between them: threads that wake
each other for the lock lose more than the short calls take.

Arrays come checked and contiguous, results go into the caller's buffers at the row's own place, and nothing else is
shared: a verifier that works on many rows at once (in vector lanes, say) can stand in for any of these functions.
"""

from collections.abc import Callable
from itertools import starmap
from typing import TYPE_CHECKING

from l2sim.crypto.signatures._arrays import Bytes
from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    CONTEXT,
    DIGEST_BYTES,
    NULL,
    PUBLIC_KEY_BYTES,
    RECOVERABLE_BYTES,
    SECRET_BYTES,
    CData,
    KeyForm,
    ffi,
    lib,
)

if TYPE_CHECKING:
    from l2sim.crypto.signatures.key_table import KeyRows


def _bytes_of(array: Bytes | bytearray) -> CData:
    return ffi.from_buffer("unsigned char[]", array)


def parse_keys(form: KeyForm, data: Bytes, parsed: Bytes, valid: bytearray, start: int, stop: int) -> None:
    """Fill each row of `parsed` with libsecp256k1's form of the key in that row, and set `valid[row]`."""
    into, key = ffi.from_buffer(form.type + "[]", parsed), _bytes_of(data)
    for row in range(start, stop):
        valid[row] = form.parse(into + row, key + row * form.key_bytes)


def verify_ecdsa(
    digests: Bytes, signatures: Bytes, keys: "KeyRows", normalised: bool, valid: bytearray, start: int, stop: int
) -> None:
    """Set `valid[row]` to 1 where the row's ECDSA signature holds; high-S counts only where `normalised`."""
    parse, normalise = lib.secp256k1_ecdsa_signature_parse_compact, lib.secp256k1_ecdsa_signature_normalize
    digest, compact = _bytes_of(digests), _bytes_of(signatures)
    parsed = ffi.new("secp256k1_ecdsa_signature[]", stop - start)
    rows, calls = [], []
    for row, key in zip(range(start, stop), keys.pointers(start, stop), strict=True):
        signature = parsed + (row - start)
        if key is None or not parse(CONTEXT, signature, compact + row * COMPACT_BYTES):
            continue
        if normalised:
            normalise(CONTEXT, signature, signature)
        rows.append(row)
        calls.append((CONTEXT, signature, digest + row * DIGEST_BYTES, key))
    for row, holds in zip(rows, starmap(lib.secp256k1_ecdsa_verify, calls), strict=True):
        valid[row] = holds


def verify_schnorr(
    messages: Bytes, signatures: Bytes, keys: "KeyRows", valid: bytearray, start: int, stop: int
) -> None:
    """Set `valid[row]` to 1 where the row's BIP-340 signature of a 32-byte message holds."""
    message, signature = _bytes_of(messages), _bytes_of(signatures)
    rows, calls = [], []
    for row, key in zip(range(start, stop), keys.pointers(start, stop), strict=True):
        if key is not None:
            place = signature + row * COMPACT_BYTES
            rows.append(row)
            calls.append((CONTEXT, place, message + row * DIGEST_BYTES, DIGEST_BYTES, key))
    for row, holds in zip(rows, starmap(lib.secp256k1_schnorrsig_verify, calls), strict=True):
        valid[row] = holds


def sign_ecdsa(digests: Bytes, secrets: Bytes, signatures: Bytes, start: int, stop: int) -> None:
    """Write each row's 64-byte low-S signature; ValueError at the first row whose secret cannot sign."""
    sign, serialize = lib.secp256k1_ecdsa_sign, lib.secp256k1_ecdsa_signature_serialize_compact
    digest, secret, out = _bytes_of(digests), _bytes_of(secrets), _bytes_of(signatures)
    signature = ffi.new("secp256k1_ecdsa_signature *")
    for row in range(start, stop):
        if not sign(CONTEXT, signature, digest + row * DIGEST_BYTES, secret + row * SECRET_BYTES, NULL, NULL):
            raise unusable_secret(row)
        serialize(CONTEXT, out + row * COMPACT_BYTES, signature)


def sign_ecdsa_recoverable(digests: Bytes, secrets: Bytes, signatures: Bytes, start: int, stop: int) -> None:
    """Write each row's 65-byte signature, recovery id last; ValueError as in `sign_ecdsa`."""
    sign = lib.secp256k1_ecdsa_sign_recoverable
    serialize = lib.secp256k1_ecdsa_recoverable_signature_serialize_compact
    digest, secret, out = _bytes_of(digests), _bytes_of(secrets), _bytes_of(signatures)
    signature, recovery_id = ffi.new("secp256k1_ecdsa_recoverable_signature *"), ffi.new("int *")
    for row in range(start, stop):
        if not sign(CONTEXT, signature, digest + row * DIGEST_BYTES, secret + row * SECRET_BYTES, NULL, NULL):
            raise unusable_secret(row)
        place = row * RECOVERABLE_BYTES
        serialize(CONTEXT, out + place, recovery_id, signature)
        out[place + COMPACT_BYTES] = recovery_id[0]


def sign_schnorr(
    messages: Bytes, secrets: "KeyRows", aux: Bytes | None, signatures: Bytes, start: int, stop: int
) -> None:
    """Write each row's 64-byte BIP-340 signature; ValueError as in `sign_ecdsa`."""
    sign = lib.secp256k1_schnorrsig_sign32
    message, out = _bytes_of(messages), _bytes_of(signatures)
    randomness = None if aux is None else _bytes_of(aux)
    for row, keypair in zip(range(start, stop), secrets.pointers(start, stop), strict=True):
        if keypair is None:
            raise unusable_secret(row)
        extra = NULL if randomness is None else randomness + row * SECRET_BYTES
        sign(CONTEXT, out + row * COMPACT_BYTES, message + row * DIGEST_BYTES, keypair, extra)


def recover(
    digests: Bytes, signatures: Bytes, low_s: bool, keys: Bytes, found: bytearray, start: int, stop: int
) -> None:
    """Write each row's recovered 33-byte key and set `found[row]`; rows without a key stay zero."""
    parse = lib.secp256k1_ecdsa_recoverable_signature_parse_compact
    convert, normalise = lib.secp256k1_ecdsa_recoverable_signature_convert, lib.secp256k1_ecdsa_signature_normalize
    run = lib.secp256k1_ecdsa_recover
    digest, compact = _bytes_of(digests), _bytes_of(signatures)
    signature, plain = ffi.new("secp256k1_ecdsa_recoverable_signature *"), ffi.new("secp256k1_ecdsa_signature *")
    point, write = ffi.new("secp256k1_pubkey *"), _key_writer(keys)
    for row in range(start, stop):
        place = row * RECOVERABLE_BYTES
        recovery_id = compact[place + COMPACT_BYTES]
        if recovery_id > 3 or not parse(CONTEXT, signature, compact + place, recovery_id):
            continue
        if low_s:
            convert(CONTEXT, plain, signature)
            if normalise(CONTEXT, NULL, plain):  # says whether s was high
                continue
        if run(CONTEXT, point, signature, digest + row * DIGEST_BYTES):
            write(row, point)
            found[row] = 1


def public_keys(secrets: Bytes, keys: Bytes, start: int, stop: int) -> None:
    """Write each row's 33-byte public key; ValueError as in `sign_ecdsa`."""
    secret, point, write = _bytes_of(secrets), ffi.new("secp256k1_pubkey *"), _key_writer(keys)
    for row in range(start, stop):
        if not lib.secp256k1_ec_pubkey_create(CONTEXT, point, secret + row * SECRET_BYTES):
            raise unusable_secret(row)
        write(row, point)


def _key_writer(keys: Bytes) -> Callable[[int, CData], None]:
    """Return a function that writes libsecp256k1's public key to a row of 33 bytes."""
    serialize, flags = lib.secp256k1_ec_pubkey_serialize, lib.SECP256K1_EC_COMPRESSED
    out, length = _bytes_of(keys), ffi.new("size_t *", PUBLIC_KEY_BYTES)

    def write(row: int, point: CData) -> None:
        serialize(CONTEXT, out + row * PUBLIC_KEY_BYTES, length, point, flags)

    return write


def unusable_secret(row: int) -> ValueError:
    """The error of a secret that is zero or not below the order."""
    return ValueError(f"secrets[{row}]: must be a number from 1 to n - 1, n the order of secp256k1")
