"""`ldk`: LDK's scorer: penalties from bounds of each channel's liquidity and from the history of those bounds.

Source: lightning/src/routing/scoring.rs. Of each channel LDK keeps how far the lower bound of its liquidity is from 0
and the upper bound from the capacity, receding with a half-life; one direction's lower bound is the other's upper.
It lets them recede at intervals only, so that a payment's next try still knows exactly what the last one met.
Each time a bound is set, its place is noted in one of 32 buckets, narrow at both ends of the channel; without news
for a half-life of theirs, all are halved. A penalty is -log10 of a probability, at most 2, times a multiplier;
logarithms are exact here, where LDK looks them up.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from l2sim.systems.lightning.policies.terms import LN2, Hop, Known, Terms

# Columns of `facts`. The bounds of direction 0; those of direction 1 are the same the other way round.
LOWER_MSAT: Final = 0  # at least so much
UPPER_MSAT: Final = 1  # at least so much below the capacity
UPDATED_NS: Final = 2
HISTORY_NS: Final = 3
TAKEN_MSAT: Final = 4  # under way by the payer itself in direction 0, and in the next column in direction 1
HISTORY: Final = 6  # 32 buckets of where the lower bound was, 32 of the upper one
BUCKETS: Final = 32
COLUMNS: Final = HISTORY + 2 * BUCKETS

ONE: Final = 32  # a bucket gains this for each note ...
DECAY: Final = (2_047, 2_048)  # ... after every bucket has lost a little
TICK_NS: Final = 300 * 10**9  # how often bounds recede (lightning-background-processor SCORER_PERSIST_TIMER)
MOST_HALVINGS: Final = 62
TICKS: Final = 1 << 14  # a channel's capacity, as places are counted
WIDTHS: Final = (1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 2048, 2048)  # and back again
STARTS: Final = np.cumsum((0, *WIDTHS, *WIDTHS[::-1]), dtype=np.int64)
"""Where each bucket begins, and where the last one ends."""

NO_SUCCESSES: Final = 78 / 64  # nothing went through: the probability is as much smaller
LOG_STEPS: Final = 2_048  # logarithms are counted in these parts
MOST_LOG: Final = 2 * LOG_STEPS


@register_jitable
def hop(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """Fee and penalty; a channel believed to hold less is dear, but only one believed saturated is left out."""
    if terms.saturation_power and hop.amount_msat > hop.capacity_msat >> terms.saturation_power:
        return 0, 0.0
    penalty = terms.base_penalty_msat + _times(hop.amount_msat, terms.base_amount_multiplier, 30)
    if 2 * hop.largest_msat >= hop.capacity_msat:
        penalty += terms.anti_probing_msat
    return hop.fee_msat + penalty + liquidity_penalty_msat(terms, hop, known), 1.0


@register_jitable
def liquidity_penalty_msat(terms: Terms, hop: Hop, known: Known) -> int:
    """What the bounds and their history say against the amount."""
    capacity = hop.capacity_msat
    lower, upper, amount = 0, capacity, hop.amount_msat
    if known.row >= 0:
        facts, row = known.facts, known.row
        amount += facts[row, TAKEN_MSAT + hop.direction]
        kept = math.exp(-LN2 * _receding_ns(facts[row, UPDATED_NS], hop.now_ns) / terms.offset_half_life_ns)
        upper = capacity - int(facts[row, UPPER_MSAT - hop.direction] * kept)
        lower = min(upper, int(facts[row, LOWER_MSAT + hop.direction] * kept))
    penalty = 0
    if terms.liquidity_multiplier or terms.liquidity_amount_multiplier:
        if amount >= upper:
            penalty = _combined(terms.liquidity_multiplier, terms.liquidity_amount_multiplier, MOST_LOG, hop)
        elif amount > lower:
            probability = probability_between(lower, upper, amount, capacity, False)
            if 64.0 * (1.0 - probability) >= 1.0:
                steps = _log_steps(probability)
                penalty = _combined(terms.liquidity_multiplier, terms.liquidity_amount_multiplier, steps, hop)
    if amount >= upper:
        penalty += terms.impossible_msat
    steps = MOST_LOG
    if amount < capacity:
        probability = -1.0
        if known.row >= 0:
            probability = historical_probability(terms, hop, known, amount)
        if probability < 0.0:
            probability = probability_between(0, capacity, amount, capacity, True)
        steps = _log_steps(probability)
    return penalty + _combined(terms.history_multiplier, terms.history_amount_multiplier, steps, hop)


@register_jitable
def _receding_ns(updated_ns: int, now_ns: int) -> int:
    """How long bounds have receded since they were set: until the last tick."""
    return max(0, now_ns - now_ns % TICK_NS - updated_ns)


@register_jitable
def halvings(updated_ns: int, now_ns: int, half_life_ns: float) -> int:
    """How often the history was halved since its last news."""
    return int(min((now_ns - updated_ns) / half_life_ns, MOST_HALVINGS))


@register_jitable
def probability_between(lower: int, upper: int, amount: int, capacity: int, none_yet: bool) -> float:
    """That liquidity between the bounds is more than the amount, by the density 1/256 + 9 (x - 1/2)^8 on [0, 1]."""
    top = _integral(upper / capacity)
    whole = top - _integral(lower / capacity)
    if none_yet and lower == 0:
        whole *= NO_SUCCESSES
    return (top - _integral(amount / capacity)) / whole


@register_jitable
def _integral(x: float) -> float:
    centred = x - 0.5
    squared = centred * centred
    fourth = squared * squared
    return centred * fourth * fourth + centred / 256.0


@register_jitable
def historical_probability(terms: Terms, hop: Hop, known: Known, amount: int) -> float:
    """The probability averaged over all pairs of noted bounds, weighed by how often they were noted; -1 if rarely."""
    place = amount * TICKS // (hop.capacity_msat + 1)
    facts, row = known.facts, known.row
    low = HISTORY + BUCKETS * hop.direction
    high = HISTORY + BUCKETS * (1 - hop.direction)
    halved = halvings(facts[row, HISTORY_NS], hop.now_ns, terms.history_half_life_ns)
    points = 0.0
    for i in range(BUCKETS):
        for j in range(BUCKETS - i):
            weight = float((facts[row, low + i] >> halved) * (facts[row, high + j] >> halved))
            points += weight * weight
    if points < ONE**4:
        return -1.0
    total = 0.0
    lowest = facts[row, low] >> halved
    if lowest > 0:
        # The lowest bucket mostly means a failure: count only the highest upper bound noted beside it.
        noted, noted_fully, weight_at_0 = 0, -1, 0.0
        for j in range(BUCKETS):
            beside = facts[row, high + j] >> halved
            if beside >= ONE:
                noted_fully = j
            if beside > 0:
                noted = j
            weight = float(lowest * beside)
            weight_at_0 += weight * weight
        chosen = noted_fully if noted_fully >= 0 else noted
        end = STARTS[BUCKETS - chosen] - 1
        if place < end:
            total += weight_at_0 / points * probability_between(0, end, place, TICKS - 1, True)
    for i in range(1, BUCKETS):
        here = facts[row, low + i] >> halved
        if here == 0:
            continue
        start = STARTS[i]
        for j in range(BUCKETS - i):
            end = STARTS[BUCKETS - j] - 1
            if place >= end:
                break
            weight = float(here * (facts[row, high + j] >> halved))
            share = weight * weight / points
            if place >= start:
                share *= probability_between(start, end, place, TICKS - 1, True)
            total += share
    return total


@register_jitable
def _log_steps(probability: float) -> int:
    if probability <= 0.01:
        return MOST_LOG
    return min(MOST_LOG, int(-math.log10(min(1.0, probability)) * LOG_STEPS))


@register_jitable
def _combined(multiplier: int, amount_multiplier: int, steps: int, hop: Hop) -> int:
    """The penalty for that many 2048ths of a power of ten."""
    return steps * multiplier // LOG_STEPS + _times(hop.amount_msat, steps * amount_multiplier, 31)


@register_jitable
def _times(amount_msat: int, multiplier: int, bits: int) -> int:
    """amount x multiplier / 2**bits, whose product may pass 2**63."""
    low = amount_msat & ((1 << bits) - 1)
    return (amount_msat >> bits) * multiplier + (low * multiplier >> bits)


class Bounds:
    """What LDK does with one row when an attempt tells something: `failed`, `carried`, `settled`."""

    def __init__(self, offset_half_life_ns: float, history_half_life_ns: float) -> None:
        self._offset_half_life_ns = offset_half_life_ns
        self._history_half_life_ns = history_half_life_ns

    def failed(
        self, row: npt.NDArray[np.int64], direction: int, amount_msat: int, capacity_msat: int, now_ns: int
    ) -> None:
        """The channel did not carry the amount: it holds less (LDK failed_at_channel)."""
        self._fade(row, now_ns)
        if amount_msat < capacity_msat - row[UPPER_MSAT - direction]:
            self._set_upper(row, direction, amount_msat, capacity_msat, now_ns)
        self._note(row, direction, 0, capacity_msat, now_ns)

    def carried(
        self, row: npt.NDArray[np.int64], direction: int, amount_msat: int, capacity_msat: int, now_ns: int
    ) -> None:
        """The channel carried the amount of an attempt that failed further on (LDK failed_downstream)."""
        self._fade(row, now_ns)
        if amount_msat > row[LOWER_MSAT + direction]:
            row[LOWER_MSAT + direction] = amount_msat
            if amount_msat > capacity_msat - row[UPPER_MSAT - direction]:
                row[UPPER_MSAT - direction] = 0
            row[UPDATED_NS] = now_ns
        self._note(row, direction, 0, capacity_msat, now_ns)

    def settled(
        self, row: npt.NDArray[np.int64], direction: int, amount_msat: int, capacity_msat: int, now_ns: int
    ) -> None:
        """The amount went over the channel for good: it holds as much less (LDK successful)."""
        self._fade(row, now_ns)
        upper_msat = capacity_msat - int(row[UPPER_MSAT - direction])
        self._set_upper(row, direction, max(0, upper_msat - amount_msat), capacity_msat, now_ns)
        self._note(row, direction, amount_msat, capacity_msat, now_ns)

    def _fade(self, row: npt.NDArray[np.int64], now_ns: int) -> None:
        receding_ns = _receding_ns(int(row[UPDATED_NS]), now_ns)
        kept = math.exp(-LN2 * receding_ns / self._offset_half_life_ns)
        row[LOWER_MSAT] = int(row[LOWER_MSAT] * kept)
        row[UPPER_MSAT] = int(row[UPPER_MSAT] * kept)
        row[UPDATED_NS] += receding_ns

    def _set_upper(
        self, row: npt.NDArray[np.int64], direction: int, amount_msat: int, capacity_msat: int, now_ns: int
    ) -> None:
        row[UPPER_MSAT - direction] = max(0, capacity_msat - amount_msat)
        if amount_msat < row[LOWER_MSAT + direction]:
            row[LOWER_MSAT + direction] = 0
        row[UPDATED_NS] = now_ns

    def _note(
        self, row: npt.NDArray[np.int64], direction: int, amount_msat: int, capacity_msat: int, now_ns: int
    ) -> None:
        """Note where the bounds were before the amount went over the channel."""
        history = row[HISTORY : HISTORY + 2 * BUCKETS]
        history >>= halvings(int(row[HISTORY_NS]), now_ns, self._history_half_life_ns)
        row[HISTORY_NS] = now_ns
        lower = int(row[LOWER_MSAT + direction]) + amount_msat
        upper = max(0, int(row[UPPER_MSAT - direction]) - amount_msat)
        for side, offset_msat in ((direction, lower), (1 - direction, upper)):
            place = offset_msat * TICKS // (capacity_msat + 1)
            if place < TICKS:
                buckets = history[side * BUCKETS : (side + 1) * BUCKETS]
                buckets[:] = buckets * DECAY[0] // DECAY[1]
                buckets[int(np.searchsorted(STARTS, place, "right")) - 1] += ONE
