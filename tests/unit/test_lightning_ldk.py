"""What LDK's scorer makes of what it sees, against figures of its own tests (lightning/src/routing/scoring.rs)."""

import numpy as np
import pytest

from l2sim.systems.lightning.payer_config import LdkPayer
from l2sim.systems.lightning.policies import ldk
from l2sim.systems.lightning.policies.choice import terms_of
from l2sim.systems.lightning.policies.terms import Hop, Known

S = 10**9
HALF_LIFE_NS = 1_209_600 * S
NOBODY = np.zeros(1, np.int32)


class Scorer:
    """What one payer knows of one channel, all in direction 0."""

    def __init__(self, capacity_msat: int) -> None:
        self.terms = terms_of(LdkPayer(), 1)
        self.bounds = ldk.Bounds(self.terms.offset_half_life_ns, self.terms.history_half_life_ns)
        self.facts = np.zeros((1, ldk.COLUMNS), np.int64)
        self.capacity_msat = capacity_msat

    def failed(self, amount_msat: int, now_ns: int = 0) -> None:
        self.bounds.failed(self.facts[0], 0, amount_msat, self.capacity_msat, now_ns)

    def carried(self, amount_msat: int, now_ns: int = 0) -> None:
        self.bounds.carried(self.facts[0], 0, amount_msat, self.capacity_msat, now_ns)

    def buckets(self) -> tuple[dict[int, int], dict[int, int]]:
        """Of the lower bound from 0 on, of the upper bound from the capacity down: what is not 0."""
        low, high = self.facts[0, ldk.HISTORY :].reshape(2, ldk.BUCKETS)
        high = high[::-1]
        return {i: int(low[i]) for i in np.flatnonzero(low)}, {i: int(high[i]) for i in np.flatnonzero(high)}

    def probability(self, amount_msat: int, now_ns: int = 0) -> float:
        return float(ldk.historical_probability(self.terms, self._hop(amount_msat, now_ns), self._known(), amount_msat))

    def penalty_msat(self, amount_msat: int, now_ns: int = 0) -> int:
        return int(ldk.liquidity_penalty_msat(self.terms, self._hop(amount_msat, now_ns), self._known()))

    def _known(self) -> Known:
        return Known(self.facts, 0, -1, NOBODY)

    def _hop(self, amount_msat: int, now_ns: int) -> Hop:
        return Hop(now_ns, amount_msat, 0, 0, 0, 0, self.capacity_msat, self.capacity_msat, 0)


def test_buckets_after_a_failure_and_a_success_are_those_of_ldks_tests() -> None:
    scorer = Scorer(1_000)
    scorer.failed(1)
    assert scorer.buckets() == ({0: 32}, {6: 32})
    assert scorer.probability(500) == 0.0
    scorer.carried(1_000)
    assert scorer.buckets() == ({0: 31, 26: 32}, {6: 31, 31: 32})


def test_ten_thousand_sat_over_a_channel_of_a_bitcoin_score_as_in_ldks_tests() -> None:
    scorer = Scorer(100_000_000_000)
    assert scorer.probability(10_000_000) == -1.0
    # Nothing known: 64/78 or about 82 %, to which LDK's table of logarithms gives 910 of these 927.
    unknown = 50_000 * -np.log10(64 / 78) + 6_250 * -np.log10(64 / 78) * 10_000_000 / 2**20
    assert scorer.penalty_msat(10_000_000) == pytest.approx(unknown, rel=0.02)
    scorer.failed(10_000_000)
    assert scorer.buckets() == ({0: 32}, {1: 32})
    assert scorer.probability(10_000_000) == 0.0
    scorer.failed(5_000_000)
    assert scorer.buckets() == ({0: 63}, {0: 32, 1: 31})
    assert scorer.probability(5_000_000) == 0.0


def test_one_failure_is_remembered_until_there_was_no_news_for_a_half_life() -> None:
    scorer = Scorer(100_000_000_000)
    scorer.failed(10_000_000)
    for age_ns in (0, S, 3_600 * S, HALF_LIFE_NS - 1):
        assert scorer.probability(10_000_000, age_ns) == 0.0, age_ns
    assert scorer.probability(10_000_000, HALF_LIFE_NS) == -1.0  # half a note is none


def test_news_does_not_make_the_history_fade_and_sixteen_half_lives_empty_it() -> None:
    scorer = Scorer(1_000_000)
    for hour in range(100):
        scorer.carried(500_000, hour * 3_600 * S)
    # Each note takes a 2048th of the others, rounded down: nothing else has gone.
    kept = 0
    for _ in range(100):
        kept = kept * 2_047 // 2_048 + 32
    assert list(scorer.buckets()[0].values()) == [kept]
    scorer.carried(500_000, 99 * 3_600 * S + 16 * HALF_LIFE_NS)
    assert list(scorer.buckets()[0].values()) == [32]


def test_bounds_stand_until_the_next_five_minutes_and_then_recede_with_their_half_life() -> None:
    scorer = Scorer(100_000_000_000)
    scorer.failed(10_000_000, 10 * S)
    impossible_msat = scorer.terms.impossible_msat
    assert scorer.penalty_msat(10_000_000, 299 * S) >= impossible_msat
    assert scorer.penalty_msat(10_000_000, 300 * S) < impossible_msat
    small = Scorer(20_000_000)
    small.failed(10_000_000, 0)
    # After one half-life the bound is half way back to the capacity, after a second three quarters.
    for age_s, bound_msat in ((1_800, 15_000_000), (3_600, 17_500_000)):
        assert small.penalty_msat(bound_msat, age_s * S) >= impossible_msat
        assert small.penalty_msat(bound_msat - 1, age_s * S) < impossible_msat
