"""Circular rebalancing: a router pays itself, out by its fullest channel and back by its emptiest."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import pairwise

from l2sim.engine import ns
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.agents.config import Rebalancing
from l2sim.systems.lightning.agents.world import Surroundings
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.routing import Route

FINAL_CLTV_BLOCKS = 18 + 3  # BOLT 11 default, and blocks that may come while it is under way (LND BlockPadding)


class RebalancingAgent:
    """Looks for one circle a router at each look, takes the cheapest, and tries it once."""

    def __init__(self, rules: Rebalancing, world: Surroundings) -> None:
        self._rules = rules
        self._world = world
        self.tried = 0
        self.done = 0
        """Circles that came through."""
        self._busy: dict[int, None] = {}

    def start(self, call_in: Callable[..., object]) -> None:
        """Begin to look."""
        call_in(ns(self._rules.every_s), self._look, call_in)

    def _look(self, call_in: Callable[..., object]) -> None:
        world, rules = self._world, self._rules
        if world.stopped:
            return
        self.start(call_in)
        for node in world.largest(rules.nodes):
            if node in self._busy:
                continue
            shares = sorted((share, edge) for edge, share in world.own_edges(node))
            if len(shares) < 2 or shares[0][0] >= rules.low_share or shares[-1][0] <= rules.high_share:
                continue
            self._circle(node, shares[-1][1], shares[0][1] ^ 1)

    def _circle(self, node: int, first: int, last: int) -> None:
        """Send money from `node` out over edge `first` and back over edge `last`, if a cheap way leads between."""
        state, rules = self._world.state, self._rules
        capacity = state.capacity_msat
        spare = int(state.balance_msat[first]) - int(capacity[first >> 1] * rules.target_share)
        missing = int(capacity[last >> 1] * rules.target_share) - int(state.balance_msat[last ^ 1])
        amount_msat = min(spare, missing, rules.most_sat * MSAT_PER_SAT)
        if amount_msat < rules.least_sat * MSAT_PER_SAT:
            return
        between = self._cheapest(int(state.target[first]), int(state.source[last]), node, amount_msat)
        if between is None:
            return
        route = self.route([first, *between, last], amount_msat)
        if route.fee_msat > amount_msat * rules.most_ppm // 1_000_000:
            return
        self.tried += 1
        self._busy[node] = None
        nodes = [node, *(int(state.target[edge]) for edge in route.edges)]
        self._world.board.send(nodes, route, lambda attempt, delivered: self._ended(node, attempt, delivered))

    def _ended(self, node: int, attempt: Attempt, delivered: bool) -> None:
        del self._busy[node]
        if delivered:
            self.done += 1
            book = self._world.book
            book.acted(node, attempt.amounts_msat[-1])
            book.rebalancing_msat[node] += attempt.amounts_msat[0] - attempt.amounts_msat[-1]

    def route(self, edges: list[int], amount_msat: int) -> Route:
        """The route over these edges that brings the amount home: fees and expiries worked out from its end."""
        policies = self._world.policies
        amounts, expiries = [amount_msat], [FINAL_CLTV_BLOCKS]
        for before, edge in reversed(list(pairwise(edges))):
            amounts.append(amounts[-1] + policies.fee_msat(before, edge, amounts[-1]))
            expiries.append(expiries[-1] + int(policies.cltv_delta[edge]))
        return Route(edges, amounts[::-1], expiries[::-1], 0)

    def _cheapest(self, start: int, end: int, avoided: int, amount_msat: int) -> list[int] | None:
        """The cheapest edges from `start` to `end` by announced fees on the amount, [] if they are one node.

        Backwards from the end, as payers search; at most `max_hops` less the two channels of the router itself.
        """
        network = self._world.table.network
        best: dict[int, tuple[int, int]] = {end: (0, 0)}
        following: dict[int, tuple[int, int]] = {}
        queue = [(0, 0, end)]
        while queue:
            cost, hops, node = heappop(queue)
            if node == start:
                edges = []
                while node != end:
                    edge, node = following[node]
                    edges.append(edge)
                return edges
            if (cost, hops) != best[node] or hops >= self._rules.max_hops - 2:
                continue
            for position in range(int(network.start[node]), int(network.start[node + 1])):
                source = int(network.source[position])
                if source == avoided or network.limit_msat[position] < amount_msat:
                    continue
                ppm = int(network.fee_ppm[position])
                reached = cost + int(network.base_fee_msat[position]) + amount_msat * ppm // 1_000_000, hops + 1
                if source not in best or reached < best[source]:
                    best[source] = reached
                    following[source] = int(network.edge[position]), node
                    heappush(queue, (*reached, source))
        return None
