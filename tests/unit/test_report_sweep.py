"""Who is cheapest for users who stay longer: verdicts, sentences and maps of a table made by hand."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from l2sim.errors import ResultsError
from l2sim.experiment.manifest import RunKey
from l2sim.experiment.sweep import Sweep, sweep
from l2sim.experiment.tables import Systems, interval_table
from l2sim.experiment.verdicts import LADDER, costs_of, ladder_of, verdicts_of
from l2sim.report.style import png, svg
from l2sim.report.sweep_answers import speed_and_success
from l2sim.report.sweep_ladder import CAPTION, HEADING, can_ladder, ladder_maps
from l2sim.report.verdicts import gaps, sentences
from l2sim.results.metrics import amortised_cost
from tests.support.sweeps import tiny

Known = tuple[float, float] | None
"""Fixed cost a user and running cost a payment; None where nobody completed a payment or went out."""

MADE = 10.0
"""Payments a user makes in the made-up runs."""


def system(costs: Known) -> dict[str, Any]:
    fixed, running = costs or (None, None)
    summary = {
        "cost_usd_per_payment": None if costs is None else amortised_cost(*costs, MADE),
        "fixed_cost_usd_per_user": fixed,
        "running_cost_usd_per_payment": running,
        "payments_per_user": 0.0 if costs is None else MADE,
    }
    return {"kind": "made up", "summary": summary}


def replications(**costs: Sequence[Known]) -> list[Systems]:
    """One run a place in the lists, the systems by name."""
    return [
        {name: system(of_system[k]) for name, of_system in costs.items()}
        for k in range(len(next(iter(costs.values()))))
    ]


def four_points() -> dict[int, list[Systems]]:
    """Grid of load (1, 5) and size (2, 20): `cheap_in` has low fixed cost, `cheap_on` low running cost.

    As run, at 10 payments, cheap_in costs 0.1 + 0.1 and cheap_on 0.8 + 0.01: they cross at 78. At point 3 cheap_on's
    running cost is high, so that it never wins; at point 2 replications contradict each other for many payments.
    """
    steady: list[Known] = [(1.0, 0.1), (1.1, 0.1), (0.9, 0.1)]
    return {
        0: replications(cheap_in=steady, cheap_on=[(8.0, 0.01), (8.1, 0.01), (7.9, 0.01)]),
        1: replications(cheap_in=steady, cheap_on=[(8.0, 0.01), (8.1, 0.01), (7.9, 0.01)]),
        2: replications(cheap_in=steady, cheap_on=[(50.0, 0.01), (50.0, 0.19), (50.0, 0.03)]),
        3: replications(cheap_in=steady, cheap_on=[(50.0, 0.5), (50.0, 0.5), (50.0, 0.5)]),
    }


KEYS = ("load", "size")
VALUES: list[dict[str, Any]] = [{"load": load, "size": size} for load, size in product((1, 5), (2, 20))]


def table(
    points: Mapping[int, Sequence[Systems]], keys: Sequence[str], values: Sequence[Mapping[str, Any]]
) -> pa.Table:
    runs = {RunKey(point, k): one for point, found in points.items() for k, one in enumerate(found)}
    return interval_table(keys, values, runs)


def words_of(figure: Figure) -> list[dict[str, list[str]]]:
    """The words in the cells of each panel that is drawn, by title."""
    return [
        {axes.get_title() or axes.get_title(loc="left"): [text.get_text() for text in axes.texts if text.get_text()]}
        for axes in figure.axes
        if axes.axison
    ]


def test_the_winner_changes_where_running_costs_outweigh_coming_in() -> None:
    found = {payments: [one.best for one in verdicts_of(four_points(), payments)] for payments in (None, *LADDER)}
    assert found == {
        None: ["cheap_in", "cheap_in", "cheap_in", "cheap_in"],
        100: ["cheap_on", "cheap_on", "cheap_in", "cheap_in"],
        1_000: ["cheap_on", "cheap_on", "cheap_in", "cheap_in"],
        10_000: ["cheap_on", "cheap_on", "cheap_on", "cheap_in"],
    }


def test_the_cost_of_a_winner_is_the_mean_of_its_replications() -> None:
    first = verdicts_of(four_points(), 100)[0]
    assert first.usd == pytest.approx(8.0 / 100 + 0.01)
    assert costs_of(four_points()[0], 100)["cheap_in"] == [pytest.approx(x) for x in (0.11, 0.111, 0.109)]


def test_a_winner_is_sure_only_where_the_paired_differences_say_so() -> None:
    assert [one.sure for one in verdicts_of(four_points(), 10_000)] == [True, True, False, True]
    assert [one.sure for one in verdicts_of(four_points())] == [True] * 4


def test_pairing_sees_a_difference_that_single_intervals_hide() -> None:
    """Replications that differ by 9 dollars a user, systems that differ by 1 in each."""
    common = [1.0, 10.0, 5.0]
    runs = replications(first=[(f, 0.0) for f in common], second=[(f + 1 + 0.01 * f, 0.0) for f in common])
    (verdict,) = verdicts_of({0: runs}, 100)
    assert (verdict.best, verdict.second, verdict.sure) == ("first", "second", True)


def test_one_replication_is_never_beyond_chance() -> None:
    runs = replications(first=[(1.0, 0.0)], second=[(100.0, 1.0)])
    assert [verdict.sure for rung in ladder_of({0: runs}) for verdict in rung.verdicts] == [False] * 4


def test_a_system_whose_cost_is_not_known_is_left_out_and_named() -> None:
    points = {0: replications(stuck=[None, None], plain=[(1.0, 0.1), (1.0, 0.1)]), 1: replications(stuck=[None, None])}
    ladder = ladder_of(points)
    assert [(one.point, one.best, one.second) for one in ladder[1].verdicts] == [(0, "plain", None)]
    assert ladder[1].unknown == {"stuck": 2}
    (said,) = gaps(ladder)
    assert said.startswith("stuck is not judged at 2 points for users who stay longer")
    assert gaps(ladder_of(four_points())) == []


def test_the_sentences_tell_who_wins_at_how_many_points_and_how_surely() -> None:
    assert sentences(ladder_of(four_points()), VALUES, KEYS) == [
        "With 10 payments a user, as run, cheap_in is cheapest at 4 of 4 points, beyond chance at all of them: "
        "$0.200 a payment, 4.05 to 27.5 times as much on cheap_on.",
        "With 100 payments a user, cheap_in is cheapest at 2 of 4 points, beyond chance at all of them (load 5); "
        "cheap_on at 2, beyond chance at all of them (load 1): $0.0900 to $0.110 a payment.",
        "With 1,000 payments a user, cheap_in is cheapest at 2 of 4 points, beyond chance at 1 (load 5); "
        "cheap_on at 2, beyond chance at all of them (load 1): $0.0180 to $0.101 a payment.",
        "With 10,000 payments a user, cheap_on is cheapest at 3 of 4 points, beyond chance at 2; "
        "cheap_in at 1, beyond chance (load 5, size 20): $0.0108 to $0.100 a payment.",
    ]


def test_how_much_dearer_the_others_are_is_the_ratio_of_their_means() -> None:
    runs = replications(a=[(0.0, 1.0), (0.0, 3.0)], b=[(0.0, 4.0), (0.0, 4.0)], free=[(0.0, 0.0), (0.0, 0.0)])
    (with_free,) = verdicts_of({0: runs})
    assert (with_free.best, with_free.times) == ("free", {})
    (verdict,) = verdicts_of({0: [{name: one[name] for name in ("a", "b")} for one in runs]})
    assert verdict.times == {"b": pytest.approx(2.0)}


def test_speed_finality_and_success_are_told_from_the_best_system_to_the_worst() -> None:
    def row(point: int, system: str, metric: str, mean: float) -> dict[str, Any]:
        return {"point": point, "system": system, "metric": metric, "mean": mean}

    rows = [
        row(0, "slow", "latency_s.assured.p50", 60.0), row(1, "slow", "latency_s.assured.p50", 90.0),
        row(0, "quick", "latency_s.assured.p50", 0.5), row(1, "quick", "latency_s.assured.p50", 0.5),
        row(0, "quick", "success_rate", 0.9), row(1, "quick", "success_rate", 0.95),
        row(0, "slow", "success_rate", 1.0), row(1, "slow", "success_rate", 1.0),
        row(0, "twin", "success_rate", 1.0), row(1, "twin", "success_rate", 1.0),
    ]  # fmt: skip
    assert speed_and_success(pa.Table.from_pylist(rows)) == [
        "Half of the payees are assured within 500 ms on quick; 1 min to 1.5 min on slow.",
        "Of the payments sent, 100 % on slow and twin; 90 % to 95 % on quick are completed.",
    ]


def test_a_lone_system_wins_without_a_word_about_chance() -> None:
    alone = sentences(ladder_of({0: replications(only=[(1.0, 0.1), (1.0, 0.1)])}), [{}], ())
    assert alone[1] == "With 100 payments a user, only is cheapest at 1 of 1 points: $0.110 a payment."


def test_a_rung_at_which_nothing_is_known_has_no_sentence() -> None:
    assert sentences(ladder_of({0: replications(stuck=[None, None])}), [{}], ()) == []


def test_two_keys_give_a_map_a_rung_with_the_winners_named_in_its_cells() -> None:
    intervals = table(four_points(), KEYS, VALUES)
    assert can_ladder(intervals, KEYS)
    figure = ladder_maps(intervals, KEYS, ladder_of(four_points()))
    assert words_of(figure) == [
        {"10 payments a user, as run": ["cheap_in\n$0.200"] * 4},
        {"100 payments a user": ["cheap_on\n$0.0900"] * 2 + ["cheap_in\n$0.110"] * 2},
        {"1,000 payments a user": ["cheap_on\n$0.0180"] * 2 + ["cheap_in?\n$0.101", "cheap_in\n$0.101"]},
        {"10,000 payments a user": ["cheap_on\n$0.0108"] * 2 + ["cheap_on?\n$0.0817", "cheap_in\n$0.100"]},
    ]


def test_one_key_gives_a_row_a_rung() -> None:
    points = {point: runs for point, runs in four_points().items() if point in (0, 3)}
    values = [{"load": load} for load in (1, 2, 3, 5)]
    intervals = table(points, ("load",), values)
    figure = ladder_maps(intervals, ("load",), ladder_of(points))
    ((title, cells),) = words_of(figure)[0].items()
    assert title == "cheapest system, and what a payment costs"
    assert [cell.split("\n")[0] for cell in cells] == ["cheap_in", "cheap_in"] + ["cheap_on", "cheap_in"] * 3
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["as run", "100", "1,000", "10,000"]


def test_cells_lie_at_the_values_of_their_points() -> None:
    """Points in another order than that of the axes keep their places."""
    intervals = table(four_points(), KEYS, VALUES)
    figure = ladder_maps(intervals, KEYS, ladder_of(four_points()))
    last = figure.axes[3]
    places = {text.get_position(): text.get_text().split("\n")[0] for text in last.texts if text.get_text()}
    assert places == {(0, 0): "cheap_on", (0, 1): "cheap_on", (1, 0): "cheap_on?", (1, 1): "cheap_in"}


def test_three_keys_or_too_many_values_have_no_map() -> None:
    assert not can_ladder(
        table(four_points(), (*KEYS, "more"), [{**one, "more": 1} for one in VALUES]), (*KEYS, "more")
    )
    runs = replications(first=[(1.0, 0.1)])
    assert not can_ladder(table(dict.fromkeys(range(13), runs), ("k",), [{"k": k} for k in range(13)]), ("k",))
    assert not can_ladder(table({0: runs}, ("k",), [{"k": 1}]), ("k",))


def test_equal_tables_give_equal_pictures() -> None:
    def draw() -> Figure:
        return ladder_maps(table(four_points(), KEYS, VALUES), KEYS, ladder_of(four_points()))

    assert svg(draw()) == svg(draw())
    assert png(draw()) == png(draw())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("ladder") / "sweep"
    vary = {"workload.amounts.usd": [5, 7.5]}
    return sweep(tiny(), vary, out=folder, replications=2, executor="serial", figures=False)


def test_the_page_of_a_sweep_shows_the_ladder_and_says_it_in_words(real: Sweep) -> None:
    page = (real.folder / "report.html").read_text(encoding="utf-8")
    said = sentences(real.ladder(), real.points, real.keys)
    assert [one.split(" payments")[0] for one in said[1:]] == ["With 100", "With 1,000", "With 10,000"]
    for sentence in said:
        assert page.count(sentence) == 2, "once at the top, once in the alternative text of the figure"
    assert HEADING in page
    assert f'aria-label="{CAPTION} {said[0]}' in page
    ElementTree.parse(real.folder / "figures" / "ladder.svg")
    assert (real.folder / "figures" / "ladder.png").read_bytes() == png(real.plot.ladder())


def test_the_ladder_of_a_sweep_agrees_with_the_runs_themselves(real: Sweep) -> None:
    for rung in real.ladder()[1:]:
        for verdict in rung.verdicts:
            costs = [real.result(verdict.point, k).cost_at(rung.payments[0]) for k in range(2)]
            means = {name: sum(float(one[name] or 0.0) for one in costs) / 2 for name in ("first", "second")}
            assert verdict.best == min(means, key=means.__getitem__)
            assert verdict.usd == pytest.approx(means[verdict.best])


def test_a_sweep_without_a_map_says_why(tmp_path: Path) -> None:
    lone = sweep(tiny(), {"workload.amounts.usd": [5]}, out=tmp_path / "one", executor="serial", figures=False)
    with pytest.raises(ResultsError, match="needs 1 or 2 keys of 2 to 12 values"):
        lone.plot.ladder()
    assert not (lone.folder / "figures" / "ladder.svg").exists()
