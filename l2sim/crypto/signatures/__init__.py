"""Keys and signatures: one call at a time as the readable reference, and by the array as the fast face.

- `keys`: secrets, public keys and the arithmetic between them; Diffie-Hellman; Ethereum addresses
- `ecdsa`: RFC 6979 signing, compact, DER and recoverable forms, `Rule`
- `schnorr`: BIP-340; `musig2`: BIP-327, many signers and one such signature
- `bls`: aggregate signatures of committees over BLS12-381 (extra `bls`)
- `batch`: all of it over arrays, on all cores; `key_table`: signers whose keys are parsed once

Nothing here hashes a message, except where the signature scheme itself says so.
"""

from l2sim.crypto.signatures._choice import kernel_info
from l2sim.crypto.signatures.batch import (
    public_keys_batch,
    recover_batch,
    sign_ecdsa_batch,
    sign_ecdsa_recoverable_batch,
    sign_schnorr_batch,
    verify_ecdsa_batch,
    verify_schnorr_batch,
)
from l2sim.crypto.signatures.ecdsa import Rule
from l2sim.crypto.signatures.key_table import KeyRows, KeyTable

__all__ = [
    "KeyRows",
    "KeyTable",
    "Rule",
    "kernel_info",
    "public_keys_batch",
    "recover_batch",
    "sign_ecdsa_batch",
    "sign_ecdsa_recoverable_batch",
    "sign_schnorr_batch",
    "verify_ecdsa_batch",
    "verify_schnorr_batch",
]
