"""Users go out each at its own time, and who is in and out is known."""

from dataclasses import replace

import numpy as np

from l2sim.engine import NS_PER_S, Streams
from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Membership
from l2sim.systems.lightning.config import LightningConfig
from l2sim.systems.lightning.opening import closing_outputs
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.state import Phase
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, line, on_graph, quiet_world, run_payments, run_whole

EVEN = (500_000, 500_000)
SPREAD_NS = 3_600 * NS_PER_S


def system(rows, users=6, funds_msat=10**9, spread_ns=SPREAD_NS, user_settings=None, **changes):
    config = LightningConfig.model_validate(
        {
            "kind": "lightning",
            "l1": "bitcoin",
            "topology": {"kind": "generated", "nodes": 20},
            "users": {"kind": "attached"} | (user_settings or {}),
            "backbone": {"renewals": 0},
        }
        | changes
    )
    world = quiet_world(rows, users, funds_msat, onboarding_s=7_200)
    world = replace(world, horizon=replace(world.horizon, leaving_spread_ns=spread_ns))
    return LightningSystem("lightning", config, world, world.chains["bitcoin"])


def of_users(made):
    return made.state.phase[made.population.backbone_channels :].reshape(made.world.workload.users, -1)


def leave_and_wait(made):
    environment = made.world.environment
    made.leave()
    environment.run_while(lambda: not made.left, made.world.horizon.end_ns)
    made.finish()
    made.audit().check("all out")


def test_each_user_closes_its_channels_at_its_own_time():
    made = system([(0, 0, 1, 30_000 * SAT)], user_settings={"channels": 2})
    environment = made.world.environment
    run_payments(made)
    assert made.membership() == Membership(came_in=6, went_out=0, stranded=0)
    start_ns = environment.now
    shares = Streams(seed=1).get("leaving").generator.random(6)
    expected_ns = [start_ns + int(share * SPREAD_NS) for share in shares.tolist()]
    made.leave()
    for user in np.argsort(expected_ns).tolist():
        environment.run_until(expected_ns[user] - 1)
        assert (of_users(made)[user] == Phase.OPEN).all()
        assert not made.left
        environment.run_until(expected_ns[user])
        assert (of_users(made)[user] == Phase.CLOSING).all()
    environment.run_while(lambda: not made.left, made.world.horizon.end_ns)
    assert made.membership() == Membership(came_in=6, went_out=6, stranded=0)
    first = made.population.backbone_channels
    assert (made._book.closed_ns[first:].reshape(6, 2).min(axis=1) >= expected_ns).all()


def test_only_users_all_of_whose_channels_are_closed_are_out():
    made = system([], user_settings={"channels": 2})
    environment = made.world.environment
    run_payments(made)
    first = made.population.backbone_channels
    made._channels._leave(first)  # one of user 0's
    environment.run_while(lambda: made.state.phase[first] != Phase.CLOSED, made.world.horizon.end_ns)
    assert made.state.phase[first] == Phase.CLOSED
    assert made.membership() == Membership(came_in=6, went_out=0, stranded=0)
    made._channels._leave(first + 1)
    environment.run_while(lambda: made.state.phase[first + 1] != Phase.CLOSED, made.world.horizon.end_ns)
    assert made.membership() == Membership(came_in=6, went_out=1, stranded=0)


def test_users_that_never_came_in_are_out_at_once():
    made = system([(0, 0, 1, 30_000 * SAT)], funds_msat=25_000 * SAT)
    run_payments(made)
    made.leave()
    assert made.left
    assert made.membership() == Membership(came_in=0, went_out=0, stranded=0)


def test_a_channel_confirmed_after_its_users_time_is_closed_then():
    made = system([], spread_ns=60 * NS_PER_S)
    environment = made.world.environment
    made.onboard()
    environment.run_until(1_000 * NS_PER_S)  # of the 1800 s in which channels are opened
    funding = np.flatnonzero((of_users(made) == Phase.FUNDING).any(axis=1)).tolist()
    unfunded = np.flatnonzero((of_users(made) == Phase.UNFUNDED).all(axis=1)).tolist()
    assert funding
    assert unfunded
    leave_and_wait(made)
    phases = of_users(made)
    assert (phases[funding] == Phase.CLOSED).all()
    assert (phases[unfunded] == Phase.UNFUNDED).all()
    assert made.membership() == Membership(came_in=6 - len(unfunded), went_out=6 - len(unfunded), stranded=0)
    assert made.chain.spending[Purpose.EXIT].transactions == 6 - len(unfunded)


def test_an_htlc_in_flight_keeps_a_channel_and_no_new_one_comes():
    made = system([(0, 0, 1, 30_000 * SAT)], spread_ns=0, latency={"kind": "constant", "one_way_ms": 50})
    environment = made.world.environment
    made.onboard()
    environment.run_until(made.world.horizon.payments_ns)
    made.open()
    environment.run_until(made.world.horizon.payments_ns + 20_000_000)
    payer = made.population.backbone_channels
    assert made.state.in_use(payer)
    made.leave()
    environment.run_until(environment.now)
    assert made.chain.pending == 6 - 1
    for channel in range(payer, payer + 6):
        for edge in (2 * channel, 2 * channel + 1):
            assert made.state.refusal(edge, 1_000 * SAT) is Refusal.CHANNEL_DISABLED
    environment.run_while(lambda: not made.left, made.world.horizon.end_ns)
    assert made.membership() == Membership(came_in=6, went_out=6, stranded=0)
    assert made.world.recorder.payments.outcome[0] in (Outcome.TIMED_OUT, Outcome.NO_LIQUIDITY)


def test_a_balance_that_a_close_eats_up_is_stranded():
    # All but 200 sat are paid away: less than the close costs.
    made = system([], users=2, user_settings={"inbound_share": 1.0}, channels={"reserve_ppm": 0})
    run_payments(made)
    state, edge = made.state, 2 * made.population.backbone_channels
    kept_sat = 200
    amount_msat = int(state.balance_msat[edge]) - kept_sat * SAT
    state.lock(edge, amount_msat)
    state.drop_output(edge, amount_msat)
    state.settle(edge, amount_msat)
    assert closing_outputs(kept_sat, 10**6, 100)[0] == 0
    leave_and_wait(made)
    assert made.membership() == Membership(came_in=2, went_out=2, stranded=kept_sat * SAT)


def test_users_that_are_nodes_of_the_network_stay_on_it():
    made = run_whole(on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)]))
    assert made.left
    assert made.membership() == Membership(came_in=3, went_out=0, stranded=0)
