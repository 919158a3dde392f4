"""The state that users can hold to when the operator is gone: that after the last batch which L1 bears out."""

import numpy as np
import numpy.typing as npt

from l2sim.systems.rollup.accounts import Accounts
from l2sim.systems.rollup.kernels import join
from l2sim.systems.rollup.poster import Batch


class Anchor:
    """Follows the batches that L1 bears out, and takes the accounts back to the state after the last of them."""

    def __init__(self, accounts: int, payments: int) -> None:
        self._low = np.zeros(accounts, np.uint64)
        self._high = np.zeros(accounts, np.uint64)
        self._nonces = np.zeros(accounts, np.uint64)
        self._credited_wei = [0] * accounts
        self.payments: npt.NDArray[np.bool_] = np.zeros(payments, np.bool_)
        """Payments in batches that L1 bears out."""

    def take(self, batch: Batch) -> None:
        """The state after this batch holds from now on; batches come in order."""
        for block in batch.blocks:
            delta = block.delta
            self._low[delta.accounts] = delta.low
            self._high[delta.accounts] = delta.high
            self._nonces[delta.accounts] = delta.nonces
            for user, amount_wei in block.credits:
                self._credited_wei[user] += amount_wei
        self.payments[batch.payments] = True
        batch.blocks = []

    def restore(self, accounts: Accounts) -> None:
        """Undo all that came later, except deposits: they lie on L1, and whoever made one gets it back."""
        for user, credited_wei in enumerate(accounts.credited_wei):
            balance_wei = join(self._low[user], self._high[user]) + credited_wei - self._credited_wei[user]
            accounts.put_back(user, balance_wei, int(self._nonces[user]))
