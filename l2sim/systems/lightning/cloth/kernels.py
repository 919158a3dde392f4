"""CLoTH's path search compiled, whole and pruned; `search.search_reference` is its readable twin.

The pruned search gives the whole search's route, or says that it cannot tell (`_UNSURE`) and the whole one is made.
It keeps a label only if a route through it can still cost no more than a bound, the cost of a route of the least
number of hops and of 60 sat in fees. A node h channels from the payer is h - 1 more guesses away from it:

    lower bound of the cost = W + 100 000 / (P x Q(h)),    Q(h) the best probability of h hops from the payer

h is looked up breadth first from the payer, over channels that can carry the amount, to depth 2; all else counts
as 3. Greedy search keeps one label a node, that of least distance D = W + 100 000 / P, and pruning must not let a
worse one stand in for it. Where nothing is remembered it cannot: the label lost would have at least one hop more,
which costs 100 000 x (1 / 0.6 - 1) = 66 667 or more, above what the bound allows for fees. Where something is,
probabilities are any number, but a label that was pruned has D > bound x Q(h): as long as no label above that is
settled before the payer is, all are the whole search's own.

Among routes of equal distance and probability CLoTH's choice depends on the inner order of its heap, pruned labels
included. The pruned search knows the rest of the order, and is `_UNSURE` where its route hangs on that.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from l2sim.systems.lightning.cloth.rules import (
    APRIORI,
    ATTEMPT_COST_MSAT,
    FINAL_TIMELOCK,
    HALF_LIFE_MS,
    KNOWN,
    MAX_HOPS,
    MAX_TIMELOCK,
    MIN_PROBABILITY,
    NEVER,
    RISK_FACTOR,
)
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Network, Whole

Floats = npt.NDArray[np.float64]

_UNSURE: Final = -1
_FEES_MSAT: Final = 60_000.0  # what the bound allows for fees; below 66 667, see above
_DEEPEST: Final = 3  # levels from the payer that are told apart: 1, 2, and 3 for all else


class Memory(NamedTuple):
    """What payers learned of pairs of nodes: rows linked by payer, and for one search by the pair's first node.

    `first[payer]` and `last[payer]` are rows or -1; `used[0]` rows are in use. `failed_ms` is 0 for no failure.
    """

    first: Int32s
    last: Int32s
    used: Int64s
    source: Int32s
    target: Int32s
    success_msat: Int64s
    failure_msat: Int64s
    failed_ms: Int64s
    next: Int32s
    next_of_node: Int32s


class Scratch(NamedTuple):
    """Arrays that a search works in, kept from one search to the next.

    `level[node]` is the search's mark x 4 + level, and what is known of a node counts where `known[node]` is the mark.
    `rest[h]` is the best probability of h hops from the payer. The answer is left in
    `route_edge` and `route_amount_msat`. `counts` holds the mark, searches, pruned searches that were enough.
    """

    counts: Int64s
    level: Int64s
    known: Int64s
    known_first: Int32s
    own_first: Int32s
    own_next: Int32s
    distance: Int64s
    weight: Floats
    probability: Floats
    amount_msat: Int64s
    timelock: Int64s
    via: Int32s
    toward: Int32s
    tied: npt.NDArray[np.bool_]
    heap: Int32s
    heap_distance: Int64s
    heap_probability: Floats
    place: Int32s
    rest: Floats
    route_edge: Int32s
    route_amount_msat: Int64s


def make_memory(nodes: int, rows: int) -> Memory:
    """An empty memory for payers 0 to `nodes` - 1 with room for that many rows."""
    return Memory(
        np.full(nodes, -1, np.int32),
        np.full(nodes, -1, np.int32),
        np.zeros(1, np.int64),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
        np.full(rows, -1, np.int32),
        np.full(rows, -1, np.int32),
    )


def make_scratch(network: Network) -> Scratch:
    """Scratch arrays for searches in that network."""
    nodes = network.node_count
    own = int(np.diff(network.own_start).max(initial=0))
    return Scratch(
        counts=np.zeros(3, np.int64),
        level=np.zeros(nodes, np.int64),
        known=np.zeros(nodes, np.int64),
        known_first=np.zeros(nodes, np.int32),
        own_first=np.full(nodes, -1, np.int32),
        own_next=np.zeros(own + 1, np.int32),
        distance=np.zeros(nodes, np.int64),
        weight=np.zeros(nodes, np.float64),
        probability=np.zeros(nodes, np.float64),
        amount_msat=np.zeros(nodes, np.int64),
        timelock=np.zeros(nodes, np.int64),
        via=np.zeros(nodes, np.int32),
        toward=np.zeros(nodes, np.int32),
        tied=np.zeros(nodes, np.bool_),
        heap=np.zeros(nodes + 1, np.int32),
        heap_distance=np.zeros(nodes + 1, np.int64),
        heap_probability=np.zeros(nodes + 1, np.float64),
        place=np.zeros(nodes, np.int32),
        rest=np.zeros(_DEEPEST + 2, np.float64),
        route_edge=np.zeros(MAX_HOPS, np.int32),
        route_amount_msat=np.zeros(MAX_HOPS, np.int64),
    )


@njit(cache=True)
def _rise(
    heap: Int32s, heap_d: Int64s, heap_p: Floats, place_of: Int32s, node: Whole, d: Whole, p: float, place: Whole
) -> None:
    """Put a node with its distance and probability at that place of the heap or above: equal keys stay below."""
    while place > 0:
        parent = (place - 1) >> 1
        if d > heap_d[parent] or (d == heap_d[parent] and p >= heap_p[parent]):
            break
        heap[place] = heap[parent]
        heap_d[place] = heap_d[parent]
        heap_p[place] = heap_p[parent]
        place_of[heap[place]] = place
        place = parent
    heap[place] = node
    heap_d[place] = d
    heap_p[place] = p
    place_of[node] = place


@njit(cache=True)
def _drop_first(heap: Int32s, heap_d: Int64s, heap_p: Floats, place_of: Int32s, size: Whole) -> None:
    """Take the first node off a heap that had one more than `size`; equal keys change places on the way."""
    node = heap[size]
    d = heap_d[size]
    p = heap_p[size]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            heap_d[other] < heap_d[child] or (heap_d[other] == heap_d[child] and heap_p[other] <= heap_p[child])
        ):
            child = other
        if heap_d[child] > d or (heap_d[child] == d and heap_p[child] > p):
            break
        heap[place] = heap[child]
        heap_d[place] = heap_d[child]
        heap_p[place] = heap_p[child]
        place_of[heap[place]] = place
        place = child
    heap[place] = node
    heap_d[place] = d
    heap_p[place] = p
    place_of[node] = place


@njit(cache=True)
def penalty(age_ms: Whole) -> float:
    """How much of a failure is left after that time."""
    return float(2.0 ** (-age_ms / HALF_LIFE_MS))


@njit(cache=True)
def _node_probability(memory: Memory, row: Whole, amount_msat: Whole, now_ms: Whole) -> float:
    """The probability of a hop from a node, from all that is known of its pairs: rows linked from `row` on."""
    total = APRIORI
    weights = 1.0
    while row >= 0:
        if memory.success_msat[row] >= amount_msat:
            total += KNOWN
            weights += 1.0
        if memory.failed_ms[row] != 0 and amount_msat >= memory.failure_msat[row]:
            weights += penalty(now_ms - memory.failed_ms[row])
        row = memory.next_of_node[row]
    return total / weights


@njit(cache=True)
def _pair_factor(memory: Memory, row: Whole, target: Whole, now_ms: Whole) -> float:
    """What failures from a node to `target` leave of the hop's probability, whatever amount failed (defect D3)."""
    factor = 1.0
    while row >= 0:
        if memory.target[row] == target and memory.failed_ms[row] != 0:
            factor -= penalty(now_ms - memory.failed_ms[row])
        row = memory.next_of_node[row]
    return factor


@njit(cache=True)
def _recall(memory: Memory, payer: Whole, amount_msat: Whole, scratch: Scratch, mark: Whole) -> bool:
    """Link what the payer knows by node, and set the best probabilities of the rest of a route.

    `scratch.rest[h]` becomes the most that h hops from the payer can have.
    """
    known, known_first, rest = scratch.known, scratch.known_first, scratch.rest
    best = np.full(_DEEPEST, APRIORI)
    row = memory.first[payer]
    remembers = bool(row >= 0)
    while row >= 0:
        node = memory.source[row]
        memory.next_of_node[row] = -1
        if known[node] != mark:
            known[node] = mark
            known_first[node] = row
        else:
            last = known_first[node]
            while memory.next_of_node[last] >= 0:
                last = memory.next_of_node[last]
            memory.next_of_node[last] = row
        row = memory.next[row]
    row = memory.first[payer]
    while row >= 0:
        node = memory.source[row]
        if known_first[node] == row and node != payer:
            successes = 0
            other = row
            while other >= 0:
                if memory.success_msat[other] >= amount_msat:
                    successes += 1
                other = memory.next_of_node[other]
            chance = (APRIORI + successes * KNOWN) / (1.0 + successes)
            for i in range(_DEEPEST):
                if chance > best[i]:
                    chance, best[i] = best[i], chance
        row = memory.next[row]
    rest[0] = 1.0
    rest[1] = KNOWN
    for i in range(_DEEPEST):
        rest[i + 2] = rest[i + 1] * best[i]
    return remembers


@njit(cache=True)
def _levels(
    network: Network,
    balance_msat: Int64s,
    payer: Whole,
    payee: Whole,
    amount_msat: Whole,
    scratch: Scratch,
    mark: Whole,
) -> Whole:
    """Mark the nodes one and two channels from the payer; returns the least hops to the payee (0: no way).

    Only channels that can carry the amount count. 4 stands for 4 or more.
    """
    level, own_first, own_next = scratch.level, scratch.own_first, scratch.own_next
    start, source_at, capacity_at = network.start, network.source, network.capacity_msat
    own_edge, edge_target = network.own_edge, network.edge_target
    base = 4 * mark
    level[payer] = base
    begin = network.own_start[payer]
    usable = False
    for i in range(network.own_start[payer + 1] - 1, begin - 1, -1):
        if balance_msat[own_edge[i]] < amount_msat:
            continue
        node = edge_target[own_edge[i]]
        own_next[i - begin] = own_first[node] if level[node] == base + 1 else -1
        own_first[node] = i - begin
        level[node] = base + 1
        usable = True
    if not usable:
        return 0
    if level[payee] == base + 1:
        return 1
    for i in range(begin, network.own_start[payer + 1]):
        node = edge_target[own_edge[i]]
        if level[node] != base + 1 or own_first[node] != i - begin:
            continue
        for k in range(start[node], start[node + 1]):
            other = source_at[k]
            if level[other] < base and capacity_at[k] >= amount_msat:
                level[other] = base + 2
    if level[payee] == base + 2:
        return 2
    hops = 0
    for k in range(start[payee], start[payee + 1]):
        if capacity_at[k] >= amount_msat:
            if level[source_at[k]] > base:
                return 3
            hops = 4
    return hops


@njit(cache=True)
def _search(
    network: Network,
    balance_msat: Int64s,
    memory: Memory,
    remembers: bool,
    payer: Whole,
    payee: Whole,
    amount_msat: Whole,
    now_ms: Whole,
    aim: Whole,
    mark: Whole,
    scratch: Scratch,
) -> Whole:
    """Search a route; returns its hops, 0 for none, or `_UNSURE`.

    With `aim` 0 the search is whole; else it is pruned for routes of `aim` hops, the least there can be. `mark` is
    that of `_recall` and `_levels`.
    """
    start, edge_at, source_at, capacity_at = network.start, network.edge, network.source, network.capacity_msat
    base_fee_at, ppm_at = network.base_fee_msat, network.fee_ppm
    minimum_at, timelock_at = network.htlc_min_msat, network.timelock
    own_place, own_begin = network.own_place, network.own_start[payer]
    own_first, own_next = scratch.own_first, scratch.own_next
    level, known, known_first = scratch.level, scratch.known, scratch.known_first
    distance, weight, probability = scratch.distance, scratch.weight, scratch.probability
    amount, timelock = scratch.amount_msat, scratch.timelock
    via, toward, tied, place = scratch.via, scratch.toward, scratch.tied, scratch.place
    heap, heap_d, heap_p = scratch.heap, scratch.heap_distance, scratch.heap_probability
    rest = scratch.rest
    base = 4 * mark
    pruned = aim > 0
    bound = ATTEMPT_COST_MSAT / (KNOWN * APRIORI ** (aim - 1)) + _FEES_MSAT
    distance[:] = NEVER
    distance[payee] = 0
    weight[payee] = 0.0
    probability[payee] = 1.0
    amount[payee] = amount_msat
    timelock[payee] = FINAL_TIMELOCK
    heap[0], heap_d[0], heap_p[0] = payee, 0, 1.0
    size = 1
    node = np.int64(payee)
    while size > 0:
        node = np.int64(heap[0])
        size -= 1
        _drop_first(heap, heap_d, heap_p, place, size)
        if node == payer:
            break
        a = amount[node]
        chance_here = probability[node]
        weight_here = weight[node]
        at, end = start[node], start[node + 1]
        # What labels of other nodes cost at least from here, of which nothing is known or something (-1: rounding).
        least = np.int64(weight_here + ATTEMPT_COST_MSAT / (chance_here * APRIORI)) - 1
        least_known = np.int64(weight_here + ATTEMPT_COST_MSAT * KNOWN / (chance_here * rest[2])) - 1
        own = -1  # the payer's next edge into this node, where no other edge can be of use
        farthest = _DEEPEST  # levels beyond this one cannot be part of a route within the bound
        if pruned:
            here = level[node] - base if level[node] >= base else _DEEPEST
            if remembers and node != payee and distance[node] + 2 > bound * rest[here]:
                return _UNSURE
            while farthest >= 0 and weight_here + ATTEMPT_COST_MSAT / (chance_here * rest[farthest + 1]) > bound:
                farthest -= 1
            if farthest <= 0:
                if farthest < 0 or here != 1:
                    continue
                own = own_first[node]
                at = end - 1
        while at < end:
            k = at
            if own >= 0:
                k = own_place[own_begin + own]
                own = own_next[own]
                if own < 0:
                    at = end
            else:
                at += 1
                if farthest < _DEEPEST:
                    there = level[source_at[k]] - base
                    if there > farthest or there < 0:
                        continue
            source = source_at[k]
            if distance[source] < least and source != payer:
                if distance[source] < least_known or known[source] != mark:
                    continue
            if a < minimum_at[k]:
                continue
            fee = np.int64(0)
            delta = np.int64(0)
            chance = KNOWN
            remembered = remembers and known[source] == mark
            if source == payer:
                if balance_msat[edge_at[k]] < a:
                    continue
            else:
                if capacity_at[k] < a:
                    continue
                ppm = ppm_at[k]
                fee = base_fee_at[k] + a // 1_000_000 * ppm + a % 1_000_000 * ppm // 1_000_000
                delta = timelock_at[k]
                chance = APRIORI
                if remembered:
                    chance = _node_probability(memory, known_first[source], a, now_ms)
            if remembered:
                chance *= _pair_factor(memory, known_first[source], node, now_ms)
            chance *= chance_here
            if chance < MIN_PROBABILITY:
                continue
            lock = timelock[node] + delta
            if lock > MAX_TIMELOCK:
                continue
            new_weight = weight_here + fee + float(a + fee) * delta * RISK_FACTOR / 1e9
            new_distance = np.int64(new_weight + ATTEMPT_COST_MSAT / chance)
            if new_distance > distance[source]:
                continue
            if new_distance == distance[source] and chance <= probability[source]:
                rival = toward[source]
                if (
                    chance == probability[source]
                    and rival != node
                    and distance[rival] == distance[node]
                    and probability[rival] == probability[node]
                ):
                    tied[source] = True
                continue
            if pruned:
                there = level[source] - base
                if new_weight + ATTEMPT_COST_MSAT / (chance * rest[there if there >= 0 else _DEEPEST]) > bound:
                    continue
            if distance[source] == NEVER:
                place[source] = size
                size += 1
            distance[source] = new_distance
            weight[source] = new_weight
            probability[source] = chance
            amount[source] = a + fee
            timelock[source] = lock
            via[source] = edge_at[k]
            toward[source] = node
            tied[source] = False
            _rise(heap, heap_d, heap_p, place, source, new_distance, chance, place[source])
    if node != payer:
        return 0
    length = 0
    while node != payee:
        if pruned and tied[node]:
            return _UNSURE
        if length == MAX_HOPS:
            return 0
        scratch.route_edge[length] = via[node]
        node = np.int64(toward[node])
        scratch.route_amount_msat[length] = amount[node]
        length += 1
    return length


@njit(cache=True)
def find_route(
    network: Network,
    balance_msat: Int64s,
    memory: Memory,
    payer: Whole,
    payee: Whole,
    amount_msat: Whole,
    now_ms: Whole,
    scratch: Scratch,
    whole: bool,
) -> Whole:
    """Find CLoTH's route; returns its hops or 0, and leaves it in `scratch.route_*` from the payer on.

    With `whole`, only the whole search is made. The amount of a hop is what goes over its edge, in msat.
    """
    payer, payee = np.int64(payer), np.int64(payee)  # one type each, so that all below compiles once
    amount_msat, now_ms = np.int64(amount_msat), np.int64(now_ms)
    scratch.counts[0] += 1
    scratch.counts[1] += 1
    mark = scratch.counts[0]
    largest = np.int64(-1)
    for i in range(network.own_start[payer], network.own_start[payer + 1]):
        largest = max(largest, balance_msat[network.own_edge[i]])
    if amount_msat > largest:
        return 0
    remembers = _recall(memory, payer, amount_msat, scratch, mark)
    least: Whole = np.int64(0)
    if not whole:
        least = _levels(network, balance_msat, payer, payee, amount_msat, scratch, mark)
        if least == 0:
            scratch.counts[2] += 1
            return 0
    aim = least
    while True:
        length = _search(
            network, balance_msat, memory, remembers, payer, payee, amount_msat, now_ms, aim, mark, scratch
        )
        if length > 0 or aim == 0:
            break
        aim = np.int64(0)
    if aim > 0:
        scratch.counts[2] += 1
    return length
