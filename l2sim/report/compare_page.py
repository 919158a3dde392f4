"""The report of a comparison: the differences in sentences, in a figure and in a table with paired intervals."""

import shlex
from pathlib import Path

import pyarrow as pa

from l2sim.report.comparison import chance, change_text, difference_cells, differences, sentences
from l2sim.report.html import Cell, Grid, Line, Shown, render, shown
from l2sim.report.origin import Origin
from l2sim.report.style import svg
from l2sim.report.sweep_figures import write_figure
from l2sim.results.folder import canonical_json

HEADING = "Differences"

CAPTION = (
    "How much larger or smaller each figure is than that of the first, as a share of it. A whisker is the 95 % "
    "interval of the difference; where it reaches across 0, chance may explain it."
)


def write_comparison_report(title: str, replications: int, table: pa.Table, origin: Origin, folder: Path) -> None:
    """Write `figures/differences` and `report.html` of a comparison into its folder."""
    drawings = folder / "figures"
    drawings.mkdir(parents=True, exist_ok=True)
    figure = differences(title, table)
    write_figure(figure, drawings, "differences")
    one = shown("differences", HEADING, CAPTION, figure, svg(figure))
    (folder / "report.html").write_text(comparison_html(title, replications, table, origin, one), encoding="utf-8")


def comparison_html(title: str, replications: int, table: pa.Table, origin: Origin, figure: Shown) -> str:
    """The page of a comparison."""
    return render(
        "compare.html",
        scenario={"name": title, "description": origin.description},
        scenario_text="" if origin.scenario is None else canonical_json(origin.scenario),
        file=None if origin.scenario is None else f"{origin.scenario['name']}.yaml",
        headline=sentences(table),
        cautions=[] if replications > 1 else ["One run each is one draw of chance: with replications there are "
                                              "intervals, which say what chance explains."],
        setting=_setting(replications),
        differences=differences_grid(table),
        figures=[figure],
        command=shlex.join(origin.command),
        runs=origin.runs,
    )  # fmt: skip


def _setting(replications: int) -> str:
    if replications == 1:
        return "Each figure is that of one run."
    return (
        f"Means over {replications} replications. Differences are paired, replication by replication, and have their "
        "95 % intervals by Student's t."
    )


def differences_grid(table: pa.Table) -> Grid:
    """One row a figure and pair, with both means, the difference and its interval."""
    lines = []
    for row in table.to_pylist():
        figure, first, second, first_mean, second_mean, _, relative = difference_cells(row)
        interval = ""
        if row["low"] is not None:
            interval = f"{change_text(row['metric'], row['low'])} … {change_text(row['metric'], row['high'])}"
        cells = (
            Cell(first, first),
            Cell(second, second),
            Cell(first_mean, row["first_mean"]),
            Cell(second_mean, row["second_mean"]),
            Cell(change_text(row["metric"], row["difference"]), row["difference"], interval),
            Cell(relative, row["relative"]),
            Cell(chance(row) or "–"),
        )
        lines.append(Line(figure, cells))
    heads = ("", "first", "second", "first, mean", "second, mean", "second − first", "relative", "chance")
    return Grid(HEADING, heads, lines)
