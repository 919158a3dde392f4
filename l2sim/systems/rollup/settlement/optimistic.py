"""The optimistic kind: a proposed state stands unless somebody proves it wrong within the challenge window."""

from collections.abc import Callable

from l2sim.engine import ns
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.batcher import Batch
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.settlement.base import SELECTOR_BYTES, WORD_BYTES, Settlement
from l2sim.systems.rollup.settlement.config import OptimisticConfig


class OptimisticSettlement(Settlement):
    """The state after each batch is proposed at intervals; a batch is final a challenge window after its block.

    Nobody lies here, so nobody challenges. A withdrawal is proven against a proposal on L1 and claimed a window later.
    """

    def __init__(
        self,
        config: OptimisticConfig,
        world: World,
        chain: EthereumChain,
        operator: Operator,
        on_exits: Callable[[Batch], object],
        on_final: Callable[[Batch, int], object],
    ) -> None:
        super().__init__(world, chain, operator, on_exits, on_final)
        self._config = config
        self._window_ns = ns(config.challenge_window_s)
        self._interval_ns = ns(config.proposal_interval_s)
        self._unproposed: list[Batch] = []
        self._proposal_ns: int | None = None

    def batch_included(self, batch: Batch, receipt: Receipt) -> None:
        """Have the state after the batch proposed on the next beat; it is final after the window."""
        self._unfinal += 1
        final_ns = max(receipt.time_ns + self._window_ns, self._chain.final_ns(receipt))
        self._finish_at(batch, final_ns)
        self._unproposed.append(batch)
        if self._proposal_ns is None:
            now = self._world.environment.now
            self._proposal_ns = -(-(now + 1) // self._interval_ns) * self._interval_ns
            self._world.environment.call_at(self._proposal_ns, self._propose)

    def _propose(self) -> None:
        batches, self._unproposed = self._unproposed, []
        self._proposal_ns = None
        # proposeL2Output(output root, L2 block number, L1 block hash, L1 block number)
        root = batches[-1].state_root or batches[-1].payments_root
        data = bytes(SELECTOR_BYTES) + root + batches[-1].number.to_bytes(WORD_BYTES, "big") + bytes(2 * WORD_BYTES)
        self._operator.send(self._config.proposal_gas, lambda _: self._proposed(batches), data=data)

    def _proposed(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._on_exits(batch)

    @property
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """Prove, wait for the window, claim."""
        return ((self._config.prove_gas, self._window_ns), (self._config.claim_gas, 0))

    @property
    def operator_gas(self) -> int:
        """That of a proposal."""
        return self._config.proposal_gas

    @property
    def due_ns(self) -> int | None:
        """When the next proposal is made."""
        return self._proposal_ns
