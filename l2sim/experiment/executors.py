"""Where the runs of a sweep are computed: here, in processes of this machine, or on a Dask cluster.

All are `concurrent.futures.Executor`s with two things more: how many tasks to hand them at once, and `abandon`, which
gives up what is under way. Workers write their own run folders, so nothing large travels, and which executor
computed a run cannot be seen from its results.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from l2sim.errors import MissingExtraError, ResultsError

Task = TypeVar("Task")

EXECUTORS = ("processes", "serial", "dask")
"""The executors by name; the first is the default."""

CONNECT_S = 10.0
"""How long to wait for a Dask scheduler to answer."""

PATIENCE = 3
"""Pools of processes that may die in a row without one run finished, before it is called an error."""


class PointExecutor(Executor):
    """An executor that says how many tasks to hand it at once, and can be given up."""

    window: int
    """Tasks to have submitted at any time: enough that no worker waits for the next."""

    def abandon(self) -> None:
        """Stop what is under way, at once and without its results."""
        self.shutdown(wait=False, cancel_futures=True)


class SerialExecutor(PointExecutor):
    """Computes each task here and now, when it is submitted."""

    window = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` and return a future that is done; KeyboardInterrupt passes through."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class ProcessesExecutor(PointExecutor):
    """A pool of fresh processes on this machine (start method spawn), each of which dies with this one.

    The workers hold the reading end of a pipe whose writing end is only here. When it is closed, by `abandon` or
    because this process was killed, they end themselves, whatever they are doing.
    """

    def __init__(self, workers: int) -> None:
        context = get_context("spawn")
        reader, self._lifeline = context.Pipe(duplex=False)
        self._reader = reader  # kept open: workers are started later and get their copy of it then
        self._pool = ProcessPoolExecutor(workers, context, _hold_lifeline, (reader,))
        self.window = workers + 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a task to the pool; `fn` must be importable and its arguments picklable."""
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self._lifeline.close()
        self._reader.close()

    def abandon(self) -> None:
        """End the workers in the middle of what they do."""
        self._lifeline.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._reader.close()


def _hold_lifeline(lifeline: "Connection[Any, Any]") -> None:
    """Set up a worker: Ctrl-C is the parent's to handle, and the end of the parent is the end of the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        try:
            lifeline.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


class DaskExecutor(PointExecutor):
    """A Dask cluster: the one at `scheduler`, or `workers` processes of a cluster of our own on this machine.

    Its workers must see the sweep's folder under the same path. A worker that dies is no error: Dask gives its
    tasks to another. Raises MissingExtraError where Dask is not installed, ResultsError where none answers.
    """

    def __init__(self, workers: int, scheduler: str | None = None) -> None:
        try:
            client = import_module("distributed").Client
        except ImportError as error:
            raise MissingExtraError(
                "--executor dask needs Dask, which is not installed; install it with: pip install 'l2sim[cluster]'"
            ) from error
        if scheduler is None:
            self._client = client(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, set_as_default=False
            )
        else:
            try:
                self._client = client(scheduler, timeout=CONNECT_S, set_as_default=False)
            except (OSError, ValueError, TypeError) as error:
                raise ResultsError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from error
        self._executor = self._client.get_executor(pure=False)
        self.window = 1 + sum(self._client.nthreads().values())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a task to the cluster."""
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Part from the cluster; one of our own ends."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


class BorrowedExecutor(PointExecutor):
    """Somebody else's executor, left open when we are done."""

    def __init__(self, executor: Executor, workers: int | None = None) -> None:
        self._executor = executor
        self.window = 1 + (workers if workers is not None else cores())
        self._futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give a task to it."""
        future = self._executor.submit(fn, *args, **kwargs)
        self._futures = [other for other in self._futures if not other.done()] + [future]
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of it: cancel what has not begun, unless it is to be waited for; the executor stays open."""
        if cancel_futures or not wait:
            for future in self._futures:
                future.cancel()


def make_executor(name: str = EXECUTORS[0], workers: int | None = None, scheduler: str | None = None) -> PointExecutor:
    """An executor by its name; `workers` defaults to the cores this process may use. Raises InputError."""
    count = workers if workers is not None else cores()
    if count < 1:
        raise ResultsError(f"--workers: must be at least 1 (got {count})")
    if scheduler is not None and name != "dask":
        raise ResultsError(f"--scheduler: is for --executor dask (got --executor {name})")
    if scheduler is not None and not scheduler.strip():  # Dask would take it for no address at all
        raise ResultsError("--scheduler: must be an address such as tcp://host:8786 (got nothing)")
    if name == "serial":
        return SerialExecutor()
    if name == "processes":
        return ProcessesExecutor(count)
    if name == "dask":
        return DaskExecutor(count, scheduler)
    raise ResultsError(f"--executor: must be one of {', '.join(EXECUTORS)} (got {name!r})")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Crew:
    """The executor at work: made when first needed, and again after its workers died; ended with the context."""

    def __init__(self, make: Callable[[], PointExecutor]) -> None:
        self._make = make
        self._executor: PointExecutor | None = None

    def executor(self) -> PointExecutor:
        """The executor at work."""
        if self._executor is None:
            self._executor = self._make()
        return self._executor

    def abandon(self) -> None:
        """Give up what is under way; the next executor is a new one."""
        if self._executor is not None:
            self._executor.abandon()
            self._executor = None

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self.abandon()
        elif self._executor is not None:
            self._executor.shutdown()


def compute_all(
    compute: Callable[[Task], Any],
    tasks: Iterable[Task],
    crew: Crew,
    done: Callable[[Task], object],
    told: Callable[[Task, Any], object] | None = None,
) -> None:
    """Compute every task; `told(task, value)`, then `done(task)` is called here as each finishes.

    Only a few tasks are handed out ahead. If workers die, their tasks are computed again by new ones; ResultsError
    if that happens `PATIENCE` times without a task finished. When a task raises, those under way are still
    finished before the error goes on.
    """
    queue = deque(tasks)
    deaths = 0
    while queue:
        running: dict[Future[Any], Task] = {}
        failure: Exception | None = None
        try:
            while running or (queue and failure is None):
                while queue and failure is None and len(running) < crew.executor().window:
                    running[crew.executor().submit(compute, queue[0])] = queue[0]
                    queue.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    if isinstance(error, BrokenExecutor):
                        raise error
                    task = running.pop(future)
                    if error is None:
                        deaths = 0
                        if told is not None:
                            told(task, future.result())
                        done(task)
                    elif failure is None:
                        failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
                        failure.add_note(f"while computing {task}")
        except BrokenExecutor as error:
            crew.abandon()
            queue.extendleft(reversed(running.values()))
            deaths += 1
            if deaths == PATIENCE:
                raise ResultsError(
                    f"worker processes died {PATIENCE} times without finishing a run: is there memory enough for "
                    "--workers at once? A script that calls l2sim must do so under `if __name__ == '__main__':`"
                ) from error
        if failure is not None:
            raise failure
