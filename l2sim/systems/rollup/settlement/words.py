"""Sizes in the calldata of settlement transactions, bytes (Solidity's ABI)."""

from typing import Final

WORD_BYTES: Final = 32
SELECTOR_BYTES: Final = 4
PUBLIC_INPUTS: Final = 2
"""Words beside a proof: the roots that it links."""
EXIT_DATA_BYTES: Final = 1_200
"""Calldata of a step of an exit, bytes: the withdrawal in seven words and a Merkle proof of some 30 nodes; an
assumption. The gas figures of the settings include it; here it gives the transaction its size."""
