"""Reading CLoTH's own files into columns: the network and the payments."""

from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError, TraceError
from l2sim.systems.lightning.cloth.rules import MAX_MSAT
from l2sim.systems.lightning.topology.cloth import HEADERS, read_cloth
from l2sim.systems.lightning.topology.files import _cloth_texts, _read_text
from l2sim.systems.lightning.topology.places import (
    MAX_BASE_FEE_MSAT,
    MAX_CAPACITY_MSAT,
    MAX_CLTV_DELTA,
    MAX_FEE_PPM,
    named,
    shorten,
)

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Whole: TypeAlias = int | np.signedinteger[Any]
"""A whole number in a kernel, where numpy's and Python's are one."""

PAYMENT_COLUMNS: Final = ("id", "sender_id", "receiver_id", "amount", "start_time")
MAX_START_MS: Final = 10**15  # some 30,000 years
FIRST_LINE: Final = 2  # row 0 stands below the header


class Network(NamedTuple):
    """A network in CLoTH's order; an edge is one direction of a channel, known by its id.

    The edges into node v stand at `start[v]` to `start[v + 1]` of the columns `edge` to `timelock`, in the order of
    v's own edges in the file: the order in which CLoTH looks at them. The payer's own edges stand likewise at
    `own_start[v]` to `own_start[v + 1]` of `own_edge`, in the order of their counter edges; `own_place`
    says where each stands among the edges into its target. The last three columns go by edge id.
    """

    start: Int32s
    edge: Int32s
    source: Int32s
    capacity_msat: Int64s
    base_fee_msat: Int64s
    fee_ppm: Int64s
    htlc_min_msat: Int64s
    timelock: Int64s
    own_start: Int32s
    own_edge: Int32s
    own_place: Int32s
    edge_source: Int32s
    edge_target: Int32s
    edge_counter: Int32s

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.start) - 1


class Payments(NamedTuple):
    """The payments to make, in the order of the file: which is not always the order of time."""

    payer: Int32s
    payee: Int32s
    amount_msat: Int64s
    start_ms: Int64s


def read_network(folder: str | Path) -> tuple[Network, Int64s]:
    """CLoTH's network in a folder (files plain, gzip or xz) and the balance of every edge in msat, by edge id.

    Raises `TopologyError` with the file, the line, the column, the rule and the value.
    """
    texts = _cloth_texts(Path(folder))
    tables = {name: _numbers(texts[name][1], HEADERS[name]) for name in HEADERS}
    nodes, channels, edges = (tables[name] for name in ("nodes", "channels", "edges"))
    if nodes is None or channels is None or edges is None or not _sound(nodes, channels, edges):
        read_cloth(texts)  # finds the place and says it
        raise TopologyError(f"{folder}: must be CLoTH's three tables of whole numbers, each id its row")
    capacity = channels[:, 5]
    if capacity.size and capacity.max() > MAX_MSAT:
        row = int(capacity.argmax())
        raise TopologyError(
            f"{texts['channels'][0]}:{row + FIRST_LINE} capacity: must be at most {MAX_MSAT} (got {capacity[row]})"
        )
    return make_network(len(nodes), edges, capacity[edges[:, 1]]), edges[:, 5].copy()


def make_network(nodes: int, edges: Int64s, capacity_msat: Int64s) -> Network:
    """The network of the rows of CLoTH's edge table, shape (edges, 10), and the capacity that each belongs to."""
    counter, source, target = edges[:, 2], edges[:, 3], edges[:, 4]
    incoming = counter[np.argsort(source, kind="stable")]
    own = np.lexsort((counter, source))
    place = np.empty(len(edges), np.int32)
    place[incoming] = np.arange(len(edges))
    degrees = np.bincount(source, minlength=nodes)
    start = np.concatenate(([0], np.cumsum(degrees))).astype(np.int32)
    return Network(
        start=start,
        edge=incoming.astype(np.int32),
        source=source[incoming].astype(np.int32),
        capacity_msat=capacity_msat[incoming],
        base_fee_msat=edges[incoming, 6],
        fee_ppm=edges[incoming, 7],
        htlc_min_msat=edges[incoming, 8],
        timelock=edges[incoming, 9],
        own_start=start,
        own_edge=own.astype(np.int32),
        own_place=place[own],
        edge_source=source.astype(np.int32),
        edge_target=target.astype(np.int32),
        edge_counter=counter.astype(np.int32),
    )


def read_payments(path: str | Path, nodes: int) -> Payments:
    """CLoTH's payments in a file (plain, gzip or xz).

    Raises `TraceError` with the file, the line, the column, the rule and the value.
    """
    try:
        text = _read_text(Path(path))
    except TopologyError as error:
        raise TraceError(*error.args) from error
    header = ",".join(PAYMENT_COLUMNS)
    rows = _numbers(text, header)
    if rows is None:
        raise TraceError(_first_fault(str(path), text, header))
    if len(rows) == 0:
        raise TraceError(f"{path}: must hold at least one payment (got none)")
    limits = {"sender_id": (0, nodes - 1), "receiver_id": (0, nodes - 1), "amount": (1, MAX_MSAT)}
    limits["start_time"] = (0, MAX_START_MS)

    def check(column: str, bad: npt.NDArray[np.bool_], rule: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            got = rows[row, PAYMENT_COLUMNS.index(column)]
            raise TraceError(f"{path}:{row + FIRST_LINE} {column}: {rule} (got {got})")

    check("id", rows[:, 0] != np.arange(len(rows)), "must be dense from 0 in the order of rows")
    for position, (column, (low, high)) in enumerate(limits.items(), 1):
        check(column, (rows[:, position] < low) | (rows[:, position] > high), f"must be from {low} to {high}")
    check("receiver_id", rows[:, 1] == rows[:, 2], "must differ from sender_id")
    return Payments(rows[:, 1].astype(np.int32), rows[:, 2].astype(np.int32), rows[:, 3].copy(), rows[:, 4].copy())


def foreseen(network: Network, payments: Payments) -> list[str]:
    """Payments that are sure to fail, in sentences: an end has no channel, or all its channels hold too little."""
    capacity_msat = np.zeros(network.node_count, np.int64)
    np.add.at(capacity_msat, network.edge_target[network.edge], network.capacity_msat)
    found = []
    for end, nodes in (("sender", payments.payer), ("receiver", payments.payee)):
        alone = np.flatnonzero(capacity_msat[nodes] == 0)
        if len(alone):
            who = named("node", np.unique(nodes[alone]))
            found.append(f"{named('payment', alone)} cannot arrive: the {end} has no channel ({who})")
    held_msat = np.minimum(capacity_msat[payments.payer], capacity_msat[payments.payee])
    above = np.flatnonzero((payments.amount_msat > held_msat) & (held_msat > 0))
    if len(above):
        what = "all channels of the sender or of the receiver hold"
        found.append(f"{named('payment', above)} cannot arrive: more than {what}")
    return found


def _plain_header(line: str) -> str:
    # CLoTH's own headers name units in brackets in some versions: fee_base(msat)
    return ",".join(column.split("(")[0].strip() for column in line.split(","))


def _numbers(text: str, header: str) -> Int64s | None:
    """All rows below the header, shape (rows, columns), or None unless each is well-formed digits and commas."""
    first, _, body = text.partition("\n")
    if _plain_header(first) != header:
        return None
    columns = header.count(",") + 1
    data = body.replace("\r\n", "\n").encode()
    if not data:
        return np.empty((0, columns), np.int64)
    if not data.endswith(b"\n"):
        data += b"\n"
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((letters < ord("0")) | (letters > ord("9")))  # of cells, if all is well
    lengths = np.diff(ends, prepend=-1) - 1
    if len(ends) % columns or lengths.min() < 1 or lengths.max() > 18:  # 18 digits fit in 63 bits
        return None
    marks = letters[ends].reshape(-1, columns)
    if (marks[:, -1] != ord("\n")).any() or (marks[:, :-1] != ord(",")).any():
        return None
    return np.fromstring(data.replace(b"\n", b",").decode(), np.int64, sep=",").reshape(-1, columns)


def _sound(nodes: Int64s, channels: Int64s, edges: Int64s) -> bool:
    """Whether the three tables agree with each other and hold numbers in range, as `read_cloth` asks."""
    if any(not np.array_equal(table[:, 0], np.arange(len(table))) for table in (nodes, channels, edges)):
        return False
    if len(edges) != 2 * len(channels):
        return False
    first, second, a, b, capacity = channels[:, 1:].T
    maxima = (MAX_CAPACITY_MSAT, MAX_BASE_FEE_MSAT, MAX_FEE_PPM, MAX_CAPACITY_MSAT, MAX_CLTV_DELTA)
    if (channels[:, 1:3] >= len(edges)).any() or (channels[:, 3:5] >= len(nodes)).any() or (a == b).any():
        return False
    if (edges[:, 5:] > np.array(maxima)).any() or (capacity < 1).any() or (capacity > MAX_CAPACITY_MSAT).any():
        return False
    turned = edges[first, 3] != a
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    ids = np.arange(len(channels))
    forward = np.stack((ids, second, a, b), axis=1)
    backward = np.stack((ids, first, b, a), axis=1)
    return (
        np.array_equal(edges[first, 1:5], forward)
        and np.array_equal(edges[second, 1:5], backward)
        and np.array_equal(edges[first, 5] + edges[second, 5], capacity)
    )


def _first_fault(path: str, text: str, header: str) -> str:
    """What is wrong with a table of payments that is not well-formed, as a message with its place."""
    lines = text.splitlines()
    if _plain_header(lines[0]) != header:
        return f"{path}:1: must be the header {header} (got {shorten(lines[0])})"
    columns = header.split(",")
    for number, line in enumerate(lines[1:], FIRST_LINE):
        cells = line.split(",")
        if len(cells) != len(columns):
            return f"{path}:{number}: must have {len(columns)} columns (got {len(cells)}, {shorten(line)})"
        for column, cell in zip(columns, cells, strict=True):
            if not (cell.isascii() and cell.isdecimal() and len(cell) <= 18):
                return f"{path}:{number} {column}: must be a whole number of at most 18 digits (got {shorten(cell)})"
    return f"{path}: must hold rows of whole numbers"
