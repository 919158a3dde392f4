"""The progress bar of a run: simulated time done, payments, payments a second, time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.progress import TaskID


class RunProgress:
    """Told by a run how far each system is, shows it as one line a system."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def __call__(self, system: str, done_fraction: float, payments_done: int, payments_total: int) -> None:
        """Show that `done_fraction` of the system's simulated time and so many payments are done."""
        if system not in self._tasks:
            task = self._bars.add_task(system, total=1.0, payments="", rate="")
            self._tasks[system] = (task, time.monotonic())
        task, started = self._tasks[system]
        elapsed = time.monotonic() - started
        self._bars.update(
            task,
            completed=done_fraction,
            payments=f"{payments_done:,}/{payments_total:,}",
            rate=f"{payments_done / elapsed:,.0f} payments/s" if elapsed > 0 else "",
        )


@contextmanager
def show_progress() -> Iterator[RunProgress]:
    """A live display on standard error while the context lasts."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=8),
        TextColumn("{task.percentage:>3.0f}% simulated"),
        TextColumn("{task.fields[payments]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
    )
    with bars:
        yield RunProgress(bars)


def no_progress() -> nullcontext[None]:
    """Nothing is shown."""
    return nullcontext(None)
