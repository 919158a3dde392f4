"""Settings of an Ethereum-like chain."""

from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.l1.ethereum.fees import MAX_BLOB_EXPONENT
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB, Fork, extended
from l2sim.l1.reorgs import ReorgConfig
from l2sim.money import WEI_PER_GWEI


class ForkConfig(Config):
    """A row of the fork table that mainnet does not have (yet); what is left out is as in the row before it."""

    name: str = Field(pattern="^[a-z][a-z0-9_-]*$", max_length=40)
    """Name of the fork; none of the table's."""
    activation_s: int = Field(ge=0, lt=2**63)
    """Time from which it is in force, unix seconds; later than that of the row before."""
    target_blobs: int | None = Field(default=None, ge=0, le=10_000)
    """Blobs of a block at which the blob fee stands still; below `max_blobs`."""
    max_blobs: int | None = Field(default=None, ge=0, le=10_000)
    """Most blobs of a block; 0: there are none."""
    blob_update_fraction: int | None = Field(default=None, ge=GAS_PER_BLOB, le=10**12)
    """By what excess blob gas the blob fee grows e-fold; a blob's at least."""
    max_transaction_blobs: int | None = Field(default=None, ge=0, le=10_000)
    """Most blobs of one transaction."""
    calldata_floor: bool | None = None
    """Whether data has a floor price (EIP-7623)."""
    blob_reserve_price: bool | None = None
    """Whether the blob fee follows the base fee from below (EIP-7918)."""
    max_transaction_gas: int | None = Field(default=None, ge=21_000, le=10**12)
    """Most gas of one transaction."""
    max_block_bytes: int | None = Field(default=None, ge=1_000, le=10**12)
    """Most bytes of a block without its blobs."""

    def row(self, before: Fork, number: int) -> Fork:
        """Row `number` of `forks`, which follows `before`; ValueError if its blob limits contradict each other."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        fork = replace(before, **given)
        if fork.max_blobs and not 0 < fork.target_blobs < fork.max_blobs:
            raise ValueError(
                f"forks.{number}.target_blobs must be above 0 and below max_blobs, {fork.max_blobs} "
                f"(got {fork.target_blobs})"
            )
        if fork.max_blobs and not (fork.blob_update_fraction and fork.max_transaction_blobs):
            raise ValueError(
                f"forks.{number} must have blob_update_fraction and max_transaction_blobs, as it has blobs"
            )
        return fork


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
    """Mean blobs wanted per slot at low blob fees, as a share of the blob limit of the first fork of the run that has
    blobs: room that later forks add is not demand."""
    blob_tolerance_gwei: float = Field(default=10.0, gt=0, le=100_000_000)
    """Blob base fee from which demand for blobs falls, gwei; about where calldata becomes the cheaper way."""
    blob_elasticity: float = Field(default=1.0, ge=0.1, le=8)
    """By what power of the blob base fee demand falls above that."""
    burn_in_slots: int = Field(default=256, ge=0, le=100_000)
    """Slots drawn before time 0, so that the run starts in the middle of things."""
    bytes_per_gas: float = Field(default=0.004, ge=0, le=1)
    """Bytes that background transactions put into a block for each gas: about 120 kB in 30 M gas; an assumption."""
    trace_path: str | None = None
    """CSV file with what is wanted of each slot from time 0 on, in place of the drawn level and the Poisson blobs.

    A row a slot; columns `gas` (wanted in the slot), `blobs` (wanted), and if it is there `base_fee_wei` (base fee at
    which that much gas was wanted; `base_fee_gwei` without it). Demand still reacts to price by `elasticity` and
    `blob_elasticity`. After the last row the first one follows. There is no burn-in."""


class EthereumConfig(Config):
    """An Ethereum-like chain: a slot every 12 seconds, EIP-1559 base fee, blobs by fork."""

    kind: Literal["ethereum"] = "ethereum"
    fork: str = "bpo2"
    """Rules in force at time 0: fee parameters, blob limits, calldata floor, caps of transactions and blocks. One of
    london, cancun, prague, osaka, bpo1, bpo2 and the rows of `forks`."""
    forks: tuple[ForkConfig, ...] = Field(default=(), max_length=50)
    """Further rows of the fork table, after mainnet's, each later than the one before."""
    start_unix_s: int | None = Field(default=None, ge=0, lt=2**63)
    """Unix time of time 0, at which `fork` must be the one in force; forks of the table then come into force within
    the run at their times. Without it `fork` holds throughout."""
    slot_s: float = Field(default=12.0, gt=0, le=3_600)
    """Time between slots, seconds."""
    block_times: Literal["clocked", "poisson"] = "clocked"
    """A block each slot, or exponential waiting times with the slot time as their mean, as in proof of work; what
    users want of a block then goes with the time since the last one."""
    slots_per_epoch: int = Field(default=32, ge=1, le=8_192)
    """Slots of an epoch (consensus presets, phase 0)."""
    finality_epochs: int = Field(default=2, ge=1, le=100_000)
    """Epochs from a checkpoint to its finality: justified after one, final after two."""
    missed_slot_rate: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a slot has no block."""
    gas_limit: int = Field(default=60_000_000, ge=5_000, le=10**12)
    """Block gas limit; the target is half of it. 60 M is the default of clients since Fusaka (EIP-7935)."""
    gas_limit_target: int | None = Field(default=None, ge=5_000, le=10**12)
    """Gas limit that proposers vote for: each block's limit moves towards it by less than 1/1,024 (EIP-1559). Without
    it the limit stays."""
    reorgs: ReorgConfig = Field(default_factory=ReorgConfig)
    """Blocks that are thrown out again."""
    initial_base_fee_wei: int | None = Field(default=None, ge=7, le=10**18)
    """Base fee before the burn-in, wei; by default the level at which background demand meets the target."""
    initial_excess_blob_gas: int | None = Field(default=None, ge=0, le=10**9)
    """Excess blob gas before the burn-in; by default the one of the reserve price, 0 before Osaka."""
    background: EthereumBackgroundConfig = Field(default_factory=EthereumBackgroundConfig)
    """Everybody else's demand."""

    @model_validator(mode="after")
    def _has_blobs_where_it_counts_them(self) -> Self:
        fork = self.rules  # raises for a fork that is not there
        if self.initial_excess_blob_gas and not fork.max_blobs:
            raise ValueError(
                f"initial_excess_blob_gas needs a fork with blobs, cancun or later (got fork {self.fork} and "
                f"{self.initial_excess_blob_gas})"
            )
        most = MAX_BLOB_EXPONENT * fork.blob_update_fraction
        if fork.max_blobs and self.initial_excess_blob_gas is not None and self.initial_excess_blob_gas > most:
            raise ValueError(
                f"initial_excess_blob_gas must be at most {most}, {MAX_BLOB_EXPONENT} times the update fraction of "
                f"{self.fork} (got {self.initial_excess_blob_gas})"
            )
        return self

    @model_validator(mode="after")
    def _begins_in_its_fork(self) -> Self:
        in_force = [
            row for row in self.fork_table if self.start_unix_s is None or row.activation_s <= self.start_unix_s
        ]
        if self.start_unix_s is not None and (not in_force or in_force[-1] != self.rules):
            there = in_force[-1].name if in_force else "none of the table"
            raise ValueError(f"fork must be the one in force at start_unix_s, {there} (got {self.fork})")
        return self

    @model_validator(mode="after")
    def _keeps_final_blocks(self) -> Self:
        if self.reorgs.probability > 0 and self.reorgs.max_depth >= self.finality_epochs * self.slots_per_epoch:
            raise ValueError(
                f"reorgs.max_depth must be below {self.finality_epochs * self.slots_per_epoch}, the slots that make a "
                f"block final (got {self.reorgs.max_depth})"
            )
        return self

    @property
    def fork_table(self) -> tuple[Fork, ...]:
        """Mainnet's rows and those of `forks`; raises ValueError if they are out of order."""
        rows: list[Fork] = []
        for number, config in enumerate(self.forks):
            rows.append(config.row(rows[-1] if rows else FORKS[-1], number))
        return extended(rows)

    @property
    def rules(self) -> Fork:
        """The row in force at time 0; raises ValueError for a name that the table does not have."""
        for row in self.fork_table:
            if row.name == self.fork:
                return row
        raise ValueError(f"fork must be one of {', '.join(row.name for row in self.fork_table)} (got {self.fork[:40]})")

    @property
    def upgrades(self) -> tuple[tuple[int, Fork], ...]:
        """The forks that come into force within a run, and when, ns."""
        from l2sim.engine import NS_PER_S  # here, so that settings are read without the engine

        start_s = self.start_unix_s
        if start_s is None:
            return ()
        return tuple(
            ((row.activation_s - start_s) * NS_PER_S, row) for row in self.fork_table if row.activation_s > start_s
        )

    @property
    def least_gas_limit(self) -> int:
        """The lowest gas limit that a block of a run can have."""
        return self.gas_limit if self.gas_limit_target is None else min(self.gas_limit, self.gas_limit_target)

    @property
    def start_base_fee_wei(self) -> int:
        """Base fee before the burn-in: given, or where mean demand equals the target, at least 7 wei."""
        if self.initial_base_fee_wei is not None:
            return self.initial_base_fee_wei
        background = self.background
        level: float = background.base_fee_gwei * background.gas_load ** (1 / background.elasticity)
        return max(7, round(level * WEI_PER_GWEI))
