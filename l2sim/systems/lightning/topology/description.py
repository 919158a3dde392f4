"""What a channel graph is like: sizes, distributions and structure, as numbers to print or to keep."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph

if TYPE_CHECKING:
    from rich.table import Table

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SAMPLED_NODES: Final = 500  # for clustering, over nodes with two neighbours or more; the error is then about 0.015
SAMPLED_SOURCES: Final = 64  # for distances: breadth-first searches from so many nodes; the error is then about 0.05
MSAT_PER_SAT: Final = 1_000
MSAT_PER_BTC: Final = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution in numbers: mean, largest, and the values that 5, 25, 50, 75, 95 and 99 percent do not pass."""

    mean: float
    largest: float
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Quantiles | None":
        """The quantiles of an array (values that occur in it), or None if it is empty."""
        if values.size == 0:
            return None
        points = np.quantile(values, QUANTILES, method="inverted_cdf").tolist()
        return cls(float(values.mean()), float(values.max()), *map(float, points))


@dataclass(frozen=True, slots=True)
class Description:
    """What a channel graph is like. Policies are over enabled directions only; shares are from 0 to 1."""

    nodes: int
    channels: int
    capacity_btc: float
    channels_both_ways: int
    """Channels that forward in both directions."""
    directions_enabled: int
    nodes_without_channel: int
    components: int
    """Over all channels, nodes without any counted too."""
    usable_nodes: int
    usable_channels: int
    usable_capacity_btc: float
    """The largest component of channels enabled both ways."""
    leaf_share: float
    """Share of nodes with just one channel."""
    parallel_share: float
    """Share of channels between two nodes that have another one already."""
    clustering: float
    """Mean over nodes with two neighbours or more of the share of neighbour pairs that have a channel; sampled."""
    mean_distance: float
    """Mean number of channels between two nodes of the usable component; sampled."""
    zero_base_fee_share: float
    zero_ppm_share: float
    inbound_fee_share: float
    """Share of directions whose far end asks for an inbound fee or gives a discount."""
    has_balances: bool
    degree: Quantiles | None
    """Channels of a node, over nodes with at least one."""
    capacity_sat: Quantiles | None
    base_fee_msat: Quantiles | None
    fee_ppm: Quantiles | None
    cltv_delta_blocks: Quantiles | None
    htlc_min_msat: Quantiles | None
    htlc_max_share: Quantiles | None
    """The largest HTLC as a share of the capacity."""

    def to_dict(self) -> dict[str, Any]:
        """The description as plain numbers and dicts, fit for JSON."""
        return asdict(self)

    def table(self) -> "Table":
        """The description as a rich table of two columns."""
        from rich.table import Table

        table = Table("property", "value", title="Channel graph")
        for name, value in self.rows():
            table.add_row(name, value)
        return table

    def rows(self) -> list[tuple[str, str]]:
        """Each property and its value as text."""
        rows = []
        for name, value in asdict(self).items():
            label = name.replace("_", " ")
            if isinstance(value, dict):
                rows.append((label, "  ".join(f"{key} {_number(number)}" for key, number in value.items())))
            else:
                rows.append((label, "none" if value is None else _number(value)))
        return rows

    def __str__(self) -> str:
        """One property a line, for terminals and files without colours."""
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def describe(graph: ChannelGraph) -> Description:
    """Sizes, structure and distributions of a channel graph; raises `TopologyError` if it has no channel.

    >>> graph = ChannelGraph.from_channels(["alice", "bob", "carol"], [(0, 1, 500_000_000), (1, 2, 800_000_000)])
    >>> description = describe(graph)
    >>> description.channels, description.leaf_share, description.degree.largest
    (2, 0.6666666666666666, 2.0)
    """
    if graph.channel_count == 0:
        raise TopologyError(
            f"a graph must have at least one channel to be described (got 0 among {graph.node_count} nodes)"
        )
    degrees = graph.degrees()
    enabled = graph.enabled
    usable = graph.largest_component()
    base_fee, ppm = graph.base_fee_msat[enabled], graph.fee_ppm[enabled]
    neighbours = _neighbours(graph)
    return Description(
        nodes=graph.node_count,
        channels=graph.channel_count,
        capacity_btc=graph.total_capacity_msat / MSAT_PER_BTC,
        channels_both_ways=int(graph.enabled_both_ways().sum()),
        directions_enabled=int(enabled.sum()),
        nodes_without_channel=int((degrees == 0).sum()),
        components=len(np.unique(graph.components())),
        usable_nodes=usable.node_count,
        usable_channels=usable.channel_count,
        usable_capacity_btc=usable.total_capacity_msat / MSAT_PER_BTC,
        leaf_share=_share(degrees == 1),
        parallel_share=1 - sum(map(len, neighbours)) / 2 / graph.channel_count,
        clustering=_clustering(neighbours),
        mean_distance=_mean_distance(_neighbours(usable)),
        zero_base_fee_share=_share(base_fee == 0),
        zero_ppm_share=_share(ppm == 0),
        inbound_fee_share=_share((graph.inbound_base_msat[enabled] != 0) | (graph.inbound_ppm[enabled] != 0)),
        has_balances=graph.balance_msat is not None,
        degree=Quantiles.of(degrees[degrees > 0]),
        capacity_sat=Quantiles.of(graph.capacity_msat // MSAT_PER_SAT),
        base_fee_msat=Quantiles.of(base_fee),
        fee_ppm=Quantiles.of(ppm),
        cltv_delta_blocks=Quantiles.of(graph.cltv_delta[enabled]),
        htlc_min_msat=Quantiles.of(graph.htlc_min_msat[enabled]),
        htlc_max_share=Quantiles.of((graph.htlc_max_msat / graph.edge_capacity_msat())[enabled]),
    )


def _neighbours(graph: ChannelGraph) -> list[set[int]]:
    """The distinct neighbours of each node; only ever asked for membership and size, so their order is no matter."""
    neighbours: list[set[int]] = [set() for _ in range(graph.node_count)]
    for a, b in zip(graph.node_a.tolist(), graph.node_b.tolist(), strict=True):
        neighbours[a].add(b)
        neighbours[b].add(a)
    return neighbours


def _clustering(neighbours: list[set[int]]) -> float:
    """Mean local clustering coefficient (Watts, Strogatz 1998) over an even sample of nodes."""
    several = [node for node, near in enumerate(neighbours) if len(near) > 1]
    sample = _evenly(several, SAMPLED_NODES)
    total = 0.0
    for node in sample:
        near = neighbours[node]
        links = sum(len(near & neighbours[other]) for other in near)
        total += links / (len(near) * (len(near) - 1))
    return total / len(sample) if sample else 0.0


def _mean_distance(neighbours: list[set[int]]) -> float:
    """Mean distance to all other nodes, from nodes spaced evenly; the graph must be connected."""
    total = pairs = 0
    for source in _evenly(list(range(len(neighbours))), SAMPLED_SOURCES):
        distance = {source: 0}
        queue = deque([source])
        while queue:
            node = queue.popleft()
            for other in neighbours[node]:
                if other not in distance:
                    distance[other] = distance[node] + 1
                    queue.append(other)
        total += sum(distance.values())
        pairs += len(distance) - 1
    return total / pairs if pairs else 0.0


def _evenly(items: list[int], count: int) -> list[int]:
    """At most `count` of the items, spaced evenly."""
    if len(items) <= count:
        return items
    return [items[i * len(items) // count] for i in range(count)]


def _share(marks: npt.NDArray[np.bool_]) -> float:
    return float(marks.mean()) if marks.size else 0.0


def _number(value: float | int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:.4g}"
