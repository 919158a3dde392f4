"""The rows of `l2sim bench core` under pytest-benchmark: `pytest tests/benchmarks --benchmark-only`.

Small sizes by default, so that a test run sees each row work; L2SIM_BENCH_FULL=1 measures in full.
"""

import os
import time
from functools import lru_cache

import pytest

from l2sim.bench.core import core_groups
from l2sim.bench.core_rows import FULL, QUICK, SkippedError
from l2sim.bench.measure import Row

IN_FULL = os.environ.get("L2SIM_BENCH_FULL") == "1"
ROUNDS = (FULL if IN_FULL else QUICK).rounds
GROUPS = ["signatures", "hashes", "merkle", "onions", "sparse"]
HERE_PERHAPS = ["blobs", "start"]
"""Groups that need an extra with its setup file, or compiled kernels."""


@lru_cache(maxsize=1)
def rows_of(group: str) -> list[Row]:
    return list(core_groups(quick=not IN_FULL)[group]())


def places() -> list[tuple[str, int]]:
    """Each group and the places of its rows, which are as many in both sizes."""
    small = core_groups(quick=True)
    return [(group, place) for group in GROUPS for place in range(len(list(small[group]())))]


@pytest.mark.parametrize(("group", "place"), places())
def test_row(group: str, place: int, benchmark) -> None:
    measure_row(group, rows_of(group)[place], benchmark)


@pytest.mark.parametrize("group", HERE_PERHAPS)
def test_first_row_where_it_can_run(group: str, benchmark) -> None:
    try:
        row = rows_of(group)[0]
    except SkippedError as error:
        pytest.skip(str(error))
    measure_row(group, row, benchmark)


def measure_row(group: str, row: Row, benchmark) -> None:
    benchmark.group = group
    benchmark.extra_info.update(row=row.name, operations=row.operations, cores=row.cores, loop=row.loop_name)
    result = benchmark.pedantic(row.run, rounds=ROUNDS, iterations=1)
    assert result is not None or group == "start"
    if row.loop is not None:
        start = time.perf_counter()
        row.loop()
        seconds = time.perf_counter() - start
        assert seconds > 0
        benchmark.extra_info["loop_ns_per_operation"] = seconds * 1e9 / row.loop_operations
