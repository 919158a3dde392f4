"""Payments straight on the Bitcoin-like chain: P2WPKH coins, real bytes, fees by weight."""

import hashlib
from collections import deque
from dataclasses import dataclass, replace

from l2sim.crypto.bitcoin.p2wpkh import Coin, payment_weight_wu, sign_payment, unsigned_payment, verify_payment
from l2sim.crypto.bitcoin.script import p2wpkh
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxOutput
from l2sim.crypto.signatures.keys import public_key
from l2sim.crypto.work import Work
from l2sim.errors import InvariantError
from l2sim.l1.base import Chain, Drop, Purpose, Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.bitcoin.mempool import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.results.outcomes import Outcome
from l2sim.results.recorder import NEVER
from l2sim.systems.base import Audit, World
from l2sim.systems.onchain.base import OnchainPayments
from l2sim.systems.onchain.coins import MOST_INPUTS, Wallet
from l2sim.systems.onchain.config import OnchainConfig

DUST_SAT = 294
"""Smallest P2WPKH output that nodes relay, at 3,000 sat/kvB (Bitcoin Core policy; BOLT 3, dust limits)."""

OUTPUT_BYTES = 31
"""A P2WPKH output: value 8, script length 1, script 22."""

PREIMAGE_BYTES = 182
"""BIP 143 message of a P2WPKH input: 4 + 32 + 32 + 36 + 26 + 8 + 4 + 32 + 4 + 4."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A payment on its way: which one, what it spends, and its outputs (payee first, then any change)."""

    payment: int
    coins: list[Coin]
    transaction: Transaction
    fee_sat: int


class OnchainBitcoin(OnchainPayments):
    """Each payment is one P2WPKH transaction of the payer's confirmed coins.

    Amounts are rounded up to whole satoshis. A wallet whose money is all in unconfirmed change waits for the
    next block; payments of one payer leave in order.
    """

    def __init__(self, name: str, config: OnchainConfig, world: World, chain: Chain) -> None:
        super().__init__(name, config, world, chain)
        if not isinstance(chain, BitcoinChain):
            raise InvariantError(f"{name}: needs a Bitcoin-like chain (got {type(chain).__name__})")
        self.bitcoin = chain
        self._names_coins = bool(
            config.bump_after_blocks or chain.config.reorgs.probability or chain.config.mempool.limit_vbyte
        )
        """Whether the chain must know what payments spend: they may be replaced, or their coins be undone."""
        self._sent: dict[int, Sent] = {}
        """Payments that wait for a block, where the chain knows what they spend."""
        self.waiting: dict[int, deque[int]] = {}
        self.fees_sat = 0
        self.entered_sat = 0
        self.in_flight_sat = 0
        self.wallets = [self._wallet(user) for user in range(world.workload.users)]

    def _wallet(self, user: int) -> Wallet:
        secret = self.secrets[user]
        # Without real keys a wallet still needs 33 bytes of its own, for a script of its own.
        key = public_key(secret) if self.real else b"\x02" + hashlib.sha256(secret).digest()
        return Wallet(key, p2wpkh(key))

    def onboard(self) -> None:
        """Hand every user the coins it brings: being on L1 already costs nothing."""
        count = self.config.coins_per_user
        for user, funds_msat in enumerate(self.world.workload.funds_msat.tolist()):
            funds_sat = funds_msat // MSAT_PER_SAT
            self.entered_sat += funds_sat
            wallet = self.wallets[user]
            origin = hashlib.sha256(b"l2sim coins" + user.to_bytes(4, "big")).digest()
            for index in range(count):
                value_sat = funds_sat * (index + 1) // count - funds_sat * index // count
                if value_sat:
                    wallet.add(Coin(OutPoint(origin, index), value_sat, wallet.public_key))

    def pay(self, payment: int) -> None:
        """Send the payment, or put it behind the payer's earlier ones that still wait for coins."""
        self.record.submitted_ns[payment] = self.world.environment.now
        self.undecided += 1
        payer = int(self.world.workload.payer[payment])
        queue = self.waiting.get(payer)
        if queue is not None:
            queue.append(payment)
        elif not self._try(payment, payer):
            self.waiting[payer] = deque([payment])

    def _try(self, payment: int, payer: int) -> bool:
        """Send or fail the payment; False if it has to wait for coins to confirm."""
        wallet = self.wallets[payer]
        amount_sat = -(-int(self.world.workload.amount_msat[payment]) // MSAT_PER_SAT)
        if amount_sat < DUST_SAT:
            self._fail(payment, Outcome.AMOUNT_TOO_SMALL)
            return True
        payee = self.wallets[int(self.world.workload.payee[payment])]
        rate = self.bitcoin.feerate_sat_per_kvb(self.config.target_blocks)
        most = min(MOST_INPUTS, max(1, len(wallet)))
        scripts = (payee.script, wallet.script)
        needs = tuple(amount_sat + fee_sat(payment_weight_wu(n, scripts), rate) for n in range(1, most + 1))
        coins = wallet.choose(needs)
        if coins is None:
            if wallet.confirmed_sat + wallet.unconfirmed_sat >= needs[-1] and wallet.unconfirmed_sat:
                return False
            self._fail(payment, Outcome.INSUFFICIENT_FUNDS)
            return True
        self._send(payment, payer, coins, amount_sat, rate)
        return True

    def _send(self, payment: int, payer: int, coins: list[Coin], amount_sat: int, rate: int) -> None:
        wallet = self.wallets[payer]
        payee = self.wallets[int(self.world.workload.payee[payment])]
        total_sat = sum(coin.value_sat for coin in coins)
        outputs = [TxOutput(amount_sat, payee.script)]
        weight_wu = payment_weight_wu(len(coins), (payee.script, wallet.script))
        change_sat = total_sat - amount_sat - fee_sat(weight_wu, rate)
        if change_sat >= DUST_SAT:
            outputs.append(TxOutput(change_sat, wallet.script))
        else:  # change that no node would relay is left to the miner
            weight_wu = payment_weight_wu(len(coins), (payee.script,))
            change_sat = 0
        sent = self._signed(payment, payer, coins, outputs)
        self.record.attempts[payment] = 1
        if not self._submit(sent, weight_wu):
            self._fail(payment, Outcome.DROPPED)
            return
        wallet.spend(coins)
        wallet.unconfirmed_sat += change_sat
        payee.unconfirmed_sat += amount_sat
        self.in_flight_sat += total_sat

    def _signed(self, payment: int, payer: int, coins: list[Coin], outputs: list[TxOutput]) -> Sent:
        """The transaction that pays these outputs out of these coins; what is left over is its fee."""
        transaction = unsigned_payment(coins, outputs)
        if self.real:
            transaction = sign_payment(transaction, coins, [self.secrets[payer]] * len(coins))
            if not verify_payment(transaction, coins):
                raise InvariantError(f"{self.name}: a signature just made does not verify: {transaction}")
        count_payment(self.work, transaction)
        fee = sum(coin.value_sat for coin in coins) - sum(output.value_sat for output in outputs)
        return Sent(payment, coins, transaction, fee)

    def _submit(self, sent: Sent, weight_wu: int) -> bool:
        """Send a payment's transaction; False if nodes refuse it."""
        entry = BitcoinTransaction(sent.transaction.txid, weight_wu, sent.fee_sat, Purpose.PAYMENT)
        if not self._names_coins:
            return self.bitcoin.submit(entry, lambda receipt: self._included(sent, receipt)) is None
        entry = replace(entry, spends=tuple([coin.outpoint for coin in sent.coins]))
        refusal = self.bitcoin.submit(
            entry,
            lambda receipt: self._included(sent, receipt),
            lambda reason: self._dropped(sent, weight_wu, reason),
            lambda receipt: self._moved(sent, receipt),
        )
        if refusal is None:
            self._sent[sent.payment] = sent
            after = self.config.bump_after_blocks
            if after:
                self.bitcoin.wait_for_height(self.bitcoin.height + after, lambda _: self._bump(sent))
        return refusal is None

    def _bump(self, sent: Sent) -> None:
        """Replace a payment that waited too long, if the change can pay for it and the price has risen."""
        if self._sent.get(sent.payment) is not sent or self.record.included_ns[sent.payment] != NEVER:
            return  # it was replaced already, or is in a block, or was in one
        payer = int(self.world.workload.payer[sent.payment])
        wallet = self.wallets[payer]
        outputs = list(sent.transaction.outputs)
        weight_wu = payment_weight_wu(len(sent.coins), tuple([output.script for output in outputs]))
        rate = self.bitcoin.feerate_sat_per_kvb(self.config.target_blocks)
        least = self.bitcoin.least_replacement_fee_sat(sent.transaction.txid, weight_wu)
        fee = max(fee_sat(weight_wu, rate), least)
        change_sat = outputs[1].value_sat - (fee - sent.fee_sat) if len(outputs) > 1 else 0
        if fee_sat(weight_wu, rate) > sent.fee_sat and change_sat >= DUST_SAT:
            outputs[1] = TxOutput(change_sat, wallet.script)
            if self._submit(self._signed(sent.payment, payer, sent.coins, outputs), weight_wu):
                wallet.unconfirmed_sat -= fee - sent.fee_sat
                self.record.attempts[sent.payment] += 1
                return
        again = self.bitcoin.height + self.config.bump_after_blocks
        self.bitcoin.wait_for_height(again, lambda _: self._bump(sent))

    def _dropped(self, sent: Sent, weight_wu: int, reason: Drop) -> None:
        """Evicted for good, or only out of the mempools after its block was thrown out: then it is sent again."""
        if reason is Drop.REPLACED:
            return  # by its own bump
        payment = sent.payment
        if self.record.included_ns[payment] != NEVER:
            if not self._submit(sent, weight_wu):
                self.bitcoin.wait_for_height(self.bitcoin.height + 1, lambda _: self._dropped(sent, weight_wu, reason))
            return
        del self._sent[payment]
        self.in_flight_sat -= sum(coin.value_sat for coin in sent.coins)
        payer = int(self.world.workload.payer[payment])
        payee = int(self.world.workload.payee[payment])
        for user, output in zip((payee, payer), sent.transaction.outputs, strict=False):
            self.wallets[user].unconfirmed_sat -= output.value_sat
        for coin in sent.coins:
            self.wallets[payer].add(coin)
        self._fail(payment, Outcome.DROPPED)
        self._release(payer)

    def _moved(self, sent: Sent, receipt: Receipt) -> None:
        """Another block holds the payment now."""
        self._sent.pop(sent.payment, None)
        self.record.included_ns[sent.payment] = receipt.time_ns

    def _included(self, sent: Sent, receipt: Receipt) -> None:
        payment = sent.payment
        self._sent.pop(payment, None)
        self.fees_sat += sent.fee_sat
        self.in_flight_sat -= sum(coin.value_sat for coin in sent.coins)
        payer = int(self.world.workload.payer[payment])
        payee = int(self.world.workload.payee[payment])
        txid = sent.transaction.txid
        for vout, (user, output) in enumerate(zip((payee, payer), sent.transaction.outputs, strict=False)):
            wallet = self.wallets[user]
            wallet.unconfirmed_sat -= output.value_sat
            wallet.add(Coin(OutPoint(txid, vout), output.value_sat, wallet.public_key))
        self._block_holds(payment, receipt)
        for user in (payee, payer):
            self._release(user)

    def _release(self, user: int) -> None:
        """Send what waited for this user's coins, in order."""
        queue = self.waiting.get(user)
        while queue and self._try(queue[0], user):
            queue.popleft()
        if queue is not None and not queue:
            del self.waiting[user]

    def audit(self) -> Audit:
        """All coins handed out, confirmed or spent into a transaction that waits for a block, in msat."""
        balances_sat = sum(wallet.confirmed_sat for wallet in self.wallets)
        return Audit(
            entered=self.entered_sat * MSAT_PER_SAT,
            balances=balances_sat * MSAT_PER_SAT,
            in_flight=self.in_flight_sat * MSAT_PER_SAT,
            fees=self.fees_sat * MSAT_PER_SAT,
            left=0,
        )


def count_payment(work: Work, transaction: Transaction) -> None:
    """Count what making and checking a P2WPKH payment takes: both sides hash, the payer signs, a node verifies.

    Per side: the shared digests of BIP 143 (outpoints, sequences, outputs), a message for each input, and the
    transaction id; each twice SHA-256.
    """
    inputs, outputs = len(transaction.inputs), len(transaction.outputs)
    work.ecdsa_signs += inputs
    work.ecdsa_verifies += inputs
    stripped = 10 + 41 * inputs + OUTPUT_BYTES * outputs
    for messages, length in (
        (1, 36 * inputs),
        (1, 4 * inputs),
        (1, OUTPUT_BYTES * outputs),
        (inputs, PREIMAGE_BYTES),
        (1, stripped),
    ):
        work.count_sha256(2 * messages, length)
        work.count_sha256(2 * messages, 32)
