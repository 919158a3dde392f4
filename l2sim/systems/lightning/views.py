"""What payers know of the network: one view for all, or one for each class that gossip reaches otherwise."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from l2sim.engine import Streams
from l2sim.systems.lightning.gossip_config import Gossip, Observers, StaggeredGossip
from l2sim.systems.lightning.routing import RoutingTable


class Views:
    """The announced network as each class of payers has heard of it; that of the median observer is the first.

    All views hold the same edges at the same positions: what is remembered of an edge is remembered in all.
    """

    def __init__(self, table: RoutingTable, class_of: npt.NDArray[np.int64], classes: int) -> None:
        self.tables: Sequence[RoutingTable] = (table, *(table.copy() for _ in range(classes)))
        self.class_of: list[int] = class_of.tolist()
        """By node the number of its view."""


def observers(gossip: Gossip) -> tuple[Observers, ...]:
    """The classes of observers beside the median one."""
    return gossip.observers if isinstance(gossip, StaggeredGossip) else ()


def make_views(table: RoutingTable, gossip: Gossip, payers: npt.NDArray[np.int32], streams: Streams) -> Views:
    """Put the nodes that pay into their classes: each class a share of them all, drawn from those in none before it."""
    classes = observers(gossip)
    class_of = np.zeros(table.node_count, np.int64)
    if classes:
        chosen = streams.get("lightning/observers").generator
        for number, one in enumerate(classes, start=1):
            free = payers[class_of[payers] == 0]
            count = min(len(free), round(one.share * len(payers)))
            class_of[chosen.choice(free, size=count, replace=False)] = number
    return Views(table, class_of, len(classes))
