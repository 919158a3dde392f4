"""The mempool as a priority queue with Poisson blocks: waits, Little, fees in equilibrium (2.1 and 2.3).

Huberman, Leshno, Moallemi 2021, *Monopoly without a Monopolist*. Times are in mean block intervals, delay costs are
uniform on 0..1 per interval, fees are in the same money. Who pays what does not change how many wait, so that the
mean wait of all users follows the bulk-service law too.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pytest

from l2sim.engine import Streams
from tests.support.queues import (
    FEE_UNIT_SAT,
    Floats,
    Fluid,
    Mempool,
    fluid_lowest_wait,
    fluid_rate,
    fluid_wait,
    mean_wait,
    priority_wait,
)
from tests.support.statistics import EVENTS, Estimate, Published

pytestmark = pytest.mark.published

ZERO_MEAN = {"waiting x excess": 0.0, "age x excess": 0.0, "squared excess": 0.0}
BANDS = 10
GRID = np.linspace(0, 1, 401)


def equilibrium_fees(k: int, load: float) -> Floats:
    """What delay costs c on the grid bid: each pays for the delay that he causes to others.

    b'(c) = c d/dc of -W_K(load (1 - c)) and b(0) = 0, so b(c) = integral of W_K(load (1 - x)) over 0..c, less
    c W_K(load (1 - c)).
    """
    waits = np.array([priority_wait(k, load * (1 - cost)) for cost in GRID])
    integral = np.concatenate([[0], np.cumsum((waits[1:] + waits[:-1]) / 2 * np.diff(GRID))])
    fees: Floats = integral - GRID * waits
    return fees


def revenue(k: int, load: float) -> float:
    """Fees per user in equilibrium."""
    return float(np.trapezoid(equilibrium_fees(k, load), GRID))


FEE_STEPS = 10**6
"""Fee steps per unit of money."""
LEAST_STEPS = 2


def bids(k: int, load: float) -> Callable[[float], int]:
    """The fee of each delay cost in equilibrium, in steps."""
    fees: list[float] = (equilibrium_fees(k, load) * FEE_STEPS).tolist()
    last = len(fees) - 2

    def steps(cost: float) -> int:
        place = cost * (last + 1)
        low = min(int(place), last)
        return LEAST_STEPS + round(fees[low] + (place - low) * (fees[low + 1] - fees[low]))

    return steps


def observe_bids(streams: Streams, k: int, load: float, blocks: int) -> Mapping[str, float]:
    """Users who bid as in equilibrium, and probes below them all; means after seven relaxation times."""
    warm_up = 10 + round(14 / (1 - load) ** 2)
    trace = Mempool(streams, "poisson", k, load, probes_per_interval=2.0, fee_steps=bids(k, load)).run(warm_up, blocks)
    fluid = Fluid(trace, load)
    users = trace.measured()
    probes = trace.window(trace.probe_arrived)
    fees = trace.fees_sat[trace.window(trace.blocks)].sum() / FEE_UNIT_SAT / FEE_STEPS
    seen = {
        "wait": trace.wait[users].mean(),
        "fluid wait": fluid.waits(trace.arrived[users]).mean(),
        "lowest": trace.probe_wait[probes].mean(),
        "fluid lowest": fluid.lowest_waits(trace.probe_arrived[probes]).mean(),
        "little": trace.little(),
        "revenue": fees / (k * load * blocks),
        "users": np.count_nonzero(users) / (k * load * blocks),
        EVENTS: trace.events,
    }
    for band, (low, high) in enumerate(pairwise(np.linspace(0, 1, BANDS + 1).tolist())):
        chosen = trace.measured(low, high)
        ahead = Fluid(trace, load * (1 - (low + high) / 2))
        seen[f"band {band}"] = trace.wait[chosen].mean()
        seen[f"fluid band {band}"] = ahead.lowest_waits(trace.arrived[chosen]).mean()
    return seen | trace.controls()


def band_wait(k: int, load: float, band: int) -> float:
    """W_K averaged over a tenth of all users, from those who pay least."""
    points = (band + (np.arange(50) + 0.5) / 50) / BANDS
    return float(np.mean([priority_wait(k, load * (1 - point)) for point in points]))


@pytest.mark.parametrize(
    ("load", "mean", "lowest", "reduced", "full", "half_widths"),
    [(0.5, 1.2895, 2.2109, 500, 6_000, (0.02, 0.05, 0.10)), (0.8, 2.8074, 13.195, 700, 12_000, (0.04, 0.12, 0.15))],
)
def test_poisson_blocks_of_twenty(
    published: Published,
    load: float,
    mean: float,
    lowest: float,
    reduced: int,
    full: int,
    half_widths: tuple[float, float, float],
) -> None:
    k = 20
    assert mean_wait(k, load) == pytest.approx(mean, abs=5.1e-5)
    assert priority_wait(k, load) == pytest.approx(lowest, rel=5e-5)
    runs = published.replicate(observe_bids, k=k, load=load, blocks=published.size(reduced, full))
    row = f"Poisson K={k} load {load}"
    law, law_lowest = mean_wait(k, load), priority_wait(k, load)

    published.assert_law(
        f"{row} W",
        runs,
        "wait",
        law,
        tolerance=0.02,
        half_width=half_widths[0],
        controls={"fluid wait": fluid_wait(load), **ZERO_MEAN},
    )
    published.assert_little(row, runs, reduced=0.05)  # a reduced window has long ends
    published.assert_law(
        f"{row} lowest fee",
        runs,
        "lowest",
        law_lowest,
        tolerance=0.03,
        half_width=half_widths[1],
        controls={"fluid lowest": fluid_lowest_wait(load), **ZERO_MEAN},
    )
    waits = []
    for band in range(BANDS):
        expected = band_wait(k, load, band)
        ahead = load * (1 - (band + 0.5) / BANDS)
        # Who practically always gets into the next block waits as in the fluid queue: no control, a mere copy.
        copy = expected < 1.02
        found = published.assert_law(
            f"{row} fees {band}/{BANDS}",
            runs,
            f"band {band}",
            expected,
            tolerance=0.03,
            half_width=half_widths[2],
            controls={} if copy else {f"fluid band {band}": fluid_lowest_wait(ahead), **ZERO_MEAN},
            one_of_ten=True,
        )
        waits.append(found)
    published.assert_law(
        f"{row} revenue per user",
        runs,
        "revenue",
        revenue(k, load) + LEAST_STEPS / FEE_STEPS,
        tolerance=0.02,
        half_width=0.03,
        controls={"users": 1.0},
    )
    assert_nobody_gains_by_another_bid(waits, equilibrium_fees(k, load))


def assert_nobody_gains_by_another_bid(waits: list[Estimate], fees: Floats) -> None:
    """With the waits observed, the middle of each tenth of users is best off with what its tenth bids."""
    cost = (np.arange(BANDS) + 0.5) / BANDS
    edges = np.linspace(0, len(GRID) - 1, BANDS + 1).astype(int)
    bid = np.array([np.trapezoid(fees[low : high + 1], GRID[low : high + 1]) * BANDS for low, high in pairwise(edges)])
    low, high = np.array([wait.interval for wait in waits]).T
    least = np.outer(cost, low) + bid  # what each cost (row) pays with each bid (column) in fees and delay
    most = np.outer(cost, high) + bid
    assert (least.diagonal() <= most.min(axis=1)).all()
    assert (least.max(axis=1) > most.diagonal()).all()  # and there is something to lose


def observe_limit(streams: Streams, k: int, load: float, blocks: int, probes: float) -> Mapping[str, float]:
    """Blocks of thousands, where a relaxation time is a million users: the run starts in the middle of things.

    The backlog at the start is drawn from the stationary law of the fluid queue, exponential with mean 1/a blocks,
    so that the control's expectation is exact from the first instant; what is measured is where users who come one
    by one and are packed into blocks differ from fluid before the same blocks.
    """
    mempool = Mempool(streams, "poisson", k, load, probes_per_interval=probes)
    mempool.preload(streams.get("backlog").exponential(1 / fluid_rate(load)))
    trace = mempool.run(0, blocks)
    fluid = Fluid(trace, load)
    users = trace.measured()
    seen = {
        "wait": trace.wait[users].mean(),
        "fluid wait": fluid.waits(trace.arrived[users]).mean(),
        EVENTS: trace.events,
    }
    if probes:
        measured = trace.window(trace.probe_arrived)
        seen["lowest"] = trace.probe_wait[measured].mean()
        seen["fluid lowest"] = fluid.lowest_waits(trace.probe_arrived[measured]).mean()
    return seen | trace.controls()


@pytest.mark.parametrize(("load", "mean", "blocks"), [(0.8, 2.6939, 400), (0.95, 10.1773, 20)])
def test_poisson_blocks_of_two_thousand(published: Published, load: float, mean: float, blocks: int) -> None:
    """By formula at reduced size; a simulation that says anything about blocks so large takes minutes."""
    k = 2_000
    assert mean_wait(k, load) == pytest.approx(mean, abs=1e-4)
    assert fluid_wait(load) == pytest.approx(mean, rel=1e-3)
    if not published.full_size:
        return
    probes = 5.0 if load == 0.8 else 0.0
    runs = published.replicate(observe_limit, k=k, load=load, blocks=blocks, probes=probes)
    row = f"Poisson K={k} load {load}"
    published.assert_law(
        f"{row} W",
        runs,
        "wait",
        mean_wait(k, load),
        tolerance=0.01,
        half_width=0.01,
        controls={"fluid wait": fluid_wait(load)},
    )
    if probes:
        published.assert_law(
            f"{row} lowest fee",
            runs,
            "lowest",
            priority_wait(k, load),
            tolerance=0.03,
            half_width=0.03,
            full_half_width=0.05,  # 3 % would take some 30 million users
            controls={"fluid lowest": fluid_lowest_wait(load), **ZERO_MEAN},
        )


@pytest.mark.parametrize(
    ("k", "load", "expected"),
    [(20, 0.5, 2.2109), (20, 0.8, 13.195), (2_000, 0.8, 12.577), (2_000, 0.95, 200.16), (4_000, 0.9, 50.07)],
)
def test_lowest_fee_user_by_formula(k: int, load: float, expected: float) -> None:
    assert priority_wait(k, load) == pytest.approx(expected, rel=1e-4)


def test_nobody_ahead_means_one_interval() -> None:
    for k in (1, 20, 2_000):
        assert priority_wait(k, 0.0) == 1.0
        assert priority_wait(k, 1e-6) == pytest.approx(1.0, abs=1e-5)


def test_waiting_by_blocks_and_by_receipts_is_the_same() -> None:
    """Who waits, added up from what the chain recorded after each block, and from the receipts of all users."""
    trace = Mempool(Streams(1), "poisson", 20, 0.8, probes_per_interval=2.0, fee_steps=bids(20, 0.8)).run(50, 500)
    assert trace.mean_number() == pytest.approx(trace.mean_number_by_receipts(), rel=1e-9)


def observe_empty_blocks(streams: Streams, blocks: int) -> Mapping[str, float]:
    trace = Mempool(streams, "poisson", 20, 0.05).run(0, blocks)
    wait = trace.wait[trace.measured()]
    return {"wait": wait.mean(), "above 6": np.mean(wait > 6), EVENTS: trace.events}


def test_at_negligible_load_one_waits_a_whole_interval(published: Published) -> None:
    """The mean is one interval, not half of one; one user in 400 waits for more than an hour of ten-minute blocks."""
    runs = published.replicate(observe_empty_blocks, blocks=published.size(4_000, 20_000))
    published.assert_law("Poisson load 0.05 W", runs, "wait", 1.0, tolerance=0.02, half_width=0.05)
    published.assert_law("Poisson load 0.05 P(W > 6)", runs, "above 6", np.exp(-6), tolerance=0.25, half_width=0.6)


def test_fees_are_nothing_without_load_and_rise_with_it() -> None:
    for k in (20, 2_000):
        assert equilibrium_fees(k, 0.001).max() < 1e-9
        fees = np.array([equilibrium_fees(k, load) for load in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)])
        assert (np.diff(fees[:, 1:], axis=0) > 0).all()  # with load, for every delay cost above 0
        assert (np.diff(fees, axis=1) >= -1e-12).all()  # with the delay cost


def test_revenue_is_negligible_unless_load_is_near_one() -> None:
    """Per interval and place in a block, against load 0.95: a thousandth at 0.25, a hundredth at 0.5."""
    near_one = 0.95 * revenue(2_000, 0.95)
    assert 0.25 * revenue(2_000, 0.25) < 0.001 * near_one
    assert 0.5 * revenue(2_000, 0.5) == pytest.approx(0.011 * near_one, rel=0.03)
    assert 0.8 * revenue(2_000, 0.8) < 0.15 * near_one
    assert 0.98 * revenue(2_000, 0.98) > 2.5 * near_one
