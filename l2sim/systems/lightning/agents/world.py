"""What agents see and may do: routers' channels, the mempool, payments of their own through the HTLC network."""

from collections.abc import Callable, Iterator

import numpy as np

from l2sim.engine import Environment
from l2sim.l1.base import Drop, Purpose, Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.systems.lightning.agents.books import RouterBook
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.edges_by_node import EdgesByNode
from l2sim.systems.lightning.forwarding import Policies
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.htlc import Attempt, HtlcNetwork, Listener
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.routing import Route, RoutingTable
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState, Phase

Ended = Callable[[Attempt, bool], object]


class Switchboard:
    """Stands between the HTLC network and who sent an attempt: payers, or agents with payments of their own.

    Agents' payments have numbers from `first` on, which no payment of the workload has.
    """

    def __init__(self, payers: Listener, first: int) -> None:
        self._payers = payers
        self._next = first
        self._first = first
        self._ended: dict[int, Ended] = {}
        self._network: HtlcNetwork | None = None

    def use(self, network: HtlcNetwork) -> None:
        """Send attempts through that network; called once."""
        self._network = network

    def reserve(self) -> int:
        """The number of a payment that an agent will send."""
        payment, self._next = self._next, self._next + 1
        return payment

    def send(self, nodes: list[int], route: Route, ended: Ended, payment: int | None = None) -> None:
        """Send an agent's payment, under a number of its own or one it reserved.

        `ended(attempt, delivered)` is called when no HTLC of it is left.
        """
        if payment is None:
            payment = self.reserve()
        self._ended[payment] = ended
        assert self._network is not None  # `use` comes before the first payment
        self._network.send(Attempt(payment, nodes, route))

    @property
    def under_way(self) -> int:
        """Agents' payments not over yet."""
        return len(self._ended)

    def _is_ours(self, attempt: Attempt) -> bool:
        return attempt.payment >= self._first

    def arrived(self, attempt: Attempt) -> None:
        """An agent is its own payee, or the payee serves it at once; payers decide for themselves."""
        if self._is_ours(attempt):
            assert self._network is not None
            self._network.fulfil(attempt)
        else:
            self._payers.arrived(attempt)

    def delivered(self, attempt: Attempt) -> None:
        """Passed on to payers."""
        if not self._is_ours(attempt):
            self._payers.delivered(attempt)

    def final(self, attempt: Attempt) -> None:
        """Passed on to payers."""
        if not self._is_ours(attempt):
            self._payers.final(attempt)

    def finished(self, attempt: Attempt) -> None:
        """An agent's payment has come through."""
        if self._is_ours(attempt):
            self._ended.pop(attempt.payment)(attempt, True)
        else:
            self._payers.finished(attempt)

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """An agent's payment has failed; it is not tried again before the agent looks again."""
        if self._is_ours(attempt):
            self._ended.pop(attempt.payment)(attempt, False)
        else:
            self._payers.failed(attempt, hop, refusal)


class Surroundings:
    """What an agent is given."""

    def __init__(
        self,
        environment: Environment,
        chain: BitcoinChain,
        state: ChannelState,
        table: RoutingTable,
        policies: Policies,
        announcements: Announcements,
        board: Switchboard,
        book: RouterBook,
        signer: Signer,
        work: DanceWork,
        routers: int,
    ) -> None:
        self.environment = environment
        self.chain = chain
        self.state = state
        self.table = table
        self.policies = policies
        self.announcements = announcements
        self.board = board
        self.book = book
        self.signer = signer
        self._work = work
        self.stopped = False
        """No more actions begin once users leave."""
        self._routers = routers
        self._edges = EdgesByNode(state.source, int(state.source.max(initial=-1)) + 1)
        self._splicing: dict[int, None] = {}
        """Channels with a splice that is not locked in: one at a time spends the funding."""
        self.waiting = 0
        """L1 transactions of agents that wait for a block."""

    def largest(self, count: int) -> list[int]:
        """The routers of the highest total capacity, highest first."""
        total = np.zeros(self._routers, np.int64)
        for ends in (self.state.source[0::2], self.state.target[0::2]):
            inside = ends < self._routers
            np.add.at(total, ends[inside], self.state.capacity_msat[inside])
        order: list[int] = np.argsort(-total, kind="stable")[:count].tolist()
        return order

    def own_edges(self, node: int) -> Iterator[tuple[int, float]]:
        """Edges that leave a node over open channels, with the share of the capacity that it owns there."""
        state = self.state
        for edge in self._edges.of(node).tolist():
            if state.phase[edge >> 1] == Phase.OPEN:
                yield edge, int(state.balance_msat[edge]) / int(state.capacity_msat[edge >> 1])

    def resize(self, edge: int, change_msat: int) -> None:
        """A splice adds to what the source of `edge` owns in its channel, or takes from it, and payers hear of it."""
        state, channel = self.state, edge >> 1
        state.resize(edge, change_msat)
        self.signer.move_funding(edge)
        self._sign_both(channel)
        sides = 2 * channel, 2 * channel + 1
        limits = [int(state.htlc_max_msat[side]) if state.enabled[side] else 0 for side in sides]
        self.announcements.spliced(channel, (limits[0], limits[1]))

    def may_splice(self, edge: int) -> bool:
        """Whether a splice of the channel may begin: none is under way, and its commitments can be paid for."""
        return edge >> 1 not in self._splicing and self.state.funder_can_pay(edge >> 1)

    def make_splice(self, edge: int, change_sat: int, fee_sat: int) -> bytes:
        """The source of `edge` splices in (above 0) or out (below): both sides sign, first for what they will own.

        Returns the id of the transaction. From now on `splice_is_over` must be called once it is locked in, or lost.
        """
        self._splicing[edge >> 1] = None
        self._sign_both(edge >> 1)
        return self.signer.splice(edge, change_sat, fee_sat)

    def splice_is_over(self, edge: int) -> None:
        """It is locked in, or lost."""
        self._splicing.pop(edge >> 1, None)

    def _sign_both(self, channel: int) -> None:
        """Each side signs the other's commitment on a new funding."""
        htlcs = self.state.outputs_of(channel)
        for _ in (0, 1):
            self._work.sign(htlcs)
            self._work.verify(htlcs)

    def send(
        self,
        node: int,
        weight_wu: int,
        target_blocks: int,
        confirmations: int,
        make: Callable[[int], bytes],
        done: Callable[[], object],
        lost: Callable[[], object],
        signatures: int = 1,
    ) -> bool:
        """Send an L1 transaction that a node's wallet pays for; `done()` once it is that deep, `lost()` if it is
        evicted. `make(fee_sat)` signs it, with that many signatures, and returns its id. False if it is not relayed."""
        fee = fee_sat(weight_wu, self.chain.feerate_sat_per_kvb(target_blocks))
        txid = make(fee)
        self._work.spend(own=signatures, others=0)

        def included(receipt: Receipt) -> None:
            self.book.paid_l1(node, fee)
            self.chain.confirm(receipt, confirmations, deep)

        def deep(_: Receipt) -> None:
            self.waiting -= 1
            done()

        def dropped(_: Drop) -> None:
            self.waiting -= 1
            lost()

        transaction = BitcoinTransaction(txid, weight_wu, fee, Purpose.OPERATE)
        if self.chain.submit(transaction, included, dropped) is not None:
            return False
        self.waiting += 1
        return True
