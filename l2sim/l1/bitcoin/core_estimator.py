"""Bitcoin Core's fee estimator: how long transactions of each fee rate waited, in buckets that slowly forget.

Every confirmed transaction is counted in a bucket of fee rates with the number of blocks it waited; counts fade by a
factor a block. An estimate is the median fee rate of the lowest group of buckets in which a large enough share got
in within the target. Parameters: lightning reference of Bitcoin Core, `policy/fees/block_policy_estimator.h`.
"""

from bisect import bisect_right
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

SPACING: Final = 1.05
LOWEST_SAT_PER_KVB: Final = 100  # 1,000 before Bitcoin Core 29.1
HIGHEST_SAT_PER_KVB: Final = 10_000_000
HALF_TARGET_SHARE: Final = 0.60
TARGET_SHARE: Final = 0.85
DOUBLE_TARGET_SHARE: Final = 0.95


class HorizonRule(NamedTuple):
    """How far back a set of counts looks: `periods` of `scale` blocks each, fading by `decay` a block.

    `sufficient` is how many transactions a block a group of buckets must have seen to say anything.
    """

    periods: int
    scale: int
    decay: float
    sufficient: float

    @property
    def longest(self) -> int:
        """The longest wait it can tell, in blocks."""
        return self.periods * self.scale


SHORT: Final = HorizonRule(12, 1, 0.962, 0.5)
MEDIUM: Final = HorizonRule(24, 2, 0.9952, 0.1)
LONG: Final = HorizonRule(42, 24, 0.99931, 0.1)


def bucket_bounds() -> list[int]:
    """Lower bounds of the buckets, sat/kvB."""
    bounds, rate = [], float(LOWEST_SAT_PER_KVB)
    while rate <= HIGHEST_SAT_PER_KVB:
        bounds.append(round(rate))
        rate *= SPACING
    return bounds


class Horizon:
    """One set of fading counts, columns are buckets."""

    def __init__(self, rule: HorizonRule, buckets: int) -> None:
        self.rule = rule
        self._count: npt.NDArray[np.float64] = np.zeros(buckets)
        self._feerate_sum: npt.NDArray[np.float64] = np.zeros(buckets)
        self._confirmed: npt.NDArray[np.float64] = np.zeros((rule.periods, buckets))
        """Row p: those who waited at most (p + 1) x scale blocks."""

    def fade(self) -> None:
        """A block has passed."""
        for counts in (self._count, self._feerate_sum, self._confirmed):
            counts *= self.rule.decay

    def confirmed(self, bucket: int, blocks: int, feerate: int, number: int) -> None:
        """Count transactions of one fee rate that waited that many blocks."""
        self._count[bucket] += number
        self._feerate_sum[bucket] += number * feerate
        first = -(-blocks // self.rule.scale) - 1
        self._confirmed[first:, bucket] += number

    def estimate(self, target_blocks: int, share: float, waiting: npt.NDArray[np.int64]) -> float | None:
        """The median fee rate of the cheapest buckets that got in within the target often enough; None: unknown.

        `waiting` are those that wait for the target or longer now; they count as having failed. Buckets are
        joined from the dearest down until they hold enough to judge; a group that fails is joined with the next.
        """
        rule = self.rule
        row = -(-target_blocks // rule.scale) - 1
        enough = rule.sufficient / (1 - rule.decay)
        in_time = seen = late = new = 0.0
        high = best_low = best_high = len(self._count) - 1
        passed = False
        for bucket in range(len(self._count) - 1, -1, -1):
            in_time += float(self._confirmed[row, bucket])
            seen += float(self._count[bucket])
            new += float(self._count[bucket])
            late += int(waiting[bucket])
            if new < enough:
                continue
            new = 0.0
            if in_time / (seen + late) < share:
                continue
            passed, best_low, best_high = True, bucket, high
            in_time = seen = late = 0.0
            high = bucket - 1
        if not passed:
            return None
        return self._median(best_low, best_high)

    def _median(self, low: int, high: int) -> float | None:
        counts = self._count[low : high + 1]
        if counts.sum() == 0:
            return None
        bucket = low + int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
        return float(self._feerate_sum[bucket] / self._count[bucket])


class CoreEstimator:
    """Estimates as Bitcoin Core's `estimatesmartfee` in its economical mode, its default: the largest of three answers.

    What waits in the mempool and is not in a block counts only against estimates, by age. Where the history says
    nothing (an empty or young chain) the answer is the relay minimum.
    """

    def __init__(self, min_relay_sat_per_kvb: int) -> None:
        self._floor = min_relay_sat_per_kvb
        self._bounds = bucket_bounds()
        self._horizons = tuple(Horizon(rule, len(self._bounds)) for rule in (SHORT, MEDIUM, LONG))
        self._estimates: dict[int, int] = {}
        self._waiting: dict[tuple[int, int], int] = {}
        """Transactions that wait, by bucket and blocks waited so far."""

    def bucket(self, feerate_sat_per_kvb: int) -> int:
        """The bucket that a fee rate belongs to; what is below the lowest belongs to it too."""
        return max(0, bisect_right(self._bounds, feerate_sat_per_kvb) - 1)

    def block(self, confirmed: list[tuple[int, int, int]], waiting: list[tuple[int, int, int]]) -> None:
        """Take note of a block: triples (fee rate in sat/kvB, blocks waited, how many) of those in it and those not."""
        for horizon in self._horizons:
            horizon.fade()
        for feerate, blocks, number in confirmed:
            bucket = self.bucket(feerate)
            for horizon in self._horizons:
                if blocks <= horizon.rule.longest:
                    horizon.confirmed(bucket, blocks, feerate, number)
                else:  # it was seen, and in none of the periods
                    horizon.confirmed(bucket, horizon.rule.longest + horizon.rule.scale, feerate, number)
        self._waiting = {}
        for feerate, blocks, number in waiting:
            place = self.bucket(feerate), blocks
            self._waiting[place] = self._waiting.get(place, 0) + number
        self._estimates.clear()

    def estimate(self, target_blocks: int) -> int:
        """The fee rate for inclusion within `target_blocks`, sat/kvB; raises ValueError if that is below 1."""
        if target_blocks < 1:
            raise ValueError(f"target_blocks must be at least 1 (got {target_blocks})")
        known = self._estimates.get(target_blocks)
        if known is None:
            target = max(2, min(target_blocks, LONG.longest))  # Core answers for the next block as for two
            answers = (
                self._combined(target // 2, HALF_TARGET_SHARE),
                self._combined(target, TARGET_SHARE),
                self._combined(2 * target, DOUBLE_TARGET_SHARE) if 2 * target <= LONG.longest else None,
            )
            known = max(self._floor, *[round(answer) for answer in answers if answer is not None], self._floor)
            self._estimates[target_blocks] = known
        return known

    def _combined(self, target: int, share: float) -> float | None:
        """By the shortest horizon that reaches the target; a shorter one may say that less is enough."""
        reaching = next(i for i, horizon in enumerate(self._horizons) if target <= horizon.rule.longest)
        answer = self._horizons[reaching].estimate(target, share, self._late(target))
        for horizon in self._horizons[:reaching]:
            longest = horizon.rule.longest
            shorter = horizon.estimate(longest, share, self._late(longest))
            if shorter is not None and (answer is None or shorter < answer):
                answer = shorter
        return answer

    def _late(self, target: int) -> npt.NDArray[np.int64]:
        late = np.zeros(len(self._bounds), np.int64)
        for (bucket, blocks), number in self._waiting.items():
            if blocks >= target:
                late[bucket] += number
        return late
