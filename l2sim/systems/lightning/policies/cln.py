"""`cln`: Core Lightning's costs, of its plain search (`getroute`) and of one path of its newer one (`askrene`).

Sources: doc/schemas/getroute.json and plugins/pay.c; plugins/askrene/child/mcf.c. A channel's liquidity is uniform
between what is known. Fees and -log P are added with weights mu and 100 - mu, once the latter is scaled so that the
medians of both over all channels are equal; mu is 1 and rises while fees are above the payer's limit. Amounts above
1000 sat Core Lightning divides by a flow of least cost: `flow`. A part that failed is divided anew by itself; there is
no number of attempts, only 60 s. A channel that could not carry an amount is known to all of the payer's payments for
an hour, one that refused for another reason is left out by that payment only.

Different from Core Lightning: nobody sets biases, reserves or layers of his own; the medians are reckoned once for all
amounts with the same first two digits; no part is smaller than `min_part_sat`; a payment that needs more parts than it
may have is tried with the largest of them, and not without the limit.
"""

import math
from typing import Final

import numpy as np
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
from l2sim.systems.lightning.routing import Network

MU_MAX: Final = 100
MUS: Final = (1, *range(10, MU_MAX + 1, 10))
"""Weights of fees, of 100: the first, and what follows while fees are above the limit."""
BASE_FEE_AMOUNT_MSAT: Final = 10_000_000
"""At this amount, a msat of base fee weighs like one ppm: a tenth of an amount is taken to go each way."""


@register_jitable
def hop_getroute(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and amount x delay x riskfactor; a channel that failed is left out."""
    if failed_lately(terms, hop, known):
        return IMPOSSIBLE
    return hop.fee_msat + risk_msat(terms, hop.amount_msat + hop.fee_msat, hop.delta_blocks), 1.0


@register_jitable
def hop_askrene(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """mu times the fee, a little for delay, and -log P; what the payer has under way is taken to have passed."""
    low, high = bounds_msat(terms, hop, known)
    taken = in_flight_msat(known)
    low, high = max(0, low - taken), max(0, high - taken)
    if hop.amount_msat > high:
        return IMPOSSIBLE
    cost = terms.fee_weight * (hop.fee_msat + int(terms.delay_weight * hop.delta_blocks))
    if hop.amount_msat > low:
        cost -= terms.log_weight * math.log((high + 1 - hop.amount_msat) / (high + 1 - low))
    return int(cost), 1.0


def base_fee_weight(amount_msat: int) -> float:
    """What a msat of base fee counts, in ppm of the amount that is to be paid in all."""
    return BASE_FEE_AMOUNT_MSAT / amount_msat


def about(amount_msat: int) -> int:
    """The amount in two digits: what costs are scaled by is reckoned once for all that are about as large.

    >>> about(123_456), about(99_999), about(7)
    (120000, 99000, 7)
    """
    step = int(10 ** max(0, len(str(amount_msat)) - 2))
    return amount_msat // step * step


def median_ratio(network: Network, amount_msat: int) -> float:
    """The median fee of an amount over all channels that take it, in msat, over their median -log P; 1 if none."""
    usable = (network.limit_msat >= amount_msat) & (network.htlc_min_msat <= amount_msat)
    capacity_msat = network.capacity_msat[usable]
    cost = -np.log((capacity_msat + 1 - amount_msat) / (capacity_msat + 1))
    middle = len(cost) // 2
    if len(cost) == 0 or np.partition(cost, middle)[middle] < 1e-3:
        return 1.0
    fee = network.base_fee_msat[usable] + amount_msat / 1e6 * network.fee_ppm[usable]
    return float(int(np.partition(fee, middle)[middle]) / np.partition(cost, middle)[middle])
