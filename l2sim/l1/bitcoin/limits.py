"""A mempool of limited size: who is evicted when it is full, and the fee rate below which nothing comes in then."""

from typing import Final

import numpy as np

from l2sim.engine import NS_PER_S
from l2sim.l1.bitcoin.background import BitcoinBackground
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.fees import WU_PER_KVB
from l2sim.l1.bitcoin.mempool import BitcoinMempool, Entry, total
from l2sim.l1.bitcoin.packages import priority

HALF_LIFE_NS: Final = 12 * 3_600 * NS_PER_S
"""The floor halves in this time (Bitcoin Core txmempool.h); in half or a quarter of it when the mempool empties."""


class FeeFloor:
    """The fee rate under which a full mempool takes nothing, sat/kvB: raised by evictions, fading afterwards.

    >>> floor = FeeFloor(incremental_sat_per_kvb=100)
    >>> floor.evicted(900, now_ns=0)
    >>> floor.at(0, fullness=1.0), floor.at(HALF_LIFE_NS, fullness=1.0), floor.at(2 * HALF_LIFE_NS, fullness=0.2)
    (1000, 500, 0)
    """

    def __init__(self, incremental_sat_per_kvb: int) -> None:
        self._incremental = incremental_sat_per_kvb
        self._rate = 0.0
        self._at_ns = 0

    def evicted(self, feerate_sat_per_kvb: int, now_ns: int) -> None:
        """Something of that fee rate had to go: what comes in now must pay more by the incremental relay fee."""
        if feerate_sat_per_kvb + self._incremental > self._rate:
            self._rate = float(feerate_sat_per_kvb + self._incremental)
            self._at_ns = now_ns

    def at(self, now_ns: int, fullness: float) -> int:
        """The floor now, 0 if there is none; `fullness` is the share of the limit in use."""
        if self._rate == 0.0:
            return 0
        half_life_ns = HALF_LIFE_NS // (4 if fullness < 0.25 else 2 if fullness < 0.5 else 1)
        self._rate *= 0.5 ** ((now_ns - self._at_ns) / half_life_ns)
        self._at_ns = now_ns
        if self._rate < self._incremental / 2:
            self._rate = 0.0
            return 0
        return max(round(self._rate), self._incremental)


class MempoolLimit:
    """Keeps the system's and everybody else's transactions together below a size."""

    def __init__(self, config: BitcoinConfig, mempool: BitcoinMempool, background: BitcoinBackground | None) -> None:
        assert config.mempool.limit_vbyte is not None
        self._limit_wu = 4 * config.mempool.limit_vbyte
        self._mempool = mempool
        self._background = background
        self._floor = FeeFloor(config.mempool.incremental_relay_sat_per_kvb)

    def _used_wu(self) -> int:
        background = self._background
        others = 0 if background is None else int(background.waiting.sum()) * background.transaction_wu
        return self._mempool.weight_wu + others

    def floor_sat_per_kvb(self, now_ns: int) -> int:
        """The fee rate under which nothing comes in now; 0 if anything above the relay minimum does."""
        return self._floor.at(now_ns, self._used_wu() / self._limit_wu)

    def trim(self, now_ns: int) -> list[Entry]:
        """Evict what pays least until all fits, and return the system's transactions that had to go.

        A transaction is valued with its descendants where those lift it, and they go with it.
        """
        excess_wu = self._used_wu() - self._limit_wu
        if excess_wu <= 0:
            return []
        evicted: list[Entry] = []
        order = sorted(self._mempool.entries(), key=self._value)
        for entry in order:
            if not entry.alive:
                continue  # gone already with an ancestor
            fee_sat, weight_wu = total([entry, *self._mempool.descendants(entry)])
            own = max(fee_sat * WU_PER_KVB // weight_wu, entry.transaction.feerate_sat_per_kvb)
            excess_wu = self._trim_background(excess_wu, own, now_ns)
            if excess_wu <= 0:
                return evicted
            for one in (*reversed(self._mempool.descendants(entry)), entry):
                self._mempool.remove(one)
                evicted.append(one)
            self._floor.evicted(fee_sat * WU_PER_KVB // weight_wu, now_ns)
            excess_wu -= weight_wu
            if excess_wu <= 0:
                return evicted
        self._trim_background(excess_wu, None, now_ns)
        return evicted

    def _value(self, entry: Entry) -> tuple[int, int]:
        """What an entry is worth to a miner, with descendants or without; of equals the youngest goes first."""
        fee_sat, weight_wu = total([entry, *self._mempool.descendants(entry)])
        own = priority(entry.transaction.fee_sat, entry.transaction.weight_wu)
        return max(own, priority(fee_sat, weight_wu)), -entry.arrival

    def _trim_background(self, excess_wu: int, below_sat_per_kvb: int | None, now_ns: int) -> int:
        """Evict background transactions that pay less than that until `excess_wu` is gone; returns what is left."""
        background = self._background
        if background is None:
            return excess_wu
        for bucket in np.flatnonzero(background.waiting).tolist():
            rate = background.rates[bucket]
            if excess_wu <= 0 or (below_sat_per_kvb is not None and rate >= below_sat_per_kvb):
                break
            gone = min(int(background.waiting[bucket]), -(-excess_wu // background.transaction_wu))
            background.drop(bucket, gone)
            self._floor.evicted(rate, now_ns)
            excess_wu -= gone * background.transaction_wu
        return excess_wu
