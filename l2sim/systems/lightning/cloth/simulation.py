"""Running CLoTH's payments over CLoTH's network: what goes in, what comes out, one row a payment."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.corrections import outages, rules_of, spread
from l2sim.systems.lightning.cloth.draws import make_twister
from l2sim.systems.lightning.cloth.ledger import (
    EVENTS,
    LACKS,
    MEMORY_ROOM,
    NOTHING,
    ROWS,
    Ledger,
    Outages,
    make_course,
    make_ledger,
    with_more_routes,
)
from l2sim.systems.lightning.cloth.memory import grown, make_memory
from l2sim.systems.lightning.cloth.rules import MAX_HOPS, TIMEOUT_MS
from l2sim.systems.lightning.cloth.scratch import make_scratch
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Network, Payments
from l2sim.systems.lightning.standalone import standalone

_PARTS: Final = (
    "draws", "heap", "kernels", "kernels_draws", "kernels_memory", "ledger", "levels", "memory", "rules", "scratch",
    "tables",
)  # fmt: skip
_run: Final = standalone(f"{__package__}.kernels_events:run_events", *(f"{__package__}.{part}" for part in _PARTS))

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The payments as CLoTH writes them, halves of split ones put together; columns of shape (payments,).

    The route of payment i is `route_edge[route_start[i] : route_start[i] + hops[i]]`, the last one tried; for a
    split payment that of the half with more hops. Times in ms.
    """

    payments: Payments
    end_ms: Int64s
    split: Flags
    succeeded: Flags
    no_balance: Int64s
    offline: Int64s
    timed_out: Flags
    attempts: Int64s
    fee_msat: Int64s
    hops: Int64s
    route_start: Int64s
    route_edge: Int32s
    balance_msat: Int64s
    """Of every edge at the end."""
    events: int
    searches: int
    pruned_searches: int
    """Searches that were answered without looking at the whole network."""


def simulate(
    network: Network,
    balance_msat: Int64s,
    payments: Payments,
    *,
    mpp: bool,
    seed: int,
    fault_probability: float = 0.0,
    whole_searches: bool = False,
    corrected: Collection[str] = (),
) -> Results:
    """Make the payments in CLoTH's way, from these balances (by edge id, left as they are).

    `seed` is that of CLoTH's generator. `whole_searches` gives up the pruned search: same results, more time.
    `corrected` names the defects that are put right, of `corrections.CORRECTIONS`.
    """
    count = len(payments.payer)
    balance = balance_msat.copy()
    if "amounts" in corrected:
        payments = spread(payments, seed)
    rules = rules_of(corrected)
    ledger = make_ledger(*payments, parts=rules.parts if mpp else 1)
    scratch = make_scratch(network)
    random = make_twister()
    first, begin_ms, end_ms = outages_of(network, payments, fault_probability, seed, corrected)
    outages = Outages(first, begin_ms, end_ms, first[:-1].copy())
    memory = make_memory(network.node_count, 2 * count + 2 * MAX_HOPS)
    course = make_course(ledger, count)
    lacking = None
    while lacking != NOTHING:
        _run(
            network, balance, ledger, count, mpp, float(fault_probability), seed, random, memory, rules, outages,
            scratch, course, whole_searches,
        )  # fmt: skip
        lacking = course.progress[LACKS]
        if lacking == MEMORY_ROOM:
            memory = grown(memory)
        elif lacking != NOTHING:
            course = with_more_routes(course)
    rows, events = int(course.progress[ROWS]), int(course.progress[EVENTS])
    return _fold(payments, ledger, rows, course.route_edge, course.route_amount_msat, balance, (
        events, int(scratch.counts[1]), int(scratch.counts[1] - scratch.counts[2])
    ))  # fmt: skip


def outages_of(
    network: Network, payments: Payments, fault_probability: float, seed: int, corrected: Collection[str]
) -> tuple[Int64s, Int64s, Int64s]:
    """The outages of a run (see `corrections.outages`): none unless that is corrected."""
    share = fault_probability if "offline" in corrected else 0.0
    return outages(network.node_count, share, int(payments.start_ms.max()) + 10 * TIMEOUT_MS, seed)


def _fold(
    payments: Payments,
    ledger: Ledger,
    rows: int,
    route_edge: Int32s,
    route_amount_msat: Int64s,
    balance_msat: Int64s,
    counts: tuple[int, int, int],
) -> Results:
    """One row a payment: parts that were sent are summed into the payment they came from."""
    count = len(payments.payer)
    split = ledger.first_part[:count] >= 0
    parts = np.flatnonzero(ledger.root[:rows] >= 0)
    payment = ledger.root[parts]
    shown = np.arange(count)
    # Of a split payment the part with most hops is shown, the last of those that are alike.
    order = np.lexsort((parts, ledger.hops[parts]))
    shown[payment[order]] = parts[order]

    def folded(column: npt.NDArray[np.integer]) -> Int64s:
        values = column[:count].astype(np.int64)
        np.add.at(values, payment, column[parts])
        return values

    end_ms = np.where(split, 0, ledger.end_ms[:count])
    np.maximum.at(end_ms, payment, ledger.end_ms[parts])
    succeeded, timed_out = ledger.succeeded[:count] | split, ledger.timed_out[:count] & ~split
    np.logical_and.at(succeeded, payment, ledger.succeeded[parts])
    np.logical_or.at(timed_out, payment, ledger.timed_out[parts])
    routed = ledger.hops > 0
    fee_msat = np.zeros(len(routed), np.int64)
    fee_msat[routed] = route_amount_msat[ledger.route_at[routed]] - ledger.amount_msat[routed]
    events, searches, pruned = counts
    return Results(
        payments=payments,
        end_ms=end_ms,
        split=split,
        succeeded=succeeded,
        no_balance=folded(ledger.no_balance),
        offline=folded(ledger.offline),
        timed_out=timed_out,
        attempts=folded(ledger.attempts) - split,  # the search that led to the division is none
        fee_msat=folded(fee_msat),
        hops=ledger.hops[shown].astype(np.int64),
        route_start=ledger.route_at[shown],
        route_edge=route_edge,
        balance_msat=balance_msat,
        events=events,
        searches=searches,
        pruned_searches=pruned,
    )
