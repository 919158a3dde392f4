"""Schnorr signatures of BIP-340, one call at a time: the readable reference beside the batches.

Messages may have any length; Bitcoin signs 32-byte digests. Keys are x-only, 32 bytes.
"""

from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    CONTEXT,
    NULL,
    check_bytes,
    ffi,
    find_x_only,
    lib,
    make_keypair,
    serialize_x_only,
)

__all__ = ["public_key", "sign", "verify"]

_AUX_BYTES = 32
_EXTRA_MAGIC = b"\xda\x6f\xb3\x8c"  # SECP256K1_SCHNORRSIG_EXTRAPARAMS_MAGIC, secp256k1_schnorrsig.h


def public_key(secret: bytes) -> bytes:
    """Return the 32-byte x-only public key of a 32-byte secret.

    Raises ValueError where the secret has another length or is not from 1 to n - 1.
    """
    keypair = make_keypair("secret", secret)
    key = ffi.new("secp256k1_xonly_pubkey *")
    lib.secp256k1_keypair_xonly_pub(CONTEXT, key, NULL, keypair)
    return serialize_x_only(key)


def sign(message: bytes, secret: bytes, aux: bytes = bytes(_AUX_BYTES)) -> bytes:
    """Sign a message of any length: 64 bytes.

    `aux` is BIP-340's 32 bytes of auxiliary randomness; zeros, the default, make the signature a function of
    message and secret alone. Raises ValueError for an unusable secret or another length of `aux`.

    >>> secret = bytes(31) + bytes([3])
    >>> verify(b"any length", sign(b"any length", secret), public_key(secret))
    True
    """
    check_bytes("message", message)
    check_bytes("aux", aux, _AUX_BYTES)
    keypair = make_keypair("secret", secret)
    aux_buffer = ffi.new("unsigned char[]", list(aux))  # cffi keeps no reference to what a struct points at
    extra = ffi.new("secp256k1_schnorrsig_extraparams *", {"magic": list(_EXTRA_MAGIC), "ndata": aux_buffer})
    signature = ffi.new("unsigned char[]", COMPACT_BYTES)
    lib.secp256k1_schnorrsig_sign_custom(CONTEXT, signature, message, len(message), keypair, extra)
    return bytes(ffi.buffer(signature))


def verify(message: bytes, signature: bytes, key: bytes) -> bool:
    """Say whether a 64-byte signature of a message of any length is that of a 32-byte x-only key.

    False for anything of the right lengths that is no valid signature or no x of the curve; raises ValueError
    only where signature or key have another length.
    """
    check_bytes("message", message)
    check_bytes("signature", signature, COMPACT_BYTES)
    point = find_x_only("key", key)
    return point is not None and bool(lib.secp256k1_schnorrsig_verify(CONTEXT, signature, message, len(message), point))
