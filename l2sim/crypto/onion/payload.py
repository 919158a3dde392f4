"""What one hop reads in its onion: amount, expiry and where to go, or what the payee needs (BOLT 4, `payload` TLVs)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from l2sim.crypto.onion.bigsize import decode_records, decode_truncated, encode_record, encode_truncated

__all__ = ["HopPayload"]

# Record types of BOLT 4, "payload".
AMOUNT = 2
CLTV = 4
SHORT_CHANNEL_ID = 6
PAYMENT_DATA = 8
PAYMENT_METADATA = 16
_KNOWN = (AMOUNT, CLTV, SHORT_CHANNEL_ID, PAYMENT_DATA, PAYMENT_METADATA)
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class HopPayload:
    """The fields of a forwarding hop (with `short_channel_id`) or of the payee (without).

    The payee's `payment_secret` and `total_msat` go together; `payment_metadata` is what its invoice asks the payer
    to send along. `extra` holds further records by type. Raises ValueError where fields contradict each other.

    >>> HopPayload(amount_msat=15_000, cltv_expiry_blocks=1500, short_channel_id=1).encode().hex()
    '02023a98040205dc06080000000000000001'
    """

    amount_msat: int
    cltv_expiry_blocks: int
    short_channel_id: int | None = None
    payment_secret: bytes | None = None
    total_msat: int | None = None
    payment_metadata: bytes | None = None
    extra: Mapping[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_number("amount_msat", self.amount_msat, 64)
        _check_number("cltv_expiry_blocks", self.cltv_expiry_blocks, 32)
        _check_number("short_channel_id", self.short_channel_id or 0, 64)
        _check_number("total_msat", self.total_msat or 0, 64)
        if (self.payment_secret is None) != (self.total_msat is None):
            raise ValueError("payload: payment_secret and total_msat must come together")
        if self.payment_secret is not None and len(self.payment_secret) != _SECRET_BYTES:
            raise ValueError(f"payment_secret: must be exactly 32 bytes (got {len(self.payment_secret)})")
        if self.short_channel_id is not None and (self.payment_secret is not None or self.payment_metadata is not None):
            raise ValueError("payload: only the payee, who has no short_channel_id, may be sent payment data")
        for kind in _KNOWN:
            if kind in self.extra:
                raise ValueError(f"extra: type {kind} has a field of its own")

    @property
    def is_final(self) -> bool:
        """Whether this payload is the payee's."""
        return self.short_channel_id is None

    def encode(self) -> bytes:
        """Return the records in order, without the length that the onion puts before them."""
        records = {
            AMOUNT: encode_truncated(self.amount_msat),
            CLTV: encode_truncated(self.cltv_expiry_blocks),
            **self.extra,
        }
        if self.short_channel_id is not None:
            records[SHORT_CHANNEL_ID] = self.short_channel_id.to_bytes(8, "big")
        if self.payment_secret is not None and self.total_msat is not None:
            records[PAYMENT_DATA] = self.payment_secret + encode_truncated(self.total_msat)
        if self.payment_metadata is not None:
            records[PAYMENT_METADATA] = self.payment_metadata
        return b"".join([encode_record(kind, records[kind]) for kind in sorted(records)])

    @classmethod
    def decode(cls, data: bytes) -> "HopPayload":
        """Read a payload.

        Raises ValueError where a record is malformed, the amount or the expiry is missing, or a type is unknown and
        even: the hop then answers with `invalid_onion_payload`.
        """
        records = decode_records(data)
        missing = [kind for kind in (AMOUNT, CLTV) if kind not in records]
        if missing:
            raise ValueError(f"payload: must have a record of type {missing[0]}")
        extra = {kind: value for kind, value in records.items() if kind not in _KNOWN}
        unknown = [kind for kind in extra if kind % 2 == 0]
        if unknown:
            raise ValueError(f"payload: even types must be known (got {unknown[0]})")
        channel, payment = records.get(SHORT_CHANNEL_ID), records.get(PAYMENT_DATA)
        if channel is not None and len(channel) != 8:
            raise ValueError(f"short_channel_id: must be exactly 8 bytes (got {len(channel)})")
        return cls(
            amount_msat=decode_truncated(records[AMOUNT], 8),
            cltv_expiry_blocks=decode_truncated(records[CLTV], 4),
            short_channel_id=None if channel is None else int.from_bytes(channel, "big"),
            payment_secret=None if payment is None else payment[:_SECRET_BYTES],
            total_msat=None if payment is None else decode_truncated(payment[_SECRET_BYTES:], 8),
            payment_metadata=records.get(PAYMENT_METADATA),
            extra=extra,
        )


def _check_number(name: str, value: int, bits: int) -> None:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name}: must be from 0 to 2**{bits} - 1 (got {value})")
