"""The distributions of a channel graph as one matplotlib figure."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOR: Final = "#33658a"
MSAT_PER_SAT: Final = 1_000
BARS: Final = 12  # the most used values of a policy field that a bar chart shows


def describe_figure(graph: ChannelGraph) -> "Figure":
    """Six panels: degrees, capacities of channels and of nodes, ppm, base fees, expiry deltas.

    Policies are those of enabled directions. Raises `TopologyError` if the graph has no channel.
    """
    if graph.channel_count == 0:
        raise TopologyError(
            f"a graph must have at least one channel to be drawn (got 0 among {graph.node_count} nodes)"
        )
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplots(2, 3)
    degrees = graph.degrees()
    node_capacity_sat = np.bincount(graph.edge_source(), graph.edge_capacity_msat() / MSAT_PER_SAT)
    _tail(panels[0, 0], degrees[degrees > 0], "channels of a node", "share of nodes with at least as many")
    _histogram(panels[0, 1], graph.capacity_msat / MSAT_PER_SAT, "capacity of a channel (sat)", "channels")
    _tail(
        panels[0, 2],
        node_capacity_sat[node_capacity_sat > 0],
        "capacity of a node (sat)",
        "share of nodes with at least as much",
    )
    enabled = graph.enabled
    _histogram(panels[1, 0], graph.fee_ppm[enabled], "proportional fee (ppm)", "directions")
    _bars(panels[1, 1], graph.base_fee_msat[enabled], "base fee (msat)")
    _bars(panels[1, 2], graph.cltv_delta[enabled], "expiry delta (blocks)")
    btc = graph.total_capacity_msat / 100_000_000_000
    figure.suptitle(f"{graph.node_count:,} nodes, {graph.channel_count:,} channels, {btc:,.2f} BTC")
    return figure


def _tail(axes: "Axes", values: npt.NDArray[Any], label: str, share: str) -> None:
    """Complementary distribution function on logarithmic scales: a power law is a straight line."""
    ordered = np.sort(values)
    axes.step(ordered, 1.0 - np.arange(len(ordered)) / len(ordered), where="pre", color=COLOR)
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel=share)


def _histogram(axes: "Axes", values: npt.NDArray[Any], label: str, what: str) -> None:
    """Histogram over logarithmic bins; zeros, which have no logarithm, get a bar of their own at the left."""
    positive = values[values > 0]
    zeros = len(values) - len(positive)
    if len(positive):
        edges = np.geomspace(positive.min(), max(positive.max(), positive.min() * 10), 41)
        axes.hist(positive, bins=edges.tolist(), color=COLOR)
        if zeros:
            axes.bar(edges[0] / 2, zeros, width=edges[0] / 2, color="#f26419", label=f"zero: {zeros / len(values):.0%}")
            axes.legend()
    axes.set(xscale="log", xlabel=label, ylabel=what)


def _bars(axes: "Axes", values: npt.NDArray[Any], label: str) -> None:
    """Shares of the most used values, and of all others together."""
    found, counts = np.unique(values, return_counts=True)
    top = np.sort(np.argsort(-counts, kind="stable")[:BARS])
    shares = (counts[top] / max(len(values), 1)).tolist()
    names = [f"{value:,}" for value in found[top].tolist()]
    if len(found) > BARS:
        names.append("other")
        shares.append(1 - sum(shares))
    axes.bar(range(len(names)), shares, color=COLOR)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set(xlabel=label, ylabel="share of directions")
