"""Which loops a batch of signatures runs: the compiled ones, or those over cffi."""

from types import ModuleType
from typing import Any

from l2sim.crypto.kernels import KERNEL_VARIABLE, Kernel, chosen_kernel
from l2sim.crypto.signatures import _loops

COMPILED_THRESHOLD = 24
"""Rows from which `auto` takes the compiled loops: fewer are done before a compiler is loaded."""


def loops_for(rows: int, kernel: Kernel | None) -> ModuleType:
    """Return the module whose loops are to run over so many rows; the words of `kernel` are those of `kernels`."""
    setting = chosen_kernel(kernel)
    if setting == "reference" or (setting == "auto" and rows < COMPILED_THRESHOLD):
        return _loops
    from l2sim.crypto.compiler import KernelUnavailableError
    from l2sim.crypto.signatures import _compiled_loops

    try:
        _compiled_loops.load()
    except KernelUnavailableError:
        if setting != "auto":
            raise
        return _loops  # kernel_info says why
    return _compiled_loops


def kernel_info() -> dict[str, Any]:
    """Return which loops run for large batches, and why: a JSON-able record for result files.

    `kernel` is `compiled`, with the `source` of its code (`cache`, `compiled`, `memory`), or `reference`, with the
    `reason`.
    """
    if chosen_kernel(None) == "reference":
        return {"kernel": "reference", "reason": f"{KERNEL_VARIABLE} is set to reference"}
    from l2sim.crypto.compiler import KernelUnavailableError
    from l2sim.crypto.signatures import _compiled_loops

    try:
        return {"kernel": "compiled", "source": _compiled_loops.load().source}
    except KernelUnavailableError as error:
        return {"kernel": "reference", "reason": str(error)}
