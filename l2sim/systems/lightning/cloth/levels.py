"""How many channels each node is from a payer at least, breadth first; compiled.

Levels are what prunes the search of `kernels`. Only channels that can carry the amount count, and of which the payer
does not know better.
"""

from typing import Final

import numpy as np
from numba import njit

from l2sim.systems.lightning.cloth.kernels_memory import hop_probability
from l2sim.systems.lightning.cloth.memory import Memory
from l2sim.systems.lightning.cloth.rules import APRIORI, KNOWN, MIN_PROBABILITY, Rules
from l2sim.systems.lightning.cloth.scratch import DEEPEST, Scratch
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Whole

FEW: Final = 64  # nodes that are reached from the payer further than that are not all looked for
MARK: Final = 8  # levels are marked with this times the search's mark, above


@njit()
def mark_levels(
    network: Network,
    balance_msat: Int64s,
    memory: Memory,
    rules: Rules,
    remembers: bool,
    payer: Whole,
    payee: Whole,
    amount_msat: Whole,
    scratch: Scratch,
    mark: Whole,
) -> Whole:
    """Mark the nodes one and two channels from the payer; returns the least hops to the payee (0: no way).

    Only channels that can carry the amount count, and of which the payer does not know better. 4 stands for 4 or more.
    """
    level, own_first, own_next, queue = scratch.level, scratch.own_first, scratch.own_next, scratch.queue
    start, source_at, capacity_at = network.start, network.source, network.capacity_msat
    own_edge, edge_target = network.own_edge, network.edge_target
    known, known_first = scratch.known, scratch.known_first
    base = MARK * mark
    level[payer] = base
    begin = network.own_start[payer]
    reached = 0
    for i in range(network.own_start[payer + 1] - 1, begin - 1, -1):
        if balance_msat[own_edge[i]] < amount_msat:
            continue
        node = edge_target[own_edge[i]]
        if level[node] == base + 1:
            own_next[i - begin] = own_first[node]
        else:
            own_next[i - begin] = -1
            queue[reached] = node
            reached += 1
        own_first[node] = i - begin
        level[node] = base + 1
    scratch.queue_ends[0], scratch.queue_ends[1] = 0, reached
    if level[payee] == base + 1:
        return 1
    if remembers:  # no route begins better than by the best node of level 1
        best_near = 0.0
        for i in range(reached):
            chance = APRIORI
            if known[queue[i]] == mark:
                chance = scratch.known_chance[queue[i]]
            best_near = max(best_near, chance)
        if best_near < scratch.best[0]:
            scratch.rest[2] = KNOWN * best_near
            for i in range(DEEPEST - 1):
                scratch.rest[i + 3] = scratch.rest[i + 2] * scratch.best[i]
    near = reached  # nodes up to here are of level 1
    unsure = spread(network, memory, rules, remembers, amount_msat, near, FEW, scratch, mark)
    if level[payee] > base:
        return level[payee] - base if level[payee] < base + 4 else np.int64(4)
    if not unsure:
        return 0
    hops = 0
    for k in range(start[payee], start[payee + 1]):
        source = source_at[k]
        if capacity_at[k] < amount_msat or (hops == 4 and level[source] <= base):
            continue
        if remembers and known[source] == mark:
            chance = hop_probability(memory, rules, known_first[source], payee, False, amount_msat)
            if chance < MIN_PROBABILITY:
                continue
        if level[source] > base:
            return 3
        hops = 4
    return hops


@njit()
def spread(
    network: Network,
    memory: Memory,
    rules: Rules,
    remembers: bool,
    amount_msat: Whole,
    near: Whole,
    few: Whole,
    scratch: Scratch,
    mark: Whole,
) -> bool:
    """Go on marking levels from the queue, its first `near` nodes in any case, then until it holds more than `few`.

    Returns whether something is left to look at; if not, nodes that bear no level cannot be reached.
    """
    level, queue, known, known_first = scratch.level, scratch.queue, scratch.known, scratch.known_first
    start, source_at, capacity_at = network.start, network.source, network.capacity_msat
    base = MARK * mark
    at, reached = scratch.queue_ends[0], scratch.queue_ends[1]
    while at < reached and (at < near or reached <= few):
        node = queue[at]
        at += 1
        remembered = remembers and known[node] == mark
        to = min(level[node] + 1, base + DEEPEST)
        for k in range(start[node], start[node + 1]):
            other = source_at[k]
            if level[other] >= base or capacity_at[k] < amount_msat:
                continue
            if remembered and (
                hop_probability(memory, rules, known_first[node], other, False, amount_msat) < MIN_PROBABILITY
            ):
                continue
            level[other] = to
            queue[reached] = other
            reached += 1
    scratch.queue_ends[0], scratch.queue_ends[1] = at, reached
    return bool(at < reached)
