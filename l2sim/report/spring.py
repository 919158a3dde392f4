"""Places for the nodes of a small network: neighbours near each other, strangers apart."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.int64]


def spring_places(count: int, edges: Pairs, apart: float, rounds: int = 80, seed: int = 1) -> Floats:
    """A place in the plane for each of `count` nodes, the same each time; `edges` has a row of two nodes each.

    Fruchterman and Reingold, "Graph drawing by force-directed placement", Software: Practice and Experience 21 (1991):
    all nodes repel by `apart`² over their distance, neighbours attract by the square of their distance over `apart`,
    and no step is longer than a temperature that falls to nothing. All pairs at once: for some hundreds of nodes.

    >>> a, b, c = spring_places(3, np.array([[0, 1]]), apart=0.5)
    >>> bool(np.linalg.norm(a - b) < np.linalg.norm(a - c))
    True
    """
    places = np.random.default_rng(seed).random((count, 2))
    neighbours = np.zeros((count, count))
    neighbours[edges[:, 0], edges[:, 1]] = neighbours[edges[:, 1], edges[:, 0]] = 1.0
    np.fill_diagonal(neighbours, 0.0)
    start = 0.1 * float(np.ptp(places, axis=0).max(initial=0.0))
    for step in range(rounds):
        away = places[:, None, :] - places[None, :, :]
        distance = np.maximum(np.hypot(away[..., 0], away[..., 1]), 0.01)
        force = (apart / distance) ** 2 - neighbours * distance / apart
        move = np.einsum("ijk,ij->ik", away, force)
        length = np.maximum(np.hypot(move[:, 0], move[:, 1]), 1e-9)
        places += move / length[:, None] * np.minimum(length, start * (1 - step / rounds))[:, None]
    return places
