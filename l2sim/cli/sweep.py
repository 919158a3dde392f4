"""`l2sim sweep`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, print_note, set_option
from l2sim.cli.study import (
    executor_options,
    print_intervals,
    replications_option,
    stopping_rule,
    study_progress,
    until_options,
)


@click.command()
@click.argument("scenario", type=PATH)
@click.option("--vary", "varied", metavar="KEY=A,B,...", multiple=True,
              help="A key of the scenario and its values, or KEY=LOW..HIGH[:log] for a Latin hypercube; may be given "
              "again. By default what the scenario's sweep block says.")  # fmt: skip
@click.option("--design", type=click.Choice(["grid", "list", "latin", "sobol"]),
              help="grid: all combinations (default); list: first values together, and so on; latin: a Latin "
              "hypercube; sobol: a sample that says which key matters.")  # fmt: skip
@click.option(
    "--samples",
    metavar="N",
    type=click.IntRange(2, 100_000),
    help="Points of a Latin hypercube, or the base sample of sobol.",
)
@click.option("--out", metavar="DIR", type=PATH, help="The sweep's folder; by default sweeps/<name>-<hash>.")
@click.option("--resume", is_flag=True, help="Go on with DIR if it is there: compute only what is missing.")
@replications_option
@until_options
@executor_options
@set_option
@click.option("--figures/--no-figures", default=True, help="Draw figures and a report for each run (default), or not.")
@click.option("--quiet", is_flag=True, help="Show no progress and no table: only the path of the folder.")
def sweep(
    scenario: Path,
    varied: tuple[str, ...],
    design: str | None,
    samples: int | None,
    out: Path | None,
    resume: bool,
    replications: int | None,
    until: str | None,
    max_replications: int,
    workers: int | None,
    executor: str,
    scheduler: str | None,
    overrides: tuple[str, ...],
    figures: bool,
    quiet: bool,
) -> None:
    """Run a scenario at many points, into one folder.

    Each point is a run folder; a table has them all. Whatever stops it, finished runs are kept, and --resume computes
    the rest. The results do not depend on workers or
    executor.
    """
    if not varied and (design is not None or samples is not None):
        raise click.UsageError("--design and --samples go with --vary")
    from l2sim.scenario import load_scenario

    chosen = load_scenario(scenario, overrides)
    from l2sim.experiment.points import parse_vary
    from l2sim.experiment.sweep import sweep as run_sweep

    pairs = [parse_vary(option) for option in varied]
    for key in {key: None for key, _ in pairs if [other for other, _ in pairs].count(key) > 1}:
        raise click.UsageError(f"--vary names {key} twice; give all its values at once")
    if not pairs and not chosen.sweep.vary:
        raise click.UsageError("say what to vary: --vary KEY=A,B,..., or a sweep block in the scenario")
    rule = stopping_rule(until, max_replications)
    ranges = any(isinstance(values, dict) for _, values in pairs)
    with study_progress(quiet) as progress:
        done = run_sweep(
            chosen,
            dict(pairs) or None,
            out=out,
            design=design or ("latin" if ranges else "grid"),
            samples=samples,
            replications=replications,
            until=rule,
            executor=executor,
            workers=workers,
            scheduler=scheduler,
            resume=resume,
            figures=figures,
            progress=progress,
            notice=print_note,
        )
    if not quiet:
        print_intervals(f"{done.name}, {len(done.runs)} runs", done.intervals(), done.keys)
    click.echo(str(done.folder))
