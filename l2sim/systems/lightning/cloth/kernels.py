"""CLoTH's path search compiled, whole and pruned; `search.search_reference` is its readable twin.

The pruned search gives the whole search's route, or says what it lacks to be certain of it (`_NOT_TOLD`). It keeps a
label only if a route through it can still cost no more than a bound, the cost of a route of the hops aimed at and of
60 sat in fees. A node h channels from the payer is h - 1 more guesses away from it:

    lower bound of the cost = W + 100 000 / (P x Q(h)),    Q(h) the best probability of h hops from the payer

h is looked up breadth first from the payer, over channels that can carry the amount, to depth 2; all else counts
as 3. Greedy search keeps one label a node, that of least distance D = W + 100 000 / P, and pruning must not let a
worse one stand in for it. Where the aim is the least number of hops there can be and nothing is remembered it
cannot: the label lost would have at least one hop more, which costs 100 000 x (1 / 0.6 - 1) = 66 667 or more, above
what the bound allows for fees. Else a label that was pruned has D > bound x Q(h): as long as no label above that is
settled before the payer is, all are the whole search's own. If some is, or if no route is within the bound, the aim
becomes one hop more; if nothing was pruned, there is no route.

Among routes of equal distance and probability CLoTH's choice depends on the inner order of its heap, pruned labels
included. Where a route hangs on which of two nodes left the heap first, the search is made again, whole up to the
distance of the two: until then its heap is CLoTH's own. After `_TRIES` the search is whole.
"""

from typing import Final

import numpy as np
from numba import njit

from l2sim.systems.lightning.cloth.heap import drop_first, rise
from l2sim.systems.lightning.cloth.kernels_memory import hop_probability, recall
from l2sim.systems.lightning.cloth.levels import MARK, mark_levels, spread
from l2sim.systems.lightning.cloth.memory import Memory
from l2sim.systems.lightning.cloth.rules import (
    APRIORI,
    ATTEMPT_COST_MSAT,
    FINAL_TIMELOCK,
    KNOWN,
    MAX_HOPS,
    MAX_TIMELOCK,
    MIN_PROBABILITY,
    NEVER,
    RISK_FACTOR,
    Rules,
)
from l2sim.systems.lightning.cloth.scratch import DEEPEST, NOWHERE, Scratch
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Whole

_NOT_TOLD: Final = -1
_WIDER: Final = 2.0  # the next bound, where there is no route within the last
_WIDEST_MSAT: Final = 3_000_000.0  # a bound beyond which pruning gains nothing
_TRIES: Final = 4  # pruned searches before a whole one
_FEES_MSAT: Final = 60_000.0  # what the bound allows for fees; below 66 667, see above
_FAR: Final = 3  # level of the nodes that were not reached at first


@njit()
def _search(
    network: Network,
    balance_msat: Int64s,
    memory: Memory,
    rules: Rules,
    remembers: bool,
    payer: Whole,
    payee: Whole,
    amount_msat: Whole,
    bound: float,
    far: Whole,
    careful: bool,
    settled: Whole,
    mark: Whole,
    scratch: Scratch,
) -> tuple[Whole, Whole]:
    """Search a route; returns its hops, 0 for none, or `_NOT_TOLD`, and what that hangs on.

    With `bound` 0 the search is whole; else it is pruned for routes of that cost, but whole up to the distance
    `settled`. `careful` says that labels which were pruned may have been of use, which is then looked at. `mark` is
    that of `recall` and `mark_levels`. The second number is, of a route that hangs on a tie, the distance up to which
    the search must be whole to decide it; where there is no route, 0 if that is certain; else -1.
    """
    start, edge_at, source_at, capacity_at = network.start, network.edge, network.source, network.capacity_msat
    base_fee_at, ppm_at = network.base_fee_msat, network.fee_ppm
    minimum_at, timelock_at = network.htlc_min_msat, network.timelock
    own_place, own_begin = network.own_place, network.own_start[payer]
    own_first, own_next = scratch.own_first, scratch.own_next
    level, known, known_first = scratch.level, scratch.known, scratch.known_first
    known_chance = scratch.known_chance
    distance, weight, probability = scratch.distance, scratch.weight, scratch.probability
    amount, timelock = scratch.amount_msat, scratch.timelock
    via, toward, tied, place = scratch.via, scratch.toward, scratch.tied, scratch.place
    heap, heap_d, heap_p = scratch.heap, scratch.heap_distance, scratch.heap_probability
    rest, best_known = scratch.rest, scratch.best[0]
    base = MARK * mark
    pruned = bound > 0.0
    lost_from = np.int64(NEVER)  # what was pruned has this distance or more
    nothing, no_tie = np.int64(0), np.int64(-1)
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
        drop_first(heap, heap_d, heap_p, place, size)
        if node == payer:
            break
        a = amount[node]
        chance_here = probability[node]
        weight_here = weight[node]
        at, end = start[node], start[node + 1]
        # What labels of other nodes cost at least from here, of which nothing is known or something (-1: rounding).
        least = np.int64(weight_here + ATTEMPT_COST_MSAT / (chance_here * APRIORI)) - 1
        least_known = np.int64(weight_here + ATTEMPT_COST_MSAT / (chance_here * best_known)) - 1
        own = -1  # the payer's next edge into this node, where no other edge can be of use
        farthest = DEEPEST  # levels beyond this one cannot be part of a route within the bound
        farthest_unknown = DEEPEST  # nor nodes beyond this one of which nothing is known
        cut = pruned and distance[node] > settled
        if cut:
            here = level[node] - base if level[node] >= base else far
            if weight_here + ATTEMPT_COST_MSAT / (chance_here * rest[here]) > bound:
                lost_from = min(lost_from, distance[node])
                continue
            if careful and distance[node] >= lost_from and distance[node] + 2 > bound * rest[here]:
                # It may stand in for a better label that was pruned: only routes cheaper than through it are certain.
                bound = weight_here + ATTEMPT_COST_MSAT / (chance_here * rest[here])
                lost_from = min(lost_from, distance[node])
                continue
            while farthest >= 0 and weight_here + ATTEMPT_COST_MSAT / (chance_here * rest[farthest + 1]) > bound:
                farthest -= 1
            farthest_unknown = farthest
            while farthest_unknown > 0 and (
                weight_here + ATTEMPT_COST_MSAT / (chance_here * APRIORI * rest[farthest_unknown]) > bound
            ):
                farthest_unknown -= 1
            if farthest_unknown < DEEPEST:
                lost_from = min(lost_from, least_known if farthest < DEEPEST else least)
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
                if farthest_unknown < DEEPEST:
                    there = level[source_at[k]] - base
                    if there < 0:
                        there = far
                    if there > farthest or (there > farthest_unknown and known[source_at[k]] != mark):
                        continue
            source = source_at[k]
            if distance[source] < least and source != payer:
                if distance[source] < least_known or known[source] != mark:
                    continue
                if distance[source] < weight_here + ATTEMPT_COST_MSAT / (chance_here * known_chance[source]) - 2.0:
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
                if not remembered and distance[source] < least + fee:
                    continue
                delta = timelock_at[k]
                chance = APRIORI
            if remembered:
                chance = hop_probability(memory, rules, known_first[source], node, source == payer, a)
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
                    cut
                    and chance == probability[source]
                    and rival != node
                    and distance[rival] == distance[node]
                    and probability[rival] == probability[node]
                ):
                    tied[source] = True
                continue
            if cut:
                there = level[source] - base
                if new_weight + ATTEMPT_COST_MSAT / (chance * rest[there if there >= 0 else far]) > bound:
                    lost_from = min(lost_from, new_distance)
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
            rise(heap, heap_d, heap_p, place, source, new_distance, chance, place[source])
    if node != payer:
        return nothing, no_tie if lost_from < NEVER else nothing
    length = np.int64(0)
    tie = no_tie
    while node != payee:
        if pruned and tied[node]:
            tie = max(tie, distance[toward[node]])
        if length == MAX_HOPS:
            return nothing, no_tie
        scratch.route_edge[length] = via[node]
        node = np.int64(toward[node])
        scratch.route_amount_msat[length] = amount[node]
        length += 1
    if tie >= 0:
        return np.int64(_NOT_TOLD), tie
    return length, no_tie


@njit()
def find_route(
    network: Network,
    balance_msat: Int64s,
    memory: Memory,
    rules: Rules,
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
        scratch.counts[2] += np.int64(whole)
        return 0
    known, known_first = scratch.known, scratch.known_first
    remembers = recall(
        memory,
        rules,
        payer,
        amount_msat,
        now_ms,
        known,
        known_first,
        scratch.known_chance,
        mark,
        scratch.rest,
        scratch.best,
    )
    least, bound, careful = np.int64(0), 0.0, remembers
    if not whole:
        least = np.int64(
            mark_levels(network, balance_msat, memory, rules, remembers, payer, payee, amount_msat, scratch, mark)
        )
        if least == 0:
            return 0
        chance = scratch.rest[least] if least < 4 else scratch.rest[3] * APRIORI
        bound = ATTEMPT_COST_MSAT / chance + _FEES_MSAT
    settled: Whole = np.int64(-1)
    far = np.int64(_FAR)
    nodes = np.int64(len(network.start) - 1)
    tries = 0
    while True:
        if bound == 0.0:
            scratch.counts[2] += 1
        length, hangs_on = _search(
            network, balance_msat, memory, rules, remembers, payer, payee, amount_msat, bound, far, careful,
            settled, mark, scratch,
        )  # fmt: skip
        if length > 0 or bound == 0.0 or (length == 0 and hangs_on == 0):
            return np.int64(length)
        if hangs_on > settled:  # a tie
            settled = hangs_on
        else:  # no route within the bound, or one that a label beyond it may have spoiled
            bound *= _WIDER
            careful = True
            if far == _FAR:  # levels to the end, and what they do not reach is of no use
                far = np.int64(NOWHERE)
                spread(network, memory, rules, remembers, amount_msat, nodes, nodes, scratch, mark)
                if scratch.level[payee] < MARK * mark:
                    return 0
        tries += 1
        if tries == _TRIES or bound > _WIDEST_MSAT:
            bound = 0.0
