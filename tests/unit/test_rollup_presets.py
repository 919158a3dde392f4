"""Rollups by name: every preset is a rollup, what a scenario says goes first, and finality comes out as published."""

from datetime import date

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from l2sim.cli.main import cli
from l2sim.errors import ScenarioError
from l2sim.scenario import parse_scenario, resolved
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.presets import PRESETS, filled_in
from tests.support.rollup import config, live, random_load, rollup

SCENARIO = """
name: by-name
workload:
  users: 10
  payments: 20
  arrivals: {kind: poisson, rate_per_s: 1}
  amounts: {kind: constant, usd: 1}
  funds: {kind: constant, usd: 100}
l1: {eth: {kind: ethereum}}
systems:
  one: {kind: rollup, l1: eth, preset: PRESET, batcher: {level: 3}}
"""


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_rollup_with_a_date_and_sources(name: str) -> None:
    preset = PRESETS[name]
    for figure in preset.figures:
        assert figure.source or figure.note, f"{figure.key} must have a source, or say what it is assumed from"
        if figure.source:
            assert len(figure.source.where) > 5
            year, *rest = figure.source.date.split("-")
            assert 2020 <= int(year) <= 2026
            assert not rest or date.fromisoformat(figure.source.date) <= date(2026, 8, 31)
    assert len({figure.key for figure in preset.figures}) == len(preset.figures)
    made = parse_scenario(SCENARIO.replace("PRESET", name)).systems["one"]
    assert isinstance(made, RollupConfig)
    assert made.batcher.level == 3
    # What the preset says is what comes out, and giving all of it again changes nothing.
    expected = filled_in({"batcher": {"level": 3}}, preset.values)
    assert filled_in(expected, made.model_dump(mode="json")) == made.model_dump(mode="json")
    assert RollupConfig.model_validate(made.model_dump(mode="json")) == made


def test_what_a_scenario_says_itself_goes_first() -> None:
    era = config(preset="zksync-era", settlement={"execution_delay_s": 10_800})
    assert era.settlement.kind == "validity"
    assert era.settlement.execution_delay_s == 10_800
    assert era.settlement.proof_s == 3_600  # the preset's
    other = config(preset="zksync-era", settlement={"kind": "optimistic"})
    assert other.settlement.kind == "optimistic"
    assert other.batcher.max_interval_s == 28_000


def test_an_unknown_preset_is_refused_at_its_place() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SCENARIO.replace("PRESET", "zksync"), "by-name.yaml")
    (problem,) = caught.value.problems
    assert "must be one of op-mainnet, base, arbitrum-one" in str(problem)
    assert str(problem).startswith("by-name.yaml:11:")


def test_a_resolved_scenario_has_every_value_of_its_preset() -> None:
    values = resolved(parse_scenario(SCENARIO.replace("PRESET", "arbitrum-one")))["systems"]["one"]
    assert values["settlement"]["challenge_window_s"] == 549_816
    assert values["fees"]["rule"] == "arbitrum"
    assert values["preset"] == "arbitrum-one"


def test_the_command_lists_all_and_shows_one() -> None:
    listed = CliRunner().invoke(cli, ["presets"]).output
    assert [line.split()[0] for line in listed.splitlines()] == list(PRESETS)
    for name, preset in PRESETS.items():
        shown = CliRunner().invoke(cli, ["presets", name]).output
        # What is shown can be pasted into a scenario: it is YAML, and has every figure with its origin behind it.
        assert YAML(typ="safe").load(shown) == {"preset": name, **preset.values}
        for figure in preset.figures:
            assert f"{figure.key.split('.')[-1]}: {figure.value} " in shown
            assert f"# {figure.origin}\n" in shown
    wrong = CliRunner().invoke(cli, ["presets", "solana"])
    assert wrong.exit_code == 2


@pytest.mark.parametrize(("name", "hours"), [("zksync-era-low", 4.25), ("zksync-era", 22.35)])
def test_both_vintages_of_zksync_finality(name: str, hours: float) -> None:
    """Proof an hour, delay 3 or 21 hours, then a block that is final in a quarter of an hour: 4 hours, and a day."""
    system, built = rollup(
        random_load(20, 4, 600, funds_sat=1_000_000), preset=name, batcher={"max_interval_s": 300}, end_s=5 * 86_400
    )
    live(system, built)
    columns = built.recorder.batches.columns
    wait_hours = [
        (final - included) / 3.6e12 for included, final in zip(columns["included_ns"], columns["final_ns"], strict=True)
    ]
    assert max(wait_hours) == pytest.approx(hours, rel=0.05)


@pytest.mark.parametrize(("name", "form", "rule"), [
    ("starknet", "starknet", "starknet"), ("starkex-validium", "vaults", "pubdata"),
    ("zksync-era", "state_diffs", "pubdata"), ("arbitrum-one", "nitro", "arbitrum"), ("base", "span", "op"),
])  # fmt: skip
def test_each_chain_has_its_own_coding_and_fee_rule_and_lives(name: str, form: str, rule: str) -> None:
    settings = config(preset=name)
    assert (settings.batch_format, settings.fees.rule) == (form, rule)
    if name.startswith("stark"):
        system, built = rollup(
            random_load(30, 5, 300, funds_sat=1_000_000), preset=name, batcher={"max_interval_s": 300}, end_s=5 * 86_400
        )
        live(system, built)
        assert system.left
        assert system.audit().conserved


def test_what_is_uncertain_has_a_low_and_a_high_beside_it() -> None:
    """Every figure that differs between the three lies in order, all but how many share a proof upwards."""
    varied = {}
    for name in ("zksync-era", "starknet", "starkex-validium"):
        low, middle, high = ({figure.key: figure.value for figure in PRESETS[name + end].figures} for end in
                             ("-low", "", "-high"))  # fmt: skip
        assert low.keys() == middle.keys() == high.keys()
        keys = [key for key in low if low[key] != high[key]]
        varied[name] = {key.split(".")[-1] for key in keys}
        for key in keys:
            values = [low[key], middle[key], high[key]]
            assert values == sorted(values, reverse=key.endswith("batches_per_proof"))
    proving = {"proof_s", "proof_usd_per_transaction", "verify_gas"}
    assert varied == {
        "zksync-era": {"execution_gas", "proof_usd", "verify_gas", "execution_delay_s", "execute_gas"},
        "starknet": proving | {"batches_per_proof"},
        "starkex-validium": proving | {"members", "threshold", "update_gas"},
    }


def test_what_era_pays_on_l1_for_a_batch_is_about_what_it_charges_for_one() -> None:
    """Its `batch_overhead_l1_gas` is 800,000, for committing, proving and executing together."""
    totals = []
    for name in ("zksync-era-low", "zksync-era", "zksync-era-high"):
        batcher, settlement = PRESETS[name].values["batcher"], PRESETS[name].values["settlement"]
        commit = 21_000 + batcher["execution_gas"] + 2 * batcher["execution_gas_per_blob"]
        prove = 21_000 + 40 * settlement["proof_bytes"] + settlement["verify_gas"]
        totals.append(commit + prove + 21_000 + settlement["execute_gas"])
    assert totals[0] < 800_000 < totals[2]
    assert totals[1] == pytest.approx(800_000, rel=0.1)
