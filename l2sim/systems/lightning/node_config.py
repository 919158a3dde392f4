"""Settings of what nodes do by themselves: when they are there, how long payees hold, how often something breaks."""

import math
from typing import Annotated, Final, Literal

from pydantic import Field

from l2sim.config import Config

Probability = Annotated[float, Field(ge=0, le=1)]
Fault = Literal[
    "temporary_node_failure", "permanent_node_failure", "required_node_feature_missing",
    "required_channel_feature_missing", "permanent_channel_failure", "invalid_onion_payload", "invalid_onion_version",
    "invalid_onion_hmac", "invalid_onion_key", "invalid_onion_blinding", "incorrect_or_unknown_payment_details",
    "final_incorrect_cltv_expiry", "final_incorrect_htlc_amount",
]  # fmt: skip
"""Failures that no rule of the model brings about (BOLT 4, "Failure Messages")."""
Forwarding = Literal["any", "fullest", "named"]
"""Over which of its channels to the next peer a node forwards."""


class ConstantTime(Config):
    """Always the same."""

    kind: Literal["constant"] = "constant"
    seconds: float = Field(0.0, ge=0, le=1e8)
    """How long it takes."""


class ExponentialTime(Config):
    """Exponential: no memory."""

    kind: Literal["exponential"]
    mean_s: float = Field(gt=0, le=1e8)
    """Mean, in seconds."""


class LognormalTime(Config):
    """Log-normal: most near the median, a few far longer."""

    kind: Literal["lognormal"]
    median_s: float = Field(gt=0, le=1e8)
    """Median, in seconds."""
    sigma: float = Field(1.0, ge=0, le=4)
    """Standard deviation of the logarithm."""


class ParetoTime(Config):
    """Pareto (Lomax): a heavy tail, as sessions of peers in open networks have."""

    kind: Literal["pareto"]
    mean_s: float = Field(gt=0, le=1e8)
    """Mean, in seconds."""
    shape: float = Field(2.0, gt=1, le=100)
    """Tail index: the smaller, the heavier."""


Time = Annotated[ConstantTime | ExponentialTime | LognormalTime | ParetoTime, Field(discriminator="kind")]

RARE: Final = 1e-9
RARE_NORMAL: Final = 5.998  # standard deviations that a normal variable passes with that probability


def rarely_longer_s(time: Time) -> float:
    """What one draw of a thousand million passes, in seconds.

    >>> round(rarely_longer_s(ExponentialTime(kind="exponential", mean_s=10)))
    207
    """
    match time:
        case ConstantTime(seconds=seconds):
            return seconds
        case ExponentialTime(mean_s=mean):
            return mean * -math.log(RARE)
        case LognormalTime(median_s=median_s, sigma=sigma):
            return float(median_s * math.exp(RARE_NORMAL * sigma))
        case ParetoTime(mean_s=mean, shape=shape):
            return float(mean * (shape - 1) * (RARE ** (-1 / shape) - 1))


class AnnouncedInboundFees(Config):
    """The inbound fees that the network's file carries (LND's describegraph, since 0.18)."""

    kind: Literal["announced"]


class DrawnInboundFees(Config):
    """Some routers give discounts for what comes in by any of their channels to others, to draw money into them."""

    kind: Literal["drawn"]
    share: Probability = 0.1
    """Part of the routers that do."""
    base_msat: int = Field(0, ge=-(2**31), le=0)
    """What they add to their outbound fee of each HTLC; LND refuses to add more than nothing unless told otherwise."""
    ppm: int = Field(-100, ge=-1_000_000, le=0)
    """The same in millionths of what they send on and its outbound fee. No HTLC costs less than nothing in all."""


InboundFees = Annotated[AnnouncedInboundFees | DrawnInboundFees, Field(discriminator="kind")]


class Availability(Config):
    """Nodes that go away and come back: on and off for times drawn anew each time."""

    share: Probability = 0.1
    """Part of the nodes that come and go; the others are always there."""
    who: Literal["routers", "users", "all"] = "all"
    """Among whom these nodes are drawn. With users of kind nodes, users are routers too."""
    up: Time = ExponentialTime(kind="exponential", mean_s=86_400)
    """How long such a node stays."""
    down: Time = ExponentialTime(kind="exponential", mean_s=3_600)
    """How long it is away. A node's first state is up with probability up / (up + down)."""
    disable_after_s: float = Field(1_200.0, ge=0, le=1e8)
    """A node whose peer is away this long announces the channel as disabled (LND config.go: 20 minutes)."""
    enable_after_s: float = Field(1_140.0, ge=0, le=1e8)
    """A channel that was announced as disabled is announced again once the peer has been back for this long
    (LND config.go: 19 minutes)."""


class Nodes(Config):
    """What nodes check and do, beyond the rules inside a channel."""

    min_expiry_blocks: int = Field(3, ge=0, le=2_016)
    """An outgoing HTLC that would expire within this many blocks is refused: expiry_too_soon (LND lncfg/config.go
    DefaultOutgoingBroadcastDelta and grace: 3)."""
    max_expiry_blocks: int = Field(2_016, ge=1, le=65_535)
    """One that would expire later than this from now is refused: expiry_too_far (BOLT 4 max_htlc_cltv)."""
    policy_grace_s: float = Field(600.0, ge=0, le=1e6)
    """How long a node goes on forwarding on the terms before its last change (BOLT 7: 10 minutes)."""
    forwarding: Forwarding = "any"
    """Over which of its channels to the next peer a node forwards (BOLT 4 leaves it free): `any` whose own terms and
    money allow it, at random (LND htlcswitch/switch.go); `fullest`, the one that could send most, of those with the
    fees of the channel that the payer named (CLN lightningd/peer_htlcs.c best_channel); `named`, no other."""
    inbound_fees: InboundFees | None = None
    """What routers ask for by the channel an HTLC comes in by, beside their outbound fees (bLIP 18); nothing by
    default, whatever the network's file carries. Of payers, those of the policies `lnd` and `cheapest` reckon with
    it; the others pay outbound fees in full."""
    hold: Time = ConstantTime()
    """How long payees hold an HTLC before they fulfil it."""
    availability: Availability | None = None
    """Which nodes are away at times; none by default. Needs `channels.dance: full`."""
    faults: dict[Fault, Probability] = Field(default_factory=dict)
    """Failures that no rule brings about, by their BOLT 4 names in lower case, each with the probability that
    a node that received an HTLC meets it: for example `{temporary_node_failure: 0.001}`."""
