"""`cheapest`: fees and the price of locked money; a channel that failed is left out for a while.

`eclair` and `getroute` of Core Lightning treat failures alike.
"""

from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import FAILURE_MSAT, FAILURE_NS, IMPOSSIBLE, Hop, Known, Terms, risk_msat


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and risk; certain to succeed unless as much failed within the memory."""
    if failed_lately(terms, hop, known):
        return IMPOSSIBLE
    return hop.fee_msat + risk_msat(terms, hop.amount_msat + hop.fee_msat, hop.delta_blocks), 1.0


@register_jitable
def failed_lately(terms: Terms, hop: Hop, known: Known) -> bool:
    """Whether the amount or less failed there within the memory."""
    if known.row < 0 or hop.amount_msat < known.facts[known.row, FAILURE_MSAT]:
        return False
    return bool(hop.now_ns - known.facts[known.row, FAILURE_NS] < terms.memory_ns)
