"""How an Ethereum block is filled: by effective tip, within its gas and its blobs."""

from dataclasses import dataclass, field

from l2sim.l1.ethereum.background import EthereumBackground
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.l1.ethereum.mempool import EthereumMempool, Waiting

MOST_MISFITS = 100
"""So many transactions of the system in a row that do not fit end the search for one that does."""


@dataclass(slots=True)
class Filling:
    """What goes into one block: the system's transactions in order, background gas by class, blobs."""

    included: list[tuple[Waiting, int]] = field(default_factory=list)
    """Transactions with their effective tips."""
    background_gas: list[int] = field(default_factory=list)
    background_blobs: int = 0
    gas_used: int = 0
    blobs: int = 0
    lowest_tip_wei: int = 0
    """Lowest effective tip that got in if the block is full, else 0."""


def fill_block(
    mempool: EthereumMempool,
    background: EthereumBackground | None,
    gas_limit: int,
    max_blobs: int,
    base_fee_wei: int,
    blob_base_fee_wei: int,
) -> Filling:
    """Take the best tipping transactions, the system's and everybody else's, for a block at these base fees.

    Strictly by effective tip; at an equal one the system's go first, among themselves in order of arrival.
    A sender's next nonce can follow in the same block. What does not fit, and blobs whose fee cap is below
    the blob base fee, stay.
    """
    filling = Filling()
    packer = _Packer(filling, background, gas_limit, max_blobs)
    if mempool:
        left: list[Waiting] = []
        misfits = 0
        while misfits < MOST_MISFITS and packer.free_gas >= TRANSACTION_GAS:
            entry = mempool.pop(base_fee_wei)
            if entry is None:
                break
            transaction = entry.transaction
            tip_wei = transaction.effective_tip(base_fee_wei)
            packer.background_down_to(tip_wei)
            if transaction.blobs and transaction.max_blob_fee_wei < blob_base_fee_wei:
                left.append(entry)
            elif transaction.gas <= packer.free_gas and transaction.blobs <= packer.free_blobs:
                packer.free_gas -= transaction.gas
                packer.free_blobs -= transaction.blobs
                filling.included.append((entry, tip_wei))
                filling.lowest_tip_wei = tip_wei
                mempool.included(entry)
                misfits = 0
            else:
                left.append(entry)
                misfits += 1
        for entry in left:
            mempool.put_back(entry)
    packer.finish(gas_limit, max_blobs)
    return filling


class _Packer:
    """The room left in a block, and background demand that takes it in its turn."""

    __slots__ = ("_background", "_class", "_filling", "free_blobs", "free_gas")

    def __init__(self, filling: Filling, background: EthereumBackground | None, gas_limit: int, max_blobs: int) -> None:
        self._filling = filling
        self._background = background
        self._class = 0
        self.free_gas = gas_limit
        self.free_blobs = max_blobs

    def background_down_to(self, tip_wei: int) -> None:
        """Let in the background that tips more than `tip_wei`."""
        background = self._background
        if background is None:
            return
        tips = background.tips_wei
        while self._class < len(tips) and tips[self._class] > tip_wei and self.free_gas:
            self._take_class(background)
        if background.blob_tip_wei > tip_wei:
            self._take_blobs(background)

    def finish(self, gas_limit: int, max_blobs: int) -> None:
        """Let in whatever background still fits and sum up."""
        background = self._background
        filling = self._filling
        if background is not None:
            while self._class < len(background.tips_wei) and self.free_gas:
                self._take_class(background)
            self._take_blobs(background)
        filling.gas_used = gas_limit - self.free_gas
        filling.blobs = max_blobs - self.free_blobs
        if self.free_gas >= TRANSACTION_GAS:
            filling.lowest_tip_wei = 0

    def _take_class(self, background: EthereumBackground) -> None:
        gas = min(background.gas[self._class], self.free_gas)
        if gas:
            background.gas[self._class] -= gas
            self.free_gas -= gas
            self._filling.lowest_tip_wei = background.tips_wei[self._class]
        self._filling.background_gas.append(gas)
        self._class += 1

    def _take_blobs(self, background: EthereumBackground) -> None:
        blobs = min(background.blobs, self.free_blobs)
        background.blobs -= blobs
        self.free_blobs -= blobs
        self._filling.background_blobs += blobs
