"""Settings of gossip, and of what there is to gossip about."""

from typing import Annotated, Literal

from pydantic import Field

from l2sim.config import Config
from l2sim.systems.lightning.node_config import ExponentialTime


class InstantGossip(Config):
    """Payers know what nodes announce at once."""

    kind: Literal["instant"] = "instant"


class StaggeredGossip(Config):
    """What is announced waits at each relay for that node's next flush, and only so many updates of an edge pass."""

    kind: Literal["staggered"]
    flush_s: float = Field(60.0, gt=0, le=1e6)
    """How often a node sends on what it gathered (BOLT 7, CLN and eclair 60 s; LND config.go 90 s)."""
    relays: int = Field(3, ge=1, le=100)
    """Nodes at which an update waits on its way to the median payer. Flooding over every channel of the mainnet
    snapshot of 2026-02-03, with flushes at random phases, takes 1.3 flush times in the mean with a standard
    deviation of 0.55: that of three waits. Fewer gossip peers make it more."""
    burst: int = Field(10, ge=1, le=10**6)
    """Updates of one edge that relays pass on at once (LND discovery/gossiper.go DefaultMaxChannelUpdateBurst)."""
    refill_s: float = Field(60.0, gt=0, le=1e8)
    """After which they pass on one more (LND DefaultChannelUpdateInterval: a minute)."""
    announce_confirmations: int = Field(6, ge=1, le=2_016)
    """Confirmations that a new channel's funding has when it is announced (BOLT 7: at least 6)."""
    prune_blocks: int = Field(72, ge=1, le=2_016)
    """Confirmations of the transaction that spends a channel's funding after which all forget the channel, whether or
    not they heard that it was disabled (BOLT 7: 72; older texts 12)."""


Gossip = Annotated[InstantGossip | StaggeredGossip, Field(discriminator="kind")]


class FeeChanges(Config):
    """Routers change the fees they ask for, each edge at times of its own."""

    every: ExponentialTime = ExponentialTime(kind="exponential", mean_s=86_400)
    """Time between an edge's changes."""
    sigma: float = Field(0.5, ge=0, le=4)
    """Each change multiplies the fees of the start, inbound ones too, by a log-normal factor with median 1 and this
    deviation of its logarithm."""
