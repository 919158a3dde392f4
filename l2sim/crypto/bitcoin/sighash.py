"""The digests that segwit version-0 inputs sign (BIP 143)."""

from enum import IntEnum
from hashlib import sha256
from struct import pack

from l2sim.crypto.bitcoin.transaction import Transaction, compact_size

__all__ = ["SegwitDigests", "SigHash", "segwit_digest"]

_ZERO = bytes(32)


class SigHash(IntEnum):
    """Which parts of a transaction a signature commits to; the byte that follows it in a witness."""

    DEFAULT = 0x00  # taproot only: as ALL, and the byte is left out (BIP 341)
    ALL = 0x01
    NONE = 0x02
    SINGLE = 0x03
    ALL_ANYONECANPAY = 0x81
    NONE_ANYONECANPAY = 0x82
    SINGLE_ANYONECANPAY = 0x83


class SegwitDigests:
    """The digests of one transaction's version-0 inputs; what they share is hashed once.

    Raises ValueError for an input that the transaction does not have or a hash type outside BIP 143.
    """

    __slots__ = ("_outputs", "_prevouts", "_sequences", "transaction")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        inputs = transaction.inputs
        self._prevouts = _sha256d(b"".join([txin.outpoint.serialize() for txin in inputs]))
        self._sequences = _sha256d(b"".join([pack("<I", txin.sequence) for txin in inputs]))
        self._outputs = _sha256d(b"".join([out.serialize() for out in transaction.outputs]))

    def digest(self, index: int, script_code: bytes, value_sat: int, hash_type: SigHash = SigHash.ALL) -> bytes:
        """Return the 32 bytes that input `index` signs.

        `script_code` is the witness script of a P2WSH input, `p2pkh_code` of a P2WPKH one; `value_sat` what the
        spent output holds.
        """
        return sha256(sha256(self.preimage(index, script_code, value_sat, hash_type)).digest()).digest()

    def preimage(self, index: int, script_code: bytes, value_sat: int, hash_type: SigHash = SigHash.ALL) -> bytes:
        """Return the message whose double SHA-256 is the digest, ten fields of BIP 143 in order."""
        transaction = self.transaction
        if not 0 <= index < len(transaction.inputs):
            raise ValueError(f"index: must be from 0 to {len(transaction.inputs) - 1} (got {index})")
        base = hash_type & 0x1F
        if base not in (SigHash.ALL, SigHash.NONE, SigHash.SINGLE):
            raise ValueError(f"hash_type: must be one of BIP 143's, ALL, NONE or SINGLE (got {hash_type:#04x})")
        alone = hash_type & 0x80
        outputs = _ZERO
        if base == SigHash.ALL:
            outputs = self._outputs
        elif base == SigHash.SINGLE and index < len(transaction.outputs):
            outputs = _sha256d(transaction.outputs[index].serialize())
        txin = transaction.inputs[index]
        return b"".join(
            (
                pack("<I", transaction.version),
                _ZERO if alone else self._prevouts,
                _ZERO if alone or base != SigHash.ALL else self._sequences,
                txin.outpoint.serialize(),
                compact_size(len(script_code)),
                script_code,
                pack("<QI", value_sat, txin.sequence),
                outputs,
                pack("<II", transaction.locktime, hash_type),
            )
        )


def segwit_digest(
    transaction: Transaction,
    index: int,
    script_code: bytes,
    value_sat: int,
    hash_type: SigHash = SigHash.ALL,
) -> bytes:
    """Return the 32 bytes that one version-0 input signs; `SegwitDigests` is quicker for several inputs."""
    return SegwitDigests(transaction).digest(index, script_code, value_sat, hash_type)


def _sha256d(message: bytes) -> bytes:
    return sha256(sha256(message).digest()).digest()
