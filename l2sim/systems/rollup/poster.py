"""What becomes of a closed batch: its way to L1, in blobs, in calldata or past it with a committee's word."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.errors import InputError
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import TRANSACTION_GAS, transaction_gas
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import StateDelta, StateTree
from l2sim.systems.rollup.batcher_config import BatcherConfig
from l2sim.systems.rollup.channel import CHANNEL_ID_BYTES
from l2sim.systems.rollup.fee_config import MOST_FEE_WEI
from l2sim.systems.rollup.formats.base import BatchFormat, L2Block
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.posting import FRAME_PREFIX_BYTES, Medium, cheaper_medium, gas_per_calldata_byte
from l2sim.systems.rollup.roots import payments_root
from l2sim.systems.rollup.settlement.committee import Committee
from l2sim.systems.rollup.settlement.words import SELECTOR_BYTES

Indices = npt.NDArray[np.int64]

MOST_CHANNELS = 20
"""So many times a batch is posted before its settings are refused: its frames never land close enough together."""


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
    """Its blocks, where somebody executes them again or goes back to the state after it."""
    opened_ns: int = 0
    channel: bytes = b""
    """What is cut up and posted, until it is on L1."""
    medium: Medium | None = None
    channels: int = 0
    """How often it was posted: above 1 if frames landed too far apart."""
    first_height: int | None = None
    """L1 block of the first of its frames to land, of those posted last."""


class Carrier(Protocol):
    """Takes payloads to L1 in blobs together with those of others."""

    def take(
        self,
        parts: Sequence[bytes],
        execution_gas: int,
        posted: Callable[[int, int, int], object],
        included: Callable[[Receipt], object],
    ) -> None:
        """Take the payloads of a batch.

        Later than this call, `posted` is told in how many transactions and blobs they go and what gas is theirs;
        `included` gets a receipt for each of those transactions, with the fees that are the batch's.
        """


class Poster:
    """Posts closed batches and tells when each is on L1.

    A channel whose frames land more than `channel_timeout_blocks` apart is dropped by those who read L1, and the whole
    batch is posted again under another channel's number.
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
        self.on_the_way: dict[int, Batch] = {}
        """Batches that are not on L1 yet, by number."""
        self.keeps_blocks = False
        """Whether batches carry their blocks."""
        self.committee: Committee | None = None
        """Who keeps the data in place of L1."""
        self.on_l1: npt.NDArray[np.bool_] | None = None
        """Whose accounts' data goes to L1 all the same, by user."""
        self.update_gas = 0
        """L1 gas of putting a batch's root on L1 where a committee keeps its data."""
        self.carrier: Carrier | None = None
        """Who takes blobs to L1 together with those of other rollups, if anybody does."""
        self.archive: list[list[bytes]] | None = None
        """Set to a list to keep the payloads of every batch that is posted."""

    # -- closing --------------------------------------------------------------------------------------------------

    def post(
        self, blocks: list[L2Block], channel: bytes, content_bytes: int, opened_ns: int, medium: Medium | None
    ) -> None:
        """Make a batch of these blocks, whose bytes are `channel`, and send it."""
        hashes = np.concatenate([block.hashes for block in blocks])
        batch = Batch(
            number=len(self._world.recorder.batches),
            transactions=len(hashes),
            payments=np.concatenate([block.payments for block in blocks]),
            withdrawals=[withdrawal for block in blocks for withdrawal in block.withdrawals],
            state_root=self._tree.update(StateDelta.merge([block.delta for block in blocks])),
            payments_root=payments_root(hashes, self._work),
            blocks=list(blocks) if self.keeps_blocks else [],
            opened_ns=opened_ns,
        )
        self.on_the_way[batch.number] = batch
        raw_bytes = self._form.raw_bytes(blocks, content_bytes)
        if self.committee is not None:
            self._post_update(batch, self.committee, blocks, channel, raw_bytes)
            return
        batch.channel, batch.medium = channel, medium or self.medium(len(channel))
        execution_gas = self._config.execution_gas + self._form.execution_gas(blocks)
        self._form.posted(blocks)
        gas, blobs = self._send_channel(batch, execution_gas)
        self._note(batch, raw_bytes, len(channel), batch.medium, blobs, gas)

    def _send_channel(self, batch: Batch, execution_gas: int) -> tuple[int, int]:
        """Send a batch's channel; the gas and the blobs that it takes, as far as they are known yet."""
        number = batch.number.to_bytes(8, "big") + (bytes([batch.channels]) if batch.channels else b"")
        channel_id = keccak256(number + batch.payments_root)[:CHANNEL_ID_BYTES]
        self._work.count_keccak(1, 8 + len(batch.payments_root))
        batch.channels += 1
        batch.first_height = None
        parts = self._cut(batch.channel, channel_id, batch.medium)
        if self.archive is not None:
            self.archive[batch.number :] = [parts]
        if batch.medium == "blob":
            execution_gas += self._config.execution_gas_per_blob * len(parts)
            return self._post_blobs(batch, parts, execution_gas), 0 if self.carrier is not None else len(parts)
        return self._post_calldata(batch, parts, execution_gas), 0

    def _cut(self, channel: bytes, channel_id: bytes, medium: Medium | None) -> list[bytes]:
        if medium == "blob":
            return self._form.blob_parts(channel, channel_id)
        return self._form.parts(channel, channel_id, self._config.max_calldata_bytes)

    def _note(self, batch: Batch, raw_bytes: int, compressed_bytes: int, medium: str, blobs: int, gas: int) -> None:
        """Write down a batch that was closed."""
        self._world.recorder.batches.append(
            batch=batch.number,
            payments=batch.transactions,
            opened_ns=batch.opened_ns,
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

    def _more(self, batch: Batch, gas: int, blobs: int) -> None:
        """Write down gas and blobs that a batch takes besides what was noted."""
        rows = self._world.recorder.batches
        rows.set(batch.number, "gas", rows.columns["gas"][batch.number] + gas)
        rows.set(batch.number, "blobs", rows.columns["blobs"][batch.number] + blobs)

    # -- with a committee -----------------------------------------------------------------------------------------

    def _post_update(
        self, batch: Batch, committee: Committee, blocks: list[L2Block], channel: bytes, raw_bytes: int
    ) -> None:
        """Give the data to the committee; its certificate and the batch's roots go to L1 when enough have signed."""
        root = batch.state_root or batch.payments_root
        data = bytes(SELECTOR_BYTES) + root + batch.payments_root + committee.certify(channel, root)
        executed = self.update_gas - TRANSACTION_GAS + committee.config.check_gas
        gas = transaction_gas(data, executed, calldata_floor=self._chain.fork.calldata_floor)
        parts, medium, blobs = self._public_parts(batch, blocks)
        shared = medium == "blob" and self.carrier is not None
        self._note(batch, raw_bytes, len(channel), "committee", 0 if shared else blobs, gas)

        def certified() -> None:
            self._send(batch, gas, data, [])
            if parts:
                post = self._post_blobs if medium == "blob" else self._post_calldata
                self._more(batch, post(batch, parts, 0), 0)

        self._world.environment.call_in(committee.response_ns, certified)

    def _public_parts(self, batch: Batch, blocks: list[L2Block]) -> tuple[list[bytes], Medium, int]:
        """What of a committee's batch goes to L1 all the same, where, and in how many blobs."""
        if self.on_l1 is None:
            self._form.posted(blocks)
            return [], "calldata", 0
        public = [block.of_accounts(self.on_l1) for block in blocks]
        channel, _ = self._form.pack(public)
        self._form.posted(public)
        medium = self.medium(len(channel))
        channel_id = keccak256(batch.number.to_bytes(8, "big") + batch.payments_root)[:CHANNEL_ID_BYTES]
        parts = self._cut(channel, channel_id, medium)
        return parts, medium, len(parts) if medium == "blob" else 0

    # -- blobs or calldata ----------------------------------------------------------------------------------------

    def medium(self, channel_bytes: int) -> Medium:
        """Where so many bytes go, at the fees in force."""
        chosen = self._config.medium
        return self.cheaper(channel_bytes) if chosen == "auto" else chosen

    def cheaper(self, channel_bytes: int) -> Medium:
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
        if self.carrier is not None:
            batch.waiting += 1  # as long as the carrier has not posted it

            def posted(transactions: int, blobs: int, gas: int) -> None:
                batch.waiting += transactions - 1
                self._more(batch, gas, blobs)

            self.carrier.take(parts, execution_gas, posted, lambda receipt: self._included(batch, receipt))
            return 0
        step = self._chain.fork.max_transaction_blobs
        left = execution_gas
        total = 0
        for start in range(0, len(parts), step):
            executed = min(left, self._chain.most_transaction_gas - TRANSACTION_GAS)
            self._send(batch, TRANSACTION_GAS + executed, b"", parts[start : start + step])
            left -= executed
            total += TRANSACTION_GAS + executed
        return total + self._execute_rest(batch, left)

    def _post_calldata(self, batch: Batch, parts: list[bytes], execution_gas: int) -> int:
        left = execution_gas
        total = 0
        floor = self._chain.fork.calldata_floor
        for part in parts:
            executed = min(left, self._chain.most_transaction_gas - transaction_gas(part, calldata_floor=floor))
            gas = transaction_gas(part, executed, calldata_floor=floor)
            self._send(batch, gas, part, [])
            left -= executed
            total += gas
        return total + self._execute_rest(batch, left)

    def _execute_rest(self, batch: Batch, left: int) -> int:
        """Have the contract do in more transactions what did not fit into those with the data."""
        total = 0
        while left:
            executed = min(left, self._chain.most_transaction_gas - TRANSACTION_GAS)
            self._send(batch, TRANSACTION_GAS + executed, b"", [])
            left -= executed
            total += TRANSACTION_GAS + executed
        return total

    def _send(self, batch: Batch, gas: int, data: bytes, blobs: list[bytes]) -> None:
        batch.waiting += 1
        self._operator.send(gas, lambda receipt: self._included(batch, receipt), data=data, blobs=blobs)

    # -- landing --------------------------------------------------------------------------------------------------

    def _included(self, batch: Batch, receipt: Receipt) -> None:
        batch.waiting -= 1
        batch.gas_fee_wei += receipt.fee - receipt.blob_fee
        batch.blob_fee_wei += receipt.blob_fee
        first = batch.first_height
        batch.first_height = receipt.height if first is None else min(first, receipt.height)
        if batch.waiting:
            return
        if self._timed_out(batch, receipt):
            self._post_again(batch)
            return
        dearest_wei = max(batch.gas_fee_wei, batch.blob_fee_wei)
        if dearest_wei > MOST_FEE_WEI:
            raise InputError(
                f"the L1 fees of a batch must be at most {MOST_FEE_WEI} wei, 9.2 ether (got {dearest_wei} for batch "
                f"{batch.number}): lower the fees of {self._chain.name} or batcher.target_bytes"
            )
        del self.on_the_way[batch.number]
        batch.channel = b""
        batch.receipt = receipt
        rows = self._world.recorder.batches
        rows.set(batch.number, "included_ns", receipt.time_ns)
        rows.set(batch.number, "gas_fee_wei", batch.gas_fee_wei)
        rows.set(batch.number, "blob_fee_wei", batch.blob_fee_wei)
        self._on_included(batch, receipt)

    def _timed_out(self, batch: Batch, receipt: Receipt) -> bool:
        """Whether frames of the channel landed too far apart to be read."""
        most = self._config.channel_timeout_blocks
        if not (self._form.in_channels and batch.channel and most) or batch.first_height is None:
            return False
        return receipt.height - batch.first_height > most

    def _post_again(self, batch: Batch) -> None:
        if batch.channels == MOST_CHANNELS:
            raise InputError(
                f"batcher.channel_timeout_blocks must be more than a batch's frames need to land (batch {batch.number} "
                f"was posted {batch.channels} times)"
            )
        self._world.recorder.series.append(
            time_ns=self._world.environment.now, measure="channel_timeouts", value=float(batch.number)
        )
        gas, blobs = self._send_channel(batch, 0)
        self._more(batch, gas, blobs)
