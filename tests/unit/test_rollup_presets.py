"""Rollups by name: every preset is a rollup, what a scenario says goes first, and finality comes out as published."""

from datetime import date

import pytest
from click.testing import CliRunner

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
    assert date.fromisoformat(preset.as_of) <= date(2026, 8, 31)
    assert len(preset.sources) > 40
    made = parse_scenario(SCENARIO.replace("PRESET", name)).systems["one"]
    assert isinstance(made, RollupConfig)
    assert made.batcher.level == 3
    # What the preset says is what comes out, and giving all of it again changes nothing.
    assert filled_in(preset.values, made.model_dump(mode="json")) == made.model_dump(mode="json")
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
    shown = CliRunner().invoke(cli, ["presets", "starknet"]).output
    assert "verify_gas: 4200000" in shown
    assert "assumed or uncertain: Starknet's share" in shown
    wrong = CliRunner().invoke(cli, ["presets", "solana"])
    assert wrong.exit_code == 2


@pytest.mark.parametrize(("name", "hours"), [("zksync-era-low", 4), ("zksync-era", 22.1)])
def test_both_vintages_of_zksync_finality(name: str, hours: float) -> None:
    """Proof an hour, delay 3 or 21 hours: about 3 to 4 hours, and about a day, after the batch is on L1."""
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
    for name, key in (("zksync-era", "proof_usd"), ("starknet", "verify_gas"), ("starkex-validium", "verify_gas")):
        low, middle, high = (PRESETS[name + end].values["settlement"][key] for end in ("-low", "", "-high"))
        assert low < middle < high
