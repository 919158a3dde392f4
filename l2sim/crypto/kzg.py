"""KZG commitments of blobs (EIP-4844), through the library ckzg (the extra `blobs`).

The trusted setup is a file that ckzg's wheel does not hold. It is found by the argument `path` of `load_setup` or by
the setting L2SIM_KZG_TRUSTED_SETUP.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SETUP_VARIABLE = "L2SIM_KZG_TRUSTED_SETUP"

# EIP-4844: 4096 field elements of 32 bytes a blob, 48-byte compressed G1 points, version byte of the hash.
FIELD_ELEMENTS_PER_BLOB = 4096
FIELD_ELEMENT_BYTES = 32
BLOB_BYTES = FIELD_ELEMENTS_PER_BLOB * FIELD_ELEMENT_BYTES
COMMITMENT_BYTES = 48
PROOF_BYTES = 48
VERSIONED_HASH_VERSION = b"\x01"

USABLE_BYTES_PER_ELEMENT = 31
"""Bytes of data a field element holds where each is kept below the modulus by a zero first byte."""

USABLE_BYTES_PER_BLOB = FIELD_ELEMENTS_PER_BLOB * USABLE_BYTES_PER_ELEMENT


class KzgUnavailableError(RuntimeError):
    """KZG commitments cannot be made here; the message says what to install or set."""


def versioned_hash(commitment: bytes) -> bytes:
    """Return the blob's versioned hash: 0x01 and the last 31 bytes of SHA-256 of the commitment (EIP-4844)."""
    _check("commitment", commitment, COMMITMENT_BYTES)
    return VERSIONED_HASH_VERSION + hashlib.sha256(commitment).digest()[1:]


def blob_of(data: bytes) -> bytes:
    """Return `data`, at most 126,976 bytes, as one blob: 31 bytes a field element after a zero byte, then zeros.

    >>> len(blob_of(b"batch")), blob_of(b"batch")[:6]
    (131072, b'\\x00batch')
    """
    if len(data) > USABLE_BYTES_PER_BLOB:
        raise ValueError(f"data: must be at most {USABLE_BYTES_PER_BLOB} bytes (got {len(data)})")
    step = USABLE_BYTES_PER_ELEMENT
    parts = [b"\0" + data[i : i + step].ljust(step, b"\0") for i in range(0, len(data), step)]
    return b"".join(parts).ljust(BLOB_BYTES, b"\0")


@dataclass(frozen=True, slots=True)
class KzgSetup:
    """A loaded trusted setup, with which blobs are committed to, proved and checked.

    Arguments of a wrong length, and field elements or points that are not valid, raise `ValueError`.
    """

    path: str
    _library: Any
    _setup: Any

    def commit(self, blob: bytes) -> bytes:
        """Return the 48-byte commitment to a blob of 131,072 bytes."""
        _check("blob", blob, BLOB_BYTES)
        commitment: bytes = self._call("blob", "blob_to_kzg_commitment", blob)
        return commitment

    def prove_blob(self, blob: bytes, commitment: bytes) -> bytes:
        """Return the 48-byte proof that `blob` fits `commitment`."""
        _check("blob", blob, BLOB_BYTES)
        _check("commitment", commitment, COMMITMENT_BYTES)
        proof: bytes = self._call("blob or commitment", "compute_blob_kzg_proof", blob, commitment)
        return proof

    def verify_blob(self, blob: bytes, commitment: bytes, proof: bytes) -> bool:
        """Return whether `proof` shows that `blob` fits `commitment`."""
        _check("blob", blob, BLOB_BYTES)
        _check("commitment", commitment, COMMITMENT_BYTES)
        _check("proof", proof, PROOF_BYTES)
        return bool(self._call("blob, commitment or proof", "verify_blob_kzg_proof", blob, commitment, proof))

    def prove_point(self, blob: bytes, z: bytes) -> tuple[bytes, bytes]:
        """Return (proof, y): the blob's polynomial at the field element `z`, 32 bytes big-endian, is `y`."""
        _check("blob", blob, BLOB_BYTES)
        _check("z", z, FIELD_ELEMENT_BYTES)
        proof, y = self._call("blob or z", "compute_kzg_proof", blob, z)
        return proof, y

    def verify_point(self, commitment: bytes, z: bytes, y: bytes, proof: bytes) -> bool:
        """Return whether the committed polynomial is `y` at `z`, as the point-evaluation precompile checks it."""
        _check("commitment", commitment, COMMITMENT_BYTES)
        _check("z", z, FIELD_ELEMENT_BYTES)
        _check("y", y, FIELD_ELEMENT_BYTES)
        _check("proof", proof, PROOF_BYTES)
        return bool(self._call("commitment, z, y or proof", "verify_kzg_proof", commitment, z, y, proof))

    def _call(self, what: str, function: str, *arguments: bytes) -> Any:
        try:
            return getattr(self._library, function)(*arguments, self._setup)
        except RuntimeError as error:  # ckzg's only error for field elements and points that are not valid
            raise ValueError(
                f"{what}: must hold valid field elements and curve points ({function}: {error})"
            ) from error


def load_setup(path: str | Path | None = None, *, precompute: int = 0) -> KzgSetup:
    """Return the trusted setup from `path`, or from the file that L2SIM_KZG_TRUSTED_SETUP names.

    `precompute`, 0 to 15, trades memory for faster cell proofs and does not matter to commitments. A setup is loaded
    once per file. Raises `KzgUnavailableError` with what to do where ckzg or the file is missing.
    """
    chosen = path if path is not None else os.environ.get(SETUP_VARIABLE)
    if not chosen:
        raise KzgUnavailableError(
            f"no KZG trusted setup is named: give its path or set {SETUP_VARIABLE} "
            "(the file trusted_setup.txt of github.com/ethereum/c-kzg-4844)"
        )
    return _load_setup(str(Path(chosen).resolve()), precompute)


@lru_cache(maxsize=4)
def _load_setup(path: str, precompute: int) -> KzgSetup:
    try:
        import ckzg
    except ImportError as error:
        raise KzgUnavailableError("KZG commitments need ckzg: pip install 'l2sim[blobs]'") from error
    if not Path(path).is_file():
        raise KzgUnavailableError(f"{path}: no such KZG trusted setup; check the path or {SETUP_VARIABLE}")
    try:
        setup = ckzg.load_trusted_setup(path, precompute)
    except RuntimeError as error:
        raise KzgUnavailableError(f"{path}: not a KZG trusted setup in the format of c-kzg-4844 ({error})") from error
    return KzgSetup(path, ckzg, setup)


def _check(name: str, value: bytes, length: int) -> None:
    if not isinstance(value, bytes):
        raise ValueError(f"{name}: must be bytes (got {type(value).__name__})")
    if len(value) != length:
        raise ValueError(f"{name}: must be {length} bytes (got {len(value)})")
