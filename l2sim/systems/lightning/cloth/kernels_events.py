"""CLoTH's events compiled: every payment from its first route to its end; `reference.run_reference` is the twin.

Events are taken in order of time from a binary heap; at equal times their order is that of CLoTH's heap, in which
an event moves past others of its time on the way up and on the way down.
"""

import math
from typing import Final

import numpy as np
from numba import njit

from l2sim.systems.lightning.cloth.draws import Twister
from l2sim.systems.lightning.cloth.kernels import find_route
from l2sim.systems.lightning.cloth.kernels_draws import after_payments, normal, uniform
from l2sim.systems.lightning.cloth.kernels_memory import record_failure, record_success
from l2sim.systems.lightning.cloth.ledger import (
    EVENTS,
    LACKS,
    MEMORY_ROOM,
    NOTHING,
    ROUTE_ROOM,
    ROWS,
    SEARCHED,
    USED,
    WAITING,
    Course,
    Ledger,
    Outages,
)
from l2sim.systems.lightning.cloth.memory import Memory
from l2sim.systems.lightning.cloth.rules import HOP_MS, MAX_HOPS, OFFLINE_MS, TIMEOUT_MS, Rules
from l2sim.systems.lightning.cloth.scratch import Scratch
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Whole

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


@njit()
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


@njit()
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


@njit()
def run_events(
    network: Network,
    balance_msat: Int64s,
    ledger: Ledger,
    payments: Whole,
    splits: bool,
    fault_probability: float,
    seed: Whole,
    random: Twister,
    memory: Memory,
    rules: Rules,
    outages: Outages,
    scratch: Scratch,
    course: Course,
    whole: bool,
) -> None:
    """Run all payments to their end, or until room is lacking: `course.progress[LACKS]` says for what.

    `balance_msat` (by edge), `ledger`, `memory` and `course` change in place. Called again with more room, it goes on
    where it stopped.
    """
    source_of, target_of, counter_of = network.edge_source, network.edge_target, network.edge_counter
    time, what, progress = course.time_ms, course.what, course.progress
    edges, amounts = course.route_edge, course.route_amount_msat
    rows, used, size, events = progress[ROWS], progress[USED], progress[WAITING], progress[EVENTS]
    nothing = np.int64(0)
    progress[LACKS] = NOTHING
    if events == 0:
        # Of every payment the first route is searched at time 0, before all else (defect D4).
        for i in range(progress[SEARCHED], nothing if rules.live_routes else payments):
            if used + MAX_HOPS > len(edges):
                progress[LACKS], progress[USED] = ROUTE_ROOM, used
                return
            hops = find_route(
                network, balance_msat, memory, rules, ledger.payer[i], ledger.payee[i], ledger.amount_msat[i], nothing,
                scratch, whole,
            )  # fmt: skip
            used = _keep(course, used, ledger, i, hops, scratch)
            progress[SEARCHED] = i + 1
        after_payments(random, seed, len(network.start) - 1, ledger.payer, ledger.payee, payments)
        for i in range(payments):
            _push(time, what, size, ledger.start_ms[i], 8 * i + FIND)
            size += 1
    while size > 0:
        if used + 2 * MAX_HOPS > len(edges):
            progress[LACKS] = ROUTE_ROOM
        elif memory.used[0] + 2 * MAX_HOPS > len(memory.source):
            progress[LACKS] = MEMORY_ROOM
        if progress[LACKS] != NOTHING:
            break
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
                    used = _keep(course, used, ledger, i, hops, scratch)
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
                    used = _keep(course, used, ledger, part, hops, scratch)
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
    progress[ROWS], progress[USED], progress[WAITING], progress[EVENTS] = rows, used, size, events


@njit()
def _after_hop(now_ms: Whole, random: Twister, rules: Rules) -> Whole:
    """When a message sent now over one hop arrives."""
    deviate = normal(random)
    sigma = rules.latency_sigma
    if sigma > 0.0:
        return np.int64(now_ms + HOP_MS * math.exp(sigma * deviate - 0.5 * sigma * sigma))
    return np.int64(now_ms + HOP_MS + deviate)


@njit()
def _is_out(outages: Outages, node: Whole, now_ms: Whole) -> bool:
    """Whether a node is offline now; time goes forward from call to call."""
    at = outages.at[node]
    while at < outages.first[node + 1] and outages.end_ms[at] <= now_ms:
        at += 1
    outages.at[node] = at
    return bool(at < outages.first[node + 1] and outages.begin_ms[at] <= now_ms)


@njit()
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


@njit()
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


@njit()
def _keep(course: Course, used: Whole, ledger: Ledger, i: Whole, hops: Whole, scratch: Scratch) -> Whole:
    """Write down the route just found as that of payment `i`, over its last one where it fits; returns what is used."""
    at = ledger.route_at[i]
    if at < 0 or hops > ledger.hops[i]:
        at = used
        used += hops
    for k in range(hops):
        course.route_edge[at + k] = scratch.route_edge[k]
        course.route_amount_msat[at + k] = scratch.route_amount_msat[k]
    ledger.route_at[i] = at
    ledger.hops[i] = hops
    return used
