"""What a submarine swap locks on L1, for whom and until when.

Weights are BIP 141's byte counts, with 73 bytes for a signature and its flag, 72 for that of a coin.
"""

from typing import Final, NamedTuple

LOCK_WU: Final = 610  # 1 P2WPKH in, the swap's P2WSH and P2WPKH change out: as a channel's funding
CLAIM_WU: Final = 4 * 82 + 2 + 2 + 73 + 1 + 32 + 1 + 106  # P2WSH in: signature, preimage, script of 106 bytes
REFUND_WU: Final = CLAIM_WU - 32  # nothing in place of the preimage


class Swap(NamedTuple):
    """Coins that `claimer` gets for the preimage of a payment, and `refunder`, who locks them, back after `expiry`."""

    payment: int
    """Number of the agent's payment over the channel."""
    claimer: int
    refunder: int
    amount_sat: int
    expiry: int
    """Height of L1."""
