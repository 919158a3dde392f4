"""The figures of a run, each drawn from result tables alone.

Every figure names its units and keeps one colour and dash a system, in the scenario's order.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from l2sim.report.glance import glance
from l2sim.report.labels import mark_crossings
from l2sim.report.style import HATCHES, PARAMETERS, chart, look
from l2sim.report.words import seconds, usd, usd_tick
from l2sim.results.data import RunData
from l2sim.results.metrics import NS_PER_S, amortised_cost, crossing

Floats = npt.NDArray[np.float64]

TIME_TICKS = (1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3_600, 86_400, 604_800)


def draw(data: RunData, name: str) -> Figure:
    """Draw a figure by its name, one of `FIGURES`; raises KeyError for any other."""
    with mpl.rc_context(PARAMETERS):
        figure = FIGURES[name].drawn(data)
        engine = figure.get_layout_engine()
        if engine is not None:  # lay it out once, not again for each format it is saved in
            engine.execute(figure)
            figure.set_layout_engine("none")
        return figure


def column(data: RunData, table: str, system: str, name: str, **equals: Any) -> npt.NDArray[Any]:
    """One column of one system as an array, rows with a missing value left out; `equals` keeps matching rows."""
    rows = data.table(table)
    keep = pc.equal(rows["system"], system)
    for key, value in equals.items():
        keep = pc.and_(keep, pc.equal(rows[key], value))
    values: npt.NDArray[Any] = rows.filter(keep)[name].drop_null().to_numpy()
    return values


def time_ticks(axis: Axis) -> None:
    """Ticks of a logarithmic axis of seconds at times that have names or, where there are few of those, at others."""
    low, high = axis.get_data_interval()
    named = sum(low <= tick <= high for tick in TIME_TICKS)
    axis.set_major_locator(FixedLocator(TIME_TICKS) if named > 1 else LogLocator(subs=(1, 2, 3, 5, 7)))
    axis.set_minor_locator(NullLocator())


def decade_ticks(axis: Axis) -> None:
    """Give a logarithmic axis ticks within decades where it is too short for whole decades to be its only ones."""
    low, high = axis.get_data_interval()
    if 0 < low < high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high < 10 * low else (1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def throughput(data: RunData) -> Figure:
    """Payments assured over time, by system: how many a second, and how many so far, beside what was offered."""
    figure = chart(height=6.4)
    rates, totals = figure.subplots(2, 1, sharex=True)
    highest = 0.0
    for index, system in enumerate(data.systems):
        times, counts, width_s = _flow(data, system, "assured")
        if index == 0:
            offered_times, offered, offered_s = _flow(data, system, "submitted")
            rates.fill_between(offered_times, offered / offered_s, step="pre", color="#E4E4E4", label="offered")
            totals.fill_between(offered_times, np.cumsum(offered), color="#E4E4E4", label="offered")
            highest = float(np.max(offered / offered_s, initial=0.0))
        rates.step(times, counts / width_s, where="pre", label=system, **look(index))
        totals.plot(times, np.cumsum(counts), label=system, **look(index))
    rates.set(ylabel="payments a second", title="Payments assured (bursts beyond the axis are cut off)")
    rates.set_ylim(0, 2.5 * highest if highest else 1)
    totals.set(xlabel="time since the first payment [min]", ylabel="payments", title="Payments assured so far")
    totals.set_ylim(bottom=0)
    totals.set_xlim(left=0)
    totals.legend()
    return figure


def _flow(data: RunData, system: str, measure: str) -> tuple[Floats, Floats, float]:
    """Ends of intervals in minutes from the start of the payment phase, counts, and the interval in seconds."""
    times = column(data, "series", system, "time_ns", measure=measure)
    counts = column(data, "series", system, "value", measure=measure)
    if len(times) < 2:
        return np.zeros(0), np.zeros(0), 1.0
    width_ns = times[1] - times[0]
    return (times - times[0] + width_ns) / NS_PER_S / 60, counts, float(width_ns / NS_PER_S)


def fees(data: RunData) -> Figure:
    """The distribution of what payers paid on top of the amount, by system."""
    figure = chart()
    axes = figure.add_subplot()
    for index, system in enumerate(data.systems):
        values = column(data, "payments", system, "fee_usd", outcome="completed")
        free = int(np.count_nonzero(values <= 0))
        label = system if not free else f"{system} ({100 * free / len(values):.0f} % without a fee)"
        _ecdf(axes, values[values > 0], label, index, below=free)
    low, high = axes.xaxis.get_data_interval()
    if high > 3 * low:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:  # a logarithmic axis so short has no ticks that can be read
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: usd_tick(value)))
    axes.set(xlabel="fee [US dollars]", ylabel="share of completed payments", title="Fees: share that paid at most…")
    axes.set_ylim(0, 1.02)
    axes.legend(loc="best")
    return figure


def latency(data: RunData) -> Figure:
    """How long until the payee may act, and until nobody can take the money back, by system."""
    figure = chart(height=6.4)
    panels = figure.subplots(2, 1, sharex=True)
    titles = ("assured: the payee may act", "final: nobody can take it back")
    for axes, name, title in zip(panels, ("assured_ns", "final_ns"), titles, strict=True):
        for index, system in enumerate(data.systems):
            rows = data.payments()
            keep = pc.and_(pc.equal(rows["system"], system), pc.equal(rows["outcome"], "completed"))
            rows = rows.filter(pc.and_(keep, pc.is_valid(rows[name])))
            waits = (rows[name].to_numpy() - rows["submitted_ns"].to_numpy()) / NS_PER_S
            _ecdf(axes, np.maximum(waits, TIME_TICKS[0]), system, index)
        axes.set_xscale("log")
        axes.set(ylabel="share of completed", title=f"Time until {title}")
        axes.set_ylim(0, 1.02)
        axes.xaxis.set_major_locator(FixedLocator(TIME_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    low, high = panels[0].get_xlim()  # shared by both
    panels[0].set_xlim(
        max((tick for tick in TIME_TICKS if tick <= low), default=low),
        min((tick for tick in TIME_TICKS if tick >= high), default=2 * TIME_TICKS[-1]),
    )
    panels[0].legend(loc="best")
    panels[1].set_xlabel("time since submission")
    return figure


def _ecdf(axes: Axes, values: npt.NDArray[Any], label: str, index: int, below: int = 0) -> None:
    """Draw the share of values at most x, thinned to what a figure can show; `below` values lie left of it."""
    if len(values) == 0:
        axes.plot([], [], label=f"{label} (none)", **look(index))
        return
    ordered = np.sort(values)
    shares = (below + np.arange(1, len(ordered) + 1)) / (below + len(ordered))
    if len(ordered) > 2000:
        pick = np.unique(np.linspace(0, len(ordered) - 1, 2000).round().astype(int))
        ordered, shares = ordered[pick], shares[pick]
    ordered = np.concatenate((ordered[:1], ordered))
    shares = np.concatenate(([below / (below + len(values))], shares))
    axes.step(ordered, shares, where="post", label=label, **look(index))


def l1(data: RunData) -> Figure:
    """Fee level, blob fee and block use of each L1 over time, as each system found it, until the chain first sleeps."""
    rows = data.blocks()
    chains = list(dict.fromkeys(rows["chain"].to_pylist()))
    with_blobs = rows["blob_fee_level"].null_count < len(rows)
    height = 3 if with_blobs else 2
    figure = chart(width=max(8.0, 5.2 * len(chains)), height=3.2 * height)
    panels = figure.subplots(height, max(1, len(chains)), squeeze=False, sharex="col")
    for place, chain in enumerate(chains):
        column_panels = [panels[row][place] for row in range(height)]
        gwei = False
        for index, system in enumerate(data.systems):
            hours = column(data, "blocks", system, "time_ns", chain=chain) / NS_PER_S / 3600
            if len(hours) == 0:
                continue
            awake = _awake(hours)
            hours = hours[:awake]
            used = column(data, "blocks", system, "used", chain=chain)[:awake]
            limit = column(data, "blocks", system, "limit", chain=chain)[:awake]
            blob_fee = column(data, "blocks", system, "blob_fee_level", chain=chain)[:awake]
            gwei = gwei or len(blob_fee) > 0
            # Systems on one chain meet the same background: wide lines below, thin ones above, so that all show.
            shape: dict[str, Any] = {"linewidth": 3.5 / (1 + 0.8 * index), "color": look(index)["color"]}
            fee_level = column(data, "blocks", system, "fee_level", chain=chain)[:awake]
            column_panels[0].step(*thinned(hours, fee_level), where="post", label=system, **shape)
            smooth = _running_mean(used / limit, max(1, awake // 100))
            column_panels[1].step(*thinned(hours, 100 * smooth), where="post", **shape)
            if with_blobs and len(blob_fee):
                column_panels[2].step(*thinned(hours, blob_fee), where="post", **shape)
        column_panels[0].set(title=chain, ylabel="base fee [gwei]" if gwei else "lowest fee rate in the block [sat/vB]")
        column_panels[1].set(ylabel="block space used [%]")
        column_panels[1].set_ylim(0, 105)
        column_panels[0].legend(fontsize=8)
        fee_panels = [column_panels[0]]
        if with_blobs and gwei:
            column_panels[2].set(ylabel="blob base fee [gwei]")
            fee_panels.append(column_panels[2])
        elif with_blobs:
            column_panels[2].set_axis_off()
            column_panels[1].tick_params(labelbottom=True)
        for panel in fee_panels:
            panel.set_yscale("log")
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            decade_ticks(panel.yaxis)
        lowest = column_panels[2] if with_blobs and gwei else column_panels[1]
        lowest.set_xlabel("time since the start of the run [h]")
    return figure


def thinned(times: Floats, values: npt.NDArray[Any], most: int = 500) -> tuple[Floats, npt.NDArray[Any]]:
    """A series with at most so many values: the lowest and the highest of each stretch, so that no peak is lost."""
    if len(values) <= most:
        return times, values
    edges = np.linspace(0, len(values), most // 2 + 1).astype(int)
    stretches = [np.arange(low, high) for low, high in pairwise(edges.tolist())]
    extremes = [(part[values[part].argmin()], part[values[part].argmax()]) for part in stretches]
    kept = np.unique(np.array(extremes))
    return times[kept], values[kept]


def _awake(hours: Floats) -> int:
    """How many blocks come before the chain first sleeps: before a gap of more than a hundred usual ones."""
    gaps = np.diff(hours)
    long: npt.NDArray[np.intp] = np.flatnonzero(gaps > 100 * np.median(gaps)) if len(gaps) else np.empty(0, np.intp)
    return int(long[0]) + 1 if len(long) else len(hours)


def _running_mean(values: Floats, width: int) -> Floats:
    if width == 1:
        return values
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def cost(data: RunData) -> Figure:
    """The headline: cost of one payment against the payments a user makes between coming in and going out."""
    figure = chart(width=8.6, height=5.4)
    axes = figure.add_subplot()
    lines = cost_lines(data)
    payments = np.logspace(0, 5, 400)
    for index, system in enumerate(data.systems):
        if system not in lines:
            axes.plot([], [], label=f"{system} (no curve: nobody completed a payment and left)", **look(index))
            continue
        fixed, running = lines[system]
        axes.plot(payments, [amortised_cost(fixed, running, n) for n in payments], label=system, **look(index))
        measured = data.summary[system]["payments_per_user"]
        if measured is not None and payments[0] <= measured <= payments[-1]:
            here = amortised_cost(fixed, running, measured)
            axes.plot(measured, here, marker="o", markersize=6, color=look(index)["color"])
    axes.set_xscale("log")
    if lines:
        axes.set_yscale("log")
        decade_ticks(axes.yaxis)
    else:  # what has no curve has no axis either; the legend says why
        axes.set(xlim=(payments[0], payments[-1]), yticks=[])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: usd_tick(value)))
    mark_crossings(axes, [p for p in crossings(data) if payments[0] <= p["payments_per_user"] <= payments[-1]])
    axes.set(
        xlabel="payments a user makes between coming in and going out",
        ylabel="cost of one payment [US dollars]",
        title="Cost of a payment, all on-chain costs amortised   (● as run, ✕ crossing)",
    )
    axes.legend()
    return figure


def cost_lines(data: RunData) -> dict[str, tuple[float, float]]:
    """Each system's cost: US dollars a user for coming in and going out, US dollars a payment for all else."""
    return {
        system: (summary["fixed_cost_usd_per_user"], summary["running_cost_usd_per_payment"])
        for system, summary in data.summary.items()
        if summary["running_cost_usd_per_payment"] is not None and summary["fixed_cost_usd_per_user"] is not None
    }


def crossings(data: RunData) -> list[dict[str, Any]]:
    """Where two systems cost the same, from few payments a user to many."""
    return crossings_of(cost_lines(data))


def crossings_of(lines: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """The same of lines of cost, each `(fixed, running)`, by system."""
    names = list(lines)
    found = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            n = crossing(lines[first], lines[second])
            if n is not None:
                few, many = (first, second) if lines[first][0] < lines[second][0] else (second, first)
                height = amortised_cost(*lines[first], n)
                found.append({"payments_per_user": n, "cost_usd": height, "cheaper_below": few, "cheaper_above": many})
    return sorted(found, key=lambda point: float(point["payments_per_user"]))


STAGES = (
    ("assured", "payee assured", "o"),
    ("included", "on L1", "s"),
    ("l1_final", "that block final", "^"),
    ("final", "nobody can take it back", "D"),
)
"""What a payment reaches, by its name in the summary, in words, and its mark."""


def time(data: RunData) -> Figure:
    """Where the time went: the median time from submission to each stage, by system."""
    figure = chart(height=1.8 + 0.45 * len(data.systems))
    axes = figure.add_subplot()
    places = np.arange(len(data.systems))[::-1]
    for index, (name, label, mark) in enumerate(STAGES):
        medians = [data.summary[system]["latency_s"][name]["p50"] for system in data.systems]
        known = [(median, place) for median, place in zip(medians, places, strict=True) if median]
        axes.plot(
            [median for median, _ in known], [place for _, place in known], linestyle="none", marker=mark, markersize=8,
            color=look(index)["color"], label=label, zorder=3,
        )  # fmt: skip
    for system, place in zip(data.systems, places, strict=True):
        reached = [data.summary[system]["latency_s"][name]["p50"] for name, _, _ in STAGES]
        known_s = [median for median in reached if median]
        if known_s:
            axes.plot([min(known_s), max(known_s)], [place, place], color="#999999", linewidth=1, label="_", zorder=1)
    axes.set_xscale("log")
    time_ticks(axes.xaxis)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.set_yticks(places, data.systems)
    axes.set_ylim(-0.6, len(data.systems) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="median time since submission", title="Where the time went")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(STAGES), fontsize=8)
    return figure


PARTS = (
    ("onboarding", "coming in"),
    ("leaving", "going out"),
    ("payments_l1", "payments (L1)"),
    ("service", "fees to operators"),
    ("loss", "operators' loss"),
)
STOLEN = ("stolen", "stolen from users")
"""Shown where anything was."""


def money(data: RunData) -> Figure:
    """Where the money went: the parts of what a completed payment cost, by system."""
    figure = chart(height=1.6 + 0.55 * len(data.systems))
    axes = figure.add_subplot()
    places = np.arange(len(data.systems))[::-1]
    parts = [*PARTS, STOLEN] if any(_part(data, system, STOLEN[0]) for system in data.systems) else PARTS
    values = np.array([[_part(data, system, part) for part, _ in parts] for system in data.systems])
    totals = values.sum(axis=1)
    shares = 100 * values / np.where(totals > 0, totals, 1.0)[:, None]
    left = np.zeros(len(data.systems))
    for index, (_, label) in enumerate(parts):
        colour = look(index)["color"]
        axes.barh(
            places,
            shares[:, index],
            left=left,
            label=label,
            color=colour,
            hatch=HATCHES[index % len(HATCHES)],
            edgecolor="white",
        )
        left += shares[:, index]
    axes.set_yticks(places, [f"{name}\n{usd(float(total))}" for name, total in zip(data.systems, totals, strict=True)])
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 100)
    axes.set(xlabel="share of what a completed payment cost, as run [%]", title="Where the money went")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(parts), fontsize=8)
    return figure


def _part(data: RunData, system: str, part: str) -> float:
    summary = data.summary[system]
    spent = summary["cost_usd"]
    value = max(0.0, -spent["operators_margin"]) if part == "loss" else spent.get(part, 0.0)
    return float(value / summary["completed"]) if summary["completed"] else 0.0


class Drawing:
    """A figure that a report holds: what draws it, its heading, and what it shows in words."""

    def __init__(self, drawn: Callable[[RunData], Figure], heading: str, caption: str) -> None:
        self.drawn = drawn
        self.heading = heading
        self.caption = caption


FIGURES: dict[str, Drawing] = {
    "cost": Drawing(
        cost,
        "What a payment costs",
        "Cost of one payment against the number of payments a user makes between coming in and going out, for users "
        "who pay as often as in this run and stay longer: what channel opens and closes, deposits and withdrawals cost "
        "is shared by all their payments. What was stolen from users is in no curve. A cross marks where two systems "
        "cost the same.",
    ),
    "glance": Drawing(
        glance,
        "What payers met",
        "The share of payments that each system completed; fee, attempts and time until the payee is assured, of those "
        "payments that every system completed. Means with 95 % intervals, payments taken as independent.",
    ),
    "throughput": Drawing(
        throughput, "What gets through", "Payments assured a second; the grey area is what was sent."
    ),
    "fees": Drawing(fees, "What payers pay", "Share of completed payments whose fee is at most the value below."),
    "latency": Drawing(
        latency,
        "How fast",
        "Share of completed payments that are assured (above) and final (below) within the time on the axis. Final "
        "means that nobody can take the money back: on channels as long as the payee, or a watchtower for it, looks at "
        "L1 in time to punish an old state; on a rollup once the challenge window is over or the proof accepted. Lines "
        "that coincide lie over each other, later systems thinner.",
    ),
    "money": Drawing(money, "Where the money went", "Parts of the cost of a payment, as this run measured them."),
    "time": Drawing(
        time,
        "Where the time went",
        "Half of a system's completed payments reach each stage within the time at its mark. A stage that a system "
        "does not have, or did not reach within the run, has no mark; of stages reached at once the last one shows.",
    ),
    "l1": Drawing(
        l1,
        "The chains below",
        "Fee level, block use and blob fee of each L1, background demand included, as each system found it.",
    ),
}
