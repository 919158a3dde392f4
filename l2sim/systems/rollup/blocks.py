"""What goes into an L2 block: payments that were executed, put together, with their transactions' bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.engine import NS_PER_S
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import Accounts
from l2sim.systems.rollup.channel import BlockHeader
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.kernels import DONE, Words, split
from l2sim.systems.rollup.transactions import Wallets, count_hashes, join_batches

Indices = npt.NDArray[np.int64]
Leaver = tuple[int, int, int]
"""A user who goes out with a block, the wei it takes along, and its nonce."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The payments that one block looked at, and what became of them."""

    payments: Indices
    verdicts: npt.NDArray[np.uint8]
    nonces: Words
    amounts: tuple[Words, Words]


@dataclass(frozen=True, slots=True)
class Made:
    """The payments that a block looked at, put together, and the transactions that it makes of those it executed."""

    payments: Indices
    verdicts: npt.NDArray[np.uint8]
    amounts: tuple[Words, Words]
    fees: Indices
    """What each that is done pays."""
    charged: Indices
    """What of that its account on L2 pays: nothing for those that came through L1."""
    transactions: EncodedBatch
    checking: Work
    """What the sequencer does to check the signatures of what it looked at."""


def join_made(parts: Sequence[Made | None]) -> Made | None:
    """Several in order as one; None where there is nothing."""
    made = [part for part in parts if part is not None]
    if len(made) <= 1:
        return made[0] if made else None
    checking = Work()
    for part in made:
        checking.add(part.checking)
    return Made(
        payments=np.concatenate([part.payments for part in made]),
        verdicts=np.concatenate([part.verdicts for part in made]),
        amounts=joined_words([part.amounts for part in made]),
        fees=np.concatenate([part.fees for part in made]),
        charged=np.concatenate([part.charged for part in made]),
        transactions=join_batches([part.transactions for part in made]),
        checking=checking,
    )


def joined_words(parts: Sequence[tuple[Words, Words]]) -> tuple[Words, Words]:
    """Amounts of several parts, end to end."""
    return np.concatenate([low for low, _ in parts]), np.concatenate([high for _, high in parts])


NOTHING: Final = Made(
    payments=np.empty(0, np.int64),
    verdicts=np.empty(0, np.uint8),
    amounts=(np.empty(0, np.uint64), np.empty(0, np.uint64)),
    fees=np.empty(0, np.int64),
    charged=np.empty(0, np.int64),
    transactions=EncodedBatch(np.empty(0, np.uint8), np.zeros(1, np.int64)),
    checking=Work(),
)
"""A block in which nobody pays."""


class BlockMaker:
    """Makes blocks one after another, each on top of the one before and with an eye on L1."""

    def __init__(
        self,
        world: World,
        chain: EthereumChain,
        accounts: Accounts,
        wallets: Wallets,
        block_ns: int,
        withdrawal_l2_gas: int,
        work: Work,
    ) -> None:
        self._world = world
        self._chain = chain
        self._accounts = accounts
        self._wallets = wallets
        self._block_ns = block_ns
        self._withdrawal_l2_gas = withdrawal_l2_gas
        self._work = work
        self._parent_hash = bytes(32)
        self._origin = 0
        """The L1 block that the last block looked back to, and when that was."""
        self._origin_ns = 0

    def make(self, made: Made, leavers: Sequence[Leaver], withdrawal_fee_wei: int, work: Work) -> L2Block | None:
        """The block of these payments and withdrawals, None if it holds nothing; its hashing is added to `work`."""
        transactions = made.transactions
        if leavers:
            going = self._leave(leavers)
            transactions = join_batches([transactions, going]) if len(transactions) else going
        done = made.verdicts == DONE
        if not (len(transactions) or done.any()):
            return None
        hashing = Work()
        count_hashes(transactions, hashing)
        hashes = transactions.keccak256()
        header = self._header(hashing)
        self._parent_hash = header.block_hash(hashes.tobytes(), hashing)
        work.add(hashing)
        self._work.add(hashing)
        return L2Block(
            header=header,
            block_hash=self._parent_hash,
            transactions=transactions,
            hashes=hashes,
            payments=made.payments[done],
            withdrawals=tuple((user, amount_wei) for user, amount_wei, _ in leavers),
            delta=self._accounts.take_delta(),
            amounts=(made.amounts[0][done], made.amounts[1][done]),
            fee_wei=int(made.charged[-1]) if len(made.charged) else 0,
            withdrawal_fee_wei=withdrawal_fee_wei,
            credits=self._accounts.take_credits(),
            fees_wei=made.charged[done],
        )

    def _leave(self, leavers: Sequence[Leaver]) -> EncodedBatch:
        """The transactions that ask for withdrawals."""
        out = [split(amount_wei) for _, amount_wei, _ in leavers]
        passer = len(self._wallets.addresses) - 1
        return self._wallets.transactions(
            senders=np.array([user for user, _, _ in leavers], np.int32),
            to=np.full(len(leavers), passer, np.int32),
            nonces=np.array([nonce for _, _, nonce in leavers], np.uint64),
            amounts=(np.array([low for low, _ in out], np.uint64), np.array([high for _, high in out], np.uint64)),
            l2_gas=self._withdrawal_l2_gas,
            work=self._work,
        )

    def _header(self, work: Work) -> BlockHeader:
        now = self._world.environment.now
        # Each L2 block looks back to at most one L1 block more than the one before (specs, protocol/derivation.md), and
        # never to fewer: where L1 lost blocks, to the one before until L1 is as high again.
        beats = (now - self._origin_ns) // self._block_ns
        self._origin, self._origin_ns = max(self._origin, min(self._chain.height, self._origin + beats)), now
        origin = f"{self._chain.name} {self._origin}".encode()  # the mock L1 has no headers to hash
        work.count_keccak(1, len(origin))
        return BlockHeader(
            parent_hash=self._parent_hash,
            epoch_number=self._origin,
            epoch_hash=keccak256(origin),
            timestamp_s=now // self._block_ns * self._block_ns // NS_PER_S,
        )
