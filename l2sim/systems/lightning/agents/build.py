"""From the agents' settings to the agents."""

from collections.abc import Sequence
from typing import Any

from l2sim.errors import InvariantError
from l2sim.systems.lightning.agents.config import (
    Leases,
    ProportionalFees,
    Rebalancing,
    Splices,
    Swaps,
    ThresholdFees,
)
from l2sim.systems.lightning.agents.fees import FeeAgent
from l2sim.systems.lightning.agents.moves import LeaseAgent, SpliceAgent, SwapAgent
from l2sim.systems.lightning.agents.rebalancing import RebalancingAgent
from l2sim.systems.lightning.agents.world import Surroundings

AnyAgent = FeeAgent | RebalancingAgent | SwapAgent | SpliceAgent | LeaseAgent


def build_agents(configs: Sequence[Any], world: Surroundings) -> list[AnyAgent]:
    """The agents of a system, in the order of its settings."""
    return [_build(config, world) for config in configs]


def _build(config: Any, world: Surroundings) -> AnyAgent:
    match config:
        case ProportionalFees() | ThresholdFees():
            return FeeAgent(config, world)
        case Rebalancing():
            return RebalancingAgent(config, world)
        case Swaps():
            return SwapAgent(config, world)
        case Splices():
            return SpliceAgent(config, world)
        case Leases():
            return LeaseAgent(config, world)
    raise InvariantError(f"no agent is made from {type(config).__name__}")
