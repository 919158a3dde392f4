"""Compilation of kernels whose machine code is kept from run to run and made anew when any of its sources changes."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from numba import njit


def compiled(*modules: ModuleType) -> Callable[[Callable[..., Any]], Any]:
    """`njit` with a cache that is stale also when these modules have changed, from which code is compiled in.

    Numba by itself looks only at the file of the function itself, and would go on running what the modules said
    when it was compiled.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher: Any = njit(cache=True)(function)
        if modules:
            kept = dispatcher._cache._cache_file
            stamps = [Path(module.__file__ or "").stat() for module in modules]
            kept._source_stamp = (kept._source_stamp, *((stat.st_mtime, stat.st_size) for stat in stamps))
        return dispatcher

    return decorate
