"""The system's transactions that wait for a Bitcoin block, who depends on whom, and how a block is filled from them.

A transaction without unconfirmed relatives costs one heap operation in and one out. Transactions that spend each
other's outputs form clusters; for those a block is filled by ancestor fee rate, as miners do (see `packages`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.l1.base import OnDropped, OnReceipt
from l2sim.l1.bitcoin.background import BitcoinBackground
from l2sim.l1.bitcoin.fees import WU_PER_KVB
from l2sim.l1.bitcoin.packages import Package, PackageQueue, priority
from l2sim.l1.bitcoin.transaction import BitcoinTransaction

__all__ = ["BitcoinMempool", "BitcoinTransaction", "Entry", "Filling"]

NEARLY_FULL_WU = 4_000
"""Below this much free weight the first transaction that does not fit ends the search (as in Bitcoin Core)."""
MOST_MISFITS = 1_000
"""So many transactions in a row that do not fit end the search in any case (as in Bitcoin Core)."""


class Entry:
    """A transaction that waits, and whom to tell what becomes of it."""

    __slots__ = (
        "alive",
        "arrival",
        "height",
        "linked",
        "on_dropped",
        "on_included",
        "on_moved",
        "queued",
        "transaction",
    )

    def __init__(
        self,
        transaction: BitcoinTransaction,
        arrival: int,
        height: int,
        on_included: OnReceipt | None = None,
        on_dropped: OnDropped | None = None,
        on_moved: OnReceipt | None = None,
    ) -> None:
        self.transaction = transaction
        self.arrival = arrival
        self.height = height
        """Height of the last block when it came."""
        self.on_included = on_included
        self.on_dropped = on_dropped
        self.on_moved = on_moved
        self.alive = True
        self.linked = False
        """Whether a relative of it waits too: it is then in no heap of its own."""
        self.queued = False


@dataclass(slots=True)
class Filling:
    """What goes into one block: the system's transactions in order, background counts by bucket."""

    included: list[Entry] = field(default_factory=list)
    background: npt.NDArray[np.int64] | None = None
    used_wu: int = 0
    lowest_sat_per_kvb: int | None = None
    """Lowest fee rate in it; None if it is empty."""
    left_behind: bool = False
    """Whether somebody has to wait for the next block."""


class BitcoinMempool:
    """Transactions of the system by fee rate, as a heap: nothing is sorted again for a block."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []
        self._arrivals = 0
        self._entries: dict[bytes, Entry] = {}
        self._spender: dict[OutPoint, Entry] = {}
        self._children: dict[bytes, dict[bytes, Entry]] = {}
        """Waiting spenders of a transaction's outputs by its id, whether or not it waits itself."""
        self._linked: dict[bytes, Entry] = {}
        self.weight_wu = 0
        """Weight of all that waits."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, txid: bytes) -> Entry | None:
        """The waiting transaction of that id."""
        return self._entries.get(txid)

    def entries(self) -> list[Entry]:
        """All that wait, in order of arrival or return."""
        return list(self._entries.values())

    def spender(self, outpoint: OutPoint) -> Entry | None:
        """Who waits and spends that output."""
        return self._spender.get(outpoint)

    def add(
        self,
        transaction: BitcoinTransaction,
        on_included: OnReceipt | None = None,
        on_dropped: OnDropped | None = None,
        on_moved: OnReceipt | None = None,
        height: int = -1,
    ) -> Entry:
        """Let a transaction wait; whether it may is for `relay` to say."""
        entry = Entry(transaction, self._arrivals, height, on_included, on_dropped, on_moved)
        self._arrivals += 1
        self._wire(entry)
        return entry

    def put_back(self, entry: Entry) -> None:
        """Let a transaction wait again whose block was thrown out; it keeps its place among equals."""
        entry.alive, entry.linked, entry.queued = True, False, False
        self._wire(entry)

    def _wire(self, entry: Entry) -> None:
        transaction = entry.transaction
        self._entries[transaction.txid] = entry
        self.weight_wu += transaction.weight_wu
        if not transaction.spends and transaction.txid not in self._children:
            self._push(entry)
            return
        for point in transaction.spends:
            self._spender[point] = entry
            self._children.setdefault(point.txid, {})[transaction.txid] = entry
        relatives = self.relatives(entry)
        if relatives:
            for one in (entry, *relatives):
                one.linked = True
                self._linked[one.transaction.txid] = one
        else:
            self._push(entry)

    def remove(self, entry: Entry) -> None:
        """Take a transaction out; relatives that wait stay."""
        transaction = entry.transaction
        entry.alive = False
        del self._entries[transaction.txid]
        self.weight_wu -= transaction.weight_wu
        if not transaction.spends and not entry.linked:
            return
        relatives = self.relatives(entry) if entry.linked else ()
        for point in transaction.spends:
            del self._spender[point]
            children = self._children.get(point.txid)
            if children is not None:  # gone already where two inputs spend one parent
                children.pop(transaction.txid, None)
                if not children:
                    del self._children[point.txid]
        if entry.linked:
            self._linked.pop(transaction.txid, None)
            for one in relatives:
                if not self.relatives(one):
                    one.linked = False
                    self._linked.pop(one.transaction.txid, None)
                    self._push(one)

    def _push(self, entry: Entry) -> None:
        if not entry.queued:
            entry.queued = True
            transaction = entry.transaction
            heappush(self._heap, (-priority(transaction.fee_sat, transaction.weight_wu), entry.arrival, entry))

    def parents(self, transaction: BitcoinTransaction) -> list[Entry]:
        """Waiting transactions whose outputs this one spends, each once."""
        found = {point.txid: self._entries[point.txid] for point in transaction.spends if point.txid in self._entries}
        return list(found.values())

    def children(self, entry: Entry) -> list[Entry]:
        """Waiting transactions that spend this one's outputs."""
        return list(self._children.get(entry.transaction.txid, {}).values())

    def relatives(self, entry: Entry) -> list[Entry]:
        """Its waiting parents and children."""
        return self.parents(entry.transaction) + self.children(entry)

    def ancestors(self, transaction: BitcoinTransaction) -> list[Entry]:
        """All waiting transactions that it depends on, nearest first; it need not wait itself."""
        return self._closure(self.parents(transaction), lambda entry: self.parents(entry.transaction))

    def descendants(self, entry: Entry) -> list[Entry]:
        """All waiting transactions that depend on it."""
        return self._closure(self.children(entry), self.children)

    @staticmethod
    def _closure(start: list[Entry], following: Callable[[Entry], list[Entry]]) -> list[Entry]:
        """All that can be reached from `start` step by step, with it, nearest first."""
        found = {entry.arrival: entry for entry in start}
        queue = list(found.values())
        for entry in queue:
            for one in following(entry):
                if one.arrival not in found:
                    found[one.arrival] = one
                    queue.append(one)
        return queue

    def clusters(self) -> list[list[Entry]]:
        """The connected groups of transactions with waiting relatives, each in order of arrival."""
        seen: dict[int, bool] = {}
        groups = []
        for entry in self._linked.values():
            if entry.arrival not in seen:
                group = self._closure([entry], self.relatives)
                seen.update((one.arrival, True) for one in group)
                groups.append(sorted(group, key=lambda one: one.arrival))
        return groups

    def fill(self, space_wu: int, background: BitcoinBackground | None) -> Filling:
        """Take the best paying transactions for a block of `space_wu`, the system's and everybody else's.

        Strictly by fee rate, with relatives by that of a transaction and all its waiting ancestors; at an equal
        one the system's go first, among themselves in order of arrival. Background transactions come in whole
        numbers; once one does not fit, the block is full for everybody who pays less. A transaction of the system
        that does not fit stays, and smaller ones may pass it.
        """
        filling = Filling()
        included = filling.included
        free_wu = space_wu
        taken = 0
        unit_wu = 0 if background is None else background.transaction_wu
        ahead = [] if background is None else background.at_or_above()
        packages = PackageQueue(self) if self._linked else None
        misfits: list[tuple[int, int, Entry]] = []
        in_a_row = 0
        heap = self._heap
        lowest: int | None = None
        while True:
            package: Package | None = None
            while heap:
                entry = heap[0][2]
                if entry.alive and not entry.linked:
                    break
                heappop(heap)[2].queued = False
            if packages and (not heap or packages.key < heap[0][:2]):
                package = packages.best
                fee_sat, weight_wu = package.fee_sat, package.weight_wu
            elif heap:
                transaction = entry.transaction
                fee_sat, weight_wu = transaction.fee_sat, transaction.weight_wu
            else:
                break
            feerate = fee_sat * WU_PER_KVB // weight_wu
            if background is not None:
                wanted = ahead[background.bucket_above(feerate)] - taken
                if wanted > 0:
                    more = min(wanted, free_wu // unit_wu)
                    taken += more
                    free_wu -= more * unit_wu
                    if more < wanted:
                        break  # of all the sizes that background has in truth, some would fill the last gap
            if weight_wu <= free_wu:
                if package is None:
                    heappop(heap)
                    entry.queued = False
                    included.append(entry)
                else:
                    assert packages is not None
                    included += packages.take()
                free_wu -= weight_wu
                in_a_row = 0
                lowest = feerate if lowest is None or feerate < lowest else lowest
                continue
            in_a_row += 1
            if free_wu < NEARLY_FULL_WU or in_a_row == MOST_MISFITS:
                break
            if package is None:
                misfits.append(heappop(heap))
            else:
                assert packages is not None
                packages.skip()
        for item in misfits:
            heappush(heap, item)
        for entry in included:
            self.remove(entry)
        if background is not None:
            more = min(ahead[0] - taken, free_wu // unit_wu)
            taken += more
            free_wu -= more * unit_wu
            filling.background = background.take(taken)
            filling.left_behind = ahead[0] > taken
        filling.left_behind = filling.left_behind or bool(self._entries)
        filling.used_wu = space_wu - free_wu
        filling.lowest_sat_per_kvb = _lowest(lowest, filling, background)
        return filling


def _lowest(lowest: int | None, filling: Filling, background: BitcoinBackground | None) -> int | None:
    if background is not None and filling.background is not None:
        buckets = np.flatnonzero(filling.background)
        if len(buckets):
            cheapest = background.rates[int(buckets[0])]
            lowest = cheapest if lowest is None else min(lowest, cheapest)
    return lowest


def total(entries: Iterable[Entry]) -> tuple[int, int]:
    """Fee in sat and weight of some entries together."""
    fee_sat = weight_wu = 0
    for entry in entries:
        fee_sat += entry.transaction.fee_sat
        weight_wu += entry.transaction.weight_wu
    return fee_sat, weight_wu
