"""What nodes relay: conflicts and replacement, limits on unconfirmed relatives, version-3 packages.

The rules are those of Bitcoin Core's policy as far as payment channels need them: full replacement by fee, ancestor
and descendant limits with the carve-out for one small child, and topologically restricted transactions (BIP 431).
"""

from dataclasses import dataclass
from typing import Final

from l2sim.l1.base import Refusal
from l2sim.l1.bitcoin.fees import fee_sat, vbytes
from l2sim.l1.bitcoin.mempool import BitcoinMempool, Entry, total
from l2sim.l1.bitcoin.transaction import TRUC_VERSION, BitcoinTransaction

MOST_REPLACED: Final = 100  # transactions that one replacement may evict, descendants included (BIP 125, rule 5)
MOST_RELATIVES: Final = 25  # ancestors, and descendants, of a transaction with itself (Bitcoin Core policy.h)
MOST_RELATIVES_WU: Final = 4 * 101_000  # the same by size, 101 kvB
CARVE_OUT_WU: Final = 4 * 10_000  # one child more of this size may come, if its parent has no ancestor itself
TRUC_PARENT_WU: Final = 4 * 10_000  # BIP 431
TRUC_CHILD_WU: Final = 4 * 1_000  # BIP 431


@dataclass(frozen=True, slots=True)
class Admission:
    """A transaction may come in, at the cost of these, which it replaces."""

    evicted: tuple[Entry, ...] = ()


def admit(
    mempool: BitcoinMempool, transaction: BitcoinTransaction, incremental_sat_per_kvb: int
) -> Admission | Refusal:
    """Say whether a transaction may join the mempool beside or instead of others; nothing is changed yet.

    >>> from l2sim.l1.base import Purpose
    >>> admit(BitcoinMempool(), BitcoinTransaction(bytes(32), 561, 300, Purpose.PAYMENT), 100)
    Admission(evicted=())
    """
    if not transaction.spends:
        if transaction.version == TRUC_VERSION and transaction.weight_wu > TRUC_PARENT_WU:
            return Refusal.TOO_LARGE
        return Admission()
    direct = _conflicts(mempool, transaction)
    refusal = _check_truc(mempool, transaction, direct)
    if refusal is not None:
        return refusal
    evicted = {entry.arrival: entry for entry in direct}
    for entry in direct:
        evicted.update((one.arrival, one) for one in mempool.descendants(entry))
    ancestors = mempool.ancestors(transaction)
    if any(entry.arrival in evicted for entry in ancestors):
        return Refusal.CONFLICT  # it would spend what it replaces
    if _too_many_relatives(mempool, transaction, ancestors, evicted):
        return Refusal.TOO_MANY_RELATIVES
    if evicted:
        refusal = _check_replacement(transaction, direct, list(evicted.values()), incremental_sat_per_kvb)
        if refusal is not None:
            return refusal
    return Admission(tuple(evicted.values()))


def _conflicts(mempool: BitcoinMempool, transaction: BitcoinTransaction) -> list[Entry]:
    """Who waits and spends the same outputs, each once."""
    found: dict[int, Entry] = {}
    for point in transaction.spends:
        entry = mempool.spender(point)
        if entry is not None:
            found[entry.arrival] = entry
    return list(found.values())


def _check_truc(mempool: BitcoinMempool, transaction: BitcoinTransaction, direct: list[Entry]) -> Refusal | None:
    """BIP 431: one parent and one child at most, of limited size; a second child stands for a replacement."""
    parents = mempool.parents(transaction)
    is_truc = transaction.version == TRUC_VERSION
    if any((parent.transaction.version == TRUC_VERSION) != is_truc for parent in parents):
        return Refusal.TRUC
    if not is_truc:
        return None
    if transaction.weight_wu > (TRUC_CHILD_WU if parents else TRUC_PARENT_WU):
        return Refusal.TRUC
    if len(parents) > 1 or (parents and mempool.parents(parents[0].transaction)):
        return Refusal.TRUC
    for parent in parents:
        for sibling in mempool.children(parent):
            if all(sibling is not entry for entry in direct):
                direct.append(sibling)  # sibling eviction: it is replaced although nothing is spent twice
    return None


def _too_many_relatives(
    mempool: BitcoinMempool, transaction: BitcoinTransaction, ancestors: list[Entry], evicted: dict[int, Entry]
) -> bool:
    _, weight_wu = total(ancestors)
    if len(ancestors) + 1 > MOST_RELATIVES or weight_wu + transaction.weight_wu > MOST_RELATIVES_WU:
        return True
    carve_out = len(ancestors) == 1 and transaction.weight_wu <= CARVE_OUT_WU
    most = MOST_RELATIVES + carve_out
    most_wu = MOST_RELATIVES_WU + carve_out * CARVE_OUT_WU
    for ancestor in ancestors:
        family = [entry for entry in mempool.descendants(ancestor) if entry.arrival not in evicted]
        _, family_wu = total([ancestor, *family])
        if len(family) + 2 > most or family_wu + transaction.weight_wu > most_wu:
            return True
    return False


def _check_replacement(
    transaction: BitcoinTransaction, direct: list[Entry], evicted: list[Entry], incremental_sat_per_kvb: int
) -> Refusal | None:
    """BIP 125: a higher fee rate than each conflict, and all fees that go paid again with relay on top."""
    if len(evicted) > MOST_REPLACED:
        return Refusal.TOO_MANY_REPLACED
    for entry in direct:
        old = entry.transaction
        if transaction.fee_sat * old.weight_wu <= old.fee_sat * transaction.weight_wu:
            return Refusal.REPLACEMENT_TOO_CHEAP
    replaced_sat, _ = total(evicted)
    if transaction.fee_sat < replaced_sat + fee_sat(transaction.weight_wu, incremental_sat_per_kvb):
        return Refusal.REPLACEMENT_TOO_CHEAP
    return None


def replacement_fee_sat(evicted_sat: int, evicted_feerate_sat_per_kvb: int, weight_wu: int, incremental: int) -> int:
    """The least fee of a transaction of that weight that replaces others of that fee and fee rate.

    >>> replacement_fee_sat(300, 2_000, 561, 100)
    315
    """
    dearer = -(-(evicted_feerate_sat_per_kvb + 1) * vbytes(weight_wu) // 1_000)
    return max(evicted_sat + fee_sat(weight_wu, incremental), dearer)
