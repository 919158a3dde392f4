"""The general path search compiled: a backward Dijkstra with the cost function of any policy.

`search.search_reference` is its readable twin; both call the same `hop` functions.
"""

import numpy as np

from l2sim.systems.lightning.compiled import compiled
from l2sim.systems.lightning.kernels import Scratch, chain_own, follow, forget, pop, push, remember, start
from l2sim.systems.lightning.policies import cheapest, cln, eclair, ldk, lnd, lnd_bimodal, terms, uniform
from l2sim.systems.lightning.policies.terms import Hop, Known, Rule, Terms
from l2sim.systems.lightning.routing import (
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    Memory,
    Network,
    OwnChannels,
    Query,
)

SOURCES = (cheapest, cln, eclair, ldk, lnd, lnd_bimodal, terms, uniform)
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
    pruned = 0
    max_amount_msat = query.amount_msat + query.fee_limit_msat
    remember(memory, remembered, scratch, mark)
    chain_own(own, scratch, mark)
    start(query, scratch, mark)
    size = push(scratch.heap_cost, scratch.heap_node, 0, 0, query.payee)
    first = -1
    last = query.payee
    while size > 0:
        node = scratch.heap_node[0]
        size = pop(scratch.heap_cost, scratch.heap_node, size)
        if done[node] == mark:
            continue
        done[node] = mark
        amount = scratch.amount_msat[node]
        if scratch.own_seen[node] == mark:
            i = scratch.own_first[node]
            while i >= 0:
                if amount < own.htlc_min_msat[i]:
                    pruned |= PRUNED_BY_MINIMUM
                elif amount > own.limit_msat[i]:
                    pruned |= PRUNED_BY_OWN_FUNDS
                else:
                    first = i
                    break
                i = scratch.own_next[i]
            if first >= 0:
                last = node
                break
        if scratch.hops[node] + 2 > query.max_hops:
            continue
        for e in range(network.start[node], network.start[node + 1]):
            source = network.source[e]
            if done[source] == mark or source == query.payer or amount > network.limit_msat[e]:
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
            expiry = scratch.expiry_blocks[node] + delta
            if expiry > query.max_cltv_blocks:
                continue
            row = scratch.row_of[network.key[e]]
            first_row = scratch.first_row[source] if scratch.known_at[source] == mark else -1
            hop = Hop(
                query.now_ns, amount, fee, network.base_fee_msat[e], ppm, delta, network.capacity_msat[e],
                network.limit_msat[e], network.edge[e] & 1,
            )  # fmt: skip
            added, chance = hop_cost(terms, hop, Known(memory.facts, row, first_row, scratch.next_row))
            chance *= scratch.probability[node]
            if chance <= 0.0 or chance < terms.min_probability:
                continue
            weight = scratch.weight_msat[node] + added
            new_cost = weight
            if terms.attempt_cost_msat:
                new_cost += np.int64(terms.attempt_cost_msat / chance) - terms.attempt_cost_msat
            if seen[source] == mark and new_cost >= cost[source]:
                continue
            seen[source] = mark
            cost[source] = new_cost
            scratch.weight_msat[source] = weight
            scratch.amount_msat[source] = sent
            scratch.expiry_blocks[source] = expiry
            scratch.hops[source] = scratch.hops[node] + 1
            scratch.probability[source] = chance
            scratch.via[source] = e
            scratch.toward[source] = node
            size = push(scratch.heap_cost, scratch.heap_node, size, new_cost, source)
    forget(memory, remembered, scratch)
    if first < 0:
        return 0, pruned, 0
    return follow(network, own, query, scratch, first, last), pruned, cost[last]
