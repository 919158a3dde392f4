"""What one long run says of its own chance: intervals by batch means, and where its warm-up may end."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from l2sim.experiment.statistics import batch_means, mser5
from l2sim.results.metrics import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, PaymentRecord

BATCHES = 20
FEWEST = 10 * BATCHES
"""Payments without which batches of them would be too short to be independent."""

Found = dict[str, Any] | None


def steady_means(record: PaymentRecord, payments_start_ns: int, warm_up_ns: int = 0) -> dict[str, Any]:
    """Mean wait until assured and mean fee with their 95 % half-widths, and the warm-up that MSER-5 suggests.

    Completed payments in the order they were sent; means leave out those sent in the warm-up. `assured_s` in
    seconds, `fee` in the asset's smallest unit, each None for fewer than 200 payments; `mser5_s` is the time from
    the start of the payment phase, a suggestion to be looked at beside the series. It says 0 where there are too few.
    """
    completed = np.flatnonzero((record.outcome == Outcome.COMPLETED) & (record.assured_ns != NEVER))
    ordered = completed[np.argsort(record.submitted_ns[completed], kind="stable")]
    sent_ns = record.submitted_ns[ordered]
    waits_s = (record.assured_ns[ordered] - sent_ns) / NS_PER_S
    cut = mser5(waits_s.tolist()) if len(ordered) >= FEWEST else 0
    suggested_ns = int(sent_ns[cut]) - payments_start_ns if cut else 0
    kept = sent_ns >= payments_start_ns + warm_up_ns
    return {
        "assured_s": _means(waits_s[kept].tolist()),
        "fee": _means(record.fee[ordered][kept].astype(np.float64).tolist()),
        "mser5_s": suggested_ns / NS_PER_S,
    }


def _means(values: Sequence[float]) -> Found:
    if len(values) < FEWEST:
        return None
    found = batch_means(values, BATCHES)
    return {"mean": found.mean, "half_width": found.half_width, "batches": found.n}


def scaled(found: Found, factor: float) -> Found:
    """The same mean in another unit."""
    if found is None:
        return None
    return {**found, "mean": found["mean"] * factor, "half_width": found["half_width"] * factor}
