"""The two dances: the same where a channel is idle, and what waiting, sharing and batching change where it is not."""

import numpy as np
import pytest

from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import PaymentRecord
from tests.properties.test_lightning_payments import random_network
from tests.support.lightning import MS, SAT, line, on_graph, run_payments, run_whole, settings

BIG = (5_000_000, 5_000_000)
WIDE = (50_000_000, 50_000_000)
CRYPTO = pytest.mark.parametrize("crypto", ["modelled", "real"])


def columns(system):
    record = system.world.recorder.payments
    return {name: getattr(record, name).tolist() for name in PaymentRecord.__slots__}


def both(graph, rows, crypto="modelled", **changes):
    """The same payments with each dance."""
    channels = changes.pop("channels", {})
    systems = []
    for dance in ("quick", "full"):
        config = settings(channels=channels | {"dance": dance}, **changes)
        systems.append(run_whole(on_graph(graph, rows, config, crypto=crypto)))
    return systems


@CRYPTO
@pytest.mark.parametrize("latency", [{"kind": "constant", "one_way_ms": 50}, {"kind": "lognormal", "sigma": 1.0}])
def test_on_idle_channels_both_give_the_same_state_at_the_same_times(crypto, latency):
    rows = [(5 * i, 4 * (i % 2), 4 - 4 * (i % 2), (300 + 7_000 * i) * SAT + i) for i in range(12)]
    quick, full = both(line(*[BIG] * 4), rows, crypto, latency=latency)
    assert columns(quick) == columns(full)
    assert np.array_equal(quick.state.balance_msat, full.state.balance_msat)
    assert quick.work == full.work
    assert quick.htlcs.busy_ns == full.htlcs.busy_ns
    if crypto == "real":
        assert full._signer.counts.made == full.work.ecdsa_signs
        assert full._signer.counts.verified == full.work.ecdsa_verifies


@CRYPTO
def test_failures_take_the_same_way_back(crypto):
    rng = np.random.default_rng(3)
    graph = random_network(rng, 8)
    rows = [(30 * i, int(i % 8), int((i + 3) % 8), int(10 ** rng.uniform(6, 8))) for i in range(30)]
    quick, full = both(graph, rows, crypto, payer={"policy": "cheapest"})
    assert columns(quick) == columns(full)
    assert quick.work == full.work
    assert int(quick.world.recorder.payments.attempts.max()) > 1


def test_under_load_htlcs_share_signatures_and_wait_for_them():
    rows = [(i / 50, 4 * (i % 2), 4 - 4 * (i % 2), (200 + i) * SAT * 10) for i in range(400)]
    quick, full = both(line(*[WIDE] * 4), rows, payer={"policy": "cheapest"})
    for system in (quick, full):
        assert (system.world.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert np.array_equal(quick.state.balance_msat, full.state.balance_msat)
    waits = [
        system.world.recorder.payments.assured_ns - system.world.recorder.payments.submitted_ns
        for system in (quick, full)
    ]
    assert waits[1].mean() > 1.2 * waits[0].mean()
    assert full.dance.commitments < quick.dance.commitments / 4
    assert full.work.ecdsa_signs < quick.work.ecdsa_signs / 2


@CRYPTO
def test_real_commitments_are_each_sides_own(crypto):
    # Both ways at once: the two commitments of a channel differ nearly always.
    rows = [(i / 40, 2 * (i % 2), 2 - 2 * (i % 2), 60_000 * SAT + i) for i in range(60)]
    config = settings(channels={"dance": "full", "commit_interval_ms": 20}, latency={"kind": "lognormal"})
    system = run_whole(on_graph(line(WIDE, WIDE), rows, config, crypto=crypto))
    assert (system.world.recorder.payments.outcome == Outcome.COMPLETED).all()
    if crypto == "real":
        assert system._signer.counts.made == system.work.ecdsa_signs
        assert system._signer.counts.revocations == system.dance.revocations


def test_a_commit_interval_delays_adds_and_removals_but_no_preimage():
    waits = []
    for interval_ms in (0, 10, 50):
        config = settings(channels={"dance": "full", "commit_interval_ms": interval_ms})
        record = run_payments(on_graph(line(BIG, BIG, BIG), [(0, 0, 3, 50_000 * SAT)], config)).world.recorder.payments
        waits.append(
            (int(record.assured_ns[0] - record.submitted_ns[0]), int(record.final_ns[0] - record.assured_ns[0]))
        )
    for wait, interval_ms in zip(waits[1:], (10, 50), strict=True):
        # Three hops wait before their signature; on the way back the payee's channel waits once.
        assert wait[0] == pytest.approx(waits[0][0] + 3 * interval_ms * MS, abs=MS)
        assert wait[1] == pytest.approx(waits[0][1] + interval_ms * MS, abs=MS)


def test_a_full_batch_is_signed_before_the_interval_is_over():
    rows = [(0.001 * i, 0, 1, 50_000 * SAT) for i in range(4)]
    times = []
    for batch in (4, 100):
        config = settings(channels={"dance": "full", "commit_interval_ms": 1_000, "commit_batch": batch})
        record = run_payments(on_graph(line(BIG), rows, config)).world.recorder.payments
        times.append(int(record.assured_ns[0] - record.submitted_ns[0]))
    assert times[1] - times[0] == pytest.approx(997 * MS, abs=MS)


def test_a_channels_books_balance_when_it_falls_quiet():
    rows = [(i / 20, i % 3, (i + 1) % 3, 40_000 * SAT + i) for i in range(100)]
    system = run_whole(on_graph(line(BIG, BIG), rows, settings(channels={"dance": "full"})))
    assert system.htlcs._links == {}  # each was dropped with both commitments equal to the state


@CRYPTO
def test_the_funder_changes_the_fee_rate_of_both_commitments(crypto):
    rows = [(i / 10, 0, 2, 60_000 * SAT + i) for i in range(20)]
    system = on_graph(line(BIG, BIG), rows, settings(channels={"dance": "full"}), crypto=crypto)
    system.open()
    environment, start_ns = system.world.environment, system.world.horizon.payments_ns
    before = int(system.state.spendable_msat(np.array([0]))[0])
    environment.run_until(start_ns + 500 * MS)
    system.htlcs.update_fee(0, 2_000)
    link = system.htlcs._links[0]
    assert {side.contents.feerate for side in link.sides} != {2_000}  # it has to be signed first
    environment.run_until(start_ns + 900 * MS)
    assert {side.contents.feerate for side in link.sides} == {2_000}
    environment.run_until(start_ns + 60_000 * MS)
    assert (system.world.recorder.payments.outcome == Outcome.COMPLETED).all()
    spent = 20 * 60_000 * SAT + sum(range(20)) + int(system.world.recorder.payments.fee.sum())
    # Twice the fee rate, with this HTLC and one more (1468 wu): what it rose by is not there to be sent.
    dearer = (2 * 2_000 * 1_468 // 1_000 - 2 * 253 * 1_468 // 1_000) * SAT
    assert int(system.state.spendable_msat(np.array([0]))[0]) == before - spent - dearer
