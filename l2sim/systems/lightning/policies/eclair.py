"""`eclair`: fees, locked money, a cost a hop, and a failure cost divided by a probability from capacity alone.

Source: eclair-core reference.conf (`path-finding.default`), whose use of past results is off by default; a channel
that failed is left out for a minute.
"""

from numba.extending import register_jitable

from l2sim.systems.lightning.policies.cheapest import failed_lately
from l2sim.systems.lightning.policies.terms import IMPOSSIBLE, Hop, Known, Terms, risk_msat


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee, risk and hop cost; probability 1 - amount / capacity."""
    if failed_lately(terms, hop, known) or hop.amount_msat >= hop.capacity_msat:
        return IMPOSSIBLE
    ppm = terms.hop_cost_ppm
    share_msat = hop.amount_msat // 1_000_000 * ppm + hop.amount_msat % 1_000_000 * ppm // 1_000_000
    cost_msat = hop.fee_msat + terms.hop_cost_msat + share_msat
    cost_msat += risk_msat(terms, hop.amount_msat + hop.fee_msat, hop.delta_blocks)
    return cost_msat, 1.0 - hop.amount_msat / hop.capacity_msat
