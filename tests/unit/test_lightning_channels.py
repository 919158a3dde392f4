"""Users' channels from funding to close, the backbone's renewals, and both kinds of cryptography."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from l2sim.engine import NS_PER_S
from l2sim.errors import TopologyError
from l2sim.l1.base import Purpose
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import PaymentRecord
from l2sim.systems.lightning.config import LightningConfig
from l2sim.systems.lightning.opening import CLOSING_WU, DUAL_FUNDING_WU, FUNDING_WU
from l2sim.systems.lightning.state import Phase
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, quiet_world, run_payments, run_whole

RATE = 100  # sat/kvB: the relay minimum, on a chain without other demand
OPEN_FEE_SAT = -(-DUAL_FUNDING_WU // 4) * RATE // 1_000 + 1
CLOSE_FEE_SAT = CLOSING_WU // 4 * RATE // 1_000 + 1
ROWS = [(i, i % 5, (i + 1 + i % 3) % 5, 30_000 * SAT) for i in range(40)]


def system(rows=ROWS, users=5, funds_msat=10**9, crypto="modelled", seed=1, user_settings=None, **changes):
    config = LightningConfig.model_validate(
        {
            "kind": "lightning",
            "l1": "bitcoin",
            "topology": {"kind": "generated", "nodes": 20},
            "users": user_settings or {"kind": "attached"},
            "backbone": {"renewals": 5},
        }
        | changes
    )
    world = quiet_world(rows, users, funds_msat, crypto=crypto, seed=seed, onboarding_s=7_200)
    return LightningSystem("lightning", config, world, world.chains["bitcoin"])


def columns(record):
    return {name: getattr(record, name).tolist() for name in PaymentRecord.__slots__}


def test_users_pay_for_their_channels_out_of_their_funds():
    made = run_whole(system())
    spending, audit = made.chain.spending, made.audit()
    assert spending[Purpose.ONBOARD].transactions == spending[Purpose.EXIT].transactions == 5
    assert spending[Purpose.ONBOARD].fee == 5 * OPEN_FEE_SAT * SAT
    rows = made.world.recorder.channels.columns
    of_users = [i for i, by in enumerate(rows["paid_by"]) if by == "user"]
    assert len(of_users) == 5
    for i in of_users:
        own_sat = 1_000_000 - 10_000 - OPEN_FEE_SAT
        assert rows["capacity_sat"][i] == 2 * own_sat
        assert rows["start_balance_a_msat"][i] == own_sat * SAT
        assert rows["open_fee_sat"][i] == OPEN_FEE_SAT
        # Sub-satoshi remainders of both sides go to the miner.
        assert CLOSE_FEE_SAT <= rows["close_fee_sat"][i] <= CLOSE_FEE_SAT + 1
        assert 0 < rows["opened_ns"][i] < made.world.horizon.payments_ns < rows["closed_ns"][i]
    assert audit.fees == spending[Purpose.ONBOARD].fee + spending[Purpose.EXIT].fee
    assert audit.entered - audit.fees == audit.balances + audit.left
    assert (made.state.phase[made.population.backbone_channels :] == Phase.CLOSED).all()
    assert (made.world.recorder.payments.outcome == Outcome.COMPLETED).all()


def test_a_channel_is_usable_only_after_its_confirmations():
    late = {"kind": "attached", "opening_share": 1.0}
    rows = [(0, u, (u + 1) % 20, 30_000 * SAT) for u in range(20)] + [(3_000, 0, 1, 30_000 * SAT)]
    made = system(rows=rows, user_settings=late, users=20)
    made.onboard()
    made.world.environment.run_until(made.world.horizon.payments_ns)
    waiting = made.state.phase[made.population.backbone_channels :] == Phase.FUNDING
    assert 0 < np.count_nonzero(waiting) < 20
    run_from_here(made)
    outcomes = made.world.recorder.payments.outcome
    assert (outcomes[:20] == Outcome.NOT_ONBOARDED).tolist() == (waiting | np.roll(waiting, -1)).tolist()
    assert outcomes[20] == Outcome.COMPLETED


def run_from_here(made):
    made.open()
    made.world.environment.run_until(made.world.horizon.settle_ns)


def test_funds_too_small_for_a_channel_stay_outside():
    made = run_whole(system(funds_msat=25_000 * SAT))
    assert (made.world.recorder.payments.outcome == Outcome.NOT_ONBOARDED).all()
    assert made.audit().entered == made.audit().balances == made.capital_locked()
    assert made.chain.spending[Purpose.ONBOARD].transactions == 0


def test_channels_still_being_funded_when_users_leave_are_closed_later():
    made = system()
    environment = made.world.environment
    made.onboard()
    environment.run_until(1_500 * NS_PER_S)
    made.leave()
    assert not made.left
    environment.run_while(lambda: not made.left, made.world.horizon.end_ns)
    made.finish()
    made.audit().check("left early")
    spending = made.chain.spending
    assert spending[Purpose.ONBOARD].transactions == spending[Purpose.EXIT].transactions > 0


def test_a_channel_closes_after_its_last_htlc():
    made = system(rows=[(0, 0, 1, 30_000 * SAT)])
    environment = made.world.environment
    made.onboard()
    environment.run_until(made.world.horizon.payments_ns)
    made.open()
    environment.run_until(made.world.horizon.payments_ns + 20_000_000)
    assert made.htlcs.under_way > 0
    made.leave()
    environment.run_until(environment.now)
    phases = made.state.phase[made.population.backbone_channels :]
    assert (phases == Phase.CLOSING).all()
    assert made.chain.pending == 5 - 1  # the payer's channel waits
    environment.run_while(lambda: not made.left, made.world.horizon.end_ns)
    made.finish()
    made.audit().check("closed behind an HTLC")
    assert (phases == Phase.CLOSED).all()
    assert made.world.recorder.payments.outcome[0] in (Outcome.TIMED_OUT, Outcome.NO_LIQUIDITY)
    assert made.economics.service_fees == 0


def test_nodes_of_the_network_can_be_the_users():
    rows = [(i, i % 8, (i + 3) % 8, 20_000 * SAT) for i in range(40)]
    for placement in ("uniform", "by_degree"):
        made = run_whole(system(rows=rows, users=8, user_settings={"kind": "nodes", "placement": placement}))
        assert len(set(made.population.node_of_user.tolist())) == 8
        assert made.chain.spending[Purpose.ONBOARD].transactions == 0
        assert made.audit().left == made.audit().fees == 0
        assert np.count_nonzero(made.world.recorder.payments.outcome == Outcome.COMPLETED) > 30
        assert made.economics.service_fees == int(made.state.fees_msat.sum())


def test_a_user_without_router_money_pays_for_one_input():
    made = run_whole(system(user_settings={"kind": "attached", "inbound_share": 0}))
    fee = -(-FUNDING_WU // 4) * RATE / 1_000
    assert made.chain.spending[Purpose.ONBOARD].fee == 5 * int(np.ceil(fee)) * SAT
    # Nobody can be paid before having paid, so some payments find no liquidity, and none is lost.
    assert not (made.world.recorder.payments.outcome == Outcome.UNFINISHED).any()


def test_users_with_several_channels_have_different_routers():
    made = system(users=30, user_settings={"kind": "attached", "channels": 3, "to": "by_degree"}, rows=[])
    graph, first = made.population.graph, made.population.backbone_channels
    routers = graph.node_b[first:].reshape(30, 3)
    assert all(len({*row}) == 3 for row in routers.tolist())
    assert (graph.node_a[first:] >= 20).all()
    assert (routers < 20).all()


def test_more_users_than_nodes_are_refused():
    with pytest.raises(TopologyError, match=r"must not be more than the network's nodes .* \(got 21\)"):
        system(users=21, rows=[], user_settings={"kind": "nodes"})


def test_routers_pay_a_share_of_what_renewing_all_channels_costs():
    made = run_whole(system())
    channels = made.population.backbone_channels
    spending = made.chain.spending[Purpose.OPERATE]
    assert spending.transactions == 2 * 5
    run_ns = 39 * NS_PER_S
    expected = run_ns / (365 * 86_400 * NS_PER_S) * channels / 5
    assert made.economics.operator_l1_share == pytest.approx(expected, rel=0.1)


def test_real_cryptography_changes_nothing_but_what_is_checked():
    modelled, real = (run_whole(system(crypto=crypto)) for crypto in ("modelled", "real"))
    assert columns(modelled.world.recorder.payments) == columns(real.world.recorder.payments)
    assert modelled.work == real.work
    assert modelled.world.recorder.channels.columns == real.world.recorder.channels.columns
    signer = real._signer.counts
    assert signer.made == real.work.ecdsa_signs > 6 * 40
    assert signer.verified == real.work.ecdsa_verifies
    assert signer.revocations == real.dance.revocations


def test_real_cryptography_holds_when_dances_cross():
    # Eighty payments within a second, both ways over the same few channels.
    rows = [(i / 80, i % 5, (i + 1 + i % 4) % 5, 5_000 * SAT) for i in range(80)]
    modelled, real = (run_whole(system(rows=rows, crypto=crypto)) for crypto in ("modelled", "real"))
    assert columns(modelled.world.recorder.payments) == columns(real.world.recorder.payments)
    assert modelled.work == real.work
    # More than 6 signatures a hop: others' HTLCs are in the commitments.
    hops = int(real.world.recorder.payments.hops.sum())
    assert real.work.ecdsa_signs > 6.5 * hops


def test_real_cryptography_carries_failures_home():
    # Little liquidity, so that attempts fail on the way.
    changes = {"topology": {"kind": "generated", "nodes": 20, "capacity_scale": 0.02}, "payer": {"policy": "cheapest"}}
    runs = [run_payments(system(crypto=crypto, seed=4, **changes)) for crypto in ("modelled", "real")]
    records = [columns(run.world.recorder.payments) for run in runs]
    assert records[0] == records[1]
    assert max(records[0]["attempts"]) > 1


def digest_of_a_run() -> str:
    """What a run of a small scenario leaves, as one hash."""
    made = run_whole(system())
    parts = [columns(made.world.recorder.payments), made.world.recorder.channels.columns, made.work, made.audit()]
    parts.append(made.world.recorder.blocks.columns)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def test_a_run_is_the_same_under_any_hash_seed():
    code = "from tests.unit.test_lightning_channels import digest_of_a_run; print(digest_of_a_run())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
