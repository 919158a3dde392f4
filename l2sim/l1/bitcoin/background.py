"""Everybody else's demand for Bitcoin block space, as counts of equal transactions in fee-rate buckets."""

import math
from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

from l2sim.engine import Stream
from l2sim.l1.bitcoin.config import BitcoinConfig

BUCKET_RATIO = 1.1
"""Each bucket's fee rate over the one below; a wallet cannot tell prices apart much finer than that."""
TOP_SAT_PER_KVB = 10_000_000
"""Highest bucket: where Bitcoin Core's estimator ends too."""


def bucket_rates(floor_sat_per_kvb: int) -> list[int]:
    """Fee rates of the buckets in sat/kvB, rising from the floor; transactions of a bucket pay its rate."""
    rates = [floor_sat_per_kvb]
    while rates[-1] < TOP_SAT_PER_KVB:
        rates.append(max(rates[-1] + 1, round(floor_sat_per_kvb * BUCKET_RATIO ** len(rates))))
    return rates


def lognormal_shares(rates: list[int], median: float, sigma: float) -> npt.NDArray[np.float64]:
    """How much of a lognormal falls into each bucket; both ends take what lies beyond them."""

    def below(rate: int) -> float:
        return 0.5 * (1 + math.erf(math.log(rate / median) / (sigma * math.sqrt(2))))

    edges = [0.0, *(below(rate) for rate in rates[1:]), 1.0]
    return np.diff(edges)


class BitcoinBackground:
    """Background transactions that wait, by fee rate; arrivals are drawn only when a block is made.

    All weigh the same, so that a bucket is one number and a block takes a whole number from the top.
    """

    def __init__(self, config: BitcoinConfig, stream: Stream) -> None:
        background = config.background
        self.rates = bucket_rates(config.min_relay_sat_per_kvb)
        self.transaction_wu = background.transaction_wu
        self.waiting: npt.NDArray[np.int64] = np.zeros(len(self.rates), np.int64)
        self._generator = stream.generator
        shares = lognormal_shares(self.rates, background.median_sat_per_vb * 1_000, background.sigma)
        per_interval = background.load * config.space_wu / background.transaction_wu
        self._arrivals_per_s = shares * (per_interval / config.block_interval_s)
        self._most_waiting = int(background.max_waiting_blocks * config.space_wu / background.transaction_wu)
        self.ages: AgeBook | None = AgeBook(self.rates) if config.estimator.kind == "core" else None

    def arrive(self, elapsed_s: float, floor_sat_per_kvb: int = 0) -> None:
        """Draw who came in the last `elapsed_s` seconds; beyond the mempool's limit the cheapest are evicted.

        Those who pay less than the floor of a full mempool are turned away.
        """
        arrivals = self._generator.poisson(self._arrivals_per_s * elapsed_s)
        if floor_sat_per_kvb > self.rates[0]:
            arrivals[: bisect_left(self.rates, floor_sat_per_kvb)] = 0
        self.waiting += arrivals
        if self.ages is not None:
            self.ages.arrive(arrivals)
        if int(self.waiting.sum()) > self._most_waiting:
            kept = self._best(self._most_waiting)
            if self.ages is not None:
                self.ages.drop(self.waiting - kept)
            self.waiting = kept

    def drop(self, bucket: int, count: int) -> None:
        """Evict some of one bucket."""
        self.waiting[bucket] -= count
        if self.ages is not None:
            gone = np.zeros(len(self.rates), np.int64)
            gone[bucket] = count
            self.ages.drop(gone)

    def put_back(self, counts: npt.NDArray[np.int64]) -> None:
        """Let those wait again whose block was thrown out."""
        self.waiting += counts
        if self.ages is not None:
            self.ages.arrive(counts)

    def at_or_above(self) -> list[int]:
        """How many wait in each bucket and all higher ones; one entry more than buckets, the last one 0."""
        cumulated: list[int] = self.waiting[::-1].cumsum()[::-1].tolist()
        return [*cumulated, 0]

    def bucket_above(self, feerate_sat_per_kvb: int) -> int:
        """The first bucket that pays more than that fee rate."""
        return bisect_right(self.rates, feerate_sat_per_kvb)

    def take(self, count: int) -> npt.NDArray[np.int64]:
        """Remove the `count` best paying ones and return how many they were in each bucket."""
        taken = self._best(count)
        self.waiting -= taken
        if self.ages is not None:
            self.ages.take(taken)
        return taken

    def _best(self, count: int) -> npt.NDArray[np.int64]:
        from_top = np.minimum(self.waiting[::-1].cumsum(), count)
        best: npt.NDArray[np.int64] = np.diff(from_top, prepend=0)[::-1].copy()
        return best


class AgeBook:
    """How long background transactions have waited, oldest of a bucket first: what an estimator learns from."""

    def __init__(self, rates: list[int]) -> None:
        self._rates = rates
        self._cohorts: list[list[list[int]]] = [[] for _ in rates]
        """For each bucket [block in which they came, how many], oldest first."""
        self._block = 0
        self.confirmed: list[tuple[int, int, int]] = []
        """Of the last block: (fee rate, blocks waited, how many)."""

    def arrive(self, counts: npt.NDArray[np.int64]) -> None:
        """Some came before the next block."""
        for bucket in np.flatnonzero(counts).tolist():
            cohorts = self._cohorts[bucket]
            if cohorts and cohorts[-1][0] == self._block:
                cohorts[-1][1] += int(counts[bucket])
            else:
                cohorts.append([self._block, int(counts[bucket])])

    def take(self, counts: npt.NDArray[np.int64]) -> None:
        """The next block is made and holds that many of each bucket."""
        self.confirmed = []
        for bucket in np.flatnonzero(counts).tolist():
            for came, number in self._pop(bucket, int(counts[bucket])):
                self.confirmed.append((self._rates[bucket], self._block - came + 1, number))
        self._block += 1

    def drop(self, counts: npt.NDArray[np.int64]) -> None:
        """That many of each bucket are evicted."""
        for bucket in np.flatnonzero(counts).tolist():
            self._pop(bucket, int(counts[bucket]))

    def waiting(self) -> list[tuple[int, int, int]]:
        """Those that wait: (fee rate, blocks waited so far, how many)."""
        return [
            (rate, self._block - came, number)
            for rate, cohorts in zip(self._rates, self._cohorts, strict=True)
            for came, number in cohorts
        ]

    def _pop(self, bucket: int, count: int) -> list[tuple[int, int]]:
        cohorts, popped = self._cohorts[bucket], []
        while count:
            came, number = cohorts[0]
            taken = min(number, count)
            popped.append((came, taken))
            count -= taken
            if taken == number:
                cohorts.pop(0)
            else:
                cohorts[0][1] -= taken
        return popped
