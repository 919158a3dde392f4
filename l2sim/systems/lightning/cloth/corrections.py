"""Corrections of CLoTH's defects, each alone or all together; by default a run has them all as CLoTH does.

>>> rules_of(["half-life"]).half_life_ms
3600000.0
"""

from collections.abc import Collection
from typing import Final

import numpy as np

from l2sim.systems.lightning.cloth.rules import MAX_MSAT, MEANT_HALF_LIFE_MS, Rules
from l2sim.systems.lightning.cloth.tables import Int64s, Payments

AMOUNT_SIGMA: Final = 1.2  # as this project's example scenarios; consumer payments spread over decades
LATENCY_SIGMA: Final = 0.5  # the default of `LognormalLatency`
PARTS: Final = 16  # lnd routing, DefaultMaxParts
MIN_PART_MSAT: Final = 10_000_000  # lnd routing, DefaultShardMinAmt
OUTAGE_MS: Final = 1_800_000  # mean length of an outage: a choice, long against a payment and short against a run


def rules_of(corrected: Collection[str]) -> Rules:
    """The rules of a run with these corrections, of which some need none."""
    return Rules(
        **({"half_life_ms": float(MEANT_HALF_LIFE_MS)} if "half-life" in corrected else {}),
        pair_by_amount="pair-amount" in corrected,
        fresh_records="records" in corrected,
        live_routes="live-routes" in corrected,
        atomic="atomic" in corrected,
        parts=PARTS if "parts" in corrected else 2,
        min_part_msat=MIN_PART_MSAT if "parts" in corrected else 0,
        latency_sigma=LATENCY_SIGMA if "latency" in corrected else 0.0,
        node_state="offline" in corrected,
        deadlines="timeouts" in corrected,
    )


def spread(payments: Payments, seed: int) -> Payments:
    """The payments with amounts that are log-normal about theirs, each of the same mean, at least 1 msat."""
    factor = np.random.default_rng((seed, 6)).lognormal(-(AMOUNT_SIGMA**2) / 2, AMOUNT_SIGMA, len(payments.payer))
    amount_msat = np.clip(np.rint(payments.amount_msat * factor), 1, MAX_MSAT).astype(np.int64)
    return payments._replace(amount_msat=amount_msat)


def outages(nodes: int, share: float, until_ms: int, seed: int) -> tuple[Int64s, Int64s, Int64s]:
    """When nodes are offline, up to a time: where each node's outages begin, shape (nodes + 1,), and each one's
    beginning and end in ms.

    Times online and offline are exponential, an outage of 30 minutes on average, a node offline for that share of
    the time; at time 0 too.
    """
    random = np.random.default_rng((seed, 7))
    first = np.zeros(nodes + 1, np.int64)
    if share == 0:
        return first, np.zeros(0, np.int64), np.zeros(0, np.int64)
    begins: list[int] = []
    ends: list[int] = []
    for node in range(nodes):
        offline = bool(random.random() < share)
        at_ms = 0
        while at_ms <= until_ms:
            mean_ms = OUTAGE_MS if offline else OUTAGE_MS * (1 - share) / share
            end_ms = at_ms + 1 + int(random.exponential(1.0) * mean_ms) if share < 1 else until_ms + 1
            if offline:
                begins.append(at_ms)
                ends.append(end_ms)
            at_ms, offline = end_ms, not offline
        first[node + 1] = len(begins)
    return first, np.array(begins, np.int64), np.array(ends, np.int64)
