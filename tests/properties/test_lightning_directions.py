"""Which way things move: more of what helps never makes a payment fail, whatever the policy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.results.outcomes import Outcome
from tests.properties.test_lightning_payments import random_network
from tests.support.lightning import on_graph, run_payments
from tests.support.lightning import settings as system_settings

PAYERS = {
    "cheapest": {"policy": "cheapest"},
    "lnd": {"policy": "lnd"},
    "lnd bimodal": {"policy": "lnd", "estimator": "bimodal"},
    "cln": {"policy": "cln"},
    "cln getroute": {"policy": "cln", "search": "getroute"},
    "ldk": {"policy": "ldk"},
    "eclair": {"policy": "eclair"},
    "uniform": {"policy": "uniform"},
    "uniform flow": {"policy": "uniform", "multipath": {"split": "flow"}},
}
PATIENT = {"max_attempts": 100, "timeout_s": 10_000.0}
every_payer = pytest.mark.parametrize("name", PAYERS)


def completed(name, graph, rng, amount_msat=None, **changes):
    """Whether one payment between two nodes arrives."""
    payer, payee = (int(node) for node in rng.choice(graph.node_count, 2, replace=False))
    drawn_msat = int(10 ** rng.uniform(7, 8.6))
    chosen = {**PAYERS[name], **PATIENT, **changes}
    own = PAYERS[name].get("multipath", {})
    chosen["multipath"] = {"parts": 1, "min_part_sat": 100, **own, **changes.get("multipath", {})}
    config = system_settings(payer=chosen)
    rows = [(0, payer, payee, amount_msat or drawn_msat)]
    system = run_payments(on_graph(graph, rows, config, payments_s=86_400))
    system.audit().check("after a payment")
    return Outcome(int(system.world.recorder.payments.outcome[0])) is Outcome.COMPLETED


@every_payer
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), nodes=st.integers(3, 10), times=st.integers(2, 8), parts=st.sampled_from((1, 8)))
def test_more_capacity_never_lowers_success(name, seed, nodes, times, parts):
    found = []
    for factor in (1, times):
        rng = np.random.default_rng(seed)
        found.append(completed(name, random_network(rng, nodes, factor), rng, multipath={"parts": parts}))
    assert found[1] >= found[0]


@every_payer
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), nodes=st.integers(3, 10), few=st.integers(1, 4), more=st.integers(1, 12))
def test_more_parts_never_lower_success(name, seed, nodes, few, more):
    found = []
    for parts in (few, few + more):
        rng = np.random.default_rng(seed)
        found.append(completed(name, random_network(rng, nodes), rng, multipath={"parts": parts}))
    assert found[1] >= found[0]


@every_payer
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), nodes=st.integers(3, 10))
def test_a_higher_fee_limit_and_more_attempts_never_lower_success(name, seed, nodes):
    for tight, loose in (
        ({"fee_limit_ppm": 2_000, "min_fee_limit_sat": 0}, {"fee_limit_ppm": 10_000_000}),
        ({"max_attempts": 1}, {"max_attempts": 5}),
    ):
        found = []
        for changes in (tight, loose):
            rng = np.random.default_rng(seed)
            found.append(completed(name, random_network(rng, nodes), rng, **changes))
        assert found[1] >= found[0]


@every_payer
def test_a_smaller_amount_arrives_where_a_larger_one_did(name):
    counts = []
    for amount_msat in (4 * 10**8, 10**7):
        arrived = 0
        for seed in range(4):
            rng = np.random.default_rng(seed)
            arrived += completed(name, random_network(rng, 8), rng, amount_msat)
        counts.append(arrived)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
