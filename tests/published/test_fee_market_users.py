"""The stationary base fee that strategic users bring about (published-results 2.6).

Monnot and others, abm1559, notebook stationary1559 (ethereum/abm1559 ce710280): in each block come Poisson many users
with a value of 0..20 gwei and a cost of waiting of 0..1 gwei per block, both uniform. Who would gain after the wait
that he expects, at today's base fee and a tip of 1 gwei, sends a transfer and bids his value. The users are here; the
mempool, the packing of blocks and the base fee are l2sim's.

Where the base fee stands still, those who come and join just fill the target. With x = base fee + 1 gwei and
t = 20 - x, the share of users who gain after w blocks is (t - w / 2) / 20 if t >= w, else t^2 / (40 w).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest

from l2sim.engine import Stream, Streams
from l2sim.l1.base import Purpose
from l2sim.l1.ethereum.block import fill_block
from l2sim.l1.ethereum.fees import INITIAL_BASE_FEE_WEI, next_base_fee
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.l1.ethereum.mempool import EthereumMempool, EthereumTransaction
from l2sim.money import WEI_PER_GWEI
from tests.support.statistics import EVENTS, Published

pytestmark = pytest.mark.published

TIP_WEI = WEI_PER_GWEI
MOST_VALUE_GWEI = 20.0
NOTEBOOK_LIMIT_GAS = 20_000_000
"""The limit behind the notebook's printed output."""
TODAYS_LIMIT_GAS = 25_000_000
"""The limit that the package has now."""

WARM_UP_BLOCKS = 100
SETTLING_BLOCKS = 50
MEASURED_BLOCKS = 50
"""As in the notebook: demand jumps at block 100, means are taken from block 150 on."""
SHARE = 10
"""At reduced size a tenth of the users share a tenth of the gas, which leaves every mean where it is."""


def stationary_base_fee(users: int, wait: int, gas_limit: int) -> float:
    """The base fee in gwei at which a target's worth of users join in the mean."""
    share = gas_limit / 2 / TRANSACTION_GAS / users
    room = MOST_VALUE_GWEI * share + wait / 2
    if room < wait:
        room = math.sqrt(2 * wait * MOST_VALUE_GWEI * share)
    return MOST_VALUE_GWEI - room - TIP_WEI / WEI_PER_GWEI


def stationary_value(users: int, wait: int, gas_limit: int) -> float:
    """The mean value in gwei of those who join there, where nobody is sure to join: t < w, or w = 0."""
    room = MOST_VALUE_GWEI - TIP_WEI / WEI_PER_GWEI - stationary_base_fee(users, wait, gas_limit)
    return MOST_VALUE_GWEI - room + (room * 2 / 3 if wait else room / 2)


class Block(NamedTuple):
    """What a block saw; the base fee is the one in force in it."""

    base_fee_wei: int
    joined: int
    values_wei: list[int]
    """Values of those included."""


class Market:
    """The fee market and its users, block by block."""

    def __init__(self, stream: Stream, wait: int, gas_limit: int) -> None:
        self.users = 0
        self._draw = stream.generator
        self._wait = wait
        self._gas_limit = gas_limit
        self._base_fee_wei = INITIAL_BASE_FEE_WEI
        self._mempool = EthereumMempool()

    def blocks(self, count: int, mean_users: int) -> list[Block]:
        """Make so many blocks while so many users come to each in the mean."""
        return [self._block(mean_users) for _ in range(count)]

    def _block(self, mean_users: int) -> Block:
        base_fee_wei = self._base_fee_wei
        joined = self._arrive(mean_users)
        filling = fill_block(self._mempool, None, self._gas_limit, 0, base_fee_wei, 0)
        self._base_fee_wei = next_base_fee(base_fee_wei, filling.gas_used, self._gas_limit)
        return Block(base_fee_wei, joined, [entry.transaction.max_fee_wei for entry, _ in filling.included])

    def _arrive(self, mean_users: int) -> int:
        count = self._draw.poisson(mean_users)
        value_wei = self._draw.uniform(0, MOST_VALUE_GWEI * WEI_PER_GWEI, count)
        cost_wei = self._draw.uniform(0, WEI_PER_GWEI, count)
        joins = value_wei - self._wait * cost_wei - (self._base_fee_wei + TIP_WEI) > 0
        for value in value_wei[joins].astype(np.int64).tolist():
            transfer = EthereumTransaction(
                bytes(32), TRANSACTION_GAS, 117, value, TIP_WEI, Purpose.PAYMENT, self.users, nonce=0
            )
            assert self._mempool.add(transfer, None) is None
            self.users += 1
        return int(np.count_nonzero(joins))


def mean_fee(blocks: Sequence[Block]) -> float:
    """Mean base fee in gwei."""
    return float(np.mean([block.base_fee_wei for block in blocks])) / WEI_PER_GWEI


def mean_value(blocks: Sequence[Block]) -> float:
    """Mean over blocks of the mean value in gwei of those included.

    It is linear in the base fee where a mean over users is not, since dear blocks are short: the closed form is of
    no base fee but the stationary one.
    """
    return float(np.mean([np.mean(block.values_wei) for block in blocks])) / WEI_PER_GWEI


def observe(streams: Streams, wait: int, gas_limit: int, share: int) -> Mapping[str, float]:
    """2,000 users a block, and after a jump 6,000; means over the last blocks of either."""
    market = Market(streams.get("users"), wait, gas_limit // share)
    before = market.blocks(WARM_UP_BLOCKS + MEASURED_BLOCKS, mean_users=2_000 // share)[WARM_UP_BLOCKS:]
    after = market.blocks(SETTLING_BLOCKS + MEASURED_BLOCKS, mean_users=6_000 // share)[SETTLING_BLOCKS:]
    return {
        "fee of 2,000": mean_fee(before),
        "fee of 6,000": mean_fee(after),
        "value of 6,000": mean_value(after),
        EVENTS: market.users,
    }


def test_users_who_expect_to_wait_for_five_blocks(published: Published) -> None:
    runs = published.replicate(observe, wait=5, gas_limit=NOTEBOOK_LIMIT_GAS, share=published.size(SHARE, 1))
    law = stationary_base_fee(2_000, 5, NOTEBOOK_LIMIT_GAS)
    assert law == pytest.approx(11.74, abs=0.005)
    found = published.assert_law(
        "base fee of 2,000 users, wait 5", runs, "fee of 2,000", law, tolerance=0.01, half_width=0.01
    )
    assert found.mean == pytest.approx(11.8, rel=0.01)  # "about": the notebook's last rows
    law = stationary_base_fee(6_000, 5, NOTEBOOK_LIMIT_GAS)
    assert law == pytest.approx(15.016, abs=0.0005)
    found = published.assert_law(
        "base fee of 6,000 users, wait 5", runs, "fee of 6,000", law, tolerance=0.01, half_width=0.01
    )
    assert found.mean == pytest.approx(15.030, rel=0.01)  # the notebook's mean
    law = stationary_value(6_000, 5, NOTEBOOK_LIMIT_GAS)
    assert law == pytest.approx(18.672, abs=0.0005)
    found = published.assert_law(
        "value of the included, wait 5", runs, "value of 6,000", law, tolerance=0.01, half_width=0.01
    )
    assert found.mean == pytest.approx(18.685, rel=0.01)


def test_users_who_expect_to_be_included_at_once(published: Published) -> None:
    runs = published.replicate(observe, wait=0, gas_limit=NOTEBOOK_LIMIT_GAS, share=published.size(SHARE, 1))
    law = stationary_base_fee(6_000, 0, NOTEBOOK_LIMIT_GAS)
    assert law == pytest.approx(17.413, abs=0.0005)
    found = published.assert_law(
        "base fee of 6,000 users, wait 0", runs, "fee of 6,000", law, tolerance=0.01, half_width=0.01
    )
    assert found.mean == pytest.approx(17.433, rel=0.01)
    law = stationary_value(6_000, 0, NOTEBOOK_LIMIT_GAS)
    assert law == pytest.approx(19.207, abs=0.001)
    found = published.assert_law(
        "value of the included, wait 0", runs, "value of 6,000", law, tolerance=0.01, half_width=0.01
    )
    assert found.mean == pytest.approx(19.210, rel=0.01)


def observe_first_block(streams: Streams) -> Mapping[str, float]:
    """The first block of the notebook's first run."""
    market = Market(streams.get("users"), wait=5, gas_limit=NOTEBOOK_LIMIT_GAS)
    (first,) = market.blocks(1, mean_users=2_000)
    return {"joined": first.joined, "included": len(first.values_wei), EVENTS: market.users}


def test_the_first_block_is_full_of_three_quarters_of_the_users(published: Published) -> None:
    """At 1 gwei of base fee, 1,550 of 2,000 join, and 952 transfers fill 20 M gas."""
    runs = published.replicate(observe_first_block)
    share = (MOST_VALUE_GWEI - 2 - 5 / 2) / MOST_VALUE_GWEI
    assert 2_000 * share == 1_550
    published.assert_law("joiners of the first block", runs, "joined", 1_550, tolerance=0.03, half_width=0.03)
    assert set(runs.values["included"]) == {952}


def test_with_todays_limit_the_base_fee_is_lower(published: Published) -> None:
    """A prediction: with 595 transfers in a target block, 10.55 gwei for 2,000 users."""
    assert TODAYS_LIMIT_GAS // 2 // TRANSACTION_GAS == 595
    runs = published.replicate(observe, wait=5, gas_limit=TODAYS_LIMIT_GAS, share=published.size(SHARE, 1))
    law = stationary_base_fee(2_000, 5, TODAYS_LIMIT_GAS)
    assert law == pytest.approx(10.55, abs=0.005)
    published.assert_law(
        "base fee of 2,000 users, 25 M gas", runs, "fee of 2,000", law, tolerance=0.01, half_width=0.01
    )
