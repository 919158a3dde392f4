"""Submarine swaps: an output that one side takes with a preimage, and the other back after a height.

The script is that of reverse submarine swaps as Boltz makes them (boltz-lnd, boltz/scripts.go, CheckReverseSwapScript).
"""

from hashlib import sha256

from l2sim.crypto.bitcoin.claims import Claim
from l2sim.crypto.bitcoin.hashes import ripemd160
from l2sim.crypto.bitcoin.script import (
    OP_CHECKLOCKTIMEVERIFY,
    OP_CHECKSIG,
    OP_DROP,
    OP_ELSE,
    OP_ENDIF,
    OP_EQUAL,
    OP_EQUALVERIFY,
    OP_HASH160,
    OP_IF,
    OP_SIZE,
    push,
    push_number,
)
from l2sim.crypto.bitcoin.transaction import OutPoint

__all__ = ["swap_claim", "swap_refund", "swap_script"]


def swap_script(claimer_key: bytes, refunder_key: bytes, payment_hash: bytes, expiry_blocks: int) -> bytes:
    """Return the witness script: the claimer's with the preimage of `payment_hash`, the refunder's from the height on.

    >>> len(swap_script(bytes(33), bytes(33), bytes(32), 900_100))
    106
    """
    if len(payment_hash) != 32:
        raise ValueError(f"payment_hash: must be exactly 32 bytes (got {len(payment_hash)})")
    parts = (
        OP_SIZE, push(b"\x20"), OP_EQUAL,
        OP_IF, OP_HASH160, push(ripemd160(payment_hash)), OP_EQUALVERIFY, push(claimer_key),
        OP_ELSE, OP_DROP, push_number(expiry_blocks), OP_CHECKLOCKTIMEVERIFY, OP_DROP, push(refunder_key),
        OP_ENDIF, OP_CHECKSIG,
    )  # fmt: skip
    return b"".join(parts)


def swap_claim(outpoint: OutPoint, value_sat: int, script: bytes, preimage: bytes) -> Claim:
    """Return the claim with the preimage.

    Raises ValueError where the script asks for another.
    """
    if ripemd160(sha256(preimage).digest()) not in script:
        raise ValueError("preimage: must be that of the swap's payment hash")
    return Claim(outpoint, value_sat, script, (preimage, script))


def swap_refund(outpoint: OutPoint, value_sat: int, script: bytes, expiry_blocks: int) -> Claim:
    """Return the claim of who locked the coins, valid after the expiry."""
    return Claim(outpoint, value_sat, script, (b"", script), locktime=expiry_blocks)
