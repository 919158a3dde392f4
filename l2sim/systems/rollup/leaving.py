"""Users going out: when each asks for its withdrawal, and who stays because leaving costs more than it is worth."""

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from l2sim.systems.base import Membership, World
from l2sim.systems.rollup.accounts import Accounts
from l2sim.systems.rollup.bridge import LOOK_AGAIN_NS, Bridge


class Leaving:
    """Lets each user out at its own time, if it has more on L2 than leaving costs.

    Who stays for want of a cheap way looks again once an hour, as long as the bridge's patience lasts. Money that comes
    later, by a deposit credited late or a payment that was still under way, is weighed anew when
    it comes, and goes out too if it is worth it.
    """

    def __init__(
        self,
        world: World,
        accounts: Accounts,
        bridge: Bridge,
        withdraw: Callable[[int, int], object],
        on_look: Callable[[], object],
    ) -> None:
        """`withdraw` takes a user who wants out, and the wei that it must have left after the L2 fee to do so.

        `on_look` is called whenever users have looked whether to go.
        """
        self._world = world
        self._accounts = accounts
        self._bridge = bridge
        self._withdraw = withdraw
        self._on_look = on_look
        self.begun = False
        self._to_come: deque[tuple[int, int]] = deque()
        """Time and number of each user whose time is still to come, the next one first."""
        users = len(accounts)
        self._is_going: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Users whose time has come."""
        self._until_ns = [0] * users
        """Until when each of them looks again."""
        self._again: list[tuple[int, int]] = []
        """When who looks again, as a heap."""
        self._waits: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Who is in it."""
        self._stays: npt.NDArray[np.bool_] = np.zeros(users, np.bool_)
        """Those of them whose balance was not worth the way out when they last looked."""

    def begin(self, times_ns: Sequence[int]) -> None:
        """Let user i out at `times_ns[i]`; called once."""
        self.begun = True
        self._to_come = deque(sorted((time_ns, user) for user, time_ns in enumerate(times_ns)))
        self._go_on()

    @property
    def due_ns(self) -> int | None:
        """When the next user's time comes, or somebody looks again; None if nobody is to look any more."""
        return min([time_ns for time_ns, _ in (*itertools.islice(self._to_come, 1), *self._again[:1])], default=None)

    def _go_on(self) -> None:
        environment = self._world.environment
        while self._to_come and self._to_come[0][0] <= environment.now:
            _, user = self._to_come.popleft()
            self._is_going[user] = True
            self._until_ns[user] = environment.now + self._bridge.patience_ns
            self._look(user)
        if self._to_come:
            environment.call_at(self._to_come[0][0], self._go_on)
        self._on_look()

    def _look(self, user: int) -> None:
        cost_wei = self._bridge.most_exit_cost_wei()
        self._stays[user] = self._accounts.balance_wei(user) <= cost_wei
        if self._stays[user]:
            self._look_later(user)
        else:
            self._withdraw(user, cost_wei)

    def _look_later(self, user: int) -> None:
        """Have a user who stays look again in an hour, unless its patience ends before or it has nothing."""
        due_ns = self._world.environment.now + LOOK_AGAIN_NS
        if self._waits[user] or due_ns > self._until_ns[user] or not self._accounts.balance_wei(user):
            return
        self._waits[user] = True
        heappush(self._again, (due_ns, user))
        self._world.environment.call_at(due_ns, self._look_again)

    def _look_again(self) -> None:
        _, user = heappop(self._again)  # calls come in order of time: the first is one that is due now
        self._waits[user] = False
        if self._stays[user]:
            self._look(user)
        self._on_look()

    def money_came(self, users: npt.NDArray[np.int32]) -> None:
        """Have those of `users` whose time has come look again."""
        if self.begun:
            going = np.unique(users)
            for user in going[self._is_going[going]].tolist():
                self._look(user)
            self._on_look()

    def stays(self, user: int) -> None:
        """A user who had asked stays: fees rose, or its money went elsewhere, before its turn came."""
        self._stays[user] = True
        self._look_later(user)
        self._world.environment.call_in(0, self._on_look)  # the block being made comes first

    def membership(self) -> Membership:
        """Who came in by a deposit; who claimed on L1 or had nothing at all to take; what was not worth taking.

        Somebody who never deposited, was paid and claimed it has gone out without having come in.
        """
        bridge, accounts = self._bridge, self._accounts
        left_behind_wei = sum(accounts.balance_wei(user) for user in np.flatnonzero(self._stays).tolist())
        has_nothing = self._stays & bridge.came_in & ~bridge.withdrew & ((accounts.low | accounts.high) == 0)
        return Membership(
            came_in=int(np.count_nonzero(bridge.came_in)),
            went_out=int(np.count_nonzero(bridge.claimed | has_nothing)),
            stranded=left_behind_wei + bridge.abandoned_wei,
        )
