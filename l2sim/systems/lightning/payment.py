"""The life of a payment: routes tried one after the other until one delivers or the payer gives up.

A payer searches with what is announced, what it knows of its own channels and what it learned; sends one attempt;
learns from its failure how far it came; and tries again at once, until no route is left, the attempts are used up,
or the time is over. An amount that no route takes is divided, with `split: flow` every amount that may be: each part
is an attempt of its own under the payment's hash, tried again by itself; the payee gathers the parts and takes all or
none.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, ns
from l2sim.money import MSAT_PER_SAT
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, PaymentRecord
from l2sim.systems.lightning.division import capacity_msat, fair_share_msat
from l2sim.systems.lightning.htlc import Attempt, HtlcNetwork
from l2sim.systems.lightning.lessons import Lessons
from l2sim.systems.lightning.no_route import Live, Obstacles
from l2sim.systems.lightning.own_edges import OwnEdges
from l2sim.systems.lightning.payer_config import Payer
from l2sim.systems.lightning.policies.choice import make_belief
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.routing import Query, Route, fee_limit_msat
from l2sim.systems.lightning.search import NO_MEMORY
from l2sim.systems.lightning.sight import Sight
from l2sim.systems.lightning.state import ChannelState, Waived
from l2sim.systems.lightning.views import Views
from l2sim.workload.payments import Workload


class Payments:
    """Carries out the payments of a workload over an `HtlcNetwork`, and writes what becomes of them."""

    def __init__(
        self,
        environment: Environment,
        workload: Workload,
        node_of_user: npt.NDArray[np.int32],
        record: PaymentRecord,
        state: ChannelState,
        views: Views,
        payer: Payer,
    ) -> None:
        self._environment = environment
        self._workload = workload
        self._node_of_user = node_of_user
        self._record = record
        self._state = state
        self._table = views.tables[0]
        """Any view: where edges are in it, which all that is used of it here, is the same in all."""
        self._payer = payer
        self._own = OwnEdges(state, self._table.node_count)
        self._obstacles = Obstacles(state, self._own)
        self.sight = Sight(views, payer, self._own.most)
        self._belief = make_belief(self._table, payer)
        self._lessons = Lessons(self._belief, self._table, payer, self._own)
        self._timeout_ns = ns(payer.timeout_s)
        self._hold_ns = ns(payer.multipath.hold_s)
        self._live: dict[int, Live] = {}
        self._network: HtlcNetwork | None = None
        self._giving_up = False
        self.away: Callable[[int], bool] = lambda _: False
        """Whether a node is away, by its number."""
        self.fees_msat = 0
        """Routing fees paid by payers, of payments that are over."""

    def use(self, network: HtlcNetwork) -> None:
        """Send attempts through that network; called once, before the first payment."""
        self._network = network

    @property
    def under_way(self) -> int:
        """Payments not over yet."""
        return len(self._live)

    @property
    def searches(self) -> int:
        """Path searches made."""
        return self.sight.searches

    def give_up(self) -> None:
        """Start no new attempts from now on."""
        self._giving_up = True

    def pay(self, payment: int) -> None:
        """Send payment number `payment` of the workload now."""
        now = self._environment.now
        self._record.submitted_ns[payment] = now
        payer, payee = self._ends(payment)
        if not (self._own.has_open_channel(payer) and self._own.has_open_channel(payee)):
            self._record.outcome[payment] = Outcome.NOT_ONBOARDED
            return
        if self.away(payer):
            self._record.outcome[payment] = Outcome.OFFLINE
            return
        self._live[payment] = Live(now + self._timeout_ns)
        self._try(payment, int(self._workload.amount_msat[payment]))

    def _ends(self, payment: int) -> tuple[int, int]:
        nodes, workload = self._node_of_user, self._workload
        return int(nodes[workload.payer[payment]]), int(nodes[workload.payee[payment]])

    def _try(self, payment: int, amount_msat: int) -> None:
        """Send a part, all of the payment at first, dividing it further where it must be; or give the payment up."""
        live = self._live.get(payment)
        if live is None or live.outcome is not None:
            return  # it was given up for another part
        now = self._environment.now
        most = self._payer.max_attempts
        tired = now >= live.deadline_ns or (most is not None and live.failures >= most)
        if live.last_refusal is not None and (self._giving_up or tired):
            self._stop(payment, Outcome.TIMED_OUT)
            return
        total_msat = int(self._workload.amount_msat[payment])
        waiting = self._send_flow(payment, live, amount_msat, total_msat)
        while waiting:
            amount_msat = waiting.pop()
            found = self._find(payment, live, amount_msat, total_msat)
            if isinstance(found, Route):
                self._send(payment, live, found, total_msat)
                continue
            divided = self._divide(payment, live, amount_msat, sum(waiting), total_msat)
            if divided is None:
                self._stop(payment, found())
                return
            route, rest_msat = divided
            live.parts += 1
            waiting.append(rest_msat)
            self._send(payment, live, route, total_msat)

    def _send_flow(self, payment: int, live: Live, amount_msat: int, total_msat: int) -> list[int]:
        """Send the parts of a flow if payers divide so and there is one; returns the amounts still to be sent."""
        rules = self._payer.multipath
        parts_left = rules.parts - live.parts + 1
        least_msat = rules.min_part_sat * MSAT_PER_SAT
        payer, _ = self._ends(payment)
        planner = self.sight.of(payer).planner
        if planner is None or parts_left < 2 or amount_msat < 2 * least_msat:
            return [amount_msat]
        own = self._own.of(payer)
        own.limit_msat[:] = self._own.limits_msat(own, live.shunned, Waived.NOTHING)
        if own.limit_msat.sum() < amount_msat:
            return [amount_msat]
        query = self._query(payment, live, amount_msat, total_msat)
        memory = self._belief.of(payer)
        known = (NO_MEMORY, 0) if memory is None else (memory.table, memory.count)
        routes = planner.plan(query, own, *known, parts_left, least_msat)
        if routes is None:
            return [amount_msat]
        live.parts += len(routes) - 1
        waiting = []
        for route in routes:
            # Each HTLC leaves a channel a little less than was reckoned with: its place in the commitment has a fee.
            limits = self._own.limits_msat(own, live.shunned, Waived.NOTHING)
            if limits[np.flatnonzero(own.edge == route.edges[0])[0]] >= route.amounts_msat[0]:
                self._send(payment, live, route, total_msat)
            else:
                waiting.append(route.amounts_msat[-1])
        if 0 < len(waiting) < len(routes):
            return self._send_flow(payment, live, sum(waiting), total_msat)
        return waiting

    def _query(self, payment: int, live: Live, amount_msat: int, total_msat: int) -> Query:
        """A search for a part now, with what is left of the payment's fees."""
        # What parts under way pay in fees is no longer there for this one.
        spent_msat = sum(part.amounts_msat[0] - part.amounts_msat[-1] for part in live.sent)
        limit_msat = max(0, fee_limit_msat(self._payer, total_msat) - spent_msat)
        ends = self._ends(payment)
        return self.sight.of(ends[0]).searcher.query(*ends, amount_msat, limit_msat, self._environment.now)

    def _find(self, payment: int, live: Live, amount_msat: int, total_msat: int) -> Route | Callable[[], Outcome]:
        """The best route for a part, or why there is none, to be asked at once."""
        payer, _ = self._ends(payment)
        own = self._own.of(payer)
        own.limit_msat[:] = self._own.limits_msat(own, live.shunned, Waived.NOTHING)
        if own.limit_msat.max() < amount_msat:
            return lambda: self._obstacles.why_not_out(own, live, amount_msat)
        query = self._query(payment, live, amount_msat, total_msat)
        memory = self._belief.of(payer)
        known = (NO_MEMORY, 0) if memory is None else (memory.table, memory.count)
        route, pruned = self.sight.find(query, own, known, live.avoided)
        if route is not None:
            return route
        searcher = self.sight.of(payer).searcher

        def why() -> Outcome:
            own.limit_msat[:] = self._own.limits_msat(own, live.shunned, Waived.NOTHING)
            return self._obstacles.why_no_route(searcher, query, own, live, memory is not None, pruned)

        return why

    def _divide(
        self, payment: int, live: Live, amount_msat: int, waiting_msat: int, total_msat: int
    ) -> tuple[Route, int] | None:
        """A route for a first part and the rest of an amount without a route; None if it stays whole.

        `waiting_msat` is to go out after it.
        """
        rules = self._payer.multipath
        if rules.split == "flow":
            return None  # where no flow of several parts was found, there is none
        least_msat = rules.min_part_sat * MSAT_PER_SAT
        halving = rules.split == "halving"
        # LND counts the parts under way, and asks for all of the rest again after each (routing/payment_session.go).
        parts_left = rules.parts - (len(live.sent) if halving else live.parts - 1)
        if parts_left < 2 or amount_msat < 2 * least_msat:
            return None
        own = self._own.of(self._ends(payment)[0])
        if own.limit_msat.sum() < amount_msat + waiting_msat:
            return None  # all channels together are not enough: nothing is sent in vain (LND routing/pathfind.go)
        if halving:
            return self._halve(payment, live, amount_msat, least_msat, total_msat)
        return self._fill(payment, live, amount_msat, fair_share_msat(amount_msat, parts_left, least_msat), total_msat)

    def _halve(
        self, payment: int, live: Live, amount_msat: int, least_msat: int, total_msat: int
    ) -> tuple[Route, int] | None:
        """The largest half, quarter, eighth ... that has a route, and the rest."""
        part_msat = amount_msat // 2
        while part_msat >= least_msat:
            found = self._find(payment, live, part_msat, total_msat)
            if isinstance(found, Route):
                return found, amount_msat - part_msat
            part_msat //= 2
        return None

    def _fill(
        self, payment: int, live: Live, amount_msat: int, share_msat: int, total_msat: int
    ) -> tuple[Route, int] | None:
        """As much as the channels of a fair share's route are believed to carry, and the rest."""
        found = self._find(payment, live, share_msat, total_msat)
        if not isinstance(found, Route):
            return None
        payer, _ = self._ends(payment)
        own, table = self._own.of(payer), self.sight.of(payer).table
        taken: dict[int, int] = {}
        for part in live.sent:
            for edge, part_msat in zip(part.edges[1:], part.amounts_msat[1:], strict=True):
                taken[edge] = taken.get(edge, 0) + part_msat
        own_limit_msat = int(own.limit_msat[np.flatnonzero(own.edge == found.edges[0])[0]])
        network, position = table.network, table.position
        carried_msat = capacity_msat(
            table, found.edges, own_limit_msat, lambda e: int(network.limit_msat[position[e]]) - taken.get(e, 0)
        )
        most_msat = min(carried_msat, amount_msat - self._payer.multipath.min_part_sat * MSAT_PER_SAT)
        if most_msat > share_msat:
            fuller = self._find(payment, live, most_msat, total_msat)
            if isinstance(fuller, Route):
                return fuller, amount_msat - most_msat
        return found, amount_msat - share_msat

    def _send(self, payment: int, live: Live, route: Route, total_msat: int) -> None:
        record = self._record
        payer, _ = self._ends(payment)
        target = self._state.target
        nodes = [payer, *(int(target[edge]) for edge in route.edges)]
        attempt = Attempt(payment, nodes, route, total_msat)
        live.sent.append(attempt)
        record.attempts[payment] += 1
        record.hops[payment] = max(len(part.edges) for part in live.sent)
        record.parts[payment] = len(live.sent)
        if self._belief.counts_in_flight:
            for hop in range(1, len(route.edges)):
                position = int(self._table.position[route.edges[hop]])
                self._belief.locked(payer, position, route.amounts_msat[hop], self._environment.now)
        assert self._network is not None  # `use` comes before the first payment
        self._network.send(attempt)

    def _forget_in_flight(self, attempt: Attempt) -> None:
        """The attempt is over: its payer has nothing under way over its channels any more."""
        if self._belief.counts_in_flight:
            for hop in range(1, len(attempt.edges)):
                position = int(self._table.position[attempt.edges[hop]])
                self._belief.unlocked(attempt.nodes[0], position, attempt.amounts_msat[hop])

    def _stop(self, payment: int, outcome: Outcome) -> None:
        """The payer gives up: the payment has failed once no part of it is under way."""
        live = self._live[payment]
        live.outcome = outcome
        if live.sent:
            return
        self._over(payment)
        if self._record.outcome[payment] == Outcome.COMPLETED:
            return  # the payee has been paid although the money came back: by a node between
        self._record.outcome[payment] = outcome
        self._record.failed_hop[payment] = live.last_hop
        if live.last_refusal is not None:
            self._record.failure_code[payment] = live.last_refusal.code

    def _over(self, payment: int) -> None:
        """Nothing of the payment is under way, and nothing will be."""
        live = self._live.pop(payment)
        for position in live.disabled:
            self._belief.forgive(self._ends(payment)[0], position)

    # What the HTLC network tells.

    def arrived(self, attempt: Attempt) -> None:
        """The payee holds a part: with the last it takes all, the first it keeps waiting for so long."""
        assert self._network is not None  # it has just called
        live = self._live.get(attempt.payment)
        if self._record.outcome[attempt.payment] == Outcome.COMPLETED:
            self._network.refuse(attempt, Refusal.UNKNOWN_PAYMENT_DETAILS)  # nobody is paid twice for one invoice
            return
        if attempt.total_msat == attempt.amounts_msat[-1]:
            self._network.fulfil(attempt)  # nothing to wait for
            return
        if live is None or attempt not in live.sent:
            self._network.refuse(attempt, Refusal.MPP_TIMEOUT)  # it ended on chain upstream: the sum will not come
            return
        live.arrived.append(attempt)
        if sum(part.amounts_msat[-1] for part in live.arrived) >= attempt.total_msat:
            self._stop_waiting(live)
            for part in live.arrived:
                self._network.fulfil(part)
        elif live.timer is None:
            live.timer = self._environment.call_in(self._hold_ns, self._refuse_parts, attempt.payment)

    def _stop_waiting(self, live: Live) -> None:
        if live.timer is not None:
            live.timer.cancel()
            live.timer = None

    def _refuse_parts(self, payment: int) -> None:
        """The payee has waited long enough: all parts that it holds go back."""
        assert self._network is not None  # parts have arrived by it
        live = self._live[payment]
        live.timer = None
        parts, live.arrived = live.arrived, []
        for part in parts:
            self._network.refuse(part, Refusal.MPP_TIMEOUT)

    def delivered(self, attempt: Attempt) -> None:
        """The payee has released the preimage: it is assured of the money."""
        payment, record = attempt.payment, self._record
        record.outcome[payment] = Outcome.COMPLETED
        record.assured_ns[payment] = self._environment.now
        live = self._live.get(payment)
        if live is not None and attempt in live.sent:
            record.fee[payment] += attempt.amounts_msat[0] - attempt.amounts_msat[-1]
        else:  # the payer has its money back, and may have given the payment up: a node between pays
            record.failed_hop[payment] = record.failure_code[payment] = NEVER
            record.parts[payment] = 1

    def final(self, attempt: Attempt) -> None:
        """The payee owns the money of a part in its channel for good; the last part's time stays."""
        self._record.final_ns[attempt.payment] = self._environment.now

    def finished(self, attempt: Attempt) -> None:
        """Every hop of a part is settled, and the payer knows that its route carried the amount."""
        live = self._live[attempt.payment]
        live.sent.remove(attempt)
        if not live.sent:
            self._over(attempt.payment)
        self._forget_in_flight(attempt)
        self._lessons.carried(attempt, len(attempt.edges), self._environment.now, settled=True)
        self.fees_msat += attempt.amounts_msat[0] - attempt.amounts_msat[-1]

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """A part came back from channel `hop`, or from the payee beyond the last: learn and try it again."""
        live = self._live[attempt.payment]
        live.sent.remove(attempt)
        if attempt.delivered:  # all the same: on chain, after the payee had the preimage
            self._record.fee[attempt.payment] -= attempt.amounts_msat[0] - attempt.amounts_msat[-1]
        live.failures += 1
        if self._record.outcome[attempt.payment] != Outcome.COMPLETED:
            self._record.parts[attempt.payment] = len(live.sent)
        if attempt in live.arrived:  # it ended on chain upstream while it waited
            live.arrived.remove(attempt)
            assert self._network is not None  # it has just called
            self._network.refuse(attempt, Refusal.MPP_TIMEOUT)
            if not live.arrived:
                self._stop_waiting(live)
        if live.outcome is None or live.last_refusal is None:
            live.last_refusal, live.last_hop = refusal, hop
        self._forget_in_flight(attempt)
        amount_msat = attempt.amounts_msat[-1]
        if hop == 0:
            # The payer's own channel answers within the attempt's call: the next try is a call of its own.
            live.shunned.append(attempt.edges[0])
            if live.outcome is not None:
                self._stop(attempt.payment, live.outcome)
                return
            self._environment.call_in(0, self._try, attempt.payment, amount_msat)
            return
        if self._lessons.failed(attempt, hop, refusal, self._environment.now, live, self.sight.told):
            self._stop(attempt.payment, Outcome.REFUSED_BY_PAYEE if live.outcome is None else live.outcome)
            return
        if live.outcome is not None:
            self._stop(attempt.payment, live.outcome)
        else:
            self._try(attempt.payment, amount_msat)
