"""A payer's own channels, of which it knows the truth."""

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.edges_by_node import EdgesByNode
from l2sim.systems.lightning.routing import OwnChannels
from l2sim.systems.lightning.state import ChannelState, Phase, Waived


class OwnEdges:
    """The edges that leave each node, in order of their numbers, made when first asked for."""

    def __init__(self, state: ChannelState, nodes: int) -> None:
        self._state = state
        self._edges = EdgesByNode(state.source, nodes)
        self._known: dict[int, OwnChannels] = {}

    @property
    def most(self) -> int:
        """The most edges that leave one node."""
        return self._edges.most

    def of(self, node: int) -> OwnChannels:
        """The edges of a node; their limits are still to be filled in."""
        own = self._known.get(node)
        if own is None:
            edges = self._edges.of(node)
            own = self._known[node] = OwnChannels(
                edge=edges,
                target=self._state.target[edges].astype(np.int32),
                htlc_min_msat=self._state.htlc_min_msat[edges],
                limit_msat=np.zeros(len(edges), np.int64),
            )
        return own

    def limits_msat(self, own: OwnChannels, shunned: list[int], waived: Waived) -> npt.NDArray[np.int64]:
        """What can be sent over each of these edges but for the rules waived, and nothing over those shunned."""
        limits = self._state.spendable_msat(own.edge, waived)
        if shunned:
            limits[np.isin(own.edge, shunned)] = 0
        return limits

    def has_open_channel(self, node: int) -> bool:
        """Whether the node is on the network."""
        return bool((self._state.phase[self.of(node).edge >> 1] == Phase.OPEN).any())
