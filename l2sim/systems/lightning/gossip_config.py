"""Settings of gossip, and of what there is to gossip about."""

from typing import Annotated, Literal

from pydantic import Field

from l2sim.config import Config
from l2sim.systems.lightning.node_config import ExponentialTime


class InstantGossip(Config):
    """Payers know what nodes announce at once."""

    kind: Literal["instant"] = "instant"


class Observers(Config):
    """Payers whom gossip reaches otherwise than the median observer."""

    share: float = Field(ge=0, le=1)
    """Part of the users that are in this class, drawn at random among those in none before it."""
    relays: int = Field(3, ge=0, le=100)
    """Nodes at which an update waits on its way to them; 0 for who is told at once."""
    flush_s: float = Field(60.0, gt=0, le=1e6)
    """How often those nodes send on what they gathered."""
    sync_every_s: float = Field(0.0, ge=0, le=1e8)
    """They take what there is by then only that often, all at once, as clients do that fetch snapshots (LDK's Rapid
    Gossip Sync server makes one a day by default); 0 for who listens all the time."""


class StaggeredGossip(Config):
    """What is announced waits at each relay for that node's next flush, and only so many updates of an edge pass."""

    kind: Literal["staggered"]
    flush_s: float = Field(60.0, gt=0, le=1e6)
    """How often a node sends on what it gathered (BOLT 7, CLN and eclair 60 s; LND config.go 90 s)."""
    relays: int = Field(3, ge=1, le=100)
    """Nodes at which an update waits on its way to the median observer. Flooding over every channel of the mainnet
    snapshot of 2026-02-03, with flushes at random phases, takes 1.3 flush times in the mean with a standard
    deviation of 0.55: that of three waits. Fewer gossip peers make it more."""
    observers: tuple[Observers, ...] = ()
    """Payers with views of their own, older or newer than the median observer's; none by default."""
    refresh_s: float = Field(86_400.0, gt=0, le=1_209_600)
    """How often a node that is there sends its updates again, so that they do not grow stale (LND config.go: a day; CLN
    gossipd 13 days)."""
    stale_after_s: float = Field(1_209_600.0, gt=0, le=1e9)
    """Age of an update at which everybody drops its channel, whatever the other end says (BOLT 7: two weeks)."""
    silent_share: float = Field(0.0, ge=0, le=1)
    """Part of the routers that never send an update again, so that their channels, though they work, are dropped one
    after the other. A node's last updates are of any age up to `stale_after_s` at the start."""
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
