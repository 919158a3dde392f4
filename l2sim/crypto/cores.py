"""The cores of this machine, and the argument `threads` by which every batch shares them."""

import operator
import os

__all__ = ["available_cores", "check_threads", "count_threads"]


def available_cores() -> int:
    """Return the number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int | None) -> None:
    """Refuse anything but an integer of at least 1, or None.

    Raises TypeError for another type (`True` is no number of threads) and ValueError for less than 1.
    """
    if threads is None:
        return
    try:
        if isinstance(threads, bool):
            raise TypeError
        count = operator.index(threads)  # numpy's integers too
    except TypeError:
        raise TypeError(f"threads: must be an integer, or None for one on each core (got {threads!r})") from None
    if count < 1:
        raise ValueError(f"threads: must be at least 1 (got {count})")


def count_threads(threads: int | None) -> int:
    """Return how many threads the argument `threads` asks for, None for one on each core; errors as `check_threads`.

    >>> count_threads(3), count_threads(None) == available_cores()
    (3, True)
    """
    check_threads(threads)
    return available_cores() if threads is None else int(threads)
