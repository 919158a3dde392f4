"""The Bitcoin-like chain: relay rules, priority, estimates, confirmations, sleep, settings."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S, Environment, Streams
from l2sim.errors import InvariantError
from l2sim.l1.base import Purpose, Receipt, Refusal
from l2sim.l1.bitcoin.background import BitcoinBackground, bucket_rates, lognormal_shares
from l2sim.l1.bitcoin.config import BitcoinConfig, EstimatorConfig
from l2sim.l1.bitcoin.fees import FeeEstimator, fee_sat, vbytes
from l2sim.l1.bitcoin.mempool import BitcoinTransaction
from l2sim.l1.build import build_chain
from l2sim.money import Asset
from l2sim.results.recorder import Recorder
from tests.support.l1 import bitcoin, bitcoin_tx

BLOCK_NS = 600 * NS_PER_S


def test_fee_rounds_up_on_virtual_size() -> None:
    assert vbytes(561) == 141
    assert fee_sat(561, 1_000) == 141
    assert fee_sat(561, 100) == 15  # 14.1 sat
    assert fee_sat(400, 0) == 0


def test_relay_rules() -> None:
    _, chain, _ = bitcoin()
    assert chain.submit(bitcoin_tx(1, 14)) is Refusal.FEE_TOO_LOW  # 141 vB at 0.1 sat/vB need 15 sat
    assert chain.submit(bitcoin_tx(2, 15)) is None
    assert chain.submit(bitcoin_tx(3, 10**6, weight_wu=400_001)) is Refusal.TOO_LARGE
    assert chain.pending == 1
    with pytest.raises(ValueError, match=r"txid must be 32 bytes \(got 3\)"):
        chain.submit(BitcoinTransaction(b"abc", 561, 1_000, Purpose.PAYMENT))
    with pytest.raises(ValueError, match="weight_wu must be at least 1"):
        chain.submit(bitcoin_tx(4, 1_000, weight_wu=0))


def test_receipt_spending_and_row() -> None:
    environment, chain, recorder = bitcoin(block_times="clocked")
    receipts: list[Receipt] = []
    chain.submit(bitcoin_tx(1, 300), receipts.append)
    chain.submit(bitcoin_tx(2, 500, weight_wu=1_000, purpose=Purpose.OPERATE), receipts.append)
    environment.run_until(BLOCK_NS)
    assert receipts == [Receipt(0, BLOCK_NS, 300_000), Receipt(0, BLOCK_NS, 500_000)]  # 0.53 and 0.5 sat/wu
    operate = chain.spending[Purpose.OPERATE]
    assert (operate.transactions, operate.size_bytes, operate.fee) == (1, 250, 500_000)
    row = {name: values[0] for name, values in recorder.blocks.columns.items()}
    assert row["used"] == 1_561
    assert row["limit"] == 3_992_000
    assert row["fees"] == 800_000
    assert row["fee_level"] == pytest.approx(2.0)  # 500 sat for 250 vB
    assert row["blob_fee_level"] is None
    assert (row["transactions"], row["pending"], row["blobs"]) == (2, 0, 0)
    assert chain.asset is Asset.BTC


def test_best_fee_rate_first_then_first_come() -> None:
    environment, chain, _ = bitcoin(block_times="clocked", max_block_wu=4_000, reserved_wu=0)
    order: list[int] = []
    for number, fee in enumerate([100, 300, 200, 300, 100]):
        chain.submit(bitcoin_tx(number, fee, weight_wu=2_000), lambda receipt, n=number: order.append(n))
    environment.run_until(BLOCK_NS)
    assert order == [1, 3]
    environment.run_until(3 * BLOCK_NS)
    assert order == [1, 3, 2, 0, 4]


def test_small_transaction_takes_the_room_a_large_one_cannot() -> None:
    environment, chain, _ = bitcoin(block_times="clocked", max_block_wu=16_000, reserved_wu=0)
    heights: dict[str, int] = {}
    sizes = {"first": (10_000, 9_000), "large": (12_000, 9_000), "small": (2_000, 500)}
    for number, (name, (weight, fee)) in enumerate(sizes.items()):
        chain.submit(
            bitcoin_tx(number, fee, weight_wu=weight), lambda receipt, name=name: heights.update({name: receipt.height})
        )
    environment.run_until(2 * BLOCK_NS)
    assert heights == {"first": 0, "small": 0, "large": 1}


def test_background_of_higher_fee_rate_goes_first() -> None:
    environment, chain, recorder = bitcoin(background={"load": 3.0, "median_sat_per_vb": 20.0}, block_times="clocked")
    heights: dict[str, int] = {}
    chain.submit(bitcoin_tx(1, fee_sat(561, 500)), lambda receipt: heights.update(cheap=receipt.height))
    chain.submit(bitcoin_tx(2, fee_sat(561, 500_000)), lambda receipt: heights.update(dear=receipt.height))
    environment.run_until(20 * BLOCK_NS)
    assert heights == {"dear": 0}
    assert chain.pending == 1
    assert min(recorder.blocks.columns["fee_level"]) > 10
    assert min(recorder.blocks.columns["used"]) > 3_990_000


def test_estimate_follows_the_price_of_entry() -> None:
    estimator = FeeEstimator(EstimatorConfig(window_blocks=10, success_share=0.9), 100)
    assert estimator.estimate(1) == 100
    for entry in (100, 900, 100, 800, 100, 700, 100, 100, 600, 500):
        estimator.observe(entry)
    assert estimator.estimate(1) == 800  # 800 is enough in 9 of 10 blocks, 700 in 8
    assert estimator.estimate(2) == 500  # of the nine pairs only the last, (600, 500), asks for more than 100
    assert estimator.estimate(3) == 100
    assert estimator.estimate(1_000) == 100
    with pytest.raises(ValueError, match=r"target_blocks must be at least 1 \(got 0\)"):
        estimator.estimate(0)


def test_estimated_fee_gets_in_within_the_target() -> None:
    environment, chain, _ = bitcoin(seed=3, background={})
    waits: list[int] = []

    def send(number: int) -> None:
        height = chain.height
        fee = fee_sat(561, chain.feerate_sat_per_kvb(target_blocks=3))
        chain.submit(bitcoin_tx(number, fee), lambda receipt: waits.append(receipt.height - height))

    for number in range(400):
        environment.call_at(number * BLOCK_NS, send, number)
    environment.run_until(450 * BLOCK_NS)
    assert len(waits) == 400
    assert np.mean(np.array(waits) <= 3) > 0.8


def test_default_background_asks_one_to_five_sat_per_vbyte() -> None:
    environment, _, recorder = bitcoin(background={})
    environment.run_until(1_008 * BLOCK_NS)
    levels = np.array(recorder.blocks.columns["fee_level"])
    assert 1 < np.median(levels) < 5
    assert np.mean((levels > 0.7) & (levels < 8)) > 0.9
    assert len(levels) == pytest.approx(1_008, abs=100)  # Poisson: three standard deviations are 95


def test_confirmations_and_finality() -> None:
    environment, chain, _ = bitcoin(block_times="clocked")
    seen: list[tuple[str, int]] = []

    def included(receipt: Receipt) -> None:
        seen.append(("included", environment.now))
        for count in (1, 2):
            chain.confirm(receipt, count, lambda _, count=count: seen.append((f"{count} conf", environment.now)))
        chain.finalize(receipt, lambda _: seen.append(("final", environment.now)))

    chain.submit(bitcoin_tx(1, 500), included)
    environment.run_until(20 * BLOCK_NS)
    assert seen == [
        ("included", BLOCK_NS),
        ("1 conf", BLOCK_NS),
        ("2 conf", 2 * BLOCK_NS),
        ("final", 6 * BLOCK_NS),
    ]
    late: list[int] = []
    chain.confirm(Receipt(0, BLOCK_NS, 0), 3, lambda _: late.append(environment.now))
    assert late == []
    environment.run_until(20 * BLOCK_NS + 1)
    assert late == [20 * BLOCK_NS]
    with pytest.raises(ValueError, match="confirmations must be at least 1"):
        chain.confirm(Receipt(0, 0, 0), 0, print)


def test_receipts_come_in_block_order_before_confirmations() -> None:
    environment, chain, _ = bitcoin(block_times="clocked")
    seen: list[str] = []
    chain.submit(bitcoin_tx(1, 500), lambda receipt: chain.confirm(receipt, 2, lambda _: seen.append("old")))
    environment.run_until(BLOCK_NS)
    chain.submit(bitcoin_tx(2, 400), lambda _: seen.append("low"))
    chain.submit(bitcoin_tx(3, 500), lambda _: seen.append("high"))
    environment.run_until(2 * BLOCK_NS)
    assert seen == ["high", "low", "old"]


def test_sleep_keeps_heights_and_fee_level() -> None:
    environment, chain, recorder = bitcoin(background={}, block_times="clocked")
    environment.run_until(10 * BLOCK_NS)
    before = chain.feerate_sat_per_kvb(6)
    confirmed: list[int] = []
    chain.confirm(Receipt(chain.height, environment.now, 0), 100, lambda _: confirmed.append(environment.now))
    chain.sleep_until(1_010 * BLOCK_NS)
    environment.run_until(1_009 * BLOCK_NS)
    assert len(recorder.blocks) == 10
    assert chain.height == 1_008
    assert confirmed == [109 * BLOCK_NS]
    assert chain.feerate_sat_per_kvb(6) == before
    environment.run_until(1_010 * BLOCK_NS)
    assert recorder.blocks.columns["height"][-1] == 1_009


def test_sleep_is_refused_while_waiting_and_ended_by_a_transaction() -> None:
    environment, chain, recorder = bitcoin(block_times="clocked")
    chain.submit(bitcoin_tx(1, 500))
    with pytest.raises(InvariantError, match="must not sleep"):
        chain.sleep_until(100 * BLOCK_NS)
    environment.run_until(BLOCK_NS)
    chain.sleep_until(100 * BLOCK_NS)
    environment.run_until(50 * BLOCK_NS)
    chain.submit(bitcoin_tx(2, 500))
    environment.run_until(51 * BLOCK_NS)
    assert recorder.blocks.columns["height"] == [0, 50]


def test_background_shares_have_the_stated_distribution() -> None:
    rates = bucket_rates(100)
    assert rates[0] == 100
    assert all(lower < upper for lower, upper in pairwise(rates))
    shares = lognormal_shares(rates, median=4_000, sigma=1.0)
    assert shares.sum() == pytest.approx(1)
    centres = np.log(np.array(rates) * np.sqrt(1.1))  # a bucket spans one step up from its rate
    mean = (shares * centres).sum()
    assert mean == pytest.approx(np.log(4_000), abs=0.01)
    assert np.sqrt((shares * (centres - mean) ** 2).sum()) == pytest.approx(1.0, abs=0.01)


def test_background_arrivals_have_the_stated_load() -> None:
    config = BitcoinConfig.model_validate({"background": {"load": 0.7, "max_waiting_blocks": 10_000}})
    background = BitcoinBackground(config, Streams(1).get("background"))
    for _ in range(200):
        background.arrive(600.0)
    weight = int(background.waiting.sum()) * config.background.transaction_wu
    assert weight / (200 * config.space_wu) == pytest.approx(0.7, rel=0.01)


def test_background_beyond_the_mempool_is_evicted_from_below() -> None:
    config = BitcoinConfig.model_validate({"background": {"load": 1.0, "max_waiting_blocks": 1}})
    background = BitcoinBackground(config, Streams(1).get("background"))
    for _ in range(10):
        background.arrive(600.0)
    assert int(background.waiting.sum()) == config.space_wu // config.background.transaction_wu
    lowest = background.rates[int(np.flatnonzero(background.waiting)[0])]
    assert lowest > 4_000  # the best tenth of a lognormal with median 4 sat/vB starts at 14


def test_ten_thousand_waiting_are_taken_in_order() -> None:
    environment, chain, recorder = bitcoin(block_times="clocked")
    fees = np.random.default_rng(1).integers(100, 10_000, 10_000)
    taken: list[int] = []
    for number, fee in enumerate(fees.tolist()):
        chain.submit(bitcoin_tx(number, fee), lambda _, fee=fee: taken.append(fee))
    environment.run_until(2 * BLOCK_NS)
    assert taken == sorted(fees.tolist(), reverse=True)
    assert recorder.blocks.columns["transactions"] == [3_992_000 // 561, 10_000 - 3_992_000 // 561]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"block_interval_s": 0}, "greater than or equal to 1"),
        ({"reserved_wu": 3_999_999}, "must hold at least one background transaction of 1200 wu"),
        ({"background": {"median_sat_per_vb": 0.05}}, "must not be below the relay minimum of 0.1 sat/vB"),
        ({"fork": "bpo2"}, "Extra inputs"),
        ({"background": {"load": -1}}, "greater than or equal to 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BitcoinConfig.model_validate(settings)


def test_build_chain() -> None:
    chain = build_chain("b", BitcoinConfig(), Environment(), Streams(1), Recorder(0))
    assert (chain.name, chain.asset, chain.pending) == ("b", Asset.BTC, 0)
