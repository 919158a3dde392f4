"""Figures of a sweep and of a comparison, each drawn from its table alone: lines with intervals, frontier, changes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from l2sim.report.figures import decade_ticks, time_ticks
from l2sim.report.style import PARAMETERS, chart, look, png, svg
from l2sim.report.words import key_words, number, seconds, share, usd

LINES = ("cost_usd_per_payment", "success_rate", "latency_s.assured.p50", "throughput_per_s")
"""What the small multiples show unless asked for other figures."""

PANELS = 4
"""Values of the second varied key that get a column of panels each; more are drawn as lines over the first alone."""

COST, WAIT = "cost_usd_per_payment", "latency_s.assured.p50"
THROUGHPUT, FEE = "throughput_per_s", "fee_usd.mean"

WORDS = {
    "success_rate": "share completed",
    "throughput_per_s": "completed a second",
    "latency_s.assured.p50": "wait until assured, median",
    "latency_s.final.p50": "wait until final, median",
    "fee_usd.mean": "fee, mean [US dollars]",
    "cost_usd_per_payment": "cost of a payment [US dollars]",
    "l1_bytes_per_payment": "L1 bytes a payment",
    "capital_locked_usd": "capital locked [US dollars]",
}
"""Headline figures in words, with units; others keep their names, which end in their units."""

KEY_TICKS = 6
"""Values of a varied key that are each a tick of its axis; more could run into each other."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

Row = dict[str, Any]


def words(metric: str) -> str:
    """A figure as axes and tables name it."""
    return WORDS.get(metric, metric)


def figure_text(metric: str, value: float | None) -> str:
    """A value of a figure with its unit, as people read it.

    >>> figure_text("cost_usd_per_payment", 0.5), figure_text("latency_s.final.p50", 7200), figure_text("hashes", None)
    ('$0.500', '2 h', '–')
    """
    if value is None:
        return "–"
    if metric == "success_rate":
        return share(value)
    if metric.startswith(("latency_s.", "cpu_s.")) and not metric.endswith(".share"):
        return seconds(value) if value >= 0 else f"−{seconds(-value)}"
    if "usd" in metric:
        return usd(value)
    return number(value)


def lines(intervals: pa.Table, keys: Sequence[str], metrics: Sequence[str] = LINES) -> Figure:
    """Small multiples: a row of panels a metric, a column a value of the second varied key, a line a system.

    `intervals` is the table of a sweep; a bar shows the 95 % interval. With more keys than two, or many values
    of the second, points that share the first key's value stand above each other without a line.
    """
    rows = intervals.to_pylist()
    columns = list(dict.fromkeys(row[keys[1]] for row in rows)) if len(keys) == 2 else [None]
    joined = len(keys) <= 2
    if len(columns) > PANELS:
        columns, joined = [None], False
    with mpl.rc_context(PARAMETERS):
        figure = chart(width=max(6.4, 1.2 + 3.6 * len(columns)), height=0.6 + 2.3 * len(metrics))
        panels = figure.subplots(len(metrics), len(columns), squeeze=False, sharex="col", sharey="row")
        systems = list(dict.fromkeys(row["system"] for row in rows))
        for across, metric in enumerate(metrics):
            for down, value in enumerate(columns):
                axes = panels[across][down]
                chosen = [row for row in rows if row["metric"] == metric and (value is None or row[keys[1]] == value)]
                for index, system in enumerate(systems):
                    _line(axes, [row for row in chosen if row["system"] == system], keys[0], index, system, joined)
                _value_axis(axes, metric, chosen)
                if down == 0:
                    axes.set_ylabel(words(metric), fontsize=9)
                if across == 0 and value is not None:
                    axes.set_title(f"{key_words(keys[1])} = {value}", fontsize=9)
                if across == len(metrics) - 1:
                    axes.set_xlabel(key_words(keys[0]))
                    _key_axis(axes, chosen, keys[0])
        panels[0][0].legend(fontsize=8)
        return laid_out(figure)


def _line(axes: Axes, rows: Sequence[Row], key: str, index: int, label: str, joined: bool) -> None:
    style = look(index) if joined else {"color": look(index)["color"], "linestyle": "none"}
    whole = [0.0 if row["half_width"] is None else row["half_width"] for row in rows]
    axes.errorbar(
        [row[key] for row in rows], [row["mean"] for row in rows], yerr=whole, label=label, capsize=2.5,
        marker=MARKERS[index % len(MARKERS)], markersize=4, elinewidth=1, **style,
    )  # fmt: skip


def _value_axis(axes: Axes, metric: str, rows: Sequence[Row]) -> None:
    """Shares up to 1, from 0 or, where all are near 1, from just below the least.

    Other figures from 0, or logarithmic where the means spread over more than a factor of ten.
    """
    means = [row["mean"] for row in rows]
    if metric == "success_rate":
        least = min((row["mean"] - (row["half_width"] or 0.0) for row in rows), default=0.0)
        low = 0.0 if least < 0.9 else 0.9 if least < 0.99 else 0.99
        axes.set_ylim(low, 1 + 0.04 * (1 - low))
    elif means and min(means) > 0 and max(means) > 10 * min(means):
        _logarithmic(axes.yaxis, metric)
        axes.set_ylim(bottom=min(means) / 3)  # an interval that reaches 0 has no lower end here
    elif means and min(means) >= 0:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: figure_text(metric, value)))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.tick_params(labelsize=8)


def _logarithmic(axis: Any, metric: str) -> None:
    """Make an axis logarithmic, with ticks at times that have names."""
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    set_scale("log")
    if metric.startswith("latency_s."):
        time_ticks(axis)
    else:
        decade_ticks(axis)


def _key_axis(axes: Axes, rows: Sequence[Row], key: str) -> None:
    """A logarithmic axis where a key's values spread over more than a factor of ten; few values are its ticks."""
    values = [row[key] for row in rows]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numeric or not values:
        return
    if min(values) > 0 and max(values) > 10 * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    if len(set(values)) <= KEY_TICKS:
        axes.xaxis.set_major_locator(FixedLocator(sorted(set(values))))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def frontier(intervals: pa.Table, across: str = WAIT, up: str = COST) -> Figure:
    """Two figures against each other, one mark a point and system, with intervals; less is better, but for throughput.

    A line joins the points that no other one beats in both: the frontier. By default, cost of a payment against the
    wait until the payee is assured.
    """
    rows = intervals.to_pylist()
    found: dict[tuple[int, str], dict[str, Row]] = {}
    for row in rows:
        if row["metric"] in (across, up):
            found.setdefault((row["point"], row["system"]), {})[row["metric"]] = row
    whole = {place: pair for place, pair in found.items() if len(pair) == 2}
    with mpl.rc_context(PARAMETERS):
        figure = chart(width=7.6, height=5.2)
        axes = figure.add_subplot()
        for index, system in enumerate(dict.fromkeys(row["system"] for row in rows)):
            pairs = [pair for (_, name), pair in whole.items() if name == system]
            axes.errorbar(
                [pair[across]["mean"] for pair in pairs], [pair[up]["mean"] for pair in pairs],
                xerr=_bars(pairs, across), yerr=_bars(pairs, up), color=look(index)["color"], linestyle="none",
                marker=MARKERS[index % len(MARKERS)], markersize=5, elinewidth=0.8, label=system,
            )  # fmt: skip
        sign = -1 if across == THROUGHPUT else 1
        best = pareto([(sign * pair[across]["mean"], pair[up]["mean"]) for pair in whole.values()])
        if len(best) > 1:
            axes.step([sign * x for x, _ in best], [y for _, y in best], where="post", color="black", linewidth=1,
                      linestyle=":", label="frontier", zorder=1)  # fmt: skip
        for axis, limit, metric in ((axes.xaxis, axes.set_xlim, across), (axes.yaxis, axes.set_ylim, up)):
            lowest = min((pair[metric]["mean"] for pair in whole.values()), default=0.0)
            if lowest > 0:
                _logarithmic(axis, metric)
                limit(lowest / 1.5)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: figure_text(across, value)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: figure_text(up, value)))
        axes.set(xlabel=words(across), ylabel=words(up), title="A mark for each system and point")
        # below, where no mark can lie: best places inside the axes do not see error bars
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
        return laid_out(figure)


def _bars(pairs: Sequence[dict[str, Row]], metric: str) -> Any:
    """Interval bars, cut so that a logarithmic axis can show their lower end."""
    widths = [0.0 if pair[metric]["half_width"] is None else pair[metric]["half_width"] for pair in pairs]
    means = [pair[metric]["mean"] for pair in pairs]
    below = [min(width, 0.99 * mean) if mean > 0 else width for width, mean in zip(widths, means, strict=True)]
    return np.array([below, widths]).reshape(2, len(pairs))


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both coordinates (less is better), from left to right.

    >>> pareto([(1, 5), (2, 3), (3, 4), (4, 1)])
    [(1, 5), (2, 3), (4, 1)]
    """
    best: list[tuple[float, float]] = []
    for point in sorted(points):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best


def laid_out(figure: Figure) -> Figure:
    """The figure, laid out for good."""
    figure.draw_without_rendering()  # lay it out once, not again for each format it is saved in
    figure.set_layout_engine("none")
    return figure


def write_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write one figure as SVG and PNG."""
    (folder / f"{name}.svg").write_text(svg(figure), encoding="utf-8")
    (folder / f"{name}.png").write_bytes(png(figure))


def spread(metric: str, mean: float, half_width: float | None) -> str:
    """A mean with its interval, in words.

    >>> spread("success_rate", 0.5, 0.01), spread("hashes", 10.0, None)
    ('50 % ± 1 %', '10')
    """
    shown = figure_text(metric, mean)
    return shown if half_width is None or math.isinf(half_width) else f"{shown} ± {figure_text(metric, half_width)}"


_TABLE = """<table>
  <caption>{{ title }}</caption>
  <thead><tr>{% for heading in headings %}<th>{{ heading }}</th>{% endfor %}</tr></thead>
  <tbody>
  {% for row in rows %}
    <tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
  {% endfor %}
  </tbody>
</table>"""


def intervals_html(title: str, intervals: pa.Table, keys: Sequence[str]) -> str:
    """The headline figures of a sweep or of replications as an HTML table, for notebooks."""
    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for row in intervals.to_pylist():
        place = (*(row[key] for key in keys), row["system"], row.get("point", 0))
        rows.setdefault(place, {})[row["metric"]] = spread(row["metric"], row["mean"], row["half_width"])
    headings = [*keys, "system", *(words(metric) for metric in WORDS)]
    return table_html(
        title, headings, [[*place[:-1], *(cells.get(m, "–") for m in WORDS)] for place, cells in rows.items()]
    )


def table_html(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as HTML, for notebooks; everything in it is escaped."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TABLE).render(title=title, headings=headings, rows=rows)
