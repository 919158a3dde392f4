"""Blocks that are thrown out again: the settings, the last blocks of a chain, and when it loses some."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import Field

from l2sim.config import Config

if TYPE_CHECKING:  # settings are read without the engine
    from l2sim.engine import Stream

Content = TypeVar("Content")


class ReorgConfig(Config):
    """Blocks that are thrown out again because a longer branch appears.

    With `probability` a block is followed by a reorganisation that throws out the last `depth` blocks; the depth is
    geometric. Transactions of the lost blocks wait again. On a Bitcoin-like chain `depth + 1` others take their
    place at once; on an Ethereum-like one the next slot's block builds on the block below them.
    """

    probability: float = Field(default=0.0, ge=0, le=1)
    """Chance that a block is followed by a reorganisation; 0: there are none. Stale Bitcoin blocks were
    about 1 in 1,000 of all in recent years."""
    deeper: float = Field(default=0.1, ge=0, lt=1)
    """Chance that a reorganisation of some depth reaches one block deeper."""
    max_depth: int = Field(default=3, ge=1, le=100)
    """The deepest one, in blocks; must be below what makes a block final. One that would reach a final block, where
    slots were missed, stops above it."""


@dataclass(frozen=True, slots=True)
class KeptBlock(Generic[Content]):
    """A block that may be thrown out: its row in the table of blocks and what it holds."""

    row: int
    filling: Content


class KeptBlocks(Generic[Content]):
    """The blocks that a reorganisation could reach, and the chance of one."""

    def __init__(self, config: ReorgConfig, stream: "Stream") -> None:
        self._config = config
        self._stream = stream
        self.blocks: deque[KeptBlock[Content]] = deque(maxlen=config.max_depth)
        """From the lowest to the highest."""

    def draw_depth(self) -> int:
        """How many blocks are thrown out now: mostly 0, never more than there are."""
        if self._stream.uniform() >= self._config.probability:
            return 0
        depth = 1
        while depth < len(self.blocks) and self._stream.uniform() < self._config.deeper:
            depth += 1
        return min(depth, len(self.blocks))

    def add(self, block: KeptBlock[Content]) -> None:
        """A block was made on top."""
        self.blocks.append(block)

    def pop(self, depth: int) -> list[KeptBlock[Content]]:
        """Throw the last `depth` blocks out, and return them from the lowest on."""
        return [self.blocks.pop() for _ in range(depth)][::-1]

    def forget_while(self, is_final: Callable[[KeptBlock[Content]], bool]) -> None:
        """Keep the lowest blocks no longer, as far up as they are final: no reorganisation reaches them any more."""
        while self.blocks and is_final(self.blocks[0]):
            self.blocks.popleft()

    def clear(self) -> None:
        """No block made so far can be thrown out any more."""
        self.blocks.clear()
