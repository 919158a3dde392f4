"""Lies that nobody disputes become final and take users' money; what L1 forces in goes with disputes."""

from typing import Any

import numpy as np
import pytest

from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup.settlement.optimistic import OptimisticSettlement
from tests.support.rollup import live, random_load, rollup

ETHER = 10**18
DAY_S = 86_400
NEVER = [{"start_s": 0, "duration_s": 1e9}]
QUICK = {"max_depth": 8, "split_depth": 4}


def lied(watcher_outages: list[dict[str, float]], lie_eth: float = 1.0, **disputes: Any) -> tuple[Any, Any]:
    """A run in which the first proposal lies; twelve users hold 2.5 ether each."""
    settings = {**QUICK, **disputes, "lying_proposals": [0], "lie_eth": lie_eth, "watcher_outages": watcher_outages}
    settlement = {"kind": "optimistic", "proposal_interval_s": 600, "disputes": settings}
    system, built = rollup(
        random_load(60, 12, 1_800, funds_sat=10_000_000), settlement=settlement, batcher={"max_interval_s": 300},
        end_s=60 * DAY_S,
    )  # fmt: skip
    live(system, built)
    assert isinstance(system.settlement, OptimisticSettlement)
    assert system.left
    return system, built


def test_a_lie_that_nobody_watches_becomes_final_and_is_a_theft_in_the_books() -> None:
    honest, books = lied([])
    assert honest.bridge.stolen_wei == 0
    system, built = lied(NEVER)
    audit = system.audit()
    assert system.settlement.disputes == []
    assert audit.stolen == system.bridge.stolen_wei == ETHER
    assert audit.conserved
    # What the thief has is what users do not get: the same came in, an ether less went out.
    assert audit.entered == honest.audit().entered
    assert system.bridge.lost_wei + system.bridge.missing_wei == ETHER
    assert audit.left + audit.stolen + audit.in_flight + audit.balances == pytest.approx(
        honest.audit().left + honest.audit().in_flight + honest.audit().balances, abs=2 * 10**15
    )
    members = system.membership()
    assert members.went_out < honest.membership().went_out == 12
    # The lie was proven and claimed a window after its block, at the liar's cost.
    series = built.recorder.series.columns
    at = series["measure"].index("stolen_eth")
    assert series["value"][at] == 1.0
    first_proposal_s = 600 + 600 * np.ceil(min(built.recorder.batches.columns["included_ns"]) / 1e9 / 600 - 1)
    assert series["time_ns"][at] / 1e9 >= first_proposal_s + 7 * DAY_S
    operated = built.chains["eth"].spending[Purpose.OPERATE].transactions
    assert operated >= books.chains["eth"].spending[Purpose.OPERATE].transactions - 12
    system.finish()
    assert system.economics.stolen == ETHER


def test_no_more_is_stolen_than_there_is() -> None:
    system, _ = lied(NEVER, lie_eth=1_000.0)
    assert 0 < system.bridge.stolen_wei < 100 * ETHER
    audit = system.audit()
    assert audit.conserved
    assert min(audit.balances, audit.in_flight) >= 0
    assert system.bridge.held_wei >= 0


def test_a_watcher_who_is_back_in_time_wins_and_one_who_is_back_too_late_loses_its_bonds() -> None:
    for away_s, won in ((2 * DAY_S, True), (4 * DAY_S, False)):
        system, _ = lied([{"start_s": 0, "duration_s": away_s}])
        (dispute,) = system.settlement.disputes
        assert dispute.watcher_won is won
        assert (system.bridge.stolen_wei > 0) is not won
        assert system.audit().conserved
        if won:
            assert dispute.watcher_gain_wei > 0


def test_a_watcher_away_in_the_middle_of_a_game_goes_on_after_it() -> None:
    system, _ = lied([{"start_s": 1_500, "duration_s": DAY_S}], response_s=60.0, watcher_delay_s=0.0)
    (dispute,) = system.settlement.disputes
    assert dispute.watcher_won
    assert (dispute.resolved_ns or 0) - dispute.begun_ns > DAY_S * 10**9


@pytest.mark.parametrize("prompt", [True, False])
@pytest.mark.parametrize("part_s", [None, 0.5])
def test_a_watcher_executes_what_l1_forces_in_as_well(prompt: bool, part_s: float | None) -> None:
    forced = {"patience_s": 60, "prompt": prompt, "window_s": 600}
    sequencer = {
        "censorship": {"share": 0.4}, "forced_inclusion": forced, "preconfirmation_s": part_s,
        "outages": [{"start_s": 900.3, "duration_s": 500}],
    }  # fmt: skip
    disputes = {**QUICK, "lying_proposals": [1]}
    system, built = rollup(
        random_load(150, 12, 1_800, funds_sat=100_000), sequencer=sequencer, batcher={"max_interval_s": 300},
        settlement={"kind": "optimistic", "proposal_interval_s": 600, "disputes": disputes}, end_s=60 * DAY_S,
    )  # fmt: skip
    live(system, built)
    assert isinstance(system.settlement, OptimisticSettlement)
    (dispute,) = system.settlement.disputes
    assert dispute.watcher_won
    replay = system.settlement._replay
    assert replay is not None
    assert all(replay.balance_wei(user) == system.accounts.balance_wei(user) for user in range(12))
    outcome = built.recorder.payments.outcome
    assert (outcome == Outcome.COMPLETED).sum() > 100
    assert built.chains["eth"].spending[Purpose.PAYMENT].transactions > 20
    assert system.audit().conserved
