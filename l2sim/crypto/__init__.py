"""Real cryptography at the machine's speed; it knows nothing of simulation.

The room has two faces: one call at a time, readable, the reference; and whole arrays at once, tested equal to it.

- `signatures`: keys, ECDSA, Schnorr, MuSig2, BLS; batches over arrays
- `hashing`: SHA-256, double and tagged SHA-256, Keccak-256; batches on vector lanes
- `trees`: Merkle trees of several kinds, sparse Merkle tree of accounts
- `onion`: BOLT 4 packets and failure messages
- `bitcoin`: scripts, transactions, weights, sighashes; the transactions of BOLT 3
- `ethereum`: transactions as signed bytes
- `invoice`: BOLT 11 payment requests
- `kzg`: blob commitments (extra `blobs`)
- `cores`, `arrays`: what every batch asks of its `threads` and its arrays
- `work`: counts of operations; `profiles`: what each costs in nanoseconds of one core

The batches and `Work` can be had from here; their modules are loaded when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2sim.crypto.hashing import keccak256_batch, sha256_batch, sha256d_batch, tagged_hash_batch
    from l2sim.crypto.signatures import (
        KeyTable,
        Rule,
        public_keys_batch,
        recover_batch,
        sign_ecdsa_batch,
        sign_ecdsa_recoverable_batch,
        sign_schnorr_batch,
        verify_ecdsa_batch,
        verify_schnorr_batch,
    )
    from l2sim.crypto.work import Work

__all__ = [
    "KeyTable",
    "Rule",
    "Work",
    "keccak256_batch",
    "public_keys_batch",
    "recover_batch",
    "sha256_batch",
    "sha256d_batch",
    "sign_ecdsa_batch",
    "sign_ecdsa_recoverable_batch",
    "sign_schnorr_batch",
    "tagged_hash_batch",
    "verify_ecdsa_batch",
    "verify_schnorr_batch",
]

_ELSEWHERE = {
    "Work": "work",
    "keccak256_batch": "hashing",
    "sha256_batch": "hashing",
    "sha256d_batch": "hashing",
    "tagged_hash_batch": "hashing",
}
"""The module of each name that is not one of `signatures`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'signatures')}"), name)
