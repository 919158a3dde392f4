"""What path search reads: the announced network in columns, and the types of a query and its answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from enum import Enum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.inbound import has_inbound_fees
from l2sim.systems.lightning.payer_config import Payer

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]

MAX_PAYMENT_MSAT: Final = 10**14
"""The most that any hop may carry, fees included: 1000 BTC, so that no product of a search passes 2**63."""

# Why edges were left out of a search, as bits.
PRUNED_BY_FEE: Final = 1
PRUNED_BY_MINIMUM: Final = 2
PRUNED_BY_OWN_FUNDS: Final = 4
PRUNED_BY_BOUND: Final = 8


class Network(NamedTuple):
    """Announced edges in order of their target (CSR): those of node v are `start[v]` to `start[v + 1]`.

    Only edges whose source forwards are here; a payer's own edges come with each query.
    `limit_msat` is the most an edge is announced to carry, 0 while it is disabled or not open. `key` is under what
    number payers remember an edge: its own, that of its pair of nodes, or that of its channel.
    """

    start: Int32s
    edge: Int64s
    source: Int32s
    target: Int32s
    base_fee_msat: Int64s
    fee_ppm: Int64s
    cltv_delta: Int64s
    htlc_min_msat: Int64s
    limit_msat: Int64s
    capacity_msat: Int64s
    key: Int32s
    beside: Int32s
    """Edges with the same two ends: see `next_beside`. `ALONE` for those that have none."""
    out_start: Int32s
    """The targets of the edges from node v are `out_target[out_start[v]]` to `out_target[out_start[v + 1] - 1]`."""
    out_target: Int32s
    inbound_base_msat: Int64s
    """What the target of an edge asks for of what comes in by it, by the edge's number, so that payers' own edges are
    here too; empty if nobody asks for any."""
    inbound_ppm: Int64s


CHANGING: Final = (
    "base_fee_msat", "fee_ppm", "cltv_delta", "htlc_min_msat", "limit_msat", "capacity_msat", "inbound_base_msat",
    "inbound_ppm",
)  # fmt: skip
"""Columns of a network that its table changes in place."""


class OwnChannels(NamedTuple):
    """The payer's edges, of which it knows the truth: `limit_msat` is what it can send over each."""

    edge: Int64s
    target: Int32s
    htlc_min_msat: Int64s
    limit_msat: Int64s


class Memory(NamedTuple):
    """What a payer learned, a row a key: the nodes at its ends, and facts in the columns of the payer's policy."""

    key: Int32s
    source: Int32s
    target: Int32s
    facts: npt.NDArray[np.int64]


class Query(NamedTuple):
    """One search; amounts in msat, times in ns, everything of one type each so that the kernels compile once."""

    payer: int
    payee: int
    amount_msat: int
    fee_limit_msat: int
    now_ns: int
    max_hops: int
    max_cltv_blocks: int
    final_cltv_blocks: int
    bounded: bool


class Route(NamedTuple):
    """A way from payer to payee, one entry a channel: edges, what each carries, and its expiry in blocks from now."""

    edges: list[int]
    amounts_msat: list[int]
    expiries_blocks: list[int]
    cost: int

    @property
    def fee_msat(self) -> int:
        """What the payer pays on top of the amount."""
        return self.amounts_msat[0] - self.amounts_msat[-1]


ALONE: Final = -1
LAST: Final = -2


@register_jitable
def next_beside(link: int) -> int:
    """From what `Network.beside` says of an edge, the position of the next with the same ends, or -1.

    The first of them says it as it is; the others, which a search that takes them all together passes over, as -3
    minus the position, the last as `LAST`.
    """
    return link if link >= 0 else -1 if link >= LAST else -3 - link


class RememberedBy(Enum):
    """What payers' results are about."""

    EDGE = "edge"
    PAIR = "pair"
    """All edges from one node to another together (LND)."""
    CHANNEL = "channel"
    """Both edges of a channel together (LDK)."""


class RoutingTable:
    """The announced network: which edges exist, in search order, kept up to date as channels open and close.

    `forwards` (n,) marks nodes that forward at all; nodes with a single neighbour cannot and are left out too,
    for nothing lies behind them.
    """

    def __init__(
        self, graph: ChannelGraph, forwards: npt.NDArray[np.bool_], remembered_by: RememberedBy = RememberedBy.PAIR
    ) -> None:
        source, target = graph.edge_source(), graph.edge_target()
        forwards = forwards & (_neighbours(graph) > 1)
        kept = np.flatnonzero(forwards[source])
        kept = kept[np.argsort(target[kept], kind="stable")]
        counts = np.bincount(target[kept], minlength=graph.node_count)
        with_inbound = has_inbound_fees(graph)
        limit = np.where(graph.enabled, np.minimum(graph.htlc_max_msat, graph.edge_capacity_msat()), 0)
        self.network = Network(
            start=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
            edge=kept.astype(np.int64),
            source=source[kept].astype(np.int32),
            target=target[kept].astype(np.int32),
            base_fee_msat=graph.base_fee_msat[kept].astype(np.int64),
            fee_ppm=graph.fee_ppm[kept].astype(np.int64),
            cltv_delta=graph.cltv_delta[kept].astype(np.int64),
            htlc_min_msat=graph.htlc_min_msat[kept].astype(np.int64),
            limit_msat=limit[kept].astype(np.int64),
            capacity_msat=graph.edge_capacity_msat()[kept].astype(np.int64),
            key=_keys(remembered_by, graph, kept),
            beside=_beside(source[kept], target[kept]),
            out_start=np.concatenate(([0], np.cumsum(np.bincount(source[kept], minlength=graph.node_count)))).astype(
                np.int32
            ),
            out_target=target[kept][np.argsort(source[kept], kind="stable")].astype(np.int32),
            inbound_base_msat=graph.inbound_base_msat.copy() if with_inbound else np.empty(0, np.int64),
            inbound_ppm=graph.inbound_ppm.copy() if with_inbound else np.empty(0, np.int64),
        )
        self.remembered_by = remembered_by
        self.key_count = int(self.network.key.max(initial=-1)) + 1
        """One more than the largest key."""
        self.position = np.full(2 * graph.channel_count, -1, np.int32)
        """Where each edge is in the columns, -1 for those no search needs."""
        self.position[kept] = np.arange(len(kept), dtype=np.int32)
        self.node_count = graph.node_count

    def copy(self) -> "RoutingTable":
        """Another view of the same edges, which goes its own way from now on."""
        other = copy(self)
        network = self.network
        other.network = network._replace(**{name: getattr(network, name).copy() for name in CHANGING})
        return other

    @property
    def edge_count(self) -> int:
        """The number of edges that searches look at."""
        return len(self.network.edge)

    def update(
        self, edge: int, base_fee_msat: int, fee_ppm: int, cltv_delta: int, htlc_min_msat: int, limit_msat: int
    ) -> None:
        """What payers know of an edge from now on; a limit of 0 takes it off the network."""
        position = self.position[edge]
        if position >= 0:
            network = self.network
            network.base_fee_msat[position] = base_fee_msat
            network.fee_ppm[position] = fee_ppm
            network.cltv_delta[position] = cltv_delta
            network.htlc_min_msat[position] = htlc_min_msat
            network.limit_msat[position] = limit_msat

    def update_inbound(self, edge: int, base_msat: int, ppm: int) -> None:
        """What payers know from now on of what the target of `edge` asks for by it."""
        if len(self.network.inbound_ppm):
            self.network.inbound_base_msat[edge] = base_msat
            self.network.inbound_ppm[edge] = ppm

    @contextmanager
    def without(self, channels: Sequence[int]) -> Iterator[None]:
        """While the context lasts, searches take these channels for closed."""
        limit_msat = self.network.limit_msat
        positions = [at for c in channels for at in self.position[2 * c : 2 * c + 2].tolist() if at >= 0]
        before = limit_msat[positions].copy()
        limit_msat[positions] = 0
        try:
            yield
        finally:
            limit_msat[positions] = before

    def announce(self, channel: int, capacity_msat: int, limits_msat: tuple[int, int] | None = None) -> None:
        """Make both edges of a channel usable up to its capacity, or to limits of their own; 0 takes them off the
        network."""
        for edge, limit_msat in zip((2 * channel, 2 * channel + 1), limits_msat or (capacity_msat,) * 2, strict=True):
            position = self.position[edge]
            if position >= 0:
                self.network.limit_msat[position] = limit_msat
                if capacity_msat:
                    self.network.capacity_msat[position] = capacity_msat


def _neighbours(graph: ChannelGraph) -> Int64s:
    """How many different nodes each node has channels with, shape (n,)."""
    low, high = np.minimum(graph.node_a, graph.node_b), np.maximum(graph.node_a, graph.node_b)
    pairs = np.unique(low.astype(np.int64) * graph.node_count + high)
    ends = np.concatenate((pairs // graph.node_count, pairs % graph.node_count))
    return np.bincount(ends, minlength=graph.node_count).astype(np.int64)


def _beside(source: Int32s, target: Int32s) -> Int32s:
    """`Network.beside` for edges with these ends, in the order of their positions."""
    if len(source) == 0:
        return np.empty(0, np.int32)
    order = np.lexsort((source, target))  # stable: in order of position where both are equal
    same = (source[order][1:] == source[order][:-1]) & (target[order][1:] == target[order][:-1])
    links = np.full(len(order), ALONE, np.int32)
    follows = np.concatenate(([False], same))
    followed = np.concatenate((same, [False]))
    following = np.append(order[1:], 0)
    links[order[followed & ~follows]] = following[followed & ~follows]
    links[order[followed & follows]] = -3 - following[followed & follows]
    links[order[follows & ~followed]] = LAST
    return links


def _keys(remembered_by: RememberedBy, graph: ChannelGraph, edges: npt.NDArray[np.intp]) -> Int32s:
    """The number under which each of those edges is remembered."""
    if remembered_by is RememberedBy.EDGE:
        return np.arange(len(edges), dtype=np.int32)
    if remembered_by is RememberedBy.CHANNEL:
        return (edges >> 1).astype(np.int32)
    pairs = graph.edge_source()[edges].astype(np.int64) * graph.node_count + graph.edge_target()[edges]
    keys: Int32s = np.unique(pairs, return_inverse=True)[1].astype(np.int32)
    return keys


def fee_limit_msat(settings: Payer, amount_msat: int) -> int:
    """The most a payer pays in routing fees for that amount.

    >>> from l2sim.systems.lightning.payer_config import payer
    >>> fee_limit_msat(payer(), 1_000_000), fee_limit_msat(payer(), 2_000_000), fee_limit_msat(payer(policy="cln"), 1)
    (1000000, 100000, 5000)
    """
    share_msat = amount_msat * settings.fee_limit_ppm // 1_000_000
    if amount_msat <= settings.small_amount_sat * MSAT_PER_SAT:
        share_msat = max(share_msat, amount_msat)
    return min(max(share_msat, settings.min_fee_limit_sat * MSAT_PER_SAT), MAX_PAYMENT_MSAT - amount_msat)
