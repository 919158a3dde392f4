"""What must hold of both chains whatever is submitted: limits, priority, floors, independence of streams."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.engine import NS_PER_S, Environment, Streams
from l2sim.l1.base import Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.fees import blob_base_fee, next_base_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import FORKS, GAS_PER_BLOB
from l2sim.results.recorder import Recorder
from tests.support.l1 import bitcoin, bitcoin_tx, ethereum, ethereum_tx

SLOT_NS = 12 * NS_PER_S
BLOCK_NS = 600 * NS_PER_S


@given(base=st.integers(7, 10**15), limit=st.integers(5_000, 10**9), share=st.floats(0, 1), then=st.floats(0, 1))
def test_base_fee_moves_by_an_eighth_at_most_and_never_below_seven_wei(
    base: int, limit: int, share: float, then: float
) -> None:
    after = next_base_fee(base, int(share * limit), limit)
    assert after >= 7
    assert base - base // 8 <= after <= base + max(base // 8 + 1, 1)  # odd limits overshoot the target a little
    low, high = sorted((share, then))
    assert next_base_fee(base, int(low * limit), limit) <= next_base_fee(base, int(high * limit), limit)


@given(
    fork=st.sampled_from([fork for fork in FORKS if fork.max_blobs]),
    blobs=st.lists(st.floats(0, 1), max_size=60),
    base=st.integers(7, 10**12),
)
def test_blob_fee_never_below_one_wei_and_excess_never_negative(fork: Any, blobs: list[float], base: int) -> None:
    excess = 0
    for share in blobs:
        before = excess
        used = int(share * fork.max_blobs) * GAS_PER_BLOB
        excess = next_excess_blob_gas(excess, used, base, fork)
        assert 0 <= excess <= before + used
        assert blob_base_fee(excess, fork.blob_update_fraction) >= 1


bitcoin_bids = st.lists(
    st.tuples(st.integers(0, 4), st.integers(15, 3_000), st.integers(244, 9_000)), min_size=1, max_size=40
)


@given(bids=bitcoin_bids, load=st.sampled_from([0.0, 0.5, 2.0]), seed=st.integers(0, 3))
@settings(max_examples=60)
def test_bitcoin_blocks_keep_their_limit_and_lose_nothing(
    bids: list[tuple[int, int, int]], load: float, seed: int
) -> None:
    environment, chain, recorder = bitcoin(
        seed=seed, max_block_wu=20_000, background={"load": load, "burn_in_blocks": 5}
    )
    receipts: dict[int, Receipt] = {}
    accepted = {}

    def send(number: int, fee: int, weight: int) -> None:
        transaction = bitcoin_tx(number, fee, weight_wu=weight)
        if chain.submit(transaction, lambda receipt: receipts.__setitem__(number, receipt)) is None:
            accepted[number] = transaction
        assert (number in accepted) == (fee >= fee_sat(weight, 100))

    for number, (block, fee, weight) in enumerate(bids):
        environment.call_at(block * BLOCK_NS, send, number, fee, weight)
    environment.run_until(12 * BLOCK_NS)
    columns = recorder.blocks.columns
    assert all(used <= 12_000 for used in columns["used"])
    assert set(receipts) <= set(accepted)
    assert len(receipts) + chain.pending == len(accepted)
    assert all(receipt.fee == 1_000 * accepted[number].fee_sat for number, receipt in receipts.items())
    assert sum(columns["fees"]) == sum(receipt.fee for receipt in receipts.values())
    assert sum(spending.fee for spending in chain.spending.values()) == sum(columns["fees"])
    assert all(level >= 0.1 for level in columns["fee_level"])
    assert columns["height"] == list(range(len(columns["height"])))
    assert chain.feerate_sat_per_kvb(1) >= chain.feerate_sat_per_kvb(6) >= 100


@given(
    fees=st.lists(st.integers(100, 5_000), min_size=2, max_size=60),
    load=st.sampled_from([0.0, 0.9, 1.5]),
    weight=st.integers(244, 3_000),
)
@settings(max_examples=60)
def test_bitcoin_higher_fee_never_waits_longer(fees: list[int], load: float, weight: int) -> None:
    environment, chain, _ = bitcoin(max_block_wu=20_000, background={"load": load, "burn_in_blocks": 5})
    heights = [10**9] * len(fees)
    for number, fee in enumerate(fees):
        chain.submit(
            bitcoin_tx(number, fee, weight_wu=weight),
            lambda receipt, number=number: heights.__setitem__(number, receipt.height),
        )
    environment.run_until(10 * BLOCK_NS)
    by_fee = [height for _, height in sorted(zip(fees, heights, strict=True), key=lambda pair: -pair[0])]
    ranked = sorted(zip(fees, heights, strict=True), key=lambda pair: (-pair[0], pair[1]))
    assert all(earlier[1] <= later[1] for earlier, later in pairwise(ranked))
    assert by_fee[0] == min(heights)


ethereum_bids = st.lists(
    st.tuples(
        st.integers(0, 4),  # slot
        st.integers(0, 6),  # sender
        st.integers(0, 10**6),  # tip
        st.integers(10**5, 3 * 10**6),  # fee cap
        st.integers(21_000, 150_000),  # gas
        st.integers(0, 6),  # blobs
    ),
    min_size=1,
    max_size=40,
)


@given(bids=ethereum_bids, load=st.sampled_from([0.0, 1.0, 4.0]), seed=st.integers(0, 3))
@settings(max_examples=60)
def test_ethereum_blocks_keep_their_limits_nonces_and_money(
    bids: list[tuple[int, int, int, int, int, int]], load: float, seed: int
) -> None:
    environment, chain, recorder = ethereum(
        seed=seed,
        gas_limit=300_000,
        background={"gas_load": load, "base_fee_gwei": 0.001, "median_tip_gwei": 0.0002, "burn_in_slots": 10},
    )
    included: list[tuple[int, int]] = []
    paid = []
    nonces = dict.fromkeys(range(7), 0)

    def send(number: int, sender: int, tip: int, cap: int, gas: int, blobs: int) -> None:
        nonce = nonces[sender]
        transaction = ethereum_tx(
            number, tip, cap, sender=sender, nonce=nonce, gas=gas, blobs=blobs, max_blob_fee_wei=10**9
        )

        def done(receipt: Receipt) -> None:
            included.append((sender, nonce))
            paid.append(receipt.fee)
            assert receipt.fee <= gas * cap + blobs * GAS_PER_BLOB * 10**9
            assert (receipt.blob_fee > 0) == (blobs > 0)

        if chain.submit(transaction, done) is None:
            nonces[sender] += 1

    for number, (slot, *bid) in enumerate(bids):
        environment.call_at(slot * SLOT_NS, send, number, *bid)
    environment.run_until(30 * SLOT_NS)
    columns = recorder.blocks.columns
    assert all(used <= 300_000 for used in columns["used"])
    assert all(blobs <= 21 for blobs in columns["blobs"])
    assert all(level >= 7e-9 for level in columns["fee_level"])
    assert len(included) + chain.pending == sum(nonces.values())
    assert chain.burnt_wei + chain.tips_wei == sum(paid) == sum(columns["fees"])
    for sender in range(7):
        used = [nonce for who, nonce in included if who == sender]
        assert used == list(range(len(used)))


@given(
    tips=st.lists(st.integers(0, 10**9), min_size=2, max_size=60),
    load=st.sampled_from([0.0, 1.0, 6.0]),
)
@settings(max_examples=60)
def test_ethereum_higher_tip_never_waits_longer(tips: list[int], load: float) -> None:
    environment, chain, _ = ethereum(gas_limit=210_000, background={"gas_load": load, "burn_in_slots": 10})
    heights = [10**9] * len(tips)
    for number, tip in enumerate(tips):
        chain.submit(
            ethereum_tx(number, tip_wei=tip),
            lambda receipt, number=number: heights.__setitem__(number, receipt.height),
        )
    environment.run_until(20 * SLOT_NS)
    ranked = sorted(zip(tips, heights, strict=True), key=lambda pair: (-pair[0], pair[1]))
    assert all(earlier[1] <= later[1] for earlier, later in pairwise(ranked))


def rows(seed: int, *, disturb: bool, submit: bool) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Both chains in one world for a while, perhaps with other streams drawn from and transactions sent."""
    environment, recorder, streams = Environment(), Recorder(0), Streams(seed)
    other = Recorder(0)
    bitcoin_chain = BitcoinChain("bitcoin", BitcoinConfig(), environment, streams, recorder)
    ethereum_chain = EthereumChain("ethereum", EthereumConfig(missed_slot_rate=0.05), environment, streams, other)
    for chain in (bitcoin_chain, ethereum_chain):
        chain.start()
    for number in range(100):
        if disturb:
            streams.get("something else").uniform()
            streams.get(f"l1/other {number}/background").generator.poisson(3.0, 100)
        if submit:
            bitcoin_chain.submit(bitcoin_tx(number, 1_000_000, weight_wu=100_000))
            ethereum_chain.submit(ethereum_tx(number, gas=2_000_000))
        environment.run_until((number + 1) * BLOCK_NS)
    return recorder.blocks.columns, other.blocks.columns


def test_same_seed_same_rows_whatever_else_is_drawn() -> None:
    first = rows(5, disturb=False, submit=False)
    assert first == rows(5, disturb=True, submit=False)
    assert first != rows(6, disturb=False, submit=False)


def test_a_systems_transactions_change_no_draw() -> None:
    (quiet_bitcoin, quiet_ethereum), (busy_bitcoin, busy_ethereum) = (
        rows(5, disturb=False, submit=submit) for submit in (False, True)
    )
    assert sum(busy_bitcoin["transactions"]) > 50
    assert sum(busy_ethereum["transactions"]) == 100
    for quiet, busy in ((quiet_bitcoin, busy_bitcoin), (quiet_ethereum, busy_ethereum)):
        assert quiet["time_ns"] == busy["time_ns"]
    assert quiet_ethereum["blobs"] == busy_ethereum["blobs"]
