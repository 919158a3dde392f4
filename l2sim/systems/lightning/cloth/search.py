"""CLoTH's path search in plain Python: what the compiled one must find, and the order in which CLoTH looks.

The search runs from the payee back to the payer. Every label says what its node must receive, how likely the rest
of the way is and what it weighs; the distance that decides is

    D = floor(W + 100 000 msat / P),    W the fees and 15 billionths of the amount per block of timelock

The payer asks neither fee nor timelock. Nodes leave the heap by D, then by P; where both are equal by the inner
order of CLoTH's binary heap, in which an entry stays below its equals on the way up and passes them on the way down.
"""

from dataclasses import dataclass, field

from l2sim.systems.lightning.cloth.rules import (
    APRIORI,
    ATTEMPT_COST_MSAT,
    FINAL_TIMELOCK,
    KNOWN,
    MAX_HOPS,
    MAX_TIMELOCK,
    MIN_PROBABILITY,
    RELAX_MS,
    RISK_FACTOR,
    Rules,
)
from l2sim.systems.lightning.cloth.tables import Int64s, Network

Route = list[tuple[int, int]]
"""Edges from the payer on, each with the amount that goes over it in msat."""


@dataclass(slots=True)
class PairRecord:
    """What one payer knows of one pair of nodes; `failed_ms` is 0 for no failure (defect D8: not its success)."""

    success_msat: int = 0
    failure_msat: int = 0
    failed_ms: int = 0


@dataclass(slots=True)
class Belief:
    """What one payer learned: records by first node and second node of a pair."""

    pairs: dict[int, dict[int, PairRecord]] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)

    def record_success(self, source: int, target: int, amount_msat: int) -> None:
        """An amount went through."""
        record = self.pairs.setdefault(source, {}).setdefault(target, PairRecord())
        record.success_msat = max(record.success_msat, amount_msat)
        if record.failed_ms != 0 and amount_msat > record.failure_msat:
            record.failure_msat = amount_msat + 1

    def record_failure(self, source: int, target: int, amount_msat: int, now_ms: int) -> None:
        """An amount did not; forgotten where a smaller failure is less than a minute old (defect D9)."""
        records = self.pairs.setdefault(source, {})
        record = records.get(target)
        if record is None:
            record = records[target] = PairRecord()
        elif record.failed_ms == 0 and self.rules.fresh_records:
            pass
        elif amount_msat > record.failure_msat and now_ms - record.failed_ms < RELAX_MS:
            return
        record.failure_msat, record.failed_ms = amount_msat, now_ms
        if amount_msat <= record.success_msat:
            record.success_msat = max(amount_msat - 1, 0)

    def node_probability(self, source: int, amount_msat: int, now_ms: int) -> float:
        """The probability of a hop from a node, averaged over all that is known of its pairs."""
        total, weights = APRIORI, 1.0
        for record in self.pairs.get(source, {}).values():
            if record.success_msat >= amount_msat:
                total += KNOWN
                weights += 1.0
            if record.failed_ms != 0 and amount_msat >= record.failure_msat:
                weights += penalty(now_ms - record.failed_ms, self.rules.half_life_ms)
        return total / weights

    def pair_factor(self, source: int, target: int, now_ms: int) -> float:
        """What a failure of this very pair leaves, whatever amount failed (defect D3)."""
        record = self.pairs.get(source, {}).get(target)
        if record is None or record.failed_ms == 0:
            return 1.0
        return 1.0 - penalty(now_ms - record.failed_ms, self.rules.half_life_ms)

    def hop_probability(self, source: int, target: int, amount_msat: int, now_ms: int) -> float:
        """The probability of a hop of another node."""
        record = self.pairs.get(source, {}).get(target)
        if record is not None and self.rules.pair_by_amount:
            if record.success_msat >= amount_msat:
                return KNOWN
            if amount_msat < record.failure_msat:
                return self.node_probability(source, amount_msat, now_ms)
        return self.node_probability(source, amount_msat, now_ms) * self.pair_factor(source, target, now_ms)


def penalty(age_ms: int, half_life_ms: float) -> float:
    """How much of a failure is left after that time."""
    return float(2.0 ** (-age_ms / half_life_ms))


@dataclass(slots=True)
class _Label:
    distance: int
    probability: float
    weight: float
    amount_msat: int
    timelock: int
    edge: int = -1
    toward: int = -1


class _Heap:
    """CLoTH's binary heap of nodes, by their labels' distance and probability."""

    def __init__(self, labels: dict[int, _Label]) -> None:
        self._labels = labels
        self.nodes: list[int] = []

    def put(self, node: int) -> None:
        """Add a node, or move it up after its label has improved."""
        nodes = self.nodes
        if node not in nodes:
            nodes.append(node)
        place = nodes.index(node)
        while place > 0:
            parent = (place - 1) // 2
            if not self._key(place) < self._key(parent):
                break
            nodes[place], nodes[parent] = nodes[parent], nodes[place]
            place = parent

    def take(self) -> int:
        """Take the first node off; the last takes its place and sinks."""
        nodes = self.nodes
        first, last = nodes[0], nodes.pop()
        if not nodes:
            return first
        nodes[0] = last
        place = 0
        while True:
            best = place
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(nodes) and self._key(child) <= self._key(best):
                    best = child
            if best == place:
                return first
            nodes[place], nodes[best] = nodes[best], nodes[place]
            place = best

    def _key(self, place: int) -> tuple[int, float]:
        label = self._labels[self.nodes[place]]
        return label.distance, label.probability


def search_reference(
    network: Network, balance_msat: Int64s, belief: Belief, payer: int, payee: int, amount_msat: int, now_ms: int
) -> Route | None:
    """The route that CLoTH takes, or None."""
    own = network.own_edge[network.own_start[payer] : network.own_start[payer + 1]]
    if amount_msat > max((int(balance_msat[edge]) for edge in own), default=-1):
        return None
    labels = {payee: _Label(0, 1.0, 0.0, amount_msat, FINAL_TIMELOCK)}
    heap = _Heap(labels)
    heap.put(payee)
    while heap.nodes:
        node = heap.take()
        if node == payer:
            return _route(labels, payer, payee)
        here = labels[node]
        amount = here.amount_msat
        for at in range(int(network.start[node]), int(network.start[node + 1])):
            source, edge = int(network.source[at]), int(network.edge[at])
            if amount < network.htlc_min_msat[at]:
                continue
            fee, delta, probability = 0, 0, KNOWN
            if source == payer:
                if balance_msat[edge] < amount:
                    continue
                probability *= belief.pair_factor(source, node, now_ms)
            else:
                if network.capacity_msat[at] < amount:
                    continue
                fee = int(network.base_fee_msat[at]) + amount * int(network.fee_ppm[at]) // 1_000_000
                delta = int(network.timelock[at])
                probability = belief.hop_probability(source, node, amount, now_ms)
            probability *= here.probability
            timelock = here.timelock + delta
            if probability < MIN_PROBABILITY or timelock > MAX_TIMELOCK:
                continue
            weight = here.weight + fee + float(amount + fee) * delta * RISK_FACTOR / 1e9
            distance = int(weight + ATTEMPT_COST_MSAT / probability)
            known = labels.get(source)
            if known is None or (distance, -probability) < (known.distance, -known.probability):
                labels[source] = _Label(distance, probability, weight, amount + fee, timelock, edge, node)
                heap.put(source)
    return None


def _route(labels: dict[int, _Label], payer: int, payee: int) -> Route | None:
    route: Route = []
    node = payer
    while node != payee:
        edge, node = labels[node].edge, labels[node].toward
        route.append((edge, labels[node].amount_msat))
    return route if len(route) <= MAX_HOPS else None
