"""Submarine swaps with their keys: the coins locked on L1, and taken with the preimage or back, really signed."""

from hashlib import sha256
from typing import NamedTuple

from l2sim.crypto.bitcoin.claims import sign_sweep, sweep_digests, unsigned_sweep
from l2sim.crypto.bitcoin.p2wpkh import Coin, sign_payment, unsigned_payment, verify_payment
from l2sim.crypto.bitcoin.script import p2wpkh, p2wsh
from l2sim.crypto.bitcoin.swap import swap_claim, swap_refund, swap_script
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxOutput
from l2sim.crypto.signatures.keys import public_key
from l2sim.engine import Streams
from l2sim.errors import InvariantError
from l2sim.systems.lightning.agents.swap import CLAIM_WU, LOCK_WU, REFUND_WU, Swap
from l2sim.systems.lightning.real_channel import START_HEIGHT
from l2sim.systems.lightning.real_closing import COIN_SAT, Counts


class _Locked(NamedTuple):
    """Coins of a swap on L1."""

    outpoint: OutPoint
    script: bytes


class RealSwaps:
    """Makes the transactions of swaps."""

    def __init__(self, streams: Streams, counts: Counts) -> None:
        self._streams = streams
        self._counts = counts
        self._locked: dict[int, _Locked] = {}
        self.transactions: list[Transaction] = []
        """All that was signed, in order."""

    def _secret(self, node: int) -> bytes:
        return self._streams.secret("lightning/swap key", node)

    def lock(self, swap: Swap, fee_sat: int, payment_hash: bytes) -> bytes:
        """The refunder pays a coin into the swap's output, and change; returns the transaction's id."""
        secret = self._secret(swap.refunder)
        key = public_key(secret)
        script = swap_script(public_key(self._secret(swap.claimer)), key, payment_hash, START_HEIGHT + swap.expiry)
        origin = OutPoint(sha256(b"swap coin" + key + payment_hash).digest(), 0)
        coin = Coin(origin, swap.amount_sat + COIN_SAT, key)
        outputs = [TxOutput(swap.amount_sat, p2wsh(script)), TxOutput(COIN_SAT - fee_sat, p2wpkh(key))]
        payment = sign_payment(unsigned_payment([coin], outputs), [coin], [secret])
        self._counts.made += 1
        self._counts.verified += 1
        if not verify_payment(payment, [coin]):
            raise InvariantError(f"the funding of swap {swap.payment} must verify")
        self._locked[swap.payment] = _Locked(payment.outpoint(0), script)
        return self._sent(payment, LOCK_WU, swap)

    def unlock(self, swap: Swap, fee_sat: int, preimage: bytes | None) -> bytes:
        """The claimer takes the coins with the preimage, or without it the refunder; returns the id."""
        locked = self._locked.pop(swap.payment)
        if preimage is not None:
            owner, claim = swap.claimer, swap_claim(locked.outpoint, swap.amount_sat, locked.script, preimage)
        else:
            expiry = START_HEIGHT + swap.expiry
            owner, claim = swap.refunder, swap_refund(locked.outpoint, swap.amount_sat, locked.script, expiry)
        secret = self._secret(owner)
        sweep = unsigned_sweep([claim], [TxOutput(swap.amount_sat - fee_sat, p2wpkh(public_key(secret)))])
        [digest] = sweep_digests(sweep, [claim])
        signature = self._counts.sign(digest, secret)
        self._counts.verify(digest, signature, public_key(secret), f"swap {swap.payment}")
        weight_wu = CLAIM_WU if preimage is not None else REFUND_WU
        return self._sent(sign_sweep(sweep, [claim], [signature]), weight_wu, swap)

    def _sent(self, transaction: Transaction, weight_wu: int, swap: Swap) -> bytes:
        if not 0 <= weight_wu - transaction.weight_wu <= 3:
            raise InvariantError(
                f"swap {swap.payment}: a transaction must weigh {weight_wu} wu or up to 3 less (got "
                f"{transaction.weight_wu})"
            )
        self.transactions.append(transaction)
        return transaction.txid
