"""`l2sim posting`: what a rollup's batches cost and how far they lag, for every way to post them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from l2sim.cli.options import PATH, force_option, set_option
from l2sim.errors import InputError

if TYPE_CHECKING:
    from l2sim.experiment.posting import Posted, Recording, Step

TABLE_FILE = "posting.csv"
"""What marks a folder of this command's."""
TABLE_WIDTH = 128
"""Columns that the table takes, however narrow the terminal says it is."""
DELAYS_S = (60, 300, 1_800, 7_200, 21_600)
"""Bounds on the delay for which the table names the cheapest setting."""


@click.command(short_help="Compare rules for when a rollup posts its batches.")
@click.argument("scenario", type=PATH)
@click.option("--system", metavar="NAME", help="Which rollup of the scenario; by default the first.")
@click.option("--durations", metavar="S,S,...", help="Channel durations in seconds; by default from 12 s to half the "
              "time that payments last.")  # fmt: skip
@click.option("--frames", metavar="N,N,...", default="1,3,6", show_default=True,
              help="Blobs' worth of data with which a channel is full.")  # fmt: skip
@click.option("--media", metavar="M,M,...", default="blob,calldata", show_default=True,
              help="blob, calldata, or auto: the cheaper one by op-batcher's rule.")  # fmt: skip
@click.option("--price", "prices", metavar="NAME[:KEY=VALUE,...]", multiple=True,
              help="A price path: the scenario's L1 with these of its settings changed, for example "
              "dear:background.base_fee_gwei=5; may be given again. By default three: the scenario's, ten times its "
              "base fee, and blobs dearer than calldata.")  # fmt: skip
@click.option("--sharing", metavar="N", type=click.IntRange(2, 1_000), default=8, show_default=True,
              help="Rollups of this size in one blob, for the column of shared costs.")  # fmt: skip
@click.option("--out", metavar="DIR", type=PATH, help="Folder for the table and the figure; by default "
              "posting/<name>.")  # fmt: skip
@force_option
@set_option
@click.option("--quiet", is_flag=True, help="Show no progress and no table: only the path of the folder.")
def posting(
    scenario: Path,
    system: str | None,
    durations: str | None,
    frames: str,
    media: str,
    prices: tuple[str, ...],
    sharing: int,
    out: Path | None,
    force: bool,
    overrides: tuple[str, ...],
    quiet: bool,
) -> None:
    """Cost per transaction, safe-head delay and blob fill of a rollup, for every way to post its batches.

    The scenario's payments are sequenced once; their L2 blocks then go through the batcher at every channel duration,
    size, medium and price path, in real compressed bytes. One figure (SVG and PNG), one table (CSV).
    """
    lengths = None if durations is None else _numbers("--durations", durations, 1, 86_400)
    counts = _numbers("--frames", frames, 1, 60)
    kinds = media.split(",")
    for kind in kinds:
        if kind not in ("blob", "calldata", "auto"):
            raise click.BadParameter(f"must be blob, calldata or auto (got {kind!r})", param_hint="--media")
    from l2sim.scenario import load_scenario

    chosen = load_scenario(scenario, overrides)
    folder = out if out is not None else Path("posting") / chosen.name
    from l2sim.results.partial import refuse_existing

    refuse_existing(folder, force, TABLE_FILE)
    from l2sim.experiment.posting import Explorer, default_durations, default_prices, record_blocks
    from l2sim.report.posting_figure import posting_figure

    recording = record_blocks(chosen, system)
    paths = _paths(recording, prices) if prices else default_prices(recording.chain)
    if not _has_blobs(recording):
        kinds = [kind for kind in kinds if kind != "blob"]
        paths.pop("blob spike", None)
        if not kinds:
            raise InputError(f"--media blob needs a fork with blobs (got {recording.chain.fork})")
    with _progress(quiet) as step:
        explorer = Explorer(recording, sharing)
        found = explorer.explore(lengths or default_durations(recording.span_s), counts, kinds, paths, step)
    rows = [dict(row) for row in _rows(found)]
    title = (
        f"{chosen.name}, {recording.name}: {len(explorer.times):,} transactions in {len(recording.blocks):,} L2 blocks"
    )
    _write(folder, rows, posting_figure(rows, title), force)
    if not quiet:
        _print(found, list(paths), title, sharing)
    click.echo(str(folder))


@contextmanager
def _progress(quiet: bool) -> "Iterator[Step | None]":
    """Points done, on standard error, if somebody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("points"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("points", total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _numbers(option: str, text: str, least: float, most: float) -> list[Any]:
    values: list[Any] = []
    for part in text.split(","):
        if not re.fullmatch(r"[0-9]{1,6}", part.strip()) or not least <= int(part) <= most:
            raise click.BadParameter(
                f"must be whole numbers from {least} to {most}, with commas between them (got {text!r})",
                param_hint=option,
            )
        values.append(int(part))
    return sorted(set(values))


def _paths(recording: "Recording", options: tuple[str, ...]) -> dict[str, Any]:
    """The price paths that the options name."""
    from l2sim.experiment.posting import changed

    paths: dict[str, Any] = {}
    for option in options:
        name, _, rest = option.partition(":")
        settings: dict[str, Any] = {}
        for pair in filter(None, rest.split(",")):
            key, sign, value = pair.partition("=")
            if not sign:
                raise click.BadParameter(f"must have = after each key (got {pair!r})", param_hint="--price")
            settings[key.strip()] = _value(value.strip())
        if not name or name in paths:
            raise click.BadParameter(f"must have a name of its own (got {option!r})", param_hint="--price")
        paths[name] = changed(recording.chain, settings)
    return paths


def _value(text: str) -> Any:
    try:
        return float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        return text


def _has_blobs(recording: "Recording") -> bool:
    return recording.chain.rules.max_blobs > 0


def _rows(found: "list[Posted]") -> Any:
    from l2sim.experiment.posting import table_rows

    return table_rows(found)


def _write(folder: Path, rows: list[dict[str, Any]], figure: Any, force: bool) -> None:
    import csv
    import io

    from l2sim.report.style import png, svg
    from l2sim.results.partial import write_folder

    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)

    def fill(place: Path) -> None:
        (place / TABLE_FILE).write_text(text.getvalue(), encoding="utf-8", newline="")
        (place / "posting.svg").write_text(svg(figure), encoding="utf-8")
        (place / "posting.png").write_bytes(png(figure))

    write_folder(folder, fill, force=force, mark=TABLE_FILE)


def _print(found: "list[Posted]", paths: list[str], title: str, sharing: int) -> None:
    """For each price path and bound on the delay, the cheapest setting."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from l2sim.experiment.posting import cheapest
    from l2sim.report.words import seconds, share, usd

    table = Table(
        title=f"{title}\nthe cheapest setting for each bound on the delay",
        caption=f"shared by {sharing}: worked out for {sharing} rollups of the same traffic that post into the same "
        "blobs at the same instant; no rollup is run beside this one, and none waits for another",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for column in ("price path", "safe within", "channel", "frames", "medium"):
        table.add_column(column)
    for column in ("cost a transaction", f"shared by {sharing}", "delay, mean", "95 %", "blob fill"):
        table.add_column(column, justify="right")
    for path in paths:
        shown = None
        for bound in DELAYS_S:
            best = cheapest(found, path, bound)
            if best is None or best == shown:
                continue
            shown = best
            table.add_row(
                path,
                seconds(bound),
                seconds(best.channel_duration_s),
                str(best.frames),
                best.medium,
                usd(best.cost_usd_per_transaction),
                usd(best.shared_cost_usd_per_transaction),
                seconds(best.safe_head_delay_mean_s),
                seconds(best.safe_head_delay_p95_s),
                share(best.blob_fill),
            )
        table.add_section()
    console = Console()
    Console(width=max(console.width, TABLE_WIDTH)).print(table)
