"""Fitting the generator's model to a real network: facts about a graph in, a few hundred numbers out."""

from collections import Counter
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.graph import DEFAULT_FEE_PPM, ChannelGraph
from l2sim.systems.lightning.topology.model import (
    FloatArray,
    NetworkModel,
    Profile,
    capacity_features,
)
from l2sim.systems.lightning.topology.scores import GRID, normal_scores
from l2sim.systems.lightning.topology.siblings import alike_share, eldest, policies_of

CLASS_BOUNDS: Final = (1, 2, 3, 10, 50, 200, 500)
COMMON_PROFILES: Final = 60  # the most used combinations: 84 % of mainnet's edges


def fit_model(graph: ChannelGraph, source: str) -> NetworkModel:
    """The model of a connected graph whose channels forward both ways; `source` says where the graph came from."""
    degrees = graph.degrees()
    edge_class = np.digitize(degrees, CLASS_BOUNDS[1:])[graph.edge_source()]
    weights, node_sd, edge_sd = _fit_capacity(graph, degrees)
    profiles, profile_of_edge, rest = _fit_profiles(graph)
    ppm = _fit_ppm(graph, profiles, profile_of_edge, edge_class)
    share = graph.htlc_max_msat / graph.edge_capacity_msat()
    triples = np.stack((graph.base_fee_msat, graph.cltv_delta, graph.htlc_min_msat), axis=1)
    return NetworkModel(
        source=source,
        nodes=graph.node_count,
        channels=graph.channel_count,
        degree=_quantiles(degrees),
        capacity_sat=_quantiles(graph.capacity_msat // 1_000),
        fee_ppm=_quantiles(graph.fee_ppm),
        htlc_max_share=tuple(np.quantile(share, GRID, method="inverted_cdf").round(4).tolist()),
        class_bounds=CLASS_BOUNDS,
        mixing=_mixing(graph, degrees),
        parallel_share=_rounded(1 - len(np.unique(_pairs(graph), axis=0)) / graph.channel_count),
        parallel_alike=_rounded(alike_share(eldest(graph.edge_source(), graph.edge_target()), policies_of(graph))),
        capacity_weights=weights,
        capacity_node_sd=node_sd,
        capacity_edge_sd=edge_sd,
        profiles=ppm["profiles"],
        rest_base_fee_msat=_quantiles(graph.base_fee_msat[rest]),
        rest_cltv_delta=_quantiles(graph.cltv_delta[rest]),
        rest_htlc_min_msat=_quantiles(graph.htlc_min_msat[rest]),
        class_ppm_score=ppm["class_score"],
        ppm_correlation=ppm["correlation"],
        home_share_profile=home_share(graph, triples),
        home_share_ppm=ppm["home_share"],
        home_share_htlc_max=home_share(graph, share.round(2)[:, None]),
    )


def home_share(graph: ChannelGraph, values: npt.NDArray[Any]) -> float:
    """The share of edges that have their source's most common row of `values` (2m, k), over nodes with 5 or more."""
    common = total = 0
    source = graph.edge_source()
    order = np.argsort(source, kind="stable")
    bounds = np.searchsorted(source[order], np.arange(graph.node_count + 1))
    for start, stop in pairwise(bounds.tolist()):
        if stop - start >= 5:
            counts = Counter(map(tuple, values[order[start:stop]].tolist()))
            common += max(counts.values())
            total += stop - start
    return _rounded(common / total) if total else 1.0


def within_covariance(values: FloatArray, groups: npt.NDArray[Any], count: int) -> float:
    """The mean product of two different values of one group, groups weighted by their size."""
    size = np.bincount(groups, minlength=count)
    total = np.bincount(groups, values, minlength=count)
    squares = np.bincount(groups, values * values, minlength=count)
    several = size > 1
    pairs = (total**2 - squares)[several] / (size * (size - 1))[several]
    return float(np.average(pairs, weights=size[several]))


def _fit_capacity(graph: ChannelGraph, degrees: npt.NDArray[np.int64]) -> tuple[tuple[float, ...], float, float]:
    """Regression of the capacity score, and how its residual divides into the two ends' parts and the rest."""
    ends = degrees[graph.node_a], degrees[graph.node_b]
    features = capacity_features(np.minimum(*ends), np.maximum(*ends))
    features -= features.mean(axis=0)
    scores = normal_scores(graph.capacity_msat)
    weights, *_ = np.linalg.lstsq(features, scores, rcond=None)
    residual = scores - features @ weights
    both = np.concatenate((graph.node_a, graph.node_b))
    shared = within_covariance(np.concatenate((residual, residual)), both, graph.node_count)
    # Two ends, so at most half of the residual variance can be one end's.
    node_variance = min(max(shared, 0.0), residual.var() / 2)
    edge_variance = residual.var() - 2 * node_variance
    return tuple(map(_rounded, weights)), _rounded(node_variance**0.5), _rounded(edge_variance**0.5)


def _fit_profiles(
    graph: ChannelGraph,
) -> tuple[list[tuple[int, int, int, bool]], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The common combinations in order, each edge's (the number after the last stands for the rest), and the rest.

    Whether the ppm is LND's default belongs to a combination: those who leave the fees alone leave all of them.
    """
    columns = graph.base_fee_msat, graph.cltv_delta, graph.htlc_min_msat, graph.fee_ppm == DEFAULT_FEE_PPM
    policies = list(zip(*(column.tolist() for column in columns), strict=True))
    counts = Counter(policies)
    ranked = sorted(counts, key=lambda policy: (-counts[policy], policy))
    common = sorted(ranked[:COMMON_PROFILES])
    number = {policy: i for i, policy in enumerate(common)}
    of_edge = np.array([number.get(policy, len(common)) for policy in policies])
    rest = of_edge == len(common)
    return common, of_edge, rest if rest.any() else np.ones_like(rest)


def _fit_ppm(
    graph: ChannelGraph,
    common: list[tuple[int, int, int, bool]],
    profile: npt.NDArray[np.intp],
    edge_class: npt.NDArray[np.intp],
) -> dict[str, Any]:
    """The ppm score as profile + degree class + a part of the node + a part of the edge."""
    classes = len(CLASS_BOUNDS)
    scores = normal_scores(graph.fee_ppm)
    design = np.zeros((len(scores), len(common) + 1 + classes))
    design[np.arange(len(scores)), profile] = 1.0
    design[np.arange(len(scores)), len(common) + 1 + edge_class] = 1.0
    # Least squares of least norm: the two sets of means are only fixed up to a constant.
    effects, *_ = np.linalg.lstsq(design, scores, rcond=None)
    residual = scores - design @ effects
    home = home_share(graph, graph.fee_ppm[:, None])
    alike = within_covariance(residual, graph.edge_source(), graph.node_count) / residual.var()
    # Two edges of a node, each home with probability h, else correlated r with home: alike = (h + (1 - h) r)^2.
    correlation = (max(alike, 0.0) ** 0.5 - home) / (1 - home) if home < 1 else 0.0
    table = np.zeros((len(common) + 1, classes), np.int64)
    np.add.at(table, (profile, edge_class), 1)
    rows = [*(policy[:3] for policy in common), (0, 0, 0)]
    return {
        "profiles": tuple(
            Profile(*row, _rounded(effects[i]), _spread(residual[profile == i]), tuple(table[i].tolist()))
            for i, row in enumerate(rows)
        ),
        "class_score": tuple(map(_rounded, effects[len(common) + 1 :])),
        "correlation": _rounded(min(max(correlation, 0.0), 1.0)),
        "home_share": home,
    }


def _mixing(graph: ChannelGraph, degrees: npt.NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    classes = np.digitize(degrees, CLASS_BOUNDS[1:])
    table = np.zeros((len(CLASS_BOUNDS), len(CLASS_BOUNDS)), np.int64)
    np.add.at(table, (classes[graph.edge_source()], classes[graph.edge_target()]), 1)
    return tuple(map(tuple, table.tolist()))


def _pairs(graph: ChannelGraph) -> npt.NDArray[np.int32]:
    return np.sort(np.stack((graph.node_a, graph.node_b), axis=1), axis=1)


def _spread(residual: FloatArray) -> float:
    return _rounded(residual.std()) if len(residual) else 0.0


def _quantiles(values: npt.NDArray[Any]) -> tuple[int, ...]:
    return tuple(np.quantile(values, GRID, method="inverted_cdf").astype(np.int64).tolist())


def _rounded(value: Any) -> float:
    """Four digits after the point: more than the data can say, and the same on every machine."""
    return round(float(value), 4)
