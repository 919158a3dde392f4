"""Fee rates: what a transaction of some weight pays, and what a wallet thinks it must pay.

Fee rates are whole satoshi per 1,000 virtual bytes (sat/kvB); a virtual byte is four weight units.
"""

import math
from collections import deque

from l2sim.l1.bitcoin.config import EstimatorConfig

WU_PER_VBYTE = 4  # BIP 141
WU_PER_KVB = 4_000


def vbytes(weight_wu: int) -> int:
    """The virtual size of a weight, rounded up (BIP 141)."""
    return -(-weight_wu // WU_PER_VBYTE)


def fee_sat(weight_wu: int, feerate_sat_per_kvb: int) -> int:
    """What a transaction of `weight_wu` must pay for at least that fee rate: virtual size times rate, rounded up.

    >>> fee_sat(561, 2_000)  # one P2WPKH input, two outputs: 141 vB at 2 sat/vB
    282
    """
    return -(-vbytes(weight_wu) * feerate_sat_per_kvb // 1_000)


class FeeEstimator:
    """A wallet's estimate from recent blocks: what would have got in within the target, mostly.

    Each block leaves its price of entry: the lowest fee rate in it if somebody had to wait, else the lowest
    that nodes relay. For a target of t blocks the estimate is the lowest rate that would have been enough in
    the given share of all runs of t consecutive blocks in the window. Bitcoin Core asks its history alike (60 %
    within half the target, 85 % within it, 95 % within twice), of transactions it tracked instead of blocks.
    """

    def __init__(self, config: EstimatorConfig, min_relay_sat_per_kvb: int) -> None:
        self._success_share = config.success_share
        self._floor = min_relay_sat_per_kvb
        self._entry: deque[int] = deque(maxlen=config.window_blocks)
        self._estimates: dict[int, int] = {}

    def observe(self, entry_sat_per_kvb: int) -> None:
        """Take note of one more block's price of entry."""
        self._entry.append(entry_sat_per_kvb)
        self._estimates.clear()

    def estimate(self, target_blocks: int) -> int:
        """The fee rate for inclusion within `target_blocks`, in sat/kvB; raises ValueError if that is below 1."""
        if target_blocks < 1:
            raise ValueError(f"target_blocks must be at least 1 (got {target_blocks})")
        known = self._estimates.get(target_blocks)
        if known is None:
            known = self._estimates[target_blocks] = self._look_back(target_blocks)
        return known

    def _look_back(self, target_blocks: int) -> int:
        entry = list(self._entry)
        if not entry:
            return self._floor
        length = min(target_blocks, len(entry))
        enough = sorted(min(entry[start : start + length]) for start in range(len(entry) - length + 1))
        cases = math.ceil(self._success_share * len(enough))
        return max(self._floor, enough[cases - 1])
