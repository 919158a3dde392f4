"""Agents that move money between a router's channels and L1: submarine swaps, splices, leases."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from l2sim.engine import ns
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.agents.config import Imbalance, Leases, Splices, Swaps
from l2sim.systems.lightning.agents.splice import SIGNATURES_IN, SIGNATURES_OUT, SPLICE_IN_WU, SPLICE_OUT_WU
from l2sim.systems.lightning.agents.swap import CLAIM_WU, LOCK_WU, REFUND_WU, Swap
from l2sim.systems.lightning.agents.world import Surroundings
from l2sim.systems.lightning.htlc import Attempt
from l2sim.systems.lightning.routing import Route
from l2sim.systems.lightning.state import Phase

SWAP_EXPIRY_BLOCKS: Final = 100
"""Blocks for which the peer's side of a swap is locked over the channel at most."""


def excess_msat(rules: Imbalance, capacity_msat: int, own_share: float) -> int:
    """How much a router should take out of a channel (above 0) or put in (below), 0 for nothing.

    >>> rules = Swaps(kind="swaps", least_sat=1_000)
    >>> excess_msat(rules, 1_000_000_000, 0.9), excess_msat(rules, 1_000_000_000, 0.1)
    (400000000, -400000000)
    >>> excess_msat(rules, 1_000_000_000, 0.6)
    0
    """
    if rules.low_share <= own_share <= rules.high_share:
        return 0
    amount_sat = int(capacity_msat * (own_share - rules.target_share)) // MSAT_PER_SAT
    sign = 1 if amount_sat > 0 else -1
    amount_sat = min(abs(amount_sat), rules.most_sat)
    return 0 if amount_sat < rules.least_sat else sign * amount_sat * MSAT_PER_SAT


class Mover(ABC):
    """What agents that move money share: one look after another, one action a channel at a time."""

    def __init__(self, rules: Swaps | Splices | Leases, world: Surroundings) -> None:
        self.rules = rules
        self.world = world
        self.done = 0
        """Actions that came through."""
        self._busy: dict[int, None] = {}

    def start(self, call_in: Callable[..., object]) -> None:
        """Begin to look."""
        call_in(ns(self.rules.every_s), self._look, call_in)

    def _look(self, call_in: Callable[..., object]) -> None:
        world = self.world
        if world.stopped:
            return
        self.start(call_in)
        for node in world.largest(self.rules.nodes):
            for edge, share in list(world.own_edges(node)):
                if edge >> 1 not in self._busy and self.act(node, edge, share):
                    self._busy[edge >> 1] = None

    @abstractmethod
    def act(self, node: int, edge: int, share: float) -> bool:
        """Do what the rule says for one channel; whether something has begun."""

    def over(self, edge: int) -> None:
        """The action on a channel is over, however it ended."""
        self._busy.pop(edge >> 1, None)

    def came_through(self, node: int, edge: int, amount_msat: int) -> None:
        """It has ended well."""
        self.done += 1
        self.world.book.acted(node, amount_msat)
        self.over(edge)


class SwapAgent(Mover):
    """Swaps with the channel's peer: an on-chain HTLC one way, a payment over the channel the other."""

    rules: Swaps

    def act(self, node: int, edge: int, share: float) -> bool:
        """Swap out of a full channel, into an empty one."""
        state = self.world.state
        amount_msat = excess_msat(self.rules, int(state.capacity_msat[edge >> 1]), share)
        direction = "out" if amount_msat > 0 else "in"
        if amount_msat == 0 or self.rules.direction not in (direction, "both"):
            return False
        price_msat = abs(amount_msat) * self.rules.fee_ppm // 1_000_000 + self.rules.fee_base_sat * MSAT_PER_SAT
        # The price goes over the channel with the amount when swapping out, and is kept back from it coming in.
        sent_edge = edge if amount_msat > 0 else edge ^ 1
        sent_msat = abs(amount_msat) + (price_msat if amount_msat > 0 else -price_msat)
        if sent_msat <= 0 or state.refusal(sent_edge, sent_msat) is not None:
            return False
        world = self.world
        swap = Swap(
            world.board.reserve(), int(state.source[sent_edge]), int(state.target[sent_edge]),
            abs(amount_msat) // MSAT_PER_SAT, world.chain.height + SWAP_EXPIRY_BLOCKS,
        )  # fmt: skip
        return world.send(
            node,
            LOCK_WU,
            self.rules.htlc_target_blocks,
            self.rules.confirmations,
            lambda fee_sat: world.signer.lock_swap(swap, fee_sat),
            lambda: self._pay(node, edge, sent_edge, sent_msat, price_msat, swap),
            lambda: self.over(edge),
        )

    def _pay(self, node: int, edge: int, sent_edge: int, sent_msat: int, price_msat: int, swap: Swap) -> None:
        """The on-chain HTLC is deep enough: pay over the channel, whose preimage opens it."""
        state = self.world.state
        nodes = [swap.claimer, swap.refunder]
        route = Route([sent_edge], [sent_msat], [SWAP_EXPIRY_BLOCKS], 0)

        def ended(_: Attempt, delivered: bool) -> None:
            if not delivered:
                self._take_back(node, edge, swap)
                return
            self.world.book.paid_service(node, int(state.target[edge]), price_msat)
            self._sweep(node, swap, lambda: self.came_through(node, edge, sent_msat), claimed=True)

        self.world.board.send(nodes, route, ended, swap.payment)

    def _take_back(self, node: int, edge: int, swap: Swap) -> None:
        """Whoever locked the coins waits for the expiry, and has them back."""
        world = self.world
        world.waiting += 1

        def expired(_: int) -> None:
            world.waiting -= 1
            self._sweep(node, swap, lambda: self.over(edge), claimed=False)

        world.chain.wait_for_height(swap.expiry, expired)

    def _sweep(self, node: int, swap: Swap, then: Callable[[], object], *, claimed: bool) -> None:
        world = self.world
        weight_wu = CLAIM_WU if claimed else REFUND_WU
        target = self.rules.sweep_target_blocks

        def make(fee_sat: int) -> bytes:
            return world.signer.unlock_swap(swap, fee_sat, claimed=claimed)

        if not world.send(node, weight_wu, target, 1, make, then, then):
            then()


class SpliceAgent(Mover):
    """Changes a channel's capacity on L1 while it works on."""

    rules: Splices

    def act(self, node: int, edge: int, share: float) -> bool:
        """Splice out of a full channel, into an empty one."""
        world, rules = self.world, self.rules
        amount_msat = excess_msat(rules, int(world.state.capacity_msat[edge >> 1]), share)
        if amount_msat > 0 and rules.direction in ("out", "both"):
            return self._out(node, edge, amount_msat)
        if amount_msat < 0 and rules.direction in ("in", "both"):
            return splice_in(self, node, node, edge, -amount_msat, rules.target_blocks, rules.confirmations)
        return False

    def _out(self, node: int, edge: int, amount_msat: int) -> bool:
        """Take money out: it is no longer the channel's from now on, and at home once the splice is in a block."""
        world = self.world
        if world.state.refusal(edge, amount_msat) is not None or not world.may_splice(edge):
            return False  # it could not pay that much and keep what it must

        def make(fee_sat: int) -> bytes:
            return world.make_splice(edge, -(amount_msat // MSAT_PER_SAT), fee_sat)

        def deep() -> None:
            world.splice_is_over(edge)
            world.book.pending_msat -= amount_msat
            world.book.left_msat += amount_msat
            self.came_through(node, edge, amount_msat)

        def lost() -> None:
            world.splice_is_over(edge)
            world.book.pending_msat -= amount_msat
            if world.state.phase[edge >> 1] == Phase.OPEN:
                world.resize(edge, amount_msat)
            else:
                world.book.left_msat += amount_msat
            self.over(edge)

        rules = self.rules
        if not world.send(
            node, SPLICE_OUT_WU, rules.target_blocks, rules.confirmations, make, deep, lost, SIGNATURES_OUT
        ):
            world.splice_is_over(edge)
            return False
        world.resize(edge, -amount_msat)
        world.book.pending_msat += amount_msat
        return True


class LeaseAgent(Mover):
    """Buys inbound liquidity from the peer, who splices in for a price."""

    rules: Leases

    def act(self, node: int, edge: int, share: float) -> bool:
        """Buy where the peer's part is too small to bring anything in."""
        rules, world = self.rules, self.world
        if 1 - share >= rules.inbound_share:
            return False
        amount_msat = rules.amount_sat * MSAT_PER_SAT
        price_msat = amount_msat * rules.price_ppm // 1_000_000 + rules.base_sat * MSAT_PER_SAT
        seller = int(world.state.target[edge])

        def sold() -> None:
            world.book.paid_service(node, seller, price_msat)

        return splice_in(self, node, seller, edge, amount_msat, rules.target_blocks, rules.confirmations, sold)


def splice_in(
    agent: Mover,
    payer: int,
    owner: int,
    edge: int,
    amount_msat: int,
    target_blocks: int,
    confirmations: int,
    then: Callable[[], object] = lambda: None,
) -> bool:
    """Add `owner`'s coins to a channel of `edge`; `payer` pays the L1 fee. Whether the splice was sent.

    The money counts once the splice is locked in; if the channel is closed meanwhile, it stays in the wallet.
    """
    world = agent.world
    own_edge = edge if int(world.state.source[edge]) == owner else edge ^ 1
    if not world.may_splice(edge):
        return False

    def make(fee_sat: int) -> bytes:
        return world.make_splice(own_edge, amount_msat // MSAT_PER_SAT, fee_sat)

    def deep() -> None:
        world.splice_is_over(edge)
        if world.state.phase[edge >> 1] != Phase.OPEN:
            agent.over(edge)
            return
        world.resize(own_edge, amount_msat)
        world.book.entered_msat += amount_msat
        then()
        agent.came_through(payer, edge, amount_msat)

    def lost() -> None:
        world.splice_is_over(edge)
        agent.over(edge)

    if world.send(payer, SPLICE_IN_WU, target_blocks, confirmations, make, deep, lost, SIGNATURES_IN):
        return True
    world.splice_is_over(edge)
    return False
