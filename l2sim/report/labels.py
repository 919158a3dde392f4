"""Numbers beside marks that lie close together, none over another."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

BESIDE = ((6, 5), (-6, -5), (6, -5), (-6, 5), (6, 16), (-6, -16), (6, -16), (-6, 16), (6, 27), (-6, -27))
"""Where a number may stand beside its cross, in points from there: the first place that is free is taken."""

HEAP_POINTS = 6
"""Crosses nearer than this in both directions, in points, cannot be told apart."""


def mark_crossings(axes: Axes, found: Sequence[Mapping[str, Any]]) -> None:
    """A cross at each crossing, and beside it its number of payments where that covers no other cross or number.

    `found` goes from few payments to many. Crosses that lie on each other share a number, or the range of theirs.
    """
    places = [(point["payments_per_user"], point["cost_usd"]) for point in found]
    for n, height in places:
        axes.plot(n, height, marker="X", markersize=8, color="black", zorder=5)
    points = 72 / axes.figure.dpi
    crosses = [tuple((axes.transData.transform(place) * points).tolist()) for place in places]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in crosses]
    for group in _heaps(crosses):
        first, last = (_payments(places[k][0]) for k in (group[0], group[-1]))
        text = first if first == last else f"{first}–{last}"
        x, y = crosses[group[-1]]
        wide, tall = 6.5 * len(text) + 3, 11.0
        choices = [(dx if dx > 0 else dx - wide, dy if dy > 0 else dy - tall) for dx, dy in BESIDE]
        boxes = [(x + dx, y + dy, x + dx + wide, y + dy + tall) for dx, dy in choices]
        free = [k for k, box in enumerate(boxes) if not any(_overlap(box, other) for other in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        axes.annotate(text, places[group[-1]], xytext=choices[best], textcoords="offset points", va="bottom",
                      fontsize=9, fontweight="bold", zorder=6)  # fmt: skip


def _payments(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.1f}"


def _heaps(crosses: Sequence[tuple[float, ...]]) -> list[list[int]]:
    """Places in a row, from left to right, that lie on each other.

    >>> _heaps([(0.0, 0.0), (1.0, 1.0), (40.0, 0.0)])
    [[0, 1], [2]]
    """
    heaps: list[list[int]] = []
    for k, cross in enumerate(crosses):
        if heaps and max(abs(a - b) for a, b in zip(cross, crosses[heaps[-1][-1]], strict=True)) < HEAP_POINTS:
            heaps[-1].append(k)
        else:
            heaps.append([k])
    return heaps


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (left, bottom, right, top) share room."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
