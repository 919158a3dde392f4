"""Times one thing beside the plain way to do it, so that their ratio holds on a busy machine too."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_BUDGET_S = 3.0
"""Time after which a row is measured no further, if it was at least twice (once where nothing was run to warm up)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a benchmark: what to run, and the plain loop it is measured against.

    `run` does `operations` operations on `cores` cores; `loop`, where there is one, does `loop_operations` of the same
    on one core. `target_ratio` is the least ratio of their speeds asked for, `target_ns` the most time an operation
    may take. `costs` names the field of a cost profile that the row measures and how many of its operations one
    operation holds.
    """

    name: str
    run: Callable[[], object]
    operations: int
    cores: int = 1
    loop: Callable[[], object] | None = None
    loop_name: str | None = None
    loop_operations: int = 0
    target_ratio: float | None = None
    target_ns: float | None = None
    costs: tuple[str, int] | None = None


def measure(
    row: Row,
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    warm_up: bool = True,
    loops_a_turn: int = 1,
) -> dict[str, Any]:
    """Return the row's figures, the best of at most `rounds`, with run and loop taking turns.

    `clock` says which seconds count; without `warm_up` the first call is measured as well, and a long one is the only.
    The loop's figure in a turn is the best of `loops_a_turn`.

    Keys: `name`, `ns_per_operation`, `operations_per_s`, `cores`, `loop`, `loop_ns_per_operation`, `ratio` (how many
    times faster than the loop, the best of each), `ratio_quartiles` (lower, median and upper of the ratios of single
    turns: far apart, they say that the machine had other things to do), `rounds`, `target_ratio`, `target_ns`, `met`
    (None where nothing is asked), `costs`.
    """
    runs: list[float] = []
    loops: list[float] = []
    if warm_up:
        row.run()  # what is prepared at a first call is not measured
    least = 2 if warm_up else 1
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for done in range(rounds):
            if done >= least and time.perf_counter() - start > _BUDGET_S:
                break
            runs.append(_seconds(row.run, clock))
            if row.loop is not None:
                loops.append(min(_seconds(row.loop, clock) for _ in range(loops_a_turn)))
    finally:
        if collecting:
            gc.enable()
    ns = min(runs) * 1e9 / row.operations
    loop_ns = min(loops) * 1e9 / row.loop_operations if loops else None
    ratio = loop_ns / ns if loop_ns is not None else None
    return {
        "name": row.name,
        "ns_per_operation": _figures(ns),
        "operations_per_s": _figures(1e9 / ns),
        "cores": row.cores,
        "loop": row.loop_name,
        "loop_ns_per_operation": _figures(loop_ns),
        "ratio": _figures(ratio),
        "ratio_quartiles": _quartiles(row, runs, loops),
        "rounds": len(runs),
        "target_ratio": row.target_ratio,
        "target_ns": row.target_ns,
        "met": _met(row, ns, ratio),
        "costs": list(row.costs) if row.costs else None,
    }


def _quartiles(row: Row, runs: list[float], loops: list[float]) -> list[float | None] | None:
    """Return the quartiles of what each turn's ratio was."""
    scale = row.operations / row.loop_operations if row.loop_operations else 0.0
    turns = [scale * loop / run for run, loop in zip(runs, loops, strict=False)]
    if len(turns) < 2:
        return None
    return [_figures(value) for value in statistics.quantiles(turns, n=4, method="inclusive")]


def _met(row: Row, ns: float, ratio: float | None) -> bool | None:
    if row.target_ratio is not None and ratio is not None:
        return ratio >= row.target_ratio
    return ns <= row.target_ns if row.target_ns is not None else None


def _seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def _figures(value: float | None) -> float | None:
    """Return the value to four significant figures, more than a timing has."""
    return None if value is None else float(f"{value:.4g}")
