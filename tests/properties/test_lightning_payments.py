"""Whole payments over random networks: nothing is lost, everything ends once, more capacity never hurts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from tests.support.lightning import on_graph
from tests.support.lightning import settings as system_settings


def random_network(rng, nodes, scale=1):
    """A connected network of small channels; `scale` multiplies what every side owns."""
    pairs = [(i, int(rng.integers(i))) for i in range(1, nodes)]
    pairs += [tuple(int(n) for n in rng.choice(nodes, 2, replace=False)) for _ in range(nodes)]
    capacity = rng.integers(20_000_000, 200_000_000, len(pairs))
    left = (capacity * rng.random(len(pairs))).astype(np.int64)
    balances = np.stack((left, capacity - left), axis=1).reshape(-1) * scale
    return ChannelGraph.from_channels(
        [f"n{i}" for i in range(nodes)],
        [(a, b, int(c) * scale) for (a, b), c in zip(pairs, capacity, strict=True)],
        base_fee_msat=rng.integers(0, 2_000, 2 * len(pairs)),
        fee_ppm=rng.integers(0, 2_000, 2 * len(pairs)),
        balance_msat=balances,
    )


def random_rows(rng, nodes, count):
    rows = []
    for i in range(count):
        payer, payee = (int(n) for n in rng.choice(nodes, 2, replace=False))
        rows.append((0.05 * i, payer, payee, int(10 ** rng.uniform(5, 8))))
    return rows


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(3, 12),
    policy=st.sampled_from(("cheapest", "lnd", "cln", "ldk", "eclair", "uniform")),
)
def test_money_is_conserved_at_every_event_and_payments_end_once(seed, nodes, policy):
    rng = np.random.default_rng(seed)
    graph = random_network(rng, nodes)
    config = system_settings(payer={"policy": policy}, channels={"max_accepted_htlcs": 3})
    system = on_graph(graph, random_rows(rng, nodes, 25), config)
    environment, record = system.world.environment, system.world.recorder.payments
    environment.run_until(system.world.horizon.payments_ns)
    system.open()
    decided = np.zeros(len(record), np.int64)
    while environment.peek() <= system.world.horizon.settle_ns and record.undecided + (not system.settled):
        before = record.outcome.copy()
        environment.step()
        system.state.check("after an event")
        system.audit().check("after an event")
        changed = before != record.outcome
        assert (before[changed] == Outcome.PENDING).all()
        decided += changed
    assert (decided == 1).all()
    assert system.settled
    assert system.audit().in_flight == 0
    done = record.outcome == Outcome.COMPLETED
    assert (record.assured_ns[done] >= record.submitted_ns[done]).all()
    assert (record.final_ns[done] > record.assured_ns[done]).all()
    assert (record.assured_ns[~done] == -1).all()
    paid = np.bincount(
        system.world.workload.payer[done], record.fee[done] + system.world.workload.amount_msat[done], nodes
    )
    source = graph.edge_source()
    change = np.bincount(source, system.state.balance_msat - graph.balance_msat, nodes)
    got = np.bincount(system.world.workload.payee[done], system.world.workload.amount_msat[done], nodes)
    # Beyond what a node paid and got, it can only have earned by forwarding.
    assert (change - got + paid >= 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_more_capacity_never_lowers_success(seed):
    completed = []
    for scale in (1, 3, 10, 100):
        rng = np.random.default_rng(seed)
        graph = random_network(rng, 15, scale)
        system = on_graph(graph, random_rows(rng, 15, 120), system_settings(payer={"policy": "cheapest"}))
        system.open()
        system.world.environment.run_until(system.world.horizon.settle_ns)
        completed.append(int(np.count_nonzero(system.world.recorder.payments.outcome == Outcome.COMPLETED)))
    assert completed == sorted(completed), completed
    assert completed[0] < completed[-1]
