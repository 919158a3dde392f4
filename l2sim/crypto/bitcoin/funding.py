"""A channel's funding output (BOLT 3, "Funding Transaction Output")."""

from l2sim.crypto.bitcoin.script import multisig_2_of_2, p2wsh
from l2sim.crypto.bitcoin.sighash import SigHash
from l2sim.crypto.bitcoin.transaction import TxOutput
from l2sim.crypto.signatures.ecdsa import compact_to_der

__all__ = ["funding_output", "funding_witness"]


def funding_output(first_key: bytes, second_key: bytes, amount_sat: int) -> TxOutput:
    """Return the output that both funding keys (33 bytes) must sign for; their order does not matter."""
    return TxOutput(amount_sat, p2wsh(multisig_2_of_2(first_key, second_key)))


def funding_witness(
    first_key: bytes, first_signature: bytes, second_key: bytes, second_signature: bytes
) -> tuple[bytes, ...]:
    """Return the witness that spends a funding output, from both sides' 64-byte SIGHASH_ALL signatures.

    Used by commitment and mutual-close transactions. The signatures follow the order of the keys in the script.
    """
    flag = bytes((SigHash.ALL,))
    first, second = compact_to_der(first_signature) + flag, compact_to_der(second_signature) + flag
    pair = (first, second) if first_key < second_key else (second, first)
    return (b"", *pair, multisig_2_of_2(first_key, second_key))
