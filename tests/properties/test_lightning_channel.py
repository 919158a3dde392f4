"""Any order of HTLCs in a channel keeps its money together and its rules."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.state import ChannelState
from tests.support.lightning import SAT, line


class OneChannel(RuleBasedStateMachine):
    """Both sides add, settle and fail HTLCs in any order."""

    htlcs = Bundle("htlcs")

    def __init__(self) -> None:
        super().__init__()
        graph = line((300_000, 200_000))
        rules = Channels(max_accepted_htlcs=4, commitment_feerate_sat_per_kw=1_000)
        self.state = ChannelState(graph, rules, graph.balance_msat)
        self.capacity_msat = 500_000 * SAT

    @rule(
        target=htlcs,
        edge=st.integers(0, 1),
        amount_msat=st.one_of(st.integers(1, 300_000_000), st.integers(353_000, 355_000)),
    )
    def add(self, edge, amount_msat):
        spendable = int(self.state.spendable_msat(np.array([edge]))[0])
        refusal = self.state.refusal(edge, amount_msat)
        assert (refusal is None) == (1_000 <= amount_msat <= spendable), (refusal, spendable)
        if refusal is not None:
            return None
        self.state.lock(edge, amount_msat)
        # Just after an add, the adder keeps its reserve; the funder can pay for the commitment.
        assert self.state.balance_msat[edge] >= self.state.reserve_msat[0]
        return edge, amount_msat

    @rule(htlc=consumes(htlcs), fulfilled=st.booleans())
    def remove(self, htlc, fulfilled):
        if htlc is None:
            return
        edge, amount_msat = htlc
        self.state.drop_output(edge, amount_msat)
        if fulfilled:
            self.state.settle(edge, amount_msat)
        else:
            self.state.release(edge, amount_msat)

    @invariant()
    def money_stays(self):
        self.state.check("property")
        assert sum(self.state.money_msat()) == self.capacity_msat

    @invariant()
    def slots_are_never_exceeded(self):
        assert (self.state.htlcs <= 4).all()
        assert self.state.outputs_of(0) <= self.state.htlcs.sum()


TestOneChannel = OneChannel.TestCase
TestOneChannel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
