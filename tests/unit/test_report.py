"""Reports: every figure draws, the page is whole and safe, words read well."""

import json
import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from l2sim import Result
from l2sim.experiment.replicate import run_replicated
from l2sim.report.answers import cautions, comparison, headline
from l2sim.report.figures import FIGURES, crossings, draw, thinned, time_ticks
from l2sim.report.forced import end_measures, forced
from l2sim.report.glance import means
from l2sim.report.html import as_json
from l2sim.report.labels import mark_crossings
from l2sim.report.network import networks
from l2sim.report.page import report_html, write_report
from l2sim.report.routers import routers
from l2sim.report.style import PARAMETERS, chart, png, svg
from l2sim.report.traces import traces
from l2sim.report.words import usd
from l2sim.results.metrics import amortised_cost
from l2sim.results.schema import TABLES
from tests.support.scenarios import SMALL, quickstart, small_result


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_and_is_the_same_each_time(name: str) -> None:
    result = small_result()
    figure = draw(result, name)
    assert isinstance(figure, Figure)
    text = svg(figure)
    assert text == svg(draw(result, name))
    assert png(figure).startswith(b"\x89PNG")
    drawn = figure.axes[0]
    assert drawn.lines or drawn.patches, "nothing was drawn"
    labels = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
    assert any(labels), "axes name what they show"


@pytest.mark.parametrize("name", ["glance", "throughput", "fees", "latency", "l1", "cost", "money", "time"])
def test_results_offer_their_figures_by_name(name: str) -> None:
    assert isinstance(getattr(small_result().plot, name)(), Figure)


def test_crossings_lie_on_both_curves() -> None:
    result = small_result()
    found = crossings(result)
    assert found
    for point in found:
        for side in ("cheaper_below", "cheaper_above"):
            summary = result.summary[point[side]]
            cost = amortised_cost(
                summary["fixed_cost_usd_per_user"], summary["running_cost_usd_per_payment"], point["payments_per_user"]
            )
            assert cost == pytest.approx(point["cost_usd"])


class Links(HTMLParser):
    """Collects whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            outside = value is not None and not value.startswith("#")
            if name in ("src", "href", "xlink:href", "srcset", "action") and outside:
                self.fetched.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_one_file_that_fetches_nothing_and_holds_every_number(tmp_path: Path) -> None:
    result = small_result()
    write_report(result, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert links.fetched == []
    assert not re.search(r"url\((?!#)", page)
    text = "".join(links.text)
    for name in result.systems:
        assert name in text
    for line in comparison(result).lines:
        assert line.label in text
        for cell in line.cells:
            assert cell.words in text
    assert result.run["scenario_sha256"] in text
    assert page.count("<svg") == len(FIGURES) + len(networks(result))
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png")
    }


@pytest.mark.parametrize("name", FIGURES)
def test_a_figures_data_is_that_of_its_lines(name: str) -> None:
    result = small_result()
    figure = draw(result, name)
    found = traces(figure)
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(found["panels"]) == len(panels)
    assert all(panel["lines"] or panel["bars"] for panel in found["panels"])
    for panel, axes in zip(found["panels"], panels, strict=True):
        left, top, right, bottom = panel["box"]
        assert 0 <= left < right <= found["width"]
        assert 0 <= top < bottom <= found["height"]
        names = [line["name"] for line in panel["lines"]]
        assert len(set(names)) == len(names)
        for line in panel["lines"]:
            drawn = [one for one in axes.lines if len(one.get_xdata()) == len(line["x"])]
            assert any(np.allclose(np.asarray(one.get_ydata(), float), line["y"], rtol=1e-5) for one in drawn)


def test_an_axis_of_words_says_them() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.errorbar(["cancun", "bpo2"], [2.0, 3.0], yerr=[0.1, 0.2], label="rollup")
    (panel,) = traces(figure)["panels"]
    assert panel["x"]["words"] == ["cancun", "bpo2"]
    assert [(line["name"], line["x"], line["y"]) for line in panel["lines"]] == [("rollup", [0, 1], [2.0, 3.0])]
    axes.clear()
    axes.plot([1, 2], [2.0, 3.0], label="rollup")
    assert "words" not in traces(figure)["panels"][0]["x"]


def test_the_money_of_a_network_is_that_of_the_balances() -> None:
    result = small_result()
    (network,) = networks(result)
    data = json.loads(network.data)
    rows = result.balances()
    instants, channels = len(data["shares"]), len(data["shares"][0])
    assert len(rows) == instants * channels
    first = rows.slice(0, channels)
    for share, a, b in zip(
        data["shares"][0], first["balance_a_msat"].to_pylist(), first["balance_b_msat"].to_pylist(), strict=True
    ):
        assert share == (None if a + b == 0 else pytest.approx(a / (a + b), abs=1e-3))


def test_what_comes_from_a_file_is_escaped() -> None:
    result = small_result()
    hostile = "</title><script>alert(1)</script>"
    run = {**result.run, "scenario": {**result.run["scenario"], "description": hostile}}
    copy = Result(run, {table.name: result.table(table.name) for table in TABLES})
    page = report_html(copy, [])
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_script_element_cannot_be_ended_from_inside() -> None:
    assert "<" not in as_json({"name": "</script><script>"})
    assert json.loads(as_json({"name": "</script>&"})) == {"name": "</script>&"}


def test_replications_give_the_comparison_its_intervals(tmp_path: Path) -> None:
    result = run_replicated(quickstart(*SMALL), 2, out=tmp_path / "run", executor="serial")
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Means of 2 independent repetitions" in page
    (line,) = [line for line in comparison(result).lines if line.label == "cost a payment, all amortised"]
    block = result.run["replications"]["systems"]
    for system, cell in zip(result.systems, line.cells, strict=True):
        assert cell.value == block[system]["cost_usd_per_payment"]["mean"]
        assert cell.more in page
    best = min(result.systems, key=lambda name: block[name]["cost_usd_per_payment"]["mean"])
    mean = block[best]["cost_usd_per_payment"]["mean"]
    assert mean != result.summary[best]["cost_usd_per_payment"]  # that of the first
    assert f"{best} is cheapest: {usd(mean)} a payment." in headline(result)[0]


def test_the_answer_comes_first_and_names_the_cheapest() -> None:
    result = small_result()
    best = min(result.systems, key=lambda name: result.summary[name]["cost_usd_per_payment"])
    assert best in headline(result)[0]


def test_a_system_whose_payments_all_came_in_the_warm_up_is_not_called_fastest() -> None:
    late = small_result("phases.warm_up_s=59.99", "workload.arrivals.rate_per_s=0.2")
    waits = {name: summary["latency_s"]["assured"]["p50"] for name, summary in late.summary.items()}
    assert all(wait is None for wait in waits.values())
    assert not any("is fastest" in sentence for sentence in headline(late))


def test_results_answer_questions_by_their_words() -> None:
    result = small_result()
    assert result.cheapest() == min(result.systems, key=lambda name: result.summary[name]["cost_usd_per_payment"])
    assert result.cheapest(1e6) == min(
        result.systems, key=lambda name: result.summary[name]["running_cost_usd_per_payment"]
    )
    money = result.where_the_money_went().to_pylist()
    assert {row["system"] for row in money} == set(result.systems)
    for row in money:
        assert row["usd"] == result.summary[row["system"]]["cost_usd"][row["part"]]
    (wait,) = (
        row
        for row in result.where_the_time_went().to_pylist()
        if (row["system"], row["stage"]) == ("validity", "final")
    )
    assert wait["p50"] == result.summary["validity"]["latency_s"]["final"]["p50"]
    failed = {(row["system"], row["reason"]): row["payments"] for row in result.why_payments_failed().to_pylist()}
    counted = {
        (name, reason): count for name in result.systems for reason, count in result.summary[name]["failures"].items()
    }
    assert failed == counted
    assert set(result.suggested_warm_up_s()) == set(result.systems)


def test_a_report_warns_of_users_who_never_came_in_or_never_got_out() -> None:
    assert cautions(small_result()) == []
    cut_short = small_result("phases.leaving_s=60", "workload.funds={kind: lognormal, median_usd: 30, sigma: 0.5}")
    warnings = "\n".join(cautions(cut_short))
    assert "optimistic: the run ended before everyone was out" in warnings
    assert "users never came in" in warnings


def test_a_result_shows_itself_in_a_notebook() -> None:
    table = small_result()._repr_html_()
    assert table.startswith("<table>")
    assert "share of payments completed" in table


def test_routers_that_earned_are_named_with_their_return() -> None:
    result = small_result()
    (found,) = routers(result)
    rows = {row["node"]: row for row in result.routers().to_pylist()}
    incomes = []
    for line in found.table.lines:
        row = rows[int(line.label.removeprefix("node "))]
        incomes.append(row["routing_income_msat"] + row["services_msat"])
        assert line.cells[-1].value == row["return_ppm_per_year"]
    assert incomes == sorted(incomes, reverse=True)
    assert incomes[0] == max(row["routing_income_msat"] + row["services_msat"] for row in rows.values())


def test_what_cheaters_and_watchtowers_did_is_on_the_page() -> None:
    assert forced(small_result()) == []
    result = small_result(
        "workload.duration_s=600",
        "workload.arrivals.rate_per_s=0.2",
        "systems.lightning.onchain={breach: {cheaters_share: 1.0, probability: 1.0, gain_share: 0.0001, every_s: 60, "
        "victim_away_share: 1.0, watchtower: {session_price_sat: 10}}, to_self_delay_blocks: 6}",
    )
    (found,) = forced(result)
    values = {line.label: line.cells[0].value for line in found.table.lines}
    assert values["revoked commitments published"] > 0
    assert values["bytes that these take"] == 330 * values["states that watchtowers stored"] > 0
    assert values["breaches that towers saw while the victim was away"] >= values["of these punished by the tower"] > 0


def test_a_run_that_ends_before_its_forced_channels_are_home_says_what_they_wait_for() -> None:
    result = small_result(
        "systems.lightning.onchain={uncooperative_share: 1.0, to_self_delay_blocks: 2016}", "phases.leaving_s=86400"
    )
    values = end_measures(result, "lightning")
    assert values["forced_under_way"] == values["forced_closes"] > 0
    assert values["forced_delayed_sat"] > 0
    (said,) = [caution for caution in cautions(result) if "took on chain" in caution]
    assert f"{values['forced_delayed_sat']:,.0f} sat of theirs waited for a delay" in said
    kinds = [row["close_kind"] for row in result.channels().to_pylist() if row["closed_ns"] is not None]
    assert "force" in kinds
    assert None not in kinds


def test_a_thinned_series_keeps_its_ends_and_every_peak() -> None:
    times = np.arange(10_000.0)
    values = np.sin(times / 700)
    values[[1234, 7777]] = [9.0, -9.0]
    few_times, few = thinned(times, values, most=200)
    assert len(few) <= 200
    assert (np.diff(few_times) > 0).all()
    assert (few.max(), few.min()) == (9.0, -9.0)
    assert set(zip(few_times, few, strict=True)) <= set(zip(times, values, strict=True))
    assert thinned(times[:50], values[:50], most=200)[1] is not None
    assert len(thinned(times[:50], values[:50], most=200)[1]) == 50


def test_numbers_beside_crossings_that_lie_close_do_not_cover_each_other() -> None:
    places = [(8, 0.02), (9.5, 0.02), (12, 0.018), (16, 0.02), (20, 0.02), (188, 0.02)]
    with mpl.rc_context(PARAMETERS):
        figure = chart(width=8.6, height=5.4)
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log", xlim=(1, 1e5), ylim=(1e-3, 10))
        mark_crossings(axes, [{"payments_per_user": n, "cost_usd": usd} for n, usd in places])
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["8.0", "9.5", "12", "16", "20", "188"]
    assert [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)] == []


def test_systems_are_compared_by_payments_that_all_of_them_completed() -> None:
    result = small_result()
    found = means(result)
    rows = result.payments().to_pylist()
    done = {
        system: {row["payment"]: row for row in rows if row["system"] == system and row["outcome"] == "completed"}
        for system in result.systems
    }
    common = set.intersection(*(set(of) for of in done.values() if of))
    assert common
    for system, of in done.items():
        offered = sum(row["system"] == system for row in rows)
        assert found[system]["completed"].mean == pytest.approx(100 * len(of) / offered)
        fees = [of[payment]["fee_usd"] for payment in common]
        assert found[system]["fee"].mean == pytest.approx(np.mean(fees))
        waits = [of[payment]["assured_ns"] - of[payment]["submitted_ns"] for payment in common]
        assert found[system]["time"].mean == pytest.approx(np.mean(waits) / 1e9)
        spread = 1.959963984540054 * np.std(waits, ddof=1) / len(waits) ** 0.5 / 1e9
        assert found[system]["time"].half == pytest.approx(spread)


def test_crossings_that_lie_on_each_other_share_a_number() -> None:
    places = [(148.0, 0.02), (148.0, 0.02), (148.01, 0.02), (2_827.0, 0.01), (2_998.0, 0.01), (3_014.0, 0.0101)]
    with mpl.rc_context(PARAMETERS):
        axes = chart(width=8.6, height=5.4).add_subplot()
        axes.set(xscale="log", yscale="log", xlim=(1, 1e5), ylim=(1e-3, 10))
        mark_crossings(axes, [{"payments_per_user": n, "cost_usd": usd} for n, usd in places])
    assert [text.get_text() for text in axes.texts] == ["148", "2,827–3,014"]
    assert len(axes.lines) == len(places)


def test_times_of_less_than_a_decade_have_ticks() -> None:
    axes = chart().add_subplot()
    axes.plot([0.55, 0.9], [0, 0])
    axes.set_xscale("log")
    time_ticks(axes.xaxis)
    low, high = axes.get_xlim()
    assert sum(low <= tick <= high for tick in axes.get_xticks()) >= 1


def test_a_result_without_a_cost_curve_shows_its_waits_instead() -> None:
    result = small_result()
    systems = {
        name: {**one, "summary": {**one["summary"], "running_cost_usd_per_payment": None}}
        for name, one in result.run["systems"].items()
    }
    bare = Result({**result.run, "systems": systems}, {table.name: result.table(table.name) for table in TABLES})
    assert 'alt="quickstart: how fast payments are"' in bare._repr_html_()
    assert 'alt="quickstart: cost against payments a user"' in result._repr_html_()
    axes = draw(bare, "cost").axes[0]
    assert list(axes.get_yticks()) == []
    assert all("no curve" in text.get_text() for text in axes.get_legend().get_texts())
