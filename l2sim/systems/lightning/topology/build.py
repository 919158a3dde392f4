"""From settings to a channel graph."""

from l2sim.engine import Stream, Streams
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology.config import GeneratedTopology, SnapshotTopology
from l2sim.systems.lightning.topology.files import load_graph
from l2sim.systems.lightning.topology.generated import generate_graph
from l2sim.systems.lightning.topology.model import mainnet_2026


def build_graph(config: GeneratedTopology | SnapshotTopology, stream: Stream) -> ChannelGraph:
    """The channel graph that the settings ask for; a generated one is drawn from `stream`, a snapshot draws nothing.

    Raises `TopologyError` for a file that cannot be used.
    """
    if isinstance(config, SnapshotTopology):
        graph = load_graph(config.path, config.format)
        return graph.largest_component() if config.largest_component else graph
    return generate_graph(mainnet_2026(), config.nodes, stream, config.channels_per_node, config.capacity_scale)


def generate(config: GeneratedTopology, seed: int) -> ChannelGraph:
    """The generated network of that seed: the same as a scenario with this seed gets.

    >>> generate(GeneratedTopology(nodes=50), seed=1)
    <ChannelGraph: 50 nodes, 111 channels, 17.50 BTC>
    """
    return build_graph(config, Streams(seed).get("topology"))
