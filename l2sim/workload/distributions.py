"""Distributions of amounts in whole millisatoshi; each states its mean and draws whole arrays.

Draws come one after the other from the generator, so that asking for more leaves the first ones as they were.
"""

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Protocol

import numpy as np
import numpy.typing as npt

from l2sim.money import MSAT_PER_BTC

MAX_AMOUNT_MSAT = 21_000_000 * MSAT_PER_BTC
"""More than all bitcoin there can ever be is never drawn; it still fits in a signed 64-bit integer."""

MIN_KEPT = 0.01
"""The least part of a lognormal that its bounds must leave: draws outside are thrown away."""

BLOCK = 65_536  # draws made at a time where some are thrown away

Ints = npt.NDArray[np.int64]


class Distribution(Protocol):
    """A distribution of whole numbers of millisatoshi, all between 1 and `MAX_AMOUNT_MSAT`."""

    @property
    def mean(self) -> float:
        """The expected value in msat."""

    def draw(self, generator: np.random.Generator, count: int) -> Ints:
        """`count` independent draws in msat."""


def _check_bounds(low: int, high: int) -> None:
    if low < 1 or high > MAX_AMOUNT_MSAT:
        raise ValueError(f"amounts must be between 1 and {MAX_AMOUNT_MSAT} msat (got {low} to {high})")
    if low > high:
        raise ValueError(f"the least amount must not be above the greatest (got {low} and {high} msat)")


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same amount.

    >>> Constant(5_000).draw(np.random.default_rng(1), 2).tolist()
    [5000, 5000]
    """

    value: int

    def __post_init__(self) -> None:
        _check_bounds(self.value, self.value)

    @property
    def mean(self) -> float:
        """The amount."""
        return float(self.value)

    def draw(self, generator: np.random.Generator, count: int) -> Ints:  # noqa: ARG002  one interface for all
        """`count` times the amount."""
        return np.full(count, self.value, np.int64)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every whole number from `low` to `high`, both included, as likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    @property
    def mean(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2

    def draw(self, generator: np.random.Generator, count: int) -> Ints:
        """`count` draws."""
        return generator.integers(self.low, self.high, count, dtype=np.int64, endpoint=True)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A lognormal with that median and sigma (of the natural logarithm), cut off at `low` and `high`.

    Draws outside the bounds are thrown away and made again, so the shape inside is that of the lognormal. Raises
    ValueError when the bounds leave less than `MIN_KEPT` of it.
    """

    median: int
    sigma: float
    low: int = 1
    high: int = MAX_AMOUNT_MSAT
    _bounds: tuple[float, float] = field(init=False, repr=False, compare=False)
    """The bounds as numbers of standard deviations from the median, half a unit wider for the rounding."""

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if self.median < 1 or not self.sigma > 0:
            raise ValueError(f"median must be at least 1 and sigma above 0 (got {self.median} and {self.sigma})")
        low, high = (math.log(edge / self.median) / self.sigma for edge in (self.low - 0.5, self.high + 0.5))
        object.__setattr__(self, "_bounds", (low, high))
        if self.kept < MIN_KEPT:
            raise ValueError(
                f"the bounds must leave at least {MIN_KEPT:.0%} of the lognormal with median {self.median} msat and "
                f"sigma {self.sigma} (got {self.low} to {self.high} msat, which leave {self.kept:.2g})"
            )

    @property
    def kept(self) -> float:
        """The part of the whole lognormal that lies inside the bounds."""
        low, high = self._bounds
        return NormalDist().cdf(high) - NormalDist().cdf(low)

    @property
    def mean(self) -> float:
        """The mean of the lognormal given that it lies inside the bounds.

        With phi the normal distribution function and a, b the bounds in standard deviations of the logarithm:
        median * exp(sigma**2 / 2) * (phi(b - sigma) - phi(a - sigma)) / (phi(b) - phi(a)).
        """
        low, high = self._bounds
        phi = NormalDist().cdf
        part = (phi(high - self.sigma) - phi(low - self.sigma)) / self.kept
        return self.median * math.exp(self.sigma**2 / 2) * part

    def draw(self, generator: np.random.Generator, count: int) -> Ints:
        """`count` draws."""
        low, high = self._bounds
        kept: list[npt.NDArray[np.float64]] = []
        missing = count
        while missing > 0:
            block = generator.standard_normal(BLOCK)
            inside = block[(block > low) & (block < high)][:missing]
            kept.append(inside)
            missing -= len(inside)
        normal = np.concatenate(kept) if kept else np.empty(0)
        amounts = np.rint(self.median * np.exp(self.sigma * normal)).astype(np.int64)
        clipped: Ints = np.clip(amounts, self.low, self.high)
        return clipped


@dataclass(frozen=True, slots=True)
class Classes:
    """Classes as in a published table: one is picked by its weight, the amount is uniform inside it.

    `lows` and `highs` are in msat, both included; `weights` need not add up to 1.
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.lows) == len(self.highs) == len(self.weights) >= 1:
            raise ValueError("lows, highs and weights must be equally long and not empty")
        for low, high in zip(self.lows, self.highs, strict=True):
            _check_bounds(low, high)
        if min(self.weights) < 0 or not sum(self.weights) > 0:
            raise ValueError(f"weights must be at least 0 and not all 0 (got {self.weights})")

    @property
    def mean(self) -> float:
        """The middles of the classes, weighted."""
        middles = ((low + high) / 2 for low, high in zip(self.lows, self.highs, strict=True))
        return sum(w * m for w, m in zip(self.weights, middles, strict=True)) / sum(self.weights)

    def draw(self, generator: np.random.Generator, count: int) -> Ints:
        """`count` draws."""
        uniform = generator.random((count, 2))
        picked = pick(np.asarray(self.weights), uniform[:, 0])
        low = np.asarray(self.lows, np.int64)[picked]
        high = np.asarray(self.highs, np.int64)[picked]
        drawn: Ints = np.minimum(high, low + (uniform[:, 1] * (high - low + 1)).astype(np.int64))
        return drawn


def pick(weights: npt.NDArray[np.float64], uniform: npt.NDArray[np.float64]) -> Ints:
    """Turn numbers in [0, 1) into indices drawn in proportion to `weights`.

    >>> pick(np.array([1.0, 3.0]), np.array([0.0, 0.2, 0.3, 0.9])).tolist()
    [0, 0, 1, 1]
    """
    edges = np.cumsum(weights)
    last = int(np.flatnonzero(weights)[-1])
    picked: Ints = np.minimum(np.searchsorted(edges, uniform * edges[-1], side="right"), last)
    return picked
