"""The loops of `_loops` as compiled code: one call from Python for all rows of a thread's share.

cffi lets go of the interpreter lock in each call and takes it again after it, so that two threads of short calls
wait for each other; here a thread needs it only between shares. The functions take what those of `_loops` take and
do the same.
"""

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from l2sim.crypto import compiler
from l2sim.crypto.compiler import CompiledKernel, KernelUnavailableError
from l2sim.crypto.signatures import _loop_text, _loops, _secp256k1
from l2sim.crypto.signatures._arrays import Bytes
from l2sim.crypto.signatures._secp256k1 import COMPRESSED, CONTEXT, KEYPAIR, X_ONLY, KeyForm, ffi, lib

if TYPE_CHECKING:
    from l2sim.crypto.signatures.key_table import KeyRows

Column = np.ndarray[Any, Any]

_NAME = "secp256k1_loops"
_PARSERS = {
    COMPRESSED: ("parse_compressed", "secp256k1_ec_pubkey_parse"),
    X_ONLY: ("parse_x_only", "secp256k1_xonly_pubkey_parse"),
    KEYPAIR: ("make_keypairs", "secp256k1_keypair_create"),
}


def load() -> CompiledKernel:
    """Return the compiled loops; raise `KernelUnavailableError` with the reason where they cannot run."""
    found = _load()
    if isinstance(found, KernelUnavailableError):
        raise found
    return found


@lru_cache(maxsize=1)
def _load() -> CompiledKernel | KernelUnavailableError:
    written = _loop_text.loops()
    arguments = {c.name: [*[ctypes.c_void_p] * len(c.pointers), ctypes.c_int64, ctypes.c_int64] for c in written}
    modules = (_loop_text.__name__, _secp256k1.__name__)
    try:
        return compiler.load_kernel(_NAME, modules, lambda: "\n".join(c.text() for c in written), arguments)
    except KernelUnavailableError as error:
        return error


def parse_keys(form: KeyForm, data: Bytes, parsed: Bytes, valid: bytearray, start: int, stop: int) -> None:
    """Fill each row of `parsed` with libsecp256k1's form of the key in that row, and set `valid[row]`."""
    loop, function = _PARSERS[form]
    _run(loop, [function], [data, parsed], valid, start, stop)


def verify_ecdsa(
    digests: Bytes, signatures: Bytes, keys: "KeyRows", normalised: bool, valid: bytearray, start: int, stop: int
) -> None:
    """Set `valid[row]` to 1 where the row's ECDSA signature holds; high-S counts only where `normalised`."""
    _run(
        "verify_ecdsa_normalised" if normalised else "verify_ecdsa",
        [
            "secp256k1_ecdsa_signature_parse_compact",
            "secp256k1_ecdsa_signature_normalize",
            "secp256k1_ecdsa_verify",
        ],
        [digests, signatures, *keys.columns()],
        valid,
        start,
        stop,
    )


def verify_schnorr(
    messages: Bytes, signatures: Bytes, keys: "KeyRows", valid: bytearray, start: int, stop: int
) -> None:
    """Set `valid[row]` to 1 where the row's BIP-340 signature of a 32-byte message holds."""
    columns = [messages, signatures, *keys.columns()]
    _run("verify_schnorr", ["secp256k1_schnorrsig_verify"], columns, valid, start, stop)


def sign_ecdsa(digests: Bytes, secrets: Bytes, signatures: Bytes, start: int, stop: int) -> None:
    """Write each row's 64-byte low-S signature; ValueError at the first row whose secret cannot sign."""
    functions = ["secp256k1_ecdsa_sign", "secp256k1_ecdsa_signature_serialize_compact"]
    _sign("sign_ecdsa", functions, [digests, secrets, signatures], start, stop)


def sign_ecdsa_recoverable(digests: Bytes, secrets: Bytes, signatures: Bytes, start: int, stop: int) -> None:
    """Write each row's 65-byte signature, recovery id last; ValueError as in `sign_ecdsa`."""
    functions = ["secp256k1_ecdsa_sign_recoverable", "secp256k1_ecdsa_recoverable_signature_serialize_compact"]
    _sign("sign_ecdsa_recoverable", functions, [digests, secrets, signatures], start, stop)


def sign_schnorr(
    messages: Bytes, secrets: "KeyRows", aux: Bytes | None, signatures: Bytes, start: int, stop: int
) -> None:
    """Write each row's 64-byte BIP-340 signature; ValueError as in `sign_ecdsa`."""
    loop = "sign_schnorr" if aux is None else "sign_schnorr_aux"
    columns: list[Column | None] = [messages, aux, signatures, *secrets.columns()]
    _sign(loop, ["secp256k1_schnorrsig_sign32"], columns, start, stop)


def recover(
    digests: Bytes, signatures: Bytes, low_s: bool, keys: Bytes, found: bytearray, start: int, stop: int
) -> None:
    """Write each row's recovered 33-byte key and set `found[row]`; rows without a key stay zero."""
    _run(
        "recover_low_s" if low_s else "recover",
        [
            "secp256k1_ecdsa_recoverable_signature_parse_compact",
            "secp256k1_ecdsa_recoverable_signature_convert",
            "secp256k1_ecdsa_signature_normalize",
            "secp256k1_ecdsa_recover",
            "secp256k1_ec_pubkey_serialize",
        ],
        [digests, signatures, keys],
        found,
        start,
        stop,
    )


def public_keys(secrets: Bytes, keys: Bytes, start: int, stop: int) -> None:
    """Write each row's 33-byte public key; ValueError as in `sign_ecdsa`."""
    functions = ["secp256k1_ec_pubkey_create", "secp256k1_ec_pubkey_serialize"]
    _sign("public_keys", functions, [secrets, keys], start, stop)


def _sign(loop: str, functions: list[str], columns: Sequence[Column | None], start: int, stop: int) -> None:
    """Run a loop over secrets, whose rows must all be done."""
    done = bytearray(stop)
    _run(loop, functions, columns, done, start, stop)
    row = done.find(0, start)
    if row >= 0:
        raise _loops.unusable_secret(row)


def _run(
    loop: str, functions: list[str], columns: Sequence[Column | None], done: bytearray, start: int, stop: int
) -> None:
    pointers = [_address_of(function) for function in functions]
    pointers.append(int(ffi.cast("uintptr_t", CONTEXT)))
    pointers += [0 if column is None else column.ctypes.data for column in columns]
    flags = np.frombuffer(done, dtype=np.uint8)
    load().calls[loop](*pointers, flags.ctypes.data, start, stop)


@cache
def _address_of(function: str) -> int:
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, function)))
