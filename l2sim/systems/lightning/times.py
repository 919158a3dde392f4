"""Draws the times of `node_config.Time`: whole nanoseconds from a named stream of their own."""

import numpy as np

from l2sim.engine import NS_PER_S, Streams, ns
from l2sim.systems.lightning.node_config import ConstantTime, ExponentialTime, LognormalTime, ParetoTime, Time


def mean_s(time: Time) -> float:
    """The mean of a distribution, in seconds.

    >>> mean_s(ExponentialTime(kind="exponential", mean_s=60))
    60.0
    """
    match time:
        case ConstantTime(seconds=seconds):
            return seconds
        case LognormalTime(median_s=median_s, sigma=sigma):
            return float(median_s * np.exp(sigma**2 / 2))
        case ExponentialTime(mean_s=mean) | ParetoTime(mean_s=mean):
            return mean


class TimeSampler:
    """Draws from one distribution; a constant draws nothing from its stream.

    >>> TimeSampler(ConstantTime(seconds=2), Streams(seed=1), "hold").draw_ns()
    2000000000
    """

    __slots__ = ("_constant_ns", "_stream", "_time")

    def __init__(self, time: Time, streams: Streams, name: str) -> None:
        self._time = time
        self._constant_ns = ns(time.seconds) if isinstance(time, ConstantTime) else None
        self._stream = None if self._constant_ns is not None else streams.get(name)

    def draw_ns(self) -> int:
        """One time."""
        if self._stream is None:
            return self._constant_ns or 0
        match self._time:
            case ExponentialTime(mean_s=mean):
                seconds = self._stream.exponential(mean)
            case LognormalTime(median_s=median_s, sigma=sigma):
                seconds = float(self._stream.generator.lognormal(np.log(median_s), sigma))
            case ParetoTime(mean_s=mean, shape=shape):
                # Lomax with that mean: its scale is mean x (shape - 1).
                seconds = mean * (shape - 1) * float(self._stream.generator.pareto(shape))
            case ConstantTime(seconds=seconds):
                pass
        return round(seconds * NS_PER_S)
