"""The mempool against one written as plainly as its rules: the same refusals, replacements and blocks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Drop, Purpose, Receipt
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from tests.support.l1 import bitcoin
from tests.support.plain_mempool import PlainMempool

BLOCK_NS = 600 * NS_PER_S

# Each step is a transaction (parents by how far back, outputs of them, weight, fee) or, with weight 0, a block.
steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), max_size=2),
        st.sampled_from([0, 561, 561, 700, 1_003, 2_011, 5_003]),
        st.integers(60, 4_000),
    ),
    min_size=1,
    max_size=30,
)


@given(steps=steps, space_wu=st.sampled_from([5_100, 9_000, 30_000]))
@settings(max_examples=150, deadline=None)
def test_the_mempool_does_what_the_plain_one_does(
    steps: list[tuple[list[tuple[int, int]], int, int]], space_wu: int
) -> None:
    environment, chain, _ = bitcoin(block_times="clocked", max_block_wu=space_wu, reserved_wu=0)
    plain = PlainMempool(100)
    mined: list[bytes] = []
    dropped: dict[bytes, Drop] = {}
    txids = [bytes([255]) * 31 + bytes([n]) for n in range(3)]  # coins from outside, to fight over
    for number, (parents, weight_wu, fee_sat) in enumerate(steps):
        if weight_wu == 0:
            mined.clear()
            environment.run_until(environment.now + BLOCK_NS)
            assert mined == plain.block(space_wu)
            continue
        txid = number.to_bytes(32, "big")
        spends = tuple(dict.fromkeys(OutPoint(txids[-1 - back % len(txids)], vout) for back, vout in parents))
        transaction = BitcoinTransaction(txid, weight_wu, fee_sat, Purpose.PAYMENT, spends)
        refusal = chain.submit(
            transaction,
            lambda _, txid=txid: mined.append(txid),
            lambda reason, txid=txid: dropped.__setitem__(txid, reason),
        )
        assert refusal == plain.submit(transaction)
        if refusal is None:
            txids.append(txid)
        assert {entry.transaction.txid for entry in chain._mempool.entries()} == {one.txid for one in plain.waiting}
    environment.run_until(environment.now)
    assert set(dropped) == plain.gone
    assert set(dropped.values()) <= {Drop.REPLACED}


chains = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(60, 3_000)), min_size=1, max_size=30)


@given(bids=chains, probability=st.sampled_from([0.2, 0.6]), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_reorganisation_loses_nothing_and_counts_confirmations_on_the_branch_that_stands(
    bids: list[tuple[int, int, int]], probability: float, seed: int
) -> None:
    environment, chain, recorder = bitcoin(
        seed=seed,
        max_block_wu=6_000,
        reserved_wu=0,
        reorgs={"probability": probability, "deeper": 0.4, "max_depth": 3},
    )
    receipts: dict[int, Receipt] = {}
    confirmed: dict[int, tuple[Receipt, int]] = {}
    accepted = []
    last: list[bytes] = []

    def included(number: int, receipt: Receipt) -> None:
        assert number not in receipts
        receipts[number] = receipt
        chain.confirm(receipt, 4, lambda valid: confirmed.__setitem__(number, (valid, chain.height)))

    def send(number: int, parent: int, fee_sat: int) -> None:
        spends = (OutPoint(last[-parent], 0),) if 0 < parent <= len(last) else ()
        txid = number.to_bytes(32, "big")
        transaction = BitcoinTransaction(txid, 561, fee_sat, Purpose.PAYMENT, spends)
        if (
            chain.submit(
                transaction,
                lambda receipt: included(number, receipt),
                on_moved=lambda receipt: receipts.__setitem__(number, receipt),
            )
            is None
        ):
            accepted.append((number, fee_sat, spends))
            last.append(txid)

    for number, (block, parent, fee_sat) in enumerate(bids):
        environment.call_at(block * BLOCK_NS, send, number, parent, fee_sat)
    environment.run_until(60 * BLOCK_NS)
    gone = {number for number, _, _ in accepted} - set(receipts)
    assert all(number.to_bytes(32, "big") in chain._gone for number in gone)  # replaced by a double spend
    for number, (valid, height) in confirmed.items():
        # Deeper than the deepest reorganisation: what was told at four confirmations stays true.
        assert valid == receipts[number]
        assert height - valid.height + 1 >= 4
    assert set(confirmed) == set(receipts)
    by_txid = {number.to_bytes(32, "big"): receipt.height for number, receipt in receipts.items()}
    for number, _, spends in accepted:
        assert all(by_txid[p.txid] <= receipts[number].height for p in spends if number in receipts)
    stands = [orphaned is None for orphaned in recorder.blocks.columns["orphaned_ns"]]
    heights = [h for h, stays in zip(recorder.blocks.columns["height"], stands, strict=True) if stays]
    assert heights == list(range(len(heights)))
    fees = [fee for fee, stays in zip(recorder.blocks.columns["fees"], stands, strict=True) if stays]
    assert sum(fees) == chain.spending[Purpose.PAYMENT].fee == sum(receipt.fee for receipt in receipts.values())
