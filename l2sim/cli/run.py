"""`l2sim run`."""

import sys
from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option, set_option


@click.command()
@click.argument("scenario", type=PATH)
@click.option("--out", metavar="DIR", type=PATH, help="The run folder; by default runs/<name>-<hash>.")
@click.option("--seed", metavar="N", help="Change the seed; short for --set seed=N.")
@set_option
@click.option("--systems", metavar="A,B", help="Run only these systems of the scenario.")
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
    force: bool,
    figures: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a scenario into a folder with a report.

    The same payments go through every system of the scenario. A table of the comparison is printed, the last line
    is the path of the report.
    """
    from l2sim.scenario import load_scenario

    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    chosen = load_scenario(scenario, overrides)
    if systems is not None:
        chosen = chosen.only([name.strip() for name in systems.split(",")])

    from l2sim.cli.progress import no_progress, show_progress
    from l2sim.experiment.run import run_scenario

    watched = sys.stderr.isatty() and not quiet and not as_json
    with show_progress() if watched else no_progress() as progress:
        result = run_scenario(chosen, out=out, force=force, progress=progress, figures=figures)

    if as_json:
        import json

        click.echo(json.dumps(result.summary, indent=2, allow_nan=False))
        return
    if not quiet:
        from l2sim.cli.table import print_comparison

        print_comparison(result)
    click.echo(str(result.report_path or result.folder))
