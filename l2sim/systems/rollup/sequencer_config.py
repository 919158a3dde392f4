"""Settings of the sequencer: blocks, kinds of transactions, outages, refused users."""

from typing import Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.rollup.outage_config import OutageConfig, refuse_overlaps
from l2sim.systems.rollup.settlement.config import MAX_L1_GAS


class MixConfig(Config):
    """Shares of the kinds of transactions by which payments are made; payments stay payments, gas and bytes differ."""

    transfer: float = Field(default=1.0, ge=0, le=1)
    """Plain transfers of 21,000 gas."""
    token_transfer: float = Field(default=0.0, ge=0, le=1)
    """Calls of a token contract: 68 bytes of data."""
    swap: float = Field(default=0.0, ge=0, le=1)
    """Calls of an exchange: 260 bytes of data."""
    user_operation: float = Field(default=0.0, ge=0, le=1)
    """Operations of smart accounts (ERC-4337), in bundles (`bundles.py`)."""
    token_transfer_gas: int = Field(default=52_000, ge=21_000, le=MAX_L1_GAS)
    """L2 gas of a token transfer to somebody who holds the token already; an assumption, tokens differ."""
    swap_gas: int = Field(default=130_000, ge=21_000, le=MAX_L1_GAS)
    """L2 gas of a swap in one pool; an assumption, exchanges differ."""
    bundle_size: int = Field(default=10, ge=1, le=1_000)
    """Most operations of a bundle; each is charged its share of the bundle's fixed gas at this size."""
    aggregate: Literal["none", "bls12-381", "bn254"] = "none"
    """Whether operations carry signatures of their own or one aggregate stands for the bundle's, on which curve. What
    that takes to sign and check are the profile's `bls_` costs, on either curve: thirty times those of ECDSA."""

    @model_validator(mode="after")
    def _check(self) -> "MixConfig":
        total = self.transfer + self.token_transfer + self.swap + self.user_operation
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of all kinds must add up to 1 (got {total})")
        return self


class CensorshipConfig(Config):
    """Whose payments the sequencer leaves out of its blocks: users drawn once, whatever they pay."""

    share: float = Field(ge=0, le=1)
    """Share of users who are refused as payers."""
    start_s: float = Field(default=0.0, ge=0, le=31_536_000)
    """From the start of the payments, seconds."""
    duration_s: float | None = Field(default=None, gt=0, le=31_536_000)
    """How long it lasts, seconds; without it to the end."""


class ForcedInclusionConfig(Config):
    """The way of a payment through L1, past a sequencer that refuses it or is down."""

    patience_s: float = Field(default=600.0, ge=0, le=2_592_000)
    """How long a payer waits before it turns to L1, seconds."""
    l1_gas: int = Field(default=80_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of the transaction: a deposit's (OptimismPortal depositTransaction) and the L2 gas that it buys; an
    assumption."""
    prompt: bool = True
    """Whether blocks must hold it as soon as L2 sees its L1 block, as deposits of the OP Stack; otherwise the sequencer
    may leave it out until the window has passed, as Arbitrum's."""
    window_s: float = Field(default=86_400.0, ge=0, le=2_592_000)
    """Where not prompt: after that time anyone has it included, seconds: 24 hours on Arbitrum One (arb1.ts). Where
    prompt, blocks of a sequencer that is down are derived without it after 12 hours, the OP Stack's sequencing
    window."""
    in_outages: bool = False
    """Whether payers whose payments wait out an outage of the sequencer turn to L1 too; they are seen to once an L1
    slot."""


class SequencerConfig(Config):
    """Who orders payments: blocks at a fixed beat, first come first served, as far as gas and CPU allow."""

    block_time_s: float = Field(default=2.0, ge=0.001, le=60)
    """Time between L2 blocks, seconds; an OP Stack chain takes 1 or 2. A block with nothing in it is not made."""
    block_gas_limit: int = Field(default=400_000_000, ge=21_000, le=10**15)
    """Gas of one L2 block; 400 M every 2 s is Base (docs.base.org, throughput page)."""
    cores: int = Field(default=8, ge=1, le=4096)
    """CPU cores that share the checking of each block's signatures; an assumption."""
    signature_check: Literal["recover", "verify"] = "recover"
    """How a signature is checked: the signer's key recovered from it, as Ethereum does, or the signature verified
    with the key that the account registered when it was opened, as payment rollups of the Loopring kind do: faster,
    and without a look at the recovery bit."""
    ordering: Literal["arrival", "priority"] = "arrival"
    """Who comes first: whoever came first, or whoever pays the higher priority fee, each user's own payments in their
    order (go-ethereum's miner)."""
    mix: MixConfig = Field(default_factory=lambda: MixConfig())
    """What kinds of transactions payments are made by."""
    preconfirmation_s: float | None = Field(default=None, ge=0.001, le=60)
    """Time between the parts of a block that are executed and confirmed before it is whole, seconds: 0.2 on Base,
    flashblocks; without it payees wait for the block."""
    outages: tuple[OutageConfig, ...] = Field(default=(), max_length=1_000)
    """When it makes no blocks, in order and apart: payments wait, and it goes on with them afterwards."""
    censorship: CensorshipConfig | None = None
    """Whom it refuses; nobody without it."""
    forced_inclusion: ForcedInclusionConfig | None = None
    """How refused payments get in through L1; without it they wait until they are refused no longer."""
    mempool_limit: int = Field(default=1_000_000, ge=1, le=10**9)
    """Payments that may wait for a block; those beyond it are dropped."""

    @model_validator(mode="after")
    def _has_outages_in_order(self) -> Self:
        refuse_overlaps(self.outages)
        return self
