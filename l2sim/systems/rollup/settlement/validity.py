"""The kinds that prove their batches: a state stands when a proof of it has been verified on L1."""

from collections.abc import Callable, Mapping

from l2sim.engine import Call, ns
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.gas import transaction_gas
from l2sim.systems.base import Economics, World
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.poster import Batch
from l2sim.systems.rollup.settlement.base import Settlement
from l2sim.systems.rollup.settlement.config import ValidityConfig, ValidiumConfig
from l2sim.systems.rollup.settlement.provers import Provers
from l2sim.systems.rollup.settlement.words import SELECTOR_BYTES


class ValiditySettlement(Settlement):
    """Every batch is proven off chain once it is on L1, and its proof verified there, in order of batches.

    With `batches_per_proof` above one, proofs of consecutive batches are folded into one that L1 verifies once: when
    so many are proven, or the first of them has waited long enough. A batch is final when its proof's block is, and
    the execution delay over. Withdrawals can be claimed after the delay. With `execute_gas`, another transaction is
    sent after the delay, whose block counts in the place of the proof's.
    """

    def __init__(
        self,
        config: ValidityConfig | ValidiumConfig,
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
        outages = Outages(config.outages, world.horizon.payments_ns)
        self._provers = Provers(world.environment, config.provers, outages)
        self._proofs = world.streams.get("rollup/proofs")
        self._delay_ns = ns(config.execution_delay_s)
        self._proven: dict[int, Batch] = {}
        self._next = 0
        self._together: list[Batch] = []
        """Proven batches that wait for others."""
        self._folds: dict[int, list[Batch]] = {}
        """Batches whose common proof is made, by the first of them, while one before it is not."""
        self._next_fold = 0
        self._patience: Call | None = None
        self._patience_ns = 0
        self._dues_ns: list[int] = []
        """When proofs under way will be made, waits be over, and delays end."""
        self._settling = 0
        """Batches whose proof is on its way or verified, and that are not final yet."""
        self._executing = 0
        """Those of them whose execution is on its way or done, where that takes a transaction."""
        self._stopped = False
        self.proofs = 0
        """Proofs sent to L1."""

    def batch_included(self, batch: Batch, receipt: Receipt) -> None:
        """Give the batch to the next free prover."""
        del receipt
        if self._stopped:
            return
        self._unfinal += 1
        config = self._config
        service_ns = ns(config.proof_s + config.proof_s_per_transaction * batch.transactions)
        self._economics.operator_costs_usd += config.proof_usd + config.proof_usd_per_transaction * batch.transactions
        self._dues_ns.append(self._provers.submit(service_ns, self._prove, batch))

    def _prove(self, batch: Batch) -> None:
        self._dues_ns.remove(self._world.environment.now)
        if self._stopped:
            return
        self._proven[batch.number] = batch
        while self._next in self._proven:
            self._gather(self._proven.pop(self._next))
            self._next += 1

    def _gather(self, batch: Batch) -> None:
        """Let a proven batch wait for its fellows."""
        self._together.append(batch)
        if len(self._together) >= self._config.batches_per_proof:
            if self._patience is not None:
                self._patience.cancel()
                self._dues_ns.remove(self._patience_ns)
                self._patience = None
            self._fold()
        elif self._patience is None:
            self._patience_ns = self._world.environment.now + ns(self._config.aggregation_wait_s)
            self._dues_ns.append(self._patience_ns)
            self._patience = self._world.environment.call_at(self._patience_ns, self._lose_patience)

    def _lose_patience(self) -> None:
        self._dues_ns.remove(self._patience_ns)
        self._patience = None
        if not self._stopped:
            self._fold()

    def _fold(self) -> None:
        """Make one proof of those that wait; it goes to L1 at once if there is nothing to fold."""
        batches, self._together = self._together, []
        if len(batches) == 1 or not self._config.aggregation_s:
            self._send(batches)
            return
        self._dues_ns.append(self._provers.submit(ns(self._config.aggregation_s), self._folded, batches))

    def _folded(self, batches: list[Batch]) -> None:
        self._dues_ns.remove(self._world.environment.now)
        if not self._stopped:
            self._send(batches)

    def _send(self, batches: list[Batch]) -> None:
        """Send the proof of these batches to L1, after those of all before them: each builds on the root before it."""
        self._folds[batches[0].number] = batches
        while self._next_fold in self._folds:
            ready = self._folds.pop(self._next_fold)
            self._next_fold += len(ready)
            self._verify(ready)

    def _verify(self, batches: list[Batch]) -> None:
        # The proof is opaque: random bytes of its size, with the two roots that it links as public inputs.
        last = batches[-1]
        root = last.state_root or last.payments_root
        data = bytes(SELECTOR_BYTES) + self._proofs.bytes(self._config.proof_bytes) + last.payments_root + root
        self.proofs += 1
        self._settling += len(batches)
        self._operator.send(self._gas(data), lambda receipt: self._verified(batches, receipt), data=data)

    def _gas(self, data: bytes) -> int:
        return transaction_gas(data, self._config.verify_gas, calldata_floor=self._chain.fork.calldata_floor)

    def _verified(self, batches: list[Batch], receipt: Receipt) -> None:
        executed_ns = receipt.time_ns + self._delay_ns
        now = self._world.environment.now
        for batch in batches:
            self._world.recorder.batches.set(batch.number, "proven_ns", receipt.time_ns)
            self._dues_ns.append(executed_ns)
            if self._config.execute_gas:
                self._world.environment.call_at(max(executed_ns, now), self._execute, batch, executed_ns)
            else:
                self._world.environment.call_at(max(executed_ns, now), self._executed, batch, executed_ns)
                self._finish_at(batch, max(self._chain.final_ns(receipt), executed_ns))

    def _executed(self, batch: Batch, due_ns: int) -> None:
        self._dues_ns.remove(due_ns)
        self._on_exits(batch)

    def _execute(self, batch: Batch, due_ns: int) -> None:
        """Have L1 take over the state of a proven batch whose delay is over."""
        self._dues_ns.remove(due_ns)
        if self._stopped:
            return
        self._executing += 1
        root = batch.state_root or batch.payments_root
        data = bytes(SELECTOR_BYTES) + batch.payments_root + root
        gas = transaction_gas(data, self._config.execute_gas, calldata_floor=self._chain.fork.calldata_floor)

        def done(receipt: Receipt) -> None:
            self._on_exits(batch)
            self._finish_at(batch, self._chain.final_ns(receipt))

        self._operator.send(gas, done, data=data)

    def _finish(self, batch: Batch, time_ns: int) -> None:
        self._settling -= 1
        self._executing -= bool(self._config.execute_gas)
        super()._finish(batch, time_ns)

    def abandon(self) -> None:
        """Prove and execute nothing any more: batches of which the last of both has not been sent are never final."""
        self._stopped = True
        self._unfinal = self._executing if self._config.execute_gas else self._settling

    @property
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """Claim, at once."""
        return ((self._config.claim_gas, 0),)

    @property
    def due_ns(self) -> int | None:
        """When the next proof is made, the next wait is over or the next delay ends."""
        return min(self._dues_ns, default=None)

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """Time that provers worked."""
        return {"prover": self._provers.busy_ns}
