"""HTLCs and their second stage: the HTLC-timeout and HTLC-success transactions (BOLT 3).

A transaction is made only when it is asked for; what the peer signs on every commitment is hashed straight from
its fields.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.hashes import ripemd160
from l2sim.crypto.bitcoin.sighash import SigHash, segwit_digest
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, compact_size
from l2sim.crypto.signatures.ecdsa import compact_to_der

__all__ = ["Htlc", "HtlcOutput"]

_U32 = Struct("<I").pack
_VALUE_SEQUENCE = Struct("<QI").pack
_LOCKTIME_HASH_TYPE = Struct("<II").pack
_VALUE = Struct("<Q").pack
_NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Htlc:
    """A payment in flight on one channel: the same object stands in both sides' commitments.

    Raises ValueError where the amount is not positive, the hash not 32 bytes or the expiry not a block height
    (BOLT 2: below 500 000 000).
    """

    amount_msat: int
    payment_hash: bytes
    cltv_expiry_blocks: int
    payment_hash_160: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.amount_msat <= 0:
            raise ValueError(f"amount_msat: must be above 0 (got {self.amount_msat})")
        if len(self.payment_hash) != 32:
            raise ValueError(f"payment_hash: must be exactly 32 bytes (got {len(self.payment_hash)})")
        if not 0 < self.cltv_expiry_blocks < 500_000_000:
            raise ValueError(f"cltv_expiry_blocks: must be from 1 to 499999999 (got {self.cltv_expiry_blocks})")
        object.__setattr__(self, "payment_hash_160", ripemd160(self.payment_hash))


@dataclass(frozen=True, slots=True)
class HtlcOutput:
    """One untrimmed HTLC of a commitment, with the transaction that resolves it for the commitment's owner.

    `value_sat` is what the commitment's output holds, `delayed_output` where the second stage pays, `offered` is
    seen from the owner. `place` is the HTLC's place in the state's list of offered or of received ones.
    """

    htlc: Htlc
    place: int
    offered: bool
    outpoint: OutPoint
    value_sat: int
    fee_sat: int
    witness_script: bytes
    delayed_output: bytes
    channel_type: ChannelType

    @property
    def hash_type(self) -> SigHash:
        """How the peer signs: SINGLE|ANYONECANPAY where the owner may add inputs to pay the fee."""
        return self.channel_type.peer_htlc_hash_type

    @property
    def locktime(self) -> int:
        """The expiry of an HTLC-timeout transaction, 0 for HTLC-success."""
        return self.htlc.cltv_expiry_blocks if self.offered else 0

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the peer signs and sends with `commitment_signed`, by its HTLC key (BIP 143).

        Hashed anew at every call.
        """
        channel_type, script = self.channel_type, self.witness_script
        sequence = channel_type.htlc_sequence
        outpoint = self.outpoint.txid + _U32(self.outpoint.vout)
        if channel_type is ChannelType.LEGACY:
            prevouts = sha256(sha256(outpoint).digest()).digest()
            sequences = sha256(sha256(_U32(sequence)).digest()).digest()
        else:
            prevouts = sequences = _NOTHING
        output = self.delayed_output
        paid = _VALUE(self.value_sat - self.fee_sat) + compact_size(len(output)) + output
        preimage = b"".join(
            (
                _U32(channel_type.transaction_version),
                prevouts,
                sequences,
                outpoint,
                compact_size(len(script)),
                script,
                _VALUE_SEQUENCE(self.value_sat, sequence),
                sha256(sha256(paid).digest()).digest(),
                _LOCKTIME_HASH_TYPE(self.locktime, self.hash_type),
            )
        )
        return sha256(sha256(preimage).digest()).digest()

    @property
    def transaction(self) -> Transaction:
        """The HTLC-timeout (offered) or HTLC-success (received) transaction, unsigned."""
        return Transaction(
            inputs=(TxInput(self.outpoint, self.channel_type.htlc_sequence),),
            outputs=(TxOutput(self.value_sat - self.fee_sat, self.delayed_output),),
            version=self.channel_type.transaction_version,
            locktime=self.locktime,
        )

    @property
    def owner_digest(self) -> bytes:
        """The 32 bytes that the owner signs before broadcasting the transaction as it is (SIGHASH_ALL)."""
        return segwit_digest(self.transaction, 0, self.witness_script, self.value_sat)

    def witness(
        self, peer_signature: bytes, owner_signature: bytes, preimage: bytes | None = None
    ) -> tuple[bytes, ...]:
        """Return the input's witness from 64-byte signatures; the preimage is for a received HTLC alone.

        Raises ValueError where a received HTLC has no preimage of its payment hash, or an offered one has any.
        """
        if self.offered:
            if preimage is not None:
                raise ValueError("preimage: must be None for an offered HTLC, which times out")
            secret = b""
        else:
            if preimage is None or sha256(preimage).digest() != self.htlc.payment_hash:
                raise ValueError("preimage: must be that of the HTLC's payment hash")
            secret = preimage
        peer = compact_to_der(peer_signature) + bytes((self.hash_type,))
        owner = compact_to_der(owner_signature) + bytes((SigHash.ALL,))
        return (b"", peer, owner, secret, self.witness_script)

    def signed(self, peer_signature: bytes, owner_signature: bytes, preimage: bytes | None = None) -> Transaction:
        """Return the transaction ready to broadcast; see `witness`."""
        return self.transaction.with_witnesses([self.witness(peer_signature, owner_signature, preimage)])
