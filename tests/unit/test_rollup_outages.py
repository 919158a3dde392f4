"""A batcher that stops and recovers: what queues up, how the safe head lags, and frames that land too late."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup.channel import assemble, decode_blocks, decompress
from tests.support.rollup import config, live, onboard, pay_all, random_load, rollup

START_S = 600
"""When payments begin."""
OUTAGE = {"start_s": 300, "duration_s": 1_200}
BEGIN_NS, END_NS = (START_S + 300) * NS_PER_S, (START_S + 1_500) * NS_PER_S


@pytest.mark.parametrize("medium", ["blob", "calldata"])
def test_blocks_queue_up_in_an_outage_and_go_out_in_batches_of_the_usual_size_after_it(medium: str) -> None:
    load = random_load(2_000, 10, 2_000)
    settings = {"max_interval_s": 120, "target_bytes": 30_000, "medium": medium, "outages": [OUTAGE]}
    system, built = rollup(load, batcher=settings, onboarding_s=START_S)
    onboard(system, built)
    system.open()
    queued = []
    for second in range(0, 2_400, 60):
        built.environment.run_until((START_S + second) * NS_PER_S)
        queued.append(system.batcher.queued)
        system.sample(built.environment.now)
    pay_all(system, built)
    rows = built.recorder.batches.columns
    closed = np.array(rows["closed_ns"])
    assert not ((closed >= BEGIN_NS) & (closed < END_NS)).any()
    at_end = [k for k, time_ns in enumerate(closed) if time_ns == END_NS]
    assert len(at_end) > 1  # more than one batch can hold had come
    assert max(rows["compressed_bytes"][k] for k in at_end) <= 30_000
    # The queue grows by the payments of the outage, and the lag of the safe head by its time.
    counts, waits_ns = np.array(queued).T
    assert counts.max() == pytest.approx(1_200, abs=200)
    assert 1_200 <= waits_ns.max() / NS_PER_S <= 1_320
    series = built.recorder.series.columns
    lags = [value for value, what in zip(series["value"], series["measure"], strict=True) if what == "safe_head_lag_s"]
    assert lags == [wait_ns / NS_PER_S for wait_ns in waits_ns]
    # Nothing is lost, and every payment in the outage waited for its end.
    record = built.recorder.payments
    assert (record.outcome == Outcome.COMPLETED).all()
    late = (record.assured_ns >= BEGIN_NS) & (record.assured_ns < END_NS)
    assert (record.included_ns[late] > END_NS).all()


def test_users_do_not_notice_and_everyone_leaves() -> None:
    quiet, built = rollup(random_load(200, 10, 1_000), batcher={"max_interval_s": 60})
    live(quiet, built)
    stopped, with_outage = rollup(random_load(200, 10, 1_000), batcher={"max_interval_s": 60, "outages": [OUTAGE]})
    live(stopped, with_outage)
    np.testing.assert_array_equal(built.recorder.payments.assured_ns, with_outage.recorder.payments.assured_ns)
    assert stopped.left
    assert stopped.membership().went_out == 10


def test_a_limit_on_transactions_holds_after_an_outage_too() -> None:
    settings = {"max_interval_s": 600, "max_transactions": 100, "outages": [OUTAGE]}
    system, built = rollup(random_load(2_000, 10, 2_000), batcher=settings, onboarding_s=START_S)
    live(system, built)
    assert max(built.recorder.batches.columns["payments"]) < 110


def test_nobody_raises_fees_in_an_outage() -> None:
    """A batch that was sent just before waits for as long as L1 is dear; after the outage it is sent again."""
    demand = {"gas_load": 1.0, "base_fee_gwei": 1.0, "noise_sigma": 0.0, "drift_sigma": 0.0, "blob_share": 0.0}
    for outages in ([], [{"start_s": 66, "duration_s": 900}]):
        system, built = rollup(
            random_load(50, 5, 60), chain={"background": demand}, onboarding_s=START_S,
            batcher={"max_interval_s": 60, "medium": "calldata", "resubmit_s": 24, "outages": outages},
        )  # fmt: skip
        onboard(system, built)
        system.open()
        while not system.batcher.poster.on_the_way:
            built.environment.run_until(built.environment.now + NS_PER_S)
        system._ethereum.base_fee_wei *= 20  # in one go past what the transaction offers
        pay_all(system, built)
        waited_s = (built.recorder.payments.included_ns.max() / NS_PER_S) - START_S
        if outages:
            assert waited_s > 120
        else:
            assert waited_s < 240


def test_frames_that_land_too_far_apart_are_posted_again(tmp_path: Path) -> None:
    """L1 is full after the first of two frames: the second lands too late, and both are posted anew."""
    trace = tmp_path / "demand.csv"
    rows = [(0, 0)] * 56 + [(30_000_000, 0)] * 30 + [(0, 0)] * 400
    trace.write_text("gas,blobs\n" + "".join(f"{gas},{blobs}\n" for gas, blobs in rows))
    chain = {
        "gas_limit": 5_000_000, "initial_base_fee_wei": 7,
        "background": {"trace_path": str(trace), "elasticity": 0.1, "median_tip_gwei": 0.05, "blob_share": 0.0},
    }  # fmt: skip
    system, built = rollup(
        random_load(1_200, 10, 60), chain=chain, onboarding_s=START_S,
        batcher={"max_interval_s": 60, "medium": "calldata", "format": "singular", "channel_timeout_blocks": 5,
                 "max_calldata_bytes": 70_000, "level": 0, "compression": "zlib", "resubmit_s": 12},
    )  # fmt: skip
    system.batcher.poster.archive = []
    onboard(system, built)
    pay_all(system, built)
    series = built.recorder.series.columns
    assert series["measure"].count("channel_timeouts") >= 1
    parts = system.batcher.poster.archive[0]
    assert len(parts) > 1
    assert sum(len(transactions) for _, transactions in decode_blocks(decompress(assemble(parts)))) == 1_200
    # Both channels were paid for.
    rows_ = built.recorder.batches.columns
    assert rows_["gas"][0] > 1.5 * 40 * sum(map(len, parts))
    assert system.audit().conserved
    assert system.settled


def test_outages_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="outages must follow each other"):
        config(batcher={"outages": [OUTAGE, OUTAGE]})
    with pytest.raises(ValidationError, match="sequencing window"):
        config(batcher={"outages": [{"start_s": 0, "duration_s": 43_000}]})
    config(batcher={"outages": [{"start_s": 0, "duration_s": 43_000}], "format": "nitro"})
    with pytest.raises(ValidationError, match="outages must follow each other"):
        config(sequencer={"outages": [OUTAGE, OUTAGE]})
