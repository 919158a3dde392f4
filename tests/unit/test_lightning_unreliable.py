"""Nodes that go away, connections that break in the middle of a dance, gossip that comes late, HTLCs that expire."""

from pathlib import Path

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.engine import NS_PER_S, Streams
from l2sim.errors import InvariantError, ScenarioError
from l2sim.results.outcomes import Outcome
from l2sim.scenario import load_scenario
from l2sim.systems.lightning.config import ConstantLatency, LatencyClass
from l2sim.systems.lightning.latency import ClassedLatency
from l2sim.systems.lightning.state import Phase
from l2sim.systems.lightning.system import LightningSystem
from tests.properties.test_lightning_payments import random_network, random_rows
from tests.support.lightning import MS, SAT, line, on_graph, quiet_world, run_payments, run_whole, settings

EVEN = (500_000, 500_000)
FULL = {"dance": "full"}
CRYPTO = pytest.mark.parametrize("crypto", ["modelled", "real"])


def outcomes(system):
    return [Outcome(int(outcome)) for outcome in system.world.recorder.payments.outcome]


def run_until(system, seconds):
    """Run up to so long after the first payment."""
    system.world.environment.run_until(system.world.horizon.payments_ns + round(seconds * NS_PER_S))


@CRYPTO
@pytest.mark.parametrize("moment_ms", range(10, 960, 40))
def test_a_connection_may_break_at_any_moment_of_a_dance(moment_ms, crypto):
    # Six messages of 50 ms a hop and way: every moment of adding and removing on the middle channel is met.
    graph = line(EVEN, EVEN, EVEN)
    system = on_graph(graph, [(0, 0, 3, 50_000 * SAT)], settings(channels=FULL), crypto=crypto)
    system.open()
    run_until(system, moment_ms / 1_000)
    system.htlcs.disconnect(1)
    system.state.check("disconnected")
    run_until(system, moment_ms / 1_000 + 100)
    # Either the HTLC over the channel had not been offered and was refused, or it waits there, or it is settled.
    waiting = system.state.in_use(1)
    system.htlcs.reconnect(1)
    run_until(system, moment_ms / 1_000 + 110)
    assert system.settled
    assert not system.state.in_use(1)
    assert system.htlcs._links == {}
    [outcome] = outcomes(system)
    assert outcome in (Outcome.COMPLETED, Outcome.NOT_FORWARDED)
    if waiting:
        assert outcome is Outcome.COMPLETED
    paid = 50_000 * SAT if outcome is Outcome.COMPLETED else 0
    assert system.state.balance_msat[5] == 500_000 * SAT + paid
    system.audit().check("after the connection came back")


def test_a_preimage_goes_on_while_the_channel_it_came_by_is_down():
    system = on_graph(line(EVEN, EVEN, EVEN), [(0, 0, 3, 50_000 * SAT)], settings(channels=FULL))
    system.open()
    run_until(system, 0.520)  # the payee's fulfil has just reached the second router
    system.htlcs.disconnect(2)
    run_until(system, 30)
    assert outcomes(system) == [Outcome.COMPLETED]
    assert system.state.htlcs.tolist() == [0, 0, 0, 0, 1, 0]
    assert system.world.recorder.payments.final_ns[0] == -1
    system.htlcs.reconnect(2)
    run_until(system, 40)
    assert system.settled
    assert system.world.recorder.payments.final_ns[0] > system.world.horizon.payments_ns + 30 * NS_PER_S


def flaky(up_s, down_s, **changes):
    kinds = {
        "up": {"kind": "exponential", "mean_s": up_s},
        "down": {"kind": "exponential", "mean_s": down_s},
    }
    return {"availability": {"share": 1.0, **kinds} | changes}


@CRYPTO
@pytest.mark.parametrize("seed", range(3))
def test_with_nodes_that_come_and_go_money_is_conserved_and_every_payment_ends(seed, crypto):
    rng = np.random.default_rng(seed)
    graph = random_network(rng, 8)
    rows = random_rows(rng, 8, 40)
    config = settings(channels=FULL | {"commit_interval_ms": 10}, nodes=flaky(2, 0.5), latency={"kind": "lognormal"})
    system = on_graph(graph, rows, config, crypto=crypto, seed=seed, onboarding_s=10)
    system.onboard()
    environment = system.world.environment
    environment.run_until(system.world.horizon.payments_ns)
    system.open()
    last_ns = system.world.horizon.payments_ns + int(system.world.workload.time_ns.max())
    while environment.now < last_ns or not system.settled:
        environment.step()
        system.state.check("on the way")
        system.audit().check("on the way")
        assert environment.now < last_ns + 3_600 * NS_PER_S
    assert system.comings.departures > 20
    found = outcomes(system)
    assert Outcome.PENDING not in found
    assert {Outcome.COMPLETED, Outcome.OFFLINE} <= set(found)
    assert not system.state.in_flight_msat.any()


def test_a_node_away_for_long_is_disabled_and_enabled_again_once_back_for_long():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(channels=FULL, nodes=flaky(1e8, 1e8)))
    comings, environment, table = system.comings, system.world.environment, system.table

    def announced():  # edges 0 and 3 lead into node 1
        return [bool(table.network.limit_msat[table.position[edge]]) for edge in (0, 3) if table.position[edge] >= 0]

    assert all(announced())
    comings._leave(1)
    assert system.state.connected.tolist() == [False, False, True]
    environment.run_until(environment.now + 1_199 * NS_PER_S)
    assert system.state.enabled[[0, 3]].all()
    environment.run_until(environment.now + 2 * NS_PER_S)
    assert not system.state.enabled[[0, 3]].any()
    assert not any(announced())
    comings._return(1)
    assert system.state.connected.all()
    environment.run_until(environment.now + 1_139 * NS_PER_S)
    assert not system.state.enabled[[0, 3]].any()
    environment.run_until(environment.now + 2 * NS_PER_S)
    assert system.state.enabled[[0, 3]].all()
    assert all(announced())


def test_payers_with_an_old_view_are_told_what_was_wrong():
    rows = [(10, 0, 3, 50_000 * SAT), (400, 0, 3, 50_000 * SAT)]
    for gossip, expected in (
        ("staggered", [Outcome.NOT_FORWARDED, Outcome.COMPLETED]),
        ("instant", [Outcome.COMPLETED, Outcome.COMPLETED]),
    ):
        config = settings(
            gossip={"kind": gossip}, nodes={"policy_grace_s": 0}, payer={"policy": "cheapest", "memory_s": 1}
        )
        system = on_graph(line(EVEN, EVEN, EVEN), rows, config)
        environment = system.world.environment
        environment.run_until(system.world.horizon.payments_ns)
        system.policies.change(2, environment.now, 5_000, 100, 80)
        system.announcements.update(2)
        run_payments(system)
        assert outcomes(system) == expected
        if gossip == "staggered":
            assert system.world.recorder.payments.failure_code[0] == FailureCode.FEE_INSUFFICIENT


def test_updates_wait_at_each_relay_for_its_flush():
    system = on_graph(line(EVEN, EVEN), [], settings(gossip={"kind": "staggered"}))
    view = system.announcements._views[0]
    waits_s = np.array([view.delay_ns(0) for _ in range(20_000)]) / NS_PER_S
    # A sum of three uniform waits of a minute: mean 1.5 flushes, standard deviation 0.5.
    assert waits_s.mean() == pytest.approx(90, rel=0.02)
    assert waits_s.std() == pytest.approx(30, rel=0.02)
    assert waits_s.max() < 180


def test_relays_pass_on_a_burst_and_then_one_a_minute():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip={"kind": "staggered"}))
    gossip, environment = system.announcements, system.world.environment
    for _ in range(12):
        gossip.update(2)
    assert (gossip.sent, gossip.dropped) == (12, 2)
    environment.run_until(environment.now + 60 * NS_PER_S)
    gossip.update(2)
    gossip.update(2)
    assert gossip.dropped == 3


def test_an_older_update_that_comes_later_is_dropped():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip={"kind": "staggered"}))
    gossip, table = system.announcements, system.table
    gossip._heard(gossip._views[0], 2, 5, (7_000, 1, 80, 1_000, 10**9), (0, 0))
    gossip._heard(gossip._views[0], 2, 4, (9_000, 1, 80, 1_000, 10**9), (0, 0))
    assert table.network.base_fee_msat[table.position[2]] == 7_000


def test_an_update_that_comes_after_its_channel_went_on_chain_does_not_bring_it_back():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip={"kind": "staggered"}))
    environment, table = system.world.environment, system.table
    system.announcements.update(2)
    environment.run_until(10**9)
    assert system.forced.force(1, 0) is not None
    environment.run_until(200 * NS_PER_S)
    assert table.network.limit_msat[table.position[2]] == 0


def test_routers_change_their_fees_and_payers_find_out_the_hard_way():
    rng = np.random.default_rng(4)
    graph = random_network(rng, 12, scale=100)
    rows = [(2 * i, int(i % 12), int((i + 5) % 12), 10**7) for i in range(200)]
    changes = {"every": {"kind": "exponential", "mean_s": 120}, "sigma": 1.5}
    results = []
    for gossip in ("instant", "staggered"):
        config = settings(gossip={"kind": gossip}, fee_changes=changes, nodes={"policy_grace_s": 0})
        system = run_whole(on_graph(graph, rows, config))
        results.append((int(system.world.recorder.payments.attempts.sum()), system._fee_changer.changes))
    assert results[0][1] == results[1][1] > 50
    assert results[1][0] > results[0][0]


class Watcher:
    """Takes each channel with an overdue HTLC on chain, and says at once how its HTLCs end there."""

    def __init__(self, network):
        self.network = network
        self.told = []

    def deadline(self, channel, attempt, hop, *, offered):
        self.told.append((channel, hop, offered))
        held = self.network.take_on_chain(channel, 1 - offered)  # HTLCs of channel 2 go from its side 0 to side 1
        for htlc in [*held.htlcs, *held.others]:
            self.network.resolve(*htlc, fulfilled=self.network.knows_preimage(*htlc))


@CRYPTO
@pytest.mark.parametrize("moment_ms", [330, 445, 520])
def test_an_htlc_that_expires_behind_a_broken_connection_ends_on_chain(moment_ms, crypto):
    rows = [(0, 0, 3, 50_000 * SAT)]
    config = settings(channels=FULL, payer={"policy": "cheapest"})
    system = on_graph(line(EVEN, EVEN, EVEN), rows, config, crypto=crypto, payments_s=10 * 86_400)
    watcher = Watcher(system.htlcs)
    system.htlcs.watch(watcher, every_ns=600 * NS_PER_S, claim_blocks=16, grace_blocks=0)
    system.open()
    run_until(system, moment_ms / 1_000)
    system.htlcs.disconnect(2)
    run_until(system, 5 * 86_400)
    assert system.settled
    assert not system.state.in_flight_msat.any()
    [outcome] = outcomes(system)
    if moment_ms == 520:  # the payee knew the preimage, and claims in time
        assert watcher.told == [(2, 2, False)]
        assert outcome is Outcome.COMPLETED
    else:
        assert watcher.told == [(2, 2, True)]
        assert system.world.recorder.payments.failure_code[0] == FailureCode.PERMANENT_CHANNEL_FAILURE
        assert system.world.recorder.payments.failed_hop[0] == 2


def test_a_channel_on_chain_is_not_connected_again():
    system = on_graph(line(EVEN, EVEN), [], settings(channels=FULL))
    system.htlcs.take_on_chain(0, 0)
    system.htlcs.reconnect(0)
    assert not system.state.connected[0]


def test_commitments_that_do_not_agree_with_the_state_stop_the_run():
    system = on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)], settings(channels=FULL))
    system.open()
    run_until(system, 0.1)
    system.state.balance_msat[3] += 1
    system.state.balance_msat[2] -= 1
    system.htlcs._links[0].sides[0].contents.balances_msat[0] += 5
    with pytest.raises(InvariantError, match="both commitments must say what its sides own"):
        run_until(system, 10)


@pytest.mark.parametrize(
    ("channels", "others", "rule"),
    [
        ({"commit_interval_ms": 10}, {}, "commit_interval_ms must be 0 with dance: quick"),
        ({}, {"nodes": {"availability": {}}}, "availability must be left out with dance: quick"),
        ({}, {"onchain": {"forced_per_channel_year": 1}}, "forced_per_channel_year needs channels.dance: full"),
    ],
)
def test_what_the_quick_dance_cannot_do_is_refused(channels, others, rule):
    with pytest.raises(ValueError, match=rule):
        settings(channels=channels | {"dance": "quick"}, **others)


@pytest.mark.parametrize(
    ("hold", "fits"),
    [
        ({"kind": "constant", "seconds": 900}, True),
        ({"kind": "constant", "seconds": 1_200}, False),
        ({"kind": "exponential", "mean_s": 40}, True),
        ({"kind": "exponential", "mean_s": 60}, False),
        ({"kind": "lognormal", "median_s": 60, "sigma": 0.4}, True),
        ({"kind": "lognormal", "median_s": 60, "sigma": 1}, False),
        ({"kind": "pareto", "mean_s": 60, "shape": 2}, False),
    ],
)
def test_htlcs_that_could_outlive_their_expiry_need_the_full_dance(hold, fits):
    def system(dance):
        return settings(channels={"dance": dance}, nodes={"hold": hold}, payer={"multipath": {"hold_s": 120}})

    # 18 blocks of ten minutes are left at the payee, of which a tenth is 1,080 seconds.
    assert (system("quick").held_too_long(600) is None) == fits
    assert system("full").held_too_long(600) is None
    assert system("quick").held_too_long(60) is not None


def test_a_scenario_in_which_they_could_is_refused_with_the_place(tmp_path):
    text = Path("scenarios/quickstart.yaml").read_text(encoding="utf-8")
    lightning = next(line for line in text.splitlines() if "kind: lightning" in line)
    indent = lightning[: len(lightning) - len(lightning.lstrip())]
    file = tmp_path / "held.yaml"
    hold = f"{lightning}\n{indent}nodes:\n{indent}  hold: {{kind: constant, seconds: 7200}}"
    file.write_text(text.replace(lightning, hold, 1), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"held.yaml:\d+:\d+ systems\.\w+\.nodes\.hold: must be over within 1080 s"):
        load_scenario(file)


def test_latency_is_drawn_for_each_packet():
    system = on_graph(line(EVEN), [(0, 0, 1, 50_000 * SAT)], settings(channels=FULL))
    record = run_payments(system).world.recorder.payments
    assert 150 * MS < record.assured_ns[0] - record.submitted_ns[0] < 160 * MS


def attached(gossip, **changes):
    """Users who open channels with routers of their own choice, over blocks of ten minutes."""
    made = quiet_world([(1.0, 0, 1, 50_000 * SAT)], 4, funds_msat=10**9, onboarding_s=4 * 3_600)
    config = settings(
        users={"kind": "attached", "opening_share": 0}, liquidity={"kind": "even"}, gossip=gossip,
        topology={"kind": "generated", "nodes": 20}, **changes,
    )  # fmt: skip
    return LightningSystem("lightning", config, made, made.chains["bitcoin"])


def announced(system, channel):
    """Whether payers would pay through the router's side of a user's channel."""
    return bool(system.table.network.limit_msat[system.table.position[2 * channel + 1]])


def test_channels_of_users_are_announced_when_deep_and_after_a_while():
    heard_s = {}
    for kind in ("instant", "staggered"):
        system = attached({"kind": kind})
        first, environment = system.population.backbone_channels, system.world.environment
        system.onboard()
        while not announced(system, first):
            environment.step()
        assert system.state.phase[first] == Phase.OPEN
        heard_s[kind] = environment.now / NS_PER_S
    assert heard_s["instant"] == 3 * 600  # three confirmations, and the channel is used and known
    assert 6 * 600 < heard_s["staggered"] < 6 * 600 + 180  # six, and three relays


@pytest.mark.parametrize("burst", [1, 10])
def test_channels_that_close_are_disabled_by_gossip_and_forgotten_after_72_blocks(burst):
    system = attached({"kind": "staggered", "burst": burst, "refill_s": 1e8}, backbone={"renewals": 0})
    first, environment = system.population.backbone_channels, system.world.environment
    system.onboard()
    environment.run_until(system.world.horizon.payments_ns)
    system.open()
    if burst == 1:  # relays let one update through and are full when the channel closes
        for channel in range(first, first + 4):
            system.announcements.update(2 * channel + 1)
    left_ns = environment.now + 60 * NS_PER_S
    environment.run_until(left_ns)
    system.leave()
    while announced(system, first):
        environment.step()
    assert system.state.phase[first] != Phase.OPEN
    waited_blocks = (environment.now - system._book.closed_ns[first]) / (600 * NS_PER_S)
    assert waited_blocks == 71 if burst == 1 else environment.now < left_ns + 184 * NS_PER_S


@pytest.mark.parametrize("dance", ["quick", "full"])
def test_messages_to_and_from_nodes_of_a_class_take_its_time(dance):
    slow = {"share": 1, "who": "routers", "latency": {"kind": "constant", "one_way_ms": 400}}
    waits = []
    for classes in ([], [slow | {"share": 0}], [slow]):
        config = settings(channels={"dance": dance}, latency_classes=classes)
        system = on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)], config)
        record = run_payments(system).world.recorder.payments
        waits.append(int(record.assured_ns[0] - record.submitted_ns[0]))
    assert waits[0] == waits[1]
    # Three messages on each of two channels, of 50 ms each: where the users are all nodes, no router is left.
    assert 300 * MS < waits[0] < 320 * MS
    assert waits[2] == waits[0]
    slow["who"] = "all"
    system = on_graph(
        line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)], settings(channels={"dance": dance}, latency_classes=[slow])
    )
    record = run_payments(system).world.recorder.payments
    assert int(record.assured_ns[0] - record.submitted_ns[0]) - waits[0] == 6 * 350 * MS


def test_classes_are_drawn_among_their_nodes_and_the_later_one_rules():
    is_user = np.arange(1_000) >= 600
    classes = [
        LatencyClass(share=0.5, who="routers", latency=ConstantLatency(one_way_ms=200)),
        LatencyClass(share=0.25, who="users", latency=ConstantLatency(one_way_ms=900)),
        LatencyClass(share=0.9, latency=ConstantLatency(one_way_ms=70)),
    ]
    latencies = ClassedLatency(ConstantLatency(one_way_ms=50), classes, is_user, Streams(seed=1))
    class_of = np.array(latencies.class_of)
    assert np.bincount(class_of).tolist() == [0, 300, 100, 600]
    assert not is_user[class_of == 1].any()
    assert is_user[class_of == 2].all()
    router, user = int(np.argmax(class_of == 1)), int(np.argmax(class_of == 2))
    assert latencies.between_ns(router, user) == latencies.between_ns(user, router) == 900 * MS
    assert latencies.between_ns(router, router) == 200 * MS
