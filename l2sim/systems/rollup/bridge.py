"""The bridge: users' money comes in by L1 deposits and goes out by withdrawals, each with its L1 fee."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.engine import NS_PER_S, ns
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.money import WEI_PER_ETH
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import Accounts
from l2sim.systems.rollup.config import BridgeConfig
from l2sim.systems.rollup.l1_account import L1Account
from l2sim.systems.rollup.liquidity import LiquidityProvider
from l2sim.systems.rollup.poster import Batch
from l2sim.systems.rollup.settlement.words import EXIT_DATA_BYTES

LOOK_AGAIN_NS: Final = 3_600 * NS_PER_S
"""How long those wait who find L1 too dear before they look again."""


@dataclass(slots=True)
class Exit:
    """A withdrawal on its way through L1: what it still carries, and its next step."""

    user: int
    amount_wei: int
    steps: tuple[tuple[int, int], ...]
    """Its L1 transactions: gas, and the wait after each, ns."""
    step: int = 0
    lent_wei: int | None = None
    """What a liquidity provider paid the user for it, if one did: it is then the provider's."""
    until_ns: int | None = None
    """Until when it waits for its next step to be worth its cost; None where it does not wait for that."""


class Bridge:
    """Deposits and withdrawals.

    A user keeps back what its deposit's fee may come to at most, and deposits the rest; what the fee left over stays
    in its wallet on L1. The fees of an exit are paid from what is withdrawn.
    """

    def __init__(
        self, config: BridgeConfig, world: World, chain: EthereumChain, account: L1Account, accounts: Accounts
    ) -> None:
        self._config = config
        self._world = world
        self._chain = chain
        self._account = account
        self._accounts = accounts
        self._exit_steps: tuple[tuple[int, int], ...] = ()
        self._on_credit: Callable[[int], object] = lambda _: None
        self._deposits: list[tuple[int, int]] = []
        self._arriving = 0
        self._waits_ns: list[int] = []
        """When the waits of exits end, as a heap."""
        self.patience_ns = ns(config.exit_patience_s)
        """How long users wait for a way out that is worth its cost."""
        self.entered_wei = 0
        self.depositing_wei = 0
        """In deposits that are not credited yet."""
        self.exiting_wei = 0
        """In withdrawals that have left L2 and are not claimed yet."""
        self.wallets_wei = 0
        """Left over on L1 from what users kept back for their deposits' fees."""
        self.fees_wei = 0
        """L1 fees that users paid."""
        self.left_wei = 0
        self.stolen_wei = 0
        """What a lie that became final took out of the bridge."""
        self.lost_wei = 0
        """What of that is a loss already: withdrawals that the bridge could not pay any more."""
        self._claiming_wei = 0
        """In last steps of withdrawals, on their way into a block."""
        self.abandoned_wei = 0
        """In users' withdrawals whose next step costs more than they carry; it stays in `exiting_wei` as well. Those
        that a provider has bought are its loss."""
        users = len(accounts)
        self.came_in: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Users whose deposit was credited. Those whose funds do not pay for a deposit make none."""
        self.withdrew: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Users who have taken money out of L2."""
        self.claimed: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Those of them to whom it was paid on L1."""
        self._exits = 0
        self._provider: LiquidityProvider | None = None
        self._bought: dict[tuple[int, int], int] = {}
        """Withdrawals that a liquidity provider paid out: what it lent, by user and wei."""
        self._escape_steps: tuple[tuple[int, int], ...] = ()
        self.can_prove: npt.NDArray[np.bool_] | None = None
        """Who can prove what it owns, if not everybody can: for the others nothing follows on a request."""

    def pay_on_l1(self, fee_wei: int) -> None:
        """Let a user pay a fee on L1 from money that it has there for that."""
        self.entered_wei += fee_wei
        self.fees_wei += fee_wei

    # -- in ---------------------------------------------------------------------------------------------------

    def let_in(self) -> None:
        """Spread the users' deposits over the first part of the onboarding phase, one arrival ahead."""
        users = self._world.workload.users
        self._arriving = users
        span_ns = int(self._world.horizon.payments_ns * self._config.deposit_spread)
        times = self._world.streams.get("rollup/deposits").generator.integers(0, span_ns + 1, users)
        order = np.argsort(times, kind="stable")
        self._deposits = list(zip(times[order].tolist(), order.tolist(), strict=True))[::-1]
        self._next_deposit()

    def _next_deposit(self) -> None:
        if self._deposits:
            time_ns, user = self._deposits.pop()
            self._world.environment.call_at(time_ns, self._deposit, user)

    def _deposit(self, user: int) -> None:
        self._next_deposit()
        funds_wei = self._world.prices.msat_to_wei(int(self._world.workload.funds_msat[user]))
        reserve_wei = self._account.most_cost_wei(self._config.deposit_gas)
        amount_wei = funds_wei - reserve_wei
        if amount_wei <= 0:
            self._arriving -= 1
            return
        self.entered_wei += funds_wei
        self.depositing_wei += funds_wei

        def included(receipt: Receipt) -> None:
            self.fees_wei += receipt.fee
            self.wallets_wei += reserve_wei - receipt.fee
            self.depositing_wei -= reserve_wei
            confirmations = self._config.deposit_confirmations
            self._chain.confirm(receipt, confirmations, lambda _: self._credit(user, amount_wei))

        self._account.send(user, Purpose.ONBOARD, self._config.deposit_gas, included, value_wei=amount_wei)

    def _credit(self, user: int, amount_wei: int) -> None:
        self.depositing_wei -= amount_wei
        self._accounts.credit(user, amount_wei)
        self.came_in[user] = True
        self._arriving -= 1
        self._on_credit(user)

    def credits_to(self, on_credit: Callable[[int], object]) -> None:
        """Have `on_credit` told each user whose deposit was credited."""
        self._on_credit = on_credit

    @property
    def arriving(self) -> bool:
        """Whether deposits are to come or not credited yet."""
        return self._arriving > 0

    # -- out --------------------------------------------------------------------------------------------------

    def exits_by(self, steps: tuple[tuple[int, int], ...]) -> None:
        """Set the L1 transactions of a withdrawal: gas, and the wait after each, ns."""
        self._exit_steps = steps

    def escapes_by(self, steps: tuple[tuple[int, int], ...]) -> None:
        """Have users leave by the escape hatch: the L1 transactions of that, a request and a proof of balance."""
        self._escape_steps = steps

    def buys(self, provider: LiquidityProvider) -> None:
        """Have a liquidity provider pay out withdrawals."""
        self._provider = provider

    def most_exit_cost_wei(self) -> int:
        """The most that all L1 steps of going out cost at the fees that wallets offer now."""
        return self._account.most_cost_wei(sum(gas for gas, _ in self._escape_steps or self._exit_steps))

    def withdrawn(self, user: int, amount_wei: int) -> None:
        """A user's money has left L2 in a block."""
        self.withdrew[user] = True
        self._exits += 1
        self.exiting_wei += amount_wei
        provider = self._provider
        if provider is None or (user, amount_wei) in self._bought:
            return
        fee_wei = provider.offer(amount_wei, self.most_exit_cost_wei())
        if fee_wei is not None:
            self._bought[user, amount_wei] = amount_wei - fee_wei
            provider.pay_out(amount_wei, fee_wei, lambda _: self._paid_out(user))

    def _paid_out(self, user: int) -> None:
        self.claimed[user] = True

    def escape(self, user: int) -> None:
        """Let a user out past the operator, with all it has on L2: by a request, and a proof of balance after it."""
        amount_wei = self._accounts.balance_wei(user)
        self._accounts.withdraw(user, amount_wei, 0)
        self.withdrew[user] = True
        self._exits += 1
        self.exiting_wei += amount_wei
        self._take_step(Exit(user, amount_wei, self._escape_steps))

    def exits_open(self, batch: Batch) -> None:
        """The withdrawals of a batch can take their first step on L1."""
        for user, amount_wei in batch.withdrawals:
            lent_wei = self._bought.pop((user, amount_wei), None)
            self._take_step(Exit(user, amount_wei, self._exit_steps, lent_wei=lent_wei))

    def _take_step(self, leaving: Exit) -> None:
        gas, wait_ns = leaving.steps[leaving.step]
        stuck = leaving.step > 0 and self.can_prove is not None and not self.can_prove[leaving.user]
        is_last = leaving.step == len(leaving.steps) - 1
        if is_last and self.held_wei - self._claiming_wei < leaving.amount_wei:
            self._fail(leaving)
            return
        if stuck:
            self._give_up(leaving)
            return
        if self._account.most_cost_wei(gas) > leaving.amount_wei:
            self._wait_for_cheaper(leaving)
            return
        leaving.until_ns = None

        claimed_wei = leaving.amount_wei if is_last else 0
        self._claiming_wei += claimed_wei

        def included(receipt: Receipt) -> None:
            self._claiming_wei -= claimed_wei
            self.fees_wei += receipt.fee
            self.exiting_wei -= receipt.fee
            leaving.amount_wei -= receipt.fee
            leaving.step += 1
            if leaving.step == len(leaving.steps):
                self.exiting_wei -= leaving.amount_wei
                self.left_wei += leaving.amount_wei
                self.claimed[leaving.user] = True
                self._exits -= 1
                if leaving.lent_wei is not None and self._provider is not None:
                    self._provider.came_back(leaving.lent_wei)
            else:
                self._wait(receipt.time_ns + wait_ns, lambda: self._take_step(leaving))

        sender, purpose = leaving.user, Purpose.EXIT
        if leaving.lent_wei is not None and self._provider is not None:
            sender, purpose = self._provider.sender, Purpose.OPERATE
        self._account.send(sender, purpose, gas, included, data=bytes(EXIT_DATA_BYTES))

    def _wait_for_cheaper(self, leaving: Exit) -> None:
        """Look again later whether the next step is worth its cost, or give up."""
        now = self._world.environment.now
        if leaving.until_ns is None:
            leaving.until_ns = now + self.patience_ns
        if now + LOOK_AGAIN_NS > leaving.until_ns:
            self._give_up(leaving)
            return
        self._wait(now + LOOK_AGAIN_NS, lambda: self._take_step(leaving))
        self._account.tell_if_quiet()

    def _fail(self, leaving: Exit) -> None:
        """A withdrawal that the bridge cannot pay: what was stolen is lost by whoever comes last."""
        lost_wei = min(leaving.amount_wei, self.missing_wei)
        self.lost_wei += lost_wei
        self.exiting_wei -= lost_wei
        leaving.amount_wei -= lost_wei
        self._give_up(leaving, lost_wei)

    def _give_up(self, leaving: Exit, stolen_wei: int = 0) -> None:
        """A withdrawal that goes no further; `stolen_wei` of what it carried is stolen, the rest lies in the bridge."""
        if leaving.lent_wei is not None and self._provider is not None:
            self._provider.lose(leaving.lent_wei, stolen_wei)
        else:
            self.abandoned_wei += leaving.amount_wei
        self._exits -= 1
        self._account.tell_if_quiet()

    @property
    def missing_wei(self) -> int:
        """What users are still owed that the bridge does not hold any more."""
        return self.stolen_wei - self.lost_wei

    @property
    def held_wei(self) -> int:
        """What the bridge holds against balances on L2 and withdrawals."""
        return self._accounts.total_wei + self.exiting_wei - self.missing_wei

    def rob(self, amount_wei: int) -> None:
        """Pay out what a false state gives a proposer, as far as the bridge holds it and has not sent it off."""
        taken_wei = min(amount_wei, self.held_wei - self._claiming_wei)
        self.stolen_wei += taken_wei
        self._world.recorder.series.append(
            time_ns=self._world.environment.now, measure="stolen_eth", value=taken_wei / WEI_PER_ETH
        )

    def _wait(self, due_ns: int, then: Callable[[], object]) -> None:
        due_ns = max(due_ns, self._world.environment.now)
        heappush(self._waits_ns, due_ns)

        def over() -> None:
            heappop(self._waits_ns)  # waits end in order of time: the least is this one's
            then()

        self._world.environment.call_at(due_ns, over)

    @property
    def due_ns(self) -> int | None:
        """When the next step of an exit is taken at the earliest; None if none waits."""
        return self._waits_ns[0] if self._waits_ns else None

    @property
    def empty(self) -> bool:
        """Whether no withdrawal is under way."""
        return self._exits == 0
