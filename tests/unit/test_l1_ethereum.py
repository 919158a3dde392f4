"""The Ethereum-like chain: fees paid, tips, nonces, blobs, finality, background, settings."""

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.engine import NS_PER_S, Environment, Streams
from l2sim.errors import InvariantError
from l2sim.l1.base import Purpose, Receipt, Refusal
from l2sim.l1.build import build_chain
from l2sim.l1.ethereum.background import MOST_LOAD, EthereumBackground, poisson_quantile
from l2sim.l1.ethereum.chain import WAKING_SLOTS
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.mempool import EthereumTransaction
from l2sim.money import Asset
from l2sim.results.recorder import Recorder
from tests.support.l1 import ethereum, ethereum_tx

SLOT_NS = 12 * NS_PER_S
GWEI = 10**9


def test_fee_is_base_fee_plus_tip_and_base_fee_is_burnt() -> None:
    environment, chain, recorder = ethereum(initial_base_fee_wei=1_000)
    receipts: list[Receipt] = []
    chain.submit(ethereum_tx(1, tip_wei=7, max_fee_wei=2_000), receipts.append)
    chain.submit(ethereum_tx(2, tip_wei=500, max_fee_wei=1_100), receipts.append)  # the cap leaves a tip of 100
    environment.run_until(SLOT_NS)
    assert receipts == [Receipt(0, SLOT_NS, 21_000 * 1_100), Receipt(0, SLOT_NS, 21_000 * 1_007)]
    assert (chain.burnt_wei, chain.tips_wei) == (2 * 21_000 * 1_000, 21_000 * 107)
    spending = chain.spending[Purpose.PAYMENT]
    assert (spending.transactions, spending.size_bytes, spending.fee) == (2, 234, 21_000 * 2_107)
    row = {name: values[0] for name, values in recorder.blocks.columns.items()}
    assert (row["used"], row["limit"], row["fees"]) == (42_000, 60_000_000, 21_000 * 2_107)
    assert row["fee_level"] == pytest.approx(1e-6)
    assert chain.base_fee_wei == 1_000 - 1_000 * (30_000_000 - 42_000) // 30_000_000 // 8


def test_transaction_waits_until_its_cap_covers_the_base_fee() -> None:
    environment, chain, _ = ethereum(initial_base_fee_wei=1_000)
    receipts: list[Receipt] = []
    chain.submit(ethereum_tx(1, tip_wei=1, max_fee_wei=800), receipts.append)
    environment.run_until(2 * SLOT_NS)
    assert receipts == []
    assert chain.pending == 1
    environment.run_until(3 * SLOT_NS)  # 1000, 875, 766
    assert receipts == [Receipt(2, 3 * SLOT_NS, 21_000 * 767)]


def test_nonces_go_in_order_and_many_in_one_block() -> None:
    environment, chain, _ = ethereum()
    order: list[tuple[int, int]] = []

    def send(nonce: int, tip_wei: int) -> Refusal | None:
        transaction = ethereum_tx(10 + nonce, tip_wei=tip_wei, sender=1, nonce=nonce)
        return chain.submit(transaction, lambda receipt: order.append((nonce, receipt.height)))

    send(2, 900)
    send(1, 10)
    environment.run_until(SLOT_NS)
    assert order == []  # nonce 0 is missing
    send(0, 5)
    environment.run_until(2 * SLOT_NS)
    assert order == [(0, 1), (1, 1), (2, 1)]
    assert send(1, 10**6) is Refusal.NONCE_USED


def test_replacement_must_outbid_by_a_tenth() -> None:
    environment, chain, _ = ethereum(initial_base_fee_wei=1_000)
    receipts: list[Receipt] = []
    chain.submit(ethereum_tx(1, tip_wei=100, max_fee_wei=2_000), receipts.append)
    cheap = ethereum_tx(2, tip_wei=109, max_fee_wei=3_000, sender=1)
    assert chain.submit(cheap, receipts.append) is Refusal.REPLACEMENT_TOO_CHEAP
    enough = ethereum_tx(3, tip_wei=110, max_fee_wei=2_200, sender=1)
    assert chain.submit(enough, receipts.append) is None
    assert chain.pending == 1
    environment.run_until(SLOT_NS)
    assert [receipt.fee for receipt in receipts] == [21_000 * 1_110]


def test_refusals() -> None:
    _, chain, _ = ethereum()
    assert chain.submit(ethereum_tx(1, gas=2**24 + 1)) is Refusal.TOO_LARGE  # EIP-7825
    assert chain.submit(ethereum_tx(1, gas=2**24)) is None
    assert chain.submit(ethereum_tx(2, blobs=7)) is Refusal.BAD_BLOBS  # EIP-7594
    assert chain.submit(ethereum_tx(3, tip_wei=10, max_fee_wei=9)) is Refusal.FEE_TOO_LOW
    with pytest.raises(ValueError, match=r"hash must be 32 bytes \(got 2\)"):
        chain.submit(EthereumTransaction(b"ab", 21_000, 100, 1, 1, Purpose.PAYMENT, 0, 0))
    with pytest.raises(ValueError, match="gas must be at least 1"):
        chain.submit(ethereum_tx(4, gas=0))
    _, old, _ = ethereum(fork="london")
    assert old.submit(ethereum_tx(1, blobs=1)) is Refusal.BAD_BLOBS
    assert old.submit(ethereum_tx(1, gas=2**24 + 1)) is None
    assert (old.blob_base_fee_wei, old.suggest_blob_fee()) == (0, 0)


def test_london_rows_have_no_blob_fee() -> None:
    environment, _, recorder = ethereum(fork="london")
    environment.run_until(SLOT_NS)
    assert recorder.blocks.columns["blob_fee_level"] == [None]


def test_blob_fee_is_charged_apart() -> None:
    environment, chain, recorder = ethereum(initial_base_fee_wei=1_000, initial_excess_blob_gas=40 * 11_684_671)
    blob_fee = chain.blob_base_fee_wei
    assert blob_fee > 10**17  # e**40
    receipts: list[Receipt] = []
    chain.submit(ethereum_tx(1, tip_wei=3, blobs=2, max_blob_fee_wei=blob_fee), receipts.append)
    chain.submit(ethereum_tx(2, tip_wei=3, blobs=2, max_blob_fee_wei=blob_fee - 1), receipts.append)
    environment.run_until(SLOT_NS)
    assert receipts == [Receipt(0, SLOT_NS, 21_000 * 1_003 + 2 * 131_072 * blob_fee, 2 * 131_072 * blob_fee)]
    assert chain.pending == 1
    assert recorder.blocks.columns["blobs"] == [2]
    assert chain.excess_blob_gas == 40 * 11_684_671 + 2 * 131_072 - 14 * 131_072
    environment.run_until(2 * SLOT_NS)  # the blob fee has fallen below the cap
    assert len(receipts) == 2


def test_block_holds_no_more_blobs_than_the_fork_allows() -> None:
    environment, chain, recorder = ethereum()
    for number in range(10):
        chain.submit(ethereum_tx(number, tip_wei=10 + number, blobs=6, max_blob_fee_wei=GWEI))
    chain.submit(ethereum_tx(99, tip_wei=1, blobs=3, max_blob_fee_wei=GWEI))
    environment.run_until(2 * SLOT_NS)
    assert recorder.blocks.columns["blobs"] == [21, 18]  # three of six and the small one; three more
    assert recorder.blocks.columns["transactions"] == [4, 3]


def test_full_block_takes_the_highest_effective_tips() -> None:
    environment, chain, _ = ethereum(gas_limit=10 * 21_000, initial_base_fee_wei=1_000)
    rng = np.random.default_rng(5)
    bids = [
        (int(tip), int(cap)) for tip, cap in zip(rng.integers(1, 500, 60), rng.integers(1_000, 1_500, 60), strict=True)
    ]
    heights: dict[int, int] = {}
    base_fees = []
    for number, (tip, cap) in enumerate(bids):
        chain.submit(
            ethereum_tx(number, tip_wei=tip, max_fee_wei=cap),
            lambda receipt, number=number: heights.update({number: receipt.height}),
        )
    for slot in range(1, 5):
        base_fees.append(chain.base_fee_wei)
        environment.run_until(slot * SLOT_NS)
    waiting = list(range(60))
    for height, base_fee in enumerate(base_fees):
        payable = [n for n in waiting if bids[n][1] >= base_fee]
        best = sorted(payable, key=lambda n: (-min(bids[n][0], bids[n][1] - base_fee), n))[:10]
        assert [n for n in heights if heights[n] == height] == best
        waiting = [n for n in waiting if n not in best]


def test_background_with_higher_tips_goes_first_in_a_full_block() -> None:
    settings = {"gas_load": 8.0, "elasticity": 0.1, "median_tip_gwei": 1.0, "tip_sigma": 0.1, "burn_in_slots": 0}
    environment, chain, recorder = ethereum(background=settings, initial_base_fee_wei=GWEI // 5)
    low = ethereum_tx(1, tip_wei=GWEI // 10)
    high = ethereum_tx(2, tip_wei=10 * GWEI)
    included: list[int] = []
    chain.submit(low, lambda _: included.append(1))
    chain.submit(high, lambda _: included.append(2))
    environment.run_until(5 * SLOT_NS)
    assert included == [2]
    assert recorder.blocks.columns["used"] == [60_000_000] * 5
    assert chain.suggest_fees()[1] > GWEI  # full blocks tell wallets to tip more than the usual 1 gwei


def test_wallet_fees_get_in_at_once() -> None:
    environment, chain, _ = ethereum(background={})
    waits = []

    def send(number: int) -> None:
        max_fee_wei, tip_wei = chain.suggest_fees()
        height = chain.height
        transaction = ethereum_tx(number, tip_wei=tip_wei, max_fee_wei=max_fee_wei)
        chain.submit(transaction, lambda receipt: waits.append(receipt.height - height))

    for number in range(500):
        environment.call_at(number * 60 * NS_PER_S, send, number)
    environment.run_until(500 * 60 * NS_PER_S + 600 * NS_PER_S)
    assert len(waits) == 500
    assert np.mean(np.array(waits) == 1) > 0.9
    assert max(waits) < 10


def test_finality_is_two_epochs_after_the_covering_checkpoint() -> None:
    # Published ladder: 12.8 min at least, 12.8 to 19.2 min over a uniform phase, 16.0 min in the mean.
    environment, chain, _ = ethereum()
    waits = []
    for slot in range(1, 32 * 4 + 1):
        receipt = Receipt(slot - 1, slot * SLOT_NS, 0)
        waits.append((chain.final_ns(receipt) - receipt.time_ns) / 60e9)
    assert min(waits) == 12.8
    assert 12.8 < max(waits) < 19.2
    assert np.mean(waits) == pytest.approx(16.0, rel=0.01)
    final: list[int] = []
    chain.finalize(Receipt(0, 32 * SLOT_NS, 0), lambda _: final.append(environment.now))
    chain.finalize(Receipt(0, 33 * SLOT_NS, 0), lambda _: final.append(environment.now))
    environment.run_until(200 * SLOT_NS)
    assert final == [96 * SLOT_NS, 128 * SLOT_NS]


def test_missed_slots() -> None:
    environment, _, recorder = ethereum(missed_slot_rate=0.25, background={})
    environment.run_until(4_000 * SLOT_NS)
    assert len(recorder.blocks) == pytest.approx(3_000, abs=100)
    assert recorder.blocks.columns["height"] == list(range(len(recorder.blocks)))
    times = np.array(recorder.blocks.columns["time_ns"])
    assert np.all(times % SLOT_NS == 0)
    used = np.array(recorder.blocks.columns["used"])
    gaps = np.diff(times) // SLOT_NS
    assert used[1:][gaps == 2].mean() > 1.2 * used[1:][gaps == 1].mean()


def test_sleep_keeps_heights_and_fees() -> None:
    environment, chain, recorder = ethereum(background={})
    environment.run_until(10 * SLOT_NS)
    before = chain.base_fee_wei, chain.blob_base_fee_wei
    chain.sleep_until(50_010 * SLOT_NS)
    environment.run_until((50_009 - WAKING_SLOTS) * SLOT_NS)
    assert (chain.base_fee_wei, chain.blob_base_fee_wei) == before
    environment.run_until(50_009 * SLOT_NS)
    assert chain.base_fee_wei != before[0], "the market has run again before the sleep ends"
    assert len(recorder.blocks) == 10
    chain.submit(ethereum_tx(1))
    with pytest.raises(InvariantError, match="must not sleep"):
        chain.sleep_until(60_000 * SLOT_NS)
    environment.run_until(50_010 * SLOT_NS)
    assert recorder.blocks.columns["height"] == [*range(10), 50_009]


def test_default_background_is_stationary() -> None:
    environment, _, recorder = ethereum(seed=2, background={"drift_half_life_s": 600.0})
    environment.run_until(5_000 * SLOT_NS)
    columns = recorder.blocks.columns
    fees = np.array(columns["fee_level"])
    assert np.mean(columns["used"]) == pytest.approx(30_000_000, rel=0.03)
    assert np.median(fees) == pytest.approx(0.2, rel=0.3)
    assert np.median(fees[:2_500]) == pytest.approx(np.median(fees[2_500:]), rel=0.3)
    assert np.mean(columns["blobs"]) == pytest.approx(0.25 * 21, rel=0.03)  # MigaLabs: 20 to 30 % of BPO2
    # EIP-7918: with demand below target the blob fee hovers about its reserve, base fee / 16.
    assert np.median(np.array(columns["blob_fee_level"]) / fees) == pytest.approx(1 / 16, rel=0.2)


def test_blob_demand_above_target_settles_at_what_users_tolerate() -> None:
    settings = {"blob_share": 1.0, "blob_tolerance_gwei": 5.0, "blob_elasticity": 1.0}
    environment, _, recorder = ethereum(background=settings, initial_excess_blob_gas=20 * 11_684_671)
    environment.run_until(4_000 * SLOT_NS)
    columns = recorder.blocks.columns
    assert np.mean(columns["blobs"][1_000:]) == pytest.approx(14, rel=0.02)
    # 21 wanted, 14 served: the fee stands where demand falls by a third, 1.5 times the tolerance.
    assert np.median(columns["blob_fee_level"][1_000:]) == pytest.approx(7.5, rel=0.1)


def test_constant_demand_settles_at_its_price() -> None:
    settings = {"gas_load": 2.0, "elasticity": 2.0, "base_fee_gwei": 10.0, "noise_sigma": 0.0, "drift_sigma": 0.0}
    environment, chain, _ = ethereum(background=settings, initial_base_fee_wei=GWEI)
    environment.run_until(300 * SLOT_NS)
    assert chain.base_fee_wei == pytest.approx(10 * GWEI * 2**0.5, rel=0.01)  # 2 (b / 10 gwei)**-2 = 1


def test_demand_draws_have_mean_one_and_the_stated_spread() -> None:
    config = EthereumConfig.model_validate(
        {"background": {"noise_sigma": 0.4, "drift_sigma": 0.3, "drift_half_life_s": 120.0}}
    )
    streams = Streams(1)
    background = EthereumBackground(config, streams.get("gas"), streams.get("blobs"), streams.get("tips"))
    loads = np.array([background._load() for _ in range(40_000)])
    assert loads.mean() == pytest.approx(1.0, rel=0.02)
    logs = np.log(loads)
    assert logs.std() == pytest.approx(0.5, rel=0.02)
    lag = round(120 / 12)
    covariance = np.mean((logs[:-lag] - logs.mean()) * (logs[lag:] - logs.mean()))
    assert covariance == pytest.approx(0.3**2 / 2, rel=0.1)


def test_demand_is_bounded_however_cheap_gas_is() -> None:
    config = EthereumConfig()
    background = EthereumBackground(config, Streams(1).get("gas"), Streams(1).get("blobs"), Streams(1).get("tips"))
    background.arrive(7, 1)
    assert sum(background.gas) == pytest.approx(MOST_LOAD * 30_000_000, rel=1e-6)
    background.arrive(2 * 10**12, 1)  # at such a price almost everybody leaves again
    assert sum(background.gas) < 30_000_000 // 100


def test_poisson_quantile() -> None:
    draws = [poisson_quantile(u, 5.25) for u in (np.arange(20_000) + 0.5) / 20_000]
    assert np.mean(draws) == pytest.approx(5.25, rel=1e-3)
    assert np.var(draws) == pytest.approx(5.25, rel=1e-2)
    assert poisson_quantile(0.0, 5.25) == 0
    assert poisson_quantile(0.999, 0.0) == 0


def test_ten_thousand_pending_are_not_sorted_again() -> None:
    environment, chain, recorder = ethereum(gas_limit=2_100_000)
    tips = np.random.default_rng(1).integers(1, 10**6, 10_000).tolist()
    taken: list[int] = []
    for number, tip in enumerate(tips):
        chain.submit(ethereum_tx(number, tip_wei=tip), lambda _, tip=tip: taken.append(tip))
    environment.run_until(100 * SLOT_NS)
    assert taken == sorted(tips, reverse=True)
    assert recorder.blocks.columns["pending"] == list(range(9_900, -1, -100))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fork": "shanghai"}, "fork must be one of london, cancun, prague, osaka, bpo1, bpo2"),
        (
            {"fork": "london", "initial_excess_blob_gas": 5},
            r"needs a fork with blobs, cancun or later \(got fork london",
        ),
        ({"gas_limit": 100}, "greater than or equal to 5000"),
        ({"missed_slot_rate": 1.0}, "less than 1"),
        ({"initial_base_fee_wei": 6}, "greater than or equal to 7"),
        ({"background": {"elasticity": 0}}, "greater than or equal to 0.1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EthereumConfig.model_validate(settings)


def test_build_chain() -> None:
    chain = build_chain("e", EthereumConfig(), Environment(), Streams(1), Recorder(0))
    assert (chain.name, chain.asset, chain.pending) == ("e", Asset.ETH, 0)
    assert GAS_PER_BLOB == 131_072


def test_what_happens_in_a_sleep_happens_as_if_every_slot_were_made() -> None:
    """Confirmations, new sleeps and a transaction come out the same whether quiet slots are skipped or stepped."""

    def live(missed_slot_rate: float) -> tuple[list[tuple[int, int]], list[int], int]:
        environment, chain, recorder = ethereum(background={}, missed_slot_rate=missed_slot_rate)
        seen: list[tuple[int, int]] = []
        chain.submit(ethereum_tx(0), lambda receipt: chain.confirm(receipt, 700, note))

        def note(receipt: Receipt) -> None:
            seen.append((environment.now // SLOT_NS, receipt.height))

        environment.run_until(5 * SLOT_NS)
        chain.sleep_until(10_000 * SLOT_NS)
        environment.call_at(300 * SLOT_NS + 5, chain.sleep_until, 5_000 * SLOT_NS)
        environment.call_at(900 * SLOT_NS, chain.submit, ethereum_tx(1), note)
        environment.call_at(2_000 * SLOT_NS + 1, chain.submit, ethereum_tx(2), note)
        environment.run_until(2_100 * SLOT_NS)
        return seen, recorder.blocks.columns["height"], chain.height

    # A rate so small that no slot is missed still makes the chain step through every one.
    assert live(0.0) == live(1e-15)


def test_a_fee_spike_before_a_sleep_is_gone_after_it() -> None:
    environment, chain, _ = ethereum(background={})
    environment.run_until(10 * SLOT_NS)
    chain.base_fee_wei *= 1_000
    chain.sleep_until(1_000 * SLOT_NS)
    environment.run_until(1_000 * SLOT_NS)
    assert chain.base_fee_wei < 10**9
