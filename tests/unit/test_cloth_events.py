"""CLoTH's events: a network worked out by hand, and the compiled events against the plain ones."""

import numpy as np
import pytest

from l2sim.systems.lightning.cloth.names import CORRECTIONS
from l2sim.systems.lightning.cloth.output import payment_lines
from l2sim.systems.lightning.cloth.reference import Generator, Reference
from l2sim.systems.lightning.cloth.simulation import simulate
from l2sim.systems.lightning.cloth.statistics import batch_means, failures, totals
from tests.support.cloth import Channel, build, drawn, payments, route
from tests.unit.test_cloth_search import random_network


def hand_made():
    """0 - 1 - 2 twice over: by 1 (edges 0, 2), where the second channel is empty on 1's side, and by 3 (4, 6)."""
    return build(
        4,
        [
            Channel(0, 1, 1_000_000, 0),
            Channel(1, 2, 99, 1_000_000, policy_a=(1_000, 1_000, 0, 40)),
            Channel(0, 3, 1_000_000, 0),
            Channel(3, 2, 500_000, 500_000, policy_a=(2_000, 0, 0, 40)),
        ],
    )


def test_a_failure_and_a_second_way():
    """Worked out by hand: by 1 costs 1 100 msat in fees, by 3 2 000, so 1 is tried first, fails, and 3 delivers."""
    network, balance_msat = hand_made()
    given = payments((0, 2, 100_000, 50))
    results = simulate(network, balance_msat, given, mpp=False, seed=3)
    assert route(results, 0) == [4, 6]
    assert (results.attempts[0], results.no_balance[0], bool(results.succeeded[0])) == (2, 1, True)
    assert results.fee_msat[0] == 2_000
    balances = balance_msat.copy()
    balances[[4, 5, 6, 7]] += [-102_000, 102_000, -100_000, 100_000]
    assert results.balance_msat.tolist() == balances.tolist()

    # Attempt 1: coin at 0, message, coin at 1, failure back; attempt 2: two coins and messages, two messages back.
    random = Generator(3)
    now_ms = 50
    for step in "cm cm cm cm m m".replace(" ", ""):
        if step == "c":
            random.uniform()
        else:
            now_ms = int(now_ms + 100 + random.normal())
    assert results.end_ms[0] == now_ms
    assert results.events == 4 + 6  # find, send, forward, fail; find, send, forward, receive, success at 3 and at 0
    line = f"0,0,2,100000,50,{now_ms},0,1,1,0,0,2,4-6,2000"
    assert payment_lines(results)[1] == line


def test_no_route_left():
    """Both ways are too small: the first fails by balance, the second cannot be tried (capacity is known)."""
    network, balance_msat = build(
        3, [Channel(0, 1, 10**6, 0), Channel(1, 2, 0, 10**6), Channel(0, 1, 10**6, 0, policy_a=(1, 1, 1, 1))]
    )
    results = simulate(network, balance_msat, payments((0, 2, 10**5, 1), (2, 0, 10**7, 2)), mpp=True, seed=3)
    assert results.succeeded.tolist() == [False, False]
    assert results.attempts.tolist() == [2, 1]
    assert {name: flags.tolist() for name, flags in failures(results).items() if flags.any()} == {
        "FailNoBalance": [True, False],
        "FailNoPath": [False, True],
    }
    assert payment_lines(results)[2] == "1,2,0,10000000,2,2,0,0,0,0,0,1,-1,"
    assert np.array_equal(results.balance_msat, balance_msat)


def test_two_halves():
    """600 msat fit through no single channel; 300 do, and both halves choose the same one, so that one fails."""
    network, balance_msat = build(2, [Channel(0, 1, 400, 0), Channel(0, 1, 350, 50)])
    results = simulate(network, balance_msat, payments((0, 1, 600, 7)), mpp=True, seed=3)
    assert bool(results.split[0])
    # The second half fails at its own hop, which teaches nothing, and then finds the channel that still has enough.
    assert bool(results.succeeded[0])
    assert (results.attempts[0], results.no_balance[0]) == (3, 1)
    assert results.balance_msat.tolist() == [100, 300, 50, 350]
    alone = simulate(network, balance_msat, payments((0, 1, 600, 7)), mpp=False, seed=3)
    assert not alone.succeeded[0]


def test_offline_nodes_cost_time():
    network, balance_msat = build(3, [Channel(0, 1, 10**7, 0), Channel(1, 2, 10**7, 0)])
    given = payments((0, 2, 1_000, 1))
    certain = simulate(network, balance_msat, given, mpp=False, seed=3, fault_probability=1.0)
    assert not certain.succeeded[0]
    # At its own hop the payer learns nothing, so it tries every 3 s until the search after 60 s: 1 + 21 x 3 000.
    assert (certain.offline[0], certain.end_ms[0], bool(certain.timed_out[0])) == (21, 63_001, True)
    assert failures(certain)["FailTimeoutExpired"].tolist() == [True]


def same_as_plain(network, balance_msat, given, **settings):
    """Run compiled and plain events, hold every payment and balance equal; returns the results."""
    expected = Reference(network, balance_msat, given, **settings)
    rows = expected.run()
    results = simulate(network, balance_msat, given, **settings)
    assert np.array_equal(results.balance_msat, expected.balance)
    counter = network.edge_counter
    assert np.array_equal(results.balance_msat + results.balance_msat[counter], balance_msat + balance_msat[counter])
    for i, payment in enumerate(rows):
        parts = payment.parts or [payment]
        also = [payment] if payment.parts else []
        assert results.end_ms[i] == max(part.end_ms for part in parts)
        assert results.succeeded[i] == all(part.succeeded for part in parts)
        assert results.timed_out[i] == any(part.timed_out for part in parts)
        assert results.attempts[i] == sum(part.attempts for part in [*also, *parts]) - len(also)
        assert results.offline[i] == sum(part.offline for part in [*also, *parts])
        assert results.no_balance[i] == sum(part.no_balance for part in [*also, *parts])
        assert results.split[i] == bool(payment.parts)
        longest = max(reversed(parts), key=lambda part: len(part.route or []))
        assert route(results, i) == [edge for edge, _ in longest.route or []]
    return results


@pytest.mark.parametrize("fault_probability", [0.0, 0.1])
@pytest.mark.parametrize("mpp", [False, True])
def test_compiled_events_are_the_plain_ones(mpp, fault_probability):
    rng = np.random.default_rng(11)
    split = retried = 0
    for seed in range(6):
        network, balance_msat = random_network(rng, 30, 60)
        # Many at a time, so that events meet at one millisecond and payments compete for the same channels.
        given = drawn(30, 60, 600.0 if seed % 2 else 30.0, rate_per_s=100.0, seed=seed + 1)
        settings = {"mpp": mpp, "seed": seed + seed % 3, "fault_probability": fault_probability}
        results = same_as_plain(network, balance_msat, given, **settings)
        split += int(results.split.sum())
        retried += int((results.attempts > 1).sum())
    assert retried > 10
    assert (split > 0) == mpp


@pytest.mark.parametrize("corrected", [*([name] for name in CORRECTIONS), list(CORRECTIONS)], ids="-".join)
def test_corrected_events_are_the_plain_ones(corrected):
    rng = np.random.default_rng(12)
    for seed in range(3):
        network, balance_msat = random_network(rng, 30, 60)
        amount_sat = 600.0
        if "parts" in corrected:  # which are of 10,000 sat at least
            network, balance_msat = network._replace(capacity_msat=100 * network.capacity_msat), 100 * balance_msat
            amount_sat = 100_000.0
        given = drawn(30, 60, amount_sat, rate_per_s=100.0, seed=seed + 1)
        settings = {"mpp": True, "seed": seed, "fault_probability": 0.1}
        results = same_as_plain(network, balance_msat, given, corrected=corrected, **settings)
        if "atomic" in corrected and results.split.any():
            halves = results.split & ~results.succeeded
            assert halves.any() or results.succeeded[results.split].all()


def test_halves_settle_together_where_that_is_corrected():
    """The second half never gets through the only channel that is left; the first is kept, or given back."""
    network, balance_msat = build(
        3, [Channel(0, 1, 10**6, 0), Channel(1, 2, 100, 300, policy_a=(0, 0, 0, 40)), Channel(0, 2, 310, 0)]
    )
    given = payments((0, 2, 620, 7))
    kept = simulate(network, balance_msat, given, mpp=True, seed=3)
    given_back = simulate(network, balance_msat, given, mpp=True, seed=3, corrected=["atomic"])
    assert kept.split.tolist() == given_back.split.tolist() == [True]
    assert kept.succeeded.tolist() == given_back.succeeded.tolist() == [False]
    assert kept.balance_msat[5] == 310
    assert np.array_equal(given_back.balance_msat, balance_msat)


def test_what_finds_no_route_is_halved_until_it_does_where_that_is_corrected():
    """A million sat over eight channels of 150,000: halves and quarters find none, eighths do."""
    network, balance_msat = build(2, [Channel(0, 1, 150_000_000, 0) for _ in range(8)])
    given = payments((0, 1, 1_000_000_000, 7))
    assert not simulate(network, balance_msat, given, mpp=True, seed=3).succeeded[0]
    for corrected in (["parts"], ["parts", "atomic"]):
        results = same_as_plain(network, balance_msat, given, mpp=True, seed=3, corrected=corrected)
        assert results.succeeded.tolist() == results.split.tolist() == [True]
        assert results.balance_msat[0::2].tolist() == [25_000_000] * 8
        too_small = payments((0, 1, 1_300_000_000, 7))
        lost = same_as_plain(network, balance_msat, too_small, mpp=True, seed=3, corrected=corrected)
        assert not lost.succeeded[0]
        assert np.array_equal(lost.balance_msat, balance_msat) == ("atomic" in corrected)
    small = build(2, [Channel(0, 1, 8_000_000, 0), Channel(0, 1, 8_000_000, 0)])
    given = payments((0, 1, 15_000_000, 7))
    assert simulate(*small, given, mpp=True, seed=3).succeeded[0]
    assert not simulate(*small, given, mpp=True, seed=3, corrected=["parts"]).succeeded[0]  # below lnd's smallest


def test_a_payee_that_is_offline_fails_the_payment_where_that_is_corrected():
    network, balance_msat = build(3, [Channel(0, 1, 10**7, 0), Channel(1, 2, 10**7, 0)])
    given = payments((0, 2, 1_000, 1))
    results = simulate(network, balance_msat, given, mpp=False, seed=3, fault_probability=1.0, corrected=["offline"])
    assert not results.succeeded[0]
    assert results.attempts[0] == 2  # the payer has learned that the other node is not there
    assert failures(results)["FailOfflineNode"].tolist() == [True]
    assert results.offline[0] == 1


def test_a_payment_ends_on_time_where_that_is_corrected():
    network, balance_msat = build(3, [Channel(0, 1, 10**7, 0), Channel(1, 2, 10**7, 0)])
    given = payments((0, 2, 1_000, 1))
    settings = {"mpp": False, "seed": 3, "fault_probability": 1.0}
    assert simulate(network, balance_msat, given, **settings).end_ms[0] == 63_001
    assert simulate(network, balance_msat, given, corrected=["timeouts"], **settings).end_ms[0] == 60_001


def test_statistics_need_every_batch():
    network, balance_msat = hand_made()
    results = simulate(network, balance_msat, payments((0, 2, 1_000, 5)), mpp=False, seed=1)
    assert all(value is None for measure in batch_means(results).values() for value in measure.values())
    assert totals(results)["succeeded"] == 1
