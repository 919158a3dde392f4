"""A rollup as a payment system: sequencer, batcher, settlement and bridge put together.

What operators post because users leave, batches of withdrawals and what settles them, is counted among the
operators' L1 costs (`Purpose.OPERATE`), like all that they post.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from l2sim.engine import NS_PER_S, Call, ns
from l2sim.errors import InputError, InvariantError
from l2sim.l1.base import Chain, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER, Ints
from l2sim.systems.base import Audit, Membership, PaymentSystem, World
from l2sim.systems.rollup.accounts import Accounts, StateTree
from l2sim.systems.rollup.anchor import Anchor
from l2sim.systems.rollup.batcher import Batcher
from l2sim.systems.rollup.blobs import kzg_committer, modelled_hashes
from l2sim.systems.rollup.bridge import Bridge
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.formats.base import L2Block
from l2sim.systems.rollup.formats.forms import build_format
from l2sim.systems.rollup.inclusion import Refusals, ThroughL1
from l2sim.systems.rollup.l1_account import L1Account, Operator
from l2sim.systems.rollup.leaving import Leaving
from l2sim.systems.rollup.limits import faults
from l2sim.systems.rollup.liquidity import LiquidityProvider
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.poster import Batch, Poster
from l2sim.systems.rollup.sequencer import Sequencer
from l2sim.systems.rollup.settlement.base import Settlement
from l2sim.systems.rollup.settlement.committee import Committee
from l2sim.systems.rollup.settlement.config import EscapeConfig, OptimisticConfig, ValidiumConfig
from l2sim.systems.rollup.settlement.optimistic import OptimisticSettlement
from l2sim.systems.rollup.settlement.validity import ValiditySettlement
from l2sim.systems.rollup.shared_blobs import SharedBlobs
from l2sim.systems.rollup.sharing_config import BlobSharingConfig


class RollupSystem(PaymentSystem):
    """Payments as L2 transfers.

    Assured: the sequencer has confirmed the payment's block. Included: the batch with that block is on L1, all of
    it. L1 final: so is the L1 block of its last part. Final: the challenge window of the first honest proposal of a
    state with it is over, or the block with the batch's proof is final.
    """

    kind = "rollup"

    def __init__(self, name: str, config: RollupConfig, world: World, chain: Chain) -> None:
        super().__init__(name, world, chain)
        if not isinstance(chain, EthereumChain):
            raise InvariantError(f"{name}: needs an Ethereum-like chain (got {type(chain).__name__})")
        for path, rule, got in faults(config, chain.config, chain.name):
            raise InputError(f"{name}: {'.'.join(path)} {rule} (got {got})")
        self._ethereum = chain
        self._record = world.recorder.payments
        self._unfinal = 0
        users = world.workload.users
        self.accounts = Accounts(users)
        form = build_format(config, world)
        real = config.batcher.commitments == "kzg"
        commit = kzg_committer(config.batcher.kzg_setup_path, form.encode_blob) if real else modelled_hashes
        self.config, self._commit = config, commit
        account = L1Account(chain, world, self.work, commit)
        account.on_quiet = self._doze
        # Who disputes states needs their roots, whatever else is modelled.
        disputed = isinstance(config.settlement, OptimisticConfig) and config.settlement.disputes is not None
        tree = StateTree(world.crypto == "real" or disputed, self.work)
        resubmit_ns = ns(config.batcher.resubmit_s)
        sender = Operator(account, users, resubmit_ns, Outages(config.batcher.outages, world.horizon.payments_ns))
        poster = Poster(config.batcher, form, world, chain, sender, tree, self.work, self._included)
        self.batcher = Batcher(config.batcher, form, world, chain, poster)
        self.bridge = Bridge(config.bridge, world, chain, account, self.accounts)
        self.sequencer = Sequencer(config, world, chain, self.accounts, self.work, self._confirmed, self._withdrawal)
        self._let_force(config, account)
        self.leaving = Leaving(world, self.accounts, self.bridge, self._go_out, self._doze)
        self.bridge.credits_to(lambda user: self.leaving.money_came(np.array([user], np.int32)))
        operator, watcher = (Operator(account, users + number, resubmit_ns) for number in (1, 2))
        self.settlement = self._settlement(config, operator, watcher)
        self.bridge.exits_by(self.settlement.exit_steps)
        self._anchor: Anchor | None = None
        self._stop: Call | None = None
        self._over = False
        """Whether the operator is gone, and the state back at what L1 bears out."""
        self.provider: LiquidityProvider | None = None
        if config.fast_exits is not None:
            self.provider = LiquidityProvider(config.fast_exits, world, account, users + 3, self.economics)
            self.bridge.buys(self.provider)
        self._escape = config.escape
        if config.escape is not None:
            window_ns = ns(config.escape.window_s)
            self._let_stop(config.escape)
            self.bridge.escapes_by(((config.escape.request_gas, window_ns), (config.escape.escape_gas, 0)))
        if isinstance(config.settlement, ValidiumConfig):
            self._keep_apart(config.settlement, withheld=config.escape is not None)
            self.batcher.poster.committee = Committee(config.settlement.committee, world, self.work)
            self.batcher.poster.update_gas = config.settlement.update_gas

    def _let_force(self, config: RollupConfig, account: L1Account) -> None:
        """Refuse whom the settings say, and let in through L1 who loses patience."""
        settings, through_l1 = config.sequencer, None
        if settings.forced_inclusion is not None:
            through_l1 = ThroughL1(
                settings.forced_inclusion, self.world, self._ethereum, account, config.bridge.deposit_confirmations,
                self.bridge.pay_on_l1,
            )  # fmt: skip
            self.sequencer.let_in_through(through_l1)
        if settings.censorship is not None:
            self.sequencer.refuse_with(Refusals(settings.censorship, self.world, through_l1))

    def _keep_apart(self, settlement: ValidiumConfig, *, withheld: bool) -> None:
        """Have a committee keep the data of those who do not want it on L1."""
        users = self.world.workload.users
        on_l1 = self.world.streams.get("rollup/volition").generator.random(users) < settlement.l1_share
        if settlement.l1_share:
            self.batcher.poster.on_l1 = on_l1
        if withheld and settlement.committee.withholds:
            self.bridge.can_prove = on_l1

    def _let_stop(self, escape: EscapeConfig) -> None:
        """Have the operator stop for good when the settings say so."""
        if escape.stops_s is None:
            return
        world = self.world
        self.batcher.poster.keeps_blocks = True
        self._anchor = Anchor(world.workload.users, len(world.workload))
        self._stop = world.environment.call_at(world.horizon.payments_ns + ns(escape.stops_s), self._operator_stops)

    def _operator_stops(self) -> None:
        """Sequencer, batcher and provers are gone; what they sent to L1 may still land."""
        self._stop = None
        self.sequencer.stop()
        self.batcher.abandon()
        self.settlement.abandon()

    def _go_back(self, anchor: Anchor) -> None:
        """Undo what L1 does not bear out: balances, fees and payments go back to the last state that it does."""
        self._over = True
        anchor.restore(self.accounts)
        undone = (self._record.outcome == Outcome.COMPLETED) & ~anchor.payments
        self._record.outcome[undone] = Outcome.REVERTED
        self._record.fee[undone] = 0
        self.sequencer.fees_wei = sum(self._record.fee[anchor.payments].tolist())

    def _go_out(self, user: int, keep_wei: int) -> None:
        """Let a user out by the sequencer, or past an operator who has gone."""
        if self._escape is None:
            self.sequencer.withdraw(user, keep_wei)
        else:
            self.bridge.escape(user)

    def _settlement(self, config: RollupConfig, operator: Operator, watcher: Operator) -> Settlement:
        world, chain, on_exits = self.world, self._ethereum, self._exits_open
        if isinstance(config.settlement, OptimisticConfig):
            self.batcher.poster.keeps_blocks = config.settlement.disputes is not None
            return OptimisticSettlement(
                config.settlement, world, chain, operator, watcher, on_exits, self._final, self.bridge.rob
            )
        return ValiditySettlement(config.settlement, world, chain, operator, on_exits, self._final, self.economics)

    def onboard(self) -> None:
        """Let users deposit."""
        self.bridge.let_in()

    def open(self) -> None:
        """Take all payments in bulk: the sequencer reads their times block by block."""
        times_ns = self.world.workload.time_ns + self.world.horizon.payments_ns
        self._record.submitted_ns[:] = times_ns
        self.sequencer.follow(times_ns)

    def pay(self, payment: int) -> None:
        """Send one payment now."""
        self._record.submitted_ns[payment] = self.world.environment.now
        self.sequencer.submit(payment)

    def _exits_open(self, batch: Batch) -> None:
        if self._over:
            return
        if self._anchor is not None and isinstance(self.settlement, ValiditySettlement):
            self._anchor.take(batch)
        self.bridge.exits_open(batch)
        self._doze()

    def _confirmed(self, block: L2Block) -> None:
        self.batcher.add(block)
        self.leaving.money_came(self.world.workload.payee[block.payments])

    def _withdrawal(self, user: int, amount_wei: int) -> None:
        if amount_wei:
            self.bridge.withdrawn(user, amount_wei)
        else:
            self.leaving.stays(user)

    def _included(self, batch: Batch, receipt: Receipt) -> None:
        if self._over:  # too late: users have turned to the state before it
            return
        if self._anchor is not None and isinstance(self.settlement, OptimisticSettlement):
            self._anchor.take(batch)
        _fill(self._record.included_ns, batch.payments, receipt.time_ns)
        self._report_cost(receipt.time_ns // NS_PER_S, batch.gas_fee_wei + batch.blob_fee_wei)
        self._unfinal += 1
        self._ethereum.finalize(receipt, lambda _: self._l1_final(batch))
        self.settlement.batch_included(batch, receipt)

    def _report_cost(self, posted_s: int, cost_wei: int) -> None:
        """Have the chain's fee rule hear what a batch cost, when it does."""
        environment = self.world.environment

        def hear() -> None:
            self.sequencer.fees.batch_posted(posted_s, environment.now // NS_PER_S, cost_wei)

        delay_ns = ns(self.config.fees.arbitrum_report_delay_s)
        if delay_ns and self.config.fees.rule == "arbitrum":
            environment.call_in(delay_ns, hear)
        else:
            hear()

    def _l1_final(self, batch: Batch) -> None:
        self._unfinal -= 1
        _fill(self._record.l1_final_ns, batch.payments, self.world.environment.now)

    def _final(self, batch: Batch, time_ns: int) -> None:
        if self._over and self._anchor is not None and not self._anchor.payments[batch.payments].all():
            return  # its delay ended too late: users have turned to the state before it
        self.world.recorder.batches.set(batch.number, "final_ns", time_ns)
        self._record.final_ns[batch.payments] = time_ns

    @property
    def settled(self) -> bool:
        """Whether every payment is confirmed or failed, and every batch on L1."""
        return self.sequencer.idle and self.batcher.idle

    def leave(self) -> None:
        """Let every user withdraw at its own time, if it has more than leaving costs then."""
        if self._anchor is not None and self._stop is None:
            self._go_back(self._anchor)
        elif self._stop is not None:
            self._stop.cancel()
        self.leaving.begin(self.leaving_times_ns())

    @property
    def left(self) -> bool:
        """Whether every user's time has come, no money is on its way in or out, and all batches are final."""
        on_their_way = self.leaving.due_ns is not None or self.bridge.arriving or not self.bridge.empty
        return not on_their_way and self.settled and self.settlement.idle and self._unfinal == 0

    def _doze(self) -> None:
        """Let the chain sleep through the long waits of the leaving phase."""
        if not self.leaving.begun or self._ethereum.pending or self.bridge.arriving or not self.sequencer.idle:
            return
        dues_ns = [self.leaving.due_ns, self.batcher.due_ns, self.settlement.due_ns, self.bridge.due_ns]
        due_ns = min((due_ns for due_ns in dues_ns if due_ns is not None), default=self.world.horizon.end_ns)
        self._ethereum.sleep_until(due_ns, self.world.tenant)

    def sample(self, time_ns: int) -> None:
        """Record what is confirmed on L2 and not on L1 yet, and by how much the safe head lags."""
        count, waited_ns = self.batcher.queued
        series = self.world.recorder.series
        series.append(time_ns=time_ns, measure="unposted", value=float(count))
        series.append(time_ns=time_ns, measure="safe_head_lag_s", value=waited_ns / NS_PER_S)

    def finish(self) -> None:
        """Sum up what users paid to the sequencer."""
        self.economics.service_fees = self.sequencer.fees_wei
        self.economics.exit_fees = self.sequencer.withdrawal_fees_wei
        self.economics.stolen = self.bridge.stolen_wei
        if self.provider is not None:
            self.economics.exit_fees += self.provider.business.income_wei

    def membership(self) -> Membership:
        """Who came in and who went out so far, and the wei left behind on L2 and in withdrawals given up."""
        return self.leaving.membership()

    def audit(self) -> Audit:
        """Where the users' money is, in wei: their accounts and L1 wallets, under way, paid as fees, gone out."""
        bridge = self.bridge
        balances_wei, on_the_way_wei = self.accounts.total_wei + bridge.wallets_wei, bridge.exiting_wei
        # What users are owed and the bridge does not hold any more is nobody's: of balances, or of withdrawals.
        missing_wei = min(bridge.missing_wei, self.accounts.total_wei)
        return Audit(
            entered=bridge.entered_wei,
            balances=balances_wei - missing_wei,
            in_flight=bridge.depositing_wei + on_the_way_wei - (bridge.missing_wei - missing_wei),
            fees=self.sequencer.fees_wei + self.sequencer.withdrawal_fees_wei + bridge.fees_wei,
            left=bridge.left_wei,
            stolen=bridge.stolen_wei,
        )

    def capital_locked(self) -> int:
        """Users' money in the bridge, on L2 or on its way; operators' bonds and a provider's capital."""
        users_wei = self.accounts.total_wei + self.bridge.depositing_wei + self.bridge.exiting_wei
        return users_wei + self.settlement.bonded_wei + (0 if self.provider is None else self.provider.capital_wei)

    @property
    def server_busy_ns(self) -> Mapping[str, int]:
        """CPU time of the sequencer and of a committee, and the provers' time."""
        committee = self.batcher.poster.committee
        signing = {} if committee is None else {"committee": committee.busy_ns}
        return {"sequencer": self.sequencer.busy_ns, **signing, **self.settlement.server_busy_ns}


def _fill(times_ns: Ints, payments: Ints, time_ns: int) -> None:
    """Write a time of payments that have none yet: those that came through L1 were there before their batch."""
    times_ns[payments[times_ns[payments] == NEVER]] = time_ns


def share(systems: Sequence[RollupSystem], config: BlobSharingConfig) -> SharedBlobs:
    """Have rollups on one chain post into the same blobs; returns their common poster."""
    first = systems[0]
    chain = first._ethereum
    chain.tenants = len(systems)
    world = replace(first.world, tenant=len(systems))
    account = L1Account(chain, world, first.work, first._commit)
    shared = SharedBlobs(config, world, chain, account, first.config.batcher.resubmit_s)
    for member, system in enumerate(systems):
        system.batcher.poster.carrier = shared.carrier(member)
    return shared
