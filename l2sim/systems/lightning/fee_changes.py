"""Routers that change what they ask for."""

import numpy as np

from l2sim.engine import Environment, Streams, ns
from l2sim.systems.lightning.forwarding import Policies
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.gossip_config import FeeChanges
from l2sim.systems.lightning.graph import MAX_BASE_FEE_MSAT, MAX_FEE_PPM, MAX_INBOUND
from l2sim.systems.lightning.times import mean_s


class FeeChanger:
    """Routers that change what they ask for, one edge at a time, at random."""

    def __init__(
        self,
        config: FeeChanges,
        environment: Environment,
        streams: Streams,
        edges: int,
        policies: Policies,
        announcements: Announcements,
    ) -> None:
        self._config = config
        self._environment = environment
        self._stream = streams.get("lightning/fee changes")
        self._edges = edges
        self._policies = policies
        self._announcements = announcements
        self._base_fee_msat = policies.base_fee_msat[:edges].copy()
        self._fee_ppm = policies.fee_ppm[:edges].copy()
        self._inbound_base_msat = policies.inbound_base_msat[:edges].copy()
        self._inbound_ppm = policies.inbound_ppm[:edges].copy()
        self._mean_ns = ns(mean_s(config.every) / max(1, edges))
        self.changes = 0

    def start(self) -> None:
        """Begin; the next change of all edges together comes after an exponential time."""
        if self._edges:
            self._environment.call_in(self._stream.exponential_ns(self._mean_ns), self._change)

    def _change(self) -> None:
        """One edge's source asks for its first fees times a log-normal factor."""
        edge = self._stream.integer(self._edges)
        factor = float(np.exp(self._config.sigma * self._stream.generator.standard_normal()))
        base_fee_msat = min(MAX_BASE_FEE_MSAT, round(int(self._base_fee_msat[edge]) * factor))
        fee_ppm = min(MAX_FEE_PPM, round(int(self._fee_ppm[edge]) * factor))
        delta = int(self._policies.cltv_delta[edge])
        self._policies.change(edge, self._environment.now, base_fee_msat, fee_ppm, delta)
        base_msat, ppm = int(self._inbound_base_msat[edge ^ 1]), int(self._inbound_ppm[edge ^ 1])
        if base_msat or ppm:
            base_msat, ppm = (max(-MAX_INBOUND, min(MAX_INBOUND, round(value * factor))) for value in (base_msat, ppm))
            self._policies.change_inbound(edge ^ 1, self._environment.now, base_msat, ppm)
        self._announcements.update(edge)
        self.changes += 1
        self.start()
