"""Any invoice that can be written is read back the same; any change to its text is seen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.invoice import bech32
from l2sim.crypto.invoice.amount import NETWORKS, read_prefix, write_prefix
from l2sim.crypto.invoice.bolt11 import DEFAULT_ORDER, Invoice, decode_invoice, encode_invoice
from l2sim.crypto.invoice.fields import Fallback, RouteHop, number_to_words, words_to_bits
from l2sim.crypto.signatures.keys import public_key

SECRETS = [bytes([1 + i]) * 32 for i in range(8)]
KEYS = [public_key(secret) for secret in SECRETS]

bytes32 = st.binary(min_size=32, max_size=32)
text = st.text(st.characters(codec="utf-8"), max_size=150)
fallbacks = st.one_of(
    st.builds(Fallback, st.sampled_from([17, 18]), st.binary(min_size=20, max_size=20)),
    st.builds(Fallback, st.just(0), st.one_of(st.binary(min_size=20, max_size=20), bytes32)),
    st.builds(Fallback, st.integers(1, 16), st.binary(min_size=2, max_size=40)),
)
hops = st.builds(
    RouteHop,
    st.sampled_from(KEYS),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**16 - 1),
)
features = st.sets(st.sampled_from([8, 9, 15, 16, 17, 25, 36, 48, 99, 5113])).map(
    lambda bits: tuple(sorted(bits | {14}))
)
amounts = st.one_of(st.none(), st.integers(1, 2**64 - 1), st.integers(1, 10**6).map(lambda amount: amount * 10**8))


@st.composite
def invoices(draw: st.DrawFn) -> tuple[Invoice, bytes]:
    signer = draw(st.integers(0, len(SECRETS) - 1))
    description = draw(st.one_of(st.none(), text))
    invoice = Invoice(
        network=draw(st.sampled_from(NETWORKS)),
        timestamp_s=draw(st.integers(0, 2**35 - 1)),
        payment_hash=draw(bytes32),
        payment_secret=draw(bytes32),
        amount_msat=draw(amounts),
        description=description,
        description_hash=draw(bytes32) if description is None else None,
        metadata=draw(st.one_of(st.none(), st.binary(max_size=639))),
        expiry_s=draw(st.one_of(st.none(), st.integers(0, 2**64 - 1))),
        min_final_cltv_blocks=draw(st.one_of(st.none(), st.integers(0, 2**32 - 1))),
        payee=draw(st.sampled_from([None, KEYS[signer]])),
        fallbacks=tuple(draw(st.lists(fallbacks, max_size=3))),
        routes=tuple(draw(st.lists(st.lists(hops, min_size=1, max_size=3).map(tuple), max_size=3))),
        features=draw(features),
    )
    return invoice, SECRETS[signer]


@settings(max_examples=100)
@given(invoices(), st.permutations(DEFAULT_ORDER))
def test_invoices_are_read_as_they_were_written(case: tuple[Invoice, bytes], order: list[str]) -> None:
    invoice, secret = case
    written = encode_invoice(invoice, secret, order="".join(order))
    read = decode_invoice(written)
    assert (read.invoice, read.node_id) == (invoice, public_key(secret))
    assert decode_invoice(written.upper()) == read
    assert encode_invoice(read.invoice, secret, order="".join(order)) == written


@settings(max_examples=60)
@given(invoices(), st.data())
def test_a_changed_character_is_seen(case: tuple[Invoice, bytes], data: st.DataObject) -> None:
    # BIP 173's code finds every change of up to four characters within its length of 1023; one in any text
    written = encode_invoice(*case)
    place = data.draw(st.integers(0, len(written) - 1))
    letter = data.draw(st.sampled_from(bech32.ALPHABET).filter(lambda letter: letter != written[place]))
    with pytest.raises(ValueError, match="must"):
        decode_invoice(written[:place] + letter + written[place + 1 :])


@settings(max_examples=40)
@given(invoices(), st.data())
def test_a_changed_bit_is_another_signer(case: tuple[Invoice, bytes], data: st.DataObject) -> None:
    # with its checksum made anew, a changed invoice is refused or is another's
    invoice, secret = case
    prefix, words = bech32.decode(encode_invoice(invoice, secret))
    place = data.draw(st.integers(0, len(words) - 3))  # the last two words hold the recovery id
    changed = bytearray(words)
    changed[place] ^= 1 << data.draw(st.integers(0, 4))
    assert node_of(bech32.encode(prefix, bytes(changed))) != public_key(secret)


def node_of(text: str) -> bytes | None:
    """Who signed an invoice; None where it is refused by a rule."""
    try:
        return decode_invoice(text).node_id
    except ValueError as error:
        if "must" in str(error):
            return None
        raise


@given(st.sampled_from(NETWORKS), amounts)
def test_amounts_are_written_in_the_largest_unit(network: str, amount_msat: int | None) -> None:
    prefix = write_prefix(network, amount_msat)
    assert read_prefix(prefix) == (network, amount_msat)
    digits = prefix.removeprefix("ln" + network).rstrip("munp")
    assert not digits.endswith("000") or prefix.endswith(digits)


@given(st.binary(max_size=200))
def test_bytes_and_words(data: bytes) -> None:
    words = bech32.to_words(data)
    assert bech32.to_bytes("data", words) == data
    assert bech32.decode(bech32.encode("ln1", words)) == ("ln1", words)


@given(st.integers(0, 2**80))
def test_numbers_and_words(value: int) -> None:
    words = number_to_words(value)
    assert bech32.word_bits(words) == value
    assert len(words) == 1 or words[0]
    assert sum(1 << bit for bit in words_to_bits(words)) == value


@given(st.text(max_size=60))
def test_no_text_does_worse_than_a_value_error(data: str) -> None:
    for attempt in (data, "lnbc1" + data, "1".join([data, "qqqqqqqq"])):
        with pytest.raises(ValueError, match="must"):
            decode_invoice(attempt)
