"""Parameters of rollups and their L1 that cannot work are refused with their line before a run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from l2sim.cli.main import cli

SCENARIO = """\
name: refused
workload:
  users: 10
  payments: 20
  arrivals: {kind: poisson, rate_per_s: 1}
  amounts: {kind: constant, usd: 1}
  funds: {kind: constant, usd: 100}
l1:
  eth:
    kind: ethereum
    gas_limit: 60000000
    forks:
      - {name: later, activation_s: 1900000000}
systems:
  one:
    kind: rollup
    l1: eth
    batcher:
      max_interval_s: 600
      medium: calldata
    settlement:
      kind: validity
      provers: 2
      proof_s: 3600
    escape:
      window_s: 604800
"""
PROVEN = SCENARIO[SCENARIO.index("kind: validity") : SCENARIO.index("    escape")].rstrip()


@pytest.mark.parametrize(
    ("old", "new", "where", "words"),
    [
        # Block gas below a batch, and below a proof.
        ("gas_limit: 60000000", "gas_limit: 4000000", 18, "max_calldata_bytes: must fit into 4000000 gas of eth"),
        ("gas_limit: 60000000", "gas_limit: 250000", 21, "settlement.verify_gas: must fit into 250000 gas of eth"),
        # A window shorter than a proof, and clocks shorter than their extensions.
        ("window_s: 604800", "window_s: 4000", 26, "escape.window_s must be longer than a batch, its proof and"),
        ("window_s: 604800", "window_s: 4200", 26, "its execution delay take, 4200 (got 4200)"),
        (
            "proof_s: 3600",
            "execution_delay_s: 602000\n      proof_s_per_transaction: 3",
            27,
            "take, 606203 (got 604800)",
        ),
        (PROVEN, "kind: optimistic\n      disputes: {clock_s: 60}", 23, "clock_s must be at least twice"),
        ("provers: 2", "provers: 0", 23, "settlement.provers: must be at least 1 (got 0)"),
        # A fork table out of order.
        ("1900000000", "1700000000", 13, "forks.0.activation_s must be later than 1767747671, that of bpo2"),
        ("{name: later, ", "{name: bpo2, ", 13, "forks.0.name must be none of"),
        # Outages out of order.
        ("provers: 2", "outages: [{start_s: 9, duration_s: 5}, {start_s: 10, duration_s: 1}]", 23, "be after 14"),
        # What the L1 has no rule for.
        (
            "medium: calldata",
            "medium: blob",
            20,
            "calldata or auto on a fork without blobs (got blob on london)",
        ),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_what_cannot_work_is_refused_with_its_line(
    old: str, new: str, where: int, words: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert old in SCENARIO
    text = SCENARIO.replace(old, new)
    (tmp_path / "refused.yaml").write_text(text.replace("kind: ethereum", "kind: ethereum\n    fork: london\n"[:-1], 1)
                                           if "london" in words else text)  # fmt: skip
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, [command, "refused.yaml"])
    assert result.exit_code == 2, result.output
    assert not (tmp_path / "runs").exists()
    (shown,) = [row for row in result.output.splitlines() if words in row]
    line = where + ("london" in words)
    assert shown.removeprefix("error: ").startswith(f"refused.yaml:{line}:")


def test_the_scenario_itself_is_sound(tmp_path: Path) -> None:
    file = tmp_path / "refused.yaml"
    file.write_text(SCENARIO)
    result = CliRunner().invoke(cli, ["validate", str(file)])
    assert result.exit_code == 0, result.output
