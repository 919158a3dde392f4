"""What reliability costs in fees (Pickhardt, Richter, arXiv 2107.05322, notebook in renepickhardt/mpp-splitter).

There, on a payment of 9.2 million sat, the weight of fees was lowered from 100 to 0: the probability rose from
1.1e-11 to 0.16 and fees from 16 to 697 sat (100: 1.1e-11, 16; 10: 2.3e-5, 16; 1: 0.0097, 18; 0.1: 0.044, 24; 0.01:
0.056, 28; 0: 0.16, 697). The network was another, so the shape is what must come out: probability rises at every step,
by orders of magnitude; fees hardly rise until they do not count at all, and then by a factor. At full size, over 60
pairs of the snapshot of February 2026, the medians are 5e-8 to 0.11 and 62 to 16,013 sat.
"""

import math
from collections import Counter

import numpy as np
import pytest

from l2sim.systems.lightning.flow.planning import Planner
from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies.choice import style_of
from l2sim.systems.lightning.routing import OwnChannels, RoutingTable
from l2sim.systems.lightning.search import NO_MEMORY, Searcher
from l2sim.systems.lightning.topology import GeneratedTopology, generate, load_graph
from tests.shared import shared

AMOUNT_SAT = 9_200_000
MUS = (100, 10, 1, 0.1, 0.01, 0)
"""The paper's: -log P and mu for each sat of fees."""
SNAPSHOT = "data/lightning/cln-listchannels-2026-02-03.json.xz"


def flow(graph, table, here, there, mu):
    """Log of the probability and fee in sat of the flow between two nodes, or None; the payer's own money is enough."""
    # Here mu is for each percent of the amount.
    rules = payer(policy="uniform", mu=mu * AMOUNT_SAT / 100, fee_limit_ppm=100_000_000)
    edges = np.flatnonzero((graph.edge_source() == here) & graph.enabled).astype(np.int64)
    limits = np.full(len(edges), 10**13, np.int64)
    targets = graph.edge_target()[edges].astype(np.int32)
    own = OwnChannels(edges, targets, graph.htlc_min_msat[edges], limits)
    query = Searcher(table, rules, len(edges)).query(here, there, AMOUNT_SAT * 1_000, 10**12, 0)
    routes = Planner(table, rules).plan(query, own, NO_MEMORY, 0, 1_000, 1)
    if routes is None:
        return None
    carried = Counter()
    for route in routes:
        for edge, amount_msat in zip(route.edges[1:], route.amounts_msat[1:], strict=True):
            carried[edge] += amount_msat
    capacity = graph.edge_capacity_msat()
    log_p = sum(math.log1p(-amount_msat / (int(capacity[edge]) + 1)) for edge, amount_msat in carried.items())
    return log_p, sum(route.fee_msat for route in routes) / 1_000


@pytest.mark.published
def test_reliability_costs_little_until_fees_do_not_count_at_all(published):
    if published.full_size:
        graph, pairs = load_graph(shared(SNAPSHOT)).largest_component(), 60
    else:
        graph, pairs = generate(GeneratedTopology(nodes=300, capacity_scale=0.3), seed=3), 12
    style = style_of(payer(policy="uniform")).remembered_by
    table = RoutingTable(graph, np.ones(graph.node_count, np.bool_), style)
    rng = np.random.default_rng(published.seed + 3)
    large = np.flatnonzero(graph.degrees() >= 6)
    found = []
    while len(found) < pairs:
        here, there = (int(node) for node in rng.choice(large, 2, replace=False))
        rows = [flow(graph, table, here, there, mu) for mu in MUS]
        if all(row is not None and row[1] >= 1 for row in rows) and rows[0][0] < math.log(0.1):  # a hard payment
            found.append(rows)
    log_p, fee_sat = np.moveaxis(np.array(found), 2, 0)  # a row a pair, a column a mu
    # The flow is of least cost in pieces and by fees without bases: single steps may go either way by a little, the
    # last one, to probability alone, not.
    assert (log_p[:, -1] > log_p.max(axis=1) - 0.05).all()
    middle_p = np.median(log_p, axis=0) / math.log(10)
    assert (np.diff(middle_p) >= 0).all()
    gained = middle_p[-1] - middle_p[0]
    dearer = np.median(fee_sat[:, -1] / fee_sat[:, 0])
    knee = np.median(fee_sat[:, -2] / fee_sat[:, 0])
    assert gained > (3 if published.full_size else 1)  # published: ten powers of ten
    assert dearer > (10 if published.full_size else 3)  # published: 44 times
    assert knee < dearer / 3  # published: 1.75 times
    assert (middle_p[-1] - middle_p[-2]) < gained / 2  # published: half of ten powers
