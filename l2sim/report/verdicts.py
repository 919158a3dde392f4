"""Who is cheapest at the points of a sweep, in words: as run, and for users who stay longer."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from l2sim.report.words import key_words, number, usd


class Verdict(NamedTuple):
    """Which system is cheapest at a point, which comes next, and whether chance explains the difference."""

    point: int
    best: str
    second: str | None
    sure: bool
    """Whether the paired 95 % interval of the difference leaves out 0."""
    usd: float
    """What a payment costs on the best, in US dollars: the mean over the replications."""
    times: Mapping[str, float] = MappingProxyType({})
    """How many times as much it costs on each other system whose cost is known, by the means; empty where it is free
    on the best."""


class Rung(NamedTuple):
    """The verdicts of a sweep for users who make so many payments between coming in and going out."""

    payments: tuple[float, float]
    """From the fewest to the most payments a user, over points and systems; the two differ only as run."""
    as_run: bool
    verdicts: Sequence[Verdict]
    unknown: Mapping[str, int]
    """The number of points at which the cost of a system is not known, by system, where there are any."""

    def __str__(self) -> str:
        low, high = (number(payments) for payments in self.payments)
        return f"{low if low == high else f'{low} to {high}'} payments a user{', as run' if self.as_run else ''}"


def sentences(ladder: Sequence[Rung], points: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Who is cheapest where and by how much, a sentence a rung; `points` holds the varied keys of each point.

    A rung at which nothing is known has no sentence.
    """
    return [
        f"With {rung}, {_winners(rung.verdicts, points, keys)}{_margins(rung.verdicts)}."
        for rung in ladder
        if rung.verdicts
    ]


def _winners(verdicts: Sequence[Verdict], points: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """The systems that are cheapest anywhere, the one that is so at most points first."""
    wins: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        wins.setdefault(verdict.best, []).append(verdict)
    clauses: list[str] = []
    for best, won in sorted(wins.items(), key=lambda one: (-len(one[1]), one[0])):
        count = f"at {len(won)}" if clauses else f"is cheapest at {len(won)} of {len(verdicts)} points"
        clauses.append(f"{best} {count}{_beyond(won)}{_where([points[one.point] for one in won], points, keys)}")
    return "; ".join(clauses)


def _margins(verdicts: Sequence[Verdict]) -> str:
    """What a payment costs on the cheapest, and how many times as much on the systems that win nowhere."""
    costs = span([verdict.usd for verdict in verdicts], usd)
    losers: dict[str, list[float]] = {}
    for verdict in verdicts:
        for name, times in verdict.times.items():
            losers.setdefault(name, []).append(times)
    winners = {verdict.best for verdict in verdicts}
    said = [f"{span(times, number)} times as much on {name}" for name, times in losers.items() if name not in winners]
    return f": {costs} a payment" + (f", {enumerated(said)}" if said else "")


def span(values: Sequence[float], say: Callable[[float], str]) -> str:
    """The least and the most of some values in words, once where they read the same.

    >>> span([3.0, 1.0, 2.0], number), span([2.0, 2.0001], number)
    ('1 to 3', '2')
    """
    low, high = say(min(values)), say(max(values))
    return low if low == high else f"{low} to {high}"


def enumerated(parts: Sequence[str]) -> str:
    """Parts of a sentence, the last joined by "and".

    >>> enumerated(["a"]), enumerated(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _beyond(won: Sequence[Verdict]) -> str:
    """At how many of the points a system won it did so beyond chance; nothing where it had no rival."""
    if not any(verdict.second for verdict in won):
        return ""
    sure = sum(verdict.sure for verdict in won)
    if sure == len(won):
        return ", beyond chance" + (" at all of them" if sure > 1 else "")
    return f", beyond chance at {sure or 'none'}"


def _where(won: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """The range of each numeric key within which a system won, where it is not the whole range."""
    if len(won) == len(every):
        return ""
    parts = []
    for key in keys:
        values, all_values = [one[key] for one in won], [one[key] for one in every]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in all_values):
            continue
        low, high = min(values), max(values)
        if (low, high) != (min(all_values), max(all_values)):
            short = key_words(key)
            parts.append(f"{short} {low:,}" if low == high else f"{short} {low:,} to {high:,}")
    return f" ({', '.join(parts)})" if parts else ""


def gaps(ladder: Sequence[Rung]) -> list[str]:
    """For each system that is left out of part of the ladder, a sentence that says why."""
    unknown: dict[str, int] = {}
    for rung in ladder:
        if not rung.as_run:
            unknown.update(rung.unknown)
    return [
        f"{system} is not judged at {count} point{'' if count == 1 else 's'} for users who stay longer: nobody "
        "completed a payment there, or nobody went out, so what its users share is not known."
        for system, count in unknown.items()
    ]
