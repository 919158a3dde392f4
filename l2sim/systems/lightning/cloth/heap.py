"""CLoTH's binary heap of nodes, by distance and then by probability, with the order it gives to equals.

An entry stays below its equals on the way up and passes them on the way down.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Whole

Floats = npt.NDArray[np.float64]


@njit()
def rise(
    heap: Int32s, heap_d: Int64s, heap_p: Floats, place_of: Int32s, node: Whole, d: Whole, p: float, place: Whole
) -> None:
    """Put a node with its distance and probability at that place of the heap or above: equal keys stay below."""
    while place > 0:
        parent = (place - 1) >> 1
        if d > heap_d[parent] or (d == heap_d[parent] and p >= heap_p[parent]):
            break
        heap[place] = heap[parent]
        heap_d[place] = heap_d[parent]
        heap_p[place] = heap_p[parent]
        place_of[heap[place]] = place
        place = parent
    heap[place] = node
    heap_d[place] = d
    heap_p[place] = p
    place_of[node] = place


@njit()
def drop_first(heap: Int32s, heap_d: Int64s, heap_p: Floats, place_of: Int32s, size: Whole) -> None:
    """Take the first node off a heap that had one more than `size`; equal keys change places on the way."""
    node = heap[size]
    d = heap_d[size]
    p = heap_p[size]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            heap_d[other] < heap_d[child] or (heap_d[other] == heap_d[child] and heap_p[other] <= heap_p[child])
        ):
            child = other
        if heap_d[child] > d or (heap_d[child] == d and heap_p[child] > p):
            break
        heap[place] = heap[child]
        heap_d[place] = heap_d[child]
        heap_p[place] = heap_p[child]
        place_of[heap[place]] = place
        place = child
    heap[place] = node
    heap_d[place] = d
    heap_p[place] = p
    place_of[node] = place
