"""A channel graph as a networkx MultiGraph and back, for networkx's own generators, measures and drawings."""

from typing import TYPE_CHECKING, Any, Final

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import (
    DEFAULT_BASE_FEE_MSAT,
    DEFAULT_CLTV_DELTA,
    DEFAULT_FEE_PPM,
    DEFAULT_HTLC_MIN_MSAT,
    ChannelGraph,
    generated_channel_names,
)

if TYPE_CHECKING:
    import networkx

_POLICY_DEFAULTS: Final = {
    "enabled": True,
    "base_fee_msat": DEFAULT_BASE_FEE_MSAT,
    "fee_ppm": DEFAULT_FEE_PPM,
    "cltv_delta": DEFAULT_CLTV_DELTA,
    "htlc_min_msat": DEFAULT_HTLC_MIN_MSAT,
    "inbound_base_msat": 0,
    "inbound_ppm": 0,
}


def to_networkx(graph: ChannelGraph) -> "networkx.MultiGraph[str]":
    """An undirected networkx MultiGraph: nodes by name, edges keyed by channel name.

    Each edge has `capacity_msat` and `policies`: by the name of the node that sends, a dict of the edge
    columns (with `balance_msat` where the graph has balances). `from_networkx` takes it back.
    """
    import networkx

    names = [*_POLICY_DEFAULTS, "htlc_max_msat"]
    if graph.balance_msat is not None:
        names.append("balance_msat")
    columns = {name: getattr(graph, name).tolist() for name in names}
    result: networkx.MultiGraph[str] = networkx.MultiGraph()
    result.add_nodes_from(graph.node_names)
    ends = zip(graph.node_a.tolist(), graph.node_b.tolist(), graph.capacity_msat.tolist(), strict=True)
    for c, (a, b, capacity) in enumerate(ends):
        policies = {
            graph.node_names[node]: {name: values[2 * c + side] for name, values in columns.items()}
            for side, node in enumerate((a, b))
        }
        result.add_edge(
            graph.node_names[a],
            graph.node_names[b],
            key=graph.channel_names[c],
            capacity_msat=capacity,
            policies=policies,
        )
    return result


def from_networkx(network: "networkx.Graph[Any]", capacity_msat: int | None = None) -> ChannelGraph:
    """A channel graph from an undirected networkx Graph or MultiGraph, such as networkx's generators make.

    Edges without `capacity_msat` take the argument of that name; those without `policies` forward both ways
    with LND's default policy. Channels keep their edge keys as names where these are unique. Channels come in
    networkx's order, so a round trip keeps names and columns but may reorder channels.

    Raises `TopologyError` where there is no capacity at all, for directed graphs, and for what `ChannelGraph` refuses.
    """
    if network.is_directed():
        raise TopologyError("a channel graph must come from an undirected networkx graph (got a directed one)")
    index = {node: i for i, node in enumerate(network.nodes)}
    edges: list[tuple[Any, Any, Any, dict[str, Any]]] = (
        [(u, v, key, data) for (u, v, key), data in network.edges.items()]
        if network.is_multigraph()
        else [(u, v, None, data) for (u, v), data in network.edges.items()]
    )
    names = [str(key) for _, _, key, _ in edges]
    if len(set(names)) != len(names):
        names = generated_channel_names(len(names))
    a, b, capacities, policies = [], [], [], []
    for u, v, _, data in edges:
        capacity = data.get("capacity_msat", capacity_msat)
        if capacity is None:
            raise TopologyError(f"edge {u!r} to {v!r}: capacity_msat must be an attribute of the edge or an argument")
        # networkx may name the ends either way round; policies, where there, lists the a side first.
        by_sender = data.get("policies", {u: {}, v: {}})
        first, second = tuple(by_sender) if len(by_sender) == 2 and {*by_sender} == {u, v} else (u, v)
        a.append(index[first])
        b.append(index[second])
        capacities.append(capacity)
        policies += [by_sender.get(first, {}), by_sender.get(second, {})]
    columns: dict[str, Any] = {
        name: [policy.get(name, default) for policy in policies] for name, default in _POLICY_DEFAULTS.items()
    }
    columns["htlc_max_msat"] = [policy.get("htlc_max_msat", capacities[e // 2]) for e, policy in enumerate(policies)]
    if policies and all("balance_msat" in policy for policy in policies):
        columns["balance_msat"] = [policy["balance_msat"] for policy in policies]
    return ChannelGraph.empty([str(node) for node in network.nodes]).extended(
        channel_names=names, node_a=a, node_b=b, capacity_msat=capacities, **columns
    )
