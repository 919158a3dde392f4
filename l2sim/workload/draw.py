"""Draws the payments of a run from its settings: whole columns at a time, each from a stream of its own.

The streams are `workload.arrivals`, `workload.amounts`, `workload.payers`, `workload.payees`,
`workload.popularity` and `workload.funds`. A longer run repeats the payments of a shorter one and goes on, and
another rate stretches the same arrivals, so that scenarios which differ in one setting stay comparable payment
by payment.
"""

import math

import numpy as np
import numpy.typing as npt

from l2sim.engine.environment import NS_PER_S, ns
from l2sim.engine.streams import Streams
from l2sim.errors import InputError
from l2sim.money import MSAT_PER_BTC, Prices
from l2sim.workload.config import (
    AmountsConfig,
    MerchantPairs,
    PoissonArrivals,
    TraceArrivals,
    UniformPairs,
    WorkloadConfig,
    ZipfPairs,
)
from l2sim.workload.distributions import Ints, pick
from l2sim.workload.payments import Workload
from l2sim.workload.trace import read_trace

Users = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

ALL_BITCOIN_MSAT = 21_000_000 * MSAT_PER_BTC  # the supply, in msat: sums of balances stay inside 64 bits
BLOCK = 65_536  # arrivals drawn at a time
LATEST_NS = 2.0**62  # keeps times that will be cut off inside a signed 64-bit integer


def draw_workload(config: WorkloadConfig, prices: Prices, streams: Streams) -> Workload:
    """Draw (or read) the workload of a run.

    Raises InputError when amounts or funds are out of range at these prices, TraceError when a trace cannot be
    used.

    >>> from l2sim.workload.config import ConstantAmount, PoissonArrivals
    >>> config = WorkloadConfig(users=10, payments=3, arrivals=PoissonArrivals(rate_per_s=5),
    ...                         amounts=ConstantAmount(kind="constant", sat=20),
    ...                         funds=ConstantAmount(kind="constant", usd=100))
    >>> workload = draw_workload(config, Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000), Streams(seed=1))
    >>> len(workload), workload.amount_msat.tolist(), workload.funds_msat[0]
    (3, [20000, 20000, 20000], np.int64(100000000))
    """
    funds_msat = _draw_amounts("funds", config.funds, prices, streams, config.users)
    if math.fsum(funds_msat.tolist()) > ALL_BITCOIN_MSAT:
        raise InputError(
            "workload.funds: all users together must not bring more than there is, 21 million BTC "
            f"(got {math.fsum(funds_msat.tolist()) / MSAT_PER_BTC:,.0f} BTC)"
        )
    if isinstance(config.arrivals, TraceArrivals):
        trace = read_trace(config.arrivals.path, config.users, prices)
        kept = len(trace.time_ns) if config.duration_s is None else trace.before(ns(config.duration_s))
        return Workload(
            trace.time_ns[:kept], trace.payer[:kept], trace.payee[:kept], trace.amount_msat[:kept], funds_msat
        )
    if config.amounts is None:
        raise InputError("workload: must have amounts unless arrivals are a trace")
    time_ns = draw_arrivals(config, streams)
    payer, payee = draw_pairs(config, streams, len(time_ns))
    amount_msat = _draw_amounts("amounts", config.amounts, prices, streams, len(time_ns))
    return Workload(time_ns, payer, payee, amount_msat, funds_msat)


def phase_ns(config: WorkloadConfig, workload: Workload) -> int:
    """How long the payment phase lasts: `duration_s`, or to the last payment."""
    if config.duration_s is not None:
        return ns(config.duration_s)
    return int(workload.time_ns[-1]) + 1 if len(workload) else 1


def draw_arrivals(config: WorkloadConfig, streams: Streams) -> Ints:
    """Arrival times in ns from the start of the payment phase, never falling, all before its end."""
    arrivals = config.arrivals
    if isinstance(arrivals, TraceArrivals):
        raise ValueError("the arrivals of a trace are read, not drawn")
    mean_ns = NS_PER_S / arrivals.rate_per_s
    if isinstance(arrivals, PoissonArrivals):
        return _poisson_ns(mean_ns, config, streams.get("workload.arrivals").generator)
    count = config.payments
    if count is None:
        assert config.duration_s is not None
        count = math.ceil(config.duration_s * arrivals.rate_per_s)
    times: Ints = np.floor(np.arange(count) * mean_ns).astype(np.int64)
    return times if config.duration_s is None else times[times < ns(config.duration_s)]


def _poisson_ns(mean_ns: float, config: WorkloadConfig, generator: np.random.Generator) -> Ints:
    """Arrival times of a Poisson process: sums of exponential intervals, drawn block by block."""
    end_ns = None if config.duration_s is None else ns(config.duration_s)
    blocks: list[Ints] = []
    drawn, last = 0, 0.0  # last arrival in units of the mean interval
    while True:
        intervals = generator.standard_exponential(BLOCK)
        intervals[0] += last
        units = np.cumsum(intervals)
        times = np.floor(np.minimum(units * mean_ns, LATEST_NS)).astype(np.int64)
        blocks.append(times)
        drawn += BLOCK
        last = float(units[-1])
        if (config.payments is not None and drawn >= config.payments) or (end_ns is not None and times[-1] >= end_ns):
            break
    joined = np.concatenate(blocks)
    return joined[: config.payments] if end_ns is None else joined[: np.searchsorted(joined, end_ns)]


def draw_pairs(config: WorkloadConfig, streams: Streams, count: int) -> tuple[Users, Users]:
    """Payers and payees of `count` payments; nobody pays himself."""
    users = config.users
    payers = streams.get("workload.payers").generator
    payees = streams.get("workload.payees").generator
    match config.pairs:
        case None | UniformPairs():
            payer = payers.integers(0, users, count, dtype=np.int64)
            payee = _others(payees.random(count), payer, np.ones(users))
        case ZipfPairs(exponent=exponent):
            payer = payers.integers(0, users, count, dtype=np.int64)
            popularity = np.empty(users)
            popularity[_random_order(streams, users)] = _zipf(users, exponent)
            payee = _others(payees.random(count), payer, popularity)
        case MerchantPairs() as pairs:
            order = _random_order(streams, users)
            most = users - 1 if pairs.payments_share == 1 else users - 2
            merchants = min(max(1, round(pairs.merchants_share * users)), most)
            payer, payee = _merchant_pairs(pairs, order[:merchants], order[merchants:], payers, payees, count)
    return payer.astype(np.int32), payee.astype(np.int32)


def _merchant_pairs(
    pairs: MerchantPairs,
    merchants: Ints,
    consumers: Ints,
    payers: np.random.Generator,
    payees: np.random.Generator,
    count: int,
) -> tuple[Ints, Ints]:
    payer = payers.integers(0, len(consumers), count, dtype=np.int64)
    uniform = payees.random((count, 2))
    payee = merchants[pick(_zipf(len(merchants), pairs.exponent), uniform[:, 1])]
    if pairs.payments_share < 1:
        other = consumers[_others(uniform[:, 1], payer, np.ones(len(consumers)))]
        payee = np.where(uniform[:, 0] < pairs.payments_share, payee, other)
    return consumers[payer], payee


def _random_order(streams: Streams, users: int) -> Ints:
    """Users in order of popularity, the most popular first; without it low numbers would always be popular."""
    order: Ints = streams.get("workload.popularity").generator.permutation(users)
    return order


def _zipf(count: int, exponent: float) -> Floats:
    weights: Floats = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return weights


def _others(uniform: Floats, payer: Ints, weights: Floats) -> Ints:
    """A payee for each payer, drawn in proportion to `weights` among all the others.

    `uniform` is stretched over the sum of the others' weights and jumps over the payer's own stretch.
    """
    edges = np.cumsum(weights)
    own = weights[payer]
    target = uniform * (edges[-1] - own)
    target += np.where(target >= edges[payer] - own, own, 0.0)
    payee = np.minimum(np.searchsorted(edges, target, side="right"), len(weights) - 1)
    # Where rounding put a target on the payer's own edge, the next user takes it.
    others: Ints = np.where(payee == payer, (payee + 1) % len(weights), payee).astype(np.int64)
    return others


def _draw_amounts(what: str, config: AmountsConfig, prices: Prices, streams: Streams, count: int) -> Ints:
    try:
        distribution = config.distribution(prices)
    except ValueError as error:
        raise InputError(f"workload.{what}: {error}") from error
    return distribution.draw(streams.get(f"workload.{what}").generator, count)
