"""One payment or a few on networks whose every number is known."""

import numpy as np
import pytest

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.state import Phase
from tests.support.lightning import FRICTIONLESS, MS, SAT, line, on_graph, run_payments, run_whole, settings

EVEN = (500_000, 500_000)
WHOLE = settings(payer={"multipath": {"parts": 1}})


def outcome(system, payment=0):
    return Outcome(int(system.world.recorder.payments.outcome[payment]))


def test_a_payment_is_assured_after_one_and_a_half_round_trips_a_hop():
    system = run_payments(on_graph(line(EVEN, EVEN, EVEN), [(0, 0, 3, 50_000 * SAT)]))
    record = system.world.recorder.payments
    cpu_ns = 20 * MS  # far more than any node needs
    assured_ns = int(record.assured_ns[0] - record.submitted_ns[0])
    final_ns = int(record.final_ns[0] - record.assured_ns[0])
    assert outcome(system) is Outcome.COMPLETED
    assert 3 * 3 * 50 * MS < assured_ns < 3 * 3 * 50 * MS + cpu_ns
    assert 3 * 50 * MS < final_ns < 3 * 50 * MS + cpu_ns
    assert (record.attempts[0], record.hops[0], record.failed_hop[0]) == (1, 3, -1)


def test_forwarding_nodes_earn_what_the_payer_pays_on_top():
    graph = line(EVEN, EVEN, EVEN, base_fee_msat=1_000, fee_ppm=500)
    amount = 100_000 * SAT
    system = run_whole(on_graph(graph, [(0, 0, 3, amount)]))
    first_fee = 1_000 + amount * 500 // 1_000_000
    second_fee = 1_000 + (amount + first_fee) * 500 // 1_000_000
    state = system.state
    before, after = graph.balance_msat, state.balance_msat
    assert system.world.recorder.payments.fee[0] == first_fee + second_fee == system.economics.service_fees
    earned = [
        int(after[graph.edge_source() == node].sum() - before[graph.edge_source() == node].sum()) for node in range(4)
    ]
    assert earned == [-(amount + first_fee + second_fee), second_fee, first_fee, amount]
    assert state.fees_msat.tolist() == [0, second_fee, first_fee]


def test_a_failure_comes_back_with_its_place_and_leaves_no_trace():
    graph = line(EVEN, (10_000, 990_000), EVEN)
    system = run_payments(on_graph(graph, [(0, 0, 3, 50_000 * SAT)], WHOLE))
    record = system.world.recorder.payments
    assert outcome(system) is Outcome.NO_LIQUIDITY
    assert (record.attempts[0], record.failed_hop[0], record.assured_ns[0]) == (1, 1, -1)
    assert np.array_equal(system.state.balance_msat, graph.balance_msat)
    assert system.state.failed.tolist() == [1, 1, 0]
    # Locked for three messages, then failed back for three.
    assert system.world.environment.now - record.submitted_ns[0] > 6 * 50 * MS


def test_a_payer_tries_another_way_and_remembers_the_bad_one():
    # 0-1-3 is cheaper than 0-2-3 but cannot carry the payment.
    graph = line(EVEN, (0, 1_000_000)).extended(
        node_names=["detour"],
        channel_names=["to detour", "from detour"],
        node_a=[0, 3],
        node_b=[3, 2],
        capacity_msat=[10**9, 10**9],
        base_fee_msat=[0, 0, 5_000, 5_000],
        balance_msat=[5 * 10**8] * 4,
    )
    rows = [(0, 0, 2, 50_000 * SAT), (30, 0, 2, 50_000 * SAT)]
    system = run_payments(on_graph(graph, rows))
    record = system.world.recorder.payments
    assert record.outcome.tolist() == [Outcome.COMPLETED] * 2
    assert record.attempts.tolist() == [2, 1]
    assert record.failed_hop.tolist() == [-1, -1]


def test_the_cheapest_policy_forgets_after_its_time():
    graph = line(EVEN, (0, 1_000_000))
    config = settings(payer={"policy": "cheapest", "memory_s": 60})
    rows = [(0, 0, 2, 50_000 * SAT), (30, 0, 2, 50_000 * SAT), (120, 0, 2, 50_000 * SAT)]
    record = run_payments(on_graph(graph, rows, config)).world.recorder.payments
    assert record.attempts.tolist() == [1, 0, 1]
    assert record.outcome.tolist() == [Outcome.NO_LIQUIDITY] * 3


@pytest.mark.parametrize(
    ("graph", "amount_msat", "changes", "expected"),
    [
        (line(EVEN, EVEN), 495_000 * SAT, {}, Outcome.INSUFFICIENT_FUNDS),
        (line((80_000, 0), EVEN, base_fee_msat=10_000 * SAT), 50_000 * SAT, {}, Outcome.FEE_LIMIT),
        (line(EVEN, EVEN, fee_ppm=200_000), 50_000 * SAT, {}, Outcome.FEE_LIMIT),
        (line(EVEN, EVEN, htlc_min_msat=2_000_000), 1_000 * SAT, {}, Outcome.AMOUNT_TOO_SMALL),
        (line(EVEN, (20_000, 20_000)), 50_000 * SAT, {}, Outcome.NO_ROUTE),
        (line(EVEN, EVEN, EVEN, enabled=[True, True, False, True, True, True]), 50_000 * SAT, {}, Outcome.NO_ROUTE),
        (line(EVEN, EVEN, EVEN, cltv_delta=1_500), 50_000 * SAT, {}, Outcome.NO_ROUTE),
        (line(EVEN, EVEN, EVEN), 50_000 * SAT, {"payer": {"max_hops": 2}}, Outcome.NO_ROUTE),
    ],
    ids=["own funds", "fee base", "fee rate", "minimum", "capacity", "disabled", "expiry", "hops"],
)
def test_a_payment_that_cannot_start_says_why(graph, amount_msat, changes, expected):
    payee = graph.node_count - 1
    whole = {"payer": {"multipath": {"parts": 1}} | changes.get("payer", {})}
    system = run_payments(on_graph(graph, [(0, 0, payee, amount_msat)], settings(**(changes | whole))))
    assert outcome(system) is expected
    assert system.world.recorder.payments.attempts[0] == 0
    assert np.array_equal(system.state.balance_msat, graph.balance_msat)


def test_own_money_that_covers_the_amount_but_not_the_fee_is_not_enough():
    graph = line((55_000, 0), EVEN, base_fee_msat=2_000 * SAT)
    config = settings(payer={"fee_limit_ppm": 1_000_000}, channels=FRICTIONLESS["channels"])
    system = run_payments(on_graph(graph, [(0, 0, 2, 54_000 * SAT)], config))
    assert outcome(system) is Outcome.INSUFFICIENT_FUNDS


def test_a_channel_without_a_free_slot_refuses():
    config = settings(channels={"max_accepted_htlcs": 1})
    graph = line(EVEN, EVEN).extended(
        node_names=["n3"],
        channel_names=["late"],
        node_a=[3],
        node_b=[1],
        capacity_msat=[10**9],
        balance_msat=[5 * 10**8] * 2,
    )
    rows = [(0, 0, 2, 50_000 * SAT), (0.01, 3, 2, 50_000 * SAT)]
    system = run_payments(on_graph(graph, rows, config))
    assert outcome(system, 0) is Outcome.COMPLETED
    assert outcome(system, 1) is Outcome.TOO_MANY_HTLCS
    assert system.world.recorder.payments.failed_hop[1] == 1


def test_a_payer_gives_up_after_its_attempts():
    # Ten ways, none of which can carry the payment.
    graph = line(EVEN)
    for i in range(10):
        graph = graph.extended(
            channel_names=[f"dry {i}"] if i else ["dry 0"],
            node_names=["payee"] if i == 0 else [],
            node_a=[1],
            node_b=[2],
            capacity_msat=[10**9],
            balance_msat=[0, 10**9],
        )
    by_channel = settings(payer={"policy": "cheapest", "max_attempts": 3})
    system = run_payments(on_graph(graph, [(0, 0, 2, 50_000 * SAT)], by_channel))
    record = system.world.recorder.payments
    assert outcome(system) is Outcome.TIMED_OUT
    assert record.attempts[0] == 3
    # LND remembers pairs of nodes: one failure stands for all ten.
    record = run_payments(on_graph(graph, [(0, 0, 2, 50_000 * SAT)], WHOLE)).world.recorder.payments
    assert (record.outcome[0], record.attempts[0]) == (Outcome.NO_LIQUIDITY, 1)
    slow = settings(payer={"policy": "cheapest", "timeout_s": 1}, latency={"kind": "constant", "one_way_ms": 100})
    system = run_payments(on_graph(graph, [(0, 0, 2, 50_000 * SAT)], slow))
    assert outcome(system) is Outcome.TIMED_OUT
    assert system.world.recorder.payments.attempts[0] == 2  # six messages each


def test_a_run_that_ends_too_early_leaves_payments_unfinished():
    system = on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)], payments_s=1)
    system.open()
    system.world.environment.run_until(system.world.horizon.payments_ns + 20 * MS)
    system.finish()
    assert outcome(system) is Outcome.UNFINISHED
    system.audit().check("in the middle of a payment")
    assert system.audit().in_flight > 0


def test_processors_of_busy_routers_make_payments_wait():
    config = settings(**FRICTIONLESS, payer={"policy": "cheapest"})
    graph = line((10**7, 10**7), (10**7, 10**7))
    alone, crowd = (run_payments(on_graph(graph, [(0, 0, 2, 1_000 * SAT)] * count, config)) for count in (1, 200))
    waits = [system.world.recorder.payments.assured_ns - system.world.horizon.payments_ns for system in (alone, crowd)]
    assert (crowd.world.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert waits[1].mean() > 100 * waits[0].mean()
    busy_ns = crowd.htlcs.busy_ns
    assert busy_ns[1] == max(busy_ns)  # the router takes part in both channels
    assert busy_ns[1] <= crowd.world.environment.now - crowd.world.horizon.payments_ns


def test_constant_and_random_latencies_have_the_mean_they_state():
    from l2sim.engine import Streams
    from l2sim.systems.lightning.latency import LatencySampler

    for latency in (
        {"kind": "constant", "one_way_ms": 30},
        {"kind": "exponential", "mean_one_way_ms": 30},
        {"kind": "lognormal", "median_one_way_ms": 30, "sigma": 0.8},
    ):
        config = settings(latency=latency).latency
        sampler = LatencySampler(config, Streams(seed=3).get("latency"))
        mean_ms = sum(sampler.draw_ns() for _ in range(40_000)) / 40_000 / MS
        assert mean_ms == pytest.approx(config.mean_ms, rel=0.02)


def test_channels_that_close_take_no_new_htlcs():
    system = on_graph(line(EVEN, EVEN, EVEN), [(0, 0, 3, 50_000 * SAT)])
    system.state.begin_closing(1)
    run_payments(system)
    assert outcome(system) is Outcome.NOT_FORWARDED
    assert system.state.phase.tolist() == [Phase.OPEN, Phase.CLOSING, Phase.OPEN]
