"""One system's world, and its life from onboarding to the last exit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from l2sim.crypto.profiles import CostProfile
from l2sim.engine import NS_PER_S, Environment, Streams, ns
from l2sim.l1.base import Chain, Purpose
from l2sim.l1.build import build_chain
from l2sim.money import Prices
from l2sim.results.metrics import SystemFacts
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, Recorder
from l2sim.systems.base import CryptoMode, Horizon, PaymentSystem, World
from l2sim.systems.build import build_system
from l2sim.workload.payments import Workload

if TYPE_CHECKING:
    from l2sim.scenario import Scenario

INTERVALS = 100
"""Samples of the state of a system over the payment phase."""

CHECK_NS = NS_PER_S
"""How often, in simulated time, a system is asked whether it has settled or everyone has left."""

StepProgress = Callable[[float, int], None]
"""Told the share of simulated time done and the payments decided so far."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What systems that live together have in common: the clock, the chain, and who records its blocks."""

    environment: Environment
    chain: Chain
    recorder: Recorder


class Life:
    """One system from time 0 to its end.

    1. L1 starts, users come in.
    2. The payment phase, from `horizon.payments_ns`.
    3. Settling: until nothing is under way, at most until `horizon.settle_ns`.
    4. Leaving: until everyone is out and all is final, at most until `horizon.end_ns`. What is still under way
       goes on; what is undecided at the end is unfinished.
    """

    def __init__(
        self,
        name: str,
        config: Any,
        chain_config: Any,
        *,
        streams: Streams,
        workload: Workload,
        horizon: Horizon,
        payments_end_ns: int,
        prices: Prices,
        profile: CostProfile,
        crypto: CryptoMode,
        ground: Ground | None = None,
        tenant: int = 0,
    ) -> None:
        """With `ground` the system lives on that of another one, as tenant number `tenant` of its chain."""
        recorder = Recorder(len(workload))
        if ground is None:
            environment = Environment()
            chain = build_chain(config.l1, chain_config, environment, streams, recorder)
            ground = Ground(environment, chain, recorder)
        else:
            recorder.rows["blocks"] = ground.recorder.blocks  # a chain's blocks are of all who share it
        self.ground = ground
        environment, chain = ground.environment, ground.chain
        self.name = name
        self.kind: str = config.kind
        self.payments_end_ns = payments_end_ns
        self.world = World(
            environment=environment,
            streams=streams,
            chains={config.l1: chain},
            prices=prices,
            profile=profile,
            crypto=crypto,
            workload=workload,
            horizon=horizon,
            recorder=recorder,
            tenant=tenant,
        )
        self.chain = chain
        self.system: PaymentSystem = build_system(name, config, self.world)
        self._capital: list[int] = []

    def end(self) -> None:
        """Sum up; what is undecided is unfinished."""
        self.system.finish()
        self.system.audit().check(f"{self.name} at the end")
        payments = self.world.recorder.payments
        payments.outcome[payments.outcome == Outcome.PENDING] = Outcome.UNFINISHED
        self._write_flows()

    def facts(self) -> SystemFacts:
        """What the finished system says of itself."""
        system, spending = self.system, self.chain.spending_of(self.world.tenant)
        audit = system.audit()
        members = system.membership()
        return SystemFacts(
            kind=self.kind,
            users_in=members.came_in,
            users_out=members.went_out,
            stranded=members.stranded,
            everyone_left=system.left,
            asset=system.asset,
            users=self.world.workload.users,
            payments_start_ns=self.world.horizon.payments_ns,
            payments_end_ns=self.payments_end_ns,
            l1_fees={purpose.value: spending[purpose].fee for purpose in Purpose if purpose in spending},
            l1_bytes={purpose.value: spending[purpose].size_bytes for purpose in Purpose if purpose in spending},
            l1_transactions={
                purpose.value: spending[purpose].transactions for purpose in Purpose if purpose in spending
            },
            service_fees=system.economics.service_fees,
            exit_fees=system.economics.exit_fees,
            stolen=system.economics.stolen,
            operator_costs_usd=system.economics.operator_costs_usd,
            operator_l1_share=system.economics.operator_l1_share,
            capital_locked=sum(self._capital) / len(self._capital),
            signatures_made=system.work.signatures_made,
            signatures_verified=system.work.signatures_verified,
            hashes=system.work.hashes,
            cpu_ns=dict(system.server_busy_ns),
            audit={
                "entered": audit.entered,
                "balances": audit.balances,
                "in_flight": audit.in_flight,
                "fees": audit.fees,
                "left": audit.left,
                "stolen": audit.stolen,
            },
            conserved=audit.conserved,
        )

    def sample(self, time_ns: int) -> None:
        """Record the state at the end of an interval."""
        series, record = self.world.recorder.series, self.world.recorder.payments
        capital = self.system.capital_locked()
        self._capital.append(capital)
        self.system.sample(time_ns)
        counts = np.bincount(record.outcome, minlength=len(Outcome))
        submitted = int(np.count_nonzero((record.submitted_ns != NEVER) & (record.submitted_ns <= time_ns)))
        decided = len(record) - int(counts[Outcome.PENDING])
        locked_usd = self.world.prices.to_usd(self.system.asset, capital)
        series.append(time_ns=time_ns, measure="capital_locked_usd", value=locked_usd)
        series.append(time_ns=time_ns, measure="in_flight", value=float(max(0, submitted - decided)))
        failed = decided - int(counts[Outcome.COMPLETED])
        series.append(time_ns=time_ns, measure="failed_so_far", value=float(failed))

    def _write_flows(self) -> None:
        """Payments submitted, assured and final in each interval of the payment phase and its tail."""
        record, series = self.world.recorder.payments, self.world.recorder.series
        start = self.world.horizon.payments_ns
        width = max(1, -(-(self.payments_end_ns - start) // INTERVALS))
        shown = 4 * INTERVALS
        for measure, times in (("submitted", record.submitted_ns), ("assured", record.assured_ns)):
            known = times[(times != NEVER) & (times < start + shown * width)]
            counts = np.bincount((np.maximum(known, start) - start) // width, minlength=INTERVALS)
            for interval, count in enumerate(counts.tolist()):
                series.append(time_ns=start + (interval + 1) * width, measure=measure, value=float(count))


def live(lives: Sequence[Life], progress: StepProgress | None = None) -> None:
    """Take systems that share their ground, or one that is alone, through all phases together."""
    first = lives[0]
    horizon = first.world.horizon
    clock = _Clock(lives, progress)
    first.chain.start()
    for life in lives:
        life.system.onboard()
    clock.run_until(horizon.payments_ns)
    for life in lives:
        life.system.open()
    span_ns = first.payments_end_ns - horizon.payments_ns
    for interval in range(INTERVALS + 1):
        time_ns = horizon.payments_ns + span_ns * interval // INTERVALS
        clock.run_until(time_ns)
        for life in lives:
            life.sample(time_ns)
    clock.run_while(lambda: not all(life.system.settled for life in lives), horizon.settle_ns)
    for life in lives:
        life.system.audit().check(f"{life.name} when settled")
        life.system.leave()
    clock.run_while(lambda: not all(life.system.left for life in lives), horizon.end_ns)
    for life in lives:
        life.end()
    if progress is not None:
        progress(1.0, len(first.world.recorder.payments))


class _Clock:
    """Lets time pass, and tells how far it has come."""

    def __init__(self, lives: Sequence[Life], progress: StepProgress | None) -> None:
        self._environment = lives[0].ground.environment
        self._end_ns = lives[0].world.horizon.end_ns
        self._record = lives[0].world.recorder.payments
        self._progress = progress
        self._reported = 0.0

    def run_until(self, time_ns: int) -> None:
        self._environment.run_until(time_ns)
        self._report()

    def run_while(self, condition: Callable[[], bool], limit_ns: int) -> None:
        """Run on, asking once every `CHECK_NS`, and going straight to the next event in quiet times."""
        environment = self._environment
        while condition() and environment.now < limit_ns:
            following = max(environment.peek(), environment.now + CHECK_NS)
            environment.run_until(int(min(following, limit_ns)))
            self._report()

    def _report(self) -> None:
        if self._progress is None:
            return
        # Counting is linear in payments: once a per mille of simulated time is often enough.
        done = self._environment.now / self._end_ns
        if done >= self._reported + 0.001:
            self._reported = done
            self._progress(done, len(self._record) - self._record.undecided)


def horizon_of(scenario: "Scenario", payment_phase_ns: int) -> tuple[Horizon, int]:
    """The phases of a scenario in nanoseconds, and the end of its payment phase."""
    phases = scenario.phases
    payments_ns = ns(phases.onboarding_s)
    payments_end_ns = payments_ns + payment_phase_ns
    settle_ns = payments_end_ns + ns(phases.settling_s)
    spread_s = scenario.workload.users if phases.leaving_spread_s is None else phases.leaving_spread_s
    return Horizon(payments_ns, settle_ns, settle_ns + ns(phases.leaving_s), ns(spread_s)), payments_end_ns
