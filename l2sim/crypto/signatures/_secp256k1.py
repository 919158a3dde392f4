"""The thin layer over libsecp256k1 (through coincurve's own bindings) that every module of this room stands on.

libsecp256k1 aborts the process when it is handed an object it did not make, and coincurve's Python classes accept
data of other lengths than they should. So each byte string is measured here before C sees it, and only objects
that libsecp256k1 itself has filled are handed back to it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from coincurve._libsecp256k1 import ffi as ffi
from coincurve._libsecp256k1 import lib as lib
from coincurve.context import GLOBAL_CONTEXT

CONTEXT = GLOBAL_CONTEXT.ctx
"""The signing context; safe to share between threads as long as nobody randomises it again."""

NULL = ffi.NULL

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Number n of points of secp256k1 (SEC 2 version 2.0, section 2.4.1)."""

SECRET_BYTES = 32
PUBLIC_KEY_BYTES = 33  # SEC 1 version 2.0, section 2.3.3: 02 or 03, then x
X_ONLY_BYTES = 32  # BIP-340
DIGEST_BYTES = 32
COMPACT_BYTES = 64  # r, s; each 32 bytes big-endian
RECOVERABLE_BYTES = 65  # r, s, recovery id 0..3

CData = Any
"""An object of libsecp256k1 held by cffi, which has no static types."""


def check_bytes(name: str, data: bytes, length: int | None = None) -> None:
    """Refuse anything but `bytes` of exactly this length, or of any length where none is given.

    Raises TypeError for another type, subclasses too, whose length and slices may be what they like; ValueError
    for another length.
    """
    if type(data) is not bytes:
        raise TypeError(f"{name}: must be bytes (got {type(data).__name__}); convert it with bytes(...)")
    if length is not None and len(data) != length:
        raise ValueError(f"{name}: must be exactly {length} bytes (got {len(data)})")


def check_secret(name: str, secret: bytes) -> None:
    """Refuse anything but 32 bytes that hold a number from 1 to n - 1."""
    check_bytes(name, secret, SECRET_BYTES)
    if not lib.secp256k1_ec_seckey_verify(CONTEXT, secret):
        raise ValueError(f"{name}: must be a number from 1 to n - 1, n the order of secp256k1")


class KeyForm(NamedTuple):
    """A key as bytes, the type that libsecp256k1 makes of it, and how that is filled (0 where the key is none)."""

    key_bytes: int
    type: str
    parse: Callable[[CData, bytes | CData], int]


COMPRESSED = KeyForm(
    PUBLIC_KEY_BYTES,
    "secp256k1_pubkey",
    lambda into, data: int(lib.secp256k1_ec_pubkey_parse(CONTEXT, into, data, PUBLIC_KEY_BYTES)),
)
X_ONLY = KeyForm(
    X_ONLY_BYTES,
    "secp256k1_xonly_pubkey",
    lambda into, data: int(lib.secp256k1_xonly_pubkey_parse(CONTEXT, into, data)),
)
KEYPAIR = KeyForm(
    SECRET_BYTES,
    "secp256k1_keypair",
    lambda into, data: int(lib.secp256k1_keypair_create(CONTEXT, into, data)),
)


def find_public_key(name: str, data: bytes) -> CData | None:
    """Parse a 33-byte compressed public key, or return None where it is no point of the curve."""
    return _find(COMPRESSED, name, data)


def find_x_only(name: str, data: bytes) -> CData | None:
    """Parse a 32-byte x-only public key (BIP-340), or return None where no point has this x."""
    return _find(X_ONLY, name, data)


def parse_public_key(name: str, data: bytes) -> CData:
    """Parse a 33-byte compressed public key; raise ValueError where it is no point of the curve."""
    parsed = find_public_key(name, data)
    if parsed is None:
        raise ValueError(f"{name}: must be a compressed point of secp256k1, 02 or 03 then x (got {data.hex()})")
    return parsed


def serialize_public_key(parsed: CData) -> bytes:
    """Return the 33 bytes of a public key that libsecp256k1 holds."""
    out = ffi.new("unsigned char[]", PUBLIC_KEY_BYTES)
    length = ffi.new("size_t *", PUBLIC_KEY_BYTES)
    lib.secp256k1_ec_pubkey_serialize(CONTEXT, out, length, parsed, lib.SECP256K1_EC_COMPRESSED)
    return bytes(ffi.buffer(out))


def serialize_x_only(parsed: CData) -> bytes:
    """Return the 32 bytes of an x-only key that libsecp256k1 holds."""
    out = ffi.new("unsigned char[]", X_ONLY_BYTES)
    lib.secp256k1_xonly_pubkey_serialize(CONTEXT, out, parsed)
    return bytes(ffi.buffer(out))


def make_keypair(name: str, secret: bytes) -> CData:
    """Return libsecp256k1's key pair of a secret; raise ValueError where the secret is not from 1 to n - 1."""
    check_secret(name, secret)
    keypair = ffi.new("secp256k1_keypair *")
    lib.secp256k1_keypair_create(CONTEXT, keypair, secret)
    return keypair


def _find(form: KeyForm, name: str, data: bytes) -> CData | None:
    check_bytes(name, data, form.key_bytes)
    parsed = ffi.new(form.type + " *")
    return parsed if form.parse(parsed, data) else None
