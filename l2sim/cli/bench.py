"""`l2sim bench core` and `l2sim bench scenarios`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2sim.cli.options import PATH, Function, force_option, refuse_existing_file
from l2sim.errors import ResultsError

if TYPE_CHECKING:
    from l2sim.bench.records import Comparison

REGRESSED = 3
"""Exit code when a row is slower than the threshold allows."""

PLOT_SUFFIXES = (".svg", ".png")


def record_options(threshold: float) -> Callable[[Function], Function]:
    """What both benchmarks take: `--json`, `--compare` and `--threshold`, with this default."""

    def add(command: Function) -> Function:
        for option in (
            click.option("--threshold", default=threshold, show_default=True,
                         type=click.FloatRange(0, 1, min_open=True, max_open=True),
                         help="Share of a row's speed that may be lost before --compare calls it a regression."),
            click.option("--compare", "old_file", metavar="OLD.json", type=PATH,
                         help="Compare with an earlier --json file."),
            click.option("--json", "json_file", metavar="FILE", type=PATH, help="Write the figures as JSON."),
        ):  # fmt: skip
            command = option(command)
        return command

    return add


@click.group()
def bench() -> None:
    """Measure this machine."""


@bench.command()
@record_options(threshold=0.2)
@click.option("--write-profile", "profile_file", metavar="FILE.json", type=PATH,
              help="Write a cost profile of this machine, for cost_profile in scenarios.")  # fmt: skip
@click.option("--group", "groups", metavar="GROUP", multiple=True,
              help="Measure only this group of rows, for example hashes; may be given again.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Measure almost nothing, only to see that every row runs.")
@click.option("--kzg-setup", metavar="FILE", type=PATH, help="The KZG trusted setup, for blob commitments.")
@force_option
def core(
    json_file: Path | None,
    old_file: Path | None,
    threshold: float,
    profile_file: Path | None,
    groups: tuple[str, ...],
    quick: bool,
    kzg_setup: Path | None,
    force: bool,
) -> None:
    """Measure signatures, hashes, trees and onions, each beside a plain loop.

    In full it takes about a minute. Exits with 3 when --compare finds a row that lost more speed than --threshold.
    """
    for path in (json_file, profile_file):
        refuse_existing_file(path, force)
    if profile_file is not None and profile_file.suffix != ".json":
        raise click.UsageError(f"--write-profile must end in .json (got {profile_file.name})")
    from l2sim.bench.core import compare, core_groups, run_core_benchmarks, write_profile

    unknown = [name for name in groups if name not in core_groups()]
    if unknown:
        raise click.UsageError(f"--group must be one of {', '.join(core_groups())} (got {unknown[0]})")
    old = None if old_file is None else _read_record(old_file, "core", compare)

    record = run_core_benchmarks(
        quick=quick,
        groups=list(groups) or None,
        setup_path=kzg_setup,
        progress=_say_row if sys.stderr.isatty() else None,
    )
    _give(record, json_file)
    if profile_file is not None:
        missing = write_profile(profile_file, record)
        click.echo(f"{profile_file} written" + (f"; from the reference: {', '.join(missing)}" if missing else ""))
    if old is not None:
        _judge(compare(old, record, threshold), threshold)


@bench.command()
@record_options(threshold=0.3)
@click.option("--plot", "plot_file", metavar="FILE", type=PATH,
              help="Draw processor time against the size of the run: .svg or .png.")  # fmt: skip
@click.option("--system", "systems", metavar="NAME", multiple=True,
              help="Run only channels or only rollup.")  # fmt: skip
@click.option("--crypto", metavar="WORD", multiple=True, help="Run only modelled or only real cryptography.")
@click.option("--payments", metavar="N", multiple=True, type=click.IntRange(1, 10**7),
              help="A size of the runs, instead of the usual ones; may be given again.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Runs of a few payments, only to see that every row runs.")
@force_option
def scenarios(
    json_file: Path | None,
    old_file: Path | None,
    threshold: float,
    plot_file: Path | None,
    systems: tuple[str, ...],
    crypto: tuple[str, ...],
    payments: tuple[int, ...],
    quick: bool,
    force: bool,
) -> None:
    """Run whole scenarios, a channel network and a rollup at several sizes, and measure their processor time.

    Each run takes turns with a probe of the machine, by which --compare scales the older figures. In full it takes
    some two minutes. Exits with 3 when --compare finds a row that lost more speed than --threshold.
    """
    for path in (json_file, plot_file):
        refuse_existing_file(path, force)
    from l2sim.bench.scenarios import CRYPTO, SYSTEMS, compare, run_scenario_benchmarks

    for option, given, known in (("--system", systems, SYSTEMS), ("--crypto", crypto, CRYPTO)):
        unknown = [word for word in given if word not in known]
        if unknown:
            raise click.UsageError(f"{option} must be one of {', '.join(known)} (got {unknown[0]})")
    if plot_file is not None and plot_file.suffix not in PLOT_SUFFIXES:
        raise click.UsageError(f"--plot must end in {' or '.join(PLOT_SUFFIXES)} (got {plot_file.name})")
    old = None if old_file is None else _read_record(old_file, "scenarios", compare)

    record = run_scenario_benchmarks(
        quick=quick,
        systems=systems,
        crypto=crypto,
        payments=payments,
        progress=_say_row if sys.stderr.isatty() else None,
    )
    _give(record, json_file)
    for entry in record["growth"]:
        click.echo(
            f"{entry['system']}, {entry['crypto']}: processor time grows with payments to the power of "
            f"{entry['exponent']:.2f}"
        )
    if plot_file is not None:
        from l2sim.bench.plot import save

        save(record, plot_file)
    if old is not None:
        _judge(compare(old, record, threshold), threshold)


def _judge(changes: "list[Comparison]", threshold: float) -> None:
    """Print what changed, and leave with 3 where something has regressed."""
    if not changes:
        raise ResultsError("--compare: the two measurements have no row in common")
    _print_comparison(changes)
    if any(change.regressed for change in changes):
        click.echo(f"some rows lost more than {threshold:.0%} of their speed", err=True)
        click.get_current_context().exit(REGRESSED)


def _read_record(path: Path, command: str, compare: "Callable[..., list[Comparison]]") -> dict[str, Any]:
    """An earlier record, checked so that a wrong file is refused before the minutes of measuring."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        compare(record, record)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ResultsError(f"{path}: is no file that `l2sim bench {command} --json` wrote ({error})") from error
    return record


def _say_row(row: dict[str, Any]) -> None:
    click.echo(f"{row['name']}: {row['operations_per_s']:,.0f}/s", err=True)


def _give(record: dict[str, Any], json_file: Path | None) -> None:
    """Print a record, and write it where asked for."""
    _print_record(record)
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _print_record(record: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    machine = record["machine"]
    table = Table(title=Text(f"{machine['cpu']}, {machine['cores']} cores"), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for heading in ("operations/s", "ns each", "cores", "loop or probe, ns", "ratio", "asked", ""):
        table.add_column(heading, justify="right")
    for row in record["rows"]:
        table.add_row(
            Text(row["name"]),
            f"{row['operations_per_s']:,.0f}",
            f"{row['ns_per_operation']:,.1f}",
            str(row["cores"]),
            _or_blank(row["loop_ns_per_operation"], ",.1f"),
            _or_blank(row["ratio"], ".2f"),
            _or_blank(row["target_ratio"], "g"),
            "" if record["quick"] else {True: "met", False: "missed", None: ""}[row["met"]],
        )
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)
    for skipped in record["skipped"]:
        click.echo(f"{skipped['group']} skipped: {skipped['reason']}")


def _print_comparison(changes: "list[Comparison]") -> None:
    for change in changes:
        mark = "  regressed" if change.regressed else ""
        click.echo(f"{change.name}: {change.change:.2f} times as fast as before{mark}")


def _or_blank(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
