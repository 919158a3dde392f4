"""When to post: at once, below a price that rises with the queue, or as a Markov decision process says is cheapest.

A batcher that waits pays for it in delay and may find L1 cheaper later. Its state is the queue and the price; the
policy that is cheapest in the long run posts where the price lies below a threshold that rises with the queue
(Mamageishvili and Felten, "Efficient Rollup Batch Posting Strategy on Base Layer", arXiv 2212.10337).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRICE_STATES = 25
"""Prices that the decision process tells apart, from 3 standard deviations below the median to 3 above."""
WIDEST_SIGMAS = 3.0
TOLERANCE = 1e-9
"""A decision changes where that is better by more than this share of the cost of a post."""
MOST_ROUNDS = 1_000


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy looks at."""

    transactions: int
    """Waiting to be posted."""
    price_wei: int
    """Base fee and tip, wei per gas."""
    cost_wei: int
    """What posting them now costs, as far as it can be told."""


class Policy(ABC):
    """Says whether to post now."""

    @abstractmethod
    def posts(self, situation: Situation) -> bool:
        """Whether to post what waits."""


class AtOnce(Policy):
    """Post whenever something waits."""

    def posts(self, situation: Situation) -> bool:
        """Yes."""
        return situation.transactions > 0


@dataclass(frozen=True, slots=True)
class Threshold(Policy):
    """Post where the price is at most a base plus a step for each transaction that waits, or a share of the cost is."""

    most_wei: float | None
    step_wei: float
    """By how much that price rises with each transaction."""
    cost_wei: float | None
    """Post as well when a transaction's share of the cost is at most this."""

    def posts(self, situation: Situation) -> bool:
        """Whether the price, or a transaction's share, is low enough."""
        waiting = situation.transactions
        if not waiting:
            return False
        if self.most_wei is not None and situation.price_wei <= self.most_wei + self.step_wei * waiting:
            return True
        return self.cost_wei is not None and situation.cost_wei <= self.cost_wei * waiting


@dataclass(frozen=True, slots=True)
class PriceProcess:
    """A price whose logarithm goes back to its median at a steady rate (first-order autoregression)."""

    median: float
    sigma: float
    """Standard deviation of the logarithm in the long run."""
    half_life_s: float
    """Time in which half of a deviation is forgotten."""

    def memory(self, step_s: float) -> float:
        """The share of a deviation that is left after a step."""
        return float(0.5 ** (step_s / self.half_life_s))

    def chain(self, step_s: float) -> tuple[Floats, Floats]:
        """Price states and the probabilities of going from one (row) to another (column) in a step (Tauchen 1986)."""
        memory = self.memory(step_s)
        logs = np.linspace(-WIDEST_SIGMAS * self.sigma, WIDEST_SIGMAS * self.sigma, PRICE_STATES)
        spread = self.sigma * math.sqrt(1 - memory**2)
        half = (logs[1] - logs[0]) / 2
        below = NormalDist().cdf
        table = np.empty((PRICE_STATES, PRICE_STATES))
        for row, log in enumerate(logs.tolist()):
            edges = [below((edge + half - memory * log) / spread) for edge in logs[:-1].tolist()]
            table[row] = np.diff([0.0, *edges, 1.0])
        return self.median * np.exp(logs), table

    def path(self, steps: int, step_s: float, generator: np.random.Generator) -> Floats:
        """A path of that many steps, begun in the long run's distribution."""
        memory = self.memory(step_s)
        noise = generator.standard_normal(steps) * self.sigma
        noise[1:] *= math.sqrt(1 - memory**2)
        logs = np.empty(steps)
        log = 0.0
        for step, shock in enumerate(noise.tolist()):
            log = memory * log + shock
            logs[step] = log
        return self.median * np.exp(logs)


@dataclass(frozen=True, slots=True)
class DecisionProcess:
    """Queue and price step by step: each step `arrivals` transactions come; a post takes all that wait.

    A post at price p of n transactions costs `p * (fixed_gas + n * transaction_gas)`; each step that a transaction
    waits costs `delay_cost`, in the same money.
    """

    prices: PriceProcess
    step_s: float
    arrivals: float
    fixed_gas: float
    transaction_gas: float
    delay_cost: float
    most_steps: int = 600
    """Steps after which a batch goes out in any case."""

    def solve(self) -> "Solved":
        """The policy that is cheapest in the long run, by policy iteration (Howard 1960)."""
        prices, table = self.prices.chain(self.step_s)
        queues = self.arrivals * np.arange(1, self.most_steps + 1)
        post = prices[None, :] * (self.fixed_gas + queues[:, None] * self.transaction_gas)
        wait = (self.delay_cost * queues).astype(np.float64)
        posts = np.ones(post.shape, np.bool_)
        for _ in range(MOST_ROUNDS):
            cost_per_step, values = _worth(posts, post, wait, table)
            following = values @ table.T  # what comes next, by queue and today's price
            posting = post + following[0]
            waiting = np.full_like(posting, np.inf)
            waiting[:-1] = wait[:-1, None] + following[1:]
            least = TOLERANCE * float(post[0].mean())
            better = np.where(posts, waiting < posting - least, posting < waiting - least)
            if not better.any():
                return Solved(prices, self.arrivals, posting <= waiting, cost_per_step)
            posts = posts ^ better
        raise ArithmeticError(f"policy iteration must settle within {MOST_ROUNDS} rounds")


def _worth(posts: npt.NDArray[np.bool_], post: Floats, wait: Floats, table: Floats) -> tuple[float, Floats]:
    """What a policy costs a step in the long run, and what each state is worth by it, that of the first being 0.

    A post leads back to the shortest queue and a wait to the next longer one, so that every state's worth is linear
    in the worths of the shortest queue and in the cost a step; from the longest queue down these are put together.
    """
    steps, states = post.shape
    # A row of worths as: known part, weights of the worths of the shortest queue, weight of the cost a step.
    known, weights, cost = np.empty((steps, states)), np.empty((steps, states, states)), np.empty((steps, states))
    known[-1], weights[-1], cost[-1] = post[-1], table, -1.0
    for row in range(steps - 2, -1, -1):
        now = posts[row]
        known[row] = np.where(now, post[row], wait[row] + table @ known[row + 1])
        weights[row] = np.where(now[:, None], table, table @ weights[row + 1])
        cost[row] = np.where(now, -1.0, table @ cost[row + 1] - 1.0)
    system = np.eye(states) - weights[0]
    system[:, 0] = -cost[0]  # the worth of the first state is 0; the cost a step stands in its place
    unknown = np.linalg.solve(system, known[0])
    shortest = unknown.copy()
    shortest[0] = 0.0
    return float(unknown[0]), known + weights @ shortest + cost * unknown[0]


@dataclass(frozen=True, slots=True)
class Solved(Policy):
    """The cheapest policy of a decision process."""

    prices: Floats
    arrivals: float
    table: npt.NDArray[np.bool_]
    """Whether to post, by steps waited (row) and price state (column)."""
    cost_per_step: float
    """What it costs in the long run, posts and delay."""

    def thresholds(self) -> Floats:
        """The highest price at which it posts, by steps waited; 0 where at none."""
        return np.array([self.prices[row].max(initial=0.0) for row in self.table])

    def posts_after(self, steps: int, price: float) -> bool:
        """Whether to post what came in so many steps, at that price."""
        if steps < 1:
            return False
        row = min(steps, len(self.table)) - 1
        column = int(np.abs(np.log(self.prices) - math.log(max(price, 1e-300))).argmin())
        return bool(self.table[row, column])

    def posts(self, situation: Situation) -> bool:
        """Whether it posts with that queue: so many steps of mean arrivals."""
        if not situation.transactions:
            return False
        return self.posts_after(max(1, round(situation.transactions / self.arrivals)), situation.price_wei)


def square_root_interval_s(post_cost: float, rate_per_s: float, delay_cost: float) -> float:
    """The interval between posts that is cheapest where a post costs the same whatever the time and the batch.

    `delay_cost` is per transaction and second. Per transaction, `post_cost / (rate * T) + delay_cost * T / 2` is
    least at `T = sqrt(2 * post_cost / (rate * delay_cost))`.

    >>> square_root_interval_s(post_cost=0.5, rate_per_s=1.0, delay_cost=0.0001)
    100.0
    """
    return math.sqrt(2 * post_cost / (rate_per_s * delay_cost))
