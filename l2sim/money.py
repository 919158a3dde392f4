"""Integer amounts and the prices that make two assets comparable.

Inside the model money is always an integer of an asset's smallest unit: millisatoshi for bitcoin, wei for
ether. Dollars exist only in results. A payment of the workload is worth an exact number of millisatoshi;
Ethereum-like systems carry its equal value in wei at the scenario's prices, rounded down.
"""

from dataclasses import dataclass
from enum import StrEnum

MSAT_PER_SAT = 1_000
SAT_PER_BTC = 100_000_000
MSAT_PER_BTC = MSAT_PER_SAT * SAT_PER_BTC
WEI_PER_GWEI = 10**9
WEI_PER_ETH = 10**18
CENTS_PER_USD = 100


class Asset(StrEnum):
    """What a chain's money is; its smallest unit in the model is `msat` or `wei`."""

    BTC = "BTC"
    ETH = "ETH"

    @property
    def unit(self) -> str:
        """The name of the smallest unit."""
        return "msat" if self is Asset.BTC else "wei"


@dataclass(frozen=True, slots=True)
class Prices:
    """Fixed prices of a run, in whole US cents, so that conversions are exact integers.

    >>> prices = Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000)
    >>> prices.msat_to_wei(1_000)  # one satoshi, a tenth of a cent
    250000000000
    >>> prices.to_usd(Asset.BTC, 100_000_000)
    100.0
    """

    btc_usd_cents: int
    eth_usd_cents: int

    def msat_to_wei(self, amount_msat: int) -> int:
        """The wei worth as much as `amount_msat`, rounded down."""
        return amount_msat * self.btc_usd_cents * (WEI_PER_ETH // MSAT_PER_BTC) // self.eth_usd_cents

    def wei_to_msat(self, amount_wei: int) -> int:
        """The millisatoshi worth as much as `amount_wei`, rounded down."""
        return amount_wei * self.eth_usd_cents // (self.btc_usd_cents * (WEI_PER_ETH // MSAT_PER_BTC))

    def from_msat(self, asset: Asset, amount_msat: int) -> int:
        """`amount_msat` in the smallest unit of `asset`, rounded down."""
        return amount_msat if asset is Asset.BTC else self.msat_to_wei(amount_msat)

    def usd_to_msat(self, amount_usd: float) -> int:
        """The millisatoshi worth `amount_usd`, rounded to the nearest."""
        return round(amount_usd * CENTS_PER_USD * MSAT_PER_BTC / self.btc_usd_cents)

    def usd_per_unit(self, asset: Asset) -> float:
        """US dollars per smallest unit of `asset`, for results only."""
        if asset is Asset.BTC:
            return self.btc_usd_cents / CENTS_PER_USD / MSAT_PER_BTC
        return self.eth_usd_cents / CENTS_PER_USD / WEI_PER_ETH

    def to_usd(self, asset: Asset, amount: int) -> float:
        """US dollars of `amount` smallest units of `asset`, for results only."""
        return amount * self.usd_per_unit(asset)
