"""From a system's settings to the system; only the kinds that a scenario uses are imported."""

from collections.abc import Sequence
from typing import Any

from l2sim.l1.base import Chain
from l2sim.systems.base import PaymentSystem, World


def build_system(name: str, config: Any, world: World) -> PaymentSystem:
    """Build the system `name` from its settings, in its world, on the chain it names."""
    chain: Chain = world.chains[config.l1]
    match config.kind:
        case "onchain":
            from l2sim.systems.onchain.system import build_onchain

            return build_onchain(name, config, world, chain)
        case "lightning":
            from l2sim.systems.lightning.system import LightningSystem

            return LightningSystem(name, config, world, chain)
        case "rollup":
            from l2sim.systems.rollup.system import RollupSystem

            return RollupSystem(name, config, world, chain)
        case kind:
            raise ValueError(f"system {name}: unknown kind (got {kind})")


def share_blobs(systems: Sequence[PaymentSystem], config: Any) -> None:
    """Have rollups that live on one chain post into the same blobs, in the order of their tenants' numbers."""
    from l2sim.systems.rollup.system import RollupSystem, share

    share([system for system in systems if isinstance(system, RollupSystem)], config)
