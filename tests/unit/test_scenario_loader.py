"""A scenario file becomes a checked scenario, or all of its problems at once, each with its place."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from l2sim.errors import ScenarioError
from l2sim.scenario import (
    Scenario,
    load_scenario,
    parse_scenario,
    resolved,
    scenario_schema,
    scenario_sha256,
    template_names,
    template_text,
)

ROOT = Path(__file__).resolve().parents[2]

TEXT = """\
name: small
seed: 3
workload:
  users: 10
  duration_s: 60
  arrivals: {kind: poisson, rate_per_s: 2}
  amounts:
    kind: lognormal
    median_usd: 12
    sigma: 1.2
  funds: {kind: constant, usd: 500}
l1:
  bitcoin: {kind: bitcoin}
  ethereum: {kind: ethereum}
systems:
  plain: {kind: onchain, l1: ethereum}
  rollup: {kind: rollup, l1: ethereum, settlement: {kind: validity}}
  channels:
    kind: lightning
    l1: bitcoin
    topology: {kind: generated, nodes: 30}
    liquidity: {kind: even}
"""


def refused(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml", overrides)
    return [str(problem) for problem in caught.value.problems]


def test_defaults_are_filled_in_and_given_values_kept() -> None:
    scenario = parse_scenario(TEXT)
    assert scenario.seed == 3
    assert scenario.crypto == "modelled"
    assert scenario.phases.onboarding_s == 7200
    assert scenario.workload.users == 10
    assert list(scenario.systems) == ["plain", "rollup", "channels"]
    assert scenario.systems["channels"].kind == "lightning"


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = TEXT.replace("users: 10", "usres: 1").replace("sigma: 1.2", "sigma: -1").replace("seed: 3", "seed: 1.5")
    text = text.replace("onchain, l1: ethereum", "onchain, l1: etherium").replace("kind: even", "kind: evenly")
    assert refused(text) == [
        "s.yaml:2:1 seed: must be a whole number (got 1.5)",
        "s.yaml:3:1 workload.users: is missing (Number of users; each is on-boarded to every system)",
        "s.yaml:4:3 workload.usres: unknown key; did you mean users? (got 1)",
        "s.yaml:10:5 workload.amounts.sigma: must be more than 0 (got -1)",
        "s.yaml:16:26 systems.plain.l1: must be a chain of l1: bitcoin, ethereum; did you mean ethereum? "
        "(got 'etherium')",
        "s.yaml:22:17 systems.channels.liquidity.kind: must be one of bimodal, even, from_file, uniform; "
        "did you mean even? (got 'evenly')",
    ]


def test_a_fault_in_one_group_hides_none_in_another_or_in_what_is_about_several() -> None:
    text = TEXT.replace("sigma: 1.2", "sigma: -1\n    median_sat: 5\n    min_usd: 1\n    min_sat: 1")
    text = text.replace("{kind: constant, usd: 500}", "{kind: uniform, low_usd: 9, high_usd: 2}")
    text = text.replace("seed: 3", "phases: {warm_up_s: 70}\ncost_profile: fast")
    text = text.replace("users: 10", "users: 10\n  payments: 5")
    text = text.replace("{kind: ethereum}", "{kind: ethereum, zzz: 1}")
    text = text.replace(
        "kind: validity}",
        "kind: validity}, sequencer: {block_time_s: 1, preconfirmation_s: 0.3, block_gas_limit: 30000}",
    )
    lines = [line.split(" ", 1)[1].split(" (got")[0].split("; known here")[0] for line in refused(text)]
    assert lines == [
        "phases.warm_up_s: must be less than workload.duration_s (60)",
        "cost_profile: cost profile: must be one of reference or the path of a .json file",
        "workload: must have exactly one of duration_s and payments",
        "workload.amounts: must have only one of median_usd and median_sat, and only one of min_usd and min_sat",
        "workload.amounts.sigma: must be more than 0",
        "workload.funds: the least amount must not be above the greatest",
        "l1.ethereum.zzz: unknown key",
        "systems.rollup: sequencer.preconfirmation_s must divide sequencer.block_time_s into whole parts",
        "systems.rollup: sequencer.block_gas_limit must be at least bridge.withdrawal_l2_gas, 96000, or nobody "
        "could leave",
    ]


def test_no_rule_is_said_to_be_broken_by_a_value_that_is_wrong_in_itself() -> None:
    assert refused(TEXT.replace("duration_s: 60", "duration_s: -1")) == [
        "s.yaml:5:3 workload.duration_s: must be more than 0 (got -1)"
    ]
    wrong = TEXT.replace("kind: validity", "kind: validium, committee: {members: 4, threshold: many}")
    (line,) = refused(wrong)
    assert "committee.threshold: must be a whole number" in line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("users: 10", "users: -5", "s.yaml:4:3 workload.users: must be at least 2 (got -5)"),
        ("users: 10", "users: 2.5", "s.yaml:4:3 workload.users: must be a whole number (got 2.5)"),
        ("users: 10", "users: true", "s.yaml:4:3 workload.users: must be a whole number (got true)"),
        ("users: 10", "users: '10'", "s.yaml:4:3 workload.users: must be a whole number (got '10')"),
        ("users: 10", "users:", "s.yaml:4:3 workload.users: must be a whole number (got nothing)"),
        ("users: 10", "users: [10]", "s.yaml:4:3 workload.users: must be a whole number (got a list of 1)"),
        ("users: 10", "users: 1e300", "s.yaml:4:3 workload.users: must be"),
        ("users: 10", "users: .nan", "s.yaml:4:3 workload.users: must be a finite number (got .nan)"),
        ("seed: 3", "seed: 18446744073709551616", "s.yaml:2:1 seed: must be less than 18446744073709551616"),
        ("seed: 3", "crypto: modeled", "crypto: must be one of real, modelled; did you mean modelled? (got 'modeled')"),
        ("seed: 3", "cost_profile: fast", "s.yaml:2:1 cost_profile: cost profile: must be one of reference or"),
        ("seed: 3", "cost_profile: a/b.json", "cost_profile: must be an existing file or folder (got 'a/b.json')"),
        ("seed: 3", "prices: {btc_usd: 0}", "s.yaml:2:10 prices.btc_usd: must be at least 0.01 (got 0)"),
        ("seed: 3", "phases: {settling_s: 0}", "phases.settling_s: must be more than 0 (got 0)"),
        ("seed: 3", "phases: 7", "s.yaml:2:1 phases: must be a mapping of keys to values (got 7)"),
        ("name: small", "name: Small Town", "s.yaml:1:1 name: must be lower-case letters, digits, _ and -"),
        ("name: small", "name: ../up", "s.yaml:1:1 name: must be lower-case letters, digits, _ and -"),
        ("name: small", "name: 5", "s.yaml:1:1 name: must be text (got 5)"),
        ("plain:", "Plain Old:", "systems.Plain Old: a name must be lower-case letters, digits, _ and -"),
        ("kind: onchain, ", "", "s.yaml:16:3 systems.plain: kind is missing; must be one of lightning, onchain"),
        ("kind: onchain", "kind: onchian", "systems.plain.kind: must be one of lightning, onchain, rollup"),
        ("kind: onchain", "kind: {a: 1}", "systems.plain.kind: must be one of lightning, onchain, rollup"),
        ("plain: {kind: onchain, l1: ethereum}", "plain:", "s.yaml:16:3 systems.plain: must be a mapping"),
        ("l1: bitcoin", "l1: ethereum", "systems.channels.l1: must be a chain of kind bitcoin for a system"),
        ("kind: rollup, l1: ethereum", "kind: rollup, l1: bitcoin", "rollup.l1: must be a chain of kind ethereum"),
        ("kind: validity", "kind: validity, proof_s: -1", "rollup.settlement.proof_s: must be at least 0 (got -1)"),
        ("l1: bitcoin", "l1: 7", "systems.channels.l1: must be text (got 7)"),
        ("nodes: 30", "nodes: 1", "s.yaml:21:33 systems.channels.topology.nodes: must be at least 2 (got 1)"),
        ("nodes: 30", "nods: 30", "systems.channels.topology.nods: unknown key; did you mean nodes? (got 30)"),
        ("kind: generated, nodes: 30", "kind: snapshot, path: no.json", "path: must be an existing file or folder"),
        ("kind: generated, nodes: 30", "kind: snapshot", "systems.channels.topology.path: is missing (The file or"),
        ("duration_s: 60", "payments: 0", "s.yaml:5:3 workload.payments: must be at least 1 (got 0)"),
        ("duration_s: 60", "", "s.yaml:3:1 workload: must have exactly one of duration_s and payments"),
        ("median_usd: 12", "median_usd: 12\n    median_sat: 12", "must have only one of median_usd and median_sat"),
        ("sigma: 1.2", "sigma: 0.1\n    min_usd: 100", "s.yaml:7:3 workload.amounts: the bounds must leave at"),
        ("kind: poisson, rate_per_s: 2", "kind: trace, path: p.csv", "arrivals.path: must be an existing file"),
        ("kind: lognormal", "kind: empirical\n    classes: []", "amounts.classes: must hold at least 1"),
        ("kind: lognormal", "kind: empirical\n    classes: [{low_usd: 1}]", "amounts.classes.0.weight: is missing"),
    ],
)  # fmt: skip
def test_a_broken_setting_is_named_with_its_place_rule_and_value(old: str, new: str, message: str) -> None:
    assert TEXT.count(old) >= 1
    found = refused(TEXT.replace(old, new, 1))
    assert any(message in line for line in found), found


def test_a_key_without_a_near_one_lists_what_is_known() -> None:
    (line,) = refused(TEXT.replace("seed: 3", "prices: {zzz: 1}"))
    assert line == "s.yaml:2:10 prices.zzz: unknown key; known here: btc_usd, eth_usd (got 1)"


def test_what_is_unreadable_is_reported_once_and_not_again_as_out_of_range() -> None:
    assert refused(TEXT.replace("sigma: 1.2", "sigma: .inf")) == [
        "s.yaml:10:5 workload.amounts.sigma: must be a finite number (got .inf)"
    ]


def test_many_problems_are_cut_short_and_counted() -> None:
    lines = refused(TEXT + "".join(f"key{i}: 1\n" for i in range(200)))
    assert len(lines) == 51
    assert lines[-1].endswith("and 150 more problems")


@pytest.mark.parametrize("text", ["just text", "- a\n- b\n", "5", "null", "true"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    (line,) = refused(text)
    assert line.startswith("s.yaml:1:1 scenario: must be a mapping of keys to values (got ")


def test_paths_are_relative_to_the_file_and_kept_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "payments.csv").write_text("time_ns,payer,payee,amount_msat\n0,0,1,5\n")
    text = TEXT[: TEXT.index("  amounts:")] + TEXT[TEXT.index("  funds:") :]
    text = text.replace("{kind: poisson, rate_per_s: 2}", "{kind: trace, path: payments.csv}")
    (folder / "s.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    scenario = load_scenario("scenarios/s.yaml")
    assert Path(scenario.workload.arrivals.path) == Path("scenarios/payments.csv")
    assert resolved(scenario)["workload"]["arrivals"]["path"] == "payments.csv"
    monkeypatch.chdir(folder)
    assert scenario_sha256(load_scenario("s.yaml")) == scenario_sha256(scenario)
    # An override is written where the command is given, so its paths are relative to the current folder.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("time_ns,payer,payee,amount_msat\n0,0,1,5\n")
    changed = load_scenario("scenarios/s.yaml", ["workload.arrivals.path=other.csv"])
    assert Path(changed.workload.arrivals.path).read_bytes() == (tmp_path / "other.csv").read_bytes()
    with pytest.raises(ScenarioError, match=r"--set:workload.arrivals.path .*existing file.*'payments.csv'"):
        load_scenario("scenarios/s.yaml", ["workload.arrivals.path=payments.csv"])


def test_a_resolved_scenario_is_plain_json_and_loads_as_the_same_scenario() -> None:
    scenario = parse_scenario(TEXT)
    values = json.loads(json.dumps(resolved(scenario), allow_nan=False))
    again = Scenario.model_validate_json(json.dumps(values), strict=True)
    assert again == scenario
    assert scenario_sha256(again) == scenario_sha256(scenario)


def test_the_hash_sees_every_value_and_no_spelling() -> None:
    base = scenario_sha256(parse_scenario(TEXT))
    spelled = TEXT.replace("users: 10", "users: 1e1").replace("{kind: even}", "\n      kind: even") + "# done\n"
    assert scenario_sha256(parse_scenario(spelled)) == base
    assert scenario_sha256(parse_scenario(TEXT.replace("name: small", "name: small\ncrypto: modelled"))) == base
    for change in ("seed=4", "workload.users=11", "systems.channels.topology.nodes=31", "name=other"):
        assert scenario_sha256(parse_scenario(TEXT, "s", [change])) != base


def test_the_json_schema_accepts_what_the_loader_accepts_and_describes_every_key() -> None:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(resolved(parse_scenario(TEXT)))) == []
    assert list(validator.iter_errors({"name": "x", "zzz": 1}))
    definitions = {**schema["$defs"], "Scenario": schema}
    undescribed = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition.get("properties", {}).items()
        if not value.get("description", "").strip()
    ]
    assert undescribed == []
    assert sum("kind" in definition.get("properties", {}) for definition in definitions.values()) > 30
    assert definitions["PoissonArrivals"]["properties"]["kind"]["description"] == (
        "Payments come independently of each other, at that mean rate."
    )


def test_lists_of_a_rollup_are_read_from_a_file() -> None:
    outages = "sequencer: {outages: [{start_s: 1, duration_s: 2}, {start_s: 5, duration_s: 1}]}"
    scenario = parse_scenario(TEXT.replace("rollup: {kind: rollup,", f"rollup: {{kind: rollup, {outages},"))
    assert [outage.start_s for outage in scenario.systems["rollup"].sequencer.outages] == [1, 5]
    assert parse_scenario(json.dumps(resolved(scenario))) == scenario


def test_systems_can_be_left_out_and_unknown_ones_are_named() -> None:
    scenario = parse_scenario(TEXT)
    assert list(scenario.only(["channels"]).systems) == ["channels"]
    assert list(scenario.only(["channels", "plain"]).systems) == ["plain", "channels"]
    with pytest.raises(
        ScenarioError, match=r"must be some of plain, rollup, channels; did you mean channels\? \(got 'chanels'\)"
    ):
        scenario.only(["chanels"])
    with pytest.raises(ScenarioError, match="must be some of"):
        scenario.only([])


def test_a_path_of_a_system_left_out_is_forgotten(tmp_path: Path) -> None:
    snapshot = tmp_path / "net.json"
    snapshot.write_text("{}")
    scenario = parse_scenario(TEXT, "s", [f"systems.channels.topology={{kind: snapshot, path: {snapshot}}}"])
    assert resolved(scenario)["systems"]["channels"]["topology"]["path"] == str(snapshot)
    assert list(resolved(scenario.only(["plain"]))["systems"]) == ["plain"]


def test_a_scenario_made_in_python_is_checked_alike() -> None:
    values = resolved(parse_scenario(TEXT))
    values["systems"]["plain"]["l1"] = "nowhere"
    with pytest.raises(ValidationError, match="must be a chain of l1"):
        Scenario.model_validate(values)


@pytest.mark.parametrize("template", template_names())
def test_templates_are_scenarios(template: str) -> None:
    text = template_text(template, "my-study")
    assert parse_scenario(text).name == "my-study"
    assert text.count("#") > 5
    assert "NAME" not in text


@pytest.mark.parametrize(
    ("template", "name"), [("comparison", "Bad Name"), ("comparison", "../x"), ("nothing", "good")]
)
def test_templates_refuse_wrong_names(template: str, name: str) -> None:
    with pytest.raises(ScenarioError, match="must be"):
        template_text(template, name)


SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_are_valid_and_named_as_their_file(path: Path) -> None:
    overrides = []
    if path.stem == "lightning_snapshot":
        with pytest.raises(ScenarioError, match=r"systems\.lightning\.topology\.path: is missing"):
            load_scenario(path)
        overrides = [f"systems.lightning.topology.path={path}"]  # any file that exists
    scenario = load_scenario(path, overrides)
    assert scenario.name == path.stem
    assert scenario.description


def test_thousands_of_unknown_keys_are_counted_and_the_first_have_hints() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("name: x\n" + "".join(f"sed{number}: 1\n" for number in range(4_000)), "s.yaml")
    found = [str(problem) for problem in caught.value.problems]
    assert "s.yaml:2:1 sed0: unknown key; did you mean seed? (got 1)" in found
    assert re.search(r"and 39\d\d more problems", found[-1])
