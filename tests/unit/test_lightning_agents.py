"""Agents that look after routers' liquidity: what each moves, what it costs, and that no money is lost."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.crypto.bitcoin.script import p2wsh
from l2sim.crypto.bitcoin.transaction import Transaction
from l2sim.l1.base import Drop
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.real_signer import RealSigner
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, line, on_graph, run_whole, settings

HOURLY = {"nodes": 3, "every_s": 3_600.0}


def run(graph: ChannelGraph, agent: dict[str, Any], hours: int = 24, **changes: Any) -> LightningSystem:
    """A day in which one agent acts and node 0 sends node 1 a little each hour; the money is checked at the end."""
    rows = [(3_600.0 * i + 1, 0, 1, 1_000 * SAT) for i in range(hours)]
    config = settings(agents=[HOURLY | agent], **changes)
    return run_whole(on_graph(graph, rows, config, payments_s=hours * 3_600.0, end_s=20 * 86_400))


def triangle(*balances: tuple[int, int]) -> ChannelGraph:
    """Channels 0-1, 1-2 and 2-0; of each (first, second): what each side owns in sat."""
    pairs = [(0, 1), (1, 2), (2, 0)]
    triples = [(a, b, sum(balance) * SAT) for (a, b), balance in zip(pairs, balances, strict=True)]
    flat = np.array(balances, np.int64).reshape(-1) * SAT
    return ChannelGraph.from_channels(["n0", "n1", "n2"], triples, balance_msat=flat, base_fee_msat=0, fee_ppm=10)


def router(system: LightningSystem, node: int) -> dict[str, Any]:
    """The row of a router."""
    columns = system.world.recorder.routers.columns
    place = columns["node"].index(node)
    return {name: values[place] for name, values in columns.items()}


def test_a_circle_moves_money_from_the_fullest_channel_to_the_emptiest_for_routing_fees() -> None:
    system = run(
        triangle((950_000, 50_000), (500_000, 500_000), (950_000, 50_000)), {"kind": "rebalancing", "nodes": 1}, hours=3
    )
    row = router(system, 0)
    assert row["agent_actions"] == 1
    moved_msat = row["agent_moved_msat"]
    assert 440_000 * SAT < moved_msat < 450_000 * SAT
    assert row["rebalancing_fee_msat"] == pytest.approx(moved_msat * 20 / 1_000_000, rel=1e-3)  # two hops of 10 ppm
    assert row["chain_fee_msat"] == 0
    assert router(system, 1)["routing_income_msat"] == moved_msat * 10 // 1_000_000
    assert (system.world.recorder.payments.outcome == Outcome.COMPLETED).all()
    assert (row["return_ppm_per_year"] or 0) < 0 < (router(system, 1)["return_ppm_per_year"] or 0)


def test_a_circle_that_costs_too_much_is_not_tried() -> None:
    system = run(
        triangle((950_000, 50_000), (500_000, 500_000), (950_000, 50_000)),
        {"kind": "rebalancing", "nodes": 1, "most_ppm": 19},
    )
    assert router(system, 0)["agent_actions"] == 0


@pytest.mark.parametrize(("direction", "left", "right"), [("out", 950_000, 50_000), ("in", 50_000, 950_000)])
def test_a_swap_moves_money_between_channel_and_chain_for_a_price(direction: str, left: int, right: int) -> None:
    system = run(line((left, right)), {"kind": "swaps", "direction": direction, "nodes": 1}, hours=4)
    row, peer = router(system, 0), router(system, 1)
    acting = row if row["agent_actions"] else peer
    serving = peer if row["agent_actions"] else row
    assert acting["agent_actions"] == 1
    assert acting["services_msat"] == -serving["services_msat"]
    assert acting["services_msat"] == pytest.approx(-450_000 * SAT * 500 // 1_000_000, rel=0.01)
    fee_sat = 16 + 14  # 610 wu and the sweep's 545 at 0.1 sat/vB
    assert acting["chain_fee_msat"] == fee_sat * SAT
    assert abs(int(system.state.balance_msat[0]) - 500_000 * SAT) < 10_000 * SAT
    assert system.economics.operator_l1_share == pytest.approx(1)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("direction", "left", "right"), [("out", 950_000, 50_000), ("in", 50_000, 950_000)])
def test_swaps_are_really_signed_and_change_nothing_by_it(direction: str, left: int, right: int, fails: bool) -> None:
    rows = [(3_600.0 * i + 1, 0, 1, 1_000 * SAT) for i in range(2)]
    config = settings(
        agents=[HOURLY | {"kind": "swaps", "direction": direction, "nodes": 1}],
        nodes={"faults": {"incorrect_or_unknown_payment_details": 1.0} if fails else {}},
    )
    systems = [
        run_whole(on_graph(line((left, right)), rows, config, crypto=crypto, payments_s=7_200.0, end_s=20 * 86_400))
        for crypto in ("modelled", "real")
    ]
    modelled, real = systems
    assert modelled.world.recorder.routers.columns == real.world.recorder.routers.columns
    assert modelled.work == real.work
    assert real._signer.counts.made == real.work.ecdsa_signs
    assert real._signer.counts.verified == real.work.ecdsa_verifies
    sent = real._signer.swaps.transactions
    assert len(sent) >= 2
    for lock, unlock in zip(sent[::2], sent[1::2], strict=True):
        assert unlock.inputs[0].outpoint == lock.outpoint(0)
        preimage, script = unlock.inputs[0].witness[1:]
        assert lock.outputs[0].script == p2wsh(script)
        assert bool(unlock.locktime) == fails == (preimage == b"")
        assert Transaction.parse(unlock.serialize()) == unlock


@pytest.mark.parametrize(("direction", "left", "right"), [("out", 950_000, 50_000), ("in", 50_000, 950_000)])
def test_a_splice_changes_the_capacity(direction: str, left: int, right: int) -> None:
    system = run(line((left, right)), {"kind": "splices", "direction": direction, "nodes": 2}, hours=4)
    capacity = int(system.state.capacity_msat[0])
    assert (capacity < 1_000_000 * SAT) == (direction == "out")
    assert capacity != 1_000_000 * SAT
    acting = next(row for row in (router(system, 0), router(system, 1)) if row["agent_actions"])
    assert acting["chain_fee_msat"] > 0
    system.state.check("after the splice")


@pytest.mark.parametrize("kind", ["anchors", "zero_fee"])
@pytest.mark.parametrize(
    ("agent", "left", "right"),
    [
        ({"kind": "splices", "direction": "out", "nodes": 2}, 950_000, 50_000),
        ({"kind": "splices", "direction": "in", "nodes": 2}, 50_000, 950_000),
        ({"kind": "leases", "nodes": 1}, 990_000, 10_000),
    ],
    ids=["out", "in", "lease"],
)
def test_splices_are_really_signed_and_change_nothing_by_it(
    agent: dict[str, Any], left: int, right: int, kind: str
) -> None:
    rows = [(300.0 * i + 1, i % 2, 1 - i % 2, 2_000 * SAT) for i in range(24)]
    config = settings(agents=[HOURLY | agent | {"every_s": 1_800.0}], channels={"channel_type": kind})
    systems = []
    for crypto in ("modelled", "real"):
        system = on_graph(line((left, right)), rows, config, crypto=crypto, payments_s=7_200.0, end_s=20 * 86_400)
        start_ns = system.world.horizon.payments_ns
        system.world.environment.call_at(start_ns + 6_850 * 10**9, system.forced.force, 0, 0)
        systems.append(run_whole(system))
    modelled, real = systems
    assert modelled.world.recorder.routers.columns == real.world.recorder.routers.columns
    assert modelled.world.recorder.channels.columns == real.world.recorder.channels.columns
    assert modelled.audit() == real.audit()
    assert modelled.work == real.work
    signer = real._signer
    assert isinstance(signer, RealSigner)
    assert (signer.counts.made, signer.counts.verified) == (real.work.ecdsa_signs, real.work.ecdsa_verifies)
    splice = signer.splices[0]
    assert Transaction.parse(splice.serialize()) == splice
    assert len(splice.inputs) == (1 if "out" in agent.values() else 2)
    # The channel is forced on chain after the splice: its commitment spends the new funding, and says what is in it.
    [closing] = signer.closings.values()
    assert closing.transactions[0].inputs[0].outpoint in [one.outpoint(0) for one in signer.splices]
    capacity_sat = int(real.state.capacity_msat[0]) // SAT
    assert capacity_sat != 1_000_000
    funding = closing.transactions[0].inputs[0].outpoint
    assert [one.outputs[0].value_sat for one in signer.splices if one.outpoint(0) == funding] == [capacity_sat]


def test_a_splice_out_that_is_evicted_leaves_the_channel_on_its_old_funding() -> None:
    rows = [(300.0 * i + 1, 0, 1, 2_000 * SAT) for i in range(24)]
    config = settings(agents=[HOURLY | {"kind": "splices", "direction": "out", "nodes": 1, "every_s": 100.0}])
    graph = line((950_000, 50_000))
    system = on_graph(graph, rows, config, crypto="real", payments_s=7_200.0, end_s=20 * 86_400)
    environment, chain, signer = system.world.environment, system.world.chains["bitcoin"], system._signer
    assert isinstance(chain, BitcoinChain)
    assert isinstance(signer, RealSigner)
    before: list[int] = []

    def evict() -> None:
        [splice] = signer.splices
        before.append(int(system.state.capacity_msat[0]))
        chain._drop(chain._entry(splice.txid), Drop.EVICTED)

    environment.call_at(system.world.horizon.payments_ns + 101 * 10**9, evict)
    environment.call_at(system.world.horizon.payments_ns + 150 * 10**9, setattr, system._surroundings, "stopped", True)
    run_whole(system)
    assert before[0] < int(system.state.capacity_msat[0]) == 1_000_000 * SAT
    assert signer._channels[0].funding not in [splice.outpoint(0) for splice in signer.splices]
    assert signer.counts.made == system.work.ecdsa_signs


def test_a_splice_leaves_a_disabled_direction_disabled_and_a_smaller_htlc_the_largest() -> None:
    graph = triangle((950_000, 50_000), (500_000, 500_000), (500_000, 500_000))
    largest = graph.htlc_max_msat.copy()
    largest[0] = 200_000 * SAT
    graph = replace(graph, enabled=np.arange(6) != 1, htlc_max_msat=largest)
    system = run(graph, {"kind": "splices", "direction": "out", "most_sat": 100_000}, hours=4)
    assert system.state.capacity_msat[0] < 1_000_000 * SAT
    known = system.table.network.limit_msat[system.table.position[:2]]
    assert known.tolist() == [200_000 * SAT, 0]


def test_a_lease_brings_inbound_liquidity_for_a_price() -> None:
    system = run(line((990_000, 10_000)), {"kind": "leases", "nodes": 1}, hours=4)
    row, seller = router(system, 0), router(system, 1)
    assert row["agent_actions"] == 1
    assert row["services_msat"] == -seller["services_msat"] == -(500_000 * SAT * 25_000 // 1_000_000 + 500 * SAT)
    assert int(system.state.capacity_msat[0]) == 1_500_000 * SAT
    assert int(system.state.balance_msat[1]) >= 510_000 * SAT


def test_fees_follow_what_is_left() -> None:
    graph = line((950_000, 50_000), (500_000, 500_000))
    system = run(graph, {"kind": "proportional_fees", "base_ppm": 100, "slope": 0.9}, hours=2)
    ppm = system.policies.fee_ppm
    assert [int(value) for value in ppm] == [19, 181, 100, 100]
    assert int(system.table.network.fee_ppm[system.table.position[2]]) == 100
    system = run(graph, {"kind": "threshold_fees"}, hours=2)
    assert [int(value) for value in system.policies.fee_ppm] == [50, 1_000, 50, 50]


def test_agents_that_cannot_act_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"need channels\.dance: quick"):
        settings(agents=[{"kind": "splices"}], channels={"dance": "full"})
    with pytest.raises(ValidationError, match="must rise in this order"):
        settings(agents=[{"kind": "swaps", "low_share": 0.6}])


@pytest.mark.parametrize("crypto", ["modelled", "real"])
@pytest.mark.parametrize("dance", ["quick", "full"])
def test_agents_and_forced_closes_together_keep_all_money(dance: str, crypto: str) -> None:
    balances = [(950_000, 50_000), (40_000, 960_000), (500_000, 500_000), (970_000, 30_000), (20_000, 980_000)]
    agents: list[dict[str, Any]] = [
        {"kind": "rebalancing"}, {"kind": "swaps"}, {"kind": "proportional_fees"}, {"kind": "threshold_fees"},
    ]  # fmt: skip
    onchain: dict[str, Any] = {"to_self_delay_blocks": 6}
    if dance == "full":
        onchain["forced_per_channel_year"] = 500.0
    else:  # only channels without HTLCs go on chain
        onchain["breach"] = {"cheaters_share": 0.5, "gain_share": 0.01, "probability": 0.5}
        agents += [{"kind": "splices", "low_share": 0.1, "high_share": 0.9}, {"kind": "leases"}]
    config = settings(
        agents=[{"nodes": 6, "every_s": 900.0} | agent for agent in agents],
        channels={"dance": dance},
        onchain=onchain,
    )
    rows = [(100.0 * i, i % 5, (i + 3) % 6, 3_000 * SAT) for i in range(300)]
    system = run_whole(on_graph(line(*balances), rows, config, crypto=crypto, payments_s=36_000.0, end_s=20 * 86_400))
    if crypto == "real":
        counts = system._signer.counts  # type: ignore[attr-defined]
        assert (counts.made, counts.verified) == (system.work.ecdsa_signs, system.work.ecdsa_verifies)
    actions = sum(system.world.recorder.routers.columns["agent_actions"])
    assert actions > 0
    assert system.forced.closed > 0
    assert system.left
