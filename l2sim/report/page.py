"""One HTML page a run: opens from disk anywhere, fetches nothing, escapes all it shows."""

from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from l2sim.report.figures import FIGURES, crossings, draw
from l2sim.report.style import png, svg
from l2sim.report.words import number, seconds, share, usd
from l2sim.results.data import RunData
from l2sim.results.folder import canonical_json

Row = tuple[str, tuple[str, ...]]


def comparison(data: RunData) -> list[Row]:
    """The comparison table as words: a label and one cell a system."""
    summaries = [data.summary[system] for system in data.systems]

    def row(label: str, cell: Any) -> Row:
        return label, tuple(cell(summary) for summary in summaries)

    return [
        row("payments completed", lambda s: f"{s['completed']:,} of {s['offered']:,} ({share(s['success_rate'])})"),
        row("throughput, until the last is assured", lambda s: f"{number(s['throughput_per_s'])} /s"),
        row("assured, median", lambda s: seconds(s["latency_s"]["assured"]["p50"])),
        row("assured, 95 %", lambda s: seconds(s["latency_s"]["assured"]["p95"])),
        row("final, median", lambda s: seconds(s["latency_s"]["final"]["p50"])),
        row("final, 95 %", lambda s: seconds(s["latency_s"]["final"]["p95"])),
        row("fee, median", lambda s: usd(s["fee_usd"]["p50"])),
        row("fee, 95 %", lambda s: usd(s["fee_usd"]["p95"])),
        row("fee at which operators break even", lambda s: usd(s.get("breakeven_fee_usd"))),
        row("operators' margin", lambda s: usd(s["cost_usd"]["operators_margin"])),
        row("cost a payment, all amortised", lambda s: usd(s["cost_usd_per_payment"])),
        row("coming in and going out, a user", lambda s: usd(s["fixed_cost_usd_per_user"])),
        row("all other cost, a payment", lambda s: usd(s["running_cost_usd_per_payment"])),
        row("users who came in / went out", lambda s: f"{s['users']['came_in']:,} / {s['users']['went_out']:,}"),
        row("money left behind", lambda s: usd(s["users"]["stranded_usd"])),
        row("L1 bytes a payment (blobs count whole)", lambda s: number(s["l1_bytes_per_payment"])),
        row("capital in the whole system, while payments run", lambda s: f"${s['capital_locked_usd']:,.0f}"),
        row("signatures made / verified", lambda s: f"{s['signatures_made']:,} / {s['signatures_verified']:,}"),
        row("hashes", lambda s: f"{s['hashes']:,}"),
        row("money conserved", lambda s: "yes, to the last unit" if s["conserved"] else "NO"),
    ]


def failures(data: RunData) -> list[Row]:
    """Failure reasons by system, those that occurred, most frequent first."""
    counts: dict[str, int] = {}
    for system in data.systems:
        for reason, count in data.summary[system]["failures"].items():
            counts[reason] = counts.get(reason, 0) + count
    ordered = sorted(counts, key=lambda reason: (-counts[reason], reason))
    return [
        (
            reason.replace("_", " "),
            tuple(f"{data.summary[system]['failures'].get(reason, 0):,}" for system in data.systems),
        )
        for reason in ordered
    ]


def headline(data: RunData) -> list[str]:
    """The answer first, in sentences: who is cheapest when."""
    sentences = []
    done = {name: s for name, s in data.summary.items() if s["cost_usd_per_payment"] is not None}
    if done:
        best = min(done, key=lambda name: float(done[name]["cost_usd_per_payment"]))
        verdict = f"{best} is cheapest" if len(done) > 1 else f"{best} costs"
        sentences.append(
            f"With {number(done[best]['payments_per_user'])} payments a user, as run, {verdict}: "
            f"{usd(done[best]['cost_usd_per_payment'])} a payment."
        )
    for point in crossings(data):
        n = point["payments_per_user"]
        if 1 <= n <= 1e6:
            times = f"{n:,.0f}" if n >= 10 else f"{n:.1f}"
            sentences.append(
                f"{point['cheaper_above']} becomes cheaper than {point['cheaper_below']} from about {times} payments a "
                f"user on ({usd(point['cost_usd'])} a payment)."
            )
    return sentences


def cautions(data: RunData) -> list[str]:
    """What a reader must know before trusting a figure, in sentences; usually nothing."""
    found = []
    for system in data.systems:
        summary = data.summary[system]
        users = summary["users"]
        if not users["everyone_left"]:
            found.append(
                f"{system}: the run ended before everyone was out and everything final ({users['went_out']} of "
                f"{users['came_in']} users are out): its totals lack the rest. Allow more time with phases.leaving_s."
            )
        if users["came_in"] < users["all"]:
            found.append(
                f"{system}: {users['all'] - users['came_in']} of {users['all']} users never came in, so their payments "
                "failed and cost nothing. Give them more funds, or more time with phases.onboarding_s."
            )
    return found


def _environment() -> Environment:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(usd=usd, seconds=seconds, share=share, number=number)
    return environment


def _template(name: str) -> str:
    return resources.files("l2sim.report").joinpath("templates", name).read_text(encoding="utf-8")


def report_html(data: RunData, figures: dict[str, str]) -> str:
    """The page; `figures` holds each figure's SVG text by name."""
    inline = {name: Markup(text[text.index("<svg") :]) for name, text in figures.items()}  # our own SVG
    run = data.run
    return (
        _environment()
        .from_string(_template("report.html"))
        .render(
            data=data,
            run=run,
            scenario=run["scenario"],
            scenario_text=canonical_json(run["scenario"]),
            headline=headline(data),
            cautions=cautions(data),
            comparison=comparison(data),
            failures=failures(data),
            drawings=FIGURES,
            figures=inline,
        )
    )


def write_report(data: RunData, folder: Path) -> None:
    """Write `figures/*.svg`, `figures/*.png` and `report.html` into `folder`."""
    target = folder / "figures"
    target.mkdir()
    texts: dict[str, str] = {}
    for name in FIGURES:
        figure = draw(data, name)
        texts[name] = svg(figure)
        (target / f"{name}.svg").write_text(texts[name], encoding="utf-8")
        (target / f"{name}.png").write_bytes(png(figure))
    (folder / "report.html").write_text(report_html(data, texts), encoding="utf-8")


def summary_html(data: RunData) -> str:
    """The comparison table alone, for notebooks."""
    return _environment().from_string(_template("summary.html")).render(data=data, comparison=comparison(data))
