"""Systems side by side: what payers met, in four numbers with their intervals."""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from l2sim.report.style import chart, look
from l2sim.results.data import RunData
from l2sim.results.metrics import NS_PER_S

Floats = npt.NDArray[np.float64]

NORMAL_QUANTILE: Final = 1.959963984540054
"""Of a two-sided 95 % interval."""
WIDE: Final = 30.0
"""Means further apart than this factor are shown on a logarithmic axis."""
PANELS: Final = (
    ("completed", "completed [% of all]"),
    ("fee", "fee [US dollars]"),
    ("attempts", "attempts"),
    ("time", "time until the payee is assured [s]"),
)


class Mean(NamedTuple):
    """A mean over payments and half its 95 % interval, payments taken as independent; NaN of none."""

    mean: float
    half: float


def mean_of(values: Floats) -> Mean:
    """The mean of one sample.

    >>> mean_of(np.array([1.0, 3.0])).mean
    2.0
    """
    count = len(values)
    if count == 0:
        return Mean(math.nan, math.nan)
    half = NORMAL_QUANTILE * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return Mean(float(values.mean()), half)


def means(data: RunData) -> dict[str, dict[str, Mean]]:
    """Of each system: the share of payments it completed, and fee, attempts and time of those that all completed.

    Only payments that every system completed are compared by fee, attempts and time: one that gives up what is
    difficult would else look cheap and fast. A system that completed nothing has no part in that.
    """
    rows = data.payments()
    done = pc.equal(rows["outcome"], "completed").to_numpy()
    payment = rows["payment"].to_numpy()
    fee = np.asarray(rows["fee_usd"].to_numpy(zero_copy_only=False), np.float64)
    attempts = rows["attempts"].to_numpy()
    assured, submitted = (rows[c].to_numpy(zero_copy_only=False) for c in ("assured_ns", "submitted_ns"))
    of = {system: pc.equal(rows["system"], system).to_numpy() for system in data.systems}
    common: npt.NDArray[np.int64] | None = None
    for system in data.systems:
        completed = payment[of[system] & done]
        if len(completed):
            common = completed if common is None else np.intersect1d(common, completed)
    shared = np.isin(payment, np.zeros(0, np.int64) if common is None else common)
    found = {}
    for system in data.systems:
        compared = of[system] & done & shared
        found[system] = {
            "completed": mean_of(100.0 * done[of[system]]),
            "fee": mean_of(fee[compared]),
            "attempts": mean_of(attempts[compared].astype(np.float64)),
            "time": mean_of((assured[compared] - submitted[compared]).astype(np.float64) / NS_PER_S),
        }
    return found


def glance(data: RunData) -> Figure:
    """One panel a number, one mark a system with its 95 % interval."""
    found = means(data)
    figure = chart(width=11.0, height=1.6 + 0.32 * len(data.systems))
    places = np.arange(len(data.systems))[::-1]
    for axes, (key, label) in zip(figure.subplots(1, len(PANELS), sharey=True), PANELS, strict=True):
        for index, (system, place) in enumerate(zip(data.systems, places, strict=True)):
            mean, half = found[system][key]
            low, high = mean - half, mean + half
            if key == "completed":  # no share lies outside
                low, high = max(low, 0.0), min(high, 100.0)
            axes.plot(
                [low, mean, high], [place] * 3, color=look(index)["color"], linewidth=2, marker="o",
                markersize=6, markevery=[1], label=system,
            )  # fmt: skip
        known = [found[system][key].mean for system in data.systems if found[system][key].mean > 0]
        if key != "completed" and known and max(known) > WIDE * min(known):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.locator_params(axis="x", nbins=5)
            axes.ticklabel_format(axis="x", useOffset=False)
        axes.set_xlabel(label)
        axes.grid(axis="y", visible=False)
        axes.yaxis.set_major_locator(FixedLocator(places.tolist()))
        axes.set_yticklabels(data.systems)
    axes.set_ylim(-0.6, len(data.systems) - 0.4)
    figure.suptitle("What payers met: all payments, then those that every system completed", fontsize=11, x=0.01,
                    ha="left", fontweight="bold")  # fmt: skip
    return figure
