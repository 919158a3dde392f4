"""Everybody else's demand for gas and blobs on the Ethereum-like chain.

Gas is a fluid in a few classes of equal share, one for each range of priority fees; blobs are counted. The
random numbers of a slot are drawn whatever the state of the chain, so that what a system does changes how
demand reacts, never what is drawn.
"""

import math
from statistics import NormalDist

from l2sim.engine import Stream
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.forks import fork_named
from l2sim.money import WEI_PER_GWEI

TIP_CLASSES = 8
"""Classes of priority fees; each holds an equal share of the demand and pays the median of its range."""
MOST_LOAD = 8.0
"""Most demand of a slot, in gas targets: how many users there are however cheap gas is."""
DRAWS = 1_024


def poisson_quantile(uniform: float, mean: float) -> int:
    """The Poisson number below which lies a share `uniform` of the distribution with that mean."""
    probability = below = math.exp(-mean)
    count = 0
    while below <= uniform and probability > 0:
        count += 1
        probability *= mean / count
        below += probability
    return count


class EthereumBackground:
    """Background demand that waits: gas by priority fee class, highest first, and blobs."""

    def __init__(self, config: EthereumConfig, gas_stream: Stream, blob_stream: Stream) -> None:
        background = config.background
        normal = NormalDist()
        self.tips_wei = [
            round(
                background.median_tip_gwei
                * WEI_PER_GWEI
                * math.exp(background.tip_sigma * normal.inv_cdf(1 - (2 * k + 1) / (2 * TIP_CLASSES)))
            )
            for k in range(TIP_CLASSES)
        ]
        self.blob_tip_wei = round(background.median_tip_gwei * WEI_PER_GWEI)
        self.gas = [0] * TIP_CLASSES
        """Gas waiting in each class."""
        self.blobs = 0
        """Blobs waiting."""
        self._config = background
        self._gas_target = config.gas_limit // 2
        self._reference_wei = background.base_fee_gwei * WEI_PER_GWEI
        self._max_blobs = fork_named(config.fork).max_blobs
        self._mean_blobs = background.blob_share * self._max_blobs
        self._tolerance_wei = background.blob_tolerance_gwei * WEI_PER_GWEI
        self._memory = 0.5 ** (config.slot_s / background.drift_half_life_s)
        self._innovation = background.drift_sigma * math.sqrt(1 - self._memory**2)
        self._half_variance = (background.noise_sigma**2 + background.drift_sigma**2) / 2
        self._normals = gas_stream.generator
        self._uniforms = blob_stream
        self._drift = background.drift_sigma * float(self._normals.standard_normal())
        self._steps: list[tuple[float, float]] = []
        self._seen_base_fee_wei = 0

    def arrive(self, base_fee_wei: int, blob_base_fee_wei: int) -> None:
        """Let a slot's users come at the fees in force, and those leave who will not pay them any more."""
        wanted = self._load() * (base_fee_wei / self._reference_wei) ** -self._config.elasticity
        fresh = int(min(wanted, MOST_LOAD) * self._gas_target / TIP_CLASSES)
        if any(self.gas) and base_fee_wei > self._seen_base_fee_wei:
            stay = (self._seen_base_fee_wei / base_fee_wei) ** self._config.elasticity
            self.gas = [int(gas * stay) + fresh for gas in self.gas]
        else:
            self.gas = [gas + fresh for gas in self.gas]
        self._seen_base_fee_wei = base_fee_wei
        if self._max_blobs:
            self._arrive_blobs(blob_base_fee_wei)

    def age(self, slots: int) -> None:
        """Let the level of demand move on by so many slots at once, as its autoregressive law says."""
        memory = self._memory**slots
        spread = self._config.drift_sigma * math.sqrt(1 - memory**2)
        self._drift = memory * self._drift + spread * float(self._normals.standard_normal())

    def _arrive_blobs(self, blob_base_fee_wei: int) -> None:
        mean = self._mean_blobs
        if blob_base_fee_wei > self._tolerance_wei:
            mean *= (self._tolerance_wei / blob_base_fee_wei) ** self._config.blob_elasticity
        # Whoever did not get into two full blocks has gone elsewhere: to calldata or to another data layer.
        waiting = self.blobs + poisson_quantile(self._uniforms.uniform(), mean)
        self.blobs = min(waiting, 2 * self._max_blobs)

    def _load(self) -> float:
        """Demand at the reference base fee in this slot, in gas targets."""
        if not self._steps:
            noise = self._config.noise_sigma * self._normals.standard_normal(DRAWS)
            innovation = self._innovation * self._normals.standard_normal(DRAWS)
            self._steps = list(zip(noise.tolist(), innovation.tolist(), strict=True))[::-1]
        noise_now, innovation_now = self._steps.pop()
        self._drift = self._memory * self._drift + innovation_now
        return self._config.gas_load * math.exp(self._drift + noise_now - self._half_variance)
