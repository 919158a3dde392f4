"""`uniform`: a channel's liquidity is as likely anywhere between what is known at least and at most.

Source: Pickhardt, Tikhomirov, Biryukov, Nowostawski, arXiv 2103.08576: with nothing known, an amount a fits into a
channel of capacity c with probability (c + 1 - a) / (c + 1). The most probable route is the one of least -log P, to
which fees are added with a weight of choice. What the payer has under way itself counts as taken.
"""

import math

from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import (
    IMPOSSIBLE,
    Hop,
    Known,
    Terms,
    bounds_msat,
    in_flight_msat,
)


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Millionths of a nat, and the probability."""
    probability = uniform_probability(terms, hop, known)
    if probability <= 0.0:
        return IMPOSSIBLE
    return int(terms.fee_weight * hop.fee_msat - terms.log_weight * math.log(probability)), probability


@register_jitable
def uniform_probability(terms: Terms, hop: Hop, known: Known) -> float:
    """(high + 1 - amount) / (high + 1 - low), where the amount lies between the bounds known."""
    low, high = bounds_msat(terms, hop, known)
    amount = hop.amount_msat + in_flight_msat(known)
    if amount <= low:
        return 1.0
    if amount > high:
        return 0.0
    return (high + 1 - amount) / (high + 1 - low)
