"""What a record of a benchmark says besides its rows, and how the rows of two records are compared."""

import datetime
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2sim.crypto import hashing, signatures
from l2sim.crypto.cores import available_cores

DEFAULT_THRESHOLD = 0.2
"""Share of a row's speed that may be lost before `compare` calls it a regression."""

_LIBRARIES = ("numpy", "numba", "llvmlite", "simpy", "coincurve", "safe-pysha3", "cryptography", "brotli", "ckzg")


def start(record_format: str, quick: bool) -> dict[str, Any]:
    """Return a JSON-able record without rows: format, date, the machine, the kernels that run, library versions."""
    return {
        "format": record_format,
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


def compare(
    old: dict[str, Any], new: dict[str, Any], record_format: str, threshold: float = DEFAULT_THRESHOLD
) -> list[Comparison]:
    """Compare the rows that two records share, in the order of the new one.

    A row has regressed where its speed fell by more than the share `threshold`, above 0 and below 1. Raises
    `ValueError` for another threshold or what is no record of this format.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold: must be above 0 and below 1 (got {threshold})")
    before = {row["name"]: row for row in rows_of("old", old, record_format)}
    found = []
    for row in rows_of("new", new, record_format):
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


def rows_of(name: str, record: dict[str, Any], record_format: str) -> list[dict[str, Any]]:
    """Return the rows of a record of that format; ValueError, with the argument's name, where it is none."""
    if not isinstance(record, dict) or record.get("format") != record_format:
        got = record.get("format") if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{name}: must be a record of the format {record_format} (got {got!r})")
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
