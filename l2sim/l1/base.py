"""What every mock L1 promises to the systems that settle to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
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
    txid: bytes = field(default=b"", compare=False, repr=False)
    """The transaction it is for, where the chain can lose blocks again; else empty."""


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
    """The waiting transactions that it conflicts with would have to be outbid by more."""
    MEMPOOL_FULL = "mempool full"
    """Below the fee rate under which a full mempool evicts."""
    ALREADY_KNOWN = "already known"
    """The very transaction waits or is in a block."""
    ALREADY_SPENT = "already spent"
    """An output it spends was spent by another transaction that is in a block."""
    MISSING_INPUTS = "missing inputs"
    """It spends an output of a transaction that was replaced or evicted."""
    NOT_FINAL = "not final"
    """Its locktime or a relative delay has not passed."""
    CONFLICT = "conflict"
    """It spends an output of a transaction that it would replace."""
    TOO_MANY_REPLACED = "too many replaced"
    """It would evict more transactions than one replacement may."""
    TOO_MANY_RELATIVES = "too many relatives"
    """Too long a chain of unconfirmed ancestors or descendants."""
    TRUC = "not allowed for version 3"
    """A rule for version-3 transactions: one small child, no mixing of versions (BIP 431)."""


class Drop(StrEnum):
    """Why a transaction that waited will not be in a block."""

    REPLACED = "replaced"
    """Another transaction spends one of its inputs, or one of an ancestor's, and pays more."""
    EVICTED = "evicted"
    """The mempool was full and it, with its relatives, paid least."""


OnReceipt = Callable[[Receipt], object]
OnDropped = Callable[[Drop], object]


@dataclass(slots=True)
class Spending:
    """What a system's transactions of one purpose took of an L1."""

    transactions: int = 0
    size_bytes: int = 0
    fee: int = 0


class Chain(ABC):
    """A mock L1: blocks, a mempool, a fee market, background demand, finality.

    A chain lives in one system's world, or in that of several that post together: it carries their transactions one by
    one and everybody else's as background demand, drawn from streams named after the chain, hence the same for every
    system of a run.
    """

    name: str
    asset: Asset

    @property
    @abstractmethod
    def spending(self) -> dict[Purpose, Spending]:
        """What the first system's transactions took, by purpose."""

    @abstractmethod
    def spending_of(self, tenant: int) -> dict[Purpose, Spending]:
        """The same of one of the systems that live on the chain, by its number."""

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
    def sleep_until(self, time_ns: int, tenant: int = 0) -> None:
        """Make no blocks until then: for long waits in which the system has nothing on its way.

        Heights go on as if blocks had been made. The fee level afterwards is the one before, or, where the chain
        runs its fee market through the end of the sleep, one of that later time.
        Raises InvariantError if a transaction of the system is waiting.
        """

    @property
    @abstractmethod
    def pending(self) -> int:
        """Transactions of the system that wait for a block."""
