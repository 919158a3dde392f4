"""What both mock L1s share: heights, receipts, confirmations, spending by purpose, long sleeps."""

from collections.abc import Callable, Iterable, Sequence

from l2sim.engine import Environment
from l2sim.errors import InvariantError
from l2sim.l1.base import Chain, OnReceipt, Purpose, Receipt, Spending
from l2sim.money import Asset
from l2sim.results.recorder import Recorder


class Ledger(Chain):
    """A chain's bookkeeping; what a block holds and costs is the business of its two kinds."""

    def __init__(self, name: str, asset: Asset, environment: Environment, recorder: Recorder) -> None:
        self.name = name
        self.asset = asset
        self._spendings: dict[int, dict[Purpose, Spending]] = {}
        self._height = -1
        self._environment = environment
        self._recorder = recorder
        self._confirmed_at: dict[int, list[tuple[Receipt, OnReceipt]]] = {}
        self._at_height: dict[int, list[Callable[[int], object]]] = {}
        self._moved: dict[bytes, Receipt | None] = {}
        """Valid receipts of transactions whose first block was thrown out; None while they wait again."""
        self._adrift: dict[bytes, list[tuple[int, OnReceipt]]] = {}
        """Who waits for confirmations of those that wait again, and for how many."""
        self.tenants = 1
        """Systems that live on the chain, numbered from 0."""
        self._wishes_ns: dict[int, int] = {}
        """Until when each of them has nothing on its way."""
        self._asleep_until_ns = 0

    def spending_of(self, tenant: int) -> dict[Purpose, Spending]:
        """What the transactions of one of the chain's systems took, by purpose."""
        return self._spendings.setdefault(tenant, {purpose: Spending() for purpose in Purpose})

    @property
    def spending(self) -> dict[Purpose, Spending]:
        """That of the first system: the only one, unless several share the chain."""
        return self.spending_of(0)

    def pass_on(
        self, payer: int, tenants: Sequence[int], purpose: Purpose, fees: Sequence[int], size_bytes: int
    ) -> None:
        """Book what one of the systems sent for others as theirs: a fee each, everything else of it the first's."""
        sent = self.spending_of(payer)[purpose]
        sent.transactions -= 1
        sent.size_bytes -= size_bytes
        sent.fee -= sum(fees)
        for tenant, fee in zip(tenants, fees, strict=True):
            self.spending_of(tenant)[purpose].fee += fee
        first = self.spending_of(tenants[0])[purpose]
        first.transactions += 1
        first.size_bytes += size_bytes

    @property
    def height(self) -> int:
        """Height of the last block, -1 before the first."""
        return self._height

    def confirm(self, receipt: Receipt, confirmations: int, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` has that many confirmations (1: it is in a block).

        If it has them already, `done` is called in an event of its own at this instant. Where a reorganisation
        throws the block out, the count starts again with the block that holds the transaction next, and `done`
        gets the receipt of that one.
        Raises ValueError if `confirmations` is below 1.
        """
        if confirmations < 1:
            raise ValueError(f"confirmations must be at least 1 (got {confirmations})")
        if receipt.txid in self._moved:
            moved = self._moved[receipt.txid]
            if moved is None:
                self._adrift.setdefault(receipt.txid, []).append((confirmations, done))
                return
            receipt = moved
        height = receipt.height + confirmations - 1
        if height <= self.height:
            self._environment.call_in(0, done, receipt)
        else:
            self._confirmed_at.setdefault(height, []).append((receipt, done))

    def wait_for_height(self, height: int, done: Callable[[int], object]) -> None:
        """Call `done(height)` once the chain is that high: now, in an event of its own, if it is already.

        Calls come after the receipts of the block and its confirmations.
        """
        if height <= self.height:
            self._environment.call_in(0, done, self.height)
        else:
            self._at_height.setdefault(height, []).append(done)

    def sleep_until(self, time_ns: int, tenant: int = 0) -> None:
        """Make no blocks until then: for long waits in which the system has nothing on its way.

        Heights go on and confirmations come as if blocks had been made, but nothing is packed, drawn or
        recorded. A transaction submitted meanwhile ends the sleep. Where several systems live on the chain it sleeps
        until the first of them has something to do.
        Raises InvariantError if a transaction of the system is waiting.
        """
        if self.pending:
            raise InvariantError(
                f"chain {self.name} must not sleep while transactions wait for a block (got {self.pending} waiting)"
            )
        self._wishes_ns[tenant] = time_ns
        self._asleep_until_ns = min(self._wishes_ns.get(number, 0) for number in range(self.tenants))

    @property
    def _asleep(self) -> bool:
        return self._environment.now < self._asleep_until_ns and not self.pending

    def _grow(self, receipts: Iterable[tuple[Receipt, OnReceipt | None]] = ()) -> None:
        """Go one height up, hand out the block's receipts in its order, then tell who waited for this height."""
        self._height += 1
        for receipt, on_included in receipts:
            if on_included is not None:
                on_included(receipt)
        for receipt, done in self._confirmed_at.pop(self.height, ()):
            done(receipt)
        for reached in self._at_height.pop(self.height, ()):
            reached(self.height)

    def _shrink(self, height: int, txids: Iterable[bytes]) -> None:
        """Go back to `height`: the blocks above it are thrown out, `txids` are the transactions in them.

        Who waits for confirmations of one of those goes on waiting for the next block that holds it. Those who
        were told already were told the truth of their time.
        """
        for txid in txids:
            self._moved[txid] = None
        for due_height, waiting in self._confirmed_at.items():
            for receipt, done in waiting:
                if receipt.height > height:
                    confirmations = due_height - receipt.height + 1
                    self._adrift.setdefault(receipt.txid, []).append((confirmations, done))
            waiting[:] = [pair for pair in waiting if pair[0].height <= height]
        self._height = height

    def _reissue(self, receipt: Receipt) -> None:
        """A transaction whose block was thrown out is in a block again."""
        self._moved[receipt.txid] = receipt
        for confirmations, done in self._adrift.pop(receipt.txid, ()):
            self.confirm(receipt, confirmations, done)

    def _spend(self, purpose: Purpose, size_bytes: int, fee: int, tenant: int = 0) -> None:
        """Count a transaction in a block."""
        spending = self.spending_of(tenant)[purpose]
        spending.transactions += 1
        spending.size_bytes += size_bytes
        spending.fee += fee

    def _unspend(self, purpose: Purpose, size_bytes: int, fee: int, tenant: int = 0) -> None:
        """Count a transaction no more: its block was thrown out."""
        spending = self.spending_of(tenant)[purpose]
        spending.transactions -= 1
        spending.size_bytes -= size_bytes
        spending.fee -= fee
