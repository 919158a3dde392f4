"""The life of a payment: routes tried one after the other until one delivers or the payer gives up.

A payer searches with what is announced, what it knows of its own channels and what it learned; sends one attempt;
learns from its failure how far it came; and tries again at once, until no route is left, the attempts are used up,
or the time is over.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, ns
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, PaymentRecord
from l2sim.systems.lightning.htlc import Attempt, HtlcNetwork
from l2sim.systems.lightning.payer_config import Payer
from l2sim.systems.lightning.policies.choice import make_belief
from l2sim.systems.lightning.refusals import AT_ANY_AMOUNT, BY_PAYEE, Refusal
from l2sim.systems.lightning.routing import (
    MAX_PAYMENT_MSAT,
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    OwnChannels,
    Query,
    Route,
    RoutingTable,
    fee_limit_msat,
)
from l2sim.systems.lightning.search import Searcher
from l2sim.systems.lightning.state import ChannelState, Phase, Waived
from l2sim.workload.payments import Workload

# What a payment ends with when it could go out over the payer's own channels only without a rule: the first that
# is enough.
OWN_OBSTACLES: Final = (
    (Waived.SLOTS, Outcome.TOO_MANY_HTLCS),
    (Waived.OTHER_SIDES_FEE, Outcome.NO_LIQUIDITY),
    (Waived.MAXIMUM, Outcome.NO_ROUTE),
    (Waived.BALANCE, Outcome.INSUFFICIENT_FUNDS),
)
# The same when one of them refused an attempt at the last moment.
REFUSED_BY_OWN: Final = {
    Refusal.CHANNEL_DISABLED: Outcome.NO_ROUTE,
    Refusal.AMOUNT_BELOW_MINIMUM: Outcome.AMOUNT_TOO_SMALL,
    Refusal.AMOUNT_ABOVE_MAXIMUM: Outcome.NO_ROUTE,
    Refusal.TOO_MANY_HTLCS: Outcome.TOO_MANY_HTLCS,
    Refusal.IN_FLIGHT_CAP: Outcome.TOO_MANY_HTLCS,
    Refusal.DUST_EXPOSURE: Outcome.TOO_MANY_HTLCS,
    Refusal.INSUFFICIENT_BALANCE: Outcome.INSUFFICIENT_FUNDS,
}


def refused_by_others(refusal: Refusal) -> Outcome:
    """What a payment ends with when no way is left after another node's refusal."""
    if refusal in (Refusal.TOO_MANY_HTLCS, Refusal.IN_FLIGHT_CAP, Refusal.DUST_EXPOSURE):
        return Outcome.TOO_MANY_HTLCS
    return Outcome.NOT_FORWARDED if refusal in AT_ANY_AMOUNT else Outcome.NO_LIQUIDITY


class OwnEdges:
    """The edges that leave each node, in order of their numbers, made when first asked for."""

    def __init__(self, state: ChannelState, nodes: int) -> None:
        self._state = state
        self._order = np.argsort(state.source, kind="stable")
        self._start = np.searchsorted(state.source[self._order], np.arange(nodes + 1))
        self._known: dict[int, OwnChannels] = {}

    @property
    def most(self) -> int:
        """The most edges that leave one node."""
        return int(np.diff(self._start).max(initial=0))

    def of(self, node: int) -> OwnChannels:
        """The edges of a node; their limits are still to be filled in."""
        own = self._known.get(node)
        if own is None:
            edges = np.sort(self._order[self._start[node] : self._start[node + 1]]).astype(np.int64)
            own = self._known[node] = OwnChannels(
                edge=edges,
                target=self._state.target[edges].astype(np.int32),
                htlc_min_msat=self._state.htlc_min_msat[edges],
                limit_msat=np.zeros(len(edges), np.int64),
            )
        return own

    def has_open_channel(self, node: int) -> bool:
        """Whether the node is on the network."""
        return bool((self._state.phase[self.of(node).edge >> 1] == Phase.OPEN).any())


class _Live:
    """A payment under way."""

    __slots__ = ("deadline_ns", "last_hop", "last_refusal", "shunned")

    def __init__(self, deadline_ns: int) -> None:
        self.deadline_ns = deadline_ns
        self.shunned: list[int] = []
        """Own edges that refused an attempt: not tried again for this payment."""
        self.last_refusal: Refusal | None = None
        self.last_hop = NEVER


class Payments:
    """Carries out the payments of a workload over an `HtlcNetwork`, and writes what becomes of them."""

    def __init__(
        self,
        environment: Environment,
        workload: Workload,
        node_of_user: npt.NDArray[np.int32],
        record: PaymentRecord,
        state: ChannelState,
        table: RoutingTable,
        payer: Payer,
    ) -> None:
        self._environment = environment
        self._workload = workload
        self._node_of_user = node_of_user
        self._record = record
        self._state = state
        self._table = table
        self._payer = payer
        self._own = OwnEdges(state, table.node_count)
        self._searcher = Searcher(table, payer, self._own.most)
        self._belief = make_belief(table, payer)
        self._timeout_ns = ns(payer.timeout_s)
        self._live: dict[int, _Live] = {}
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
        return self._searcher.searches

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
        self._live[payment] = _Live(now + self._timeout_ns)
        self._try(payment)

    def _ends(self, payment: int) -> tuple[int, int]:
        nodes, workload = self._node_of_user, self._workload
        return int(nodes[workload.payer[payment]]), int(nodes[workload.payee[payment]])

    def _try(self, payment: int) -> None:
        """Search a route and send an attempt, or end the payment."""
        live = self._live[payment]
        now = self._environment.now
        if live.last_refusal is not None and (
            self._giving_up or now >= live.deadline_ns or self._record.attempts[payment] >= self._payer.max_attempts
        ):
            self._end(payment, Outcome.TIMED_OUT)
            return
        payer, payee = self._ends(payment)
        amount_msat = int(self._workload.amount_msat[payment])
        own = self._own.of(payer)
        own.limit_msat[:] = self._limits(own, live, Waived.NOTHING)
        if own.limit_msat.max() < amount_msat:
            self._end(payment, self._why_not_out(own, live, amount_msat))
            return
        query = self._searcher.query(payer, payee, amount_msat, fee_limit_msat(self._payer, amount_msat), now)
        memory = self._belief.of(payer)
        if memory is None:
            route = self._searcher.find(query, own)
        else:
            route = self._searcher.find(query, own, memory.table, memory.count)
        if route is None:
            self._end(payment, self._why_no_route(query, own, live, memory is not None))
            return
        self._send(payment, payer, route)

    def _send(self, payment: int, payer: int, route: Route) -> None:
        record = self._record
        record.attempts[payment] += 1
        record.hops[payment] = len(route.edges)
        target = self._state.target
        nodes = [payer, *(int(target[edge]) for edge in route.edges)]
        attempt = Attempt(payment, nodes, route)
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

    def _limits(self, own: OwnChannels, live: _Live, waived: Waived) -> npt.NDArray[np.int64]:
        """What the payer can send over each of its channels, those aside that refused this payment."""
        limits = self._state.spendable_msat(own.edge, waived)
        if live.shunned:
            limits[np.isin(own.edge, live.shunned)] = 0
        return limits

    def _own_obstacle(
        self, own: OwnChannels, live: _Live, enough: Callable[[npt.NDArray[np.int64]], bool]
    ) -> Outcome | None:
        """The first rule of the payer's own channels without which their limits are enough."""
        before = own.limit_msat
        for waived, outcome in OWN_OBSTACLES:
            limits = self._limits(own, live, waived)
            if not np.array_equal(limits, before) and enough(limits):
                return outcome
            before = limits
        return None

    def _why_not_out(self, own: OwnChannels, live: _Live, amount_msat: int) -> Outcome:
        """Why none of the payer's own channels takes the amount."""
        if live.last_refusal is not None and live.last_hop == 0:
            return REFUSED_BY_OWN.get(live.last_refusal, Outcome.NO_ROUTE)
        obstacle = self._own_obstacle(own, live, lambda limits: bool(limits.max() >= amount_msat))
        if obstacle is not None:
            return obstacle
        open_to = self._state.phase[own.edge >> 1] == Phase.OPEN
        if (open_to & ~self._state.connected[own.edge >> 1]).any():
            return Outcome.NOT_FORWARDED  # those it could pay by are away
        return Outcome.NO_ROUTE if open_to.any() else Outcome.NOT_ONBOARDED

    def _why_no_route(self, query: Query, own: OwnChannels, live: _Live, remembers: bool) -> Outcome:
        """What stood in the way, by searching again without it."""
        pruned = self._searcher.pruned
        if live.last_refusal is not None:
            if live.last_hop == 0:
                return REFUSED_BY_OWN.get(live.last_refusal, Outcome.NO_ROUTE)
            return refused_by_others(live.last_refusal)
        if remembers:
            if self._searcher.find(query, own) is not None:
                return Outcome.NO_LIQUIDITY
            pruned |= self._searcher.pruned
        query = query._replace(fee_limit_msat=MAX_PAYMENT_MSAT - query.amount_msat)
        if pruned & PRUNED_BY_FEE:
            if self._searcher.find(query, own) is not None:
                return Outcome.FEE_LIMIT
            pruned |= self._searcher.pruned
        if pruned & PRUNED_BY_OWN_FUNDS:
            obstacle = self._own_obstacle(
                own, live, lambda limits: self._searcher.find(query, own._replace(limit_msat=limits)) is not None
            )
            if obstacle is not None:
                return obstacle
            pruned |= self._searcher.pruned
        own = own._replace(
            limit_msat=self._limits(own, live, Waived.BALANCE), htlc_min_msat=np.zeros(len(own.edge), np.int64)
        )
        if pruned & PRUNED_BY_MINIMUM and self._searcher.find_below_minimum(query, own) is not None:
            return Outcome.AMOUNT_TOO_SMALL
        return Outcome.NO_ROUTE

    def _end(self, payment: int, outcome: Outcome) -> None:
        """The payment has failed."""
        live = self._live.pop(payment)
        self._record.outcome[payment] = outcome
        self._record.failed_hop[payment] = live.last_hop
        if live.last_refusal is not None:
            self._record.failure_code[payment] = live.last_refusal.code

    # What the HTLC network tells.

    def arrived(self, attempt: Attempt) -> None:
        """The payee holds the HTLC: a payment of one part is complete."""
        assert self._network is not None  # it has just called
        self._network.fulfil(attempt)

    def delivered(self, attempt: Attempt) -> None:
        """The payee has released the preimage: it is assured of the money."""
        payment, record = attempt.payment, self._record
        record.outcome[payment] = Outcome.COMPLETED
        record.assured_ns[payment] = self._environment.now
        record.fee[payment] = attempt.amounts_msat[0] - attempt.amounts_msat[-1]

    def final(self, attempt: Attempt) -> None:
        """The payee owns the money in its channel for good."""
        self._record.final_ns[attempt.payment] = self._environment.now

    def finished(self, attempt: Attempt) -> None:
        """Every hop of the payment is settled, and the payer knows that its route carried the amount."""
        del self._live[attempt.payment]
        self._forget_in_flight(attempt)
        self._learn(attempt, len(attempt.edges), settled=True)
        self.fees_msat += attempt.amounts_msat[0] - attempt.amounts_msat[-1]

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """An attempt came back from channel `hop`, or from the payee beyond the last: learn and try again."""
        live = self._live[attempt.payment]
        live.last_refusal, live.last_hop = refusal, hop
        self._forget_in_flight(attempt)
        if hop == 0:
            # The payer's own channel answers within the attempt's call: the next try is a call of its own.
            live.shunned.append(attempt.edges[0])
            self._environment.call_in(0, self._try, attempt.payment)
            return
        self._learn(attempt, hop)
        if refusal in BY_PAYEE:
            self._end(attempt.payment, Outcome.REFUSED_BY_PAYEE)
            return
        # Whatever else the payee's node says, it says of the channel that led to it.
        edge_at = min(hop, len(attempt.edges) - 1)
        position = int(self._table.position[attempt.edges[edge_at]])
        if position >= 0:
            amount_msat = 0 if refusal in AT_ANY_AMOUNT else attempt.amounts_msat[edge_at]
            self._belief.failed(attempt.nodes[0], position, amount_msat, self._environment.now)
        self._try(attempt.payment)

    def _learn(self, attempt: Attempt, hops: int, settled: bool = False) -> None:
        """Remember that the first `hops` channels carried their amounts; the payer's own needs no memory."""
        belief, now, positions = self._belief, self._environment.now, self._table.position
        note = belief.settled if settled else belief.carried
        for hop in range(1, hops):
            note(attempt.nodes[0], int(positions[attempt.edges[hop]]), attempt.amounts_msat[hop], now)
