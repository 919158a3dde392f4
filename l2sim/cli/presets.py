"""`l2sim presets`: known rollups, each figure with its date and source."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from l2sim.systems.rollup.presets import Figure


@click.command(short_help="List the rollups that `preset:` knows, or show one.")
@click.argument("name", required=False)
def presets(name: str | None) -> None:
    """List the rollups that `preset:` knows, or show the settings of one of them, as YAML with a source for each.

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
    click.echo(f"# {preset.what}\npreset: {preset.name}")
    for line in _lines(preset.figures):
        click.echo(line)


def _lines(figures: "tuple[Figure, ...]") -> list[str]:
    """The figures as YAML, each with its origin behind it."""
    rows: list[tuple[str, str]] = []
    above: list[str] = []
    for figure in figures:
        *path, last = figure.key.split(".")
        for depth, key in enumerate(path):
            if above[: depth + 1] != path[: depth + 1]:
                rows.append((f"{'  ' * depth}{key}:", ""))
        above = path
        rows.append((f"{'  ' * len(path)}{last}: {figure.value}", figure.origin))
    width = max(len(text) for text, _ in rows)
    return [f"{text:{width}}  # {origin}" if origin else text for text, origin in rows]
