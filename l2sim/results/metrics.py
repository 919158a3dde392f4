"""Every figure of a summary, defined once in words and in code; tables, plots and notebooks all use these.

Rates and latencies are over completed payments, amounts of money in US dollars at the scenario's prices.

- *warm-up*: payments sent in it are made, counted and paid for, but the figures of rate, latency, fee, attempts and
  hops are over those sent after it.
- *throughput*: completed payments over the time from the start of the payment phase to its end or, if later,
  to the last assurance.
- *latency to assurance (finality)*: from submission until the payee may act on the money (until nobody can
  take it back).
- *fee*: what the payer paid on top of the amount.
- *breakeven fee*: the mean fee of a payment at which operators neither earn nor lose.
- *cost*: what users pay for the system (L1 fees for coming in, for paying and for going out, and fees to
  operators) plus what operators lose, if their own costs exceed the fees they took, plus what is stolen from users.
- *cost at n payments a user*: (what coming in and going out cost, a user) / n + all other cost, a payment. It is
  the cost for users who pay as often as in the run and stay longer: what operators lose in a time is shared
  by the payments of that time, so a busier run has a lower curve and not only a point further right on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.money import Asset, Prices
from l2sim.results.outcomes import FAILURES, Outcome
from l2sim.results.recorder import NEVER, PaymentRecord

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What a finished system says of itself, beside its tables; money in its asset's smallest unit."""

    kind: str
    asset: Asset
    users: int
    users_in: int
    """Users who came onto the system."""
    users_out: int
    """Users who got their money out again."""
    stranded: int
    """Users' money left behind because going out would cost more."""
    everyone_left: bool
    """Whether the run lasted until everyone was out and everything final."""
    payments_start_ns: int
    payments_end_ns: int
    l1_fees: Mapping[str, int]
    """L1 fees by purpose: payment, onboard, exit, operate."""
    l1_bytes: Mapping[str, int]
    l1_transactions: Mapping[str, int]
    service_fees: int
    exit_fees: int
    stolen: int
    """What somebody took from users who had no right to it."""
    operator_costs_usd: float
    operator_l1_share: float
    capital_locked: float
    """Time average over the payment phase."""
    signatures_made: int
    signatures_verified: int
    hashes: int
    cpu_ns: Mapping[str, int]
    audit: Mapping[str, int]
    conserved: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """Where the money of a run went, in US dollars."""

    onboarding: float
    """L1 fees users paid to come in."""
    leaving: float
    """What users paid to go out: L1 fees, and fees to operators."""
    leaving_service: float
    """The part of `leaving` that operators received."""
    payments_l1: float
    """L1 fees users paid for single payments."""
    service: float
    """Fees payers paid to operators: routers, sequencer."""
    operators_l1: float
    """This run's share of the operators' L1 fees."""
    operators_other: float
    """Operators' costs off L1: proving, servers."""
    stolen: float
    """What was stolen from users."""

    @property
    def operators_margin(self) -> float:
        """What operators earn after their costs; negative is a loss."""
        return self.service + self.leaving_service - self.operators_l1 - self.operators_other

    @property
    def operators_breakeven(self) -> float:
        """What operators must take from payers in fees for a margin of nothing."""
        return max(0.0, self.operators_l1 + self.operators_other - self.leaving_service)

    @property
    def fixed(self) -> float:
        """What does not depend on how many payments are made: coming in and going out."""
        return self.onboarding + self.leaving

    @property
    def running(self) -> float:
        """What payments cost, once users are in."""
        return self.payments_l1 + self.service + max(0.0, -self.operators_margin)

    @property
    def total(self) -> float:
        """All of it, theft included: it is no part of what coming in or a payment costs."""
        return self.fixed + self.running + self.stolen


def cost_of(facts: SystemFacts, prices: Prices) -> Cost:
    """Add up where the money of a finished system went."""

    def usd(purpose: str) -> float:
        return prices.to_usd(facts.asset, facts.l1_fees.get(purpose, 0))

    exit_service = prices.to_usd(facts.asset, facts.exit_fees)
    return Cost(
        onboarding=usd("onboard"),
        leaving=usd("exit") + exit_service,
        leaving_service=exit_service,
        payments_l1=usd("payment"),
        service=prices.to_usd(facts.asset, facts.service_fees),
        operators_l1=usd("operate") * facts.operator_l1_share,
        operators_other=facts.operator_costs_usd,
        stolen=prices.to_usd(facts.asset, facts.stolen),
    )


def fixed_per_user(facts: SystemFacts, cost: Cost) -> float | None:
    """What coming in cost those who came in, and going out those who went out; None where nobody did.

    A run that ends before everyone is out still knows what going out costs, from those who are.
    """
    if not facts.users_in or not facts.users_out:
        return None
    return cost.onboarding / facts.users_in + cost.leaving / facts.users_out


def _own_bytes(facts: SystemFacts) -> float:
    """L1 bytes of the run: all of the users', and of the operators' the share that belongs to this run."""
    operators = facts.l1_bytes.get("operate", 0)
    return sum(facts.l1_bytes.values()) - operators + operators * facts.operator_l1_share


def amortised_cost(fixed_usd_per_user: float, running_usd_per_payment: float, payments_per_user: float) -> float:
    """The cost of one payment when a user makes `payments_per_user` of them between coming in and going out.

    >>> amortised_cost(fixed_usd_per_user=2.0, running_usd_per_payment=0.01, payments_per_user=100)
    0.03
    """
    return fixed_usd_per_user / payments_per_user + running_usd_per_payment


def crossing(first: tuple[float, float], second: tuple[float, float]) -> float | None:
    """The payments a user at which two systems, each `(fixed, running)`, cost the same; None if never above 0.

    >>> crossing((2.0, 0.25), (1.0, 0.75))
    2.0
    """
    running = second[1] - first[1]
    fixed = first[0] - second[0]
    if running == 0.0 or fixed / running <= 0.0:
        return None
    return fixed / running


def distribution(values: npt.NDArray[np.floating[Any]], quantiles: tuple[int, ...]) -> dict[str, float | None]:
    """Mean and percentiles (linear between ranks) of `values`; None where there are none."""
    if len(values) == 0:
        return {"mean": None, **{f"p{q}": None for q in quantiles}}
    points = np.percentile(values, quantiles)
    return {"mean": float(values.mean()), **{f"p{q}": float(x) for q, x in zip(quantiles, points, strict=True)}}


def summarise(facts: SystemFacts, record: PaymentRecord, prices: Prices, warm_up_ns: int = 0) -> dict[str, Any]:
    """The summary block of one system, as `run.json` holds it.

    Payments submitted in the first `warm_up_ns` of the payment phase count and cost like all others, but rates,
    latencies, fees, attempts and hops leave them out.
    """
    completed = record.outcome == Outcome.COMPLETED
    count = int(np.count_nonzero(completed))
    begun_ns = facts.payments_start_ns + warm_up_ns
    measured = np.ones(len(record), np.bool_)
    if warm_up_ns:
        measured = (record.submitted_ns == NEVER) | (record.submitted_ns >= begun_ns)
    offered, steady = int(np.count_nonzero(measured)), measured & completed
    done = int(np.count_nonzero(steady))
    counts = np.bincount(record.outcome, minlength=len(Outcome))
    last_assured_ns = int(record.assured_ns[steady].max()) if done else facts.payments_end_ns
    span_ns = max(facts.payments_end_ns, last_assured_ns) - begun_ns

    def latency(times_ns: npt.NDArray[np.int64]) -> dict[str, float | None]:
        known = steady & (times_ns != NEVER)
        seconds = (times_ns[known] - record.submitted_ns[known]) / NS_PER_S
        return {**distribution(seconds, (50, 95, 99)), "share": float(known.sum() / done) if done else None}

    cost = cost_of(facts, prices)
    usd = prices.usd_per_unit(facts.asset)

    def each(total: float) -> float | None:
        return total / count if count else None

    return {
        "offered": len(record),
        "completed": count,
        "success_rate": done / offered if offered else None,
        "throughput_per_s": done * NS_PER_S / span_ns if span_ns > 0 else None,
        "warm_up_payments": len(record) - offered,
        "failures": {outcome.label: int(counts[outcome]) for outcome in FAILURES if counts[outcome]},
        "latency_s": {
            "assured": latency(record.assured_ns),
            "included": latency(record.included_ns),
            "l1_final": latency(record.l1_final_ns),
            "final": latency(record.final_ns),
        },
        "fee_usd": distribution(record.fee[steady] * usd, (50, 95)),
        "attempts": distribution(record.attempts[steady].astype(np.float64), (50, 95)),
        "hops": distribution(record.hops[steady].astype(np.float64), (50, 95)),
        "cost_usd": {
            "onboarding": cost.onboarding,
            "leaving": cost.leaving,
            "payments_l1": cost.payments_l1,
            "service": cost.service,
            "operators_l1": cost.operators_l1,
            "operators_other": cost.operators_other,
            "operators_margin": cost.operators_margin,
            "stolen": cost.stolen,
            "total": cost.total,
        },
        "cost_usd_per_payment": each(cost.total),
        "breakeven_fee_usd": each(cost.operators_breakeven),
        "fixed_cost_usd_per_user": fixed_per_user(facts, cost),
        "running_cost_usd_per_payment": each(cost.running),
        "payments_per_user": count / facts.users_in if facts.users_in else None,
        "users": {
            "all": facts.users,
            "came_in": facts.users_in,
            "went_out": facts.users_out,
            "stranded_usd": facts.stranded * usd,
            "everyone_left": facts.everyone_left,
        },
        "l1_bytes_per_payment": each(_own_bytes(facts)),
        "l1_transactions": dict(facts.l1_transactions),
        "capital_locked_usd": facts.capital_locked * usd,
        "signatures_made": facts.signatures_made,
        "signatures_verified": facts.signatures_verified,
        "hashes": facts.hashes,
        "cpu_s": {name: value / NS_PER_S for name, value in facts.cpu_ns.items()},
        "conserved": facts.conserved,
        "audit": {"unit": facts.asset.unit, **facts.audit},
    }
