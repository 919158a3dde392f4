"""The constants of CLoTH's routing and of its events."""

from typing import Final, NamedTuple

# Path search.
FINAL_TIMELOCK: Final = 40  # blocks at the payee
MAX_TIMELOCK: Final = 2_056  # blocks, the payee's included
MAX_HOPS: Final = 27
RISK_FACTOR: Final = 15  # billionths of the amount per block of timelock
ATTEMPT_COST_MSAT: Final = 100_000  # virtual cost of an attempt, divided by the probability of the route
MIN_PROBABILITY: Final = 0.01

# Belief of a payer about pairs of nodes.
APRIORI: Final = 0.6  # probability of a hop of which nothing is known
KNOWN: Final = 0.95  # of one that worked before, and of the payer's own
HALF_LIFE_MS: Final = 1_440_000  # of the penalty of a failure: 24 minutes (defect D2)
MEANT_HALF_LIFE_MS: Final = 3_600_000  # the hour that was meant, lnd's default penalty half-life
RELAX_MS: Final = 60_000  # a larger failure is ignored for so long after a smaller one

# Events.
TIMEOUT_MS: Final = 60_000  # since the payment began, looked at when a search begins
HOP_MS: Final = 100  # of a message over one hop; a standard normal deviation is added and the sum cut (defect D6)
OFFLINE_MS: Final = 3_000  # until a node notices that the next one does not answer

NEVER: Final = 2**62  # a distance above all others
MAX_MSAT: Final = 2**50  # 11,259 BTC: no amount and no capacity above, so that no product passes 2**63


class Rules(NamedTuple):
    """What can be corrected in a run, as the kernels take it; the defaults are CLoTH's own rules."""

    half_life_ms: float = float(HALF_LIFE_MS)
    """Of the penalty of a failure."""
    pair_by_amount: bool = False
    """What is known of a pair counts for the amounts that it is about."""
    fresh_records: bool = False
    """A record of a success alone does not count as a failure of 0 msat at time 0."""
    live_routes: bool = False
    """First routes are searched when their payments begin."""
    atomic: bool = False
    """Parts are settled together or not at all."""
    parts: int = 2
    """Of a payment at most; with more than two, whatever finds no route is halved, at any attempt."""
    min_part_msat: int = 0
    """No part is halved into smaller ones, if there may be more than two."""
    latency_sigma: float = 0.0
    """Standard deviation of the logarithm of a hop's time; 0 for CLoTH's."""
    node_state: bool = False
    """Nodes are offline for a time, the payee's included."""
    deadlines: bool = False
    """A payment ends when its time is up, whatever is under way."""
