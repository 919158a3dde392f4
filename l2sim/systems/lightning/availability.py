"""Nodes that go away and come back: their channels lose their connections, and are announced as disabled if long.

While a node is away, new HTLCs into it are refused by its peers: temporary_channel_failure at first, and once the
peers have waited and disabled their edges, channel_disabled. HTLCs already in its channels stay there.
"""

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, Streams, ns
from l2sim.systems.lightning.edges_by_node import EdgesByNode
from l2sim.systems.lightning.full_dance import FullNetwork
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.node_config import Availability
from l2sim.systems.lightning.staleness import Staleness
from l2sim.systems.lightning.state import ChannelState
from l2sim.systems.lightning.times import TimeSampler, mean_s


class Comings:
    """Which nodes are there."""

    def __init__(
        self,
        config: Availability,
        environment: Environment,
        streams: Streams,
        candidates: npt.NDArray[np.int64],
        nodes: int,
        state: ChannelState,
        network: FullNetwork,
        announcements: Announcements,
        staleness: Staleness | None = None,
    ) -> None:
        self._environment = environment
        self._state = state
        self._network = network
        self._announcements = announcements
        self._staleness = staleness
        self._disable_ns = ns(config.disable_after_s)
        self._enable_ns = ns(config.enable_after_s)
        self._up = TimeSampler(config.up, streams, "lightning/up times")
        self._down = TimeSampler(config.down, streams, "lightning/down times")
        self._up_share = mean_s(config.up) / max(1e-9, mean_s(config.up) + mean_s(config.down))
        self._stream = streams.get("lightning/availability")
        count = round(config.share * len(candidates))
        chosen = self._stream.generator.choice(candidates, size=count, replace=False)
        self.unsteady: list[int] = np.sort(chosen).tolist()
        """The nodes that come and go."""
        self._here = [True] * nodes
        self._states = [0] * nodes
        """Times each node has changed its state: what was to happen in an earlier one does not."""
        self._disabled: dict[int, list[int]] = {}
        """By node that is announced as away, the edges into it that were enabled before."""
        self._into = EdgesByNode(state.target, nodes)
        self.departures = 0

    def start(self) -> None:
        """Draw who is there, and begin."""
        for node in self.unsteady:
            if self._stream.uniform() < self._up_share:
                self._environment.call_in(self._up.draw_ns(), self._leave, node)
            else:
                self._leave(node)

    def here(self, node: int) -> bool:
        """Whether a node is there."""
        return self._here[node]

    def _edges_into(self, node: int) -> list[int]:
        edges: list[int] = self._into.of(node).tolist()
        return edges

    def _leave(self, node: int) -> None:
        self._here[node] = False
        self._states[node] += 1
        self.departures += 1
        if self._staleness is not None:
            self._staleness.left(node)
        for edge in self._edges_into(node):
            if self._state.connected[edge >> 1]:
                self._network.disconnect(edge >> 1)
        state = self._states[node]
        self._environment.call_in(self._disable_ns, self._disable, node, state)
        self._environment.call_in(max(1, self._down.draw_ns()), self._return, node)

    def _return(self, node: int) -> None:
        self._here[node] = True
        self._states[node] += 1
        source = self._state.source
        for edge in self._edges_into(node):
            if self._here[source[edge]]:
                self._network.reconnect(edge >> 1)
        if self._staleness is not None:
            self._staleness.back(node)
        if node in self._disabled:
            self._environment.call_in(self._enable_ns, self._enable, node, self._states[node])
        self._environment.call_in(max(1, self._up.draw_ns()), self._leave, node)

    def _disable(self, node: int, state: int) -> None:
        """The node's peers have waited long enough."""
        if state != self._states[node] or node in self._disabled:
            return
        enabled = self._state.enabled
        edges = [edge for edge in self._edges_into(node) if enabled[edge]]
        self._disabled[node] = edges
        for edge in edges:
            enabled[edge] = False
            self._announcements.update(edge)

    def _enable(self, node: int, state: int) -> None:
        """The node has been back for long enough."""
        if state != self._states[node]:
            return
        for edge in self._disabled.pop(node):
            self._state.enabled[edge] = True
            self._announcements.update(edge)
