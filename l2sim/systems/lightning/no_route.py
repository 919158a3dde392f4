"""What a payment ends with when its payer finds no way, or no other way: what stood in the way."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.engine import Call
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.own_edges import OwnEdges
from l2sim.systems.lightning.refusals import AT_ANY_AMOUNT, Refusal
from l2sim.systems.lightning.routing import (
    MAX_PAYMENT_MSAT,
    PRUNED_BY_FEE,
    PRUNED_BY_MINIMUM,
    PRUNED_BY_OWN_FUNDS,
    OwnChannels,
    Query,
)
from l2sim.systems.lightning.search import Searcher
from l2sim.systems.lightning.state import ChannelState, Phase, Waived

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


class Live:
    """A payment under way."""

    __slots__ = (
        "arrived", "avoided", "deadline_ns", "disabled", "failures", "last_hop", "last_refusal", "outcome", "parts",
        "sent", "shunned", "timer",
    )  # fmt: skip

    def __init__(self, deadline_ns: int) -> None:
        self.arrived: list[Attempt] = []
        """Parts that the payee holds."""
        self.sent: list[Attempt] = []
        """Parts under way, those arrived among them."""
        self.timer: Call | None = None
        """Ends the payee's patience."""
        self.parts = 1
        """Parts that the amount is divided into."""
        self.failures = 0
        """Routes that failed."""
        self.outcome: Outcome | None = None
        """What the payment ends with once no part is under way; nothing is sent any more."""
        self.deadline_ns = deadline_ns
        self.shunned: list[int] = []
        """Own edges that refused an attempt: not tried again for this payment."""
        self.avoided: list[int] = []
        """Channels over which a part has failed, of payers who take none twice for a payment."""
        self.disabled: list[int] = []
        """Where in the routing table edges are that refuse any amount, to be forgotten with the payment."""
        self.last_refusal: Refusal | None = None
        self.last_hop = NEVER


class Obstacles:
    """Finds the reason by looking again without one rule after the other."""

    def __init__(self, state: ChannelState, own: OwnEdges) -> None:
        self._state = state
        self._own = own

    def why_not_out(self, own: OwnChannels, live: Live, amount_msat: int) -> Outcome:
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

    def why_no_route(
        self, searcher: Searcher, query: Query, own: OwnChannels, live: Live, remembers: bool, pruned: int
    ) -> Outcome:
        """What stood in the way, by searching again without it; `pruned` is what the search left out."""
        if live.last_refusal is not None:
            if live.last_hop == 0:
                return REFUSED_BY_OWN.get(live.last_refusal, Outcome.NO_ROUTE)
            return refused_by_others(live.last_refusal)
        if remembers:
            if searcher.find(query, own) is not None:
                return Outcome.NO_LIQUIDITY
            pruned |= searcher.pruned
        query = query._replace(fee_limit_msat=MAX_PAYMENT_MSAT - query.amount_msat)
        if pruned & PRUNED_BY_FEE:
            if searcher.find(query, own) is not None:
                return Outcome.FEE_LIMIT
            pruned |= searcher.pruned
        if pruned & PRUNED_BY_OWN_FUNDS:
            obstacle = self._own_obstacle(
                own, live, lambda limits: searcher.find(query, own._replace(limit_msat=limits)) is not None
            )
            if obstacle is not None:
                return obstacle
            pruned |= searcher.pruned
        own = own._replace(
            limit_msat=self._own.limits_msat(own, live.shunned, Waived.BALANCE),
            htlc_min_msat=np.zeros(len(own.edge), np.int64),
        )
        if pruned & PRUNED_BY_MINIMUM and searcher.find_below_minimum(query, own) is not None:
            return Outcome.AMOUNT_TOO_SMALL
        return Outcome.NO_ROUTE

    def _own_obstacle(
        self, own: OwnChannels, live: Live, enough: Callable[[npt.NDArray[np.int64]], bool]
    ) -> Outcome | None:
        """The first rule of the payer's own channels without which their limits are enough."""
        before = own.limit_msat
        for waived, outcome in OWN_OBSTACLES:
            limits = self._own.limits_msat(own, live.shunned, waived)
            if not np.array_equal(limits, before) and enough(limits):
                return outcome
            before = limits
        return None
