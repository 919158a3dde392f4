"""Small kernels for the tests of code that runs without numba."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit


class Columns(NamedTuple):
    small: np.ndarray
    large: np.ndarray
    flags: np.ndarray


class Rates(NamedTuple):
    factor: float
    times: int
    negate: bool


@njit
def mix(columns, rates, shift, total):
    """Change columns by every kind of argument, and leave a sum."""
    for i in range(len(columns.small)):
        value = rates.factor * math.exp(columns.small[i]) + rates.times * columns.large[i]
        if columns.flags[i] and rates.negate:
            value = -value
        columns.large[i] += shift
        total[0] += value


@njit
def allocates(values):
    copy = np.zeros(len(values))
    copy[:] = values
    values[:] = copy[::-1]


@njit
def refuses(values):
    if values[0] < 0:
        raise ValueError("below zero")
    values[0] = 1.0
