"""What a cost function is given: the policy's numbers, one channel, and what is known of it."""

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

LN2: Final = 0.6931471805599453
IMPOSSIBLE: Final = (0, 0.0)
"""The answer of a cost function for a channel that is not to be used: no probability."""


class Rule(IntEnum):
    """Which cost function a search uses."""

    CHEAPEST = 0
    LND = 1
    LND_BIMODAL = 2
    CLN_GETROUTE = 3
    CLN_ASKRENE = 4
    LDK = 5
    ECLAIR = 6
    UNIFORM = 7


class Terms(NamedTuple):
    """A policy's numbers for one payment; every policy fills in its own and leaves the others 0."""

    rule: int
    attempt_cost_msat: int = 0
    min_probability: float = 0.0
    risk_numerator: int = 0
    """Price of one unit of money locked for one block, over `risk_denominator`."""
    risk_denominator: int = 1
    memory_ns: float = 0.0
    hop_probability: float = 0.0
    apriori_factor: float = 0.0
    """What the fixed probability counts beside results of weight 1; negative leaves the results out."""
    scale_msat: float = 0.0
    node_weight: float = 0.0
    decay_ns: float = 0.0
    hop_cost_msat: int = 0
    hop_cost_ppm: int = 0
    fee_weight: float = 0.0
    """What one msat of fees adds to the weight."""
    log_weight: float = 0.0
    """What -log of the probability adds to the weight."""
    base_fee_weight: float = 0.0
    delay_weight: float = 0.0
    base_penalty_msat: int = 0
    base_amount_multiplier: int = 0
    liquidity_multiplier: int = 0
    liquidity_amount_multiplier: int = 0
    history_multiplier: int = 0
    history_amount_multiplier: int = 0
    anti_probing_msat: int = 0
    impossible_msat: int = 0
    offset_half_life_ns: float = 0.0
    history_half_life_ns: float = 0.0
    saturation_power: int = 0
    own_probability: float = 1.0
    """With what probability the payer's own channel is thought to work, whichever it takes."""
    together: int = 0
    """1 to take all edges from one node to another for one, that asks for what the dearest of them asks (LND: over
    which of them its source forwards is its own affair)."""
    inbound: int = 0
    """1 to reckon with inbound fees, 0 to know nothing of them."""


class Hop(NamedTuple):
    """One channel that a route might take, at the time of the search."""

    now_ns: int
    amount_msat: int
    """What it would carry."""
    fee_msat: int
    """What its source would ask for on top."""
    base_fee_msat: int
    fee_ppm: int
    delta_blocks: int
    capacity_msat: int
    largest_msat: int
    """The largest HTLC announced."""
    direction: int
    """0 from the channel's first node to its second, 1 back."""


class Known(NamedTuple):
    """What the payer knows of it: rows of `belief`.

    `row` is that of the channel or -1, `first` the first row of the node that would forward or -1, after which
    `following` gives the next until -1.
    """

    facts: npt.NDArray[np.int64]
    row: int
    first: int
    following: npt.NDArray[np.int32]


# Columns of `facts` for every policy but LDK.
FAILURE_MSAT: Final = 0  # an amount of so much or more failed ...
FAILURE_NS: Final = 1  # ... then
SUCCESS_MSAT: Final = 2  # an amount of so much or less went through ...
SUCCESS_NS: Final = 3  # ... then
IN_FLIGHT_MSAT: Final = 4  # what the payer itself has under way
BOUNDS_COLUMNS: Final = 5
MAX_PENALTY_MSAT: Final = 2**61
NO_FAILURE: Final = 2**62  # msat: nothing is known to fail


@register_jitable
def risk_msat(terms: Terms, amount_msat: int, delta_blocks: int) -> int:
    """The price of locking an amount for so many blocks."""
    locked = amount_msat * delta_blocks
    # The product may pass 2**63, its parts do not.
    whole, rest = locked // terms.risk_denominator, locked % terms.risk_denominator
    return whole * terms.risk_numerator + rest * terms.risk_numerator // terms.risk_denominator


@register_jitable
def attempt_penalty_msat(attempt_cost_msat: int, probability: float) -> int:
    """The attempt cost over the probability, and `MAX_PENALTY_MSAT` where that would be more.

    So no sum of fees and penalty passes 2**63 (LND stops at 9e18 for the same reason).

    >>> attempt_penalty_msat(100_000, 0.5), attempt_penalty_msat(10**15, 1e-300) == MAX_PENALTY_MSAT
    (200000, True)
    """
    if attempt_cost_msat <= 0:
        return 0
    if probability * MAX_PENALTY_MSAT <= attempt_cost_msat:
        return MAX_PENALTY_MSAT
    return int(attempt_cost_msat / probability)


@register_jitable
def bounds_msat(terms: Terms, hop: Hop, known: Known) -> tuple[int, int]:
    """Between what the channel's liquidity is believed to lie, both included, news older than the memory aside."""
    low, high = 0, hop.capacity_msat
    if known.row >= 0:
        facts, row = known.facts, known.row
        if hop.now_ns - facts[row, SUCCESS_NS] < terms.memory_ns:
            low = min(facts[row, SUCCESS_MSAT], high)
        if hop.now_ns - facts[row, FAILURE_NS] < terms.memory_ns:
            high = max(low, min(facts[row, FAILURE_MSAT] - 1, high))
    return low, high


@register_jitable
def in_flight_msat(known: Known) -> int:
    """What the payer has under way over the channel."""
    return known.facts[known.row, IN_FLIGHT_MSAT] if known.row >= 0 else 0
