"""What every mock L1 promises to the systems that settle to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from l2sim.money import Asset


class Purpose(StrEnum):
    """Why a system's transaction is on L1; costs are added up by it."""

    PAYMENT = "payment"
    ONBOARD = "onboard"
    """Opening a user's channel, a user's deposit."""
    EXIT = "exit"
    """Closing a user's channel, a user's withdrawal."""
    OPERATE = "operate"
    """What operators post: batches, state roots, proofs, routers' own channels."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a transaction is in a block; `fee` is all that it paid, in msat or wei."""

    height: int
    time_ns: int
    fee: int
    blob_fee: int = 0
    """The part of `fee` that was paid for blobs."""


class Refusal(StrEnum):
    """Why nodes did not take a transaction into their mempools; a result, not an error."""

    FEE_TOO_LOW = "fee too low"
    """Below the relay minimum, or the tip above the fee cap."""
    TOO_LARGE = "too large"
    """More weight or gas than a transaction or a block may have."""
    BAD_BLOBS = "bad blobs"
    """More blobs than a transaction may carry under the fork in force."""
    NONCE_USED = "nonce used"
    """The sender's transaction of that nonce is in a block already."""
    REPLACEMENT_TOO_CHEAP = "replacement too cheap"
    """The sender's waiting transaction of that nonce would have to be outbid by more."""


OnReceipt = Callable[[Receipt], object]


@dataclass(slots=True)
class Spending:
    """What a system's transactions of one purpose took of an L1."""

    transactions: int = 0
    size_bytes: int = 0
    fee: int = 0


class Chain(ABC):
    """A mock L1: blocks, a mempool, a fee market, background demand, finality.

    A chain lives in one system's world: it carries that system's transactions one by one and everybody else's
    as background demand, drawn from streams named after the chain, hence the same for every system of a run.
    """

    name: str
    asset: Asset
    spending: dict[Purpose, Spending]

    @abstractmethod
    def start(self) -> None:
        """Begin to make blocks; called once, before the first event."""

    @abstractmethod
    def confirm(self, receipt: Receipt, confirmations: int, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` has that many confirmations (1: it is in a block)."""

    @abstractmethod
    def finalize(self, receipt: Receipt, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` is final by the chain's own rule."""

    @abstractmethod
    def sleep_until(self, time_ns: int) -> None:
        """Make no blocks until then: for long waits in which the system has nothing on its way.

        Heights go on as if blocks had been made. The fee level afterwards is the one before, or, where the chain
        runs its fee market through the end of the sleep, one of that later time.
        Raises InvariantError if a transaction of the system is waiting.
        """

    @property
    @abstractmethod
    def pending(self) -> int:
        """Transactions of the system that wait for a block."""
