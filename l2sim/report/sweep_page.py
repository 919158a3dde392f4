"""The report of a sweep: the answer over all points, every point with its intervals, and what the sweep looks like."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from matplotlib.figure import Figure

from l2sim.report.html import Cell, Grid, Line, Shown, render, shown
from l2sim.report.style import svg
from l2sim.report.sweep_answers import speed_and_success
from l2sim.report.sweep_figures import (
    FEE,
    THROUGHPUT,
    WORDS,
    figure_text,
    frontier,
    lines,
    words,
    write_figure,
)
from l2sim.report.sweep_ladder import CAPTION, HEADING, can_ladder, ladder_maps
from l2sim.report.sweep_maps import can_map, maps
from l2sim.report.verdicts import Rung, gaps, sentences
from l2sim.report.words import key_words
from l2sim.results.folder import canonical_json


class Drawn(NamedTuple):
    """A figure, its heading, what it shows in words, and what those are told who do not see it, where that is more."""

    figure: Figure
    heading: str
    caption: str
    alternative: str = ""


def figures_of(
    intervals: pa.Table, keys: Sequence[str], ladder: Sequence[Rung], told: Sequence[str]
) -> dict[str, Drawn]:
    """Every figure of a sweep by name; `told` are the sentences of the ladder."""
    found = {}
    if can_map(intervals, keys):
        found["maps"] = Drawn(
            maps(intervals, keys),
            "Who is cheapest where",
            "Cost of a payment at every combination of the two varied keys: the cheapest system, then each system by "
            "itself. Darker is dearer; the numbers are means over the replications.",
        )
    if can_ladder(intervals, keys):
        found["ladder"] = Drawn(ladder_maps(intervals, keys, ladder), HEADING, CAPTION, " ".join([CAPTION, *told]))
    found["lines"] = Drawn(
        lines(intervals, keys),
        "Figure by figure",
        f"Means against {keys[0]} by system, with 95 % intervals; a column of panels for each value of a second key.",
    )
    found["frontier"] = Drawn(
        frontier(intervals),
        "Cost against wait",
        "A mark for each point and system: what a payment costs, and how long half of the payees wait until they are "
        "assured. The dotted line joins the points that no other beats in both.",
    )
    found["throughput"] = Drawn(
        frontier(intervals, THROUGHPUT, FEE),
        "Throughput against fee",
        "A mark for each point and system: payments completed a second, and the mean fee of a payment.",
    )
    return found


def write_sweep_report(
    manifest: Mapping[str, Any],
    intervals: pa.Table,
    ladder: Sequence[Rung],
    finished: int,
    folder: Path,
    indices: pa.Table | None = None,
) -> None:
    """Write `figures/` and `report.html` of a sweep with varied keys into its folder; `indices` are Sobol's."""
    keys = list(manifest["keys"])
    drawings = folder / "figures"
    drawings.mkdir(exist_ok=True)
    told = sentences(ladder, [point["values"] for point in manifest["points"]], keys)
    shows = []
    for name, drawn in figures_of(intervals, keys, ladder, told).items():
        write_figure(drawn.figure, drawings, name)
        one = shown(name, drawn.heading, drawn.caption, drawn.figure, svg(drawn.figure))
        shows.append(one._replace(alternative=drawn.alternative))
    page = sweep_html(manifest, intervals, ladder, finished, shows, indices)
    (folder / "report.html").write_text(page, encoding="utf-8")


def sweep_html(
    manifest: Mapping[str, Any],
    intervals: pa.Table,
    ladder: Sequence[Rung],
    finished: int,
    shows: Sequence[Shown],
    indices: pa.Table | None = None,
) -> str:
    """The page of a sweep."""
    scenario, points = manifest["scenario"], manifest["points"]
    each = int(manifest["replications"]["count"])
    planned = each * len(points)
    cheapest = sentences(ladder, [point["values"] for point in points], manifest["keys"])
    return render(
        "sweep.html",
        scenario=scenario,
        scenario_text=canonical_json(scenario),
        headline=[*cheapest[:1], *speed_and_success(intervals), *cheapest[1:]],
        cautions=[*_cautions(ladder, each), *gaps(ladder)],
        whole=finished >= planned,
        finished=finished,
        planned=planned,
        setting=f"{len(points)} points, {each} replications of each; means with their 95 % intervals. In each "
        "replication all systems of a point face the same payments.",
        points=points_grid(intervals, manifest["keys"]),
        indices=None if indices is None else indices_grid(indices),
        figures=shows,
        command=_command(manifest),
    )


def _cautions(ladder: Sequence[Rung], each: int) -> list[str]:
    if each == 1 and any(verdict.second for rung in ladder for verdict in rung.verdicts):
        return ["One run a point is one draw of chance: with --replications 5 the figures get intervals."]
    return []


def points_grid(intervals: pa.Table, keys: Sequence[str]) -> Grid:
    """One row a point and system: the varied keys and the headline figures."""
    rows: dict[tuple[int, str], dict[str, Mapping[str, Any]]] = {}
    values: dict[int, list[Any]] = {}
    for row in intervals.to_pylist():
        values.setdefault(row["point"], [row[key] for key in keys])
        rows.setdefault((row["point"], row["system"]), {})[row["metric"]] = row
    heads = ("", *(key_words(key) for key in keys), *(words(metric) for metric in WORDS))

    def cell(metric: str, found: Mapping[str, Mapping[str, Any]]) -> Cell:
        row = found.get(metric)
        if row is None:
            return Cell("–")
        more = "" if row["half_width"] is None else f"± {figure_text(metric, row['half_width'])}"
        return Cell(figure_text(metric, row["mean"]), row["mean"], more)

    lines_ = [
        Line(system, (*(Cell(f"{v:,}" if isinstance(v, int | float) else str(v), v) for v in values[point]),
                      *(cell(metric, found) for metric in WORDS)))
        for (point, system), found in rows.items()
    ]  # fmt: skip
    return Grid("Every point", heads, lines_)


def indices_grid(indices: pa.Table) -> Grid:
    """Sobol's indices: one row a system, figure and key, with the 95 % reach of each."""

    def cell(value: float, reach: float) -> Cell:
        return Cell(f"{value:.2f}", value, f"± {reach:.2f}")

    heads = ("", "figure", "key", "alone (first order)", "with others (total)")
    lines_ = [
        Line(row["system"], (
            Cell(words(row["metric"]), row["metric"]), Cell(key_words(row["key"]), row["key"]),
            cell(row["first"], row["first_reach"]), cell(row["total"], row["total_reach"]),
        ))
        for row in indices.to_pylist()
    ]  # fmt: skip
    return Grid("Which key matters", heads, lines_)


def _command(manifest: Mapping[str, Any]) -> str:
    """The command that makes the sweep again from its resolved scenario."""
    if manifest["scenario"]["sweep"]["vary"]:
        return shlex.join(["l2sim", "sweep", f"{manifest['scenario']['name']}.yaml"])
    sweep = ["l2sim", "sweep", f"{manifest['scenario']['name']}.yaml", "--design", "list"]
    for key in manifest["keys"]:
        sweep += ["--vary", f"{key}={','.join(str(point['values'][key]) for point in manifest['points'])}"]
    return shlex.join([*sweep, "--replications", str(manifest["replications"]["count"])])
