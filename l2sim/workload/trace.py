"""Reads and writes workloads as files: CSV (plain or .gz) or Parquet, one row a payment in order of time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.engine.environment import NS_PER_S
from l2sim.errors import TraceError
from l2sim.money import MSAT_PER_SAT, Prices
from l2sim.workload.distributions import MAX_AMOUNT_MSAT, Ints
from l2sim.workload.payments import Workload

MAX_TIME_NS = 10**18
"""About 31 years."""

TIME_COLUMNS = {"time_ns": 1, "time_s": NS_PER_S}
AMOUNT_COLUMNS = ("amount_msat", "amount_sat", "amount_usd")

Users = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Trace:
    """The payments of a trace as columns, as in `Workload`."""

    time_ns: Ints
    payer: Users
    payee: Users
    amount_msat: Ints

    def before(self, time_ns: int) -> int:
        """How many payments come before that time."""
        return int(np.searchsorted(self.time_ns, time_ns))


def read_trace(path: str | Path, users: int, prices: Prices) -> Trace:
    """Read a trace: columns time_ns or time_s, payer, payee, and amount_msat, amount_sat or amount_usd.

    Raises TraceError with the file, the row (CSV: the line), the column, the rule and the value.
    """
    name = str(path)
    columns, first_row = _read_columns(Path(path))
    time = _one_of(name, columns, tuple(TIME_COLUMNS))
    amount = _one_of(name, columns, AMOUNT_COLUMNS)
    for wanted in ("payer", "payee"):
        _one_of(name, columns, (wanted,))

    def check(column: str, bad: npt.NDArray[np.bool_], rule: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            where = f"{name}:{row + first_row}" if first_row else f"{name} row {row + 1}"
            raise TraceError(f"{where} {column}: {rule} (got {columns[column][row]})")

    time_values = columns[time].astype(np.float64)
    check(time, ~((time_values >= 0) & (time_values <= MAX_TIME_NS / TIME_COLUMNS[time])), "must be from 0 to 1e9 s")
    time_ns = columns[time] if time == "time_ns" else np.rint(columns[time] * NS_PER_S)
    if time == "time_ns":
        _check_whole(name, time, columns[time])
    time_ns = time_ns.astype(np.int64)
    check(time, np.diff(time_ns, prepend=0) < 0, "must not be before the row above")
    for column in ("payer", "payee"):
        _check_whole(name, column, columns[column])
        check(column, (columns[column] < 0) | (columns[column] >= users), f"must be a user from 0 to {users - 1}")
    check("payee", columns["payee"] == columns["payer"], "must differ from the payer")
    amounts = columns[amount].astype(np.float64)
    if amount == "amount_usd":
        limit = MAX_AMOUNT_MSAT * prices.btc_usd_cents / 1e13  # 100 cents a dollar, 1e11 msat a bitcoin
        check(amount, ~((amounts > 0) & (amounts <= limit)), f"must be above 0 and at most {limit:g}")
        amount_msat = np.array([prices.usd_to_msat(float(value)) for value in amounts], np.int64)
    else:
        _check_whole(name, amount, columns[amount])
        factor = 1 if amount == "amount_msat" else MSAT_PER_SAT
        check(
            amount, ~((amounts >= 1) & (amounts * factor <= MAX_AMOUNT_MSAT)), "must be from 1 msat to 21 million BTC"
        )
        amount_msat = columns[amount].astype(np.int64) * factor
    check(amount, amount_msat < 1, "must be worth at least 1 msat")
    return Trace(time_ns, columns["payer"].astype(np.int32), columns["payee"].astype(np.int32), amount_msat)


def write_trace(workload: Workload, path: str | Path) -> None:
    """Write the payments of a workload for `arrivals: {kind: trace}`: Parquet if the name ends so, else CSV."""
    import pyarrow as pa

    table = pa.table({name: getattr(workload, name) for name in ("time_ns", "payer", "payee", "amount_msat")})
    if Path(path).suffix == ".parquet":
        from pyarrow import parquet

        parquet.write_table(table, path)
    else:
        from pyarrow import csv

        csv.write_csv(table, path)


def _read_columns(path: Path) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """The columns of a file by name and the line of its first row (0 for Parquet, which has none)."""
    import pyarrow as pa

    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            table, first_row = parquet.read_table(path), 0
        else:
            from pyarrow import csv

            # On one thread pyarrow knows the row of an error and says it.
            table, first_row = csv.read_csv(path, read_options=csv.ReadOptions(use_threads=False)), 2
    except OSError as error:
        raise TraceError(f"{path}: cannot read this trace ({error.strerror or error})") from error
    except pa.ArrowException as error:
        raise TraceError(f"{path}: not a CSV or Parquet file that can be read ({_first_line(error)})") from error
    if table.num_rows == 0:
        raise TraceError(f"{path}: must hold at least one payment (got none)")
    columns: dict[str, npt.NDArray[Any]] = {}
    for index, name in enumerate(table.column_names):
        if name in columns:
            raise TraceError(f"{path}: must have each column once (got {name} twice)")
        column = table.column(index)
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            where = f"{path}:{row + first_row}" if first_row else f"{path} row {row + 1}"
            raise TraceError(f"{where} {name}: must not be missing")
        columns[name] = column.to_numpy()
    return columns, first_row


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _one_of(path: str, columns: dict[str, npt.NDArray[Any]], names: tuple[str, ...]) -> str:
    found = [name for name in names if name in columns]
    if len(found) != 1:
        got = ", ".join(str(name)[:40] for name in list(columns)[:20])
        raise TraceError(f"{path}: must have exactly one column {' or '.join(names)} (got {got})")
    if columns[found[0]].dtype.kind not in "iuf":
        raise TraceError(f"{path} {found[0]}: must hold numbers (got {str(columns[found[0]][:1])[:60]})")
    return found[0]


def _check_whole(path: str, column: str, values: npt.NDArray[Any]) -> None:
    if values.dtype.kind == "f":
        raise TraceError(f"{path} {column}: must hold whole numbers")
