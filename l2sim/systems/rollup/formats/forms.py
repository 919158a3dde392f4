"""The forms of batch by name: each puts the bytes of its module into the batcher's hands."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.kzg import BLOB_BYTES
from l2sim.engine import NS_PER_S, ns
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.blobs import NITRO_DATA_BYTES, encode_felt_blob, encode_nitro_blob
from l2sim.systems.rollup.channel import Compression, compress
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.formats import chunks, diffs, felts, nitro, vaults
from l2sim.systems.rollup.formats.base import ERA_BLOB_BYTES, BatchFormat, Channels, Indices, L2Block
from l2sim.systems.rollup.formats.span import CHECK_BYTES, Span, encode_span
from l2sim.systems.rollup.transactions import join_batches


class Singular(Channels):
    """Block after block, each whole."""

    def __init__(self, compression: Compression, level: int) -> None:
        self._compression = compression
        self._level = level

    def size(self, block: L2Block) -> int:
        """Its bytes in the channel."""
        return len(block.encoded)

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The blocks end to end."""
        return b"".join([block.encoded for block in blocks])

    def compress(self, content: bytes) -> bytes:
        """A channel."""
        return compress(content, self._compression, self._level)


class Spans(Channels):
    """All blocks of a batch column by column, those with nothing in them as well."""

    def __init__(self, compression: Compression, level: int, block_s: int) -> None:
        self._compression = compression
        self._level = level
        self._block_s = block_s
        self._next_s = block_s
        """Time of the first block that no batch holds yet."""
        self._origin = 0
        """The L1 block of the block before that."""
        self._parent_hash = bytes(32)

    def size(self, block: L2Block) -> int:
        """Its transactions' bytes and a count."""
        return len(block.transactions.data) + 1

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """One span batch."""
        times = np.array([block.header.timestamp_s for block in blocks], np.int64)
        # A block without the sequencer, for what came through L1 alone, can fall onto the place of another.
        places = np.maximum(0, (times - self._next_s) // self._block_s)
        length = int(places[-1]) + 1
        counts = np.zeros(length, np.int64)
        np.add.at(counts, places, [len(block.transactions) for block in blocks])
        # A block looks back to at most one L1 block more than the one before: those with nothing in them catch up.
        wanted = np.full(length, -1, np.int64)
        wanted[places] = [block.header.epoch_number for block in blocks]
        origins = self._origins(wanted)
        span = Span(
            first_timestamp_s=self._next_s,
            origins=origins,
            parent_origin=self._origin,
            parent_check=self._parent_hash[:CHECK_BYTES],
            origin_check=blocks[-1].header.epoch_hash[:CHECK_BYTES],
            counts=counts,
        )
        return encode_span(span, join_batches([block.transactions for block in blocks]))

    def _origins(self, wanted: Indices) -> Indices:
        """The L1 block of every block: as late as can be, so that those with transactions get the one they saw."""
        places = np.arange(len(wanted))
        fixed = np.flatnonzero(wanted >= 0)
        following = fixed[np.searchsorted(fixed, places)]
        return np.maximum.accumulate(np.maximum(self._origin, wanted[following] - (following - places)))

    def compress(self, content: bytes) -> bytes:
        """A channel."""
        return compress(content, self._compression, self._level)

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """The next span begins with the block after the last of these."""
        last = blocks[-1]
        self._next_s = last.header.timestamp_s + self._block_s
        self._origin = max(self._origin, last.header.epoch_number)
        self._parent_hash = last.block_hash


class Segments(BatchFormat):
    """Arbitrum's segments under Brotli."""

    blob_bytes = NITRO_DATA_BYTES
    encode_blob = staticmethod(encode_nitro_blob)

    def __init__(self, level: int) -> None:
        self._level = level

    def size(self, block: L2Block) -> int:
        """Its transactions with the nine bytes that go before each."""
        return len(block.transactions.data) + 9 * len(block.transactions) + 5

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The segments."""
        return nitro.segments(
            [
                nitro.Message(
                    block.header.timestamp_s,
                    block.header.epoch_number,
                    tuple(block.transactions[row] for row in range(len(block.transactions))),
                )
                for block in blocks
            ]
        )

    def compress(self, content: bytes) -> bytes:
        """The batch."""
        return nitro.compress_segments(content, self._level)

    def blob_parts(self, channel: bytes, channel_id: bytes) -> list[bytes]:
        """The batch as an RLP string, cut where a blob is full."""
        return self.parts(rlp.encode(channel), channel_id, self.blob_bytes)


class StateDiffs(BatchFormat):
    """What changed in the state, and who goes out."""

    blob_bytes = ERA_BLOB_BYTES
    by_division = True

    def __init__(self, users: int) -> None:
        self._state = diffs.PostedState.empty(users)

    def size(self, block: L2Block) -> int:
        """Key and value of two slots of each account that it touches."""
        slots = 2 * len(block.delta.accounts)
        return slots * (diffs.KEY_BYTES + diffs.VALUE_BYTES) + len(block.withdrawals) * diffs.LOG_BYTES

    def raw_bytes(self, blocks: Sequence[L2Block], content_bytes: int) -> int:
        """Keys and values of all slots that the batch changes, once each: its content is compressed already."""
        del content_bytes
        slots = len(self._state.changes(StateDelta.merge([block.delta for block in blocks])))
        leaving = sum(len(block.withdrawals) for block in blocks)
        each = diffs.LOG_BYTES + 4 + diffs.MESSAGE_BYTES
        return slots * (diffs.KEY_BYTES + diffs.VALUE_BYTES) + leaving * each

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The pubdata, which is compressed slot by slot already."""
        delta = StateDelta.merge([block.delta for block in blocks])
        return diffs.encode_diffs(self._state, delta, [going for block in blocks for going in block.withdrawals])

    def compress(self, content: bytes) -> bytes:
        """The same."""
        return content

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """What the next batch changes is told from the state after these."""
        self._state.post(StateDelta.merge([block.delta for block in blocks]))


class Felts(StateDiffs):
    """Starknet's field elements, one to an element of a blob."""

    blob_bytes = BLOB_BYTES
    encode_blob = staticmethod(encode_felt_blob)

    def __init__(self, users: int) -> None:
        super().__init__(users)
        self._names = felts.Names()
        self._next_block = 0

    def size(self, block: L2Block) -> int:
        """A cell and a contract of each account that it touches, and the cell of its hash."""
        return felts.FELT_BYTES * (4 * len(block.delta.accounts) + 2)

    def raw_bytes(self, blocks: Sequence[L2Block], content_bytes: int) -> int:
        """The elements before they are packed."""
        del blocks
        return content_bytes

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The difference that the blocks make together."""
        return felts.encode_felts(self._contracts(blocks), self._names)

    def _contracts(self, blocks: Sequence[L2Block]) -> list[felts.Contract]:
        hashes = [(self._next_block + place, block.block_hash) for place, block in enumerate(blocks)]
        delta = StateDelta.merge([block.delta for block in blocks])
        return felts.contracts_of(felts.changed(self._state, delta), hashes)

    def compress(self, content: bytes) -> bytes:
        """The elements packed into fewer."""
        return felts.pack_felts(content)

    def execution_gas(self, blocks: Sequence[L2Block]) -> int:
        """That of the messages to L1 by which users go out."""
        return felts.message_gas(sum(len(block.withdrawals) for block in blocks))

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """What the next batch changes is told from the state after these, by the names that they gave."""
        self._names.give(self._names.new_in(self._contracts(blocks)))
        self._next_block += len(blocks)
        super().posted(blocks)


class Vaults(StateDiffs):
    """What StarkEx's committee gets: the vaults that changed."""

    def size(self, block: L2Block) -> int:
        """A vault of each account that it touches, and who goes out."""
        vault_bytes = vaults.VAULT_BYTES * len(block.delta.accounts)
        return vault_bytes + vaults.LEAVER_BYTES * len(block.withdrawals) + vaults.COUNT_BYTES

    def raw_bytes(self, blocks: Sequence[L2Block], content_bytes: int) -> int:
        """Nothing is compressed."""
        del blocks
        return content_bytes

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The vaults that the blocks change together."""
        delta = StateDelta.merge([block.delta for block in blocks])
        return vaults.encode_vaults(self._state, delta, [going for block in blocks for going in block.withdrawals])


class Chunks(BatchFormat):
    """Operations in chunks of ten bytes."""

    blob_bytes = ERA_BLOB_BYTES

    def __init__(self, world: World, users: int) -> None:
        self._workload = world.workload
        self._known = np.zeros(users, np.bool_)

    def size(self, block: L2Block) -> int:
        """Two chunks a transfer, six for anything else."""
        others = len(block.withdrawals) + len(block.credits)
        return 20 * len(block.payments) + 60 * others

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The operations: in each block deposits, transfers, withdrawals."""
        known = self._known.copy()
        return b"".join([self._block(block, known) for block in blocks])

    def _block(self, block: L2Block, known: npt.NDArray[np.bool_]) -> bytes:
        parts = [chunks.encode_deposit(user, amount, _address(user)) for user, amount in block.credits]
        known[_users(block.credits)] = True
        payers, payees = self._workload.payer[block.payments], self._workload.payee[block.payments]
        new = ~known[payees]
        _, first = np.unique(payees, return_index=True)
        repeated = np.ones(len(payees), np.bool_)
        repeated[first] = False
        new &= ~repeated
        known[payees] = True
        addresses = np.zeros((len(payees), 20), np.uint8)
        addresses[:, 16:] = payees.astype(">u4").view(np.uint8).reshape(-1, 4)
        parts.append(chunks.encode_transfers(payers, payees, block.amounts, block.fee_wei, new, addresses))
        parts += [
            chunks.encode_withdrawal(user, amount, block.withdrawal_fee_wei, _address(user))
            for user, amount in block.withdrawals
        ]
        return b"".join(parts)

    def compress(self, content: bytes) -> bytes:
        """The same: it is packed already."""
        return content

    def execution_gas(self, blocks: Sequence[L2Block]) -> int:
        """That of committing to the operations, by kind."""
        named = chunks.NAMED
        gas = chunks.COMMIT_BASE_GAS
        known = self._known.copy()
        for block in blocks:
            known[_users(block.credits)] = True
            payees = self._workload.payee[block.payments]
            new = len(np.unique(payees[~known[payees]]))
            known[payees] = True
            gas += len(block.credits) * (named["deposit"].commit_gas or 0)
            gas += new * (named["transfer_to_new"].commit_gas or 0)
            gas += (len(payees) - new) * (named["transfer"].commit_gas or 0)
            gas += len(block.withdrawals) * (named["withdraw"].commit_gas or 0)
        return gas

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """Whoever got money has an account from now on."""
        for block in blocks:
            self._known[_users(block.credits)] = True
            self._known[self._workload.payee[block.payments]] = True


def _users(moved: Sequence[tuple[int, int]]) -> Indices:
    return np.array([user for user, _ in moved], np.int64)


def _address(user: int) -> bytes:
    """A user's number in the place of its address on L1: nothing here depends on which it is."""
    return user.to_bytes(20, "big")


def build_format(config: RollupConfig, world: World) -> BatchFormat:
    """The form of batch that the settings ask for."""
    batcher = config.batcher
    users = world.workload.users
    match config.batch_format:
        case "singular":
            return Singular(batcher.compression, batcher.level)
        case "span":
            return Spans(batcher.compression, batcher.level, ns(config.sequencer.block_time_s) // NS_PER_S)
        case "nitro":
            return Segments(batcher.level)
        case "state_diffs":
            return StateDiffs(users)
        case "starknet":
            return Felts(users)
        case "vaults":
            return Vaults(users)
        case "chunks":
            return Chunks(world, users)
