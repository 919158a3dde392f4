"""The plain twin of `kernels`: the same flow by Bellman and Ford's search over every arc, one path after the other."""

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.flow.arcs import (
    FlowTerms,
    Pieces,
    believed_msat,
    fee_ppm_of,
    last_unit,
    next_unit,
    pieces_of,
)
from l2sim.systems.lightning.routing import Int64s, Memory, Network, OwnChannels


def channels_of(
    network: Network,
    own: OwnChannels,
    memory: Memory,
    remembered: int,
    taken_msat: Int64s,
    barred: npt.NDArray[np.bool_],
    payer: int,
    terms: FlowTerms,
) -> list[tuple[int, int, int, Pieces]]:
    """What a flow may use: of each channel its source, target, fee in ppm, and pieces; the payer's own come first."""
    row_of = {int(memory.key[j]): j for j in range(remembered)}
    found = []
    for i in range(len(own.edge)):
        limit = int(own.limit_msat[i])
        pieces = pieces_of(terms, limit, limit, limit)
        if own.htlc_min_msat[i] > terms.amount_msat:
            pieces = pieces._replace(most=0)
        found.append((payer, int(own.target[i]), 0, pieces))
    for e in range(len(network.edge)):
        row = row_of.get(int(network.key[e]), -1)
        low, high = believed_msat(network, e, memory.facts, row, terms.now_ns, terms.memory_ns)
        low, high = (max(0, int(bound) - int(taken_msat[e])) for bound in (low, high))
        pieces = pieces_of(terms, low, high, int(network.limit_msat[e]))
        if barred[e] or network.source[e] == payer or network.htlc_min_msat[e] > terms.amount_msat:
            pieces = pieces._replace(most=0)
        found.append((int(network.source[e]), int(network.target[e]), fee_ppm_of(terms, network, e), pieces))
    return found


def least_cost_flow(
    network: Network,
    own: OwnChannels,
    memory: Memory,
    remembered: int,
    taken_msat: Int64s,
    barred: npt.NDArray[np.bool_],
    payer: int,
    payee: int,
    terms: FlowTerms,
) -> tuple[int, int]:
    """Units sent, and their cost; arguments as of the kernel."""
    channels = channels_of(network, own, memory, remembered, taken_msat, barred, payer, terms)
    flow = [0] * len(channels)
    sent = cost = 0
    while sent < terms.units:
        # The residual network: what can still be carried, and what can be taken back.
        residual = []
        for c, (source, target, fee_ppm, pieces) in enumerate(channels):
            unit, room = next_unit(terms, fee_ppm, pieces, flow[c])
            if room > 0:
                residual.append((source, target, int(unit), int(room), c, 1))
            if flow[c] > 0:
                unit, room = last_unit(terms, fee_ppm, pieces, flow[c])
                residual.append((target, source, -int(unit), int(room), c, -1))
        distance, best = {payee: 0}, {}
        for _ in range(len(network.start)):
            changed = False
            for arc in residual:
                source, target, unit = arc[:3]
                if target in distance and distance[target] + unit < distance.get(source, 2**62):
                    distance[source], best[source] = distance[target] + unit, arc
                    changed = True
            if not changed:
                break
        if payer not in distance:
            break
        path, node = [], payer
        while node != payee:
            path.append(best[node])
            node = best[node][1]
        most = min(terms.units - sent, *(arc[3] for arc in path))
        for arc in path:
            flow[arc[4]] += arc[5] * most
        sent += most
        cost += most * distance[payer]
    return sent, cost
