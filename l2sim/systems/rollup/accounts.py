"""L2 accounts as columns, and the tree that commits to them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.hashing import keccak256_batch
from l2sim.crypto.trees.sparse import SparseMerkleTree
from l2sim.crypto.work import Work
from l2sim.errors import InvariantError
from l2sim.money import Prices
from l2sim.systems.rollup.kernels import Words, execute_metered, execute_transfers, join, split

TREE_DEPTH: Final = 32
LEAF_BYTES: Final = 64
NODE_BYTES: Final = 64

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StateDelta:
    """The accounts that some L2 blocks touched, and what is in them afterwards; equally long columns."""

    accounts: Indices
    low: Words
    high: Words
    nonces: Words

    @classmethod
    def merge(cls, deltas: "list[StateDelta]") -> "StateDelta":
        """One delta for several in order: the last state of each account, by account number."""
        accounts = np.concatenate([delta.accounts for delta in deltas])
        _, last_from_the_end = np.unique(accounts[::-1], return_index=True)
        rows = len(accounts) - 1 - last_from_the_end
        low = np.concatenate([delta.low for delta in deltas])
        high = np.concatenate([delta.high for delta in deltas])
        nonces = np.concatenate([delta.nonces for delta in deltas])
        return cls(accounts[rows], low[rows], high[rows], nonces[rows])

    def leaves(self) -> npt.NDArray[np.uint8]:
        """The tree's leaves (k, 32): Keccak-256 of balance and nonce, each 32 bytes big-endian."""
        words = np.zeros((len(self.accounts), LEAF_BYTES // 8), ">u8")
        words[:, 2], words[:, 3], words[:, 7] = self.high, self.low, self.nonces
        return keccak256_batch(words.view(np.uint8))


class Accounts:
    """Balances in wei, nonces, and which accounts are open; columns indexed by user number."""

    def __init__(self, count: int) -> None:
        self.low: Words = np.zeros(count, np.uint64)
        self.high: Words = np.zeros(count, np.uint64)
        self.nonces: Words = np.zeros(count, np.uint64)
        self.is_open: npt.NDArray[np.bool_] = np.zeros(count, np.bool_)
        """Accounts to which a deposit was credited or a payment made; the others do not exist yet and cannot pay."""
        self._touched: npt.NDArray[np.bool_] = np.zeros(count, np.bool_)

        self._credits: list[tuple[int, int]] = []
        self.credited_wei = [0] * count
        """Deposits of each account so far."""

    def __len__(self) -> int:
        return len(self.low)

    def balance_wei(self, account: int) -> int:
        """The balance of one account."""
        return join(self.low[account], self.high[account])

    def credit(self, account: int, amount_wei: int) -> None:
        """Add a deposit to an account and open it."""
        self._credits.append((account, amount_wei))
        self.credited_wei[account] += amount_wei
        self._set(account, self.balance_wei(account) + amount_wei)
        self.is_open[account] = True

    def withdraw(self, account: int, amount_wei: int, fee_wei: int) -> None:
        """Take amount and fee out of an account, as a transaction of its own with its nonce."""
        left = self.balance_wei(account) - amount_wei - fee_wei
        if left < 0:
            raise InvariantError(
                f"account {account} must hold what is taken out: balance {self.balance_wei(account)} wei, "
                f"amount {amount_wei}, fee {fee_wei}"
            )
        self._set(account, left)
        self.nonces[account] += np.uint64(1)

    def put_back(self, account: int, balance_wei: int, nonce: int) -> None:
        """Give an account the balance and nonce of an earlier state."""
        self._set(account, balance_wei)
        self.nonces[account] = nonce
        self.is_open[account] = balance_wei > 0 or nonce > 0

    def _set(self, account: int, balance_wei: int) -> None:
        self.low[account], self.high[account] = split(balance_wei)
        self._touched[account] = True

    def execute(
        self,
        payers: npt.NDArray[np.int32],
        payees: npt.NDArray[np.int32],
        amounts: tuple[Words, Words],
        fee_wei: int,
        room: int,
    ) -> tuple[npt.NDArray[np.uint8], Words]:
        """Execute transfers in order until `room` are done: verdicts and nonces of those that were looked at."""
        verdicts = np.zeros(len(payers), np.uint8)
        nonces = np.zeros(len(payers), np.uint64)
        taken = execute_transfers(
            self.low, self.high, self.nonces, self.is_open, self._touched,
            payers, payees, *amounts, np.uint64(fee_wei), room, verdicts, nonces,
        )  # fmt: skip
        return verdicts[:taken], nonces[:taken]

    def execute_metered(
        self,
        payers: npt.NDArray[np.int32],
        payees: npt.NDArray[np.int32],
        amounts: tuple[Words, Words],
        fees: Words,
        gas: Indices,
        room_gas: int,
        signed_nonces: Words,
    ) -> npt.NDArray[np.uint8]:
        """Execute signed payments in order as far as gas and nonces go: verdicts of those that were looked at."""
        verdicts = np.zeros(len(payers), np.uint8)
        taken = execute_metered(
            self.low, self.high, self.nonces, self.is_open, self._touched,
            payers, payees, *amounts, fees, gas, room_gas, signed_nonces, verdicts,
        )  # fmt: skip
        return verdicts[:taken]

    def take_credits(self) -> tuple[tuple[int, int], ...]:
        """The deposits credited since the last call: accounts and wei."""
        credited, self._credits = tuple(self._credits), []
        return credited

    def take_delta(self) -> StateDelta:
        """What was touched since the last call."""
        accounts = np.flatnonzero(self._touched)
        self._touched[accounts] = False
        return StateDelta(accounts, self.low[accounts], self.high[accounts], self.nonces[accounts])

    @property
    def total_wei(self) -> int:
        """All balances together, exact whatever their size."""
        half = np.uint64(32)
        mask = np.uint64(0xFFFFFFFF)
        return (
            int((self.low & mask).sum())
            + (int((self.low >> half).sum()) << 32)
            + (int((self.high & mask).sum()) << 64)
            + (int((self.high >> half).sum()) << 96)
        )


class StateTree:
    """The sparse Merkle tree over the accounts, updated a batch at a time; without `real` it only counts."""

    def __init__(self, real: bool, work: Work) -> None:
        self._tree = SparseMerkleTree(TREE_DEPTH) if real else None
        self._work = work

    def update(self, delta: StateDelta) -> bytes | None:
        """Write the touched accounts and return the new root; None where cryptography is modelled."""
        self._work.count_keccak(len(delta.accounts), LEAF_BYTES)
        self._work.count_keccak(path_nodes(delta.accounts, TREE_DEPTH), NODE_BYTES)
        if self._tree is None:
            return None
        return self._tree.update(delta.accounts.astype(np.uint64), delta.leaves())


def path_nodes(sorted_accounts: Indices, depth: int) -> int:
    """How many nodes an update of these leaves hashes: their distinct ancestors, level by level.

    >>> path_nodes(np.array([0, 1, 5]), depth=3)
    5
    """
    if len(sorted_accounts) == 0:
        return 0
    nodes = 0
    for height in range(1, depth + 1):
        positions = sorted_accounts >> height
        nodes += 1 + int(np.count_nonzero(positions[1:] != positions[:-1]))
        if positions[0] == positions[-1]:  # one path from here up
            return nodes + depth - height
    return nodes


def amounts_in_wei(amounts_msat: npt.NDArray[np.int64], prices: Prices) -> tuple[Words, Words]:
    """`prices.msat_to_wei` of each amount, as low and high words."""
    most = int(amounts_msat.max(initial=0))
    scale = 10**7 * prices.btc_usd_cents  # wei per msat times cents per ether: money.py
    whole, rest = divmod(scale, prices.eth_usd_cents)
    if most * (whole + 1) < 2**64 and most * rest < 2**64:
        amounts = amounts_msat.astype(np.uint64)
        low = amounts * np.uint64(whole) + amounts * np.uint64(rest) // np.uint64(prices.eth_usd_cents)
        return low, np.zeros(len(low), np.uint64)
    exact = [prices.msat_to_wei(amount) for amount in amounts_msat.tolist()]
    words = [split(value) for value in exact]
    return np.array([word[0] for word in words], np.uint64), np.array([word[1] for word in words], np.uint64)
