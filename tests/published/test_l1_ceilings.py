"""Published ceilings of the chains, by saturating their real block packers with equal transactions (2.9).

Nothing here is random: the figures are exact at either size, and the published ones are rounded.
"""

import pytest

from l2sim.engine import NS_PER_S
from tests.support.l1 import bitcoin, bitcoin_tx, ethereum, ethereum_tx
from tests.support.statistics import Published

pytestmark = pytest.mark.published

BLOCKS = 3


def bitcoin_block(weight_wu: int, reserved_wu: int = 0) -> int:
    """Transactions per block of a saturated Bitcoin-like chain without background."""
    environment, chain, recorder = bitcoin(block_times="clocked", reserved_wu=reserved_wu)
    for number in range((BLOCKS + 1) * 4_000_000 // weight_wu):
        assert chain.submit(bitcoin_tx(number, fee_sat=10_000, weight_wu=weight_wu)) is None
    assert environment.run_until(BLOCKS * 600 * NS_PER_S) == BLOCKS
    counts: list[int] = recorder.blocks.columns["transactions"]
    assert counts == [counts[0]] * BLOCKS
    assert chain.pending > 0
    return counts[0]


@pytest.mark.parametrize(
    ("bytes_without_witness", "per_second"),
    [(250, 6.67), (500, 3.33), (226, 7.37)],  # the "7 tps"; Croman et al. 2016's lower figure; one in, two out
)
def test_bitcoin_of_legacy_transactions(published: Published, bytes_without_witness: int, per_second: float) -> None:
    observed = bitcoin_block(4 * bytes_without_witness) / 600
    item = f"Bitcoin, {bytes_without_witness} B, tps"
    published.assert_ceiling(item, observed, per_second, tolerance=0.01, events=BLOCKS)


def test_bitcoin_of_p2wpkh_transactions(published: Published) -> None:
    whole = bitcoin_block(561)
    assert whole == 7_130
    published.assert_ceiling("Bitcoin, 561 WU, tps", whole / 600, 11.88, tolerance=0.001, events=BLOCKS)
    # as Bitcoin Core fills blocks
    filled = bitcoin_block(561, reserved_wu=8_000)
    published.assert_ceiling("Bitcoin, 561 WU, a block", filled, 7_130, tolerance=0.01, events=BLOCKS)


@pytest.mark.parametrize(
    ("gas_limit", "slot_s", "per_second"),
    [
        (12_500_000, 13.0, 45.8),
        (30_000_000, 12.0, 119.0),
        (45_000_000, 12.0, 178.6),
        (60_000_000, 12.0, 238.1),
        (400_000_000, 2.0, 9_524.0),  # Base: an L2 whose blocks are packed alike
    ],
)
def test_ethereum_of_simple_transfers(published: Published, gas_limit: int, slot_s: float, per_second: float) -> None:
    environment, chain, recorder = ethereum(gas_limit=gas_limit, slot_s=slot_s)
    for number in range((BLOCKS + 1) * gas_limit // 21_000):
        assert chain.submit(ethereum_tx(number)) is None
    environment.run_until(round(BLOCKS * slot_s * NS_PER_S))
    counts = recorder.blocks.columns["transactions"]
    assert counts == [gas_limit // 21_000] * BLOCKS
    item = f"Ethereum, {gas_limit / 1e6:g} M gas / {slot_s:g} s, tps"
    published.assert_ceiling(item, counts[0] / slot_s, per_second, tolerance=0.01, events=BLOCKS)


def smallest_block_that_keeps_up(transactions_per_block: float, bytes_each: int) -> float:
    """The block size in bytes, to 0.5 %, at which a steady stream of equal transactions leaves no growing queue."""
    low, high = 0.95, 1.06
    while high / low > 1.005:
        middle = (low * high) ** 0.5
        if keeps_up(middle, transactions_per_block, bytes_each):
            high = middle
        else:
            low = middle
    assert low > 0.95, "the search must have bracketed the answer from below"
    assert high < 1.06, "the search must have bracketed the answer from above"
    return float((low * high) ** 0.5 * transactions_per_block * bytes_each)


def keeps_up(blocks_of_demand: float, transactions_per_block: float, bytes_each: int) -> bool:
    """Whether blocks that hold so many intervals' demand leave at most two of it behind after 40 intervals."""
    size_bytes = blocks_of_demand * transactions_per_block * bytes_each
    environment, chain, _ = bitcoin(
        block_times="clocked", max_block_wu=round(4 * size_bytes), reserved_wu=0, max_transaction_wu=4 * bytes_each
    )
    sent = 0
    for block in range(1, 41):
        while sent < block * transactions_per_block:
            assert chain.submit(bitcoin_tx(sent, fee_sat=10_000, weight_wu=4 * bytes_each)) is None
            sent += 1
        environment.run_until(block * 600 * NS_PER_S)
    return chain.pending <= 2


def test_block_size_for_everybody_to_open_two_channels_a_year(published: Published) -> None:
    """Poon, Dryja 2016: 7 billion people, 2 channels a year, 500 bytes: 133 MB; here a thousandth as many people."""
    per_block = 2 * 7_000_000_000 / 52_560 / 1_000
    observed = smallest_block_that_keeps_up(per_block, 500) / 1e6 * 1_000
    published.assert_ceiling("Bitcoin for channels, MB", observed, 133.18, tolerance=0.01, events=40)


def test_block_size_for_everybody_to_pay_twice_a_day(published: Published) -> None:
    """Poon, Dryja 2016: 7 billion people, 2 payments a day, 250 bytes, 144 blocks a day: 24 GB; scaled down."""
    per_block = 2 * 7_000_000_000 / 144 / 100_000
    observed = smallest_block_that_keeps_up(per_block, 250) / 1e9 * 100_000
    published.assert_ceiling("Bitcoin for payments, GB", observed, 24.31, tolerance=0.01, events=40)
