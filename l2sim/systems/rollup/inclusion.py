"""Ways past the sequencer: users whom it refuses, and the way in through L1 for those who lose patience with it.

The rule: the payments of a stated share of users, drawn once, are left out of blocks for a stated time. A refused
payment waits in its payer's wallet. It is sent again when the refusing is over; or, where forced inclusion is offered,
goes through L1 once its payer has lost patience: the block derived after that L1 transaction must hold it, at the
latest when the window has passed, whether the sequencer wants or not and whether it runs or not. Payments that wait out
an outage can go the same way.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.engine import ns
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.config import SEQUENCING_WINDOW_S
from l2sim.systems.rollup.l1_account import L1Account
from l2sim.systems.rollup.sequencer_config import CensorshipConfig, ForcedInclusionConfig

Indices = npt.NDArray[np.int64]

FORCED_DATA_BYTES: Final = 260
"""Calldata of a forced transaction: a deposit call with a transfer in it; gives it its size."""


class ThroughL1:
    """Payments on their way in through L1, past the sequencer."""

    def __init__(
        self,
        config: ForcedInclusionConfig,
        world: World,
        chain: EthereumChain,
        account: L1Account,
        confirmations: int,
        pay_on_l1: Callable[[int], object],
    ) -> None:
        """`confirmations`: those after which L2 sees an L1 transaction; `pay_on_l1` is told each fee paid there."""
        self._config = config
        self._payer = world.workload.payer
        self._world = world
        self._chain = chain
        self._account = account
        self._confirmations = confirmations
        self._pay_on_l1 = pay_on_l1
        self.patience_ns = ns(config.patience_s)
        self.in_outages = config.in_outages
        """Whether payments that wait out an outage come this way too."""
        self.going = 0
        """Payments under way to L2."""
        self.on_seen: Callable[[int, int], object] = lambda *_: None
        """Told a payment that the next block must hold, if one is made, and the fee it paid on L1."""
        self.on_owed: Callable[[int, int], object] = lambda *_: None
        """Told the same of one whose window has passed: a block holds it now, whoever makes it."""

    def send(self, payment: int) -> None:
        """Send a payment through L1 whose payer waits no longer."""
        self.going += 1
        payer = int(self._payer[payment])
        gas, data = self._config.l1_gas, bytes(FORCED_DATA_BYTES)
        self._account.send(payer, Purpose.PAYMENT, gas, lambda receipt: self._on_l1(payment, receipt), data=data)

    def _on_l1(self, payment: int, receipt: Receipt) -> None:
        self._pay_on_l1(receipt.fee)
        self._world.recorder.payments.included_ns[payment] = receipt.time_ns
        self._chain.finalize(receipt, lambda _: self._l1_final(payment))
        seen = False

        def see(_: Receipt) -> None:
            nonlocal seen
            if not seen:
                seen = True
                self.going -= 1
                self.on_seen(payment, receipt.fee)

        def owe() -> None:
            nonlocal seen
            if not seen:
                seen = True
                self.going -= 1
            self.on_owed(payment, receipt.fee)

        window_s = SEQUENCING_WINDOW_S if self._config.prompt else self._config.window_s
        due_ns = max(receipt.time_ns + ns(window_s), self._world.environment.now)
        self._world.environment.call_at(due_ns, owe)
        if self._config.prompt:
            self._chain.confirm(receipt, self._confirmations, see)

    def _l1_final(self, payment: int) -> None:
        self._world.recorder.payments.l1_final_ns[payment] = self._world.environment.now


class Refusals:
    """Whom the sequencer refuses, what waits for that, and what goes through L1."""

    def __init__(
        self,
        censorship: CensorshipConfig,
        world: World,
        through_l1: ThroughL1 | None,
    ) -> None:
        users = world.workload.users
        self.refused: npt.NDArray[np.bool_] = (
            world.streams.get("rollup/censored").generator.random(users) < censorship.share
        )
        self._payer = world.workload.payer
        self._world = world
        self._through_l1 = through_l1
        self._from_ns = world.horizon.payments_ns + ns(censorship.start_s)
        self._until_ns = None if censorship.duration_s is None else self._from_ns + ns(censorship.duration_s)
        self._waiting: dict[int, None] = {}
        self.on_release: Callable[[Indices], object] = lambda _: None
        """Told the payments that are sent to the sequencer again."""

    @property
    def idle(self) -> bool:
        """Whether nothing refused waits."""
        return not self._waiting

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
            if self._through_l1 is not None:
                self._world.environment.call_in(self._through_l1.patience_ns, self._turn_to_l1, payment)
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
        if payment in self._waiting and self._through_l1 is not None:
            del self._waiting[payment]
            self._through_l1.send(payment)
