"""What routers earn and pay beside their channels' balances, in columns of shape (n,), and the agents' own audit."""

from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.engine import NS_PER_S
from l2sim.money import MSAT_PER_SAT

YEAR_NS = 365 * 86_400 * NS_PER_S
Ints = npt.NDArray[np.int64]


class RouterBook:
    """Incomes and costs of each node; money that agents bring into the channels, take out and burn."""

    def __init__(self, nodes: int) -> None:
        def zeros() -> Ints:
            return np.zeros(nodes, np.int64)

        self.actions = zeros()
        """What agents did for the node."""
        self.moved_msat = zeros()
        """How much they moved."""
        self.rebalancing_msat = zeros()
        """Routing fees paid for moving its own money in circles."""
        self.services_msat = zeros()
        """Income from swaps and leases it served, less what it paid for such."""
        self.chain_fees_msat = zeros()
        """L1 fees of its swaps and splices."""
        self.entered_msat = 0
        self.fees_msat = 0
        self.left_msat = 0
        self.pending_msat = 0
        """Taken out of channels by splices that are not in a block yet."""

    def acted(self, node: int, moved_msat: int) -> None:
        """An agent did something for a node."""
        self.actions[node] += 1
        self.moved_msat[node] += moved_msat

    def paid_l1(self, node: int, fee_sat: int) -> None:
        """The node's wallet paid an L1 fee."""
        fee_msat = fee_sat * MSAT_PER_SAT
        self.chain_fees_msat[node] += fee_msat
        self.entered_msat += fee_msat
        self.fees_msat += fee_msat

    def paid_service(self, buyer: int, seller: int, price_msat: int) -> None:
        """One node paid another for a swap or a lease."""
        self.services_msat[buyer] -= price_msat
        self.services_msat[seller] += price_msat

    def rows(
        self,
        channels: Ints,
        capital_msat: Ints,
        routing_msat: Ints,
        closing_msat: Ints,
        lost_msat: Ints,
        run_ns: int,
    ) -> dict[str, list[Any]]:
        """The columns of the table of routers, for nodes with a channel.

        A return is what came in less what went out, over the capital and the run's length, in ppm a year.
        """
        nodes = np.flatnonzero(channels)
        chain_fees_msat = self.chain_fees_msat + closing_msat
        profit = routing_msat + self.services_msat - self.rebalancing_msat - chain_fees_msat - lost_msat
        returns: list[float | None] = []
        for node in nodes.tolist():
            capital = int(capital_msat[node])
            known = capital > 0 and run_ns > 0
            returns.append(int(profit[node]) / capital * 1e6 * YEAR_NS / run_ns if known else None)
        return {
            "node": nodes.tolist(),
            "channels": channels[nodes].tolist(),
            "capital_msat": capital_msat[nodes].tolist(),
            "routing_income_msat": routing_msat[nodes].tolist(),
            "services_msat": self.services_msat[nodes].tolist(),
            "rebalancing_fee_msat": self.rebalancing_msat[nodes].tolist(),
            "chain_fee_msat": chain_fees_msat[nodes].tolist(),
            "lost_msat": lost_msat[nodes].tolist(),
            "agent_actions": self.actions[nodes].tolist(),
            "agent_moved_msat": self.moved_msat[nodes].tolist(),
            "return_ppm_per_year": returns,
        }
