"""A drawing of a channel network with the money in its channels, that a person can move through time."""

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from markupsafe import Markup, escape

from l2sim.report.html import as_json
from l2sim.report.spring import spring_places
from l2sim.report.style import COLOURS
from l2sim.report.words import seconds
from l2sim.results.data import RunData
from l2sim.results.metrics import NS_PER_S

SIZE = 720
MARGIN = 20
FIRST, SECOND = COLOURS[0], COLOURS[4]
"""The money of a channel's first and of its second node: dark and light, also in grey."""


class Network(NamedTuple):
    """A network on a page: its name, heading, caption, SVG, the number of instants, and the balances as JSON."""

    name: str
    heading: str
    caption: str
    svg: Markup
    instants: int
    data: Markup


def networks(data: RunData) -> list[Network]:
    """The drawings of all systems of a run that have channels whose balances were recorded."""
    return [found for system in data.systems if (found := _network(data, system)) is not None]


def _network(data: RunData, system: str) -> Network | None:
    rows = data.balances().filter(pc.equal(data.balances()["system"], system))
    if not len(rows):
        return None
    times = np.unique(rows["time_ns"].to_numpy())
    drawn = np.unique(rows["channel"].to_numpy())
    channels = data.channels().filter(pc.equal(data.channels()["system"], system))
    of = {number: place for place, number in enumerate(channels["channel"].to_pylist())}
    place = np.array([of[number] for number in drawn.tolist()])
    ends = [(channels["node_a"][int(i)].as_py(), channels["node_b"][int(i)].as_py()) for i in place]
    capacity = channels["capacity_sat"].to_numpy()[place]
    shares = _shares(rows, times, drawn)
    start = int(times[0])
    words = [f"{seconds((int(time) - start) / NS_PER_S)} after the first payment" for time in times]
    missing = len(channels) - len(drawn)
    caption = (
        f"{len(drawn)} channels"
        + (f", the largest of {len(channels)}" if missing else "")
        + ": the dark part of a line "
        "is the money of the node it begins at, the light part the other's; wider lines hold more. Move the slider."
    )
    svg = _svg(ends, capacity, shares[0])
    values = {"words": words, "shares": shares}
    return Network(f"network-{system}", f"Where the money lay: {system}", caption, svg, len(times), as_json(values))


def _shares(rows: Any, times: np.ndarray, drawn: np.ndarray) -> list[list[float | None]]:
    """By instant and channel, the first node's share of the money; None while the channel is not open."""
    table = np.full((len(times), len(drawn)), np.nan)
    first, second = rows["balance_a_msat"].to_numpy(), rows["balance_b_msat"].to_numpy()
    total = first + second
    known = total > 0
    at = np.searchsorted(times, rows["time_ns"].to_numpy()), np.searchsorted(drawn, rows["channel"].to_numpy())
    table[at[0][known], at[1][known]] = first[known] / total[known]
    return [[None if math.isnan(one) else round(one, 3) for one in line] for line in table.tolist()]


def _svg(ends: list[tuple[int, int]], capacity_sat: np.ndarray, shares: list[float | None]) -> Markup:
    nodes = list(dict.fromkeys(node for pair in ends for node in pair))
    number_of = {node: place for place, node in enumerate(nodes)}
    edges = np.array([[number_of[a], number_of[b]] for a, b in sorted(set(ends))])
    points = spring_places(len(nodes), edges, apart=2.2 / math.sqrt(len(nodes)))
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    xy = dict(zip(nodes, MARGIN + (points - low) * (SIZE - 2 * MARGIN) / span, strict=True))
    degree = Counter(node for pair in ends for node in pair)
    widest = math.log(float(capacity_sat.max()) + 1)
    lines = []
    for number, ((a, b), sat, part) in enumerate(zip(ends, capacity_sat.tolist(), shares, strict=True)):
        (x1, y1), (x2, y2) = xy[a].round(1), xy[b].round(1)
        width = round(1 + 5 * (math.log(sat + 1) / widest) ** 4, 2)
        share = 0.0 if part is None else part
        xm, ym = round(x1 + share * (x2 - x1), 1), round(y1 + share * (y2 - y1), 1)
        title = f"<title>channel of nodes {a} and {b}, {sat:,} sat</title>"
        lines.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{SECOND}" stroke-width="{width}">{title}</line>'
            f'<line data-channel="{number}" data-ends="{x1} {y1} {x2} {y2}" x1="{x1}" y1="{y1}" x2="{xm}" y2="{ym}" '
            f'stroke="{FIRST}" stroke-width="{width}">{title}</line>'
        )
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.5 + 0.8 * math.sqrt(degree[node]):.1f}" fill="currentColor">'
        f"<title>node {escape(node)}: {degree[node]} of these channels</title></circle>"
        for node, (x, y) in xy.items()
    ]
    return Markup(f'<svg viewBox="0 0 {SIZE} {SIZE}" role="presentation">{"".join(lines)}{"".join(dots)}</svg>')
