"""Gossip: how what a node announces reaches those who search for routes, at once or late (BOLT 7).

Truth is what nodes do (`forwarding.Policies`, `ChannelState`); what payers search is the announced network
(`routing.RoutingTable`). A `channel_update` says of one edge on which terms its source forwards, whether at all, and
what it asks for of what comes in by the channel.
Instant gossip writes it into the announced network at once. Staggered gossip lets it wait at each relay for that
node's next flush, so that payers meet nodes that ask for more, or are not there: the failures of `refusals` then
tell them. A new channel is announced once its funding is deep enough; one that closes is disabled by updates of both
its ends, and forgotten by all once its funding has been spent for long, or once an update of it is stale (`staleness`).
Payers have one view, that of the median observer, or those of their classes (`views`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from l2sim.engine import NS_PER_S, Environment, Stream, Streams, ns
from l2sim.l1.base import OnReceipt, Receipt
from l2sim.systems.lightning.forwarding import Policies
from l2sim.systems.lightning.gossip_config import Gossip, Observers, StaggeredGossip
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.state import ChannelState, Phase
from l2sim.systems.lightning.told import Terms
from l2sim.systems.lightning.views import Views

FORGOTTEN: Final = 2**63
"""The number of an update that no other follows."""


class Depth(Protocol):
    """What announcements need of L1."""

    def confirm(self, receipt: Receipt, confirmations: int, done: OnReceipt) -> None:
        """Call `done` when the block of `receipt` has that many confirmations."""


class _Allowance:
    """A relay's rate limit for one edge: so many updates at once, and one more each interval (LND)."""

    __slots__ = ("left", "since_ns")

    def __init__(self, left: int, now_ns: int) -> None:
        self.left = left
        self.since_ns = now_ns

    def take(self, now_ns: int, burst: int, interval_ns: int) -> bool:
        """Whether one more update may pass now."""
        refilled = (now_ns - self.since_ns) // interval_ns
        if refilled:
            self.left = min(burst, self.left + refilled)
            self.since_ns += refilled * interval_ns
        if not self.left:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class View:
    """What one class of observers knows, and how news reach it: at once without a stream to draw from."""

    table: RoutingTable
    known: npt.NDArray[np.bool_]
    """Whether it has heard that each channel exists."""
    way: Observers
    stream: Stream | None
    newest: dict[int, int] = field(default_factory=dict)
    """By edge the number of the newest update it has; older ones that come later are dropped."""

    def delay_ns(self, now_ns: int) -> int:
        """How long news take to it: at each relay until its next flush, and until it next asks."""
        way = self.way
        waits = 0.0 if self.stream is None else sum(self.stream.uniform() for _ in range(way.relays))
        heard_ns = int(waits * way.flush_s * NS_PER_S)
        if way.sync_every_s:
            every_ns = ns(way.sync_every_s)
            heard_ns = -(-(now_ns + heard_ns) // every_ns) * every_ns - now_ns
        return heard_ns


class Announcements:
    """Takes what nodes announce to the announced network."""

    def __init__(
        self,
        config: Gossip,
        environment: Environment,
        streams: Streams,
        state: ChannelState,
        policies: Policies,
        views: Views,
        chain: Depth,
    ) -> None:
        self._environment = environment
        self._state = state
        self._policies = policies
        self._chain = chain
        self._staggered = config if isinstance(config, StaggeredGossip) else None
        self._views: list[View] = []
        for number, table in enumerate(views.tables):
            way = Observers(share=1.0)
            stream = None
            if self._staggered is not None and number == 0:
                way = Observers(share=1.0, relays=self._staggered.relays, flush_s=self._staggered.flush_s)
                stream = streams.get("lightning/gossip")
            elif self._staggered is not None:
                way = self._staggered.observers[number - 1]
                stream = streams.get(f"lightning/gossip to observers {number}")
            self._views.append(View(table, state.phase == Phase.OPEN, way, stream))
        self._allowances: dict[int, _Allowance] = {}
        self._sent_of: dict[int, int] = {}
        self.on_update: Callable[[int], None] = lambda _: None
        """Called with each edge that an update is sent of."""
        self.sent = 0
        """channel_updates sent."""
        self.dropped = 0
        """Of these, those that relays did not pass on, having passed on too many."""
        self.pruned = 0
        """Channels dropped by all because of a stale update."""

    def update(self, edge: int) -> None:
        """The source of `edge` sends a channel_update with its terms of this moment."""
        self.sent += 1
        self._sent_of[edge] = self.sent
        now, policies, terms = self._environment.now, self._policies, self.terms_of(edge)
        inbound = int(policies.inbound_base_msat[edge ^ 1]), int(policies.inbound_ppm[edge ^ 1])
        self.on_update(edge)
        config = self._staggered
        if config is None:
            for view in self._views:
                view.table.update(edge, *terms)
                view.table.update_inbound(edge ^ 1, *inbound)
            return
        allowance = self._allowances.get(edge)
        if allowance is None:
            allowance = self._allowances[edge] = _Allowance(config.burst, now)
        if not allowance.take(now, config.burst, ns(config.refill_s)):
            self.dropped += 1
            return
        for view in self._views:
            self._environment.call_in(view.delay_ns(now), self._heard, view, edge, self.sent, terms, inbound)

    def opened(self, channel: int, funding: Receipt) -> None:
        """A channel is usable: payers hear of it, sooner or later."""
        self.on_update(2 * channel)
        self.on_update(2 * channel + 1)
        config = self._staggered
        if config is None:
            for view in self._views:
                self._introduce(view, channel)
        else:
            self._chain.confirm(funding, config.announce_confirmations, lambda _: self._announce(channel))

    def _announce(self, channel: int, limits_msat: tuple[int, int] | None = None) -> None:
        """All payers hear of a channel in time, and that it carries so much, or all its capacity."""
        for view in self._views:
            delay_ns = view.delay_ns(self._environment.now)
            self._environment.call_in(delay_ns, self._introduce, view, channel, limits_msat)

    def _introduce(self, view: View, channel: int, limits_msat: tuple[int, int] | None = None) -> None:
        """Payers hear of a channel, unless it is closing already."""
        if self._state.phase[channel] == Phase.OPEN:
            view.known[channel] = True
            view.table.announce(channel, int(self._state.capacity_msat[channel]), limits_msat)

    def spliced(self, channel: int, limits_msat: tuple[int, int]) -> None:
        """A channel has another capacity, and carries so much over its two edges: payers hear of it at once."""
        for view in self._views:
            view.table.announce(channel, int(self._state.capacity_msat[channel]), limits_msat)

    def closing(self, channel: int) -> None:
        """A channel takes no more HTLCs: both its ends say so."""
        if self._staggered is None:
            self._take_off(channel)
        else:
            self.update(2 * channel)
            self.update(2 * channel + 1)

    def spent(self, channel: int, closing: Receipt) -> None:
        """A channel's funding is spent in a block."""
        if self._staggered is not None:
            self._chain.confirm(closing, self._staggered.prune_blocks, lambda _: self._forget(channel))

    def _forget(self, channel: int) -> None:
        """Everybody drops a channel."""
        for view in self._views:
            view.newest[2 * channel] = view.newest[2 * channel + 1] = FORGOTTEN
        self._take_off(channel)

    def prune(self, channel: int) -> None:
        """Everybody drops a channel of which an update is stale; what is on its way of it comes too late."""
        self.pruned += 1
        for view in self._views:
            view.known[channel] = False
            view.newest[2 * channel] = view.newest[2 * channel + 1] = self.sent
        self._take_off(channel)

    def revive(self, channel: int) -> None:
        """A channel that was dropped is announced again, with updates of both its ends."""
        sides = 2 * channel, 2 * channel + 1
        self._announce(channel, (self._announced_limit_msat(sides[0]), self._announced_limit_msat(sides[1])))
        for edge in sides:
            self.update(edge)

    def _take_off(self, channel: int) -> None:
        for view in self._views:
            view.table.announce(channel, 0)

    def _announced_limit_msat(self, edge: int) -> int:
        state = self._state
        if state.phase[edge >> 1] != Phase.OPEN or not state.enabled[edge]:
            return 0
        return int(min(state.htlc_max_msat[edge], state.capacity_msat[edge >> 1]))

    def terms_of(self, edge: int) -> Terms:
        """The terms that the source of an edge would announce now."""
        policies = self._policies
        return (
            int(policies.base_fee_msat[edge]),
            int(policies.fee_ppm[edge]),
            int(policies.cltv_delta[edge]),
            int(self._state.htlc_min_msat[edge]),
            self._announced_limit_msat(edge),
        )

    def sent_of(self, edge: int) -> int:
        """The number of the last update of an edge, 0 if there was none."""
        return self._sent_of.get(edge, 0)

    def heard_of(self, view: int, edge: int) -> int:
        """The number of the newest update of an edge that a view has, -1 if it has had none."""
        return self._views[view].newest.get(edge, -1)

    def _heard(self, view: View, edge: int, number: int, terms: Terms, inbound: tuple[int, int]) -> None:
        """Payers know an update, unless they know a newer one."""
        if view.newest.get(edge, -1) < number:
            view.newest[edge] = number
            # What was spliced meanwhile is known by its capacity; what was not announced cannot be used.
            most_msat = int(self._state.capacity_msat[edge >> 1]) if view.known[edge >> 1] else 0
            view.table.update(edge, *terms[:4], min(terms[4], most_msat))
            view.table.update_inbound(edge ^ 1, *inbound)
