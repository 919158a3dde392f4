"""Who is cheapest at each point of a sweep, as run and for users who make more payments than in the run."""

import math
from collections.abc import Mapping, Sequence

from l2sim.experiment.metrics import Value
from l2sim.experiment.statistics import paired_where_known
from l2sim.experiment.tables import Systems, collect
from l2sim.report.verdicts import Rung, Verdict
from l2sim.results.metrics import amortised_cost

LADDER: tuple[int, ...] = (100, 1_000, 10_000)
"""Payments a user makes between coming in and going out at which a report judges, besides those of the run."""


def verdicts_of(points: Mapping[int, Sequence[Systems]], payments_per_user: float | None = None) -> list[Verdict]:
    """At each point, which system is cheapest, and whether the next is dearer by more than chance explains.

    `points` holds the replications of each point. By the mean cost of a payment, as run or for users who make so
    many; the difference is paired by replication. Points where no cost is known are left out.
    """
    found = []
    for point, runs in points.items():
        costs = costs_of(runs, payments_per_user)
        means = {name: math.fsum(known) / len(known) for name, values in costs.items() if (known := _known(values))}
        if not means:
            continue
        best, *others = sorted(means, key=lambda name: (means[name], name))
        change = paired_where_known(costs[best], costs[others[0]]) if others else None
        low = None if change is None else change.low
        sure = low is not None and low > 0
        times = {name: means[name] / means[best] for name in others} if means[best] > 0 else {}
        found.append(Verdict(point, best, others[0] if others else None, sure, means[best], times))
    return found


def costs_of(runs: Sequence[Systems], payments_per_user: float | None = None) -> dict[str, list[Value]]:
    """Each system's cost of a payment in US dollars, one value a replication; None where it is not known."""
    figures = collect(runs)
    if payments_per_user is None:
        return {name: values["cost_usd_per_payment"] for name, values in figures.items()}
    return {
        name: [
            None if fixed is None or running is None else amortised_cost(fixed, running, payments_per_user)
            for fixed, running in zip(
                values["fixed_cost_usd_per_user"], values["running_cost_usd_per_payment"], strict=True
            )
        ]
        for name, values in figures.items()
    }


def ladder_of(points: Mapping[int, Sequence[Systems]], ladder: Sequence[float] = LADDER) -> list[Rung]:
    """The verdicts as run, then for users who make each of these numbers of payments."""
    made = [
        float(value)
        for runs in points.values()
        for values in collect(runs).values()
        for value in values["payments_per_user"]
        if value is not None
    ]
    rungs = []
    for payments in (None, *ladder):
        unknown: dict[str, int] = {}
        for runs in points.values():
            for name, values in costs_of(runs, payments).items():
                if not _known(values):
                    unknown[name] = unknown.get(name, 0) + 1
        span = (min(made, default=0.0), max(made, default=0.0)) if payments is None else (payments, payments)
        rungs.append(Rung(span, payments is None, verdicts_of(points, payments), unknown))
    return rungs


def _known(values: Sequence[Value]) -> list[float]:
    return [float(value) for value in values if value is not None]
