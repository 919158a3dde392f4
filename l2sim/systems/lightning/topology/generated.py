"""A synthetic network that is like a real one: degrees, who connects to whom, capacities and fee policies."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.engine import Stream
from l2sim.systems.lightning.graph import ChannelGraph, IntArray, generated_channel_names
from l2sim.systems.lightning.topology.model import (
    FloatArray,
    NetworkModel,
    capacity_features,
)
from l2sim.systems.lightning.topology.scores import at_quantiles, mean_ranks
from l2sim.systems.lightning.topology.siblings import eldest, make_alike
from l2sim.systems.lightning.topology.wiring import feasible_degrees, wire

MSAT_PER_SAT: Final = 1_000
MAX_DEGREE_SHARE: Final = 0.3  # the largest node of mainnet 2026-02-03 has 1,813 channels among 6,191 nodes


def generate_graph(
    model: NetworkModel,
    nodes: int,
    stream: Stream,
    channels_per_node: float | None = None,
    capacity_scale: float = 1.0,
) -> ChannelGraph:
    """A connected network of that many nodes, all channels enabled both ways; node 0 has the most channels.

    Degrees, capacities, ppm and the largest HTLC follow the model's quantiles by rank, so their distributions
    hold at any size; the other policy values follow the degree classes of the nodes. No node has more channels
    than 0.3 n, so that a network smaller than the model's has a lower mean degree; its largest nodes keep the
    class, and so the habits, of their quantile.
    """
    generator = stream.generator
    quantiles = at_quantiles(model.degree, (np.arange(nodes)[::-1] + 0.5) / nodes)
    classes = model.classes(np.rint(quantiles))
    degrees = feasible_degrees(_degrees(quantiles, channels_per_node))
    a, b = wire(degrees, classes, np.array(model.mixing), model.parallel_share, generator)
    degrees = np.bincount(np.concatenate((a, b)), minlength=nodes)
    capacity_msat = MSAT_PER_SAT * _capacities_sat(model, degrees, a, b, capacity_scale, generator)
    source = np.stack((a, b), axis=1).reshape(-1)
    policies = _policies(model, degrees, classes, source, generator)
    share = _htlc_max_shares(model, nodes, source, generator)
    htlc_max_msat = np.maximum((np.repeat(capacity_msat, 2) * share).astype(np.int64), MSAT_PER_SAT)
    policies["htlc_min_msat"] = np.minimum(policies["htlc_min_msat"], htlc_max_msat)  # no real edge has more
    first = eldest(source, np.stack((b, a), axis=1).reshape(-1))
    names = ("base_fee_msat", "fee_ppm", "cltv_delta")
    drawn = np.stack([policies[name] for name in names], axis=1)
    policies |= zip(names, make_alike(first, drawn, model.parallel_alike, generator).T, strict=True)
    width = len(str(nodes - 1))
    return ChannelGraph.empty([f"n{i:0{width}d}" for i in range(nodes)]).extended(
        channel_names=generated_channel_names(len(a)),
        node_a=a,
        node_b=b,
        capacity_msat=capacity_msat,
        base_fee_msat=policies["base_fee_msat"],
        fee_ppm=policies["fee_ppm"],
        cltv_delta=policies["cltv_delta"],
        htlc_min_msat=policies["htlc_min_msat"],
        htlc_max_msat=htlc_max_msat,
    )


def _degrees(quantiles: FloatArray, channels_per_node: float | None) -> IntArray:
    """The quantiles as whole degrees, none above 0.3 n; all times one factor if a mean is asked for."""
    largest = max(1, round(MAX_DEGREE_SHARE * len(quantiles)))

    def scaled(factor: float) -> IntArray:
        return np.rint(factor * quantiles).clip(1, largest).astype(np.int64)

    if channels_per_node is None:
        return scaled(1.0)
    low, high = 0.0, float(largest)
    for _ in range(50):
        middle = (low + high) / 2
        if scaled(middle).sum() < 2 * channels_per_node * len(quantiles):
            low = middle
        else:
            high = middle
    return scaled(high)


def _capacities_sat(
    model: NetworkModel,
    degrees: IntArray,
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    scale: float,
    generator: np.random.Generator,
) -> IntArray:
    """Capacities whose ranks follow the ends' degrees, a part of each end and chance; values by the ranks."""
    features = capacity_features(np.minimum(degrees[a], degrees[b]), np.maximum(degrees[a], degrees[b]))
    node_part = generator.standard_normal(len(degrees)) * model.capacity_node_sd
    edge_part = generator.standard_normal(len(a)) * model.capacity_edge_sd
    explained = (features * np.array(model.capacity_weights)).sum(axis=1)  # not @: its rounding depends on the machine
    scores = explained + node_part[a] + node_part[b] + edge_part
    drawn = at_quantiles(np.log(model.capacity_sat), mean_ranks(scores))
    return np.maximum(np.rint(scale * np.exp(drawn)), 1.0).astype(np.int64)


def _policies(
    model: NetworkModel,
    degrees: IntArray,
    classes: npt.NDArray[np.intp],
    source: npt.NDArray[Any],
    generator: np.random.Generator,
) -> dict[str, IntArray]:
    """Base fee, ppm, delta and smallest HTLC of every edge: mostly its node's own, otherwise drawn for itself."""
    nodes, edges = len(degrees), len(source)
    node_profile = _profiles(model, classes, degrees, generator)
    edge_profile = _profiles(model, classes[source], np.ones(edges, np.int64), generator)
    home = generator.random(edges) < model.home_share_profile
    profile = np.where(home, node_profile[source], edge_profile)
    rest = profile == len(model.profiles) - 1
    columns: dict[str, IntArray] = {}
    for name, table in (
        ("base_fee_msat", model.rest_base_fee_msat),
        ("cltv_delta", model.rest_cltv_delta),
        ("htlc_min_msat", model.rest_htlc_min_msat),
    ):
        common = np.array([getattr(row, name) for row in model.profiles])[profile]
        places = np.where(home, generator.random(nodes)[source], generator.random(edges))
        uncommon = np.rint(at_quantiles(table, places)).astype(np.int64)
        columns[name] = np.where(rest, uncommon, common)
    mean = np.array([row.ppm_score for row in model.profiles])[profile]
    spread = np.array([row.ppm_sd for row in model.profiles])[profile]
    mean += np.array(model.class_ppm_score)[classes[source]]
    own = generator.standard_normal(nodes)[source]
    r = model.ppm_correlation
    departed = r * own + (1 - r * r) ** 0.5 * generator.standard_normal(edges)
    part = np.where(generator.random(edges) < model.home_share_ppm, own, departed)
    columns["fee_ppm"] = np.rint(at_quantiles(model.fee_ppm, mean_ranks(mean + spread * part))).astype(np.int64)
    return columns


def _profiles(
    model: NetworkModel,
    classes: npt.NDArray[np.intp],
    weights: IntArray,
    generator: np.random.Generator,
) -> npt.NDArray[np.intp]:
    """A policy combination for each node (or edge), so that those of a class cover the model's shares of the weight.

    Systematic sampling: in random order, each takes the combination at the middle of its own stretch of weight.
    """
    table = np.array([row.edges for row in model.profiles], np.float64)
    result = np.zeros(len(classes), np.intp)
    for k in range(table.shape[1]):
        members = generator.permutation(np.flatnonzero(classes == k))
        if len(members) == 0:
            continue
        ends = np.cumsum(weights[members])
        places = (ends - weights[members] / 2) / ends[-1]
        shares = np.cumsum(table[:, k]) / table[:, k].sum()
        result[members] = np.searchsorted(shares, places).clip(max=len(table) - 1)
    return result


def _htlc_max_shares(
    model: NetworkModel, nodes: int, source: npt.NDArray[Any], generator: np.random.Generator
) -> FloatArray:
    """The largest HTLC as a share of the capacity: mostly the same for all channels of a node."""
    home = generator.random(len(source)) < model.home_share_htlc_max
    places = mean_ranks(np.where(home, generator.random(nodes)[source], generator.random(len(source))))
    return at_quantiles(model.htlc_max_share, places)
