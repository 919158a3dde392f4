"""What the batcher asks of a form of batch, and the forms there are.

| format | what is posted | compression |
| --- | --- | --- |
| singular | OP Stack channel of single blocks | zlib or Brotli |
| span | OP Stack channel of one span batch | zlib or Brotli |
| nitro | Arbitrum's segments | Brotli |
| state_diffs | zkSync Era's changed slots | its own, slot by slot |
| starknet | Starknet's field elements | its own: short names for long keys, then elements packed by their size |
| vaults | StarkEx's changed vaults | none |
| chunks | zkSync Lite's operations, 20 bytes a transfer | none: they are packed already |
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.blobs import encode_blob
from l2sim.systems.rollup.channel import BlockHeader, encode_block, payloads
from l2sim.systems.rollup.kernels import Words
from l2sim.systems.rollup.posting import BLOB_BYTES

ERA_BLOB_BYTES: Final = 126_976
"""What a blob holds with 31 bytes to a field element, 4096 * 31 (zksync-era, 10_pubdata_with_blobs.md)."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class L2Block:
    """A block that the sequencer has made and confirmed."""

    header: BlockHeader
    block_hash: bytes
    transactions: EncodedBatch
    """Signed, in order."""
    hashes: npt.NDArray[np.uint8]
    """Hash of each transaction, (n, 32)."""
    payments: Indices
    """Numbers of the payments in it."""
    withdrawals: tuple[tuple[int, int], ...]
    """Users who go out with it, and the wei they take along."""
    delta: StateDelta
    amounts: tuple[Words, Words]
    """Of the payments in it, wei, as low and high words."""
    fee_wei: int
    """What each of them pays."""
    withdrawal_fee_wei: int
    credits: tuple[tuple[int, int], ...]
    """Deposits credited since the block before: users and wei."""
    fees_wei: Indices | None = None
    """What each payment's account pays, where they differ: nothing for those that came through L1."""

    def of_accounts(self, wanted: npt.NDArray[np.bool_]) -> "L2Block":
        """The block with the changes and withdrawals of the wanted accounts only."""
        rows = wanted[self.delta.accounts]
        delta = StateDelta(
            self.delta.accounts[rows], self.delta.low[rows], self.delta.high[rows], self.delta.nonces[rows]
        )
        return replace(self, delta=delta, withdrawals=tuple(out for out in self.withdrawals if wanted[out[0]]))

    @cached_property
    def encoded(self) -> bytes:
        """As it goes into a channel of single blocks."""
        return encode_block(self.header, self.transactions)


class BatchFormat(ABC):
    """A form of batch: from L2 blocks to the bytes that L1 carries."""

    blob_bytes: int = BLOB_BYTES
    """What a blob holds."""
    in_channels: bool = False
    """Whether its payloads are frames of a channel, which must land close together."""

    by_division: bool = False
    """Whether its bytes depend on how the blocks before were divided into batches, as numbers given to keys do."""

    encode_blob: Callable[[bytes], bytes] = staticmethod(encode_blob)
    """How a payload fills a blob."""

    @abstractmethod
    def size(self, block: L2Block) -> int:
        """What the block counts as before compression when a batch's size is foretold, bytes."""

    @abstractmethod
    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """The blocks before compression; nothing is taken for posted by it."""

    @abstractmethod
    def compress(self, content: bytes) -> bytes:
        """What is cut up and posted."""

    def pack(self, blocks: Sequence[L2Block]) -> tuple[bytes, int]:
        """What is cut up and posted, and the size of the content before compression."""
        content = self.content(blocks)
        return self.compress(content), len(content)

    def raw_bytes(self, blocks: Sequence[L2Block], content_bytes: int) -> int:
        """Size of the batch before compression, bytes; `content_bytes` is that of its content."""
        del blocks
        return content_bytes

    def parts(self, channel: bytes, channel_id: bytes, most_bytes: int) -> list[bytes]:
        """The payloads of at most `most_bytes` that carry it."""
        del channel_id
        return [channel[start : start + most_bytes] for start in range(0, len(channel), most_bytes)] or [b""]

    def blob_parts(self, channel: bytes, channel_id: bytes) -> list[bytes]:
        """The payloads that carry it in blobs, one to a blob."""
        return self.parts(channel, channel_id, self.blob_bytes)

    def execution_gas(self, blocks: Sequence[L2Block]) -> int:
        """L1 gas that the rollup's contract executes for the batch, besides what its data costs."""
        del blocks
        return 0

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """Take these blocks for posted: the next batch starts after them."""
        del blocks


class Channels(BatchFormat):
    """The OP Stack's frames, whatever is in them."""

    in_channels = True

    def parts(self, channel: bytes, channel_id: bytes, most_bytes: int) -> list[bytes]:
        """The frames of the channel, one to a payload."""
        return payloads(channel, channel_id, most_bytes)
