"""The blob fee market: its ladder to the first spike, and how spending concentrates (published-results 2.7)."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from l2sim.engine import NS_PER_S, Streams
from l2sim.l1.ethereum.fees import blob_base_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, fork_named
from l2sim.money import WEI_PER_ETH, WEI_PER_GWEI
from tests.support.l1 import ethereum, ethereum_tx
from tests.support.statistics import EVENTS, Published, estimate

pytestmark = pytest.mark.published

CANCUN = fork_named("cancun")
SLOT_S = 12
SPIKE_GWEI = 582
"""Highest blob base fee of 27 March 2024 (CoinDesk quoting Dune)."""


def test_from_one_wei_to_the_first_spike_takes_230_full_blocks(published: Published) -> None:
    """27 March 2024: at least 46 minutes of full blocks, to 0.0763 ETH or 267 USD (at 3,500) a blob."""
    full_blocks, empty_blocks = 240, 10
    environment, chain, recorder = ethereum(fork="cancun", slot_s=SLOT_S)
    for nonce in range(full_blocks):
        transaction = ethereum_tx(1, nonce=nonce, blobs=6, max_blob_fee_wei=10**15)
        assert chain.submit(transaction) is None
    blocks = full_blocks + empty_blocks
    environment.run_until(blocks * SLOT_S * NS_PER_S)
    columns = recorder.blocks.columns
    assert columns["blobs"] == [6] * full_blocks + [0] * empty_blocks
    fees_gwei = columns["blob_fee_level"]
    assert fees_gwei[0] * WEI_PER_GWEI == 1

    first = next(block for block, fee in enumerate(fees_gwei) if fee >= SPIKE_GWEI)
    minutes = (columns["time_ns"][first] - columns["time_ns"][0]) / NS_PER_S / 60
    blob_eth = round(fees_gwei[first] * WEI_PER_GWEI) * GAS_PER_BLOB / WEI_PER_ETH
    published.assert_ceiling("full blocks to 582 gwei", first, 230, tolerance=0, events=blocks)
    published.assert_ceiling("minutes to 582 gwei", minutes, 46, tolerance=0, events=blocks)
    published.assert_ceiling("ETH a blob at 582 gwei", blob_eth, 0.07628, tolerance=0.001, events=blocks)
    least_eth = SPIKE_GWEI * WEI_PER_GWEI * GAS_PER_BLOB / WEI_PER_ETH
    assert 3_500 * least_eth == pytest.approx(267, abs=0.5)

    dear = fees_gwei[200:]  # where a wei more or less is nothing
    rises, falls = (np.array(list(pairwise(part))) for part in (dear[: full_blocks - 200], dear[full_blocks - 199 :]))
    assert 100 * (rises[:, 1] / rises[:, 0] - 1) == pytest.approx(12.5, abs=0.01)
    assert 100 * (falls[:, 1] / falls[:, 0] - 1) == pytest.approx(-11.1, abs=0.02)


BLOCKS_PER_DAY = 7_200
ROLLUP_BLOBS = 2.0
"""Mean blobs a block of rollups, who post whatever it costs."""
BURST_BLOBS = 4.0
"""Mean blobs a block of inscribers while there is a burst, as long as a blob costs next to nothing."""
BURST_BLOCKS = 6_000
"""A burst lasts for 20 hours of its day."""
BURST_GWEI = 5.0
"""Least blob base fee that any inscriber would pay; what each would is Pareto distributed with exponent 1."""
DAYS_PER_BURST = 17
"""Nine of 150 days were above 100,000 USD: 6 %."""


def spend_by_day(streams: Streams, days: int, bursts: bool) -> tuple[list[int], list[int]]:
    """Blobs and what was paid for them in wei, day by day; every 17th day has a burst if there are any."""
    draw = streams.get("blobs").generator
    blobs_by_day, spend_wei_by_day = [], []
    excess = waiting = 0
    for day in range(days):
        rollups = draw.poisson(ROLLUP_BLOBS, BLOCKS_PER_DAY).tolist()
        inscribers = np.zeros(BLOCKS_PER_DAY, np.int64)
        if bursts and day % DAYS_PER_BURST == DAYS_PER_BURST // 2:
            inscribers[:BURST_BLOCKS] = draw.poisson(BURST_BLOBS, BURST_BLOCKS)
        blobs_today = spend_today_wei = 0
        for steady, eager in zip(rollups, inscribers.tolist(), strict=True):
            fee_wei = blob_base_fee(excess, CANCUN.blob_update_fraction)
            waiting += steady
            willing = draw.binomial(eager, min(1.0, BURST_GWEI * WEI_PER_GWEI / fee_wei)) if eager else 0
            blobs = min(waiting + willing, CANCUN.max_blobs)
            waiting = max(0, waiting - blobs)  # rollups come first and wait, inscribers take what is left
            blobs_today += blobs
            spend_today_wei += blobs * GAS_PER_BLOB * fee_wei
            excess = next_excess_blob_gas(excess, blobs * GAS_PER_BLOB, 0, CANCUN)
        blobs_by_day.append(blobs_today)
        spend_wei_by_day.append(spend_today_wei)
    return blobs_by_day, spend_wei_by_day


def observe_days(streams: Streams, days: int, bursts: bool) -> Mapping[str, float]:
    """Share of the spend in the dearest 6 % of days, blobs a block on those days and on all."""
    blobs, spend_wei = spend_by_day(streams, days, bursts)
    dearest = sorted(range(days), key=spend_wei.__getitem__)[-(days // DAYS_PER_BURST) :]
    return {
        "share": sum(spend_wei[day] for day in dearest) / sum(spend_wei),
        "blobs": sum(blobs) / days / BLOCKS_PER_DAY,
        "blobs on them": sum(blobs[day] for day in dearest) / len(dearest) / BLOCKS_PER_DAY,
        EVENTS: days * BLOCKS_PER_DAY,
    }


def test_nearly_all_is_spent_on_the_few_days_of_demand_at_target(published: Published) -> None:
    """150 days after Dencun (Galaxy Research, August 2024): nine of them make 99.8 % of the spend.

    On those days 2.9 blobs a block were used, near the target of 3, against 2.06 on all: use hardly differs, spend
    by orders of magnitude. Demand is chosen for that use on the other days; on those of bursts the fee brings use to
    the target by itself.
    """
    days = published.size(DAYS_PER_BURST, 9 * DAYS_PER_BURST)
    runs = published.replicate(observe_days, days=days, bursts=True)
    assert runs.values["share"].min() > 0.95
    for quantity, observed in (("blobs", 2.06), ("blobs on them", 2.9)):
        low, high = estimate(runs.values[quantity]).interval
        assert 0.95 * observed < low < high < 1.05 * observed


def test_without_bursts_every_day_costs_the_same(published: Published) -> None:
    """The law is of demand at target, not of the days' order: below it blob gas costs some wei on all days."""
    seen = observe_days(Streams(published.seed), days=2 * DAYS_PER_BURST, bursts=False)
    assert seen["share"] < 1.1 / DAYS_PER_BURST
