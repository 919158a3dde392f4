"""Money: exact conversions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.money import MSAT_PER_BTC, WEI_PER_ETH, Asset, Prices

CENTS = st.integers(1, 10**9)


@given(st.integers(0, 21 * 10**17), CENTS, CENTS)
def test_converting_to_wei_and_back_never_makes_money(amount_msat: int, btc: int, eth: int) -> None:
    prices = Prices(btc, eth)
    wei = prices.msat_to_wei(amount_msat)
    exact = Fraction(amount_msat * btc, MSAT_PER_BTC) / Fraction(eth, WEI_PER_ETH)
    assert 0 <= exact - wei < 1
    assert prices.wei_to_msat(wei) <= amount_msat


def test_prices_by_hand() -> None:
    prices = Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000)
    assert prices.msat_to_wei(MSAT_PER_BTC) == 25 * WEI_PER_ETH
    assert prices.to_usd(Asset.ETH, WEI_PER_ETH) == pytest.approx(4_000.0)
    assert prices.usd_to_msat(1.0) == 1_000_000
    assert (prices.from_msat(Asset.BTC, 7), Asset.BTC.unit, Asset.ETH.unit) == (7, "msat", "wei")
