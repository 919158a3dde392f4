"""Who is cheapest, for users who stay longer: a winner map for each number of payments a user makes."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2sim.report.style import PARAMETERS, chart
from l2sim.report.sweep_figures import laid_out
from l2sim.report.sweep_maps import MOST_VALUES, can_map, frame, paint
from l2sim.report.verdicts import Rung, Verdict
from l2sim.report.words import usd

HEADING = "Who is cheapest, for users who stay longer"

CAPTION = (
    "The cheapest system and what a payment costs on it, when a user makes so many payments between coming in and "
    "going out. More payments share the cost of coming in and going out; all other costs of a payment are those of "
    "the run. A question mark: chance may explain the difference from the next system."
)

RUNGS = "payments a user"
"""What the rows of the map of one key are."""


def can_ladder(intervals: pa.Table, keys: Sequence[str]) -> bool:
    """Whether a sweep can be shown as maps of winners: two keys as for other maps, or one with not too many values."""
    if len(keys) != 1:
        return can_map(intervals, keys)
    places = _places(intervals, keys)
    return 2 <= len(places) <= MOST_VALUES and len({str(place) for place in places.values()}) == len(places)


def ladder_maps(intervals: pa.Table, keys: Sequence[str], ladder: Sequence[Rung]) -> Figure:
    """The winner at every point: with two keys a small map a rung, with one a row a rung.

    Cells bear the name of the winner and its cost, so that they can be told apart without their colours. The table
    tells which systems and points there are; see `can_ladder`.
    """
    places = _places(intervals, keys)
    systems = list(dict.fromkeys(intervals["system"].to_pylist()))
    wide = max(0.8, 0.085 * (2 + max(map(len, systems))))
    across = list(dict.fromkeys(place[0] for place in places.values()))
    with mpl.rc_context(PARAMETERS):
        if len(keys) == 1:
            figure = chart(width=max(6.4, wide * len(across) + 2.4), height=0.5 * len(ladder) + 1.2)
            names = ["as run" if rung.as_run else f"{rung.payments[0]:,.0f}" for rung in ladder]
            cells = {
                (row, across.index(places[verdict.point][0])): verdict
                for row, rung in enumerate(ladder)
                for verdict in rung.verdicts
            }
            axes = figure.add_subplot()
            _draw(axes, systems, cells, (len(ladder), len(across)))
            frame(axes, across, names, (keys[0], RUNGS), "cheapest system, and what a payment costs")
            return laid_out(figure)
        up = list(dict.fromkeys(place[1] for place in places.values()))
        columns = 2 if len(ladder) > 1 else 1
        down = -(-len(ladder) // columns)
        figure = chart(width=columns * max(3.4, wide * len(across) + 1.2), height=down * max(2.0, 0.45 * len(up) + 1.1))
        panels = figure.subplots(down, columns, squeeze=False).flat
        for axes, rung in zip(panels, ladder, strict=False):
            cells = {
                (up.index(places[verdict.point][1]), across.index(places[verdict.point][0])): verdict
                for verdict in rung.verdicts
            }
            _draw(axes, systems, cells, (len(up), len(across)))
            frame(axes, across, up, keys, str(rung))
        for axes in panels:
            axes.set_axis_off()
        return laid_out(figure)


def _places(intervals: pa.Table, keys: Sequence[str]) -> dict[int, tuple[Any, ...]]:
    """The values of the varied keys, by point."""
    return {row["point"]: tuple(row[key] for key in keys) for row in intervals.to_pylist()}


def _draw(axes: Axes, systems: Sequence[str], cells: dict[tuple[int, int], Verdict], shape: tuple[int, int]) -> None:
    best = np.full(shape, -1)
    for place, verdict in cells.items():
        best[place] = systems.index(verdict.best)
    paint(axes, systems, best, {place: _words(verdict) for place, verdict in cells.items()})


def _words(verdict: Verdict) -> str:
    """What a cell says.

    >>> _words(Verdict(0, "rollup", "lightning", False, 0.0123))
    'rollup?\\n$0.0123'
    """
    chance = "?" if verdict.second is not None and not verdict.sure else ""
    return f"{verdict.best}{chance}\n{usd(verdict.usd)}"
