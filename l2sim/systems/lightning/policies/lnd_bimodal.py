"""`lnd`, estimator `bimodal`: liquidity lies at either end of a channel rather than in between.

Source: LND routing/probability_bimodal.go. The density of a channel's liquidity x is e^(-x/s) + e^((x-c)/s) and a
little everywhere (1/c), cut to what results leave possible; results fade towards nothing known.
"""

import math

from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import (
    FAILURE_MSAT,
    FAILURE_NS,
    NO_FAILURE,
    SUCCESS_MSAT,
    SUCCESS_NS,
    Hop,
    Known,
    Terms,
    risk_msat,
)


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and risk, and the probability of the pair of nodes."""
    return hop.fee_msat + risk_msat(terms, hop.amount_msat, hop.delta_blocks), pair_probability(terms, hop, known)


@register_jitable
def pair_probability(terms: Terms, hop: Hop, known: Known) -> float:
    """That of the pair alone if there was news of it lately, else weighed with the node's other pairs."""
    facts, row = known.facts, known.row
    carried, failed = 0.0, float(hop.capacity_msat)
    if row >= 0:
        carried = facts[row, SUCCESS_MSAT] * _faded(terms, hop.now_ns - facts[row, SUCCESS_NS])
        if facts[row, FAILURE_MSAT] < hop.capacity_msat:
            rest = hop.capacity_msat - facts[row, FAILURE_MSAT]
            failed = hop.capacity_msat - rest * _faded(terms, hop.now_ns - facts[row, FAILURE_NS])
    direct = direct_probability(terms, hop.capacity_msat, carried, failed, hop.amount_msat)
    if known.first < 0:
        return direct
    if row >= 0 and hop.now_ns - max(facts[row, SUCCESS_NS], facts[row, FAILURE_NS]) < terms.decay_ns:
        return direct
    total, weight = direct, 1.0
    j = known.first
    while j >= 0:
        if j != row:
            if facts[j, SUCCESS_MSAT] > 0:
                fresh = terms.node_weight * _faded(terms, hop.now_ns - facts[j, SUCCESS_NS])
                total += fresh
                weight += fresh
            if facts[j, FAILURE_MSAT] < NO_FAILURE:
                weight += terms.node_weight * _faded(terms, hop.now_ns - facts[j, FAILURE_NS])
        j = known.following[j]
    return total / weight


@register_jitable
def direct_probability(terms: Terms, capacity_msat: int, carried: float, failed: float, amount_msat: int) -> float:
    """That the liquidity is at least the amount, given that it is at least `carried` and below `failed`."""
    if amount_msat > capacity_msat or amount_msat >= failed:
        return 0.0
    if amount_msat <= carried:
        return 1.0
    top = _integral(terms.scale_msat, capacity_msat, failed)
    whole = top - _integral(terms.scale_msat, capacity_msat, carried)
    if whole <= 0.0:
        return 0.0
    return min(1.0, max(0.0, (top - _integral(terms.scale_msat, capacity_msat, amount_msat)) / whole))


@register_jitable
def _integral(scale_msat: float, capacity_msat: float, x_msat: float) -> float:
    """The density's integral up to x, but for a constant."""
    ends = math.exp((x_msat - capacity_msat) / scale_msat) - math.exp(-x_msat / scale_msat)
    return scale_msat * ends + x_msat / capacity_msat


@register_jitable
def _faded(terms: Terms, age_ns: int) -> float:
    return math.exp(-age_ns / terms.decay_ns)
