"""An operator who is gone in the middle of payments: what L1 bears out stays, the rest is undone, and users escape."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from tests.support.rollup import config, let_out, live, onboard, pay_all, random_load, rollup

START_S = 600
STOPS_S = 900
PROVEN = {"proof_s": 120, "provers": 4}
SETTLEMENTS: dict[str, dict[str, Any]] = {
    "optimistic": {"kind": "optimistic"},
    "validity": {"kind": "validity", **PROVEN},
    "validium": {"kind": "validium", **PROVEN},
}


def stopped(kind: str, **settings: Any) -> tuple[Any, Any]:
    """Half an hour of payments, of which the operator sees 15 minutes."""
    return rollup(
        random_load(400, 12, 1_800), onboarding_s=START_S, escape={"window_s": 86_400, "stops_s": STOPS_S},
        **{"settlement": SETTLEMENTS[kind], "batcher": {"max_interval_s": 200}, **settings},
    )  # fmt: skip


@pytest.mark.parametrize("kind", SETTLEMENTS)
def test_payments_that_l1_does_not_bear_out_are_undone_and_everyone_escapes(kind: str) -> None:
    system, built = stopped(kind)
    onboard(system, built)
    pay_all(system, built)
    before = system.audit()
    before.check("stopped")
    let_out(system, built)
    system.audit().check("escaped")
    assert system.left
    record, rows = built.recorder.payments, built.recorder.batches.columns
    sent_s = built.workload.time_ns / NS_PER_S
    completed, reverted = record.outcome == Outcome.COMPLETED, record.outcome == Outcome.REVERTED
    assert (record.outcome[sent_s > STOPS_S] == Outcome.DROPPED).all()
    assert reverted.sum() > 10
    assert completed.sum() > 100
    # Whoever was assured and lost it had nothing on L1 to hold to; whoever kept it has.
    assert record.assured_ns[completed | reverted].min() > 0
    held = "proven_ns" if kind != "optimistic" else "included_ns"
    borne_out = sum(count for count, time in zip(rows["payments"], rows[held], strict=True) if time is not None)
    assert completed.sum() == borne_out
    assert record.assured_ns[completed].max() <= record.assured_ns[reverted].min()
    assert (record.final_ns[completed] > 0).all()
    assert not record.fee[reverted].any()
    # Balances are those that the completed payments alone leave behind: fees and amounts of the others came back.
    fees = int(record.fee[completed].sum())
    assert system.audit().fees == fees + system.bridge.fees_wei
    assert system.membership().went_out == 12
    assert system.membership().stranded == 0


def test_balances_after_it_are_those_of_the_completed_payments_alone() -> None:
    system, built = stopped("validity")
    onboard(system, built)
    deposited = [system.accounts.balance_wei(user) for user in range(12)]
    pay_all(system, built)
    system._go_back(system._anchor)
    record, load = built.recorder.payments, built.workload
    for payment in np.flatnonzero(record.outcome == Outcome.COMPLETED).tolist():
        amount_wei = built.prices.msat_to_wei(int(load.amount_msat[payment]))
        deposited[load.payer[payment]] -= amount_wei + int(record.fee[payment])
        deposited[load.payee[payment]] += amount_wei
    assert [system.accounts.balance_wei(user) for user in range(12)] == deposited
    system.audit().check("back")


def test_a_batch_whose_delay_ends_after_users_turned_away_from_it_is_never_final() -> None:
    system, built = stopped("validity", settlement=SETTLEMENTS["validity"] | {"execution_delay_s": 1_500})
    live(system, built)
    record, rows = built.recorder.payments, built.recorder.batches.columns
    reverted = record.outcome == Outcome.REVERTED
    times = zip(rows["proven_ns"], rows["final_ns"], strict=True)
    late = [number for number, (proven, final) in enumerate(times) if proven is not None and final is None]
    assert late
    assert reverted.sum() >= sum(rows["payments"][number] for number in late) > 0
    assert (record.final_ns[reverted] < 0).all()
    assert (record.final_ns[record.outcome == Outcome.COMPLETED] > 0).all()


def test_parts_that_were_confirmed_ahead_are_undone_too() -> None:
    system, built = stopped("validity", sequencer={"preconfirmation_s": 0.2, "block_time_s": 2})
    live(system, built)
    assert (built.recorder.payments.outcome == Outcome.REVERTED).sum() > 20
    assert system.left


def test_an_operator_who_stops_after_the_last_payment_undoes_nothing() -> None:
    system, built = rollup(
        random_load(50, 5, 100), settlement=SETTLEMENTS["validity"], escape={"window_s": 86_400, "stops_s": 40_000},
        batcher={"max_interval_s": 60},
    )  # fmt: skip
    live(system, built)
    assert (built.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert system.left


def test_an_operator_who_goes_on_otherwise_cannot_stop() -> None:
    with pytest.raises(ValidationError, match=r"must not go with sequencer\.forced_inclusion"):
        config(escape={"stops_s": 5}, sequencer={"forced_inclusion": {}})
    with pytest.raises(ValidationError, match=r"must not go with settlement\.disputes"):
        config(escape={"stops_s": 5}, settlement={"kind": "optimistic", "disputes": {}})


def test_who_stops_executes_nothing_that_was_only_proven() -> None:
    """A batch is proven when the operator stops; where executing takes a transaction, that is never sent."""
    settlement = {"kind": "validity", "proof_s": 300, "execution_delay_s": 600, "execute_gas": 109_000}
    load = random_load(60, 10, 600, funds_sat=100_000)
    system, built = rollup(load, settlement=settlement, batcher={"max_interval_s": 120}, escape={"stops_s": 500},
                           end_s=30 * 86_400)  # fmt: skip
    live(system, built)
    assert system.left
    assert system.audit().conserved
    batches = built.recorder.batches.columns
    assert batches["proven_ns"][0] is not None
    assert batches["final_ns"] == [None] * len(batches["final_ns"])
    assert not (built.recorder.payments.outcome == Outcome.COMPLETED).any()
