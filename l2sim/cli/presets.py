"""`l2sim presets`: known rollups, with dates and sources."""

import click


@click.command(short_help="List the rollups that `preset:` knows, or show one.")
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the rollups that `preset:` knows, or show the settings of one of them, as YAML.

    A system of kind rollup with `preset: NAME` takes them over; keys that it has itself go first.
    """
    from l2sim.systems.rollup.presets import PRESETS

    if name is None:
        width = max(map(len, PRESETS))
        for preset in PRESETS.values():
            click.echo(f"{preset.name:{width}}  {preset.as_of}  {preset.what}")
        return
    if name not in PRESETS:
        raise click.UsageError(f"NAME must be one of {', '.join(PRESETS)} (got {name[:60]})")
    preset = PRESETS[name]
    click.echo(f"# {preset.what}\n# as of {preset.as_of}; sources: {preset.sources}")
    if preset.assumed:
        click.echo(f"# assumed or uncertain: {preset.assumed}")
    click.echo(f"preset: {preset.name}")
    for key, value in preset.values.items():
        click.echo(f"{key}: {_flow(value)}")


def _flow(value: object) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    return str(value)
