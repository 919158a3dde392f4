"""Overrides change one key, are checked like the file, and are named in messages."""

import pytest

from l2sim.errors import ScenarioError
from l2sim.scenario import parse_scenario
from l2sim.scenario.document import Document, parse
from l2sim.scenario.overrides import apply_override
from tests.unit.test_scenario_loader import TEXT, refused


def changed(text: str, override: str) -> object:
    document = parse(text, "a.yaml")
    apply_override(document, override)
    return document.data


@pytest.mark.parametrize(
    ("override", "data"),
    [
        ("a=5", {"a": 5, "b": [1, {"c": 2}]}),
        ("a=", {"a": None, "b": [1, {"c": 2}]}),
        ("a=x=y", {"a": "x=y", "b": [1, {"c": 2}]}),
        ("a.d.e=true", {"a": {"d": {"e": True}}, "b": [1, {"c": 2}]}),
        ("b.0=7", {"a": None, "b": [7, {"c": 2}]}),
        ("b.1.c={d: [1]}", {"a": None, "b": [1, {"c": {"d": [1]}}]}),
        ("new.key='5'", {"a": None, "b": [1, {"c": 2}], "new": {"key": "5"}}),
    ],
)
def test_an_override_sets_one_key(override: str, data: object) -> None:
    assert changed("a:\nb: [1, {c: 2}]\n", override) == data


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: must be dotted.key=value"),
        ("=5", "--set override: must be dotted.key=value"),
        ("a..b=5", "must be dotted.key=value"),
        ("seed.x=5", "--set:seed.x seed: has no key x: it is no mapping (got 3)"),
        ("seed=[1", "--set:seed:1:"),
        ("a." * 30_000 + "a=1", "must be nested at most 24 levels deep (got 30001 levels)"),
        ("seed=*x", "must refer to an anchor"),
        ("seed=.nan", "--set:seed seed: must be a finite number (got .nan)"),
        ("seed=-1", "--set:seed seed: must be at least 0 (got -1)"),
        ("sed=1", "--set:sed sed: unknown key; did you mean seed? (got 1)"),
        ("workload.usrs=1", "--set:workload.usrs workload.usrs: unknown key; did you mean users? (got 1)"),
        ("workload.amounts={kind: constant}", "workload.amounts workload.amounts: must have one of usd and sat"),
        ("workload.amounts={kind: constant, usd: -1}", "--set:workload.amounts workload.amounts.usd: must be more"),
        ("systems.plain.l1=x", "--set:systems.plain.l1 systems.plain.l1: must be a chain of l1"),
        ("systems.channels.topology.path=x.json", "topology.path: must be an existing file or folder (got 'x.json')"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    found = refused(TEXT, override)
    assert any(message in line for line in found), found


def test_overrides_apply_in_order_and_the_last_one_wins() -> None:
    scenario = parse_scenario(TEXT, "s", ["workload.users=20", "workload.users=30", "seed=9"])
    assert (scenario.workload.users, scenario.seed) == (30, 9)


def test_problems_of_the_file_and_of_overrides_come_together() -> None:
    found = refused(TEXT.replace("users: 10", "users: 1"), "seed=x", "nonsense")
    assert len(found) == 3
    assert found[0].startswith("s.yaml:4:3 ")


def test_items_of_a_list_are_addressed_by_number_only() -> None:
    document = Document("a.yaml", {"b": [1]})
    for override in ("b.1=5", "b.x=5", "b.-1=5", "b.²=5"):
        with pytest.raises(ScenarioError, match="is a list of 1, items count from 0"):
            apply_override(document, override)
