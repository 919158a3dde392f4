"""Wiring a network: given the degree of every node, who has a channel with whom.

A configuration model with the mixing of degree classes of a real network (leaves hang on hubs, not on leaves),
made connected, without loops, with no more parallel channels than reality has.
"""

from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from l2sim.systems.lightning.graph import connected_components

Ends = npt.NDArray[np.int64]

FITTING_ROUNDS: Final = 200  # of iterative proportional fitting; real tables settle to 1e-6 in some dozens
TRADING_ROUNDS: Final = 40  # tries to trade the ends of unwanted channels; a network of mainnet's size takes about 25


def feasible_degrees(degrees: npt.NDArray[Any]) -> Ends:
    """Degrees that a connected network can have: their sum even and at least 2 (n - 1).

    What is missing goes to the first node, which should be the largest.
    """
    result = np.maximum(np.asarray(degrees, np.int64), 1)
    missing = 2 * (len(result) - 1) - int(result.sum())
    result[0] += max(missing, 0)
    result[0] += int(result.sum()) % 2
    return result


def wire(
    degrees: Ends,
    classes: npt.NDArray[np.intp],
    mixing: npt.NDArray[Any],
    parallel_share: float,
    generator: np.random.Generator,
) -> tuple[Ends, Ends]:
    """The two ends of every channel, shape (m,) each, lower node first, sorted; `degrees` as `feasible_degrees` gives.

    Every node keeps its degree, but for loops that nothing could be traded for (none in networks of ten or more).
    """
    a, b = _match(degrees, classes, mixing, generator)
    a, b = _spread(a, b, parallel_share, generator)
    a, b = _connected(len(degrees), a, b, generator)
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((high, low))
    return low[order], high[order]


def fitted_mixing(stubs: npt.NDArray[Any], mixing: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The table nearest to `mixing` whose rows sum to `stubs` (iterative proportional fitting, kept symmetric)."""
    table = np.asarray(mixing, np.float64).copy()
    for _ in range(FITTING_ROUNDS):
        rows = table.sum(axis=1)
        factor = np.sqrt(np.divide(stubs, rows, out=np.zeros_like(rows), where=rows > 0))
        table *= factor[:, None] * factor[None, :]
    return table


def _match(
    degrees: Ends, classes: npt.NDArray[np.intp], mixing: npt.NDArray[Any], generator: np.random.Generator
) -> tuple[Ends, Ends]:
    """Pair up the stubs (channel ends) class by class, in random order; what does not fit the table pairs at random."""
    count = len(mixing)
    stubs = [np.repeat(np.flatnonzero(classes == k), degrees[classes == k]) for k in range(count)]
    for pool in stubs:
        generator.shuffle(pool)
    table = fitted_mixing(np.array([len(pool) for pool in stubs]), mixing).astype(np.int64)
    used = [0] * count
    a: list[Ends] = []
    b: list[Ends] = []

    def take(k: int, number: int) -> Ends:
        used[k] += number
        return stubs[k][used[k] - number : used[k]]

    for k in range(count):
        inside = int(table[k, k]) // 2
        a.append(take(k, inside))
        b.append(take(k, inside))
        for other in range(k + 1, count):
            across = min(int(table[k, other]), len(stubs[k]) - used[k], len(stubs[other]) - used[other])
            a.append(take(k, across))
            b.append(take(other, across))
    left = np.concatenate([pool[start:] for pool, start in zip(stubs, used, strict=True)])
    generator.shuffle(left)
    return np.concatenate((*a, left[0::2])), np.concatenate((*b, left[1::2]))


def _spread(a: Ends, b: Ends, parallel_share: float, generator: np.random.Generator) -> tuple[Ends, Ends]:
    """Trade ends until there are no loops, and no more than that share of channels runs beside another one.

    Two channels (u, v) and (x, y), one of them unwanted, become (u, x) and (v, y) if that makes no new unwanted one;
    late rounds still trade loops for parallel channels. Loops left in the end (where one node has more channels
    than all others together) are dropped.
    """
    pairs = Counter(zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True))
    for trial in range(TRADING_ROUNDS):
        order = np.lexsort((np.maximum(a, b), np.minimum(a, b)))
        low, high = np.minimum(a, b)[order], np.maximum(a, b)[order]
        repeats = order[1:][(low[1:] == low[:-1]) & (high[1:] == high[:-1]) & (low[1:] != high[1:])]
        excess = max(len(repeats) - int(parallel_share * len(a)), 0)
        loops = np.flatnonzero(a == b)
        if len(loops) == 0 and excess == 0:
            break
        unwanted = np.concatenate((loops, generator.permutation(repeats)[:excess]))
        partners = generator.integers(len(a), size=len(unwanted))
        for first, second in zip(unwanted.tolist(), partners.tolist(), strict=True):
            u, v, x, y = int(a[first]), int(b[first]), int(a[second]), int(b[second])
            new = (min(u, x), max(u, x)), (min(v, y), max(v, y))
            eager = trial >= TRADING_ROUNDS // 2 and u == v
            if first == second or u == x or v == y or (not eager and (new[0] == new[1] or any(map(pairs.get, new)))):
                continue
            pairs.subtract(((min(u, v), max(u, v)), (min(x, y), max(x, y))))
            pairs.update(new)
            b[first], a[second], b[second] = x, v, y
    keep = a != b
    return a[keep], b[keep]


def _connected(nodes: int, a: Ends, b: Ends, generator: np.random.Generator) -> tuple[Ends, Ends]:
    """Join all components by trading ends, degrees unchanged.

    A channel (x, y) that a spanning tree of the main component does without, and a channel (u, v) of another
    component, become (x, u) and (y, v): the main component holds without the first, and both of u and v hang
    on it. With m at least n - 1 there are always enough such channels, if components with cycles go first.
    """
    while True:
        component = connected_components(nodes, a, b)
        roots = np.unique(component)
        if len(roots) == 1:
            return a, b
        spare = np.flatnonzero(~_spanning_forest(nodes, a, b))
        spare_count = np.bincount(component[a[spare]], minlength=nodes)
        main = int(roots[np.argmax(spare_count[roots])])
        others = roots[roots != main]
        others = others[np.argsort(-spare_count[others], kind="stable")]
        pool = generator.permutation(spare[component[a[spare]] == main])
        lonely = np.setdiff1d(others, component[a])
        if len(pool) == 0 or len(lonely):  # only where loops were given up: hang the rest on the first node
            extra = others if len(pool) == 0 else lonely
            return _connected(nodes, np.append(a, np.full(len(extra), main)), np.append(b, extra), generator)
        for channel, root in zip(pool.tolist(), others.tolist(), strict=False):
            inside = np.flatnonzero(component[a] == root)
            other = int(inside[generator.integers(len(inside))])
            b[channel], a[other] = a[other], b[channel]


def _spanning_forest(nodes: int, a: Ends, b: Ends) -> npt.NDArray[np.bool_]:
    """Marks the channels of one spanning forest, shape (m,), by union and find."""
    parent = list(range(nodes))
    chosen = np.zeros(len(a), np.bool_)
    for channel, (u, v) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        while parent[u] != u:
            parent[u] = parent[parent[u]]
            u = parent[u]
        while parent[v] != v:
            parent[v] = parent[parent[v]]
            v = parent[v]
        if u != v:
            parent[u] = v
            chosen[channel] = True
    return chosen
