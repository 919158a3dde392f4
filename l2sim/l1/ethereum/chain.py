"""The Ethereum-like chain: slots, blocks, fees in force, finality by epochs, receipts."""

from collections import deque

from l2sim.crypto.hashing.reference import keccak256
from l2sim.engine import Environment, Streams, ns
from l2sim.l1.base import OnReceipt, Receipt, Refusal
from l2sim.l1.ethereum.background import EthereumBackground
from l2sim.l1.ethereum.block import Filling, fill_block
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.fees import blob_base_fee, excess_for_blob_fee, next_base_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, fork_named
from l2sim.l1.ethereum.mempool import EthereumMempool, EthereumTransaction
from l2sim.l1.ledger import Ledger
from l2sim.l1.roots import ethereum_root, record
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

    Slot k lies at k times the slot time; the first block of a run is that of slot 1.

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
        self.fork = fork_named(config.fork)
        self.base_fee_wei = config.start_base_fee_wei
        """Base fee in force in the next block, wei per gas."""
        self.excess_blob_gas = self._start_excess()
        """Excess blob gas of the next block's header."""
        self.blob_base_fee_wei = self._blob_fee()
        """Blob base fee in force in the next block, wei per blob gas; 0 on a fork without blobs."""
        self.burnt_wei = 0
        """What the system's transactions burnt: base fees and blob fees."""
        self.tips_wei = 0
        """What they paid to proposers."""
        self._mempool = EthereumMempool()
        self._misses = streams.get(f"l1/{name}/missed slots")
        self._background: EthereumBackground | None = None
        if config.background.gas_load > 0 or config.background.blob_share > 0:
            self._background = EthereumBackground(
                config, streams.get(f"l1/{name}/gas demand"), streams.get(f"l1/{name}/blob demand")
            )
        self._slot_ns = ns(config.slot_s)
        self._last_slot_ns = 0
        self._last_fill_ns = 0
        self._skipping = False
        """Whether the next slot event lies further ahead than the next slot."""
        self._entry_tips: deque[int] = deque(maxlen=TIP_MEMORY_BLOCKS)
        self._wallet_tip_wei = round(config.background.median_tip_gwei * WEI_PER_GWEI)

    def start(self) -> None:
        """Draw the slots before time 0 and begin to make blocks; called once, before the first event."""
        if self._background is not None:
            for _ in range(self.config.background.burn_in_slots):
                self._fill()
        self._next_slot = self._environment.call_first_at(self._slot_ns, self._make_slot)

    def submit(self, transaction: EthereumTransaction, on_included: OnReceipt | None = None) -> Refusal | None:
        """Send a transaction; `on_included` is called with its receipt at the time of its block.

        Returns None, or why nodes do not take it: it is then gone, and `on_included` is never called. The
        same holds of a waiting one that a later transaction of its sender and nonce outbids.
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
        if transaction.gas > min(self.fork.max_transaction_gas or self.config.gas_limit, self.config.gas_limit):
            return Refusal.TOO_LARGE
        if transaction.blobs > self.fork.max_transaction_blobs:
            return Refusal.BAD_BLOBS
        self._catch_up()
        return self._mempool.add(transaction, on_included)

    def suggest_fees(self) -> tuple[int, int]:
        """What a wallet offers now: `(max_fee_wei, tip_wei)` per gas.

        The tip is the usual one, or the highest price of entry of the last ten blocks if some were full and
        it was higher; the cap is twice the base fee plus the tip.
        """
        tip_wei = max(self._wallet_tip_wei, max(self._entry_tips, default=0))
        return BASE_FEE_HEADROOM * self.base_fee_wei + tip_wei, tip_wei

    def suggest_blob_fee(self) -> int:
        """The blob fee cap that a wallet offers now: twice the blob base fee, wei per blob gas."""
        return BASE_FEE_HEADROOM * self.blob_base_fee_wei

    def finalize(self, receipt: Receipt, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` is final: see `final_ns`."""
        self._environment.call_at(max(self.final_ns(receipt), self._environment.now), done, receipt)

    def final_ns(self, receipt: Receipt) -> int:
        """When the block of `receipt` is final, ns.

        The first checkpoint that covers a block is the start of the next epoch, or the block itself if it
        lies on an epoch's first slot. A checkpoint is justified one epoch later and final two epochs later
        if everybody votes, as is assumed here: 64 to 95 slots after the block, 12.8 to 19.0 minutes.
        """
        slot = receipt.time_ns // self._slot_ns
        checkpoint = -(-slot // self.config.slots_per_epoch)
        return (checkpoint + self.config.finality_epochs) * self.config.slots_per_epoch * self._slot_ns

    @property
    def pending(self) -> int:
        """Transactions of the system that wait for a block."""
        return len(self._mempool)

    def _start_excess(self) -> int:
        if self.config.initial_excess_blob_gas is not None:
            return self.config.initial_excess_blob_gas
        if not self.fork.blob_reserve_price:
            return 0
        return excess_for_blob_fee(self.base_fee_wei // 16, self.fork.blob_update_fraction)

    def _blob_fee(self) -> int:
        return blob_base_fee(self.excess_blob_gas, self.fork.blob_update_fraction) if self.fork.max_blobs else 0

    def confirm(self, receipt: Receipt, confirmations: int, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` has that many confirmations: see `Chain.confirm`."""
        self._catch_up()
        super().confirm(receipt, confirmations, done)

    def sleep_until(self, time_ns: int) -> None:
        """Make no blocks until then: see `Chain.sleep_until`. Slots in which nothing is due cost nothing.

        The level of demand moves on as its law says, and the fee market runs again before the sleep ends.
        """
        self._catch_up()
        super().sleep_until(time_ns)

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
        heights_quiet = min(self._confirmed_at, default=self.height + 1 + slots_asleep) - self.height - 1
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
        self._last_slot_ns = self._environment.now
        # A block is made before anything else of its instant: what is sent at that instant waits for the next.
        self._next_slot = self._environment.call_first_at(self._last_slot_ns + self._slot_ns, self._make_slot)
        missed = self.config.missed_slot_rate > 0 and self._misses.uniform() < self.config.missed_slot_rate
        if self._asleep:
            if not missed:
                self._grow()
            if not self._asleep:
                return
            if self._slots_to_sleep < WAKING_SLOTS:
                self._run_market()
            elif self.config.missed_slot_rate == 0:
                self._skip()
        elif missed:
            if self._background is not None:
                self._background.arrive(self.base_fee_wei, self.blob_base_fee_wei)
        else:
            self._make_block()

    def _run_market(self) -> None:
        """Move fees on as a block of others' transactions does, after letting demand move on through the sleep."""
        if self._background is not None:
            slept = (self._environment.now - self._last_fill_ns) // self._slot_ns - 1
            if slept > 0:
                self._background.age(slept)
        self._fill()

    def _make_block(self) -> None:
        base_fee_wei, blob_fee_wei = self.base_fee_wei, self.blob_base_fee_wei
        filling = self._fill()
        now, height = self._environment.now, self.height + 1
        receipts = []
        fees_wei = 0
        for entry, tip_wei in filling.included:
            transaction = entry.transaction
            blob_fee = transaction.blobs * GAS_PER_BLOB * blob_fee_wei
            burnt, tip = transaction.gas * base_fee_wei + blob_fee, transaction.gas * tip_wei
            self.burnt_wei += burnt
            self.tips_wei += tip
            fees_wei += burnt + tip
            self._spend(transaction.purpose, transaction.size_bytes, burnt + tip)
            receipts.append((Receipt(height, now, burnt + tip, blob_fee), entry.on_included))
        self._recorder.blocks.append(
            chain=self.name,
            height=height,
            time_ns=now,
            transactions=len(receipts),
            used=filling.gas_used,
            limit=self.config.gas_limit,
            fee_level=base_fee_wei / WEI_PER_GWEI,
            blobs=filling.blobs,
            blob_fee_level=blob_fee_wei / WEI_PER_GWEI if self.fork.max_blobs else None,
            pending=len(self._mempool),
            fees=fees_wei,
            transactions_root=ethereum_root(self._leaves(height, filling)),
        )
        self._grow(receipts)

    def _fill(self) -> Filling:
        """Fill the next block, and move the fees in force on to the one after."""
        self._last_fill_ns = self._environment.now
        if self._background is not None:
            self._background.arrive(self.base_fee_wei, self.blob_base_fee_wei)
        filling = fill_block(
            self._mempool,
            self._background,
            self.config.gas_limit,
            self.fork.max_blobs,
            self.base_fee_wei,
            self.blob_base_fee_wei,
        )
        if self.fork.max_blobs:
            self.excess_blob_gas = next_excess_blob_gas(
                self.excess_blob_gas, filling.blobs * GAS_PER_BLOB, self.base_fee_wei, self.fork
            )
            self.blob_base_fee_wei = self._blob_fee()
        self.base_fee_wei = next_base_fee(self.base_fee_wei, filling.gas_used, self.config.gas_limit)
        self._entry_tips.append(filling.lowest_tip_wei)
        return filling

    def _leaves(self, height: int, filling: Filling) -> list[bytes]:
        leaves = [entry.transaction.hash for entry, _ in filling.included]
        if self._background is not None:
            leaves += [
                keccak256(record("gas", self.name, height, tip_wei, gas))
                for tip_wei, gas in zip(self._background.tips_wei, filling.background_gas, strict=False)
                if gas
            ]
            if filling.background_blobs:
                leaves.append(keccak256(record("blobs", self.name, height, amount=filling.background_blobs)))
        return leaves
