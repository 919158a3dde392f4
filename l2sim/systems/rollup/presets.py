"""Rollups by name: settings of known chains, each figure with its source and date, or what it is assumed from.

A preset fills in what a scenario leaves out; whatever the scenario says itself goes first. Where a source marks a
figure as uncertain, or there is none, `-low` and `-high` stand beside the middle one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure was read, and of what date."""

    where: str
    date: str
    """ISO 8601; of some only the year is known."""

    def __str__(self) -> str:
        return f"{self.where} ({self.date})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One setting of a chain."""

    key: str
    """As a scenario would write it, from the system on, with dots between keys."""
    value: Any
    source: Source | None
    note: str = ""
    """What of it is derived, uncertain or assumed; without a source it is an assumption."""

    @property
    def origin(self) -> str:
        """Source and note in words."""
        words = self.note or ("" if self.source else "an assumption")
        return "; ".join(part for part in (str(self.source) if self.source else "", words) if part)


@dataclass(frozen=True)
class Preset:
    """Settings of one chain."""

    name: str
    what: str
    figures: tuple[Figure, ...]

    @cached_property
    def values(self) -> dict[str, Any]:
        """The settings as a scenario would write them."""
        values: dict[str, Any] = {}
        for figure in self.figures:
            *path, last = figure.key.split(".")
            inner = values
            for key in path:
                inner = inner.setdefault(key, {})
            inner[last] = figure.value
        return values

    @property
    def as_of(self) -> str:
        """Date of the newest source."""
        return max(figure.source.date for figure in self.figures if figure.source)


# -- sources ----------------------------------------------------------------------------------------------------------

OP_REGISTRY: Final = Source("superchain-registry 8336d2ae, configs/mainnet", "2026-08-04")
OP_DEPLOY: Final = Source("optimism d317e96c, deploy-config/mainnet.json", "2024-10-25")
OP_SPECS: Final = Source("ethereum-optimism/specs fd72cf79", "2026-04-28")
OP_DOCS: Final = Source("ethereum-optimism/docs bbe7f1e3, batcher.mdx", "2025-11-21")
BASE_DOCS: Final = Source("docs.base.org, throughput", "2026")
NITRO: Final = Source("nitro 6dce8d13, arbnode/batch_poster.go and arbos/l1pricing/l1pricing.go", "2026-04-23")
ARB1: Final = Source("nitro-contracts 67487333, scripts/files/configs/arb1.ts", "2026-03-13")
ARB_DOCS: Final = Source("arbitrum-docs 691ad7e1, chain parameters and transaction lifecycle", "2026-08-07")
ERA: Final = Source("zksync-era 3e29e4a0, etc/env/file_based/overrides/mainnet.yaml", "2026-07-02")
ERA_DOCS: Final = Source("zksync-era 3e29e4a0, docs/src: blocks_batches.md, 10_pubdata_with_blobs.md", "2026-07-02")
ERA_SENDER: Final = Source("zksync-era cf2cbdbb, core/node/eth_sender/src/publish_criterion.rs", "2026")
ZKSYNC_FINALITY: Final = Source("docs.zksync.io, finality", "2026")
PRIVADO: Final = Source("docs.privado.id, gas of its verifier", "2026")
ZKEVM_PRICES: Final = Source("blockeden forum 591", "2026")
STARKNET_INFO: Final = Source("starknet-docs 9dc4a3b4, chain-info.mdx", "2026-04-27")
STARKNET_FEES: Final = Source("starknet-docs 017df3a8, learn/protocol/fees.mdx", "2025")
STARKNET_DATA: Final = Source("starknet-docs 9736ff0b, learn/protocol/data-availability.mdx", "2025")
STARKNET_COSTS: Final = Source("community.starknet.io 113868, applicative recursion", "2024")
SHARP: Final = Source("standard-crypto zkstats, Starknet", "2024")
LOOPRING: Final = Source("Loopring/protocols 425d152e, DESIGN.md", "2024-06-07")
POLYGON: Final = Source("polygon-docs 0f9ab164, testing-and-proving-costs.md", "2025-12-26")
STARKEX_THROUGHPUT: Final = Source("docs.starkware.co, throughput", "2024")
STARKEX_COMMITTEE: Final = Source("starkex-data-availability-committee 7d72f8e0, README.md and config.yml", "2022")
L2BEAT: Final = Source("l2beat.com, data availability of StarkEx applications", "2026")
EIP_4844: Final = Source("EIP-4844", "2024-03-13")

# -- chains -----------------------------------------------------------------------------------------------------------

POINT_EVALUATION_GAS: Final = 50_000
"""Of showing a contract that a blob holds what it is told (EIP-4844)."""
TRANSACTION_GAS: Final = 21_000


def _op(name: str, what: str, chain_id: int, gas_limit: int, limit_source: Source) -> Preset:
    other = "" if name == "op-mainnet" else "of OP Mainnet: this chain sets its own"
    return Preset(name, what, (
        Figure("chain_id", chain_id, OP_REGISTRY),
        Figure("sequencer.block_time_s", 2.0, OP_REGISTRY),
        Figure("sequencer.block_gas_limit", gas_limit, limit_source),
        Figure("sequencer.preconfirmation_s", 0.2, OP_SPECS, "flashblocks.md"),
        Figure("fees.rule", "op", OP_SPECS),
        Figure("fees.op_fork", "karst", OP_REGISTRY),
        Figure("fees.l1_base_fee_scalar", 5_227, OP_DEPLOY, other),
        Figure("fees.l1_blob_base_fee_scalar", 1_014_213, OP_DEPLOY, other),
        Figure("batcher.format", "span", OP_DOCS),
        Figure("batcher.max_interval_s", 1_800.0, OP_DOCS, "150 blocks of L1, the usual advice"),
        Figure("batcher.target_bytes", 5 * 130_020, OP_DOCS, "five blobs, the usual advice"),
        Figure("batcher.level", 5, None, "in place of brotli 10, which takes forty times as long"),
        Figure("batcher.medium", "auto", OP_DOCS),
        Figure("batcher.decided", "at_opening", Source("optimism d317e96c, op-batcher", "2024-10-25")),
        Figure("settlement.kind", "optimistic", OP_SPECS),
        Figure("settlement.challenge_window_s", 604_800.0, OP_SPECS, "fault-proof/stage-one"),
        Figure("settlement.proposal_interval_s", 3_600.0, OP_DEPLOY, "now whoever likes, at least once a day"),
    ))  # fmt: skip


ARBITRUM_ONE: Final = Preset(
    "arbitrum-one", "Arbitrum One: Nitro, blocks of 250 ms, assertions challenged for 6.4 days", (
        Figure("chain_id", 42_161, ARB_DOCS),
        Figure("sequencer.block_time_s", 0.25, ARB_DOCS),
        Figure("sequencer.block_gas_limit", 32_000_000, ARB_DOCS),
        Figure("fees.rule", "arbitrum", NITRO),
        Figure("fees.l2_base_fee_wei", 20_000_000, ARB_DOCS, "the least, 0.02 gwei"),
        Figure("fees.priority_fee_wei", 0, ARB_DOCS),
        Figure("fees.arbitrum_report_delay_s", 600.0, ARB_DOCS, "a message from L1, ten minutes"),
        Figure("batcher.format", "nitro", NITRO),
        Figure("batcher.max_interval_s", 3_600.0, NITRO),
        Figure("batcher.target_bytes", 100_000, NITRO),
        Figure("batcher.execution_gas", 210_000, NITRO, "what the chain itself counts for a batch since V12"),
        Figure("batcher.level", 5, None, "in place of an adaptive one, up to 11"),
        Figure("bridge.deposit_confirmations", 50, ARB_DOCS, "ten minutes"),
        Figure("settlement.kind", "optimistic", ARB1),
        Figure("settlement.challenge_window_s", 45_818 * 12.0, ARB1, "45,818 blocks of L1"),
        Figure("settlement.proposal_interval_s", 75 * 12.0, ARB1, "75 blocks of L1"),
    ),
)  # fmt: skip

ERA_COMMIT_GAS: Final = 242_000 + 31_000
"""What Era's sender reckons with for committing one batch, blobs and transaction included."""
ERA_EXECUTE_GAS: Final = 200_000 + 50_000
"""The same for executing it."""
ERA_BLOBS: Final = 2


def _era(
    name: str, what: str, margin_gas: int, verify_gas: int, proof_usd: float, delay: tuple[float, Source, str]
) -> Preset:
    """`margin_gas` is taken off what the sender reckons with: 100,000 to 200,000 too much, by its authors."""
    commit_gas = ERA_COMMIT_GAS - margin_gas - ERA_BLOBS * POINT_EVALUATION_GAS - TRANSACTION_GAS
    margin = f"what its sender reckons with, less {margin_gas:,} of margin; uncertain"
    return Preset(name, what, (
        Figure("chain_id", 324, ERA_DOCS),
        Figure("sequencer.block_time_s", 1.0, ERA_DOCS),
        Figure("sequencer.block_gas_limit", 80_000_000, ERA_DOCS, "uncertain: the most of one transaction"),
        Figure("fees.rule", "pubdata", ERA_DOCS),
        Figure("fees.l2_base_fee_wei", 45_250_000, ERA, "the least; gas is counted as on Ethereum here"),
        Figure("fees.priority_fee_wei", 0, ERA_DOCS),
        Figure("fees.pubdata_overcharge_percent", 150, ERA, "internal_pubdata_pricing_multiplier"),
        Figure("batcher.format", "state_diffs", ERA_DOCS),
        Figure("batcher.max_interval_s", 28_000.0, ERA),
        Figure("batcher.target_bytes", ERA_BLOBS * 126_976, ERA_DOCS, "two blobs"),
        Figure("batcher.execution_gas", commit_gas, ERA_SENDER, margin),
        Figure("batcher.execution_gas_per_blob", POINT_EVALUATION_GAS, EIP_4844, "a point evaluation"),
        Figure("settlement.kind", "validity", ERA_DOCS),
        Figure("settlement.proof_s", 3_600.0, ZKSYNC_FINALITY, "about an hour"),
        Figure("settlement.proof_usd", proof_usd, ZKEVM_PRICES, "2 to 10 dollars a batch, unverified"),
        Figure("settlement.proof_usd_per_transaction", 0.0, None, "all in the figure for a batch"),
        Figure("settlement.verify_gas", verify_gas, PRIVADO, "uncertain: 300,000 to 500,000 for PLONK, and its "
               "sender reckons with 800,000, transaction included"),
        Figure("settlement.proof_bytes", 900, None, "0.8 to 1 KB for PLONK"),
        Figure("settlement.execution_delay_s", *delay),
        Figure("settlement.execute_gas", ERA_EXECUTE_GAS - margin_gas - TRANSACTION_GAS, ERA_SENDER, margin),
    ))  # fmt: skip


ERA_DELAY: Final = (76_000.0, ERA, "21 hours")
ERA_SHORT_DELAY: Final = (10_800.0, ZKSYNC_FINALITY, "3 hours, of a later page than the setting of 21")

SHARP_GAS: Final = 6_000_000
"""Of verifying a SHARP proof, shared by those whose work is in it; its calldata is in it too."""
FACT_GAS: Final = 23_000 + 56_000
"""Of registering a job's fact and its memory page."""
UPDATE_GAS: Final = 86_000
"""Of Starknet's function that takes over a new state root."""


_CHEAP, _MIDDLE, _DEAR = (2_640.0, 0.0001), (3_600.0, 0.0022), (6_000.0, 0.0029)
"""Seconds to prove a batch, and dollars a transaction."""


def _sharp(share_percent: int, proving: tuple[float, float]) -> tuple[Figure, ...]:
    """What proofs by SHARP cost: an uncertain share of one, and an uncertain time and price of proving."""
    proof_s, usd = proving
    gas = SHARP_GAS * share_percent // 100 + FACT_GAS
    return (
        Figure("settlement.proof_s", proof_s, POLYGON, "uncertain: 44 to 100 minutes of another prover"),
        Figure("settlement.proof_usd_per_transaction", usd, LOOPRING if usd == _CHEAP[1] else POLYGON,
               "uncertain: 0.0001 to 0.0029 dollars, of other provers"),
        Figure("settlement.verify_gas", gas, SHARP, f"{share_percent} % of about 6 M, uncertain; and 79,000 to "
               f"register a fact: {STARKNET_COSTS}"),
        Figure("settlement.proof_bytes", 32, SHARP, "the fact: the proof's calldata is in the 6 M"),
    )  # fmt: skip


def _starknet(name: str, what: str, share_percent: int, proving: tuple[float, float], batches_per_proof: int) -> Preset:
    return Preset(name, what, (
        Figure("sequencer.block_time_s", 2.0, STARKNET_INFO, "at most 9.5"),
        Figure("sequencer.block_gas_limit", 500 * 21_000, STARKNET_INFO, "500 transactions, by Ethereum's gas"),
        Figure("fees.rule", "starknet", STARKNET_FEES),
        Figure("fees.starknet_surcharge_wei", 10**9, STARKNET_FEES),
        Figure("fees.starknet_scale_per_mille", 135, STARKNET_FEES, "what compression leaves on average"),
        Figure("batcher.format", "starknet", STARKNET_DATA),
        Figure("batcher.max_interval_s", 3_600.0, None, "an assumption"),
        Figure("batcher.execution_gas", UPDATE_GAS, STARKNET_COSTS),
        Figure("batcher.execution_gas_per_blob", POINT_EVALUATION_GAS, STARKNET_COSTS),
        Figure("settlement.kind", "validity", STARKNET_INFO),
        Figure("settlement.batches_per_proof", batches_per_proof, None, "uncertain: one proof for many blocks"),
        Figure("settlement.aggregation_wait_s", 7_200.0, None, "an assumption"),
        *_sharp(share_percent, proving),
    ))  # fmt: skip


def _starkex(
    name: str,
    what: str,
    share_percent: int,
    proving: tuple[float, float],
    committee: tuple[int, int, str],
    update_gas: int,
    update_note: str,
) -> Preset:
    members, threshold, whose = committee
    return Preset(name, what, (
        Figure("sequencer.block_time_s", 1.0, None, "an assumption"),
        Figure("sequencer.block_gas_limit", 1_000 * 21_000, STARKEX_THROUGHPUT, "1,000 transactions a second"),
        Figure("sequencer.signature_check", "verify", None, "keys are known: they are in the vaults"),
        Figure("fees.rule", "pubdata", STARKEX_COMMITTEE),
        Figure("fees.pubdata_bytes", 0, STARKEX_COMMITTEE, "no data on L1"),
        Figure("batcher.format", "vaults", STARKEX_COMMITTEE),
        Figure("batcher.max_interval_s", 3_600.0, None, "an assumption"),
        Figure("settlement.kind", "validium", STARKEX_COMMITTEE),
        *_sharp(share_percent, proving),
        Figure("settlement.committee.members", members, L2BEAT, whose),
        Figure("settlement.committee.threshold", threshold, L2BEAT, whose),
        Figure("settlement.committee.signatures", "ecdsa", STARKEX_COMMITTEE),
        Figure("settlement.update_gas", update_gas, STARKNET_COSTS, update_note),
    ))  # fmt: skip


_ALL: Final = (
    _op("op-mainnet", "OP Mainnet: blocks of 2 s, channels of 30 minutes", 10, 40_000_000, OP_REGISTRY),
    _op("base", "Base: the same with 400 M gas a block", 8_453, 400_000_000, BASE_DOCS),
    ARBITRUM_ONE,
    _era("zksync-era-low", "zkSync Era: a delay of 3 hours, the cheapest proofs", 150_000, 300_000, 2.0,
         ERA_SHORT_DELAY),
    _era("zksync-era", "zkSync Era: a delay of 21 hours", 100_000, 400_000, 5.0, ERA_DELAY),
    _era("zksync-era-high", "zkSync Era: a delay of 21 hours, the dearest proofs", 0, 760_000, 10.0, ERA_DELAY),
    _starknet("starknet-low", "Starknet: half the share of a proof, for eight batches", 35, _CHEAP, 8),
    _starknet("starknet", "Starknet: packed state differences, one recursive proof for many blocks", 70, _MIDDLE, 4),
    _starknet("starknet-high", "Starknet: a whole proof of its own, for each batch", 100, _DEAR, 1),
    _starkex("starkex-validium-low", "a StarkEx validium: a tenth of a proof, two of four sign", 10, _CHEAP,
             (4, 2, "Sorare's; an operator chooses"), UPDATE_GAS + TRANSACTION_GAS, "Starknet's, for want of its own"),
    _starkex("starkex-validium", "a StarkEx validium: a third of a proof, five of seven sign", 33, _MIDDLE,
             (7, 5, "Immutable X's; an operator chooses"), 120_000, "Starknet's and another slot; uncertain"),
    _starkex("starkex-validium-high", "a StarkEx validium: 0.7 of a proof, all of seven sign", 70, _DEAR,
             (7, 7, "Immutable X's members, all of them mandatory"), 150_000, "uncertain"),
)  # fmt: skip
PRESETS: Final[Mapping[str, Preset]] = {preset.name: preset for preset in _ALL}


def filled_in(given: Values, preset: Values) -> dict[str, Any]:
    """`preset` with what is given written over it, mapping by mapping.

    A mapping of another `kind` than the preset's takes its whole place.

    >>> filled_in({"a": {"x": 1}}, {"a": {"x": 2, "y": 3}, "b": 4})
    {'a': {'x': 1, 'y': 3}, 'b': 4}
    """
    merged = dict(preset)
    for key, value in given.items():
        old = merged.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(old, Mapping)
            and value.get("kind", old.get("kind")) == old.get("kind")
        ):
            merged[key] = filled_in(value, old)
        else:
            merged[key] = value
    return merged
