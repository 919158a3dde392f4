"""LND's `describegraph`: `nodes[]` and `edges[]`, each edge with the policies of its two nodes, numbers as strings."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import MAX_INBOUND, ChannelGraph
from l2sim.systems.lightning.topology.channel_ids import from_number, to_number
from l2sim.systems.lightning.topology.columns import ABSENT, Columns, Policy
from l2sim.systems.lightning.topology.places import (
    MAX_BASE_FEE_MSAT,
    MAX_CAPACITY_MSAT,
    MAX_CLTV_DELTA,
    MAX_FEE_PPM,
    MAX_U64,
    Place,
)


def read_lnd(document: Mapping[str, Any], path: str) -> ChannelGraph:
    """The graph in a parsed `describegraph` document; nodes are ordered by key, channels as in the file.

    `node1_policy` is the policy of edges that node 1 sends over. A policy that is null or missing leaves that half
    disabled. `max_htlc_msat` absent or "0" (LND's way to say unset) means the capacity. Inbound fees, which LND prints
    since 0.18, are read where they are there.

    Raises `TopologyError` naming the record, the key, the value and the rule.
    """
    for key in ("nodes", "edges"):
        if type(document.get(key)) is not list:
            raise TopologyError(f"{path}: {key}: must be a list, as LND's describegraph prints it")
    names: dict[str, int] = {}
    place = Place(path, "nodes")
    for place.index, value in enumerate(document["nodes"]):
        name = place.text(place.record(value), "pub_key")
        if names.setdefault(name, place.index) != place.index:
            place.refuse("pub_key", f"must not repeat, it is already in nodes[{names[name]}]", name)
    columns = Columns()
    first: dict[int, int] = {}
    place = Place(path, "edges")
    for place.index, value in enumerate(document["edges"]):
        edge = place.record(value)
        number = place.whole(edge, "channel_id", 0, MAX_U64)
        if first.setdefault(number, place.index) != place.index:
            place.refuse("channel_id", f"must not repeat, it is already in edges[{first[number]}]", number)
        a, b = place.text(edge, "node1_pub"), place.text(edge, "node2_pub")
        for key, name in (("node1_pub", a), ("node2_pub", b)):
            if name not in names:
                place.refuse(key, "must be a pub_key of nodes[]", name)
        if a == b:
            place.refuse("node2_pub", "must differ from node1_pub: no channel to oneself", b)
        capacity_msat = 1_000 * place.whole(edge, "capacity", 1, MAX_CAPACITY_MSAT // 1_000)
        halves = [_policy(place, edge, key) for key in ("node1_policy", "node2_policy")]
        columns.add(from_number(number), a, b, capacity_msat, *halves)
    return columns.graph(sorted(names))


def _policy(place: Place, edge: Mapping[str, Any], side: str) -> Policy:
    value = edge.get(side)
    if value is None:
        return ABSENT
    if type(value) is not dict:
        place.refuse(side, "must be an object or null", value)
    place.inside = f"{side}."
    policy = Policy(
        enabled=not place.flag(value, "disabled", default=False),
        base_fee_msat=place.whole(value, "fee_base_msat", 0, MAX_BASE_FEE_MSAT),
        fee_ppm=place.whole(value, "fee_rate_milli_msat", 0, MAX_FEE_PPM),
        cltv_delta=place.whole(value, "time_lock_delta", 0, MAX_CLTV_DELTA),
        htlc_min_msat=place.whole(value, "min_htlc", 0, MAX_U64),
        htlc_max_msat=place.whole(value, "max_htlc_msat", 0, MAX_U64, default=0) or None,
        inbound_base_msat=place.whole(value, "inbound_fee_base_msat", -MAX_INBOUND - 1, MAX_INBOUND, default=0),
        inbound_ppm=place.whole(value, "inbound_fee_rate_milli_msat", -MAX_INBOUND - 1, MAX_INBOUND, default=0),
    )
    place.inside = ""
    return policy


def lnd_records(graph: ChannelGraph) -> dict[str, Iterator[dict[str, Any]]]:
    """The graph as the lists of a `describegraph` document; balances cannot be said in it.

    Raises `TopologyError` for capacities that are not whole satoshis, and names that are not short channel ids.
    """
    return {"nodes": ({"pub_key": name} for name in graph.node_names), "edges": _edges(graph)}


def _edges(graph: ChannelGraph) -> Iterator[dict[str, Any]]:
    policies: list[dict[str, Any]] = [
        {
            "time_lock_delta": cltv_delta,
            "min_htlc": str(htlc_min),
            "fee_base_msat": str(base_fee),
            "fee_rate_milli_msat": str(ppm),
            "disabled": not enabled,
            "max_htlc_msat": str(htlc_max),
        }
        for enabled, base_fee, ppm, cltv_delta, htlc_min, htlc_max in zip(
            graph.enabled.tolist(),
            graph.base_fee_msat.tolist(),
            graph.fee_ppm.tolist(),
            graph.cltv_delta.tolist(),
            graph.htlc_min_msat.tolist(),
            graph.htlc_max_msat.tolist(),
            strict=True,
        )
    ]
    for e in np.flatnonzero((graph.inbound_base_msat != 0) | (graph.inbound_ppm != 0)).tolist():
        policies[e ^ 1]["inbound_fee_base_msat"] = int(graph.inbound_base_msat[e])
        policies[e ^ 1]["inbound_fee_rate_milli_msat"] = int(graph.inbound_ppm[e])
    for c, (name, a, b, capacity_sat) in enumerate(channel_ends(graph)):
        yield {
            "channel_id": str(to_number(name)),
            "node1_pub": a,
            "node2_pub": b,
            "capacity": str(capacity_sat),
            "node1_policy": policies[2 * c],
            "node2_policy": policies[2 * c + 1],
        }


def channel_ends(graph: ChannelGraph) -> Iterator[tuple[str, str, str, int]]:
    """Each channel's short channel id, its two nodes' names and its capacity in satoshis, all fit to be written."""
    ends = zip(
        graph.channel_names, graph.node_a.tolist(), graph.node_b.tolist(), graph.capacity_msat.tolist(), strict=True
    )
    for name, a, b, capacity_msat in ends:
        if to_number(name) is None:
            raise TopologyError(
                f"channel {name!r}: its name must be a short channel id such as 700000x1x0 to be written in this format"
            )
        if capacity_msat % 1_000:
            raise TopologyError(
                f"channel {name!r} capacity_msat: must be whole satoshis in this format (got {capacity_msat})"
            )
        yield name, graph.node_names[a], graph.node_names[b], capacity_msat // 1_000
