"""A path of channels under any order of payments, broken connections, fee changes, forces and waiting loses nothing."""

import numpy as np
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.state import Phase
from tests.support.lightning import MS, SAT, line, on_graph
from tests.support.lightning import settings as system_settings

CHANNELS = 3
PAYMENTS = 30


class OnePath(RuleBasedStateMachine):
    """Payments both ways over four nodes in a line."""

    @initialize(
        seed=st.integers(0, 2**16),
        interval_ms=st.sampled_from((0, 10)),
        hold_s=st.sampled_from((0, 1)),
        amounts=st.lists(st.integers(1_000, 120_000_000), min_size=PAYMENTS, max_size=PAYMENTS),
    )
    def begin(self, seed, interval_ms, hold_s, amounts):
        rng = np.random.default_rng(seed)
        ends = [(int(a), int((a + 1 + rng.integers(3)) % 4)) for a in rng.integers(0, 4, PAYMENTS)]
        rows = [(0, *pair, amount) for pair, amount in zip(ends, amounts, strict=True)]
        config = system_settings(
            channels={"dance": "full", "commit_interval_ms": interval_ms, "max_accepted_htlcs": 4},
            nodes={"hold": {"kind": "constant", "seconds": hold_s}},
            latency={"kind": "exponential", "mean_one_way_ms": 40},
            payer={"policy": "cheapest", "memory_s": 1},
            onchain={"to_self_delay_blocks": 6},
        )
        graph = line(*[(300_000, 300_000)] * CHANNELS)
        self.system = on_graph(graph, rows, config, seed=seed)
        self.environment = self.system.world.environment
        self.held = self.money()
        self.sent = 0
        self.forced = False

    def money(self):
        """What each node owns and has offered, in msat."""
        state = self.system.state
        return np.bincount(state.source, state.balance_msat + state.in_flight_msat, CHANNELS + 1)

    @precondition(lambda self: self.sent < PAYMENTS)
    @rule()
    def pay(self):
        self.system.pay(self.sent)
        self.sent += 1

    @rule(time_ms=st.integers(1, 400))
    def wait(self, time_ms):
        self.environment.run_until(self.environment.now + time_ms * MS)

    @rule(channel=st.integers(0, CHANNELS - 1))
    def lose_connection(self, channel):
        self.system.htlcs.disconnect(channel)

    @rule(channel=st.integers(0, CHANNELS - 1))
    def get_it_back(self, channel):
        self.system.htlcs.reconnect(channel)

    @precondition(lambda self: self.sent > 2)
    @rule(channel=st.integers(0, CHANNELS - 1), side=st.integers(0, 1), really=st.integers(0, 4))
    def take_on_chain(self, channel, side, really):
        if really == 0 and self.system.forced.force(channel, side) is not None:
            self.forced = True
            event(f"{len(self.system.htlcs._links[channel].htlcs)} HTLCs in a channel that goes on chain")

    @rule(channel=st.integers(0, CHANNELS - 1), feerate=st.sampled_from((253, 400, 600)))
    def change_fee(self, channel, feerate):
        # Far from what the funders could not pay: that rule is the funder's, and tested where it is.
        state = self.system.state
        if state.phase[channel] == Phase.OPEN and state.balance_msat[2 * channel] > 50_000 * SAT:
            self.system.htlcs.update_fee(channel, feerate)

    @invariant()
    def money_is_conserved(self):
        if hasattr(self, "system"):
            self.system.state.check("on the path")
            self.system.audit().check("on the path")

    def teardown(self):
        if not hasattr(self, "system"):
            return
        for channel in range(CHANNELS):
            self.system.htlcs.reconnect(channel)
        # On chain, an HTLC's last word comes after its expiry: three deltas of 80 blocks, and the final one.
        blocks = 320 if self.forced else 1
        self.environment.run_until(self.environment.now + blocks * 600 * 10**9)
        state, record, workload = self.system.state, self.system.world.recorder.payments, self.system.world.workload
        assert self.system.settled
        assert not state.htlcs.any()
        assert not state.outputs.any()
        assert not state.dust_msat.any()
        outcomes = record.outcome[: self.sent]
        assert (outcomes != Outcome.PENDING).all()
        if self.forced:
            assert self.system.forced.under_way == 0
            self.system.audit().check("after all")
            return
        assert self.system.htlcs._links == {}
        done = np.flatnonzero(outcomes == Outcome.COMPLETED)
        paid = np.bincount(workload.payer[done], (workload.amount_msat + record.fee)[done], CHANNELS + 1)
        got = np.bincount(workload.payee[done], workload.amount_msat[done], CHANNELS + 1)
        earned = self.money() - self.held + paid - got
        assert (earned >= 0).all()
        assert earned.sum() == record.fee[done].sum()


TestOnePath = OnePath.TestCase
TestOnePath.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
