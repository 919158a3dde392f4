"""The life of HTLCs on their way: locked hop by hop, then settled or failed back, message by message.

Adding an HTLC to a channel takes three messages (BOLT 2): update_add_htlc with commitment_signed one way,
revoke_and_ack with commitment_signed back, revoke_and_ack again. Only then is it irrevocably committed and the
receiver forwards it: 1.5 round trips a hop. Removing it takes the same three messages from the other side. A
fulfil goes on upstream as soon as the preimage is seen, half a round trip a hop; a failure only once the removal
is irrevocable, 1.5 round trips a hop.

Each message has a latency of its own and each step costs its node processor time, first come, first served, one
core a node; so cryptographic work bounds what a router forwards.

Money moves when an HTLC is offered (balance to in flight) and when its removal is irrevocably committed (in flight
to the other side's balance, or back). Dances of different HTLCs on one channel do not wait for one another; each
commitment_signed covers all untrimmed HTLCs that are then in the channel, as BOLT 2 asks.
"""

from collections.abc import Callable
from typing import Protocol

from l2sim.engine import Environment
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.latency import LatencySampler
from l2sim.systems.lightning.routing import Route
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState, Refusal


class Attempt:
    """One HTLC for each channel of one route: a payment's try."""

    __slots__ = ("amounts_msat", "edges", "expiries_blocks", "left", "nodes", "payment")

    def __init__(self, payment: int, nodes: list[int], route: Route) -> None:
        self.payment = payment
        self.nodes = nodes
        """Payer first, payee last: one more than channels."""
        self.edges = route.edges
        self.amounts_msat = route.amounts_msat
        self.expiries_blocks = route.expiries_blocks
        self.left = 0
        """HTLCs of it that are locked now."""


class Listener(Protocol):
    """Who is told what becomes of attempts."""

    def delivered(self, attempt: Attempt) -> None:
        """The last HTLC is irrevocably committed and the payee releases the preimage."""

    def final(self, attempt: Attempt) -> None:
        """The removal of the last HTLC is irrevocably committed: the payee owns the money in the channel."""

    def finished(self, attempt: Attempt) -> None:
        """No HTLC of a delivered attempt is left."""

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal) -> None:
        """The HTLC for channel `hop` was refused and all before it are back."""


class HtlcNetwork:
    """Carries attempts through the channels; tells a listener how they end.

    `on_idle` is called with the number of each channel that loses its last HTLC.
    """

    def __init__(
        self,
        environment: Environment,
        state: ChannelState,
        latency: LatencySampler,
        work: DanceWork,
        signer: Signer,
        listener: Listener,
        on_idle: Callable[[int], object],
        nodes: int,
    ) -> None:
        self._call_at = environment.call_at
        self._environment = environment
        self._state = state
        self._latency_ns = latency.draw_ns
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
        self._signer.build_onion(attempt)
        self._compute(attempt.nodes[0], self._work.build_onion())
        self._offer(attempt, 0)

    def _compute(self, node: int, cost_ns: int) -> int:
        """Give a node work now; returns when it will be done."""
        now = self._environment.now
        free_at_ns = self._free_at_ns[node]
        done_ns = (free_at_ns if free_at_ns > now else now) + cost_ns
        self._free_at_ns[node] = done_ns
        self.busy_ns[node] += cost_ns
        return done_ns

    # Adding.

    def _offer(self, attempt: Attempt, hop: int) -> None:
        """The source of channel `hop` offers the HTLC, or fails the one before it."""
        edge, amount_msat = attempt.edges[hop], attempt.amounts_msat[hop]
        state = self._state
        refusal = state.refusal(edge, amount_msat)
        if refusal is not None:
            state.refused(edge)
            if hop == 0:
                self._listener.failed(attempt, hop, refusal)
            else:
                self._remove(attempt, hop - 1, hop, refusal)
            return
        state.lock(edge, amount_msat)
        attempt.left += 1
        self.under_way += 1
        self._signer.add_htlc(attempt, hop)
        signed, done_ns = self._sign(attempt.nodes[hop], edge)
        self._call_at(done_ns + self._latency_ns(), self._added, attempt, hop, signed)

    def _added(self, attempt: Attempt, hop: int, signed: int) -> None:
        """The target has update_add_htlc and commitment_signed: it revokes and signs in its turn."""
        edge, node = attempt.edges[hop], attempt.nodes[hop + 1]
        self._compute(node, self._work.verify(signed))
        self._signer.revoke(edge ^ 1)
        signed, done_ns = self._sign(node, edge ^ 1)
        self._call_at(done_ns + self._latency_ns(), self._add_acknowledged, attempt, hop, signed)

    def _add_acknowledged(self, attempt: Attempt, hop: int, signed: int) -> None:
        """The source has revoke_and_ack and commitment_signed: it revokes."""
        edge, node = attempt.edges[hop], attempt.nodes[hop]
        done_ns = self._compute(node, self._work.check_revocation() + self._work.verify(signed))
        self._signer.revoke(edge)
        self._call_at(done_ns + self._latency_ns(), self._committed, attempt, hop)

    def _committed(self, attempt: Attempt, hop: int) -> None:
        """The target has the last revoke_and_ack: the HTLC is irrevocably committed, and its onion is opened."""
        node = attempt.nodes[hop + 1]
        cost_ns = self._work.check_revocation() + self._work.peel_onion()
        self._signer.peel_onion(attempt, hop)
        if hop + 1 < len(attempt.edges):
            self._call_at(self._compute(node, cost_ns), self._offer, attempt, hop + 1)
        else:
            cost_ns += self._work.check_preimage()
            self._call_at(self._compute(node, cost_ns), self._deliver, attempt, hop)

    def _deliver(self, attempt: Attempt, hop: int) -> None:
        self._listener.delivered(attempt)
        self._remove(attempt, hop, hop, None)

    # Removing: `refusal` is None for a fulfil; a failure carries its reason and where it arose.

    def _remove(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The target of channel `hop` sends update_fulfill_htlc or update_fail_htlc with commitment_signed."""
        edge = attempt.edges[hop]
        self._state.drop_output(edge, attempt.amounts_msat[hop])
        self._signer.remove_htlc(attempt, hop, refusal)
        signed, done_ns = self._sign(attempt.nodes[hop + 1], edge ^ 1)
        self._call_at(done_ns + self._latency_ns(), self._removing, attempt, hop, signed, failed_hop, refusal)

    def _removing(self, attempt: Attempt, hop: int, signed: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The source has the removal: a preimage goes on upstream at once; it revokes and signs in its turn."""
        edge, node = attempt.edges[hop], attempt.nodes[hop]
        if refusal is None:
            done_ns = self._compute(node, self._work.check_preimage())
            if hop > 0:
                self._call_at(done_ns, self._remove, attempt, hop - 1, failed_hop, None)
        self._compute(node, self._work.verify(signed))
        self._signer.revoke(edge)
        signed, done_ns = self._sign(node, edge)
        self._call_at(
            done_ns + self._latency_ns(), self._removal_acknowledged, attempt, hop, signed, failed_hop, refusal
        )

    def _removal_acknowledged(
        self, attempt: Attempt, hop: int, signed: int, failed_hop: int, refusal: Refusal | None
    ) -> None:
        """The target has revoke_and_ack and commitment_signed: it revokes."""
        edge, node = attempt.edges[hop], attempt.nodes[hop + 1]
        done_ns = self._compute(node, self._work.check_revocation() + self._work.verify(signed))
        self._signer.revoke(edge ^ 1)
        self._call_at(done_ns + self._latency_ns(), self._removed, attempt, hop, failed_hop, refusal)

    def _removed(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The source has the last revoke_and_ack: the removal is irrevocably committed and the money moves."""
        edge, amount_msat = attempt.edges[hop], attempt.amounts_msat[hop]
        done_ns = self._compute(attempt.nodes[hop], self._work.check_revocation())
        state = self._state
        attempt.left -= 1
        self.under_way -= 1
        if refusal is None:
            earned_msat = attempt.amounts_msat[hop - 1] - amount_msat if hop else 0
            state.settle(edge, amount_msat, earned_msat)
            if hop + 1 == len(attempt.edges):
                self._listener.final(attempt)
            if attempt.left == 0:
                self._listener.finished(attempt)
        else:
            state.release(edge, amount_msat)
            if hop:
                self._call_at(done_ns, self._remove, attempt, hop - 1, failed_hop, refusal)
            else:
                self._signer.read_failure(attempt, failed_hop, refusal)
                self._listener.failed(attempt, failed_hop, refusal)
        if not state.in_use(edge >> 1):
            self._on_idle(edge >> 1)

    def _sign(self, node: int, edge: int) -> tuple[int, int]:
        """The source of `edge` signs the other side's next commitment; returns its HTLCs and when it is done."""
        htlcs = self._state.outputs_of(edge >> 1)
        self._signer.sign_commitment(edge)
        return htlcs, self._compute(node, self._work.sign(htlcs))
