"""Metrics: each figure of a summary against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.money import Asset
from l2sim.results.metrics import SystemFacts, amortised_cost, cost_of, crossing, summarise
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import PaymentRecord
from tests.support.worlds import PRICES

S = 1_000_000_000
USD_MSAT = 1_000_000  # a dollar at 100,000 dollars a bitcoin


def facts(**changes: object) -> SystemFacts:
    values: dict[str, object] = {
        "kind": "lightning",
        "asset": Asset.BTC,
        "users": 3,
        "users_in": 2,
        "users_out": 2,
        "stranded": 0,
        "everyone_left": True,
        "payments_start_ns": 10 * S,
        "payments_end_ns": 20 * S,
        "l1_fees": {"onboard": 4 * USD_MSAT, "exit": 2 * USD_MSAT, "payment": 0, "operate": 10 * USD_MSAT},
        "l1_bytes": {"onboard": 300, "exit": 100},
        "l1_transactions": {"onboard": 2, "exit": 2},
        "service_fees": 1 * USD_MSAT,
        "exit_fees": 0,
        "stolen": 0,
        "operator_costs_usd": 0.25,
        "operator_l1_share": 0.1,
        "capital_locked": 50.0 * USD_MSAT,
        "signatures_made": 7,
        "signatures_verified": 6,
        "hashes": 5,
        "cpu_ns": {"nodes": 3 * S},
        "audit": {"entered": 1, "balances": 1, "in_flight": 0, "fees": 0, "left": 0},
        "conserved": True,
    }
    return SystemFacts(**{**values, **changes})  # type: ignore[arg-type]


def record() -> PaymentRecord:
    """Four payments: two completed, one without a route, one unfinished."""
    rows = PaymentRecord(4)
    rows.outcome[:] = (Outcome.COMPLETED, Outcome.COMPLETED, Outcome.NO_ROUTE, Outcome.UNFINISHED)
    rows.submitted_ns[:] = (10 * S, 11 * S, 12 * S, 13 * S)
    rows.assured_ns[:2] = (12 * S, 15 * S)
    rows.final_ns[0] = 20 * S
    rows.fee[:2] = (USD_MSAT, 3 * USD_MSAT)
    rows.attempts[:2] = (1, 2)
    return rows


def test_costs_are_what_users_pay_plus_what_operators_lose() -> None:
    cost = cost_of(facts(), PRICES)
    assert (cost.fixed, cost.service, cost.operators_l1) == pytest.approx((6.0, 1.0, 1.0))
    assert cost.operators_margin == pytest.approx(-0.25)
    assert cost.running == pytest.approx(1.25)
    assert cost.total == pytest.approx(7.25)
    with_exit = cost_of(facts(exit_fees=USD_MSAT), PRICES)
    assert (with_exit.leaving, with_exit.operators_margin) == pytest.approx((3.0, 0.75))
    assert with_exit.total == pytest.approx(8.0), "what is paid for going out is a user's cost, not a payment's"
    earning = cost_of(facts(operator_l1_share=0.0), PRICES)
    assert earning.operators_margin == pytest.approx(0.75)
    assert earning.total == pytest.approx(7.0), "what operators earn is paid by users once, not twice"


def test_a_summary_by_hand() -> None:
    summary = summarise(facts(), record(), PRICES)
    assert (summary["offered"], summary["completed"], summary["success_rate"]) == (4, 2, 0.5)
    assert summary["failures"] == {"no_route": 1, "unfinished": 1}
    assert summary["throughput_per_s"] == pytest.approx(0.2)
    assert summary["latency_s"]["assured"] == pytest.approx(
        {"mean": 3.0, "p50": 3.0, "p95": 3.9, "p99": 3.98, "share": 1.0}
    )
    assert summary["latency_s"]["final"]["share"] == 0.5
    assert summary["latency_s"]["included"] == {"mean": None, "p50": None, "p95": None, "p99": None, "share": 0.0}
    assert summary["fee_usd"] == pytest.approx({"mean": 2.0, "p50": 2.0, "p95": 2.9})
    assert summary["cost_usd_per_payment"] == pytest.approx(7.25 / 2)
    assert summary["fixed_cost_usd_per_user"] == pytest.approx(3.0)
    assert summary["running_cost_usd_per_payment"] == pytest.approx(1.25 / 2)
    assert summary["l1_bytes_per_payment"] == 200
    assert summary["capital_locked_usd"] == pytest.approx(50.0)
    assert summary["cpu_s"] == {"nodes": 3.0}
    per_payment = amortised_cost(3.0, 1.25 / 2, summary["payments_per_user"])
    assert per_payment == pytest.approx(summary["cost_usd_per_payment"]), "the curve goes through the measured point"


def test_costs_of_coming_in_and_going_out_are_shared_by_those_who_did() -> None:
    halfway = facts(users_out=1, everyone_left=False)
    summary = summarise(halfway, record(), PRICES)
    assert summary["fixed_cost_usd_per_user"] == pytest.approx(4.0 / 2 + 2.0 / 1)
    assert summary["users"]["everyone_left"] is False
    nobody = summarise(facts(users_in=0, users_out=0), record(), PRICES)
    assert nobody["fixed_cost_usd_per_user"] is None


def test_a_run_in_which_nothing_worked_has_no_costs_a_payment() -> None:
    rows = PaymentRecord(1)
    rows.outcome[0] = Outcome.DROPPED
    summary = summarise(facts(), rows, PRICES)
    assert summary["cost_usd_per_payment"] is None
    assert summary["fee_usd"] == {"mean": None, "p50": None, "p95": None}
    assert summary["throughput_per_s"] == 0.0


def test_throughput_counts_the_time_until_the_last_assurance() -> None:
    rows = record()
    rows.assured_ns[1] = 30 * S
    assert summarise(facts(), rows, PRICES)["throughput_per_s"] == pytest.approx(2 / 20)


POSITIVE = st.floats(1e-6, 1e6)


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_at_a_crossing_two_systems_cost_the_same(f1: float, r1: float, f2: float, r2: float) -> None:
    n = crossing((f1, r1), (f2, r2))
    if n is None:
        assert (f1 >= f2 and r1 >= r2) or (f1 <= f2 and r1 <= r2)
    else:
        assert amortised_cost(f1, r1, n) == pytest.approx(amortised_cost(f2, r2, n), rel=1e-6)


def test_a_payment_record_starts_undecided() -> None:
    rows = PaymentRecord(3)
    assert (len(rows), rows.undecided) == (3, 3)
    assert np.all(rows.assured_ns == -1)


def test_a_theft_is_a_cost_of_its_own_in_the_money_table() -> None:
    usual, robbed = cost_of(facts(), PRICES), cost_of(facts(stolen=4 * USD_MSAT), PRICES)
    assert robbed.stolen == 4.0
    assert robbed.total == pytest.approx(usual.total + 4.0)
    assert (robbed.fixed, robbed.running) == (usual.fixed, usual.running)
    assert summarise(facts(stolen=4 * USD_MSAT), record(), PRICES)["cost_usd"]["stolen"] == 4.0
