"""Signatures by the array: verify, sign, recover and derive keys for many rows at once, on all cores.

Every argument is a numpy uint8 array of two dimensions, one row an item; a row that is not contiguous in memory is
copied first. Results depend on the rows alone, never on the number of threads. An array of another shape or type,
or a masked one, raises ValueError with the argument's name; what the rows hold never does when verifying or
recovering: it is False. A secret that cannot sign is the caller's mistake and raises ValueError with its row.

libsecp256k1 has no batch verification: a batch here is one call for each row, without the interpreter's lock, which
runs at the library's own speed on each core. The loops are in `_loops` and, compiled, in `_compiled_loops`; which of
them run is said by the setting L2SIM_KERNELS or the argument `kernel` (see `l2sim.crypto.kernels`).
"""

import numpy as np
import numpy.typing as npt

from l2sim.crypto.kernels import Kernel
from l2sim.crypto.signatures._arrays import Bytes, check_rows, spread
from l2sim.crypto.signatures._choice import loops_for
from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    COMPRESSED,
    DIGEST_BYTES,
    KEYPAIR,
    PUBLIC_KEY_BYTES,
    RECOVERABLE_BYTES,
    SECRET_BYTES,
    X_ONLY,
    KeyForm,
)
from l2sim.crypto.signatures.ecdsa import Rule, check_rule
from l2sim.crypto.signatures.key_table import KeyRows, rows_of_keys

__all__ = [
    "public_keys_batch",
    "recover_batch",
    "sign_ecdsa_batch",
    "sign_ecdsa_recoverable_batch",
    "sign_schnorr_batch",
    "verify_ecdsa_batch",
    "verify_schnorr_batch",
]

Booleans = npt.NDArray[np.bool_]


def verify_ecdsa_batch(
    digests: Bytes,
    signatures: Bytes,
    public_keys: Bytes | KeyRows,
    *,
    rule: Rule = Rule.BITCOIN,
    threads: int | None = None,
    kernel: Kernel | None = None,
) -> Booleans:
    """Say of each row whether its ECDSA signature holds: `ecdsa.verify`, row by row.

    `digests` is `(n, 32)`, `signatures` `(n, 64)` (r, s), `public_keys` `(n, 33)` compressed or rows of a
    `KeyTable`. Returns `(n,)` booleans. `threads`, at least 1, may be None: one for each core.

    >>> secrets = np.full((3, 32), 7, dtype=np.uint8)
    >>> digests = np.arange(96, dtype=np.uint8).reshape(3, 32)
    >>> signatures = sign_ecdsa_batch(digests, secrets)
    >>> signatures[1, 40] ^= 1
    >>> verify_ecdsa_batch(digests, signatures, public_keys_batch(secrets)).tolist()
    [True, False, True]
    """
    check_rule(rule)
    digests = check_rows("digests", digests, DIGEST_BYTES)
    signatures = check_rows("signatures", signatures, COMPACT_BYTES, len(digests))
    keys = _keys(public_keys, COMPRESSED, len(digests), threads, kernel)
    valid = bytearray(len(digests))
    loops = loops_for(len(digests), kernel)
    spread(
        lambda start, stop: loops.verify_ecdsa(digests, signatures, keys, rule is Rule.PLAIN, valid, start, stop),
        len(digests),
        threads,
    )
    return np.frombuffer(valid, dtype=np.bool_)


def verify_schnorr_batch(
    messages: Bytes,
    signatures: Bytes,
    public_keys: Bytes | KeyRows,
    *,
    threads: int | None = None,
    kernel: Kernel | None = None,
) -> Booleans:
    """Say of each row whether its BIP-340 signature holds: `schnorr.verify`, row by row.

    `messages` is `(n, 32)`, `signatures` `(n, 64)`, `public_keys` `(n, 32)` x-only or rows of a `KeyTable` of
    such. Returns `(n,)` booleans.
    """
    messages = check_rows("messages", messages, DIGEST_BYTES)
    signatures = check_rows("signatures", signatures, COMPACT_BYTES, len(messages))
    keys = _keys(public_keys, X_ONLY, len(messages), threads, kernel)
    valid = bytearray(len(messages))
    loops = loops_for(len(messages), kernel)
    spread(
        lambda start, stop: loops.verify_schnorr(messages, signatures, keys, valid, start, stop),
        len(messages),
        threads,
    )
    return np.frombuffer(valid, dtype=np.bool_)


def sign_ecdsa_batch(
    digests: Bytes, secrets: Bytes, *, threads: int | None = None, kernel: Kernel | None = None
) -> Bytes:
    """Sign each 32-byte digest with the 32-byte secret of its row; returns `(n, 64)`: `ecdsa.sign`."""
    digests = check_rows("digests", digests, DIGEST_BYTES)
    secrets = check_rows("secrets", secrets, SECRET_BYTES, len(digests))
    signatures = np.zeros((len(digests), COMPACT_BYTES), dtype=np.uint8)
    loops = loops_for(len(digests), kernel)
    spread(lambda start, stop: loops.sign_ecdsa(digests, secrets, signatures, start, stop), len(digests), threads)
    return signatures


def sign_ecdsa_recoverable_batch(
    digests: Bytes, secrets: Bytes, *, threads: int | None = None, kernel: Kernel | None = None
) -> Bytes:
    """Sign each digest with the secret of its row; returns `(n, 65)`, recovery id last: `ecdsa.sign_recoverable`."""
    digests = check_rows("digests", digests, DIGEST_BYTES)
    secrets = check_rows("secrets", secrets, SECRET_BYTES, len(digests))
    signatures = np.zeros((len(digests), RECOVERABLE_BYTES), dtype=np.uint8)
    loops = loops_for(len(digests), kernel)
    spread(
        lambda start, stop: loops.sign_ecdsa_recoverable(digests, secrets, signatures, start, stop),
        len(digests),
        threads,
    )
    return signatures


def sign_schnorr_batch(
    messages: Bytes,
    secrets: Bytes,
    aux: Bytes | None = None,
    *,
    threads: int | None = None,
    kernel: Kernel | None = None,
) -> Bytes:
    """Sign each 32-byte message with the secret of its row; returns `(n, 64)`: `schnorr.sign`.

    `aux`, `(n, 32)`, is BIP-340's auxiliary randomness; None means zeros. The key pair, as dear as the
    signature, is made once for each distinct secret.
    """
    messages = check_rows("messages", messages, DIGEST_BYTES)
    secrets = check_rows("secrets", secrets, SECRET_BYTES, len(messages))
    keypairs = rows_of_keys(secrets, KEYPAIR, threads=threads, kernel=kernel)
    checked_aux = None if aux is None else check_rows("aux", aux, SECRET_BYTES, len(messages))
    signatures = np.zeros((len(messages), COMPACT_BYTES), dtype=np.uint8)
    loops = loops_for(len(messages), kernel)
    spread(
        lambda start, stop: loops.sign_schnorr(messages, keypairs, checked_aux, signatures, start, stop),
        len(messages),
        threads,
    )
    return signatures


def recover_batch(
    digests: Bytes,
    signatures: Bytes,
    *,
    rule: Rule = Rule.PLAIN,
    threads: int | None = None,
    kernel: Kernel | None = None,
) -> tuple[Bytes, Booleans]:
    """Recover the public key of each 65-byte signature (r, s, recovery id): `ecdsa.recover`, row by row.

    Returns the keys, `(n, 33)`, and which rows have one, `(n,)`; the others' keys are zeros.
    """
    check_rule(rule)
    digests = check_rows("digests", digests, DIGEST_BYTES)
    signatures = check_rows("signatures", signatures, RECOVERABLE_BYTES, len(digests))
    keys = np.zeros((len(digests), PUBLIC_KEY_BYTES), dtype=np.uint8)
    found = bytearray(len(digests))
    loops = loops_for(len(digests), kernel)
    spread(
        lambda start, stop: loops.recover(digests, signatures, rule is Rule.BITCOIN, keys, found, start, stop),
        len(digests),
        threads,
    )
    return keys, np.frombuffer(found, dtype=np.bool_)


def public_keys_batch(secrets: Bytes, *, threads: int | None = None, kernel: Kernel | None = None) -> Bytes:
    """Return the `(n, 33)` compressed public keys of `(n, 32)` secrets; columns 1 to 32 are the x-only keys."""
    secrets = check_rows("secrets", secrets, SECRET_BYTES)
    keys = np.zeros((len(secrets), PUBLIC_KEY_BYTES), dtype=np.uint8)
    loops = loops_for(len(secrets), kernel)
    spread(lambda start, stop: loops.public_keys(secrets, keys, start, stop), len(secrets), threads)
    return keys


def _keys(
    public_keys: Bytes | KeyRows, form: KeyForm, rows: int, threads: int | None, kernel: Kernel | None
) -> KeyRows:
    """The batch's keys, whether they came as bytes or as rows of a table."""
    if not isinstance(public_keys, KeyRows):
        checked = check_rows("public_keys", public_keys, form.key_bytes, rows)
        return rows_of_keys(checked, form, threads=threads, kernel=kernel)
    if public_keys.form is not form:
        raise ValueError(
            f"public_keys: must be rows of a KeyTable of {form.key_bytes}-byte keys "
            f"(got one of {public_keys.form.key_bytes}-byte keys)"
        )
    if len(public_keys) != rows:
        raise ValueError(f"public_keys: must have {rows} rows, as the first argument has (got {len(public_keys)})")
    return public_keys
