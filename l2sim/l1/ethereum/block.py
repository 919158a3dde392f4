"""How an Ethereum block is filled: by effective tip, within its gas and its blobs; and what it commits to."""

from dataclasses import dataclass, field

from l2sim.crypto.hashing.reference import keccak256
from l2sim.l1.ethereum.background import EthereumBackground
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.l1.ethereum.mempool import EthereumMempool, EthereumTransaction, Waiting
from l2sim.l1.ethereum.terms import Header
from l2sim.l1.roots import record

MOST_MISFITS = 100
"""So many transactions of the system in a row that do not fit end the search for one that does."""


@dataclass(slots=True)
class Filling:
    """What goes into one block: the system's transactions in order, background gas by class, blobs."""

    included: list[tuple[Waiting, int]] = field(default_factory=list)
    """Transactions with their effective tips."""
    background_gas: list[int] = field(default_factory=list)
    """Gas of each class, the highest tips first; classes that came to no turn are left out."""
    background_blobs: list[int] = field(default_factory=list)
    """The same of blobs."""
    gas_used: int = 0
    blobs: int = 0
    lowest_tip_wei: int = 0
    """Lowest effective tip that got in if the block is full, else 0."""
    lowest_blob_tip_wei: int = 0
    """Lowest effective tip that a blob got in with if the block is full of blobs, else 0."""


@dataclass(frozen=True, slots=True)
class MadeBlock:
    """A block that a reorganisation may still throw out: the header it builds on, and what is in it."""

    time_ns: int
    parent: Header | None
    filling: Filling
    fees: tuple[tuple[int, int], ...]
    """Of each transaction, what it burnt and what it tipped."""


def leaves_of(filling: Filling, chain: str, height: int) -> list[bytes]:
    """What a block commits to: the system's transactions, and two records of everybody else's gas and blobs."""
    leaves = [entry.transaction.hash for entry, _ in filling.included]
    for kind, amounts in (("gas", filling.background_gas), ("blobs", filling.background_blobs)):
        if any(amounts):
            by_class = ",".join(map(str, amounts))  # the highest tips first
            leaves.append(keccak256(record(kind, chain, height) + f" {by_class}".encode()))
    return leaves


def fill_block(
    mempool: EthereumMempool,
    background: EthereumBackground | None,
    gas_limit: int,
    max_blobs: int,
    base_fee_wei: int,
    blob_base_fee_wei: int,
    *,
    max_bytes: int | None = None,
    bytes_per_gas: float = 0.0,
) -> Filling:
    """Take the best tipping transactions, the system's and everybody else's, for a block at these base fees.

    Strictly by effective tip; at an equal one the system's go first, among themselves in order of arrival.
    A sender's next nonce can follow in the same block. What does not fit, and blobs whose fee cap is below
    the blob base fee, stay. With `max_bytes` a block holds no more than that without its blobs; background gas
    takes `bytes_per_gas` of it.
    """
    filling = Filling()
    if max_bytes is not None and not mempool and gas_limit * bytes_per_gas <= max_bytes:
        max_bytes = None  # background alone does not come near it
    packer = _Packer(filling, background, gas_limit, max_blobs, max_bytes, bytes_per_gas)
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
            elif packer.take(transaction):
                filling.included.append((entry, tip_wei))
                filling.lowest_tip_wei = tip_wei
                if transaction.blobs:
                    filling.lowest_blob_tip_wei = tip_wei
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

    __slots__ = ("_background", "_bytes_per_gas", "_filling", "free_blobs", "free_bytes", "free_gas")

    def __init__(
        self,
        filling: Filling,
        background: EthereumBackground | None,
        gas_limit: int,
        max_blobs: int,
        max_bytes: int | None,
        bytes_per_gas: float,
    ) -> None:
        self._filling = filling
        self._background = background
        self._bytes_per_gas = bytes_per_gas
        self.free_gas = gas_limit
        self.free_blobs = max_blobs
        self.free_bytes = max_bytes

    def take(self, transaction: EthereumTransaction) -> bool:
        """Give a transaction its room, if there is enough of every kind."""
        if transaction.gas > self.free_gas or transaction.blobs > self.free_blobs:
            return False
        if self.free_bytes is not None:
            if transaction.block_bytes > self.free_bytes:
                return False
            self.free_bytes -= transaction.block_bytes
        self.free_gas -= transaction.gas
        self.free_blobs -= transaction.blobs
        return True

    def background_down_to(self, tip_wei: int) -> None:
        """Let in the background that tips more than `tip_wei`."""
        background = self._background
        if background is None:
            return
        tips = background.tips_wei
        done = len(self._filling.background_gas)
        while done < len(tips) and tips[done] > tip_wei and (self.free_gas or self.free_blobs):
            self._take_class(background, done)
            done += 1

    def finish(self, gas_limit: int, max_blobs: int) -> None:
        """Let in whatever background still fits and sum up."""
        self.background_down_to(-1)
        filling = self._filling
        filling.gas_used = gas_limit - self.free_gas
        filling.blobs = max_blobs - self.free_blobs
        if self.free_gas >= TRANSACTION_GAS:
            filling.lowest_tip_wei = 0
        if self.free_blobs:
            filling.lowest_blob_tip_wei = 0

    def _take_class(self, background: EthereumBackground, number: int) -> None:
        filling = self._filling
        gas = background.gas[number]
        if gas:
            gas = min(gas, self.free_gas)
            if self.free_bytes is not None and self._bytes_per_gas:
                gas = min(gas, int(self.free_bytes / self._bytes_per_gas))
                self.free_bytes -= int(gas * self._bytes_per_gas)
            if gas:
                background.gas[number] -= gas
                self.free_gas -= gas
                filling.lowest_tip_wei = background.tips_wei[number]
        blobs = background.blobs[number]
        if blobs:
            blobs = min(blobs, self.free_blobs)
            if blobs:
                background.blobs[number] -= blobs
                self.free_blobs -= blobs
                filling.lowest_blob_tip_wei = background.tips_wei[number]
        filling.background_gas.append(gas)
        filling.background_blobs.append(blobs)
