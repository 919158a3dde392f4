"""A small network as a picture: nodes, channels as wide as their capacity, and where the money lies in them."""

import math
from typing import TYPE_CHECKING, Final

import networkx as nx
import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NODES: Final = 120  # beyond that lines hide lines
NAMED_NODES: Final = 40
NARROWEST: Final = 1.5  # points
WIDEST: Final = 11.0
APART: Final = 0.022  # between parallel channels, as a share of the picture
OWNED: Final = ("#1d3f5e", "#c9d3dc")  # dark for the first node's side, light for the second's: apart in grey too
MSAT_PER_SAT: Final = 1_000


def draw_figure(graph: ChannelGraph, balance_msat: IntArray | None = None, seed: int = 1) -> "Figure":
    """The network with each channel split where its balance is: dark what the node marked with a dot owns.

    `balance_msat` is by directed edge, shape (2m,); that of the graph where left out, and one plain line a channel
    where it has none. Widths are by the square root of capacity. Raises `TopologyError` for more than 120 nodes.
    """
    if graph.channel_count == 0 or graph.node_count > MOST_NODES:
        raise TopologyError(
            f"a drawing must have 1 channel or more and at most {MOST_NODES} nodes"
            f" (got {graph.channel_count} channels, {graph.node_count} nodes)"
        )
    from matplotlib.figure import Figure

    balance = graph.balance_msat if balance_msat is None else balance_msat
    places = _places(graph, seed)
    node_a, node_b = graph.node_a, graph.node_b
    capacity_sat = graph.capacity_msat / MSAT_PER_SAT
    width = NARROWEST + (WIDEST - NARROWEST) * np.sqrt(capacity_sat / capacity_sat.max())
    figure = Figure(figsize=(8, 8), layout="constrained")
    axes = figure.subplots()
    for channel, shift in enumerate(_shifts(graph)):
        a, b = places[node_a[channel]], places[node_b[channel]]
        along = b - a
        aside = shift * np.array((-along[1], along[0])) / max(float(np.hypot(*along)), 1e-9)
        a, b = a + aside, b + aside
        line_width = float(width[channel])
        if balance is None:
            axes.plot(*zip(a, b, strict=True), color="0.6", linewidth=line_width, zorder=1, solid_capstyle="butt")
            continue
        share = float(balance[2 * channel]) / float(graph.capacity_msat[channel])
        middle = a + share * (b - a)
        for start, end, color in ((a, middle, OWNED[0]), (middle, b, OWNED[1])):
            axes.plot(*zip(start, end, strict=True), color=color, linewidth=line_width, zorder=1, solid_capstyle="butt")
        mark = a + 0.12 * (b - a)
        axes.plot(*mark, marker="o", color="white", markersize=3.2, markeredgecolor="black", zorder=2)
    total = np.bincount(np.concatenate((node_a, node_b)), np.tile(capacity_sat, 2), graph.node_count)
    size = 170 + 420 * total / total.max()
    axes.scatter(places[:, 0], places[:, 1], s=size, color="white", edgecolor="black", linewidth=1.2, zorder=3)
    if graph.node_count <= NAMED_NODES:
        for name, (x, y) in zip(graph.node_names, places, strict=True):
            axes.annotate(name[:8], (x, y), ha="center", va="center", fontsize=7, zorder=4)
    axes.set_axis_off()
    axes.set_aspect("equal")
    btc = graph.total_capacity_msat / 100_000_000_000
    how = "" if balance is None else "\ndark: owned by the end with the dot; light: by the other"
    axes.set_title(f"{graph.node_count} nodes, {graph.channel_count} channels, {btc:,.3f} BTC{how}", fontsize=10)
    return figure


def _places(graph: ChannelGraph, seed: int) -> npt.NDArray[np.float64]:
    """Where nodes stand, shape (nodes, 2): springs along the channels, the same for the same seed."""
    net: nx.Graph[int] = nx.Graph()
    net.add_nodes_from(range(graph.node_count))
    net.add_edges_from(zip(graph.node_a.tolist(), graph.node_b.tolist(), strict=True))
    start = np.random.default_rng(seed).random((graph.node_count, 2))
    # Of networkx's layouts one that needs no more than numpy, for so few nodes.
    spread = 2.0 / math.sqrt(max(1, graph.node_count))
    found = nx.spring_layout(net, k=spread, pos=dict(enumerate(start)), seed=seed, iterations=200)
    return np.array([found[node] for node in range(graph.node_count)], np.float64).reshape(-1, 2)


def _shifts(graph: ChannelGraph) -> list[float]:
    """How far aside each channel is drawn, so that parallel ones do not hide each other."""
    pairs = [tuple(sorted(pair)) for pair in zip(graph.node_a.tolist(), graph.node_b.tolist(), strict=True)]
    count: dict[tuple[int, ...], int] = {}
    for pair in pairs:
        count[pair] = count.get(pair, 0) + 1
    seen: dict[tuple[int, ...], int] = {}
    shifts = []
    for pair, a, b in zip(pairs, graph.node_a.tolist(), graph.node_b.tolist(), strict=True):
        place = seen.get(pair, 0)
        seen[pair] = place + 1
        turned = -1.0 if a > b else 1.0
        shifts.append(turned * 2 * APART * (place - (count[pair] - 1) / 2))
    return shifts
