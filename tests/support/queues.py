"""Poisson users before the blocks of a chain: the laws, the run through the real packer, and control variates.

Times are in mean block intervals. Two kinds of controls have exactly known expectations and share most of the noise
of the waits: how many users come in an interval does not depend on the state before it (`Trace.controls`), and a
fluid queue before the same blocks has a known mean (`Fluid`).
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


def clocked_wait(k: int, load: float) -> float:
    """Mean time to inclusion with one block of `k` each interval: half an interval, and one for each block missed.

    The number left behind by a block is the chain q' = max(0, q + Poisson(K load) - K), solved here for q < 600,
    beyond which no row of the published table has a probability above 1e-20.
    """
    states = 600
    numbers = np.arange(states + k + 1)
    logarithm = np.array([math.lgamma(number + 1) for number in numbers])
    poisson = np.exp(numbers * math.log(k * load) - k * load - logarithm)
    step = np.zeros((states, states))
    for before in range(states):
        after = np.clip(before + numbers - k, 0, states - 1)
        np.add.at(step[before], after, poisson)
    balance = step.T - np.eye(states)
    balance[-1] = 1.0  # in place of one redundant equation: probabilities add up to 1
    left_behind = np.linalg.solve(balance, np.eye(states)[-1]) @ np.arange(states)
    return float(0.5 + left_behind / (k * load))


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

    k: int
    load: float
    clocked: bool
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
    """Users from the beginning, in blocks."""
    events: int

    def measured(self, low: float = 0.0, high: float = 1.0) -> npt.NDArray[np.bool_]:
        """Which users are measured: those who come in the window, with fees between two quantiles."""
        return self.window(self.arrived) & (self.quantile >= low) & (self.quantile < high)

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

    def mean_number_by_receipts(self) -> float:
        """The same from each one's time of arrival and of inclusion."""
        arrived = np.concatenate([self.arrived, self.probe_arrived])
        included = arrived + np.concatenate([self.wait, self.probe_wait])
        included[included < arrived] = np.inf  # not included when the run ended
        stays = np.clip(included, self.start, self.end) - np.clip(arrived, self.start, self.end)
        return float(stays.sum() / (self.end - self.start))

    def little(self) -> float:
        """L / (lambda W) over the window, which Little's law says is 1."""
        waits = self.wait[self.window(self.arrived)].sum() + self.probe_wait[self.window(self.probe_arrived)].sum()
        return float(self.mean_number() / (waits / (self.end - self.start)))

    def controls(self) -> dict[str, float]:
        """Observations of expectation zero: how many users more than expected come, times the state before.

        The state is the number waiting, or the time since a block last took everybody.
        """
        arrived = self.arrived[self.arrived < self.blocks[-1]]
        counts = np.bincount(np.searchsorted(self.blocks, arrived), minlength=len(self.blocks))[1:]
        mean = self.k * self.load
        excess = (counts - mean) / self.k
        variance = (mean if self.clocked else mean + mean**2) / self.k**2
        before = self.blocks[:-1]
        age = before - np.maximum.accumulate(np.where(self.pending == 0, self.blocks, 0))[:-1]
        inside = self.window(before) / (self.end - self.start)
        return {
            "waiting x excess": float(inside @ (self.pending[:-1] / self.k * excess)),
            "age x excess": float(inside @ (age * excess)),
            "squared excess": float(inside @ (excess**2 - variance)),
        }


class Fluid:
    """The fluid queue before a trace's blocks: `load` flows in per interval, each block takes away up to 1."""

    def __init__(self, trace: Trace, load: float) -> None:
        self.load = load
        self.blocks: Floats = trace.blocks
        walk = np.cumsum(load * np.diff(trace.blocks) - 1)
        reflected = walk - np.minimum.accumulate(np.minimum(walk, 0))
        self.level: Floats = np.concatenate([[trace.backlog], np.maximum(trace.backlog + walk, reflected)])
        """After each block, in blocks."""

    def waits(self, times: Floats) -> Floats:
        """What a drop that comes then waits, first come, first served."""
        last = np.searchsorted(self.blocks, times, side="right") - 1
        ahead = self.level[last] + self.load * (times - self.blocks[last])
        taken: Floats = self.blocks[last + 1 + ahead.astype(int)]
        return taken - times

    def lowest_waits(self, times: Floats) -> Floats:
        """What a drop that comes then waits if all others go first: until a block takes everything."""
        empty: Floats = self.blocks[self.level <= 1e-9]
        taken: Floats = empty[np.searchsorted(empty, times, side="right")]
        return taken - times

    def empties_after(self, time: float) -> bool:
        """Whether a block after that time takes everything."""
        return bool(np.any(self.level[self.blocks > time] <= 1e-9))


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
        while not self._settled(measured, end):
            events += environment.run_until(environment.now + 10 * INTERVAL_NS)
        return self._trace(warm_up, end, events)

    def _settled(self, measured: list[int], end: int) -> bool:
        """Whether all who are measured are in blocks, and the fluid queue's last drops too."""
        if any(-1 in times[:count] for times, count in zip(self._included, measured, strict=True)):
            return False
        if self._probe_gap_ns:
            return Fluid(self._trace(0, end, 0), self.load).empties_after(end)
        return self.environment.now >= (end + 10) * INTERVAL_NS

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
            k=self.k,
            load=self.load,
            clocked=self.chain.config.block_times == "clocked",
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
