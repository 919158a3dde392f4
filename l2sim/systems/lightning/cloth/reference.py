"""CLoTH's events in plain Python: the readable twin of `kernels_events`, with the plain search."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from l2sim.systems.lightning.cloth.corrections import rules_of, spread
from l2sim.systems.lightning.cloth.rules import HOP_MS, OFFLINE_MS, TIMEOUT_MS
from l2sim.systems.lightning.cloth.search import Belief, Route, search_reference
from l2sim.systems.lightning.cloth.simulation import outages_of
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Payments


class Generator:
    """CLoTH's random numbers from numpy's Mersenne Twister of the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed if seed != 0 else 4357)

    def word(self) -> int:
        """32 random bits."""
        return int(self._random.randint(0, 2**32, dtype=np.uint32))

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return self.word() / 2**32

    def below(self, stop: int) -> int:
        """A whole number in 0..stop-1."""
        while True:
            number = self.word() // (0xFFFFFFFF // stop)
            if number < stop:
                return number

    def normal(self) -> float:
        """A standard normal deviate by the polar method."""
        while True:
            x, y = 2 * self.uniform() - 1, 2 * self.uniform() - 1
            r2 = x * x + y * y
            if 0 < r2 <= 1:
                return y * math.sqrt(-2 * math.log(r2) / r2)


@dataclass(slots=True, eq=False)
class Attempted:
    """One payment, or one half of one, as it goes."""

    payer: int
    payee: int
    amount_msat: int
    start_ms: int
    route: Route | None = None
    attempts: int = 0
    end_ms: int = 0
    succeeded: bool = False
    timed_out: bool = False
    no_balance: int = 0
    offline: int = 0
    hop: int = 0
    failed_hop: int = 0
    failed_offline: bool = False
    parts: list["Attempted"] = field(default_factory=list)
    whole: "Attempted | None" = None
    """The payment that this is a part of."""
    held_msat: int = 0
    """Of its parts, what the payee holds."""
    settled: bool = False
    held: bool = False
    given_up: bool = False
    refused: bool = False


class _Events:
    """CLoTH's queue: a binary heap by time, in which an event passes its equals both ways."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, str, Attempted]] = []

    def put(self, at_ms: int, what: str, payment: Attempted) -> None:
        heap = self.heap
        heap.append((at_ms, what, payment))
        place = len(heap) - 1
        while place > 0 and heap[place][0] <= heap[(place - 1) // 2][0]:
            parent = (place - 1) // 2
            heap[place], heap[parent] = heap[parent], heap[place]
            place = parent

    def take(self) -> tuple[int, str, Attempted]:
        heap = self.heap
        first, last = heap[0], heap.pop()
        if not heap:
            return first
        heap[0] = last
        place = 0
        while True:
            best = place
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(heap) and heap[child][0] <= heap[best][0]:
                    best = child
            if best == place:
                return first
            heap[place], heap[best] = heap[best], heap[place]
            place = best


class Reference:
    """One run of CLoTH's payments: `run` makes them all and returns them, `balance` is what edges hold."""

    def __init__(
        self, network: Network, balance_msat: Int64s, payments: Payments, *, mpp: bool, seed: int,
        fault_probability: float = 0.0, corrected: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._network = network
        self.balance = balance_msat.copy()
        self._mpp = mpp
        self._fault_probability = fault_probability
        self._beliefs: dict[int, Belief] = {}
        self._events = _Events()
        self._rules = rules_of(corrected)
        if "amounts" in corrected:
            payments = spread(payments, seed)
        self._outages = outages_of(network, payments, fault_probability, seed, corrected)
        columns = (column.tolist() for column in payments)
        self.payments = [Attempted(*row) for row in zip(*columns, strict=True)]
        self._random = self._generator(seed)

    def run(self) -> list[Attempted]:
        """Make all payments."""
        for payment in self.payments:
            if not self._rules.live_routes:
                payment.route = self._route(payment, 0)  # on initial balances (defect D4)
        for payment in self.payments:
            self._events.put(payment.start_ms, "find", payment)
        while self._events.heap:
            now_ms, what, payment = self._events.take()
            getattr(self, f"_{what}")(payment, now_ms)
        return self.payments

    def _generator(self, seed: int) -> Generator:
        """CLoTH's generator, past the drawing of the payments if it is the seed that draws these pairs."""
        random = Generator(seed)
        for payment in self.payments:
            pair = (0, 0)
            while pair[0] == pair[1]:
                pair = (random.below(self._network.node_count), random.below(self._network.node_count))
            if pair != (payment.payer, payment.payee):
                return Generator(seed)
            random.normal()
            random.uniform()
        return random

    def _belief(self, payer: int) -> Belief:
        return self._beliefs.setdefault(payer, Belief(rules=self._rules))

    def _route(self, payment: Attempted, now_ms: int) -> Route | None:
        belief = self._belief(payment.payer)
        return search_reference(
            self._network, self.balance, belief, payment.payer, payment.payee, payment.amount_msat, now_ms
        )

    def _hop(self, now_ms: int) -> int:
        deviate, sigma = self._random.normal(), self._rules.latency_sigma
        if sigma > 0:
            return int(now_ms + HOP_MS * math.exp(sigma * deviate - sigma * sigma / 2))
        return int(now_ms + HOP_MS + deviate)

    def _is_offline(self, edge: int, now_ms: int, last: bool = False) -> bool:
        coin = self._random.uniform() < self._fault_probability  # thrown at every hop (defect D7)
        if not self._rules.node_state:
            return coin and not last
        first, begin_ms, end_ms = self._outages
        node = self._ends(edge)[1]
        ours = slice(int(first[node]), int(first[node + 1]))
        return bool(((begin_ms[ours] <= now_ms) & (now_ms < end_ms[ours])).any())

    def _ends(self, edge: int) -> tuple[int, int]:
        return int(self._network.edge_source[edge]), int(self._network.edge_target[edge])

    def _find(self, payment: Attempted, now_ms: int) -> None:
        payment.attempts += 1
        if now_ms > payment.start_ms + TIMEOUT_MS:
            payment.end_ms = payment.start_ms + TIMEOUT_MS if self._rules.deadlines else now_ms
            payment.timed_out = True
            self._give_up_others(payment, now_ms)
            return
        if payment.given_up:
            payment.end_ms = now_ms
            return
        searched = payment.attempts == 1 and not self._rules.live_routes and payment.whole is None
        route = payment.route if searched else self._route(payment, now_ms)
        if route is not None:
            payment.route = route
            self._events.put(now_ms, "send", payment)
            return
        if self._mpp and self._rules.parts > 2:
            self._divide(payment, now_ms)
            return
        payment.end_ms = now_ms
        if payment.attempts > 1 or not self._mpp:
            self._give_up_others(payment, now_ms)
            return
        half = payment.amount_msat // 2
        halves = []
        for amount_msat in (half, payment.amount_msat - half):
            part = Attempted(payment.payer, payment.payee, amount_msat, payment.start_ms, attempts=1, whole=payment)
            part.route = self._route(part, now_ms) if amount_msat > 0 else None
            halves.append(part)
        if all(part.route is not None for part in halves):  # only once, only in two (defect D5)
            payment.parts = halves
            for part in halves:
                self._events.put(now_ms, "send", part)

    def _divide(self, payment: Attempted, now_ms: int) -> None:
        """Halve what finds no route, if there may be more parts: each half is searched again."""
        whole = payment.whole or payment
        half = payment.amount_msat // 2
        if max(1, len(whole.parts)) == self._rules.parts or half < max(self._rules.min_part_msat, 1):
            payment.end_ms = now_ms
            self._give_up_others(payment, now_ms)
            return
        payment.route = None
        shares = [payment.amount_msat - half]
        if payment is whole:
            shares.insert(0, half)
        else:
            payment.amount_msat = half
            payment.attempts -= 1
            self._events.put(now_ms, "find", payment)
        for amount_msat in shares:
            part = Attempted(payment.payer, payment.payee, amount_msat, payment.start_ms, whole=whole)
            whole.parts.append(part)
            self._events.put(now_ms, "find", part)

    def _send(self, payment: Attempted, now_ms: int) -> None:
        route = payment.route or []
        edge, amount_msat = route[0]
        payment.hop = payment.failed_hop = 0
        if self._is_offline(edge, now_ms):
            payment.offline += 1
            payment.failed_offline = True
            self._events.put(now_ms + OFFLINE_MS, "receive_fail", payment)
        elif self.balance[edge] < amount_msat:
            payment.no_balance += 1
            payment.failed_offline = False
            self._events.put(now_ms, "receive_fail", payment)
        else:
            self.balance[edge] -= amount_msat
            self._events.put(self._hop(now_ms), "receive" if len(route) == 1 else "forward", payment)

    def _forward(self, payment: Attempted, now_ms: int) -> None:
        route = payment.route or []
        payment.hop += 1
        edge, amount_msat = route[payment.hop]
        last = payment.hop == len(route) - 1
        offline = self._is_offline(edge, now_ms, last)
        if not offline and self.balance[edge] >= amount_msat:
            self.balance[edge] -= amount_msat
            self._events.put(self._hop(now_ms), "receive" if last else "forward", payment)
            return
        payment.offline += offline
        payment.no_balance += not offline
        payment.failed_hop, payment.failed_offline = payment.hop, offline
        payment.hop -= 1
        at_ms = self._hop(now_ms) + (OFFLINE_MS if offline else 0)
        self._events.put(at_ms, "receive_fail" if payment.hop == 0 else "forward_fail", payment)

    def _receive(self, payment: Attempted, now_ms: int) -> None:
        route, whole = payment.route or [], payment.whole if self._rules.atomic else None
        waits = whole is not None and not whole.settled
        late = self._rules.deadlines and now_ms > payment.start_ms + TIMEOUT_MS
        payment.hop = len(route) - 1
        if payment.given_up or late:
            payment.refused, payment.held = True, False
            self._events.put(self._hop(now_ms), "receive_fail" if payment.hop == 0 else "forward_fail", payment)
        elif whole is not None and waits and whole.held_msat + payment.amount_msat < whole.amount_msat:
            payment.held = True
            whole.held_msat += payment.amount_msat
        else:
            if whole is not None and waits:
                whole.settled = True
                for part in whole.parts:
                    if part.held:
                        part.held = False
                        self._events.put(now_ms, "receive", part)
            payment.succeeded = True
            self._pass_back(payment, now_ms)

    def _give_up_others(self, payment: Attempted, now_ms: int) -> None:
        """Give up the other parts of a payment that is settled whole or not at all."""
        if payment.whole is None or not self._rules.atomic:
            return
        for part in payment.whole.parts:
            if part is not payment and not part.given_up:
                part.given_up = True
                if part.held:
                    self._events.put(now_ms, "receive", part)

    def _forward_success(self, payment: Attempted, now_ms: int) -> None:
        self._pass_back(payment, now_ms)

    def _pass_back(self, payment: Attempted, now_ms: int) -> None:
        """Credit the side of the channel that received, and go on to the one before."""
        edge, amount_msat = (payment.route or [])[payment.hop]
        self.balance[self._network.edge_counter[edge]] += amount_msat
        payment.hop -= 1
        self._events.put(self._hop(now_ms), "receive_success" if payment.hop < 0 else "forward_success", payment)

    def _forward_fail(self, payment: Attempted, now_ms: int) -> None:
        edge, amount_msat = (payment.route or [])[payment.hop]
        self.balance[edge] += amount_msat
        payment.hop -= 1
        self._events.put(self._hop(now_ms), "receive_fail" if payment.hop == 0 else "forward_fail", payment)

    def _receive_success(self, payment: Attempted, now_ms: int) -> None:
        payment.end_ms = now_ms
        belief = self._belief(payment.payer)
        for edge, amount_msat in payment.route or []:
            belief.record_success(*self._ends(edge), amount_msat)

    def _receive_fail(self, payment: Attempted, now_ms: int) -> None:
        payment.end_ms = now_ms
        route = payment.route or []
        if payment.refused:
            self.balance[route[0][0]] += route[0][1]
            if not payment.given_up:
                payment.timed_out, payment.end_ms = True, payment.start_ms + TIMEOUT_MS
                self._give_up_others(payment, now_ms)
            return
        # Of a failure at its own hop the payer learns nothing, unless it sees that the other node is not there.
        if payment.failed_hop > 0 or (self._rules.node_state and payment.failed_offline):
            belief = self._belief(payment.payer)
            if payment.failed_hop > 0:
                self.balance[route[0][0]] += route[0][1]
            edge, amount_msat = route[payment.failed_hop]
            source, target = self._ends(edge)
            if payment.failed_offline:
                belief.record_failure(source, target, 0, now_ms)
                belief.record_failure(target, source, 0, now_ms)
            else:
                for passed, passed_msat in route[: payment.failed_hop]:
                    belief.record_success(*self._ends(passed), passed_msat)
                belief.record_failure(source, target, amount_msat, now_ms)
        self._events.put(now_ms, "find", payment)
