"""The closed list of what can become of a payment."""

from enum import IntEnum


class Outcome(IntEnum):
    """What became of a payment; everything but `COMPLETED` is a reason for its failure.

    The numbers are those of the column `outcome` in memory; files hold the lower-case names.
    """

    PENDING = 0
    """Not decided yet; never found in a finished run."""
    COMPLETED = 1
    """The payee is assured of the money."""
    INSUFFICIENT_FUNDS = 2
    """The payer's own money does not cover amount and fee."""
    AMOUNT_TOO_SMALL = 3
    """The amount is below what the system can carry (dust, minimum HTLC)."""
    NOT_ONBOARDED = 4
    """Payer or payee was not on the system yet: its channel or deposit had not been confirmed."""
    NO_ROUTE = 5
    """No path with enough announced capacity that satisfies every announced policy."""
    NO_LIQUIDITY = 6
    """Every route tried failed for want of balance on a channel of another node."""
    FEE_LIMIT = 7
    """Every route found costs more than the payer is willing to pay."""
    TOO_MANY_HTLCS = 8
    """A channel on the last route tried had no free HTLC slot."""
    TIMED_OUT = 9
    """The payer gave up: too many attempts or too much time."""
    DROPPED = 10
    """The sequencer or the mempool refused or evicted it."""
    UNFINISHED = 11
    """Still under way when the run ended."""
    REFUSED_BY_PAYEE = 12
    """The payee did not take it: no such invoice, too little time, or parts that never came."""
    OFFLINE = 13
    """The payer's own node was away when it was to pay."""
    NOT_FORWARDED = 14
    """A node on the last route tried was away, out of use, or asked for other terms than those announced."""
    REVERTED = 15
    """The payee was assured of the money, and lost it: the operator was gone before L1 bore the payment out."""

    @property
    def label(self) -> str:
        """The name used in files and tables."""
        return self.name.lower()


FAILURES = tuple(outcome for outcome in Outcome if outcome not in (Outcome.PENDING, Outcome.COMPLETED))
