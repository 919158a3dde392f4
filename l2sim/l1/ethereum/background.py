"""Everybody else's demand for gas and blobs on the Ethereum-like chain.

Gas is a fluid in a few classes of equal share, one for each range of priority fees; blobs are counted, in the same
classes. The random numbers of a slot are drawn whatever the state of the chain, so that what a system does changes how
demand reacts, never what is drawn.
"""

import math
from statistics import NormalDist

from l2sim.engine import Stream
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.trace import SlotDemand, read_demand
from l2sim.money import WEI_PER_GWEI

TIP_CLASSES = 8
"""Classes of priority fees; each holds an equal share of the demand and pays the median of its range."""
MOST_LOAD = 8.0
"""Most demand of a slot, in gas targets: how many users there are however cheap gas is."""
DRAWS = 1_024
MOST_EXACT_MEAN = 500.0
"""exp(-745) is the last that is not 0, and the normal distribution is within a blob or two of this one here."""
GOLDEN = 0.6180339887498949
"""Steps of this share of a circle fall evenly on it, wherever they begin: so blobs of one slot differ in their tips."""


def poisson_quantile(uniform: float, mean: float) -> int:
    """The Poisson number below which lies a share `uniform` of the distribution with that mean.

    Beyond a mean of 500, where the sum of its terms would soon begin with 0, by the normal distribution.
    """
    if mean > MOST_EXACT_MEAN:
        return max(0, round(mean + math.sqrt(mean) * NormalDist().inv_cdf(max(uniform, 2.0**-54))))
    probability = below = math.exp(-mean)
    count = 0
    while below <= uniform and probability > 0:
        count += 1
        probability *= mean / count
        below += probability
    return count


class EthereumBackground:
    """Background demand that waits: gas by priority fee class, highest first, and blobs."""

    def __init__(
        self, config: EthereumConfig, gas_stream: Stream, blob_stream: Stream, blob_tip_stream: Stream
    ) -> None:
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
        self.gas = [0] * TIP_CLASSES
        """Gas waiting in each class."""
        self.blobs = [0] * TIP_CLASSES
        """Blobs waiting in each class."""
        self.max_blobs = config.rules.max_blobs
        """Most blobs of a block under the fork in force."""
        self._config = background
        self._gas_target = config.gas_limit // 2
        self._reference_wei = background.base_fee_gwei * WEI_PER_GWEI
        self._mean_blobs = background.blob_share * self.max_blobs
        self._tolerance_wei = background.blob_tolerance_gwei * WEI_PER_GWEI
        self._memory = 0.5 ** (config.slot_s / background.drift_half_life_s)
        self._innovation = background.drift_sigma * math.sqrt(1 - self._memory**2)
        self._half_variance = (background.noise_sigma**2 + background.drift_sigma**2) / 2
        self._normals = gas_stream.generator
        self._uniforms = blob_stream
        self._tip_uniforms = blob_tip_stream
        self._drift = background.drift_sigma * float(self._normals.standard_normal())
        self._steps: list[tuple[float, float]] = []
        self._seen_base_fee_wei = 0
        self._trace: tuple[SlotDemand, ...] = ()
        self._row = 0
        if background.trace_path is not None:
            self._trace = read_demand(background.trace_path)

    def follow(self, max_blobs: int) -> None:
        """A fork with that blob limit comes into force: with the first one that has blobs, demand for them begins."""
        if not self.max_blobs:
            self._mean_blobs = self._config.blob_share * max_blobs
        self.max_blobs = max_blobs

    def arrive(self, base_fee_wei: int, blob_base_fee_wei: int, slots: float = 1.0) -> None:
        """Let the users of so many slots come at the fees in force, and those leave who will not pay them any more."""
        load = self._load()
        if self._trace:
            fresh, blobs = self._traced(base_fee_wei, blob_base_fee_wei)
        else:
            wanted = load * (base_fee_wei / self._reference_wei) ** -self._config.elasticity
            fresh = int(min(wanted, MOST_LOAD) * slots * self._gas_target / TIP_CLASSES)
            blobs = self._drawn_blobs(blob_base_fee_wei, slots) if self.max_blobs else 0
        if any(self.gas) and base_fee_wei > self._seen_base_fee_wei:
            stay = (self._seen_base_fee_wei / base_fee_wei) ** self._config.elasticity
            self.gas = [int(gas * stay) + fresh for gas in self.gas]
        else:
            self.gas = [gas + fresh for gas in self.gas]
        self._seen_base_fee_wei = base_fee_wei
        if self.max_blobs:
            self._queue_blobs(blobs)

    def _traced(self, base_fee_wei: int, blob_base_fee_wei: int) -> tuple[int, int]:
        """Fresh gas a class and fresh blobs by the next row of the trace."""
        row = self._trace[self._row]
        self._row = (self._row + 1) % len(self._trace)
        reference_wei = self._reference_wei if row.base_fee_wei is None else row.base_fee_wei
        gas = row.gas * (base_fee_wei / reference_wei) ** -self._config.elasticity
        most = MOST_LOAD * self._gas_target
        return int(min(gas, max(most, row.gas)) / TIP_CLASSES), int(row.blobs * self._willing(blob_base_fee_wei))

    def give_back(self, gas: list[int], blobs: list[int]) -> None:
        """What was in a block that was thrown out waits again, gas and blobs by class."""
        for k, amount in enumerate(gas):
            self.gas[k] += amount
        for k, count in enumerate(blobs):
            self.blobs[k] += count

    def age(self, slots: int) -> None:
        """Let the level of demand move on by so many slots at once, as its autoregressive law says."""
        memory = self._memory**slots
        spread = self._config.drift_sigma * math.sqrt(1 - memory**2)
        self._drift = memory * self._drift + spread * float(self._normals.standard_normal())

    def _willing(self, blob_base_fee_wei: int) -> float:
        """The share of those who want blobs at low fees who still do at this one."""
        if blob_base_fee_wei <= self._tolerance_wei:
            return 1.0
        share: float = (self._tolerance_wei / blob_base_fee_wei) ** self._config.blob_elasticity
        return share

    def _drawn_blobs(self, blob_base_fee_wei: int, slots: float) -> int:
        mean = self._mean_blobs * self._willing(blob_base_fee_wei) * slots
        return poisson_quantile(self._uniforms.uniform(), mean)

    def _queue_blobs(self, fresh: int) -> None:
        """Let fresh blobs wait, each as likely in one class as in another; if they are too many, the lowest tips go."""
        start = self._tip_uniforms.uniform()
        for k in range(fresh):
            self.blobs[int((start + k * GOLDEN) % 1.0 * TIP_CLASSES)] += 1
        # Whoever did not get into two full blocks has gone elsewhere: to calldata or to another data layer.
        too_many = sum(self.blobs) - 2 * self.max_blobs
        for k in reversed(range(TIP_CLASSES)):
            if too_many <= 0:
                break
            gone = min(self.blobs[k], too_many)
            self.blobs[k] -= gone
            too_many -= gone

    def _load(self) -> float:
        """Demand at the reference base fee in this slot, in gas targets."""
        if not self._steps:
            noise = self._config.noise_sigma * self._normals.standard_normal(DRAWS)
            innovation = self._innovation * self._normals.standard_normal(DRAWS)
            self._steps = list(zip(noise.tolist(), innovation.tolist(), strict=True))[::-1]
        noise_now, innovation_now = self._steps.pop()
        self._drift = self._memory * self._drift + innovation_now
        return self._config.gas_load * math.exp(self._drift + noise_now - self._half_variance)
