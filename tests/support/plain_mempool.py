"""A mempool as plainly as its rules can be written: lists, and everything worked out anew each time."""

import math

from l2sim.l1.base import Refusal
from l2sim.l1.bitcoin.transaction import BitcoinTransaction

MOST_RELATIVES, MOST_REPLACED = 25, 100


def relay_fee(transaction: BitcoinTransaction, sat_per_kvb: int) -> int:
    """Virtual size, rounded up, times the rate, rounded up."""
    return math.ceil(math.ceil(transaction.weight_wu / 4) * sat_per_kvb / 1_000)


class PlainMempool:
    """What waits, oldest first; without version-3 rules, carve-out and limits by size."""

    def __init__(self, incremental_sat_per_kvb: int) -> None:
        self.waiting: list[BitcoinTransaction] = []
        self.spent: dict[object, bytes] = {}
        self.gone: set[bytes] = set()
        self.incremental = incremental_sat_per_kvb

    def ancestors(self, transaction: BitcoinTransaction) -> set[bytes]:
        found: set[bytes] = set()
        for point in transaction.spends:
            for other in self.waiting:
                if other.txid == point.txid:
                    found |= {other.txid} | self.ancestors(other)
        return found

    def descendants(self, transaction: BitcoinTransaction) -> set[bytes]:
        return {other.txid for other in self.waiting if transaction.txid in self.ancestors(other)}

    def submit(self, transaction: BitcoinTransaction) -> Refusal | None:
        if transaction.fee_sat < relay_fee(transaction, self.incremental):
            return Refusal.FEE_TOO_LOW
        if any(other.txid == transaction.txid for other in self.waiting):
            return Refusal.ALREADY_KNOWN
        for point in transaction.spends:
            if point in self.spent:
                return Refusal.ALREADY_KNOWN if self.spent[point] == transaction.txid else Refusal.ALREADY_SPENT
            if point.txid in self.gone:
                return Refusal.MISSING_INPUTS
        direct = [other for other in self.waiting if set(other.spends) & set(transaction.spends)]
        evicted = {other.txid for other in direct}.union(*[self.descendants(other) for other in direct])
        ancestors = self.ancestors(transaction)
        if ancestors & evicted:
            return Refusal.CONFLICT
        if len(ancestors) + 1 > MOST_RELATIVES:
            return Refusal.TOO_MANY_RELATIVES
        if direct:
            if len(evicted) > MOST_REPLACED:
                return Refusal.TOO_MANY_REPLACED
            rate = transaction.fee_sat / transaction.weight_wu
            fees = sum(other.fee_sat for other in self.waiting if other.txid in evicted)
            least = fees + relay_fee(transaction, self.incremental)
            if any(rate <= other.fee_sat / other.weight_wu for other in direct) or transaction.fee_sat < least:
                return Refusal.REPLACEMENT_TOO_CHEAP
        self.waiting = [other for other in self.waiting if other.txid not in evicted]
        self.gone |= evicted
        self.gone.discard(transaction.txid)
        self.waiting.append(transaction)
        return None

    def block(self, space_wu: int) -> list[bytes]:
        """Again and again the package of the highest ancestor fee rate that fits, the oldest of equals."""
        taken: list[bytes] = []
        skipped: set[bytes] = set()
        while True:
            best, best_rate, best_package = None, -1.0, []
            for transaction in self.waiting:
                if transaction.txid in skipped or transaction.txid in taken:
                    continue
                members = self.ancestors(transaction) | {transaction.txid}
                package = [one for one in self.waiting if one.txid in members and one.txid not in taken]
                rate = sum(one.fee_sat for one in package) / sum(one.weight_wu for one in package)
                if rate > best_rate:
                    best, best_rate, best_package = transaction, rate, package
            if best is None:
                break
            weight_wu = sum(one.weight_wu for one in best_package)
            if weight_wu <= space_wu:
                taken += [one.txid for one in best_package]
                space_wu -= weight_wu
            elif space_wu < 4_000:
                break
            else:
                skipped.add(best.txid)
        for transaction in self.waiting:
            if transaction.txid in taken:
                self.spent.update(dict.fromkeys(transaction.spends, transaction.txid))
        self.waiting = [one for one in self.waiting if one.txid not in taken]
        return taken
