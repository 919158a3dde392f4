"""Path search: from the payee back to the payer, so that amounts and expiries are known on the way.

Every label of the search is what its node must receive to deliver the payment. Taking edge u -> v, node u asks
for the fee of that edge (BOLT 7: base + amount x ppm // 1 000 000, exact integers) and for its CLTV delta; the
payer asks for neither. What a channel adds to the cost of a route, and with what probability it is thought to work,
is the payer's policy (`policies`); all costs are whole numbers. Labels are settled in the order (cost, node number);
of equal costs the first found stays. As in the implementations the search is greedy where amounts make costs depend
on the way: it finds the least cost among labels kept, which on real networks is the least of all but for rounding.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from l2sim.systems.lightning import kernels
from l2sim.systems.lightning.inbound import inbound_fee_msat
from l2sim.systems.lightning.payer_config import Payer
from l2sim.systems.lightning.policies import cheapest, cln, eclair, ldk, lnd, lnd_bimodal, uniform
from l2sim.systems.lightning.policies import kernels as any_policy
from l2sim.systems.lightning.policies.choice import Chooser
from l2sim.systems.lightning.policies.terms import Hop, Known, Rule, Terms, attempt_penalty_msat
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
    Route,
    RoutingTable,
    next_beside,
)

NOBODY: Final = np.empty(0, np.int32)
NO_MEMORY: Final = Memory(NOBODY, NOBODY, NOBODY, np.empty((0, 0), np.int64))
HOP_COSTS: Final[dict[int, Callable[[Terms, Hop, Known], tuple[int, float]]]] = {
    Rule.CHEAPEST: cheapest.hop,
    Rule.LND: lnd.hop,
    Rule.LND_BIMODAL: lnd_bimodal.hop,
    Rule.CLN_GETROUTE: cln.hop_getroute,
    Rule.CLN_ASKRENE: cln.hop_askrene,
    Rule.LDK: ldk.hop,
    Rule.ECLAIR: eclair.hop,
    Rule.UNIFORM: uniform.hop,
}


class Searcher:
    """Searches routes over one network, reusing its working arrays.

    After a search that found nothing, `pruned` holds the `PRUNED_BY_...` bits of what stood in the way.
    """

    def __init__(self, table: RoutingTable, payer: Payer, max_own_channels: int) -> None:
        self._table = table
        self._payer = payer
        self._scratch = kernels.make_scratch(
            table.node_count, table.edge_count, table.key_count, max_own_channels, payer.memory_entries, payer.max_hops
        )
        self._chooser = Chooser(payer, table.network)
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
            bounded=True,
        )

    def terms(self, amount_msat: int) -> Terms:
        """The policy's numbers for a payment of that amount."""
        return self._chooser.terms(amount_msat)

    def find(
        self,
        query: Query,
        own: OwnChannels,
        memory: Memory = NO_MEMORY,
        remembered: int = 0,
        terms: Terms | None = None,
    ) -> Route | None:
        """The best route, or None; of `memory` the first `remembered` rows count. `terms` are those of the amount."""
        terms = terms or self.terms(query.amount_msat)
        route = self._find(self._table.network, query, own, memory, remembered, terms)
        if route is not None:
            return route
        others = self._chooser.easier(terms, query.amount_msat, bool(self.pruned & PRUNED_BY_FEE))
        if others:
            route = self._find(self._table.network, query, own, memory, remembered, others[-1])
        if route is None:
            return None  # what the easiest of all does not find, none does
        for easier in others[:-1]:
            found = self._find(self._table.network, query, own, memory, remembered, easier)
            if found is not None:
                return found
        return route

    def find_below_minimum(self, query: Query, own: OwnChannels) -> Route | None:
        """The best route if no edge asked for a smallest amount: only to tell why there is none."""
        network = self._table.network
        network = network._replace(htlc_min_msat=np.zeros_like(network.htlc_min_msat))
        return self._find(network, query, own, NO_MEMORY, 0, self.terms(query.amount_msat)._replace(saturation_power=0))

    def _find(
        self, network: Network, query: Query, own: OwnChannels, memory: Memory, remembered: int, terms: Terms
    ) -> Route | None:
        length, cost = self._search(network, query, own, memory, remembered, terms)
        if length == 0 and self.pruned & PRUNED_BY_BOUND:
            # A label that set the bound was overtaken by one cheaper but of more than the payer's channel holds.
            length, cost = self._search(network, query._replace(bounded=False), own, memory, remembered, terms)
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
        self, network: Network, query: Query, own: OwnChannels, memory: Memory, remembered: int, terms: Terms
    ) -> tuple[int, int]:
        self._mark += 1
        self.searches += 1
        plain = terms.rule == Rule.LND and len(network.inbound_ppm) == 0
        search = kernels.search if plain else any_policy.search
        length, self.pruned, cost = search(network, own, memory, remembered, query, terms, self._scratch, self._mark)
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
    fee_msat: int = 0
    """The outbound fee of its node, in `amount_msat`."""


def search_reference(
    network: Network, own: OwnChannels, memory: Memory, remembered: int, query: Query, terms: Terms
) -> tuple[Route | None, int]:
    """The kernels' readable twin: the best route or None, and what was pruned (`PRUNED_BY_...` bits).

    Never prunes by a bound, which changes no route.
    """
    hop_cost = HOP_COSTS[terms.rule]
    row_of = {int(memory.key[j]): j for j in range(remembered)}
    first_of: dict[int, int] = {}
    following = np.full(remembered + 1, -1, np.int32)
    for j in range(remembered):
        node = int(memory.source[j])
        following[j] = first_of.get(node, -1)
        first_of[node] = j
    labels = {query.payee: _Label(0, 0, query.amount_msat, query.final_cltv_blocks, 0, terms.own_probability)}
    heap = [(0, query.payee)]
    done: set[int] = set()
    pruned = 0
    best: Route | None = None

    def charged_inbound_msat(node: int, edge: int) -> int:
        """What `node` asks for by that edge on top of its outbound fee, which a discount cannot pass."""
        if not terms.inbound or len(network.inbound_ppm) == 0 or node == query.payee:
            return 0
        base_msat, ppm = int(network.inbound_base_msat[edge]), int(network.inbound_ppm[edge])
        return max(inbound_fee_msat(base_msat, ppm, labels[node].amount_msat), -labels[node].fee_msat)

    def fuller(i: int, best: Route) -> bool:
        """Whether the payer's channel i leads where the best route's first does, and could send more."""
        j = int(np.flatnonzero(own.edge == best.edges[0])[0])
        return bool(own.target[i] == own.target[j] and own.limit_msat[i] > own.limit_msat[j])

    while heap and (best is None or heap[0][0] < best.cost):
        _, node = heapq.heappop(heap)
        if node in done:
            continue
        done.add(node)
        label = labels[node]
        for i in np.flatnonzero(own.target == node).tolist():
            inbound_fee = charged_inbound_msat(node, int(own.edge[i]))
            amount = label.amount_msat + inbound_fee
            cost = label.cost + max(0, inbound_fee)
            if amount < own.htlc_min_msat[i]:
                pruned |= PRUNED_BY_MINIMUM
            elif amount > own.limit_msat[i]:
                pruned |= PRUNED_BY_OWN_FUNDS
            elif amount > query.amount_msat + query.fee_limit_msat:
                pruned |= PRUNED_BY_FEE
            elif best is None or cost < best.cost or (terms.together and cost == best.cost and fuller(i, best)):
                best = _route(labels, node, int(own.edge[i]), amount, query.payee)._replace(cost=cost)
        if label.hops + 2 > query.max_hops:
            continue
        for e in range(int(network.start[node]), int(network.start[node + 1])):
            source = int(network.source[e])
            if source in done or source == query.payer or (terms.together and network.beside[e] < ALONE):
                continue
            taking = []
            for other in _beside(network, e) if terms.together else [e]:
                inbound_fee = charged_inbound_msat(node, int(network.edge[other]))
                amount = label.amount_msat + inbound_fee
                if amount > network.limit_msat[other]:
                    continue
                if amount < network.htlc_min_msat[other]:
                    pruned |= PRUNED_BY_MINIMUM
                    continue
                fee = int(network.base_fee_msat[other]) + amount * int(network.fee_ppm[other]) // 1_000_000
                taking.append((other, amount, inbound_fee, fee))
            if not taking:
                continue
            at, amount, inbound_fee, fee = max(taking, key=lambda one: one[2] + one[3])  # the first of equals
            sent = amount + fee
            if sent > query.amount_msat + query.fee_limit_msat:
                pruned |= PRUNED_BY_FEE
                continue
            delta = max(int(network.cltv_delta[one[0]]) for one in taking)
            capacity = max(int(network.capacity_msat[one[0]]) for one in taking)
            expiry = label.expiry_blocks + delta
            if expiry > query.max_cltv_blocks:
                continue
            hop = Hop(
                query.now_ns, amount, max(0, fee + inbound_fee), int(network.base_fee_msat[at]),
                int(network.fee_ppm[at]), delta, capacity, int(network.limit_msat[at]), int(network.edge[at]) & 1,
            )  # fmt: skip
            known = Known(memory.facts, row_of.get(int(network.key[e]), -1), first_of.get(source, -1), following)
            added, chance = hop_cost(terms, hop, known)
            probability = label.probability * chance
            if probability <= 0.0 or probability < terms.min_probability:
                continue
            weight = label.weight_msat + int(added)
            cost = weight
            if terms.attempt_cost_msat:
                cost += attempt_penalty_msat(terms.attempt_cost_msat, probability) - terms.attempt_cost_msat
            if source not in labels or cost < labels[source].cost:
                edge = int(network.edge[at])
                labels[source] = _Label(cost, weight, sent, expiry, label.hops + 1, probability, edge, node, fee)
                heapq.heappush(heap, (cost, source))
    return best, pruned


def _beside(network: Network, e: int) -> list[int]:
    """The positions of all edges with the ends of the one at e, which is the first of them."""
    found = []
    while e >= 0:
        found.append(e)
        e = next_beside(int(network.beside[e]))
    return found


def _route(labels: dict[int, _Label], node: int, first_edge: int, first_msat: int, payee: int) -> Route:
    """Follow the labels from the payer's neighbour, to which the first channel carries so much, to the payee."""
    cost = labels[node].cost
    edges, amounts, expiries = [first_edge], [first_msat], [labels[node].expiry_blocks]
    while node != payee:
        edges.append(labels[node].edge)
        amounts.append(labels[node].amount_msat - labels[node].fee_msat)
        node = labels[node].toward
        expiries.append(labels[node].expiry_blocks)
    return Route(edges, amounts, expiries, cost)
