"""The system's transactions that wait for an Ethereum block, by effective tip and in order of nonce."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from l2sim.l1.base import OnReceipt, Purpose, Refusal
from l2sim.l1.ethereum.forks import GAS_PER_BLOB

PRICE_BUMP_PERCENT = 10  # go-ethereum core/txpool/legacypool: a replacement pays so much more in both fees
BLOB_PRICE_BUMP_PERCENT = 100  # go-ethereum core/txpool/blobpool


@dataclass(frozen=True, slots=True)
class EthereumTransaction:
    """A system's transaction; `gas` is what it uses, with intrinsic gas and calldata floor; fees are per gas."""

    hash: bytes
    gas: int
    size_bytes: int
    max_fee_wei: int
    tip_wei: int
    purpose: Purpose
    sender: int
    nonce: int
    blobs: int = 0
    max_blob_fee_wei: int = 0
    tenant: int = 0
    """Which of the systems on the chain it belongs to."""

    @property
    def block_bytes(self) -> int:
        """Bytes that it takes of a block: all but its blobs, which travel beside it."""
        return self.size_bytes - GAS_PER_BLOB * self.blobs

    def effective_tip(self, base_fee_wei: int) -> int:
        """What the proposer gets per gas at that base fee (EIP-1559); negative if the fee cap is below it."""
        return min(self.tip_wei, self.max_fee_wei - base_fee_wei)


class Waiting:
    """A transaction in the mempool; `live` is False once it is in a block or replaced."""

    __slots__ = ("arrival", "live", "on_included", "on_moved", "on_orphaned", "transaction")

    def __init__(
        self,
        transaction: EthereumTransaction,
        on_included: OnReceipt | None,
        arrival: int,
        on_moved: OnReceipt | None = None,
        on_orphaned: Callable[[], object] | None = None,
    ) -> None:
        self.transaction = transaction
        self.on_included = on_included
        self.on_moved = on_moved
        self.on_orphaned = on_orphaned
        self.arrival = arrival
        self.live = True


Heap = list[tuple[int, int, Waiting]]


class EthereumMempool:
    """Transactions of the system; only each sender's next nonce can go into a block.

    What a transaction tips depends on the base fee, and nothing is sorted again when that moves: the ready
    ones lie in two heaps, by tip and by fee cap. Either key bounds the effective tip from above, so the best
    of the two tops is the best of all as soon as its bound is tight; one whose bound is not moves over.
    """

    def __init__(self) -> None:
        self._by_tip: Heap = []
        self._by_cap: Heap = []
        self._queues: dict[int, dict[int, Waiting]] = {}
        self._next_nonce: dict[int, int] = {}
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(
        self,
        transaction: EthereumTransaction,
        on_included: OnReceipt | None,
        on_moved: OnReceipt | None = None,
        on_orphaned: Callable[[], object] | None = None,
    ) -> Refusal | None:
        """Let a transaction wait, in the place of the waiting one of the same sender and nonce if it outbids it."""
        sender, nonce = transaction.sender, transaction.nonce
        expected = self._next_nonce.setdefault(sender, 0)
        if nonce < expected:
            return Refusal.NONCE_USED
        queue = self._queues.setdefault(sender, {})
        old = queue.get(nonce)
        if old is not None:
            if not outbids(transaction, old.transaction):
                return Refusal.REPLACEMENT_TOO_CHEAP
            old.live = False
            self._size -= 1
        entry = queue[nonce] = Waiting(transaction, on_included, self._arrivals, on_moved, on_orphaned)
        self._arrivals += 1
        self._size += 1
        if nonce == expected:
            heappush(self._by_tip, (-transaction.tip_wei, entry.arrival, entry))
        return None

    def has_as_large(self, transaction: EthereumTransaction) -> bool:
        """Whether one of its sender and nonce waits that takes as much gas and as many blobs."""
        old = self._queues.get(transaction.sender, {}).get(transaction.nonce)
        return old is not None and old.transaction.gas >= transaction.gas and old.transaction.blobs >= transaction.blobs

    def pop(self, base_fee_wei: int) -> Waiting | None:
        """Take out the ready transaction with the highest effective tip that can pay the base fee; first come first.

        It must be given back by `included` or `put_back`.
        """
        while True:
            _drop_dead(self._by_tip)
            _drop_dead(self._by_cap)
            tip_bound = -self._by_tip[0][0] if self._by_tip else -1
            cap_bound = -self._by_cap[0][0] - base_fee_wei if self._by_cap else -1
            if tip_bound < 0 and cap_bound < 0:
                return None
            by_tip = tip_bound > cap_bound or (tip_bound == cap_bound and self._by_tip[0][1] < self._by_cap[0][1])
            entry = heappop(self._by_tip if by_tip else self._by_cap)[2]
            transaction = entry.transaction
            effective = transaction.effective_tip(base_fee_wei)
            if effective == (tip_bound if by_tip else cap_bound):
                return entry
            if by_tip:
                heappush(self._by_cap, (-transaction.max_fee_wei, entry.arrival, entry))
            else:
                heappush(self._by_tip, (-transaction.tip_wei, entry.arrival, entry))

    def included(self, entry: Waiting) -> None:
        """`entry` is in a block: its sender's next nonce is ready."""
        transaction = entry.transaction
        entry.live = False
        self._size -= 1
        queue = self._queues[transaction.sender]
        del queue[transaction.nonce]
        following = self._next_nonce[transaction.sender] = transaction.nonce + 1
        successor = queue.get(following)
        if successor is not None:
            heappush(self._by_tip, (-successor.transaction.tip_wei, successor.arrival, successor))

    def restore(self, entries: Iterable[Waiting]) -> None:
        """Let transactions wait again whose blocks were thrown out: each sender's nonces go back with them."""
        for entry in entries:
            transaction = entry.transaction
            entry.live = True
            self._queues[transaction.sender][transaction.nonce] = entry
            self._next_nonce[transaction.sender] = min(self._next_nonce[transaction.sender], transaction.nonce)
            self._size += 1
        ready = [self._queues[sender].get(nonce) for sender, nonce in self._next_nonce.items()]
        self._by_tip = [(-entry.transaction.tip_wei, entry.arrival, entry) for entry in ready if entry is not None]
        self._by_cap = []
        heapify(self._by_tip)

    def put_back(self, entry: Waiting) -> None:
        """`entry` did not fit into the block and waits on."""
        heappush(self._by_tip, (-entry.transaction.tip_wei, entry.arrival, entry))


def outbids(new: EthereumTransaction, old: EthereumTransaction) -> bool:
    """Whether nodes let `new` replace `old`: every fee higher by the bump."""
    bump = 100 + (BLOB_PRICE_BUMP_PERCENT if old.blobs or new.blobs else PRICE_BUMP_PERCENT)
    pairs = (
        (new.max_fee_wei, old.max_fee_wei),
        (new.tip_wei, old.tip_wei),
        (new.max_blob_fee_wei, old.max_blob_fee_wei),
    )
    return all(100 * after >= bump * before for after, before in pairs)


def _drop_dead(heap: Heap) -> None:
    while heap and not heap[0][2].live:
        heappop(heap)
