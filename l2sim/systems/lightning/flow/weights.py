"""What fees count beside reliability in a flow: a policy's weights, and dearer fees when a flow would cost too much."""

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np

from l2sim.engine import ns
from l2sim.errors import InvariantError
from l2sim.systems.lightning.flow.arcs import FEE_ROOM_PERCENT, PERCENT, SLOPES, UNITS
from l2sim.systems.lightning.payer_config import ClnPayer, Payer, UniformPayer
from l2sim.systems.lightning.policies.cln import MU_MAX, MUS, about, base_fee_weight
from l2sim.systems.lightning.routing import Network

NAT: Final = 1e9
"""What -log P = 1 of the whole amount costs under `uniform`: a unit's cost stays a whole number of many digits."""
MUS_DEARER: Final = (10.0, 100.0, 1_000.0, 10_000.0)


class Weighing(Protocol):
    """A policy's weights."""

    memory_ns: float
    """News older than this does not count."""

    def levels(self, amount_msat: int) -> Iterator[tuple[float, float]]:
        """Cost of a ppm and of -log P = 1: the first to be tried, then what to try while a flow costs too much."""
        ...

    def base_fee_weight(self, amount_msat: int) -> float:
        """Ppm of a msat of base fee."""
        ...


def weighing_of(settings: Payer, network: Network) -> Weighing:
    """The weights of that policy; InvariantError if it has none."""
    if isinstance(settings, ClnPayer) and settings.search == "askrene":
        return Askrene(settings, network)
    if isinstance(settings, UniformPayer):
        return PickhardtRichter(settings)
    raise InvariantError(f"payers of policy {settings.policy} divide no amount by flows")


class Askrene:
    """mu of a hundred for fees, the rest for -log P, which counts so that the medians of both over all pieces of all
    channels are equal (plugins/askrene/child/mcf.c)."""

    def __init__(self, settings: ClnPayer, network: Network) -> None:
        self.memory_ns = float(ns(settings.memory_s))
        self._network = network
        self._ratios: dict[int, float] = {}

    def levels(self, amount_msat: int) -> Iterator[tuple[float, float]]:
        """mu is 1, then 10, 20, ... 100."""
        amount_msat = about(amount_msat)
        if amount_msat not in self._ratios:
            self._ratios[amount_msat] = median_ratio(self._network, amount_msat)
        for mu in MUS:
            yield float(mu), (MU_MAX - mu) * self._ratios[amount_msat] * 1_000

    def base_fee_weight(self, amount_msat: int) -> float:
        """As if a tenth of the amount went each way."""
        return base_fee_weight(amount_msat)


class PickhardtRichter:
    """-log P and mu times the fees in percent of the amount (arXiv 2107.05322)."""

    def __init__(self, settings: UniformPayer) -> None:
        self.memory_ns = float(ns(settings.memory_s))
        self._mu = settings.mu

    def levels(self, amount_msat: int) -> Iterator[tuple[float, float]]:
        """The policy's own mu, then ten to ten thousand times as much, of a mu below 0.01 as of 0.01."""
        del amount_msat
        for mu in (self._mu, *(max(self._mu, 0.01) * more for more in MUS_DEARER)):
            yield mu * NAT * 100 / 1_000_000, NAT

    def base_fee_weight(self, amount_msat: int) -> float:
        """As if all of the amount went one way."""
        return 1_000_000 / amount_msat


def median_ratio(network: Network, amount_msat: int) -> float:
    """The median fee of all pieces of all channels, in ppm, over their median -log P; 1 if there is none.

    As announced: what a payer has learned of some channels moves no median.
    """
    unit_msat = -(-amount_msat // UNITS)
    units = -(-amount_msat // unit_msat)
    usable = (network.limit_msat > 0) & (network.htlc_min_msat <= amount_msat)
    unsure = 1 + network.capacity_msat[usable] * 100 // (unit_msat * FEE_ROOM_PERCENT)
    left = np.minimum(network.limit_msat[usable] // unit_msat, units)
    fee = network.fee_ppm[usable] + network.base_fee_msat[usable] * base_fee_weight(amount_msat)
    fees, costs = [], []
    for percent, slope in zip(PERCENT[1:], SLOPES[1:], strict=True):
        size = np.minimum(unsure * percent // 100, left)
        left = left - size
        fees.append(fee[size > 0].astype(np.int64))
        costs.append((slope * 1_000 * amount_msat / unit_msat / unsure)[size > 0])
    fee, cost = np.concatenate(fees), np.concatenate(costs)
    middle = len(cost) // 2
    if len(cost) == 0 or np.partition(cost, middle)[middle] < 1e-3:
        return 1.0
    return float(np.partition(fee, middle)[middle] / np.partition(cost, middle)[middle])
