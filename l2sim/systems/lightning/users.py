"""How users come onto the network: as nodes of their own with channels to routers, or as nodes that are there."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from l2sim.engine import Stream
from l2sim.errors import TopologyError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.config import AttachedUsers, NodeUsers, Users
from l2sim.systems.lightning.graph import ChannelGraph, interleave


@dataclass(frozen=True, slots=True)
class Population:
    """The network with its users on it.

    `graph` holds the backbone's channels first; channels from `backbone_channels` on belong to users and are not
    funded yet: what `graph` gives as their capacity is only a bound. `user_of_channel[i]` owns channel
    `backbone_channels + i`, for which it set `funds_sat[i]` aside.
    """

    graph: ChannelGraph
    backbone_channels: int
    node_of_user: npt.NDArray[np.int32]
    forwards: npt.NDArray[np.bool_]
    user_of_channel: npt.NDArray[np.int32]
    funds_sat: npt.NDArray[np.int64]


def place_users(backbone: ChannelGraph, users: Users, funds_msat: npt.NDArray[np.int64], stream: Stream) -> Population:
    """Put users on a network; `funds_msat` is what each of them brings.

    Raises TopologyError if there are fewer nodes than users, or fewer routers than a user wants channels.
    """
    match users:
        case NodeUsers():
            return _choose_nodes(backbone, users, len(funds_msat), stream)
        case AttachedUsers():
            return _attach(backbone, users, funds_msat, stream)


def _choose_nodes(backbone: ChannelGraph, users: NodeUsers, count: int, stream: Stream) -> Population:
    candidates = np.flatnonzero(_usable_degrees(backbone) > 0)
    if count > len(candidates):
        raise TopologyError(
            f"users of kind nodes must not be more than the network's nodes with a usable channel, {len(candidates)} "
            f"(got {count}); make the network larger or attach users to it (kind: attached)"
        )
    weights = np.ones(len(candidates))
    if users.placement == "by_degree":
        weights = _usable_degrees(backbone)[candidates].astype(np.float64)
    nodes = stream.generator.choice(candidates, size=count, replace=False, p=weights / weights.sum())
    return Population(
        graph=backbone,
        backbone_channels=backbone.channel_count,
        node_of_user=nodes.astype(np.int32),
        forwards=np.ones(backbone.node_count, np.bool_),
        user_of_channel=np.empty(0, np.int32),
        funds_sat=np.empty(0, np.int64),
    )


def _attach(
    backbone: ChannelGraph, users: AttachedUsers, funds_msat: npt.NDArray[np.int64], stream: Stream
) -> Population:
    count, each = len(funds_msat), users.channels
    routers = _draw_routers(backbone, users, count, stream)
    user_of_channel = np.repeat(np.arange(count, dtype=np.int32), each)
    funds_sat = np.repeat(funds_msat // MSAT_PER_SAT // each, each)
    node_of_user = (backbone.node_count + np.arange(count)).astype(np.int32)
    bound_msat = np.maximum(1, (funds_sat * MSAT_PER_SAT * (1 + users.inbound_share)).astype(np.int64))
    router_fees = {"base_fee_msat": users.router_base_fee_msat, "fee_ppm": users.router_fee_ppm}
    # Users forward for nobody: what they announce is never asked for.
    edge_fees = {
        name: interleave(np.zeros(count * each, np.int64), np.full(count * each, value))
        for name, value in router_fees.items()
    }
    graph = backbone.with_balances(None).extended(
        node_names=[f"user {user}" for user in range(count)],
        channel_names=[f"user {user} channel {i}" for user in range(count) for i in range(each)],
        node_a=node_of_user[user_of_channel],
        node_b=routers.reshape(-1),
        capacity_msat=bound_msat,
        cltv_delta=users.cltv_delta,
        **edge_fees,
    )
    return Population(
        graph=graph,
        backbone_channels=backbone.channel_count,
        node_of_user=node_of_user,
        forwards=np.arange(graph.node_count) < backbone.node_count,
        user_of_channel=user_of_channel,
        funds_sat=funds_sat,
    )


def _draw_routers(backbone: ChannelGraph, users: AttachedUsers, count: int, stream: Stream) -> npt.NDArray[np.int64]:
    """The routers of each user, all different for one user, shape (count, channels)."""
    usable = backbone.enabled_both_ways()
    component = backbone.components(usable)
    degrees = _usable_degrees(backbone)
    largest = np.bincount(component[degrees > 0], minlength=1).argmax()
    if users.to == "by_capacity":
        weights = np.zeros(backbone.node_count)
        capacity = np.where(usable, backbone.capacity_msat, 0)
        np.add.at(weights, backbone.node_a, capacity)
        np.add.at(weights, backbone.node_b, capacity)
    elif users.to == "by_degree":
        weights = degrees.astype(np.float64)
    else:
        weights = np.ones(backbone.node_count)
    weights[(component != largest) | (degrees == 0)] = 0
    if np.count_nonzero(weights) < users.channels:
        raise TopologyError(
            f"users must not open more channels than there are routers, {np.count_nonzero(weights)} "
            f"(got {users.channels})"
        )
    bounds = np.cumsum(weights)
    draws = stream.generator.random((count, users.channels)) * bounds[-1]
    routers: npt.NDArray[np.int64] = np.searchsorted(bounds, draws, side="right").astype(np.int64)
    for user, column in np.argwhere(_repeats(routers)).tolist():
        # Draw again until the router is a new one for this user; few users ever need it.
        while np.count_nonzero(routers[user] == routers[user, column]) > 1:
            routers[user, column] = np.searchsorted(bounds, stream.generator.random() * bounds[-1], side="right")
    return routers


def _repeats(routers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which entries equal one further left in their row."""
    repeats = np.zeros(routers.shape, np.bool_)
    for column in range(1, routers.shape[1]):
        repeats[:, column] = (routers[:, :column] == routers[:, column : column + 1]).any(axis=1)
    return repeats


def _usable_degrees(graph: ChannelGraph) -> npt.NDArray[np.int64]:
    """How many channels that forward both ways each node has, shape (n,)."""
    usable = graph.enabled_both_ways()
    ends = np.concatenate((graph.node_a[usable], graph.node_b[usable]))
    degrees: npt.NDArray[np.int64] = np.bincount(ends, minlength=graph.node_count).astype(np.int64)
    return degrees
