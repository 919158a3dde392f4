"""The result of a run as a person meets it: summaries, tables, figures, a folder on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from l2sim.results.data import RunData
from l2sim.results.folder import write_tables
from l2sim.results.partial import write_folder
from l2sim.results.schema import TABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plots:
    """The figures of a result; each method returns a matplotlib Figure."""

    def __init__(self, data: RunData) -> None:
        self._data = data

    def throughput(self) -> "Figure":
        """Payments assured per second over time, by system."""
        return self._draw("throughput")

    def glance(self) -> "Figure":
        """What payers met: success, and fee, attempts and time of what every system completed."""
        return self._draw("glance")

    def fees(self) -> "Figure":
        """What payers paid: the distribution of fees, by system."""
        return self._draw("fees")

    def latency(self) -> "Figure":
        """How long until the payee may act, and until nobody can take it back, by system."""
        return self._draw("latency")

    def l1(self) -> "Figure":
        """Fee level and block use of each L1 over time."""
        return self._draw("l1")

    def cost(self) -> "Figure":
        """The headline: cost of a payment against payments per user, with the crossings."""
        return self._draw("cost")

    def money(self) -> "Figure":
        """Where the money went: the parts of what a completed payment cost, by system."""
        return self._draw("money")

    def time(self) -> "Figure":
        """Where the time went: the median time to each stage of a payment, by system."""
        return self._draw("time")

    def _draw(self, name: str) -> "Figure":
        from l2sim.report.figures import draw

        return draw(self._data, name)


class Result(RunData):
    """One run's results: `summary`, tables (`payments()`, `batches()`, ...), figures (`plot.cost()`, ...)."""

    def __repr__(self) -> str:
        return f"<Result of {self.name}: {', '.join(self.systems)}>"

    @property
    def plot(self) -> Plots:
        """The figures."""
        return Plots(self)

    @property
    def report_path(self) -> Path | None:
        """Where the report lies, once saved with figures."""
        path = None if self.folder is None else self.folder / "report.html"
        return path if path is not None and path.exists() else None

    def save(self, folder: str | Path, *, force: bool = False, figures: bool = True) -> Path:
        """Write the run folder, whole or not at all; raises ResultsError. Returns its path."""
        target = Path(folder)

        def fill(partial: Path) -> None:
            write_tables(partial, self.run, {table.name: self.table(table.name) for table in TABLES})
            if figures:
                from l2sim.report.page import write_report

                write_report(self, partial)

        write_folder(target, fill, force=force)
        self.folder = target
        return target

    def cost_at(self, payments_per_user: float) -> Mapping[str, float | None]:
        """The cost of one payment of each system if a user made that many between coming in and going out."""
        from l2sim.results.metrics import amortised_cost

        def cost(summary: Mapping[str, Any]) -> float | None:
            fixed, running = summary["fixed_cost_usd_per_user"], summary["running_cost_usd_per_payment"]
            if fixed is None or running is None:
                return None
            return amortised_cost(fixed, running, payments_per_user)

        return {name: cost(summary) for name, summary in self.summary.items()}

    def cheapest(self, payments_per_user: float | None = None) -> str | None:
        """The system with the lowest cost of a payment, as run or for users who make so many; None if there is none."""
        if payments_per_user is None:
            costs = {name: summary["cost_usd_per_payment"] for name, summary in self.summary.items()}
        else:
            costs = dict(self.cost_at(payments_per_user))
        known = {name: cost for name, cost in costs.items() if cost is not None}
        return min(known, key=known.__getitem__) if known else None

    def where_the_money_went(self) -> pa.Table:
        """One row a system and part of its cost: US dollars in all, and a completed payment."""
        rows = [
            {"system": name, "part": part, "usd": value,
             "usd_per_payment": value / summary["completed"] if summary["completed"] else None}
            for name, summary in self.summary.items() for part, value in summary["cost_usd"].items()
        ]  # fmt: skip
        floats = ("usd", "usd_per_payment")
        return pa.Table.from_pylist(rows, schema=_schema(("system", "part"), floats))

    def where_the_time_went(self) -> pa.Table:
        """One row a system and stage: mean and percentiles in seconds from submission, share that reached it."""
        rows = [
            {"system": name, "stage": stage, **found}
            for name, summary in self.summary.items()
            for stage, found in summary["latency_s"].items()
        ]
        return pa.Table.from_pylist(rows, schema=_schema(("system", "stage"), ("mean", "p50", "p95", "p99", "share")))

    def why_payments_failed(self) -> pa.Table:
        """One row a system and reason that occurred: payments, and their share of those offered."""
        rows = [
            {"system": name, "reason": reason, "payments": float(count), "share": count / summary["offered"]}
            for name, summary in self.summary.items()
            for reason, count in summary["failures"].items()
        ]
        return pa.Table.from_pylist(rows, schema=_schema(("system", "reason"), ("payments", "share")))

    def suggested_warm_up_s(self) -> Mapping[str, float]:
        """The `phases.warm_up_s` that MSER-5 suggests for each system, from its waits; look at the series too."""
        return {name: float(self.run["systems"][name]["steady"]["mser5_s"]) for name in self.systems}

    def _repr_html_(self) -> str:
        from l2sim.report.page import summary_html
        from l2sim.report.style import inline_png

        if any(cost is not None for cost in self.cost_at(1).values()):
            return summary_html(self) + inline_png(self.plot.cost(), f"{self.name}: cost against payments a user")
        return summary_html(self) + inline_png(self.plot.latency(), f"{self.name}: how fast payments are")


def _schema(texts: tuple[str, ...], floats: tuple[str, ...]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in texts), *((name, pa.float64()) for name in floats)])


def open_result(folder: str | Path) -> Result:
    """Open a run folder; tables are read when first asked for. Raises ResultsError."""
    data = RunData.read(folder)
    return Result(data.run, folder=data.folder)
