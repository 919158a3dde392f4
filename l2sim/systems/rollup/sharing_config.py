"""Settings of rollups that post into the same blobs."""

from typing import Literal

from pydantic import Field

from l2sim.config import Config


class BlobSharingConfig(Config):
    """Rollups of the scenario that live on one L1 and post what goes into blobs together."""

    systems: tuple[str, ...] = Field(min_length=2, max_length=255)
    """Names of the rollups, all on the same chain."""
    wait_s: float = Field(default=300.0, ge=0, le=86_400)
    """Longest time that one rollup's batch waits for those of the others, seconds: it is posted as soon as every
    rollup has one there, or a transaction is full."""
    split: Literal["bytes", "nash"] = "bytes"
    """Who pays what of a transaction: `bytes`, in proportion to what each has in it; `nash`, what each would pay alone
    less an equal part of what is saved together (Crapis, Felten, Mamageishvili, arXiv 2310.01155). The L1 gas that a
    rollup's own contract executes is that rollup's in either case."""
