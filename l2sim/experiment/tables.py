"""The tables of a sweep: one row a run and system, and one row a point, system and figure with its interval."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from l2sim.experiment.manifest import RunKey
from l2sim.experiment.metrics import Value, absent, flatten, in_order
from l2sim.experiment.statistics import interval

Systems = Mapping[str, Mapping[str, Any]]
"""The `systems` block of a run's `run.json`: kind and summary by system."""


def sweep_table(keys: Sequence[str], values: Sequence[Mapping[str, Any]], runs: Mapping[RunKey, Systems]) -> pa.Table:
    """One row a run and system: point, replication, the varied keys, system, kind, and every figure.

    `values` holds the varied keys of each point. Figures are named as in the summary, joined by dots.
    """
    flat = {key: {name: flatten(block["summary"]) for name, block in systems.items()} for key, systems in runs.items()}
    figures = in_order(name for systems in flat.values() for summary in systems.values() for name in summary)
    rows = [(key, name, block["kind"]) for key, systems in runs.items() for name, block in systems.items()]
    columns: dict[str, pa.Array] = {
        "point": pa.array([key.point for key, _, _ in rows], pa.int64()),
        "replication": pa.array([key.replication for key, _, _ in rows], pa.int64()),
    }
    for varied in keys:
        columns[varied] = value_column([values[key.point][varied] for key, _, _ in rows])
    columns["system"] = pa.array([name for _, name, _ in rows], pa.string())
    columns["kind"] = pa.array([kind for _, _, kind in rows], pa.string())
    for figure in figures:
        found = [flat[key][name].get(figure, absent(figure)) for key, name, _ in rows]
        columns[figure] = number_column(found)
    return pa.table(columns)


def interval_table(
    keys: Sequence[str], values: Sequence[Mapping[str, Any]], runs: Mapping[RunKey, Systems]
) -> pa.Table:
    """One row a point, system and figure: mean, deviation and Student-t 95 % interval over the replications.

    `n` is the number of replications in which the figure could be measured; there is no row where there is none.
    """
    rows: list[dict[str, Any]] = []
    for point in dict.fromkeys(key.point for key in runs):
        of_point = [systems for key, systems in runs.items() if key.point == point]
        for name, figures in collect(of_point).items():
            for figure, found in figures.items():
                known = [float(value) for value in found if value is not None]
                if known:
                    summary = interval(known)
                    rows.append(
                        {
                            "point": point,
                            "system": name,
                            "kind": of_point[0][name]["kind"],
                            "metric": figure,
                            "n": summary.n,
                            "mean": summary.mean,
                            "deviation": summary.deviation,
                            "half_width": summary.half_width,
                            "low": summary.low,
                            "high": summary.high,
                        }
                    )
    columns: dict[str, pa.Array] = {"point": pa.array([row["point"] for row in rows], pa.int64())}
    for varied in keys:
        columns[varied] = value_column([values[row["point"]][varied] for row in rows])
    for column in ("system", "kind", "metric"):
        columns[column] = pa.array([row[column] for row in rows], pa.string())
    columns["n"] = pa.array([row["n"] for row in rows], pa.int64())
    for column in ("mean", "deviation", "half_width", "low", "high"):
        columns[column] = pa.array([row[column] for row in rows], pa.float64())
    return pa.table(columns)


def collect(replications: Iterable[Systems]) -> dict[str, dict[str, list[Value]]]:
    """Each system's figures, one value a replication, in order."""
    listed = list(replications)
    flat = [{name: flatten(block["summary"]) for name, block in systems.items()} for systems in listed]
    collected: dict[str, dict[str, list[Value]]] = {}
    for name in listed[0] if listed else ():
        figures = in_order(figure for systems in flat for figure in systems[name])
        collected[name] = {
            figure: [systems[name].get(figure, absent(figure)) for systems in flat] for figure in figures
        }
    return collected


def number_column(values: Sequence[Value]) -> pa.Array:
    """Whole numbers where all are, else floats."""
    whole = all(value is None or isinstance(value, int) for value in values)
    if whole and any(value is not None for value in values):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def value_column(values: Sequence[Any]) -> pa.Array:
    """The values of a varied key: numbers, truth values or text; anything mixed or nested as JSON text."""
    if all(isinstance(value, bool) for value in values):
        return pa.array(values, pa.bool_())
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return number_column(values)
    return pa.array([value if isinstance(value, str) else json.dumps(value) for value in values], pa.string())


def write_table(table: pa.Table, folder: Path, name: str) -> None:
    """Write `<name>.parquet` and `<name>.csv` into `folder`, each whole or not at all."""
    for suffix in ("parquet", "csv"):
        partial = folder / f".{name}.{suffix}.partial"
        try:
            if suffix == "parquet":
                pq.write_table(table, partial, compression="zstd")
            else:
                pyarrow.csv.write_csv(table, partial)
            os.replace(partial, folder / f"{name}.{suffix}")
        finally:
            partial.unlink(missing_ok=True)
