"""The system's transactions that wait for a Bitcoin block, and how a block is filled from them."""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l2sim.l1.base import OnReceipt, Purpose
from l2sim.l1.bitcoin.background import BitcoinBackground
from l2sim.l1.bitcoin.fees import WU_PER_KVB

NEARLY_FULL_WU = 4_000
"""Below this much free weight the first transaction that does not fit ends the search (as in Bitcoin Core)."""
MOST_MISFITS = 1_000
"""So many transactions in a row that do not fit end the search in any case (as in Bitcoin Core)."""
_PRIORITY_BITS = 44
"""Two fractions fee/weight with weights below 2**22 differ by more than 2**-44, so that the key is exact."""


@dataclass(frozen=True, slots=True)
class BitcoinTransaction:
    """A system's transaction: 32-byte id, weight, the fee it pays whenever it gets in, and why it is sent."""

    txid: bytes
    weight_wu: int
    fee_sat: int
    purpose: Purpose

    @property
    def feerate_sat_per_kvb(self) -> int:
        """What it pays by weight, sat/kvB, rounded down."""
        return self.fee_sat * WU_PER_KVB // self.weight_wu


class Waiting(NamedTuple):
    """An entry of the heap: highest fee per weight first, then first come."""

    priority: int
    arrival: int
    transaction: BitcoinTransaction
    on_included: OnReceipt | None


@dataclass(slots=True)
class Filling:
    """What goes into one block: the system's transactions in order, background counts by bucket."""

    included: list[Waiting] = field(default_factory=list)
    background: npt.NDArray[np.int64] | None = None
    used_wu: int = 0
    lowest_sat_per_kvb: int | None = None
    """Lowest fee rate in it; None if it is empty."""
    left_behind: bool = False
    """Whether somebody has to wait for the next block."""


class BitcoinMempool:
    """Transactions of the system by fee rate, as a heap: nothing is sorted again for a block."""

    def __init__(self) -> None:
        self._heap: list[Waiting] = []
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, transaction: BitcoinTransaction, on_included: OnReceipt | None) -> None:
        """Let a transaction wait."""
        priority = (transaction.fee_sat << _PRIORITY_BITS) // transaction.weight_wu
        heappush(self._heap, Waiting(-priority, self._arrivals, transaction, on_included))
        self._arrivals += 1

    def fill(self, space_wu: int, background: BitcoinBackground | None) -> Filling:
        """Take the best paying transactions for a block of `space_wu`, the system's and everybody else's.

        Strictly by fee rate; at an equal one the system's go first, among themselves in order of arrival.
        Background transactions come in whole numbers; once one does not fit, the block is full for everybody
        who pays less. A transaction of the system that does not fit stays, and smaller ones may pass it.
        """
        filling = Filling()
        free_wu = space_wu
        taken = 0
        unit_wu = 0 if background is None else background.transaction_wu
        ahead = [] if background is None else background.at_or_above()
        misfits: list[Waiting] = []
        in_a_row = 0
        heap = self._heap
        while heap:
            entry = heap[0]
            transaction = entry.transaction
            if background is not None:
                wanted = ahead[background.bucket_above(transaction.feerate_sat_per_kvb)] - taken
                if wanted > 0:
                    more = min(wanted, free_wu // unit_wu)
                    taken += more
                    free_wu -= more * unit_wu
                    if more < wanted:
                        break  # of all the sizes that background has in truth, some would fill the last gap
            if transaction.weight_wu <= free_wu:
                filling.included.append(heappop(heap))
                free_wu -= transaction.weight_wu
                in_a_row = 0
                continue
            in_a_row += 1
            if free_wu < NEARLY_FULL_WU or in_a_row == MOST_MISFITS:
                break
            misfits.append(heappop(heap))
        for entry in misfits:
            heappush(heap, entry)
        if background is not None:
            more = min(ahead[0] - taken, free_wu // unit_wu)
            taken += more
            free_wu -= more * unit_wu
            filling.background = background.take(taken)
            filling.left_behind = ahead[0] > taken
        filling.left_behind = filling.left_behind or bool(heap)
        filling.used_wu = space_wu - free_wu
        filling.lowest_sat_per_kvb = _lowest(filling, background)
        return filling


def _lowest(filling: Filling, background: BitcoinBackground | None) -> int | None:
    lowest = filling.included[-1].transaction.feerate_sat_per_kvb if filling.included else None
    if background is not None and filling.background is not None:
        buckets = np.flatnonzero(filling.background)
        if len(buckets):
            cheapest = background.rates[int(buckets[0])]
            lowest = cheapest if lowest is None else min(lowest, cheapest)
    return lowest
