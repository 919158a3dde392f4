"""Updates that grow stale: everybody drops a channel if the newest update of either end is two weeks old (BOLT 7).

A node that is there sends its updates again before that, at times spread evenly over the nodes; one that is away for
long, or that never does, loses its channels in everybody's view. It sends all anew when it comes back.
"""

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, Streams, ns
from l2sim.systems.lightning.edges_by_node import EdgesByNode
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.gossip_config import StaggeredGossip
from l2sim.systems.lightning.state import ChannelState, Phase


class Staleness:
    """When each edge was last announced, as far as its source does not look after it, and what follows.

    `silent` are the nodes that never send an update again.
    """

    def __init__(
        self,
        config: StaggeredGossip,
        environment: Environment,
        streams: Streams,
        state: ChannelState,
        announcements: Announcements,
        routers: npt.NDArray[np.int64],
        nodes: int,
    ) -> None:
        self._environment = environment
        self._state = state
        self._announcements = announcements
        self._nodes = nodes
        self._refresh_ns = ns(config.refresh_s)
        self._stale_ns = ns(config.stale_after_s)
        self._updated_ns = np.zeros(len(state.source), np.int64)
        """When each edge was last announced; of no meaning while its source sends updates again."""
        self._edges = EdgesByNode(state.source, nodes)
        self._careless = np.zeros(nodes, np.bool_)
        """Nodes that do not send their updates again, now or ever."""
        self._dropped: set[int] = set()
        self._looks: dict[int, int] = {}
        """By careless node when it is next looked at."""
        self.silent: list[int] = []
        if config.silent_share:
            stream = streams.get("lightning/silent nodes")
            count = round(config.silent_share * len(routers))
            self.silent = np.sort(stream.generator.choice(routers, size=count, replace=False)).tolist()
            for node in self.silent:
                self._updated_ns[self._edges.of(node)] = -int(stream.uniform() * self._stale_ns)
        announcements.on_update = self._updated

    def start(self) -> None:
        """Begin to look at what silent nodes announced."""
        for node in self.silent:
            self._careless[node] = True
            self._look_at(node, self._environment.now)

    def left(self, node: int) -> None:
        """The node is away: what it announced ages from its last round of updates on."""
        if self._careless[node]:
            return
        now = self._environment.now
        edges = self._edges.of(node)
        phase_ns = self._refresh_ns * node // self._nodes
        last_ns = now - (now - phase_ns) % self._refresh_ns
        self._updated_ns[edges] = np.maximum(self._updated_ns[edges], last_ns)
        self._careless[node] = True
        self._look_at(node, now)

    def back(self, node: int) -> None:
        """The node is there again: it announces anew what everybody has dropped."""
        if node in self.silent:
            return
        self._careless[node] = False
        for edge in self._edges.of(node).tolist():
            if edge >> 1 in self._dropped:
                self._revive(edge >> 1)

    def _is_stale(self, edge: int) -> bool:
        if not self._careless[self._state.source[edge]]:
            return False
        return bool(self._updated_ns[edge] + self._stale_ns <= self._environment.now)

    def _look_at(self, node: int, time_ns: int) -> None:
        """Look at the node's channels then, if not before."""
        if time_ns < self._looks.get(node, time_ns + 1):
            self._looks[node] = time_ns
            self._environment.call_in(time_ns - self._environment.now, self._look, node, time_ns)

    def _look(self, node: int, time_ns: int) -> None:
        """Drop the channels whose updates of a careless node are stale, and look again when the next one will be."""
        if self._looks.get(node) != time_ns:
            return
        del self._looks[node]
        if not self._careless[node]:
            return
        now, next_ns = self._environment.now, 0
        for edge in self._edges.of(node).tolist():
            channel = edge >> 1
            stale_ns = int(self._updated_ns[edge]) + self._stale_ns
            if stale_ns > now:
                next_ns = min(next_ns or stale_ns, stale_ns)
            elif channel not in self._dropped and self._state.phase[channel] == Phase.OPEN:
                self._dropped.add(channel)
                self._announcements.prune(channel)
        if next_ns:
            self._look_at(node, next_ns)

    def _updated(self, edge: int) -> None:
        """An edge is announced, for whatever reason."""
        now, source = self._environment.now, int(self._state.source[edge])
        self._updated_ns[edge] = now
        if self._careless[source]:
            self._look_at(source, now + self._stale_ns)
        if edge >> 1 in self._dropped:
            self._revive(edge >> 1)

    def _revive(self, channel: int) -> None:
        """Announce a dropped channel again, unless the other end is stale too."""
        if self._is_stale(2 * channel) or self._is_stale(2 * channel + 1):
            return
        self._dropped.discard(channel)
        self._announcements.revive(channel)
