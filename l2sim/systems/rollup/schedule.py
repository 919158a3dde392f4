"""From a batcher's posting settings to the policy that is asked, and how often."""

from l2sim.engine import ns
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.money import WEI_PER_GWEI, Asset
from l2sim.systems.base import World
from l2sim.systems.rollup.batcher_config import AtOnceConfig, DecisionConfig, PostingConfig, ThresholdConfig
from l2sim.systems.rollup.policies import AtOnce, DecisionProcess, Policy, PriceProcess, Threshold
from l2sim.systems.rollup.posting import gas_per_calldata_byte

SECONDS_PER_HOUR = 3_600


def build_policy(config: PostingConfig, world: World, chain: EthereumChain) -> tuple[Policy | None, int]:
    """The policy and the time between its looks, ns; None and 0 where only size and time close a batch."""
    usd_per_wei = world.prices.usd_per_unit(Asset.ETH)
    if isinstance(config, AtOnceConfig):
        return AtOnce(), ns(config.poll_s)
    if isinstance(config, ThresholdConfig):
        most = None if config.gas_price_gwei is None else config.gas_price_gwei * WEI_PER_GWEI
        cost = None if config.cost_usd_per_transaction is None else config.cost_usd_per_transaction / usd_per_wei
        return Threshold(most, config.gas_price_gwei_per_transaction * WEI_PER_GWEI, cost), ns(config.poll_s)
    if isinstance(config, DecisionConfig):
        return _decision(config, chain, usd_per_wei), ns(config.poll_s)
    return None, 0


def _decision(config: DecisionConfig, chain: EthereumChain, usd_per_wei: float) -> Policy:
    process = DecisionProcess(
        prices=PriceProcess(config.median_gwei * WEI_PER_GWEI, config.sigma, config.half_life_s),
        step_s=config.poll_s,
        arrivals=config.transactions_per_s * config.poll_s,
        fixed_gas=TRANSACTION_GAS,
        transaction_gas=gas_per_calldata_byte(chain.fork) * config.bytes_per_transaction,
        delay_cost=config.delay_usd_per_transaction_hour / usd_per_wei * config.poll_s / SECONDS_PER_HOUR,
    )
    return process.solve()
