"""The cryptographic work of each step of the commitment dance, counted and priced.

One step here is one `commitment_signed` or one `revoke_and_ack` (BOLT 2) as its sender or its receiver does it,
with n untrimmed HTLCs in the commitment. A payment over one idle channel takes four of each: 6 signatures, 6
verifications and 4 revocations if its HTLC is untrimmed, 4 / 4 / 4 if it is dust.

Counted are signatures, their digests (BIP 143: hashPrevouts, hashSequence, hashOutputs and the digest itself, all
double SHA-256), the txid that second-stage transactions spend, the keys derived from each new per-commitment point
(BOLT 3), the revocation secret's check, onions and payment hashes. Not counted are the handful of SHA-256 of the
shachain and of the key tweaks: together below a thousandth of the time of one signature.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Final

from l2sim.crypto.profiles import CostProfile
from l2sim.crypto.work import Work

# Multiplications for the keys of one commitment (BOLT 3, key derivation): local_htlc, remote_htlc, local_delayed
# by a base-point multiplication each; revocationpubkey by two multiplications.
KEY_MULTIPLICATIONS: Final = 5
REVOCATION_MULTIPLICATIONS: Final = 1  # revealed secret to point, compared with the known point
NEXT_POINT_MULTIPLICATIONS: Final = 1  # the sender of revoke_and_ack makes its next per-commitment point

OUTPOINT_BYTES: Final = 36
SEQUENCE_BYTES: Final = 4
P2WSH_OUTPUT_BYTES: Final = 43
P2WPKH_OUTPUT_BYTES: Final = 31
P2WPKH_CODE_BYTES: Final = 25  # the script that a P2WPKH input signs (BIP 143)
COMMITMENT_OUTPUTS: Final = 4  # to_local, to_remote, two anchors; all P2WSH with anchors (BOLT 3)
FUNDING_SCRIPT_BYTES: Final = 71  # 2-of-2 of compressed keys
HTLC_SCRIPT_BYTES: Final = 136  # offered HTLC with anchors; the received form is 6 to 9 bytes longer (BOLT 3)
BIP143_FIXED_BYTES: Final = 4 + 32 + 32 + OUTPOINT_BYTES + 1 + 8 + 4 + 32 + 4 + 4
TRANSACTION_FIXED_BYTES: Final = 4 + 1 + OUTPOINT_BYTES + 1 + SEQUENCE_BYTES + 1 + 4  # one input, without witness
DIGEST_BYTES: Final = 32
PREIMAGE_BYTES: Final = 32

SPENT_SCRIPT_BYTES: Final = 80
"""About the length of `to_local`, 77 to 79 bytes; HTLC scripts are longer (BOLT 3)."""


def _count_double(work: Work, length: int) -> None:
    work.count_sha256(1, length)
    work.count_sha256(1, DIGEST_BYTES)


def _count_digest(work: Work, outputs: int, script_bytes: int) -> None:
    """The BIP 143 digest of one input of a transaction of one input."""
    _count_double(work, OUTPOINT_BYTES)
    _count_double(work, SEQUENCE_BYTES)
    _count_double(work, outputs * P2WSH_OUTPUT_BYTES)
    _count_double(work, BIP143_FIXED_BYTES + script_bytes)


def _commitment(htlcs: int) -> Work:
    """What both sides of a commitment_signed do: derive the keys, build the transactions, hash them."""
    work = Work(point_multiplications=KEY_MULTIPLICATIONS)
    _count_digest(work, COMMITMENT_OUTPUTS + htlcs, FUNDING_SCRIPT_BYTES)
    if htlcs:
        _count_double(work, TRANSACTION_FIXED_BYTES + P2WSH_OUTPUT_BYTES * (COMMITMENT_OUTPUTS + htlcs))
        for _ in range(htlcs):
            _count_digest(work, 1, HTLC_SCRIPT_BYTES)
    return work


def sign_work(htlcs: int) -> Work:
    """The sender of a commitment_signed for a commitment with that many untrimmed HTLCs.

    >>> sign_work(3).ecdsa_signs
    4
    """
    work = _commitment(htlcs)
    work.ecdsa_signs += 1 + htlcs
    return work


def verify_work(htlcs: int) -> Work:
    """The receiver of a commitment_signed: its checks, and the revoke_and_ack it answers with."""
    work = _commitment(htlcs)
    work.ecdsa_verifies += 1 + htlcs
    work.point_multiplications += NEXT_POINT_MULTIPLICATIONS
    return work


def revocation_work() -> Work:
    """The receiver of a revoke_and_ack."""
    return Work(point_multiplications=REVOCATION_MULTIPLICATIONS)


def build_work() -> Work:
    """The payer of an attempt: one onion."""
    return Work(onion_builds=1)


def peel_work() -> Work:
    """Each node that received an HTLC for good: its layer of the onion."""
    return Work(onion_peels=1)


def preimage_work() -> Work:
    """Each node that learned a preimage, the payee included: one payment hash."""
    work = Work()
    work.count_sha256(1, PREIMAGE_BYTES)
    return work


def funding_work(inputs: int) -> Work:
    """Opening a channel: each input of the funding transaction signed and checked, both first commitments."""
    work = Work(ecdsa_signs=inputs, ecdsa_verifies=inputs)
    for _ in range(2 * inputs):  # by the signer and by the other side
        _count_double(work, inputs * OUTPOINT_BYTES)
        _count_double(work, inputs * SEQUENCE_BYTES)
        _count_double(work, P2WSH_OUTPUT_BYTES + inputs * P2WPKH_OUTPUT_BYTES)
        _count_double(work, BIP143_FIXED_BYTES + P2WPKH_CODE_BYTES)
    for _ in range(2):
        work.add(sign_work(0))
        work.add(verify_work(0))
    return work


def spending_work(own: int, others: int = 0) -> Work:
    """A transaction that spends outputs of a channel: `own` inputs signed, `others` signed by the other side before.

    All are verified.
    """
    work = Work(ecdsa_signs=own, ecdsa_verifies=own + others)
    for _ in range(2 * own + others):  # by who signs and who verifies
        _count_digest(work, 1, SPENT_SCRIPT_BYTES)
    return work


def closing_work() -> Work:
    """A mutual close: both sides sign, and each checks the other's signature."""
    work = Work(ecdsa_signs=2, ecdsa_verifies=2)
    for _ in range(4):
        _count_double(work, OUTPOINT_BYTES)
        _count_double(work, SEQUENCE_BYTES)
        _count_double(work, 2 * P2WPKH_OUTPUT_BYTES)
        _count_double(work, BIP143_FIXED_BYTES + FUNDING_SCRIPT_BYTES)
    return work


class _Step:
    """One kind of step: what it takes, what that costs a node, how often it was done."""

    __slots__ = ("cost_ns", "done", "work")

    def __init__(self, work: Work, cost_ns: int) -> None:
        self.work = work
        self.cost_ns = cost_ns
        self.done = 0


class DanceWork:
    """Counts the steps that nodes take and says what each costs, in nanoseconds of the node's processor.

    `total()` adds the steps up; the steps themselves only count, for there are thousands a second.
    """

    __slots__ = ("_profile", "_steps", "commitments", "revocations")

    def __init__(self, profile: CostProfile) -> None:
        self._profile = profile
        self._steps: dict[tuple[str, int], _Step] = {}
        self.commitments = 0
        """commitment_signed messages sent."""
        self.revocations = 0
        """revoke_and_ack messages checked."""

    def total(self) -> Work:
        """All work done so far.

        >>> from l2sim.crypto.profiles import load_profile
        >>> dance = DanceWork(load_profile("reference"))
        >>> cost_ns = dance.sign(htlcs=1) + dance.sign(htlcs=0)
        >>> dance.total().ecdsa_signs
        3
        """
        total = Work()
        for step in self._steps.values():
            for counter in fields(Work):
                done = getattr(total, counter.name) + step.done * getattr(step.work, counter.name)
                setattr(total, counter.name, done)
        return total

    def sign(self, htlcs: int) -> int:
        """Count and price making a commitment_signed."""
        self.commitments += 1
        return self._do("sign", htlcs)

    def verify(self, htlcs: int) -> int:
        """Count and price checking a commitment_signed and revoking the commitment before it."""
        return self._do("verify", htlcs)

    def check_revocation(self) -> int:
        """Count and price checking a revoke_and_ack."""
        self.revocations += 1
        return self._do("revocation", 0)

    def build_onion(self) -> int:
        """Count and price making an onion."""
        return self._do("build", 0)

    def peel_onion(self) -> int:
        """Count and price peeling one layer."""
        return self._do("peel", 0)

    def check_preimage(self) -> int:
        """Count and price hashing a preimage."""
        return self._do("preimage", 0)

    def open_channel(self, inputs: int) -> int:
        """Count and price a funding transaction of that many inputs, with the first commitments."""
        return self._do("funding", inputs)

    def close_channel(self) -> int:
        """Count and price a mutual close."""
        return self._do("closing", 0)

    def spend(self, own: int, others: int) -> int:
        """Count and price a commitment that is published, or a transaction that spends what one left."""
        return self._do("own signatures", own) + (self._do("others' signatures", others) if others else 0)

    def _do(self, kind: str, htlcs: int) -> int:
        step = self._steps.get((kind, htlcs))
        if step is None:
            work = _MAKERS[kind](htlcs)
            step = self._steps[kind, htlcs] = _Step(work, self._profile.cost_ns(work))
        step.done += 1
        return step.cost_ns


_MAKERS: Final[dict[str, Callable[[int], Work]]] = {
    "sign": sign_work,
    "own signatures": spending_work,
    "others' signatures": lambda count: spending_work(0, count),
    "verify": verify_work,
    "revocation": lambda _: revocation_work(),
    "build": lambda _: build_work(),
    "peel": lambda _: peel_work(),
    "preimage": lambda _: preimage_work(),
    "funding": funding_work,
    "closing": lambda _: closing_work(),
}
