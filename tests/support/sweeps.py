"""Sweeps for tests: a tiny scenario, and made-up runs that take milliseconds."""

import json
import os
import time
from pathlib import Path
from typing import Any

from l2sim import Scenario
from l2sim.experiment.manifest import RunKey, SweepFolder, manifest_of
from l2sim.experiment.points import Point
from l2sim.experiment.sweep import Task
from l2sim.results.folder import write_tables
from l2sim.results.partial import write_folder
from l2sim.results.schema import SCHEMA_VERSION, TABLES
from l2sim.results.tables import arrow_schema
from l2sim.scenario import parse_scenario
from tests.support.required_only import TINY
from tests.support.scenarios import folder_bytes

__all__ = ["TINY"]

MADE_UP_POINTS = 8


def tiny() -> Scenario:
    """Twelve payments on plain L1s."""
    return parse_scenario(TINY, "tiny.yaml")


def sweep_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a sweep's folder, the wall clock of each run left out."""
    content = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    for run in sorted((folder / "points").iterdir()):
        content |= {f"{run.name}/{name}": file for name, file in folder_bytes(run).items()}
    return content


def made_up_folder(path: Path) -> tuple[SweepFolder, list[Point]]:
    """Take or go on with the folder of a sweep whose runs are made up."""
    values = [{"point": number} for number in range(MADE_UP_POINTS)]
    points = [{"values": value, "scenario_sha256": f"sha of {number}"} for number, value in enumerate(values)]
    manifest = manifest_of(
        {"name": "made-up"}, "sha", "list", ["point"], points, {"count": 1, "until": None}, False, {}
    )
    folder = SweepFolder.begin(path, manifest, resume=True)
    return folder, [Point(number, value, None) for number, value in enumerate(values)]  # type: ignore[arg-type]


def make_up(task: Task) -> None:
    """Write a run folder file by file, slowly enough to be killed in the middle; note each start and end."""
    note(task, "started")

    def fill(partial: Path) -> None:
        time.sleep(0.001)
        write_tables(
            partial, made_up_run(task.key), {table.name: arrow_schema(table).empty_table() for table in TABLES}
        )
        time.sleep(0.001)

    write_folder(task.folder, fill, force=task.folder.exists())
    note(task, "finished")


def made_up_run(key: RunKey) -> dict[str, Any]:
    """A `run.json` that says whose it is."""
    summary = {"completed": key.point, "success_rate": 1 / (1 + key.point)}
    return {
        "schema": SCHEMA_VERSION,
        "complete": True,
        "scenario": {"name": "made-up"},
        "scenario_sha256": f"sha of {key.point}",
        "replication": key.replication,
        "order": ["system"],
        "systems": {"system": {"kind": "made up", "summary": summary}},
        "wall_clock": {},
    }


def note(task: Task, what: str) -> None:
    """Append a line to the notes of a sweep, in one write, so that no kill leaves half a line."""
    line = json.dumps({"run": task.key.name, "what": what, "there": task.folder.exists()}) + "\n"
    descriptor = os.open(task.folder.parent.parent.with_suffix(".notes"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
