"""Which key matters: Sobol's variance-based indices of the figures of a sweep, through SALib.

The base sample and the indices are those of Saltelli et al., Computer Physics Communications 181 (2010) 259-270, as
SALib computes them; intervals are its bootstrap.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from l2sim.errors import MissingExtraError
from l2sim.experiment.metrics import HEADLINE
from l2sim.experiment.statistics import CONFIDENCE


def sobol_shares(keys: Sequence[str], samples: int, seed: int) -> list[list[float]]:
    """Rows of shares of the keys' ranges: `samples * (keys + 2)` of them, in the order that the indices need.

    `samples` is a power of two. Raises MissingExtraError without SALib.
    """
    sample = _salib("SALib.sample.sobol").sample(_problem(keys), samples, calc_second_order=False, seed=seed)
    rows: list[list[float]] = np.clip(sample, 0.0, 1.0).tolist()
    return rows


def sobol_indices(intervals: pa.Table, keys: Sequence[str], points: int, seed: int) -> pa.Table:
    """First-order and total indices of every headline figure with their 95 % reach: a row a system, figure and key.

    `intervals` is the table of a sweep of design sobol, of which every one of `points` is finished. A figure that was
    not measured at every point, or is the same at all, has no indices.
    """
    analyse = _salib("SALib.analyze.sobol").analyze
    means: dict[tuple[str, str], dict[int, float]] = {}
    for row in intervals.to_pylist():
        if row["metric"] in HEADLINE:
            means.setdefault((row["system"], row["metric"]), {})[row["point"]] = row["mean"]
    rows: list[dict[str, Any]] = []
    for (system, metric), by_point in means.items():
        values = np.array([by_point.get(point, np.nan) for point in range(points)])
        if np.isnan(values).any() or np.ptp(values) == 0:
            continue
        found = analyse(_problem(keys), values, calc_second_order=False, conf_level=CONFIDENCE, seed=seed)
        for place, key in enumerate(keys):
            columns = {"first": "S1", "first_reach": "S1_conf", "total": "ST", "total_reach": "ST_conf"}
            numbers = {ours: float(found[theirs][place]) for ours, theirs in columns.items()}
            rows.append({"key": key, "system": system, "metric": metric, **numbers})
    texts, floats = ("key", "system", "metric"), ("first", "first_reach", "total", "total_reach")
    schema = pa.schema([*((name, pa.string()) for name in texts), *((name, pa.float64()) for name in floats)])
    return pa.Table.from_pylist(rows, schema=schema)


def _problem(keys: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(keys), "names": list(keys), "bounds": [[0.0, 1.0]] * len(keys)}


def _salib(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            "--design sobol needs SALib, which is not installed; install it with: pip install 'l2sim[stats]'"
        ) from error
