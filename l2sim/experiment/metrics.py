"""The figures of a summary by flat names, as sweeps, replications and comparisons tabulate them."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, get_type_hints

from l2sim.errors import ResultsError
from l2sim.money import Asset, Prices
from l2sim.results.metrics import SystemFacts, summarise
from l2sim.results.recorder import PaymentRecord

HEADLINE = (
    "success_rate",
    "throughput_per_s",
    "latency_s.assured.p50",
    "latency_s.final.p50",
    "fee_usd.mean",
    "cost_usd_per_payment",
    "l1_bytes_per_payment",
    "capital_locked_usd",
)
"""What comparisons show unless asked for more."""

COUNTED = ("failures.", "l1_transactions.")
"""Families of counts that a summary lists only where they are not 0."""

SOMETIMES = (*COUNTED, "cpu_s.")
"""Families of figures that depend on the system and on what happened."""

_NOT_TABULATED = ("audit",)
"""The audit's whole numbers are in the smallest unit and pass 2**63; a broken one never becomes a result."""

Value = int | float | None


def flatten(summary: Mapping[str, Any]) -> dict[str, Value]:
    """Every numeric figure of a system's summary by its dotted name; None where it could not be measured.

    >>> flatten({"completed": 3, "latency_s": {"assured": {"p50": 0.5}}, "conserved": True})
    {'completed': 3, 'latency_s.assured.p50': 0.5}
    """
    flat: dict[str, Value] = {}

    def add(prefix: str, block: Mapping[str, Any]) -> None:
        for key, value in block.items():
            name = f"{prefix}{key}"
            if isinstance(value, Mapping):
                if name not in _NOT_TABULATED:
                    add(f"{name}.", value)
            elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
                flat[name] = value

    add("", summary)
    return flat


@cache
def always_there() -> tuple[str, ...]:
    """The figures that every summary has, whatever the system."""
    blank: dict[Any, Any] = {str: "", int: 1, float: 1.0, bool: True, Asset: Asset.BTC}
    nothing = SystemFacts(**{name: blank.get(hint, {}) for name, hint in get_type_hints(SystemFacts).items()})
    return tuple(flatten(summarise(nothing, PaymentRecord(0), Prices(1, 1))))


def check_metric(name: str, option: str) -> None:
    """Raise ResultsError unless `name` can be a figure of a summary."""
    if name not in always_there() and not name.startswith(SOMETIMES):
        near = get_close_matches(name, always_there(), n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(always_there())}"
        raise ResultsError(f"{option}: must name a figure of the summary (got {name}){hint}")


def absent(name: str) -> Value:
    """What a figure is in a summary that does not list it: 0 for counts, else not measured."""
    return 0 if name.startswith(COUNTED) else None


def in_order(names: Iterable[str]) -> list[str]:
    """Figures in one order, whatever the order of the files they came from: as in a summary, then by name."""
    known = {name: place for place, name in enumerate(always_there())}
    return sorted(dict.fromkeys(names), key=lambda name: (known.get(name, len(known)), name))
