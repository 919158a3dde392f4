"""Parts that wait at their payee while a channel under them goes on chain: none is lost, and money is paid whole."""

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from tests.support.lightning import SAT, on_graph, run_whole
from tests.support.lightning import settings as system_settings

PAYER, PAYEE, WAYS = 0, 4, 3
AMOUNT_MSAT = 1_200_000 * SAT


def three_ways() -> ChannelGraph:
    """The payer's and the payee's channels with three routers, 500,000 sat on each side of each."""
    ends = [(PAYER, router) for router in (1, 2, 3)] + [(router, PAYEE) for router in (1, 2, 3)]
    return ChannelGraph.from_channels(
        [f"n{i}" for i in range(5)], [(*pair, 1_000_000 * SAT) for pair in ends],
        balance_msat=np.full(12, 500_000 * SAT, np.int64),
    )  # fmt: skip


forces = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(1, 8_000)), min_size=1, max_size=3
)  # channel, side, second


@settings(max_examples=20, deadline=None)
@given(
    forces=forces,
    hold_s=st.sampled_from((900, 3_000, 20_000)),
    patience_s=st.sampled_from((600, 4_000, 40_000)),
    seed=st.integers(0, 7),
    crypto=st.sampled_from(("modelled", "modelled", "real")),
)
def test_parts_on_chain_end_and_the_payment_with_them(forces, hold_s, patience_s, seed, crypto):
    config = system_settings(
        channels={"dance": "full", "confirmations": 1},
        payer={"policy": "cheapest", "max_attempts": 1, "multipath": {"parts": 3, "hold_s": patience_s}},
        nodes={"hold": {"kind": "exponential", "mean_s": hold_s}},
        onchain={"to_self_delay_blocks": 6},
    )
    system = on_graph(
        three_ways(), [(1.0, PAYER, PAYEE, AMOUNT_MSAT)], config, seed=seed, crypto=crypto, payments_s=10 * 86_400,
        end_s=60 * 86_400,
    )  # fmt: skip
    environment, start_ns = system.world.environment, system.world.horizon.payments_ns
    ends = []
    resolve = system.htlcs.resolve

    def seen(attempt, hop, *, fulfilled):
        ends.append((attempt, hop, fulfilled))
        resolve(attempt, hop, fulfilled=fulfilled)

    system.htlcs.resolve = seen
    for channel, side, second in forces:
        environment.call_at(start_ns + second * NS_PER_S, system.forced.force, channel, side)
    run_whole(system)
    state, record = system.state, system.world.recorder.payments
    assert system.settled
    assert system.payments.under_way == system.htlcs.under_way == 0
    assert not state.htlcs.any()
    assert not state.outputs.any()
    assert len({(attempt, hop) for attempt, hop, _ in ends}) == len(ends)  # each ended once
    outcome = Outcome(int(record.outcome[0]))
    assert outcome is not Outcome.PENDING
    event(f"{len(ends)} HTLCs on chain, {outcome.name}")
    for attempt, hop, fulfilled in ends:
        assert attempt.delivered or not fulfilled, (attempt.edges, hop)
        assert outcome is Outcome.COMPLETED or not attempt.delivered
    if crypto == "real":
        counts = system._signer.counts
        assert (counts.made, counts.verified) == (system.work.ecdsa_signs, system.work.ecdsa_verifies)
