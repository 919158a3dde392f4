"""The result of a run as a person meets it: summaries, tables, figures, a folder on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2sim.results.data import RunData
from l2sim.results.folder import write_folder, write_tables
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

    def _repr_html_(self) -> str:
        from l2sim.report.page import summary_html

        return summary_html(self)


def open_result(folder: str | Path) -> Result:
    """Open a run folder; tables are read when first asked for. Raises ResultsError."""
    data = RunData.read(folder)
    return Result(data.run, folder=data.folder)
