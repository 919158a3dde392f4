"""How the money lies in the channels at the start: drawn, or as the network file says.

No public measurement gives balances. Probing found them near one end more often than in the middle, which is why
LND's and LDK's estimators have bimodal priors.
"""

import numpy as np
import numpy.typing as npt

from l2sim.engine import Stream
from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph, IntArray, interleave
from l2sim.systems.lightning.topology.config import (
    BimodalBalances,
    EvenBalances,
    FileBalances,
    UniformBalances,
)

MSAT_PER_SAT = 1_000


def draw_balances(
    graph: ChannelGraph,
    config: EvenBalances | UniformBalances | BimodalBalances | FileBalances,
    stream: Stream,
) -> IntArray:
    """The balance of each directed edge's sender in msat, shape (2m,); a pair sums to the capacity exactly.

    Raises `TopologyError` where the balances should come from the file and it has none.

    >>> from l2sim.engine import Streams
    >>> graph = ChannelGraph.from_channels(["alice", "bob"], [(0, 1, 500_000_001)])
    >>> draw_balances(graph, EvenBalances(), Streams(seed=1).get("balances")).tolist()
    [250000000, 250000001]
    """
    match config:
        case FileBalances():
            if graph.balance_msat is None:
                raise TopologyError(
                    "balances: from_file needs a network file that states them, such as CLoTH's (it has none)"
                )
            return graph.balance_msat
        case EvenBalances():
            side_a = graph.capacity_msat // 2
        case UniformBalances():
            side_a = stream.generator.integers(0, graph.capacity_msat, endpoint=True)
        case BimodalBalances():
            side_a = _bimodal(graph.capacity_msat, config.scale_sat * MSAT_PER_SAT, stream)
    return interleave(side_a, graph.capacity_msat - side_a)


def _bimodal(capacity_msat: IntArray, scale_msat: int, stream: Stream) -> IntArray:
    """One side's balance with density exp(-x / s) + exp((x - c) / s) on 0..c.

    Half the time x falls exponentially from 0, cut off at c, by inverting its distribution function
    (1 - exp(-x / s)) / (1 - exp(-c / s)); otherwise its mirror image.
    """
    generator = stream.generator
    share: npt.NDArray[np.float64] = generator.random(len(capacity_msat))
    from_above = generator.random(len(capacity_msat)) < 0.5
    reach = -np.expm1(-capacity_msat / scale_msat)
    near_end = np.floor(-scale_msat * np.log1p(-share * reach)).astype(np.int64)
    near_end = np.minimum(near_end, capacity_msat)  # rounding may step over the end by an msat
    return np.asarray(np.where(from_above, capacity_msat - near_end, near_end), np.int64)
