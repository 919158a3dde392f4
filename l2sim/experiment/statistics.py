"""Statistics of simulation output: Student-t intervals, paired differences, batch means, where a warm-up ends.

Means and deviations are computed with `math.fsum`, so that they do not depend on how numbers are grouped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

CONFIDENCE = 0.95
"""The confidence of every interval that l2sim reports unless asked for another."""

EXACT_DEGREES = 10_000
"""Up to so many degrees of freedom Student's t is computed exactly; beyond, by its expansion about the normal."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean, standard deviation and confidence interval of `n` independent values.

    With one value there is no deviation and no interval: those fields are None.
    """

    n: int
    mean: float
    deviation: float | None
    """Sample standard deviation, with n - 1."""
    half_width: float | None
    """Half the width of the interval, which is symmetric about the mean."""

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        return None if self.half_width is None else self.mean + self.half_width

    @property
    def relative_half_width(self) -> float:
        """Half-width over the size of the mean; infinite where there is no interval, or about a mean of 0."""
        if self.half_width == 0.0:
            return 0.0
        if self.half_width is None or self.mean == 0.0:
            return math.inf
        return self.half_width / abs(self.mean)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero: a difference that is not chance at this confidence."""
        return self.half_width is not None and abs(self.mean) > self.half_width


def two_sided_probability(t: float, degrees: int) -> float:
    """The probability that Student's t with `degrees` of freedom lies in -t..t.

    The finite series for a whole number of degrees: Abramowitz and Stegun, Handbook of Mathematical Functions
    (1964), 26.7.3 (odd) and 26.7.4 (even), with tan(angle) = t / sqrt(degrees).
    """
    return _probability_of_angle(math.atan(t / math.sqrt(degrees)), degrees)


def _probability_of_angle(angle: float, degrees: int) -> float:
    sine, cosine = math.sin(angle), math.cos(angle)
    square = cosine * cosine
    odd = degrees % 2 == 1
    if degrees == 1:
        return 2.0 * angle / math.pi
    term = total = cosine if odd else 1.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total


@lru_cache(maxsize=4096)
def student_t(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The t for which Student's distribution has `confidence` of its mass in -t..t.

    Up to `EXACT_DEGREES` degrees by bisection of the exact series; beyond, the expansion about the normal
    quantile (Abramowitz and Stegun 26.7.5), which is then exact to twelve figures. Raises ValueError.

    >>> round(student_t(4), 4), round(student_t(1, 0.9), 4)
    (2.7764, 6.3138)
    """
    if degrees < 1 or not 0.0 < confidence < 1.0:
        raise ValueError(
            f"degrees must be at least 1 and confidence between 0 and 1 (got {degrees} and {confidence!r})"
        )
    if degrees > EXACT_DEGREES:
        x = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
        g1 = (x**3 + x) / 4.0
        g2 = (5 * x**5 + 16 * x**3 + 3 * x) / 96.0
        return x + g1 / degrees + g2 / degrees**2
    low, high = 0.0, math.pi / 2.0
    while True:
        middle = (low + high) / 2.0
        if middle in (low, high):
            return math.sqrt(degrees) * math.tan(middle)
        if _probability_of_angle(middle, degrees) < confidence:
            low = middle
        else:
            high = middle


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The Student-t interval of the mean of independent values; raises ValueError where there are none.

    >>> five = interval([9.0, 10.0, 11.0, 10.0, 10.0])
    >>> five.mean, round(five.half_width, 3)
    (10.0, 0.878)
    """
    n = len(values)
    if n == 0:
        raise ValueError("an interval needs at least 1 value (got 0)")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(1, mean, None, None)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(n, mean, deviation, student_t(n - 1, confidence) * deviation / math.sqrt(n))


def paired(first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean of `second - first`, pair by pair.

    Two systems that face the same payments in each replication differ by less chance than each has by itself
    (common random numbers: Law, Simulation Modeling and Analysis, 5th edition, section 11.2). Raises
    ValueError if the two are not equally many.
    """
    return interval([b - a for a, b in zip(first, second, strict=True)], confidence)


def known_pairs(first: Sequence[float | None], second: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """The values of the pairs in which both were measured; ValueError if the two are not equally many."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]


def paired_where_known(first: Sequence[float | None], second: Sequence[float | None]) -> Interval | None:
    """The interval of `second - first` over the pairs in which both were measured; None where there is none."""
    a, b = known_pairs(first, second)
    return paired(a, b) if a else None


def batch_means(values: Sequence[float], batches: int = 20, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean of one long, correlated series, from the means of equal batches of it.

    Values that do not fill a batch are left out at the start, where a run is least steady. Batches must be long
    against the correlation of the series; 10 to 30 are usual (Schmeiser, Operations Research 30, 1982).
    Raises ValueError for fewer than 2 batches or fewer values than batches.
    """
    if batches < 2 or len(values) < batches:
        raise ValueError(
            f"batches must be at least 2, and values at least as many (got {batches} batches of {len(values)} values)"
        )
    length = len(values) // batches
    start = len(values) - length * batches
    means = [math.fsum(values[i : i + length]) / length for i in range(start, len(values), length)]
    return interval(means, confidence)


def mser5(values: Sequence[float]) -> int:
    """How many values to leave out at the start of a series, as MSER-5 suggests.

    Of the means of successive five values, as many are cut as make the squared standard error of what is left
    smallest, at most half of them (White, Cobb and Spratt, Winter Simulation Conference 2000). A suggestion, to
    be looked at beside the series: where it says half of the series, the series is too short to tell.

    >>> mser5([100.0] * 10 + [1.0, 2.0] * 50)
    10
    """
    means = [math.fsum(values[i : i + 5]) / 5 for i in range(0, len(values) - 4, 5)]
    if len(means) < 2:
        return 0
    shift = means[-1]  # sums of squares about a value of the series keep their digits
    best, cut = math.inf, 0
    total = squares = 0.0
    for start in range(len(means) - 1, -1, -1):
        value = means[start] - shift
        total += value
        squares += value * value
        kept = len(means) - start
        if start <= len(means) // 2:
            error = max(0.0, squares - total * total / kept) / (kept * kept)
            if error <= best:
                best, cut = error, start
    return 5 * cut
