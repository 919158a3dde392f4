"""`cln`: Core Lightning's costs, of its plain search (`getroute`) and of its min-cost flow (`askrene`).

Sources: doc/schemas/getroute.json and plugins/pay.c; plugins/askrene/child/mcf.c. A channel's liquidity is uniform
between what is known; -log P of sending x over it is made linear in pieces. Here an amount goes in one piece if a
route takes it, and else in parts found one after the other (`division`), where Core Lightning divides it into a flow
at once; and mu keeps its first value. Fees and -log P are added with weights
mu and 100 - mu, once the latter is scaled so that the medians of both over all channels are equal.
"""

from typing import Final

from numba.extending import register_jitable

from l2sim.systems.lightning.policies.cheapest import failed_lately
from l2sim.systems.lightning.policies.terms import (
    IMPOSSIBLE,
    Hop,
    Known,
    Terms,
    bounds_msat,
    in_flight_msat,
    risk_msat,
)

# What is uncertain of a channel, up to these parts of it, costs so much for each such part.
PIVOTS: Final = (0.5, 0.8, 0.95)
SLOPES: Final = (1.38629436112, 3.05430243958, 9.24196241044)


@register_jitable
def hop_getroute(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and amount x delay x riskfactor; a channel that failed is left out."""
    if failed_lately(terms, hop, known):
        return IMPOSSIBLE
    return hop.fee_msat + risk_msat(terms, hop), 1.0


@register_jitable
def hop_askrene(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """The same cost as in the flow, in msat times mu, for an amount that goes in one piece."""
    low, high = bounds_msat(terms, hop, known)
    taken = in_flight_msat(known)
    cost = _cost_to(low, high, taken + hop.amount_msat)
    if cost < 0.0:
        return IMPOSSIBLE
    cost -= max(0.0, _cost_to(low, high, taken))
    return int(terms.log_weight * cost + hop.amount_msat * unit_fee_cost(terms, hop)), 1.0


@register_jitable
def unit_fee_cost(terms: Terms, hop: Hop) -> float:
    """What one msat costs in fees and delay, weighed; a base fee counts by the amount that is to be paid in all."""
    ppm = hop.fee_ppm + hop.base_fee_msat * terms.base_fee_weight + hop.delta_blocks * terms.delay_weight
    return ppm * terms.fee_weight


@register_jitable
def _cost_to(low: int, high: int, amount: int) -> float:
    """-log P of an amount, in pieces; below 0 where it does not fit."""
    if amount <= low:
        return 0.0
    if high <= low:
        return -1.0
    share = (amount - low) / (high - low)
    if share > PIVOTS[2]:
        return -1.0
    cost = SLOPES[0] * min(share, PIVOTS[0])
    if share > PIVOTS[0]:
        cost += SLOPES[1] * (min(share, PIVOTS[1]) - PIVOTS[0])
    if share > PIVOTS[1]:
        cost += SLOPES[2] * (share - PIVOTS[1])
    return cost
