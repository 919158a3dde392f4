"""The report of a run: `report.html`, one file, and its figures as files."""

from pathlib import Path
from typing import Any

from l2sim.report.answers import cautions, comparison, failures, headline, replications, setting, setup, steady
from l2sim.report.figures import FIGURES, draw
from l2sim.report.forced import forced
from l2sim.report.html import Shown, render, shown
from l2sim.report.network import networks
from l2sim.report.routers import routers
from l2sim.report.style import png, svg
from l2sim.results.data import RunData
from l2sim.results.folder import canonical_json


def report_html(data: RunData, figures: list[Shown]) -> str:
    """The page of a run with the given figures."""
    run, scenario = data.run, data.run["scenario"]
    return render(
        "report.html",
        run=run,
        scenario=scenario,
        scenario_text=canonical_json(scenario),
        headline=headline(data),
        cautions=cautions(data),
        setting=setting(data),
        comparison=comparison(data),
        failures=failures(data),
        steady=steady(data),
        figures=figures,
        networks=networks(data),
        routers=routers(data),
        forced=forced(data),
        setup=setup(scenario),
        command=_command(run),
    )


def _command(run: Any) -> str:
    """The command that makes the run again from its resolved scenario."""
    words = ["l2sim", "run", f"{run['scenario']['name']}.yaml"]
    count = int(run.get("replications", {}).get("count", 1))
    if count > 1:
        words += ["--replications", str(count)]
    elif run.get("replication"):
        words += ["--replication", str(run["replication"])]
    return " ".join(words)


def write_report(data: RunData, folder: Path) -> None:
    """Write `figures/*.svg`, `figures/*.png` and `report.html` into `folder`."""
    target = folder / "figures"
    target.mkdir()
    found = []
    for name, drawing in FIGURES.items():
        figure = draw(data, name)
        text = svg(figure)
        (target / f"{name}.svg").write_text(text, encoding="utf-8")
        (target / f"{name}.png").write_bytes(png(figure))
        found.append(shown(name, drawing.heading, drawing.caption, figure, text))
    (folder / "report.html").write_text(report_html(data, found), encoding="utf-8")


def summary_html(data: RunData) -> str:
    """The comparison table alone, for notebooks."""
    table = comparison(data)
    title = data.name if replications(data) == 1 else f"{data.name}, {replications(data)} replications"
    return render("summary.html", comparison=table._replace(caption=title))
