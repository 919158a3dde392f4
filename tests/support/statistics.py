"""Laws against simulation with honest error bars, at a reduced size by default and at full size on demand.

A published test makes 20 independent replications, each its own streams of the same seed, so that the series of
waits inside one may be as autocorrelated as it likes: the 20 means are independent. Where a quantity with a
known expectation can be observed in the same run (a control variate), regression on it narrows the interval:
Lavenberg, Welch 1981, *A perspective on the use of control variables*, Management Science 27(3).
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.engine import Streams

Floats = npt.NDArray[np.float64]

REPLICATIONS = 20
T_99 = {19: 2.8609, 18: 2.8784, 17: 2.8982, 16: 2.9208, 15: 2.9467}
"""Student's t by degrees of freedom, two-sided 99 % (any table of it)."""
T_999 = {19: 3.8834, 18: 3.9217, 17: 3.9651, 16: 4.0150, 15: 4.0728}
"""The same, two-sided 99.9 %."""

EVENTS = "events"
"""Name under which a replication reports how many events its engine ran."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the half-width of its 99 % confidence interval."""

    mean: float
    half_width: float

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval."""
        return self.mean - self.half_width, self.mean + self.half_width


def estimate(
    samples: Floats, controls: Mapping[str, tuple[Floats, float]] | None = None, quantiles: Mapping[int, float] = T_99
) -> Estimate:
    """The mean over independent replications, after regression on controls (values, known expectation).

    Without controls this is the textbook Student interval. With them it is the intercept of the least-squares
    plane at the controls' expectations; each control costs a degree of freedom. A control that came out the same
    in all replications tells nothing and is left out.
    """
    count = len(samples)
    columns = [np.ones(count)] + [values - known for values, known in (controls or {}).values() if np.ptp(values) > 0]
    design = np.column_stack(columns)
    freedom = count - len(columns)
    if freedom not in quantiles:
        raise ValueError(f"degrees of freedom must be one of {sorted(quantiles)} (got {freedom})")
    coefficients, _, rank, _ = np.linalg.lstsq(design, samples, rcond=None)
    if rank < len(columns):
        raise ValueError(f"controls must differ from each other (got {list(controls or {})})")
    residuals = samples - design @ coefficients
    variance = float(residuals @ residuals) / freedom * float(np.linalg.inv(design.T @ design)[0, 0])
    return Estimate(float(coefficients[0]), quantiles[freedom] * math.sqrt(variance))


@dataclass(frozen=True, slots=True)
class Runs:
    """What 20 replications observed: one array of 20 values per quantity."""

    values: Mapping[str, Floats]
    events: int
    seconds: float


class Published:
    """How a published test runs and judges: `replicate` makes the runs, `assert_law` holds a law against them."""

    def __init__(self, full_size: bool, seed: int, report: Callable[[dict[str, str]], None]) -> None:
        self.full_size = full_size
        self.seed = seed
        self._report = report

    def size(self, reduced: int, full: int) -> int:
        """That many jobs (or blocks) per replication at the size asked for."""
        return full if self.full_size else reduced

    def replicate(self, run: Callable[..., Mapping[str, float]], **settings: Any) -> Runs:
        """Call `run(streams, **settings)` for 20 replications; it returns its observations and its `events`."""
        start = time.perf_counter()
        rows = [run(Streams(self.seed, replication), **settings) for replication in range(REPLICATIONS)]
        values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return Runs(values, int(values[EVENTS].sum()), time.perf_counter() - start)

    def assert_law(
        self,
        item: str,
        runs: Runs,
        quantity: str,
        expected: float,
        *,
        tolerance: float,
        half_width: float,
        full_half_width: float | None = None,
        controls: Mapping[str, float] | None = None,
        one_of_ten: bool = False,
    ) -> Estimate:
        """Hold a law against the runs' own statistics.

        At either size `expected` must lie inside the 99 % interval, and the interval must reach no further than the
        share `half_width` of `expected` to each side, or it says too little; at full size that bound is the
        published `tolerance`, unless `full_half_width` says otherwise. At full size the mean must also lie within
        the published `tolerance`. `controls` maps the names of quantities observed in the runs to their known
        expectations. A law that is `one_of_ten` about the same runs gets an interval of 99.9 %, so that 99 % holds
        for all ten at once (Bonferroni).
        """
        used = {name: (runs.values[name], known) for name, known in (controls or {}).items()}
        found = estimate(runs.values[quantity], used, T_999 if one_of_ten else T_99)
        bound = (full_half_width or tolerance) if self.full_size else half_width
        low, high = found.interval
        self._row(item, expected, found, tolerance if self.full_size else half_width, runs)
        assert found.half_width <= bound * abs(expected), (
            f"{item}: the run is too short to say anything: the 99 % interval must reach at most {bound:.2%} of "
            f"{expected} to each side (got {found.half_width / abs(expected):.2%})"
        )
        assert low <= expected <= high, (
            f"{item}: {expected} must lie inside the 99 % interval {low:.6g} .. {high:.6g}; one true law in a "
            "hundred misses it by chance: see whether it does with another --seed"
        )
        if self.full_size:
            assert abs(found.mean - expected) <= tolerance * abs(expected), (
                f"{item}: the mean must be {expected} within {tolerance:.1%} (got {found.mean})"
            )
        return found

    def assert_little(self, item: str, runs: Runs, *, reduced: float) -> None:
        """Hold L / (lambda W), observed as `little`, to Little's law: to 0.5 % at full size, else to `reduced`.

        Over a window Little's law misses only by those who are there at its two ends, so that no interval is asked.
        """
        tolerance = 0.005 if self.full_size else reduced
        found = estimate(runs.values["little"])
        self._row(f"{item} L / lambda W", 1.0, found, tolerance, runs)
        assert abs(found.mean - 1) <= tolerance, (
            f"{item}: L / (lambda W) must be 1 within {tolerance} (got {found.mean})"
        )

    def assert_ceiling(self, item: str, observed: float, expected: float, *, tolerance: float, events: int) -> None:
        """Hold a deterministic figure against its published value; both sizes are the same."""
        self._row(item, expected, observed, tolerance, events)
        assert abs(observed - expected) <= tolerance * abs(expected), (
            f"{item}: must be {expected} within {tolerance:.1%} (got {observed})"
        )

    def _row(self, item: str, expected: float, found: Estimate | float, tolerance: float, source: Runs | int) -> None:
        row = {"item": item, "expected": f"{expected:.5g}"}
        if isinstance(found, Estimate) and isinstance(source, Runs):
            low, high = found.interval
            row |= {
                "observed": f"{found.mean:.5g}",
                "99 % interval": f"{low:.5g} .. {high:.5g}",
                "tolerance": f"{tolerance:.1%}",
                "seeds": f"{self.seed} x {REPLICATIONS}",
                "events": f"{source.events:,}",
                "seconds": f"{source.seconds:.1f}",
            }
        else:
            row |= {
                "observed": f"{found:.5g}",
                "99 % interval": "exact",
                "tolerance": f"{tolerance:.1%}",
                "seeds": "none",
                "events": f"{source:,}",
                "seconds": "",
            }
        self._report(row)


def table(rows: list[dict[str, str]]) -> list[str]:
    """Rows of text with equal keys as aligned lines, the keys on top."""
    names = list(rows[0])
    cells = [names] + [[row[name] for name in names] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
