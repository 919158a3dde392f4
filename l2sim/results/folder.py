"""A run folder: written whole or not at all, and read back with clear errors.

::

    run.json           what was run (resolved scenario, its hash, seed, versions) and the summaries
    payments.parquet   and batches, blocks, channels, routers, series, balances
    figures/           SVG and PNG
    report.html

A folder is filled under a temporary name beside its place and renamed when whole. What a killed process left under
such a name is removed by the next that writes to the same place.
"""

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from l2sim.errors import ResultsError
from l2sim.results.partial import RUN_FILE, partial_folder, write_folder
from l2sim.results.schema import SCHEMA_VERSION, TABLES


def canonical_json(value: Any) -> str:
    """JSON in one exact form: keys sorted, no NaN, two-space indent, a newline at the end."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_tables(folder: Path, run: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> None:
    """Write `run.json` and one Parquet file a table."""
    for table in TABLES:
        pq.write_table(tables[table.name], folder / f"{table.name}.parquet", compression="zstd")
    (folder / RUN_FILE).write_text(canonical_json(run), encoding="utf-8")


def read_run(folder: Path) -> dict[str, Any]:
    """The contents of `run.json`; raises ResultsError where it is missing, damaged or of a newer schema."""
    path = folder / RUN_FILE
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(f"{folder}: is not a run folder: it has no {RUN_FILE}") from error
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}") from error
    version = run.get("schema") if isinstance(run, dict) else None
    if not isinstance(version, int):
        raise ResultsError(f"{path}: has no schema number, so it was not written by l2sim")
    if version > SCHEMA_VERSION:
        raise ResultsError(
            f"{path}: schema must be at most {SCHEMA_VERSION} (got {version}): "
            "written by a newer l2sim, upgrade to read it"
        )
    for key, kind, words in (
        ("scenario", dict, "a mapping"),
        ("order", list, "a list"),
        ("systems", dict, "a mapping"),
    ):
        if not isinstance(run.get(key), kind):
            raise ResultsError(f"{path}: {key} must be {words} (got {run.get(key)!r:.40}): the file is damaged")
    lost = [name for name in run["order"] if "summary" not in run["systems"].get(name, {})]
    if lost:
        raise ResultsError(f"{path}: systems has no summary of {lost[0]!r:.40}: the file is damaged")
    return dict(run)


def read_table(folder: Path, name: str) -> pa.Table:
    """One table of a run folder; raises ResultsError where it is missing, damaged or of an older schema.

    A run folder is written whole, so that a table or column that is not there means an older schema or a file that
    somebody removed; the message says which.
    """
    path = folder / f"{name}.parquet"
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        since = next((known.since for known in TABLES if known.name == name), 1)
        raise ResultsError(f"{path}: is missing from the run folder{_if_older(folder, since)}") from error
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path}: cannot be read, it is damaged or cut short: {error}") from error
    wanted = next((known.names for known in TABLES if known.name == name), ())
    lacking = [column for column in wanted if column not in table.column_names]
    if lacking:
        raise ResultsError(f"{path}: has no column {', '.join(lacking)}{_if_older(folder)}")
    return table


def _if_older(folder: Path, since: int = SCHEMA_VERSION) -> str:
    """What an older schema has to do with something that is there `since` one; nothing for a folder that new."""
    schema = read_run(folder)["schema"]
    if schema >= since:
        return ""
    return f": written by an older l2sim (schema {schema}, this one writes {SCHEMA_VERSION}); run it again"


def export_csv(run_folder: Path, out: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write every table of a run folder as CSV into `out`, all of them or none; returns the files.

    Other files in `out` stay. Bytes columns are written as hexadecimal. Raises ResultsError.
    """
    read_run(run_folder)
    tables = {table.name: read_table(run_folder, table.name) for table in TABLES}
    names = [f"{name}.csv" for name in tables]
    if out.exists() and not force:
        taken = [name for name in names if (out / name).exists()] if out.is_dir() else [out.name]
        if taken:
            raise ResultsError(f"{out}: {taken[0]} exists already; choose another folder, or --force to replace it")

    def fill(folder: Path) -> None:
        for name, table in tables.items():
            pyarrow.csv.write_csv(_as_text(table), folder / f"{name}.csv")

    if not out.exists():
        write_folder(out, fill)
        return tuple(out / name for name in names)
    try:
        with partial_folder(out, "new") as new, partial_folder(out, "old") as old:
            fill(new)
            _move_all(names, new, out, old)
    except OSError as error:
        raise ResultsError(f"{out}: cannot be written: {error.strerror}") from error
    return tuple(out / name for name in names)


def _move_all(names: Sequence[str], new: Path, out: Path, old: Path) -> None:
    """Move files from `new` to `out`, and what is in their way to `old`; all back again if one cannot be moved."""
    try:
        for name in names:
            if (out / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
            if (out / name).exists():
                os.replace(out / name, old / name)
            os.replace(new / name, out / name)
    except BaseException:
        for name in names:
            if not (new / name).exists():
                os.replace(out / name, new / name)
            if (old / name).exists():
                os.replace(old / name, out / name)
        raise


def _as_text(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, column.cast(pa.string()))
        elif pa.types.is_fixed_size_binary(field.type):
            text = [None if value is None else value.hex() for value in column.to_pylist()]
            table = table.set_column(index, field.name, pa.array(text, pa.string()))
    return table
