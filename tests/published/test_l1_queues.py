"""Published queueing results for blocks at fixed intervals, through the real mempools and block packers (2.1).

Times are in block intervals.
"""

from collections.abc import Mapping

import numpy as np
import pytest

from l2sim.engine import Environment, Streams
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.results.recorder import Recorder
from tests.support.l1 import QUIET_ETHEREUM, ethereum_tx
from tests.support.queues import Mempool, clocked_wait
from tests.support.statistics import EVENTS, Published

pytestmark = pytest.mark.published

CONTROLS = {"waiting x excess": 0.0, "squared excess": 0.0}


def observe(streams: Streams, k: int, load: float, blocks: int) -> Mapping[str, float]:
    """Means over `blocks` intervals, after seven relaxation times 2 load / (K (1 - load)^2) of heavy traffic."""
    warm_up = 10 + round(14 * load / (k * (1 - load) ** 2))
    trace = Mempool(streams, "clocked", k, load).run(warm_up, blocks)
    return {
        "wait": trace.wait[trace.measured()].mean(),
        "little": trace.little(),
        EVENTS: trace.events,
        **trace.controls(),
    }


@pytest.mark.parametrize(
    ("k", "load", "expected", "reduced", "full", "half_width"),
    [
        (1, 0.5, 1.000, 2_000, 20_000, 0.02),
        (1, 0.8, 2.500, 3_000, 20_000, 0.02),
        (20, 0.5, 0.5003, 100, 1_000, 0.02),
        (20, 0.8, 0.5359, 100, 1_000, 0.02),
        (20, 0.95, 0.8857, 500, 4_000, 0.08),
        (100, 0.9, 0.5123, 30, 300, 0.03),
        (100, 0.95, 0.5534, 50, 500, 0.04),
    ],
)
def test_clocked_blocks_of_k(
    published: Published, k: int, load: float, expected: float, reduced: int, full: int, half_width: float
) -> None:
    law = clocked_wait(k, load)
    assert law == pytest.approx(expected, abs=5.1e-5)  # the sheet gives four decimals
    runs = published.replicate(observe, k=k, load=load, blocks=published.size(reduced, full))
    row = f"clocked K={k} load {load}"
    published.assert_law(f"{row} W", runs, "wait", law, tolerance=0.01, half_width=half_width, controls=CONTROLS)
    published.assert_little(row, runs, reduced=0.005)


def test_clocked_blocks_leave_behind_what_the_embedded_chain_says(published: Published) -> None:
    """q' = max(0, q + arrivals - K), block by block on the same arrivals: exact."""
    k = 20
    trace = Mempool(Streams(published.seed), "clocked", k, 0.95).run(0, published.size(1_000, 10_000))
    arrivals = np.bincount(np.searchsorted(trace.blocks, trace.arrived), minlength=len(trace.blocks))
    queue = [0]
    for arrived in arrivals[1 : len(trace.blocks)].tolist():
        queue.append(max(0, queue[-1] + arrived - k))
    assert trace.pending.tolist() == queue
    assert max(queue) > 20
    assert trace.mean_number() == pytest.approx(trace.mean_number_by_receipts(), rel=1e-9)


def observe_ethereum(streams: Streams, k: int, load: float, slots: int) -> Mapping[str, float]:
    """Waits in slots through gas and base fees, in blocks of `k` transfers."""
    config = EthereumConfig.model_validate({"background": QUIET_ETHEREUM, "gas_limit": k * 21_000, "slot_s": 12.0})
    environment = Environment()
    chain = EthereumChain("ethereum", config, environment, streams, Recorder(0))
    chain.start()
    slot_ns = 12 * 10**9
    times_ns = np.cumsum(streams.get("users").generator.exponential(slot_ns / (k * load), int(k * load * slots)))
    waits = np.full(len(times_ns), np.nan)
    events = 0
    for number, time_ns in enumerate(times_ns.astype(int).tolist()):
        events += environment.run_until(time_ns)

        def note(receipt: Receipt, number: int = number, time_ns: int = time_ns) -> None:
            waits[number] = (receipt.time_ns - time_ns) / slot_ns

        assert chain.submit(ethereum_tx(number), note) is None
    while chain.pending:
        events += environment.run_until(environment.now + slot_ns)
    return {"wait": waits.mean(), EVENTS: events + len(waits)}


def test_clocked_blocks_of_k_through_the_ethereum_packer(published: Published) -> None:
    """At load 0.5 blocks are half full in the mean, so that base fees stay where they are payable."""
    runs = published.replicate(observe_ethereum, k=20, load=0.5, slots=published.size(100, 2_000))
    law = clocked_wait(20, 0.5)
    published.assert_law("clocked K=20 load 0.5 W, gas", runs, "wait", law, tolerance=0.01, half_width=0.02)
