"""The figure of `l2sim posting`: a column a price path; cost, delay and blob fill against the channel's duration."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from l2sim.report.style import COLOURS, PARAMETERS, chart
from l2sim.report.words import seconds, usd_tick

Row = Mapping[str, Any]

TICKS_S = (12, 60, 300, 1_800, 7_200, 21_600, 86_400)
COST_TICKS = tuple(size * 10.0**power for power in range(-9, 3) for size in (1, 3))
DASHES: Mapping[str, Any] = {"blob": "-", "calldata": (0, (4, 1.5)), "auto": (0, (1, 1))}
MARKERS = ("o", "s", "^", "D", "v", "P")

COST, DELAY, P95, FILL = (
    "cost_usd_per_transaction", "safe_head_delay_mean_s", "safe_head_delay_p95_s", "blob_fill",
)  # fmt: skip
DURATION = "channel_duration_s"


def posting_figure(rows: Sequence[Row], title: str) -> Figure:
    """Draw the table of `l2sim posting`, given as rows of its columns.

    Colours tell how full a channel may get, dashes the medium. The last row of panels sets cost against delay; its
    black line joins the settings that no other one beats in both.
    """
    paths = list(dict.fromkeys(row["price"] for row in rows))
    with mpl.rc_context(PARAMETERS):
        figure = chart(width=1.6 + 3.5 * max(2, len(paths)), height=10.6)
        panels = figure.subplots(4, len(paths), squeeze=False, sharex="row", sharey="row")
        for column, path in enumerate(paths):
            chosen = [row for row in rows if row["price"] == path]
            cost, delay, fill, frontier = (panels[line][column] for line in range(4))
            cost.set_title(f"{path}\n{_fees(chosen)}", fontsize=9.5)
            _lines(cost, chosen, COST)
            _lines(delay, chosen, DELAY)
            _lines(fill, [row for row in chosen if row[FILL] is not None], FILL)
            fill.set_ylim(0, 1.05)
            _frontier(frontier, chosen)
            for axes in (cost, delay, fill):
                _times(axes.set_xscale, axes.xaxis, [row[DURATION] for row in chosen])
            fill.set_xlabel("channel duration", fontsize=9)
            frontier.set_xlabel("safe-head delay, 95th percentile", fontsize=9)
            _times(frontier.set_xscale, frontier.xaxis, [row[P95] for row in rows])
        _times(panels[1][0].set_yscale, panels[1][0].yaxis, [row[DELAY] for row in rows])
        for line in (0, 3):
            _costs(panels[line][0], [row[COST] for row in rows])
        panels[2][0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        for line, label in enumerate(
            ("cost of a transaction on L1", "safe-head delay, mean", "blob fill", "cost against delay")
        ):
            panels[line][0].set_ylabel(label, fontsize=9)
        for axes in panels.flat:
            axes.tick_params(labelsize=8)
        _legend(figure, rows)
        figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        return figure


def _fees(rows: Sequence[Row]) -> str:
    """What L1 took on this path, in the mean."""
    gas = sum(row["base_fee_gwei"] for row in rows) / len(rows)
    blob_fees = [row["blob_fee_gwei"] for row in rows if row["blob_fee_gwei"] is not None]
    text = f"gas {gas:.3g} gwei"
    return f"{text}, blobs {sum(blob_fees) / len(blob_fees):.3g} gwei" if blob_fees else text


def _series(rows: Sequence[Row]) -> dict[tuple[int, str], list[Row]]:
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["frames"], row["medium"]), []).append(row)
    return found


def _look(frames: int, medium: str, all_frames: Sequence[int]) -> dict[str, Any]:
    place = all_frames.index(frames)
    colour = COLOURS[place % len(COLOURS)]
    return {
        "color": colour,
        "linestyle": DASHES[medium],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": 4,
        "markerfacecolor": colour if medium != "calldata" else "white",
        "linewidth": max(1.1, 2.2 - 0.4 * place),
    }


def _lines(axes: Axes, rows: Sequence[Row], name: str) -> None:
    all_frames = sorted({row["frames"] for row in rows})
    for (frames, medium), series in _series(rows).items():
        axes.plot([row[DURATION] for row in series], [row[name] for row in series], **_look(frames, medium, all_frames))


def _frontier(axes: Axes, rows: Sequence[Row]) -> None:
    all_frames = sorted({row["frames"] for row in rows})
    for (frames, medium), series in _series(rows).items():
        look = {**_look(frames, medium, all_frames), "linestyle": "none"}
        axes.plot([row[P95] for row in series], [row[COST] for row in series], **look)
    best: list[tuple[float, float]] = []
    for delay, cost in sorted((row[P95], row[COST]) for row in rows):
        if not best or cost < best[-1][1]:
            best.append((delay, cost))
    axes.step([x for x, _ in best], [y for _, y in best], where="post", color="black", linewidth=1, zorder=1)


def _times(set_scale: Callable[[str], None], axis: Any, values: Sequence[float]) -> None:
    """A logarithmic axis of times, its ticks where people look for them."""
    set_scale("log")
    ticks = [tick for tick in TICKS_S if min(values) / 1.5 <= tick <= max(values) * 1.5]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))


def _costs(axes: Axes, values: Sequence[float]) -> None:
    axes.set_yscale("log")
    ticks = [tick for tick in COST_TICKS if min(values) / 1.5 <= tick <= max(values) * 1.5]
    if len(ticks) > 6:
        ticks = ticks[:: 2 if len(ticks) <= 12 else 4]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: usd_tick(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, rows: Sequence[Row]) -> None:
    """One key for all panels: colours for how full, dashes for the medium."""
    from matplotlib.lines import Line2D

    all_frames = sorted({row["frames"] for row in rows})
    handles = [
        Line2D(
            [],
            [],
            **{**_look(frames, "blob", all_frames), "linestyle": "-"},
            label=f"full at {frames} blob{'s' * (frames > 1)}",
        )
        for frames in all_frames
    ]
    handles += [
        Line2D([], [], **{**_look(0, medium, [0]), "color": "#555555", "linewidth": 1.8}, label=medium)
        for medium in dict.fromkeys(row["medium"] for row in rows)
    ]
    handles.append(Line2D([], [], color="black", linewidth=1, label="best for its delay"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(7, len(handles)), fontsize=8.5)
