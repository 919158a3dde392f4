"""Tasks that kill the worker they run in; kept apart so that workers start quickly."""

import os
import signal
import time
from pathlib import Path


def die_once(task: tuple[Path, int]) -> None:
    """Kill the worker in the middle of the third task, the first time it is tried."""
    folder, number = task
    mark = folder / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()


def die_always(task: int) -> None:
    """Kill the worker."""
    os.kill(os.getpid(), signal.SIGKILL)
