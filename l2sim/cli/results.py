"""`l2sim export`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option


@click.command()
@click.argument("run", type=PATH)
@click.option("--csv", "as_csv", is_flag=True, help="Write each table as a CSV file.")
@click.option("--out", metavar="DIR", type=PATH, help="Folder for the files; by default csv/ in the run folder.")
@force_option
def export(run: Path, as_csv: bool, out: Path | None, force: bool) -> None:
    """Write the tables of a run folder in another form."""
    if not as_csv:
        raise click.UsageError("say in which form: --csv")
    from l2sim.results.folder import export_csv

    for path in export_csv(run, out if out is not None else run / "csv", force=force):
        click.echo(str(path))
