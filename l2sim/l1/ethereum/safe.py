"""Receipts that no reorganisation can take back: for those who act once and never undo it."""

from l2sim.l1.base import OnReceipt, Receipt, Refusal
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.mempool import EthereumTransaction


class SafeReceipt:
    """Follows one transaction from block to block; `done` gets the receipt that holds, once.

    That is at the time of its block where the chain has no reorganisations, else when so many blocks lie on top of it
    that none can reach it.
    """

    __slots__ = ("_chain", "_done", "receipt")

    def __init__(self, chain: EthereumChain, done: OnReceipt) -> None:
        self._chain = chain
        self._done = done
        self.receipt: Receipt | None = None
        """Of the block that holds it now; None while it waits."""

    def submit(self, transaction: EthereumTransaction) -> Refusal | None:
        """Send the transaction; see `EthereumChain.submit`. To be called again with one that replaces it."""
        return self._chain.submit(transaction, self._included, self._included, self._orphaned)

    def _included(self, receipt: Receipt) -> None:
        self.receipt = receipt
        reach = self._chain.reorg_reach
        if reach:
            self._chain.wait_for_height(receipt.height + reach, lambda _: self._look(receipt))
        else:
            self._done(receipt)

    def _orphaned(self) -> None:
        self.receipt = None

    def _look(self, receipt: Receipt) -> None:
        if self.receipt is receipt:
            self._done(receipt)
