"""Edges by the node at one of their ends."""

import numpy as np
import numpy.typing as npt


class EdgesByNode:
    """The edges of each node, in order of their numbers: `end` says which node each edge belongs to, shape (edges,).

    >>> edges = EdgesByNode(np.array([2, 0, 2]), nodes=3)
    >>> edges.of(2).tolist(), edges.of(1).tolist(), edges.most
    ([0, 2], [], 2)
    """

    def __init__(self, end: npt.NDArray[np.integer], nodes: int) -> None:
        self._order = np.argsort(end, kind="stable").astype(np.int64)
        self._start = np.searchsorted(end[self._order], np.arange(nodes + 1))

    def of(self, node: int) -> npt.NDArray[np.int64]:
        """The edges of a node."""
        return self._order[self._start[node] : self._start[node + 1]]

    @property
    def most(self) -> int:
        """The most edges that one node has."""
        return int(np.diff(self._start).max(initial=0))
