"""The sequencer: takes payments, makes L2 blocks on the beat, checks and executes them, confirms them softly."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from l2sim.crypto.work import Work
from l2sim.engine import Call, Server, ns
from l2sim.errors import InputError
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import Accounts, amounts_in_wei
from l2sim.systems.rollup.blocks import NOTHING, BlockMaker, Leaver, Made, Taken, join_made, joined_words
from l2sim.systems.rollup.charges import FeeSchedule, L1Prices
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.fee_config import MOST_FEE_WEI
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.formats.chunks import FEE_MANTISSA_BITS, packable, packable_amounts
from l2sim.systems.rollup.inclusion import Refusals, ThroughL1
from l2sim.systems.rollup.kernels import CLOSED, DONE, INSUFFICIENT
from l2sim.systems.rollup.metered import Bundler, Metered
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.transactions import (
    TRANSFER_L2_GAS,
    Wallets,
    batch_of,
    select,
)
from l2sim.systems.rollup.waiting import Indices, WaitingPayments

OUTCOME_OF_VERDICT: Final = np.zeros(4, np.uint8)
OUTCOME_OF_VERDICT[DONE] = Outcome.COMPLETED
OUTCOME_OF_VERDICT[INSUFFICIENT] = Outcome.INSUFFICIENT_FUNDS
OUTCOME_OF_VERDICT[CLOSED] = Outcome.NOT_ONBOARDED


class Sequencer:
    """First come, first served, as far as a block's gas goes; a block whose CPU work is done is confirmed.

    A block of time T takes what came up to T. Its transfers are executed at once and in order; the CPU then works
    on its signatures and hashes, block after block, all cores on one block. The payee is assured when that is done.
    No block is made while the CPU has more than one block time of work before it: payments wait in the mempool.
    Transactions that cannot be executed cost CPU as well, and go into no block.
    """

    def __init__(
        self,
        config: RollupConfig,
        world: World,
        chain: EthereumChain,
        accounts: Accounts,
        work: Work,
        on_block: Callable[[L2Block], object],
        on_withdrawal: Callable[[int, int], object],
    ) -> None:
        """`on_withdrawal` is told each user who asked to go out and the wei that it takes along, 0 if it stays."""
        self._config = config.sequencer
        self._withdrawal_l2_gas = config.bridge.withdrawal_l2_gas
        self._world = world
        self._chain = chain
        self._accounts = accounts
        self._work = work
        self._on_block = on_block
        self._on_withdrawal = on_withdrawal
        self.fees = FeeSchedule(config.fees, self._l1_prices())
        self.fees_wei = 0
        """Fees of payments."""
        self.withdrawal_fees_wei = 0
        """L2 fees taken so far."""
        self.wallets = Wallets(config, world, self.fees.max_fee_wei)
        self._metered: Metered | None = None
        if not config.plain:
            self._metered = Metered(config, world, accounts, self.wallets, self.fees, work)
            self._bundler = Bundler(config, world, work)
        self._block_ns = ns(config.sequencer.block_time_s)
        self._maker = BlockMaker(world, chain, accounts, self.wallets, self._block_ns, self._withdrawal_l2_gas, work)
        self._cpu = Server(world.environment)
        self._record = world.recorder.payments
        self._waiting = WaitingPayments(self._config.mempool_limit)
        self._leavers: deque[tuple[int, int]] = deque()
        self._next: Call | None = None
        self._next_ns = 0
        self._last_block_ns = -1
        self._unconfirmed = 0
        self._few_digits = config.batch_format == "chunks"
        """Whether amounts and fees must be of the form that can be packed: amounts are rounded down, fees up."""
        part_s = config.sequencer.preconfirmation_s
        self._beat_ns = self._block_ns if part_s is None else ns(part_s)
        """Time between looks at the mempool: a block's, or that of its parts."""
        self._parts: list[Made] = []
        """What the block under way holds already, confirmed part by part."""
        self._part_gas = 0
        self._outages = Outages(config.sequencer.outages, world.horizon.payments_ns)
        self._stopped = False
        self._refusals: Refusals | None = None
        self._through_l1: ThroughL1 | None = None
        self._forced: dict[int, int] = {}
        """Payments that came through L1 and are in no block yet, with the fees they paid there."""
        self._owed: list[int] = []
        """Those of them that a block derived at this instant holds."""
        self._came_through: set[int] = set()
        """Those that are in a block."""

    def refuse_with(self, refusals: Refusals) -> None:
        """Refuse whom `refusals` says."""
        self._refusals = refusals
        refusals.on_release = self._take_back

    def let_in_through(self, through_l1: ThroughL1) -> None:
        """Take what comes through L1, and send there what waits too long in an outage, if such payments go there."""
        self._through_l1 = through_l1
        through_l1.on_seen = self._take_forced
        through_l1.on_owed = self._owe
        if through_l1.in_outages:
            for begin_ns, end_ns in self._outages.spans:
                self._world.environment.call_at(begin_ns, self._lose_patience, end_ns)

    def _take_back(self, payments: Indices) -> None:
        self._admit(payments)
        self._wake()

    def _lose_patience(self, end_ns: int) -> None:
        """In an outage: send through L1 what has waited too long, and look again a slot later."""
        now, through_l1 = self._world.environment.now, self._through_l1
        if now >= end_ns or through_l1 is None:
            return
        self._take_arrivals(now)
        waiting = self._waiting.all()
        late = self._record.submitted_ns[waiting] + through_l1.patience_ns <= now
        if late.any():
            self._waiting.keep(waiting[~late])
            for payment in waiting[late].tolist():
                through_l1.send(payment)
        self._world.environment.call_in(ns(self._chain.config.slot_s), self._lose_patience, end_ns)

    def _take_forced(self, payment: int, fee_wei: int) -> None:
        self._forced[payment] = fee_wei
        self._wake()

    def _owe(self, payment: int, fee_wei: int) -> None:
        """The window of a payment that came through L1 has passed: while nobody sequences, a block is derived."""
        now = self._world.environment.now
        if payment in self._came_through:
            return
        self._forced[payment] = fee_wei
        if now < self._outages.after(now):
            if not self._owed:
                self._world.environment.call_in(0, self._derive)
            self._owed.append(payment)
        else:
            self._wake()

    def _derive(self) -> None:
        """Make a block without the sequencer, of what L1 owes by now and what it had confirmed itself by then."""
        owed, self._owed = self._owed, []
        forced = self._make_forced([payment for payment in owed if payment in self._forced])
        if self._parts:
            self._add_part(forced)
            self._close_parts([])
        else:
            self._build(forced, [])

    @property
    def busy_ns(self) -> int:
        """CPU time used so far, all cores together."""
        return self._cpu.busy_ns * self._config.cores

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is to come, and every block made is confirmed."""
        refused = self._refusals is not None and not self._refusals.idle
        forced = self._forced or (self._through_l1 is not None and self._through_l1.going)
        waiting = self._waiting or self._leavers or self._unconfirmed or self._parts or refused or forced
        return not waiting and self._waiting.next_ns is None

    def stop(self) -> None:
        """Make no block and confirm nothing any more, for good: what waits and what is to come is dropped."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
        self._drop(self._waiting.give_up())
        if self._refusals is not None:
            self._drop(self._refusals.give_up())
        self._parts = []

    def _drop(self, payments: Indices) -> None:
        self._record.outcome[payments] = Outcome.DROPPED
        self._record.attempts[payments] = 1

    def follow(self, arrivals_ns: Indices) -> None:
        """Take payment i at `arrivals_ns[i]`; the times never fall. Called at most once."""
        self._waiting.follow(arrivals_ns)
        self._wake()

    def submit(self, payment: int) -> None:
        """Take one payment now."""
        self._enqueue(np.array([payment], np.int64))
        self._wake()

    def withdraw(self, user: int, keep_wei: int) -> None:
        """Let a user take all it has out of L2, unless what is left after the fee is not above `keep_wei`."""
        self._leavers.append((user, keep_wei))
        self._wake()

    def transfer_fee_wei(self) -> int:
        """What a transfer pays in a block made now; InputError if L1 fees make it more than can be recorded."""
        fee_wei = self._quote(TRANSFER_L2_GAS)
        if fee_wei > MOST_FEE_WEI:
            raise InputError(
                f"the fee of an L2 transfer must be at most {MOST_FEE_WEI} wei, 9.2 ether (got {fee_wei}): lower the "
                f"fees of {self._chain.name} or the scalars in fees"
            )
        return fee_wei

    def withdrawal_fee_wei(self) -> int:
        """What asking for a withdrawal pays in a block made now."""
        return self._quote(self._withdrawal_l2_gas)

    def _l1_prices(self) -> L1Prices:
        return L1Prices(self._chain.base_fee_wei, self._chain.blob_base_fee_wei)

    def _quote(self, l2_gas: int) -> int:
        fee_wei = self.fees.quote(l2_gas, self._chain.base_fee_wei, self._chain.blob_base_fee_wei)
        return packable(fee_wei, FEE_MANTISSA_BITS, up=True) if self._few_digits else fee_wei

    def _wake(self) -> None:
        """See to it that the next block is made on the first beat with something for it and a CPU that keeps up."""
        now = self._world.environment.now
        if self._stopped:
            return
        if self._waiting or self._leavers or self._forced or self._parts:
            due_ns = now
        elif (next_ns := self._waiting.next_ns) is not None:
            due_ns = max(now, next_ns)
        else:
            return
        due_ns = self._outages.after(max(due_ns, self._cpu.free_at_ns - self._block_ns))
        beat_ns = -(-due_ns // self._beat_ns) * self._beat_ns
        if beat_ns <= self._last_block_ns:
            beat_ns = self._last_block_ns + self._beat_ns
        if self._next is not None and self._next.pending:
            if self._next_ns <= beat_ns:
                return
            self._next.cancel()
        self._next_ns = beat_ns
        self._next = self._world.environment.call_at(beat_ns, self._make_block)

    def _enqueue(self, payments: Indices) -> None:
        self._admit(payments if self._refusals is None else self._refusals.pass_on(payments))

    def _admit(self, payments: Indices) -> None:
        dropped = payments if self._stopped else self._waiting.admit(payments)
        if len(dropped):
            self._drop(dropped)

    def _take_arrivals(self, now_ns: int) -> None:
        arrived = self._waiting.arrive(now_ns)
        if len(arrived):
            self._enqueue(arrived)

    def _make_block(self) -> None:
        now = self._world.environment.now
        self._last_block_ns = now
        self._take_arrivals(now)
        if self._beat_ns != self._block_ns:
            self._make_part(now)
        else:
            forced = self._make_forced()
            gas_left, made = self._make_payments(self._config.block_gas_limit)
            leavers = self._execute_withdrawals(gas_left)
            together = join_made([forced, made])
            if together is not None or leavers:
                self._build(together, leavers)
        self._wake()

    def _make_part(self, now: int) -> None:
        """Execute and confirm a part of the block under way; on the block's own beat, close it."""
        parts, limit = self._block_ns // self._beat_ns, self._config.block_gas_limit
        number = (now // self._beat_ns - 1) % parts + 1
        room = limit * number // parts - self._part_gas
        forced = self._make_forced()
        gas_left, made = self._make_payments(room)
        self._part_gas += room - gas_left
        self._add_part(join_made([forced, made]))
        if number == parts:
            leavers = self._execute_withdrawals(limit - self._part_gas)
            self._close_parts(leavers)

    def _add_part(self, fresh: Made | None) -> None:
        """Confirm what is executed of the block under way."""
        if fresh is not None:
            self._parts.append(fresh)
            self._unconfirmed += 1
            self._cpu.submit(self._service_ns(fresh.checking), self._preconfirm, fresh)

    def _close_parts(self, leavers: list[Leaver]) -> None:
        together = join_made(self._parts)
        self._parts, self._part_gas = [], 0
        if together is not None or leavers:
            self._build(together, leavers, confirmed=True)

    def _preconfirm(self, made: Made) -> None:
        self._unconfirmed -= 1
        self._tell(made)

    def _make_forced(self, chosen: Sequence[int] | None = None) -> Made | None:
        """Execute what came through L1, all or those chosen: it is derived from there, so that no batch holds its bytes
        again."""
        forced = list(self._forced) if chosen is None else list(chosen)
        if not forced:
            return None
        paid = [self._forced.pop(payment) for payment in forced]
        self._came_through.update(forced)
        workload = self._world.workload
        payments = np.array(forced, np.int64)
        amounts = amounts_in_wei(workload.amount_msat[payments], self._world.prices)
        payers, payees = workload.payer[payments], workload.payee[payments]
        verdicts, _ = self._accounts.execute(payers, payees, amounts, 0, len(forced))
        fees = np.array(paid, np.int64)
        checking = self.wallets.checking_work(len(payments))
        return Made(payments, verdicts, amounts, fees, np.zeros_like(fees), NOTHING.transactions, checking)

    def _make_payments(self, limit: int) -> tuple[int, Made | None]:
        """Execute what waits, up to that gas; the gas that is left, and what came of it."""
        if self._metered is not None:
            return self._make_metered(self._metered, limit)
        fee_wei = self.transfer_fee_wei()
        taken = list(self._execute(fee_wei, limit))
        if not taken:
            return limit, None
        verdicts = np.concatenate([part.verdicts for part in taken])
        done = int(np.count_nonzero(verdicts == DONE))
        self.fees_wei += done * fee_wei
        workload = self._world.workload
        payments = np.concatenate([part.payments for part in taken])
        amounts = joined_words([part.amounts for part in taken])
        transactions = self.wallets.transactions(
            senders=workload.payer[payments],
            to=workload.payee[payments],
            nonces=np.concatenate([part.nonces for part in taken]),
            amounts=amounts,
            l2_gas=TRANSFER_L2_GAS,
            work=self._work,
        )
        fees = np.full(len(payments), fee_wei, np.int64)
        checking = self.wallets.checking_work(len(payments))
        made = Made(payments, verdicts, amounts, fees, fees, select(transactions, verdicts == DONE), checking)
        return limit - done * TRANSFER_L2_GAS, made

    def _make_metered(self, metered: Metered, limit: int) -> tuple[int, Made | None]:
        waiting = metered.order(self._waiting.all())
        parts, rest = metered.execute(waiting, limit, self._l1_prices())
        self._waiting.keep(rest)
        if not parts:
            return limit, None
        verdicts = np.concatenate([part.verdicts for part in parts])
        fees = np.concatenate([part.fees for part in parts]).astype(np.int64)
        done = verdicts == DONE
        self.fees_wei += sum(fees[done].tolist())
        used = int(np.concatenate([part.gas for part in parts])[done].sum())
        rows, checking = metered.block_rows(parts, self._bundler)
        made = Made(
            payments=np.concatenate([part.payments for part in parts]),
            verdicts=verdicts,
            amounts=joined_words([part.amounts for part in parts]),
            fees=fees,
            charged=fees,
            transactions=batch_of(rows),
            checking=checking,
        )
        return limit - used, made

    def _execute(self, fee_wei: int, limit: int) -> Iterator[Taken]:
        """Execute what waits, in order, up to that gas."""
        workload, prices = self._world.workload, self._world.prices
        room = limit // TRANSFER_L2_GAS
        if not room:
            return
        for payments in self._waiting.runs():
            amounts = amounts_in_wei(workload.amount_msat[payments], prices)
            if self._few_digits:
                amounts = packable_amounts(*amounts)
            verdicts, nonces = self._accounts.execute(
                workload.payer[payments], workload.payee[payments], amounts, fee_wei, room
            )
            count = len(verdicts)
            self._waiting.put_back(payments[count:])
            room -= int(np.count_nonzero(verdicts == DONE))
            yield Taken(payments[:count], verdicts, nonces, (amounts[0][:count], amounts[1][:count]))
            if not room:
                return

    def _execute_withdrawals(self, gas: int) -> list[Leaver]:
        """Withdraw for those who wait for it, up to that gas: user, amount in wei and nonce of each."""
        executed = []
        fee_wei = self.withdrawal_fee_wei()
        while self._leavers and gas >= self._withdrawal_l2_gas:
            user, keep_wei = self._leavers.popleft()
            amount_wei = self._accounts.balance_wei(user) - fee_wei
            if amount_wei <= keep_wei:
                self._on_withdrawal(user, 0)
                continue
            executed.append((user, amount_wei, int(self._accounts.nonces[user])))
            self._accounts.withdraw(user, amount_wei, fee_wei)
            self.withdrawal_fees_wei += fee_wei
            self.fees.charge_quoted()
            self._on_withdrawal(user, amount_wei)
            gas -= self._withdrawal_l2_gas
        return executed

    def _build(self, made: Made | None, leavers: list[Leaver], confirmed: bool = False) -> None:
        """Make the block's bytes and give it to the CPU; `confirmed` if its payments were, part by part."""
        made = NOTHING if made is None else made
        work = self.wallets.checking_work(len(leavers))
        if not confirmed:
            work.add(made.checking)
        block = self._maker.make(made, leavers, self.withdrawal_fee_wei(), work)
        self._unconfirmed += 1
        self._cpu.submit(self._service_ns(work), self._confirm, block, made, confirmed)

    def _service_ns(self, work: Work) -> int:
        return -(-self._world.profile.cost_ns(work) // self._config.cores)

    def _confirm(self, block: L2Block | None, made: Made, confirmed: bool) -> None:
        self._unconfirmed -= 1
        if not confirmed:
            self._tell(made)
        if block is not None and not self._stopped:
            self._on_block(block)

    def _tell(self, made: Made) -> None:
        """Write what became of payments: those that are done are assured now, if somebody is there to say so."""
        if self._stopped:
            self._drop(made.payments)
            return
        record, done = self._record, made.verdicts == DONE
        record.outcome[made.payments] = OUTCOME_OF_VERDICT[made.verdicts]
        record.attempts[made.payments] = 1
        record.assured_ns[made.payments[done]] = self._world.environment.now
        record.fee[made.payments[done]] = made.fees[done]
