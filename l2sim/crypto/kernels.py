"""Which of two paths a batch takes: compiled kernels, or the readable reference that they are tested against.

The setting L2SIM_KERNELS says it for the whole process, the argument `kernel` of a batch for one call: `auto`
(kernels for batches large enough to gain from them, where they can run), `lanes` (kernels always) or `reference`.
Every path gives the same bytes.
"""

import os
from typing import Literal, get_args

Kernel = Literal["auto", "lanes", "reference"]
KERNEL_VARIABLE = "L2SIM_KERNELS"
_KERNELS: tuple[str, ...] = get_args(Kernel)


def chosen_kernel(kernel: str | None) -> str:
    """Return the argument `kernel` where there is one, else the setting, else `auto`; ValueError for other words."""
    where = "kernel" if kernel is not None else KERNEL_VARIABLE
    chosen = kernel if kernel is not None else os.environ.get(KERNEL_VARIABLE) or "auto"
    if chosen not in _KERNELS:
        raise ValueError(f"{where}: must be one of {', '.join(_KERNELS)} (got {chosen!r})")
    return chosen
