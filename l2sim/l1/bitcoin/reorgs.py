"""The last blocks of a chain that can lose them, and when it does."""

from collections import deque
from dataclasses import dataclass

from l2sim.engine import Stream
from l2sim.l1.bitcoin.config import ReorgConfig
from l2sim.l1.bitcoin.mempool import Filling


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """A block that may be thrown out: its row in the table of blocks and what it holds."""

    row: int
    filling: Filling


class KeptBlocks:
    """The blocks that a reorganisation could reach, and the chance of one."""

    def __init__(self, config: ReorgConfig, stream: Stream) -> None:
        self._config = config
        self._stream = stream
        self._blocks: deque[KeptBlock] = deque(maxlen=config.max_depth)

    def draw_depth(self) -> int:
        """How many blocks are thrown out now: mostly 0, never more than there are."""
        if self._stream.uniform() >= self._config.probability:
            return 0
        depth = 1
        while depth < len(self._blocks) and self._stream.uniform() < self._config.deeper:
            depth += 1
        return min(depth, len(self._blocks))

    def add(self, block: KeptBlock) -> None:
        """A block was made on top."""
        self._blocks.append(block)

    def pop(self, depth: int) -> list[KeptBlock]:
        """Throw the last `depth` blocks out, and return them from the lowest on."""
        return [self._blocks.pop() for _ in range(depth)][::-1]
