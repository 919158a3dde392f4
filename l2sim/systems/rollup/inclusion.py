"""Users whom the sequencer refuses, and their way in through L1.

The rule: the payments of a stated share of users, drawn once, are left out of blocks for a stated time. A refused
payment waits in its payer's wallet. It is sent again when the refusing is over; or, where forced inclusion is offered,
goes through L1 once its payer has lost patience: the block derived after that L1 transaction must hold it, at the
latest when the window has passed, whether the sequencer wants or not and whether it runs or not.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from l2sim.engine import ns
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.l1_account import L1Account
from l2sim.systems.rollup.sequencer_config import CensorshipConfig, ForcedInclusionConfig

Indices = npt.NDArray[np.int64]

FORCED_DATA_BYTES = 260
"""Calldata of a forced transaction: a deposit call with a transfer in it; gives it its size."""


class Refusals:
    """Whom the sequencer refuses, what waits for that, and what goes through L1."""

    def __init__(
        self,
        censorship: CensorshipConfig,
        forced: ForcedInclusionConfig | None,
        world: World,
        chain: EthereumChain,
        account: L1Account,
        confirmations: int,
        pay_on_l1: Callable[[int], object],
    ) -> None:
        """`confirmations`: those after which L2 sees an L1 transaction; `pay_on_l1` is told each fee paid there."""
        users = world.workload.users
        self.refused: npt.NDArray[np.bool_] = (
            world.streams.get("rollup/censored").generator.random(users) < censorship.share
        )
        self._payer = world.workload.payer
        self._world = world
        self._chain = chain
        self._account = account
        self._forced = forced
        self._confirmations = confirmations
        self._pay_on_l1 = pay_on_l1
        self._from_ns = world.horizon.payments_ns + ns(censorship.start_s)
        self._until_ns = None if censorship.duration_s is None else self._from_ns + ns(censorship.duration_s)
        self._waiting: dict[int, None] = {}
        self._going = 0
        self.on_release: Callable[[Indices], object] = lambda _: None
        """Told the payments that are sent to the sequencer again."""
        self.on_forced: Callable[[int, int, bool], object] = lambda *_: None
        """Told a payment that came through L1, the fee it paid there, and whether a block must be made for it now."""

    @property
    def idle(self) -> bool:
        """Whether nothing refused is still to be decided."""
        return not (self._waiting or self._going)

    def pass_on(self, payments: Indices) -> Indices:
        """Those of newly come payments that the sequencer takes; the others wait."""
        now = self._world.environment.now
        if now < self._from_ns or (self._until_ns is not None and now >= self._until_ns):
            return payments
        refused = self.refused[self._payer[payments]]
        if refused.any() and not self._waiting and self._until_ns is not None:
            self._world.environment.call_at(self._until_ns, self._release)
        for payment in payments[refused].tolist():
            self._waiting[payment] = None
            if self._forced is not None:
                self._world.environment.call_in(ns(self._forced.patience_s), self._turn_to_l1, payment)
        return payments[~refused]

    def give_up(self) -> Indices:
        """Let nothing wait any more; what did."""
        waiting = np.array(list(self._waiting), np.int64)
        self._waiting.clear()
        return waiting

    def _release(self) -> None:
        released = np.array(list(self._waiting), np.int64)
        self._waiting.clear()
        if len(released):
            self.on_release(released)

    def _turn_to_l1(self, payment: int) -> None:
        """Send a payment through L1 whose payer waits no longer."""
        if payment not in self._waiting or self._forced is None:
            return
        del self._waiting[payment]
        self._going += 1
        payer = int(self._payer[payment])
        gas, data = self._forced.l1_gas, bytes(FORCED_DATA_BYTES)
        self._account.send(payer, Purpose.PAYMENT, gas, lambda receipt: self._on_l1(payment, receipt), data=data)

    def _on_l1(self, payment: int, receipt: Receipt) -> None:
        self._pay_on_l1(receipt.fee)
        if self._forced is None:
            return
        self._world.recorder.payments.included_ns[payment] = receipt.time_ns
        self._chain.finalize(receipt, lambda _: self._l1_final(payment))
        done = False

        def enter(must: bool) -> None:
            nonlocal done
            if not done:
                done = True
                self._going -= 1
                self.on_forced(payment, receipt.fee, must)

        if self._forced.prompt:
            self._chain.confirm(receipt, self._confirmations, lambda _: enter(must=False))
        else:
            self._world.environment.call_at(receipt.time_ns + ns(self._forced.window_s), lambda: enter(must=True))

    def _l1_final(self, payment: int) -> None:
        self._world.recorder.payments.l1_final_ns[payment] = self._world.environment.now
