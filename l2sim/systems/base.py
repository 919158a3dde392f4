"""What every payment system promises, and what it is built from.

The life of a system in a run, in order:

1. `onboard()` at time 0: users come in (channel opens, deposits); every step is an L1 transaction.
2. `pay(i)` at the time of each payment, from `horizon.payments_ns` on, one arrival ahead.
3. `leave()` once every payment is decided or the settling time is over: users go out (closes, withdrawals), each
   at its own time of `leaving_times_ns()`. Payments still under way go on.
4. `finish()` at the end: undecided payments become `UNFINISHED`, last rows are written.

`settled` says when nothing is under way any more between 2 and 3, `left` between 3 and 4. `audit()` may be
called at any instant and must always balance.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from l2sim.crypto.profiles import CostProfile
from l2sim.crypto.work import Work
from l2sim.engine import Environment, Streams
from l2sim.errors import InvariantError
from l2sim.l1.base import Chain, Purpose
from l2sim.money import Asset, Prices
from l2sim.results.recorder import Recorder
from l2sim.workload.payments import Workload

CryptoMode = Literal["real", "modelled"]


@dataclass(frozen=True, slots=True)
class Horizon:
    """The phases of a run in simulated nanoseconds from its start."""

    payments_ns: int
    """When the payment phase begins: onboarding must be done by then, or payments fail."""
    settle_ns: int
    """When users begin to leave, at the latest: sooner if every payment is decided."""
    end_ns: int
    """When the run ends, at the latest."""
    leaving_spread_ns: int = 0
    """Over how long users begin to go out, spread evenly: all at once if 0."""


@dataclass(frozen=True, slots=True)
class World:
    """All that a system is built from; each system of a run has a world of its own, with equal streams."""

    environment: Environment
    streams: Streams
    chains: Mapping[str, Chain]
    prices: Prices
    profile: CostProfile
    crypto: CryptoMode
    workload: Workload
    horizon: Horizon
    recorder: Recorder
    tenant: int = 0
    """The system's number among those that share its chain."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Where a system's money is, in the smallest unit of its asset; both sides must be equal.

    What entered equals balances + in flight + fees + what left + what was stolen. Money that users are owed and that
    was stolen is in no balance.
    """

    entered: int
    balances: int
    in_flight: int
    fees: int
    left: int
    stolen: int = 0
    """What somebody took out who had no right to it."""

    @property
    def conserved(self) -> bool:
        """Whether not one unit was made or lost."""
        return self.entered == self.balances + self.in_flight + self.fees + self.left + self.stolen

    def check(self, where: str) -> None:
        """Raise InvariantError with the numbers unless money is conserved."""
        if not self.conserved:
            raise InvariantError(
                f"{where}: money is not conserved: entered {self.entered}, balances {self.balances}, "
                f"in flight {self.in_flight}, fees {self.fees}, left {self.left}, stolen {self.stolen}, difference "
                f"{self.balances + self.in_flight + self.fees + self.left + self.stolen - self.entered}"
            )


@dataclass(slots=True)
class Economics:
    """Money a system moved between users and operators off L1, in the smallest unit of its asset.

    L1 fees are in `Chain.spending`. `service_fees` are what payers paid to operators (routers, sequencer) for
    their payments, `exit_fees` what users paid to operators for going out;
    `operator_costs_usd` are costs that no chain sees (proving, servers).
    """

    service_fees: int = 0
    exit_fees: int = 0
    stolen: int = 0
    """What somebody took from users who had no right to it."""
    operator_costs_usd: float = 0.0
    operator_l1_share: float = 1.0
    """Which part of the operators' L1 spending belongs to this run: 1, or run time over the lifetime of what
    they built (routers' own channels)."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who came in and who went out; known in full at the end of a run."""

    came_in: int
    """Users whose way onto the system was confirmed."""
    went_out: int
    """Users whose money is back on L1, or who had none left to take."""
    stranded: int
    """Users' money left behind because going out would cost more, in the asset's smallest unit."""


class PaymentSystem(ABC):
    """A payment system of a scenario."""

    kind: ClassVar[str]

    def __init__(self, name: str, world: World, chain: Chain) -> None:
        self.name = name
        self.world = world
        self.chain = chain
        self.work = Work()
        self.economics = Economics()

    @property
    def asset(self) -> Asset:
        """What the system's amounts and fees are counted in."""
        return self.chain.asset

    def foreseen(self) -> list[str]:
        """What is sure to fail, as far as it is known before the first event, in sentences; usually nothing."""
        return []

    @abstractmethod
    def onboard(self) -> None:
        """Let the users in; called once, at time 0."""

    def open(self) -> None:
        """Begin the payment phase: call `pay` at each payment's time, keeping one arrival ahead.

        A system that takes payments in bulk overrides this and reads the workload's columns itself.
        """
        if len(self.world.workload):
            first = self.world.horizon.payments_ns + int(self.world.workload.time_ns[0])
            self.world.environment.call_at(first, self._arrive, 0)

    def _arrive(self, payment: int) -> None:
        following = payment + 1
        if following < len(self.world.workload):
            time_ns = self.world.horizon.payments_ns + int(self.world.workload.time_ns[following])
            self.world.environment.call_at(time_ns, self._arrive, following)
        self.pay(payment)

    @abstractmethod
    def pay(self, payment: int) -> None:
        """Send payment number `payment` of the workload now."""

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether every payment submitted so far is decided and nothing of it is under way on or off chain.

        Finality may still be to come where it is only a matter of time and a scheduled call will write it.
        """

    @abstractmethod
    def leave(self) -> None:
        """Let the users out; called once, after the last payment."""

    @property
    @abstractmethod
    def left(self) -> bool:
        """Whether every user is out and every time of finality is written."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is known only at the end of the run; called once, after the last event."""

    def leaving_times_ns(self) -> list[int]:
        """When each user begins to go out, from now on; the same spread for every system of a run."""
        spread_ns = self.world.horizon.leaving_spread_ns
        shares = self.world.streams.get("leaving").generator.random(self.world.workload.users)
        now = self.world.environment.now
        return [now + int(share * spread_ns) for share in shares.tolist()]

    @abstractmethod
    def membership(self) -> Membership:
        """Who came in and who went out so far."""

    @abstractmethod
    def audit(self) -> Audit:
        """Where the money is now."""

    @abstractmethod
    def capital_locked(self) -> int:
        """Money tied up in the system now, in the smallest unit of its asset: users' and operators'."""

    def sample(self, time_ns: int) -> None:
        """Record, at the end of an interval, what only this kind of system has to show; by default nothing."""
        del time_ns

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """CPU time used by each kind of server, from the cost profile."""
        return {}


__all__ = [
    "Asset", "Audit", "CryptoMode", "Economics", "Horizon", "Membership", "PaymentSystem", "Purpose", "World",
]  # fmt: skip
