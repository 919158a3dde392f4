"""Fee policies: what a router asks for over a channel follows how much it has left there."""

from collections.abc import Callable

from l2sim.engine import ns
from l2sim.systems.lightning.agents.config import ProportionalFees, ThresholdFees
from l2sim.systems.lightning.agents.world import Surroundings


def proportional_ppm(rules: ProportionalFees, own_share: float) -> int:
    """The fee rate for a channel in which the router owns that share.

    >>> rules = ProportionalFees(kind="proportional_fees", base_ppm=100, slope=0.9)
    >>> [proportional_ppm(rules, share) for share in (0.0, 0.5, 1.0)]
    [190, 100, 10]
    """
    return max(0, round(rules.base_ppm * (1 + rules.slope * (0.5 - own_share) * 2)))


class FeeAgent:
    """Announces new fee rates for its routers' channels when they differ enough from the old."""

    def __init__(self, rules: ProportionalFees | ThresholdFees, world: Surroundings) -> None:
        self._rules = rules
        self._world = world
        self._change_share = rules.change_share if isinstance(rules, ProportionalFees) else 0.0
        self.changes = 0
        """Announcements made."""

    def start(self, call_in: Callable[..., object]) -> None:
        """Begin to look."""
        call_in(ns(self._rules.every_s), self._look, call_in)

    def _wanted(self, share: float) -> int:
        if isinstance(self._rules, ProportionalFees):
            return proportional_ppm(self._rules, share)
        return self._rules.scarce_ppm if share < self._rules.low_share else self._rules.plenty_ppm

    def _look(self, call_in: Callable[..., object]) -> None:
        world, policies = self._world, self._world.policies
        if world.stopped:
            return
        self.start(call_in)
        for node in world.largest(self._rules.nodes):
            for edge, share in world.own_edges(node):
                old, new = int(policies.fee_ppm[edge]), self._wanted(share)
                if old != new and abs(new - old) > self._change_share * old:
                    base, delta = int(policies.base_fee_msat[edge]), int(policies.cltv_delta[edge])
                    policies.change(edge, world.environment.now, base, new, delta)
                    world.announcements.update(edge)
                    world.book.acted(node, 0)
                    self.changes += 1
