"""Path success under uniform liquidity (Pickhardt, Tikhomirov, Biryukov, Nowostawski, arXiv 2103.08576).

Where every balance is fresh and uniform on 0..capacity, routes of least -log P succeed as often as predicted: the
reliability diagram lies on the diagonal.
"""

import math

import numpy as np
import pytest

from l2sim.systems.lightning.payer_config import payer
from l2sim.systems.lightning.policies.choice import style_of
from l2sim.systems.lightning.routing import OwnChannels, RoutingTable
from l2sim.systems.lightning.search import Searcher
from l2sim.systems.lightning.topology import GeneratedTopology, generate

ROUTES, DRAWS, BINS = 600, 400, 5


def predicted_and_found(mu):
    """For many routes: what they are predicted to succeed with, how often they do, and their fee in ppm."""
    graph = generate(GeneratedTopology(nodes=300), seed=3)
    settings = payer(policy="uniform", mu=mu, fee_limit_ppm=100_000_000)
    table = RoutingTable(graph, np.ones(graph.node_count, np.bool_), style_of(settings).remembered_by)
    searcher = Searcher(table, settings, int(graph.degrees().max()))
    rng, capacity, source = np.random.default_rng(12), graph.edge_capacity_msat(), graph.edge_source()
    rows = []
    for _ in range(ROUTES):
        here, there = (int(node) for node in rng.choice(graph.node_count, 2, replace=False))
        amount_msat = int(10 ** rng.uniform(8, 9.6))
        edges = np.flatnonzero((source == here) & graph.enabled).astype(np.int64)
        targets = graph.edge_target()[edges].astype(np.int32)
        own = OwnChannels(edges, targets, graph.htlc_min_msat[edges], np.full(len(edges), 10**13, np.int64))
        route = searcher.find(searcher.query(here, there, amount_msat, 10**13, 0), own)
        if route is None or len(route.edges) < 2:
            continue
        amounts, sizes = np.array(route.amounts_msat[1:]), capacity[route.edges[1:]]
        chance = math.prod(((sizes + 1 - amounts) / (sizes + 1)).tolist())
        balances = rng.integers(0, sizes + 1, (DRAWS, len(sizes)))
        rows.append((chance, float((balances >= amounts).all(axis=1).mean()), route.fee_msat / amount_msat * 1e6))
    return np.array(rows)


@pytest.mark.published
def test_routes_succeed_as_often_as_predicted():
    rows = predicted_and_found(mu=0)
    assert len(rows) > ROUTES / 2
    which = np.minimum((rows[:, 0] * BINS).astype(int), BINS - 1)
    filled = [b for b in range(BINS) if (which == b).sum() >= 20]
    assert len(filled) >= 3
    for b in filled:
        assert rows[which == b, 1].mean() == pytest.approx(rows[which == b, 0].mean(), abs=0.01)


@pytest.mark.published
def test_less_weight_on_fees_buys_reliability_with_fees():
    rows = [predicted_and_found(mu).mean(axis=0) for mu in (100.0, 1.0, 0.0)]
    assert rows[0][0] < rows[1][0] < rows[2][0]  # probability rises as mu falls (arXiv 2107.05322) ...
    assert rows[0][2] < rows[1][2] < rows[2][2]  # ... and so do fees
