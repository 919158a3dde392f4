"""SHA-256 and Keccak-256 of many equal-length messages at once, on vector lanes where the processor has them.

Importing this package compiles nothing and loads no compiler; the first large batch does.
"""

from l2sim.crypto.hashing.batch import (
    BatchHash,
    HashFunction,
    hash_function,
    keccak256_batch,
    kernel_info,
    sha256_batch,
    sha256d_batch,
    tagged_hash_batch,
)

__all__ = [
    "BatchHash",
    "HashFunction",
    "hash_function",
    "keccak256_batch",
    "kernel_info",
    "sha256_batch",
    "sha256d_batch",
    "tagged_hash_batch",
]
