"""Settings of the batcher: when L2 blocks go to L1, and in which bytes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.rollup.outage_config import OutageConfig, refuse_overlaps
from l2sim.systems.rollup.settlement.config import MAX_L1_GAS

FormatName = Literal["singular", "span", "nitro", "state_diffs", "starknet", "vaults", "chunks"]
LEVELS = {"zlib": 9, "brotli": 11}
"""Highest level of each compression."""


class TriggersConfig(Config):
    """Post when the batch is full or its time is up, and never before."""

    kind: Literal["triggers"] = "triggers"


class AtOnceConfig(Config):
    """Post whatever waits each time that the batcher looks."""

    kind: Literal["at_once"] = "at_once"
    poll_s: float = Field(default=6.0, gt=0, le=86_400)
    """Time between looks, seconds (op-batcher, poll-interval)."""


class ThresholdConfig(Config):
    """Post as soon as L1 is cheap enough for the queue; size and time close a batch all the same."""

    kind: Literal["threshold"] = "threshold"
    poll_s: float = Field(default=6.0, gt=0, le=86_400)
    """Time between looks, seconds (op-batcher, poll-interval)."""
    gas_price_gwei: float | None = Field(default=None, ge=0, le=100_000)
    """Base fee and tip at which a batch is posted, gwei, before what the queue adds."""
    gas_price_gwei_per_transaction: float = Field(default=0.0, ge=0, le=1_000)
    """By how much that price rises with each transaction that waits, gwei."""
    cost_usd_per_transaction: float | None = Field(default=None, ge=0, le=1_000)
    """A transaction's share of the cost at which a batch is posted, US dollars."""

    @model_validator(mode="after")
    def _check(self) -> "ThresholdConfig":
        if self.gas_price_gwei is None and self.cost_usd_per_transaction is None:
            raise ValueError("gas_price_gwei or cost_usd_per_transaction must be given (got neither)")
        return self


class DecisionConfig(Config):
    """Post as is cheapest in the long run where the gas price follows a stated law (`policies.py`)."""

    kind: Literal["decision"] = "decision"
    poll_s: float = Field(default=12.0, gt=0, le=86_400)
    """Time between looks, seconds: by default an L1 slot."""
    delay_usd_per_transaction_hour: float = Field(default=0.001, gt=0, le=1_000)
    """What an hour of waiting is worth, US dollars for each transaction."""
    transactions_per_s: float = Field(default=1.0, gt=0, le=10**9)
    """Transactions that are expected."""
    bytes_per_transaction: float = Field(default=75.0, gt=0, le=100_000)
    """What one takes on L1, bytes: a plain transfer in a span batch. Priced as calldata: with blobs, cheap as they
    are, the fixed part of a post is what counts, and 1 is nearer."""
    median_gwei: float = Field(default=0.25, gt=0, le=100_000)
    """Median of base fee and tip, gwei."""
    sigma: float = Field(default=0.3, gt=0, le=3)
    """Standard deviation of its logarithm in the long run."""
    half_life_s: float = Field(default=3_600.0, gt=0, le=31_536_000)
    """Time in which half of a deviation is forgotten, seconds."""


PostingConfig = Annotated[TriggersConfig | AtOnceConfig | ThresholdConfig | DecisionConfig, Field(discriminator="kind")]


class BatcherConfig(Config):
    """When L2 blocks go to L1, and how: whichever trigger comes first closes a batch."""

    max_interval_s: float = Field(default=300.0, gt=0, le=86_400)
    """Longest time that a batch stays open after its first block, seconds."""
    target_bytes: int = Field(default=6 * 130_020, ge=1_000, le=100_000_000)
    """Compressed size that a batch must not exceed: by default what six blobs hold, one transaction's worth."""
    format: FormatName | None = None
    """What a batch is in bytes: `singular` or `span`, the OP Stack's channels of single blocks or of one span batch;
    `nitro`, Arbitrum's segments under Brotli; `state_diffs`, zkSync Era's changed slots; `starknet`, Starknet's
    field elements; `vaults`, what StarkEx's committee gets; `chunks`, zkSync Lite's
    operations of 20 bytes a transfer, whose amounts and fees have few digits. By default `state_diffs` for validity
    settlement; for any other `span`, or `singular` where blocks do not lie on whole seconds."""
    execution_gas: int = Field(default=0, ge=0, le=MAX_L1_GAS)
    """L1 gas that a contract executes for each batch besides its data: none on the OP Stack, whose inbox is an
    account without code."""
    execution_gas_per_blob: int = Field(default=0, ge=0, le=1_000_000)
    """L1 gas that it executes for each blob besides: 50,000 where it opens the blob's commitment at a point
    (EIP-4844)."""
    posting: PostingConfig = Field(default_factory=TriggersConfig)
    """What else closes a batch: nothing, or a policy that looks at the queue and at L1's price."""
    decided: Literal["at_opening", "at_closing"] = "at_closing"
    """When `medium: auto` takes its decision. op-batcher takes it when a channel opens, by what `target_bytes` would
    cost; it can be stale when the batch is posted."""
    max_transactions: int | None = Field(default=None, ge=1)
    """Transactions with which a batch is full, if it has such a limit."""
    compression: Literal["zlib", "brotli"] = "brotli"
    """OP Stack chains use either since Fjord."""
    level: int = Field(default=5, ge=0, le=11)
    """Compression level: 0 to 9 for zlib, 0 to 11 for brotli. Chains use brotli 10, which here takes some forty
    times as long as 5 and gives larger batches of plain transfers."""
    medium: Literal["auto", "blob", "calldata"] = "auto"
    """Where the data goes; auto takes the cheaper one a byte at the fees in force when the batch closes."""
    max_calldata_bytes: int = Field(default=120_000, ge=1_000, le=131_072)
    """Largest data of one calldata transaction, bytes (op-batcher, max-l1-tx-size-bytes)."""
    resubmit_s: float = Field(default=48.0, gt=0, le=86_400)
    """How long operators wait for a block before they look whether to raise their fees (op-service, txmgr)."""
    channel_timeout_blocks: int = Field(default=50, ge=1, le=100_000)
    """With `singular` and `span`: L1 blocks within which all frames of a batch must land, or it must be posted again:
    50 since Granite, 300 before (specs, protocol/granite/derivation.md)."""
    outages: tuple[OutageConfig, ...] = Field(default=(), max_length=1_000)
    """When it neither posts nor looks after what it posted, in order and apart: blocks queue up."""
    commitments: Literal["modelled", "kzg"] = "modelled"
    """kzg: every blob is encoded and committed to for real, with the extra `blobs`; modelled: it is counted."""
    kzg_setup_path: str | None = None
    """File of the KZG trusted setup, for kzg; without it the one that L2SIM_KZG_TRUSTED_SETUP names."""

    @model_validator(mode="after")
    def _check(self) -> "BatcherConfig":
        if self.level > LEVELS[self.compression]:
            raise ValueError(
                f"level of {self.compression} must be at most {LEVELS[self.compression]} (got {self.level})"
            )
        return self

    @model_validator(mode="after")
    def _has_outages_in_order(self) -> Self:
        refuse_overlaps(self.outages)
        return self
