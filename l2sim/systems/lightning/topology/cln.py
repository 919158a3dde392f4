"""Core Lightning's `listchannels`: `channels[]` with one record for each direction of a channel."""

from collections.abc import Iterator, Mapping
from typing import Any

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology.channel_ids import to_number
from l2sim.systems.lightning.topology.columns import ABSENT, Columns, Policy
from l2sim.systems.lightning.topology.lnd import channel_ends
from l2sim.systems.lightning.topology.places import (
    MAX_BASE_FEE_MSAT,
    MAX_CAPACITY_MSAT,
    MAX_CLTV_DELTA,
    MAX_FEE_PPM,
    MAX_U64,
    Place,
)


def read_cln(document: Mapping[str, Any], path: str) -> ChannelGraph:
    """The graph in a parsed `listchannels` document; nodes are ordered by key, channels as first seen in the file.

    Direction 0 leads from the lesser key to the greater (BOLT 7) and becomes the a-to-b half. A half that is
    missing or not `active` is disabled. The capacity is `amount_msat` (a number, or "…msat" as before v23.05), or
    `satoshis` where that is missing; `htlc_maximum_msat` missing means the capacity.

    Raises `TopologyError` naming the record, the key, the value and the rule.
    """
    if type(document.get("channels")) is not list:
        raise TopologyError(f"{path}: channels: must be a list, as Core Lightning's listchannels prints it")
    place = Place(path, "channels")
    ends: dict[str, tuple[str, str, int]] = {}
    halves: dict[str, list[tuple[int, Policy] | None]] = {}
    for place.index, value in enumerate(document["channels"]):
        record = place.record(value)
        name = place.text(record, "short_channel_id")
        a, b = place.text(record, "source"), place.text(record, "destination")
        if a == b:
            place.refuse("destination", "must differ from source: no channel to oneself", b)
        direction = place.whole(record, "direction", 0, 1, default=int(a > b))
        if direction:
            a, b = b, a
        capacity_msat = _capacity_msat(place, record)
        policy = _policy(place, record)
        known = ends.get(name)
        if known is None:
            if to_number(name) is None:
                place.refuse("short_channel_id", "must be block x transaction x output, such as 700000x1x0", name)
            ends[name] = (a, b, capacity_msat)
            halves[name] = [None, None]
        elif known != (a, b, capacity_msat):
            _refuse_mismatch(place, name, known, (a, b, capacity_msat), halves[name])
        other = halves[name][direction]
        if other is not None:
            rule = f"must not repeat with the same direction, it is already in channels[{other[0]}]"
            place.refuse("short_channel_id", rule, name)
        halves[name][direction] = (place.index, policy)
    columns = Columns()
    for name, (a, b, capacity_msat) in ends.items():
        a_to_b, b_to_a = (ABSENT if half is None else half[1] for half in halves[name])
        columns.add(name, a, b, capacity_msat, a_to_b, b_to_a)
    return columns.graph(sorted({*columns.node_a, *columns.node_b}))


def _capacity_msat(place: Place, record: Mapping[str, Any]) -> int:
    if "amount_msat" in record:
        return place.whole(record, "amount_msat", 1, MAX_CAPACITY_MSAT, unit="msat")
    return 1_000 * place.whole(record, "satoshis", 1, MAX_CAPACITY_MSAT // 1_000)


def _policy(place: Place, record: Mapping[str, Any]) -> Policy:
    maximum = None
    if "htlc_maximum_msat" in record:
        maximum = place.whole(record, "htlc_maximum_msat", 0, MAX_U64, unit="msat")
    return Policy(
        enabled=place.flag(record, "active"),
        base_fee_msat=place.whole(record, "base_fee_millisatoshi", 0, MAX_BASE_FEE_MSAT),
        fee_ppm=place.whole(record, "fee_per_millionth", 0, MAX_FEE_PPM),
        cltv_delta=place.whole(record, "delay", 0, MAX_CLTV_DELTA),
        htlc_min_msat=place.whole(record, "htlc_minimum_msat", 0, MAX_U64, default=0, unit="msat"),
        htlc_max_msat=maximum,
    )


def _refuse_mismatch(
    place: Place,
    name: str,
    known: tuple[str, str, int],
    found: tuple[str, str, int],
    halves: list[tuple[int, Policy] | None],
) -> None:
    """The two records of one channel id do not speak of one channel."""
    first = next(half[0] for half in halves if half is not None)
    if known[2] != found[2]:
        rule = f"must have the capacity of channels[{first}], {known[2]} msat, as both are {name}"
        place.refuse("amount_msat", rule, found[2])
    rule = f"must join the nodes of channels[{first}] the other way round, as both are {name}"
    place.refuse("source", rule, found[0])


def cln_records(graph: ChannelGraph) -> dict[str, Iterator[dict[str, Any]]]:
    """The graph as the list of a `listchannels` document.

    Balances, inbound fees and nodes without channels cannot be said in it.

    Raises `TopologyError` for capacities that are not whole satoshis, and names that are not short channel ids.
    """
    return {"channels": _halves(graph)}


def _halves(graph: ChannelGraph) -> Iterator[dict[str, Any]]:
    enabled, base_fee, ppm = graph.enabled.tolist(), graph.base_fee_msat.tolist(), graph.fee_ppm.tolist()
    delta, low, high = graph.cltv_delta.tolist(), graph.htlc_min_msat.tolist(), graph.htlc_max_msat.tolist()
    for c, (name, a, b, capacity_sat) in enumerate(channel_ends(graph)):
        for direction, (source, destination) in enumerate(((a, b), (b, a))):
            e = 2 * c + direction
            yield {
                "source": source,
                "destination": destination,
                "short_channel_id": name,
                "direction": direction,
                "public": True,
                "amount_msat": 1_000 * capacity_sat,
                "message_flags": 1,  # BOLT 7: htlc_maximum_msat is there
                "channel_flags": direction | (0 if enabled[e] else 2),  # BOLT 7: bit 0 direction, bit 1 disabled
                "active": enabled[e],
                "base_fee_millisatoshi": base_fee[e],
                "fee_per_millionth": ppm[e],
                "delay": delta[e],
                "htlc_minimum_msat": low[e],
                "htlc_maximum_msat": high[e],
            }
