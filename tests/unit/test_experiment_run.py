"""A whole run: one workload through every system, money conserved, results that repeat to the byte."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import l2sim
from l2sim.errors import ResultsError, ScenarioError
from l2sim.experiment.run import Interrupted, run_scenario
from l2sim.results.outcomes import FAILURES, Outcome
from tests.shared import ROOT
from tests.support.scenarios import SMALL, folder_bytes, quickstart, small_result


def test_every_system_carries_the_same_payments() -> None:
    result = small_result()
    payments = result.payments()
    per_system = {name: payments.filter(pc.equal(payments["system"], name)) for name in result.systems}
    first = per_system[result.systems[0]]
    for name, rows in per_system.items():
        for column in ("payment", "payer", "payee", "amount_msat"):
            assert rows[column].equals(first[column]), (name, column)
        assert result.summary[name]["offered"] == len(first)
        sent = rows["submitted_ns"].to_numpy()
        assert np.array_equal(sent, first["submitted_ns"].to_numpy()), f"{name} sent payments at other times"


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_money_is_conserved_and_times_come_in_order(crypto: str) -> None:
    result = small_result(f"crypto={crypto}")
    for name in result.systems:
        summary = result.summary[name]
        assert summary["conserved"] is True
        audit = summary["audit"]
        assert audit["entered"] == audit["balances"] + audit["in_flight"] + audit["fees"] + audit["left"] > 0
        assert summary["completed"] + sum(summary["failures"].values()) == summary["offered"]
        assert summary["completed"] > 0
        rows = result.payments().filter(pc.equal(result.payments()["system"], name))
        done = rows.filter(pc.equal(rows["outcome"], "completed"))
        for earlier, later in (
            ("submitted_ns", "assured_ns"),
            ("assured_ns", "final_ns"),
            ("included_ns", "l1_final_ns"),
            ("l1_final_ns", "final_ns"),
        ):
            known = done.filter(pc.and_(pc.is_valid(done[earlier]), pc.is_valid(done[later])))
            assert pc.all(pc.less_equal(known[earlier], known[later])).as_py() is not False, (name, earlier, later)
        assert done["final_ns"].null_count == 0, f"{name}: a completed payment never became final"


def test_real_and_modelled_cryptography_agree_on_every_payment_and_count() -> None:
    modelled, real = small_result("crypto=modelled"), small_result("crypto=real")
    for name in modelled.systems:
        for key in ("completed", "failures", "signatures_made", "signatures_verified", "latency_s"):
            assert modelled.summary[name][key] == real.summary[name][key], (name, key)


def test_fees_in_the_table_add_up_to_what_the_system_took() -> None:
    result = small_result()
    for name in result.systems:
        rows = result.payments().filter(pc.equal(result.payments()["system"], name))
        paid = pc.sum(rows["fee_usd"]).as_py()
        cost = result.summary[name]["cost_usd"]
        assert paid == pytest.approx(cost["payments_l1"] + cost["service"], rel=1e-9), name


def test_outcomes_are_from_the_closed_list() -> None:
    labels = {outcome.label for outcome in (*FAILURES, Outcome.COMPLETED)}
    assert set(pc.unique(small_result().payments()["outcome"]).to_pylist()) <= labels


SCRIPT = """
import sys
from pathlib import Path
from tests.support.scenarios import SMALL, quickstart
from l2sim.experiment.run import run_scenario
run_scenario(quickstart(*SMALL, *sys.argv[2:]), out=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_the_same_scenario_gives_the_same_bytes_under_any_hash_seed(tmp_path: Path, crypto: str) -> None:
    folders = []
    for hash_seed in ("0", "4242"):
        folder = tmp_path / hash_seed
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SCRIPT, str(folder), f"crypto={crypto}"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        folders.append(folder_bytes(folder))
    first, second = folders
    assert first.keys() == second.keys()
    assert {"run.json", "report.html", "payments.parquet", "blocks.parquet", "figures/cost.svg"} <= first.keys()
    for name in first:
        assert first[name] == second[name], f"{name} differs"


def test_a_seed_changes_the_draw() -> None:
    amounts = [result.payments()["amount_msat"].to_pylist() for result in (small_result(), small_result("seed=2"))]
    assert amounts[0] != amounts[1]


def test_systems_can_be_chosen_and_keep_their_results() -> None:
    whole = small_result()
    alone = l2sim.run(quickstart(*SMALL), systems=["lightning"])
    assert alone.systems == ("lightning",)
    assert alone.summary["lightning"] == whole.summary["lightning"], "a system must not depend on who runs beside it"
    with pytest.raises(ScenarioError, match="lightning"):
        l2sim.run(quickstart(*SMALL), systems=["lightnig"])


def test_a_run_folder_is_refused_before_the_first_event(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    seen: list[str] = []
    with pytest.raises(ResultsError, match="exists already"):
        run_scenario(quickstart(*SMALL), out=tmp_path / "run", progress=lambda *_: seen.append("event"))
    assert not seen


def test_an_interrupted_run_keeps_what_is_whole_and_says_so(tmp_path: Path) -> None:
    scenario = quickstart(*SMALL)
    names = list(scenario.systems)

    def stop_in_the_third(system: str, fraction: float, done: int, total: int) -> None:
        assert 0.0 <= fraction <= 1.0
        assert 0 <= done <= total
        if system == names[2]:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        run_scenario(scenario, out=tmp_path / "run", progress=stop_in_the_third)
    assert not (tmp_path / "run").exists(), "an interrupted run must not look whole"
    kept = l2sim.open_result(tmp_path / "run-interrupted")
    assert kept.systems == tuple(names[:2]) == caught.value.result.systems
    assert kept.run["complete"] is False


def test_a_run_that_is_stopped_at_once_keeps_nothing(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        run_scenario(quickstart(*SMALL), out=tmp_path / "run", progress=stop)
    assert caught.value.result is None
    assert list(tmp_path.iterdir()) == []


def test_a_saved_run_can_be_run_again_from_its_own_record(tmp_path: Path) -> None:
    import json

    result = small_result()
    path = tmp_path / "again.yaml"
    path.write_text(json.dumps(result.run["scenario"]))  # JSON is YAML
    again = l2sim.run(l2sim.load_scenario(path))
    assert again.run["scenario_sha256"] == result.run["scenario_sha256"]
    assert again.payments().equals(result.payments())


def test_the_cost_curve_goes_through_what_was_measured() -> None:
    result = small_result()
    for name, summary in result.summary.items():
        cost = result.cost_at(summary["payments_per_user"])[name]
        assert cost == pytest.approx(summary["cost_usd_per_payment"])


def test_the_amortised_curve_predicts_a_run_with_other_payments_per_user() -> None:
    """What the headline figure draws between runs is what a run with more payments a user really measures."""
    few, many = small_result(), small_result("workload.duration_s=240")
    for name in ("lightning", "bitcoin"):
        summary = many.summary[name]
        predicted = few.cost_at(summary["payments_per_user"])[name]
        assert predicted == pytest.approx(summary["cost_usd_per_payment"], rel=0.35), name
