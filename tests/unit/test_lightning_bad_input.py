"""What is impossible is refused with its line, and what is sure to fail is said before the first event."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from l2sim.cli.main import cli
from l2sim.errors import ScenarioError
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.results.outcomes import Outcome
from l2sim.scenario import parse_scenario
from l2sim.systems.lightning.config import LightningConfig
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, on_graph, run_payments, settings
from tests.support.worlds import workload, world
from tests.unit.test_lightning_multipath import ways

SCENARIO = """\
name: bad
workload:
  users: 8
  payments: 40
  arrivals: {kind: poisson, rate_per_s: 1}
  amounts: {kind: lognormal, median_usd: 30, sigma: 2, max_usd: 5000}
  funds: {kind: lognormal, median_usd: 80, sigma: 1.5}
phases: {onboarding_s: 7200, settling_s: 600, leaving_s: 86400}
l1: {bitcoin: {kind: bitcoin}}
systems:
  lightning:
    kind: lightning
    l1: bitcoin
    topology: {kind: generated, nodes: 60}
    payer:
      policy: cheapest
"""


@pytest.mark.parametrize(
    ("payer", "place", "rule"),
    [
        ("policy: lnd\n      multipath: {split: flow}", ":17:19 systems.lightning.payer.multipath.split", "must be"),
        ("policy: cln\n      search: getroute\n      multipath: {split: flow}", ":18:19 systems.lightning.payer",
         "multipath.split must be halving or capacity with search: getroute (got flow)"),
        ("policy: ldk\n      max_cltv_blocks: 20", ":17:7 systems.lightning.payer",
         "max_cltv_blocks must be at least final_cltv_blocks + block_padding, 21 (got 20)"),
        ("policy: zebra", ":16:7 systems.lightning.payer.policy", "must be one of"),
    ],
)  # fmt: skip
def test_impossible_policies_are_refused_in_their_place(payer, place, rule):
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(SCENARIO.replace("policy: cheapest", payer), "bad.yaml")
    (problem,) = refused.value.problems
    assert str(problem).startswith(f"bad.yaml{place}: ")
    assert rule in str(problem)


@pytest.mark.parametrize(
    "one_sided", ["channels: {dance: full, ", "onchain: {uncooperative_share: 0.1}\n    channels: {"]
)
def test_commitments_that_no_node_would_relay_are_refused_where_one_side_may_send_them(one_sided):
    quiet = SCENARIO.replace("    payer:", "    channels: {commitment_feerate_sat_per_kw: 24}\n    payer:")
    parse_scenario(quiet, "bad.yaml")
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(quiet.replace("channels: {", one_sided), "bad.yaml")
    (problem,) = refused.value.problems
    assert "systems.lightning.channels.commitment_feerate_sat_per_kw: must be at least 25, which" in str(problem)
    for good in ("commitment_feerate_sat_per_kw: 25", "channel_type: zero_fee, commitment_feerate_sat_per_kw: 0"):
        text = quiet.replace("channels: {", one_sided).replace("commitment_feerate_sat_per_kw: 24", good)
        parse_scenario(text, "bad.yaml")


def test_commitments_without_fee_follow_no_market():
    rules = "    channels: {dance: full, channel_type: zero_fee}\n    onchain: {update_fee: {}}\n    payer:"
    with pytest.raises(
        ScenarioError, match=r"onchain\.update_fee must be left out with channels\.channel_type: zero_fee"
    ):
        parse_scenario(SCENARIO.replace("    payer:", rules), "bad.yaml")


def test_users_without_a_channel_and_amounts_above_all_channels_are_named_before_the_run(tmp_path):
    (tmp_path / "bad.yaml").write_text(SCENARIO, encoding="utf-8")
    done = CliRunner().invoke(cli, ["run", str(tmp_path / "bad.yaml"), "--out", str(tmp_path / "r"), "--no-figures"])
    assert done.exit_code == 0, done.output
    assert "note: lightning: users 3, 4, 5, 6, 7 will have no channel" in done.stderr
    assert "note:" not in done.stdout


WITHOUT = "lightning: users 3, 4, 5, 6, 7 will have no channel"


def test_what_is_sure_to_fail_is_said_by_all_that_run_or_check_scenarios(tmp_path):
    (tmp_path / "bad.yaml").write_text(SCENARIO, encoding="utf-8")
    file, out = str(tmp_path / "bad.yaml"), str(tmp_path / "made")
    checked = CliRunner().invoke(cli, ["validate", file])
    assert (checked.exit_code, checked.stderr.count(f"note: {WITHOUT}")) == (0, 1), checked.output
    common = ["--workers", "1", "--out", out, "--no-figures", "--quiet"]
    for command in (
        ["run", file, "--replications", "2"],
        ["sweep", file, "--vary", "seed=1,2", "--executor", "serial"],
    ):
        done = CliRunner().invoke(cli, [*command, *common])
        assert done.exit_code == 0, done.output
        where = "point 0 (the scenario)" if command[0] == "run" else "point 0 (seed=1)"
        assert f"note: {where}, replication 0: {WITHOUT}" in done.stderr
        assert "note:" not in done.stdout
        shutil.rmtree(out)


def test_validate_refuses_what_a_run_would_refuse_while_it_builds(tmp_path):
    crowded = SCENARIO.replace("    payer:\n", "    users: {kind: nodes}\n    payer:\n").replace(
        "users: 8", "users: 99"
    )
    (tmp_path / "bad.yaml").write_text(crowded, encoding="utf-8")
    done = CliRunner().invoke(cli, ["validate", str(tmp_path / "bad.yaml")])
    assert done.exit_code != 0
    assert "must not be more than the network's nodes with a usable channel, 60 (got 99)" in done.stderr


def test_inbound_fees_of_a_network_that_announces_none_are_said_to_change_nothing():
    announced = settings(nodes={"inbound_fees": {"kind": "announced"}})
    assert on_graph(ways(500_000), [], announced).foreseen() == [
        "nodes.inbound_fees changes nothing, for no router asks for any"
    ]


@pytest.mark.parametrize("parts", [1, 8])
def test_what_is_foreseen_comes_true(parts):
    funds_msat = [500_000 * SAT, 400_000 * SAT, 9_000 * SAT, 25_000 * SAT]
    rows = [(0, 0, 1, 100_000 * SAT), (1, 0, 2, 1_000 * SAT), (2, 3, 0, 1_000 * SAT), (3, 0, 1, 900_000 * SAT)]
    chain = BitcoinConfig.model_validate({"block_times": "clocked", "background": {"load": 0.0}})
    made = world(workload(rows, funds_msat), "bitcoin", chain, onboarding_s=7_200)
    config = LightningConfig.model_validate(
        {
            "kind": "lightning", "l1": "bitcoin", "topology": {"kind": "generated", "nodes": 40},
            "payer": {"policy": "cheapest", "multipath": {"parts": parts}},
        }
    )  # fmt: skip
    system = LightningSystem("lightning", config, made, made.chains["bitcoin"])
    users, payments = system.foreseen()
    assert users.startswith("users 2, 3 will have no channel")
    assert users.endswith("2 payments from or to them will end as not_onboarded")
    assert payments.startswith("payment 3 cannot arrive: more than ")
    assert ("all channels" in payments) == (parts > 1)
    record = run_payments(system).world.recorder.payments
    assert [Outcome(int(outcome)) for outcome in record.outcome[1:3]] == [Outcome.NOT_ONBOARDED] * 2
    assert Outcome(int(record.outcome[3])) is not Outcome.COMPLETED
    assert Outcome(int(record.outcome[0])) is Outcome.COMPLETED


def test_nothing_is_foreseen_where_all_can_arrive():
    graph = ways(500_000, 500_000)
    system = on_graph(graph, [(0, 0, 1, 700_000 * SAT)], settings())
    assert system.foreseen() == []
    above = on_graph(graph, [(0, 0, 1, 2_000_001 * SAT)], settings())
    assert above.foreseen() == ["payment 0 cannot arrive: more than all channels of the payer or of the payee hold"]
    alone = on_graph(graph, [(0, 0, 1, 1_000_001 * SAT)], settings(payer={"multipath": {"parts": 1}}))
    assert alone.foreseen() == ["payment 0 cannot arrive: more than any channel of payer or payee holds"]
    assert np.array_equal(above.world.recorder.payments.outcome, [Outcome.PENDING])
