"""What makes an L2 state final on L1: nobody proves it wrong in time, or somebody proves it right."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from l2sim.engine import Server, ns
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import transaction_gas
from l2sim.systems.base import Economics, World
from l2sim.systems.rollup.batcher import Batch
from l2sim.systems.rollup.config import OptimisticConfig, ValidityConfig
from l2sim.systems.rollup.l1_account import Operator

WORD_BYTES = 32
SELECTOR_BYTES = 4


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

    @property
    @abstractmethod
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """The L1 transactions of a withdrawal in order: gas, and the wait after its block, ns."""

    @property
    @abstractmethod
    def operator_gas(self) -> int:
        """The most gas that one of its own L1 transactions uses."""

    @property
    @abstractmethod
    def due_ns(self) -> int | None:
        """When the next L1 transaction may be sent at the earliest; None if none is to come."""

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """Time that servers of the settlement worked."""
        return {}

    def _finish_at(self, batch: Batch, time_ns: int) -> None:
        self._world.environment.call_at(max(time_ns, self._world.environment.now), self._finish, batch, time_ns)

    def _finish(self, batch: Batch, time_ns: int) -> None:
        self._unfinal -= 1
        self._world.recorder.batches.set(batch.number, "final_ns", time_ns)
        self._on_final(batch, time_ns)


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


class ValiditySettlement(Settlement):
    """Every batch is proven off chain once its data is on L1, and its proof verified there, in order of batches.

    A batch is final when its proof's block is, and the execution delay over. Withdrawals can be claimed after the
    delay.
    """

    def __init__(
        self,
        config: ValidityConfig,
        world: World,
        chain: EthereumChain,
        operator: Operator,
        on_exits: Callable[[Batch], object],
        on_final: Callable[[Batch, int], object],
        economics: Economics,
    ) -> None:
        super().__init__(world, chain, operator, on_exits, on_final)
        self._config = config
        self._economics = economics
        self._provers = Server(world.environment, cores=config.provers)
        self._proofs = world.streams.get("rollup/proofs")
        self._delay_ns = ns(config.execution_delay_s)
        self._proven: dict[int, Batch] = {}
        self._next = 0
        self._dues_ns: list[int] = []
        """When proofs under way will be made, and when delays end."""

    def batch_included(self, batch: Batch, receipt: Receipt) -> None:
        """Give the batch to the next free prover."""
        del receipt
        self._unfinal += 1
        config = self._config
        service_ns = ns(config.proof_s + config.proof_s_per_transaction * batch.transactions)
        self._economics.operator_costs_usd += config.proof_usd + config.proof_usd_per_transaction * batch.transactions
        finish_ns = self._provers.submit(service_ns, self._prove, batch)
        if finish_ns is not None:
            self._dues_ns.append(finish_ns)

    def _prove(self, batch: Batch) -> None:
        self._dues_ns.remove(self._world.environment.now)
        self._proven[batch.number] = batch
        while self._next in self._proven:
            self._verify(self._proven.pop(self._next))
            self._next += 1

    def _verify(self, batch: Batch) -> None:
        # The proof is opaque: random bytes of its size, with the two roots that it links as public inputs.
        root = batch.state_root or batch.payments_root
        data = bytes(SELECTOR_BYTES) + self._proofs.bytes(self._config.proof_bytes) + batch.payments_root + root
        self._operator.send(self._gas(data), lambda receipt: self._verified(batch, receipt), data=data)

    def _gas(self, data: bytes) -> int:
        return transaction_gas(data, self._config.verify_gas, calldata_floor=self._chain.fork.calldata_floor)

    def _verified(self, batch: Batch, receipt: Receipt) -> None:
        self._world.recorder.batches.set(batch.number, "proven_ns", receipt.time_ns)
        executed_ns = receipt.time_ns + self._delay_ns
        self._dues_ns.append(executed_ns)
        self._world.environment.call_at(executed_ns, self._executed, batch)
        self._finish_at(batch, max(self._chain.final_ns(receipt), executed_ns))

    def _executed(self, batch: Batch) -> None:
        self._dues_ns.remove(self._world.environment.now)
        self._on_exits(batch)

    @property
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """Claim, at once."""
        return ((self._config.claim_gas, 0),)

    @property
    def operator_gas(self) -> int:
        """That of a proof without a zero byte in its data."""
        return self._gas(b"\xff" * (SELECTOR_BYTES + self._config.proof_bytes + 2 * WORD_BYTES))

    @property
    def due_ns(self) -> int | None:
        """When the next proof is made or the next delay ends."""
        return min(self._dues_ns, default=None)

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """Time that provers worked."""
        return {"prover": self._provers.busy_ns}
