"""Kills sweeps of made-up runs at random moments and looks at what is left: run as a program by a test.

Each try forks from this process, so that it costs milliseconds instead of an interpreter's start. Prints, as
JSON, how many tries were killed, how many sweeps came to their end, and what was wrong.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from l2sim.experiment.executors import Crew, SerialExecutor
from l2sim.experiment.manifest import RunKey, is_whole, read_manifest
from l2sim.experiment.sweep import Sweep, fill
from tests.support.sweeps import MADE_UP_POINTS, made_up_folder, make_up


def compute(path: Path) -> None:
    """What `l2sim sweep --resume` does once its points are known."""
    folder, points = made_up_folder(path)
    with folder.locked():
        folder.clear_remains()
        fill(folder, points, 1, None, Crew(SerialExecutor), compute=make_up)
        folder.clear_remains()
        Sweep(folder).save_tables()  # a report takes longer than any try may


def attempt(path: Path, seconds: float) -> bool:
    """Compute in a fork, killed after `seconds`; whether it came to its end before."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            compute(path)
            status = 0
        finally:
            os._exit(status)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, "a sweep failed by itself"
            return True
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def look(path: Path, before: dict[str, int]) -> tuple[dict[str, int], list[str]]:
    """The finished runs by inode, and everything that is wrong with what a kill left."""
    wrong = []
    if (path / "manifest.json").exists():
        read_manifest(path)
    finished: dict[str, int] = {}
    points = path / "points"
    for entry in sorted(points.iterdir()) if points.is_dir() else []:
        if entry.name.startswith("."):
            continue
        key = RunKey(int(entry.name[:4]), 0)
        if not is_whole(entry, f"sha of {key.point}", 0, report=False):
            wrong.append(f"{entry.name} is half-written")
        finished[entry.name] = entry.stat().st_ino
    wrong += [f"{name} was lost or computed again" for name, inode in before.items() if finished.get(name) != inode]
    return finished, wrong


def main(folder: Path, kills_wanted: int) -> None:
    """Kill until it has been done often enough and a sweep has come to its end after kills."""
    chance = random.Random(1)
    compute(folder / "undisturbed")  # here, so that no fork has to import what all of them need
    kills = ended = 0
    wrong: list[str] = []
    moments: Counter[str] = Counter()
    while kills < kills_wanted:
        path = folder / f"sweep-{ended}"
        finished: dict[str, int] = {}
        while True:
            done = attempt(path, chance.uniform(0.0, 0.06))
            finished, found = look(path, finished)
            wrong += found
            if done:
                break
            kills += 1
            remains = [entry.name for entry in (path / "points").iterdir()] if (path / "points").is_dir() else []
            moments["while writing" if any(name.startswith(".") for name in remains) else "between"] += 1
        ended += 1
        notes = [json.loads(line) for line in path.with_suffix(".notes").read_text().splitlines()]
        wrong += [
            f"{note['run']} was begun though finished" for note in notes if note["what"] == "started" and note["there"]
        ]
        ends = Counter(note["run"] for note in notes if note["what"] == "finished")
        wrong += [f"{name} was finished {count} times" for name, count in ends.items() if count > 1]
        if len(finished) != MADE_UP_POINTS:
            wrong.append(f"{len(finished)} runs of {MADE_UP_POINTS}")
        left = sorted(entry.name for entry in (path / "points").iterdir()) + sorted(e.name for e in path.iterdir())
        wrong += [f"{name} remains" for name in left if name.startswith(".")]
    print(json.dumps({"kills": kills, "ended": ended, "wrong": wrong, "moments": moments}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
