"""What a system reports while it runs: one row a payment in columns, and rows of the other tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.results.outcomes import Outcome
from l2sim.results.schema import PAYMENTS, TABLES, Table

NEVER = -1
"""A time that has not come, in the integer columns of a run in memory; files have a missing value there."""

Ints = npt.NDArray[np.int64]


class PaymentRecord:
    """The columns of one system's payments, indexed by payment number; systems write, results read.

    Times are simulated nanoseconds from the start of the run, `NEVER` until they come. `fee` is in the
    smallest unit of the system's asset. Rows can be written one at a time or by index arrays.
    """

    __slots__ = (
        "assured_ns", "attempts", "failed_hop", "failure_code", "fee", "final_ns", "hops", "included_ns",
        "l1_final_ns", "outcome", "parts", "submitted_ns",
    )  # fmt: skip

    def __init__(self, count: int) -> None:
        def never() -> Ints:
            return np.full(count, NEVER, np.int64)

        self.outcome: npt.NDArray[np.uint8] = np.zeros(count, np.uint8)
        self.attempts: npt.NDArray[np.int32] = np.zeros(count, np.int32)
        self.hops: npt.NDArray[np.int32] = np.zeros(count, np.int32)
        self.parts: npt.NDArray[np.int32] = np.zeros(count, np.int32)
        self.failed_hop: npt.NDArray[np.int32] = np.full(count, NEVER, np.int32)
        self.failure_code: npt.NDArray[np.int32] = np.full(count, NEVER, np.int32)
        self.submitted_ns = never()
        self.assured_ns = never()
        self.included_ns = never()
        self.l1_final_ns = never()
        self.final_ns = never()
        self.fee: Ints = np.zeros(count, np.int64)

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def undecided(self) -> int:
        """Payments that are neither completed nor failed."""
        return int(np.count_nonzero(self.outcome == Outcome.PENDING))


class Rows:
    """A growing table: rows are appended as keywords and must name every column but `system`."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._names = tuple(name for name in table.names if name != "system")
        self._optional = frozenset(column.name for column in table.columns if column.nullable)
        self.columns: dict[str, list[Any]] = {name: [] for name in self._names}

    def append(self, **values: Any) -> int:
        """Add a row and return its number; a missing optional value is None. Raises TypeError on wrong names."""
        columns = self.columns
        for name in self._names:
            if name in values:
                columns[name].append(values.pop(name))
            elif name in self._optional:
                columns[name].append(None)
            else:
                raise TypeError(f"a row of {self.table.name} needs {name}")
        if values:
            raise TypeError(f"{self.table.name} has no column {', '.join(values)}")
        return len(columns[self._names[0]]) - 1

    def set(self, row: int, name: str, value: Any) -> None:
        """Fill in a value that was not known when the row was added."""
        self.columns[name][row] = value

    def extend(self, columns: Mapping[str, Any]) -> None:
        """Add many rows at once, given as equally long columns."""
        if set(columns) != set(self._names):
            raise TypeError(f"{self.table.name} needs exactly the columns {', '.join(self._names)}")
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of {self.table.name} must be equally long (got {lengths})")
        for name in self._names:
            self.columns[name].extend(columns[name])

    def __len__(self) -> int:
        return len(self.columns[self._names[0]])


class Recorder:
    """Everything one system of a run reports: `payments`, and the rows of every other table as an attribute.

    >>> recorder = Recorder(0)
    >>> recorder.series is recorder.rows["series"]
    True
    """

    def __init__(self, payment_count: int) -> None:
        self.payments = PaymentRecord(payment_count)
        self.rows = {table.name: Rows(table) for table in TABLES if table is not PAYMENTS}
        self.__dict__.update(self.rows)

    def __getattr__(self, name: str) -> Rows:  # for type checkers; what is there is found before this is asked
        raise AttributeError(f"there is no table called {name}")
