"""The general path search compiled: a backward Dijkstra with the cost function of any policy.

`search.search_reference` is its readable twin; both call the same `hop` functions.
"""

import numpy as np

from l2sim.systems.lightning import inbound
from l2sim.systems.lightning.compiled import compiled
from l2sim.systems.lightning.inbound import inbound_fee_msat
from l2sim.systems.lightning.kernels import (
    Scratch,
    chain_own,
    fee_msat,
    follow,
    forget,
    pop,
    push,
    remember,
    start,
)
from l2sim.systems.lightning.policies import cheapest, cln, eclair, ldk, lnd, lnd_bimodal, terms, uniform
from l2sim.systems.lightning.policies.terms import Hop, Known, Rule, Terms, attempt_penalty_msat
from l2sim.systems.lightning.routing import (
    ALONE,
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    Memory,
    Network,
    OwnChannels,
    Query,
    next_beside,
)

SOURCES = (cheapest, cln, eclair, inbound, ldk, lnd, lnd_bimodal, terms, uniform)
# Numba takes members of an enumeration for objects; here they are plain numbers.
CHEAPEST, LND, LND_BIMODAL, CLN_GETROUTE = (
    int(rule) for rule in (Rule.CHEAPEST, Rule.LND, Rule.LND_BIMODAL, Rule.CLN_GETROUTE)
)
CLN_ASKRENE, LDK, ECLAIR = (int(rule) for rule in (Rule.CLN_ASKRENE, Rule.LDK, Rule.ECLAIR))


@compiled(*SOURCES)
def hop_cost(terms: Terms, hop: Hop, known: Known) -> tuple[int, float]:
    """What going over a channel adds to a route's weight, and with what probability it works, by `terms.rule`."""
    rule = terms.rule
    if rule == CHEAPEST:
        return cheapest.hop(terms, hop, known)
    if rule == LND:
        return lnd.hop(terms, hop, known)
    if rule == LND_BIMODAL:
        return lnd_bimodal.hop(terms, hop, known)
    if rule == CLN_GETROUTE:
        return cln.hop_getroute(terms, hop, known)
    if rule == CLN_ASKRENE:
        return cln.hop_askrene(terms, hop, known)
    if rule == LDK:
        return ldk.hop(terms, hop, known)
    if rule == ECLAIR:
        return eclair.hop(terms, hop, known)
    return uniform.hop(terms, hop, known)


@compiled(inbound)
def charged_inbound_msat(network: Network, edge: int, received_msat: int, fee_msat: int) -> int:
    """What the target of an edge asks for by it on top of its outbound fee, which a discount cannot pass."""
    asked_msat = inbound_fee_msat(network.inbound_base_msat[edge], network.inbound_ppm[edge], received_msat)
    return max(asked_msat, -fee_msat)


@compiled(*SOURCES)
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
    seen, done, cost = scratch.seen, scratch.done, scratch.cost
    together = terms.together != 0
    with_inbound = terms.inbound != 0 and len(network.inbound_ppm) > 0
    pruned = 0
    max_amount_msat = query.amount_msat + query.fee_limit_msat
    remember(memory, remembered, scratch, mark)
    chain_own(own, scratch, mark)
    start(query, terms.own_probability, scratch, mark)
    scratch.fee_msat[query.payee] = 0
    size = push(scratch.heap_cost, scratch.heap_node, 0, 0, query.payee)
    first = -1
    last = query.payee
    least_cost = 2**62
    first_msat = np.int64(0)
    while size > 0 and scratch.heap_cost[0] < least_cost:
        node = scratch.heap_node[0]
        size = pop(scratch.heap_cost, scratch.heap_node, size)
        if done[node] == mark:
            continue
        done[node] = mark
        received = scratch.amount_msat[node]
        asks_inbound = with_inbound and node != query.payee
        if scratch.own_seen[node] == mark:
            i = scratch.own_first[node]
            while i >= 0:
                amount = received
                if asks_inbound:
                    amount += charged_inbound_msat(network, own.edge[i], received, scratch.fee_msat[node])
                if amount < own.htlc_min_msat[i]:
                    pruned |= PRUNED_BY_MINIMUM
                elif amount > own.limit_msat[i]:
                    pruned |= PRUNED_BY_OWN_FUNDS
                elif amount > max_amount_msat:
                    pruned |= PRUNED_BY_FEE
                else:
                    whole_cost = cost[node] + max(0, amount - received)
                    fuller = first >= 0 and last == node and own.limit_msat[i] > own.limit_msat[first]
                    if whole_cost < least_cost or (together and fuller and whole_cost == least_cost):
                        least_cost, first, last, first_msat = whole_cost, i, node, amount
                i = scratch.own_next[i]
            if least_cost <= cost[node]:
                break
        if scratch.hops[node] + 2 > query.max_hops:
            continue
        for e in range(network.start[node], network.start[node + 1]):
            source = network.source[e]
            link = network.beside[e]
            if done[source] == mark or source == query.payer or (together and link < ALONE):
                continue
            # Of those taken together the dearest counts, with the longest delay and the largest capacity.
            edge, amount, inbound_fee, fee = e, received, 0, -1
            delta, capacity, other = 0, 0, e
            while other >= 0:
                this, this_inbound = received, 0
                if asks_inbound:
                    this_inbound = charged_inbound_msat(network, network.edge[other], received, scratch.fee_msat[node])
                    this += this_inbound
                if this < network.htlc_min_msat[other]:
                    if this <= network.limit_msat[other]:
                        pruned |= PRUNED_BY_MINIMUM
                elif this <= network.limit_msat[other]:
                    this_fee = fee_msat(network.base_fee_msat[other], network.fee_ppm[other], this)
                    if fee < 0 or this_fee + this_inbound > fee + inbound_fee:
                        edge, amount, inbound_fee, fee = other, this, this_inbound, this_fee
                    delta = max(delta, network.cltv_delta[other])
                    capacity = max(capacity, network.capacity_msat[other])
                other = next_beside(network.beside[other]) if together else -1
            if fee < 0:
                continue
            sent = amount + fee
            if sent > max_amount_msat:
                pruned |= PRUNED_BY_FEE
                continue
            expiry = scratch.expiry_blocks[node] + delta
            if expiry > query.max_cltv_blocks:
                continue
            row = scratch.row_of[network.key[e]]
            first_row = scratch.first_row[source] if scratch.known_at[source] == mark else -1
            hop = Hop(
                query.now_ns, amount, max(0, fee + inbound_fee), network.base_fee_msat[edge], network.fee_ppm[edge],
                delta, capacity, network.limit_msat[edge], network.edge[edge] & 1,
            )  # fmt: skip
            added, chance = hop_cost(terms, hop, Known(memory.facts, row, first_row, scratch.next_row))
            chance *= scratch.probability[node]
            if chance <= 0.0 or chance < terms.min_probability:
                continue
            weight = scratch.weight_msat[node] + added
            new_cost = weight
            if terms.attempt_cost_msat:
                new_cost += attempt_penalty_msat(terms.attempt_cost_msat, chance) - terms.attempt_cost_msat
            if seen[source] == mark and new_cost >= cost[source]:
                continue
            seen[source] = mark
            cost[source] = new_cost
            scratch.weight_msat[source] = weight
            scratch.amount_msat[source] = sent
            scratch.fee_msat[source] = fee
            scratch.expiry_blocks[source] = expiry
            scratch.hops[source] = scratch.hops[node] + 1
            scratch.probability[source] = chance
            scratch.via[source] = edge
            scratch.toward[source] = node
            size = push(scratch.heap_cost, scratch.heap_node, size, new_cost, source)
    forget(memory, remembered, scratch)
    if first < 0:
        return 0, pruned, 0
    length: int = follow(network, own, query, scratch, first, last)
    if with_inbound:
        scratch.route_amount_msat[0] = first_msat
        node = last
        for i in range(1, length):
            scratch.route_amount_msat[i] = scratch.amount_msat[node] - scratch.fee_msat[node]
            node = scratch.toward[node]
    return length, pruned, least_cost
