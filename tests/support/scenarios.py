"""Small scenarios that run in a second or two."""

from functools import lru_cache
from pathlib import Path

import l2sim
from l2sim import Result, Scenario
from tests.shared import ROOT

SCENARIOS = ROOT / "scenarios"

SMALL = (
    "workload.users=12",
    "workload.duration_s=60",
    "workload.arrivals.rate_per_s=2",
    "systems.lightning.topology.nodes=30",
    "phases.settling_s=43200",
)


def quickstart(*overrides: str) -> Scenario:
    """The quickstart with these keys changed."""
    return l2sim.load_scenario(SCENARIOS / "quickstart.yaml", overrides)


@lru_cache(maxsize=8)
def small_result(*overrides: str) -> Result:
    """A small run of the quickstart, made once a test session."""
    return l2sim.run(quickstart(*SMALL, *overrides))


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """The content of every file of a run folder by its name, the wall-clock block of run.json taken out."""
    import json

    contents = {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    run = json.loads(contents["run.json"])
    del run["wall_clock"]
    contents["run.json"] = json.dumps(run, sort_keys=True).encode()
    return contents
