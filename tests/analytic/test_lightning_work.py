"""What a payment costs in signatures, messages, time and blocks, by hand."""

import pytest

from l2sim.crypto.profiles import load_profile
from l2sim.systems.lightning.dance_work import DanceWork, revocation_work, sign_work, verify_work
from tests.support.lightning import MS, SAT, line, on_graph, run_whole, settings

BIG = (5_000_000, 5_000_000)


@pytest.mark.parametrize("hops", [1, 2, 4])
@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_a_payment_over_idle_channels_costs_six_signatures_a_hop(hops, crypto):
    system = run_whole(on_graph(line(*[BIG] * hops), [(0, 0, hops, 50_000 * SAT)], crypto=crypto))
    work, dance = system.work, system.dance
    assert (work.ecdsa_signs, work.ecdsa_verifies) == (6 * hops, 6 * hops)
    assert (dance.commitments, dance.revocations) == (4 * hops, 4 * hops)
    # update_add_htlc, update_fulfill_htlc, four commitment_signed, four revoke_and_ack: ten messages a channel.
    assert 2 * hops + dance.commitments + dance.revocations == 10 * hops
    assert (work.onion_builds, work.onion_peels) == (1, hops)
    # A secret to check and a point to make for each revocation, five keys on both sides for each commitment.
    assert work.point_multiplications == 4 * hops * (1 + 1 + 2 * 5)


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_dust_needs_no_htlc_signatures(crypto):
    system = run_whole(on_graph(line(*[BIG] * 3), [(0, 0, 3, 300 * SAT)], crypto=crypto))
    assert (system.work.ecdsa_signs, system.work.ecdsa_verifies) == (4 * 3, 4 * 3)
    assert system.dance.revocations == 4 * 3


def test_one_more_htlc_is_signed_with_all_that_are_in_flight():
    # The second add finds k = 1 in the channel: 2 (2 + k) signatures to add it (BOLT 2).
    config = settings(latency={"kind": "constant", "one_way_ms": 1_000})
    system = on_graph(line(BIG, BIG), [(0, 0, 1, 50_000 * SAT), (2.9, 0, 1, 50_000 * SAT)], config)
    system.open()
    environment = system.world.environment
    environment.run_until(system.world.horizon.payments_ns + int(2.5e9))
    first = system.dance.total().ecdsa_signs
    assert first == 2 * 2
    environment.run_until(system.world.horizon.payments_ns + int(2.95e9))
    assert system.dance.total().ecdsa_signs - first == 3  # the payer's commitment_signed over two HTLCs


def test_the_price_of_a_step_is_the_sum_of_its_parts():
    profile = load_profile("reference")
    sign, verify = profile.cost_ns(sign_work(1)), profile.cost_ns(verify_work(1))
    assert sign == pytest.approx(2 * profile.ecdsa_sign_ns + 5 * profile.point_multiplication_ns, rel=0.01)
    assert verify == pytest.approx(2 * profile.ecdsa_verify_ns + 6 * profile.point_multiplication_ns, rel=0.01)
    assert profile.cost_ns(revocation_work()) == profile.point_multiplication_ns
    dance = DanceWork(profile)
    assert dance.sign(1) + dance.sign(1) + dance.verify(1) == 2 * sign + verify
    assert profile.cost_ns(dance.total()) == pytest.approx(2 * sign + verify, abs=2)


def test_the_time_of_a_payment_is_messages_and_processor_time():
    profile = load_profile("reference")
    hops, one_way_ns = 3, 50 * MS
    system = run_whole(on_graph(line(*[BIG] * hops), [(0, 0, hops, 50_000 * SAT)]))
    record = system.world.recorder.payments
    price = DanceWork(profile)
    # Add: sign; verify and sign; verify and revoke; check, peel. At the end the payee hashes the preimage.
    hop_ns = price.sign(1) + price.verify(1) + price.sign(1) + price.check_revocation() + price.verify(1)
    hop_ns += price.check_revocation() + price.peel_onion() + 3 * one_way_ns
    assured_ns = hops * hop_ns + price.build_onion() + price.check_preimage()
    assert record.assured_ns[0] - record.submitted_ns[0] == assured_ns
    # Removal: the same three messages over the last channel, with the HTLC gone from the commitments.
    removal_ns = price.sign(0) + price.check_preimage() + price.verify(0) + price.sign(0)
    removal_ns += price.check_revocation() + price.verify(0) + 3 * one_way_ns
    # The last forwarding node passes the preimage on before it answers: its upstream signature comes between.
    assert removal_ns <= record.final_ns[0] - record.assured_ns[0] <= removal_ns + price.sign(0)


def test_the_first_hop_is_locked_for_all_deltas_and_the_final_one():
    # Four forwarding hops at 80 blocks and 18 at the end: 338 blocks, and what payers add for blocks on the way.
    config = settings(payer={"block_padding": 0})
    system = on_graph(line(*[BIG] * 5, cltv_delta=80), [(0, 0, 5, 50_000 * SAT)], config)
    sent = []
    original = system.htlcs.send
    system.htlcs.send = lambda attempt: (sent.append(attempt), original(attempt))
    run_whole(system)
    assert [attempt.expiries_blocks for attempt in sent] == [[338, 258, 178, 98, 18]]
