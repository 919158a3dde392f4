"""Batches of several rollups in the same blobs: one poster for all, and who pays what.

    stream = (member[1] || length[4] || payload) ...        cut into blobs where each is full

`member` is the rollup's number. A blob is paid for whole, so that rollups which fill little of one each save by this
(`sharing.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, pairwise

from l2sim.engine import Call, ns
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.systems.base import World
from l2sim.systems.rollup.l1_account import L1Account, Operator
from l2sim.systems.rollup.poster import Carrier
from l2sim.systems.rollup.posting import BLOB_BYTES
from l2sim.systems.rollup.sharing_config import BlobSharingConfig

HEAD_BYTES = 5


def pack(payloads: Sequence[tuple[int, bytes]]) -> bytes:
    """Payloads with their members' numbers, end to end."""
    return b"".join(bytes([member]) + len(payload).to_bytes(4, "big") + payload for member, payload in payloads)


def unpack(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The payloads of a stream with their members; raises ValueError where it is cut.

    >>> list(unpack(pack([(0, b"one"), (1, b""), (0, b"two")])))
    [(0, b'one'), (1, b''), (0, b'two')]
    """
    place = 0
    while place < len(stream):
        end = place + HEAD_BYTES + int.from_bytes(stream[place + 1 : place + HEAD_BYTES], "big")
        if len(stream) < max(end, place + HEAD_BYTES):
            raise ValueError(f"the payload at byte {place} must end by byte {len(stream)} (got {end})")
        yield stream[place], stream[place + HEAD_BYTES : end]
        place = end


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount in whole parts in proportion to the weights, not one unit more or less.

    >>> split(100, [1, 1, 1])
    [33, 33, 34]
    """
    total = sum(weights)
    bounds = [amount * weight // total for weight in accumulate(weights, initial=0)]
    return [after - before for before, after in pairwise(bounds)]


def blob_weights(sizes: Sequence[int], rule: str) -> list[int]:
    """In what proportion those with that many bytes in a transaction pay for its blobs.

    >>> blob_weights([130_045, 10], "nash"), blob_weights([30, 10], "bytes")
    ([3, 1], [30, 10])
    """
    if rule == "bytes":
        return list(sizes)
    alone = [-(-size // BLOB_BYTES) for size in sizes]
    saved = sum(alone) - -(-sum(sizes) // BLOB_BYTES)
    return [len(sizes) * blobs - saved for blobs in alone]


@dataclass(slots=True, eq=False)
class _Load:
    """A batch's payloads that wait for a post."""

    member: int
    stream: bytes
    execution_gas: int
    posted: Callable[[int, int, int], object]
    included: Callable[[Receipt], object]


@dataclass(slots=True)
class _Part:
    """What a transaction carries: of whom how many bytes, and the gas that each one's contract executes."""

    loads: list[_Load] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    executed: list[int] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)

    @property
    def gas(self) -> int:
        """Gas of the whole transaction."""
        return TRANSACTION_GAS + sum(self.executed)


class SharedBlobs:
    """Posts what members bring, when each has brought something, a transaction is full, or the first has waited long.

    The poster is a sender of its own. What a transaction costs is booked as its members' own spending, wei by wei.
    """

    def __init__(
        self, config: BlobSharingConfig, world: World, chain: EthereumChain, account: L1Account, resubmit_s: float
    ) -> None:
        """`world` is the poster's: its tenant's number is the one after its members'."""
        self._config = config
        self._world = world
        self._chain = chain
        self._operator = Operator(account, world.workload.users, ns(resubmit_s))
        self._members = len(config.systems)
        self._waiting: list[_Load] = []
        self._timer: Call | None = None
        self.posts = 0
        """Transactions sent so far."""
        self.archive: list[list[bytes]] | None = None
        """Set to a list to keep the streams of every post, cut into blobs."""

    def carrier(self, member: int) -> Carrier:
        """What a member's poster gives its payloads to."""
        return _Member(self, member)

    def add(self, load: _Load) -> None:
        """Take in a batch's payloads."""
        executed = load.execution_gas + sum(waiting.execution_gas for waiting in self._waiting)
        if self._waiting and TRANSACTION_GAS + executed > self._chain.most_transaction_gas:
            self._post()
        self._waiting.append(load)
        size = sum(len(waiting.stream) for waiting in self._waiting)
        everybody = len({waiting.member for waiting in self._waiting}) == self._members
        if everybody or size >= self._chain.fork.max_transaction_blobs * BLOB_BYTES:
            self._post()
        elif self._timer is None:
            self._timer = self._world.environment.call_in(ns(self._config.wait_s), self._post)

    def _post(self) -> None:
        """Send all that waits, in as few blobs as it needs."""
        loads, self._waiting = self._waiting, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        parts = list(self._parts(loads))
        if self.archive is not None:
            self.archive.append([blob for part in parts for blob in part.blobs])
        # A load is told of its transactions before the first of them can be in a block.
        self._world.environment.call_in(0, self._tell, loads, parts)
        for part in parts:
            self.posts += 1
            self._operator.send(part.gas, partial(self._included, part), blobs=part.blobs)

    def _parts(self, loads: Sequence[_Load]) -> Iterator[_Part]:
        stream = b"".join(load.stream for load in loads)
        ends = list(accumulate(len(load.stream) for load in loads))
        room = self._chain.fork.max_transaction_blobs * BLOB_BYTES
        for start in range(0, len(stream), room):
            end = min(start + room, len(stream))
            part = _Part(blobs=[stream[at : min(at + BLOB_BYTES, end)] for at in range(start, end, BLOB_BYTES)])
            for load, load_end in zip(loads, ends, strict=True):
                load_start = load_end - len(load.stream)
                size = min(end, load_end) - max(start, load_start)
                if size > 0:
                    part.loads.append(load)
                    part.sizes.append(size)
                    part.executed.append(load.execution_gas if load_start >= start else 0)
            yield part

    def _tell(self, loads: Sequence[_Load], parts: Sequence[_Part]) -> None:
        for load in loads:
            mine = [(part, part.loads.index(load)) for part in parts if load in part.loads]
            gas = sum(self._gas_of(part)[place] for part, place in mine)
            blobs = sum(-(-part.sizes[place] // BLOB_BYTES) for part, place in mine)
            load.posted(len(mine), blobs, gas)

    def _gas_of(self, part: _Part) -> list[int]:
        """Whose a transaction's gas is: each one's own execution, and its part of what any transaction takes."""
        weights = part.sizes if self._config.split == "bytes" else [1] * len(part.loads)
        common = split(TRANSACTION_GAS, weights)
        return [executed + share for executed, share in zip(part.executed, common, strict=True)]

    def _included(self, part: _Part, receipt: Receipt) -> None:
        gas_fees = split(receipt.fee - receipt.blob_fee, self._gas_of(part))
        blob_fees = split(receipt.blob_fee, blob_weights(part.sizes, self._config.split))
        fees = [gas + blob for gas, blob in zip(gas_fees, blob_fees, strict=True)]
        own = self._chain.spending_of(self._world.tenant)[Purpose.OPERATE]
        members = [load.member for load in part.loads]
        self._chain.pass_on(self._world.tenant, members, Purpose.OPERATE, fees, own.size_bytes // own.transactions)
        for load, fee, blob_fee in zip(part.loads, fees, blob_fees, strict=True):
            load.included(replace(receipt, fee=fee, blob_fee=blob_fee))


class _Member:
    """The way of one rollup into shared blobs."""

    def __init__(self, shared: SharedBlobs, member: int) -> None:
        self._shared = shared
        self._member = member

    def take(
        self,
        parts: Sequence[bytes],
        execution_gas: int,
        posted: Callable[[int, int, int], object],
        included: Callable[[Receipt], object],
    ) -> None:
        """See `Carrier`."""
        stream = pack([(self._member, part) for part in parts])
        self._shared.add(_Load(self._member, stream, execution_gas, posted, included))
