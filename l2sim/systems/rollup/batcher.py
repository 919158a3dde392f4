"""The batcher: gathers L2 blocks, closes a batch by size or by time, and posts it to L1 in real bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.engine import Call, ns
from l2sim.errors import InputError
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.gas import TRANSACTION_GAS, transaction_gas
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import StateDelta, StateTree
from l2sim.systems.rollup.channel import CHANNEL_ID_BYTES
from l2sim.systems.rollup.config import MOST_FEE_WEI, BatcherConfig
from l2sim.systems.rollup.formats.base import BatchFormat, L2Block
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.policies import Situation
from l2sim.systems.rollup.posting import FRAME_PREFIX_BYTES, Medium, cheaper_medium, gas_per_calldata_byte
from l2sim.systems.rollup.roots import payments_root
from l2sim.systems.rollup.schedule import build_policy
from l2sim.systems.rollup.settlement.committee import Committee

Indices = npt.NDArray[np.int64]
SELECTOR_BYTES: Final = 4


@dataclass(slots=True)
class Batch:
    """A batch from its closing to its finality."""

    number: int
    transactions: int
    payments: Indices
    withdrawals: list[tuple[int, int]]
    state_root: bytes | None
    payments_root: bytes
    waiting: int = 0
    """Its L1 transactions that are not in a block yet."""
    gas_fee_wei: int = 0
    blob_fee_wei: int = 0
    receipt: Receipt | None = None
    """Receipt of the last of its L1 transactions, once all are in blocks."""
    blocks: list[L2Block] = field(default_factory=list)
    """Its blocks, where somebody executes them again."""


@dataclass(slots=True)
class _Open:
    """The blocks of the batch that is open."""

    opened_ns: int
    """When the first of them came, be it into an earlier batch that had no room for it."""
    medium: Medium | None
    """Where it goes, if that is decided already."""
    blocks: list[tuple[int, L2Block]] = field(default_factory=list)
    """Each with the time at which it came."""
    raw_bytes: int = 0
    transactions: int = 0


class Batcher:
    """Closes a batch when the first of its triggers comes, and tells when it is on L1.

    A posting policy, if there is one, is asked at each of its looks whether to close the batch before that.

    1. `max_interval_s` after its first block;
    2. `max_transactions` reached, if set: the block that reaches it is the last one in;
    3. the next block would make it larger than `target_bytes`, judged by how well the last batch compressed.
       A batch that turns out larger all the same gives its last blocks to the next one, where their time goes on.
    """

    def __init__(
        self,
        config: BatcherConfig,
        form: BatchFormat,
        world: World,
        chain: EthereumChain,
        operator: Operator,
        tree: StateTree,
        work: Work,
        on_included: Callable[[Batch, Receipt], object],
    ) -> None:
        self._config = config
        self._form = form
        self._world = world
        self._chain = chain
        self._operator = operator
        self._tree = tree
        self._work = work
        self._on_included = on_included
        self._open: _Open | None = None
        self._timer: Call | None = None
        self._policy, self._poll_ns = build_policy(config.posting, world, chain)
        self._look_ns: int | None = None
        """When the policy is asked next."""
        self._ratio = 1.0
        """Compressed size over raw size of the last batch; 1 before the first."""
        self._content_bytes = 0
        """Size of what was compressed last."""
        self._on_the_way = 0
        self.keeps_blocks = False
        """Whether batches carry their blocks."""
        self.committee: Committee | None = None
        """Who keeps the data in place of L1."""
        self.on_l1: npt.NDArray[np.bool_] | None = None
        """Whose accounts' data goes to L1 all the same, by user."""
        self.update_gas = 0
        """L1 gas of putting a batch's root on L1 where a committee keeps its data."""
        self.archive: list[list[bytes]] | None = None
        """Set to a list to keep the payloads of every batch that is posted."""
        self.taken: list[tuple[int, L2Block]] | None = None
        """Set to a list to keep every block that comes, with its time."""

    @property
    def idle(self) -> bool:
        """Whether no batch is open and none on its way into a block."""
        return self._open is None and self._on_the_way == 0

    @property
    def due_ns(self) -> int | None:
        """When the open batch may be closed without another block; None if none is open."""
        if self._open is None:
            return None
        last_ns = self._open.opened_ns + ns(self._config.max_interval_s)
        return last_ns if self._look_ns is None else min(last_ns, self._look_ns)

    def add(self, block: L2Block) -> None:
        """Take in the next block."""
        if self.taken is not None:
            self.taken.append((self._world.environment.now, block))
        if self._open is not None:
            expected = (self._open.raw_bytes + self._form.size(block)) * self._ratio
            if expected > self._config.target_bytes:
                self.close()
        self._put(self._world.environment.now, block)

    def _put(self, came_ns: int, block: L2Block) -> None:
        if self._open is None:
            environment = self._world.environment
            self._open = _Open(came_ns, self._cheaper(self._config.target_bytes) if self._decides_early else None)
            due_ns = max(environment.now, came_ns + ns(self._config.max_interval_s))
            self._timer = environment.call_at(due_ns, self.close)
            if self._policy is not None and self._look_ns is None:
                self._look_later()
        batch = self._open
        batch.blocks.append((came_ns, block))
        batch.raw_bytes += self._form.size(block)
        batch.transactions += len(block.hashes)
        limit = self._config.max_transactions
        if limit is not None and batch.transactions >= limit:
            self.close()

    def _look_later(self) -> None:
        self._look_ns = (self._world.environment.now // self._poll_ns + 1) * self._poll_ns
        self._world.environment.call_at(self._look_ns, self._look)

    def _look(self) -> None:
        """Ask the policy whether to post what waits, and look again as long as something does."""
        self._look_ns = None
        opened, policy = self._open, self._policy
        if opened is None or policy is None:
            return
        _, tip_wei = self._chain.suggest_fees()
        situation = Situation(
            transactions=opened.transactions,
            price_wei=self._chain.base_fee_wei + tip_wei,
            cost_wei=self._expected_cost_wei(round(opened.raw_bytes * self._ratio), opened.medium),
        )
        if policy.posts(situation):
            self.close()
        if self._open is not None and self._look_ns is None:
            self._look_later()

    def _expected_cost_wei(self, channel_bytes: int, medium: Medium | None) -> int:
        """What a batch of that size costs at the fees in force."""
        _, tip_wei = self._chain.suggest_fees()
        price_wei = self._chain.base_fee_wei + tip_wei
        if (medium or self._medium(channel_bytes)) == "blob":
            blobs = -(-channel_bytes // (self._form.blob_bytes - FRAME_PREFIX_BYTES))
            posts = -(-blobs // self._chain.fork.max_transaction_blobs)
            return TRANSACTION_GAS * posts * price_wei + GAS_PER_BLOB * blobs * self._chain.blob_base_fee_wei
        posts = -(-channel_bytes // self._config.max_calldata_bytes)
        return (TRANSACTION_GAS * posts + gas_per_calldata_byte(self._chain.fork) * channel_bytes) * price_wei

    def close(self) -> None:
        """Close the open batch and post it; its last blocks stay open if it is larger than it may be."""
        opened = self._open
        if opened is None:
            return
        self._open = None
        if self._timer is not None:
            self._timer.cancel()
        blocks = [block for _, block in opened.blocks]
        channel = self._compress(blocks)
        while len(channel) > self._config.target_bytes and len(blocks) > 1:
            keep = min(len(blocks) - 1, len(blocks) * self._config.target_bytes // len(channel)) or 1
            blocks = blocks[:keep]
            channel = self._compress(blocks)
        self._post(blocks, channel, opened)
        for came_ns, block in opened.blocks[len(blocks) :]:
            self._put(came_ns, block)

    def _compress(self, blocks: list[L2Block]) -> bytes:
        channel, self._content_bytes = self._form.pack(blocks)
        self._ratio = len(channel) / sum(self._form.size(block) for block in blocks)
        return channel

    def _post(self, blocks: list[L2Block], channel: bytes, opened: _Open) -> None:
        rows = self._world.recorder.batches
        hashes = np.concatenate([block.hashes for block in blocks])
        root = payments_root(hashes, self._work)
        batch = Batch(
            number=len(rows),
            transactions=len(hashes),
            payments=np.concatenate([block.payments for block in blocks]),
            withdrawals=[withdrawal for block in blocks for withdrawal in block.withdrawals],
            state_root=self._tree.update(StateDelta.merge([block.delta for block in blocks])),
            payments_root=root,
            blocks=list(blocks) if self.keeps_blocks else [],
        )
        if self.committee is not None:
            self._post_update(batch, self.committee, blocks, channel, opened)
            return
        medium = opened.medium or self._medium(len(channel))
        most = self._form.blob_bytes if medium == "blob" else self._config.max_calldata_bytes
        channel_id = keccak256(batch.number.to_bytes(8, "big") + root)[:CHANNEL_ID_BYTES]
        self._work.count_keccak(1, 8 + len(root))
        parts = self._form.parts(channel, channel_id, most)
        if self.archive is not None:
            self.archive.append(parts)
        raw_bytes = self._form.raw_bytes(blocks, self._content_bytes)
        execution_gas = self._config.execution_gas + self._form.execution_gas(blocks)
        self._form.posted(blocks)
        self._on_the_way += 1
        post = self._post_blobs if medium == "blob" else self._post_calldata
        gas = post(batch, parts, execution_gas)
        blobs = len(parts) if medium == "blob" else 0
        self._note(batch, opened, raw_bytes, len(channel), medium, blobs, gas)

    def _note(
        self, batch: Batch, opened: _Open, raw_bytes: int, compressed_bytes: int, medium: str, blobs: int, gas: int
    ) -> None:
        """Write down a batch that was closed."""
        self._world.recorder.batches.append(
            batch=batch.number,
            payments=batch.transactions,
            opened_ns=opened.opened_ns,
            closed_ns=self._world.environment.now,
            raw_bytes=raw_bytes,
            compressed_bytes=compressed_bytes,
            medium=medium,
            blobs=blobs,
            gas=gas,
            gas_fee_wei=0,
            blob_fee_wei=0,
            payments_root=batch.payments_root,
            state_root=batch.state_root,
        )

    def _post_update(
        self, batch: Batch, committee: Committee, blocks: list[L2Block], channel: bytes, opened: _Open
    ) -> None:
        """Give the data to the committee; its certificate and the batch's roots go to L1 when enough have signed."""
        root = batch.state_root or batch.payments_root
        data = bytes(SELECTOR_BYTES) + root + batch.payments_root + committee.certify(channel, root)
        executed = self.update_gas - TRANSACTION_GAS + committee.check_gas
        gas = transaction_gas(data, executed, calldata_floor=self._chain.fork.calldata_floor)
        raw_bytes = self._form.raw_bytes(blocks, self._content_bytes)
        self._on_the_way += 1
        parts, medium, blobs = self._public_parts(batch, blocks)
        self._note(batch, opened, raw_bytes, len(channel), "committee", blobs, gas)

        def certified() -> None:
            self._send(batch, gas, data, [])
            if parts:
                post = self._post_blobs if medium == "blob" else self._post_calldata
                self._world.recorder.batches.set(batch.number, "gas", gas + post(batch, parts, 0))

        self._world.environment.call_in(committee.response_ns, certified)

    def _public_parts(self, batch: Batch, blocks: list[L2Block]) -> tuple[list[bytes], Medium, int]:
        """What of a committee's batch goes to L1 all the same, where, and in how many blobs."""
        if self.on_l1 is None:
            self._form.posted(blocks)
            return [], "calldata", 0
        public = [block.of_accounts(self.on_l1) for block in blocks]
        channel, _ = self._form.pack(public)
        self._form.posted(public)
        medium = self._medium(len(channel))
        most = self._form.blob_bytes if medium == "blob" else self._config.max_calldata_bytes
        channel_id = keccak256(batch.number.to_bytes(8, "big") + batch.payments_root)[:CHANNEL_ID_BYTES]
        parts = self._form.parts(channel, channel_id, most)
        return parts, medium, len(parts) if medium == "blob" else 0

    def _medium(self, channel_bytes: int) -> Medium:
        chosen = self._config.medium
        return self._cheaper(channel_bytes) if chosen == "auto" else chosen

    @property
    def _decides_early(self) -> bool:
        return self._config.medium == "auto" and self._config.decided == "at_opening"

    def _cheaper(self, channel_bytes: int) -> Medium:
        """The cheaper medium at the fees in force, by op-batcher's rule."""
        if not self._chain.fork.max_blobs:
            return "calldata"
        blobs = min(
            -(-channel_bytes // (self._form.blob_bytes - FRAME_PREFIX_BYTES)), self._chain.fork.max_transaction_blobs
        )
        _, tip_wei = self._chain.suggest_fees()
        gas_per_byte = gas_per_calldata_byte(self._chain.fork)
        return cheaper_medium(self._chain.base_fee_wei, tip_wei, self._chain.blob_base_fee_wei, blobs, gas_per_byte)

    def _post_blobs(self, batch: Batch, parts: list[bytes], execution_gas: int) -> int:
        step = self._chain.fork.max_transaction_blobs
        left = execution_gas
        total = 0
        for start in range(0, len(parts), step):
            executed = min(left, self._most_gas - TRANSACTION_GAS)
            self._send(batch, TRANSACTION_GAS + executed, b"", parts[start : start + step])
            left -= executed
            total += TRANSACTION_GAS + executed
        return total + self._execute_rest(batch, left)

    def _post_calldata(self, batch: Batch, parts: list[bytes], execution_gas: int) -> int:
        left = execution_gas
        total = 0
        floor = self._chain.fork.calldata_floor
        for part in parts:
            executed = min(left, self._most_gas - transaction_gas(part, calldata_floor=floor))
            gas = transaction_gas(part, executed, calldata_floor=floor)
            self._send(batch, gas, part, [])
            left -= executed
            total += gas
        return total + self._execute_rest(batch, left)

    def _execute_rest(self, batch: Batch, left: int) -> int:
        """Have the contract do in more transactions what did not fit into those with the data."""
        total = 0
        while left:
            executed = min(left, self._most_gas - TRANSACTION_GAS)
            self._send(batch, TRANSACTION_GAS + executed, b"", [])
            left -= executed
            total += TRANSACTION_GAS + executed
        return total

    @property
    def _most_gas(self) -> int:
        limit = self._chain.config.least_gas_limit
        return min(self._chain.fork.max_transaction_gas or limit, limit)

    def _send(self, batch: Batch, gas: int, data: bytes, blobs: list[bytes]) -> None:
        batch.waiting += 1
        self._operator.send(gas, lambda receipt: self._included(batch, receipt), data=data, blobs=blobs)

    def _included(self, batch: Batch, receipt: Receipt) -> None:
        batch.waiting -= 1
        batch.gas_fee_wei += receipt.fee - receipt.blob_fee
        batch.blob_fee_wei += receipt.blob_fee
        if batch.waiting:
            return
        dearest_wei = max(batch.gas_fee_wei, batch.blob_fee_wei)
        if dearest_wei > MOST_FEE_WEI:
            raise InputError(
                f"the L1 fees of a batch must be at most {MOST_FEE_WEI} wei, 9.2 ether (got {dearest_wei} for batch "
                f"{batch.number}): lower the fees of {self._chain.name} or batcher.target_bytes"
            )
        self._on_the_way -= 1
        batch.receipt = receipt
        rows = self._world.recorder.batches
        rows.set(batch.number, "included_ns", receipt.time_ns)
        rows.set(batch.number, "gas_fee_wei", batch.gas_fee_wei)
        rows.set(batch.number, "blob_fee_wei", batch.blob_fee_wei)
        self._on_included(batch, receipt)
