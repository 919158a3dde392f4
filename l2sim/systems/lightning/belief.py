"""Belief: what payers learned from their own attempts, sparse, one small table a payer. Truth is never looked at.

A failure says that a channel could not carry an amount; all before it on the route, and a whole route that
delivered, say that channels could. What is made of it depends on the policy (`Style`): LND keeps results of pairs of
nodes; searches that only leave out what failed keep failures of edges; those that reckon with liquidity keep bounds
of edges, and what they have under way themselves; LDK keeps bounds and their history of channels (`policies.ldk`).
"""

from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.policies import ldk
from l2sim.systems.lightning.policies.lnd import RELAX_NS
from l2sim.systems.lightning.policies.terms import (
    BOUNDS_COLUMNS,
    FAILURE_MSAT,
    FAILURE_NS,
    IN_FLIGHT_MSAT,
    NO_FAILURE,
    SUCCESS_MSAT,
    SUCCESS_NS,
)
from l2sim.systems.lightning.routing import Memory, RememberedBy, RoutingTable

LONG_AGO_NS: Final = -(2**61)
"""When what is not known was learned: no memory reaches so far back."""


class Style(Enum):
    """What payers keep of what they see."""

    FAILURES = "failures"
    RESULTS = "results"
    BOUNDS = "bounds"
    HISTORY = "history"

    @property
    def remembered_by(self) -> RememberedBy:
        """What the results are about."""
        if self is Style.RESULTS:
            return RememberedBy.PAIR
        return RememberedBy.CHANNEL if self is Style.HISTORY else RememberedBy.EDGE

    @property
    def counts_in_flight(self) -> bool:
        """Whether payers reckon with their own HTLCs on other nodes' channels."""
        return self in (Style.BOUNDS, Style.HISTORY)


class PayerMemory:
    """What one payer learned: a row a key, the rows of least recent news replaced when there are too many."""

    __slots__ = ("_fresh", "_limit", "_news_ns", "_row_of", "count", "table")

    def __init__(self, limit: int, style: Style) -> None:
        columns = ldk.COLUMNS if style is Style.HISTORY else BOUNDS_COLUMNS
        self._fresh: npt.NDArray[np.int64] = np.zeros(columns, np.int64)
        if style is not Style.HISTORY:
            self._fresh[FAILURE_MSAT] = NO_FAILURE
            self._fresh[[FAILURE_NS, SUCCESS_NS]] = LONG_AGO_NS
        self._limit = limit
        self._row_of: dict[int, int] = {}
        self._news_ns: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.count = 0
        """Rows in use."""
        nobody: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.table = Memory(nobody, nobody, nobody, np.zeros((0, columns), np.int64))

    def find(self, key: int) -> npt.NDArray[np.int64] | None:
        """The facts known of a key, to be read or changed, or None."""
        row = self._row_of.get(key)
        return None if row is None else self.table.facts[row, :]

    def facts(self, key: int, source: int, target: int, now_ns: int) -> npt.NDArray[np.int64]:
        """The same, made if there were none; the key has news now."""
        row = self._row_of.get(key)
        if row is None:
            row = self._new_row()
            self._row_of[key] = row
            table = self.table
            table.key[row], table.source[row], table.target[row] = key, source, target
            table.facts[row] = self._fresh
        self._news_ns[row] = now_ns
        facts: npt.NDArray[np.int64] = self.table.facts[row]
        return facts

    def _new_row(self) -> int:
        if self.count < self._limit:
            row = self.count
            self.count += 1
            if row == len(self._news_ns):
                self._grow()
            return row
        row = int(np.argmin(self._news_ns[: self.count]))
        del self._row_of[int(self.table.key[row])]
        return row

    def _grow(self) -> None:
        size = max(8, 2 * len(self._news_ns))
        self._news_ns = np.resize(self._news_ns, size)
        table = self.table
        facts = np.zeros((size, len(self._fresh)), np.int64)
        facts[: len(table.facts)] = table.facts
        key, source, target = (np.resize(column, size) for column in table[:3])
        self.table = Memory(key, source, target, facts)


class Belief:
    """The memories of all payers, each made when its payer first learns something."""

    def __init__(
        self, table: RoutingTable, style: Style, entries: int, half_lives_ns: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        network = table.network
        self._key, self._source, self._target, self._edge = network.key, network.source, network.target, network.edge
        self._capacity_msat = network.capacity_msat
        self._style = style
        self._entries = entries
        self._ldk = ldk.Bounds(*half_lives_ns)
        self._memories: dict[int, PayerMemory] = {}
        self.counts_in_flight = style.counts_in_flight
        """Whether `locked` and `unlocked` are of use."""

    def of(self, payer: int) -> PayerMemory | None:
        """What that node learned, or None if nothing yet."""
        return self._memories.get(payer)

    def failed(self, payer: int, position: int, amount_msat: int, now_ns: int) -> None:
        """The edge at that position could not carry the amount; 0 if none at all."""
        facts = self._facts(payer, position, now_ns)
        if self._style is Style.HISTORY:
            self._ldk.failed(facts, *self._seen(position, amount_msat), now_ns)
            return
        if self._style is Style.BOUNDS:
            amount_msat += int(facts[IN_FLIGHT_MSAT])
        recent = now_ns - facts[FAILURE_NS] < RELAX_NS
        if facts[FAILURE_MSAT] < amount_msat and recent:
            return
        facts[FAILURE_MSAT] = amount_msat
        facts[FAILURE_NS] = now_ns
        facts[SUCCESS_MSAT] = max(0, min(int(facts[SUCCESS_MSAT]), amount_msat - 1))

    def failed_node(self, payer: int, node: int, now_ns: int) -> None:
        """Nothing goes over any edge from or to that node of which something is known."""
        memory = self.of(payer)
        if memory is None:
            return
        table, rows = memory.table, slice(memory.count)
        of_node = np.flatnonzero((table.source[rows] == node) | (table.target[rows] == node))
        table.facts[of_node, FAILURE_MSAT] = table.facts[of_node, SUCCESS_MSAT] = 0
        table.facts[of_node, FAILURE_NS] = now_ns

    def forgive(self, payer: int, position: int) -> None:
        """Forget that the edge carries nothing at all, if nothing else is known of its failures since."""
        memory = self.of(payer)
        facts = None if memory is None else memory.find(int(self._key[position]))
        if facts is not None and facts[FAILURE_MSAT] <= 0:
            facts[FAILURE_MSAT] = NO_FAILURE
            facts[FAILURE_NS] = LONG_AGO_NS

    def carried(self, payer: int, position: int, amount_msat: int, now_ns: int) -> None:
        """The edge carried the amount of an attempt that failed further on: the money came back."""
        if self._style is Style.FAILURES:
            memory = self.of(payer)
            known = None if memory is None else memory.find(int(self._key[position]))
            if known is None:
                return
        facts = self._facts(payer, position, now_ns)
        if self._style is Style.HISTORY:
            self._ldk.carried(facts, *self._seen(position, amount_msat), now_ns)
            return
        if self._style is Style.BOUNDS:
            amount_msat += int(facts[IN_FLIGHT_MSAT])
        if facts[SUCCESS_MSAT] < amount_msat:
            facts[SUCCESS_MSAT] = amount_msat
        facts[SUCCESS_NS] = now_ns
        if facts[FAILURE_MSAT] <= amount_msat:
            facts[FAILURE_MSAT] = amount_msat + 1

    def settled(self, payer: int, position: int, amount_msat: int, now_ns: int) -> None:
        """The edge carried the amount for good: who keeps bounds knows that there is as much less."""
        if self._style is Style.HISTORY:
            facts = self._facts(payer, position, now_ns)
            self._ldk.settled(facts, *self._seen(position, amount_msat), now_ns)
            return
        self.carried(payer, position, amount_msat, now_ns)
        if self._style is Style.BOUNDS:
            facts = self._facts(payer, position, now_ns)
            facts[SUCCESS_MSAT] = max(0, int(facts[SUCCESS_MSAT]) - amount_msat)
            if facts[FAILURE_MSAT] < NO_FAILURE:
                facts[FAILURE_MSAT] -= amount_msat

    def locked(self, payer: int, position: int, amount_msat: int, now_ns: int) -> None:
        """The payer has an HTLC of the amount under way over that edge."""
        facts = self._facts(payer, position, now_ns)
        facts[self._in_flight_column(position)] += amount_msat

    def unlocked(self, payer: int, position: int, amount_msat: int) -> None:
        """It has that HTLC no longer. What was forgotten in the meantime stays forgotten."""
        memory = self.of(payer)
        facts = None if memory is None else memory.find(int(self._key[position]))
        if facts is not None:
            column = self._in_flight_column(position)
            facts[column] = max(0, int(facts[column]) - amount_msat)

    def _facts(self, payer: int, position: int, now_ns: int) -> npt.NDArray[np.int64]:
        memory = self._memories.get(payer)
        if memory is None:
            memory = self._memories[payer] = PayerMemory(self._entries, self._style)
        key, source, target = int(self._key[position]), int(self._source[position]), int(self._target[position])
        return memory.facts(key, source, target, now_ns)

    def _seen(self, position: int, amount_msat: int) -> tuple[int, int, int]:
        """Direction, amount and capacity, as LDK's bounds want them."""
        return int(self._edge[position]) & 1, amount_msat, int(self._capacity_msat[position])

    def _in_flight_column(self, position: int) -> int:
        if self._style is Style.HISTORY:
            return ldk.TAKEN_MSAT + (int(self._edge[position]) & 1)
        return IN_FLIGHT_MSAT
