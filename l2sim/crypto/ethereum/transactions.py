"""Type-2 transactions, one at a time: the payload to sign, the signed bytes and the hash (EIP-1559, EIP-2718)."""

from dataclasses import dataclass

from l2sim.crypto.ethereum.rlp import Decoded, decode, encode
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import ethereum_address

__all__ = ["TRANSFER_GAS", "TYPE", "FeeMarketTransaction", "parse_signed"]

TYPE = b"\x02"
ADDRESS_BYTES = 20
TRANSFER_GAS = 21_000  # G_transaction, Yellow Paper, Appendix G
_FIELDS = 12  # nine of the payload, then y parity, r, s


@dataclass(frozen=True, slots=True)
class FeeMarketTransaction:
    """The fields of a type-2 transaction, with an empty access list; fees in wei per gas, the value in wei.

    `to` is 20 bytes, or empty to create a contract. Raises ValueError for another length or a negative number.

    >>> transfer = FeeMarketTransaction(chain_id=1, nonce=0, to=bytes(20), value_wei=1, max_priority_fee_wei=1,
    ...     max_fee_wei=2)
    >>> secret = bytes(31) + bytes([1])
    >>> raw = transfer.signed_bytes(transfer.sign(secret))
    >>> parse_signed(raw)[0] == transfer
    True
    """

    chain_id: int
    nonce: int
    to: bytes
    value_wei: int
    max_priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int = TRANSFER_GAS
    data: bytes = b""

    def __post_init__(self) -> None:
        if len(self.to) not in (0, ADDRESS_BYTES):
            raise ValueError(f"to: must be {ADDRESS_BYTES} bytes, or none to create a contract (got {len(self.to)})")
        numbers = (self.chain_id, self.nonce, self.value_wei, self.max_priority_fee_wei, self.max_fee_wei)
        if min(numbers) < 0 or self.gas_limit < 0:
            raise ValueError(f"transaction: its numbers must be at least 0 (got {numbers} and {self.gas_limit})")

    def signing_payload(self) -> bytes:
        """Return the bytes whose Keccak-256 is signed: the type, then the list of the nine fields."""
        return TYPE + encode(self._fields())

    def signing_digest(self) -> bytes:
        """Return the 32 bytes that the sender signs."""
        return keccak256(self.signing_payload())

    def sign(self, secret: bytes) -> bytes:
        """Return the sender's 65-byte signature: r, s, recovery id."""
        return ecdsa.sign_recoverable(self.signing_digest(), secret)

    def signed_bytes(self, signature: bytes) -> bytes:
        """Return the bytes that are sent and put into a block, from a 65-byte signature.

        Raises ValueError for another length or a recovery id other than 0 and 1 (EIP-2718 transactions carry the
        parity of y alone).
        """
        if len(signature) != 65 or signature[64] > 1:
            raise ValueError(f"signature: must be 65 bytes with a recovery id of 0 or 1 (got {signature.hex()})")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return TYPE + encode([*self._fields(), signature[64], r, s])

    def transaction_hash(self, signature: bytes) -> bytes:
        """Return the 32 bytes by which a block explorer knows the signed transaction."""
        return keccak256(self.signed_bytes(signature))

    def sender(self, signature: bytes) -> bytes:
        """Return the 20-byte address that signed; raise ValueError where no key fits or s is high (EIP-2)."""
        return ethereum_address(ecdsa.recover(self.signing_digest(), signature, rule=ecdsa.Rule.BITCOIN))

    def _fields(self) -> list[int | bytes | list[bytes]]:
        return [
            self.chain_id,
            self.nonce,
            self.max_priority_fee_wei,
            self.max_fee_wei,
            self.gas_limit,
            self.to,
            self.value_wei,
            self.data,
            [],
        ]


def parse_signed(raw: bytes) -> tuple[FeeMarketTransaction, bytes]:
    """Return the transaction and the 65-byte signature in these signed bytes.

    Raises ValueError where they are not exactly one type-2 transaction with an empty access list.
    """
    if raw[:1] != TYPE:
        raise ValueError(f"transaction: must start with the type byte 02 (got {raw[:1].hex()!r})")
    fields = decode(raw[1:])
    if not isinstance(fields, list) or len(fields) != _FIELDS or fields[8] != []:
        raise ValueError(f"transaction: must be a list of {_FIELDS} fields with an empty access list")
    chain_id, nonce, priority, fee, gas, to, value, data, parity, r, s = [
        _content(field) for i, field in enumerate(fields) if i != 8
    ]
    transaction = FeeMarketTransaction(
        _number(chain_id), _number(nonce), to, _number(value), _number(priority), _number(fee), _number(gas), data
    )
    if max(len(r), len(s)) > 32 or _number(parity) > 1:
        raise ValueError("transaction: r and s must be at most 32 bytes, the parity 0 or 1")
    signature = _number(r).to_bytes(32, "big") + _number(s).to_bytes(32, "big") + bytes((_number(parity),))
    return transaction, signature


def _content(field: Decoded) -> bytes:
    if isinstance(field, list):
        raise ValueError("transaction: only the access list may be a list")
    return field


def _number(field: bytes) -> int:
    if field[:1] == b"\x00":
        raise ValueError(f"transaction: numbers must have no leading zeros (got {field.hex()})")
    return int.from_bytes(field, "big")
