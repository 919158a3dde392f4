"""Mutual close: both sides take their balances without delay (BOLT 3, "Closing Transaction"; BOLT 2)."""

from dataclasses import dataclass

from l2sim.crypto.bitcoin.funding import funding_witness
from l2sim.crypto.bitcoin.script import dust_limit_sat, multisig_2_of_2
from l2sim.crypto.bitcoin.sighash import segwit_digest
from l2sim.crypto.bitcoin.transaction import (
    SEQUENCE_FINAL,
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    compact_size,
)

__all__ = ["Closing", "ClosingSide", "build_closing", "closing_weight_wu"]

# Empty item, two signatures of 72 bytes of DER and a sighash byte, and the 71-byte script, each behind its length.
_WITNESS_WU = 2 + 1 + 1 + 2 * (1 + 73) + 1 + 71


@dataclass(frozen=True, slots=True)
class ClosingSide:
    """One side of a closing channel: its funding key, its balance rounded down, and where it wants its money."""

    funding_key: bytes
    balance_sat: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """A closing transaction, unsigned, and the digest that both funding keys sign; the fee includes rounding."""

    transaction: Transaction
    digest: bytes
    fee_sat: int
    payer: ClosingSide
    other: ClosingSide

    def signed(self, payer_signature: bytes, other_signature: bytes) -> Transaction:
        """Return the transaction ready to broadcast, from both sides' 64-byte signatures."""
        keys = self.payer.funding_key, self.other.funding_key
        witness = funding_witness(keys[0], payer_signature, keys[1], other_signature)
        return self.transaction.with_witnesses([witness])


def build_closing(
    funding: OutPoint,
    funding_sat: int,
    payer: ClosingSide,
    other: ClosingSide,
    *,
    fee_sat: int,
    replaceable: bool = False,
    locktime: int = 0,
) -> Closing:
    """Build the transaction that closes a channel without delay for either side.

    The payer of the fee is the funder in `closing_signed`, the sender of `closing_complete` in
    `option_simple_close`, where the transaction is also `replaceable`. An output below what nodes relay for its
    script is left out and its amount goes to the fee. Outputs are ordered by value, then script. Raises
    ValueError where the payer cannot pay the fee, the balances exceed the funding or no output is left.
    """
    if not 0 <= fee_sat <= payer.balance_sat:
        raise ValueError(f"fee_sat: must be from 0 to the payer's balance, {payer.balance_sat} (got {fee_sat})")
    if other.balance_sat < 0 or payer.balance_sat + other.balance_sat > funding_sat:
        raise ValueError(
            f"balances: must be at least 0 and together at most {funding_sat} sat "
            f"(got {payer.balance_sat} and {other.balance_sat})"
        )
    amounts = ((payer.balance_sat - fee_sat, payer.script), (other.balance_sat, other.script))
    kept = sorted([pair for pair in amounts if pair[0] >= max(1, dust_limit_sat(pair[1]))])
    if not kept:
        raise ValueError(
            f"closing: at least one output must reach the dust limit (got {amounts[0][0]} and {amounts[1][0]} sat)"
        )
    transaction = Transaction(
        inputs=(TxInput(funding, SEQUENCE_RBF if replaceable else SEQUENCE_FINAL),),
        outputs=tuple([TxOutput(value_sat, script) for value_sat, script in kept]),
        locktime=locktime,
    )
    script = multisig_2_of_2(payer.funding_key, other.funding_key)
    return Closing(
        transaction=transaction,
        digest=segwit_digest(transaction, 0, script, funding_sat),
        fee_sat=funding_sat - sum([value_sat for value_sat, _ in kept]),
        payer=payer,
        other=other,
    )


def closing_weight_wu(output_scripts: tuple[bytes, ...]) -> int:
    """Return the weight to reckon with before signing, each signature item counted as 73 bytes.

    >>> closing_weight_wu((bytes(22), bytes(22)))
    676
    """
    stripped = 4 + 1 + 41 + 1 + sum([8 + len(compact_size(len(s))) + len(s) for s in output_scripts]) + 4
    return 4 * stripped + _WITNESS_WU
