"""Money on a rollup is conserved whatever happens in whatever order."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from l2sim.engine import NS_PER_S
from l2sim.results.outcomes import Outcome
from tests.support.rollup import SAT_MSAT, let_out, rollup
from tests.support.worlds import workload

USERS = 5
FUNDS_SAT = (100, 400, 2_000, 20_000, 100_000_000)  # some cannot pay for a deposit or an exit, one has many ether
AMOUNTS_SAT = (1, 30, 300, 3_000, 30_000_000)
BUSY_CHAIN = {"background": {"burn_in_slots": 8}}

PROVEN = {"proof_s": 300, "execution_delay_s": 60, "provers": 2}
QUICK = {"kind": "optimistic", "challenge_window_s": 7_200, "proposal_interval_s": 600}
DISPUTES = {"max_depth": 6, "split_depth": 2, "clock_s": 3_600, "extension_s": 0, "lying_proposals": [0, 2]}
SETTLEMENTS = {
    "optimistic": {"settlement": QUICK},
    "disputed": {"settlement": {**QUICK, "disputes": {**DISPUTES, "watcher_delay_s": 60, "response_s": 10}}},
    "robbed": {
        "settlement": {
            **QUICK,
            "disputes": {
                **DISPUTES,
                "watcher_delay_s": 60,
                "response_s": 10,
                "lie_eth": 0.001,
                "watcher_outages": [{"start_s": 0, "duration_s": 3_000}, {"start_s": 4_000, "duration_s": 80_000}],
            },
        }
    },
    "fast exits": {"settlement": QUICK, "fast_exits": {"capital_usd": 2_000}},
    "validity": {"settlement": {"kind": "validity", **PROVEN}},
    "folded": {"settlement": {"kind": "validity", **PROVEN, "batches_per_proof": 3, "aggregation_s": 30}},
    "executed": {"settlement": {"kind": "validity", **PROVEN, "execute_gas": 100_000}},
    "stopped before execution": {
        "settlement": {"kind": "validity", **PROVEN, "execute_gas": 100_000},
        "escape": {"window_s": 7_200, "stops_s": 40},
    },
    "validium": {"settlement": {"kind": "validium", **PROVEN}},
    "escape": {"settlement": {"kind": "validity", **PROVEN}, "escape": {"window_s": 7_200}},
    "stopped": {"settlement": {"kind": "validity", **PROVEN}, "escape": {"window_s": 7_200, "stops_s": 40}},
    "stopped optimist": {"settlement": QUICK, "escape": {"window_s": 7_200, "stops_s": 40}},
    "volition": {"settlement": {"kind": "validium", **PROVEN, "l1_share": 0.5}},
    "frozen": {
        "settlement": {"kind": "validium", **PROVEN, "committee": {"withholds": True}},
        "escape": {"window_s": 7_200},
    },
}


VARIATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"batcher": {"format": "chunks"}},
    {"batcher": {"format": "nitro", "posting": {"kind": "at_once"}}, "fees": {"rule": "arbitrum"}},
    {
        "batcher": {"format": "starknet", "execution_gas_per_blob": 50_000},
        "fees": {"rule": "starknet", "starknet_surcharge_wei": 10**9, "starknet_scale_per_mille": 135},
    },
    {
        "sequencer": {"mix": {"transfer": 0.5, "user_operation": 0.5, "bundle_size": 3, "aggregate": "bls12-381"}},
        "fees": {"rule": "arbitrum", "arbitrum_report_delay_s": 30},
    },
    {
        "sequencer": {"preconfirmation_s": 0.5, "outages": [{"start_s": 5, "duration_s": 30}]},
        "batcher": {"outages": [{"start_s": 10, "duration_s": 200}], "posting": {"kind": "at_once"}},
    },
    {
        "sequencer": {
            "censorship": {"share": 0.5, "duration_s": 300},
            "forced_inclusion": {"patience_s": 20, "prompt": False, "window_s": 60},
            "preconfirmation_s": 1.0,
        }
    },
    {
        "sequencer": {
            "mix": {"transfer": 0.4, "token_transfer": 0.2, "swap": 0.2, "user_operation": 0.2, "bundle_size": 2},
            "ordering": "priority",
            "censorship": {"share": 0.4},
            "forced_inclusion": {"patience_s": 5},
        },
        "fees": {"op_fork": "bedrock", "tip_sigma": 1.0},
        "batcher": {"decided": "at_opening", "format": "singular"},
    },
)
"""Kinds of sequencers, fees and batches; each goes with every kind of settlement that can have it."""


def goes_together(kind: str, variation: dict[str, Any]) -> bool:
    """Whether the settings allow that: an operator who stops forces nothing in, a volition posts by account."""
    forced = "forced_inclusion" in variation.get("sequencer", {})
    by_account = variation.get("batcher", {}).get("format") is None
    return not (kind.startswith("stopped") and forced) and (kind != "volition" or by_account)


class RollupLife(RuleBasedStateMachine):
    """Deposits, payments, batches, proposals or proofs, and exits, at any times."""

    @initialize(
        seed=st.integers(0, 3),
        kind=st.sampled_from(sorted(SETTLEMENTS)),
        spread_s=st.sampled_from([0, 1_000]),
        variation=st.sampled_from(VARIATIONS),
        picks=st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(1, USERS - 1), st.sampled_from(AMOUNTS_SAT)),
                       min_size=12, max_size=12),
    )  # fmt: skip
    def begin(
        self, seed: int, kind: str, spread_s: int, variation: dict[str, Any], picks: list[tuple[int, int, int]]
    ) -> None:
        if not goes_together(kind, variation):
            variation = {}
        rows = [(0.0, payer, (payer + step) % USERS, amount * SAT_MSAT) for payer, step, amount in picks]
        self.system, self.world = rollup(
            workload(rows, [funds * SAT_MSAT for funds in FUNDS_SAT]),
            chain=BUSY_CHAIN,
            seed=seed,
            onboarding_s=120,
            payments_s=600,
            end_s=86_400,
            leaving_spread_s=spread_s,
            **SETTLEMENTS[kind],
            **{**variation, "batcher": {"max_interval_s": 20, **variation.get("batcher", {})}},
        )
        self.kind = kind
        self.sent = 0
        self.leaving = False
        self.system.onboard()

    @rule(seconds=st.sampled_from([0.5, 3, 30, 400]))
    def wait(self, seconds: float) -> None:
        environment = self.world.environment
        environment.run_until(environment.now + round(seconds * NS_PER_S))

    @precondition(lambda self: self.sent < len(self.world.workload))
    @rule()
    def pay(self) -> None:
        self.system.pay(self.sent)
        self.sent += 1

    @precondition(lambda self: not self.leaving)
    @rule()
    def leave(self) -> None:
        self.system.leave()
        self.leaving = True

    @invariant()
    def not_one_wei_is_made_or_lost(self) -> None:
        self.system.audit().check("now")
        audit = self.system.audit()
        assert min(audit.entered, audit.balances, audit.in_flight, audit.fees, audit.left, audit.stolen) >= 0

    def teardown(self) -> None:
        if not hasattr(self, "system"):
            return
        if not self.leaving:
            let_out(self.system, self.world)
        else:
            self.world.environment.run_until(self.world.horizon.end_ns)
        assert self.system.left
        audit = self.system.audit()
        audit.check("the end")
        assert self.system.bridge.depositing_wei == 0
        members = self.system.membership()
        assert 0 <= members.went_out <= USERS
        assert members.came_in == int(self.system.bridge.came_in.sum())
        # Whatever has not gone out to L1 was not worth taking.
        assert members.stranded == self.system.accounts.total_wei + self.system.bridge.exiting_wei
        assert audit.stolen == 0 or self.kind == "robbed"
        outcomes = self.world.recorder.payments.outcome
        assert not (outcomes[: self.sent] == Outcome.PENDING).any()
        assert (outcomes[self.sent :] == Outcome.PENDING).all()
        done = outcomes == Outcome.COMPLETED
        assert int(self.system.accounts.nonces.sum()) >= int(done.sum())


TestRollupLife = RollupLife.TestCase
TestRollupLife.settings = settings(max_examples=24, stateful_step_count=20, deadline=None)
