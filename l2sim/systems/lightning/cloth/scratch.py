"""The arrays that CLoTH's compiled searches work in."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.memory import Floats
from l2sim.systems.lightning.cloth.rules import KNOWN, MAX_HOPS
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Network

DEEPEST: Final = 5  # level of all nodes from there on
NOWHERE: Final = 7  # level of the nodes that were not reached at last


class Scratch(NamedTuple):
    """Arrays that a search works in, kept from one search to the next.

    `level[node]` is the search's mark x 8 + level, and what is known of a node counts where `known[node]` is the mark.
    `best` and `rest` are those of `recall`. The answer is left in
    `route_edge` and `route_amount_msat`. `counts` holds the mark, searches, and those that were whole.
    """

    counts: Int64s
    level: Int64s
    known: Int64s
    known_first: Int32s
    known_chance: Floats
    own_first: Int32s
    own_next: Int32s
    distance: Int64s
    weight: Floats
    probability: Floats
    amount_msat: Int64s
    timelock: Int64s
    via: Int32s
    toward: Int32s
    tied: npt.NDArray[np.bool_]
    queue: Int32s
    queue_ends: Int64s
    heap: Int32s
    heap_distance: Int64s
    heap_probability: Floats
    place: Int32s
    best: Floats
    rest: Floats
    route_edge: Int32s
    route_amount_msat: Int64s


def make_scratch(network: Network) -> Scratch:
    """Scratch arrays for searches in that network."""
    nodes = network.node_count
    own = int(np.diff(network.own_start).max(initial=0))
    return Scratch(
        counts=np.zeros(3, np.int64),
        level=np.zeros(nodes, np.int64),
        known=np.zeros(nodes, np.int64),
        known_first=np.zeros(nodes, np.int32),
        known_chance=np.full(nodes, KNOWN),
        own_first=np.full(nodes, -1, np.int32),
        own_next=np.zeros(own + 1, np.int32),
        distance=np.zeros(nodes, np.int64),
        weight=np.zeros(nodes, np.float64),
        probability=np.zeros(nodes, np.float64),
        amount_msat=np.zeros(nodes, np.int64),
        timelock=np.zeros(nodes, np.int64),
        via=np.zeros(nodes, np.int32),
        toward=np.zeros(nodes, np.int32),
        tied=np.zeros(nodes, np.bool_),
        queue=np.zeros(nodes, np.int32),
        queue_ends=np.zeros(2, np.int64),
        heap=np.zeros(nodes + 1, np.int32),
        heap_distance=np.zeros(nodes + 1, np.int64),
        heap_probability=np.zeros(nodes + 1, np.float64),
        place=np.zeros(nodes, np.int32),
        best=np.zeros(DEEPEST, np.float64),
        rest=np.full(NOWHERE + 1, 1e-12),
        route_edge=np.zeros(MAX_HOPS, np.int32),
        route_amount_msat=np.zeros(MAX_HOPS, np.int64),
    )
