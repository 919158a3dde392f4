"""Poisson users before the blocks of a chain: the laws, the run through the real packer, and two simpler queues.

Times are in mean block intervals. The simpler queues are control variates: they see the same blocks or the same
users as the chain, their means are known exactly, and they share most of its noise.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l2sim.engine import Environment, Streams
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.mempool import BitcoinTransaction
from l2sim.results.recorder import Recorder

Floats = npt.NDArray[np.float64]

INTERVAL_NS = 600 * 10**9
USER_WU = 4_000
"""Weight of a user: a block of K users is full to the last unit."""
PROBE_WU = 4
"""Weight of a probe: hundreds fit where one user does, so that a probe competes with users, never with probes."""
FEE_UNIT_SAT = USER_WU // PROBE_WU
"""A user's fee per step of fee rate; a probe pays 1 sat and stands below every user."""


def root_below_one(function: Callable[[float], float]) -> float:
    """The root in (0, 1) of a function that is positive at 0 and negative just below its other root at 1."""
    low, high = 0.0, 1.0 - 1e-12
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def batch_root(k: int, load: float) -> float:
    """z of z^(K+1) - (K load + 1) z + K load = 0 (Bailey; Neuts): the number waiting is geometric with ratio z."""
    return root_below_one(lambda z: z ** (k + 1) - (k * load + 1) * z + k * load)


def mean_wait(k: int, load: float) -> float:
    """Mean time to inclusion with Poisson users and Poisson blocks of `k`: z / (1 - z) users by Little's law."""
    z = batch_root(k, load)
    return z / (1 - z) / (k * load)


def priority_wait(k: int, load_ahead: float) -> float:
    """Huberman, Leshno, Moallemi 2021: mean wait W_K of a user behind that load of higher fees."""
    if k * load_ahead < 1e-9:
        return 1.0
    z = batch_root(k, load_ahead)
    return 1 / ((1 - z) * (1 + k * load_ahead - (k + 1) * z**k))


def fluid_rate(load: float) -> float:
    """a of 1 - exp(-a) = a load: the limit of K (1 - z) for large K."""
    return -math.log(root_below_one(lambda z: z - 1 - load * math.log(z)))


def fluid_wait(load: float) -> float:
    """Limit of `mean_wait` for large K: fluid that Poisson blocks take away one unit at a time."""
    return 1 / (fluid_rate(load) * load)


def fluid_lowest_wait(load: float) -> float:
    """Limit of `priority_wait` for large K."""
    a = fluid_rate(load)
    return 1 / (a * (load - math.exp(-a)))


class Trace(NamedTuple):
    """What happened from time 0 on; the first block time is 0 and stands for the start."""

    start: float
    end: float
    arrived: Floats
    quantile: Floats
    """Place of each user's fee among all fees, 0 the lowest."""
    wait: Floats
    probe_arrived: Floats
    probe_wait: Floats
    blocks: Floats
    pending: Floats
    """Waiting after each block, users and probes."""
    fees_sat: Floats
    """Paid in each block."""
    backlog: float
    """Before the first user, in blocks."""
    events: int

    def window(self, times: Floats) -> npt.NDArray[np.bool_]:
        """Which times lie in the window of measurement; a backlog at its very start does not."""
        return (times > self.start) & (times <= self.end)

    def mean_number(self) -> float:
        """Mean number waiting over the window, from what the chain recorded after each block."""
        edges = np.clip(self.blocks, self.start, self.end)
        arrived = np.concatenate([self.arrived, self.probe_arrived])
        arrived = arrived[arrived < self.blocks[-1]]
        next_block = self.blocks[np.searchsorted(self.blocks, arrived)]
        since = np.clip(next_block, self.start, self.end) - np.clip(arrived, self.start, self.end)
        return float((self.pending[:-1] @ np.diff(edges) + since.sum()) / (self.end - self.start))

    def little(self) -> float:
        """L / (lambda W) over the window, which Little's law says is 1."""
        waits = self.wait[self.window(self.arrived)].sum() + self.probe_wait[self.window(self.probe_arrived)].sum()
        return float(self.mean_number() / (waits / (self.end - self.start)))


class Fluid:
    """The fluid queue before a trace's blocks: `load` flows in per interval, each block takes away up to 1."""

    def __init__(self, trace: Trace, load: float) -> None:
        self.load = load
        self.blocks = trace.blocks
        walk = np.cumsum(load * np.diff(trace.blocks) - 1)
        reflected = walk - np.minimum.accumulate(np.minimum(walk, 0))
        self.level = np.concatenate([[trace.backlog], np.maximum(trace.backlog + walk, reflected)])
        """After each block, in blocks."""

    def waits(self, times: Floats) -> Floats:
        """What a drop that comes then waits, first come, first served."""
        last = np.searchsorted(self.blocks, times, side="right") - 1
        ahead = self.level[last] + self.load * (times - self.blocks[last])
        return self.blocks[last + 1 + ahead.astype(int)] - times

    def lowest_waits(self, times: Floats) -> Floats:
        """What a drop that comes then waits if all others go first: until a block takes everything."""
        empty = self.blocks[self.level <= 1e-9]
        return empty[np.searchsorted(empty, times, side="right")] - times

    def settled(self, end: float) -> bool:
        """Whether all that flowed in before `end` is gone."""
        return bool(np.any(self.level[self.blocks >= end] <= 1e-9))


def clocked_slot_waits(arrived: Floats, k: int) -> Floats:
    """Waits of the same users if a clock lets one go every 1/K interval: 1/2 + load / (2 (1 - load)) slots."""
    slots = np.ceil(arrived * k)
    number = np.arange(len(arrived))
    gone = np.maximum.accumulate(slots - number) + number
    return (gone - arrived * k) / k


class Mempool:
    """A Bitcoin-like chain with blocks of `k` users, fed by Poisson users and, behind them all, Poisson probes."""

    def __init__(
        self,
        streams: Streams,
        block_times: str,
        k: int,
        load: float,
        probes_per_interval: float = 0.0,
        fee_steps: Callable[[float], int] = lambda quantile: 2,
    ) -> None:
        """`fee_steps` gives a user's fee rate, at least 2, by its quantile."""
        config = BitcoinConfig.model_validate(
            {
                "background": {"load": 0.0},
                "block_times": block_times,
                "block_interval_s": INTERVAL_NS / 10**9,
                "max_block_wu": k * USER_WU,
                "reserved_wu": 0,
            }
        )
        self.environment, self.recorder = Environment(), Recorder(0)
        self.chain = BitcoinChain("bitcoin", config, self.environment, streams, self.recorder)
        self.chain.start()
        self.k, self.load = k, load
        self._users = streams.get("users")
        self._fees = streams.get("fees")
        self._probes = streams.get("probes")
        self._fee_steps = fee_steps
        self._user_gap_ns = round(INTERVAL_NS / (k * load))
        self._probe_gap_ns = round(INTERVAL_NS / probes_per_interval) if probes_per_interval else 0
        self._arrived: tuple[list[int], list[int]] = ([], [])
        self._included: tuple[list[int], list[int]] = ([], [])
        self._quantiles: list[float] = []
        self.backlog = 0.0

    def preload(self, backlog: float) -> None:
        """Let that many blocks of users of the same fee wait from the beginning."""
        self.backlog = backlog
        for _ in range(round(backlog * self.k)):
            self._submit_user()

    def run(self, warm_up: int, blocks: int) -> Trace:
        """Users come from 0 on; those of the `blocks` intervals after the warm-up are measured, all of them."""
        environment = self.environment
        environment.call_in(self._users.exponential_ns(self._user_gap_ns), self._user_arrives)
        if self._probe_gap_ns:
            environment.call_in(self._probes.exponential_ns(self._probe_gap_ns), self._probe_arrives)
        end = warm_up + blocks
        events = environment.run_until(end * INTERVAL_NS)
        measured = [len(times) for times in self._arrived]
        while True:
            missing = any(-1 in times[:count] for times, count in zip(self._included, measured, strict=True))
            trace = self._trace(warm_up, end, events)
            if not missing and Fluid(trace, self.load).settled(end):
                return trace
            events += environment.run_until(environment.now + 10 * INTERVAL_NS)

    def _user_arrives(self) -> None:
        self.environment.call_in(self._users.exponential_ns(self._user_gap_ns), self._user_arrives)
        self._submit_user()

    def _submit_user(self) -> None:
        quantile = self._fees.uniform()
        self._quantiles.append(quantile)
        self._submit(0, USER_WU, FEE_UNIT_SAT * self._fee_steps(quantile))

    def _probe_arrives(self) -> None:
        self.environment.call_in(self._probes.exponential_ns(self._probe_gap_ns), self._probe_arrives)
        self._submit(1, PROBE_WU, 1)

    def _submit(self, kind: int, weight_wu: int, fee_sat: int) -> None:
        arrived, included = self._arrived[kind], self._included[kind]
        number = len(arrived)
        txid = bytes([kind]) + number.to_bytes(31, "big")
        arrived.append(self.environment.now)
        included.append(-1)
        transaction = BitcoinTransaction(txid, weight_wu, fee_sat, Purpose.PAYMENT)
        refusal = self.chain.submit(transaction, partial(self._note, included, number))
        assert refusal is None

    @staticmethod
    def _note(included: list[int], number: int, receipt: Receipt) -> None:
        included[number] = receipt.time_ns

    def _trace(self, start: int, end: int, events: int) -> Trace:
        arrived = [np.array(times, float) / INTERVAL_NS for times in self._arrived]
        included = [np.array(times, float) / INTERVAL_NS for times in self._included]
        columns = self.recorder.blocks.columns
        return Trace(
            start=start,
            end=end,
            arrived=arrived[0],
            quantile=np.array(self._quantiles),
            wait=included[0] - arrived[0],
            probe_arrived=arrived[1],
            probe_wait=included[1] - arrived[1],
            blocks=np.array([0, *columns["time_ns"]], float) / INTERVAL_NS,
            pending=np.array([round(self.backlog * self.k), *columns["pending"]], float),
            fees_sat=np.array([0, *columns["fees"]], float) / 1_000,
            backlog=self.backlog,
            events=events,
        )
