"""`l2sim compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2sim.cli.options import PATH, set_option
from l2sim.cli.study import (
    executor_options,
    print_table,
    replications_option,
    stopping_rule,
    study_progress,
    until_options,
)
from l2sim.errors import ResultsError

if TYPE_CHECKING:
    from l2sim.experiment.compare import Comparison


@click.command()
@click.argument("what", metavar="SCENARIO|RUN...", nargs=-1, required=True, type=PATH)
@replications_option
@click.option("--baseline", metavar="SYSTEM", help="The system that others are compared with; by default the first.")
@click.option("--metric", "metrics", metavar="NAME", multiple=True,
              help="A figure of the summary by its dotted name; may be given again. By default the headline ones."
              )  # fmt: skip
@click.option(
    "--out", metavar="DIR", type=PATH, help="Keep the runs, the table (CSV, Parquet), the figure and report.html here."
)
@click.option("--resume", is_flag=True, help="Go on with the runs in DIR: compute only what is missing.")
@until_options
@executor_options
@set_option
@click.option("--quiet", is_flag=True, help="Show no progress and no table.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON, and nothing else.")
def compare(
    what: tuple[Path, ...],
    replications: int | None,
    baseline: str | None,
    metrics: tuple[str, ...],
    out: Path | None,
    resume: bool,
    until: str | None,
    max_replications: int,
    workers: int | None,
    executor: str,
    scheduler: str | None,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Compare the systems of a scenario, or several runs.

    For a scenario: it is run in replications, and the systems' differences are paired, since all face the same
    payments. For run folders: each later run is compared with the first.
    """
    folders = [path for path in what if path.is_dir()]
    if len(folders) not in (0, len(what)):
        raise click.UsageError("compare one scenario, or run folders, not both")
    if not folders and len(what) > 1:
        raise click.UsageError(f"compare one scenario, or run folders (got {len(what)} that are no folders)")
    if folders and (replications is not None or overrides or until is not None or resume):
        raise click.UsageError("--replications, --until, --resume and --set go with a scenario, not with runs")
    if len(folders) > 1 and baseline is not None:
        raise click.UsageError("--baseline goes with one scenario or run; of several runs the first is the baseline")
    if resume and out is None:
        raise click.UsageError("--resume goes with --out: the folder to go on with")
    if not folders:
        from l2sim.scenario import load_scenario

        scenario = load_scenario(what[0], overrides)
    from l2sim.experiment.compare import compare as compare_all

    common: dict[str, Any] = {"baseline": baseline, "metrics": metrics or None}
    if folders:
        if out is not None and out.exists():
            raise ResultsError(f"{out}: exists already; choose another --out")
        found = compare_all(*folders, **common)
    else:
        rule = stopping_rule(until, max_replications)
        with study_progress(quiet or as_json) as progress:
            found = compare_all(
                scenario, replications=replications, out=out, until=rule, executor=executor, workers=workers,
                scheduler=scheduler, resume=resume, progress=progress, **common,
            )  # fmt: skip
    if out is not None:
        found.save(out)
    if as_json:
        import json

        click.echo(json.dumps(found.table().to_pylist(), indent=2, allow_nan=False))
        return
    if not quiet:
        _print(found)
    if out is not None:
        click.echo(str(out))


def _print(found: "Comparison") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from l2sim.report.comparison import chance, difference_cells

    intervals = found.replications > 1
    title = f"{found.title}, {found.replications} replications, paired 95 % intervals" if intervals else found.title
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "first", "second"):
        table.add_column(heading)
    for heading in ("first mean", "second mean", "difference", "relative"):
        table.add_column(heading, justify="right")
    if intervals:
        table.add_column("")
    for row in found.table().to_pylist():
        cells = [Text(cell) for cell in difference_cells(row)]
        table.add_row(*cells, *([Text(chance(row))] if intervals else []))
    print_table(table, 180)
