"""What is shipped works as the README says: every scenario to its end, its example file, its lines of Python."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import l2sim
from tests.shared import ROOT, shared
from tests.support.scenarios import SCENARIOS

SHORTER = {
    "quickstart": (),
    "channel_vs_rollup": ("workload.duration_s=600", "workload.users=100", "systems.lightning.topology.nodes=150"),
    "headline_study": (),
    "force_closes": ("workload.duration_s=3600",),
    "batch_formats": ("workload.duration_s=600", "workload.users=60"),
    "unreliable_network": ("workload.duration_s=900",),
    "payer_policies": ("workload.duration_s=200", "workload.users=30"),
    "settlement_kinds": ("workload.duration_s=600", "workload.users=40"),
    "lightning_snapshot": ("workload.payments=300", "workload.users=60"),
}


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_runs_to_its_end_and_conserves_money(path: Path) -> None:
    settings = SHORTER[path.stem]
    if path.stem == "lightning_snapshot":
        snapshot = shared("data/lightning/cln-listchannels-2026-02-03.json.xz")
        settings = (*settings, f"systems.lightning.topology.path={snapshot}")
    result = l2sim.run(l2sim.load_scenario(path, settings))
    for name, summary in result.summary.items():
        audit = summary["audit"]
        assert summary["conserved"] is True, name
        assert audit["entered"] == audit["balances"] + audit["in_flight"] + audit["fees"] + audit["left"], name
        assert summary["users"]["everyone_left"], name
        assert summary["success_rate"] > 0.9, name
    if path.stem == "lightning_snapshot":
        assert result.run["inputs"]["systems.lightning.topology.path"]["sha256"]


def blocks(language: str) -> list[str]:
    """The README's fenced blocks in that language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_a_new_user_runs_the_readmes_scenario_from_an_empty_folder(tmp_path: Path) -> None:
    (example,) = blocks("yaml")
    (tmp_path / "mine.yaml").write_text(example, encoding="utf-8")
    program = "from l2sim.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments in (("validate", "mine.yaml"), ("run", "mine.yaml", "--no-figures"), ("new", "another")):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("mine-")
    assert l2sim.open_result(folder).systems == ("channels", "rollup", "plain")
    l2sim.load_scenario(tmp_path / "another.yaml")


def test_the_readmes_lines_of_python_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (lines,) = blocks("python")
    names: dict[str, object] = {}
    exec(lines, names)
    assert names["result"].payments().num_rows > 0  # type: ignore[attr-defined]
