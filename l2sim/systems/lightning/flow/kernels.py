"""The flow of least cost compiled: shortest paths from the payee back to the payer, one after the other.

Each path is one of least cost over what channels can still carry and what can be taken back from them, found by
Dijkstra's algorithm on costs that potentials keep from being negative; it is filled until a piece on it is full.
`reference.least_cost_flow` is the readable twin.
"""

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.compiled import compiled
from l2sim.systems.lightning.flow import arcs
from l2sim.systems.lightning.flow.arcs import (
    DEAREST,
    FlowTerms,
    believed_msat,
    fee_ppm_of,
    last_unit,
    next_unit,
    pieces_of,
)
from l2sim.systems.lightning.kernels import pop, push
from l2sim.systems.lightning.routing import Int32s, Int64s, Memory, Network, OwnChannels

FAR = 2**62


@compiled(arcs)
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
) -> tuple[int, int, int, Int32s, Int32s, Int32s]:
    """Send `terms.units` from payer to payee at the least cost.

    `taken_msat` (E,) is under way over each edge beside what is remembered, `barred` (E,) leaves edges out; what is
    taken of the payer's own channels is no longer in `own.limit_msat`. Returns the units that could be sent, fewer
    where channels do not carry more; their cost; the searches it took; what each edge carries (E,); the edges that
    carry something; what each of the payer's channels carries.
    """
    nodes, edges = len(network.start) - 1, len(network.edge)
    flow = np.zeros(edges, np.int32)
    own_flow = np.zeros(len(own.edge), np.int32)
    # Edges that carry something, chained by the node that they leave.
    used_edge = np.empty(edges, np.int32)
    used_next = np.empty(edges, np.int32)
    used_first = np.full(nodes, -1, np.int32)
    used = 0
    row_of = np.full(max(1, network.key.max() + 1 if edges > 0 else 1), -1, np.int32)
    for j in range(remembered):
        row_of[memory.key[j]] = j
    own_first = np.full(nodes, -1, np.int32)
    own_next = np.empty(len(own.edge), np.int32)
    for i in range(len(own.edge) - 1, -1, -1):
        own_next[i] = own_first[own.target[i]]
        own_first[own.target[i]] = i
    potential = np.zeros(nodes, np.int64)
    distance = np.empty(nodes, np.int64)
    settled = np.empty(nodes, np.bool_)
    toward = np.empty(nodes, np.int32)
    via = np.empty(nodes, np.int32)
    back = np.empty(nodes, np.bool_)
    heap_cost = np.empty(2 * edges + len(own.edge) + 2, np.int64)
    heap_node = np.empty(2 * edges + len(own.edge) + 2, np.int32)
    sent, cost, searches = 0, 0, 0
    while sent < terms.units:
        searches += 1
        distance[:] = FAR
        settled[:] = False
        distance[payee] = 0
        size = push(heap_cost, heap_node, 0, 0, payee)
        while size > 0:
            node = heap_node[0]
            size = pop(heap_cost, heap_node, size)
            if settled[node]:
                continue
            settled[node] = True
            if node == payer:
                break
            here = distance[node] + potential[node]
            i = own_first[node]
            while i >= 0:
                limit = own.limit_msat[i]
                _, room = next_unit(terms, 0, pieces_of(terms, limit, limit, limit), own_flow[i])
                if room > 0 and own.htlc_min_msat[i] <= terms.amount_msat and here - potential[payer] < distance[payer]:
                    distance[payer] = here - potential[payer]
                    via[payer], toward[payer], back[payer] = i, node, False
                    size = push(heap_cost, heap_node, size, distance[payer], payer)
                i = own_next[i]
            for e in range(network.start[node], network.start[node + 1]):
                source = network.source[e]
                if settled[source] or source == payer or barred[e] or network.limit_msat[e] == 0:
                    continue
                fee_ppm = fee_ppm_of(terms, network, e)
                free = here - potential[source]  # what it costs to come from there if the channel costs nothing
                if int(min(terms.fee_weight * fee_ppm, DEAREST)) + free >= distance[source]:
                    continue
                if network.htlc_min_msat[e] > terms.amount_msat:
                    continue
                low, high = believed_msat(
                    network, e, memory.facts, row_of[network.key[e]], terms.now_ns, terms.memory_ns
                )
                low, high = max(0, low - taken_msat[e]), max(0, high - taken_msat[e])
                unit, room = next_unit(terms, fee_ppm, pieces_of(terms, low, high, network.limit_msat[e]), flow[e])
                if room > 0 and free + unit < distance[source]:
                    distance[source] = free + unit
                    via[source], toward[source], back[source] = e, node, False
                    size = push(heap_cost, heap_node, size, distance[source], source)
            j = used_first[node]
            while j >= 0:
                e = used_edge[j]
                target = network.target[e]
                if flow[e] > 0 and not settled[target]:
                    fee_ppm = fee_ppm_of(terms, network, e)
                    low, high = believed_msat(
                        network, e, memory.facts, row_of[network.key[e]], terms.now_ns, terms.memory_ns
                    )
                    low, high = max(0, low - taken_msat[e]), max(0, high - taken_msat[e])
                    unit, room = last_unit(terms, fee_ppm, pieces_of(terms, low, high, network.limit_msat[e]), flow[e])
                    if here - unit - potential[target] < distance[target]:
                        distance[target] = here - unit - potential[target]
                        via[target], toward[target], back[target] = e, node, True
                        size = push(heap_cost, heap_node, size, distance[target], target)
                j = used_next[j]
        if not settled[payer]:
            break
        for node in range(nodes):
            potential[node] += min(distance[node], distance[payer])
        # How much fits into the first piece that is full ...
        most = terms.units - sent
        node = payer
        while node != payee:
            e = via[node]
            if node == payer:
                limit = own.limit_msat[e]
                _, room = next_unit(terms, 0, pieces_of(terms, limit, limit, limit), own_flow[e])
            else:
                fee_ppm = fee_ppm_of(terms, network, e)
                low, high = believed_msat(
                    network, e, memory.facts, row_of[network.key[e]], terms.now_ns, terms.memory_ns
                )
                low, high = max(0, low - taken_msat[e]), max(0, high - taken_msat[e])
                pieces = pieces_of(terms, low, high, network.limit_msat[e])
                if back[node]:
                    _, room = last_unit(terms, fee_ppm, pieces, flow[e])
                else:
                    _, room = next_unit(terms, fee_ppm, pieces, flow[e])
            most = min(most, room)
            node = toward[node]
        # ... goes over the path.
        node = payer
        while node != payee:
            e = via[node]
            if node == payer:
                own_flow[e] += most
            elif back[node]:
                flow[e] -= most
            else:
                source = network.source[e]
                known = used_first[source]
                while known >= 0 and used_edge[known] != e:
                    known = used_next[known]
                if known < 0:
                    used_edge[used], used_next[used], used_first[source] = e, used_first[source], used
                    used += 1
                flow[e] += most
            node = toward[node]
        sent += most
        cost += most * (potential[payer] - potential[payee])
    return sent, cost, searches, flow, np.sort(used_edge[:used]), own_flow
