"""Heat maps of a sweep over two keys: who is cheapest where, and what each system costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from l2sim.report.style import COLOURS, PARAMETERS, chart
from l2sim.report.sweep_figures import COST, figure_text, laid_out, words
from l2sim.report.words import key_words

MOST_VALUES = 12
"""Values of a key beyond which the numbers of a map could not be read."""


INK = "#111111"
"""Words on a coloured cell. Not black, which a page shows light when it is read in the dark."""


def can_map(intervals: pa.Table, keys: Sequence[str]) -> bool:
    """Whether a sweep has two keys with some, but not too many, values each, and every combination of them."""
    if len(keys) != 2:
        return False
    rows = intervals.to_pylist()
    counts = [len({str(row[key]) for row in rows}) for key in keys]
    combinations = len({(str(row[keys[0]]), str(row[keys[1]])) for row in rows})
    return all(2 <= count <= MOST_VALUES for count in counts) and combinations == counts[0] * counts[1]


def maps(intervals: pa.Table, keys: Sequence[str], metric: str = COST) -> Figure:
    """A map of the cheapest system, then one a system: the first key across, the second up."""
    rows = [row for row in intervals.to_pylist() if row["metric"] == metric]
    across, up = ([*dict.fromkeys(row[key] for row in rows)] for key in keys)
    systems = list(dict.fromkeys(row["system"] for row in rows))
    means = {system: np.full((len(up), len(across)), np.nan) for system in systems}
    for row in rows:
        means[row["system"]][up.index(row[keys[1]]), across.index(row[keys[0]])] = row["mean"]
    every = np.concatenate([one[np.isfinite(one)] for one in means.values()]) if systems else np.zeros(0)
    norm: Normalize = Normalize()
    if len(every):
        low, high = float(every.min()), float(every.max())
        norm = LogNorm(low, max(high, low * 1.01)) if low > 0 else Normalize(low, max(high, low + 1e-12))
    count = 1 + len(systems)
    columns = 2 if count == 4 else min(3, count)
    with mpl.rc_context(PARAMETERS):
        width, height = max(3.0, 0.75 * len(across) + 1.4), max(2.2, 0.5 * len(up) + 1.2)
        down = -(-count // columns)
        figure = chart(width=width * columns, height=height * down)
        panels = figure.subplots(down, columns, squeeze=False).flat
        first = next(panels)
        _winners(first, systems, means)
        frame(first, across, up, keys, "cheapest system")
        for index, system in enumerate(systems):
            axes = next(panels)
            axes.imshow(means[system], cmap="cividis_r", norm=norm, origin="lower", aspect="auto")
            frame(axes, across, up, keys, system)
            for (y, x), mean in np.ndenumerate(means[system]):
                if np.isfinite(mean):
                    dark = norm(mean) > 0.55
                    axes.text(x, y, figure_text(metric, float(mean)), ha="center", va="center", fontsize=7,
                              color="white" if dark else INK)  # fmt: skip
            axes.title.set_color(COLOURS[index % len(COLOURS)])
        for axes in panels:
            axes.set_axis_off()
        figure.suptitle(words(metric), fontsize=10, x=0.01, ha="left")
        return laid_out(figure)


def _winners(axes: Axes, systems: Sequence[str], means: dict[str, Any]) -> None:
    """Colour each cell by its cheapest system, and name it there."""
    stacked = np.stack([np.nan_to_num(means[system], nan=np.inf) for system in systems])
    best = np.where(np.isfinite(stacked).any(axis=0), stacked.argmin(axis=0), -1)
    paint(axes, systems, best, {place: systems[index] for place, index in np.ndenumerate(best) if index >= 0})


def paint(axes: Axes, systems: Sequence[str], best: Any, texts: Mapping[tuple[int, ...], str]) -> None:
    """Colour each cell, row and column, by the place of its system (white for -1), and write its text there."""
    picture = np.array([*(mpl.colors.to_rgb(COLOURS[k % len(COLOURS)]) for k in range(len(systems))), (1, 1, 1)])[best]
    axes.imshow(0.45 + 0.55 * picture, origin="lower", aspect="auto")  # paler, so that dark words can be read on it
    rows, columns = best.shape
    for edge in range(1, rows):
        axes.axhline(edge - 0.5, color="white", linewidth=1.5)
    for edge in range(1, columns):
        axes.axvline(edge - 0.5, color="white", linewidth=1.5)
    for (y, x), text in texts.items():
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color=INK)


def frame(axes: Axes, across: Sequence[Any], up: Sequence[Any], keys: Sequence[str], title: str) -> None:
    """Name the cells of a map by the values of its keys, across and up."""
    axes.set_xticks(range(len(across)), [str(value) for value in across], fontsize=8)
    axes.set_yticks(range(len(up)), [str(value) for value in up], fontsize=8)
    axes.set_xlabel(key_words(keys[0]), fontsize=8)
    axes.set_ylabel(key_words(keys[1]), fontsize=8)
    axes.set_title(title, fontsize=9)
    axes.grid(visible=False)
