"""Numbers beside marks that lie close together, none over another."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

BESIDE = ((6, 5), (-6, -5), (6, -5), (-6, 5), (6, 16), (-6, -16), (6, -16), (-6, 16), (6, 27), (-6, -27))
"""Where a number may stand beside its cross, in points from there: the first place that is free is taken."""


def mark_crossings(axes: Axes, found: Sequence[Mapping[str, Any]]) -> None:
    """A cross at each crossing, and beside it its number of payments where that covers no other cross or number."""
    places = [(point["payments_per_user"], point["cost_usd"]) for point in found]
    for n, height in places:
        axes.plot(n, height, marker="X", markersize=8, color="black", zorder=5)
    crosses = [axes.transData.transform(place) * 72 / axes.figure.dpi for place in places]  # in points
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in crosses]
    for (n, height), (x, y) in zip(places, crosses, strict=True):
        text = f"{n:,.0f}" if n >= 10 else f"{n:.1f}"
        wide, tall = 6.5 * len(text) + 3, 11.0
        choices = [(dx if dx > 0 else dx - wide, dy if dy > 0 else dy - tall) for dx, dy in BESIDE]
        boxes = [(x + dx, y + dy, x + dx + wide, y + dy + tall) for dx, dy in choices]
        free = [k for k, box in enumerate(boxes) if not any(_overlap(box, other) for other in taken)]
        best = free[0] if free else 0
        taken.append(boxes[best])
        axes.annotate(text, (n, height), xytext=choices[best], textcoords="offset points", va="bottom", fontsize=9,
                      fontweight="bold", zorder=6)  # fmt: skip


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (left, bottom, right, top) share room."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
