"""A sweep's folder: a manifest that says what belongs in it, and one run folder a finished run.

::

    manifest.json             what is swept: scenario, points, replications; written once, before the first run
    points/0000-r0            point 0, replication 0: a run folder, as `l2sim run` writes it
    points/0000-r1 ...
    table.parquet, .csv       one row a point, replication and system
    intervals.parquet, .csv   one row a point, system and figure: mean, deviation, 95 % interval
    figures/

The manifest never says what is finished: a run is finished when its folder is there, and a folder appears whole,
by one rename. So whenever the process dies, the folder tells the truth, and the rest can be computed later.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from l2sim._version import __version__
from l2sim.errors import ResultsError
from l2sim.results.folder import canonical_json, read_run
from l2sim.results.schema import SCHEMA_VERSION, tables_of

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None  # type: ignore[assignment]  # the module is absent there

MANIFEST_SCHEMA = 1
MANIFEST_FILE = "manifest.json"
POINTS = "points"


@dataclass(frozen=True, slots=True)
class RunKey:
    """Which run of a sweep: its point and its replication, both from 0."""

    point: int
    replication: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.point:04d}-r{self.replication}"


class SweepFolder:
    """The folder of one sweep on disk."""

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def begin(cls, path: Path, manifest: Mapping[str, Any], *, resume: bool) -> "SweepFolder":
        """Take `path` for the sweep of `manifest`: a new folder or, with `resume`, one begun earlier.

        Raises ResultsError if the folder is in the way, belongs to a different sweep, or cannot be written.
        """
        text = canonical_json(manifest)
        wanted = json.loads(text)
        if (path / MANIFEST_FILE).exists():
            begun = read_manifest(path)
            _refuse_different(path, begun, wanted)
            if not resume:
                raise ResultsError(f"{path}: exists already; --resume to go on with it, or choose another --out")
            return cls(path, begun)
        if path.exists() and not (path.is_dir() and all(entry.name == _partial().name for entry in path.iterdir())):
            raise ResultsError(f"{path}: exists already and is not a sweep; choose another --out")
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_atomically(path / MANIFEST_FILE, text.encode())
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror}") from error
        return cls(path, wanted)

    @classmethod
    def open(cls, path: str | Path) -> "SweepFolder":
        """Open the folder of a sweep to read it; raises ResultsError."""
        return cls(Path(path), read_manifest(Path(path)))

    def run_folder(self, key: RunKey) -> Path:
        """Where a run lies, once finished."""
        return self.path / POINTS / key.name

    def finished(self, key: RunKey) -> bool:
        """Whether a run is there, whole, and the one that belongs there; raises ResultsError if it is another."""
        return is_whole(
            self.run_folder(key),
            str(self.manifest["points"][key.point]["scenario_sha256"]),
            key.replication,
            report=bool(self.manifest["figures"]),
        )

    def runs(self) -> list[RunKey]:
        """The finished runs, by point and replication."""
        found = []
        for entry in self._entries():
            point, _, replication = entry.name.partition("-r")
            if not point.isdecimal() or not replication.isdecimal():
                continue
            key = RunKey(int(point), int(replication))
            if key.name == entry.name and key.point < len(self.manifest["points"]) and self.finished(key):
                found.append(key)
        return sorted(found, key=lambda run: (run.point, run.replication))

    def clear_remains(self) -> None:
        """Remove what killed workers left half-written under temporary names."""
        for entry in self._entries():
            if entry.name.startswith(".") and entry.suffix in (".partial", ".replaced"):
                shutil.rmtree(entry, ignore_errors=True)

    def _entries(self) -> list[Path]:
        folder = self.path / POINTS
        return sorted(folder.iterdir()) if folder.is_dir() else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from computing the same sweep meanwhile; the lock goes with the process.

        Raises ResultsError if another one holds it.
        """
        if fcntl is None:
            yield
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ResultsError(f"{self.path}: another process is computing it; wait for it, or end it") from error
            yield
        finally:
            os.close(descriptor)


def manifest_of(
    scenario: Mapping[str, Any],
    scenario_sha256: str,
    design: str,
    keys: list[str],
    points: list[dict[str, Any]],
    replications: Mapping[str, Any],
    figures: bool,
    inputs: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest of a sweep: everything that decides what its runs are, and nothing else.

    `inputs` has the SHA-256 of every file that its scenarios read, by its path.
    """
    return {
        "kind": "sweep",
        "schema": MANIFEST_SCHEMA,
        "l2sim": __version__,
        "results_schema": SCHEMA_VERSION,
        "scenario": dict(scenario),
        "scenario_sha256": scenario_sha256,
        "inputs": dict(inputs),
        "design": design,
        "keys": keys,
        "points": points,
        "replications": dict(replications),
        "figures": figures,
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a sweep's folder; raises ResultsError where it is missing, damaged or newer."""
    file = path / MANIFEST_FILE
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(f"{path}: is not a sweep: it has no {MANIFEST_FILE}") from error
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != "sweep" or not isinstance(manifest.get("schema"), int):
        raise ResultsError(f"{file}: was not written by l2sim sweep")
    if manifest["schema"] > MANIFEST_SCHEMA:
        raise ResultsError(
            f"{file}: schema must be at most {MANIFEST_SCHEMA} (got {manifest['schema']}): "
            "written by a newer l2sim, upgrade to read it"
        )
    return manifest


def is_whole(folder: Path, scenario_sha256: str, replication: int, *, report: bool) -> bool:
    """Whether a run folder is there with every file of its schema readable; a damaged one counts as missing.

    Raises ResultsError if it holds a run of another scenario or replication.
    """
    if not folder.exists():
        return False
    try:
        run = read_run(folder)
        for table in tables_of(run["schema"]):
            pq.read_metadata(folder / f"{table.name}.parquet")
    except (ResultsError, OSError, pa.ArrowException):
        return False
    if (run.get("scenario_sha256"), run.get("replication")) != (scenario_sha256, replication):
        raise ResultsError(f"{folder}: holds another run than the sweep's; move it away, then --resume")
    return bool(run.get("complete")) and (not report or (folder / "report.html").exists())


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = file.with_name(_partial().name)
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _partial() -> Path:
    return Path(".l2sim.partial")


_WORDS = {
    "scenario": "its scenario differs",
    "keys": "it varies other keys",
    "design": "its design differs",
    "points": "its points differ",
    "inputs": "a file that it reads has changed since",
    "replications": "its replications differ",
    "figures": "it was begun with the other choice of --figures/--no-figures",
    "l2sim": "it was begun with another version of l2sim",
    "results_schema": "it was begun by an l2sim that writes other tables",
}


def _refuse_different(path: Path, begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, words in _WORDS.items():
        if begun.get(key) != wanted.get(key):
            raise ResultsError(f"{path}: holds a different sweep ({words}); choose another --out")
