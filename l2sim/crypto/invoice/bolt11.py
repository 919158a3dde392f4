"""Invoices of BOLT 11: what a payee asks for, signed, as one line of text.

What is signed is the SHA-256 of the readable prefix and of the words before the signature, as bytes with zero bits at
the end. The order of the fields is therefore part of what is signed, and `encode_invoice` can be told which.

Where BOLT 11 says that a field of a wrong length is both to be skipped (its examples) and to fail the payment (its
text), it is skipped here; an invoice that then lacks what it must have is refused.
"""

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from l2sim.crypto.invoice import bech32
from l2sim.crypto.invoice.amount import read_prefix, write_prefix
from l2sim.crypto.invoice.fields import (
    FIELD_BYTES_MOST,
    Fallback,
    RouteHop,
    bits_to_words,
    number_to_words,
    read_fields,
    read_route,
    words_to_bits,
    write_field,
    write_route,
)
from l2sim.crypto.signatures.ecdsa import Rule, recover, sign_recoverable, verify
from l2sim.crypto.signatures.keys import is_public_key, public_key

__all__ = ["KNOWN_FEATURES", "Invoice", "SignedInvoice", "decode_invoice", "encode_invoice"]

DEFAULT_EXPIRY_S = 3600  # BOLT 11, `x`
DEFAULT_MIN_FINAL_CLTV_BLOCKS = 18  # BOLT 11, `c`

BASIC_MPP = 16
PAYMENT_SECRET = 14
VAR_ONION_OPTIN = 8
KNOWN_FEATURES = (VAR_ONION_OPTIN, PAYMENT_SECRET, BASIC_MPP, 24, 36, 48)
"""Even bits that may stand in an invoice (BOLT 9, context 9): variable onion, payment secret, basic multi-part,
route blinding, attribution data, payment metadata. The odd bit above each says the same without insisting."""

DEFAULT_ORDER = "shpdmxcnfr9"
_TIMESTAMP_WORDS, _SIGNATURE_WORDS = 7, 104
_FIXED_WORDS = {"p": 52, "s": 52, "h": 52, "n": 53}  # BOLT 11; fields of other lengths are skipped


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a payee asks for.

    `network` is `bc`, `tb`, `tbs` or `bcrt`; `amount_msat` None leaves the amount to the payer. Payment hash, payment
    secret and description hash are 32 bytes; description or its hash must be given, not both. `features` are bit
    numbers, rising. `payee`, the 33-byte node id, is stated only where the payer shall not recover it from the
    signature. None in an optional field means that the invoice does not say. Raises ValueError where a field breaks
    its rule or BOLT 9 does not know a feature on which the payee insists.
    """

    network: str
    timestamp_s: int
    payment_hash: bytes
    payment_secret: bytes
    amount_msat: int | None = None
    description: str | None = None
    description_hash: bytes | None = None
    metadata: bytes | None = None
    expiry_s: int | None = None
    min_final_cltv_blocks: int | None = None
    payee: bytes | None = None
    fallbacks: tuple[Fallback, ...] = ()
    routes: tuple[tuple[RouteHop, ...], ...] = ()
    features: tuple[int, ...] = (VAR_ONION_OPTIN, PAYMENT_SECRET)

    def __post_init__(self) -> None:
        write_prefix(self.network, self.amount_msat)  # raises where either is wrong
        _check_range("timestamp_s", self.timestamp_s, 5 * _TIMESTAMP_WORDS)
        _check_range("expiry_s", self.expiry_s or 0, 64)
        _check_range("min_final_cltv_blocks", self.min_final_cltv_blocks or 0, 32)
        for name in ("payment_hash", "payment_secret", "description_hash"):
            value: bytes | None = getattr(self, name)
            if value is not None and len(value) != 32:
                raise ValueError(f"{name}: must be exactly 32 bytes (got {len(value)})")
        if (self.description is None) == (self.description_hash is None):
            given = "neither" if self.description is None else "both"
            raise ValueError(f"description: must be given as text (d) or as its hash (h), one of them (got {given})")
        for name, data in (("description", (self.description or "").encode()), ("metadata", self.metadata or b"")):
            if len(data) > FIELD_BYTES_MOST:
                raise ValueError(f"{name}: must be at most {FIELD_BYTES_MOST} bytes (got {len(data)})")
        if self.payee is not None and not is_public_key(self.payee):
            raise ValueError(f"payee: must be a compressed point of secp256k1 (got {self.payee.hex()})")
        if () in self.routes:
            raise ValueError("routes: each must have one hop or more (got one without)")
        _check_features(self.features)

    @property
    def expires_at_s(self) -> int:
        """When the invoice ends, in seconds since 1970: an hour after its timestamp unless it says otherwise."""
        return self.timestamp_s + (DEFAULT_EXPIRY_S if self.expiry_s is None else self.expiry_s)

    @property
    def final_cltv_blocks(self) -> int:
        """How many blocks the last HTLC must leave the payee: 18 unless the invoice says otherwise."""
        return DEFAULT_MIN_FINAL_CLTV_BLOCKS if self.min_final_cltv_blocks is None else self.min_final_cltv_blocks


class SignedInvoice(NamedTuple):
    """An invoice whose signature holds: the node that signed it, and r, s and recovery id (65 bytes)."""

    invoice: Invoice
    node_id: bytes
    signature: bytes


def encode_invoice(invoice: Invoice, secret: bytes, *, order: str = DEFAULT_ORDER) -> str:
    """Return the invoice as text in lower case, signed with the payee's 32-byte secret.

    `order` lists the letters of the tagged fields in the order in which they are written; those that the invoice
    does not have are passed over. Raises ValueError where `order` leaves out one that it has, repeats one or holds
    one that is not of BOLT 11; where the features do not announce the payment secret; where `payee` is not the
    secret's key, or where the secret is unusable.

    >>> invoice = Invoice("bc", 1_700_000_000, bytes(32), bytes([1]) * 32, 250_000_000, "one coffee")
    >>> text = encode_invoice(invoice, bytes([7]) * 32)
    >>> text[:17], decode_invoice(text).invoice == invoice
    ('lnbc2500u1pj48ugq', True)
    """
    key = public_key(secret)
    if invoice.payee not in (None, key):
        raise ValueError(f"payee: must be the key that signs, {key.hex()}, or None")
    fields = _write_fields(invoice)
    if any(order.count(tag) != 1 for tag in fields) or any(tag not in DEFAULT_ORDER for tag in order):
        raise ValueError(f"order: must be letters of {DEFAULT_ORDER}, each of {', '.join(fields)} once (got {order!r})")
    if not _announces(invoice.features, PAYMENT_SECRET):
        raise ValueError(f"features: must have the payment secret, 14 or 15 (got {invoice.features})")
    prefix = write_prefix(invoice.network, invoice.amount_msat)
    timestamp = bytes(invoice.timestamp_s >> 5 * (_TIMESTAMP_WORDS - 1 - i) & 31 for i in range(_TIMESTAMP_WORDS))
    words = timestamp + b"".join([fields[tag] for tag in order if tag in fields])
    signature = sign_recoverable(_digest(prefix, words), secret)
    return bech32.encode(prefix, words + bech32.to_words(signature))


def decode_invoice(text: str) -> SignedInvoice:
    """Read an invoice and check its signature.

    The signer is recovered from the signature (high or low s), unless the invoice states its payee: then the signature
    must be that key's, with a low s. Unknown fields, fallbacks of unknown versions, fields of fixed length that have
    another one, and later copies of a field are skipped. Raises ValueError where the text, a field or the signature
    breaks a rule; the message names it.
    """
    prefix, words = bech32.decode(text)
    network, amount_msat = read_prefix(prefix)
    if len(words) < _TIMESTAMP_WORDS + _SIGNATURE_WORDS:
        raise ValueError(
            f"invoice: must have {_TIMESTAMP_WORDS + _SIGNATURE_WORDS} words or more, timestamp and signature among "
            f"them (got {len(words)})"
        )
    signed, signature = words[:-_SIGNATURE_WORDS], bech32.to_bytes("signature", words[-_SIGNATURE_WORDS:])
    invoice = _read_invoice(network, amount_msat, signed)
    return SignedInvoice(invoice, _signer(invoice, _digest(prefix, signed), signature), signature)


def _digest(prefix: str, words: bytes) -> bytes:
    """What is signed: words as bytes, the last one filled up with zero bits."""
    data = bech32.word_bits(words) << -5 * len(words) % 8
    return sha256(prefix.encode("ascii") + data.to_bytes(-(-5 * len(words) // 8), "big")).digest()


def _signer(invoice: Invoice, digest: bytes, signature: bytes) -> bytes:
    if invoice.payee is None:
        return recover(digest, signature, rule=Rule.PLAIN)
    if not verify(digest, signature[:64], invoice.payee, rule=Rule.BITCOIN):
        raise ValueError(f"signature: must be a low-s signature of the stated payee (n), {invoice.payee.hex()}")
    return invoice.payee


def _write_fields(invoice: Invoice) -> dict[str, bytes]:
    """The words of the fields that an invoice has, by letter; copies of one letter follow each other."""
    description = None if invoice.description is None else invoice.description.encode()
    texts = {
        "s": invoice.payment_secret,
        "h": invoice.description_hash,
        "p": invoice.payment_hash,
        "d": description,
        "m": invoice.metadata,
        "n": invoice.payee,
    }
    contents = {tag: [bech32.to_words(data)] for tag, data in texts.items() if data is not None}
    numbers = {"x": invoice.expiry_s, "c": invoice.min_final_cltv_blocks}
    contents |= {tag: [number_to_words(value)] for tag, value in numbers.items() if value is not None}
    contents["f"] = [bytes([to.version]) + bech32.to_words(to.program) for to in invoice.fallbacks]
    contents["r"] = [write_route(route) for route in invoice.routes]
    contents["9"] = [bits_to_words(invoice.features)] if invoice.features else []
    return {tag: b"".join([write_field(tag, words) for words in each]) for tag, each in contents.items() if each}


def _read_invoice(network: str, amount_msat: int | None, words: bytes) -> Invoice:
    first: dict[str, bytes] = {}
    fallbacks: list[Fallback] = []
    routes: list[tuple[RouteHop, ...]] = []
    for tag, content in read_fields(words[_TIMESTAMP_WORDS:]):
        if tag == "f":
            if not content:
                raise ValueError("field f: must have a version (got no words)")
            if Fallback.is_known(content[0]):
                fallbacks.append(Fallback(content[0], bech32.to_bytes("field f", content[1:])))
        elif tag == "r":
            routes.append(read_route(content))
        elif len(content) == _FIXED_WORDS.get(tag, len(content)):
            first.setdefault(tag, content)
    data = {tag: bech32.to_bytes(f"field {tag}", first[tag]) for tag in "pshdmn" if tag in first}
    numbers = {tag: bech32.word_bits(first[tag]) for tag in "xc" if tag in first}
    for tag, meaning in (("p", "payment hash"), ("s", "payment secret")):
        if tag not in data:
            raise ValueError(f"invoice: must have a {meaning}, a field {tag} of 52 words (got none)")
    return Invoice(
        network=network,
        timestamp_s=bech32.word_bits(words[:_TIMESTAMP_WORDS]),
        payment_hash=data["p"],
        payment_secret=data["s"],
        amount_msat=amount_msat,
        description=_text(data["d"]) if "d" in data else None,
        description_hash=data.get("h"),
        metadata=data.get("m"),
        expiry_s=numbers.get("x"),
        min_final_cltv_blocks=numbers.get("c"),
        payee=data.get("n"),
        fallbacks=tuple(fallbacks),
        routes=tuple(routes),
        features=words_to_bits(first.get("9", b"")),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"description: must be UTF-8 (got {data.hex()})") from error


def _check_range(name: str, value: int, bits: int) -> None:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name}: must be from 0 to 2**{bits} - 1 (got {value})")


def _check_features(features: tuple[int, ...]) -> None:
    if any(lower >= higher for lower, higher in pairwise(features)):
        raise ValueError(f"features: must be rising bit numbers (got {features})")
    if features and not 0 <= features[0] <= features[-1] < 5 * 1023:
        raise ValueError(f"features: must be from 0 to {5 * 1023 - 1} (got {features[0]} to {features[-1]})")
    unknown = [bit for bit in features if bit % 2 == 0 and bit not in KNOWN_FEATURES]
    if unknown:
        raise ValueError(f"features: even bits must be among {KNOWN_FEATURES} (got {unknown[0]})")
    if _announces(features, BASIC_MPP) and not _announces(features, PAYMENT_SECRET):
        raise ValueError("features: basic multi-part payments (16, 17) must come with the payment secret (14, 15)")


def _announces(features: tuple[int, ...], bit: int) -> bool:
    """Whether a feature is offered (odd bit) or insisted upon (even bit)."""
    return bit in features or bit + 1 in features
