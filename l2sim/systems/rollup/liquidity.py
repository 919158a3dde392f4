"""A liquidity provider: pays users who leave at once, and waits for their withdrawals in their place."""

from collections.abc import Callable
from dataclasses import dataclass

from l2sim.l1.base import Purpose, Receipt
from l2sim.money import CENTS_PER_USD, WEI_PER_ETH, Asset
from l2sim.systems.base import Economics, World
from l2sim.systems.rollup.l1_account import L1Account
from l2sim.systems.rollup.settlement.config import FastExitConfig

BIPS = 10_000


@dataclass(slots=True)
class Business:
    """What a provider did so far, wei."""

    exits: int = 0
    income_wei: int = 0
    """Fees kept."""
    refused: int = 0
    """Users who wanted and did not get it: no capital left, or not worth it."""
    lost_wei: int = 0
    """Paid out for withdrawals that never come back: given up on the way, or stolen by a lie."""


class LiquidityProvider:
    """Has a stated capital and lends it out exit by exit; its L1 transactions are an operator's."""

    def __init__(
        self, config: FastExitConfig, world: World, account: L1Account, sender: int, economics: Economics
    ) -> None:
        self._config = config
        self._world = world
        self._account = account
        self._economics = economics
        self.sender = sender
        """Its number as a sender on L1."""
        self._takers = world.streams.get("rollup/fast exits")
        self.capital_wei = round(config.capital_usd * CENTS_PER_USD) * WEI_PER_ETH // world.prices.eth_usd_cents
        self.lent_wei = 0
        """Paid out, and not come back through the bridge yet."""
        self.business = Business()

    def offer(self, amount_wei: int, exit_cost_wei: int) -> int | None:
        """The fee for paying out a withdrawal of that amount, or None if the user waits for itself.

        `exit_cost_wei` is the most that the withdrawal's own steps cost; a fee that does not cover them is not asked.
        """
        if self._takers.uniform() >= self._config.share:
            return None
        fee_wei = round(amount_wei * self._config.fee_bips / BIPS)
        fee_wei += exit_cost_wei + self._account.most_cost_wei(self._config.fill_gas)
        if fee_wei >= amount_wei or self.lent_wei + amount_wei - fee_wei > self.capital_wei:
            self.business.refused += 1
            return None
        return fee_wei

    def pay_out(self, amount_wei: int, fee_wei: int, paid: Callable[[Receipt], object]) -> None:
        """Pay a user on L1; `paid` is called with the receipt."""
        self.lent_wei += amount_wei - fee_wei
        self.business.exits += 1
        self.business.income_wei += fee_wei
        self._account.send(self.sender, Purpose.OPERATE, self._config.fill_gas, paid, value_wei=amount_wei - fee_wei)

    def came_back(self, lent_wei: int) -> None:
        """A withdrawal that was paid out has come through the bridge."""
        self.lent_wei -= lent_wei

    def lose(self, lent_wei: int, stolen_wei: int = 0) -> None:
        """A withdrawal that was paid out never comes through the bridge; what it lent stays out.

        `stolen_wei` of it is in the books as stolen already; the rest is a cost of the provider's.
        """
        self.business.lost_wei += lent_wei
        own_wei = max(0, lent_wei - stolen_wei)
        self._economics.operator_costs_usd += self._world.prices.to_usd(Asset.ETH, own_wei)
