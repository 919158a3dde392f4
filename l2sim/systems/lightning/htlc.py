"""The life of HTLCs on their way: offered hop by hop, judged by each node, held by the payee, settled or failed back.

What happens between two nodes, message by message, is the commitment dance, of which there are two: `quick_dance`
goes through the messages of each HTLC as if it were alone in its channel; `full_dance` keeps both sides' logs and
commitments as BOLT 2 has them, so that HTLCs wait for and share signatures, and channels survive disconnections.
Where nothing else is under way on a channel both give the same state at the same times.

Money moves when an HTLC is offered (balance to in flight) and when its removal is irrevocably committed (in flight
to the other side's balance, or back). An HTLC is never lost: each ends fulfilled, failed, or on chain.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from l2sim.engine import Environment
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.forwarding import Judge
from l2sim.systems.lightning.latency import Latencies
from l2sim.systems.lightning.parallel import ParallelChannels
from l2sim.systems.lightning.refusals import NO_CHANNEL, Refusal
from l2sim.systems.lightning.routing import Route
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState


class Attempt:
    """One HTLC for each channel of one route: a payment's try, or one part of it."""

    __slots__ = (
        "amounts_msat", "delivered", "edges", "expiries_blocks", "height", "left", "nodes", "paid", "payment",
        "returned", "settled", "taken", "total_msat",
    )  # fmt: skip

    def __init__(self, payment: int, nodes: list[int], route: Route, total_msat: int | None = None) -> None:
        self.payment = payment
        self.nodes = nodes
        """Payer first, payee last: one more than channels."""
        self.edges = route.edges
        """The channels that the payer named."""
        self.taken = route.edges
        """Those that carry its HTLCs: a node may have taken another one to the same peer (`parallel`)."""
        self.amounts_msat = route.amounts_msat
        self.expiries_blocks = route.expiries_blocks
        """Blocks from `height` to each HTLC's expiry."""
        self.height = 0
        """Height of L1 when it was sent."""
        self.left = 0
        """HTLCs of it that are locked now."""
        self.delivered = False
        """Whether its payee has released the preimage."""
        self.paid = False
        """Whether its first HTLC was settled; where that timed out on chain, the payer has its money back."""
        self.total_msat = route.amounts_msat[-1] if total_msat is None else total_msat
        """What the payee is to get in all parts of the payment, as the onion tells it."""
        self.settled = 0
        """Which of its HTLCs have come to their targets, a bit each; kept where a channel may go on chain."""
        self.returned = 0
        """Which have gone back to their sources."""


class Listener(Protocol):
    """Who is told what becomes of attempts."""

    def arrived(self, attempt: Attempt) -> None:
        """The last HTLC is irrevocably committed and held: `fulfil` or `refuse` it, now or later."""

    def delivered(self, attempt: Attempt) -> None:
        """The payee releases the preimage."""

    def final(self, attempt: Attempt) -> None:
        """The removal of the last HTLC is irrevocably committed: the payee owns the money in the channel."""

    def finished(self, attempt: Attempt) -> None:
        """No HTLC of an attempt that its payer has paid for is left."""

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """The HTLC for channel `hop` was refused and all before it are back: the payer has its money.

        The source of channel `hop` says so; one past the last channel, the payee does. Those after it may still be
        locked where a channel went on chain, and even end with the preimage: then a node between has paid.
        """


class HtlcNetwork(ABC):
    """Carries attempts through the channels; tells a listener how they end.

    `on_idle` is called with the number of each channel that loses its last HTLC.
    """

    def __init__(
        self,
        environment: Environment,
        state: ChannelState,
        judge: Judge,
        parallel: ParallelChannels,
        latency: Latencies,
        work: DanceWork,
        signer: Signer,
        listener: Listener,
        on_idle: Callable[[int], object],
        nodes: int,
    ) -> None:
        self._call_at = environment.call_at
        self._environment = environment
        self._state = state
        self._judge = judge
        self._parallel = parallel
        self._latency_ns = latency.between_ns
        self._work = work
        self._signer = signer
        self._listener = listener
        self._on_idle = on_idle
        self._free_at_ns = [0] * nodes
        self.busy_ns = [0] * nodes
        """Processor time each node has used."""
        self.under_way = 0
        """HTLCs locked now."""

    def send(self, attempt: Attempt) -> None:
        """Offer the first HTLC of an attempt now."""
        attempt.height = self._judge.height
        self._signer.build_onion(attempt)
        self._compute(attempt.nodes[0], self._work.build_onion())
        self._offer(attempt, 0)

    def fulfil(self, attempt: Attempt) -> None:
        """The payee of an attempt that has arrived releases the preimage now."""
        attempt.delivered = True
        self._listener.delivered(attempt)
        last = len(attempt.edges) - 1
        self._remove(attempt, last, last, None)

    def refuse(self, attempt: Attempt, refusal: Refusal) -> None:
        """The payee of an attempt that has arrived fails it now."""
        last = len(attempt.edges) - 1
        self._remove(attempt, last, last + 1, refusal)

    # What the two dances do between the ends of one channel.

    @abstractmethod
    def _add(self, attempt: Attempt, hop: int) -> None:
        """Carry the HTLC of channel `hop`, now locked, to its target: `_open` is due once it is committed there."""

    @abstractmethod
    def _remove(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The target of channel `hop` takes its HTLC out: with the preimage, or for a refusal at `failed_hop`.

        A preimage goes on upstream as soon as the source has it, a failure once `_unlock` is done.
        """

    # What nodes do with an HTLC.

    def _compute(self, node: int, cost_ns: int) -> int:
        """Give a node work now; returns when it will be done."""
        now = self._environment.now
        free_at_ns = self._free_at_ns[node]
        done_ns = (free_at_ns if free_at_ns > now else now) + cost_ns
        self._free_at_ns[node] = done_ns
        self.busy_ns[node] += cost_ns
        return done_ns

    def _offer(self, attempt: Attempt, hop: int) -> None:
        """The source of channel `hop` offers the HTLC, or fails the one before it."""
        edge, state = attempt.edges[hop], self._state
        parallel = self._parallel.of(edge) if hop else None
        if parallel is None:
            refusal = self._refusal(attempt, hop, edge)
        else:
            edge, refusal = self._choose(attempt, hop, parallel)
        if refusal is not None:
            state.refused(edge)
            if hop == 0:
                self._listener.failed(attempt, hop, refusal)
            else:
                self._remove(attempt, hop - 1, hop, refusal)
            return
        state.lock(edge, attempt.amounts_msat[hop])
        attempt.left += 1
        self.under_way += 1
        self._add(attempt, hop)

    def _refusal(self, attempt: Attempt, hop: int, edge: int) -> Refusal | None:
        """Why the source of channel `hop` does not offer the HTLC over `edge`, or None."""
        refusal = self._state.refusal(edge, attempt.amounts_msat[hop])
        if hop and refusal not in NO_CHANNEL:
            refusal = self._judge.forward(attempt, hop, edge) or refusal
        return refusal

    def _choose(self, attempt: Attempt, hop: int, parallel: list[int]) -> tuple[int, Refusal | None]:
        """Which of these edges to the same peer the HTLC takes; if none, why not the named one."""
        named = attempt.edges[hop]
        edge = self._parallel.choose(named, parallel, lambda edge: self._refusal(attempt, hop, edge) is None)
        if edge is None:
            return named, self._refusal(attempt, hop, named)
        if edge != named:
            attempt.taken = [*attempt.taken[:hop], edge, *attempt.taken[hop + 1 :]]
        return edge, None

    def _open(self, attempt: Attempt, hop: int, cost_ns: int) -> None:
        """The target of channel `hop` has the HTLC for good: it opens its layer of the onion, and judges.

        `cost_ns` is work of its own before that.
        """
        node = attempt.nodes[hop + 1]
        cost_ns += self._work.peel_onion()
        last = hop + 1 == len(attempt.edges)
        fault = self._judge.fault(last)
        self._signer.peel_onion(attempt, hop, fault)
        if last:
            cost_ns += self._work.check_preimage()
            self._call_at(self._compute(node, cost_ns), self._take, attempt, fault)
        elif fault is None:
            self._call_at(self._compute(node, cost_ns), self._offer, attempt, hop + 1)
        else:
            # A node that cannot read the onion says so to the one before, who reports it.
            failed_hop = hop if fault.malformed else hop + 1
            self._call_at(self._compute(node, cost_ns), self._remove, attempt, hop, failed_hop, fault)

    def _take(self, attempt: Attempt, fault: Refusal | None) -> None:
        """The payee holds the HTLC for its time, or refuses it at once."""
        refusal = fault or self._judge.payee(attempt)
        if refusal is not None:
            last = len(attempt.edges) - 1
            self._remove(attempt, last, last if refusal.malformed else last + 1, refusal)
            return
        hold_ns = self._judge.hold_ns()
        if hold_ns:
            self._environment.call_in(hold_ns, self._listener.arrived, attempt)
        else:
            self._listener.arrived(attempt)

    def _unlock(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None, done_ns: int) -> None:
        """The HTLC of channel `hop` is out for good, as its source knows: the money moves.

        A failure goes on upstream at `done_ns`, when the source has done what it had to.
        """
        edge, amount_msat = attempt.taken[hop], attempt.amounts_msat[hop]
        state = self._state
        attempt.left -= 1
        self.under_way -= 1
        if refusal is None:
            state.settle(edge, amount_msat)
            if hop == 0:
                attempt.paid = True
            if hop + 1 == len(attempt.edges):
                self._listener.final(attempt)
            else:  # what the target keeps of it is its income once it has it, and not before
                state.earn(attempt.taken[hop + 1], amount_msat - attempt.amounts_msat[hop + 1])
        else:
            state.release(edge, amount_msat)
            if hop:
                self._call_at(done_ns, self._remove, attempt, hop - 1, failed_hop, refusal)
            else:
                self._signer.read_failure(attempt, failed_hop, refusal)
                self._listener.failed(attempt, failed_hop, refusal)
        if attempt.left == 0 and attempt.paid:
            self._listener.finished(attempt)
        if not state.in_use(edge >> 1):
            self._on_idle(edge >> 1)
