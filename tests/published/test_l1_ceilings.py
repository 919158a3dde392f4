"""Published ceilings of the chains, by saturating their real block packers with equal transactions."""

import pytest

from l2sim.engine import NS_PER_S
from tests.support.l1 import bitcoin, bitcoin_tx, ethereum, ethereum_tx

pytestmark = pytest.mark.published

BLOCKS = 3


def bitcoin_block(weight_wu: int, reserved_wu: int = 0) -> float:
    """Transactions per block of a saturated Bitcoin-like chain without background."""
    environment, chain, recorder = bitcoin(block_times="clocked", reserved_wu=reserved_wu)
    for number in range((BLOCKS + 1) * 4_000_000 // weight_wu):
        chain.submit(bitcoin_tx(number, fee_sat=10_000, weight_wu=weight_wu))
    environment.run_until(BLOCKS * 600 * NS_PER_S)
    counts = recorder.blocks.columns["transactions"]
    assert len(set(counts)) == 1
    assert chain.pending > 0
    return counts[0]


@pytest.mark.parametrize(
    ("bytes_without_witness", "per_second"),
    [(250, 6.67), (500, 3.33), (226, 7.37)],  # the "7 tps"; Croman et al. 2016's lower figure; one in, two out
)
def test_bitcoin_of_legacy_transactions(bytes_without_witness: int, per_second: float) -> None:
    assert bitcoin_block(4 * bytes_without_witness) / 600 == pytest.approx(per_second, rel=0.01)


def test_bitcoin_of_p2wpkh_transactions() -> None:
    assert bitcoin_block(561) == 7_130
    assert bitcoin_block(561) / 600 == pytest.approx(11.88, rel=0.001)
    assert bitcoin_block(561, reserved_wu=8_000) == pytest.approx(7_130, rel=0.01)  # as Bitcoin Core fills blocks


@pytest.mark.parametrize(
    ("gas_limit", "slot_s", "per_second"),
    [(12_500_000, 13.0, 45.8), (30_000_000, 12.0, 119.0), (45_000_000, 12.0, 178.6), (60_000_000, 12.0, 238.1)],
)
def test_ethereum_of_simple_transfers(gas_limit: int, slot_s: float, per_second: float) -> None:
    environment, chain, recorder = ethereum(gas_limit=gas_limit, slot_s=slot_s)
    for number in range((BLOCKS + 1) * gas_limit // 21_000):
        chain.submit(ethereum_tx(number))
    environment.run_until(round(BLOCKS * slot_s * NS_PER_S))
    counts = recorder.blocks.columns["transactions"]
    assert counts == [gas_limit // 21_000] * BLOCKS
    assert counts[0] / slot_s == pytest.approx(per_second, rel=0.01)


def smallest_block_that_keeps_up(transactions_per_block: float, bytes_each: int) -> float:
    """The block size in bytes, to 0.5 %, at which a steady stream of equal transactions leaves no growing queue."""
    low, high = 0.95, 1.06
    while high / low > 1.005:
        middle = (low * high) ** 0.5
        size_bytes = middle * transactions_per_block * bytes_each
        environment, chain, _ = bitcoin(
            block_times="clocked", max_block_wu=round(4 * size_bytes), reserved_wu=0, max_transaction_wu=4 * bytes_each
        )
        blocks = 40
        sent = 0
        for block in range(blocks):
            while sent < (block + 1) * transactions_per_block:
                chain.submit(bitcoin_tx(sent, fee_sat=10_000, weight_wu=4 * bytes_each))
                sent += 1
            environment.run_until((block + 1) * 600 * NS_PER_S)
        if chain.pending > 2:
            low = middle
        else:
            high = middle
    return high * transactions_per_block * bytes_each


def test_block_size_for_everybody_to_open_two_channels_a_year() -> None:
    """Poon, Dryja 2016: 7 billion people, 2 channels a year, 500 bytes: 133 MB; here a thousandth as many people."""
    per_block = 2 * 7_000_000_000 / 52_560 / 1_000
    assert smallest_block_that_keeps_up(per_block, 500) / 1e6 * 1_000 == pytest.approx(133.18, rel=0.01)


def test_block_size_for_everybody_to_pay_twice_a_day() -> None:
    """Poon, Dryja 2016: 7 billion people, 2 payments a day, 250 bytes, 144 blocks a day: 24 GB; scaled down."""
    per_block = 2 * 7_000_000_000 / 144 / 100_000
    assert smallest_block_that_keeps_up(per_block, 250) / 1e9 * 100_000 == pytest.approx(24.31, rel=0.01)
