"""One channel with HTLCs on a chain of its own, to be forced there."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from l2sim.crypto.profiles import load_profile
from l2sim.engine import NS_PER_S
from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.onchain.closing import Held
from l2sim.systems.lightning.onchain.config import ChainRules
from l2sim.systems.lightning.onchain.force_close import ForceCloses
from l2sim.systems.lightning.opening import ChannelBook
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState
from tests.support.l1 import bitcoin
from tests.support.lightning import SAT, line

BLOCK_NS = 600 * NS_PER_S


@dataclass
class Htlcs:
    """HTLCs of one channel as the network would keep them: who offered what until when, who knows the preimage."""

    state: ChannelState
    known: dict[int, int] = field(default_factory=dict)
    """By payment, from which height on its payee knows the preimage."""
    height: Any = None
    held: list[tuple[Any, int]] = field(default_factory=list)
    ends: dict[int, bool] = field(default_factory=dict)

    def offer(self, side: int, sat: int, expiry: int, known_from: int | None = None) -> None:
        payment = len(self.held)
        self.state.lock(side, sat * SAT)
        attempt = SimpleNamespace(
            payment=payment, taken=[side], amounts_msat=[sat * SAT], height=0, expiries_blocks=[expiry]
        )
        self.held.append((attempt, 0))
        if known_from is not None:
            self.known[payment] = known_from

    def take_on_chain(self, channel: int, side: int) -> Held:
        balances = (int(self.state.balance_msat[0]), int(self.state.balance_msat[1]))
        return Held(balances, self.state.feerate_of(channel), list(self.held), [])

    def knows_preimage(self, attempt: Any, hop: int) -> bool:
        return self.height() >= self.known.get(attempt.payment, 10**9)

    def resolve(self, attempt: Any, hop: int, *, fulfilled: bool) -> None:
        assert attempt.payment not in self.ends
        self.ends[attempt.payment] = fulfilled
        edge, amount_msat = attempt.taken[hop], attempt.amounts_msat[hop]
        self.state.drop_output(edge, amount_msat)
        if fulfilled:
            self.state.settle(edge, amount_msat)
        else:
            self.state.release(edge, amount_msat)


class News:
    """Nobody listens."""

    def closing(self, channel: int) -> None:
        """It is told when a channel closes."""

    def spent(self, channel: int, closing: Any) -> None:
        """And when its funding is spent."""


class OneChannel:
    """A channel of two nodes; `left_sat` is its funder's."""

    def __init__(
        self,
        left_sat: int,
        right_sat: int,
        *,
        feerate: int = 253,
        channel_type: str = "anchors",
        chain: dict[str, Any] | None = None,
        **rules: Any,
    ) -> None:
        self.environment, self.chain, self.recorder = bitcoin(**{"block_times": "clocked", **(chain or {})})
        graph = line((left_sat, right_sat))
        assert graph.balance_msat is not None
        channels = Channels.model_validate(
            {"channel_type": channel_type, "commitment_feerate_sat_per_kw": feerate, "reserve_ppm": 0}
        )
        self.state = ChannelState(graph, channels, np.array(graph.balance_msat))
        self.htlcs = Htlcs(self.state, height=lambda: self.chain.height)
        self.book = ChannelBook(1)
        self.closed: list[int] = []
        self.work = DanceWork(load_profile("reference"))
        self.home = ForceCloses(
            self.environment, self.chain, ChainRules(**rules), self.state,
            News(), self.book, 0, self.htlcs, Signer("test"), self.work,
            self.closed.append, "test",
        )  # fmt: skip
        self.capacity_msat = (left_sat + right_sat) * SAT

    def run(self, blocks: int) -> None:
        """Let that many blocks pass."""
        self.environment.run_until(self.environment.now + blocks * BLOCK_NS)

    def check(self) -> None:
        """All that was in it, and what wallets added, is at home or in fees."""
        assert self.closed == [0]
        assert self.home.fees_msat + self.home.left_msat == self.capacity_msat + self.home.entered_msat
        # What a side got less than was its own is a fee of its own, or it is the other side's, or in no output at all.
        lost_msat = int(self.book.lost_msat.sum()) + int(self.book.close_fee_of_sat.sum()) * SAT
        assert lost_msat == self.home.fees_msat
        l1_fees_msat = sum(spending.fee for spending in self.chain.spending.values())
        assert int(self.book.close_fee_sat[0]) * SAT == l1_fees_msat
