"""Chains that stand alone, for tests of the L1 room."""

from l2sim.engine import Environment, Streams
from l2sim.l1.base import Purpose
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.mempool import BitcoinTransaction
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.mempool import EthereumTransaction
from l2sim.results.recorder import Recorder

QUIET_BITCOIN = {"load": 0.0}
QUIET_ETHEREUM = {"gas_load": 0.0, "blob_share": 0.0}


def bitcoin(seed: int = 1, **settings: object) -> tuple[Environment, BitcoinChain, Recorder]:
    """A started Bitcoin-like chain; without background unless asked for."""
    config = BitcoinConfig.model_validate({"background": QUIET_BITCOIN, **settings})
    environment, recorder = Environment(), Recorder(0)
    chain = BitcoinChain("bitcoin", config, environment, Streams(seed), recorder)
    chain.start()
    return environment, chain, recorder


def ethereum(seed: int = 1, **settings: object) -> tuple[Environment, EthereumChain, Recorder]:
    """A started Ethereum-like chain; without background unless asked for."""
    config = EthereumConfig.model_validate({"background": QUIET_ETHEREUM, **settings})
    environment, recorder = Environment(), Recorder(0)
    chain = EthereumChain("ethereum", config, environment, Streams(seed), recorder)
    chain.start()
    return environment, chain, recorder


def bitcoin_tx(
    number: int, fee_sat: int, weight_wu: int = 561, purpose: Purpose = Purpose.PAYMENT
) -> BitcoinTransaction:
    """A transaction whose id is its number."""
    return BitcoinTransaction(number.to_bytes(32, "big"), weight_wu, fee_sat, purpose)


def ethereum_tx(number: int, tip_wei: int = 10**9, max_fee_wei: int = 10**30, **fields: int) -> EthereumTransaction:
    """A transfer whose hash and sender are its number, unless the fields say otherwise."""
    values = {"gas": 21_000, "size_bytes": 117, "sender": number, "nonce": 0, **fields}
    return EthereumTransaction(
        hash=number.to_bytes(32, "big"), max_fee_wei=max_fee_wei, tip_wei=tip_wei, purpose=Purpose.PAYMENT, **values
    )
