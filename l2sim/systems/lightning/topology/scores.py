"""Ranks and normal scores: the way between a value, its place among all values, and a standard normal number."""

from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Half percents, then finer towards 1, as the largest nodes and channels matter most.
GRID: Final[FloatArray] = np.concatenate((np.arange(0.0, 0.99, 0.005), 1.0 - np.geomspace(0.01, 0.0001, 11), [1.0]))

# The standard normal quantile function at 4,096 midpoints: finer than any table here is used for.
_POINTS: Final = (np.arange(4_096) + 0.5) / 4_096
_NORMAL: Final = np.array([NormalDist().inv_cdf(float(p)) for p in _POINTS])


def mean_ranks(values: npt.NDArray[Any]) -> FloatArray:
    """Each value's place among all, from 0 to 1; equal values share the middle of their places."""
    if len(values) == 0:
        return np.empty(0)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles = (ends - counts / 2) / len(values)
    return np.asarray(middles[inverse], np.float64)


def normal_scores(values: npt.NDArray[Any]) -> FloatArray:
    """The standard normal quantile of each value's mean rank."""
    return np.asarray(np.interp(mean_ranks(values), _POINTS, _NORMAL), np.float64)


def at_quantiles(table: npt.ArrayLike, places: npt.NDArray[Any]) -> FloatArray:
    """The values of a quantile table over `GRID` at places in 0..1, between grid points on a straight line."""
    return np.asarray(np.interp(places, GRID, np.asarray(table, np.float64)), np.float64)
