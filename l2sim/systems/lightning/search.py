"""Path search: from the payee back to the payer, so that amounts and expiries are known on the way.

Every label of the search is what its node must receive to deliver the payment. Taking edge u -> v, node u asks
for the fee of that edge (BOLT 7: base + amount x ppm // 1 000 000, exact integers) and for its CLTV delta; the
payer asks for neither. The cost of a route is

    fees + sum over hops of amount x delta x risk factor / 10**9                      (policy `cheapest`)
    the same + attempt cost / probability of the route, less one attempt cost         (policy `lnd`)

both in whole msat, as LND computes them (routing/pathfind.go; probability_apriori.go for the probabilities, whose
node-level average is left out). Labels are settled in the order (cost, node number); of equal costs the first
found stays. As in LND the search is greedy where amounts make costs depend on the way: it finds the least cost
among labels kept, which on real networks is the least of all but for rounding.
"""

import heapq
import math
from dataclasses import dataclass

import numpy as np

from l2sim.engine import ns
from l2sim.systems.lightning.config import Payer
from l2sim.systems.lightning.kernels import make_scratch, search
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
    Route,
    RoutingTable,
    attempt_cost_msat,
)

NO_MEMORY = Memory(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


class Searcher:
    """Searches routes over one network, reusing its working arrays.

    After a search that found nothing, `pruned` holds the `PRUNED_BY_...` bits of what stood in the way.
    """

    def __init__(self, table: RoutingTable, payer: Payer, max_own_channels: int) -> None:
        self._table = table
        self._payer = payer
        self._memory_ns = float(ns(payer.memory_s))
        self._probabilistic = payer.policy == "lnd"
        self._scratch = make_scratch(table.node_count, table.edge_count, max_own_channels, payer.max_hops)
        self._mark = 0
        self.searches = 0
        self.pruned = 0

    def query(self, payer: int, payee: int, amount_msat: int, fee_limit_msat: int, now_ns: int) -> Query:
        """The query of a payment under the payers' settings."""
        settings = self._payer
        return Query(
            payer=payer,
            payee=payee,
            amount_msat=amount_msat,
            fee_limit_msat=fee_limit_msat,
            now_ns=now_ns,
            max_hops=settings.max_hops,
            max_cltv_blocks=settings.max_cltv_blocks,
            final_cltv_blocks=settings.final_cltv_blocks + settings.block_padding,
            risk_factor_billionths=settings.risk_factor_billionths,
            probabilistic=self._probabilistic,
            attempt_cost_msat=attempt_cost_msat(settings, amount_msat) if self._probabilistic else 0,
            hop_probability=settings.hop_probability,
            min_probability=settings.min_probability,
            memory_ns=self._memory_ns,
            bounded=True,
        )

    def find(self, query: Query, own: OwnChannels, memory: Memory = NO_MEMORY, remembered: int = 0) -> Route | None:
        """The best route, or None; of `memory` the first `remembered` rows count."""
        return self._find(self._table.network, query, own, memory, remembered)

    def find_below_minimum(self, query: Query, own: OwnChannels) -> Route | None:
        """The best route if no edge asked for a smallest amount: only to tell why there is none."""
        network = self._table.network
        network = network._replace(htlc_min_msat=np.zeros_like(network.htlc_min_msat))
        return self._find(network, query, own, NO_MEMORY, 0)

    def _find(self, network: Network, query: Query, own: OwnChannels, memory: Memory, remembered: int) -> Route | None:
        length, cost = self._search(network, query, own, memory, remembered)
        if length == 0 and self.pruned & PRUNED_BY_BOUND:
            # A label that set the bound was overtaken by one cheaper but of more than the payer's channel holds.
            length, cost = self._search(network, query._replace(bounded=False), own, memory, remembered)
        if length == 0:
            return None
        scratch = self._scratch
        return Route(
            scratch.route_edge[:length].tolist(),
            scratch.route_amount_msat[:length].tolist(),
            scratch.route_expiry_blocks[:length].tolist(),
            cost,
        )

    def _search(
        self, network: Network, query: Query, own: OwnChannels, memory: Memory, remembered: int
    ) -> tuple[int, int]:
        self._mark += 1
        self.searches += 1
        length, self.pruned, cost = search(network, own, memory, remembered, query, self._scratch, self._mark)
        return length, cost


@dataclass(slots=True)
class _Label:
    """What is known of the best way from a node to the payee."""

    cost: int
    weight_msat: int
    amount_msat: int
    expiry_blocks: int
    hops: int
    probability: float
    edge: int = -1
    toward: int = -1


def search_reference(
    network: Network, own: OwnChannels, memory: Memory, remembered: int, query: Query
) -> tuple[Route | None, int]:
    """The kernel's readable twin: the best route or None, and what was pruned (`PRUNED_BY_...` bits).

    Never prunes by a bound, which changes no route.
    """
    known = {int(memory.position[j]): j for j in range(remembered)}
    labels = {query.payee: _Label(0, 0, query.amount_msat, query.final_cltv_blocks, 0, 1.0)}
    heap = [(0, query.payee)]
    done: set[int] = set()
    pruned = 0
    while heap:
        _, node = heapq.heappop(heap)
        if node in done:
            continue
        done.add(node)
        label = labels[node]
        for i in np.flatnonzero(own.target == node).tolist():
            if label.amount_msat < own.htlc_min_msat[i]:
                pruned |= PRUNED_BY_MINIMUM
            elif label.amount_msat > own.limit_msat[i]:
                pruned |= PRUNED_BY_OWN_FUNDS
            else:
                return _route(labels, node, int(own.edge[i]), query.payee), pruned
        if label.hops + 2 > query.max_hops:
            continue
        for e in range(int(network.start[node]), int(network.start[node + 1])):
            source = int(network.source[e])
            if source in done or source == query.payer or label.amount_msat > network.limit_msat[e]:
                continue
            if label.amount_msat < network.htlc_min_msat[e]:
                pruned |= PRUNED_BY_MINIMUM
                continue
            fee = int(network.base_fee_msat[e]) + label.amount_msat * int(network.fee_ppm[e]) // 1_000_000
            sent = label.amount_msat + fee
            if sent > query.amount_msat + query.fee_limit_msat:
                pruned |= PRUNED_BY_FEE
                continue
            delta = int(network.cltv_delta[e])
            expiry = label.expiry_blocks + delta
            if expiry > query.max_cltv_blocks:
                continue
            weight = label.weight_msat + fee + sent * delta * query.risk_factor_billionths // 1_000_000_000
            probability = label.probability * _hop_probability(
                query, label.amount_msat, int(network.capacity_msat[e]), memory, known.get(e)
            )
            if probability <= 0.0 or (query.probabilistic and probability < query.min_probability):
                continue
            cost = weight
            if query.probabilistic:
                cost += int(query.attempt_cost_msat / probability) - query.attempt_cost_msat
            if source not in labels or cost < labels[source].cost:
                edge = int(network.edge[e])
                labels[source] = _Label(cost, weight, sent, expiry, label.hops + 1, probability, edge, node)
                heapq.heappush(heap, (cost, source))
    return None, pruned


def _hop_probability(query: Query, amount_msat: int, capacity_msat: int, memory: Memory, known: int | None) -> float:
    """The probability that an edge carries the amount; for `cheapest` 0 where a failure is remembered, else 1."""
    failed = known is not None and amount_msat >= memory.failure_msat[known]
    age_ns = int(query.now_ns - memory.failure_ns[known]) if known is not None else 0
    if not query.probabilistic:
        return 0.0 if failed and age_ns < query.memory_ns else 1.0
    if known is not None and amount_msat <= memory.success_msat[known]:
        return KNOWN_SUCCESS_PROBABILITY
    probability = query.hop_probability
    if 2 * amount_msat > capacity_msat:
        far = (amount_msat - CAPACITY_FRACTION * capacity_msat) / (CAPACITY_SMEARING * capacity_msat)
        probability *= 1.0 - 0.5 / (1.0 + math.exp(-far))
    if failed:
        probability *= 1.0 - math.exp(-LN2 * age_ns / query.memory_ns)
    return probability


def _route(labels: dict[int, _Label], node: int, first_edge: int, payee: int) -> Route:
    """Follow the labels from the payer's neighbour to the payee."""
    cost = labels[node].cost
    edges, amounts, expiries = [first_edge], [labels[node].amount_msat], [labels[node].expiry_blocks]
    while node != payee:
        edges.append(labels[node].edge)
        node = labels[node].toward
        amounts.append(labels[node].amount_msat)
        expiries.append(labels[node].expiry_blocks)
    return Route(edges, amounts, expiries, cost)
