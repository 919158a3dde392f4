"""The path search compiled: a backward Dijkstra over columns. `search.search_reference` is its readable twin."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from l2sim.systems.lightning.routing import (
    CAPACITY_FRACTION,
    CAPACITY_SMEARING,
    KNOWN_SUCCESS_PROBABILITY,
    LN2,
    PRUNED_BY_BOUND,
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    Memory,
    Network,
    OwnChannels,
    Query,
)


class Scratch(NamedTuple):
    """Arrays that a search works in, kept from one search to the next.

    A node's entries count only where `seen[node]` is this search's `mark`; `done[node]` likewise says that its
    label is final. `memory_of` is -1 everywhere between two searches.
    """

    seen: npt.NDArray[np.int64]
    done: npt.NDArray[np.int64]
    known_at: npt.NDArray[np.int64]
    own_seen: npt.NDArray[np.int64]
    own_first: npt.NDArray[np.int32]
    own_next: npt.NDArray[np.int32]
    cost: npt.NDArray[np.int64]
    weight_msat: npt.NDArray[np.int64]
    amount_msat: npt.NDArray[np.int64]
    expiry_blocks: npt.NDArray[np.int32]
    hops: npt.NDArray[np.int32]
    probability: npt.NDArray[np.float64]
    via: npt.NDArray[np.int32]
    toward: npt.NDArray[np.int32]
    heap_cost: npt.NDArray[np.int64]
    heap_node: npt.NDArray[np.int32]
    memory_of: npt.NDArray[np.int32]
    route_edge: npt.NDArray[np.int64]
    route_amount_msat: npt.NDArray[np.int64]
    route_expiry_blocks: npt.NDArray[np.int64]


def make_scratch(nodes: int, edges: int, own: int, max_hops: int) -> Scratch:
    """Scratch arrays for a network of that many nodes and edges, and payers of up to `own` channels."""
    return Scratch(
        seen=np.zeros(nodes, np.int64),
        done=np.zeros(nodes, np.int64),
        known_at=np.zeros(nodes, np.int64),
        own_seen=np.zeros(nodes, np.int64),
        own_first=np.zeros(nodes, np.int32),
        own_next=np.zeros(own + 1, np.int32),
        cost=np.zeros(nodes, np.int64),
        weight_msat=np.zeros(nodes, np.int64),
        amount_msat=np.zeros(nodes, np.int64),
        expiry_blocks=np.zeros(nodes, np.int32),
        hops=np.zeros(nodes, np.int32),
        probability=np.zeros(nodes, np.float64),
        via=np.zeros(nodes, np.int32),
        toward=np.zeros(nodes, np.int32),
        heap_cost=np.zeros(edges + 2, np.int64),
        heap_node=np.zeros(edges + 2, np.int32),
        memory_of=np.full(edges + 1, -1, np.int32),
        route_edge=np.zeros(max_hops + 1, np.int64),
        route_amount_msat=np.zeros(max_hops + 1, np.int64),
        route_expiry_blocks=np.zeros(max_hops + 1, np.int64),
    )


@njit(cache=True)
def _push(heap_cost: npt.NDArray[np.int64], heap_node: npt.NDArray[np.int32], size: int, cost: int, node: int) -> int:
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


@njit(cache=True)
def _pop(heap_cost: npt.NDArray[np.int64], heap_node: npt.NDArray[np.int32], size: int) -> int:
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


@njit(cache=True)
def search(
    network: Network, own: OwnChannels, memory: Memory, remembered: int, query: Query, scratch: Scratch, mark: int
) -> tuple[int, int, int]:
    """Find the cheapest route; returns (channels of the route or 0, prunings, cost).

    The route's edges, amounts and expiries are left in `scratch.route_*`. See `search.search_reference`.
    """
    seen, done = scratch.seen, scratch.done
    own_seen, own_first, own_next = scratch.own_seen, scratch.own_first, scratch.own_next
    cost, weight_msat, amount_msat = scratch.cost, scratch.weight_msat, scratch.amount_msat
    expiry_blocks, hops, probability = scratch.expiry_blocks, scratch.hops, scratch.probability
    via, toward = scratch.via, scratch.toward
    heap_cost, heap_node, memory_of = scratch.heap_cost, scratch.heap_node, scratch.memory_of
    known_at = scratch.known_at
    pruned = 0
    max_amount_msat = query.amount_msat + query.fee_limit_msat
    attempt_cost_msat = query.attempt_cost_msat

    for j in range(remembered):
        memory_of[memory.position[j]] = j
        known_at[network.target[memory.position[j]]] = mark
    for i in range(len(own.edge) - 1, -1, -1):
        node = own.target[i]
        if own_seen[node] == mark:
            own_next[i] = own_first[node]
        else:
            own_next[i] = -1
            own_seen[node] = mark
        own_first[node] = i

    seen[query.payee] = mark
    cost[query.payee] = 0
    weight_msat[query.payee] = 0
    amount_msat[query.payee] = query.amount_msat
    expiry_blocks[query.payee] = query.final_cltv_blocks
    hops[query.payee] = 0
    probability[query.payee] = 1.0
    size = _push(heap_cost, heap_node, 0, 0, query.payee)
    bound = np.int64(2**62)
    first = -1
    last = query.payee
    while size > 0:
        node = heap_node[0]
        size = _pop(heap_cost, heap_node, size)
        if done[node] == mark:
            continue
        done[node] = mark
        amount = amount_msat[node]
        if own_seen[node] == mark:
            i = own_first[node]
            while i >= 0:
                if amount < own.htlc_min_msat[i]:
                    pruned |= PRUNED_BY_MINIMUM
                elif amount > own.limit_msat[i]:
                    pruned |= PRUNED_BY_OWN_FUNDS
                else:
                    first = i
                    break
                i = own_next[i]
            if first >= 0:
                last = node
                break
        if hops[node] + 2 > query.max_hops:
            continue
        # What every way on from here costs at least: one more channel, at its best probability.
        chance_here = probability[node]
        usual_chance = chance_here
        usual_penalty = np.int64(0)
        least_cost = weight_msat[node]
        if query.probabilistic:
            usual_chance = chance_here * query.hop_probability
            usual_penalty = np.int64(attempt_cost_msat / usual_chance) - attempt_cost_msat
            best_penalty = usual_penalty
            if known_at[node] == mark:
                best_chance = chance_here * max(KNOWN_SUCCESS_PROBABILITY, query.hop_probability)
                best_penalty = np.int64(attempt_cost_msat / best_chance) - attempt_cost_msat
            least_cost += best_penalty
            if least_cost > bound:
                pruned |= PRUNED_BY_BOUND
                continue
        for e in range(network.start[node], network.start[node + 1]):
            source = network.source[e]
            if done[source] == mark or source == query.payer:
                continue
            if seen[source] == mark and cost[source] <= least_cost:
                continue
            if amount > network.limit_msat[e]:
                continue
            if amount < network.htlc_min_msat[e]:
                pruned |= PRUNED_BY_MINIMUM
                continue
            ppm = network.fee_ppm[e]
            # The product may pass 2**63, its parts do not (amounts are at most MAX_PAYMENT_MSAT).
            fee = network.base_fee_msat[e] + amount // 1_000_000 * ppm + amount % 1_000_000 * ppm // 1_000_000
            sent = amount + fee
            if sent > max_amount_msat:
                pruned |= PRUNED_BY_FEE
                continue
            delta = network.cltv_delta[e]
            expiry = expiry_blocks[node] + delta
            if expiry > query.max_cltv_blocks:
                continue
            locked = sent * delta
            risk = query.risk_factor_billionths
            risk_cost = locked // 1_000_000_000 * risk + locked % 1_000_000_000 * risk // 1_000_000_000
            weight = weight_msat[node] + fee + risk_cost
            chance = usual_chance
            new_cost = weight + usual_penalty
            j = memory_of[e]
            if query.probabilistic:
                capacity = network.capacity_msat[e]
                if j >= 0 or 2 * amount > capacity:
                    hop_chance = query.hop_probability
                    if 2 * amount > capacity:  # below half, the factor is 1 to nine digits
                        far = (amount - CAPACITY_FRACTION * capacity) / (CAPACITY_SMEARING * capacity)
                        hop_chance *= 1.0 - 0.5 / (1.0 + math.exp(-far))
                    if j >= 0:
                        if amount <= memory.success_msat[j]:
                            hop_chance = KNOWN_SUCCESS_PROBABILITY
                        elif amount >= memory.failure_msat[j]:
                            age_ns = query.now_ns - memory.failure_ns[j]
                            hop_chance *= 1.0 - math.exp(-LN2 * age_ns / query.memory_ns)
                    chance = chance_here * hop_chance
                    if chance <= 0.0 or chance < query.min_probability:
                        continue
                    new_cost = weight + np.int64(attempt_cost_msat / chance) - attempt_cost_msat
                elif chance < query.min_probability:
                    continue
            elif j >= 0 and amount >= memory.failure_msat[j]:
                if query.now_ns - memory.failure_ns[j] < query.memory_ns:
                    continue
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
            via[source] = e
            toward[source] = node
            size = _push(heap_cost, heap_node, size, new_cost, source)
            if query.bounded and own_seen[source] == mark:
                i = own_first[source]
                while i >= 0:
                    if own.htlc_min_msat[i] <= sent <= own.limit_msat[i]:
                        # The payer itself asks for nothing: nothing dearer than this can be better.
                        bound = new_cost
                        break
                    i = own_next[i]

    for j in range(remembered):
        memory_of[memory.position[j]] = -1
    if first < 0:
        return 0, pruned, 0
    scratch.route_edge[0] = own.edge[first]
    scratch.route_amount_msat[0] = amount_msat[last]
    scratch.route_expiry_blocks[0] = expiry_blocks[last]
    node = last
    length = 1
    while node != query.payee:
        scratch.route_edge[length] = network.edge[via[node]]
        node = toward[node]
        scratch.route_amount_msat[length] = amount_msat[node]
        scratch.route_expiry_blocks[length] = expiry_blocks[node]
        length += 1
    return length, pruned, cost[last]
