"""What watchtowers store, are paid and do: a hint and an encrypted penalty for every revoked state (LND watchtower)."""

from dataclasses import dataclass
from typing import Final

from l2sim.systems.lightning.onchain.config import Watchtower

HINT_BYTES: Final = 16  # first half of SHA-256 of the commitment's id (LND watchtower/blob/derivation.go)
BLOB_BYTES: Final = 314  # a 274-byte penalty template, 24 bytes of nonce, 16 of tag (LND watchtower/blob)


@dataclass(frozen=True, slots=True)
class TowerBill:
    """What backing up a number of states takes.

    >>> TowerBill.of(3_000, Watchtower(session_price_sat=50))
    TowerBill(updates=3000, stored_bytes=990000, sessions=3, price_sat=150)
    """

    updates: int
    stored_bytes: int
    sessions: int
    price_sat: int

    @classmethod
    def of(cls, updates: int, rules: Watchtower) -> "TowerBill":
        """The bill for that many revoked states; storage grows with each, unlike a node's own 49 secrets."""
        sessions = -(-updates // rules.updates_per_session)
        return cls(updates, updates * (HINT_BYTES + BLOB_BYTES), sessions, sessions * rules.session_price_sat)


def tower_fee_sat(weight_wu: int, rules: Watchtower) -> int:
    """The fee of a penalty at the rate that was fixed with the backup.

    >>> tower_fee_sat(810, Watchtower())
    2025
    """
    return weight_wu * rules.sweep_sat_per_kw // 1_000
