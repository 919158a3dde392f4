"""The channel graph as data: nodes, channels, and what each end of a channel announces.

Columns, not objects: a network of 100,000 directed edges is a dozen numpy arrays, which path search and the
drawing of balances read as they are. Channel c joins `node_a[c]` and `node_b[c]` and is two directed edges:
edge 2c leads from a to b, edge 2c + 1 from b to a; so edge e belongs to channel e // 2 and its other
direction is e ^ 1. Parallel channels between the same two nodes are allowed, loops are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError

IntArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

MAX_CAPACITY_MSAT: Final = 21_000_000 * 100_000_000 * 1_000  # all bitcoin there can be, in msat
MAX_BASE_FEE_MSAT: Final = 2**32 - 1  # fee_base_msat is a u32 on the wire (BOLT 7, channel_update)
MAX_FEE_PPM: Final = 2**32 - 1  # fee_proportional_millionths is a u32 (BOLT 7); some nodes do announce this value
MAX_CLTV_DELTA: Final = 2**16 - 1  # cltv_expiry_delta is a u16 (BOLT 7)
MAX_INBOUND: Final = 2**31 - 1  # inbound fees are i32 on the wire (bLIP 18)

# What LND announces for a new channel unless told otherwise (chainreg/chainregistry.go).
DEFAULT_BASE_FEE_MSAT: Final = 1_000
DEFAULT_FEE_PPM: Final = 1
DEFAULT_CLTV_DELTA: Final = 80
DEFAULT_HTLC_MIN_MSAT: Final = 1_000

_CHANNEL_COLUMNS: Final[dict[str, type[np.generic]]] = {
    "node_a": np.int32,
    "node_b": np.int32,
    "capacity_msat": np.int64,
}
_EDGE_COLUMNS: Final[dict[str, type[np.generic]]] = {
    "enabled": np.bool_,
    "base_fee_msat": np.int64,
    "fee_ppm": np.int64,
    "cltv_delta": np.int32,
    "htlc_min_msat": np.int64,
    "htlc_max_msat": np.int64,
    "inbound_base_msat": np.int64,
    "inbound_ppm": np.int64,
}
_EDGE_LIMITS: Final = {
    "base_fee_msat": (0, MAX_BASE_FEE_MSAT),
    "fee_ppm": (0, MAX_FEE_PPM),
    "cltv_delta": (0, MAX_CLTV_DELTA),
    "htlc_min_msat": (0, MAX_CAPACITY_MSAT),
    "htlc_max_msat": (0, MAX_CAPACITY_MSAT),
    "inbound_base_msat": (-MAX_INBOUND - 1, MAX_INBOUND),
    "inbound_ppm": (-MAX_INBOUND - 1, MAX_INBOUND),
}


@dataclass(frozen=True, slots=True, eq=False)
class ChannelGraph:
    """A network of payment channels, checked when made and read-only afterwards.

    With n nodes and m channels the channel columns have shape (m,) and the edge columns (2m,). Fees follow
    BOLT 7: forwarding `amount` over an edge costs base_fee_msat + amount * fee_ppm // 1_000_000. Real files hold
    fee_ppm up to 2**32 - 1, so that product can pass 2**63 above 2.1 million sat: bound one of the two first.

    Raises `TopologyError` for columns of other shapes, names that repeat, loops, nodes that do not exist,
    and amounts outside their range.

    >>> graph = ChannelGraph.from_channels(["alice", "bob", "carol"], [(0, 1, 500_000_000), (1, 2, 800_000_000)])
    >>> graph.channel_count, graph.degrees().tolist(), graph.edge_source().tolist()
    (2, [1, 2, 1], [0, 1, 1, 2])
    """

    node_names: tuple[str, ...]
    """Unique names: public keys in hex, or generated names."""
    channel_names: tuple[str, ...]
    """Unique names: short channel ids (block x transaction x output)."""
    node_a: IndexArray
    node_b: IndexArray
    capacity_msat: IntArray
    enabled: BoolArray
    """Whether the edge forwards; False where the file has no policy for it or says it is disabled."""
    base_fee_msat: IntArray
    fee_ppm: IntArray
    cltv_delta: IndexArray
    """Blocks by which the expiry must fall over this edge."""
    htlc_min_msat: IntArray
    htlc_max_msat: IntArray
    inbound_base_msat: IntArray
    """What the edge's target asks for on top of its own outbound fee from what comes in by the edge (bLIP 18)."""
    inbound_ppm: IntArray
    """The same in millionths of what it sends on and its outbound fee. Negative ones are discounts."""
    balance_msat: IntArray | None = None
    """What the side that sends over the edge owns, if the file says so; a pair sums to the capacity."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "node_names", tuple(self.node_names))
        object.__setattr__(self, "channel_names", tuple(self.channel_names))
        channels = len(self.channel_names)
        for name, dtype in _CHANNEL_COLUMNS.items():
            object.__setattr__(self, name, _column(name, getattr(self, name), dtype, channels))
        for name, dtype in _EDGE_COLUMNS.items():
            object.__setattr__(self, name, _column(name, getattr(self, name), dtype, 2 * channels))
        if self.balance_msat is not None:
            object.__setattr__(self, "balance_msat", _column("balance_msat", self.balance_msat, np.int64, 2 * channels))
        self._check_names()
        self._check_channels()
        self._check_edges()

    def _check_names(self) -> None:
        for what, names in (("node", self.node_names), ("channel", self.channel_names)):
            if len(set(names)) != len(names):
                seen: set[str] = set()
                again = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add returns None: falsy
                raise TopologyError(f"{what} names must be unique (got {again!r} more than once)")
            if "" in names:
                raise TopologyError(f"{what} names must not be empty (got '' for {what} {names.index('')})")

    def _check_channels(self) -> None:
        nodes = self.node_count
        for name in ("node_a", "node_b"):
            column = getattr(self, name)
            self._refuse_channel((column < 0) | (column >= nodes), name, column, f"must be a node, 0 to {nodes - 1}")
        self._refuse_channel(self.node_a == self.node_b, "node_b", self.node_b, "must differ from node_a: no loops")
        capacity = self.capacity_msat
        self._refuse_channel(
            (capacity <= 0) | (capacity > MAX_CAPACITY_MSAT),
            "capacity_msat",
            capacity,
            f"must be above 0 and at most {MAX_CAPACITY_MSAT}",
        )

    def _check_edges(self) -> None:
        for name, (least, most) in _EDGE_LIMITS.items():
            column = getattr(self, name)
            wrong = (column < least) | (column > most)
            self._refuse_edge(wrong, name, column, f"must be at least {least} and at most {most}")
        if self.balance_msat is None:
            return
        balance = self.balance_msat
        self._refuse_edge(balance < 0, "balance_msat", balance, "must be at least 0")
        total = balance[0::2] + balance[1::2]
        self._refuse_channel(total != self.capacity_msat, "balance_msat", total, "both sides must sum to the capacity")

    def _refuse_channel(self, bad: BoolArray, column: str, values: npt.NDArray[Any], rule: str) -> None:
        if bad.any():
            c = int(np.argmax(bad))
            raise TopologyError(f"channel {self.channel_names[c]!r} {column}: {rule} (got {values[c]})")

    def _refuse_edge(self, bad: BoolArray, column: str, values: npt.NDArray[Any], rule: str) -> None:
        if bad.any():
            e = int(np.argmax(bad))
            side = "b to a" if e % 2 else "a to b"
            raise TopologyError(f"channel {self.channel_names[e // 2]!r} {side} {column}: {rule} (got {values[e]})")

    @classmethod
    def from_channels(
        cls,
        node_names: Sequence[str],
        channels: Sequence[tuple[int, int, int]],
        *,
        channel_names: Sequence[str] | None = None,
        **columns: Any,
    ) -> "ChannelGraph":
        """A graph from `(node a, node b, capacity in msat)` triples; see `extended` for the other columns."""
        table = np.array(channels, np.int64).reshape(-1, 3)
        names = channel_names if channel_names is not None else generated_channel_names(len(table))
        return cls.empty(node_names).extended(
            channel_names=names, node_a=table[:, 0], node_b=table[:, 1], capacity_msat=table[:, 2], **columns
        )

    @classmethod
    def empty(cls, node_names: Sequence[str] = ()) -> "ChannelGraph":
        """Nodes without channels."""
        columns = {name: np.empty(0, dtype) for name, dtype in (_CHANNEL_COLUMNS | _EDGE_COLUMNS).items()}
        return cls(tuple(node_names), (), **columns)

    @property
    def node_count(self) -> int:
        """The number of nodes, n."""
        return len(self.node_names)

    @property
    def channel_count(self) -> int:
        """The number of channels, m; there are 2m directed edges."""
        return len(self.channel_names)

    @property
    def total_capacity_msat(self) -> int:
        """The capacity of all channels together."""
        return int(self.capacity_msat.sum())

    def __eq__(self, other: object) -> bool:
        """Whether all names and all columns are equal, in the same order."""
        if not isinstance(other, ChannelGraph):
            return NotImplemented
        mine, theirs = self._columns(), other._columns()
        return (
            self.node_names == other.node_names
            and self.channel_names == other.channel_names
            and mine.keys() == theirs.keys()
            and all(np.array_equal(column, theirs[name]) for name, column in mine.items())
        )

    def __repr__(self) -> str:
        btc = self.total_capacity_msat / 100_000_000_000
        return f"<ChannelGraph: {self.node_count} nodes, {self.channel_count} channels, {btc:.2f} BTC>"

    def edge_source(self) -> IndexArray:
        """The node that sends over each edge, shape (2m,)."""
        return interleave(self.node_a, self.node_b)

    def edge_target(self) -> IndexArray:
        """The node that receives over each edge, shape (2m,)."""
        return interleave(self.node_b, self.node_a)

    def edge_capacity_msat(self) -> IntArray:
        """The capacity of each edge's channel, shape (2m,)."""
        return np.repeat(self.capacity_msat, 2)

    def enabled_both_ways(self) -> BoolArray:
        """Which channels forward in both directions, shape (m,)."""
        return self.enabled[0::2] & self.enabled[1::2]

    def degrees(self) -> IntArray:
        """The number of channels of each node, parallel ones counted each, shape (n,)."""
        ends = np.concatenate((self.node_a, self.node_b))
        return np.bincount(ends, minlength=self.node_count).astype(np.int64)

    def components(self, channels: BoolArray | None = None) -> IndexArray:
        """For each node the smallest node of its component, over all channels or those marked, shape (n,)."""
        a, b = (self.node_a, self.node_b) if channels is None else (self.node_a[channels], self.node_b[channels])
        return connected_components(self.node_count, a, b)

    def largest_component(self, enabled_both_ways: bool = True) -> "ChannelGraph":
        """The largest set of nodes that all reach each other, with the channels among them.

        With `enabled_both_ways` (the usable network) only channels that forward in both directions count, and
        only those are kept. Of components of equal size the one with the smallest node is taken.
        """
        usable = self.enabled_both_ways() if enabled_both_ways else np.ones(self.channel_count, np.bool_)
        component = self.components(usable)
        if self.node_count == 0:
            return self
        largest = int(np.argmax(np.bincount(component)))
        return self.select(nodes=component == largest, channels=usable)

    def select(self, nodes: BoolArray | None = None, channels: BoolArray | None = None) -> "ChannelGraph":
        """The nodes marked in `nodes` (n,) and, among them, the channels marked in `channels` (m,), in order."""
        keep_nodes = np.ones(self.node_count, np.bool_) if nodes is None else np.asarray(nodes, np.bool_)
        keep = np.ones(self.channel_count, np.bool_) if channels is None else np.asarray(channels, np.bool_)
        if keep_nodes.shape != (self.node_count,) or keep.shape != (self.channel_count,):
            raise TopologyError(
                f"a selection must mark {self.node_count} nodes and {self.channel_count} channels"
                f" (got shapes {keep_nodes.shape} and {keep.shape})"
            )
        keep = keep & keep_nodes[self.node_a] & keep_nodes[self.node_b]
        renumbered = np.cumsum(keep_nodes, dtype=np.int32) - np.int32(1)
        columns = {name: getattr(self, name)[np.repeat(keep, 2)] for name in _EDGE_COLUMNS}
        return ChannelGraph(
            tuple(self.node_names[i] for i in np.flatnonzero(keep_nodes).tolist()),
            tuple(self.channel_names[c] for c in np.flatnonzero(keep).tolist()),
            node_a=renumbered[self.node_a[keep]],
            node_b=renumbered[self.node_b[keep]],
            capacity_msat=self.capacity_msat[keep],
            balance_msat=None if self.balance_msat is None else self.balance_msat[np.repeat(keep, 2)],
            **columns,
        )

    def extended(
        self,
        *,
        node_names: Sequence[str] = (),
        channel_names: Sequence[str] = (),
        node_a: npt.ArrayLike = (),
        node_b: npt.ArrayLike = (),
        capacity_msat: npt.ArrayLike = (),
        enabled: npt.ArrayLike = True,
        base_fee_msat: npt.ArrayLike = DEFAULT_BASE_FEE_MSAT,
        fee_ppm: npt.ArrayLike = DEFAULT_FEE_PPM,
        cltv_delta: npt.ArrayLike = DEFAULT_CLTV_DELTA,
        htlc_min_msat: npt.ArrayLike = DEFAULT_HTLC_MIN_MSAT,
        htlc_max_msat: npt.ArrayLike | None = None,
        inbound_base_msat: npt.ArrayLike = 0,
        inbound_ppm: npt.ArrayLike = 0,
        balance_msat: npt.ArrayLike | None = None,
    ) -> "ChannelGraph":
        """This graph with k channels and any number of nodes more; the old ones keep their numbers.

        Channel columns have shape (k,), edge columns (2k,); a single number stands for all. `htlc_max_msat`
        is the capacity unless given. `balance_msat` must be given if and only if the graph has balances
        (a graph without channels takes either).
        """
        k = len(channel_names)
        if self.channel_count and k and (balance_msat is None) != (self.balance_msat is None):
            has, given = ("has", "none") if self.balance_msat is not None else ("has no", "some")
            raise TopologyError(f"balance_msat must be given just when the graph has balances (it {has}, got {given})")
        capacity = _broadcast("capacity_msat", capacity_msat, k)
        added: dict[str, npt.NDArray[Any]] = {
            "node_a": _broadcast("node_a", node_a, k),
            "node_b": _broadcast("node_b", node_b, k),
            "capacity_msat": capacity,
            "enabled": _broadcast("enabled", enabled, 2 * k),
            "base_fee_msat": _broadcast("base_fee_msat", base_fee_msat, 2 * k),
            "fee_ppm": _broadcast("fee_ppm", fee_ppm, 2 * k),
            "cltv_delta": _broadcast("cltv_delta", cltv_delta, 2 * k),
            "htlc_min_msat": _broadcast("htlc_min_msat", htlc_min_msat, 2 * k),
            "htlc_max_msat": np.repeat(capacity, 2)
            if htlc_max_msat is None
            else _broadcast("htlc_max_msat", htlc_max_msat, 2 * k),
            "inbound_base_msat": _broadcast("inbound_base_msat", inbound_base_msat, 2 * k),
            "inbound_ppm": _broadcast("inbound_ppm", inbound_ppm, 2 * k),
        }
        columns = {name: np.concatenate((getattr(self, name), column)) for name, column in added.items()}
        balance = self.balance_msat
        if balance_msat is not None:
            old = np.empty(0, np.int64) if balance is None else balance
            balance = np.concatenate((old, _broadcast("balance_msat", balance_msat, 2 * k)))
        return ChannelGraph(
            (*self.node_names, *node_names), (*self.channel_names, *channel_names), **columns, balance_msat=balance
        )

    def with_balances(self, balance_msat: IntArray | None) -> "ChannelGraph":
        """This graph with these balances, shape (2m,), or with none."""
        return replace(self, balance_msat=balance_msat)

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        """The columns that are there, by name."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        return {name: column for name, column in columns.items() if column is not None}


def generated_channel_names(count: int) -> list[str]:
    """Short channel ids for channels that have none: "0x0x0", "1x0x0", ... so that every format can hold them."""
    return [f"{c}x0x0" for c in range(count)]


def interleave(even: npt.NDArray[Any], odd: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One edge column (2m,) from the a-to-b and the b-to-a halves (m,)."""
    both = np.empty(2 * len(even), even.dtype)
    both[0::2] = even
    both[1::2] = odd
    return both


def connected_components(nodes: int, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> IndexArray:
    """For each node the smallest node it is joined to by the edges a-b, shape (nodes,).

    Each round gives both ends of every edge the smaller label, then every node the label of its label; the
    labels settle in a number of rounds that grows as the logarithm of the longest path on real networks.
    """
    label = np.arange(nodes, dtype=np.int32)
    while True:
        low = np.minimum(label[a], label[b])
        joined = label.copy()
        np.minimum.at(joined, label[a], low)
        np.minimum.at(joined, label[b], low)
        joined = np.minimum(joined, joined[joined])
        joined = joined[joined]
        if np.array_equal(joined, label):
            return label
        label = joined


def _column(name: str, values: Any, dtype: type[np.generic], length: int) -> npt.NDArray[Any]:
    """A read-only copy of a column in its own dtype; refuses other lengths and values that would change."""
    given = np.asarray(values)
    if given.shape != (length,):
        raise TopologyError(f"{name} must have shape ({length},) (got {given.shape})")
    column = given.astype(dtype)
    if given.size and not np.array_equal(column, given):
        raise TopologyError(f"{name} must hold values that fit {np.dtype(dtype).name} (got dtype {given.dtype})")
    column.setflags(write=False)
    return column


def _broadcast(name: str, values: npt.ArrayLike, length: int) -> npt.NDArray[Any]:
    given = np.asarray(values)
    if given.ndim == 0:
        return np.full(length, given)
    if given.shape != (length,):
        raise TopologyError(f"{name} must be one number or have shape ({length},) (got {given.shape})")
    return given if length else given.astype(np.int64)
