"""Columns that grow channel by channel while a file is read, and become a channel graph at the end."""

from dataclasses import dataclass, field

from l2sim.systems.lightning.graph import MAX_CAPACITY_MSAT, ChannelGraph


@dataclass(slots=True)
class Policy:
    """What one end of a channel announces; the default is a half that the file does not have."""

    enabled: bool = False
    base_fee_msat: int = 0
    fee_ppm: int = 0
    cltv_delta: int = 0
    htlc_min_msat: int = 0
    htlc_max_msat: int | None = None
    inbound_base_msat: int = 0
    inbound_ppm: int = 0


ABSENT = Policy()


@dataclass(slots=True)
class Columns:
    """Channels read so far; nodes are named, and numbered when the graph is made."""

    channel_names: list[str] = field(default_factory=list)
    node_a: list[str] = field(default_factory=list)
    node_b: list[str] = field(default_factory=list)
    capacity_msat: list[int] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)

    def add(self, name: str, a: str, b: str, capacity_msat: int, a_to_b: Policy, b_to_a: Policy) -> None:
        """One channel with the policies of both its halves."""
        self.channel_names.append(name)
        self.node_a.append(a)
        self.node_b.append(b)
        self.capacity_msat.append(capacity_msat)
        self.policies.append(a_to_b)
        self.policies.append(b_to_a)

    def graph(self, node_names: list[str], balance_msat: list[int] | None = None) -> ChannelGraph:
        """The channel graph over these nodes, in this order.

        The most an HTLC may carry is cut to the capacity, which it can never pass.
        """
        index = {name: i for i, name in enumerate(node_names)}
        policies = self.policies
        # Who announces an inbound fee asks for it of what comes in by its channel: by the other edge.
        others = [policies[e ^ 1] for e in range(len(policies))]
        capacities = [capacity for capacity in self.capacity_msat for _ in range(2)]
        maxima = [
            capacity if policy.htlc_max_msat is None else min(policy.htlc_max_msat, capacity)
            for policy, capacity in zip(policies, capacities, strict=True)
        ]
        return ChannelGraph.empty(node_names).extended(
            channel_names=self.channel_names,
            node_a=[index[name] for name in self.node_a],
            node_b=[index[name] for name in self.node_b],
            capacity_msat=self.capacity_msat,
            enabled=[policy.enabled for policy in policies],
            base_fee_msat=[policy.base_fee_msat for policy in policies],
            fee_ppm=[policy.fee_ppm for policy in policies],
            cltv_delta=[policy.cltv_delta for policy in policies],
            htlc_min_msat=[min(policy.htlc_min_msat, MAX_CAPACITY_MSAT) for policy in policies],
            htlc_max_msat=maxima,
            inbound_base_msat=[other.inbound_base_msat for other in others],
            inbound_ppm=[other.inbound_ppm for other in others],
            balance_msat=balance_msat,
        )
