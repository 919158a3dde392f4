"""Warm-up and single long runs: what is left out of which figure, batch means, and the suggestion."""

import numpy as np
import pytest

import l2sim
from l2sim.errors import ScenarioError
from l2sim.experiment.statistics import batch_means, mser5
from l2sim.experiment.steady import scaled, steady_means
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import PaymentRecord
from tests.support.scenarios import SMALL, quickstart, small_result

S = 1_000_000_000


def made_up(count: int, slow: int) -> PaymentRecord:
    """A payment a second from 100 s on; the first `slow` wait 50 s, the others 1 or 2 s."""
    record = PaymentRecord(count)
    record.submitted_ns[:] = 100 * S + np.arange(count) * S
    waits = np.where(np.arange(count) < slow, 50, 1 + np.arange(count) % 2)
    record.assured_ns[:] = record.submitted_ns + waits * S
    record.fee[:] = np.arange(count) % 7
    record.outcome[:] = Outcome.COMPLETED
    return record


def test_means_of_one_run_are_batch_means_after_the_warm_up() -> None:
    record = made_up(1000, 40)
    found = steady_means(record, 100 * S, warm_up_ns=40 * S)
    by_hand = batch_means(((record.assured_ns - record.submitted_ns) / S)[40:].tolist(), 20)
    assert found["assured_s"] == {"mean": by_hand.mean, "half_width": by_hand.half_width, "batches": 20}
    assert found["fee"]["mean"] == pytest.approx(batch_means((np.arange(1000) % 7)[40:].tolist(), 20).mean)


def test_the_suggestion_is_the_time_where_mser5_cuts() -> None:
    record = made_up(1000, 40)
    assert mser5(((record.assured_ns - record.submitted_ns) / S).tolist()) == 40
    assert steady_means(record, 100 * S)["mser5_s"] == 40.0
    assert steady_means(made_up(1000, 0), 100 * S)["mser5_s"] == 0.0


def test_too_few_payments_have_no_batches() -> None:
    assert steady_means(made_up(199, 10), 100 * S) == {"assured_s": None, "fee": None, "mser5_s": 0.0}
    assert scaled(None, 2.0) is None
    assert scaled({"mean": 3.0, "half_width": 1.0, "batches": 20}, 2.0) == {
        "mean": 6.0, "half_width": 2.0, "batches": 20,
    }  # fmt: skip


def test_a_warm_up_changes_which_payments_figures_are_over_and_nothing_else() -> None:
    whole, warm = small_result(), l2sim.run(quickstart(*SMALL, "phases.warm_up_s=30"))
    assert warm.payments().equals(whole.payments())
    rows = [row for row in whole.payments().to_pylist() if row["system"] == "ethereum"]
    first = min(row["submitted_ns"] for row in rows)
    start = 7_200 * S
    assert first >= start
    kept = [row for row in rows if row["submitted_ns"] >= start + 30 * S]
    summary, before = warm.summary["ethereum"], whole.summary["ethereum"]
    assert 0 < len(kept) < len(rows)
    assert summary["warm_up_payments"] == len(rows) - len(kept)
    assert before["warm_up_payments"] == 0
    waits = [(row["assured_ns"] - row["submitted_ns"]) / S for row in kept if row["outcome"] == "completed"]
    assert summary["latency_s"]["assured"]["mean"] == pytest.approx(np.mean(waits))
    assert summary["fee_usd"]["mean"] == pytest.approx(
        np.mean([row["fee_usd"] for row in kept if row["outcome"] == "completed"])
    )
    for same in ("offered", "completed", "cost_usd", "cost_usd_per_payment", "failures"):
        assert summary[same] == before[same]


def test_a_warm_up_as_long_as_the_payments_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"phases.warm_up_s: must be less than workload.duration_s \(60\)"):
        quickstart(*SMALL, "phases.warm_up_s=60")
