"""The settings of any chain, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.ethereum.config import EthereumConfig

ChainConfig = Annotated[BitcoinConfig | EthereumConfig, Field(discriminator="kind")]
