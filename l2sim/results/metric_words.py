"""What each figure of a summary means, in words: one entry for each key that `metrics.summarise` writes.

Families whose last part is a name of the run (`failures.no_route`, `cpu_s.sequencer`) have one entry, `failures.*`.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple


class Meaning(NamedTuple):
    """The unit of a figure, '' for a plain number, and what it says."""

    unit: str
    words: str


_LATENCIES = {
    "assured": "until the payee could act on the money",
    "included": "until an L1 block held the payment or its batch",
    "l1_final": "until that L1 block was final",
    "final": "until nobody could take the money back",
}
_POINTS = {"mean": "mean", "p50": "median", "p95": "95th percentile", "p99": "99th percentile"}


def _spread(prefix: str, unit: str, words: str, points: tuple[str, ...]) -> dict[str, Meaning]:
    return {f"{prefix}.{point}": Meaning(unit, f"{_POINTS[point]} of {words}") for point in points}


def _latency(name: str, words: str) -> dict[str, Meaning]:
    spread = _spread(f"latency_s.{name}", "s", f"the time from submission {words}", ("mean", "p50", "p95", "p99"))
    share = Meaning("", f"share of completed payments for which the time {words} came within the run")
    return {**spread, f"latency_s.{name}.share": share}


MEANINGS: Mapping[str, Meaning] = {
    "offered": Meaning("payments", "payments of the workload"),
    "completed": Meaning("payments", "payments whose payee was assured of the money"),
    "success_rate": Meaning("", "completed over offered"),
    "throughput_per_s": Meaning("1/s", "completed over the time from the first moment of the payment phase to its end "
                                "or, if later, to the last assurance"),
    "warm_up_payments": Meaning("payments", "payments of the warm-up, which rates, latencies, fees, attempts and hops "
                                "leave out"),
    "failures.*": Meaning("payments", "payments that failed for that reason; reasons that did not occur are left out"),
    **{key: value for name, words in _LATENCIES.items() for key, value in _latency(name, words).items()},
    **_spread("fee_usd", "USD", "what payers paid on top of the amount", ("mean", "p50", "p95")),
    **_spread("attempts", "", "the routes tried for a completed payment", ("mean", "p50", "p95")),
    **_spread("hops", "", "the channels that carried a completed payment", ("mean", "p50", "p95")),
    "cost_usd.onboarding": Meaning("USD", "L1 fees users paid to come in"),
    "cost_usd.leaving": Meaning("USD", "what users paid to go out: L1 fees, and fees to operators"),
    "cost_usd.payments_l1": Meaning("USD", "L1 fees users paid for single payments"),
    "cost_usd.service": Meaning("USD", "fees payers paid to operators for payments"),
    "cost_usd.operators_l1": Meaning("USD", "this run's share of the operators' L1 fees"),
    "cost_usd.stolen": Meaning("USD", "what was stolen from users by a false state that became final"),
    "cost_usd.operators_other": Meaning("USD", "operators' costs off L1: proving, servers"),
    "cost_usd.operators_margin": Meaning("USD", "what operators earned after their costs; below 0 it is a loss"),
    "cost_usd.total": Meaning("USD", "what users paid, plus what operators lost"),
    "cost_usd_per_payment": Meaning("USD", "total cost over completed payments"),
    "fixed_cost_usd_per_user": Meaning("USD", "what coming in and going out cost a user"),
    "running_cost_usd_per_payment": Meaning("USD", "all other cost, a completed payment"),
    "breakeven_fee_usd": Meaning("USD", "mean fee of a payment at which operators would neither earn nor lose"),
    "payments_per_user": Meaning("", "completed payments over users who came in"),
    "users.all": Meaning("users", "users of the workload"),
    "users.came_in": Meaning("users", "users whose way onto the system was confirmed"),
    "users.went_out": Meaning("users", "users who had their money back on L1, or none left"),
    "users.stranded_usd": Meaning("USD", "users' money left behind: going out would cost more, or the "
                                   "bridge has less than it owes"),
    "l1_bytes_per_payment": Meaning("bytes", "L1 bytes of the run (of the operators', this run's share) over completed "
                                    "payments"),
    "l1_transactions.*": Meaning("", "L1 transactions for that purpose: payment, onboard, exit, operate"),
    "capital_locked_usd": Meaning("USD", "money tied up in the system, average over the payment phase"),
    "signatures_made": Meaning("", "signatures made by everybody off L1 and on it"),
    "signatures_verified": Meaning("", "signatures verified by everybody"),
    "hashes": Meaning("", "hashes finished by everybody"),
    "cpu_s.*": Meaning("s", "processor time of that kind of server, by the cost profile"),
}  # fmt: skip
"""By dotted name, in the order of a summary."""


def meaning_of(figure: str) -> Meaning:
    """The meaning of one figure; KeyError for one that no summary has.

    >>> meaning_of("failures.no_route").unit
    'payments'
    """
    if figure in MEANINGS:
        return MEANINGS[figure]
    for name, meaning in MEANINGS.items():
        if fnmatchcase(figure, name):
            return meaning
    raise KeyError(figure)
