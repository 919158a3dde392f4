"""What a node checks before it forwards an HTLC, and a payee before it takes one (BOLT 4, BOLT 7).

The terms are those the nodes themselves hold, not those that payers have heard of (`routing`): a payer with an old
view is told what was wrong. A node's own channel, its money and its slots are `ChannelState.refusal`'s business.
"""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from l2sim.engine import Environment, Streams
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.inbound import inbound_fee_msat
from l2sim.systems.lightning.node_config import Nodes
from l2sim.systems.lightning.refusals import BY_PAYEE, Refusal, refusal_of
from l2sim.systems.lightning.times import TimeSampler

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt


class Clock(Protocol):
    """What a node needs of L1: how high it is."""

    @property
    def height(self) -> int:
        """Height of the last block."""


class Policies:
    """The terms on which each edge's source forwards over it, in columns of shape (2m,), and the terms before.

    What an edge asks for on top of the amount is its own fee on what goes out (BOLT 7) and, if the edge the HTLC
    came in by has inbound fees (LND), that edge's fee on the sum; never less than nothing in all.
    """

    def __init__(self, graph: ChannelGraph, grace_ns: int = 0) -> None:
        self.base_fee_msat = graph.base_fee_msat.copy()
        self.fee_ppm = graph.fee_ppm.copy()
        self.cltv_delta = graph.cltv_delta.astype(np.int64)
        self.inbound_base_msat = graph.inbound_base_msat.copy()
        """What an edge's target asks for more of HTLCs that come in by it, in msat; negative is a discount."""
        self.inbound_ppm = graph.inbound_ppm.copy()
        self._base = self.base_fee_msat.data
        self._ppm = self.fee_ppm.data
        self._delta = self.cltv_delta.data
        self._inbound_base = self.inbound_base_msat.data
        self._inbound_ppm = self.inbound_ppm.data
        self._grace_ns = grace_ns
        self._before: dict[int, tuple[int, int, int, int]] = {}
        """By edge: base fee, ppm and delta before the last change, and until when they are honoured."""
        self._inbound_before: dict[int, tuple[int, int, int]] = {}
        """By edge: its target's inbound base fee and ppm before the last change, and until when they are honoured."""

    def change(self, edge: int, now_ns: int, base_fee_msat: int, fee_ppm: int, cltv_delta: int) -> None:
        """The source of `edge` asks for other terms from now on."""
        if self._grace_ns:
            old = (self._base[edge], self._ppm[edge], self._delta[edge])
            self._before[edge] = (*old, now_ns + self._grace_ns)
        self._base[edge] = base_fee_msat
        self._ppm[edge] = fee_ppm
        self._delta[edge] = cltv_delta

    def change_inbound(self, edge: int, now_ns: int, base_msat: int, ppm: int) -> None:
        """The target of `edge` asks for that of what comes in by it, from now on."""
        if self._grace_ns:
            old = (self._inbound_base[edge], self._inbound_ppm[edge])
            self._inbound_before[edge] = (*old, now_ns + self._grace_ns)
        self._inbound_base[edge] = base_msat
        self._inbound_ppm[edge] = ppm

    def fee_msat(self, edge_in: int, edge: int, amount_msat: int) -> int:
        """What forwarding `amount_msat` from `edge_in` over `edge` costs, in msat."""
        terms = (self._base[edge], self._ppm[edge])
        return _fee_msat(*terms, self._inbound_base[edge_in], self._inbound_ppm[edge_in], amount_msat)

    def refusal(
        self, edge_in: int, edge: int, paid_msat: int, amount_msat: int, blocks: int, now_ns: int
    ) -> Refusal | None:
        """Why `paid_msat` on top of the amount and an expiry that falls by `blocks` do not meet the terms, or None."""
        now = (self._base[edge], self._ppm[edge], self._delta[edge])
        inbound = (self._inbound_base[edge_in], self._inbound_ppm[edge_in])
        found = _unmet(*now, *inbound, paid_msat, amount_msat, blocks)
        if found is None or not (edge in self._before or edge_in in self._inbound_before):
            return found
        before = self._before.get(edge, (*now, now_ns))
        inbound_before = self._inbound_before.get(edge_in, (*inbound, now_ns))
        if now_ns > before[-1]:
            del self._before[edge]
            before = (*now, now_ns)
        if now_ns > inbound_before[-1]:
            del self._inbound_before[edge_in]
            inbound_before = (*inbound, now_ns)
        for terms in (now, before[:-1]):
            for inbound_terms in (inbound, inbound_before[:-1]):
                if _unmet(*terms, *inbound_terms, paid_msat, amount_msat, blocks) is None:
                    return None
        return found


def _fee_msat(base_msat: int, ppm: int, inbound_base_msat: int, inbound_ppm: int, amount_msat: int) -> int:
    """The fee of an HTLC that sends the amount on."""
    fee_msat = base_msat + amount_msat * ppm // 1_000_000
    if inbound_base_msat or inbound_ppm:
        fee_msat = max(0, fee_msat + inbound_fee_msat(inbound_base_msat, inbound_ppm, amount_msat + fee_msat))
    return fee_msat


def _unmet(
    base_msat: int, ppm: int, delta: int, inbound_base_msat: int, inbound_ppm: int,
    paid_msat: int, amount_msat: int, blocks: int,
) -> Refusal | None:  # fmt: skip
    """Which of these terms is not met, or None."""
    if paid_msat < _fee_msat(base_msat, ppm, inbound_base_msat, inbound_ppm, amount_msat):
        return Refusal.FEE_INSUFFICIENT
    if blocks < delta:
        return Refusal.INCORRECT_CLTV_EXPIRY
    return None


class _Faults:
    """Draws the failures that no rule brings about, each with its own probability."""

    def __init__(self, faults: dict[Refusal, float], streams: Streams) -> None:
        self._stream = streams.get("lightning/faults")
        self._faults = list(faults.items())
        self._not_last = [(refusal, p) for refusal, p in self._faults if refusal not in BY_PAYEE]

    def draw(self, last: bool) -> Refusal | None:
        for refusal, probability in self._faults if last else self._not_last:
            if self._stream.uniform() < probability:
                return refusal
        return None


class Judge:
    """Judges HTLCs in the name of the nodes that have them."""

    def __init__(
        self,
        nodes: Nodes,
        policies: Policies,
        environment: Environment,
        clock: Clock,
        streams: Streams,
        final_cltv_blocks: int,
    ) -> None:
        self._environment = environment
        self._clock = clock
        self.policies = policies
        self._min_expiry_blocks = nodes.min_expiry_blocks
        self._max_expiry_blocks = nodes.max_expiry_blocks
        self._final_cltv_blocks = final_cltv_blocks
        self._hold = TimeSampler(nodes.hold, streams, "lightning/hold")
        faults = {refusal_of(name): probability for name, probability in nodes.faults.items() if probability > 0}
        self._faults = _Faults(faults, streams) if faults else None

    @property
    def height(self) -> int:
        """Height of L1 as every node sees it."""
        return self._clock.height

    def forward(self, attempt: "Attempt", hop: int, edge: int) -> Refusal | None:
        """Why the source of channel `hop` does not forward the attempt's HTLC over `edge` on its terms, or None."""
        amounts_msat, expiries = attempt.amounts_msat, attempt.expiries_blocks
        amount_msat = amounts_msat[hop]
        refusal = self.policies.refusal(
            attempt.taken[hop - 1], edge, amounts_msat[hop - 1] - amount_msat, amount_msat,
            expiries[hop - 1] - expiries[hop], self._environment.now,
        )  # fmt: skip
        if refusal is not None:
            return refusal
        left = attempt.height + expiries[hop] - self._clock.height
        if left <= self._min_expiry_blocks:
            return Refusal.EXPIRY_TOO_SOON
        if left > self._max_expiry_blocks:
            return Refusal.EXPIRY_TOO_FAR
        return None

    def payee(self, attempt: "Attempt") -> Refusal | None:
        """Why the payee does not take the attempt's last HTLC, or None: it must leave the blocks asked for."""
        left = attempt.height + attempt.expiries_blocks[-1] - self._clock.height
        return Refusal.UNKNOWN_PAYMENT_DETAILS if left < self._final_cltv_blocks else None

    def fault(self, last: bool) -> Refusal | None:
        """What goes wrong at a node that received an HTLC, the payee if it is the last; nearly always nothing."""
        return None if self._faults is None else self._faults.draw(last)

    def hold_ns(self) -> int:
        """How long the payee keeps an HTLC before it fulfils it."""
        return self._hold.draw_ns()
