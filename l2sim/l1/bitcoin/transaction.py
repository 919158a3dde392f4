"""A system's Bitcoin transaction as the chain sees it: id, weight, fee, what it spends, from when it is valid."""

from dataclasses import dataclass

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.l1.base import Purpose
from l2sim.l1.bitcoin.fees import WU_PER_KVB

TRUC_VERSION = 3
"""Transactions of this version are topologically restricted until confirmed (BIP 431)."""


@dataclass(frozen=True, slots=True)
class BitcoinTransaction:
    """A system's transaction: 32-byte id, weight, the fee it pays whenever it gets in, and why it is sent.

    `spends` names the outputs that others might spend too or that may be unconfirmed: parents in the mempool,
    conflicts and double spends are found by them. Coins that only this transaction will ever spend may be left out.
    `valid_from_height` is the first height whose block may hold it (nLockTime plus one, or a parent's height plus
    its relative delay).
    """

    txid: bytes
    weight_wu: int
    fee_sat: int
    purpose: Purpose
    spends: tuple[OutPoint, ...] = ()
    version: int = 2
    valid_from_height: int = 0

    @property
    def feerate_sat_per_kvb(self) -> int:
        """What it pays by weight, sat/kvB, rounded down."""
        return self.fee_sat * WU_PER_KVB // self.weight_wu
