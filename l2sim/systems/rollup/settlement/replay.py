"""Executing posted batches once more, and the state after any single operation of them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from l2sim.crypto.trees.sparse import SparseMerkleTree
from l2sim.errors import InvariantError
from l2sim.systems.rollup.accounts import TREE_DEPTH, StateDelta
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.kernels import join, split
from l2sim.workload.payments import Workload


class Operation(NamedTuple):
    """One step of L2: wei from one account to another or out, and the fee; a deposit comes from nowhere."""

    payer: int | None
    payee: int | None
    amount_wei: int
    fee_wei: int


class Account(NamedTuple):
    """What the tree's leaf of an account commits to."""

    balance_wei: int
    nonce: int


NOTHING = Account(0, 0)


def operations(blocks: Sequence[L2Block], workload: Workload) -> Iterator[Operation]:
    """What the blocks do, in order: in each, deposits credited since the one before, payments, withdrawals."""
    for block in blocks:
        for user, amount_wei in block.credits:
            yield Operation(None, user, amount_wei, 0)
        low, high = block.amounts
        fees_wei = None if block.fees_wei is None else block.fees_wei.tolist()
        for row, payment in enumerate(block.payments.tolist()):
            payer, payee = int(workload.payer[payment]), int(workload.payee[payment])
            fee_wei = block.fee_wei if fees_wei is None else fees_wei[row]
            yield Operation(payer, payee, join(low[row], high[row]), fee_wei)
        for user, amount_wei in block.withdrawals:
            yield Operation(user, None, amount_wei, block.withdrawal_fee_wei)


def apply(operation: Operation, accounts: dict[int, Account]) -> None:
    """Execute one operation; raises InvariantError where an account would go below zero."""
    payer, payee, amount_wei, fee_wei = operation
    if payer is not None:
        account = accounts.get(payer, NOTHING)
        left = account.balance_wei - amount_wei - fee_wei
        if left < 0:
            raise InvariantError(f"account {payer} must not go below zero: {account.balance_wei} wei, {operation}")
        accounts[payer] = Account(left, account.nonce + 1)
    if payee is not None:
        account = accounts.get(payee, NOTHING)
        accounts[payee] = Account(account.balance_wei + amount_wei, account.nonce)


class Replay:
    """A watcher's own copy of the L2 state, as of the last batches that it accepted.

    >>> replay = Replay()
    >>> replay.look_at([Operation(None, 7, 100, 0), Operation(7, 8, 30, 1)])
    >>> before, after = replay.root_after(0), replay.root_after(2)
    >>> replay.accept() == after, replay.balance_wei(7), before == after
    (True, 69, False)
    """

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        self._tree = SparseMerkleTree(TREE_DEPTH, history=1)
        self._operations: list[Operation] = []
        self.roots: dict[tuple[int, int, int], bytes] = {}
        """Roots worked out so far: by operations done, thief and what it stole."""
        self.executed = 0
        """Operations executed to check batches, those of disputes left out."""

    def look_at(self, steps: Sequence[Operation]) -> None:
        """Take operations that follow what was accepted."""
        self._operations = list(steps)
        self.roots = {}

    def __len__(self) -> int:
        return len(self._operations)

    def balance_wei(self, account: int) -> int:
        """What an account holds in the state that was accepted."""
        return self._accounts.get(account, NOTHING).balance_wei

    @property
    def fees_wei(self) -> int:
        """What the operations looked at pay to the sequencer."""
        return sum(operation.fee_wei for operation in self._operations)

    def root_after(self, count: int, *, thief: int = 0, stolen_wei: int = 0) -> bytes:
        """The root after the first `count` operations; with `stolen_wei` also on the account `thief`, as a lie."""
        key = (count, thief, stolen_wei)
        if key not in self.roots:
            touched = self._touched(count)
            if stolen_wei:
                account = touched.get(thief, self._accounts.get(thief, NOTHING))
                touched[thief] = Account(account.balance_wei + stolen_wei, account.nonce)
            if touched:
                self.roots[key] = self._write(touched)
                self._tree.rollback(self._tree.version - 1)
            else:
                self.roots[key] = self._tree.root
        return self.roots[key]

    def accept(self) -> bytes:
        """Execute all operations that were looked at; the root after them."""
        touched = self._touched(len(self._operations))
        self.executed += len(self._operations)
        self._accounts.update(touched)
        self._operations, self.roots = [], {}
        return self._write(touched) if touched else self._tree.root

    def _touched(self, count: int) -> dict[int, Account]:
        """The accounts that the first operations touch, as they leave them."""
        view = _Overlay(self._accounts)
        for operation in self._operations[:count]:
            apply(operation, view)
        return dict(view)

    def _write(self, touched: dict[int, Account]) -> bytes:
        accounts = sorted(touched)
        words = [split(touched[account].balance_wei) for account in accounts]
        delta = StateDelta(
            np.array(accounts, np.int64),
            np.array([low for low, _ in words], np.uint64),
            np.array([high for _, high in words], np.uint64),
            np.array([touched[account].nonce for account in accounts], np.uint64),
        )
        return self._tree.update(delta.accounts.astype(np.uint64), delta.leaves())


class _Overlay(dict[int, Account]):
    """What is written over an older state that stays as it is."""

    def __init__(self, below: dict[int, Account]) -> None:
        super().__init__()
        self._below = below

    def get(self, key: int, default: Account = NOTHING) -> Account:  # type: ignore[override]
        """The account as written here, or else as it was before."""
        return self[key] if key in self else self._below.get(key, default)
