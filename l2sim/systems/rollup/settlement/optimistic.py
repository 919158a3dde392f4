"""The optimistic kind: a proposed state stands unless somebody proves it wrong within the challenge window."""

from collections.abc import Callable

from l2sim.engine import ns
from l2sim.errors import InvariantError
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.systems.base import World
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.poster import Batch
from l2sim.systems.rollup.settlement.base import Settlement
from l2sim.systems.rollup.settlement.challenge import LIAR, WATCHER, Challenge, Dispute
from l2sim.systems.rollup.settlement.config import OptimisticConfig
from l2sim.systems.rollup.settlement.replay import Replay, operations
from l2sim.systems.rollup.settlement.words import EXIT_DATA_BYTES, SELECTOR_BYTES, WORD_BYTES

WEI_PER_ETHER = 10**18


class OptimisticSettlement(Settlement):
    """The state after the batches on L1 is proposed at intervals; they are final a challenge window after its block.

    A withdrawal is proven against a proposal on L1 and claimed a window later. With disputes, a watcher executes every
    batch again and compares roots. Where a proposer lies, the watcher opens a dispute; nobody proves withdrawals
    against the lie, the batches are proposed anew at the next beat, and their window begins with that proposal. A lie
    that the watcher does not see within the window, or whose dispute it loses, stands: the proposer proves what it
    gave itself and takes it out of the bridge when its window is over.

    Anybody may propose (OP Stack since its fault-proof games of June 2024): when the operator is gone, others do so in
    its place.
    """

    def __init__(
        self,
        config: OptimisticConfig,
        world: World,
        chain: EthereumChain,
        operator: Operator,
        watcher: Operator,
        on_exits: Callable[[Batch], object],
        on_final: Callable[[Batch, int], object],
        on_theft: Callable[[int], object],
    ) -> None:
        """`on_theft` is told the wei that a proposer has proven to be its own by a lie, when it claims them."""
        super().__init__(world, chain, operator, on_exits, on_final)
        self._config = config
        self._window_ns = ns(config.challenge_window_s)
        self._interval_ns = ns(config.proposal_interval_s)
        self._unproposed: list[Batch] = []
        self._proposal_ns: int | None = None
        self._proposals = 0
        self._proposing = False
        """Whether a proposal is on its way into a block."""
        self._operators = {LIAR: operator, WATCHER: watcher}
        self._replay = None if config.disputes is None else Replay()
        self._challenges: list[Challenge] = []
        self._on_theft = on_theft
        outages = () if config.disputes is None else config.disputes.watcher_outages
        self._awake = Outages(outages, world.horizon.payments_ns)
        self._robberies = 0
        """Lies that stand, and are not paid out yet."""
        self._claims_ns: list[int] = []
        self.disputes: list[Dispute] = []
        """Disputes begun so far, in order."""

    def batch_included(self, batch: Batch, receipt: Receipt) -> None:
        """Have the state after the batch proposed on the next beat; it is final a window after that."""
        del receipt
        self._unfinal += 1
        self._unproposed.append(batch)
        self._propose_soon()

    def _propose_soon(self) -> None:
        if self._proposal_ns is None:
            now = self._world.environment.now
            self._proposal_ns = -(-(now + 1) // self._interval_ns) * self._interval_ns
            self._world.environment.call_at(self._proposal_ns, self._propose)

    def _propose(self) -> None:
        # Batches that wait again after a lie come before those that came since; the state is that after the last.
        batches = sorted(self._unproposed, key=lambda batch: batch.number)
        self._unproposed = []
        self._proposal_ns = None
        if self._replay is not None and self._proposing:
            self._unproposed = batches  # whether the last one holds decides what this one builds on
            self._propose_soon()
            return
        self._proposing = True
        number, self._proposals = self._proposals, self._proposals + 1
        lying = self._config.disputes is not None and number in self._config.disputes.lying_proposals
        # proposeL2Output(output root, L2 block number, L1 block hash, L1 block number)
        root = batches[-1].state_root or batches[-1].payments_root
        data = bytes(SELECTOR_BYTES) + root + batches[-1].number.to_bytes(WORD_BYTES, "big") + bytes(2 * WORD_BYTES)
        done = self._lied if lying else self._proposed
        self._operator.send(self._config.proposal_gas, lambda receipt: done(number, batches, receipt), data=data)

    def _proposed(self, number: int, batches: list[Batch], receipt: Receipt) -> None:
        del number
        self._proposing = False
        self._watch(batches)
        final_ns = max(receipt.time_ns + self._window_ns, self._chain.final_ns(receipt))
        for batch in batches:
            self._finish_at(batch, final_ns)
            self._on_exits(batch)

    def _watch(self, batches: list[Batch]) -> None:
        """Execute the batches again and compare roots."""
        if self._replay is None:
            return
        for batch in batches:
            self._replay.look_at(list(operations(batch.blocks, self._world.workload)))
            batch.blocks = []
            root = self._replay.accept()
            if root != batch.state_root:
                raise InvariantError(
                    f"batch {batch.number} executed again must give its state root "
                    f"{batch.state_root.hex() if batch.state_root else 'none'} (got {root.hex()})"
                )

    def _lied(self, number: int, batches: list[Batch], receipt: Receipt) -> None:
        """The proposal on L1 claims a false state: open a dispute, and propose the batches again."""
        disputes, replay = self._config.disputes, self._replay
        if disputes is None or replay is None:
            raise InvariantError(f"proposal {number} must not lie without disputes")
        seen_ns = self._awake.after(receipt.time_ns + ns(disputes.watcher_delay_s))
        if seen_ns >= receipt.time_ns + self._window_ns:  # in time nobody does
            self._proposed(number, batches, receipt)
            self._rob(receipt.time_ns + self._window_ns)
            return
        self._proposing = False
        steps = [step for batch in batches for step in operations(batch.blocks, self._world.workload)]
        replay.look_at(steps)
        challenge = Challenge(
            disputes, self._world, number, steps, replay, self._operators, self._resolved,
            stolen_wei=self._lie_wei, awake=self._awake, seen_ns=seen_ns,
        )  # fmt: skip
        self._challenges.append(challenge)
        self.disputes.append(challenge.record)
        self._unproposed += batches
        self._propose_soon()

    @property
    def _lie_wei(self) -> int:
        return 0 if self._config.disputes is None else round(self._config.disputes.lie_eth * WEI_PER_ETHER)

    def _resolved(self, challenge: Challenge) -> None:
        self._challenges.remove(challenge)
        record, series = challenge.record, self._world.recorder.series
        now = self._world.environment.now
        if not record.watcher_won:
            if self._config.disputes is None or not self._config.disputes.watcher_outages:
                raise InvariantError(f"the watcher must win the dispute over proposal {record.proposal}: {record}")
            self._rob(record.begun_ns + self._window_ns)
        series.append(time_ns=now, measure="dispute_moves", value=float(record.moves))
        series.append(time_ns=now, measure="dispute_gain_eth", value=record.watcher_gain_wei / WEI_PER_ETHER)
        series.append(time_ns=now, measure="dispute_hours", value=(now - record.begun_ns) / 3.6e12)

    def _rob(self, due_ns: int) -> None:
        """Have the liar prove against its proposal, and claim from then on."""
        self._robberies += 1

        def proven(_: Receipt) -> None:
            claim_ns = max(due_ns, self._world.environment.now)
            self._claims_ns.append(claim_ns)
            self._world.environment.call_at(claim_ns, claim, claim_ns)

        def claim(claim_ns: int) -> None:
            self._claims_ns.remove(claim_ns)
            self._operator.send(self._config.claim_gas, taken, data=bytes(EXIT_DATA_BYTES))

        def taken(_: Receipt) -> None:
            self._robberies -= 1
            self._on_theft(self._lie_wei)

        self._operator.send(self._config.prove_gas, proven, data=bytes(EXIT_DATA_BYTES))

    def abandon(self) -> None:
        """Nothing ends: others propose what is on L1."""

    @property
    def idle(self) -> bool:
        """Whether every batch taken so far is final, every dispute resolved and every lie that stands paid out."""
        return super().idle and not self._challenges and not self._robberies

    @property
    def bonded_wei(self) -> int:
        """What lies in the bonds of disputes."""
        return sum(challenge.bonded_wei for challenge in self._challenges)

    @property
    def exit_steps(self) -> tuple[tuple[int, int], ...]:
        """Prove, wait for the window, claim."""
        return ((self._config.prove_gas, self._window_ns), (self._config.claim_gas, 0))

    @property
    def due_ns(self) -> int | None:
        """When the next proposal or move of a dispute is made."""
        dues_ns = [self._proposal_ns, *self._claims_ns, *(challenge.due_ns for challenge in self._challenges)]
        return min((due_ns for due_ns in dues_ns if due_ns is not None), default=None)
