"""From a chain's settings to the chain."""

from l2sim.engine import Environment, Streams
from l2sim.l1.base import Chain
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.results.recorder import Recorder


def build_chain(
    name: str,
    config: BitcoinConfig | EthereumConfig,
    environment: Environment,
    streams: Streams,
    recorder: Recorder,
) -> Chain:
    """The chain called `name` in one system's world; it draws from streams named after it and reports blocks."""
    if isinstance(config, BitcoinConfig):
        return BitcoinChain(name, config, environment, streams, recorder)
    return EthereumChain(name, config, environment, streams, recorder)
