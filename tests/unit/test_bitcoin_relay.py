"""What the Bitcoin-like chain relays: replacement, packages, version 3, limits, full mempools, locktimes."""

import pytest

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Drop, Purpose, Receipt, Refusal
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.core_estimator import CoreEstimator
from l2sim.l1.bitcoin.limits import HALF_LIFE_NS, FeeFloor
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from tests.support.l1 import bitcoin, bitcoin_tx

BLOCK_NS = 600 * NS_PER_S
COIN = OutPoint(b"\xff" * 32, 0)


def spend(number: int, fee_sat: int, *points: OutPoint, weight_wu: int = 561, **fields: int) -> BitcoinTransaction:
    return BitcoinTransaction(number.to_bytes(32, "big"), weight_wu, fee_sat, Purpose.PAYMENT, points, **fields)


def output(number: int, vout: int = 0) -> OutPoint:
    return OutPoint(number.to_bytes(32, "big"), vout)


def test_a_replacement_pays_for_what_it_replaces_and_for_its_own_relay() -> None:
    environment, chain, _ = bitcoin()
    dropped: list[Drop] = []
    assert chain.submit(spend(1, 300, COIN), on_dropped=dropped.append) is None
    assert chain.submit(spend(2, 200, output(1)), on_dropped=dropped.append) is None
    assert chain.submit(spend(3, 514, COIN)) is Refusal.REPLACEMENT_TOO_CHEAP  # 300 + 200 + 15 for 141 vB
    assert chain.least_replacement_fee_sat(spend(1, 0).txid, 561) == 515
    assert chain.submit(spend(4, 600, COIN, weight_wu=1_122)) is Refusal.REPLACEMENT_TOO_CHEAP  # same fee rate
    assert chain.submit(spend(3, 515, COIN)) is None
    environment.run_until(0)
    assert dropped == [Drop.REPLACED, Drop.REPLACED]
    assert chain.pending == 1
    assert chain.submit(spend(5, 900, output(1))) is Refusal.MISSING_INPUTS
    assert chain.submit(spend(3, 515, COIN)) is Refusal.ALREADY_KNOWN


def test_a_confirmed_coin_is_not_spent_again() -> None:
    environment, chain, _ = bitcoin(block_times="clocked")
    chain.submit(spend(1, 300, COIN))
    environment.run_until(BLOCK_NS)
    assert chain.submit(spend(2, 9_000, COIN)) is Refusal.ALREADY_SPENT
    assert chain.submit(spend(1, 300, COIN)) is Refusal.ALREADY_KNOWN


def test_nothing_spends_what_it_replaces() -> None:
    _, chain, _ = bitcoin()
    chain.submit(spend(1, 300, COIN))
    assert chain.submit(spend(2, 9_000, COIN, output(1))) is Refusal.CONFLICT


def test_a_replacement_evicts_a_hundred_at_most() -> None:
    _, chain, _ = bitcoin()
    coins = [OutPoint(b"\xfe" * 32, vout) for vout in range(5)]
    number = 10
    for coin in coins:
        chain.submit(spend(number, 100, coin))
        parent = number
        for _ in range(20):
            number += 1
            assert chain.submit(spend(number, 20, output(parent, number))) is None
        number += 1
    assert chain.pending == 105
    assert chain.submit(spend(1, 10**6, *coins, weight_wu=1_500)) is Refusal.TOO_MANY_REPLACED
    assert chain.submit(spend(1, 10**6, *coins[:4], weight_wu=1_500)) is None
    assert chain.pending == 22


def test_a_child_pays_for_its_parent() -> None:
    environment, chain, _ = bitcoin(block_times="clocked", max_block_wu=4_000, reserved_wu=0)
    order: list[int] = []
    for number, transaction in enumerate(
        [
            spend(0, 15, COIN, weight_wu=561),  # by itself the poorest
            spend(1, 900, weight_wu=2_000),
            spend(2, 850, weight_wu=2_000),
            spend(3, 1_000, output(0), weight_wu=1_439),  # with its parent 2,000 wu for 1,015 sat
        ]
    ):
        chain.submit(transaction, lambda _, n=number: order.append(n))
    environment.run_until(2 * BLOCK_NS)
    assert order == [0, 3, 1, 2]


def test_twenty_five_relatives_and_one_small_child_more() -> None:
    _, chain, _ = bitcoin()
    chain.submit(spend(0, 100, COIN))
    for number in range(1, 25):
        assert chain.submit(spend(number, 100, output(number - 1))) is None
    assert chain.submit(spend(25, 100, output(24))) is Refusal.TOO_MANY_RELATIVES
    assert chain.submit(spend(26, 100, output(0, 1))) is None  # the carve-out: one ancestor, small
    assert chain.submit(spend(27, 100, output(0, 2))) is Refusal.TOO_MANY_RELATIVES
    _, chain, _ = bitcoin()
    chain.submit(spend(0, 50_000, COIN, weight_wu=300_000))
    assert chain.submit(spend(1, 50_000, output(0), weight_wu=110_000)) is Refusal.TOO_MANY_RELATIVES


def test_version_three_is_one_parent_and_one_small_child() -> None:
    _, chain, _ = bitcoin()
    assert chain.submit(spend(9, 9_000, weight_wu=40_001, version=3)) is Refusal.TOO_LARGE
    assert chain.submit(spend(1, 300, COIN, version=3)) is None
    assert chain.submit(spend(2, 300, output(1))) is Refusal.TRUC  # version 2 on version 3
    assert chain.submit(spend(2, 900, output(1), version=3, weight_wu=4_001)) is Refusal.TRUC
    assert chain.submit(spend(2, 300, output(1), version=3)) is None
    assert chain.submit(spend(3, 300, output(2), version=3)) is Refusal.TRUC  # a grandchild
    # A second child takes the first one's place where it pays for it, though they spend different outputs.
    assert chain.submit(spend(4, 310, output(1, 1), version=3)) is Refusal.REPLACEMENT_TOO_CHEAP
    assert chain.submit(spend(4, 400, output(1, 1), version=3)) is None
    assert [chain.waits(spend(n, 0).txid) for n in (1, 2, 4)] == [True, False, True]


def test_a_parent_without_fee_comes_in_with_its_child() -> None:
    environment, chain, _ = bitcoin(block_times="clocked")
    parent, receipts = spend(1, 0, COIN, version=3, weight_wu=2_000), []
    assert chain.submit(parent) is Refusal.FEE_TOO_LOW
    poor = spend(2, 60, output(1), version=3)
    assert chain.submit_with_child(parent, poor) is Refusal.FEE_TOO_LOW  # 641 vB need 65 sat
    assert chain.pending == 0
    rich = spend(3, 1_000, output(1), version=3)
    assert chain.submit_with_child(parent, rich, receipts.append, receipts.append) is None
    environment.run_until(BLOCK_NS)
    assert [receipt.fee for receipt in receipts] == [0, 1_000_000]


def test_only_version_three_comes_in_below_the_relay_minimum() -> None:
    """A full mempool's floor is for both together, the relay minimum for each that is not of version 3."""
    _, chain, _ = bitcoin(min_relay_sat_per_kvb=1_000, mempool={"limit_vbyte": 1_000_000})
    child = spend(2, 5_000, output(1))
    assert chain.submit_with_child(spend(1, 499, COIN, weight_wu=2_000), child) is Refusal.FEE_TOO_LOW
    assert chain._limit is not None
    chain._limit._floor.evicted(3_000, 0)
    assert chain.submit(spend(1, 500, COIN, weight_wu=2_000)) is Refusal.MEMPOOL_FULL
    assert chain.submit_with_child(spend(1, 500, COIN, weight_wu=2_000), child) is None


def test_a_locktime_is_waited_for() -> None:
    environment, chain, _ = bitcoin(block_times="clocked")
    heights: list[int] = []
    late = spend(1, 300, COIN, valid_from_height=2)
    assert chain.submit(late) is Refusal.NOT_FINAL
    chain.wait_for_height(1, lambda _: chain.submit(late, lambda receipt: heights.append(receipt.height)))
    environment.run_until(3 * BLOCK_NS)
    assert heights == [2]


def full(chain: BitcoinChain, sat: int, count: int, first: int) -> None:
    for number in range(first, first + count):
        assert chain.submit(bitcoin_tx(number, sat, weight_wu=400_000)) is None


def test_a_full_mempool_evicts_the_cheapest_and_keeps_such_out_for_a_while() -> None:
    environment, chain, _ = bitcoin(
        block_times="clocked", max_block_wu=400_000, reserved_wu=0, mempool={"limit_vbyte": 1_000_000}
    )
    dropped: list[Drop] = []
    chain.submit(bitcoin_tx(1, 100_000, weight_wu=400_000), on_dropped=dropped.append)  # 1 sat/vB
    full(chain, 500_000, 12, first=2)  # 5 sat/vB: 13 of 0.1 MvB wait
    assert chain.feerate_sat_per_kvb(6) == 100
    environment.run_until(BLOCK_NS)
    assert dropped == [Drop.EVICTED]
    assert chain.pending == 9  # two more were evicted, and one is in the block
    assert chain.feerate_sat_per_kvb(1_000) == 5_100  # nothing below is relayed
    assert chain.submit(bitcoin_tx(50, 100_000, weight_wu=400_000)) is Refusal.MEMPOOL_FULL
    environment.run_until(BLOCK_NS + 12 * 3_600 * NS_PER_S)  # emptied in nine blocks: faster than by half
    assert chain.pending == 0
    assert chain.feerate_sat_per_kvb(1_000) < 2_550
    assert chain.submit(bitcoin_tx(51, 100_000, weight_wu=400_000)) is None


def test_a_parent_that_was_evicted_may_come_back_with_a_child() -> None:
    _, chain, _ = bitcoin(min_relay_sat_per_kvb=1_000)
    parent, child = spend(1, 10, COIN, version=3), spend(2, 5_000, output(1), version=3)
    assert chain.submit_with_child(parent, child) is None
    chain._drop(chain._entry(child.txid), Drop.EVICTED)
    chain._drop(chain._entry(parent.txid), Drop.EVICTED)
    assert chain.submit(child) is Refusal.MISSING_INPUTS
    assert chain.submit_with_child(parent, child) is None
    assert chain.pending == 2


def test_background_and_system_share_a_full_mempool() -> None:
    environment, chain, _ = bitcoin(
        seed=2, background={"load": 4.0, "burn_in_blocks": 20}, mempool={"limit_vbyte": 3_000_000}
    )
    dropped: list[Drop] = []
    chain.submit(bitcoin_tx(1, 141_000), on_dropped=dropped.append)
    assert chain.submit(bitcoin_tx(2, 150)) is Refusal.MEMPOOL_FULL
    environment.run_until(100 * BLOCK_NS)
    background = chain._background
    assert background is not None
    assert int(background.waiting.sum()) * background.transaction_wu <= 4 * 3_000_000
    assert dropped == []


def test_a_reorganisation_counts_confirmations_anew() -> None:
    environment, chain, recorder = bitcoin(
        seed=4, block_times="clocked", reorgs={"probability": 0.2, "deeper": 0.5, "max_depth": 3}
    )
    told: list[tuple[str, int, Receipt]] = []

    def note(what: str) -> object:
        return lambda receipt: told.append((what, chain.height, receipt))

    def included(receipt: Receipt) -> None:
        chain.confirm(receipt, 4, note("confirmed"))

    for number in range(40):
        environment.call_at(
            number * BLOCK_NS, lambda n=number: chain.submit(bitcoin_tx(n, 300), included, on_moved=note("moved"))
        )
    environment.run_until(80 * BLOCK_NS)
    confirmed = [entry for entry in told if entry[0] == "confirmed"]
    assert len(confirmed) == 40
    assert any(what == "moved" for what, _, _ in told)
    assert all(height >= receipt.height + 3 for _, height, receipt in confirmed)
    assert sum(orphaned is not None for orphaned in recorder.blocks.columns["orphaned_ns"]) > 5
    with pytest.raises(ValueError, match="final blocks would be thrown out"):
        bitcoin(reorgs={"probability": 0.1, "max_depth": 6})


def test_cores_estimator_follows_what_waited_how_long() -> None:
    environment, chain, _ = bitcoin(seed=5, background={"burn_in_blocks": 400}, estimator={"kind": "core"})
    estimates = [chain.feerate_sat_per_kvb(target) for target in (1, 2, 6, 24, 144, 1_008)]
    assert estimates == sorted(estimates, reverse=True)
    assert 1_000 < estimates[2] < 8_000  # the default background asks for 1 to 5 sat/vB
    waits: list[int] = []

    def send(number: int) -> None:
        height = chain.height
        fee = -(-141 * chain.feerate_sat_per_kvb(6) // 1_000)
        chain.submit(bitcoin_tx(number, fee), lambda receipt: waits.append(receipt.height - height))

    for number in range(100):
        environment.call_at(number * BLOCK_NS, send, number)
    environment.run_until(200 * BLOCK_NS)
    assert len(waits) == 100
    assert sum(wait <= 6 for wait in waits) >= 70  # in a backlog that grows, history asks for too little
    with pytest.raises(ValueError, match="target_blocks must be at least 1"):
        chain.feerate_sat_per_kvb(0)


def test_cores_estimator_joins_a_group_of_fee_rates_that_failed_with_the_next() -> None:
    estimator = CoreEstimator(min_relay_sat_per_kvb=100)
    for _ in range(60):  # a few that pay much wait ten blocks, many that pay less none
        estimator.block([(100_000, 10, 2), (10_000, 1, 50)], [])
    # Together 50 of 52 got in within any target (block_policy_estimator.cpp EstimateMedianVal goes on after a failure).
    assert [estimator.estimate(target) for target in (1, 2, 6, 24)] == [10_000] * 4
    for _ in range(60):
        estimator.block([(100_000, 1, 50), (10_000, 10, 50)], [])
    assert estimator.estimate(2) == 100_000


def test_a_floor_that_fades_is_never_below_the_incremental_relay_fee_until_it_is_gone() -> None:
    floor = FeeFloor(incremental_sat_per_kvb=100)
    floor.evicted(60, now_ns=0)
    assert [floor.at(i * HALF_LIFE_NS, fullness=1.0) for i in range(3)] == [160, 100, 0]  # 160, 80, 40


def test_an_empty_chain_knows_no_price_but_the_least() -> None:
    environment, chain, _ = bitcoin(estimator={"kind": "core"})
    environment.run_until(50 * BLOCK_NS)
    assert chain.feerate_sat_per_kvb(2) == 100
