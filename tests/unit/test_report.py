"""Reports: every figure draws, the page is whole and safe, words read well."""

import doctest
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import l2sim.report.words
from l2sim import Result
from l2sim.report.figures import FIGURES, crossings, draw
from l2sim.report.page import cautions, comparison, headline, report_html, write_report
from l2sim.report.style import png, svg
from l2sim.results.metrics import amortised_cost
from tests.support.scenarios import small_result


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


@pytest.mark.parametrize("name", ["throughput", "fees", "latency", "l1", "cost", "money"])
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
    """Collects whatever a page would fetch, and counts unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.scripts = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
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
    for label, cells in comparison(result):
        assert label in text
        for cell in cells:
            assert cell in text
    assert result.run["scenario_sha256"] in text
    assert page.count("<svg") == len(FIGURES)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{kind}" for name in FIGURES for kind in ("svg", "png")
    }


def test_what_comes_from_a_file_is_escaped() -> None:
    result = small_result()
    hostile = "</title><script>alert(1)</script>"
    run = {**result.run, "scenario": {**result.run["scenario"], "description": hostile}}
    copy = Result(run, {name: result.table(name) for name in ("payments", "batches", "blocks", "channels", "series")})
    page = report_html(copy, dict.fromkeys(FIGURES, "<svg></svg>"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_answer_comes_first_and_names_the_cheapest() -> None:
    result = small_result()
    best = min(result.systems, key=lambda name: result.summary[name]["cost_usd_per_payment"])
    assert best in headline(result)[0]


def test_a_report_warns_of_users_who_never_came_in_or_never_got_out() -> None:
    assert cautions(small_result()) == []
    cut_short = small_result("phases.leaving_s=60", "workload.funds={kind: lognormal, median_usd: 30, sigma: 0.5}")
    warnings = "\n".join(cautions(cut_short))
    assert "optimistic: the run ended before everyone was out" in warnings
    assert "users never came in" in warnings


def test_a_result_shows_itself_in_a_notebook() -> None:
    table = small_result()._repr_html_()
    assert table.startswith("<table>")
    assert "payments completed" in table


def test_the_words_examples_hold() -> None:
    assert doctest.testmod(l2sim.report.words).failed == 0
