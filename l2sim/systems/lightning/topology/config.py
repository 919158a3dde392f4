"""Settings: where the channel graph comes from, and how the liquidity lies in its channels at the start."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config


class GeneratedTopology(Config):
    """A synthetic network whose degrees, capacities and fee policies follow the mainnet snapshot of 2026-02-03."""

    kind: Literal["generated"] = "generated"
    nodes: int = Field(default=200, ge=2, le=100_000)
    """Number of nodes; the snapshot's usable part has 6,191, and 5.15 channels for each."""
    channels_per_node: float | None = Field(default=None, ge=1.0)
    """Channels for each node on average, at most a tenth of the nodes; all degrees are scaled by one factor to get
    there. The snapshot's degrees as they are where left out."""
    capacity_scale: float = Field(default=1.0, gt=0.0, le=1_000.0)
    """Factor on every channel's capacity; 1 keeps the snapshot's distribution (median 3.03 million sat)."""

    @model_validator(mode="after")
    def _room_for_channels(self) -> Self:
        if self.channels_per_node is not None and self.channels_per_node > self.nodes / 10:
            got = f"{self.channels_per_node:g}"
            raise ValueError(f"channels_per_node must be at most a tenth of nodes, {self.nodes / 10:g} (got {got})")
        return self


class SnapshotTopology(Config):
    """A real network read from a file: LND's describegraph, Core Lightning's listchannels, CLoTH's folder,
    or sim-ln's sim_network."""

    kind: Literal["snapshot"] = "snapshot"
    path: Path
    """The file or folder, plain, .gz or .xz."""
    format: Literal["auto", "lnd", "cln", "cloth", "sim-ln"] = "auto"
    """Its form; auto looks at the content."""
    largest_component: bool = True
    """Keep only the largest part whose channels forward both ways, so that every node can pay every other."""


Topology = Annotated[GeneratedTopology | SnapshotTopology, Field(discriminator="kind")]


class EvenBalances(Config):
    """Each side owns half of every channel."""

    kind: Literal["even"] = "even"


class UniformBalances(Config):
    """The first side's share of every channel is uniform, all amounts from nothing to the capacity equally likely."""

    kind: Literal["uniform"] = "uniform"


class BimodalBalances(Config):
    """Most of a channel lies on one side: the density of a side's balance falls exponentially from both ends."""

    kind: Literal["bimodal"] = "bimodal"
    scale_sat: int = Field(default=300_000, gt=0)
    """Scale of the exponentials; LND's bimodal estimator takes 300,000 sat."""


class FileBalances(Config):
    """The balances that the network file states, as CLoTH's does."""

    kind: Literal["from_file"] = "from_file"


LiquidityConfig = Annotated[
    EvenBalances | UniformBalances | BimodalBalances | FileBalances, Field(discriminator="kind")
]
