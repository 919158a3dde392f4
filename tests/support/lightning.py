"""Small channel networks whose every number is known, and runs over them."""

from typing import Any

import numpy as np

from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.systems.base import World
from l2sim.systems.lightning.config import LightningConfig
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.system import LightningSystem
from tests.support.worlds import workload, world

SAT = 1_000  # msat
MS = 1_000_000  # ns

# A network without friction: every unit of a channel can be sent, every message arrives at once.
FRICTIONLESS: dict[str, Any] = {
    "channels": {"reserve_ppm": 0, "commitment_feerate_sat_per_kw": 0, "dust_limit_sat": 0},
    "latency": {"kind": "constant", "one_way_ms": 0},
}


def line(*channels: tuple[int, int], **columns: Any) -> ChannelGraph:
    """Nodes 0, 1, 2, ... in a line; of each channel (left, right): what each side owns in sat."""
    triples = [(i, i + 1, (left + right) * SAT) for i, (left, right) in enumerate(channels)]
    balances = np.array(channels, np.int64).reshape(-1) * SAT
    return ChannelGraph.from_channels(
        [f"n{i}" for i in range(len(channels) + 1)], triples, balance_msat=balances, **columns
    )


def settings(**changes: Any) -> LightningConfig:
    """Settings whose users are the nodes of a given network with given balances."""
    fields: dict[str, Any] = {
        "kind": "lightning",
        "l1": "bitcoin",
        "topology": {"kind": "generated"},
        "liquidity": {"kind": "from_file"},
        "users": {"kind": "nodes"},
        "backbone": {"renewals": 0},
        "latency": {"kind": "constant", "one_way_ms": 50},
    }
    return LightningConfig.model_validate(fields | changes)


def quiet_world(rows: list[tuple[float, int, int, int]], users: int, funds_msat: int = 10**9, **options: Any) -> World:
    """A world on an empty Bitcoin-like chain with blocks every ten minutes."""
    chain = BitcoinConfig.model_validate({"block_times": "clocked", "background": {"load": 0.0}})
    return world(workload(rows, [funds_msat] * users), "bitcoin", chain, **options)


def on_graph(
    graph: ChannelGraph, rows: list[tuple[float, int, int, int]], config: LightningConfig | None = None, **options: Any
) -> LightningSystem:
    """A system over that graph in which user u is node u; rows are (seconds, payer, payee, msat)."""
    made = quiet_world(rows, graph.node_count, **options)
    system = LightningSystem("lightning", config or settings(), made, made.chains["bitcoin"], graph)
    system.population.node_of_user[:] = np.arange(graph.node_count)
    return system


def run_payments(system: LightningSystem) -> LightningSystem:
    """Onboard, pay everything, wait until all is settled."""
    world, environment = system.world, system.world.environment
    system.onboard()
    environment.run_until(world.horizon.payments_ns)
    system.open()
    last_ns = world.horizon.payments_ns + int(world.workload.time_ns.max(initial=0))
    environment.run_until(last_ns)
    environment.run_while(lambda: not system.settled, world.horizon.settle_ns)
    return system


def run_whole(system: LightningSystem) -> LightningSystem:
    """The same, and everybody leaves; the money is checked at the end."""
    run_payments(system)
    system.leave()
    system.world.environment.run_while(lambda: not system.left, system.world.horizon.end_ns)
    system.finish()
    system.audit().check("at the end")
    return system
