"""The witness scripts of a channel's outputs (BOLT 3, "Commitment Transaction Outputs")."""

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.hashes import hash160
from l2sim.crypto.bitcoin.keys import CommitmentKeys
from l2sim.crypto.bitcoin.script import (
    OP_2,
    OP_16,
    OP_CHECKLOCKTIMEVERIFY,
    OP_CHECKMULTISIG,
    OP_CHECKSEQUENCEVERIFY,
    OP_CHECKSIG,
    OP_CHECKSIGVERIFY,
    OP_DROP,
    OP_DUP,
    OP_ELSE,
    OP_ENDIF,
    OP_EQUAL,
    OP_EQUALVERIFY,
    OP_HASH160,
    OP_IF,
    OP_IFDUP,
    OP_NOTIF,
    OP_SIZE,
    OP_SWAP,
    push,
    push_number,
)

__all__ = ["HtlcScripts", "anchor_script", "to_local_script", "to_remote_script"]

_CSV_DROP = OP_CHECKSEQUENCEVERIFY + OP_DROP
_CLTV_DROP = OP_CHECKLOCKTIMEVERIFY + OP_DROP
_PREIMAGE_SIZE = OP_SIZE + push(b"\x20") + OP_EQUAL  # 32 bytes
_PREIMAGE_OF = OP_HASH160 + b"\x14"


def to_local_script(keys: CommitmentKeys, to_self_delay_blocks: int) -> bytes:
    """Return the script of the owner's own output and of every HTLC transaction's.

    The peer takes it with the revocation key at once, the owner with the delayed key after the delay.
    """
    return b"".join(
        (
            OP_IF,
            push(keys.revocation),
            OP_ELSE,
            push_number(to_self_delay_blocks),
            _CSV_DROP,
            push(keys.delayed),
            OP_ENDIF,
            OP_CHECKSIG,
        )
    )


def to_remote_script(payment_key: bytes) -> bytes:
    """Return the script of the peer's output with anchors: its key, one block deep."""
    return push(payment_key) + OP_CHECKSIGVERIFY + push_number(1) + OP_CHECKSEQUENCEVERIFY


def anchor_script(funding_key: bytes) -> bytes:
    """Return the script of one side's anchor: its funding key at once, anyone after 16 blocks."""
    return push(funding_key) + OP_CHECKSIG + OP_IFDUP + OP_NOTIF + OP_16 + OP_CHECKSEQUENCEVERIFY + OP_ENDIF


class HtlcScripts:
    """The HTLC scripts of one commitment: what its keys decide is joined once, the rest for each HTLC.

    `payment_hash_160` is RIPEMD-160 of the payment hash, 20 bytes.
    """

    __slots__ = ("_offered_head", "_offered_tail", "_received_head", "_received_middle", "_received_tail")

    def __init__(self, keys: CommitmentKeys, channel_type: ChannelType) -> None:
        revocation = OP_DUP + OP_HASH160 + push(hash160(keys.revocation)) + OP_EQUAL + OP_IF + OP_CHECKSIG + OP_ELSE
        head = revocation + push(keys.peer_htlc) + OP_SWAP + _PREIMAGE_SIZE
        both = OP_2 + OP_SWAP + push(keys.owner_htlc) + OP_2 + OP_CHECKMULTISIG
        one_block = push_number(1) + _CSV_DROP if channel_type is ChannelType.ANCHORS else b""
        self._offered_head = head + OP_NOTIF + OP_DROP + both + OP_ELSE + _PREIMAGE_OF
        self._offered_tail = OP_EQUALVERIFY + OP_CHECKSIG + OP_ENDIF + one_block + OP_ENDIF
        self._received_head = head + OP_IF + _PREIMAGE_OF
        self._received_middle = OP_EQUALVERIFY + both + OP_ELSE + OP_DROP
        self._received_tail = _CLTV_DROP + OP_CHECKSIG + OP_ENDIF + one_block + OP_ENDIF

    def offered(self, payment_hash_160: bytes) -> bytes:
        """Return the script of an HTLC that the owner offered.

        The peer takes it with the preimage, both sides' signatures after expiry, the revocation key at any time.
        """
        return self._offered_head + payment_hash_160 + self._offered_tail

    def received(self, payment_hash_160: bytes, cltv_expiry_blocks: int) -> bytes:
        """Return the script of an HTLC that the owner received.

        The owner takes it with the preimage and both signatures, the peer after expiry or with the revocation key.
        """
        expiry = push_number(cltv_expiry_blocks)
        return self._received_head + payment_hash_160 + self._received_middle + expiry + self._received_tail
