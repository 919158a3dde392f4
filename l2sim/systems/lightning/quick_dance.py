"""The commitment dance of each HTLC as if it were alone in its channel: the fast mode, and the default.

Adding an HTLC to a channel takes three messages (BOLT 2): update_add_htlc with commitment_signed one way,
revoke_and_ack with commitment_signed back, revoke_and_ack again. Only then is it irrevocably committed and the
receiver forwards it: 1.5 round trips a hop. Removing it takes the same three messages from the other side. A
fulfil goes on upstream as soon as the preimage is seen, half a round trip a hop; a failure only once the removal
is irrevocable, 1.5 round trips a hop.

Each message has a latency of its own and each step costs its node processor time, first come, first served, one
core a node; so cryptographic work bounds what a router forwards.

Dances of different HTLCs on one channel do not wait for one another, as they do in `full_dance`; each
commitment_signed covers all untrimmed HTLCs that are then in the channel, as BOLT 2 asks.
"""

from l2sim.systems.lightning.htlc import Attempt, HtlcNetwork
from l2sim.systems.lightning.refusals import Refusal


class QuickNetwork(HtlcNetwork):
    """Carries attempts, each HTLC by six messages of its own."""

    # Adding.

    def _add(self, attempt: Attempt, hop: int) -> None:
        """The source sends update_add_htlc with commitment_signed."""
        self._signer.add_htlc(attempt, hop)
        signed, done_ns = self._sign(attempt.nodes[hop], attempt.taken[hop])
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]), self._added, attempt, hop, signed
        )

    def _added(self, attempt: Attempt, hop: int, signed: int) -> None:
        """The target has update_add_htlc and commitment_signed: it revokes and signs in its turn."""
        edge, node = attempt.taken[hop], attempt.nodes[hop + 1]
        self._compute(node, self._work.verify(signed))
        self._signer.revoke(edge ^ 1)
        signed, done_ns = self._sign(node, edge ^ 1)
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]),
            self._add_acknowledged,
            attempt,
            hop,
            signed,
        )

    def _add_acknowledged(self, attempt: Attempt, hop: int, signed: int) -> None:
        """The source has revoke_and_ack and commitment_signed: it revokes."""
        edge, node = attempt.taken[hop], attempt.nodes[hop]
        done_ns = self._compute(node, self._work.check_revocation() + self._work.verify(signed))
        self._signer.revoke(edge)
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]), self._committed, attempt, hop
        )

    def _committed(self, attempt: Attempt, hop: int) -> None:
        """The target has the last revoke_and_ack: the HTLC is irrevocably committed."""
        self._open(attempt, hop, self._work.check_revocation())

    # Removing: `refusal` is None for a fulfil; a failure carries its reason and where it arose.

    def _remove(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The target of channel `hop` sends update_fulfill_htlc or update_fail_htlc with commitment_signed."""
        edge = attempt.taken[hop]
        self._state.drop_output(edge, attempt.amounts_msat[hop])
        self._signer.remove_htlc(attempt, hop, refusal)
        signed, done_ns = self._sign(attempt.nodes[hop + 1], edge ^ 1)
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]),
            self._removing,
            attempt,
            hop,
            signed,
            failed_hop,
            refusal,
        )

    def _removing(self, attempt: Attempt, hop: int, signed: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The source has the removal: a preimage goes on upstream at once; it revokes and signs in its turn."""
        edge, node = attempt.taken[hop], attempt.nodes[hop]
        if refusal is None:
            done_ns = self._compute(node, self._work.check_preimage())
            if hop > 0:
                self._call_at(done_ns, self._remove, attempt, hop - 1, failed_hop, None)
        self._compute(node, self._work.verify(signed))
        self._signer.revoke(edge)
        signed, done_ns = self._sign(node, edge)
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]),
            self._removal_acknowledged,
            attempt,
            hop,
            signed,
            failed_hop,
            refusal,
        )

    def _removal_acknowledged(
        self, attempt: Attempt, hop: int, signed: int, failed_hop: int, refusal: Refusal | None
    ) -> None:
        """The target has revoke_and_ack and commitment_signed: it revokes."""
        edge, node = attempt.taken[hop], attempt.nodes[hop + 1]
        done_ns = self._compute(node, self._work.check_revocation() + self._work.verify(signed))
        self._signer.revoke(edge ^ 1)
        self._call_at(
            done_ns + self._latency_ns(attempt.nodes[hop], attempt.nodes[hop + 1]),
            self._removed,
            attempt,
            hop,
            failed_hop,
            refusal,
        )

    def _removed(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        """The source has the last revoke_and_ack: the removal is irrevocably committed."""
        done_ns = self._compute(attempt.nodes[hop], self._work.check_revocation())
        self._unlock(attempt, hop, failed_hop, refusal, done_ns)

    def _sign(self, node: int, edge: int) -> tuple[int, int]:
        """The source of `edge` signs the other side's next commitment; returns its HTLCs and when it is done."""
        htlcs = self._state.outputs_of(edge >> 1)
        self._signer.sign_commitment(edge)
        return htlcs, self._compute(node, self._work.sign(htlcs))
