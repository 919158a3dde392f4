"""`l2sim run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l2sim.cli.options import PATH, force_option, print_note, set_option
from l2sim.cli.study import replications_option, workers_option

if TYPE_CHECKING:
    from l2sim.scenario import Scenario


@click.command()
@click.argument("scenario", type=PATH)
@click.option("--out", metavar="DIR", type=PATH, help="The run folder; by default runs/<name>-<hash>.")
@click.option("--seed", metavar="N", help="Change the seed; short for --set seed=N.")
@set_option
@click.option("--systems", metavar="A,B", help="Run only these systems of the scenario.")
@replications_option
@click.option("--replication", metavar="K", type=click.IntRange(0), help="Run only this replication, from 0.")
@workers_option
@force_option
@click.option("--figures/--no-figures", default=True, help="Draw figures and write the report (default), or not.")
@click.option("--quiet", is_flag=True, help="Show no progress and no table: only the path of the report.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, and nothing else.")
def run(
    scenario: Path,
    out: Path | None,
    seed: str | None,
    overrides: tuple[str, ...],
    systems: str | None,
    replications: int | None,
    replication: int | None,
    workers: int | None,
    force: bool,
    figures: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a scenario into a folder with a report.

    The same payments go through every system of the scenario. A table of the comparison is printed, the last line
    is the path of the report. With replications the folder is that of the first, with the others inside, and the
    table (or JSON) has the mean and the 95 % interval of every figure.
    """
    if replications is not None and replication is not None:
        raise click.UsageError("--replications runs so many, --replication one of them: give one of the two")
    from l2sim.scenario import load_scenario

    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    chosen = load_scenario(scenario, overrides)
    if systems is not None:
        chosen = chosen.only([name.strip() for name in systems.split(",")])

    count = 1 if replication is not None else replications or chosen.replications
    if count > 1:
        _run_replicated(chosen, count, out, force, figures, workers, quiet, as_json)
        return

    from l2sim.cli.progress import no_progress, show_progress
    from l2sim.experiment.run import run_scenario

    watched = sys.stderr.isatty() and not quiet and not as_json
    with show_progress() if watched else no_progress() as progress:
        result = run_scenario(
            chosen, out=out, replication=replication or 0, force=force, progress=progress, figures=figures,
            notice=print_note,
        )  # fmt: skip

    if as_json:
        import json

        click.echo(json.dumps(result.summary, indent=2, allow_nan=False))
        return
    if not quiet:
        from l2sim.cli.table import print_comparison

        print_comparison(result)
    click.echo(str(result.report_path or result.folder))


def _run_replicated(
    scenario: "Scenario",
    count: int,
    out: Path | None,
    force: bool,
    figures: bool,
    workers: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    from l2sim.cli.study import interval_rows, print_intervals, study_progress
    from l2sim.experiment.replicate import run_replicated

    with study_progress(quiet or as_json) as progress:
        result = run_replicated(
            scenario,
            count,
            out=out,
            force=force,
            figures=figures,
            workers=workers,
            progress=progress,
            notice=print_note,
        )
    block = result.run["replications"]["systems"]
    if as_json:
        import json

        click.echo(json.dumps(block, indent=2, allow_nan=False))
        return
    if not quiet:
        kinds = {name: result.kind(name) for name in result.systems}
        print_intervals(f"{result.name}, {count} replications, 95 % intervals", interval_rows(kinds, block))
    click.echo(str(result.report_path or result.folder))
