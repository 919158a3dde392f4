"""Settings of liquidity agents: each has a stated rule, acts for some routers, and pays for what it does."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config

Share = Annotated[float, Field(ge=0, le=1)]


class Agent(Config):
    """What all agents have: for whom they act, and how often they look."""

    nodes: int = Field(20, ge=1, le=10**6)
    """They act for this many routers, those of the highest total capacity first."""
    every_s: float = Field(3_600.0, ge=1, le=1e7)
    """How often they look at these routers' channels."""


class Imbalance(Agent):
    """What agents that move money have: when a channel counts as empty or full, and how much is moved."""

    low_share: Share = 0.2
    """A channel in which the router owns less than this share of the capacity has too little on its side."""
    high_share: Share = 0.8
    """One in which it owns more than this has too much."""
    target_share: Share = 0.5
    """The share that it is brought back to."""
    least_sat: int = Field(50_000, ge=1_000, le=10**12)
    """Less is not moved."""
    most_sat: int = Field(5_000_000, ge=1_000, le=10**12)
    """More is not moved at once."""

    @model_validator(mode="after")
    def _has_shares_in_order(self) -> Self:
        if not self.low_share <= self.target_share <= self.high_share:
            raise ValueError(
                "low_share, target_share and high_share must rise in this order "
                f"(got {self.low_share}, {self.target_share} and {self.high_share})"
            )
        return self

    @model_validator(mode="after")
    def _has_amounts_in_order(self) -> Self:
        if self.least_sat > self.most_sat:
            raise ValueError(f"least_sat must not be above most_sat (got {self.least_sat} and {self.most_sat})")
        return self


class ProportionalFees(Agent):
    """Fees that rise as a channel empties: ppm = base_ppm x (1 + slope x (0.5 - own share) x 2), never below 0."""

    kind: Literal["proportional_fees"]
    base_ppm: int = Field(100, ge=0, le=1_000_000)
    """The fee rate of an even channel."""
    slope: float = Field(0.9, ge=0, le=100)
    """How much more an empty channel asks for, and how much less a full one, as a share."""
    change_share: float = Field(0.1, ge=0, le=10)
    """A new rate is announced when it differs from the old by more than this share."""


class ThresholdFees(Agent):
    """Two fee rates: one for channels that run out, one for the others."""

    kind: Literal["threshold_fees"]
    low_share: Share = 0.2
    """Below this share of the capacity on the router's side a channel runs out."""
    scarce_ppm: int = Field(1_000, ge=0, le=1_000_000)
    """What it asks for then."""
    plenty_ppm: int = Field(50, ge=0, le=1_000_000)
    """What it asks for otherwise."""


class Rebalancing(Imbalance):
    """Circular rebalancing: a payment to oneself, out by the fullest channel and back by the emptiest."""

    kind: Literal["rebalancing"]
    most_ppm: int = Field(200, ge=0, le=1_000_000)
    """The most that is paid in routing fees, in millionths of what is moved."""
    max_hops: int = Field(6, ge=3, le=20)
    """Channels of the circle at most."""


class Swaps(Imbalance):
    """Submarine swaps with a channel's peer as server: out of channels that are full, into those that are empty.

    Swap out (Loop Out): the peer locks coins in an on-chain HTLC; once it is deep enough the router pays over the
    channel and sweeps the coins. Swap in is the same the other way round. The router pays all L1 fees.
    """

    kind: Literal["swaps"]
    direction: Literal["out", "in", "both"] = "both"
    """Which of the two it makes."""
    fee_ppm: int = Field(500, ge=0, le=1_000_000)
    """What the server asks for, in millionths of the amount."""
    fee_base_sat: int = Field(0, ge=0, le=10**9)
    """What it asks for beside."""
    htlc_target_blocks: int = Field(6, ge=1, le=1_008)
    """Blocks within which the on-chain HTLC should confirm (Loop: 6)."""
    sweep_target_blocks: int = Field(9, ge=1, le=1_008)
    """Blocks within which its sweep should confirm (Loop: 9)."""
    confirmations: int = Field(1, ge=1, le=144)
    """Depth at which the on-chain HTLC counts (Loop: 1)."""


class Splices(Imbalance):
    """Splices: coins into channels that are empty, out of those that are full; the channel works on meanwhile.

    Both sides sign their commitments on the new funding when a splice is sent, and again once the channel goes on with
    it (coins put in: when it is locked in; taken out: at once). A channel has one splice under way at a time.
    """

    kind: Literal["splices"]
    direction: Literal["out", "in", "both"] = "both"
    """Which of the two it makes."""
    target_blocks: int = Field(6, ge=1, le=1_008)
    """Blocks within which the splice should confirm."""
    confirmations: int = Field(3, ge=1, le=144)
    """Depth at which it is locked in."""


class Leases(Agent):
    """Liquidity bought from the peer: where the router can receive too little, the peer splices in for a price.

    The defaults are eclair's sample: 500 sat and 2.5 % up to 500,000 sat, 1,000 sat and 2 % above; the buyer also
    pays the L1 fee of the splice.
    """

    kind: Literal["leases"]
    inbound_share: Share = 0.2
    """A channel whose peer owns less than this share of the capacity can bring in too little."""
    amount_sat: int = Field(500_000, ge=10_000, le=10**12)
    """How much is bought."""
    base_sat: int = Field(500, ge=0, le=10**9)
    """The seller's fixed price."""
    price_ppm: int = Field(25_000, ge=0, le=1_000_000)
    """The seller's price in millionths of the amount."""
    target_blocks: int = Field(6, ge=1, le=1_008)
    """Blocks within which the splice should confirm."""
    confirmations: int = Field(3, ge=1, le=144)
    """Depth at which it is locked in."""


AgentConfig = Annotated[
    ProportionalFees | ThresholdFees | Rebalancing | Swaps | Splices | Leases, Field(discriminator="kind")
]
