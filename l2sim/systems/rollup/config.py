"""Settings of a rollup: its parts put together, and what goes with what.

Gas figures of OP Stack contracts are those of the gas snapshot that its authors keep
(ethereum-optimism/optimism 0020adc2, packages/contracts-bedrock/.gas-snapshot) plus 21,000 a transaction, rounded.
"""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.rollup.batcher_config import BatcherConfig, FormatName
from l2sim.systems.rollup.bundles import operation_gas
from l2sim.systems.rollup.fee_config import OP_FORK_ORDER, FeeConfig
from l2sim.systems.rollup.presets import PRESETS, filled_in
from l2sim.systems.rollup.sequencer_config import SequencerConfig
from l2sim.systems.rollup.settlement.config import (
    MAX_L1_GAS,
    EscapeConfig,
    FastExitConfig,
    OptimisticConfig,
    SettlementConfig,
)

BY_ACCOUNT = ("state_diffs", "starknet", "vaults")
"""Forms of batch that say what changed of each account."""
SEQUENCING_WINDOW_S = 43_200.0
"""Time within which an OP Stack chain's blocks must be on L1: 3,600 L1 blocks (specs, protocol/configurability.md)."""


class BridgeConfig(Config):
    """How money comes in and goes out."""

    deposit_gas: int = Field(default=57_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a deposit (OptimismPortal depositTransaction, 35,777)."""
    deposit_confirmations: int = Field(default=4, ge=1, le=10_000)
    """L1 confirmations after which a deposit is credited on L2 (op-node, sequencer.l1-confs)."""
    deposit_spread: float = Field(default=0.8, ge=0, le=1)
    """Users deposit at even chance over this first part of the onboarding phase."""
    exit_patience_s: float = Field(default=0.0, ge=0, le=31_536_000)
    """How long users whose next step out costs more than it is worth wait for L1 to become cheaper, seconds; they look
    once an hour. At 0 they look once, and give up."""
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
        same_fee = (fees.rule == "op" and fjord_or_later) or fees.rule in ("pubdata", "starknet")
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
        settlement = self.settlement
        if settlement.kind != "optimistic" and self.escape is not None:
            together_s = settlement.aggregation_wait_s if settlement.batches_per_proof > 1 else 0.0
            full = self.batcher.max_transactions or 1  # how many fit into a batch is known before the run only so
            work_s = settlement.proof_s + full * settlement.proof_s_per_transaction
            served_s = self.batcher.max_interval_s + work_s + together_s + settlement.aggregation_s
            served_s += settlement.execution_delay_s
            if self.escape.window_s <= served_s:
                raise ValueError(
                    f"escape.window_s must be longer than a batch, its proof and its execution delay take, "
                    f"{served_s:.9g} (got {self.escape.window_s:.9g})"
                )
        return self

    @model_validator(mode="after")
    def _is_a_volition_by_account(self) -> Self:
        if self.settlement.kind == "validium" and self.settlement.l1_share and self.batch_format not in BY_ACCOUNT:
            raise ValueError(
                f"settlement.l1_share needs batcher.format state_diffs, starknet or vaults, which are by account "
                f"(got {self.batch_format})"
            )
        return self

    @model_validator(mode="after")
    def _stops_with_all_it_does(self) -> Self:
        stops = self.escape is not None and self.escape.stops_s is not None
        if stops and self.sequencer.forced_inclusion is not None:
            raise ValueError(
                "escape.stops_s must not go with sequencer.forced_inclusion, by which blocks go on without the operator"
            )
        if stops and self.settlement.kind == "optimistic" and self.settlement.disputes is not None:
            raise ValueError("escape.stops_s must not go with settlement.disputes, whose proposer goes on")
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
    def _posts_within_the_sequencing_window(self) -> Self:
        longest_s = max((outage.duration_s for outage in self.batcher.outages), default=0.0)
        lag_s = longest_s + self.batcher.max_interval_s
        if longest_s and self.batch_format in ("singular", "span") and lag_s >= SEQUENCING_WINDOW_S:
            raise ValueError(
                f"batcher.outages and max_interval_s together must be shorter than {SEQUENCING_WINDOW_S:g}, the "
                f"sequencing window, after which blocks are derived without their batches (got {lag_s:g})"
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
