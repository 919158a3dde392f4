"""Transactions that must get in by some height: their fees rise with the market and with the time that is gone.

The rule is LND's (sweep/fee_function.go): begin with the wallet's estimate for the blocks that are left, rise in a
straight line to the whole budget for the last block that is in time, never bid beyond it. Each block the bid is
looked at again and, where it rose enough, the transaction is replaced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from l2sim.l1.base import Purpose, Receipt, Refusal
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat, vbytes
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.systems.lightning.onchain.transactions import Spending

NO_HURRY_BLOCKS: Final = 1_008
"""The farthest that fee estimates look ahead."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A transaction that someone wants in a block, and what it may cost at most.

    `parent_wu` and `parent_fee_sat` are of an unconfirmed parent that it pays for too. `deadline_height` is the last
    block that is in time; without one the bid is the estimate for `target_blocks`.
    """

    spending: Spending
    budget_sat: int
    purpose: Purpose
    target_blocks: int
    deadline_height: int | None = None
    valid_from_height: int = 0
    parent_wu: int = 0
    parent_fee_sat: int = 0


def costs_too_much(chain: BitcoinChain, spending: Spending, budget_sat: int) -> bool:
    """Whether a transaction would cost more than that in any of the blocks that wallets look ahead."""
    return fee_sat(spending.weight_wu, chain.feerate_sat_per_kvb(NO_HURRY_BLOCKS)) > budget_sat


class Bumper:
    """Sends one wished transaction and raises its fee until it, or what beats it, is in a block.

    `make(spending, fee_sat)` makes and signs each version and returns its id. `on_included(receipt, txid, fee_sat)`
    is called when one is in. What the budget does not pay for waits for the market to fall. `sent` is the id and the
    fee of a version that is in the mempool already.
    """

    def __init__(
        self,
        chain: BitcoinChain,
        wish: Wish,
        most_sat_per_kvb: int,
        make: Callable[[Spending, int], bytes],
        on_included: Callable[[Receipt, bytes, int], object],
        sent: tuple[bytes, int] | None = None,
    ) -> None:
        self._chain = chain
        self._wish = wish
        self._most = most_sat_per_kvb
        self._make = make
        self._on_included = on_included
        self._start_height = chain.height
        self._start_rate: int | None = None
        self._txid: bytes | None = None
        self._fee_sat = 0
        if sent is not None:
            self._txid, self._fee_sat = sent
        self._over = False
        self.bids = 0
        """Versions sent so far."""
        if wish.valid_from_height > chain.height + 1:
            chain.wait_for_height(wish.valid_from_height - 1, lambda _: self._look())
        else:
            self._look()

    def stop(self) -> None:
        """It is not needed any more; what is in the mempool stays there."""
        self._over = True

    @property
    def waits(self) -> bool:
        """Whether a version of it is in the mempool."""
        return self._txid is not None and self._chain.waits(self._txid)

    @property
    def hopeless(self) -> bool:
        """Whether even a bid without hurry would cost more than the budget, or than it takes to replace a rival's."""
        chain, spending, budget_sat = self._chain, self._wish.spending, self._wish.budget_sat
        if costs_too_much(chain, spending, budget_sat):
            return True
        rival = None if self.waits else chain.waiting_spender(spending.spends[0])
        return rival is not None and chain.least_replacement_fee_sat(rival, spending.weight_wu) > budget_sat

    def _rate(self) -> int:
        """The fee rate to bid now, sat/kvB."""
        wish, height = self._wish, self._chain.height
        if wish.deadline_height is None:
            return min(self._most, self._chain.feerate_sat_per_kvb(wish.target_blocks))
        left = max(1, wish.deadline_height - height)
        estimate = self._chain.feerate_sat_per_kvb(min(left, NO_HURRY_BLOCKS))
        if self._start_rate is None:
            self._start_rate = estimate
            self._start_height = height
        paid_sat = wish.budget_sat + wish.parent_fee_sat
        # Fees go by whole virtual bytes.
        highest = min(self._most, paid_sat * 1_000 // vbytes(wish.spending.weight_wu + wish.parent_wu))
        span = wish.deadline_height - 1 - self._start_height
        gone = height - self._start_height
        if gone >= span:
            return highest
        line = self._start_rate + max(0, highest - self._start_rate) * gone // span
        return min(highest, max(estimate, line))

    def _look(self) -> None:
        """Bid for the first time, or again where the bid has risen."""
        if self._over:
            return
        self._chain.wait_for_height(self._chain.height + 1, lambda _: self._look())
        wish = self._wish
        rate = self._rate()
        fee = max(
            fee_sat(wish.spending.weight_wu + wish.parent_wu, rate) - wish.parent_fee_sat,
            fee_sat(wish.spending.weight_wu, self._chain.relay_floor_sat_per_kvb),
        )
        if self._txid is not None and self.waits:
            if fee <= self._fee_sat:
                return
            fee = max(fee, self._chain.least_replacement_fee_sat(self._txid, wish.spending.weight_wu))
        if fee > wish.budget_sat:
            return
        self._send(fee)

    def _send(self, fee: int) -> None:
        wish = self._wish
        txid, spending = self._make(wish.spending, fee), wish.spending
        transaction = BitcoinTransaction(
            txid, spending.weight_wu, fee, wish.purpose, spending.spends, spending.version, wish.valid_from_height
        )
        refusal = self._chain.submit(transaction, lambda receipt: self._included(receipt, txid, fee))
        if refusal is None:  # if it is replaced or evicted, the next look bids again
            self._txid, self._fee_sat = txid, fee
            self.bids += 1
        elif refusal is Refusal.ALREADY_SPENT:
            self._over = True

    def _included(self, receipt: Receipt, txid: bytes, fee: int) -> None:
        self._over = True
        self._on_included(receipt, txid, fee)
