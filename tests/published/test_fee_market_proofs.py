"""How the fixed cost of a proof is shared, recomputed through the gas rules (published-results 2.8).

Loopring v3 (Loopring/protocols 425d152e, packages/loopring_v3/DESIGN.md, Throughput): 12.5 M gas and 13 seconds a
block, 220,000 gas a submission, 80,000 more for each rollup block in it, 400 gas of data a trade. The size of the
circuit sets the trades of a rollup block.
"""

import pytest

from l2sim.engine import NS_PER_S
from l2sim.l1.ethereum.gas import TRANSACTION_GAS, transaction_gas
from tests.support.l1 import ethereum, ethereum_tx
from tests.support.statistics import Published

pytestmark = pytest.mark.published

L1_GAS_LIMIT = 12_500_000
L1_BLOCK_S = 13
SUBMISSION_GAS = 220_000
ROLLUP_BLOCK_GAS = 80_000
TRADE = b"\x01" * 25
"""400 gas of data at 16 gas a byte (EIP-2028)."""


def submission_gas(rollup_blocks: int, trades: int) -> int:
    """Gas of one submission of so many rollup blocks of so many trades each, before EIP-7623."""
    execution = SUBMISSION_GAS - TRANSACTION_GAS + ROLLUP_BLOCK_GAS * rollup_blocks
    return transaction_gas(TRADE * trades * rollup_blocks, execution, calldata_floor=False)


def rollup_blocks_per_l1_block(trades: int) -> tuple[int, float]:
    """How many whole rollup blocks fit into an L1 block that holds one submission, and how many with a part of one."""
    whole = 0
    while submission_gas(whole + 1, trades) <= L1_GAS_LIMIT:
        whole += 1
    full = submission_gas(whole, trades)
    return whole, whole + (L1_GAS_LIMIT - full) / (submission_gas(whole + 1, trades) - full)


@pytest.mark.parametrize(
    ("trades", "table_blocks", "trades_per_s", "gas_per_trade"),
    [(2_048, 14, 2_146, 448), (1_024, 25, 1_977, 486), (512, 43, 1_700, 566), (256, 67, 1_331, 723),
     (128, 94, 915, 1_050)],
)  # fmt: skip
def test_larger_circuits_make_cheaper_trades(
    published: Published, trades: int, table_blocks: int, trades_per_s: int, gas_per_trade: int
) -> None:
    whole, partly = rollup_blocks_per_l1_block(trades)
    assert whole <= table_blocks <= whole + 1  # the table rounds, blocks do not
    settled = partly * trades
    for name, observed, expected in (
        ("trades/s", settled / L1_BLOCK_S, trades_per_s),
        ("gas/trade", L1_GAS_LIMIT / settled, gas_per_trade),
    ):
        published.assert_ceiling(f"Loopring, {trades} trades, {name}", observed, expected, tolerance=0.02, events=whole)


@pytest.mark.parametrize(("trades", "trades_per_s"), [(2_048, 2_146), (1_024, 1_977), (128, 915)])
def test_a_chain_full_of_submissions_settles_as_many_trades(trades: int, trades_per_s: int) -> None:
    """Through the real packer, in whole rollup blocks: up to one fewer than the table has in a block."""
    whole, _ = rollup_blocks_per_l1_block(trades)
    environment, chain, recorder = ethereum(fork="london", gas_limit=L1_GAS_LIMIT, slot_s=L1_BLOCK_S)
    blocks = 20
    for nonce in range(blocks + 1):
        submission = ethereum_tx(1, nonce=nonce, gas=submission_gas(whole, trades), max_fee_wei=10**15)
        assert chain.submit(submission) is None
    environment.run_until(blocks * L1_BLOCK_S * NS_PER_S)
    assert recorder.blocks.columns["transactions"] == [1] * blocks
    settled_per_s = sum(recorder.blocks.columns["transactions"]) * whole * trades / (blocks * L1_BLOCK_S)
    assert 0.98 * trades_per_s - trades / L1_BLOCK_S <= settled_per_s <= 1.02 * trades_per_s


def test_on_chain_trades_are_three_a_second() -> None:
    """The predecessor: 300,000 gas a trade, 40 a block, settled in transactions of their own."""
    environment, chain, recorder = ethereum(fork="london", gas_limit=L1_GAS_LIMIT, slot_s=L1_BLOCK_S)
    blocks = 5
    for number in range(50 * blocks):
        assert chain.submit(ethereum_tx(number, gas=300_000)) is None
    environment.run_until(blocks * L1_BLOCK_S * NS_PER_S)
    counts = recorder.blocks.columns["transactions"]
    assert counts == [41] * blocks  # the document rounds 41.7 to 40
    assert counts[0] / L1_BLOCK_S == pytest.approx(3, rel=0.06)
