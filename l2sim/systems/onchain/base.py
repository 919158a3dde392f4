"""What payments straight on L1 share, whichever the chain: from inclusion to finality, and nobody to let in or out."""

from l2sim.l1.base import Chain, Receipt
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Membership, PaymentSystem, World
from l2sim.systems.onchain.config import OnchainConfig


class OnchainPayments(PaymentSystem):
    """A baseline: a payment is decided by its block, assured after some confirmations, final when the block is."""

    kind = "onchain"

    def __init__(self, name: str, config: OnchainConfig, world: World, chain: Chain) -> None:
        super().__init__(name, world, chain)
        self.config = config
        self.real = world.crypto == "real"
        self.record = world.recorder.payments
        self.secrets = [world.streams.secret("user", user) for user in range(world.workload.users)]
        self.undecided = 0
        self.unfinal = 0

    def _block_holds(self, payment: int, receipt: Receipt) -> None:
        """Write down that a block holds the payment, and wait for its confirmations and for finality."""
        self.record.included_ns[payment] = receipt.time_ns
        self.record.fee[payment] = receipt.fee
        self.unfinal += 1
        self.chain.confirm(receipt, self.config.assured_confirmations, lambda _: self._assured(payment))
        self.chain.finalize(receipt, lambda _: self._final(payment))

    def _assured(self, payment: int) -> None:
        self.record.outcome[payment] = Outcome.COMPLETED
        self.record.assured_ns[payment] = self.world.environment.now
        self.undecided -= 1

    def _final(self, payment: int) -> None:
        now = self.world.environment.now
        self.record.l1_final_ns[payment] = now
        self.record.final_ns[payment] = now
        self.unfinal -= 1

    def _fail(self, payment: int, outcome: Outcome) -> None:
        self.record.outcome[payment] = outcome
        self.undecided -= 1

    @property
    def settled(self) -> bool:
        """Whether no payment waits for a block or for the payee's confirmations."""
        return self.undecided == 0

    def leave(self) -> None:
        """Nothing to do: the money is on L1 already."""

    @property
    def left(self) -> bool:
        """Whether every payment is decided, and every included one final."""
        return self.undecided == 0 and self.unfinal == 0

    def membership(self) -> Membership:
        """Everyone is on L1 from the start, and stays there."""
        users = self.world.workload.users
        return Membership(came_in=users, went_out=users, stranded=0)

    def finish(self) -> None:
        """Nothing to write: every row was written when it happened."""

    def capital_locked(self) -> int:
        """Nothing is locked: money on L1 is free to go anywhere."""
        return 0
