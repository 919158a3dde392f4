"""Settings of an Ethereum-like chain."""

from typing import Literal

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.l1.ethereum.forks import fork_named
from l2sim.money import WEI_PER_GWEI

ForkName = Literal["london", "cancun", "prague", "osaka", "bpo1", "bpo2"]


class EthereumBackgroundConfig(Config):
    """Everybody else's demand for gas and blobs, elastic in price so that fees have a stationary level.

    In each slot users come who want `gas_load` times the gas target in the mean if the base fee is at
    `base_fee_gwei`. What they are ready to pay is Pareto distributed: at a base fee b a share proportional to
    b ** -elasticity wants to transact. Their number varies by a lognormal factor of mean 1: independent from
    slot to slot (`noise_sigma`) times a slow tide (`drift_sigma`, `drift_half_life_s`). Those who find no room
    wait, and leave as the base fee rises past what they are ready to pay. Blobs come likewise, as a Poisson
    number a slot. The defaults take the level of spring 2026: base fees of about 0.2 gwei (median mainnet fee
    below 0.02 USD, arXiv 2606.22206) and a quarter of the BPO2 blob space in use.
    """

    gas_load: float = Field(default=1.0, ge=0, le=8)
    """Mean gas wanted per slot at `base_fee_gwei`, as a share of the block's gas target."""
    base_fee_gwei: float = Field(default=0.2, gt=0, le=100_000)
    """Base fee at which `gas_load` holds, gwei."""
    elasticity: float = Field(default=1.0, ge=0.1, le=8)
    """By what power of the base fee demand falls."""
    noise_sigma: float = Field(default=0.4, ge=0, le=3)
    """Standard deviation of the logarithm of demand from slot to slot."""
    drift_sigma: float = Field(default=0.3, ge=0, le=3)
    """Standard deviation of the logarithm of demand's slow tide."""
    drift_half_life_s: float = Field(default=3_600.0, gt=0, le=31_536_000)
    """Time in which half of the tide is forgotten, seconds."""
    median_tip_gwei: float = Field(default=0.05, ge=0, le=10_000)
    """Median of the lognormal priority fee, gwei."""
    tip_sigma: float = Field(default=1.0, ge=0, le=5)
    """Standard deviation of the logarithm of the priority fee."""
    blob_share: float = Field(default=0.25, ge=0, le=4)
    """Mean blobs wanted per slot at low blob fees, as a share of the block's blob limit; ignored before Cancun."""
    blob_tolerance_gwei: float = Field(default=10.0, gt=0, le=100_000_000)
    """Blob base fee from which demand for blobs falls, gwei; about where calldata becomes the cheaper way."""
    blob_elasticity: float = Field(default=1.0, ge=0.1, le=8)
    """By what power of the blob base fee demand falls above that."""
    burn_in_slots: int = Field(default=256, ge=0, le=100_000)
    """Slots drawn before time 0, so that the run starts in the middle of things."""


class EthereumConfig(Config):
    """An Ethereum-like chain: a slot every 12 seconds, EIP-1559 base fee, blobs by fork."""

    kind: Literal["ethereum"] = "ethereum"
    fork: ForkName = "bpo2"
    """Rules in force: fee parameters, blob limits, calldata floor, transaction gas cap."""
    slot_s: float = Field(default=12.0, gt=0, le=3_600)
    """Time between slots, seconds."""
    slots_per_epoch: int = Field(default=32, ge=1, le=8_192)
    """Slots of an epoch (consensus presets, phase 0)."""
    finality_epochs: int = Field(default=2, ge=1, le=100_000)
    """Epochs from a checkpoint to its finality: justified after one, final after two."""
    missed_slot_rate: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a slot has no block."""
    gas_limit: int = Field(default=60_000_000, ge=5_000, le=10**12)
    """Block gas limit; the target is half of it. 60 M is the default of clients since Fusaka (EIP-7935)."""
    initial_base_fee_wei: int | None = Field(default=None, ge=7, le=10**18)
    """Base fee before the burn-in, wei; by default the level at which background demand meets the target."""
    initial_excess_blob_gas: int | None = Field(default=None, ge=0, le=10**9)
    """Excess blob gas before the burn-in; by default the one of the reserve price, 0 before Osaka."""
    background: EthereumBackgroundConfig = Field(default_factory=EthereumBackgroundConfig)
    """Everybody else's demand."""

    @model_validator(mode="after")
    def _check(self) -> "EthereumConfig":
        fork = fork_named(self.fork)
        if self.initial_excess_blob_gas and not fork.max_blobs:
            raise ValueError(
                f"initial_excess_blob_gas needs a fork with blobs, cancun or later (got fork {self.fork} and "
                f"{self.initial_excess_blob_gas})"
            )
        return self

    @property
    def start_base_fee_wei(self) -> int:
        """Base fee before the burn-in: given, or where mean demand equals the target, at least 7 wei."""
        if self.initial_base_fee_wei is not None:
            return self.initial_base_fee_wei
        background = self.background
        level: float = background.base_fee_gwei * background.gas_load ** (1 / background.elasticity)
        return max(7, round(level * WEI_PER_GWEI))
