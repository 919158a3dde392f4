"""Payments in parts over random networks: money is conserved, none is delivered in part, and dividing never hurts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.results.outcomes import Outcome
from tests.properties.test_lightning_payments import random_network
from tests.support.lightning import on_graph, run_payments
from tests.support.lightning import settings as system_settings

POLICY = st.sampled_from(("cheapest", "lnd", "cln", "ldk", "eclair", "uniform"))
SPLIT = st.sampled_from(("halving", "capacity"))
POLICY_AND_SPLIT = st.tuples(POLICY, SPLIT) | st.tuples(st.sampled_from(("cln", "uniform")), st.just("flow"))


def drawn(rng, nodes, count):
    ends = [[int(n) for n in rng.choice(nodes, 2, replace=False)] for _ in range(count)]
    return [(0.05 * i, *pair, int(10 ** rng.uniform(7, 8.3))) for i, pair in enumerate(ends)]


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(3, 10), POLICY_AND_SPLIT, st.integers(1, 12), st.sampled_from((0.1, 5, 60)))
def test_money_is_conserved_and_payments_arrive_whole_or_not_at_all(seed, nodes, way, parts, hold_s):
    policy, split = way
    rng = np.random.default_rng(seed)
    graph = random_network(rng, nodes)
    multipath = {"split": split, "parts": parts, "min_part_sat": 100, "hold_s": hold_s}
    config = system_settings(
        payer={"policy": policy, "multipath": multipath},
        channels={"max_accepted_htlcs": 4},
        nodes={"faults": {"temporary_node_failure": 0.1}},
    )
    system = on_graph(graph, drawn(rng, nodes, 12), config)
    refuse, given_up = system.htlcs.refuse, []
    fulfil, taken = system.htlcs.fulfil, []

    def seen_refuse(attempt, refusal):
        given_up.append(attempt.payment)
        refuse(attempt, refusal)

    def seen_fulfil(attempt):
        taken.append((attempt.payment, attempt.amounts_msat[-1]))
        fulfil(attempt)

    system.htlcs.refuse, system.htlcs.fulfil = seen_refuse, seen_fulfil
    environment = system.world.environment
    environment.run_until(system.world.horizon.payments_ns)
    system.open()
    record = system.world.recorder.payments
    while environment.peek() <= system.world.horizon.settle_ns and record.undecided + (not system.settled):
        environment.step()
        system.audit().check("after an event")
    assert system.settled
    system.state.check("at the end")
    done = record.outcome == Outcome.COMPLETED
    got = np.zeros(len(record), np.int64)
    for payment, amount_msat in taken:
        got[payment] += amount_msat
    assert np.array_equal(got, np.where(done, system.world.workload.amount_msat, 0))
    assert (record.parts <= parts).all()
    assert ((record.parts > 0) == done).all()
    assert system.payments.fees_msat == record.fee.sum()


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(3, 10), POLICY_AND_SPLIT)
def test_dividing_never_loses_a_payment_that_goes_alone(seed, nodes, way):
    policy, split = way
    outcomes = []
    for parts in (1, 8):
        rng = np.random.default_rng(seed)
        graph = random_network(rng, nodes)
        multipath = {"split": split, "parts": parts, "min_part_sat": 100}
        config = system_settings(payer={"policy": policy, "multipath": multipath})
        system = run_payments(on_graph(graph, drawn(rng, nodes, 1), config))
        outcomes.append(system.world.recorder.payments.outcome[0] == Outcome.COMPLETED)
    assert outcomes[1] >= outcomes[0]
