"""Where it is kept how CLoTH's payments stand, and what goes on."""

from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.tables import Int32s, Int64s

Number = TypeVar("Number", bound=np.generic)

UNKNOWN_ROUTE: Final = -2  # in `route_at`: not searched yet
_MEAN_HOPS: Final = 4  # room for routes at the start, which grows

# Places in `Course.progress`.
LACKS: Final = 0  # what a run stopped for: nothing, it is at its end, or room
SEARCHED: Final = 1  # payments whose first route was searched before all
ROWS: Final = 2  # of the ledger, in use
USED: Final = 3  # of the routes' columns
WAITING: Final = 4  # events
EVENTS: Final = 5  # that have happened
NOTHING: Final = 0
ROUTE_ROOM: Final = 1
MEMORY_ROOM: Final = 2


class Ledger(NamedTuple):
    """Payments as they go: one row each, then the parts of those that are split.

    `first_part` of a payment says where its parts begin, or -1, `next_part` of a part which comes next; `root` of a
    part is its payment, else -1. `parts`, `held_msat` and `settled` are those of a payment: how many parts it is in,
    what of them the payee holds, and whether it has taken them.

    Times in ms. `route_at` and `hops` say where the last route stands; 0 hops if there was none.
    `failed_hop` is `_REFUSED` where the payee refused. `given_up` and `held` are those of parts that are settled
    together.
    """

    payer: Int32s
    payee: Int32s
    amount_msat: Int64s
    start_ms: Int64s
    end_ms: Int64s
    succeeded: npt.NDArray[np.bool_]
    timed_out: npt.NDArray[np.bool_]
    no_balance: Int32s
    offline: Int32s
    attempts: Int32s
    first_part: Int32s
    route_at: Int64s
    hops: Int32s
    hop: Int32s
    failed_hop: Int32s
    failed_offline: npt.NDArray[np.bool_]
    root: Int32s
    next_part: Int32s
    parts: Int32s
    held_msat: Int64s
    settled: npt.NDArray[np.bool_]
    given_up: npt.NDArray[np.bool_]
    held: npt.NDArray[np.bool_]


class Outages(NamedTuple):
    """When nodes are offline: those of node v from `first[v]` to `first[v + 1]`, in ms; `at[v]` is the next one."""

    first: Int64s
    begin_ms: Int64s
    end_ms: Int64s
    at: Int64s


class Course(NamedTuple):
    """A run under way: events as a heap by time, the routes one after the other, and `progress`, see its places."""

    time_ms: Int64s
    what: Int64s
    route_edge: Int32s
    route_amount_msat: Int64s
    progress: Int64s


def make_ledger(payer: Int32s, payee: Int32s, amount_msat: Int64s, start_ms: Int64s, parts: int) -> Ledger:
    """A ledger of payments not begun, with room to split each into so many parts; 1 splits nothing."""
    count = len(payer)
    rows = (1 + parts) * count if parts > 1 else count

    def column(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        return np.concatenate((values, np.zeros(rows - count, values.dtype)))

    return Ledger(
        payer=column(payer),
        payee=column(payee),
        amount_msat=column(amount_msat),
        start_ms=column(start_ms),
        end_ms=np.zeros(rows, np.int64),
        succeeded=np.zeros(rows, np.bool_),
        timed_out=np.zeros(rows, np.bool_),
        no_balance=np.zeros(rows, np.int32),
        offline=np.zeros(rows, np.int32),
        attempts=np.zeros(rows, np.int32),
        first_part=np.full(rows, -1, np.int32),
        route_at=np.full(rows, UNKNOWN_ROUTE, np.int64),
        hops=np.zeros(rows, np.int32),
        hop=np.zeros(rows, np.int32),
        failed_hop=np.zeros(rows, np.int32),
        failed_offline=np.zeros(rows, np.bool_),
        root=np.full(rows, -1, np.int32),
        next_part=np.full(rows, -1, np.int32),
        parts=np.ones(rows, np.int32),
        held_msat=np.zeros(rows, np.int64),
        settled=np.zeros(rows, np.bool_),
        given_up=np.zeros(rows, np.bool_),
        held=np.zeros(rows, np.bool_),
    )


def make_course(ledger: Ledger, payments: int) -> Course:
    """A run that has not begun."""
    # Events never outnumber payments under way, and a payment that splits leaves while its halves come.
    events = len(ledger.payer) + 2
    room = _MEAN_HOPS * payments + 64
    progress = np.zeros(6, np.int64)
    progress[ROWS] = payments
    return Course(
        np.empty(events, np.int64), np.empty(events, np.int64), np.empty(room, np.int32), np.empty(room, np.int64),
        progress,
    )  # fmt: skip


def with_more_routes(course: Course) -> Course:
    """The same run with twice the room for routes."""
    edge = np.concatenate((course.route_edge, np.empty_like(course.route_edge)))
    amount_msat = np.concatenate((course.route_amount_msat, np.empty_like(course.route_amount_msat)))
    return course._replace(route_edge=edge, route_amount_msat=amount_msat)
