"""Reports in a real browser: they load without errors, sort, tell their values, move, and fetch nothing."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import l2sim
from l2sim.experiment.replicate import Replications
from l2sim.results.schema import TABLES
from tests.support.scenarios import SMALL, quickstart, small_result

pytest.importorskip("selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

HOSTILE = (
    "</title></script><script>document.body.dataset.owned='yes'</script>"
    "<img src=x onerror=\"document.body.dataset.owned='yes'\">"
)

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    return small_result().save(folder) / "report.html"


@pytest.fixture(scope="module")
def sweep_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scenario = quickstart(*SMALL)
    keys = {"workload.arrivals.rate_per_s": [0.5, 2], "workload.amounts.median_usd": [2, 20]}
    out = tmp_path_factory.mktemp("sweep") / "study"
    return l2sim.sweep(scenario, keys, replications=2, out=out, executor="serial", figures=False).folder / "report.html"


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest) -> Any:
    """The browser, with logs emptied; every error of a page that a test opened fails it."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.set_window_size(1200, 900)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def opened(page: Any, path: Path) -> Any:
    page.get(path.as_uri())
    return page


def requested(page: Any) -> list[str]:
    """Every address that the page asked for."""
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def body(page: Any, table: int) -> list[list[str]]:
    rows = page.execute_script(
        "return [...document.querySelectorAll('table.sortable')[arguments[0]].tBodies[0].rows]"
        ".map(row => [...row.cells].map(cell => cell.textContent.trim()))",
        table,
    )
    return [list(map(str, row)) for row in rows]


def heads(page: Any, table: int) -> list[str]:
    found: Sequence[str] = page.execute_script(
        "return [...document.querySelectorAll('table.sortable')[arguments[0]].tHead.rows[0].cells]"
        ".map(cell => cell.textContent.trim())",
        table,
    )
    return list(found)


def test_a_report_opens_from_disk_and_fetches_nothing(page: Any, report: Path, screenshots: Path) -> None:
    opened(page, report)
    assert requested(page) == [report.as_uri()]
    assert page.find_element(By.TAG_NAME, "h1").text == "quickstart"
    assert page.find_elements(By.CSS_SELECTOR, "figure svg")
    page.save_screenshot(str(screenshots / "report-light.png"))


def test_the_page_follows_the_dark(page: Any, report: Path, screenshots: Path) -> None:
    opened(page, report)

    def colours() -> tuple[str, str]:
        script = (
            "const s = getComputedStyle(document.querySelector(arguments[0])); return s.getPropertyValue(arguments[1])"
        )
        return (
            page.execute_script(script, "body", "background-color"),
            page.execute_script(script, "figure svg", "color"),
        )

    light = colours()
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = colours()
    assert light[0] == "rgb(255, 255, 255)"
    assert contrast(*light) > 7
    assert dark[0] != light[0]
    assert contrast(*dark) > 7
    page.save_screenshot(str(screenshots / "report-dark.png"))


def contrast(first: str, second: str) -> float:
    """The contrast of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_row_label_orders_the_systems_by_its_values_and_back(page: Any, report: Path) -> None:
    opened(page, report)
    label = page.find_element(By.XPATH, "//th[@scope='row']/button[contains(., 'cost a payment')]")
    costs = {name: s["cost_usd_per_payment"] for name, s in small_result().summary.items()}
    label.click()
    assert heads(page, 0)[1:] == sorted(costs, key=lambda name: costs[name])
    label.click()
    assert heads(page, 0)[1:] == sorted(costs, key=lambda name: -costs[name])
    assert label.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"


def test_a_column_head_sorts_the_points_of_a_sweep(page: Any, sweep_report: Path, screenshots: Path) -> None:
    opened(page, sweep_report)
    at = heads(page, 0).index("amounts.median_usd")
    head = page.find_elements(By.CSS_SELECTOR, "table.sortable thead th")[at].find_element(By.TAG_NAME, "button")
    head.click()
    values = [float(row[at]) for row in body(page, 0)]
    assert values == sorted(values)
    assert len(set(values)) == 2
    head.click()
    assert [float(row[at]) for row in body(page, 0)] == sorted(values, reverse=True)
    page.save_screenshot(str(screenshots / "sweep.png"))


def test_a_sweeps_answer_comes_first(page: Any, sweep_report: Path) -> None:
    opened(page, sweep_report)
    answer = page.find_element(By.CSS_SELECTOR, "ul.answer li").text
    assert re.search(r"is cheapest at \d of 4 points", answer)
    assert len(page.find_elements(By.CSS_SELECTOR, "figure[data-traces]")) == 5


def test_hovering_over_a_figure_tells_the_values_of_every_system(page: Any, report: Path, screenshots: Path) -> None:
    opened(page, report)
    figure = page.find_element(By.CSS_SELECTOR, "figure[data-traces='data-cost']")
    drawing = figure.find_element(By.TAG_NAME, "svg")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", drawing)
    ActionChains(page).move_to_element(drawing).perform()
    tip = figure.find_element(By.CSS_SELECTOR, ".tip")
    assert tip.is_displayed()
    said = dict(line.split(": ") for line in tip.text.splitlines())
    for name in small_result().systems:
        assert float(said[name]) > 0
    page.save_screenshot(str(screenshots / "hover.png"))
    n = float(next(iter(said.values())))
    for name, cost in small_result().cost_at(n).items():
        assert float(said[name]) == pytest.approx(cost, rel=0.03)  # to the next of four hundred places


def test_the_keyboard_moves_the_ruler(page: Any, report: Path) -> None:
    opened(page, report)
    figure = page.find_element(By.CSS_SELECTOR, "figure[data-traces='data-cost']")
    page.execute_script("arguments[0].focus()", figure)
    tip = figure.find_element(By.CSS_SELECTOR, ".tip")
    figure.send_keys(Keys.ARROW_RIGHT)
    first = tip.text
    figure.send_keys(Keys.ARROW_RIGHT)
    assert tip.text
    assert tip.text != first
    figure.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_the_data_of_a_figure_can_be_had_as_csv(page: Any, report: Path, tmp_path: Path) -> None:
    opened(page, report)
    text = page.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const made = URL.createObjectURL;
        URL.createObjectURL = (blob) => { blob.text().then(done); return made(blob); };
        HTMLAnchorElement.prototype.click = () => {};
        document.querySelector("figure[data-traces='data-cost'] button.csv").dispatchEvent(new Event("click"));
        """
    )
    lines = text.splitlines()
    assert lines[0] == "panel,series,x,y"
    assert len(lines) > 300
    assert {line.split(",")[-3] for line in lines[1:]} >= set(small_result().systems)


def test_a_network_moves_through_time(page: Any, report: Path, screenshots: Path) -> None:
    opened(page, report)
    figure = page.find_element(By.CSS_SELECTOR, "figure[data-network]")
    slider, output = figure.find_element(By.TAG_NAME, "input"), figure.find_element(By.TAG_NAME, "output")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", figure)

    def ends() -> list[str]:
        return list(
            page.execute_script(
                "return [...arguments[0].querySelectorAll('line[data-channel]')].map(l => l.getAttribute('x2'))", figure
            )
        )

    before, said = ends(), output.text
    slider.send_keys(Keys.END)
    assert output.text != said
    assert ends() != before
    page.save_screenshot(str(screenshots / "network.png"))


def test_hostile_names_do_no_harm(page: Any, tmp_path: Path) -> None:
    result = small_result()
    scenario = {**result.run["scenario"], "description": HOSTILE}
    copy = l2sim.Result(
        {**result.run, "scenario": scenario}, {table.name: result.table(table.name) for table in TABLES}
    )
    opened(page, copy.save(tmp_path / "hostile") / "report.html")
    assert page.execute_script("return document.body.dataset.owned || 'no'") == "no"
    assert HOSTILE in page.find_element(By.CSS_SELECTOR, "p.lead").text
    assert all(url.startswith("file:") for url in requested(page))


@pytest.fixture(scope="module")
def comparison_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison of two systems, the second of a hostile name, which no scenario could have."""
    first, second = [0.5, 0.7, 0.6, 0.8], [0.6, 0.9, 0.7, 0.9]
    costs = [[2.0, 2.2, 2.1, 1.9], [0.2, 0.3, 0.1, 0.2]]
    figures = {
        name: {"success_rate": values, "cost_usd_per_payment": cost}
        for name, values, cost in zip(("first", HOSTILE), (first, second), costs, strict=True)
    }
    study = Replications(HOSTILE, dict.fromkeys(figures, "onchain"), figures)
    return l2sim.compare(study, metrics=list(figures["first"])).save(tmp_path_factory.mktemp("compared"))


def test_a_comparison_answers_first_sorts_and_tells_its_bars(
    page: Any, comparison_report: Path, screenshots: Path
) -> None:
    opened(page, comparison_report)
    assert requested(page) == [comparison_report.as_uri()]
    answer = page.find_element(By.CSS_SELECTOR, "ul.answer li").text
    assert answer.startswith("Cost of a payment: $2.05 on first; $0.200 on ")
    assert "beyond chance" in answer
    page.save_screenshot(str(screenshots / "comparison.png"))
    at = heads(page, 0).index("second, mean")
    page.find_elements(By.CSS_SELECTOR, "table.sortable thead th")[at].find_element(By.TAG_NAME, "button").click()
    assert [row[at] for row in body(page, 0)] == ["$0.200", "77.5 %"]
    figure = page.find_element(By.CSS_SELECTOR, "figure[data-traces='data-differences']")
    bars = json.loads(page.find_element(By.ID, "data-differences").get_attribute("textContent"))["panels"][0]["bars"]
    assert [round(bar["value"], 1) for bar in bars] == [19.2, -90.2]
    drawing = figure.find_element(By.TAG_NAME, "svg")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", drawing)
    scale = drawing.size["width"] / page.execute_script("return arguments[0].viewBox.baseVal.width", drawing)
    left, top, right, bottom = (scale * edge for edge in bars[1]["box"])
    middle = drawing.size["width"] / 2, drawing.size["height"] / 2
    ActionChains(page).move_to_element_with_offset(
        drawing, int((left + right) / 2 - middle[0]), int((top + bottom) / 2 - middle[1])
    ).perform()
    assert "-90.24 [%]" in figure.find_element(By.CSS_SELECTOR, ".tip").text


def test_hostile_names_do_no_harm_in_a_comparison(page: Any, comparison_report: Path) -> None:
    opened(page, comparison_report)
    assert page.execute_script("return document.body.dataset.owned || 'no'") == "no"
    assert HOSTILE in page.find_element(By.TAG_NAME, "h1").text
    assert HOSTILE in page.find_element(By.CSS_SELECTOR, "table.sortable").text
    assert all(url.startswith("file:") for url in requested(page))


def test_a_narrow_screen_scrolls_only_inside_its_tables(page: Any, report: Path, screenshots: Path) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        opened(page, report)
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        page.save_screenshot(str(screenshots / "phone.png"))
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_has_a_name_for_those_who_do_not_see_it(page: Any, report: Path) -> None:
    opened(page, report)
    unnamed = page.execute_script(
        """
        const named = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.title;
        return [...document.querySelectorAll("[role=img], button, input, figure, [role=region]")]
          .filter(e => !named(e)).map(e => e.outerHTML.slice(0, 80));
        """
    )
    assert unnamed == []
    assert page.execute_script("return document.documentElement.lang") == "en"


def test_a_printed_report_has_its_figures_and_its_scenario(page: Any, report: Path, screenshots: Path) -> None:
    import base64

    opened(page, report)
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    (screenshots / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF")
    assert 3 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type/Page") <= 40
