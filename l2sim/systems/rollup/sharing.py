"""Rollups that share blobs: what posting together costs, and how it can be split between them.

A blob is paid for whole. Rollups that fill little of one each save by posting into the same: N of equal size save a
share 1 - 1/N of it. Sources: Crapis, Felten and Mamageishvili, "EIP-4844 Economics and Rollup Strategies", arXiv
2310.01155; Lee, "180 Days After EIP-4844", arXiv 2410.04111.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.systems.rollup.posting import BLOB_BYTES


@dataclass(frozen=True, slots=True)
class BlobPrices:
    """What posting in blobs costs."""

    gas_price_wei: int
    """Base fee and tip."""
    blob_base_fee_wei: int
    most_blobs: int = 6
    """Blobs of one transaction at most (EIP-7594)."""
    blob_bytes: int = BLOB_BYTES

    def cost_wei(self, payload_bytes: int) -> int:
        """What that many bytes cost in as few blobs and transactions as they need.

        >>> BlobPrices(gas_price_wei=0, blob_base_fee_wei=1).cost_wei(130_045)
        262144
        """
        blobs = -(-payload_bytes // self.blob_bytes)
        transactions = -(-blobs // self.most_blobs)
        return transactions * TRANSACTION_GAS * self.gas_price_wei + blobs * GAS_PER_BLOB * self.blob_base_fee_wei


def split_by_bytes(sizes: Sequence[float], cost_wei: float) -> list[float]:
    """Each pays in proportion to its bytes."""
    total = sum(sizes)
    return [cost_wei * size / total for size in sizes]


def split_nash(alone: Sequence[float], together: float) -> list[float]:
    """Each pays what it would alone, less an equal part of what is saved together (Nash's bargaining solution).

    >>> split_nash([2.0, 1.0], together=2.5)
    [1.75, 0.75]
    """
    saved = sum(alone) - together
    return [cost - saved / len(alone) for cost in alone]


def saving(sizes: Sequence[int], prices: BlobPrices) -> float:
    """The share of all costs that posting together saves.

    >>> saving([10_000] * 4, BlobPrices(gas_price_wei=100, blob_base_fee_wei=7))
    0.75
    """
    alone = sum(prices.cost_wei(size) for size in sizes)
    return 1 - prices.cost_wei(sum(sizes)) / alone
