"""The Bitcoin-like chain: block times, blocks, receipts."""

from l2sim.crypto.hashing.reference import sha256d
from l2sim.engine import NS_PER_S, Environment, Streams, ns
from l2sim.l1.base import OnReceipt, Receipt, Refusal
from l2sim.l1.bitcoin.background import BitcoinBackground
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.bitcoin.fees import FeeEstimator, fee_sat, vbytes
from l2sim.l1.bitcoin.mempool import BitcoinMempool, BitcoinTransaction, Filling
from l2sim.l1.ledger import Ledger
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
        self._mempool = BitcoinMempool()
        self._estimator = FeeEstimator(config.estimator, config.min_relay_sat_per_kvb)
        self._background: BitcoinBackground | None = None
        if config.background.load > 0:
            self._background = BitcoinBackground(config, streams.get(f"l1/{name}/background"))
        self._last_block_ns = 0

    def start(self) -> None:
        """Draw the blocks before time 0 and begin to make blocks; called once, before the first event."""
        if self._background is not None:
            for _ in range(self.config.background.burn_in_blocks):
                self._background.arrive(self._interval_ns() / NS_PER_S)
                self._observe(self._mempool.fill(self.config.space_wu, self._background))
        self._environment.call_in(self._interval_ns(), self._make_block)

    def submit(self, transaction: BitcoinTransaction, on_included: OnReceipt | None = None) -> Refusal | None:
        """Send a transaction; `on_included` is called with its receipt at the time of its block.

        Returns None, or why nodes refuse to relay it: it is then gone, and `on_included` is never called.
        Raises ValueError for what no transaction can be.
        """
        if len(transaction.txid) != 32:
            raise ValueError(f"txid must be 32 bytes (got {len(transaction.txid)})")
        if transaction.weight_wu < 1 or transaction.fee_sat < 0:
            raise ValueError(
                f"weight_wu must be at least 1 and fee_sat at least 0 (got {transaction.weight_wu} and "
                f"{transaction.fee_sat})"
            )
        if transaction.weight_wu > min(self.config.max_transaction_wu, self.config.space_wu):
            return Refusal.TOO_LARGE
        if transaction.fee_sat < fee_sat(transaction.weight_wu, self.config.min_relay_sat_per_kvb):
            return Refusal.FEE_TOO_LOW
        self._mempool.add(transaction, on_included)
        return None

    def feerate_sat_per_kvb(self, target_blocks: int) -> int:
        """A wallet's estimate for inclusion within `target_blocks`, sat/kvB, never below the relay minimum."""
        return self._estimator.estimate(target_blocks)

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
            self._grow()
            return
        if self._background is not None:
            self._background.arrive(elapsed_ns / NS_PER_S)
        filling = self._mempool.fill(self.config.space_wu, self._background)
        self._observe(filling)
        height = self.height + 1
        fees_sat = sum(entry.transaction.fee_sat for entry in filling.included)
        lowest = filling.lowest_sat_per_kvb
        self._recorder.blocks.append(
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
        receipts = []
        for entry in filling.included:
            fee_msat = entry.transaction.fee_sat * MSAT_PER_SAT
            self._spend(entry.transaction.purpose, vbytes(entry.transaction.weight_wu), fee_msat)
            receipts.append((Receipt(height, now, fee_msat), entry.on_included))
        self._grow(receipts)

    def _observe(self, filling: Filling) -> None:
        """Tell the wallets the price of entry: with room for all, the relay minimum was enough."""
        floor = self.config.min_relay_sat_per_kvb
        lowest = filling.lowest_sat_per_kvb
        self._estimator.observe(lowest if filling.left_behind and lowest is not None else floor)

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
