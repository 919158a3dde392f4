"""The Ethereum-like chain: slots, blocks, fees in force, finality by epochs, receipts."""

from collections import deque
from collections.abc import Callable

from l2sim.engine import Environment, Streams, ns
from l2sim.l1.base import OnReceipt, Receipt, Refusal
from l2sim.l1.ethereum.background import EthereumBackground
from l2sim.l1.ethereum.block import Filling, MadeBlock, fill_block, leaves_of
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, Fork
from l2sim.l1.ethereum.mempool import EthereumMempool, EthereumTransaction, Waiting
from l2sim.l1.ethereum.terms import Header, terms_after
from l2sim.l1.ledger import Ledger
from l2sim.l1.reorgs import KeptBlock, KeptBlocks
from l2sim.l1.roots import ethereum_root
from l2sim.money import WEI_PER_GWEI, Asset
from l2sim.results.recorder import Recorder

BASE_FEE_HEADROOM = 2
"""Wallets cap the fee at twice the base fee plus tip: enough for five full blocks in a row (1.125**5 = 1.8)."""
WAKING_SLOTS = 256
"""Slots before the end of a sleep in which the fee market runs again, unrecorded, so that what is paid on waking is
not the level on falling asleep: many times what the base fee needs to find its level (12.5 % a slot)."""
TIP_MEMORY_BLOCKS = 10
"""Recent blocks whose price of entry wallets look at for their tip."""


class EthereumChain(Ledger):
    """An Ethereum-like mock L1: fees are paid in wei, block space is counted in gas and blobs.

    Slot k lies at k times the slot time; the first block of a run is that of slot 1. A reorganisation comes with a
    slot whose proposer builds on a block further back: the last blocks are thrown out, their transactions wait again,
    and the slots that they were made in stay empty. A fork comes into force with the first block at or after its
    time; transactions that wait then and are more than one transaction may be under it are still let in, and so are
    those that outbid them.

    >>> from l2sim.engine import NS_PER_S
    >>> from l2sim.l1.base import Purpose
    >>> environment = Environment()
    >>> chain = EthereumChain("ethereum", EthereumConfig(), environment, Streams(seed=1), Recorder(0))
    >>> chain.start()
    >>> max_fee_wei, tip_wei = chain.suggest_fees()
    >>> transfer = EthereumTransaction(bytes(32), 21_000, 117, max_fee_wei, tip_wei, Purpose.PAYMENT, 0, 0)
    >>> receipts = []
    >>> chain.submit(transfer, receipts.append)
    >>> _ = environment.run_until(60 * NS_PER_S)
    >>> receipts[0].time_ns // NS_PER_S
    12
    """

    def __init__(
        self, name: str, config: EthereumConfig, environment: Environment, streams: Streams, recorder: Recorder
    ) -> None:
        super().__init__(name, Asset.ETH, environment, recorder)
        self.config = config
        self.fork = config.rules
        """The row of the fork table that is in force."""
        self.forks: tuple[Fork, ...] = (self.fork, *(fork for _, fork in config.upgrades))
        """All rows that are or will be in force."""
        terms = terms_after(None, self.fork, config)
        self.gas_limit = terms.gas_limit
        """Gas limit of the next block."""
        self.base_fee_wei = terms.base_fee_wei
        """Base fee in force in the next block, wei per gas."""
        self.excess_blob_gas = terms.excess_blob_gas
        """Excess blob gas of the next block's header."""
        self.blob_base_fee_wei = terms.blob_base_fee_wei
        """Blob base fee in force in the next block, wei per blob gas; 0 on a fork without blobs."""
        self.burnt_wei = 0
        """What the system's transactions burnt: base fees and blob fees."""
        self.tips_wei = 0
        """What they paid to proposers."""
        self._mempool = EthereumMempool()
        self._misses = streams.get(f"l1/{name}/missed slots")
        self._background: EthereumBackground | None = None
        background = config.background
        if background.gas_load > 0 or background.blob_share > 0 or background.trace_path is not None:
            self._background = EthereumBackground(
                config,
                streams.get(f"l1/{name}/gas demand"),
                streams.get(f"l1/{name}/blob demand"),
                streams.get(f"l1/{name}/blob tips"),
            )
        self._slot_ns = ns(config.slot_s)
        self._last_slot_ns = 0
        self._last_fill_ns = 0
        self._skipping = False
        """Whether the next slot event lies further ahead than the next slot."""
        self._entry_tips: deque[tuple[int, int]] = deque(maxlen=TIP_MEMORY_BLOCKS)
        """Of recent blocks, the price of entry for gas and for blobs."""
        self._parent: Header | None = None
        self._intervals = streams.get(f"l1/{name}/block times") if config.block_times == "poisson" else None
        self._kept: KeptBlocks[MadeBlock] | None = None
        if config.reorgs.probability > 0:
            self._kept = KeptBlocks(config.reorgs, streams.get(f"l1/{name}/reorgs"))
        self._wallet_tip_wei = round(config.background.median_tip_gwei * WEI_PER_GWEI)

    def start(self) -> None:
        """Draw the slots before time 0 and begin to make blocks; called once, before the first event."""
        if self._background is not None and self.config.background.trace_path is None:
            for _ in range(self.config.background.burn_in_slots):
                self._fill(1.0)
        for time_ns, fork in self.config.upgrades:
            self._environment.call_first_at(time_ns, self._upgrade, fork)
        self._next_slot = self._environment.call_first_at(self._interval_ns(), self._make_slot)

    @property
    def most_transaction_gas(self) -> int:
        """Gas of a transaction that fits into any block, however far the block gas limit drifts."""
        limit = self.config.least_gas_limit
        return min(self.fork.max_transaction_gas or limit, limit)

    @property
    def reorg_reach(self) -> int:
        """How many blocks on top of one make it safe from being thrown out: 0 if there are no reorganisations."""
        return 0 if self._kept is None else self.config.reorgs.max_depth

    def _interval_ns(self) -> int:
        return self._slot_ns if self._intervals is None else self._intervals.exponential_ns(self._slot_ns)

    def _upgrade(self, fork: Fork) -> None:
        """Put a fork into force: the next block has the fees that follow by its rules."""
        self.fork = fork
        if self._background is not None:
            self._background.follow(fork.max_blobs)
        self._follow()

    def submit(
        self,
        transaction: EthereumTransaction,
        on_included: OnReceipt | None = None,
        on_moved: OnReceipt | None = None,
        on_orphaned: Callable[[], object] | None = None,
    ) -> Refusal | None:
        """Send a transaction; `on_included` is called with its receipt at the time of its block.

        Where a reorganisation throws that block out, `on_orphaned` is called: the transaction waits again, and
        `on_moved` is called with a new receipt when another block holds it.
        Returns None, or why nodes do not take it: it is then gone, and nothing is ever called. The same holds of a
        waiting one that a later transaction of its sender and nonce outbids.
        A fee cap below the base fee only makes it wait. Raises ValueError for what no transaction can be.
        """
        if len(transaction.hash) != 32:
            raise ValueError(f"hash must be 32 bytes (got {len(transaction.hash)})")
        if transaction.gas < 1 or transaction.tip_wei < 0 or transaction.blobs < 0 or transaction.nonce < 0:
            raise ValueError(
                "gas must be at least 1, tip_wei, blobs and nonce at least 0 "
                f"(got {transaction.gas}, {transaction.tip_wei}, {transaction.blobs}, {transaction.nonce})"
            )
        if transaction.tip_wei > transaction.max_fee_wei:
            return Refusal.FEE_TOO_LOW
        refusal = self._too_large(transaction)
        if refusal is not None and not self._mempool.has_as_large(transaction):
            return refusal
        self._catch_up()
        return self._mempool.add(transaction, on_included, on_moved, on_orphaned)

    def _too_large(self, transaction: EthereumTransaction) -> Refusal | None:
        if transaction.gas > min(self.fork.max_transaction_gas or self.gas_limit, self.gas_limit):
            return Refusal.TOO_LARGE
        if self.fork.max_block_bytes is not None and transaction.block_bytes > self.fork.max_block_bytes:
            return Refusal.TOO_LARGE
        return Refusal.BAD_BLOBS if transaction.blobs > self.fork.max_transaction_blobs else None

    def suggest_fees(self, blobs: int = 0) -> tuple[int, int]:
        """What a wallet offers now: `(max_fee_wei, tip_wei)` per gas, for a transaction with that many blobs.

        The tip is the usual one, or the highest price of entry of the last ten blocks if some were full, with
        `blobs` of gas or of blobs, and it was higher; the cap is twice the base fee plus the tip.
        """
        entry_wei = max((max(tips) if blobs else tips[0] for tips in self._entry_tips), default=0)
        tip_wei = max(self._wallet_tip_wei, entry_wei)
        return BASE_FEE_HEADROOM * self.base_fee_wei + tip_wei, tip_wei

    def suggest_blob_fee(self) -> int:
        """The blob fee cap that a wallet offers now: twice the blob base fee, wei per blob gas."""
        return BASE_FEE_HEADROOM * self.blob_base_fee_wei

    def finalize(self, receipt: Receipt, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` is final: see `final_ns`.

        Where a reorganisation throws that block out, `done` gets the receipt of the one that holds the transaction
        in the end, when that is final.
        """
        self._environment.call_at(max(self.final_ns(receipt), self._environment.now), self._final, receipt, done)

    def _final(self, receipt: Receipt, done: OnReceipt) -> None:
        moved = self._moved.get(receipt.txid, receipt)
        if moved is None:
            self._adrift.setdefault(receipt.txid, []).append((1, lambda new: self.finalize(new, done)))
        elif moved == receipt:
            done(receipt)
        else:
            self.finalize(moved, done)

    def final_ns(self, receipt: Receipt) -> int:
        """When the block of `receipt` is final, ns.

        The first checkpoint that covers a block is the start of the next epoch, or the block itself if it
        lies on an epoch's first slot. A checkpoint is justified one epoch later and final two epochs later
        if everybody votes, as is assumed here: 64 to 95 slots after the block, 12.8 to 19.0 minutes.
        """
        return self._final_at_ns(receipt.time_ns)

    def _final_at_ns(self, time_ns: int) -> int:
        slot = time_ns // self._slot_ns
        checkpoint = -(-slot // self.config.slots_per_epoch)
        return (checkpoint + self.config.finality_epochs) * self.config.slots_per_epoch * self._slot_ns

    @property
    def pending(self) -> int:
        """Transactions of the system that wait for a block, or for theirs to be safe from a reorganisation."""
        if self._kept is None:
            return len(self._mempool)
        now = self._environment.now
        unsafe = [made.filling for made in self._kept.blocks if self._final_at_ns(made.filling.time_ns) > now]
        return len(self._mempool) + sum(len(made.filling.included) for made in unsafe)

    def confirm(self, receipt: Receipt, confirmations: int, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` has that many confirmations: see `Chain.confirm`."""
        self._catch_up()
        super().confirm(receipt, confirmations, done)

    def sleep_until(self, time_ns: int, tenant: int = 0) -> None:
        """Make no blocks until then: see `Chain.sleep_until`. Slots in which nothing is due cost nothing.

        The level of demand moves on as its law says, and the fee market runs again before the sleep ends.
        """
        self._catch_up()
        super().sleep_until(time_ns, tenant)

    def _catch_up(self) -> None:
        """Count the slots skipped so far as made, and go on slot by slot."""
        if self._skipping:
            passed = self._skipped
            self._skipping = False
            self._height += passed
            self._last_slot_ns += passed * self._slot_ns
            self._next_slot.cancel()
            self._next_slot = self._environment.call_first_at(self._last_slot_ns + self._slot_ns, self._make_slot)

    @property
    def _skipped(self) -> int:
        """Slots that have passed since the last one that was made or stepped through."""
        return (self._environment.now - self._last_slot_ns) // self._slot_ns

    @property
    def height(self) -> int:
        """Height of the last block, -1 before the first."""
        return self._height + self._skipped if self._skipping else self._height

    @property
    def _slots_to_sleep(self) -> int:
        """Slots after this one that lie before the end of the sleep."""
        return -(-(self._asleep_until_ns - self._environment.now) // self._slot_ns) - 1

    def _skip(self) -> None:
        """While asleep, go straight to the slot before which nothing can happen."""
        slots_asleep = self._slots_to_sleep - WAKING_SLOTS
        quiet_to = self.height + 1 + slots_asleep
        heights_quiet = min([*self._confirmed_at, *self._at_height], default=quiet_to) - self.height - 1
        skipped = min(slots_asleep, heights_quiet)
        if skipped > 0:
            self._skipping = True
            self._next_slot.cancel()
            next_ns = self._environment.now + (skipped + 1) * self._slot_ns
            self._next_slot = self._environment.call_first_at(next_ns, self._make_slot)

    def _make_slot(self) -> None:
        if self._skipping:
            self._skipping = False
            self._height += self._skipped - 1  # this slot counts itself
        now = self._environment.now
        slots = 1.0 if self._intervals is None else (now - self._last_slot_ns) / self._slot_ns
        self._last_slot_ns = now
        # A block is made before anything else of its instant: what is sent at that instant waits for the next.
        self._next_slot = self._environment.call_first_at(now + self._interval_ns(), self._make_slot)
        missed = self.config.missed_slot_rate > 0 and self._misses.uniform() < self.config.missed_slot_rate
        if self._asleep:
            self._sleep_on(missed)
        elif missed:
            if self._background is not None:
                self._background.arrive(self.base_fee_wei, self.blob_base_fee_wei, slots)
        else:
            if self._kept is not None:
                self._kept.forget_while(lambda block: self._final_at_ns(block.filling.time_ns) <= now)
                depth = self._kept.draw_depth()
                if depth:
                    self._throw_out(self._kept.pop(depth))
            self._make_block(slots)

    def _sleep_on(self, missed: bool) -> None:
        """A slot of a sleep: nothing is packed or recorded."""
        if self._kept is not None:
            self._kept.clear()
        if not missed:
            self._grow()
        if not self._asleep:
            return
        if self._slots_to_sleep < WAKING_SLOTS:
            self._run_market()
        elif self.config.missed_slot_rate == 0 and self._intervals is None:
            self._skip()

    def _run_market(self) -> None:
        """Move fees on as a block of others' transactions does, after letting demand move on through the sleep."""
        if self._background is not None:
            slept = (self._environment.now - self._last_fill_ns) // self._slot_ns - 1
            if slept > 0:
                self._background.age(slept)
        self._fill(1.0)

    def _make_block(self, slots: float) -> None:
        base_fee_wei, blob_fee_wei, gas_limit = self.base_fee_wei, self.blob_base_fee_wei, self.gas_limit
        parent = self._parent
        filling = self._fill(slots)
        now, height = self._environment.now, self.height + 1
        receipts: list[tuple[Receipt, OnReceipt | None]] = []
        fees: list[tuple[int, int]] = []
        for entry, tip_wei in filling.included:
            transaction = entry.transaction
            blob_fee = transaction.blobs * GAS_PER_BLOB * blob_fee_wei
            burnt, tip = transaction.gas * base_fee_wei + blob_fee, transaction.gas * tip_wei
            self.burnt_wei += burnt
            self.tips_wei += tip
            fees.append((burnt, tip))
            self._spend(transaction.purpose, transaction.size_bytes, burnt + tip, transaction.tenant)
            receipt = Receipt(height, now, burnt + tip, blob_fee, txid=transaction.hash)
            if transaction.hash in self._moved:  # its first block was thrown out
                self._reissue(receipt)
                receipts.append((receipt, entry.on_moved))
            else:
                receipts.append((receipt, entry.on_included))
        row = self._recorder.blocks.append(
            chain=self.name,
            height=height,
            time_ns=now,
            transactions=len(receipts),
            used=filling.gas_used,
            limit=gas_limit,
            fee_level=base_fee_wei / WEI_PER_GWEI,
            blobs=filling.blobs,
            blob_fee_level=blob_fee_wei / WEI_PER_GWEI if self.fork.max_blobs else None,
            pending=len(self._mempool),
            fees=sum(burnt + tip for burnt, tip in fees),
            transactions_root=ethereum_root(leaves_of(filling, self.name, height)),
        )
        if self._kept is not None:
            self._kept.add(KeptBlock(row, MadeBlock(now, parent, filling, tuple(fees))))
        self._grow(receipts)

    def _throw_out(self, lost: list[KeptBlock[MadeBlock]]) -> None:
        """Go back to before these blocks: fees in force, gas limit, and everything that was in them."""
        now = self._environment.now
        entries: list[Waiting] = []
        for block in lost:
            made = block.filling
            for (entry, _), (burnt, tip) in zip(made.filling.included, made.fees, strict=True):
                self.burnt_wei -= burnt
                self.tips_wei -= tip
                gone = entry.transaction
                self._unspend(gone.purpose, gone.size_bytes, burnt + tip, gone.tenant)
                entries.append(entry)
            if self._background is not None:
                self._background.give_back(made.filling.background_gas, made.filling.background_blobs)
            self._recorder.blocks.set(block.row, "orphaned_ns", now)
        self._mempool.restore(entries)
        self._parent = lost[0].filling.parent
        self._follow()
        self._shrink(self.height - len(lost), [entry.transaction.hash for entry in entries])
        for entry in entries:
            if entry.on_orphaned is not None:
                entry.on_orphaned()

    def _fill(self, slots: float) -> Filling:
        """Fill the next block, and move the fees in force on to the one after."""
        self._last_fill_ns = self._environment.now
        if self._background is not None:
            self._background.arrive(self.base_fee_wei, self.blob_base_fee_wei, slots)
        filling = fill_block(
            self._mempool,
            self._background,
            self.gas_limit,
            self.fork.max_blobs,
            self.base_fee_wei,
            self.blob_base_fee_wei,
            max_bytes=self.fork.max_block_bytes,
            bytes_per_gas=self.config.background.bytes_per_gas,
        )
        self._parent = Header(
            self.base_fee_wei, self.excess_blob_gas, self.gas_limit, filling.gas_used, filling.blobs * GAS_PER_BLOB
        )
        self._follow()
        self._entry_tips.append((filling.lowest_tip_wei, filling.lowest_blob_tip_wei))
        return filling

    def _follow(self) -> None:
        """Set what is in force in the next block from the last one's header, by the rules of the fork in force."""
        terms = terms_after(self._parent, self.fork, self.config)
        self.base_fee_wei, self.excess_blob_gas, self.blob_base_fee_wei, self.gas_limit = terms
