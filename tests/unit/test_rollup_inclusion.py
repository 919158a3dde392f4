"""Preconfirmed parts of blocks, outages, and users whom the sequencer refuses."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import World
from l2sim.systems.rollup.channel import assemble, decompress
from l2sim.systems.rollup.formats.span import decode_span
from l2sim.systems.rollup.system import RollupSystem
from tests.support.rollup import SAT_MSAT, config, let_out, live, onboard, pay_all, random_load, rollup
from tests.support.worlds import workload

RICH = 100_000_000 * SAT_MSAT


def assured_s(world: World) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return (world.recorder.payments.assured_ns - world.horizon.payments_ns) / NS_PER_S


def paid(load: Any, **settings: Any) -> tuple[RollupSystem, World]:
    system, world = rollup(load, **settings)
    onboard(system, world)
    pay_all(system, world)
    system.audit().check("paid")
    return system, world


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_a_preconfirmed_payment_waits_a_fifth_of_a_second_and_goes_into_the_same_block(crypto: str) -> None:
    load = random_load(200, 10, 60)
    whole, other = rollup(load, crypto=crypto)  # type: ignore[arg-type]  # parametrised
    parts, world = rollup(load, crypto=crypto, sequencer={"preconfirmation_s": 0.2})  # type: ignore[arg-type]
    for system, built in ((whole, other), (parts, world)):
        system.batcher.poster.archive = []
        live(system, built)
        assert system.left
    waits = assured_s(world) - load.time_ns / NS_PER_S
    assert (waits > 0).all()
    assert waits.max() < 0.21
    assert (assured_s(other) - load.time_ns / NS_PER_S).mean() == pytest.approx(1.0, abs=0.2)
    spans = [
        decode_span(decompress(assemble((system.batcher.poster.archive or [[]])[0])), 10)[0].counts.tolist()
        for system in (whole, parts)
    ]
    assert spans[0] == spans[1]
    assert parts.work.signatures_verified == whole.work.signatures_verified


def test_parts_have_gas_up_to_their_share_of_the_block() -> None:
    load = workload([(0.01, k % 5, (k + 1) % 5, 1_000) for k in range(20)], [RICH] * 5)
    _, world = paid(load, sequencer={"preconfirmation_s": 0.5, "block_gas_limit": 8 * 21_000})
    # Two to a part of half a second.
    assert (assured_s(world) // 0.5).tolist() == sorted([k for k in range(1, 11) for _ in range(2)])


def test_payments_of_an_outage_are_taken_when_it_is_over() -> None:
    load = random_load(300, 10, 300)
    _, world = paid(load, sequencer={"outages": [{"start_s": 60, "duration_s": 120}]})
    record = world.recorder.payments
    assert (record.outcome == Outcome.COMPLETED).all()
    times, assured = load.time_ns / NS_PER_S, assured_s(world)
    out = (times > 60) & (times < 179)
    assert out.sum() > 50
    assert assured[out] == pytest.approx(180, abs=0.1)
    assert (assured[~out] - times[~out]).max() < 2.1
    assert not ((assured > 60.1) & (assured < 180)).any()


def test_refused_users_pay_late_once_they_are_refused_no_longer() -> None:
    load = random_load(300, 20, 300)
    system, world = paid(load, sequencer={"censorship": {"share": 0.3, "start_s": 50, "duration_s": 150}})
    refused = system.sequencer._refusals.refused[load.payer]  # type: ignore[union-attr]  # it has some
    times, assured = load.time_ns / NS_PER_S, assured_s(world)
    hit = refused & (times > 52) & (times < 200)
    assert 10 < hit.sum() < 150
    assert (world.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert (assured[hit] >= 200).all()
    assert (assured[~hit & (times > 52)] - times[~hit & (times > 52)]).max() < 2.1
    assert world.chains["eth"].spending[Purpose.PAYMENT].transactions == 0


def test_who_is_refused_for_good_and_has_no_way_through_l1_never_pays() -> None:
    load = random_load(100, 20, 100)
    system, world = rollup(load, sequencer={"censorship": {"share": 0.3}})
    onboard(system, world)
    system.open()
    world.environment.run_until(world.horizon.settle_ns)
    refused = system.sequencer._refusals.refused[load.payer]  # type: ignore[union-attr]
    outcome = world.recorder.payments.outcome
    assert (outcome[refused] == Outcome.PENDING).all()
    assert (outcome[~refused] == Outcome.COMPLETED).all()
    assert not system.settled


@pytest.mark.parametrize("kind", ["optimistic", "validity"])
def test_forced_payments_come_through_l1_at_l1s_price(kind: str) -> None:
    load = random_load(100, 20, 100)
    forced = {"patience_s": 300, "l1_gas": 80_000}
    system, world = rollup(
        load, settlement={"kind": kind}, sequencer={"censorship": {"share": 0.3}, "forced_inclusion": forced}
    )
    live(system, world)
    record = world.recorder.payments
    refused = system.sequencer._refusals.refused[load.payer]  # type: ignore[union-attr]
    assert (record.outcome == Outcome.COMPLETED).all()
    waits = assured_s(world) - load.time_ns / NS_PER_S
    # Patience, a block of L1, four confirmations more, an L2 block.
    assert (waits[refused] > 300 + 3 * 12).all()
    assert (waits[refused] < 300 + 2 + 6 * 12 + 4).all()
    assert waits[~refused].max() < 2.1
    spent = world.chains["eth"].spending[Purpose.PAYMENT]
    assert spent.transactions == refused.sum()
    assert spent.fee == record.fee[refused].sum()
    assert record.fee[refused].min() > 5 * record.fee[~refused].max()
    assert system.left
    # L1 held them before L2 did, each in the block of its own transaction; the others came with their batch.
    blocks = world.recorder.blocks.columns
    of_payments = [time_ns for time_ns, fees in zip(blocks["time_ns"], blocks["fees"], strict=True) if fees]
    assert set(record.included_ns.tolist()) <= set(of_payments)
    assert (record.included_ns[refused] < record.assured_ns[refused]).all()
    assert (record.included_ns[~refused] > record.assured_ns[~refused]).all()
    assert (record.included_ns < record.l1_final_ns).all()
    assert (record.l1_final_ns - record.included_ns).max() <= 95 * 12 * NS_PER_S
    assert (record.final_ns >= record.included_ns).all()


def test_a_forced_payment_enters_after_the_window_even_if_the_sequencer_is_down() -> None:
    load = workload([(1.0, 0, 1, 1_000), (2.0, 1, 0, 1_000)], [RICH, RICH])
    system, world = rollup(
        load,
        payments_s=20_000,
        sequencer={
            "censorship": {"share": 1.0},
            "forced_inclusion": {"patience_s": 0, "prompt": False, "window_s": 7_200},
            "outages": [{"start_s": 100, "duration_s": 15_000}],
        },
    )
    onboard(system, world)
    pay_all(system, world)
    assert (assured_s(world) >= 7_200).all()
    assert (assured_s(world) < 7_200 + 30).all()
    let_out(system, world)
    system.audit().check("left")
    assert system.left


@pytest.mark.parametrize("blocks", [{}, {"preconfirmation_s": 0.5}, {"ordering": "priority"}])
def test_payments_that_wait_out_an_outage_go_through_l1_if_their_payers_lose_patience(blocks: dict[str, Any]) -> None:
    load = random_load(200, 10, 4_000)
    outage = {"start_s": 600, "duration_s": 3_000}
    forced = {"patience_s": 900, "in_outages": True}
    sequencer = {**blocks, "outages": [outage], "forced_inclusion": forced}
    system, world = rollup(load, payments_s=8_000, sequencer=sequencer)
    live(system, world)
    assert system.left
    record, times = world.recorder.payments, load.time_ns / NS_PER_S
    assert (record.outcome == Outcome.COMPLETED).all()
    # L1 holds it a slot or two after patience is lost; the sequencer, when it is back, puts it into its first block.
    out = (times > 600) & (times < 3_600 - 900 - 24)
    assert 50 < out.sum() < 150
    included_s = (record.included_ns - world.horizon.payments_ns) / NS_PER_S
    assert (included_s[out] - times[out] > 900).all()
    assert (included_s[out] - times[out] <= 900 + 3 * 12).all()
    # Those seen by then wait for its end; the last few have not their four confirmations yet.
    assert (assured_s(world)[out] >= 3_600).all()
    assert (assured_s(world)[out] < 3_600 + 6 * 12).all()
    late = (times > 3_600 - 900) & (times < 3_600)
    assert world.chains["eth"].spending[Purpose.PAYMENT].transactions == out.sum()
    assert (assured_s(world)[late] < 3_602.1).all()
    assert (included_s[late] > 3_600).all()
    assert record.fee[out].min() > 5 * record.fee[~out].max()


@pytest.mark.parametrize("prompt", [True, False])
def test_blocks_of_a_sequencer_that_is_down_are_derived_when_the_window_has_passed(prompt: bool) -> None:
    load = random_load(30, 5, 300)
    window_s = 43_200 if prompt else 86_400  # the OP Stack's sequencing window; Arbitrum's force-inclusion
    outage = {"start_s": 0, "duration_s": 200_000}
    forced = {"patience_s": 600, "in_outages": True, "prompt": prompt}
    system, world = rollup(
        load, payments_s=150_000, sequencer={"outages": [outage], "forced_inclusion": forced},
        settlement={"kind": "validity"},
    )  # fmt: skip
    onboard(system, world)
    pay_all(system, world)
    record = world.recorder.payments
    assert (record.outcome == Outcome.COMPLETED).all()
    waits = (record.assured_ns - record.included_ns) / NS_PER_S
    assert (waits >= window_s).all()
    assert (waits < window_s + 1).all()
    # All of one L1 block come in one L2 block.
    assert len(set(record.assured_ns.tolist())) == len(set(record.included_ns.tolist())) > 5
    system.audit().check("paid")
    let_out(system, world)
    assert system.left
    system.audit().check("left")


def test_without_patience_for_outages_nobody_goes_through_l1() -> None:
    load = random_load(50, 5, 300)
    outage = {"start_s": 10, "duration_s": 5_000}
    system, world = rollup(load, sequencer={"outages": [outage], "forced_inclusion": {"patience_s": 60}})
    live(system, world)
    assert world.chains["eth"].spending[Purpose.PAYMENT].transactions == 0


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="whole parts"):
        config(sequencer={"preconfirmation_s": 0.3})
    with pytest.raises(ValidationError, match="no such operation"):
        config(
            settlement={"kind": "validity"},
            batcher={"format": "chunks"},
            sequencer={"forced_inclusion": {}},
        )
