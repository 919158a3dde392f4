"""What a figure shows, as data: so that a page can tell values under the pointer and give them away as CSV.

Everything is read off the finished matplotlib figure: the panels with their places in the SVG and their scales, the
lines and marks in each, and bars. Nothing has to be said twice.
"""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

POINTS_PER_INCH = 72
"""Matplotlib's SVG counts in typographic points."""


def traces(figure: Figure) -> dict[str, Any]:
    """The panels of a figure that has been laid out, JSON-able: their boxes in SVG units, scales, lines and bars.

    Lines without a name of their own take that of the line of the same colour in another panel; what has neither
    (rulers, frames) or only marks a point of a named line is left out. Values are rounded to six figures.
    """
    width, height = (float(size) * POINTS_PER_INCH for size in figure.get_size_inches())
    names = _names_by_colour(figure)
    panels = [_panel(axes, width, height, names) for axes in figure.axes if axes.axison]
    return {"width": round(width, 2), "height": round(height, 2), "panels": panels}


def _names_by_colour(figure: Figure) -> dict[str, str]:
    return {
        to_hex(line.get_color()): str(line.get_label())
        for axes in figure.axes
        for line in axes.lines
        if not str(line.get_label()).startswith("_")
    }


def _panel(axes: Axes, width: float, height: float, names: dict[str, str]) -> dict[str, Any]:
    box = axes.get_position()
    place = [box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height]
    return {
        "box": [round(value, 2) for value in place],
        "title": axes.get_title(loc="left") or axes.get_title(),
        "x": _axis(axes.get_xlabel(), axes.get_xscale(), axes.get_xlim()) | _words(axes),
        "y": _axis(axes.get_ylabel(), axes.get_yscale(), axes.get_ylim()),
        "lines": _lines(axes, names),
        "bars": _bars(axes, place),
    }


def _axis(label: str, scale: str, limits: tuple[float, float]) -> dict[str, Any]:
    return {"label": label, "log": scale == "log", "limits": [_short(limit) for limit in limits]}


def _words(axes: Axes) -> dict[str, Any]:
    """What stands at 0, 1, 2 ... of an axis of words."""
    at: dict[float, str] = {}
    for line in axes.lines:
        written: Any = line.get_xdata()
        if any(isinstance(one, str) for one in written):
            at |= dict(zip(np.asarray(line.get_xdata(orig=False), np.float64).tolist(), map(str, written), strict=True))
    return {"words": [word for _, word in sorted(at.items())]} if at else {}


def _lines(axes: Axes, names: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    errors = {id(line) for container in axes.containers for line in _error_marks(container)}
    for line in axes.lines:
        colour = to_hex(line.get_color())
        name = _name_of(axes, line)
        if name is None and names.get(colour) not in {one["name"] for one in found}:
            name = names.get(colour)
        x, y = (np.asarray(values, np.float64).tolist() for values in (line.get_xdata(orig=False), line.get_ydata()))
        if name is None or not x or id(line) in errors:
            continue
        points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
        found.append(
            {
                "name": name,
                "colour": colour,
                "step": str(line.get_drawstyle()).removeprefix("steps-").replace("default", ""),
                "x": [_short(a) for a, _ in points],
                "y": [_short(b) for _, b in points],
            }
        )
    return found


def _name_of(axes: Axes, line: Any) -> str | None:
    """The line's own name, or that of the container that it is the data line of."""
    if not str(line.get_label()).startswith("_"):
        return str(line.get_label())
    for container in axes.containers:
        lines = getattr(container, "lines", None)
        if lines and lines[0] is line and container.get_label():
            return str(container.get_label())
    return None


def _error_marks(container: Any) -> tuple[Any, ...]:
    """Caps of error bars, which are lines too."""
    lines = getattr(container, "lines", None)
    return tuple(lines[1]) if lines is not None and len(lines) > 1 else ()


def _bars(axes: Axes, place: list[float]) -> list[dict[str, Any]]:
    """Bars with their boxes in SVG units; a horizontal bar is named by the tick at its place."""
    ticks = {round(float(y)): text.get_text().split("\n")[0] for y, text in zip(
        axes.get_yticks(), axes.get_yticklabels(), strict=False)}  # fmt: skip
    found = []
    for container in axes.containers:
        if not isinstance(container, BarContainer) or container.orientation != "horizontal":
            continue
        for bar in container.patches:
            x, y, width = float(bar.get_x()), float(bar.get_y()), float(bar.get_width())
            if width:
                left, right = sorted((x, x + width))
                corners = [*_place(axes, place, left, y + bar.get_height()), *_place(axes, place, right, y)]
                found.append(
                    {
                        "name": str(container.get_label()),
                        "of": ticks.get(round(y + bar.get_height() / 2), ""),
                        "colour": to_hex(bar.get_facecolor()),
                        "value": _short(width),
                        "box": [round(corner, 2) for corner in corners],
                    }
                )
    return found


def _place(axes: Axes, place: list[float], x: float, y: float) -> tuple[float, float]:
    """Where values lie in SVG units, whatever the scales of their axes; `place` is the box of the panel."""
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return place[0] + float(across) * (place[2] - place[0]), place[3] - float(up) * (place[3] - place[1])


def _short(value: float) -> float:
    return float(f"{value:.6g}")
