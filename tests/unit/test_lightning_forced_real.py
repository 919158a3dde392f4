"""Channels on chain with every key and signature made: the same runs as modelled, and transactions as bytes."""

import numpy as np
import pytest

from l2sim.crypto.bitcoin.transaction import Transaction
from l2sim.crypto.onion.failures import FailureCode
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import PaymentRecord
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, line, on_graph, run_payments, run_whole, settings
from tests.support.worlds import workload, world

CALM = {"block_times": "clocked", "background": {"load": 0.0}}
DEAR = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
FULL = {"dance": "full", "confirmations": 1}


def run(crypto, graph, rows, chain=CALM, **changes):
    made = world(
        workload(rows, [10**9] * graph.node_count), "bitcoin", BitcoinConfig.model_validate(chain), crypto=crypto,
        payments_s=86_400, end_s=30 * 86_400,
    )  # fmt: skip
    system = LightningSystem("lightning", settings(**changes), made, made.chains["bitcoin"], graph)
    system.population.node_of_user[:] = np.arange(graph.node_count)
    return run_whole(system)


def both(*arguments, **changes):
    """The run with both kinds of cryptography, which must agree; returns the real one."""
    modelled, real = (run(crypto, *arguments, **changes) for crypto in ("modelled", "real"))
    for name in PaymentRecord.__slots__:
        assert (
            getattr(modelled.world.recorder.payments, name).tolist()
            == getattr(real.world.recorder.payments, name).tolist()
        )
    assert modelled.world.recorder.channels.columns == real.world.recorder.channels.columns
    assert modelled.audit() == real.audit()
    assert modelled.work == real.work
    counts = real._signer.counts
    assert (counts.made, counts.verified) == (real.work.ecdsa_signs, real.work.ecdsa_verifies)
    for closing in real._signer.closings.values():
        for transaction in closing.transactions:
            assert Transaction.parse(transaction.serialize()) == transaction
            assert all(txin.witness or transaction.version == 3 for txin in transaction.inputs)
    return real


def published(system):
    return [closing.transactions for closing in system._signer.closings.values()]


def kinds(system):
    """What the inputs' witnesses are, by number of items and what unlocks them, over all transactions on chain."""
    found = set()
    for transactions in published(system):
        commitment = transactions[0]
        for transaction in transactions[1:]:
            first = transaction.inputs[0]
            items = len(first.witness)
            if first.outpoint.txid != commitment.txid:
                found.add("sweep of a second stage")
            elif items == 5:
                found.add("HTLC-success" if first.witness[3] else "HTLC-timeout")
                assert transaction.inputs[0].sequence == (0 if commitment.version == 3 else 1)
            elif items == 3:
                found.add({b"": "delayed", b"\x01": "penalty"}.get(first.witness[1], "by preimage or key"))
            elif items == 0:
                found.add("shared anchor")
            else:
                found.add("anchor" if len(transaction.inputs) == 2 and len(first.witness[1]) == 40 else "to_remote")
    return found


@pytest.mark.parametrize(
    ("kind", "seed", "hold_s", "expected"),
    [
        ("anchors", 1, 1_500, "HTLC-success"), ("anchors", 2, 20_000, "HTLC-timeout"),
        ("zero_fee", 1, 1_500, "HTLC-success"),
    ],
    ids=["held for minutes", "held beyond the expiry", "without fees"],
)  # fmt: skip
def test_htlcs_on_chain_are_signed_by_the_keys_of_the_dance(kind, seed, hold_s, expected):
    graph = line(*[(3_000_000, 3_000_000)] * 4)
    rng = np.random.default_rng(seed)
    rows = [
        (40.0 * i, *((0, 4) if rng.random() < 0.5 else (4, 0)), int(rng.integers(200, 40_000)) * SAT) for i in range(60)
    ]
    real = both(
        graph,
        rows,
        channels=FULL | {"channel_type": kind},
        nodes={"hold": {"kind": "exponential", "mean_s": hold_s}},
        onchain={"forced_per_channel_year": 8_000.0, "to_self_delay_blocks": 6},
    )
    assert real.forced.closed == 4
    for transactions in published(real):
        versions = {transaction.version for transaction in transactions}
        assert versions <= ({2, 3} if kind == "zero_fee" else {2})
        assert transactions[0].version == max(versions)
    assert {"delayed", "to_remote", expected, "sweep of a second stage"} <= kinds(real)


def test_a_channel_that_nothing_has_crossed_is_closed_by_its_first_commitment():
    real = both(
        line((1_000_000, 500_000), (700_000, 0)), [(600.0 * i, 0, 1, 5_000 * SAT) for i in range(60)],
        channels=FULL, onchain={"forced_per_channel_year": 10_000.0, "to_self_delay_blocks": 6},
    )  # fmt: skip
    assert real.forced.closed == 2


def test_a_shared_anchor_needs_no_signature():
    real = both(
        line((5_000_000, 5_000_000), (5_000_000, 5_000_000)), [(600.0 * i, 0, 2, 50_000 * SAT) for i in range(20)],
        DEAR, channels=FULL | {"channel_type": "zero_fee"},
        onchain={"forced_per_channel_year": 10_000.0, "to_self_delay_blocks": 6},
    )  # fmt: skip
    assert "shared anchor" in kinds(real)


def test_anchors_pay_for_commitments_with_a_coin_of_the_wallet():
    real = both(
        line((5_000_000, 5_000_000), (5_000_000, 5_000_000)), [(600.0 * i, 0, 2, 50_000 * SAT) for i in range(20)],
        DEAR, channels=FULL, onchain={"forced_per_channel_year": 10_000.0, "to_self_delay_blocks": 6},
    )  # fmt: skip
    assert "anchor" in kinds(real)


@pytest.mark.parametrize(("dance", "channel_type"), [("quick", "anchors"), ("full", "anchors"), ("full", "zero_fee")])
@pytest.mark.parametrize(
    ("victim", "kind"),
    [
        ({}, "breach_punished"),
        ({"victim_away_share": 1.0, "watchtower": {}}, "breach_punished"),
        ({"victim_away_share": 1.0}, "breach_paid"),
    ],
    ids=["watching", "tower", "away"],
)
def test_revoked_commitments_are_published_as_signed_and_punished_by_their_secret(dance, channel_type, victim, kind):
    rows = [(600.0 * i, 0, 1, 20_000 * SAT) for i in range(20)]
    rules = {"cheaters_share": 1.0, "probability": 1.0, "every_s": 1_800, "gain_share": 0.1, **victim}
    real = both(
        line((1_000_000, 100_000)), rows, channels={"dance": dance, "channel_type": channel_type},
        onchain={"to_self_delay_blocks": 12, "breach": rules},
    )  # fmt: skip
    assert real.world.recorder.channels.columns["close_kind"] == [kind]
    assert ("penalty" in kinds(real)) == (kind == "breach_punished")


def test_mutual_and_forced_closes_of_users_agree_with_the_model():
    from tests.support.lightning import quiet_world

    systems = []
    for crypto in ("modelled", "real"):
        made = quiet_world([(float(i), i % 6, (i + 1) % 6, 50_000 * SAT) for i in range(12)], 6, crypto=crypto)
        config = settings(
            users={"kind": "attached"}, liquidity={"kind": "even"}, topology={"kind": "generated", "nodes": 20},
            onchain={"uncooperative_share": 0.5, "to_self_delay_blocks": 6}, backbone={"renewals": 3},
        )  # fmt: skip
        systems.append(run_whole(LightningSystem("lightning", config, made, made.chains["bitcoin"])))
    modelled, real = systems
    assert modelled.world.recorder.channels.columns == real.world.recorder.channels.columns
    kinds_found = modelled.world.recorder.channels.columns["close_kind"]
    assert kinds_found.count("force") * kinds_found.count("mutual") > 0
    assert modelled.work == real.work
    assert real._signer.counts.made == real.work.ecdsa_signs
    assert real._signer.counts.verified == real.work.ecdsa_verifies


def test_the_payer_of_an_htlc_that_its_payee_claims_too_late_reads_no_failure():
    system = on_graph(
        line((1_000_000, 1_000_000)), [(1.0, 0, 1, 20_000 * SAT)], settings(channels=FULL), crypto="real",
        payments_s=86_400,
    )  # fmt: skip
    network, environment = system.htlcs, system.world.environment

    def look() -> None:
        link = network._links.get(0)
        begun = [] if link is None else [key for key, htlc in link.htlcs.items() if htlc.removing]
        if begun:
            network.take_on_chain(0, 0)
            network.resolve(*begun[0], fulfilled=False)
        else:
            environment.call_in(10**6, look)

    environment.call_at(system.world.horizon.payments_ns, look)
    run_payments(system)
    assert system.settled
    record = system.world.recorder.payments
    assert record.outcome[0] == Outcome.COMPLETED  # the payee gave the preimage away; the money went back
    assert (record.fee[0], system.payments.fees_msat) == (0, 0)
    assert system.state.balance_msat.tolist() == [1_000_000 * SAT] * 2


def test_a_timeout_on_chain_makes_a_failure_of_its_own_whatever_failed_further_on():
    system = on_graph(
        line(*[(1_000_000, 1_000_000)] * 3), [(1.0, 0, 3, 20_000 * SAT)],
        settings(channels=FULL, nodes={"faults": {"incorrect_or_unknown_payment_details": 1.0}}), crypto="real",
        payments_s=86_400,
    )  # fmt: skip
    network, environment = system.htlcs, system.world.environment

    def look() -> None:
        link = network._links.get(2)
        if link is not None and any(htlc.removing for htlc in link.htlcs.values()):
            attempt = next(iter(link.htlcs))[0]
            network.take_on_chain(1, 0)
            network.resolve(attempt, 1, fulfilled=False)
        else:
            environment.call_in(10**6, look)

    environment.call_at(system.world.horizon.payments_ns, look)
    run_payments(system)
    assert system.settled
    assert system.world.recorder.payments.failure_code[0] == FailureCode.PERMANENT_CHANNEL_FAILURE
