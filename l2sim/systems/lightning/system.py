"""The Lightning-like payment system: wiring of its parts, and its books."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, ns
from l2sim.errors import InvariantError
from l2sim.l1.base import Chain, Purpose
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.money import MSAT_PER_SAT
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Audit, Membership, PaymentSystem, World
from l2sim.systems.lightning.agents.books import RouterBook
from l2sim.systems.lightning.agents.build import build_agents
from l2sim.systems.lightning.agents.world import Surroundings, Switchboard
from l2sim.systems.lightning.availability import Comings
from l2sim.systems.lightning.config import AttachedUsers, LightningConfig
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.fee_changes import FeeChanger
from l2sim.systems.lightning.foreseen import foreseen
from l2sim.systems.lightning.forwarding import Judge, Policies
from l2sim.systems.lightning.full_dance import FullNetwork
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.gossip_config import StaggeredGossip
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.htlc import HtlcNetwork
from l2sim.systems.lightning.inbound import has_inbound_fees, with_inbound_fees
from l2sim.systems.lightning.latency import make_latencies
from l2sim.systems.lightning.liquidity import draw_balances
from l2sim.systems.lightning.onchain.breach import Breaches
from l2sim.systems.lightning.onchain.closing import CloseKind, HtlcsOnChain
from l2sim.systems.lightning.onchain.failures import Failures
from l2sim.systems.lightning.onchain.force_close import ForceCloses
from l2sim.systems.lightning.onchain.market import FeeFollower, FeeUpdates
from l2sim.systems.lightning.opening import ChannelBook, Renewals, UserChannels
from l2sim.systems.lightning.parallel import ParallelChannels
from l2sim.systems.lightning.payment import Payments
from l2sim.systems.lightning.policies.choice import style_of
from l2sim.systems.lightning.quick_dance import QuickNetwork
from l2sim.systems.lightning.routing import RememberedBy, RoutingTable
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.staleness import Staleness
from l2sim.systems.lightning.state import ChannelState, Phase
from l2sim.systems.lightning.topology import build_graph
from l2sim.systems.lightning.users import Population, place_users
from l2sim.systems.lightning.views import make_views

DRAWN_CHANNELS = 240
"""How many channels' balances are recorded in each interval: more than that no drawing shows apart."""
LOOKS_PER_BLOCK = 2
"""How often a mean block interval nodes look for HTLCs near their expiry."""


class LightningSystem(PaymentSystem):
    """Payments through channels: source routing, HTLCs locked and settled hop by hop, channels opened on L1.

    Raises TopologyError if the network cannot be built or cannot take the users.
    """

    kind = "lightning"

    def __init__(
        self, name: str, config: LightningConfig, world: World, chain: Chain, graph: ChannelGraph | None = None
    ) -> None:
        super().__init__(name, world, chain)
        if not isinstance(chain, BitcoinChain):
            raise InvariantError(f"system {name}: its chain must be a Bitcoin-like one (got {type(chain).__name__})")
        streams, environment = world.streams, world.environment
        if graph is None:
            graph = build_graph(config.topology, streams.get("topology"))
        graph = with_inbound_fees(graph, config.nodes.inbound_fees, streams)
        balance_msat = draw_balances(graph, config.liquidity, streams.get("lightning/liquidity"))
        population = place_users(graph, config.users, world.workload.funds_msat, streams.get("lightning/users"))
        self.config = config
        self.population = population
        self.state = _live_state(population, config, balance_msat)
        self.table = _announced(population, style_of(config.payer).remembered_by)
        self._book = ChannelBook(population.graph.channel_count)
        self._book.start_balance_msat[: graph.channel_count] = balance_msat[0::2]
        self._book.start_capacity_msat[: graph.channel_count] = graph.capacity_msat
        self.dance = DanceWork(world.profile)
        self._signer = self._make_signer()
        self.views = make_views(self.table, config.gossip, population.node_of_user, streams)
        self.payments = Payments(
            environment, world.workload, population.node_of_user, world.recorder.payments, self.state, self.views,
            config.payer,
        )  # fmt: skip
        latency = make_latencies(config.latency, config.latency_classes, self._is_user(), streams)
        self.policies = Policies(population.graph, ns(config.nodes.policy_grace_s))
        judge = Judge(config.nodes, self.policies, environment, chain, streams, config.payer.final_cltv_blocks)
        self.board = Switchboard(self.payments, len(world.workload))
        parallel = ParallelChannels(config.nodes.forwarding, self.state, self.policies, streams)
        parts = (
            environment, self.state, judge, parallel, latency, self.dance, self._signer, self.board, self._idle,
            population.graph.node_count,
        )  # fmt: skip
        self.htlcs: HtlcNetwork
        if config.channels.dance == "quick":
            self.htlcs = QuickNetwork(*parts)
        else:
            self.htlcs = FullNetwork(*parts, rules=config.channels)
        self.payments.use(self.htlcs)
        self.announcements = Announcements(
            config.gossip, environment, streams, self.state, self.policies, self.views, chain
        )
        self.payments.sight.listen(self.announcements)
        self._fee_changer: FeeChanger | None = None
        if config.fee_changes is not None:
            self._fee_changer = FeeChanger(
                config.fee_changes, environment, streams, 2 * graph.channel_count, self.policies, self.announcements
            )
        self.staleness: Staleness | None = None
        if isinstance(config.gossip, StaggeredGossip):
            routers, nodes = np.arange(graph.node_count), population.graph.node_count
            self.staleness = Staleness(
                config.gossip, environment, streams, self.state, self.announcements, routers, nodes
            )
        self.comings = self._make_comings()
        self.board.use(self.htlcs)
        # Users that are nodes already have no channels of their own, and so no use for these settings.
        users = config.users if isinstance(config.users, AttachedUsers) else AttachedUsers()
        self._channels = UserChannels(
            environment, chain, users, config.channels.confirmations, population, self.state, self.announcements,
            self._signer, self.dance, self._book,
        )  # fmt: skip
        backbone_sat = (graph.capacity_msat // MSAT_PER_SAT).tolist()
        self._renewals = Renewals(
            environment, chain, config.backbone, backbone_sat, self._signer, self.dance, self._book
        )
        self._wire_chain(environment, chain)
        self._wire_agents(environment, chain, graph.node_count)
        self._opening_share = users.opening_share
        self._backbone_msat = graph.total_capacity_msat
        self._leaving = False
        self._drawn: npt.NDArray[np.int64] | None = None
        self._run_ns = 0

    def _wire_chain(self, environment: Environment, chain: BitcoinChain) -> None:
        """Put what may force channels on chain in its place."""
        rules, streams = self.config.onchain, self.world.streams
        htlcs = self.htlcs if isinstance(self.htlcs, HtlcsOnChain) else None
        self.forced = ForceCloses(
            environment, chain, rules, self.state, self.announcements, self._book, self.population.backbone_channels,
            htlcs, self._signer, self.dance, self._channels.forced, self.name,
        )  # fmt: skip
        if isinstance(self.htlcs, FullNetwork):
            every_ns = max(1, ns(chain.config.block_interval_s / LOOKS_PER_BLOCK))
            self.htlcs.watch(self.forced, every_ns, rules.claim_blocks, rules.grace_blocks)
        self._starters: list[Callable[[], None]] = []
        """What begins with the payment phase."""
        if rules.forced_per_channel_year:
            failures = Failures(
                environment, rules.forced_per_channel_year, self.forced, streams.get("lightning/force closes")
            )
            self._starters.append(failures.start)
        self.breaches: Breaches | None = None
        if rules.breach is not None:
            nodes = self.population.graph.node_count
            self.breaches = Breaches(environment, rules.breach, self.forced, nodes, streams.get("lightning/breaches"))
            self._starters.append(self.breaches.start)
        if rules.uncooperative_share:
            stream = streams.get("lightning/uncooperative")
            share = rules.uncooperative_share
            self._channels.force_some(lambda c: stream.uniform() < share and self.forced.force(c, 0) is not None)
        self.fee_follower: FeeFollower | None = None
        if rules.update_fee is not None and isinstance(self.htlcs, FeeUpdates):
            self.fee_follower = FeeFollower(environment, chain, rules.update_fee, self.state, self.htlcs)
            self._starters.append(self.fee_follower.start)

    def _wire_agents(self, environment: Environment, chain: BitcoinChain, routers: int) -> None:
        """Give the liquidity agents what they see and may do."""
        self.routers = RouterBook(self.population.graph.node_count)
        self._surroundings = Surroundings(
            environment,
            chain,
            self.state,
            self.table,
            self.policies,
            self.announcements,
            self.board,
            self.routers,
            self._signer,
            self.dance,
            routers,
        )
        self.agents = build_agents(self.config.agents, self._surroundings)

    def _make_signer(self) -> Signer:
        if self.world.crypto == "modelled":
            return Signer(f"{self.world.streams.seed}/{self.world.streams.replication}/{self.name}")
        from l2sim.systems.lightning.real_signer import RealSigner

        return RealSigner(self.name, self.world.streams, self.state, self.config.onchain.to_self_delay_blocks)

    def _is_user(self) -> npt.NDArray[np.bool_]:
        """Which nodes are users, shape (n,)."""
        is_user = np.zeros(self.population.graph.node_count, np.bool_)
        is_user[self.population.node_of_user] = True
        return is_user

    def _make_comings(self) -> Comings | None:
        availability = self.config.nodes.availability
        if availability is None or not isinstance(self.htlcs, FullNetwork):
            return None
        nodes, is_user = self.population.graph.node_count, self._is_user()
        among = {"users": is_user, "routers": ~is_user, "all": np.ones(nodes, np.bool_)}[availability.who]
        comings = Comings(
            availability, self.world.environment, self.world.streams, np.flatnonzero(among), nodes, self.state,
            self.htlcs, self.announcements, self.staleness,
        )  # fmt: skip
        self.payments.away = lambda node: not comings.here(node)
        return comings

    def foreseen(self) -> list[str]:
        """Users who will have no channel, payments larger than any channel's of their payer or payee, and settings that
        change nothing."""
        parts = self.config.payer.multipath.parts
        found = foreseen(self.population, self.config.users, parts, self.world.workload)
        if self.config.nodes.inbound_fees is not None and not has_inbound_fees(self.population.graph):
            found.append("nodes.inbound_fees changes nothing, for no router asks for any")
        return found

    def onboard(self) -> None:
        """Open the users' channels in the first part of the onboarding phase, renew a sample of the backbone's."""
        window_ns = self.world.horizon.payments_ns
        streams = self.world.streams
        self._channels.onboard(int(window_ns * self._opening_share), streams.get("lightning/openings"))
        self._renewals.start(window_ns, streams.get("lightning/renewals"))
        if self.staleness is not None:
            self.staleness.start()
        if self.comings is not None:
            self.comings.start()
        if self._fee_changer is not None:
            self._fee_changer.start()

    def open(self) -> None:
        """Begin the payment phase, and with it all that nodes do by themselves."""
        super().open()
        for start in self._starters:
            start()
        for agent in self.agents:
            agent.start(self.world.environment.call_in)

    def pay(self, payment: int) -> None:
        """Send payment number `payment` of the workload now."""
        self.payments.pay(payment)

    @property
    def settled(self) -> bool:
        """Whether no payment is under way and no HTLC is locked."""
        return self.payments.under_way == 0 and self.htlcs.under_way == 0

    def leave(self) -> None:
        """Close each user's channels at its own time; payments still under way get no new attempts."""
        self._leaving = True
        self._surroundings.stopped = True
        self.forced.quiet = True
        self.payments.give_up()
        self._run_ns = max(0, self.world.environment.now - self.world.horizon.payments_ns)
        self._channels.leave(self.leaving_times_ns())

    @property
    def left(self) -> bool:
        """Whether every user's channel is closed, all money of forced ones home, and nothing waits for a block."""
        done = self._channels.all_closed and self.forced.under_way == 0 and self._surroundings.waiting == 0
        return self._leaving and done and self.settled and not self._renewals.waiting

    def finish(self) -> None:
        """Give up what is undecided, add up all work done, write the channels' rows."""
        record = self.world.recorder.payments
        record.outcome[record.outcome == Outcome.PENDING] = Outcome.UNFINISHED
        self.work.add(self.dance.total())
        self.forced.stop()
        self.economics.service_fees = self.payments.fees_msat
        self.economics.operator_l1_share = self._operator_share()
        self.state.check(f"system {self.name} at the end")
        self._write_channels()
        self._write_routers()
        now, measures = self.world.environment.now, self.forced.measures()
        if self.breaches is not None:
            measures |= self.breaches.measures(self.dance.revocations)
        for measure, value in measures.items():
            self.world.recorder.series.append(time_ns=now, measure=measure, value=value)

    def _operator_share(self) -> float:
        """Which part of the operators' L1 fees is this run's: of the renewals a share, of the rest all."""
        share = self._renewals.operator_share(self._run_ns)
        spent_msat = self.chain.spending[Purpose.OPERATE].fee
        forced_msat = self.forced.operator_fees_sat * MSAT_PER_SAT + self.routers.fees_msat
        if forced_msat == 0:
            return share
        return (share * (spent_msat - forced_msat) + forced_msat) / spent_msat

    def _write_channels(self) -> None:
        state, book, graph = self.state, self._book, self.population.graph
        alive = state.phase != Phase.CLOSED
        book.end_balance_msat[alive] = state.balance_msat[0::2][alive]
        backbone = self.population.backbone_channels
        funded = np.flatnonzero(state.phase != Phase.UNFUNDED)
        self.world.recorder.channels.extend(
            {
                "channel": funded.tolist(),
                "node_a": graph.node_a[funded].tolist(),
                "node_b": graph.node_b[funded].tolist(),
                "capacity_sat": (state.capacity_msat[funded] // MSAT_PER_SAT).tolist(),
                "paid_by": ["operator" if channel < backbone else "user" for channel in funded.tolist()],
                "opened_ns": [time if time >= 0 else None for time in book.opened_ns[funded].tolist()],
                "closed_ns": [time if time >= 0 else None for time in book.closed_ns[funded].tolist()],
                "close_kind": [CloseKind(kind).label for kind in book.close_kind[funded].tolist()],
                "home_ns": [time if time >= 0 else None for time in book.home_ns[funded].tolist()],
                "open_fee_sat": book.open_fee_sat[funded].tolist(),
                "close_fee_sat": book.close_fee_sat[funded].tolist(),
                "start_balance_a_msat": book.start_balance_msat[funded].tolist(),
                "end_balance_a_msat": book.end_balance_msat[funded].tolist(),
                "forwarded": state.settled[funded].tolist(),
                "forwarded_msat": state.settled_msat[funded].tolist(),
                "failed": state.failed[funded].tolist(),
                "fees_msat": state.fees_msat[funded].tolist(),
            }
        )

    def _write_routers(self) -> None:
        """One row a router: what it owned, earned and paid."""
        state, book, graph = self.state, self._book, self.population.graph
        funded = state.phase != Phase.UNFUNDED
        own = np.empty(len(state.source), np.int64)
        own[0::2] = book.start_balance_msat
        own[1::2] = book.start_capacity_msat - book.start_balance_msat
        alive = np.repeat(funded, 2)
        nodes = graph.node_count

        def by_node(edges: np.ndarray, column: np.ndarray) -> np.ndarray:
            total = np.zeros(nodes, np.int64)
            np.add.at(total, state.source[edges], column[edges])
            return total

        of_users = np.zeros(nodes, np.bool_)
        if len(self.population.user_of_channel):
            of_users[self.population.node_of_user] = True
        edges = np.flatnonzero(alive & ~of_users[state.source])
        lost = by_node(edges, book.lost_msat)
        if isinstance(self.htlcs, FullNetwork):
            lost += np.where(of_users, 0, np.array(self.htlcs.lost_msat, np.int64))
        self.world.recorder.routers.extend(
            self.routers.rows(
                by_node(edges, np.ones(len(own), np.int64)),
                by_node(edges, own),
                by_node(edges, state.earned_msat),
                by_node(edges, book.close_fee_of_sat) * MSAT_PER_SAT,
                lost,
                self._run_ns,
            )
        )

    def membership(self) -> Membership:
        """Who has had a channel confirmed, and who of them has all channels closed on L1; money in msat."""
        return self._channels.membership()

    def audit(self) -> Audit:
        """Where the money of all channels is, in msat; routers' money is in them from the start."""
        balances, in_flight = self.state.money_msat()
        return Audit(
            entered=self._backbone_msat
            + self._channels.entered_msat
            + self.forced.entered_msat
            + self.routers.entered_msat,
            balances=balances,
            in_flight=in_flight + self.routers.pending_msat,
            fees=self._channels.fees_msat + self.forced.fees_msat + self.routers.fees_msat,
            left=self._channels.left_msat + self.forced.left_msat + self.routers.left_msat,
        )

    def capital_locked(self) -> int:
        """The capacity of all channels that are funded and not closed, in msat."""
        state = self.state
        funded = (state.phase != Phase.UNFUNDED) & (state.phase != Phase.CLOSED)
        return int(state.capacity_msat[funded].sum())

    def sample(self, time_ns: int) -> None:
        """Record where the money lies in the largest channels, for a drawing of the network."""
        state = self.state
        if self._drawn is None:
            order = np.argsort(-state.capacity_msat, kind="stable")
            self._drawn = np.sort(order[:DRAWN_CHANNELS])
        drawn = self._drawn
        self.world.recorder.balances.extend(
            {
                "time_ns": [time_ns] * len(drawn),
                "channel": drawn.tolist(),
                "balance_a_msat": state.balance_msat[2 * drawn].tolist(),
                "balance_b_msat": state.balance_msat[2 * drawn + 1].tolist(),
            }
        )

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """Processor time of all nodes, routers' and users'."""
        busy = self.htlcs.busy_ns
        users = set(self.population.node_of_user.tolist())
        of_users = sum(busy[node] for node in sorted(users))
        return {"routers": sum(busy) - of_users, "users": of_users}

    def _idle(self, channel: int) -> None:
        """A channel has lost its last HTLC: it may be waiting to be closed."""
        if self._leaving and not self.forced.has(channel):
            self._channels.idle(channel)


def _live_state(population: Population, config: LightningConfig, balance_msat: np.ndarray) -> ChannelState:
    """The truth at the start: the backbone open with its balances, users' channels unfunded."""
    graph, backbone = population.graph, population.backbone_channels
    balances = np.concatenate((balance_msat, np.zeros(2 * (graph.channel_count - backbone), np.int64)))
    phase = np.full(graph.channel_count, Phase.OPEN, np.uint8)
    phase[backbone:] = Phase.UNFUNDED
    return ChannelState(graph, config.channels, balances, phase)


def _announced(population: Population, remembered_by: RememberedBy) -> RoutingTable:
    """What payers see at the start: the backbone; users' channels come when they are confirmed."""
    table = RoutingTable(population.graph, population.forwards, remembered_by)
    for channel in range(population.backbone_channels, population.graph.channel_count):
        table.announce(channel, 0)
    return table
