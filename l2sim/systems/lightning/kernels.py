"""The path search compiled for the default policy, LND's: a backward Dijkstra over columns.

It does what `policies.kernels` does with the cost function `policies.lnd.hop`, and is faster by knowing what a channel
costs at least. `search.search_reference` is the readable twin of both.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.compiled import compiled
from l2sim.systems.lightning.policies import lnd, terms
from l2sim.systems.lightning.policies.lnd import (
    KNOWN_SUCCESS,
    capacity_factor,
    failure_weight,
    node_average,
    node_record,
)
from l2sim.systems.lightning.policies.terms import (
    FAILURE_MSAT,
    FAILURE_NS,
    SUCCESS_MSAT,
    Terms,
    attempt_penalty_msat,
)
from l2sim.systems.lightning.routing import (
    ALONE,
    PRUNED_BY_BOUND,
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    Memory,
    Network,
    OwnChannels,
    Query,
    next_beside,
)


class Scratch(NamedTuple):
    """Arrays that a search works in, kept from one search to the next.

    A node's entries count only where `seen[node]` is this search's `mark`; `done[node]` likewise says that its
    label is final, `known_at[node]` that the payer remembers something of what it forwards: in rows from
    `first_row[node]` on, whose results for amounts `record_from` to `record_to` add up to `record_total` with
    `record_weight`; `beside[node]` that a peer of the payer has a channel to it. `fee_msat` is the outbound fee in
    `amount_msat`. `row_of` is -1 everywhere between two searches.
    """

    seen: npt.NDArray[np.int64]
    done: npt.NDArray[np.int64]
    known_at: npt.NDArray[np.int64]
    first_row: npt.NDArray[np.int32]
    next_row: npt.NDArray[np.int32]
    better_at: npt.NDArray[np.int64]
    reached_at: npt.NDArray[np.int64]
    beside: npt.NDArray[np.int64]
    record_from: npt.NDArray[np.int64]
    record_to: npt.NDArray[np.int64]
    record_total: npt.NDArray[np.float64]
    record_weight: npt.NDArray[np.float64]
    own_seen: npt.NDArray[np.int64]
    own_first: npt.NDArray[np.int32]
    own_next: npt.NDArray[np.int32]
    cost: npt.NDArray[np.int64]
    weight_msat: npt.NDArray[np.int64]
    amount_msat: npt.NDArray[np.int64]
    fee_msat: npt.NDArray[np.int64]
    expiry_blocks: npt.NDArray[np.int32]
    hops: npt.NDArray[np.int32]
    probability: npt.NDArray[np.float64]
    via: npt.NDArray[np.int32]
    toward: npt.NDArray[np.int32]
    heap_cost: npt.NDArray[np.int64]
    heap_node: npt.NDArray[np.int32]
    row_of: npt.NDArray[np.int32]
    route_edge: npt.NDArray[np.int64]
    route_amount_msat: npt.NDArray[np.int64]
    route_expiry_blocks: npt.NDArray[np.int64]


def make_scratch(nodes: int, edges: int, keys: int, own: int, rows: int, max_hops: int) -> Scratch:
    """Scratch arrays for a network of that many nodes, edges and keys; payers have `own` channels and `rows` facts."""
    return Scratch(
        seen=np.zeros(nodes, np.int64),
        done=np.zeros(nodes, np.int64),
        known_at=np.zeros(nodes, np.int64),
        first_row=np.zeros(nodes, np.int32),
        next_row=np.zeros(rows + 1, np.int32),
        better_at=np.zeros(nodes, np.int64),
        reached_at=np.zeros(nodes, np.int64),
        beside=np.zeros(nodes, np.int64),
        record_from=np.zeros(nodes, np.int64),
        record_to=np.zeros(nodes, np.int64),
        record_total=np.zeros(nodes, np.float64),
        record_weight=np.zeros(nodes, np.float64),
        own_seen=np.zeros(nodes, np.int64),
        own_first=np.zeros(nodes, np.int32),
        own_next=np.zeros(own + 1, np.int32),
        cost=np.zeros(nodes, np.int64),
        weight_msat=np.zeros(nodes, np.int64),
        amount_msat=np.zeros(nodes, np.int64),
        fee_msat=np.zeros(nodes, np.int64),
        expiry_blocks=np.zeros(nodes, np.int32),
        hops=np.zeros(nodes, np.int32),
        probability=np.zeros(nodes, np.float64),
        via=np.zeros(nodes, np.int32),
        toward=np.zeros(nodes, np.int32),
        heap_cost=np.zeros(edges + 2, np.int64),
        heap_node=np.zeros(edges + 2, np.int32),
        row_of=np.full(keys + 1, -1, np.int32),
        route_edge=np.zeros(max_hops + 1, np.int64),
        route_amount_msat=np.zeros(max_hops + 1, np.int64),
        route_expiry_blocks=np.zeros(max_hops + 1, np.int64),
    )


@compiled()
def push(heap_cost: npt.NDArray[np.int64], heap_node: npt.NDArray[np.int32], size: int, cost: int, node: int) -> int:
    """Add (cost, node) to the binary heap of `size` entries; returns the new size."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if heap_cost[parent] < cost or (heap_cost[parent] == cost and heap_node[parent] <= node):
            break
        heap_cost[i] = heap_cost[parent]
        heap_node[i] = heap_node[parent]
        i = parent
    heap_cost[i] = cost
    heap_node[i] = node
    return size + 1


@compiled()
def pop(heap_cost: npt.NDArray[np.int64], heap_node: npt.NDArray[np.int32], size: int) -> int:
    """Take the least (cost, node), which the caller has read at 0, off the heap; returns the new size."""
    size -= 1
    cost = heap_cost[size]
    node = heap_node[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            heap_cost[other] < heap_cost[child]
            or (heap_cost[other] == heap_cost[child] and heap_node[other] < heap_node[child])
        ):
            child = other
        if cost < heap_cost[child] or (cost == heap_cost[child] and node <= heap_node[child]):
            break
        heap_cost[i] = heap_cost[child]
        heap_node[i] = heap_node[child]
        i = child
    heap_cost[i] = cost
    heap_node[i] = node
    return size


@compiled()
def remember(memory: Memory, remembered: int, scratch: Scratch, mark: int) -> None:
    """Note in `scratch` which keys and nodes the payer remembers something of."""
    for j in range(remembered):
        scratch.row_of[memory.key[j]] = j
        node = memory.source[j]
        if scratch.known_at[node] == mark:
            scratch.next_row[j] = scratch.first_row[node]
        else:
            scratch.next_row[j] = -1
            scratch.known_at[node] = mark
            scratch.record_from[node] = 1
            scratch.record_to[node] = 0
        scratch.first_row[node] = j


@compiled(terms)
def mark_better(
    network: Network, memory: Memory, remembered: int, amount_msat: int, scratch: Scratch, mark: int
) -> None:
    """Note which nodes have carried the amount before, and so are better than unknown ones; and whom they reach."""
    for j in range(remembered):
        node = memory.source[j]
        if memory.facts[j, SUCCESS_MSAT] >= amount_msat and scratch.better_at[node] != mark:
            scratch.better_at[node] = mark
            for i in range(network.out_start[node], network.out_start[node + 1]):
                scratch.reached_at[network.out_target[i]] = mark


@compiled(lnd, terms)
def best_of_own(
    network: Network, own: OwnChannels, memory: Memory, query: Query, terms: Terms, scratch: Scratch, mark: int
) -> float:
    """The best chance that a peer of the payer forwards the amount; notes to whom such peers have channels."""
    best = 0.0
    beside, out_start, out_target = scratch.beside, network.out_start, network.out_target
    for i in range(len(own.edge)):
        if own.limit_msat[i] < query.amount_msat:
            continue
        node = own.target[i]
        for j in range(out_start[node], out_start[node + 1]):
            beside[out_target[j]] = mark
        chance = terms.hop_probability
        if scratch.better_at[node] == mark:
            chance = max(KNOWN_SUCCESS, terms.hop_probability)
        elif scratch.known_at[node] == mark and terms.apriori_factor >= 0.0:
            record = node_record(
                terms, query.now_ns, query.amount_msat, memory.facts, scratch.first_row[node], scratch.next_row
            )
            chance = node_average(terms, chance, record[0], record[1])
        best = max(best, chance)
    return best


@compiled()
def forget(memory: Memory, remembered: int, scratch: Scratch) -> None:
    """Undo `remember`."""
    for j in range(remembered):
        scratch.row_of[memory.key[j]] = -1


@compiled()
def chain_own(own: OwnChannels, scratch: Scratch, mark: int) -> None:
    """Chain the payer's channels at each node they lead to, in order of their numbers."""
    for i in range(len(own.edge) - 1, -1, -1):
        node = own.target[i]
        if scratch.own_seen[node] == mark:
            scratch.own_next[i] = scratch.own_first[node]
        else:
            scratch.own_next[i] = -1
            scratch.own_seen[node] = mark
        scratch.own_first[node] = i


@compiled()
def fee_msat(base_fee_msat: int, ppm: int, amount_msat: int) -> int:
    """What forwarding an amount costs (BOLT 7)."""
    # The product may pass 2**63, its parts do not (amounts are at most MAX_PAYMENT_MSAT).
    return base_fee_msat + amount_msat // 1_000_000 * ppm + amount_msat % 1_000_000 * ppm // 1_000_000


@compiled()
def start(query: Query, probability: float, scratch: Scratch, mark: int) -> None:
    """Label the payee; `probability` is that of the channel that every route begins with."""
    node = query.payee
    scratch.seen[node] = mark
    scratch.cost[node] = 0
    scratch.weight_msat[node] = 0
    scratch.amount_msat[node] = query.amount_msat
    scratch.expiry_blocks[node] = query.final_cltv_blocks
    scratch.hops[node] = 0
    scratch.probability[node] = probability


@compiled()
def follow(network: Network, own: OwnChannels, query: Query, scratch: Scratch, first: int, node: int) -> int:
    """Write the route over the payer's channel `first` to `node` and on to the payee; returns its channels."""
    scratch.route_edge[0] = own.edge[first]
    scratch.route_amount_msat[0] = scratch.amount_msat[node]
    scratch.route_expiry_blocks[0] = scratch.expiry_blocks[node]
    length = 1
    while node != query.payee:
        scratch.route_edge[length] = network.edge[scratch.via[node]]
        node = scratch.toward[node]
        scratch.route_amount_msat[length] = scratch.amount_msat[node]
        scratch.route_expiry_blocks[length] = scratch.expiry_blocks[node]
        length += 1
    return length


@compiled(lnd, terms)
def search(
    network: Network,
    own: OwnChannels,
    memory: Memory,
    remembered: int,
    query: Query,
    terms: Terms,
    scratch: Scratch,
    mark: int,
) -> tuple[int, int, int]:
    """Find the cheapest route; returns (channels of the route or 0, prunings, cost).

    The route's edges, amounts and expiries are left in `scratch.route_*`. See `search.search_reference`.
    """
    seen, done = scratch.seen, scratch.done
    own_seen, own_first, own_next = scratch.own_seen, scratch.own_first, scratch.own_next
    cost, weight_msat, amount_msat = scratch.cost, scratch.weight_msat, scratch.amount_msat
    expiry_blocks, hops, probability = scratch.expiry_blocks, scratch.hops, scratch.probability
    via, toward = scratch.via, scratch.toward
    heap_cost, heap_node, row_of = scratch.heap_cost, scratch.heap_node, scratch.row_of
    known_at, first_row, next_row = scratch.known_at, scratch.first_row, scratch.next_row
    better_at, reached_at, beside = scratch.better_at, scratch.reached_at, scratch.beside
    record_from, record_to = scratch.record_from, scratch.record_to
    record_total, record_weight = scratch.record_total, scratch.record_weight
    facts, now_ns = memory.facts, query.now_ns
    # Columns of a tuple are named once: looking them up in the loops costs more than what is read there.
    edges_from, source_at, key_at, beside_at = network.start, network.source, network.key, network.beside
    limit_at, minimum_at, capacity_at = network.limit_msat, network.htlc_min_msat, network.capacity_msat
    base_fee_at, ppm_at, delta_at = network.base_fee_msat, network.fee_ppm, network.cltv_delta
    own_minimum_msat, own_limit_msat = own.htlc_min_msat, own.limit_msat
    payer, max_hops, max_cltv_blocks, bounded = query.payer, query.max_hops, query.max_cltv_blocks, query.bounded
    hop_probability, apriori_factor = terms.hop_probability, terms.apriori_factor
    min_probability, risk, risk_denominator = terms.min_probability, terms.risk_numerator, terms.risk_denominator
    pruned = 0
    max_amount_msat = query.amount_msat + query.fee_limit_msat
    attempt_cost_msat = terms.attempt_cost_msat
    better_probability = max(KNOWN_SUCCESS, hop_probability)

    remember(memory, remembered, scratch, mark)
    mark_better(network, memory, remembered, query.amount_msat, scratch, mark)
    chain_own(own, scratch, mark)
    # Every route goes over a peer's channel: what that costs at least is known before the peer is reached.
    best_own = best_of_own(network, own, memory, query, terms, scratch, mark)
    start(query, terms.own_probability, scratch, mark)
    size = push(heap_cost, heap_node, 0, 0, query.payee)
    bound = np.int64(2**62)
    first = -1
    last = query.payee
    while size > 0:
        node = heap_node[0]
        size = pop(heap_cost, heap_node, size)
        if done[node] == mark:
            continue
        done[node] = mark
        amount = amount_msat[node]
        if own_seen[node] == mark:
            i = own_first[node]
            while i >= 0:
                if amount < own_minimum_msat[i]:
                    pruned |= PRUNED_BY_MINIMUM
                elif amount > own_limit_msat[i]:
                    pruned |= PRUNED_BY_OWN_FUNDS
                elif first < 0 or own_limit_msat[i] > own_limit_msat[first]:
                    first = i
                i = own_next[i]
            if first >= 0:
                last = node
                break
        if hops[node] + 2 > max_hops:
            continue
        # What every way on from here costs at least: one more channel at its best, whether its source is unknown or
        # has carried the amount before.
        chance_here = probability[node]
        usual_chance = chance_here * hop_probability
        usual_penalty = attempt_penalty_msat(attempt_cost_msat, usual_chance) - attempt_cost_msat
        least_cost = weight_msat[node] + usual_penalty
        least_better = least_cost
        if reached_at[node] == mark:
            best_chance = chance_here * better_probability
            least_better = weight_msat[node] + attempt_penalty_msat(attempt_cost_msat, best_chance) - attempt_cost_msat
        if best_own > 0.0:
            # A peer's hop is to come in any case, and another one before a node that is beside none.
            chance_on = chance_here * best_own
            if beside[node] != mark:
                chance_on *= better_probability if reached_at[node] == mark else hop_probability
            if weight_msat[node] + attempt_penalty_msat(attempt_cost_msat, chance_on) - attempt_cost_msat > bound:
                pruned |= PRUNED_BY_BOUND
                continue
        if least_cost > bound:
            pruned |= PRUNED_BY_BOUND
            if least_better > bound:
                continue
        for e in range(edges_from[node], edges_from[node + 1]):
            source = source_at[e]
            if done[source] == mark or source == payer:
                continue
            least = least_better if better_at[source] == mark else least_cost
            if least > bound or (seen[source] == mark and cost[source] <= least):
                continue
            link = beside_at[e]
            if link < ALONE:
                continue  # taken together with one before
            edge, fee, delta, capacity = e, np.int64(-1), delta_at[e], capacity_at[e]
            if link == ALONE:
                if amount > limit_at[e]:
                    continue
                if amount < minimum_at[e]:
                    pruned |= PRUNED_BY_MINIMUM
                    continue
                fee = fee_msat(base_fee_at[e], ppm_at[e], amount)
            else:
                delta, capacity = np.int64(0), np.int64(0)
                other = e
                while other >= 0:
                    if amount <= limit_at[other]:
                        if amount < minimum_at[other]:
                            pruned |= PRUNED_BY_MINIMUM
                        else:
                            asked = fee_msat(base_fee_at[other], ppm_at[other], amount)
                            if asked > fee:
                                edge, fee = other, asked
                            delta = max(delta, delta_at[other])
                            capacity = max(capacity, capacity_at[other])
                    other = next_beside(beside_at[other])
                if fee < 0:
                    continue
            sent = amount + fee
            if sent > max_amount_msat:
                pruned |= PRUNED_BY_FEE
                continue
            expiry = expiry_blocks[node] + delta
            if expiry > max_cltv_blocks:
                continue
            locked = amount * delta
            risk_cost = locked // risk_denominator * risk + locked % risk_denominator * risk // risk_denominator
            weight = weight_msat[node] + fee + risk_cost
            chance = usual_chance
            penalty = usual_penalty
            if known_at[source] == mark:
                j = row_of[key_at[e]]
                if j >= 0 and amount <= facts[j, SUCCESS_MSAT]:
                    chance = chance_here * KNOWN_SUCCESS
                else:
                    hop_chance = hop_probability * capacity_factor(amount, capacity)
                    if apriori_factor >= 0.0:
                        if not record_from[source] <= amount <= record_to[source]:
                            record = node_record(terms, now_ns, amount, facts, first_row[source], next_row)
                            record_total[source], record_weight[source] = record[0], record[1]
                            record_from[source], record_to[source] = record[2], record[3]
                        hop_chance = node_average(terms, hop_chance, record_total[source], record_weight[source])
                    if j >= 0 and amount >= facts[j, FAILURE_MSAT]:
                        hop_chance *= 1.0 - failure_weight(terms, now_ns - facts[j, FAILURE_NS])
                    chance = chance_here * hop_chance
                    if chance <= 0.0:
                        continue
                penalty = attempt_penalty_msat(attempt_cost_msat, chance) - attempt_cost_msat
            elif 2 * amount > capacity:  # below, the factor is 1
                chance = chance_here * (hop_probability * capacity_factor(amount, capacity))
                penalty = attempt_penalty_msat(attempt_cost_msat, chance) - attempt_cost_msat
            if chance < min_probability:
                continue
            new_cost = weight + penalty
            if seen[source] == mark and new_cost >= cost[source]:
                continue
            if new_cost > bound:
                pruned |= PRUNED_BY_BOUND
                continue
            seen[source] = mark
            cost[source] = new_cost
            weight_msat[source] = weight
            amount_msat[source] = sent
            expiry_blocks[source] = expiry
            hops[source] = hops[node] + 1
            probability[source] = chance
            via[source] = edge
            toward[source] = node
            if own_seen[source] != mark:
                if best_own > 0.0:
                    chance_on = chance * best_own
                    if beside[source] != mark:
                        chance_on *= better_probability if reached_at[source] == mark else hop_probability
                    if weight + attempt_penalty_msat(attempt_cost_msat, chance_on) - attempt_cost_msat > bound:
                        pruned |= PRUNED_BY_BOUND  # the label stays, so that no worse one stands in for it
                        continue
            elif bounded:
                i = own_first[source]
                while i >= 0:
                    if own_minimum_msat[i] <= sent <= own_limit_msat[i]:
                        # The payer itself asks for nothing: nothing dearer than this can be better.
                        bound = new_cost
                        break
                    i = own_next[i]
            size = push(heap_cost, heap_node, size, new_cost, source)

    forget(memory, remembered, scratch)
    if first < 0:
        return 0, pruned, 0
    return follow(network, own, query, scratch, first, last), pruned, cost[last]
