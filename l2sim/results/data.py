"""The results of one run as data: what was run, the summaries, and the tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from l2sim.results.folder import read_run, read_table


class RunData:
    """One run's results, held in memory or read from its folder when asked for.

    `run` is the content of `run.json`; the methods return Arrow tables whose columns are described in
    `l2sim.results.schema`.
    """

    def __init__(
        self, run: Mapping[str, Any], tables: Mapping[str, pa.Table] | None = None, folder: Path | None = None
    ) -> None:
        self.run = run
        self.folder = folder
        self._tables: dict[str, pa.Table] = dict(tables or {})

    @classmethod
    def read(cls, folder: str | Path) -> "RunData":
        """Read a run folder; tables are read when first asked for. Raises ResultsError."""
        path = Path(folder)
        return cls(read_run(path), folder=path)

    @property
    def name(self) -> str:
        """The scenario's name."""
        return str(self.run["scenario"]["name"])

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems of the run, in the order of the scenario."""
        return tuple(self.run["order"])

    @property
    def summary(self) -> dict[str, dict[str, Any]]:
        """The summary of each system, by its name."""
        return {name: dict(self.run["systems"][name]["summary"]) for name in self.systems}

    def kind(self, system: str) -> str:
        """The kind of a system."""
        return str(self.run["systems"][system]["kind"])

    def table(self, name: str) -> pa.Table:
        """A table by its name."""
        if name not in self._tables:
            if self.folder is None:
                raise KeyError(name)
            self._tables[name] = read_table(self.folder, name)
        return self._tables[name]

    def payments(self) -> pa.Table:
        """One row a payment and system."""
        return self.table("payments")

    def batches(self) -> pa.Table:
        """One row a batch that a rollup posted."""
        return self.table("batches")

    def blocks(self) -> pa.Table:
        """One row an L1 block."""
        return self.table("blocks")

    def channels(self) -> pa.Table:
        """One row a channel."""
        return self.table("channels")

    def routers(self) -> pa.Table:
        """One row a node of a channel network that is no user's."""
        return self.table("routers")

    def balances(self) -> pa.Table:
        """One row an interval and channel, for the largest channels of a network."""
        return self.table("balances")

    def series(self) -> pa.Table:
        """One row an interval, system and measure."""
        return self.table("series")
