"""What every batch does around its C calls: check the arrays, and share the rows out to the cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from l2sim.crypto.arrays import as_plain
from l2sim.crypto.cores import count_threads

Bytes = npt.NDArray[np.uint8]
"""Rows of bytes: a uint8 array of two dimensions."""

_CHUNKS_PER_THREAD = 16
_LEAST_CHUNK_ROWS, _MOST_CHUNK_ROWS = 16, 256
"""Rows a thread takes at a time: few enough that cores finish together and that what is prepared for them stays
in the cache; a batch of one chunk stays on the calling thread, since to start another costs about as much."""


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


def spread(work: Callable[[int, int], None], rows: int, threads: int | None) -> None:
    """Call `work(start, stop)` until the rows are done, on so many threads (None: one for each core).

    Each row is worked on once, by whichever thread comes first; results must depend on the row alone. An
    exception of the earliest failing chunk is raised here; so are the errors of `cores.check_threads`.
    """
    count = count_threads(threads)
    if rows == 0:
        return
    chunk = min(max(rows // (count * _CHUNKS_PER_THREAD), _LEAST_CHUNK_ROWS), _MOST_CHUNK_ROWS)
    starts = range(0, rows, chunk)
    if count == 1 or len(starts) == 1:
        for start in starts:
            work(start, min(start + chunk, rows))
        return
    with ThreadPoolExecutor(count) as pool:
        for _ in pool.map(lambda start: work(start, min(start + chunk, rows)), starts):
            pass  # asking for the result raises what the chunk has raised
