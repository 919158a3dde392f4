"""Networks whose channels fail, cheat and hold HTLCs too long in dear markets: all comes home, and nothing is lost.

What is not home when the run ends waits for its delay or for a fee rate that it can pay, and says so; when everybody
else's demand ends, it comes home too.
"""

from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from l2sim.engine import NS_PER_S
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.system import LightningSystem
from tests.support.lightning import SAT, run_payments
from tests.support.lightning import settings as system_settings
from tests.support.worlds import workload, world

DAY_NS = 86_400 * NS_PER_S
BREACH = {
    "cheaters_share": 0.5, "gain_share": 0.02, "probability": 0.5, "every_s": 1_800, "victim_away_share": 0.5,
    "victim_back_blocks": 5, "watchtower": {},
}  # fmt: skip


def network(
    seed: int, chain: dict[str, Any], kind: dict[str, Any], hold_s: float, breach: bool, delay: int
) -> LightningSystem:
    """Five nodes in a line and two channels across, balances from 2,000 to 10 million sat, 60 payments."""
    rng = np.random.default_rng(seed)
    ends = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 3), (1, 4)]
    balances = (10 ** rng.uniform(3.3, 7, 12)).astype(np.int64) * SAT
    graph = ChannelGraph.from_channels(
        [f"n{i}" for i in range(5)],
        [(a, b, int(balances[2 * i] + balances[2 * i + 1])) for i, (a, b) in enumerate(ends)],
        balance_msat=balances,
    )
    rows = [
        (300.0 * i, *rng.choice(5, 2, replace=False).tolist(), int(10 ** rng.uniform(1, 6)) * SAT) for i in range(60)
    ]
    made = world(
        workload(rows, [10**9] * 5), "bitcoin", BitcoinConfig.model_validate(chain), payments_s=20_000,
        end_s=8 * 86_400, seed=seed,
    )  # fmt: skip
    config = system_settings(
        channels={"dance": "full", "confirmations": 1, **kind},
        nodes={"hold": {"kind": "exponential", "mean_s": hold_s}},
        onchain={
            "to_self_delay_blocks": delay, "forced_per_channel_year": 1_000.0, "breach": BREACH if breach else None,
        },
        payer={"policy": "cheapest", "multipath": {"parts": 3}},
    )  # fmt: skip
    system = LightningSystem("lightning", config, made, made.chains["bitcoin"], graph)
    system.population.node_of_user[:] = np.arange(5)
    return system


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    load=st.sampled_from((0.5, 1.2, 3.0)),
    limit_vbyte=st.sampled_from((None, None, 2_000_000)),
    kind=st.sampled_from(({"channel_type": "zero_fee"}, {}, {"commitment_feerate_sat_per_kw": 2_500})),
    hold_s=st.sampled_from((900.0, 20_000.0)),
    breach=st.booleans(),
    delay=st.sampled_from((6, 144, 1_000)),
)
def test_everything_comes_home_once_the_market_lets_it(
    seed: int, load: float, limit_vbyte: int | None, kind: dict[str, Any], hold_s: float, breach: bool, delay: int
) -> None:
    background = {"load": load, "median_sat_per_vb": 30.0, "burn_in_blocks": 20}
    chain = {"background": background, "mempool": {"limit_vbyte": limit_vbyte}}
    system = run_payments(network(seed, chain, kind, hold_s, breach, delay))
    environment, bitcoin = system.world.environment, system.world.chains["bitcoin"]
    system.leave()
    environment.run_while(lambda: not system.left, system.world.horizon.end_ns)
    measures = system.forced.measures()
    if measures:
        waiting_sat = measures["forced_delayed_sat"] + measures["forced_priced_out_sat"]
        assert (waiting_sat > 0) == (measures["forced_under_way"] > 0)
        if load < 1 and delay < 1_000:
            assert waiting_sat == 0
    event(f"load {load}: {measures.get('forced_under_way', 0):.0f} under way at the end")
    bitcoin._background = None
    environment.run_while(lambda: not system.left, environment.now + 20 * DAY_NS)
    assert system.left
    assert system.forced.under_way == 0
    assert not system.state.htlcs.any()
    system.finish()
    system.audit().check("when all is home")
