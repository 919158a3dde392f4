"""`lnd`, estimator `apriori`: LND's probability from a channel's record and that of its node.

Sources: routing/pathfind.go, routing/probability_apriori.go, routing/missioncontrol.go. Results are kept for pairs of
nodes. A route's cost is fees + price of locked money + attempt cost / probability, where the payer's own channel counts
with 0.95, whatever is known of it: it has what its balance says, and refusals of one's own are not remembered. Nodes'
inbound fees count with their outbound ones, never less than nothing together, and parallel channels that take an amount
count for one that asks what the dearest asks and the longest delay, for which of them carries it is their node's affair
(routing/unified_edges.go); of the payer's own to a peer the fullest is taken. The search compiled for this policy
alone, which is the default, is `lightning.kernels`; the general one gives the same with `hop`, and takes its place
where there are inbound fees.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import (
    FAILURE_MSAT,
    FAILURE_NS,
    LN2,
    NO_FAILURE,
    SUCCESS_MSAT,
    Hop,
    Known,
    Terms,
    risk_msat,
)

CAPACITY_FRACTION: Final = 0.9999  # DefaultCapacityFraction
CAPACITY_SMEARING: Final = 0.025  # capacitySmearingFraction
KNOWN_SUCCESS: Final = 0.95  # prevSuccessProbability: of an amount that went through before
RELAX_NS: Final = 60 * 10**9  # minFailureRelaxInterval: within it a failure of more says nothing new


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and risk, and the probability of the pair of nodes."""
    return hop.fee_msat + risk_msat(terms, hop.amount_msat, hop.delta_blocks), pair_probability(terms, hop, known)


@register_jitable
def pair_probability(terms: Terms, hop: Hop, known: Known) -> float:
    """0.95 of what went through; after a failure of as much, the node's probability, recovering from 0."""
    facts, row = known.facts, known.row
    if row >= 0 and hop.amount_msat <= facts[row, SUCCESS_MSAT]:
        return KNOWN_SUCCESS
    probability = terms.hop_probability * capacity_factor(hop.amount_msat, hop.capacity_msat)
    if known.first >= 0 and terms.apriori_factor >= 0.0:
        total, weight, _, _ = node_record(terms, hop.now_ns, hop.amount_msat, facts, known.first, known.following)
        probability = node_average(terms, probability, total, weight)
    if row >= 0 and hop.amount_msat >= facts[row, FAILURE_MSAT]:
        probability *= 1.0 - failure_weight(terms, hop.now_ns - facts[row, FAILURE_NS])
    return probability


@register_jitable
def node_average(terms: Terms, probability: float, total: float, weight: float) -> float:
    """The fixed probability averaged with the node's results."""
    weight += terms.apriori_factor
    return (probability * terms.apriori_factor + total) / weight if weight > 0.0 else probability


@register_jitable
def node_record(
    terms: Terms,
    now_ns: int,
    amount_msat: int,
    facts: npt.NDArray[np.int64],
    first: int,
    following: npt.NDArray[np.int32],
) -> tuple[float, float, int, int]:
    """A node's results for an amount: their sum, their weight, and the least and greatest amount with the same.

    Successes count 0.95 with weight 1, failures 0 with a weight that fades.
    """
    total, weight = 0.0, 0.0
    least, greatest = 0, NO_FAILURE
    j = first
    while j >= 0:
        success, failure = facts[j, SUCCESS_MSAT], facts[j, FAILURE_MSAT]
        if amount_msat <= success:
            total += KNOWN_SUCCESS
            weight += 1.0
            greatest = min(greatest, success)
        elif amount_msat >= failure:
            weight += failure_weight(terms, now_ns - facts[j, FAILURE_NS])
            least = max(least, success + 1, failure)
        else:
            least = max(least, success + 1)
            greatest = min(greatest, failure - 1)
        j = following[j]
    return total, weight, least, greatest


@register_jitable
def failure_weight(terms: Terms, age_ns: int) -> float:
    """1 when fresh, halved in each half-life."""
    return math.exp(-LN2 * age_ns / terms.memory_ns)


@register_jitable
def capacity_factor(amount_msat: int, capacity_msat: int) -> float:
    """1 for small amounts, falling to 3/4 where the amount is the capacity."""
    if 2 * amount_msat <= capacity_msat:  # 1 to nine digits, and most channels: spare the exponential
        return 1.0
    far = (amount_msat - CAPACITY_FRACTION * capacity_msat) / (CAPACITY_SMEARING * capacity_msat)
    return 1.0 - 0.5 / (1.0 + math.exp(-far))
