"""Which of a node's channels to the next peer carries an HTLC: the one the onion names, or another (BOLT 4).

BOLT 4 lets a node forward over any of its channels to the peer that the named channel leads to. A payer cannot tell:
where none of them takes the HTLC it gets the named one's failure, and what it learns is about the named one.
"""

from collections.abc import Callable

import numpy as np

from l2sim.engine import Streams
from l2sim.systems.lightning.forwarding import Policies
from l2sim.systems.lightning.node_config import Forwarding
from l2sim.systems.lightning.state import ChannelState


class ParallelChannels:
    """The edges that lead from one node to the same other, and the rule by which that node chooses among them."""

    def __init__(self, rule: Forwarding, state: ChannelState, policies: Policies, streams: Streams) -> None:
        self._rule = rule
        self._state = state
        self._policies = policies
        self._stream = streams.get("lightning/parallel channels")
        self._group_of: dict[int, list[int]] = {} if rule == "named" else _groups(state)

    def of(self, edge: int) -> list[int] | None:
        """All edges that may stand in for `edge`, itself among them; None where it is the only one."""
        return self._group_of.get(edge)

    def choose(self, named: int, edges: list[int], takes: Callable[[int], bool]) -> int | None:
        """The edge among `edges` over which the HTLC goes that was to go over `named`, None if none takes it."""
        if self._rule == "fullest":
            base_fee_msat, fee_ppm = self._policies.base_fee_msat, self._policies.fee_ppm
            terms = base_fee_msat[named], fee_ppm[named]
            edges = [edge for edge in edges if (base_fee_msat[edge], fee_ppm[edge]) == terms]
        able = [edge for edge in edges if takes(edge)]
        if len(able) < 2:
            return able[0] if able else None
        if self._rule == "fullest":
            return able[int(np.argmax(self._state.spendable_msat(np.array(able))))]
        return able[self._stream.integer(len(able))]


def _groups(state: ChannelState) -> dict[int, list[int]]:
    """By edge the edges with the same two ends, in order of their numbers, where there are several."""
    order = np.lexsort((state.target, state.source))
    source, target = state.source[order], state.target[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    starts = np.flatnonzero(new)
    lengths = np.diff(np.append(starts, len(order)))
    found: dict[int, list[int]] = {}
    for start, length in zip(starts[lengths > 1].tolist(), lengths[lengths > 1].tolist(), strict=True):
        group = order[start : start + length].tolist()
        found.update(dict.fromkeys(group, group))
    return found
