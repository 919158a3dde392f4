"""Rollups by name: settings of known chains, each with its date, its sources and what is only assumed.

A preset fills in what a scenario leaves out; whatever the scenario says itself goes first. Where a source marks a
figure as uncertain, `-low` and `-high` stand beside the middle one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Values = Mapping[str, Any]

POINT_EVALUATION_GAS: Final = 50_000
"""Of showing a contract that a blob holds what it is told (EIP-4844)."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of one chain, as a scenario would write them."""

    name: str
    what: str
    as_of: str
    """Date of the newest source, ISO 8601."""
    sources: str
    assumed: str
    """What no source gives, or only an uncertain one; empty if nothing."""
    values: Values


def _op(name: str, what: str, chain_id: int, gas_limit: int, channel_s: float, preconfirmation_s: float) -> Preset:
    return Preset(
        name=name,
        what=what,
        as_of="2026-08-04",
        sources="superchain-registry 8336d2ae configs/mainnet; optimism d317e96c deploy-config/mainnet.json; "
        "ethereum-optimism/specs fd72cf79 fjord/exec-engine.md, fault-proof; docs bbe7f1e3 batcher.mdx",
        assumed="operators' gas; compression level 5 in place of brotli 10, which takes forty times as long",
        values={
            "chain_id": chain_id,
            "sequencer": {
                "block_time_s": 2.0, "block_gas_limit": gas_limit, "preconfirmation_s": preconfirmation_s,
            },
            "fees": {
                "rule": "op", "op_fork": "karst", "l1_base_fee_scalar": 5_227, "l1_blob_base_fee_scalar": 1_014_213,
            },
            "batcher": {
                "format": "span", "max_interval_s": channel_s, "target_bytes": 5 * 130_020, "medium": "auto",
                "decided": "at_opening",
            },
            "settlement": {
                "kind": "optimistic", "challenge_window_s": 604_800.0, "proposal_interval_s": 3_600.0,
            },
        },
    )  # fmt: skip


def _era(name: str, what: str, verify_gas: int, proof_usd: float, delay_s: float) -> Preset:
    return Preset(
        name=name,
        what=what,
        as_of="2026-07-02",
        sources="zksync-era 3e29e4a0 overrides/mainnet.yaml, blocks_batches.md, 10_pubdata_with_blobs.md; "
        "docs.zksync.io, finality; EIP-4844, point evaluation",
        assumed="gas of a PLONK-type verification, 300,000 to 500,000 (unverified); 2 to 10 dollars a proven batch "
        "(blockeden forum 591, unverified); provers; of the contract's gas only a point evaluation for each of two "
        "blobs, so that committing and executing a batch cost too little",
        values={
            "chain_id": 324,
            "sequencer": {"block_time_s": 1.0, "block_gas_limit": 80_000_000},
            "fees": {"rule": "pubdata"},
            "batcher": {
                "format": "state_diffs", "max_interval_s": 28_000.0, "target_bytes": 2 * 126_976,
                "execution_gas": 2 * POINT_EVALUATION_GAS,
            },
            "settlement": {
                "kind": "validity", "proof_s": 3_600.0, "proof_usd": proof_usd, "proof_usd_per_transaction": 0.0,
                "verify_gas": verify_gas, "proof_bytes": 900, "execution_delay_s": delay_s,
            },
        },
    )  # fmt: skip


def _starknet(name: str, what: str, verify_gas: int) -> Preset:
    return Preset(
        name=name,
        what=what,
        as_of="2026-04-27",
        sources="starknet-docs 9dc4a3b4 chain-info.mdx, fees.mdx; standard-crypto zkstats notes",
        assumed="Starknet's share of the gas of a SHARP proof, 0.7 of 6 M (secondary); time and cost of proving; "
        "L2 gas by Ethereum's count, 500 transfers a block; state differences without the compression of 0.13.4",
        values={
            "sequencer": {"block_time_s": 2.0, "block_gas_limit": 500 * 21_000},
            "fees": {"rule": "starknet"},
            "batcher": {"format": "starknet", "max_interval_s": 3_600.0},
            "settlement": {
                "kind": "validity", "proof_s": 3_600.0, "batches_per_proof": 4, "aggregation_wait_s": 7_200.0,
                "verify_gas": verify_gas, "proof_bytes": 20_000,
            },
        },
    )  # fmt: skip


def _starkex(name: str, what: str, verify_gas: int) -> Preset:
    return Preset(
        name=name,
        what=what,
        as_of="2025-07-01",
        sources="starkex-contracts f3b25069 LibConstants.sol (7 days for a request); docs.starkware.co throughput",
        assumed="share of the gas of a SHARP proof, 0.1 to 0.7 of 6 M; members of the committee; time and cost of "
        "proving",
        values={
            "sequencer": {"block_time_s": 1.0, "block_gas_limit": 1_000 * 21_000, "signature_check": "verify"},
            "fees": {"rule": "pubdata", "pubdata_bytes": 0},
            "batcher": {"format": "vaults", "max_interval_s": 3_600.0},
            "settlement": {
                "kind": "validium", "proof_s": 3_600.0, "verify_gas": verify_gas, "proof_bytes": 20_000,
                "committee": {"members": 8, "threshold": 6, "signatures": "ecdsa"},
            },
        },
    )  # fmt: skip


ARBITRUM_ONE: Final = Preset(
    name="arbitrum-one",
    what="Arbitrum One: Nitro, blocks of 250 ms, assertions challenged for 6.4 days",
    as_of="2026-08-07",
    sources="nitro 6dce8d13 batch_poster.go, l1pricing.go; nitro-contracts 67487333 arb1.ts; arbitrum-docs 691ad7e1",
    assumed="operators' gas; compression level 5 in place of Nitro's adaptive one, up to 11",
    values={
        "chain_id": 42_161,
        "sequencer": {"block_time_s": 0.25, "block_gas_limit": 32_000_000},
        "fees": {"rule": "arbitrum", "l2_base_fee_wei": 20_000_000, "priority_fee_wei": 0},
        "batcher": {
            "format": "nitro", "max_interval_s": 3_600.0, "target_bytes": 100_000, "execution_gas": 210_000,
        },
        "bridge": {"deposit_confirmations": 50},
        "settlement": {
            "kind": "optimistic", "challenge_window_s": 45_818 * 12.0, "proposal_interval_s": 75 * 12.0,
        },
    },
)  # fmt: skip

_ALL: Final = (
    _op("op-mainnet", "OP Mainnet: blocks of 2 s, channels of 30 minutes", 10, 40_000_000, 1_800.0, 0.2),
    _op("base", "Base: the same with 400 M gas a block", 8_453, 400_000_000, 1_800.0, 0.2),
    ARBITRUM_ONE,
    _era("zksync-era-low", "zkSync Era: a delay of 3 hours, the cheapest proofs", 300_000, 2.0, 10_800.0),
    _era("zksync-era", "zkSync Era: a delay of 21 hours", 400_000, 5.0, 76_000.0),
    _era("zksync-era-high", "zkSync Era: a delay of 21 hours, the dearest proofs", 500_000, 10.0, 76_000.0),
    _starknet("starknet-low", "Starknet: half the share of a proof", 2_100_000),
    _starknet("starknet", "Starknet: state differences, one recursive proof for many blocks", 4_200_000),
    _starknet("starknet-high", "Starknet: a whole proof of its own", 6_000_000),
    _starkex("starkex-validium-low", "a StarkEx validium: a tenth of a proof", 600_000),
    _starkex("starkex-validium", "a StarkEx validium: a third of a proof", 2_000_000),
    _starkex("starkex-validium-high", "a StarkEx validium: 0.7 of a proof", 4_200_000),
)
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
