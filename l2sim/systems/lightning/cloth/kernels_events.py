"""CLoTH's events compiled: every payment from its first route to its end; `reference.run_reference` is the twin.

Events are taken in order of time from a binary heap; at equal times their order is that of CLoTH's heap, in which
an event moves past others of its time on the way up and on the way down.
"""

import math
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth import draws, heap, kernels, levels, memory
from l2sim.systems.lightning.cloth.draws import Twister, normal, uniform
from l2sim.systems.lightning.cloth.kernels import find_route
from l2sim.systems.lightning.cloth.memory import Memory, record_failure, record_success, with_room
from l2sim.systems.lightning.cloth.rules import HOP_MS, OFFLINE_MS, TIMEOUT_MS, Rules
from l2sim.systems.lightning.cloth.scratch import Scratch
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Network, Whole
from l2sim.systems.lightning.compiled import compiled

SOURCES: Final = (draws, heap, kernels, levels, memory)
Number = TypeVar("Number", bound=np.generic)

# What happens to a payment.
FIND: Final = 0
SEND: Final = 1
FORWARD: Final = 2
RECEIVE: Final = 3
FORWARD_SUCCESS: Final = 4
FORWARD_FAIL: Final = 5
RECEIVE_SUCCESS: Final = 6
RECEIVE_FAIL: Final = 7

_REFUSED: Final = -1
UNKNOWN_ROUTE: Final = -2  # in `route_at`: not searched yet
_MEAN_HOPS: Final = 4  # room for routes at the start, which grows


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


class Outcome(NamedTuple):
    """What a run leaves: the ledger's rows in use, the routes' columns, and counts."""

    rows: Whole
    route_edge: Int32s
    route_amount_msat: Int64s
    events: Whole


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


@compiled(*SOURCES)
def _push(time: Int64s, what: Int64s, size: Whole, at_ms: Whole, event: Whole) -> None:
    """Add an event to a heap of `size`; it moves past those of its time."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if at_ms > time[parent]:
            break
        time[place] = time[parent]
        what[place] = what[parent]
        place = parent
    time[place] = at_ms
    what[place] = event


@compiled(*SOURCES)
def _drop_first(time: Int64s, what: Int64s, size: Whole) -> None:
    """Take the first event off a heap that had one more than `size`."""
    at_ms = time[size]
    event = what[size]
    place = 0
    while True:
        best_ms = at_ms
        best = place
        for child in range(2 * place + 1, min(2 * place + 3, size)):
            if time[child] <= best_ms:
                best_ms = time[child]
                best = child
        if best == place:
            break
        time[place] = time[best]
        what[place] = what[best]
        place = best
    time[place] = at_ms
    what[place] = event


@compiled(*SOURCES)
def first_routes(
    network: Network, balance_msat: Int64s, ledger: Ledger, payments: Whole, scratch: Scratch, memory: Memory,
    rules: Rules,
    whole: bool,
) -> tuple[Int32s, Int64s, Whole]:  # fmt: skip
    """Search the first route of every payment, at time 0 (defect D4); returns the routes' columns and their length."""
    edges = np.empty(_MEAN_HOPS * payments + 32, np.int32)
    amounts = np.empty(_MEAN_HOPS * payments + 32, np.int64)
    used: Whole = 0
    start = np.int64(0)  # a plain 0 would be a type of its own, and everything below compiled twice
    for i in range(payments):
        hops = find_route(
            network,
            balance_msat,
            memory,
            rules,
            ledger.payer[i],
            ledger.payee[i],
            ledger.amount_msat[i],
            start,
            scratch,
            whole,
        )
        if used + hops > len(edges):
            edges = np.concatenate((edges, np.empty(len(edges), np.int32)))
            amounts = np.concatenate((amounts, np.empty(len(amounts), np.int64)))
        edges[used : used + hops] = scratch.route_edge[:hops]
        amounts[used : used + hops] = scratch.route_amount_msat[:hops]
        ledger.route_at[i] = used
        ledger.hops[i] = hops
        used += hops
    return edges, amounts, used


@compiled(*SOURCES)
def run_events(
    network: Network,
    balance_msat: Int64s,
    ledger: Ledger,
    payments: Whole,
    splits: bool,
    fault_probability: float,
    random: Twister,
    memory: Memory,
    rules: Rules,
    outages: Outages,
    scratch: Scratch,
    whole: bool,
) -> Outcome:
    """Run all payments to their end; `balance_msat` (by edge) and `ledger` change in place."""
    searched = 0 if rules.live_routes else payments
    edges, amounts, used = first_routes(network, balance_msat, ledger, searched, scratch, memory, rules, whole)
    source_of, target_of, counter_of = network.edge_source, network.edge_target, network.edge_counter
    rows = payments
    # Events never outnumber payments under way, and a payment that splits leaves while its halves come.
    time = np.empty(len(ledger.payer) + 2, np.int64)
    what = np.empty(len(ledger.payer) + 2, np.int64)
    size: Whole = np.int64(0)
    nothing = np.int64(0)
    events = 0
    for i in range(payments):
        _push(time, what, size, ledger.start_ms[i], 8 * i + FIND)
        size += 1
    while size > 0:
        now = time[0]
        event = what[0] & 7
        i = what[0] >> 3
        size -= 1
        _drop_first(time, what, size)
        events += 1
        at = ledger.route_at[i]
        next_event = -1
        at_ms = now

        if event == FIND:
            ledger.attempts[i] += 1
            if now > ledger.start_ms[i] + TIMEOUT_MS:
                ledger.end_ms[i] = ledger.start_ms[i] + TIMEOUT_MS if rules.deadlines else now
                ledger.timed_out[i] = True
                size = _give_up(ledger, rules, i, time, what, size, now)
                continue
            first = ledger.attempts[i] == 1
            hops = ledger.hops[i]
            if ledger.given_up[i]:
                ledger.end_ms[i] = now
                continue
            if not first or rules.live_routes or ledger.root[i] >= 0:
                hops = find_route(
                    network, balance_msat, memory, rules, ledger.payer[i], ledger.payee[i], ledger.amount_msat[i], now,
                    scratch, whole,
                )  # fmt: skip
                if hops > 0:
                    edges, amounts, used = _keep(edges, amounts, used, ledger, i, hops, scratch)
            if hops > 0:
                next_event = SEND
            elif splits and rules.parts > 2:
                # A payment becomes two parts; of a part half stays and half is a new one. Each is searched again.
                payment = ledger.root[i] if ledger.root[i] >= 0 else i
                half = ledger.amount_msat[i] // 2
                if ledger.parts[payment] == rules.parts or half < max(rules.min_part_msat, 1):
                    ledger.end_ms[i] = now
                    size = _give_up(ledger, rules, i, time, what, size, now)
                    continue
                ledger.hops[i] = 0
                ledger.parts[payment] += 1
                rest = ledger.amount_msat[i] - half
                if payment == i:
                    _add_part(ledger, payment, rows, half)
                    _push(time, what, size, now, 8 * rows + FIND)
                    rows += 1
                else:
                    ledger.amount_msat[i] = half
                    ledger.attempts[i] -= 1
                    _push(time, what, size, now, 8 * i + FIND)
                size += 1
                _add_part(ledger, payment, rows, rest)
                _push(time, what, size, now, 8 * rows + FIND)
                rows += 1
                size += 1
            elif first and splits:
                # Only once, in two, and only if there is a route for each (defect D5).
                half = ledger.amount_msat[i] // 2
                found = 0
                for j in range(2):
                    part = rows + j
                    ledger.amount_msat[part] = half if j == 0 else ledger.amount_msat[i] - half
                    hops = 0
                    if ledger.amount_msat[part] > 0:
                        hops = find_route(
                            network, balance_msat, memory, rules, ledger.payer[i], ledger.payee[i],
                            ledger.amount_msat[part], now, scratch, whole,
                        )  # fmt: skip
                    if hops == 0:
                        break
                    edges, amounts, used = _keep(edges, amounts, used, ledger, part, hops, scratch)
                    found += 1
                if found == 2:
                    ledger.parts[i] = 2
                    for part in range(rows, rows + 2):
                        _add_part(ledger, i, part, ledger.amount_msat[part])
                        ledger.attempts[part] = 1
                        _push(time, what, size, now, 8 * part + SEND)
                        size += 1
                    rows += 2
                else:
                    ledger.end_ms[i] = now
            else:
                ledger.end_ms[i] = now
                size = _give_up(ledger, rules, i, time, what, size, now)

        elif event == SEND:
            offline = uniform(random) < fault_probability
            edge = edges[at]
            if rules.node_state:
                offline = _is_out(outages, target_of[edge], now)
            ledger.hop[i] = 0
            if offline:
                ledger.offline[i] += 1
                next_event, at_ms = RECEIVE_FAIL, now + OFFLINE_MS
            elif balance_msat[edge] < amounts[at]:
                ledger.no_balance[i] += 1
                next_event = RECEIVE_FAIL
            else:
                balance_msat[edge] -= amounts[at]
                next_event = RECEIVE if ledger.hops[i] == 1 else FORWARD
                at_ms = _after_hop(now, random, rules)
            if next_event == RECEIVE_FAIL:
                ledger.failed_hop[i] = 0
                ledger.failed_offline[i] = offline

        elif event == FORWARD:
            ledger.hop[i] += 1
            hop = ledger.hop[i]
            last = hop == ledger.hops[i] - 1
            offline = uniform(random) < fault_probability and not last
            edge = edges[at + hop]
            if rules.node_state:
                offline = _is_out(outages, target_of[edge], now)
            if offline or balance_msat[edge] < amounts[at + hop]:
                if offline:
                    ledger.offline[i] += 1
                else:
                    ledger.no_balance[i] += 1
                ledger.failed_hop[i] = hop
                ledger.failed_offline[i] = offline
                ledger.hop[i] = hop - 1
                next_event = RECEIVE_FAIL if hop == 1 else FORWARD_FAIL
                at_ms = _after_hop(now, random, rules) + (OFFLINE_MS if offline else 0)
            else:
                balance_msat[edge] -= amounts[at + hop]
                next_event = RECEIVE if last else FORWARD
                at_ms = _after_hop(now, random, rules)

        elif event == RECEIVE:
            last_hop = ledger.hops[i] - 1
            payment = ledger.root[i] if rules.atomic else -1
            waits = payment >= 0 and not ledger.settled[payment]
            if ledger.given_up[i] or (rules.deadlines and now > ledger.start_ms[i] + TIMEOUT_MS):
                ledger.failed_hop[i] = _REFUSED
                ledger.hop[i] = last_hop
                ledger.held[i] = False
                next_event = RECEIVE_FAIL if last_hop == 0 else FORWARD_FAIL
            elif waits and ledger.held_msat[payment] + ledger.amount_msat[i] < ledger.amount_msat[payment]:
                ledger.held[i] = True
                ledger.held_msat[payment] += ledger.amount_msat[i]
                continue
            else:
                if waits:
                    ledger.settled[payment] = True
                    part = ledger.first_part[payment]
                    while part >= 0:
                        if ledger.held[part]:
                            ledger.held[part] = False
                            _push(time, what, size, now, 8 * part + RECEIVE)
                            size += 1
                        part = ledger.next_part[part]
                ledger.succeeded[i] = True
                balance_msat[counter_of[edges[at + last_hop]]] += amounts[at + last_hop]
                ledger.hop[i] = last_hop - 1
                next_event = RECEIVE_SUCCESS if last_hop == 0 else FORWARD_SUCCESS
            at_ms = _after_hop(now, random, rules)

        elif event == FORWARD_SUCCESS:
            hop = ledger.hop[i]
            balance_msat[counter_of[edges[at + hop]]] += amounts[at + hop]
            ledger.hop[i] = hop - 1
            next_event = RECEIVE_SUCCESS if hop == 0 else FORWARD_SUCCESS
            at_ms = _after_hop(now, random, rules)

        elif event == FORWARD_FAIL:
            hop = ledger.hop[i]
            balance_msat[edges[at + hop]] += amounts[at + hop]
            ledger.hop[i] = hop - 1
            next_event = RECEIVE_FAIL if hop == 1 else FORWARD_FAIL
            at_ms = _after_hop(now, random, rules)

        elif event == RECEIVE_SUCCESS:
            ledger.end_ms[i] = now
            memory = with_room(memory, np.int64(ledger.hops[i]))
            for k in range(at, at + ledger.hops[i]):
                record_success(memory, ledger.payer[i], source_of[edges[k]], target_of[edges[k]], amounts[k])

        else:  # RECEIVE_FAIL
            ledger.end_ms[i] = now
            failed = ledger.failed_hop[i]
            if failed == _REFUSED:
                balance_msat[edges[at]] += amounts[at]
                if not ledger.given_up[i]:
                    ledger.timed_out[i] = True
                    ledger.end_ms[i] = ledger.start_ms[i] + TIMEOUT_MS
                    size = _give_up(ledger, rules, i, time, what, size, now)
                continue
            # Of a failure at its own hop the payer learns nothing, unless it sees that the other node is not there.
            if failed > 0 or (rules.node_state and ledger.failed_offline[i]):
                payer = ledger.payer[i]
                if failed > 0:
                    balance_msat[edges[at]] += amounts[at]
                memory = with_room(memory, np.int64(failed + 2))
                edge = edges[at + failed]
                if ledger.failed_offline[i]:
                    record_failure(memory, rules, payer, source_of[edge], target_of[edge], nothing, now)
                    record_failure(memory, rules, payer, target_of[edge], source_of[edge], nothing, now)
                else:
                    for k in range(at, at + failed):
                        record_success(memory, payer, source_of[edges[k]], target_of[edges[k]], amounts[k])
                    record_failure(memory, rules, payer, source_of[edge], target_of[edge], amounts[at + failed], now)
            next_event = FIND

        if next_event >= 0:
            _push(time, what, size, at_ms, 8 * i + next_event)
            size += 1
    return Outcome(rows, edges[:used], amounts[:used], events)


@compiled(*SOURCES)
def _after_hop(now_ms: Whole, random: Twister, rules: Rules) -> Whole:
    """When a message sent now over one hop arrives."""
    deviate = normal(random)
    sigma = rules.latency_sigma
    if sigma > 0.0:
        return np.int64(now_ms + HOP_MS * math.exp(sigma * deviate - 0.5 * sigma * sigma))
    return np.int64(now_ms + HOP_MS + deviate)


@compiled(*SOURCES)
def _is_out(outages: Outages, node: Whole, now_ms: Whole) -> bool:
    """Whether a node is offline now; time goes forward from call to call."""
    at = outages.at[node]
    while at < outages.first[node + 1] and outages.end_ms[at] <= now_ms:
        at += 1
    outages.at[node] = at
    return bool(at < outages.first[node + 1] and outages.begin_ms[at] <= now_ms)


@compiled(*SOURCES)
def _add_part(ledger: Ledger, payment: Whole, part: Whole, amount_msat: Whole) -> None:
    """Make an unused row a part of a payment, the last one."""
    ledger.payer[part] = ledger.payer[payment]
    ledger.payee[part] = ledger.payee[payment]
    ledger.start_ms[part] = ledger.start_ms[payment]
    ledger.amount_msat[part] = amount_msat
    ledger.root[part] = payment
    last = ledger.first_part[payment]
    if last < 0:
        ledger.first_part[payment] = part
        return
    while ledger.next_part[last] >= 0:
        last = ledger.next_part[last]
    ledger.next_part[last] = part


@compiled(*SOURCES)
def _give_up(ledger: Ledger, rules: Rules, i: Whole, time: Int64s, what: Int64s, size: Whole, now_ms: Whole) -> Whole:
    """Give up the other parts of a payment that is settled whole or not at all; returns the size of the heap."""
    if not rules.atomic or ledger.root[i] < 0:
        return size
    part = ledger.first_part[ledger.root[i]]
    while part >= 0:
        if part != i and not ledger.given_up[part]:
            ledger.given_up[part] = True
            if ledger.held[part]:
                _push(time, what, size, now_ms, 8 * part + RECEIVE)
                size += 1
        part = ledger.next_part[part]
    return size


@compiled(*SOURCES)
def _keep(
    edges: Int32s, amounts: Int64s, used: Whole, ledger: Ledger, i: Whole, hops: Whole, scratch: Scratch
) -> tuple[Int32s, Int64s, Whole]:
    """Write down the route just found as that of payment `i`, over its last one where it fits."""
    at = ledger.route_at[i]
    if at < 0 or hops > ledger.hops[i]:
        at = used
        used += hops
        if used > len(edges):
            edges = np.concatenate((edges, np.empty(len(edges), np.int32)))
            amounts = np.concatenate((amounts, np.empty(len(amounts), np.int64)))
    edges[at : at + hops] = scratch.route_edge[:hops]
    amounts[at : at + hops] = scratch.route_amount_msat[:hops]
    ledger.route_at[i] = at
    ledger.hops[i] = hops
    return edges, amounts, used
