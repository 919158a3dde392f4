"""What a payer's own channels stand in the way of, and that each obstacle is called by its name."""

import pytest

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.state import Phase
from tests.support.lightning import SAT, line, on_graph, run_payments, settings

EVEN = (500_000, 500_000)
ONE_SLOT = {"max_accepted_htlcs": 1}


def outcomes(system):
    return [Outcome(value) for value in system.world.recorder.payments.outcome.tolist()]


def test_a_taken_slot_is_not_a_lack_of_money():
    rows = [(0, 0, 2, 50_000 * SAT), (0.01, 0, 2, 50_000 * SAT), (0.02, 0, 2, 600_000 * SAT), (30, 0, 2, 50_000 * SAT)]
    system = run_payments(on_graph(line(EVEN, EVEN), rows, settings(channels=ONE_SLOT)))
    assert outcomes(system) == [
        Outcome.COMPLETED,
        Outcome.TOO_MANY_HTLCS,
        Outcome.INSUFFICIENT_FUNDS,  # a free slot would not have helped
        Outcome.COMPLETED,
    ]
    record = system.world.recorder.payments
    assert record.attempts.tolist() == [1, 0, 0, 1]
    assert record.failed_hop.tolist() == [-1] * 4


def test_a_taken_slot_is_named_where_other_channels_lead_nowhere():
    graph = line(EVEN, EVEN).extended(
        node_names=["aside"],
        channel_names=["aside"],
        node_a=[0],
        node_b=[3],
        capacity_msat=[10**9],
        balance_msat=[5 * 10**8] * 2,
    )
    rows = [(0, 0, 2, 50_000 * SAT), (0.01, 0, 2, 50_000 * SAT)]
    system = run_payments(on_graph(graph, rows, settings(channels=ONE_SLOT)))
    assert outcomes(system) == [Outcome.COMPLETED, Outcome.TOO_MANY_HTLCS]


@pytest.mark.parametrize(
    ("graph", "payer", "payee", "expected"),
    [
        (line(EVEN, EVEN, EVEN, enabled=[True, True, False, True, True, True]), 1, 2, Outcome.NO_ROUTE),
        (line(EVEN, EVEN, htlc_max_msat=[40_000 * SAT, 10**9, 10**9, 10**9]), 0, 2, Outcome.NO_ROUTE),
        (line((900, 999_100), EVEN), 1, 0, Outcome.NO_LIQUIDITY),
        (line((40_000, 960_000), EVEN), 0, 2, Outcome.INSUFFICIENT_FUNDS),
    ],
    ids=["disabled", "largest HTLC", "other side's fee", "money"],
)
def test_only_a_lack_of_money_is_called_so(graph, payer, payee, expected):
    system = run_payments(on_graph(graph, [(0, payer, payee, 50_000 * SAT)]))
    assert outcomes(system) == [expected]
    assert system.world.recorder.payments.attempts[0] == 0


def test_a_payer_whose_channel_closes_is_off_the_network():
    system = on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)])
    system.state.begin_closing(0)
    run_payments(system)
    assert outcomes(system) == [Outcome.NOT_ONBOARDED]
    assert system.state.phase.tolist() == [Phase.CLOSING, Phase.OPEN]


@pytest.mark.parametrize("policy", ["lnd", "cheapest"])
def test_fees_that_lift_a_payment_above_dust_are_reckoned_with(policy):
    # Reserve 17 sat; 1315 sat to keep for the commitment with one output and 1402 with two (BOLT 2, BOLT 3): 395 sat
    # could go out as dust, 308 sat as an output, so 353 sat is the most and 354 sat, with the fee, too much.
    graph = line((1_727, 0), EVEN, base_fee_msat=1_000)
    config = settings(payer={"policy": policy, "max_attempts": 1_000})
    system = run_payments(on_graph(graph, [(0, 0, 2, 353 * SAT), (10, 0, 2, 352 * SAT)], config))
    assert outcomes(system) == [Outcome.INSUFFICIENT_FUNDS, Outcome.COMPLETED]
    assert system.world.recorder.payments.attempts.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal.TOO_MANY_HTLCS, Outcome.TOO_MANY_HTLCS),
        (Refusal.INSUFFICIENT_BALANCE, Outcome.INSUFFICIENT_FUNDS),
        (Refusal.CHANNEL_DISABLED, Outcome.NO_ROUTE),
    ],
)
@pytest.mark.parametrize("ways", [1, 3])
def test_an_own_channel_that_refuses_is_not_asked_again(refusal, expected, ways, monkeypatch):
    graph = line(EVEN, EVEN)
    for i in range(1, ways):
        graph = graph.extended(
            channel_names=[f"beside {i}"],
            node_names=[],
            node_a=[0],
            node_b=[1],
            capacity_msat=[10**9],
            balance_msat=[5 * 10**8] * 2,
        )
    rows = [(0, 0, 2, 50_000 * SAT)]
    system = on_graph(graph, rows, settings(payer={"max_attempts": 1_000}))
    monkeypatch.setattr(system.state, "refusal", lambda edge, amount_msat: refusal)
    run_payments(system)
    assert outcomes(system) == [expected]
    record = system.world.recorder.payments
    assert (record.attempts[0], record.failed_hop[0]) == (ways, 0)
    assert system.world.environment.now == record.submitted_ns[0]
    assert system.settled


def test_another_own_channel_is_tried_after_one_refused(monkeypatch):
    graph = line(EVEN, EVEN).extended(
        node_names=[],
        channel_names=["beside"],
        node_a=[0],
        node_b=[1],
        capacity_msat=[10**9],
        balance_msat=[5 * 10**8] * 2,
    )
    system = on_graph(graph, [(0, 0, 2, 50_000 * SAT)])
    true_refusal = system.state.refusal
    monkeypatch.setattr(
        system.state,
        "refusal",
        lambda edge, amount_msat: Refusal.TOO_MANY_HTLCS if edge == 0 else true_refusal(edge, amount_msat),
    )
    run_payments(system)
    assert outcomes(system) == [Outcome.COMPLETED]
    assert system.world.recorder.payments.attempts[0] == 2
