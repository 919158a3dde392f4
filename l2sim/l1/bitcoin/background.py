"""Everybody else's demand for Bitcoin block space, as counts of equal transactions in fee-rate buckets."""

import math
from bisect import bisect_right

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

    def arrive(self, elapsed_s: float) -> None:
        """Draw who came in the last `elapsed_s` seconds; beyond the mempool's limit the cheapest are evicted."""
        self.waiting += self._generator.poisson(self._arrivals_per_s * elapsed_s)
        if int(self.waiting.sum()) > self._most_waiting:
            self.waiting = self._best(self._most_waiting)

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
        return taken

    def _best(self, count: int) -> npt.NDArray[np.int64]:
        from_top = np.minimum(self.waiting[::-1].cumsum(), count)
        best: npt.NDArray[np.int64] = np.diff(from_top, prepend=0)[::-1].copy()
        return best
