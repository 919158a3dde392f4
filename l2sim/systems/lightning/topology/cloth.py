"""CLoTH's form: a folder with `nodes*.csv`, `channels*.csv` and `edges*.csv`, all amounts in millisatoshi.

Ids are dense from 0 in the order of rows. Each direction of a channel is an edge, which says its balance. The form
knows neither disabled directions nor a largest HTLC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph, generated_channel_names
from l2sim.systems.lightning.topology.columns import Columns, Policy
from l2sim.systems.lightning.topology.places import (
    MAX_BASE_FEE_MSAT,
    MAX_CAPACITY_MSAT,
    MAX_CLTV_DELTA,
    MAX_FEE_PPM,
    shorten,
    whole,
)

TABLES: Final = ("nodes", "channels", "edges")
HEADERS: Final = {
    "nodes": "id",
    "channels": "id,edge1_id,edge2_id,node1_id,node2_id,capacity",
    "edges": "id,channel_id,counter_edge_id,from_node_id,to_node_id,"
    "balance,fee_base,fee_proportional,min_htlc,timelock",
}
_RANGES: Final = {
    "capacity": (1, MAX_CAPACITY_MSAT),
    "balance": (0, MAX_CAPACITY_MSAT),
    "fee_base": (0, MAX_BASE_FEE_MSAT),
    "fee_proportional": (0, MAX_FEE_PPM),
    "min_htlc": (0, MAX_CAPACITY_MSAT),
    "timelock": (0, MAX_CLTV_DELTA),
}
FIRST_LINE: Final = 2  # row 0 stands below the header


@dataclass(frozen=True, slots=True)
class Table:
    """One of the three files: its path, for messages, and its rows of whole numbers."""

    path: str
    columns: tuple[str, ...]
    rows: list[list[int]]

    def refuse(self, row: int, column: str, rule: str, value: object) -> NoReturn:
        """Raise the one error for this row."""
        raise TopologyError(f"{self.path}:{row + FIRST_LINE} {column}: {rule} (got {shorten(value)})")


def read_cloth(texts: dict[str, tuple[str, str]]) -> ChannelGraph:
    """The graph in the three tables, given as `(path, text)` by table name; with balances.

    Nodes are named by their ids and channel i is named "<i>x0x0". Edge 1 of a channel becomes the a-to-b half if it
    leads from node 1 to node 2. Raises `TopologyError` naming the file, the line, the column, the value and the rule.
    """
    nodes, channels, edges = (_table(name, *texts[name]) for name in TABLES)
    if len(edges.rows) != 2 * len(channels.rows):
        raise TopologyError(
            f"{edges.path}: must have two edges for each of the {len(channels.rows)} channels (got {len(edges.rows)})"
        )
    columns = Columns()
    balances: list[int] = []
    node_names = [str(i) for i in range(len(nodes.rows))]
    names = generated_channel_names(len(channels.rows))
    for c, (_, edge1, edge2, a, b, capacity_msat) in enumerate(channels.rows):
        for column, node in (("node1_id", a), ("node2_id", b)):
            if node >= len(node_names):
                channels.refuse(c, column, f"must be the id of a node, 0 to {len(node_names) - 1}", node)
        if a == b:
            channels.refuse(c, "node2_id", "must differ from node1_id: no channel to oneself", b)
        for column, edge in (("edge1_id", edge1), ("edge2_id", edge2)):
            if edge >= len(edges.rows):
                channels.refuse(c, column, f"must be the id of an edge, 0 to {len(edges.rows) - 1}", edge)
        if edges.rows[edge1][3] != a:
            edge1, edge2 = edge2, edge1
        _check_edge(edges, edge1, c, edge2, a, b)
        _check_edge(edges, edge2, c, edge1, b, a)
        halves = [edges.rows[edge1], edges.rows[edge2]]
        total = halves[0][5] + halves[1][5]
        if total != capacity_msat:
            edges.refuse(edge2, "balance", f"both sides of channel {c} must sum to {capacity_msat}", total)
        balances += [half[5] for half in halves]
        columns.add(names[c], node_names[a], node_names[b], capacity_msat, *map(_policy, halves))
    return columns.graph(node_names, balances)


def _policy(row: list[int]) -> Policy:
    _, _, _, _, _, _, base_fee_msat, fee_ppm, htlc_min_msat, cltv_delta = row
    return Policy(True, base_fee_msat, fee_ppm, cltv_delta, htlc_min_msat)


def _check_edge(edges: Table, edge: int, channel: int, counter: int, source: int, target: int) -> None:
    expected = {1: channel, 2: counter, 3: source, 4: target}
    for position, value in expected.items():
        if edges.rows[edge][position] != value:
            rule = f"must be {value}, as channel {channel} has it"
            edges.refuse(edge, edges.columns[position], rule, edges.rows[edge][position])


def _table(name: str, path: str, text: str) -> Table:
    """One file as rows of whole numbers, each column in its range and ids dense from 0."""
    lines = text.splitlines()
    header = lines[0].strip() if lines else ""
    # CLoTH's own headers name units in brackets in some versions: fee_base(msat)
    plain = ",".join(column.split("(")[0].strip() for column in header.split(","))
    if plain != HEADERS[name]:
        raise TopologyError(f"{path}:1: must be the header {HEADERS[name]} (got {shorten(header)})")
    columns = tuple(HEADERS[name].split(","))
    ranges = [_RANGES.get(column, (0, len(lines) * 2)) for column in columns]
    table = Table(path, columns, [])
    for row, line in enumerate(lines[1:]):
        cells = line.split(",")
        if len(cells) != len(columns):
            raise TopologyError(
                f"{path}:{row + FIRST_LINE}: must have {len(columns)} columns (got {len(cells)}, {shorten(line)})"
            )
        numbers: list[int] = []
        for column, cell, (low, high) in zip(columns, cells, ranges, strict=True):
            number = whole(cell)
            if number is None:
                table.refuse(row, column, "must be a whole number", cell)
            if number < low or (column in _RANGES and number > high):
                table.refuse(row, column, f"must be from {low} to {high}", number)
            numbers.append(number)
        if numbers[0] != row:
            table.refuse(row, "id", f"must be {row}: ids are dense from 0 in the order of rows", numbers[0])
        table.rows.append(numbers)
    return table


def cloth_tables(graph: ChannelGraph) -> dict[str, Iterator[str]]:
    """The graph as the lines of the three files, by table name.

    A graph without balances is written with even ones, as the form must have some. Names, inbound fees, and the most an
    HTLC may carry, cannot be said in it. Raises `TopologyError` for a graph with disabled directions.
    """
    if not graph.enabled.all():
        disabled = int((~graph.enabled).sum())
        raise TopologyError(
            f"CLoTH's form has no disabled directions (got {disabled} of {graph.enabled.size}):"
            " take the largest component of channels enabled both ways first"
        )
    return {"nodes": _node_lines(graph), "channels": _channel_lines(graph), "edges": _edge_lines(graph)}


def _node_lines(graph: ChannelGraph) -> Iterator[str]:
    yield HEADERS["nodes"]
    yield from map(str, range(graph.node_count))


def _channel_lines(graph: ChannelGraph) -> Iterator[str]:
    yield HEADERS["channels"]
    ends = zip(graph.node_a.tolist(), graph.node_b.tolist(), graph.capacity_msat.tolist(), strict=True)
    for c, (a, b, capacity_msat) in enumerate(ends):
        yield f"{c},{2 * c},{2 * c + 1},{a},{b},{capacity_msat}"


def _edge_lines(graph: ChannelGraph) -> Iterator[str]:
    yield HEADERS["edges"]
    balance_msat = graph.balance_msat
    if balance_msat is None:
        half = graph.edge_capacity_msat() // 2
        balance_msat = half
        balance_msat[1::2] = graph.capacity_msat - half[0::2]
    columns = zip(
        graph.edge_source().tolist(),
        graph.edge_target().tolist(),
        balance_msat.tolist(),
        graph.base_fee_msat.tolist(),
        graph.fee_ppm.tolist(),
        graph.htlc_min_msat.tolist(),
        graph.cltv_delta.tolist(),
        strict=True,
    )
    for e, (source, target, balance, base_fee, ppm, low, delta) in enumerate(columns):
        yield f"{e},{e // 2},{e ^ 1},{source},{target},{balance},{base_fee},{ppm},{low},{delta}"
