"""Receipts that no reorganisation can take back: for those who act once and never undo it."""

from l2sim.l1.base import OnReceipt, Receipt, Refusal
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.mempool import EthereumTransaction


class SafeReceipt:
    """Follows one transaction from block to block; `done` gets the receipt that holds, once.

    That is at the time of its block where the chain has no reorganisations, else when so many blocks lie on top of it
    that none can reach it, or it is final, whichever comes first.
    """

    __slots__ = ("_chain", "_done", "_followed", "_told", "receipt")

    def __init__(self, chain: EthereumChain, done: OnReceipt) -> None:
        self._chain = chain
        self._done = done
        self._followed = False
        """Whether its finality is waited for."""
        self._told = False
        self.receipt: Receipt | None = None
        """Of the block that holds it now; None while it waits."""

    def submit(self, transaction: EthereumTransaction) -> Refusal | None:
        """Send the transaction; see `EthereumChain.submit`. To be called again with one that replaces it."""
        return self._chain.submit(transaction, self._included, self._included, self._orphaned)

    def _included(self, receipt: Receipt) -> None:
        self.receipt = receipt
        reach = self._chain.reorg_reach
        if not reach:
            self._done(receipt)
            return
        self._chain.wait_for_height(receipt.height + reach, lambda _: self._look(receipt))
        if not self._followed:
            self._followed = True
            self._chain.finalize(receipt, self._tell)  # where slots are missed, this can come first

    def _orphaned(self) -> None:
        self.receipt = None

    def _look(self, receipt: Receipt) -> None:
        if self.receipt is receipt:
            self._tell(receipt)

    def _tell(self, receipt: Receipt) -> None:
        if not self._told:
            self._told = True
            self._done(receipt)
