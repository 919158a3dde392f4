"""What every batch asks first of an array that it is given."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["as_plain"]


def as_plain(name: str, array: npt.NDArray[Any], wanted: str) -> npt.NDArray[Any]:
    """Return the array as numpy's own type, without a copy, so that its shape and type can be relied upon.

    `wanted` says in an error what the argument `name` must be, such as "a numpy array of integers". Raises
    ValueError for what is no numpy array, and for a masked one: a batch has no answer for a row left out.
    """
    if type(array) is np.ndarray:
        return array
    kind = type(array).__name__
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: must be {wanted} (got {kind})")
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"{name}: must be {wanted} without a mask (got {kind}); fill it first, array.filled(value)")
    return np.asarray(array)
