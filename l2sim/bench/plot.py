"""How the cost of a run grows with its size, as a figure."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from l2sim.bench import records
from l2sim.bench.scenarios import CRYPTO, FORMAT, SYSTEMS
from l2sim.report.style import PARAMETERS, chart, look, png, svg


def cost_against_size(record: dict[str, Any]) -> Figure:
    """Draw a record of scenarios: processor time of a run, and of a payment, against the payments of the run."""
    rows = records.rows_of("record", record, FORMAT)
    exponents = {(entry["system"], entry["crypto"]): entry["exponent"] for entry in record["growth"]}
    with mpl.rc_context(PARAMETERS):
        figure = chart(height=6.4)
        whole, each = figure.subplots(2, 1, sharex=True)
        sizes: set[int] = set()
        for index, (system, crypto) in enumerate((s, c) for s in SYSTEMS for c in CRYPTO):
            points = [(r["payments"], r["cpu_s"]) for r in rows if (r["system"], r["crypto"]) == (system, crypto)]
            if not points:
                continue
            counts, cpu_s = zip(*points, strict=True)
            sizes.update(counts)
            label = f"{system}, {crypto}"
            if (system, crypto) in exponents:
                label += f", power {exponents[system, crypto]:.2f} of payments"
            drawn = {**look(index), "marker": "osD^"[index % 4]}
            whole.plot(counts, cpu_s, label=label, **drawn)
            each.plot(counts, [1e3 * s / n for n, s in points], **drawn)
        for axes in (whole, each):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        each.xaxis.set_major_locator(FixedLocator(sorted(sizes)))
        each.xaxis.set_minor_locator(NullLocator())
        each.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        machine = record["machine"]
        whole.set_title(f"Processor time of a run on {machine['cpu']}, {record['date']}")
        whole.set_ylabel("of a whole run [s]")
        figure.legend(loc="outside lower center", ncols=2, fontsize=9)
        each.set_ylabel("of one payment [ms]")
        each.set_xlabel("payments of the run")
        return figure


def save(record: dict[str, Any], path: Path) -> None:
    """Write the figure to a file: as SVG where it ends in .svg, else as PNG."""
    figure = cost_against_size(record)
    if path.suffix == ".svg":
        path.write_text(svg(figure), encoding="utf-8")
    else:
        path.write_bytes(png(figure))
