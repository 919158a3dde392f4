"""The comparison table that `l2sim run` prints: one row a figure of the summary, one column a system."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from l2sim.experiment.result import Result

Summary = Mapping[str, Any]

MISSING = "-"


def seconds(value: float | None) -> str:
    """A time in the unit that a person would use.

    >>> seconds(0.25), seconds(90), seconds(7200), seconds(604800)
    ('250 ms', '90 s', '2 h', '7 d')
    """
    if value is None:
        return MISSING
    for limit, factor, unit in (
        (1.0, 1e3, "ms"),
        (120.0, 1.0, "s"),
        (7200.0, 1 / 60, "min"),
        (172_800.0, 1 / 3600, "h"),
    ):
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value / 86_400:.3g} d"


def usd(value: float | None) -> str:
    """Dollars, with as many digits as small amounts need.

    >>> usd(1234.5), usd(0.000123), usd(0)
    ('1,234.50', '0.000123', '0')
    """
    if value is None:
        return MISSING
    return "0" if value == 0 else f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def number(value: float | None) -> str:
    """A count or a rate.

    >>> number(12345), number(0.51234), number(None)
    ('12,345', '0.512', '-')
    """
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.3g}"


def percent(value: float | None) -> str:
    """A share as a percentage.

    >>> percent(0.98765)
    '98.8 %'
    """
    return MISSING if value is None else f"{value * 100:.3g} %"


def main_failure(summary: Summary) -> str:
    """The most frequent reason of failure."""
    failures = summary["failures"]
    if not failures:
        return MISSING
    reason = max(failures, key=failures.__getitem__)
    return f"{reason.replace('_', ' ')} {failures[reason]:,}"


ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("payments offered", lambda s: number(s["offered"])),
    ("completed", lambda s: number(s["completed"])),
    ("success", lambda s: percent(s["success_rate"])),
    ("main failure", main_failure),
    ("completed per second", lambda s: number(s["throughput_per_s"])),
    ("payee assured, median", lambda s: seconds(s["latency_s"]["assured"]["p50"])),
    ("payee assured, 95 %", lambda s: seconds(s["latency_s"]["assured"]["p95"])),
    ("final, median", lambda s: seconds(s["latency_s"]["final"]["p50"])),
    ("fee, mean, USD", lambda s: usd(s["fee_usd"]["mean"])),
    ("fee that covers operators", lambda s: usd(s.get("breakeven_fee_usd"))),
    ("cost of a payment, USD", lambda s: usd(s["cost_usd_per_payment"])),
    ("L1 bytes of a payment", lambda s: number(s["l1_bytes_per_payment"])),
    ("capital locked, USD", lambda s: usd(s["capital_locked_usd"])),
    ("signatures made", lambda s: number(s["signatures_made"])),
    ("signatures verified", lambda s: number(s["signatures_verified"])),
    ("hashes", lambda s: number(s["hashes"])),
)


def comparison_table(title: str, kinds: Mapping[str, str], summaries: Mapping[str, Summary]) -> Table:
    """The table of a run; `kinds` and `summaries` by system."""
    table = Table(title=Text(title), box=SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for name in summaries:
        table.add_column(Text(f"{name}\n{kinds[name]}"), justify="right")
    for label, cell in ROWS:
        table.add_row(label, *(Text(cell(summary)) for summary in summaries.values()))
    return table


def print_comparison(result: "Result") -> None:
    """Print the table of a run on standard output."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=40 + 20 * len(result.systems))
    kinds = {name: result.kind(name) for name in result.systems}
    console.print(comparison_table(result.name, kinds, result.summary))
