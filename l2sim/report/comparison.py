"""A comparison as figure, table and sentences, drawn from its table alone."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from l2sim.report.style import HATCHES, PARAMETERS, chart, look
from l2sim.report.sweep_figures import MARKERS, figure_text, laid_out, table_html, words
from l2sim.report.words import share

Row = dict[str, Any]

WIDE_PERCENT = 1_000
"""A relative change beyond which small ones could not be told on a linear axis."""

SAID = ("cost_usd_per_payment", "latency_s.assured.p50", "latency_s.final.p50", "success_rate")
"""What the sentences are about where it was compared; else about the first figures that were."""


def differences(title: str, table: pa.Table) -> Figure:
    """Relative changes with their 95 % intervals: a bar a figure and pair, zero marked.

    `table` is that of a comparison; rows whose first mean is 0 have no relative change and are left out.
    """
    rows = [row for row in table.to_pylist() if row["relative"] is not None]
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in rows))
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    with mpl.rc_context(PARAMETERS):
        figure = chart(width=8.0, height=1.6 + 0.22 * max(4, len(metrics) * (len(pairs) + 1)))
        axes = figure.add_subplot()
        tall = 0.8 / max(1, len(pairs))
        for index, pair in enumerate(pairs):
            chosen = [row for row in rows if (row["first"], row["second"]) == pair]
            places = [0.4 - metrics.index(row["metric"]) - tall * (index + 0.5) for row in chosen]
            changes = [100 * row["relative"] for row in chosen]
            reach = [reach_percent(row) for row in chosen]
            colour = look(index)["color"]
            axes.barh(places, changes, height=0.85 * tall, color=colour, alpha=0.55, edgecolor="white",
                      hatch=HATCHES[index % len(HATCHES)], label=pair[1])  # fmt: skip
            axes.errorbar(changes, places, xerr=reach, linestyle="none", capsize=2.5, color=colour, elinewidth=1.2,
                          marker=MARKERS[index % len(MARKERS)], markersize=4.5)  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8)
        ends = [100 * row["relative"] + side * reach_percent(row) for row in rows for side in (-1, 1)]
        if rows and max(abs(100 * row["relative"]) for row in rows) > WIDE_PERCENT:
            axes.set_xscale("symlog", linthresh=100)
            axes.xaxis.set_major_locator(FixedLocator([-1e6, -1e4, -1e3, -100, 0, 100, 1e3, 1e4, 1e6, 1e8]))
            axes.set_xlim(1.3 * min(-20.0, *ends), 2 * max(20.0, *ends))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+,.0f} %" if value else "0"))
        axes.set_yticks([-i for i in range(len(metrics))], [words(metric) for metric in metrics])
        axes.grid(axis="y", visible=False)
        axes.set(xlabel="relative change, with 95 % interval [%]", title=title)
        if pairs:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(pairs)),
                          fontsize=8)  # fmt: skip
        return laid_out(figure)


def reach_percent(row: Row) -> float:
    """How far the interval of a relative change reaches to either side, in per cent; 0 without one."""
    return 100 * (_half_width(row) or 0.0) / abs(float(row["first_mean"]))


def differences_html(title: str, table: pa.Table) -> str:
    """A comparison as an HTML table, for notebooks."""
    headings = ["figure", "first", "second", "first mean", "second mean", "difference", "relative"]
    return table_html(title, headings, [difference_cells(row) for row in table.to_pylist()])


def difference_cells(row: Row) -> list[str]:
    """One difference as words: figure, first, second, both means, difference with interval, relative change."""
    metric = row["metric"]
    half_width = _half_width(row)
    change = change_text(metric, row["difference"])
    return [
        words(metric),
        row["first"],
        row["second"],
        figure_text(metric, row["first_mean"]),
        figure_text(metric, row["second_mean"]),
        change if half_width is None else f"{change} ± {change_text(metric, half_width)}",
        "–" if row["relative"] is None else percent(row["relative"]),
    ]


def change_text(metric: str, value: float) -> str:
    """A difference of two values of a figure; that of two shares in percentage points, since it is no share of either.

    >>> change_text("success_rate", -0.015), change_text("cost_usd_per_payment", 0.5)
    ('−1.5 points', '$0.500')
    """
    if metric == "success_rate":
        return f"{'−' if value < 0 else ''}{abs(100 * value):.3g} points"
    return figure_text(metric, value)


def percent(relative: float) -> str:
    """A relative change.

    >>> percent(0.1538), percent(-0.99987), percent(512.3), percent(0.0)
    ('+15.4 %', '−99.98 %', '+51,230 %', '0 %')
    """
    size = abs(relative)
    shown = f"{100 * size:,.0f} %" if size > 1 else share(size)  # which never says that all but a little is all
    return shown if relative == 0 else f"{'−' if relative < 0 else '+'}{shown}"


def chance(row: Row) -> str:
    """Whether chance may explain a difference: nothing where there is no interval to say so.

    >>> chance({"low": -1.0, "high": 2.0}), chance({"low": 1.0, "high": 2.0}), chance({"low": None, "high": None})
    ('may be chance', 'beyond chance', '')
    """
    low, high = row["low"], row["high"]
    if low is None or high is None:
        return ""
    if low == high:  # the same in every replication
        return "no difference" if low == 0 else "beyond chance"
    return "may be chance" if low <= 0 <= high else "beyond chance"


def sentences(table: pa.Table) -> list[str]:
    """What a comparison found, a sentence a figure: each second beside its first."""
    rows = table.to_pylist()
    compared = list(dict.fromkeys(row["metric"] for row in rows))
    about = [metric for metric in SAID if metric in compared] or compared[: len(SAID)]
    found = []
    for metric in about:
        firsts: dict[str, list[Row]] = {}
        for row in rows:
            if row["metric"] == metric:
                firsts.setdefault(f"{figure_text(metric, row['first_mean'])} on {row['first']}", []).append(row)
        clauses = [f"{first}; {_seconds_of(others)}" for first, others in firsts.items()]
        name = words(metric).partition(" [")[0]
        found.append(f"{name[0].upper()}{name[1:]}: {'. '.join(clauses)}.")
    return found


def _seconds_of(rows: Sequence[Row]) -> str:
    """The means of the seconds beside one first, with relative change and what chance has to do with it."""
    parts = []
    for row in rows:
        notes = [percent(row["relative"])] if row["relative"] else []
        notes += [chance(row)] if chance(row) else []
        said = f"{figure_text(row['metric'], row['second_mean'])} on {row['second']}"
        parts.append(said + (f" ({', '.join(notes)})" if notes else ""))
    return "; ".join(parts)


def _half_width(row: Row) -> float | None:
    if row["high"] is None or math.isinf(row["high"]):
        return None
    return float(row["high"] - row["difference"])
