"""Settings of a Bitcoin-like chain."""

from typing import Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.l1.reorgs import ReorgConfig


class BitcoinBackgroundConfig(Config):
    """Everybody else's transactions: Poisson arrivals of equal weight, fee rates lognormal.

    With a load above 1 the block space goes to those who pay most and the price of entry settles near the
    fee rate that the share 1/load of all users is ready to pay; with a load below 1 only runs of slow blocks
    make anybody wait. The defaults (demand for 110 % of the space, half of it ready to pay 4 sat/vB) are an
    assumption chosen so that getting in costs about 1 to 5 sat/vB, the level of early 2026.
    """

    load: float = Field(default=1.1, ge=0, le=10)
    """Mean weight arriving per mean block interval, as a share of the block space."""
    median_sat_per_vb: float = Field(default=4.0, gt=0, le=10_000)
    """Median of the lognormal fee rate, sat/vB; what lies below the relay minimum is paid at that minimum."""
    sigma: float = Field(default=1.0, gt=0, le=5)
    """Standard deviation of the fee rate's natural logarithm."""
    transaction_wu: int = Field(default=1_200, ge=244, le=400_000)
    """Weight of a background transaction, wu; about 3,300 of the default fill a block."""
    max_waiting_blocks: float = Field(default=100.0, ge=1, le=10_000)
    """Background demand that nodes keep, in full blocks; what goes beyond is evicted, lowest fee rate first."""
    burn_in_blocks: int = Field(default=144, ge=0, le=100_000)
    """Blocks drawn before time 0, so that the run starts with a backlog and a fee history."""


class EstimatorConfig(Config):
    """How wallets estimate fee rates from what they saw."""

    kind: Literal["blocks", "core"] = "blocks"
    """`blocks`: the lowest fee rate that would have been enough in recent blocks, mostly; `core`: Bitcoin Core's
    buckets of how long transactions of each fee rate waited, which uses none of the settings below."""
    window_blocks: int = Field(default=144, ge=1, le=1_008)
    """Recent blocks looked at; the default is a day of them."""
    success_share: float = Field(default=0.95, gt=0, le=1)
    """Share of past cases in which the estimate must have been enough (Bitcoin Core asks 60 to 95 %)."""


class MempoolConfig(Config):
    """What nodes keep and replace."""

    limit_vbyte: int | None = Field(default=None, ge=1_000_000, le=10**12)
    """Virtual bytes that nodes keep, the system's and everybody else's; beyond it whoever pays least is evicted,
    and a floor under the fee rate keeps such out, halving in 12 hours. Bitcoin Core's 300 MB of memory hold about
    100 million. None: the system's are never evicted, background by `background.max_waiting_blocks` alone."""
    incremental_relay_sat_per_kvb: int = Field(default=100, ge=0, le=1_000_000)
    """What a replacement pays for its own relay beyond the fees it replaces, sat/kvB (Bitcoin Core 29.1)."""


class BitcoinConfig(Config):
    """A Bitcoin-like chain: blocks at random times, limited by weight, filled by fee rate."""

    kind: Literal["bitcoin"] = "bitcoin"
    block_times: Literal["poisson", "clocked"] = "poisson"
    """Exponential waiting times between blocks as in proof of work, or one block each interval."""
    block_interval_s: float = Field(default=600.0, ge=1, le=86_400)
    """Mean time between blocks, seconds."""
    max_block_wu: int = Field(default=4_000_000, ge=4_000, le=400_000_000)
    """Most weight a block may have, wu (BIP 141)."""
    reserved_wu: int = Field(default=8_000, ge=0)
    """Part of it kept for header and coinbase, wu (Bitcoin Core's block template)."""
    max_transaction_wu: int = Field(default=400_000, ge=244, le=4_000_000)
    """Most weight of a transaction that nodes relay, wu (Bitcoin Core's standardness rule)."""
    min_relay_sat_per_kvb: int = Field(default=100, ge=1, le=1_000_000)
    """Lowest fee rate that nodes relay, sat/kvB (100 since Bitcoin Core 29.1, 1000 before)."""
    final_confirmations: int = Field(default=6, ge=1, le=10_000)
    """Confirmations after which a block counts as final."""
    background: BitcoinBackgroundConfig = Field(default_factory=BitcoinBackgroundConfig)
    """Everybody else's demand."""
    estimator: EstimatorConfig = Field(default_factory=EstimatorConfig)
    """How wallets estimate fee rates."""
    mempool: MempoolConfig = Field(default_factory=MempoolConfig)
    """What nodes keep of the transactions that wait, and replace."""
    reorgs: ReorgConfig = Field(default_factory=ReorgConfig)
    """Blocks that are thrown out again."""

    @model_validator(mode="after")
    def _has_room_in_blocks(self) -> Self:
        space_wu = self.max_block_wu - self.reserved_wu
        if space_wu < self.background.transaction_wu:
            raise ValueError(
                "max_block_wu less reserved_wu must hold at least one background transaction of "
                f"{self.background.transaction_wu} wu (got {space_wu})"
            )
        return self

    @model_validator(mode="after")
    def _keeps_final_blocks(self) -> Self:
        if self.reorgs.probability > 0 and self.reorgs.max_depth >= self.final_confirmations:
            raise ValueError(
                f"reorgs.max_depth must be below final_confirmations of {self.final_confirmations}, or final blocks "
                f"would be thrown out (got {self.reorgs.max_depth})"
            )
        return self

    @model_validator(mode="after")
    def _relays_its_background(self) -> Self:
        if self.background.median_sat_per_vb * 1_000 < self.min_relay_sat_per_kvb and self.background.load > 0:
            raise ValueError(
                "background.median_sat_per_vb must not be below the relay minimum of "
                f"{self.min_relay_sat_per_kvb / 1_000} sat/vB (got {self.background.median_sat_per_vb})"
            )
        return self

    @property
    def space_wu(self) -> int:
        """Weight that transactions can have in a block, wu."""
        return self.max_block_wu - self.reserved_wu
