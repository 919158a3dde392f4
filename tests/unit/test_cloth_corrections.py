"""Corrections of CLoTH's defects: what each does, and the command that compares them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from l2sim.cli.main import cli
from l2sim.systems.lightning.cloth.corrections import OUTAGE_MS, outages, rules_of, spread
from l2sim.systems.lightning.cloth.draws import draw_payments
from l2sim.systems.lightning.cloth.names import CORRECTIONS
from l2sim.systems.lightning.cloth.rules import Rules
from l2sim.systems.lightning.cloth.search import Belief
from tests.support.cloth import payments


def test_nothing_corrected_is_cloth_itself():
    assert rules_of([]) == Rules()


def test_every_correction_but_that_of_the_intervals_and_amounts_is_a_rule():
    for name in CORRECTIONS:
        assert (rules_of([name]) == Rules()) == (name in ("intervals", "amounts"))


def test_a_failure_counts_for_larger_amounts_and_a_success_for_smaller_ones():
    belief = Belief(rules=rules_of(["pair-amount", "records"]))
    belief.record_success(1, 2, 500)
    belief.record_failure(1, 2, 800, 10)
    assert belief.hop_probability(1, 2, 500, 10) == 0.95
    assert belief.hop_probability(1, 2, 800, 10) == 0.0
    assert belief.hop_probability(1, 2, 700, 10) == 0.6
    assert Belief().rules.pair_by_amount is False


def test_the_first_minute_is_like_any_other():
    for rules, failed_ms in ((Rules(), 0), (rules_of(["records"]), 59_999)):
        belief = Belief(rules=rules)
        belief.record_success(1, 2, 500)
        belief.record_failure(1, 2, 800, 59_999)
        assert belief.pairs[1][2].failed_ms == failed_ms


def test_spread_amounts_keep_their_mean():
    given = payments(*[(0, 1, 10_000_000, i) for i in range(20_000)])
    amounts = spread(given, seed=1).amount_msat
    assert amounts.mean() == pytest.approx(10_000_000, rel=0.06)
    assert np.log(amounts).std() == pytest.approx(1.2, rel=0.03)


def test_outages_take_their_share_of_the_time():
    nodes, until_ms = 300, 200 * OUTAGE_MS
    first, begin_ms, end_ms = outages(nodes, 0.1, until_ms, seed=1)
    assert first[-1] == len(begin_ms) == len(end_ms)
    assert (np.minimum(end_ms, until_ms) - begin_ms).sum() / (nodes * until_ms) == pytest.approx(0.1, rel=0.05)
    for node in range(nodes):
        own = slice(first[node], first[node + 1])
        assert (begin_ms[own][1:] > end_ms[own][:-1]).all()
    assert len(outages(nodes, 0.0, until_ms, seed=1)[1]) == 0
    always = outages(2, 1.0, 1_000, seed=1)
    assert (always[1].tolist(), always[2].tolist()) == ([0, 0], [1_001, 1_001])


@pytest.fixture
def files(tmp_path):
    """A ring of eight nodes as CLoTH's files, and payments over it."""
    count = 8
    nodes = ["id", *map(str, range(count))]
    channels = ["id,edge1_id,edge2_id,node1_id,node2_id,capacity"]
    edges = [
        "id,channel_id,counter_edge_id,from_node_id,to_node_id,balance,fee_base,fee_proportional,min_htlc,timelock"
    ]
    for i in range(count):
        j = (i + 1) % count
        channels.append(f"{i},{2 * i},{2 * i + 1},{i},{j},2000000")
        edges.append(f"{2 * i},{i},{2 * i + 1},{i},{j},1000000,1000,1,1000,40")
        edges.append(f"{2 * i + 1},{i},{2 * i},{j},{i},1000000,1000,1,1000,40")
    for name, lines in (("nodes", nodes), ("channels", channels), ("edges", edges)):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{i},{i % count},{(i + 2) % count},300000,{500 * i}" for i in range(60)]
    (tmp_path / "payments.csv").write_text("\n".join(["id,sender_id,receiver_id,amount,start_time", *rows]) + "\n")
    return tmp_path


def test_the_command_corrects_and_compares(files):
    out = files / "out"
    command = ["cloth", "--network", str(files), "--payments", str(files / "payments.csv"), "--out", str(out)]
    done = CliRunner().invoke(cli, [*command, "--correct", "half-life", "--correct", "intervals", "--each-correction"])
    assert done.exit_code == 0, done.output
    assert json.loads((out / "summary.json").read_text())["settings"]["corrected"] == ["intervals", "half-life"]
    lines = (out / "corrections.csv").read_text().splitlines()
    labels = [line.split(",")[0] for line in lines[1:]]
    assert labels == ["as CLoTH", *(name for name in CORRECTIONS if name != "intervals"), "all"]
    assert (out / "corrections.svg").stat().st_size > 10_000
    assert (out / "corrections.png").stat().st_size > 10_000


def test_the_command_draws_payments_as_cloth_does(files):
    command = ["cloth", "--network", str(files), "--out", str(files / "out"), "--seed", "7"]
    done = CliRunner().invoke(
        cli, [*command, "--n-payments", "50", "--payment-rate", "4", "--average-payment-amount", "300"]
    )
    assert done.exit_code == 0, done.output
    payers, payees, amounts, times = draw_payments(7, 8, 50, 300.0, 4.0)
    rows = [line.split(",") for line in (files / "out" / "payments_output.csv").read_text().splitlines()[1:]]
    assert [[int(cell) for cell in row[1:5]] for row in rows] == np.stack((payers, payees, amounts, times), 1).tolist()
    made = json.loads((files / "out" / "summary.json").read_text())["settings"]
    assert (made["payments"], made["n_payments"], made["payment_rate"]) == (None, 50, 4.0)


def test_an_unknown_correction_is_refused(files):
    command = ["cloth", "--network", str(files), "--payments", str(files / "payments.csv"), "--out", str(files / "x")]
    refused = CliRunner().invoke(cli, [*command, "--correct", "halflife"])
    assert refused.exit_code == 2
    assert "half-life" in refused.output
    assert not (files / "x").exists()
