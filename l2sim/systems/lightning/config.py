"""Settings of a Lightning-like channel network."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.lightning.agents.config import AgentConfig, Leases, Splices
from l2sim.systems.lightning.gossip_config import FeeChanges, Gossip, InstantGossip
from l2sim.systems.lightning.node_config import Nodes, rarely_longer_s
from l2sim.systems.lightning.onchain.config import ChainRules
from l2sim.systems.lightning.payer_config import LndPayer, Payer
from l2sim.systems.lightning.topology.config import (
    BimodalBalances,
    GeneratedTopology,
    LiquidityConfig,
    SnapshotTopology,
)


class ConstantLatency(Config):
    """Every message takes the same time."""

    kind: Literal["constant"] = "constant"
    one_way_ms: float = Field(50.0, ge=0, le=600_000)
    """How long one message takes from one node to the next, in milliseconds."""

    @property
    def mean_ms(self) -> float:
        """The mean of the distribution in milliseconds."""
        return self.one_way_ms


class ExponentialLatency(Config):
    """Message times are exponential."""

    kind: Literal["exponential"]
    mean_one_way_ms: float = Field(50.0, gt=0, le=600_000)
    """Mean time of one message from one node to the next, in milliseconds."""

    @property
    def mean_ms(self) -> float:
        """The mean of the distribution in milliseconds."""
        return self.mean_one_way_ms


class LognormalLatency(Config):
    """Message times are log-normal: most are near the median, few are long."""

    kind: Literal["lognormal"]
    median_one_way_ms: float = Field(50.0, gt=0, le=600_000)
    """Median time of one message from one node to the next, in milliseconds."""
    sigma: float = Field(0.5, ge=0, le=4)
    """Standard deviation of the logarithm of the time."""

    @property
    def mean_ms(self) -> float:
        """The mean of the distribution in milliseconds."""
        return self.median_one_way_ms * math.exp(self.sigma**2 / 2)


Latency = Annotated[ConstantLatency | ExponentialLatency | LognormalLatency, Field(discriminator="kind")]


class LatencyClass(Config):
    """Nodes that are farther away than others, or nearer: behind Tor, on a phone, in one data centre."""

    share: float = Field(ge=0, le=1)
    """Part of the nodes that are in this class, drawn at random among those that are in none before it."""
    who: Literal["routers", "users", "all"] = "all"
    """Among whom they are drawn. With users of kind nodes, users are routers too."""
    latency: Latency
    """The time of one message to or from such a node."""


class AttachedUsers(Config):
    """Each user is a node of its own that opens channels to routers and forwards for nobody."""

    kind: Literal["attached"] = "attached"
    channels: int = Field(1, ge=1, le=16)
    """Channels that each user opens; its funds are divided evenly among them."""
    to: Literal["by_capacity", "by_degree", "uniform"] = "by_capacity"
    """How a user picks its routers: with probability in proportion to their total capacity, to their number
    of channels, or each alike. A user's routers are distinct."""
    inbound_share: float = Field(1.0, ge=0, le=10)
    """What the router adds to the channel, as a share of what the user adds: the user's means to be paid.
    It is operators' capital; both sides pay for the funding transaction out of the user's funds."""
    router_base_fee_msat: int = Field(1_000, ge=0, le=2**32 - 1)
    """Base fee that the router asks for forwarding into the channel (LND's default)."""
    router_fee_ppm: int = Field(1, ge=0, le=1_000_000)
    """Proportional fee that the router asks for forwarding into the channel (LND's default)."""
    cltv_delta: int = Field(80, ge=1, le=2016)
    """Blocks by which the router wants the expiry to fall (LND's default)."""
    wallet_reserve_sat: int = Field(10_000, ge=0, le=10**15)
    """What a user keeps on L1 for each channel, to bump a forced close with (LND lnwallet/wallet.go)."""
    min_channel_sat: int = Field(20_000, ge=1_000, le=10**15)
    """A user whose part of a channel would be less opens none (LND's smallest channel)."""
    opening_share: float = Field(0.25, ge=0, le=1)
    """Users open their channels at times spread evenly over this first part of the onboarding phase."""
    opening_target_blocks: int = Field(3, ge=1, le=1008)
    """Blocks within which the funding transaction should confirm, for its fee."""
    closing_target_blocks: int = Field(6, ge=1, le=1008)
    """Blocks within which the closing transaction should confirm, for its fee."""


class NodeUsers(Config):
    """Users are nodes that the network already has; they pay from the channels they find there.

    Their workload funds are not used, and the cost of their channels is that of the backbone. They also forward
    for others. What they earn by it is not netted: every routing fee counts as a cost of the users and as income
    of the operators, whoever earned it, so the users' cost is an upper bound.
    """

    kind: Literal["nodes"]
    placement: Literal["uniform", "by_degree"] = "uniform"
    """Which nodes: each alike, or with probability in proportion to their number of channels; all distinct."""


Users = Annotated[AttachedUsers | NodeUsers, Field(discriminator="kind")]


class Backbone(Config):
    """What the routers' own channels cost on L1.

    The network is older than the run: its channels are there at time 0 and stay. In a steady state a channel
    lives `lifetime_days` on average and is then replaced, which takes one closing and one funding transaction.
    A sample of `renewals` such pairs really goes through the simulated L1 during the onboarding phase, at the
    fee level found there; run time / lifetime x channels / sample of what the sample paid is this run's cost.
    """

    lifetime_days: float = Field(365.0, gt=0, le=36_500)
    """Mean time from a channel's funding to its close."""
    renewals: int = Field(100, ge=0, le=10_000)
    """How many pairs of closing and funding really go through L1; at most one a channel. 0 leaves the
    backbone's cost out."""
    target_blocks: int = Field(6, ge=1, le=1008)
    """Blocks within which these transactions should confirm, for their fee."""


class Channels(Config):
    """The rules inside every channel (BOLT 2, BOLT 3)."""

    channel_type: Literal["anchors", "zero_fee"] = "anchors"
    """How commitments pay for their way into a block. `anchors`: a fee agreed ahead, and two anchor outputs for
    children that add to it; HTLC transactions without fee (BOLT 3 option_anchors). `zero_fee`: no fee at all, version
    3, and one shared anchor whose child pays for both (BOLT proposal zero_fee_commitments, pull request 1228)."""

    max_accepted_htlcs: int = Field(483, ge=1, le=483)
    """HTLCs in flight in each direction (BOLT 2: at most 483, LND's default; CLN and eclair 30)."""
    max_in_flight_ppm: int = Field(1_000_000, ge=1, le=1_000_000)
    """What may be in flight in each direction, in millionths of the capacity (BOLT 2
    max_htlc_value_in_flight_msat; CLN unlimited, LND all but the reserve, LDK 250000 announced, eclair 450000)."""
    max_dust_exposure_sat: int = Field(500_000, ge=0, le=10**12)
    """What may be in flight in trimmed HTLCs, both directions together (BOLT 2; LND 500000, CLN and eclair 50000)."""
    reserve_ppm: int = Field(10_000, ge=0, lt=500_000)
    """What each side must keep, in millionths of the capacity (BOLT 2 suggests 1 %)."""
    dust_limit_sat: int = Field(354, ge=0, le=100_000)
    """Smaller HTLCs get no output and no signature (BOLT 3 trimming, LND's limit)."""
    commitment_feerate_sat_per_kw: int = Field(253, ge=0, le=100_000)
    """Fee rate of commitment transactions, paid by the side that funded the channel (253: the lowest that is
    relayed; LND takes at most 2500 with anchors). 0 leaves the fee and its buffer out; where a channel may go on chain
    by one side it must be what nodes relay. Not used with `channel_type: zero_fee`."""
    dance: Literal["quick", "full"] = "quick"
    """How HTLCs enter and leave commitments (BOLT 2). `quick`: each by six messages of its own, as if it were alone
    in the channel. `full`: message by message with both sides' commitments, where a side has one unrevoked
    signature at most and HTLCs wait for and share the next. Alone in a channel, both take the same time. Only `full`
    takes channels on chain that have HTLCs in them; what could need that is refused with `quick`."""
    commit_interval_ms: float = Field(0.0, ge=0, le=60_000)
    """How long a node gathers its updates before it signs them (LND 50, CLN 10). Only `dance: full`."""
    commit_batch: int = Field(10, ge=1, le=966)
    """It signs at once when that many have gathered (LND config.go defaultChannelCommitBatchSize)."""
    confirmations: int = Field(3, ge=1, le=144)
    """Blocks from a funding transaction's inclusion until the channel is used (CLN 3; LND 1 to 6)."""


class LightningConfig(Config):
    """A network of payment channels with source routing and HTLCs."""

    kind: Literal["lightning"]
    l1: str
    """Name of the Bitcoin-like chain in the scenario on which channels are opened and closed."""
    topology: Annotated[GeneratedTopology | SnapshotTopology, Field(discriminator="kind")]
    """The routers and their channels."""
    liquidity: LiquidityConfig = BimodalBalances(kind="bimodal")
    """How the routers' channels are balanced at the start."""
    users: Users = AttachedUsers()
    """How users come onto the network."""
    backbone: Backbone = Backbone()
    """What the routers' own channels cost on L1."""
    payer: Payer = LndPayer()
    """How payers find routes."""
    channels: Channels = Channels()
    """The rules inside every channel."""
    nodes: Nodes = Nodes()
    """What nodes check and do, and when they are there."""
    gossip: Gossip = InstantGossip()
    """How payers come to know of changes."""
    fee_changes: FeeChanges | None = None
    """How routers change their fees; not at all by default."""
    onchain: ChainRules = ChainRules()
    """What happens to channels on L1 beyond funding and mutual closes; by default nothing is forced there."""
    agents: tuple[AgentConfig, ...] = ()
    """Agents that look after routers' liquidity; none by default. They act from the start of the payment phase until
    users leave."""
    latency: Latency = LognormalLatency(kind="lognormal")
    """The time of one message between two nodes."""
    latency_classes: tuple[LatencyClass, ...] = ()
    """Nodes whose messages take other times; none by default. A message between nodes of two classes takes the time of
    the one that is later in this list."""

    @model_validator(mode="after")
    def _quick_dances_commit_at_once(self) -> Self:
        if self.channels.dance == "quick" and self.channels.commit_interval_ms > 0:
            raise ValueError("channels.commit_interval_ms must be 0 with dance: quick; use dance: full")
        return self

    @model_validator(mode="after")
    def _quick_dances_know_no_waiting(self) -> Self:
        if self.channels.dance == "quick" and self.nodes.availability is not None:
            raise ValueError("nodes.availability must be left out with dance: quick; use channels.dance: full")
        return self

    @model_validator(mode="after")
    def _check_agents(self) -> Self:
        if self.channels.dance == "full":
            for agent in self.agents:
                if isinstance(agent, Splices | Leases):
                    raise ValueError(f"agents of kind {agent.kind} need channels.dance: quick (got full)")
        return self

    @model_validator(mode="after")
    def _updates_fees_in_full_dances(self) -> Self:
        if self.onchain.update_fee is not None and self.channels.dance != "full":
            raise ValueError("onchain.update_fee needs channels.dance: full (got quick)")
        if self.onchain.update_fee is not None and self.channels.channel_type == "zero_fee":
            raise ValueError("onchain.update_fee must be left out with channels.channel_type: zero_fee")
        return self

    @model_validator(mode="after")
    def _forces_htlcs_on_chain_in_full_dances(self) -> Self:
        # Quick dances overlap: they know no commitment of one side that says which HTLCs are in it.
        if self.onchain.forced_per_channel_year and self.channels.dance != "full":
            raise ValueError("onchain.forced_per_channel_year needs channels.dance: full (got quick)")
        return self

    def not_relayed(self, min_relay_sat_per_kvb: int) -> str | None:
        """What is wrong with the fee rate of commitments on a chain that relays from there on; None if nothing.

        A commitment of version 2 that pays less is not relayed even with a child that pays for it.
        """
        rate, rules = self.channels.commitment_feerate_sat_per_kw, self.onchain
        by_one_side = self.channels.dance == "full" or rules.uncooperative_share or rules.breach is not None
        if not by_one_side or self.channels.channel_type == "zero_fee" or 4 * rate >= min_relay_sat_per_kvb:
            return None
        return (
            f"must be at least {-(-min_relay_sat_per_kvb // 4)}, which its chain relays, where one side may close a "
            "channel; or use channels.channel_type: zero_fee"
        )

    def held_too_long(self, block_interval_s: float) -> str | None:
        """What is wrong with how long payees hold, on a chain with a block that often; None if nothing.

        With quick dances no HTLC goes on chain, so none may outlive its expiry: a tenth of the blocks that are left at
        the payee, on average, is passed by none of a thousand million.
        """
        if self.channels.dance == "full":
            return None
        multipath = self.payer.multipath
        longest_s = rarely_longer_s(self.nodes.hold) + (multipath.hold_s if multipath.parts > 1 else 0)
        most_s = self.payer.final_cltv_blocks * block_interval_s / 10
        if longest_s <= most_s:
            return None
        return (
            f"must be over within {most_s:g} s, a tenth of payer.final_cltv_blocks, with channels.dance: quick, "
            f"payer.multipath.hold_s included; {longest_s:g} s may pass. Use channels.dance: full"
        )
