"""What a rollup's L1 transactions need of their chain: settings under which one could never be in a block."""

from collections.abc import Iterator
from typing import Final

from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.forks import Fork
from l2sim.l1.ethereum.gas import TRANSACTION_GAS, transaction_gas
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.posting import gas_per_calldata_byte
from l2sim.systems.rollup.settlement.config import OptimisticConfig, ValidiumConfig
from l2sim.systems.rollup.settlement.words import PUBLIC_INPUTS, SELECTOR_BYTES, WORD_BYTES

KeyPath = tuple[str, ...]
Fault = tuple[KeyPath, str, str]
"""The key that is wrong, the rule, and what was found."""

WORST_BYTE: Final = b"\xff"
"""Bytes that are not zero cost most."""


def faults(config: RollupConfig, chain: EthereumConfig, chain_name: str) -> Iterator[Fault]:
    """Every setting of `config` that the chain could never serve, under the forks of a run."""
    forks = (chain.rules, *(fork for _, fork in chain.upgrades))
    for fork in forks:
        if config.batcher.medium == "blob" and not fork.max_blobs:
            rule = "must be calldata or auto on a fork without blobs"
            yield ("batcher", "medium"), rule, f"blob on {fork.name}"
    caps = [fork.max_transaction_gas for fork in forks if fork.max_transaction_gas is not None]
    limit = min([chain.least_gas_limit, *caps])
    for path, gas in needs(config, forks):
        if gas > limit:
            yield path, f"must fit into {limit} gas of {chain_name}, the most of one transaction there", str(gas)


def needs(config: RollupConfig, forks: tuple[Fork, ...]) -> Iterator[tuple[KeyPath, int]]:
    """The gas of each kind of L1 transaction, by the setting that it follows from."""
    floor = any(fork.calldata_floor for fork in forks)
    batcher = config.batcher
    if batcher.medium != "calldata":
        yield ("batcher", "medium"), TRANSACTION_GAS
    if batcher.medium != "blob":
        per_byte = max(gas_per_calldata_byte(fork) for fork in forks)
        yield ("batcher", "max_calldata_bytes"), TRANSACTION_GAS + per_byte * batcher.max_calldata_bytes
    yield ("bridge", "deposit_gas"), config.bridge.deposit_gas
    forced = config.sequencer.forced_inclusion
    if forced is not None:
        yield ("sequencer", "forced_inclusion", "l1_gas"), forced.l1_gas
    if config.escape is not None:
        yield ("escape", "request_gas"), config.escape.request_gas
        yield ("escape", "escape_gas"), config.escape.escape_gas
    if config.fast_exits is not None:
        yield ("fast_exits", "fill_gas"), config.fast_exits.fill_gas
    yield from _settlement_needs(config, floor)


def _settlement_needs(config: RollupConfig, floor: bool) -> Iterator[tuple[KeyPath, int]]:
    settlement = config.settlement
    yield ("settlement", "claim_gas"), settlement.claim_gas
    if isinstance(settlement, OptimisticConfig):
        yield ("settlement", "prove_gas"), settlement.prove_gas
        yield ("settlement", "proposal_gas"), settlement.proposal_gas
        if settlement.disputes is not None:
            for key in ("move_gas", "step_gas", "resolve_gas"):
                yield ("settlement", "disputes", key), getattr(settlement.disputes, key)
        return
    proof = WORST_BYTE * (SELECTOR_BYTES + settlement.proof_bytes + PUBLIC_INPUTS * WORD_BYTES)
    yield ("settlement", "verify_gas"), transaction_gas(proof, settlement.verify_gas, calldata_floor=floor)
    if settlement.execute_gas:
        roots = WORST_BYTE * (SELECTOR_BYTES + PUBLIC_INPUTS * WORD_BYTES)
        yield ("settlement", "execute_gas"), transaction_gas(roots, settlement.execute_gas, calldata_floor=floor)
    if isinstance(settlement, ValidiumConfig):
        committee = settlement.committee
        update = WORST_BYTE * (SELECTOR_BYTES + 2 * WORD_BYTES + committee.certificate_bytes)
        executed = settlement.update_gas - TRANSACTION_GAS + committee.check_gas
        yield ("settlement", "update_gas"), transaction_gas(update, executed, calldata_floor=floor)
