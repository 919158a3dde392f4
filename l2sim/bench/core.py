"""The benchmark of the measured core: `l2sim bench core` as a library.

Each row is measured beside a plain loop in the same run, so its ratio can be compared between machines and between
busy and quiet hours; the record says which processor, features, kernels and library versions gave it.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from l2sim.bench import core_rows, records
from l2sim.bench.core_rows import FULL, QUICK, SkippedError
from l2sim.bench.measure import Row, measure
from l2sim.bench.records import DEFAULT_THRESHOLD, Comparison
from l2sim.crypto.profiles import COUNTER_OF_COST, DEFAULT_PROFILE, CostProfile, load_profile

FORMAT = "l2sim-core-benchmark-1"


def core_groups(quick: bool = False, setup_path: str | Path | None = None) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the groups of rows by name; a group prepares its data when it is iterated over."""
    sizes = QUICK if quick else FULL
    return {
        "signatures": lambda: core_rows.signature_rows(sizes),
        "hashes": lambda: core_rows.hash_rows(sizes),
        "merkle": lambda: core_rows.merkle_rows(sizes),
        "onions": lambda: core_rows.onion_rows(sizes),
        "bls": core_rows.bls_rows,
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
    return records.start(FORMAT, quick) | {"rows": rows, "skipped": skipped}


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float = DEFAULT_THRESHOLD) -> list[Comparison]:
    """Compare the rows that two records of the core share; see `records.compare`."""
    return records.compare(old, new, FORMAT, threshold)


def profile_of(record: dict[str, Any], name: str) -> tuple[CostProfile, list[str]]:
    """Return the cost profile that a record's rows make, and the costs it did not measure.

    Those are taken from the shipped reference profile (a blob commitment where ckzg is not installed, say).
    """
    measured = {
        row["costs"][0]: round(row["ns_per_operation"] / row["costs"][1], 3)
        for row in records.rows_of("record", record, FORMAT)
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
        record = run_core_benchmarks(groups=["signatures", "hashes", "onions", "bls", "blobs"])
    target = Path(path)
    profile, missing = profile_of(record, target.stem)
    target.write_text(json.dumps(profile.as_dict(), indent=2) + "\n", encoding="utf-8")
    return missing
