"""What the commands of studies (sweep, compare, run with replications) share: options, progress, tables."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from l2sim.cli.options import Function

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table

    from l2sim.experiment.stopping import StoppingRule
    from l2sim.experiment.sweep import SweepProgress

replications_option = click.option(
    "--replications", metavar="N", type=click.IntRange(1, 10_000),
    help="Independent repetitions, each with its own random numbers; by default as the scenario says.",
)  # fmt: skip

workers_option = click.option(
    "--workers", metavar="N", type=click.IntRange(1, 4096), help="Processes at once; by default one a core."
)


def executor_options(command: Function) -> Function:
    """`--workers`, `--executor` and `--scheduler`."""
    choice = click.Choice(["processes", "serial", "dask"])
    for option in (
        click.option("--scheduler", metavar="ADDRESS", help="The Dask scheduler; by default, one of our own."),
        click.option("--executor", type=choice, default="processes", show_default=True, help="Where runs happen."),
        workers_option,
    ):
        command = option(command)
    return command


def until_options(command: Function) -> Function:
    """`--until` and `--max-replications`."""
    for option in (
        click.option("--max-replications", metavar="N", default=100, show_default=True, type=click.IntRange(2, 10_000),
                     help="With --until: replications at most."),
        click.option("--until", metavar="METRIC=SHARE",
                     help="Replicate until the 95 % interval of METRIC is within this share of its mean, "
                     "for example cost_usd_per_payment=0.05."),
    ):  # fmt: skip
        command = option(command)
    return command


def stopping_rule(until: str | None, maximum: int) -> "StoppingRule | None":
    """The rule that `--until` asks for; raises UsageError or ResultsError."""
    if until is None:
        return None
    from l2sim.experiment.stopping import StoppingRule

    metric, equals, text = until.partition("=")
    try:
        share = float(text)
    except ValueError:
        share = None
    if not equals or share is None:
        raise click.UsageError(f"--until must be METRIC=SHARE, for example cost_usd_per_payment=0.05 (got {until})")
    return StoppingRule(metric.strip(), share, maximum)


@contextmanager
def study_progress(quiet: bool) -> "Iterator[SweepProgress | None]":
    """A line with runs done, rate and time left on standard error, if somebody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    started = time.monotonic()
    columns = (TextColumn("runs"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("runs", total=None, pace="")

        def progress(done: int, total: int, computed: int) -> None:
            minutes = (time.monotonic() - started) / 60
            pace = ""
            if computed:
                rate = computed / minutes
                pace = f"{rate:,.3g} a minute, {(total - done) / rate:,.2g} min left"
            bars.update(bar, completed=done, total=total, pace=pace)

        yield progress


def print_table(table: "Table", width: int) -> None:
    """Print a table on standard output; `width` is used where it is no terminal."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=width)).print(table)


def print_intervals(title: str, intervals: "pa.Table", keys: Sequence[str] = ()) -> None:
    """Print the headline figures, one row a point and system, each mean with its 95 % interval."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from l2sim.experiment.metrics import HEADLINE
    from l2sim.report.sweep_figures import spread, words

    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for row in intervals.to_pylist():
        place = (row.get("point", 0), *(row[key] for key in keys), row["system"])
        rows.setdefault(place, {})[row["metric"]] = spread(row["metric"], row["mean"], row["half_width"])
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for heading in (*keys, "system"):
        table.add_column(Text(heading))
    for metric in HEADLINE:
        table.add_column(Text(words(metric)), justify="right")
    for place, cells in rows.items():
        table.add_row(*(Text(str(value)) for value in place[1:]), *(Text(cells.get(m, "-")) for m in HEADLINE))
    print_table(table, 60 + 24 * (len(HEADLINE) + len(keys)))


def interval_rows(kinds: Mapping[str, str], block: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> "pa.Table":
    """The `replications` block of a `run.json` as a table of intervals."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {"system": system, "kind": kind, "metric": metric, **found}
            for system, kind in kinds.items()
            for metric, found in block[system].items()
        ]
    )
