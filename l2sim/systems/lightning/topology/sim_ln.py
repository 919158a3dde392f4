"""sim-ln's `sim_network`: a list of channels, each with the policies of its two nodes."""

from collections.abc import Mapping
from typing import Any

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology.channel_ids import from_number, to_number
from l2sim.systems.lightning.topology.columns import Columns, Policy
from l2sim.systems.lightning.topology.places import (
    MAX_BASE_FEE_MSAT,
    MAX_CAPACITY_MSAT,
    MAX_CLTV_DELTA,
    MAX_FEE_PPM,
    MAX_U64,
    Place,
)


def read_sim_ln(document: Mapping[str, Any], path: str) -> ChannelGraph:
    """The graph in a parsed simulation file of sim-ln; nodes are ordered by key, channels as in the file.

    `scid` is a number or block x transaction x output. Balances are even, as sim-ln has them: capacity // 2 for
    `node_1`, the rest for `node_2`. What a node may have in flight is not a policy that others see, and is left out.

    Raises `TopologyError` naming the record, the key, the value and the rule.
    """
    if type(document.get("sim_network")) is not list:
        raise TopologyError(f"{path}: sim_network: must be a list of channels, as sim-ln reads it")
    columns = Columns()
    first: dict[str, int] = {}
    balances: list[int] = []
    place = Place(path, "sim_network")
    for place.index, value in enumerate(document["sim_network"]):
        channel = place.record(value)
        name = _channel_name(place, channel)
        if first.setdefault(name, place.index) != place.index:
            place.refuse("scid", f"must not repeat, it is already in sim_network[{first[name]}]", name)
        capacity_msat = place.whole(channel, "capacity_msat", 1, MAX_CAPACITY_MSAT)
        (a, policy_a), (b, policy_b) = (_node(place, channel, key, capacity_msat) for key in ("node_1", "node_2"))
        if a == b:
            place.refuse("node_2.pubkey", "must differ from node_1's: no channel to oneself", b)
        columns.add(name, a, b, capacity_msat, policy_a, policy_b)
        balances += (capacity_msat // 2, capacity_msat - capacity_msat // 2)
    return columns.graph(sorted({*columns.node_a, *columns.node_b}), balances)


def _channel_name(place: Place, channel: Mapping[str, Any]) -> str:
    written = channel.get("scid")
    if type(written) is str and to_number(written) is not None:
        return written
    return from_number(place.whole(channel, "scid", 0, MAX_U64))


def _node(place: Place, channel: Mapping[str, Any], side: str, capacity_msat: int) -> tuple[str, Policy]:
    """One end of a channel: its key and its policy."""
    value = channel.get(side)
    if type(value) is not dict:
        place.refuse(side, "must be an object", "nothing" if value is None else value)
    place.inside = f"{side}."
    low = place.whole(value, "min_htlc_size_msat", 0, MAX_U64)
    high = place.whole(value, "max_htlc_size_msat", 0, capacity_msat)
    if low > high:
        place.refuse("min_htlc_size_msat", f"must be at most max_htlc_size_msat, {high}", low)
    policy = Policy(
        enabled=True,
        base_fee_msat=place.whole(value, "base_fee", 0, MAX_BASE_FEE_MSAT),
        fee_ppm=place.whole(value, "fee_rate_prop", 0, MAX_FEE_PPM),
        cltv_delta=place.whole(value, "cltv_expiry_delta", 0, MAX_CLTV_DELTA),
        htlc_min_msat=low,
        htlc_max_msat=high,
    )
    name = place.text(value, "pubkey")
    place.inside = ""
    return name, policy
