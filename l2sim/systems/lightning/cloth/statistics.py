"""CLoTH's statistics of a run, by its method of batch means, and plain ones over all payments."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.simulation import Flags, Results

BATCHES: Final = 30
TRANSIENT: Final = 1  # batches left out at the start
CLOTH_QUANTILE: Final = 0.06325175747437  # t.isf(0.95 / 2, 29): a 32nd of the right one (defect D1)
QUANTILE: Final = 2.04522964214142  # t.isf(0.05 / 2, 29), of a 95 % interval


def failures(results: Results) -> dict[str, Flags]:
    """The payments that failed, by CLoTH's classes (defect D11); each belongs to one."""
    failed = ~results.succeeded
    timeout = failed & results.timed_out
    no_path = failed & ~timeout & (results.hops == 0)
    offline = failed & ~timeout & ~no_path & (results.offline > results.no_balance)
    return {
        "FailNoPath": no_path,
        "FailNoBalance": failed & ~timeout & ~no_path & ~offline,
        "FailOfflineNode": offline,
        "FailTimeoutExpired": timeout,
    }


def batch_means(results: Results, quantile: float = CLOTH_QUANTILE) -> dict[str, dict[str, str | None]]:
    """Mean, variance and interval of each of CLoTH's measures over 30 batches, as strings of ten digits.

    The time from 0 to the start of the last payment is cut in 31; payments belong where they start. The first batch
    is dropped, the last payment belongs to none. Rates are over the payments of a batch, the rest over those that
    succeeded. A measure is None where a batch has nothing to measure.
    """
    start_ms = results.payments.start_ms
    span_ms = int(start_ms.max())
    pieces = BATCHES + TRANSIENT
    batch = start_ms * pieces // max(span_ms, 1) - TRANSIENT
    inside = (batch >= 0) & (batch < BATCHES) & (start_ms < span_ms)
    succeeded = inside & results.succeeded
    measures: dict[str, tuple[npt.NDArray[Any], Flags]] = {"Success": (results.succeeded, inside)}
    measures |= {name: (flags, inside) for name, flags in failures(results).items()}
    measures |= {
        "Time": (results.end_ms - start_ms, succeeded),
        "Attempts": (results.attempts, succeeded),
        "RouteLength": (results.hops, succeeded),
    }
    return {name: _interval(values[of], batch[of], quantile) for name, (values, of) in measures.items()}


def _interval(values: npt.NDArray[Any], batch: npt.NDArray[Any], quantile: float) -> dict[str, str | None]:
    counts = np.bincount(batch, minlength=BATCHES)
    if not counts.all():
        return dict.fromkeys(("Mean", "Variance", "ConfidenceMin", "ConfidenceMax"))
    means = np.bincount(batch, values, BATCHES) / counts
    mean, variance = float(means.mean()), float(means.var())
    half = quantile * math.sqrt(variance / (BATCHES - 1))
    numbers = {"Mean": mean, "Variance": variance, "ConfidenceMin": mean - half, "ConfidenceMax": mean + half}
    return {name: f"{number:.10f}" for name, number in numbers.items()}


def totals(results: Results) -> dict[str, Any]:
    """Plain figures over all payments: rates of the outcomes, and times, fees and hops of those that succeeded."""
    count = len(results.succeeded)
    done = results.succeeded
    time_ms = (results.end_ms - results.payments.start_ms)[done]
    figures: dict[str, Any] = {
        "payments": count,
        "succeeded": int(done.sum()),
        **{name: int(flags.sum()) for name, flags in failures(results).items()},
        "split": int(results.split.sum()),
        "split_succeeded": int((results.split & done).sum()),
        "no_balance_hits": int(results.no_balance.sum()),
        "offline_hits": int(results.offline.sum()),
        "attempts": int(results.attempts.sum()),
        "events": results.events,
        "searches": results.searches,
        "pruned_searches": results.pruned_searches,
    }
    if len(time_ms):
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
        figures["time_ms"] = {
            "mean": round(float(time_ms.mean()), 4),
            **{name: float(np.quantile(time_ms, share)) for name, share in shares.items()},
            "max": int(time_ms.max()),
        }
        figures["fee_msat_mean"] = round(float(results.fee_msat[done].mean()), 4)
        figures["hops_mean"] = round(float(results.hops[done].mean()), 4)
    return figures
