"""The benchmark of the measured core: `l2sim bench core` as a library.

Each row is measured beside a plain loop in the same run, so its ratio can be compared between machines and between
busy and quiet hours; the record says which processor, features, kernels and library versions gave it.
"""

import datetime
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2sim.bench import core_rows
from l2sim.bench.core_rows import FULL, QUICK, SkippedError
from l2sim.bench.measure import Row, measure
from l2sim.crypto import hashing, signatures
from l2sim.crypto.cores import available_cores
from l2sim.crypto.profiles import COUNTER_OF_COST, DEFAULT_PROFILE, CostProfile, load_profile

FORMAT = "l2sim-core-benchmark-1"
DEFAULT_THRESHOLD = 0.2
"""Share of a row's speed that may be lost before `compare` calls it a regression."""

_LIBRARIES = ("numpy", "llvmlite", "coincurve", "safe-pysha3", "cryptography", "ckzg")


def core_groups(quick: bool = False, setup_path: str | Path | None = None) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the groups of rows by name; a group prepares its data when it is iterated over."""
    sizes = QUICK if quick else FULL
    return {
        "signatures": lambda: core_rows.signature_rows(sizes),
        "hashes": lambda: core_rows.hash_rows(sizes),
        "merkle": lambda: core_rows.merkle_rows(sizes),
        "onions": lambda: core_rows.onion_rows(sizes),
        "blobs": lambda: core_rows.blob_rows(setup_path),
        "start": core_rows.start_rows,
        "sparse": lambda: core_rows.sparse_tree_rows(sizes),
    }


def run_core_benchmarks(
    *,
    quick: bool = False,
    groups: list[str] | None = None,
    setup_path: str | Path | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Measure the core and return a JSON-able record.

    `quick` measures almost nothing, once: to see that all rows run. `groups` chooses among `core_groups`, by default
    all. `setup_path` is the KZG trusted setup (else its environment setting). `progress` is called with each finished
    row. The record has `format`, `date`, `quick`, `machine` (processor, cores, system, Python), `kernels` (as
    `kernel_info`), `libraries` (versions), `rows` (as `measure` returns them) and `skipped` (group and reason).
    Raises `ValueError` for an unknown group. In full it takes about a minute and 6 GB of memory.
    """
    known = core_groups(quick, setup_path)
    chosen = list(known) if groups is None else groups
    for name in chosen:
        if name not in known:
            raise ValueError(f"groups: must be among {', '.join(known)} (got {name!r})")
    rounds = (QUICK if quick else FULL).rounds
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    for name in chosen:
        try:
            for row in known[name]():
                rows.append(measure(row, rounds))
                if progress is not None:
                    progress(rows[-1])
        except SkippedError as error:
            skipped.append({"group": name, "reason": str(error)})
    return {
        "format": FORMAT,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "quick": quick,
        "machine": {
            "cpu": _cpu_name(),
            "cores": available_cores(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "kernels": {**hashing.kernel_info(), "signatures": signatures.kernel_info()},
        "libraries": _versions(),
        "rows": rows,
        "skipped": skipped,
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of two records.

    `change` is the new speed over the old one, where both have a plain loop each measured against it, so that a
    slower hour does not count; `regressed` says whether more than the threshold was lost.
    """

    name: str
    old_ns: float
    new_ns: float
    old_ratio: float | None
    new_ratio: float | None
    change: float
    regressed: bool


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float = DEFAULT_THRESHOLD) -> list[Comparison]:
    """Compare the rows that two records share, in the order of the new one.

    A row has regressed where its speed fell by more than the share `threshold`, above 0 and below 1. Raises
    `ValueError` for another threshold or what is no record of this format.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold: must be above 0 and below 1 (got {threshold})")
    before = {row["name"]: row for row in _rows_of("old", old)}
    found = []
    for row in _rows_of("new", new):
        past = before.get(row["name"])
        if past is None:
            continue
        if row["ratio"] is not None and past["ratio"] is not None:
            change = row["ratio"] / past["ratio"]
        else:
            change = past["ns_per_operation"] / row["ns_per_operation"]
        found.append(
            Comparison(
                row["name"],
                past["ns_per_operation"],
                row["ns_per_operation"],
                past["ratio"],
                row["ratio"],
                change,
                change < 1 - threshold,
            )
        )
    return found


def profile_of(record: dict[str, Any], name: str) -> tuple[CostProfile, list[str]]:
    """Return the cost profile that a record's rows make, and the costs it did not measure.

    Those are taken from the shipped reference profile (a blob commitment where ckzg is not installed, say).
    """
    measured = {
        row["costs"][0]: round(row["ns_per_operation"] / row["costs"][1], 3)
        for row in _rows_of("record", record)
        if row["costs"]
    }
    fallback = load_profile(DEFAULT_PROFILE).as_dict()
    missing = [cost for cost in COUNTER_OF_COST if cost not in measured]
    costs = {cost: measured.get(cost, fallback[cost]) for cost in COUNTER_OF_COST}
    cpu = f"{record['machine']['cpu']}, one core"
    return CostProfile(name=name, cpu=cpu, date=record["date"], **costs), missing


def write_profile(path: str | Path, record: dict[str, Any] | None = None) -> list[str]:
    """Write a cost profile to the JSON file `path`, named after it, and return the costs it did not measure.

    `record` is what `run_core_benchmarks` returned; without one, the rows that a profile needs are measured now.
    """
    if record is None:
        record = run_core_benchmarks(groups=["signatures", "hashes", "onions", "blobs"])
    target = Path(path)
    profile, missing = profile_of(record, target.stem)
    target.write_text(json.dumps(profile.as_dict(), indent=2) + "\n", encoding="utf-8")
    return missing


def _rows_of(name: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        got = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{name}: must be a record of the format {FORMAT} (got {got!r})")
    rows: list[dict[str, Any]] = record["rows"]
    return rows


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for library in _LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = None
    return found


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
