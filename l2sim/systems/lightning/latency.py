"""How long messages between nodes take: named distributions, drawn in blocks."""

import numpy as np

from l2sim.engine import NS_PER_MS, Stream
from l2sim.systems.lightning.config import ConstantLatency, ExponentialLatency, Latency, LognormalLatency

BLOCK = 4_096  # draws at a time


class LatencySampler:
    """Draws one-way message times in whole nanoseconds.

    >>> from l2sim.engine import Streams
    >>> LatencySampler(ConstantLatency(one_way_ms=50), Streams(seed=1).get("latency")).draw_ns()
    50000000
    """

    __slots__ = ("_block", "_config", "_next", "_stream")

    def __init__(self, config: Latency, stream: Stream) -> None:
        self._config = config
        self._stream = stream
        self._block: list[int] = []
        self._next = 0

    def draw_ns(self) -> int:
        """The time of one message."""
        if self._next == len(self._block):
            self._block = self._draw_block()
            self._next = 0
        value = self._block[self._next]
        self._next += 1
        return value

    def _draw_block(self) -> list[int]:
        generator = self._stream.generator
        match self._config:
            case ConstantLatency(one_way_ms=time_ms):
                times_ms = np.full(BLOCK, time_ms)
            case ExponentialLatency(mean_one_way_ms=mean_ms):
                times_ms = generator.exponential(mean_ms, BLOCK)
            case LognormalLatency(median_one_way_ms=median_ms, sigma=sigma):
                times_ms = generator.lognormal(np.log(median_ms), sigma, BLOCK)
        block: list[int] = np.rint(times_ms * NS_PER_MS).astype(np.int64).tolist()
        return block
