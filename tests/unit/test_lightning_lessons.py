"""What payers make of refusals: LND's reading of every code, and terms that come with a refusal."""

import numpy as np
import pytest

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.no_route import Live
from l2sim.systems.lightning.policies.terms import FAILURE_MSAT, NO_FAILURE, SUCCESS_MSAT
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.routing import Route
from tests.support.lightning import SAT, line, on_graph, run_payments, settings

EVEN = (500_000, 500_000)
STAGGERED = {"gossip": {"kind": "staggered"}, "nodes": {"policy_grace_s": 0}}
NODES = 5


class Ring:
    """An attempt of node 0 around a ring of five nodes to node 4 over edges 0, 2, 4 and 6, and what is known after."""

    def __init__(self, **payer):
        channels = [(i, (i + 1) % NODES, 10**9) for i in range(NODES)]
        graph = ChannelGraph.from_channels(
            [f"n{i}" for i in range(NODES)], channels, balance_msat=np.full(2 * NODES, 5 * 10**8)
        )
        self.system = on_graph(graph, [], settings(payer=payer))
        self.payments = self.system.payments
        self.live = Live(10**18)
        route = Route([0, 2, 4, 6], [10_003, 10_002, 10_001, 10_000], [90, 80, 70, 60], 0)
        self.attempt = Attempt(0, list(range(NODES)), route, 30_000)

    def fail(self, hop, refusal, at_s=0):
        lessons = self.payments._lessons
        return lessons.failed(self.attempt, hop, refusal, at_s * NS_PER_S, self.live, None)

    def known(self):
        """By edge: "no" if nothing goes over it, amounts that do not or that do; nothing else is known."""
        memory, table = self.payments._belief.of(0), self.system.table
        found = {}
        for edge in range(2 * NODES):
            facts = None if memory is None else memory.find(int(table.network.key[table.position[edge]]))
            if facts is not None and facts[FAILURE_MSAT] < NO_FAILURE:
                found[edge] = "no" if facts[FAILURE_MSAT] == 0 else -int(facts[FAILURE_MSAT])
            elif facts is not None:
                found[edge] = int(facts[SUCCESS_MSAT])
        return found


@pytest.mark.parametrize(
    ("hop", "refusal", "known", "shunned", "ends"),
    [
        (2, Refusal.INSUFFICIENT_BALANCE, {2: 10_002, 4: -10_001}, [], False),
        (2, Refusal.PEER_OFFLINE, {2: 10_002, 4: -10_001}, [], False),
        (2, Refusal.UNKNOWN_NEXT_PEER, {4: "no", 5: "no"}, [], False),
        (2, Refusal.PERMANENT_CHANNEL_FAILURE, {4: "no", 5: "no"}, [], False),
        (2, Refusal.INVALID_ONION_HMAC, {4: "no", 5: "no"}, [], False),
        (3, Refusal.EXPIRY_TOO_SOON, {2: "no", 3: "no", 4: "no", 5: "no"}, [0], False),
        (1, Refusal.EXPIRY_TOO_SOON, {2: "no", 3: "no"}, [0], False),
        (2, Refusal.TEMPORARY_NODE_FAILURE, {2: "no", 3: "no", 4: "no", 5: "no"}, [], False),
        (1, Refusal.PERMANENT_NODE_FAILURE, {2: "no", 3: "no"}, [0], False),
        (2, Refusal.EXPIRY_TOO_FAR, {2: "no", 3: "no", 4: "no", 5: "no"}, [], False),
        (3, Refusal.INVALID_ONION_PAYLOAD, {2: 10_002, 4: "no", 5: "no", 6: "no", 7: "no"}, [], False),
        (4, Refusal.UNKNOWN_PAYMENT_DETAILS, {2: 10_002, 4: 10_001, 6: 10_000}, [], True),
        (4, Refusal.MPP_TIMEOUT, {2: 10_002, 4: 10_001, 6: 10_000}, [], False),
        (4, Refusal.FINAL_INCORRECT_HTLC_AMOUNT, {2: 10_002, 4: 10_001, 6: "no", 7: "no"}, [], False),
        (4, Refusal.TEMPORARY_NODE_FAILURE, {2: 10_002, 4: 10_001, 6: "no", 7: "no"}, [], True),
    ],
)
def test_lnd_blames_whom_its_result_interpretation_blames(hop, refusal, known, shunned, ends):
    ring = Ring(policy="lnd")
    assert ring.fail(hop, refusal) is ends
    assert (ring.known(), ring.live.shunned) == (known, shunned)


@pytest.mark.parametrize(
    ("refusal", "known"),
    [
        (Refusal.FEE_INSUFFICIENT, {2: "no", 3: "no"}),
        (Refusal.AMOUNT_BELOW_MINIMUM, {2: "no", 3: "no"}),
        (Refusal.INCORRECT_CLTV_EXPIRY, {2: "no", 3: "no"}),
        (Refusal.CHANNEL_DISABLED, {2: 10_002, 4: "no", 5: "no"}),
    ],
)
def test_lnd_gives_a_pair_whose_terms_were_not_met_a_second_chance_once_a_minute(refusal, known):
    ring = Ring(policy="lnd")
    ring.fail(2, refusal)
    assert ring.known() == {}
    ring.fail(2, refusal, at_s=61)
    assert ring.known() == {}
    ring.fail(2, refusal, at_s=121)
    assert ring.known() == known


def test_lnd_blames_a_failed_node_for_all_that_is_known_of_it():
    ring = Ring(policy="lnd")
    belief, position = ring.payments._belief, ring.system.table.position
    for edge in (3, 8):  # from node 2 back to 1, and from 4 on to 0
        belief.carried(0, int(position[edge]), 50_000, 0)
    ring.fail(2, Refusal.TEMPORARY_NODE_FAILURE, at_s=5)
    assert ring.known() == {2: "no", 3: "no", 4: "no", 5: "no", 8: 50_000}


def test_the_others_look_at_where_an_attempt_stopped_and_whether_for_its_amount():
    for policy in ("cheapest", "eclair"):
        ring = Ring(policy=policy)
        ring.fail(2, Refusal.TEMPORARY_NODE_FAILURE)
        assert ring.known() == {4: "no"}
    ring = Ring(policy="cheapest")
    ring.fail(2, Refusal.PEER_OFFLINE)  # the payer is told of a temporary failure, no more
    assert ring.known() == {4: -10_001}


@pytest.mark.parametrize("policy", ["lnd", "eclair", "cln", "ldk", "uniform", "cheapest"])
def test_who_reads_the_update_in_a_refusal_pays_what_is_asked_at_once(policy):
    rows = [(1, 0, 3, 50_000 * SAT), (2, 0, 3, 50_000 * SAT), (3, 3, 0, 50_000 * SAT), (600, 0, 3, 50_000 * SAT)]
    system = on_graph(line(EVEN, EVEN, EVEN), rows, settings(payer={"policy": policy}, **STAGGERED))

    def dearer():
        for edge in (2, 3):
            system.policies.change(edge, system.world.environment.now, 1_500, 100, 90)
            system.announcements.update(edge)

    system.world.environment.call_in(system.world.horizon.payments_ns, dearer)
    record = run_payments(system).world.recorder.payments
    if policy in ("lnd", "eclair"):
        assert record.outcome.tolist() == [Outcome.COMPLETED] * 4
        assert record.attempts.tolist() == [2, 1, 2, 1]  # each payer is told for itself, once
    else:
        assert record.outcome[0] == record.outcome[2] == Outcome.NOT_FORWARDED
        assert record.attempts[0] == 1


def test_what_was_told_changes_nobody_elses_view():
    system = on_graph(line(EVEN, EVEN, EVEN), [], settings(**STAGGERED))
    told, table = system.payments.sight.told, system.table
    system.policies.change(2, 0, 1_500, 100, 90)
    system.announcements.update(2)
    assert told.learn(0, 2)
    assert not told.learn(0, 2)
    fees = table.network.base_fee_msat
    with told.seen_by(3):
        assert fees[table.position[2]] == 1_000
    with told.seen_by(0):
        assert fees[table.position[2]] == 1_500
    assert fees[table.position[2]] == 1_000
    system.policies.change(2, 0, 2_500, 100, 90)
    system.announcements.update(2)
    system.world.environment.run_until(600 * NS_PER_S)
    with told.seen_by(0):
        assert fees[table.position[2]] == 2_500
