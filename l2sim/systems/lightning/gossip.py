"""Gossip: how what a node announces reaches those who search for routes, at once or late (BOLT 7).

Truth is what nodes do (`forwarding.Policies`, `ChannelState`); what payers search is the announced network
(`routing.RoutingTable`). A `channel_update` says of one edge on which terms its source forwards, whether at all, and
what it asks for of what comes in by the channel.
Instant gossip writes it into the announced network at once. Staggered gossip lets it wait at each relay for that
node's next flush, so that payers meet nodes that ask for more, or are not there: the failures of `refusals` then
tell them. A new channel is announced once its funding is deep enough; one that closes is disabled by updates of both
its ends, and forgotten by all once its funding has been spent for long. All payers have one view, that of the median
observer. Nodes that are there refresh what they announced before its 14 days are over (BOLT 7), so nothing of theirs
grows stale.
"""

from typing import Final, Protocol

import numpy as np

from l2sim.engine import NS_PER_S, Environment, Stream, Streams, ns
from l2sim.l1.base import OnReceipt, Receipt
from l2sim.systems.lightning.forwarding import Policies
from l2sim.systems.lightning.gossip_config import FeeChanges, Gossip, StaggeredGossip
from l2sim.systems.lightning.graph import MAX_BASE_FEE_MSAT, MAX_FEE_PPM, MAX_INBOUND
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.state import ChannelState, Phase
from l2sim.systems.lightning.times import mean_s

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


class Announcements:
    """Takes what nodes announce to the announced network."""

    def __init__(
        self,
        config: Gossip,
        environment: Environment,
        streams: Streams,
        state: ChannelState,
        policies: Policies,
        table: RoutingTable,
        chain: Depth,
    ) -> None:
        self._environment = environment
        self._state = state
        self._policies = policies
        self._table = table
        self._chain = chain
        self._known = state.phase == Phase.OPEN
        """Whether payers have heard that each channel exists."""
        self._staggered = config if isinstance(config, StaggeredGossip) else None
        self._stream = streams.get("lightning/gossip") if self._staggered is not None else None
        self._allowances: dict[int, _Allowance] = {}
        self._newest: dict[int, int] = {}
        """By edge the number of the newest update that payers have; older ones that come later are dropped."""
        self.sent = 0
        """channel_updates sent."""
        self.dropped = 0
        """Of these, those that relays did not pass on, having passed on too many."""

    def update(self, edge: int) -> None:
        """The source of `edge` sends a channel_update with its terms of this moment."""
        self.sent += 1
        now = self._environment.now
        limit_msat = self._announced_limit_msat(edge)
        policies = self._policies
        terms = (
            int(policies.base_fee_msat[edge]),
            int(policies.fee_ppm[edge]),
            int(policies.cltv_delta[edge]),
            int(self._state.htlc_min_msat[edge]),
            limit_msat,
        )
        inbound = int(policies.inbound_base_msat[edge ^ 1]), int(policies.inbound_ppm[edge ^ 1])
        config = self._staggered
        if config is None or self._stream is None:
            self._table.update(edge, *terms)
            self._table.update_inbound(edge ^ 1, *inbound)
            return
        allowance = self._allowances.get(edge)
        if allowance is None:
            allowance = self._allowances[edge] = _Allowance(config.burst, now)
        if not allowance.take(now, config.burst, ns(config.refill_s)):
            self.dropped += 1
            return
        self._environment.call_in(self.delay_ns(config, self._stream), self._heard, edge, self.sent, terms, inbound)

    def opened(self, channel: int, funding: Receipt) -> None:
        """A channel is usable: payers hear of it, sooner or later."""
        config = self._staggered
        if config is None:
            self._introduce(channel)
        else:
            self._chain.confirm(funding, config.announce_confirmations, lambda _: self._announce(channel, config))

    def _announce(self, channel: int, config: StaggeredGossip) -> None:
        assert self._stream is not None  # staggered gossip has one
        self._environment.call_in(self.delay_ns(config, self._stream), self._introduce, channel)

    def _introduce(self, channel: int) -> None:
        """Payers hear of a channel, unless it is closing already."""
        if self._state.phase[channel] == Phase.OPEN:
            self._known[channel] = True
            self._table.announce(channel, int(self._state.capacity_msat[channel]))

    def closing(self, channel: int) -> None:
        """A channel takes no more HTLCs: both its ends say so."""
        if self._staggered is None:
            self._table.announce(channel, 0)
        else:
            self.update(2 * channel)
            self.update(2 * channel + 1)

    def spent(self, channel: int, closing: Receipt) -> None:
        """A channel's funding is spent in a block."""
        if self._staggered is not None:
            self._chain.confirm(closing, self._staggered.prune_blocks, lambda _: self._forget(channel))

    def _forget(self, channel: int) -> None:
        """Everybody drops a channel."""
        self._newest[2 * channel] = self._newest[2 * channel + 1] = FORGOTTEN
        self._table.announce(channel, 0)

    @staticmethod
    def delay_ns(config: StaggeredGossip, stream: Stream) -> int:
        """How long an update takes to the median observer: at each relay until its next flush."""
        waits = sum(stream.uniform() for _ in range(config.relays))
        return int(waits * config.flush_s * NS_PER_S)

    def _announced_limit_msat(self, edge: int) -> int:
        state = self._state
        if state.phase[edge >> 1] != Phase.OPEN or not state.enabled[edge]:
            return 0
        return int(min(state.htlc_max_msat[edge], state.capacity_msat[edge >> 1]))

    def _heard(self, edge: int, number: int, terms: tuple[int, int, int, int, int], inbound: tuple[int, int]) -> None:
        """Payers know an update, unless they know a newer one."""
        if self._newest.get(edge, -1) < number:
            self._newest[edge] = number
            # What was spliced meanwhile is known by its capacity; what was not announced cannot be used.
            most_msat = int(self._state.capacity_msat[edge >> 1]) if self._known[edge >> 1] else 0
            self._table.update(edge, *terms[:4], min(terms[4], most_msat))
            self._table.update_inbound(edge ^ 1, *inbound)


class FeeChanger:
    """Routers that change what they ask for, one edge at a time, at random."""

    def __init__(
        self,
        config: FeeChanges,
        environment: Environment,
        streams: Streams,
        edges: int,
        policies: Policies,
        announcements: Announcements,
    ) -> None:
        self._config = config
        self._environment = environment
        self._stream = streams.get("lightning/fee changes")
        self._edges = edges
        self._policies = policies
        self._announcements = announcements
        self._base_fee_msat = policies.base_fee_msat[:edges].copy()
        self._fee_ppm = policies.fee_ppm[:edges].copy()
        self._inbound_base_msat = policies.inbound_base_msat[:edges].copy()
        self._inbound_ppm = policies.inbound_ppm[:edges].copy()
        self._mean_ns = ns(mean_s(config.every) / max(1, edges))
        self.changes = 0

    def start(self) -> None:
        """Begin; the next change of all edges together comes after an exponential time."""
        if self._edges:
            self._environment.call_in(self._stream.exponential_ns(self._mean_ns), self._change)

    def _change(self) -> None:
        """One edge's source asks for its first fees times a log-normal factor."""
        edge = self._stream.integer(self._edges)
        factor = float(np.exp(self._config.sigma * self._stream.generator.standard_normal()))
        base_fee_msat = min(MAX_BASE_FEE_MSAT, round(int(self._base_fee_msat[edge]) * factor))
        fee_ppm = min(MAX_FEE_PPM, round(int(self._fee_ppm[edge]) * factor))
        delta = int(self._policies.cltv_delta[edge])
        self._policies.change(edge, self._environment.now, base_fee_msat, fee_ppm, delta)
        base_msat, ppm = int(self._inbound_base_msat[edge ^ 1]), int(self._inbound_ppm[edge ^ 1])
        if base_msat or ppm:
            base_msat, ppm = (max(-MAX_INBOUND, min(MAX_INBOUND, round(value * factor))) for value in (base_msat, ppm))
            self._policies.change_inbound(edge ^ 1, self._environment.now, base_msat, ppm)
        self._announcements.update(edge)
        self.changes += 1
        self.start()
