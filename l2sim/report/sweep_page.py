"""The report of a sweep: the answer over all points, every point with its intervals, and what the sweep looks like."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from matplotlib.figure import Figure

from l2sim.report.html import Cell, Grid, Line, Shown, render, shown
from l2sim.report.style import svg
from l2sim.report.sweep_figures import (
    FEE,
    THROUGHPUT,
    WORDS,
    figure_text,
    frontier,
    key_words,
    lines,
    words,
    write_figure,
)
from l2sim.report.sweep_maps import can_map, maps
from l2sim.results.folder import canonical_json


class Verdict(NamedTuple):
    """Which system is cheapest at a point, which comes next, and whether chance explains the difference."""

    point: int
    best: str
    second: str | None
    sure: bool
    """Whether the paired 95 % interval of the difference leaves out 0."""


def figures_of(intervals: pa.Table, keys: Sequence[str]) -> dict[str, tuple[Figure, str, str]]:
    """Every figure of a sweep by name, with its heading and what it shows in words."""
    found = {}
    if can_map(intervals, keys):
        found["maps"] = (
            maps(intervals, keys),
            "Who is cheapest where",
            "Cost of a payment at every combination of the two varied keys: the cheapest system, then each system by "
            "itself. Darker is dearer; the numbers are means over the replications.",
        )
    found["lines"] = (
        lines(intervals, keys),
        "Figure by figure",
        f"Means against {keys[0]} by system, with 95 % intervals; a column of panels for each value of a second key.",
    )
    found["frontier"] = (
        frontier(intervals),
        "Cost against wait",
        "A mark for each point and system: what a payment costs, and how long half of the payees wait until they are "
        "assured. The dotted line joins the points that no other beats in both.",
    )
    found["throughput"] = (
        frontier(intervals, THROUGHPUT, FEE),
        "Throughput against fee",
        "A mark for each point and system: payments completed a second, and the mean fee of a payment.",
    )
    return found


def write_sweep_report(
    manifest: Mapping[str, Any],
    intervals: pa.Table,
    verdicts: Sequence[Verdict],
    finished: int,
    folder: Path,
    indices: pa.Table | None = None,
) -> None:
    """Write `figures/` and `report.html` of a sweep with varied keys into its folder; `indices` are Sobol's."""
    keys = list(manifest["keys"])
    drawings = folder / "figures"
    drawings.mkdir(exist_ok=True)
    shows = []
    for name, (figure, heading, caption) in figures_of(intervals, keys).items():
        write_figure(figure, drawings, name)
        shows.append(shown(name, heading, caption, figure, svg(figure)))
    page = sweep_html(manifest, intervals, verdicts, finished, shows, indices)
    (folder / "report.html").write_text(page, encoding="utf-8")


def sweep_html(
    manifest: Mapping[str, Any],
    intervals: pa.Table,
    verdicts: Sequence[Verdict],
    finished: int,
    shows: Sequence[Shown],
    indices: pa.Table | None = None,
) -> str:
    """The page of a sweep."""
    scenario, points = manifest["scenario"], manifest["points"]
    each = int(manifest["replications"]["count"])
    planned = each * len(points)
    return render(
        "sweep.html",
        scenario=scenario,
        scenario_text=canonical_json(scenario),
        headline=headline(verdicts, points, manifest["keys"]),
        cautions=_cautions(verdicts, each),
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


def headline(verdicts: Sequence[Verdict], points: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Who is cheapest where, in sentences, the system that is cheapest at most points first."""
    wins: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        wins.setdefault(verdict.best, []).append(verdict)
    sentences = []
    for best, won in sorted(wins.items(), key=lambda one: (-len(one[1]), one[0])):
        where = _where([points[verdict.point]["values"] for verdict in won], [p["values"] for p in points], keys)
        sure = sum(verdict.sure for verdict in won)
        beyond = (
            "" if any(verdict.second is None for verdict in won)
            else f", beyond chance at {'all of them' if sure == len(won) else sure}"
        )  # fmt: skip
        sentences.append(f"{best} is cheapest at {len(won)} of {len(verdicts)} points{beyond}{where}.")
    return sentences


def _where(won: Sequence[Mapping[str, Any]], every: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """The range of each numeric key within which a system won, where it is not the whole range."""
    if len(won) == len(every):
        return ""
    parts = []
    for key in keys:
        values, all_values = [one[key] for one in won], [one[key] for one in every]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in all_values):
            continue
        low, high = min(values), max(values)
        if (low, high) != (min(all_values), max(all_values)):
            short = key_words(key)
            parts.append(f"{short} {low:,}" if low == high else f"{short} {low:,} to {high:,}")
    return f" ({', '.join(parts)})" if parts else ""


def _cautions(verdicts: Sequence[Verdict], each: int) -> list[str]:
    if each == 1 and any(verdict.second for verdict in verdicts):
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
