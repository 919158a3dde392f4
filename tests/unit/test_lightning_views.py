"""What payers know of the network: classes that hear later or sooner, and updates that grow stale."""

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.gossip_config import Observers
from tests.support.lightning import SAT, line, on_graph, run_payments, settings

EVEN = (500_000, 500_000)


def gossip(**changes):
    return {"kind": "staggered"} | changes


def limits(system, view=0):
    """What each edge of the line is announced to carry, but those of its ends, which forward for nobody."""
    table = system.views.tables[view]
    return [int(table.network.limit_msat[table.position[edge]]) for edge in (1, 2, 3, 4)]


def test_each_class_of_payers_pays_by_what_it_has_heard():
    late = [{"share": 0.5, "relays": 100, "flush_s": 3_600}]
    rows = [(600, payer, payee, 10_000 * SAT) for payer, payee in ((0, 2), (2, 0), (1, 3), (3, 1))]
    config = settings(gossip=gossip(observers=late), nodes={"policy_grace_s": 0}, payer={"policy": "cheapest"})
    system = on_graph(line(EVEN, EVEN, EVEN), rows, config)
    class_of = system.views.class_of
    assert sorted(class_of) == [0, 0, 1, 1]

    def dearer():
        for edge in (1, 2, 3, 4):
            system.policies.change(edge, system.world.environment.now, 1_500, 1, 80)
            system.announcements.update(edge)

    system.world.environment.call_in(system.world.horizon.payments_ns, dearer)
    record = run_payments(system).world.recorder.payments
    for row, (_, payer, _, _) in enumerate(rows):
        heard = class_of[payer] == 0
        assert Outcome(record.outcome[row]) is (Outcome.COMPLETED if heard else Outcome.NOT_FORWARDED)
    assert record.fee[record.outcome == Outcome.COMPLETED].tolist() == [1_510, 1_510]


def test_who_fetches_snapshots_hears_all_at_once_and_who_is_told_at_once_needs_no_time():
    classes = [{"share": 0.3, "sync_every_s": 3_600}, {"share": 0.3, "relays": 0}]
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip=gossip(observers=classes)))
    _, fetching, told = system.announcements._views
    heard_s = {(now_s + fetching.delay_ns(now_s * NS_PER_S) // NS_PER_S) for now_s in range(0, 7_200, 7)}
    assert heard_s == {3_600, 7_200, 10_800}
    assert told.delay_ns(5) == 0


def test_the_median_observer_hears_when_it_would_without_other_classes():
    delays = []
    for classes in ([], [{"share": 0.5, "relays": 9}]):
        system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip=gossip(observers=classes)))
        delays.append([system.announcements._views[0].delay_ns(0) for _ in range(50)])
    assert delays[0] == delays[1]


def test_a_class_has_a_share_of_the_users_that_are_in_none_before_it():
    classes = [{"share": 0.5}, {"share": 0.25}, {"share": 1.0}]
    system = on_graph(line(*[EVEN] * 39), [], settings(gossip=gossip(observers=classes)))
    assert np.bincount(system.views.class_of).tolist() == [0, 20, 10, 10]
    with pytest.raises(ValidationError):
        Observers(share=1.5)


def test_channels_of_silent_nodes_are_dropped_within_two_weeks_and_come_back_with_an_update():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip=gossip(silent_share=1.0, observers=[{"share": 0.5}])))
    environment, announcements = system.world.environment, system.announcements
    system.onboard()
    dropped = []
    for day in range(15):
        environment.run_until(day * 86_400 * NS_PER_S)
        dropped.append(announcements.pruned)
    assert dropped[0] == 0
    assert dropped == sorted(dropped)
    assert dropped[-1] == 3
    assert limits(system) == limits(system, 1) == [0] * 4
    announcements.update(2)
    environment.run_until(environment.now + 600 * NS_PER_S)
    assert limits(system) == [0] * 4  # the other end is stale
    announcements.update(3)
    environment.run_until(environment.now + 600 * NS_PER_S)
    assert limits(system) == limits(system, 1) == [0, 10**9, 10**9, 0]
    environment.run_until(environment.now + 14 * 86_400 * NS_PER_S)
    assert (limits(system), announcements.pruned) == ([0] * 4, 4)


def test_a_node_away_for_two_weeks_is_forgotten_and_known_again_when_it_is_back():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(gossip=gossip()))
    environment, staleness = system.world.environment, system.staleness
    assert staleness is not None
    whole = limits(system)
    environment.run_until(10**15)
    staleness.left(2)
    environment.run_until(10**15 + 12 * 86_400 * NS_PER_S)
    assert limits(system) == whole
    environment.run_until(10**15 + 14 * 86_400 * NS_PER_S)
    assert limits(system) == [10**9, 0, 0, 0]  # both channels of node 2
    staleness.back(2)
    environment.run_until(environment.now + 600 * NS_PER_S)
    assert limits(system) == whole
    staleness.left(2)
    staleness.back(2)
    environment.run_until(environment.now + 30 * 86_400 * NS_PER_S)
    assert (limits(system), system.announcements.pruned) == (whole, 2)


def test_nodes_that_come_and_go_lose_their_channels_while_they_are_away_for_long():
    availability = {
        "share": 0.5, "up": {"kind": "constant", "seconds": 3_000}, "down": {"kind": "constant", "seconds": 3_000},
        "disable_after_s": 1e6,
    }  # fmt: skip
    pruned = []
    for stale_after_s in (1_000, 10_000):
        config = settings(
            gossip=gossip(stale_after_s=stale_after_s, refresh_s=500), nodes={"availability": availability},
            channels={"dance": "full"},
        )  # fmt: skip
        system = run_payments(on_graph(line(EVEN, EVEN, EVEN), [(1, 0, 3, 1_000 * SAT)], config))
        system.world.environment.run_until(20_000 * NS_PER_S)
        pruned.append(system.announcements.pruned)
    assert pruned[0] > 0
    assert pruned[1] == 0
