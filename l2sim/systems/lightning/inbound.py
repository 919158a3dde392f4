"""Inbound fees: what a node asks for of an HTLC by the channel it comes in by, nearly always a discount (bLIP 18).

A node's fee for an HTLC is its outbound fee on what it sends on, and the inbound fee of the channel the HTLC came in by
on that sum, together never below 0. LND announces, charges and searches with them since 0.18; the other implementations
do not know them, and pay the outbound fee in full.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numba.extending import register_jitable

from l2sim.engine import Streams
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.node_config import AnnouncedInboundFees, DrawnInboundFees, InboundFees

MAX_PPM: Final = 10_000_000  # LND reckons with no more than ten times the amount (graph/db/models/inbound_fee.go)


@register_jitable
def inbound_fee_msat(base_msat: int, ppm: int, amount_msat: int) -> int:
    """The inbound fee on what a node sends on and its outbound fee for that, rounded toward zero as LND does.

    >>> inbound_fee_msat(-10, -100, 1_009_999), inbound_fee_msat(0, 100, 1_009_999)
    (-110, 100)
    """
    rate = min(abs(ppm), MAX_PPM)
    # The product may pass 2**63, its parts do not.
    share_msat = amount_msat // 1_000_000 * rate + amount_msat % 1_000_000 * rate // 1_000_000
    return base_msat + (share_msat if ppm >= 0 else -share_msat)


def with_inbound_fees(graph: ChannelGraph, settings: InboundFees | None, streams: Streams) -> ChannelGraph:
    """The graph with the inbound fees of the run: none, those it was announced with, or drawn ones."""
    match settings:
        case AnnouncedInboundFees():
            return graph
        case DrawnInboundFees():
            drawn = streams.get("lightning/inbound fees").generator.random(graph.node_count) < settings.share
            asked = drawn[graph.edge_target()]
            return replace(graph, inbound_base_msat=asked * settings.base_msat, inbound_ppm=asked * settings.ppm)
        case None:
            if not has_inbound_fees(graph):
                return graph
            nothing = np.zeros(2 * graph.channel_count, np.int64)
            return replace(graph, inbound_base_msat=nothing, inbound_ppm=nothing)


def has_inbound_fees(graph: ChannelGraph) -> bool:
    """Whether any node of the graph asks for one."""
    return bool(graph.inbound_base_msat.any() or graph.inbound_ppm.any())
