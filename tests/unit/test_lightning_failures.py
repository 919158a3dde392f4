"""Every way an HTLC can be refused: the code the payer gets, the hop it blames, and nothing left behind."""

import numpy as np
import pytest

from l2sim.crypto.onion.failures import FailureCode
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.state import Phase
from tests.support.lightning import MS, SAT, line, on_graph, run_payments, settings

EVEN = (500_000, 500_000)
CRYPTO = pytest.mark.parametrize("crypto", ["modelled", "real"])


def pay(change, crypto="modelled", graph=None, amount_msat=50_000 * SAT, **changes):
    """One payment over four nodes in a line after `change(system)`; returns its code, hop and outcome."""
    system = on_graph(
        graph or line(EVEN, EVEN, EVEN), [(0, 0, 3, amount_msat)], settings(**changes), crypto=crypto, payments_s=86_400
    )
    if change is not None:
        change(system)
    balances = system.state.balance_msat.copy()
    run_payments(system)
    system.audit().check("after a failure")
    assert np.array_equal(system.state.balance_msat, balances)
    assert system.htlcs.under_way == 0
    record = system.world.recorder.payments
    return FailureCode(int(record.failure_code[0])), int(record.failed_hop[0]), Outcome(int(record.outcome[0]))


def dearer(system):
    system.policies.change(2, 0, 1_000, 200, 80)


def slower(system):
    system.policies.change(2, 0, 1_000, 1, 144)


def set_column(name, index, value):
    def change(system):
        getattr(system.state, name)[index] = value

    return change


def filled(system):
    system.state.lock(2, 400_000 * SAT)
    system.state.lock(2, 1_000 * SAT)


@CRYPTO
@pytest.mark.parametrize(
    ("change", "settings_of", "code"),
    [
        (dearer, {"nodes": {"policy_grace_s": 0}}, FailureCode.FEE_INSUFFICIENT),
        (slower, {"nodes": {"policy_grace_s": 0}}, FailureCode.INCORRECT_CLTV_EXPIRY),
        (set_column("htlc_min_msat", 2, 10**8), {}, FailureCode.AMOUNT_BELOW_MINIMUM),
        (set_column("htlc_max_msat", 2, 10**6), {}, FailureCode.TEMPORARY_CHANNEL_FAILURE),
        (set_column("enabled", 2, False), {}, FailureCode.CHANNEL_DISABLED),
        (set_column("connected", 1, False), {}, FailureCode.TEMPORARY_CHANNEL_FAILURE),
        (set_column("phase", 1, Phase.CLOSING), {}, FailureCode.CHANNEL_DISABLED),
        (filled, {"channels": {"max_accepted_htlcs": 2}}, FailureCode.TEMPORARY_CHANNEL_FAILURE),
        (filled, {"channels": {"max_in_flight_ppm": 450_000}}, FailureCode.TEMPORARY_CHANNEL_FAILURE),
        (None, {"nodes": {"min_expiry_blocks": 150}}, FailureCode.EXPIRY_TOO_SOON),
        (None, {"nodes": {"max_expiry_blocks": 100}}, FailureCode.EXPIRY_TOO_FAR),
    ],
    ids=[
        "fee", "delta", "minimum", "maximum", "disabled", "offline", "closing", "slots", "in flight", "too soon",
        "too far",
    ],
)  # fmt: skip
def test_a_node_says_why_it_does_not_forward(change, settings_of, code, crypto, request):
    payer = {"policy": "cheapest"}
    found = pay(change, crypto, payer=payer, **settings_of)
    assert found[:2] == (code, 1)
    expected = {filled: Outcome.TOO_MANY_HTLCS}.get(change, Outcome.NOT_FORWARDED)
    if "maximum" not in request.node.name:
        assert found[2] is expected


def test_a_closed_channel_is_an_unknown_next_peer():
    system = on_graph(line(EVEN, EVEN, EVEN), [(0, 0, 3, 50_000 * SAT)])
    system.state.begin_closing(1)
    system.state.close(1)
    system.open()
    system.world.environment.run_until(system.world.horizon.settle_ns)
    record = system.world.recorder.payments
    assert (record.failure_code[0], record.failed_hop[0]) == (FailureCode.UNKNOWN_NEXT_PEER, 1)


@CRYPTO
@pytest.mark.parametrize(
    ("name", "hop"),
    [
        ("temporary_node_failure", 1),
        ("permanent_node_failure", 1),
        ("required_node_feature_missing", 1),
        ("required_channel_feature_missing", 1),
        ("permanent_channel_failure", 1),
        ("invalid_onion_payload", 1),
        ("invalid_onion_version", 0),
        ("invalid_onion_hmac", 0),
        ("invalid_onion_key", 0),
        ("invalid_onion_blinding", 0),
        ("incorrect_or_unknown_payment_details", 3),
        ("final_incorrect_cltv_expiry", 3),
        ("final_incorrect_htlc_amount", 3),
    ],
)
def test_what_breaks_by_itself_comes_back_with_its_code(name, hop, crypto):
    code, failed_hop, outcome = pay(None, crypto, nodes={"faults": {name: 1.0}}, payer={"policy": "cheapest"})
    assert (code, failed_hop) == (FailureCode[name.upper()], hop)
    if hop == 3:
        assert outcome is Outcome.REFUSED_BY_PAYEE


@CRYPTO
def test_an_onion_spoiled_further_on_is_reported_by_the_node_before(crypto):
    def second_node_only(system):
        draws = iter([None, Refusal.INVALID_ONION_HMAC])
        system.htlcs._judge.fault = lambda last: next(draws)

    code, failed_hop, _ = pay(second_node_only, crypto, payer={"policy": "cheapest", "max_attempts": 1})
    assert (code, failed_hop) == (FailureCode.INVALID_ONION_HMAC, 1)


def test_a_payee_refuses_what_leaves_it_too_few_blocks():
    # A block every ten minutes, and a channel so slow that several come before the payee has the HTLC.
    slow = {"latency": {"kind": "constant", "one_way_ms": 300_000}, "payer": {"policy": "cheapest"}}
    code, failed_hop, outcome = pay(None, **slow)
    assert (code, failed_hop) == (FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS, 3)
    assert outcome is Outcome.REFUSED_BY_PAYEE
    slow["payer"]["block_padding"] = 6
    rows = [(0, 0, 3, 50_000 * SAT)]
    system = run_payments(on_graph(line(EVEN, EVEN, EVEN), rows, settings(**slow), payments_s=86_400))
    assert system.world.recorder.payments.outcome[0] == Outcome.COMPLETED


def test_every_code_of_bolt_4_has_a_refusal_and_every_refusal_a_code():
    assert {refusal.code for refusal in Refusal} == set(FailureCode)


def test_old_terms_are_honoured_for_ten_minutes():
    rows = [(0, 0, 3, 50_000 * SAT), (599, 0, 3, 50_000 * SAT), (601, 0, 3, 50_000 * SAT)]
    system = on_graph(line(EVEN, EVEN, EVEN), rows, settings(payer={"policy": "cheapest"}))
    system.policies.change(2, system.world.horizon.payments_ns, 5_000, 100, 80)
    record = run_payments(system).world.recorder.payments
    assert record.outcome.tolist() == [Outcome.COMPLETED, Outcome.COMPLETED, Outcome.NOT_FORWARDED]
    assert record.failure_code.tolist() == [-1, -1, FailureCode.FEE_INSUFFICIENT]


@pytest.mark.parametrize(
    ("base_msat", "ppm", "fee_msat"),
    [(0, 0, 1_100), (-50, 0, 1_050), (0, -500, 1_050), (0, -1, 1_100), (100, 10, 1_201), (-5_000, 0, 0)],
)
def test_inbound_fees_follow_lnds_rule(base_msat, ppm, fee_msat):
    # 1 000 + 100 000 x 1000 ppm outbound; the inbound part is reckoned on amount and outbound fee, toward zero.
    system = on_graph(line(EVEN, EVEN, base_fee_msat=1_000, fee_ppm=1_000), [])
    policies = system.policies
    policies.change_inbound(0, 0, base_msat, ppm)
    assert policies.fee_msat(0, 2, 100_000) == fee_msat
    assert policies.refusal(0, 2, fee_msat, 100_000, 80, 0) is None
    if fee_msat:
        after_grace_ns = 601 * 10**9
        assert policies.refusal(0, 2, fee_msat - 1, 100_000, 80, after_grace_ns) is Refusal.FEE_INSUFFICIENT


def test_payees_hold_for_their_time():
    held = settings(nodes={"hold": {"kind": "constant", "seconds": 30}})
    waits = []
    for config in (settings(), held):
        record = run_payments(on_graph(line(EVEN, EVEN), [(0, 0, 2, 50_000 * SAT)], config)).world.recorder.payments
        waits.append(int(record.assured_ns[0] - record.submitted_ns[0]))
    assert waits[1] - waits[0] == 30_000 * MS


@pytest.mark.parametrize(
    "hold",
    [
        {"kind": "exponential", "mean_s": 20},
        {"kind": "lognormal", "median_s": 20, "sigma": 0.5},
        {"kind": "pareto", "mean_s": 20, "shape": 4},
    ],
)
def test_times_have_the_mean_they_state(hold):
    from l2sim.engine import Streams
    from l2sim.systems.lightning.times import TimeSampler, mean_s

    time = settings(nodes={"hold": hold}).nodes.hold
    sampler = TimeSampler(time, Streams(seed=5), "hold")
    mean = sum(sampler.draw_ns() for _ in range(40_000)) / 40_000 / 1e9
    assert mean == pytest.approx(mean_s(time), rel=0.03)
