"""What a payer makes of the end of an attempt: which channels it believes in afterwards, and whether it goes on.

LND reads every code of BOLT 4 in its own way (routing/result_interpretation.go): some are a node's fault, some a
channel's in both directions, some nobody's at first. The others look at where an attempt stopped, and whether for its
amount.
"""

from typing import Final

from l2sim.crypto.onion.failures import FailureCode
from l2sim.engine import NS_PER_S
from l2sim.systems.lightning.belief import Belief
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.no_route import Live
from l2sim.systems.lightning.own_edges import OwnEdges
from l2sim.systems.lightning.payer_config import LndPayer, Payer
from l2sim.systems.lightning.refusals import BY_PAYEE, Refusal
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.told import FOR_ITS_TERMS, Told

SECOND_CHANCE_NS: Final = 60 * NS_PER_S  # LND minSecondChanceInterval
OUTGOING: Final = frozenset({Refusal.UNKNOWN_NEXT_PEER, Refusal.PERMANENT_CHANNEL_FAILURE})
OWN_ONION: Final = frozenset({Refusal.INVALID_ONION_PAYLOAD, Refusal.INVALID_ONION_BLINDING})
BADLY_SENT: Final = frozenset({Refusal.FINAL_INCORRECT_CLTV_EXPIRY, Refusal.FINAL_INCORRECT_HTLC_AMOUNT})


class Lessons:
    """Writes into payers' beliefs what their attempts taught."""

    def __init__(self, belief: Belief, table: RoutingTable, settings: Payer, own: OwnEdges) -> None:
        self._belief = belief
        self._positions = table.position
        self._settings = settings
        self._own = own
        self._chances: dict[tuple[int, int, int], int] = {}
        """By payer and pair of nodes when the pair was last given a second chance (LND)."""

    def carried(self, attempt: Attempt, hops: int, now_ns: int, *, settled: bool = False) -> None:
        """The first `hops` channels carried their amounts, for good or not; the payer's own needs no memory."""
        note = self._belief.settled if settled else self._belief.carried
        for hop in range(1, hops):
            note(attempt.nodes[0], int(self._positions[attempt.edges[hop]]), attempt.amounts_msat[hop], now_ns)

    def failed(self, attempt: Attempt, hop: int, refusal: Refusal, now_ns: int, live: Live, told: Told | None) -> bool:
        """The source of channel `hop`, or the payee beyond the last, refused; whether the payee will never take it.

        `told` takes terms that come with the refusal, of payers who look at them.
        """
        if isinstance(self._settings, LndPayer):
            return self._as_lnd(attempt, hop, refusal, now_ns, live, told)
        self.carried(attempt, hop, now_ns)
        # That a part waited in vain says nothing of its way or of the payee's will.
        if refusal is Refusal.MPP_TIMEOUT and attempt.amounts_msat[-1] < attempt.total_msat:
            return False
        if refusal in BY_PAYEE:
            return True
        # Whatever else the payee's node says, it says of the channel that led to it.
        at = min(hop, len(attempt.edges) - 1)
        position = int(self._positions[attempt.edges[at]])
        if position < 0:
            return False
        if told is not None and refusal in FOR_ITS_TERMS and told.learn(attempt.nodes[0], attempt.edges[at]):
            return False
        failed_msat = attempt.amounts_msat[at] if _for_its_amount(refusal) else 0
        if self._settings.avoids:
            live.avoided.append(attempt.edges[at] >> 1)
        if failed_msat == 0 and self._settings.forgives:
            live.disabled.append(position)
        self._belief.failed(attempt.nodes[0], position, failed_msat, now_ns)
        return False

    # As LND.

    def _as_lnd(self, attempt: Attempt, hop: int, refusal: Refusal, now_ns: int, live: Live, told: Told | None) -> bool:
        last = len(attempt.edges)
        if hop == last:
            return self._from_payee(attempt, refusal, now_ns, live)
        if refusal in FOR_ITS_TERMS:
            if told is not None:
                told.learn(attempt.nodes[0], attempt.edges[hop])
            if self._second_chance(attempt.nodes[0], attempt.nodes[hop], attempt.nodes[hop + 1], now_ns):
                return False
        if _for_its_amount(refusal):
            self.carried(attempt, hop, now_ns)
            position = int(self._positions[attempt.edges[hop]])
            self._belief.failed(attempt.nodes[0], position, attempt.amounts_msat[hop], now_ns)
        elif refusal is Refusal.CHANNEL_DISABLED:
            self._fail_pair(attempt, hop, now_ns, live)
            self.carried(attempt, hop, now_ns)
        elif refusal in OUTGOING or refusal.malformed:
            self._fail_pair(attempt, hop, now_ns, live)
        elif refusal in FOR_ITS_TERMS and hop > 1:  # the node before may have sent what it was not told to
            self._fail_pair(attempt, hop - 1, now_ns, live)
            self.carried(attempt, hop - 1, now_ns)
        elif refusal is Refusal.EXPIRY_TOO_SOON and hop > 1:  # any node so far may have waited too long
            for at in range(hop):
                self._fail_pair(attempt, at, now_ns, live)
        else:
            self._fail_node(attempt, hop, now_ns, live)
            if refusal in OWN_ONION:
                self.carried(attempt, hop - 1, now_ns)
        return False

    def _from_payee(self, attempt: Attempt, refusal: Refusal, now_ns: int, live: Live) -> bool:
        last = len(attempt.edges)
        if refusal is Refusal.MPP_TIMEOUT:
            self.carried(attempt, last, now_ns)
            return attempt.amounts_msat[-1] >= attempt.total_msat
        if refusal is Refusal.UNKNOWN_PAYMENT_DETAILS:
            self.carried(attempt, last, now_ns)
            return True
        if refusal in BADLY_SENT and last > 1:
            self._fail_pair(attempt, last - 1, now_ns, live)
            self.carried(attempt, last - 1, now_ns)
            return False
        self._fail_node(attempt, last, now_ns, live)
        self.carried(attempt, last - 1, now_ns)
        return True

    def _second_chance(self, payer: int, source: int, target: int, now_ns: int) -> bool:
        """Whether a pair whose terms were not met is not blamed: once a minute."""
        pair = (payer, source, target)
        before_ns = self._chances.get(pair)
        if before_ns is not None and now_ns - before_ns <= SECOND_CHANCE_NS:
            return False
        self._chances[pair] = now_ns
        return True

    def _fail_pair(self, attempt: Attempt, at: int, now_ns: int, live: Live) -> None:
        """Channel `at` failed in both directions, whatever the amount.

        The payer's own channels to that peer are left out for the rest of the payment: within a minute their
        probability is below any that LND tries.
        """
        payer = attempt.nodes[0]
        if at == 0:
            own = self._own.of(payer)
            live.shunned += own.edge[own.target == attempt.nodes[1]].tolist()
            return
        for edge in (attempt.edges[at], attempt.edges[at] ^ 1):
            position = int(self._positions[edge])
            if position >= 0:
                self._belief.failed(payer, position, 0, now_ns)

    def _fail_node(self, attempt: Attempt, at: int, now_ns: int, live: Live) -> None:
        """A node failed: all that is known of its channels, and those by which the attempt came and was to go."""
        self._belief.failed_node(attempt.nodes[0], attempt.nodes[at], now_ns)
        self._fail_pair(attempt, at - 1, now_ns, live)
        if at < len(attempt.edges):
            self._fail_pair(attempt, at, now_ns, live)


def _for_its_amount(refusal: Refusal) -> bool:
    """Whether a smaller HTLC might have passed, for all that the payer is told."""
    return refusal.code is FailureCode.TEMPORARY_CHANNEL_FAILURE
