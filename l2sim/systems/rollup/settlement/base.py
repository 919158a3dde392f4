"""What makes an L2 state final on L1: nobody proves it wrong in time, or somebody proves it right."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.poster import Batch


class Settlement(ABC):
    """Takes batches that are on L1, in order, and tells when exits may use them and when they are final."""

    def __init__(
        self,
        world: World,
        chain: EthereumChain,
        operator: Operator,
        on_exits: Callable[[Batch], object],
        on_final: Callable[[Batch, int], object],
    ) -> None:
        """`on_exits` is told when withdrawals of a batch can take their first step, `on_final` when it is final."""
        self._world = world
        self._chain = chain
        self._operator = operator
        self._on_exits = on_exits
        self._on_final = on_final
        self._unfinal = 0

    @property
    def idle(self) -> bool:
        """Whether every batch taken so far is final."""
        return self._unfinal == 0

    @abstractmethod
    def batch_included(self, batch: Batch, receipt: Receipt) -> None:
        """Take a batch whose data has come to L1."""

    @abstractmethod
    def abandon(self) -> None:
        """The operator is gone for good: nobody waits for it any more."""

    @property
    @abstractmethod
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """The L1 transactions of a withdrawal in order: gas, and the wait after its block, ns."""

    @property
    @abstractmethod
    def due_ns(self) -> int | None:
        """When the next L1 transaction may be sent at the earliest; None if none is to come."""

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """Time that servers of the settlement worked."""
        return {}

    @property
    def bonded_wei(self) -> int:
        """What operators have in bonds now."""
        return 0

    def _finish_at(self, batch: Batch, time_ns: int) -> None:
        self._world.environment.call_at(max(time_ns, self._world.environment.now), self._finish, batch, time_ns)

    def _finish(self, batch: Batch, time_ns: int) -> None:
        self._unfinal -= 1
        self._on_final(batch, time_ns)
