"""Settings of a rollup.

Gas figures of OP Stack contracts are those of the gas snapshot that its authors keep
(ethereum-optimism/optimism 0020adc2, packages/contracts-bedrock/.gas-snapshot) plus 21,000 a transaction, rounded.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.rollup.bundles import operation_gas
from l2sim.systems.rollup.presets import PRESETS, filled_in
from l2sim.systems.rollup.settlement.config import (
    MAX_L1_GAS,
    EscapeConfig,
    FastExitConfig,
    OptimisticConfig,
    SettlementConfig,
)

MOST_FEE_WEI = 2**63 - 1
"""Most that a payment's fee, or a batch's, may come to: what results can record, 9.2 ether."""
DEAREST_L1_WEI = 10**12
"""Base fee and blob base fee of L1 at which a transfer's fee must still be below that: 1,000 gwei."""
OpForkName = Literal[
    "bedrock", "regolith", "canyon", "delta", "ecotone", "fjord", "granite", "holocene", "isthmus", "jovian", "karst"
]
OP_FORK_ORDER: tuple[str, ...] = get_args(OpForkName)
FormatName = Literal["singular", "span", "nitro", "state_diffs", "chunks"]
LEVELS = {"zlib": 9, "brotli": 11}
"""Highest level of each compression."""


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
    """Whether operations carry signatures of their own or one aggregate stands for the bundle's, on which curve."""

    @model_validator(mode="after")
    def _check(self) -> "MixConfig":
        total = self.transfer + self.token_transfer + self.swap + self.user_operation
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of all kinds must add up to 1 (got {total})")
        return self


class OutageConfig(Config):
    """A time in which the sequencer makes no blocks; payments wait, and it goes on with them afterwards."""

    start_s: float = Field(ge=0, le=31_536_000)
    """From the start of the payments, seconds."""
    duration_s: float = Field(gt=0, le=31_536_000)
    """How long it lasts, seconds."""


class CensorshipConfig(Config):
    """Whose payments the sequencer leaves out of its blocks: users drawn once, whatever they pay."""

    share: float = Field(ge=0, le=1)
    """Share of users who are refused as payers."""
    start_s: float = Field(default=0.0, ge=0, le=31_536_000)
    """From the start of the payments, seconds."""
    duration_s: float | None = Field(default=None, gt=0, le=31_536_000)
    """How long it lasts, seconds; without it to the end."""


class ForcedInclusionConfig(Config):
    """The way of a refused payment through L1."""

    patience_s: float = Field(default=600.0, ge=0, le=2_592_000)
    """How long a payer waits before it turns to L1, seconds."""
    l1_gas: int = Field(default=80_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of the transaction: a deposit's (OptimismPortal depositTransaction) and the L2 gas that it buys; an
    assumption."""
    prompt: bool = True
    """Whether blocks must hold it as soon as L2 sees its L1 block, as deposits of the OP Stack; otherwise the sequencer
    may leave it out until the window has passed, as Arbitrum's."""
    window_s: float = Field(default=86_400.0, ge=0, le=2_592_000)
    """Where not prompt: after that time anyone has it included, seconds: 24 hours on Arbitrum One (arb1.ts)."""


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
    outages: tuple[OutageConfig, ...] = ()
    """When it makes no blocks."""
    censorship: CensorshipConfig | None = None
    """Whom it refuses; nobody without it."""
    forced_inclusion: ForcedInclusionConfig | None = None
    """How refused payments get in through L1; without it they wait until they are refused no longer."""
    mempool_limit: int = Field(default=1_000_000, ge=1, le=10**9)
    """Payments that may wait for a block; those beyond it are dropped."""


class FeeConfig(Config):
    """What users pay: L2 gas, and their share of the L1 data by the chain's rule."""

    rule: Literal["op", "arbitrum", "pubdata"] = "op"
    """Whose rule the L1 data is charged by: the OP Stack's, Arbitrum's, or a price for each byte of state changed, as
    zkSync Era and Starknet have it."""
    op_fork: OpForkName = "fjord"
    """With `op`: the fork whose formula it is."""
    overhead: int = Field(default=188, ge=0, le=10**9)
    """With `op` before Ecotone: gas added to each transaction (optimism, mainnet.json)."""
    scalar: int = Field(default=684_000, ge=0, le=2**32 - 1)
    """With `op` before Ecotone: weight of the L1 base fee, millionths (optimism, mainnet.json)."""
    operator_fee_scalar: int = Field(default=0, ge=0, le=2**32 - 1)
    """With `op` since Isthmus: operator fee by gas, millionths of a wei (Isthmus) or hundreds of wei (Jovian)."""
    operator_fee_constant_wei: int = Field(default=0, ge=0, le=2**63 - 1)
    """With `op` since Isthmus: operator fee besides, wei a transaction."""
    arbitrum_price_wei: int | None = Field(default=None, ge=0, le=10**15)
    """With `arbitrum`: price of a unit (a sixteenth of a compressed byte) at the start, wei; by default L1's base
    fee. From then on it follows what batches cost."""
    arbitrum_reward_wei: int = Field(default=10, ge=0, le=10**12)
    """With `arbitrum`: reward for each unit (InitialPerUnitReward)."""
    arbitrum_equilibration_units: int = Field(default=160_000_000, ge=100, le=10**12)
    """With `arbitrum`: units over which a surplus or debt is worked off (InitialEquilibrationUnitsV6)."""
    arbitrum_inertia: int = Field(default=10, ge=1, le=10**6)
    """With `arbitrum`: how slowly the price moves (InitialInertia)."""
    pubdata_bytes: int = Field(default=60, ge=0, le=10**6)
    """With `pubdata`: bytes of state that a transaction is charged for. On zkSync Era a transfer changes two balances
    and a nonce: three slots of 4 bytes of number, one of operation and up to 15 of value."""
    pubdata_in: Literal["blob", "calldata"] = "blob"
    """With `pubdata`: what a byte is charged at, the blob base fee or 16 gas at the base fee."""
    pubdata_overcharge_percent: int = Field(default=100, ge=0, le=10_000)
    """With `pubdata`: the charge in per cent of that price: above 100 for blobs that are not full."""
    tip_sigma: float = Field(default=0.0, ge=0, le=3)
    """Standard deviation of the logarithm of users' priority fees around `priority_fee_wei`, each payment's its own;
    at 0 all pay the same."""

    l2_base_fee_wei: int = Field(default=200_000, ge=0, le=10**15)
    """L2 base fee, wei per gas, held constant: the floor of Base since Jovian (base/contract-deployments 532)."""
    priority_fee_wei: int = Field(default=1_000_000, ge=0, le=10**15)
    """Priority fee that wallets add, wei per gas: the least that op-geth suggests (eth/gasprice)."""
    l1_base_fee_scalar: int = Field(default=5_227, ge=0, le=2**32 - 1)
    """Weight of the L1 base fee in the L1 data fee, millionths: OP Mainnet since Fjord (optimism, mainnet.json)."""
    l1_blob_base_fee_scalar: int = Field(default=1_014_213, ge=0, le=2**32 - 1)
    """Weight of the L1 blob base fee in the L1 data fee, millionths: OP Mainnet since Fjord."""

    @model_validator(mode="after")
    def _check(self) -> "FeeConfig":
        # A transfer: 21,000 gas of L2, and the least size of 100 bytes by Fjord's rule (fees.py).
        l2_wei = 21_000 * (self.l2_base_fee_wei + self.priority_fee_wei)
        weight = 16 * self.l1_base_fee_scalar + self.l1_blob_base_fee_scalar
        most_wei = l2_wei + 100 * weight * DEAREST_L1_WEI // 10**6
        if most_wei > MOST_FEE_WEI:
            raise ValueError(
                f"the fee of a transfer at L1 fees of 1,000 gwei must be at most {MOST_FEE_WEI} wei, 9.2 ether "
                f"(got {most_wei} with l2_base_fee_wei {self.l2_base_fee_wei}, priority_fee_wei "
                f"{self.priority_fee_wei} and the scalars): lower them"
            )
        return self


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
    `nitro`, Arbitrum's segments under Brotli; `state_diffs`, zkSync Era's changed slots; `chunks`, zkSync Lite's
    operations of 20 bytes a transfer, whose amounts and fees have few digits. By default `state_diffs` for validity
    settlement; for any other `span`, or `singular` where blocks do not lie on whole seconds."""
    execution_gas: int = Field(default=0, ge=0, le=MAX_L1_GAS)
    """L1 gas that a contract executes for each batch besides its data: none on the OP Stack, whose inbox is an
    account without code."""
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


class BridgeConfig(Config):
    """How money comes in and goes out."""

    deposit_gas: int = Field(default=57_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a deposit (OptimismPortal depositTransaction, 35,777)."""
    deposit_confirmations: int = Field(default=4, ge=1, le=10_000)
    """L1 confirmations after which a deposit is credited on L2 (op-node, sequencer.l1-confs)."""
    deposit_spread: float = Field(default=0.8, ge=0, le=1)
    """Users deposit at even chance over this first part of the onboarding phase."""
    withdrawal_l2_gas: int = Field(default=96_000, ge=21_000, le=MAX_L1_GAS)
    """L2 gas of asking for a withdrawal (L2ToL1MessagePasser initiateWithdrawal, 75,284)."""


class RollupConfig(Config):
    """Payments are L2 transfers, posted in batches to an Ethereum-like L1 and settled there."""

    kind: Literal["rollup"]
    l1: str
    """Name of the Ethereum-like chain that it settles to."""
    preset: str | None = None
    """Known rollup whose settings stand where this one says nothing; `l2sim presets` lists them."""
    chain_id: int = Field(default=10, ge=1, le=2**53)
    """Chain id that every L2 transaction signs; 10 is OP Mainnet."""
    sequencer: SequencerConfig = Field(default_factory=SequencerConfig)
    """Who orders payments into L2 blocks."""
    fees: FeeConfig = Field(default_factory=FeeConfig)
    """What users pay."""
    batcher: BatcherConfig = Field(default_factory=BatcherConfig)
    """When L2 blocks go to L1, and how."""
    bridge: BridgeConfig = Field(default_factory=BridgeConfig)
    """How users' money comes in and goes out."""
    settlement: SettlementConfig = Field(default_factory=OptimisticConfig)
    """What makes the L2 state final: a challenge window or a proof."""
    fast_exits: FastExitConfig | None = None
    """A liquidity provider who pays leaving users at once."""
    escape: EscapeConfig | None = None
    """Set if users have to leave without the operator, by the escape hatch."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, data: Any) -> Any:
        data = _as_tuples(data)  # what a validator has seen is no JSON any more, whose lists are taken for tuples
        name = data.get("preset") if isinstance(data, dict) else None
        if not isinstance(name, str):
            return data
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)} (got {name[:60]})")
        return filled_in(data, PRESETS[name].values)

    @property
    def plain(self) -> bool:
        """Whether all payments are plain transfers that pay the same fee and are taken as they come."""
        fees, sequencer = self.fees, self.sequencer
        fjord_or_later = OP_FORK_ORDER.index(fees.op_fork) >= OP_FORK_ORDER.index("fjord")
        same_fee = (fees.rule == "op" and fjord_or_later) or fees.rule == "pubdata"
        return same_fee and not fees.tip_sigma and sequencer.ordering == "arrival" and sequencer.mix.transfer == 1

    @property
    def batch_format(self) -> FormatName:
        """The form of batch: as set, or what goes with the settlement."""
        if self.batcher.format is not None:
            return self.batcher.format
        if self.settlement.kind in ("validity", "validium"):
            return "state_diffs"
        return "singular" if self.sequencer.block_time_s % 1 else "span"

    @model_validator(mode="after")
    def _preconfirms_in_whole_parts(self) -> Self:
        sequencer, part_s = self.sequencer, self.sequencer.preconfirmation_s
        if part_s is not None and round(sequencer.block_time_s * 1e9) % round(part_s * 1e9):
            raise ValueError(
                "sequencer.preconfirmation_s must divide sequencer.block_time_s into whole parts "
                f"(got {part_s} and {sequencer.block_time_s})"
            )
        return self

    @model_validator(mode="after")
    def _forces_what_its_batches_can_hold(self) -> Self:
        if self.sequencer.forced_inclusion is not None and self.batcher.format == "chunks":
            raise ValueError(
                "sequencer.forced_inclusion must not go with batcher.format chunks, which has no such operation"
            )
        return self

    @model_validator(mode="after")
    def _escapes_after_a_proof(self) -> Self:
        if self.settlement.kind != "optimistic" and self.escape is not None:
            proof_s = self.settlement.proof_s + self.batcher.max_interval_s
            if self.escape.window_s <= proof_s:
                raise ValueError(
                    f"escape.window_s must be longer than a batch and its proof take, {proof_s:g} "
                    f"(got {self.escape.window_s:g})"
                )
        return self

    @model_validator(mode="after")
    def _is_a_volition_by_account(self) -> Self:
        if self.settlement.kind == "validium" and self.settlement.l1_share and self.batch_format != "state_diffs":
            raise ValueError(
                f"settlement.l1_share needs batcher.format state_diffs, which is by account (got {self.batch_format})"
            )
        return self

    @model_validator(mode="after")
    def _disputes_what_is_in_batches(self) -> Self:
        disputed = self.settlement.kind == "optimistic" and self.settlement.disputes is not None
        if disputed and self.sequencer.forced_inclusion is not None:
            raise ValueError(
                "settlement.disputes must not go with sequencer.forced_inclusion: what L1 forces in is in no "
                "batch, and the watcher executes batches"
            )
        return self

    @model_validator(mode="after")
    def _serves_fast_exits(self) -> Self:
        if self.escape is not None and self.fast_exits is not None:
            raise ValueError("fast_exits need an operator who serves withdrawals: leave out escape or fast_exits")
        return self

    @model_validator(mode="after")
    def _chunks_plain_transfers(self) -> Self:
        if self.batcher.format == "chunks" and not self.plain:
            raise ValueError(
                "batcher.format chunks must go with plain transfers, all at one fee, in order of arrival "
                "(got another sequencer.mix, sequencer.ordering, fees.rule, fees.op_fork or fees.tip_sigma)"
            )
        return self

    @model_validator(mode="after")
    def _spans_whole_seconds(self) -> Self:
        if self.batcher.format == "span" and self.sequencer.block_time_s % 1:
            raise ValueError(
                "sequencer.block_time_s must be whole seconds with batcher.format span, which tells time in them "
                f"(got {self.sequencer.block_time_s})"
            )
        return self

    @model_validator(mode="after")
    def _lets_users_leave(self) -> Self:
        if self.sequencer.block_gas_limit < self.bridge.withdrawal_l2_gas:
            raise ValueError(
                "sequencer.block_gas_limit must be at least bridge.withdrawal_l2_gas, "
                f"{self.bridge.withdrawal_l2_gas}, or nobody could leave (got {self.sequencer.block_gas_limit})"
            )
        return self

    @model_validator(mode="after")
    def _lets_users_pay(self) -> Self:
        mix, limit = self.sequencer.mix, self.sequencer.block_gas_limit
        for what, share, gas in (
            ("sequencer.mix.token_transfer_gas", mix.token_transfer, mix.token_transfer_gas),
            ("sequencer.mix.swap_gas", mix.swap, mix.swap_gas),
            ("what a user operation takes", mix.user_operation, operation_gas(mix.bundle_size, mix.aggregate)),
        ):
            if share and gas > limit:
                raise ValueError(
                    f"sequencer.block_gas_limit must be at least {what}, {gas}, or such payments would wait for ever "
                    f"(got {limit})"
                )
        return self


def _as_tuples(data: Any) -> Any:
    """Plain data with its lists made tuples, as settings hold them."""
    if isinstance(data, dict):
        return {key: _as_tuples(value) for key, value in data.items()}
    return tuple(map(_as_tuples, data)) if isinstance(data, list) else data
