"""How users go out of a rollup: each at its own time, with what comes late, and who stays."""

import pytest

from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Membership, World
from l2sim.systems.rollup.poster import Batch
from l2sim.systems.rollup.system import RollupSystem
from tests.support.rollup import SAT_MSAT, let_out, live, onboard, pay_all, random_load, rollup
from tests.support.worlds import workload

RICH = 100_000_000 * SAT_MSAT
DAY_S = 86_400
QUICK = {"kind": "optimistic", "challenge_window_s": 7_200, "proposal_interval_s": 600}
DEAR = {"background": {"base_fee_gwei": 20.0, "noise_sigma": 0.0, "drift_sigma": 0.0, "burn_in_slots": 20}}


def let_out_from_here(system: RollupSystem, world: World) -> None:
    """Run on until everyone has left, at most to the end of the run."""
    world.environment.run_while(lambda: not system.left, world.horizon.end_ns)


def grow_dear_with_the_proposal(system: RollupSystem, world: World) -> None:
    """Let L1 be dear when withdrawals can take their first step there."""
    open_exits = system.bridge.exits_open

    def dear(batch: Batch) -> None:
        world.chains["eth"].base_fee_wei = 10**18  # type: ignore[attr-defined]  # an EthereumChain
        open_exits(batch)

    system.settlement._on_exits = dear


def test_each_user_asks_at_its_own_time_and_the_chain_sleeps_between() -> None:
    system, world = rollup(random_load(50, 6, 50), leaving_spread_s=2 * DAY_S, settlement=QUICK)
    onboard(system, world)
    pay_all(system, world)
    begun_ns = world.environment.now
    asked: dict[int, int] = {}
    withdraw = system.sequencer.withdraw

    def noted(user: int, keep_wei: int) -> None:
        asked[user] = world.environment.now
        withdraw(user, keep_wei)

    system.leaving._withdraw = noted
    let_out(system, world)
    generator = type(world.streams)(1).get("leaving").generator
    assert asked == {
        user: begun_ns + int(share * 2 * DAY_S * NS_PER_S) for user, share in enumerate(generator.random(6).tolist())
    }
    assert system.left
    assert system.membership() == Membership(came_in=6, went_out=6, stranded=0)
    assert len(set(world.recorder.batches.columns["opened_ns"])) >= 6
    times = world.recorder.blocks.columns["time_ns"]
    leaving = [time_ns for time_ns in times if time_ns > begun_ns]
    assert len(leaving) < (max(leaving) - begun_ns) / (12 * NS_PER_S) / 10


def test_nobody_has_left_before_the_last_time_has_come() -> None:
    poor = workload([], [30_000 * SAT_MSAT] * 3)
    system, world = rollup(poor, chain=DEAR, leaving_spread_s=DAY_S)
    onboard(system, world)
    begun_ns = world.environment.now
    system.leave()
    assert system.leaving.due_ns is not None
    assert not system.left
    world.environment.run_until(begun_ns + DAY_S * NS_PER_S)
    assert system.left
    members = system.membership()
    assert (members.came_in, members.went_out) == (3, 0)
    assert members.stranded == system.accounts.total_wei > 0
    assert sum(time_ns > begun_ns for time_ns in world.recorder.blocks.columns["time_ns"]) < 20


def test_a_deposit_credited_after_leaving_began_goes_out_again() -> None:
    system, world = rollup(workload([], [RICH, RICH]), onboarding_s=600, settlement=QUICK)
    system.onboard()
    world.environment.run_until(10 * NS_PER_S)
    assert system.bridge.arriving
    system.leave()
    assert not system.left
    let_out_from_here(system, world)
    assert system.left
    assert system.membership() == Membership(came_in=2, went_out=2, stranded=0)
    assert system.accounts.total_wei == 0
    assert world.chains["eth"].spending[Purpose.EXIT].transactions == 2 * 2
    system.audit().check("left")


def test_a_payment_confirmed_after_its_payee_left_goes_out_too() -> None:
    system, world = rollup(workload([(10.0, 0, 1, RICH // 2)], [RICH, RICH]), leaving_spread_s=DAY_S, settlement=QUICK)
    onboard(system, world)
    system.leaving_times_ns = lambda: [world.environment.now + DAY_S * NS_PER_S, world.environment.now]  # type: ignore[method-assign]  # user 1 first
    system.leave()
    world.environment.run_until(world.environment.now + 10 * NS_PER_S)
    assert system.accounts.balance_wei(1) == 0
    system.pay(0)
    world.environment.run_until(world.environment.now + 5 * NS_PER_S)
    assert world.recorder.payments.outcome.tolist() == [Outcome.COMPLETED]
    let_out_from_here(system, world)
    assert system.membership() == Membership(came_in=2, went_out=2, stranded=0)
    assert world.chains["eth"].spending[Purpose.EXIT].transactions == 3 * 2


def test_an_exit_whose_next_step_costs_more_than_it_carries_is_stranded() -> None:
    system, world = rollup(workload([], [3_000 * SAT_MSAT]), chain={"initial_base_fee_wei": 10**9}, settlement=QUICK)
    onboard(system, world)
    system.leave()
    world.environment.run_until(world.environment.now + 60 * NS_PER_S)
    carried_wei = system.bridge.exiting_wei
    assert carried_wei > 0
    assert system.membership() == Membership(came_in=1, went_out=0, stranded=0)  # still under way
    grow_dear_with_the_proposal(system, world)
    let_out_from_here(system, world)
    assert system.left
    assert system.bridge.abandoned_wei == system.audit().in_flight == carried_wei
    assert system.membership() == Membership(came_in=1, went_out=0, stranded=carried_wei)
    system.audit().check("left")


@pytest.mark.parametrize("fast", [None, {}])
@pytest.mark.parametrize(("patience_s", "out"), [(0, 0), (1_800, 0), (7_200, 6)])
def test_who_is_patient_leaves_when_l1_is_cheap_again(patience_s: int, out: int, fast: dict[str, int] | None) -> None:
    bridge = {"exit_patience_s": patience_s}
    system, world = rollup(random_load(50, 6, 50), settlement=QUICK, bridge=bridge, fast_exits=fast)
    onboard(system, world)
    pay_all(system, world)
    world.chains["eth"].base_fee_wei = 10**18  # type: ignore[attr-defined]  # an EthereumChain; it falls from slot to slot
    begun_ns = world.environment.now
    let_out(system, world)
    assert system.left
    members = system.membership()
    assert members.went_out == out
    assert (members.stranded > 0) == (out == 0)
    assert (system.accounts.total_wei == 0) == (out == 6)
    assert (world.environment.now - begun_ns > 3_600 * NS_PER_S) or out == 0
    system.audit().check("left")


@pytest.mark.parametrize(("patience_s", "out"), [(0, 0), (7_200, 1)])
def test_a_withdrawal_under_way_waits_for_its_next_step_to_be_cheap(patience_s: int, out: int) -> None:
    system, world = rollup(workload([], [3_000 * SAT_MSAT]), settlement=QUICK, bridge={"exit_patience_s": patience_s})
    onboard(system, world)
    system.leave()
    grow_dear_with_the_proposal(system, world)
    let_out_from_here(system, world)
    assert system.left
    assert system.membership().went_out == out
    assert (system.bridge.abandoned_wei > 0) == (out == 0)
    system.audit().check("left")


def test_who_was_paid_has_an_account_and_can_pay_without_a_deposit() -> None:
    rows = [(1.0, 1, 0, 1_000), (5.0, 0, 1, RICH // 4), (10.0, 1, 0, 1_000)]
    system, world = rollup(workload(rows, [RICH, 0]))
    live(system, world)
    assert world.recorder.payments.outcome.tolist() == [
        Outcome.NOT_ONBOARDED, Outcome.COMPLETED, Outcome.COMPLETED,
    ]  # fmt: skip
    assert system.membership() == Membership(came_in=1, went_out=2, stranded=0)
