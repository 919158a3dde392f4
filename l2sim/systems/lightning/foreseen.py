"""What cannot go well on a channel network, known before the first event."""

import numpy as np
import numpy.typing as npt

from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.config import AttachedUsers, Users
from l2sim.systems.lightning.topology.places import named
from l2sim.systems.lightning.users import Population
from l2sim.workload.payments import Workload


def foreseen(population: Population, users: Users, parts: int, workload: Workload) -> list[str]:
    """Users who will have no channel, and payments above all that payer's or payee's channels can hold, in sentences.

    `parts` is how many parts a payment may have: with one, a single channel must hold it.
    """
    alone_msat, together_msat = _channels_msat(population, users)
    found = []
    without = np.flatnonzero(together_msat == 0)
    if len(without) and isinstance(users, AttachedUsers):  # others are nodes that have channels
        count = np.count_nonzero(np.isin(workload.payee, without) | np.isin(workload.payer, without))
        found.append(
            f"{named('user', without)} will have no channel, for the funds are too small (users.min_channel_sat "
            f"{users.min_channel_sat}, users.wallet_reserve_sat {users.wallet_reserve_sat}): {count} payments from or "
            "to them will end as not_onboarded"
        )
    most_msat = together_msat if parts > 1 else alone_msat
    held_msat = np.minimum(most_msat[workload.payer], most_msat[workload.payee])
    above = np.flatnonzero((workload.amount_msat > held_msat) & (held_msat > 0))
    if len(above):
        what = "all channels of the payer or of the payee hold" if parts > 1 else "any channel of payer or payee holds"
        found.append(f"{named('payment', above)} cannot arrive: more than {what}")
    return found


def _channels_msat(population: Population, users: Users) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The most that the largest channel, and all channels, of each user can hold, in msat; shape (users,) each."""
    count = len(population.node_of_user)
    if isinstance(users, AttachedUsers):
        owner = population.user_of_channel.astype(np.int64)
        own_sat = population.funds_sat - users.wallet_reserve_sat  # less the funding transaction's fee
        own_sat = np.where(own_sat >= users.min_channel_sat, own_sat, 0)
        size_msat = (own_sat + (own_sat * users.inbound_share).astype(np.int64)) * MSAT_PER_SAT
    else:
        graph = population.graph
        user_of_node = np.full(graph.node_count, -1, np.int64)
        user_of_node[population.node_of_user] = np.arange(count)
        owner = user_of_node[np.concatenate((graph.node_a, graph.node_b))]
        size_msat = np.tile(graph.capacity_msat, 2)[owner >= 0]
        owner = owner[owner >= 0]
    alone, together = np.zeros(count, np.int64), np.zeros(count, np.int64)
    np.maximum.at(alone, owner, size_msat)
    np.add.at(together, owner, size_msat)
    return alone, together
