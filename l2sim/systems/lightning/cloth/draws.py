"""Payments as CLoTH draws them."""

from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.cloth.tables import Payments
from l2sim.systems.lightning.standalone import standalone

Twister = npt.NDArray[np.uint32]
"""The state of a generator: 624 words and, last, how many of them are used."""

WORDS: Final = 624
_draw: Final = standalone("l2sim.systems.lightning.cloth.kernels_draws:draw")


def make_twister() -> Twister:
    """A generator that is not seeded yet."""
    return np.zeros(WORDS + 1, np.uint32)


def draw_payments(seed: int, nodes: int, count: int, mean_amount_sat: float, rate_per_s: float) -> Payments:
    """Payments as CLoTH draws them: payers, payees, amounts in msat and times in ms, shape (count,) each.

    Pairs are uniform, amounts deviate by about 1 sat (defect D6), times between payments are exponential and cut to
    whole milliseconds, beginning at 1 ms.
    """
    ends, numbers = np.empty((2, count), np.int32), np.empty((2, count), np.int64)
    drawn = Payments(ends[0], ends[1], numbers[0], numbers[1])
    _draw(make_twister(), seed, nodes, float(mean_amount_sat), float(rate_per_s), *drawn)
    return drawn
