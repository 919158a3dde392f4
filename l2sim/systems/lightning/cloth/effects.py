"""What each correction changes: the same payments once as CLoTH makes them, once with each defect put right, once
with all."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.names import ALL, CORRECTIONS
from l2sim.systems.lightning.cloth.simulation import Results, simulate
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Payments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NORMAL_QUANTILE: Final = 1.959963984540054  # of a two-sided 95 % interval
AS_CLOTH: Final = "as CLoTH"
MEASURES: Final = {
    "success": "payments that succeed",
    "attempts": "attempts a payment",
    "time_ms": "time of a success (ms)",
    "fee_msat": "fee of a success (msat)",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """One run: the mean of each of `MEASURES` and half its 95 % interval, payments taken as independent."""

    corrected: str
    means: dict[str, float]
    halves: dict[str, float]


def effects(
    network: Network, balance_msat: Int64s, payments: Payments, *, mpp: bool, seed: int, fault_probability: float
) -> Iterator[Effect]:
    """The runs one by one: as CLoTH, each correction that changes payments alone, and all."""
    alone = [name for name in CORRECTIONS if name != "intervals"]  # which changes no payment
    for label, names in ((AS_CLOTH, []), *((name, [name]) for name in alone), (ALL, alone)):
        results = simulate(
            network, balance_msat, payments, mpp=mpp, seed=seed, fault_probability=fault_probability, corrected=names
        )
        yield effect_of(label, results)


def effect_of(label: str, results: Results) -> Effect:
    """The measures of one run."""
    done = results.succeeded
    samples: dict[str, npt.NDArray[Any]] = {
        "success": done.astype(float),
        "attempts": results.attempts,
        "time_ms": (results.end_ms - results.payments.start_ms)[done],
        "fee_msat": results.fee_msat[done],
    }
    means, halves = {}, {}
    for name, values in samples.items():
        count = len(values)
        means[name] = float(values.mean()) if count else math.nan
        halves[name] = NORMAL_QUANTILE * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return Effect(label, means, halves)


def effect_lines(rows: Sequence[Effect]) -> list[str]:
    """The runs as lines of CSV: means, each with half its 95 % interval."""
    lines = ["corrected," + ",".join(f"{name},{name}_half_interval" for name in MEASURES)]
    for row in rows:
        cells = (f"{row.means[name]:.6g},{row.halves[name]:.3g}" for name in MEASURES)
        lines.append(f"{row.corrected},{','.join(cells)}")
    return lines


def effect_figure(rows: Sequence[Effect]) -> "Figure":
    """One panel a measure, one point a run with its 95 % interval; the line is where CLoTH's own rules stand."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.2), layout="constrained")
    places = np.arange(len(rows))[::-1]
    for axes, (name, label) in zip(figure.subplots(1, len(MEASURES), sharey=True), MEASURES.items(), strict=True):
        means = [row.means[name] for row in rows]
        axes.axvline(means[0], color="0.6", linewidth=1)
        axes.errorbar(means, places, xerr=[row.halves[name] for row in rows], fmt="o", color="0.15", capsize=3)
        axes.set_xlabel(label)
        axes.set_yticks(places, [row.corrected for row in rows])
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="x", color="0.9")
    return figure
