"""What every batch does around its C calls: check the arrays, and share the rows out to the cores."""

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from l2sim.crypto.arrays import as_plain
from l2sim.crypto.cores import count_threads

Bytes = npt.NDArray[np.uint8]
"""Rows of bytes: a uint8 array of two dimensions."""

_LEAST_SHARE, _MOST_SHARE = 8, 1024
"""Rows that a thread takes at a time: some 0.3 ms of verifying at least, so that no core waits long for another's
last share, and 40 ms at most, so that Ctrl-C is heard."""

_ROWS_ALONE = 16
"""Rows up to which a batch stays on the calling thread: to start another costs about as much as a few signatures."""


def check_rows(name: str, array: Bytes, width: int, rows: int | None = None) -> Bytes:
    """Return the array with its rows contiguous in memory (a copy only where they were not).

    Raises ValueError unless it is a numpy uint8 array of shape (n, width), n = `rows` where that is given, and
    not a masked one.
    """
    array = as_plain(name, array, f"a numpy uint8 array of shape (n, {width})")
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise ValueError(
            f"{name}: must be a uint8 array of shape (n, {width}) (got {array.dtype} of shape {array.shape})"
        )
    if rows is not None and len(array) != rows:
        raise ValueError(f"{name}: must have {rows} rows, as the first argument has (got {len(array)})")
    return np.ascontiguousarray(array)


def shares(rows: int, threads: int) -> list[tuple[int, int]]:
    """Cut the rows into shares that shrink towards the end, so that uneven cores end together.

    >>> shares(100, 2)
    [(0, 25), (25, 43), (43, 57), (57, 67), (67, 75), (75, 83), (83, 91), (91, 99), (99, 100)]
    """
    found, start = [], 0
    while start < rows:
        share = min(max((rows - start) // (2 * threads), _LEAST_SHARE), _MOST_SHARE, rows - start)
        found.append((start, start + share))
        start += share
    return found


def spread(work: Callable[[int, int], None], rows: int, threads: int | None) -> None:
    """Call `work(start, stop)` until the rows are done, on so many threads (None: one for each core).

    Each row is worked on once, by whichever thread comes first, the caller's among them; results must depend on the
    row alone. The exception of the earliest failing share is raised here; so are the errors of `cores.check_threads`.
    """
    count = count_threads(threads)
    if rows == 0:
        return
    if count == 1 or rows <= _ROWS_ALONE:
        for start in range(0, rows, _MOST_SHARE):
            work(start, min(start + _MOST_SHARE, rows))
        return
    waiting = iter(shares(rows, count))  # a list's iterator hands each share out once, whoever asks
    failures: list[tuple[int, BaseException]] = []

    def work_on() -> None:
        for start, stop in waiting:
            try:
                work(start, stop)
            except BaseException as error:
                failures.append((start, error))
                return

    others = [threading.Thread(target=work_on) for _ in range(count - 1)]
    for other in others:
        other.start()
    work_on()
    for other in others:
        other.join()
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]
