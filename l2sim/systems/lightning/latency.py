"""How long messages between nodes take: named distributions, drawn in blocks."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from l2sim.engine import NS_PER_MS, Stream, Streams
from l2sim.systems.lightning.config import (
    ConstantLatency,
    ExponentialLatency,
    Latency,
    LatencyClass,
    LognormalLatency,
)

BLOCK = 4_096  # draws at a time


class Latencies(Protocol):
    """The times of messages."""

    def between_ns(self, one: int, other: int) -> int:
        """The time of one message between two nodes, either way."""


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

    def between_ns(self, one: int, other: int) -> int:  # noqa: ARG002  # all nodes are alike
        """The same, whoever sends it."""
        return self.draw_ns()

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


class ClassedLatency:
    """Message times of a network in which some nodes are farther away than others.

    `is_user` (n,) says which nodes are users.
    """

    def __init__(
        self, others: Latency, classes: Sequence[LatencyClass], is_user: npt.NDArray[np.bool_], streams: Streams
    ) -> None:
        self._samplers = [LatencySampler(others, streams.get("lightning/latency"))]
        chosen = streams.get("lightning/latency classes").generator
        class_of = np.zeros(len(is_user), np.int64)
        for number, one in enumerate(classes, start=1):
            among = {"users": is_user, "routers": ~is_user, "all": np.ones(len(is_user), np.bool_)}[one.who]
            free = np.flatnonzero(among & (class_of == 0))
            count = min(len(free), round(one.share * int(among.sum())))
            class_of[chosen.choice(free, size=count, replace=False)] = number
            self._samplers.append(LatencySampler(one.latency, streams.get(f"lightning/latency of class {number}")))
        self.class_of: list[int] = class_of.tolist()
        """By node the number of its class from 1, 0 if it is in none."""

    def between_ns(self, one: int, other: int) -> int:
        """The time of one message between two nodes, either way."""
        class_of = self.class_of
        return self._samplers[max(class_of[one], class_of[other])].draw_ns()


def make_latencies(
    others: Latency, classes: Sequence[LatencyClass], is_user: npt.NDArray[np.bool_], streams: Streams
) -> Latencies:
    """The message times of a network; nodes are told apart only where there are classes."""
    if classes:
        return ClassedLatency(others, classes, is_user, streams)
    return LatencySampler(others, streams.get("lightning/latency"))
