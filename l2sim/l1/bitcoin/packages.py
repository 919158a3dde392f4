"""Block space by ancestor fee rate: of related transactions the best package goes first, then the next.

A package is a transaction with all its unconfirmed ancestors. Ancestors never reach beyond a cluster, so each
cluster is ordered on its own and the block takes the best head of all; that equals Bitcoin Core's greedy selection
over the whole mempool.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l2sim.l1.bitcoin.mempool import BitcoinMempool, Entry

_PRIORITY_BITS = 44
"""Two fractions fee/weight with weights below 2**22 differ by more than 2**-44, so that the key is exact."""


def priority(fee_sat: int, weight_wu: int) -> int:
    """A whole number that grows with fee per weight and tells any two different fractions apart."""
    return (fee_sat << _PRIORITY_BITS) // weight_wu


@dataclass(frozen=True, slots=True)
class Package:
    """A transaction and its ancestors that are not in the block yet, parents first."""

    target: int
    """Place of the transaction in its cluster."""
    members: tuple[int, ...]
    fee_sat: int
    weight_wu: int


class Cluster:
    """Related transactions in order of arrival, parents before children, and which of them a block holds."""

    def __init__(self, mempool: "BitcoinMempool", entries: list["Entry"]) -> None:
        self.entries = entries
        place = {entry.arrival: i for i, entry in enumerate(entries)}
        self._ancestors: list[frozenset[int]] = []
        for i, entry in enumerate(entries):
            parents = [place[parent.arrival] for parent in mempool.parents(entry.transaction)]
            self._ancestors.append(frozenset((i,)).union(*[self._ancestors[parent] for parent in parents]))
        self._taken = [False] * len(entries)
        self._skipped = [False] * len(entries)

    def best(self) -> Package | None:
        """The package of the highest fee rate that is left, the earliest of equals; None when there is none."""
        best: Package | None = None
        best_priority = -1
        for i in range(len(self.entries)):
            if self._taken[i] or self._skipped[i]:
                continue
            members = tuple([m for m in sorted(self._ancestors[i]) if not self._taken[m]])
            transactions = [self.entries[m].transaction for m in members]
            fee_sat, weight_wu = sum([t.fee_sat for t in transactions]), sum([t.weight_wu for t in transactions])
            rank = priority(fee_sat, weight_wu)
            if rank > best_priority:
                best, best_priority = Package(i, members, fee_sat, weight_wu), rank
        return best

    def take(self, package: Package) -> list["Entry"]:
        """Put a package into the block."""
        for member in package.members:
            self._taken[member] = True
        return [self.entries[member] for member in package.members]

    def skip(self, package: Package) -> None:
        """Leave a package out that does not fit; its ancestors may still go without it."""
        self._skipped[package.target] = True


class PackageQueue:
    """The best package of every cluster, the best of all first; true while there is one."""

    def __init__(self, mempool: "BitcoinMempool") -> None:
        self._heap: list[tuple[int, int, Cluster, Package]] = []
        for entries in mempool.clusters():
            self._offer(Cluster(mempool, entries))

    def _offer(self, cluster: Cluster) -> None:
        package = cluster.best()
        if package is not None:
            arrival = cluster.entries[package.target].arrival
            heappush(self._heap, (-priority(package.fee_sat, package.weight_wu), arrival, cluster, package))

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def key(self) -> tuple[int, int]:
        """Where the best package stands: lower goes first."""
        return self._heap[0][:2]

    @property
    def best(self) -> Package:
        """The best package of all."""
        return self._heap[0][3]

    def take(self) -> list["Entry"]:
        """Put the best package into the block and look for its cluster's next."""
        _, _, cluster, package = heappop(self._heap)
        members = cluster.take(package)
        self._offer(cluster)
        return members

    def skip(self) -> None:
        """Leave the best package out: it does not fit."""
        _, _, cluster, package = heappop(self._heap)
        cluster.skip(package)
        self._offer(cluster)
