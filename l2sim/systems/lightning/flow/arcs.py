"""What a channel costs and carries in a flow: pieces, each of so many units at one cost a unit.

A channel that is believed to hold at least a and less than b carries up to a for its fees alone. Beyond, -log of the
probability (b - x) / (b - a) is made linear between the pivots: half of b - a, 80 % and 95 % of it; more is never sent.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import (
    FAILURE_MSAT,
    FAILURE_NS,
    IN_FLIGHT_MSAT,
    SUCCESS_MSAT,
    SUCCESS_NS,
)
from l2sim.systems.lightning.routing import Network

UNITS: Final = 1_000
"""Into so many an amount is divided at most."""
PIECES: Final = 4
PERCENT: Final = (0, 50, 30, 15)
"""How much of b - a each piece is; the first is a itself."""
SLOPES: Final = (0.0, 1.3862943611198906, 3.0543024395805173, 9.241962407465938)
"""-log P of a piece divided by its part of b - a: ln 2 / 0.5, ln 2.5 / 0.3, ln 4 / 0.15."""
FEE_ROOM_PERCENT: Final = 101
"""A flow carries no fees, so channels are taken to be smaller by this (FLOW_FEE_ADJUSTMENT)."""
DEAREST: Final = 2**50
"""No unit costs more on one channel: sums over any path stay far below 2**63."""


class FlowTerms(NamedTuple):
    """The numbers of one flow; weights make a unit's cost of its fee in ppm and of its -log P."""

    amount_msat: int
    unit_msat: int
    units: int
    now_ns: int
    memory_ns: float
    """News older than this does not count."""
    fee_weight: float
    """Cost of one ppm."""
    log_weight: float
    """Cost of -log P = 1, divided by the units of b - a."""
    base_fee_weight: float
    """Ppm of a msat of base fee."""
    delay_weight: float
    """Ppm of a block of delay."""


class Pieces(NamedTuple):
    """One channel in a flow: units known to fit, uncertain ones, and the most it may carry of both together."""

    known: int
    unsure: int
    most: int


@register_jitable
def believed_msat(
    network: Network, edge: int, facts: npt.NDArray[np.int64], row: int, now_ns: int, memory_ns: float
) -> tuple[int, int]:
    """The least and the most an edge is believed to hold beside what the payer has under way over it; see `belief`."""
    low, high = 0, network.capacity_msat[edge]
    if row >= 0:
        if now_ns - facts[row, SUCCESS_NS] < memory_ns:
            low = min(facts[row, SUCCESS_MSAT], high)
        if now_ns - facts[row, FAILURE_NS] < memory_ns:
            high = max(low, min(facts[row, FAILURE_MSAT] - 1, high))
        low = max(0, low - facts[row, IN_FLIGHT_MSAT])
        high = max(0, high - facts[row, IN_FLIGHT_MSAT])
    return low, high


@register_jitable
def pieces_of(terms: FlowTerms, low_msat: int, high_msat: int, largest_msat: int) -> Pieces:
    """A channel between those bounds whose HTLCs are at most so large, in units."""
    larger_unit = terms.unit_msat * FEE_ROOM_PERCENT
    known = low_msat * 100 // larger_unit if low_msat > 0 else 0
    unsure = 1 + high_msat * 100 // larger_unit - known
    most = terms.units
    if largest_msat < terms.units * terms.unit_msat:
        most = largest_msat // terms.unit_msat
    return Pieces(known, unsure, most)


@register_jitable
def piece_end(pieces: Pieces, piece: int) -> int:
    """Units that fit into the pieces up to that one, it included."""
    end = pieces.known
    for i in range(1, piece + 1):
        end += pieces.unsure * PERCENT[i] // 100
    return min(end, pieces.most)


@register_jitable
def fee_ppm_of(terms: FlowTerms, network: Network, edge: int) -> int:
    """What a unit costs in fees and delay, as parts per million; a base fee counts by the amount to be paid in all."""
    return int(
        network.fee_ppm[edge]
        + network.base_fee_msat[edge] * terms.base_fee_weight
        + network.cltv_delta[edge] * terms.delay_weight
    )


@register_jitable
def unit_cost(terms: FlowTerms, fee_ppm: int, piece: int, unsure: int) -> int:
    """What one unit of a piece costs in all."""
    cost = terms.fee_weight * fee_ppm + terms.log_weight * SLOPES[piece] / unsure
    return int(min(cost, DEAREST))


@register_jitable
def next_unit(terms: FlowTerms, fee_ppm: int, pieces: Pieces, used: int) -> tuple[int, int]:
    """Of a channel that carries `used` units: what one more costs, and how many more at that cost (0: it is full)."""
    for piece in range(PIECES):
        end = piece_end(pieces, piece)
        if used < end:
            return unit_cost(terms, fee_ppm, piece, pieces.unsure), end - used
    return 0, 0


@register_jitable
def last_unit(terms: FlowTerms, fee_ppm: int, pieces: Pieces, used: int) -> tuple[int, int]:
    """Of a channel that carries `used` units, at least one: what the last one cost, and how many did at that cost."""
    start = 0
    for piece in range(PIECES):
        end = piece_end(pieces, piece)
        if used <= end:
            return unit_cost(terms, fee_ppm, piece, pieces.unsure), used - start
        start = end
    return 0, 0
