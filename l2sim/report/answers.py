"""What a report says of a run: the answer in sentences, cautions, the comparison, failures, and what was run."""

from collections.abc import Callable, Mapping
from typing import Any

from l2sim.report.figures import crossings_of
from l2sim.report.forced import end_measures
from l2sim.report.html import Cell, Grid, Line
from l2sim.report.words import number, seconds, share, usd
from l2sim.results.data import RunData

Summary = Mapping[str, Any]

ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("share of payments completed", "success_rate", share),
    ("throughput, until the last is assured, a second", "throughput_per_s", number),
    ("assured, median", "latency_s.assured.p50", seconds),
    ("assured, 95 %", "latency_s.assured.p95", seconds),
    ("final, median", "latency_s.final.p50", seconds),
    ("final, 95 %", "latency_s.final.p95", seconds),
    ("fee, median", "fee_usd.p50", usd),
    ("fee, 95 %", "fee_usd.p95", usd),
    ("cost a payment, all amortised", "cost_usd_per_payment", usd),
    ("coming in and going out, a user", "fixed_cost_usd_per_user", usd),
    ("all other cost, a payment", "running_cost_usd_per_payment", usd),
    ("fee at which operators break even", "breakeven_fee_usd", usd),
    ("operators' margin", "cost_usd.operators_margin", usd),
    ("stolen from users", "cost_usd.stolen", usd),
    ("users who came in", "users.came_in", number),
    ("users who went out", "users.went_out", number),
    ("money left behind", "users.stranded_usd", usd),
    ("L1 bytes a payment (blobs count whole)", "l1_bytes_per_payment", number),
    ("capital in the whole system, while payments run", "capital_locked_usd", usd),
    ("signatures made", "signatures_made", number),
    ("signatures verified", "signatures_verified", number),
    ("hashes", "hashes", number),
)
"""The rows of the comparison: label, figure of the summary, how it is said."""


def value_of(summary: Summary, figure: str) -> Any:
    """A figure of a summary by its dotted name; None where an older summary lacks it.

    >>> value_of({"latency_s": {"assured": {"p50": 0.5}}}, "latency_s.assured.p50")
    0.5
    """
    value: Any = summary
    for part in figure.split("."):
        value = value.get(part)
    return value


def replications(data: RunData) -> int:
    """How many independent repetitions stand behind the figures: 1 for a run alone."""
    return int(data.run.get("replications", {}).get("count", 1))


def comparison(data: RunData) -> Grid:
    """The comparison: a row a figure, a column a system; with replications, means and their 95 % intervals."""
    spreads: Mapping[str, Any] = data.run.get("replications", {}).get("systems", {})

    def cell(system: str, figure: str, say: Callable[[Any], str]) -> Cell:
        interval = spreads.get(system, {}).get(figure)
        if interval is None:
            value = value_of(data.summary[system], figure)
            return Cell(say(value), value)
        width = interval["half_width"]
        more = "" if width is None else f"{say(interval['low'])} … {say(interval['high'])}"
        return Cell(say(interval["mean"]), interval["mean"], more)

    lines = [Line(label, tuple(cell(system, figure, say) for system in data.systems)) for label, figure, say in ROWS]
    kept = tuple(
        Cell("yes, to the last unit" if data.summary[system]["conserved"] else "NO") for system in data.systems
    )
    return Grid("Side by side", ("", *data.systems), [*lines, Line("money conserved", kept)])


def steady(data: RunData) -> Grid:
    """How sure one run is of its means, by batch means, and where its warm-up may end; nothing for a short run."""

    def cell(found: Mapping[str, Any] | None, say: Callable[[Any], str]) -> Cell:
        return Cell("–") if found is None else Cell(say(found["mean"]), found["mean"], f"± {say(found['half_width'])}")

    blocks = {system: data.run["systems"][system].get("steady") for system in data.systems}
    lines = [
        Line(
            system,
            (
                cell(block["assured_s"], seconds),
                cell(block["fee_usd"], usd),
                Cell(seconds(block["mser5_s"]), block["mser5_s"]),
            ),
        )
        for system, block in blocks.items()
        if block is not None and block["assured_s"] is not None
    ]
    return Grid("How sure one run is", ("", "assured, mean", "fee, mean", "warm-up suggested by MSER-5"), lines)


def failures(data: RunData) -> Grid:
    """Failure reasons by system, those that occurred, most frequent first."""
    counts: dict[str, int] = {}
    for system in data.systems:
        for reason, count in data.summary[system]["failures"].items():
            counts[reason] = counts.get(reason, 0) + count
    ordered = sorted(counts, key=lambda reason: (-counts[reason], reason))

    def cell(system: str, reason: str) -> Cell:
        count = data.summary[system]["failures"].get(reason, 0)
        return Cell(f"{count:,}", count)

    lines = [
        Line(reason.replace("_", " "), tuple(cell(system, reason) for system in data.systems)) for reason in ordered
    ]
    return Grid("Why payments failed", ("", *data.systems), lines)


def figure_of(data: RunData, system: str, figure: str) -> float | None:
    """A figure of a system, the mean over the replications if there are some; None where it was not measured."""
    spreads: Mapping[str, Any] | None = data.run.get("replications", {}).get("systems")
    if spreads is None:
        value = value_of(data.summary[system], figure)
        return None if value is None else float(value)
    found = spreads.get(system, {}).get(figure)
    return None if found is None else float(found["mean"])


def headline(data: RunData) -> list[str]:
    """The answer first, in sentences: who is cheapest when, who is fastest; by the means over replications."""

    def known(figure: str) -> dict[str, float]:
        values = {system: figure_of(data, system, figure) for system in data.systems}
        return {system: value for system, value in values.items() if value is not None}

    sentences = []
    costs, waits = known("cost_usd_per_payment"), known("latency_s.assured.p50")
    if costs:
        best = min(costs, key=costs.__getitem__)
        verdict = f"{best} is cheapest" if len(costs) > 1 else f"{best} costs"
        sentences.append(
            f"With {number(figure_of(data, best, 'payments_per_user'))} payments a user, as run, {verdict}: "
            f"{usd(costs[best])} a payment."
        )
    if len(waits) > 1:
        fastest = min(waits, key=lambda name: float(waits[name]))
        sentences.append(f"{fastest} is fastest: half of its payees are assured within {seconds(waits[fastest])}.")
    fixed, running = known("fixed_cost_usd_per_user"), known("running_cost_usd_per_payment")
    for point in crossings_of({name: (fixed[name], running[name]) for name in fixed if name in running}):
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
        forced = end_measures(data, system)
        if forced.get("forced_under_way"):
            found.append(
                f"{system}: {forced['forced_under_way']:,.0f} of {forced['forced_closes']:,.0f} channels that one side "
                f"took on chain were not home when the run ended. {forced['forced_delayed_sat']:,.0f} sat of theirs "
                "waited for a delay or an expiry, which more time with phases.leaving_s ends, "
                f"{forced['forced_priced_out_sat']:,.0f} sat for a fee rate that they can pay."
            )
        if users["came_in"] < users["all"]:
            found.append(
                f"{system}: {users['all'] - users['came_in']} of {users['all']} users never came in, so their payments "
                "failed and cost nothing. Give them more funds, or more time with phases.onboarding_s."
            )
    return found


def setting(data: RunData) -> str:
    """What stands above the comparison: how many payments, how often repeated, what is real."""
    offered = data.summary[data.systems[0]]["offered"]
    count = replications(data)
    chance = (
        f"Means of {count} independent repetitions with their 95 % intervals; the figures below show the first."
        if count > 1
        else "One run is one draw of chance, of block times and fees above all."
    )
    real = data.run["scenario"]["crypto"] == "real"
    signatures = "really made and verified" if real else "modelled by the cost profile"
    return f"The same {offered:,} payments through each system. {chance} Signatures are {signatures}."


def setup(scenario: Mapping[str, Any]) -> list[str]:
    """What was run, in sentences, a part of the scenario each."""
    workload = scenario["workload"]
    sentences = [
        f"{workload['users']:,} users; payments arrive {_said(workload['arrivals'])}",
        f"Amounts: {_said(workload['amounts'])}" if workload.get("amounts") else "Amounts as in the trace",
        f"Each user's funds: {_said(workload['funds'])}",
    ]
    sentences += [f"Chain {name}: {_said(chain)}" for name, chain in scenario["l1"].items()]
    sentences += [f"System {name}: {_said(system)}" for name, system in scenario["systems"].items()]
    return [f"{sentence}." for sentence in sentences]


def _said(part: Mapping[str, Any]) -> str:
    """A group of settings as words: its kind, plain values, and the kinds of the groups in it."""
    said = [str(part["kind"])] if "kind" in part else []
    for key, value in part.items():
        if key == "kind" or value is None:
            continue
        if isinstance(value, Mapping):
            if "kind" in value:
                said.append(f"{key} {value['kind']}")
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            said.append(f"{key} {value:,}" if isinstance(value, int | float) else f"{key} {value}")
    return ", ".join(said)
