"""The Bitcoin-like chain: block times, blocks, receipts."""

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.crypto.hashing.reference import sha256d
from l2sim.engine import NS_PER_S, Environment, Streams, ns
from l2sim.errors import InvariantError
from l2sim.l1.base import Drop, OnDropped, OnReceipt, Receipt, Refusal
from l2sim.l1.bitcoin.background import BitcoinBackground
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.core_estimator import CoreEstimator
from l2sim.l1.bitcoin.fees import FeeEstimator, fee_sat, vbytes
from l2sim.l1.bitcoin.limits import MempoolLimit
from l2sim.l1.bitcoin.mempool import BitcoinMempool, BitcoinTransaction, Entry, Filling
from l2sim.l1.bitcoin.relay import admit, replacement_fee_sat
from l2sim.l1.bitcoin.transaction import TRUC_VERSION
from l2sim.l1.ledger import Ledger
from l2sim.l1.reorgs import KeptBlock, KeptBlocks
from l2sim.l1.roots import bitcoin_root, record
from l2sim.money import MSAT_PER_SAT, Asset
from l2sim.results.recorder import Recorder


class BitcoinChain(Ledger):
    """A Bitcoin-like mock L1: fees are paid in msat, block space is counted in weight units.

    >>> from l2sim.l1.base import Purpose
    >>> environment = Environment()
    >>> chain = BitcoinChain("bitcoin", BitcoinConfig(), environment, Streams(seed=1), Recorder(0))
    >>> chain.start()
    >>> weight_wu, receipts = 561, []
    >>> fee = fee_sat(weight_wu, chain.feerate_sat_per_kvb(target_blocks=2))
    >>> chain.submit(BitcoinTransaction(bytes(32), weight_wu, fee, Purpose.PAYMENT), receipts.append)
    >>> _ = environment.run_until(86_400 * NS_PER_S)
    >>> receipts[0].fee == 1_000 * fee
    True
    """

    def __init__(
        self, name: str, config: BitcoinConfig, environment: Environment, streams: Streams, recorder: Recorder
    ) -> None:
        super().__init__(name, Asset.BTC, environment, recorder)
        self.config = config
        self._times = streams.get(f"l1/{name}/block times")
        self._most_wu = min(config.max_transaction_wu, config.space_wu)
        self._mempool = BitcoinMempool()
        self._background: BitcoinBackground | None = None
        if config.background.load > 0:
            self._background = BitcoinBackground(config, streams.get(f"l1/{name}/background"))
        self._estimator: FeeEstimator | CoreEstimator
        if config.estimator.kind == "core":
            self._estimator = CoreEstimator(config.min_relay_sat_per_kvb)
        else:
            self._estimator = FeeEstimator(config.estimator, config.min_relay_sat_per_kvb)
        self._limit: MempoolLimit | None = None
        if config.mempool.limit_vbyte is not None:
            self._limit = MempoolLimit(config, self._mempool, self._background)
        self._kept: KeptBlocks[Filling] | None = None
        if config.reorgs.probability > 0:
            self._kept = KeptBlocks(config.reorgs, streams.get(f"l1/{name}/reorgs"))
        self._last_block_ns = 0
        self._spent: dict[OutPoint, bytes] = {}
        """Outputs spent in blocks, of transactions that name what they spend."""
        self._gone: set[bytes] = set()
        """Transactions that were replaced or evicted: nothing can spend their outputs."""

    def start(self) -> None:
        """Draw the blocks before time 0 and begin to make blocks; called once, before the first event."""
        if self._background is not None:
            for _ in range(self.config.background.burn_in_blocks):
                self._arrive(self._interval_ns())
                self._observe(self._mempool.fill(self.config.space_wu, self._background))
        self._environment.call_in(self._interval_ns(), self._make_block)

    def submit(
        self,
        transaction: BitcoinTransaction,
        on_included: OnReceipt | None = None,
        on_dropped: OnDropped | None = None,
        on_moved: OnReceipt | None = None,
    ) -> Refusal | None:
        """Send a transaction; `on_included` is called with its receipt at the time of its block.

        `on_dropped` is called with the reason, in an event of its own, if it will never be in a block: replaced or
        evicted. `on_moved` is called with a new receipt each time another block holds it after a reorganisation.
        Returns None, or why nodes refuse to relay it: it is then gone, and nothing is ever called.
        Raises ValueError for what no transaction can be.
        """
        refusal = self._refuse(transaction, self._floor_sat_per_kvb())
        if refusal is not None:
            return refusal
        if not transaction.spends and transaction.version != TRUC_VERSION:  # nothing to conflict with or depend on
            self._mempool.add(transaction, on_included, on_dropped, on_moved, self._height)
            return None
        return self._accept(transaction, on_included, on_dropped, on_moved)

    def submit_with_child(
        self,
        parent: BitcoinTransaction,
        child: BitcoinTransaction,
        on_parent: OnReceipt | None = None,
        on_child: OnReceipt | None = None,
        on_dropped: OnDropped | None = None,
    ) -> Refusal | None:
        """Send a parent that pays too little by itself together with the child that pays for both.

        Both are judged by their common fee rate (Bitcoin Core's one-parent-one-child package relay): that lets a
        parent in below the floor of a full mempool, and one of version 3 even below the relay minimum, down to no fee
        at all; any other pays that minimum by itself (Bitcoin Core 28 to 30, pull requests 26933 and 33892). Either
        both are taken or neither is. `on_dropped` is called for each of them that is dropped later.
        """
        floor = self._floor_sat_per_kvb()
        together_sat = parent.fee_sat + child.fee_sat
        least = 0 if parent.version == TRUC_VERSION else self.config.min_relay_sat_per_kvb
        refusal = self._refuse(parent, least) or self._refuse(child, floor, parent.txid)
        if refusal is None and together_sat < fee_sat(parent.weight_wu + child.weight_wu, floor):
            refusal = Refusal.FEE_TOO_LOW
        if refusal is None:
            refusal = self._accept(parent, on_parent, on_dropped, None)
        if refusal is not None:
            return refusal
        refusal = self._accept(child, on_child, on_dropped, None)
        if refusal is not None:
            self._drop(self._entry(parent.txid), None)
        return refusal

    def _refuse(
        self, transaction: BitcoinTransaction, floor_sat_per_kvb: int, parent: bytes | None = None
    ) -> Refusal | None:
        """Why nodes would not look at it any further; `parent` comes with it, and may have been dropped before."""
        if len(transaction.txid) != 32:
            raise ValueError(f"txid must be 32 bytes (got {len(transaction.txid)})")
        if transaction.weight_wu < 1 or transaction.fee_sat < 0:
            raise ValueError(
                f"weight_wu must be at least 1 and fee_sat at least 0 (got {transaction.weight_wu} and "
                f"{transaction.fee_sat})"
            )
        if transaction.weight_wu > self._most_wu:
            return Refusal.TOO_LARGE
        if transaction.fee_sat < fee_sat(transaction.weight_wu, floor_sat_per_kvb):
            enough = transaction.fee_sat >= fee_sat(transaction.weight_wu, self.config.min_relay_sat_per_kvb)
            return Refusal.MEMPOOL_FULL if enough else Refusal.FEE_TOO_LOW
        if transaction.valid_from_height > self._height + 1:
            return Refusal.NOT_FINAL
        if self._mempool.get(transaction.txid) is not None:
            return Refusal.ALREADY_KNOWN
        for point in transaction.spends:
            spender = self._spent.get(point)
            if spender is not None:
                return Refusal.ALREADY_KNOWN if spender == transaction.txid else Refusal.ALREADY_SPENT
            if point.txid in self._gone and point.txid != parent:
                return Refusal.MISSING_INPUTS
        return None

    def _accept(
        self,
        transaction: BitcoinTransaction,
        on_included: OnReceipt | None,
        on_dropped: OnDropped | None,
        on_moved: OnReceipt | None,
    ) -> Refusal | None:
        admission = admit(self._mempool, transaction, self.config.mempool.incremental_relay_sat_per_kvb)
        if isinstance(admission, Refusal):
            return admission
        for entry in sorted(admission.evicted, key=lambda one: -one.arrival):  # children before parents
            self._drop(entry, Drop.REPLACED)
        self._gone.discard(transaction.txid)
        self._mempool.add(transaction, on_included, on_dropped, on_moved, self.height)
        return None

    def _drop(self, entry: Entry, reason: Drop | None) -> None:
        """Take a waiting transaction out for good and say so; nobody is told without a reason."""
        if entry.alive:
            self._mempool.remove(entry)
        self._gone.add(entry.transaction.txid)
        if entry.on_dropped is not None and reason is not None:
            self._environment.call_in(0, entry.on_dropped, reason)

    def _entry(self, txid: bytes) -> Entry:
        entry = self._mempool.get(txid)
        if entry is None:
            raise InvariantError(f"chain {self.name}: transaction {txid.hex()} must wait for a block")
        return entry

    def least_replacement_fee_sat(self, txid: bytes, weight_wu: int) -> int:
        """The least fee of a transaction of that weight that replaces a waiting one and what depends on it."""
        entry = self._entry(txid)
        family = [entry, *self._mempool.descendants(entry)]
        return replacement_fee_sat(
            sum(one.transaction.fee_sat for one in family),
            entry.transaction.feerate_sat_per_kvb,
            weight_wu,
            self.config.mempool.incremental_relay_sat_per_kvb,
        )

    def waits(self, txid: bytes) -> bool:
        """Whether the transaction of that id is in the mempool."""
        return self._mempool.get(txid) is not None

    def waiting_spender(self, outpoint: OutPoint) -> bytes | None:
        """The id of the transaction in the mempool that spends an output; None if there is none."""
        entry = self._mempool.spender(outpoint)
        return None if entry is None else entry.transaction.txid

    @property
    def relay_floor_sat_per_kvb(self) -> int:
        """The fee rate under which nothing is relayed now."""
        return self._floor_sat_per_kvb()

    def _floor_sat_per_kvb(self) -> int:
        least = self.config.min_relay_sat_per_kvb
        return least if self._limit is None else max(least, self._limit.floor_sat_per_kvb(self._environment.now))

    def feerate_sat_per_kvb(self, target_blocks: int) -> int:
        """A wallet's estimate for inclusion within `target_blocks`, sat/kvB, never below what is relayed."""
        estimate = self._estimator.estimate(target_blocks)
        return estimate if self._limit is None else max(estimate, self._floor_sat_per_kvb())

    def finalize(self, receipt: Receipt, done: OnReceipt) -> None:
        """Call `done(receipt)` when the block of `receipt` has the confirmations that count as final."""
        self.confirm(receipt, self.config.final_confirmations, done)

    @property
    def pending(self) -> int:
        """Transactions of the system that wait for a block."""
        return len(self._mempool)

    def _interval_ns(self) -> int:
        mean_ns = ns(self.config.block_interval_s)
        return self._times.exponential_ns(mean_ns) if self.config.block_times == "poisson" else mean_ns

    def _make_block(self) -> None:
        now = self._environment.now
        self._environment.call_in(self._interval_ns(), self._make_block)
        elapsed_ns, self._last_block_ns = now - self._last_block_ns, now
        if self._asleep:
            if self._kept is not None:
                self._kept.clear()
            self._grow()
            return
        self._arrive(elapsed_ns)
        self._fill_block()
        if self._kept is not None:
            depth = self._kept.draw_depth()
            if depth:
                self._reorganise(depth)

    def _arrive(self, elapsed_ns: int) -> None:
        """Let those come who came since the last block, and evict who does not fit into the mempool."""
        if self._background is not None:
            floor = 0 if self._limit is None else self._limit.floor_sat_per_kvb(self._environment.now)
            self._background.arrive(elapsed_ns / NS_PER_S, floor)
        if self._limit is not None:
            for entry in self._limit.trim(self._environment.now):
                self._drop(entry, Drop.EVICTED)

    def _fill_block(self) -> None:
        """Make one block of what waits, hand out its receipts."""
        now = self._environment.now
        filling = self._mempool.fill(self.config.space_wu, self._background)
        self._observe(filling)
        height = self.height + 1
        fees_sat = sum(entry.transaction.fee_sat for entry in filling.included)
        lowest = filling.lowest_sat_per_kvb
        row = self._recorder.blocks.append(
            chain=self.name,
            height=height,
            time_ns=now,
            transactions=len(filling.included),
            used=filling.used_wu,
            limit=self.config.space_wu,
            fee_level=(self.config.min_relay_sat_per_kvb if lowest is None else lowest) / 1_000,
            blobs=0,
            pending=len(self._mempool),
            fees=fees_sat * MSAT_PER_SAT,
            transactions_root=bitcoin_root(self._leaves(height, filling)),
        )
        receipts: list[tuple[Receipt, OnReceipt | None]] = []
        moved = self._moved
        for entry in filling.included:
            transaction = entry.transaction
            fee_msat = transaction.fee_sat * MSAT_PER_SAT
            self._spend(transaction.purpose, vbytes(transaction.weight_wu), fee_msat)
            for point in transaction.spends:
                self._spent[point] = transaction.txid
            receipt = Receipt(height, now, fee_msat, 0, transaction.txid)
            on_included = entry.on_included
            if moved and transaction.txid in moved:  # its first block was thrown out
                self._reissue(receipt)
                on_included = entry.on_moved
            receipts.append((receipt, on_included))
        if self._kept is not None:
            self._kept.add(KeptBlock(row, filling))
        self._grow(receipts)

    def _reorganise(self, depth: int) -> None:
        """Throw the last blocks out and make one more than they were; nothing new arrives meanwhile."""
        assert self._kept is not None
        lost = self._kept.pop(depth)
        now = self._environment.now
        for block in reversed(lost):
            for entry in block.filling.included:
                transaction = entry.transaction
                self._unspend(transaction.purpose, vbytes(transaction.weight_wu), transaction.fee_sat * MSAT_PER_SAT)
                for point in transaction.spends:
                    del self._spent[point]
                self._mempool.put_back(entry)
            if self._background is not None and block.filling.background is not None:
                self._background.put_back(block.filling.background)
            self._recorder.blocks.set(block.row, "orphaned_ns", now)
        self._shrink(self.height - len(lost), [e.transaction.txid for block in lost for e in block.filling.included])
        for _ in range(len(lost) + 1):
            self._fill_block()

    def _observe(self, filling: Filling) -> None:
        """Tell the wallets the price of entry (with room for all, the relay minimum was enough) or who waited."""
        if isinstance(self._estimator, FeeEstimator):
            floor = self.config.min_relay_sat_per_kvb
            lowest = filling.lowest_sat_per_kvb
            self._estimator.observe(lowest if filling.left_behind and lowest is not None else floor)
            return
        ages = None if self._background is None else self._background.ages
        height = self.height + 1
        confirmed = [(e.transaction.feerate_sat_per_kvb, height - e.height, 1) for e in filling.included]
        waiting = [(e.transaction.feerate_sat_per_kvb, height - e.height, 1) for e in self._mempool.entries()]
        if ages is not None:
            confirmed += ages.confirmed
            waiting += ages.waiting()
        self._estimator.block(confirmed, waiting)

    def _leaves(self, height: int, filling: Filling) -> list[bytes]:
        leaves = [sha256d(record("coinbase", self.name, height))]
        leaves += [entry.transaction.txid for entry in filling.included]
        if self._background is not None and filling.background is not None:
            leaves += [
                sha256d(record("background", self.name, height, rate, count))
                for rate, count in zip(self._background.rates, filling.background.tolist(), strict=True)
                if count
            ]
        return leaves
