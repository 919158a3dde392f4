"""Edges with the same two ends: on real networks nearly all of them have one policy."""

from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.graph import ChannelGraph

IntArray = npt.NDArray[np.int64]


def eldest(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> IntArray:
    """For each edge the first that leads from and to the same nodes, often itself.

    >>> eldest(np.array([0, 1, 0, 0]), np.array([1, 0, 2, 1])).tolist()
    [0, 1, 2, 0]
    """
    pairs = source.astype(np.int64) * (int(target.max(initial=0)) + 1) + target
    _, first, group = np.unique(pairs, return_index=True, return_inverse=True)
    return np.asarray(first[group], np.int64)


def alike_share(first: IntArray, policies: IntArray) -> float:
    """Of edges that are not the first of theirs, the share with its row of `policies` (2m, k); 0 if there are none."""
    later = first != np.arange(len(first))
    alike = (policies[later] == policies[first[later]]).all(axis=1)
    return float(alike.mean()) if later.any() else 0.0


def policies_of(graph: ChannelGraph) -> IntArray:
    """Base fee, ppm and delta of each edge, shape (2m, 3)."""
    return np.stack((graph.base_fee_msat, graph.fee_ppm, graph.cltv_delta), axis=1).astype(np.int64)


def make_alike(first: IntArray, policies: IntArray, share: float, generator: np.random.Generator) -> IntArray:
    """The policies with so many later edges made like their first that about that share is."""
    by_chance = alike_share(first, policies)
    copied = generator.random(len(first)) < max(0.0, share - by_chance) / (1 - by_chance) if by_chance < 1 else False
    return np.where(np.reshape(copied, (-1, 1)), policies[first], policies)
