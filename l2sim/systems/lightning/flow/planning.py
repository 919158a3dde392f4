"""From an amount to the routes of its parts: flows of least cost until all of it has a way that keeps every limit."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from l2sim.systems.lightning.division import capacity_msat, walk
from l2sim.systems.lightning.flow.arcs import UNITS, FlowTerms, believed_msat
from l2sim.systems.lightning.flow.kernels import least_cost_flow
from l2sim.systems.lightning.flow.weights import Weighing, weighing_of
from l2sim.systems.lightning.payer_config import Payer
from l2sim.systems.lightning.routing import Memory, OwnChannels, Query, Route, RoutingTable

MAX_FLOWS: Final = 200
"""Flows reckoned for one amount, then it is given up; real networks take one to three."""
GROWTH_PERCENT: Final = 2
"""How much more than its flow a part may carry to make up for what others cannot (askrene, refine_flows)."""
DELAY_FIRST: Final = 1e-6
DELAY_LAST: Final = 10.0
"""What a block of delay counts beside a ppm, at first and when routes stay too slow (askrene: doubled each time)."""


class Part(NamedTuple):
    """A way through the network, by its edges, and what reaches the payee over it."""

    edges: tuple[int, ...]
    amount_msat: int


class Planner:
    """Divides amounts over the network by flows of least cost."""

    def __init__(self, table: RoutingTable, settings: Payer) -> None:
        self._table = table
        self._weighing: Weighing = weighing_of(settings, table.network)
        self._taken_msat = np.zeros(table.edge_count, np.int64)
        self._barred = np.zeros(table.edge_count, np.bool_)
        self.searches = 0
        """Shortest paths searched."""

    def plan(
        self, query: Query, own: OwnChannels, memory: Memory, remembered: int, parts: int, least_msat: int
    ) -> list[Route] | None:
        """Routes for parts of the amount, the largest first, or None if no flow of that many parts was found."""
        work = _Plan(self._table, query, own, memory, remembered, self._taken_msat, self._barred, self._weighing)
        try:
            return work.routes(parts, least_msat)
        finally:
            self.searches += work.searches
            work.clear()


class _Plan:
    """One amount as it is divided; `taken_msat` and `barred` are empty before and after."""

    def __init__(
        self, table: RoutingTable, query: Query, own: OwnChannels, memory: Memory, remembered: int,
        taken_msat: np.ndarray, barred: np.ndarray, weighing: Weighing,
    ) -> None:  # fmt: skip
        self._table = table
        self._query = query
        self._own = own._replace(limit_msat=own.limit_msat.copy())
        self._own_row = {int(edge): i for i, edge in enumerate(own.edge)}
        self._memory = memory
        self._remembered = remembered
        self._row_of = {int(memory.key[j]): j for j in range(remembered)}
        self._taken_msat = taken_msat
        self._barred = barred
        self._weighing = weighing
        self._touched: set[int] = set()
        self.searches = 0

    def clear(self) -> None:
        """Empty the columns that are shared with other plans."""
        for position in self._touched:
            self._taken_msat[position] = 0
            self._barred[position] = False

    def routes(self, most_parts: int, least_msat: int) -> list[Route] | None:
        """See `Planner.plan`."""
        query = self._query
        chosen: list[Part] = []
        left_msat, budget_msat = query.amount_msat, query.fee_limit_msat
        levels = self._weighing.levels(query.amount_msat)
        level, delay_weight = next(levels), DELAY_FIRST
        for _ in range(MAX_FLOWS):
            parts = self._flow(left_msat, level, delay_weight)
            if parts is None:
                return None
            if not parts:
                continue  # a channel that asks for more than it would get is left out now
            delivered_msat = sum(part.amount_msat for part in parts)
            fees_msat = sum(self._fee_msat(part) for part in parts)
            if fees_msat > budget_msat * delivered_msat // left_msat:
                dearer = next(levels, None)
                if dearer is not None:
                    level = dearer
                    continue
                if fees_msat > budget_msat:
                    return None
            if any(self._expiry_blocks(part) > query.max_cltv_blocks for part in parts):
                if delay_weight > DELAY_LAST:
                    return None
                delay_weight *= 2
                continue
            for part in parts:
                self._take(part, 1)
            chosen += parts
            left_msat -= delivered_msat
            budget_msat -= fees_msat
            if left_msat == 0:
                return self._finished(chosen, most_parts, least_msat)
        return None

    # Flows and their paths.

    def _flow(self, amount_msat: int, level: tuple[float, float], delay_weight: float) -> list[Part] | None:
        """Parts of at most that amount; None if the channels do not carry it, none if all broke a limit."""
        query = self._query
        unit_msat = -(-amount_msat // UNITS)
        terms = FlowTerms(
            amount_msat, unit_msat, -(-amount_msat // unit_msat), query.now_ns, self._weighing.memory_ns,
            level[0], level[1] * amount_msat / unit_msat, self._weighing.base_fee_weight(amount_msat), delay_weight,
        )  # fmt: skip
        network = self._table.network
        sent, _, searches, flow, used, own_flow = least_cost_flow(
            network, self._own, self._memory, self._remembered, self._taken_msat, self._barred, query.payer,
            query.payee, terms,
        )  # fmt: skip
        self.searches += searches
        if sent < terms.units:
            return None
        leaving: dict[int, list[list[int]]] = {}
        for i in np.flatnonzero(own_flow).tolist():
            leaving.setdefault(query.payer, []).append([int(self._own.edge[i]), int(self._own.target[i]), own_flow[i]])
        for position in used.tolist():
            if flow[position] > 0:
                step = [int(network.edge[position]), int(network.target[position]), int(flow[position])]
                leaving.setdefault(int(network.source[position]), []).append(step)
        paths = list(paths_of(leaving, query.payer, query.payee))
        return self._refined([Part(edges, units * unit_msat) for edges, units in paths], amount_msat)

    def _refined(self, parts: list[Part], amount_msat: int) -> list[Part]:
        """The parts without what is too much in all, each within the limits of its channels."""
        parts = sorted(parts, key=lambda part: -part.amount_msat)
        excess_msat = sum(part.amount_msat for part in parts) - amount_msat
        while parts[-1].amount_msat <= excess_msat:
            excess_msat -= parts.pop().amount_msat
        parts[0] = parts[0]._replace(amount_msat=parts[0].amount_msat - excess_msat)
        kept = []
        for part in parts:
            most_msat = min(part.amount_msat, self._most_msat(part.edges))
            if most_msat <= 0:
                self._leave_out_narrowest(part.edges)
            elif self._allowed(part := part._replace(amount_msat=most_msat)):
                self._take(part, 1)
                kept.append(part)
        self._grow(kept, amount_msat - sum(part.amount_msat for part in kept), GROWTH_PERCENT)
        for part in kept:
            self._take(part, -1)
        return kept

    def _grow(self, parts: list[Part], short_msat: int, percent: int | None = None) -> int:
        """Let parts, which are taken, carry what is short, the first as much as it can, each at most so much more;
        returns what is still short. A part that is too large for its channels by now gives off what is too much."""
        for i, part in enumerate(parts):
            self._take(part, -1)
            most_msat = min(part.amount_msat + short_msat, self._most_msat(part.edges))
            if percent is not None:
                most_msat = min(most_msat, part.amount_msat + part.amount_msat * percent // 100)
            parts[i] = part._replace(amount_msat=max(1, most_msat))
            short_msat -= parts[i].amount_msat - part.amount_msat
            self._take(parts[i], 1)
        return short_msat

    def _allowed(self, part: Part) -> bool:
        """Whether a part keeps to every smallest amount and to the length of routes; what stands in its way is left
        out from now on."""
        amounts_msat = walk(self._table, part.edges, part.amount_msat)
        network = self._table.network
        if amounts_msat[0] < self._own.htlc_min_msat[self._own_row[part.edges[0]]]:
            self._own.limit_msat[self._own_row[part.edges[0]]] = 0
            return False
        for edge, amount_msat in zip(part.edges[1:], amounts_msat[1:], strict=True):
            position = int(self._table.position[edge])
            if amount_msat < network.htlc_min_msat[position]:
                self._bar(position)
                return False
        if len(part.edges) > self._query.max_hops:
            self._bar(int(self._table.position[part.edges[len(part.edges) // 2]]))
            return False
        return True

    def _leave_out_narrowest(self, edges: tuple[int, ...]) -> None:
        """A way whose channels do not even carry the fees is not to be found again."""
        if len(edges) == 1:
            self._own.limit_msat[self._own_row[edges[0]]] = 0
        else:
            self._bar(int(self._table.position[min(edges[1:], key=self._room_msat)]))

    def _bar(self, position: int) -> None:
        self._barred[position] = True
        self._touched.add(position)

    # What a part takes.

    def _room_msat(self, edge: int) -> int:
        """What an edge of the network is announced and believed to carry beside everything under way."""
        network, position = self._table.network, int(self._table.position[edge])
        row = self._row_of.get(int(network.key[position]), -1)
        _, high_msat = believed_msat(
            network, position, self._memory.facts, row, self._query.now_ns, self._weighing.memory_ns
        )
        return min(int(network.limit_msat[position]), int(high_msat) - int(self._taken_msat[position]))

    def _most_msat(self, edges: tuple[int, ...]) -> int:
        own_msat = int(self._own.limit_msat[self._own_row[edges[0]]])
        return capacity_msat(self._table, edges, own_msat, self._room_msat)

    def _take(self, part: Part, sign: int) -> None:
        """Note what a part takes of its channels, or with -1 give it back."""
        amounts_msat = walk(self._table, part.edges, part.amount_msat)
        self._own.limit_msat[self._own_row[part.edges[0]]] -= sign * amounts_msat[0]
        for edge, amount_msat in zip(part.edges[1:], amounts_msat[1:], strict=True):
            position = int(self._table.position[edge])
            self._taken_msat[position] += sign * amount_msat
            self._touched.add(position)

    def _fee_msat(self, part: Part) -> int:
        return walk(self._table, part.edges, part.amount_msat)[0] - part.amount_msat

    def _expiry_blocks(self, part: Part) -> int:
        deltas = self._table.network.cltv_delta[self._table.position[list(part.edges[1:])]]
        return self._query.final_cltv_blocks + int(deltas.sum())

    # The end.

    def _finished(self, chosen: list[Part], most_parts: int, least_msat: int) -> list[Route] | None:
        """Routes for the parts: those of one way together, so many at most, none too small."""
        together: dict[tuple[int, ...], int] = {}
        for part in chosen:
            together[part.edges] = together.get(part.edges, 0) + part.amount_msat
            self._take(part, -1)
        parts = sorted(map(Part, together, together.values()), key=lambda part: -part.amount_msat)
        few = [part for part in parts[:most_parts] if part.amount_msat >= least_msat] or parts[:1]
        for part in few:
            self._take(part, 1)
        short_msat = self._grow(few, sum(part.amount_msat for part in parts[len(few) :]))
        if short_msat > 0 or sum(map(self._fee_msat, few)) > self._query.fee_limit_msat:
            return None
        if not all(map(self._allowed, few)):
            return None
        return [self._route(part) for part in few]

    def _route(self, part: Part) -> Route:
        expiries = [self._query.final_cltv_blocks]
        for edge in reversed(part.edges[1:]):
            expiries.append(expiries[-1] + int(self._table.network.cltv_delta[self._table.position[edge]]))
        return Route(list(part.edges), walk(self._table, part.edges, part.amount_msat), expiries[::-1], 0)


def paths_of(leaving: dict[int, list[list[int]]], payer: int, payee: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Take a flow apart: paths from payer to payee with the units of each; circles, which bring nothing, vanish.

    `leaving` has for each node what leaves it, as [edge, target, units], and is used up.

    >>> list(paths_of({0: [[10, 1, 3], [12, 2, 1]], 1: [[14, 2, 3]]}, 0, 2))
    [((10, 14), 3), ((12,), 1)]
    """
    while leaving.get(payer):
        nodes, steps = [payer], []
        while nodes[-1] != payee:
            step = leaving[nodes[-1]][0]
            steps.append(step)
            if step[1] in nodes:
                circle = nodes.index(step[1])
                _lower(leaving, nodes[circle:], steps[circle:])
                nodes, steps = nodes[: circle + 1], steps[:circle]
            else:
                nodes.append(step[1])
        edges = tuple(step[0] for step in steps)
        yield edges, _lower(leaving, nodes[:-1], steps)


def _lower(leaving: dict[int, list[list[int]]], nodes: list[int], steps: list[list[int]]) -> int:
    """Take as much off all these steps as the least of them carries."""
    units = min(int(step[2]) for step in steps)
    for node, step in zip(nodes, steps, strict=True):
        step[2] -= units
        if step[2] == 0:
            leaving[node].remove(step)
    return units
