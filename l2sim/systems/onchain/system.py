"""The on-chain baseline on whichever chain the scenario names."""

from l2sim.l1.base import Chain
from l2sim.money import Asset
from l2sim.systems.base import PaymentSystem, World
from l2sim.systems.onchain.config import OnchainConfig


def build_onchain(name: str, config: OnchainConfig, world: World, chain: Chain) -> PaymentSystem:
    """The baseline for this chain: coins on a Bitcoin-like one, accounts on an Ethereum-like one."""
    if chain.asset is Asset.BTC:
        from l2sim.systems.onchain.bitcoin import OnchainBitcoin

        return OnchainBitcoin(name, config, world, chain)
    from l2sim.systems.onchain.ethereum import OnchainEthereum

    return OnchainEthereum(name, config, world, chain)
