"""The validity kind: a state stands when a proof of it has been verified on L1."""

from collections.abc import Callable, Mapping

from l2sim.engine import Server, ns
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import transaction_gas
from l2sim.systems.base import Economics, World
from l2sim.systems.rollup.batcher import Batch
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.settlement.base import SELECTOR_BYTES, WORD_BYTES, Settlement
from l2sim.systems.rollup.settlement.config import ValidityConfig


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
