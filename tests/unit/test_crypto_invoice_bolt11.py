"""Invoices against BOLT 11's examples, bech32 against BIP 173's, and every rule that refuses one."""

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from l2sim.crypto.invoice import bech32
from l2sim.crypto.invoice.amount import read_prefix, write_prefix
from l2sim.crypto.invoice.bolt11 import Invoice, decode_invoice, encode_invoice
from l2sim.crypto.invoice.fields import Fallback, RouteHop, number_to_words, read_fields, write_field
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import ORDER, public_key
from tests.shared import shared

# BOLT 11, "Examples": the key that signs them, its node, and the values and fields that recur in them.
SECRET = bytes.fromhex("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734")
NODE = bytes.fromhex("03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad")
HASH = bytes.fromhex("0001020304050607080900010203040506070809000102030405060708090102")
PAYMENT_SECRET = b"\x11" * 32
P = "pp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq"
S = "sp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs"
PROJECT = "dpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq"
COFFEE = Invoice("bc", 1496314658, HASH, PAYMENT_SECRET, 2_500_000_000, "coffee beans", features=(8, 14, 99))
CAKES = sha256(
    b"One piece of chocolate cake, one icecream cone, one pickle, one slice of swiss cheese, one slice of salami, one "
    b"lollypop, one piece of cherry pie, one sausage, one cupcake, and one slice of watermelon"
).digest()


def load() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared("vectors/lightning/bolt11/invoices.json").read_text())
    return loaded


def order_of(text: str) -> str:
    """The letters of an invoice's fields, in the order in which they come first."""
    _, words = bech32.decode(text)
    return "".join(dict.fromkeys(tag for tag, _ in read_fields(words[7:-104])))


def signed(prefix: str, words: bytes, secret: bytes = SECRET) -> str:
    """An invoice of any words whose signature holds."""
    data = bech32.to_bytes("words", words + bytes(-len(words) % 8))[: -(-5 * len(words) // 8)]
    signature = ecdsa.sign_recoverable(sha256(prefix.encode() + data).digest(), secret)
    return bech32.encode(prefix, words + bech32.to_words(signature))


def made_of(*fields: tuple[str, bytes], prefix: str = "lnbc") -> str:
    """A signed invoice of these fields (letter, words) behind the examples' timestamp."""
    words = bech32.to_words((1496314658 << 5).to_bytes(5, "big"))[:7]
    return signed(prefix, words + b"".join([write_field(tag, content) for tag, content in fields]))


REQUIRED = (("p", bech32.to_words(HASH)), ("s", bech32.to_words(PAYMENT_SECRET)), ("d", bech32.to_words(b"tea")))


def test_the_examples_in_the_file() -> None:
    vectors = load()
    assert (vectors["priv_key"], vectors["node_id"]) == (SECRET.hex(), NODE.hex())
    assert (len(vectors["valid"]), len(vectors["invalid"])) == (8, 5)
    for case in vectors["valid"]:
        text = case["invoice"]
        invoice, node_id, signature = decode_invoice(text)
        assert node_id == NODE, text
        if "signature_rs" in case:
            assert signature.hex() == case["signature_rs"] + f"{case['recovery_id']:02x}"
            data = bytes.fromhex(case["signing_data"])
            assert sha256(data).hexdigest() == case["sha256"]
            assert data.startswith(write_prefix(invoice.network, invoice.amount_msat).encode())
        assert encode_invoice(invoice, SECRET, order=order_of(text)) == text.lower()
    rules = {
        "Same, but adding invalid unknown feature 100": r"features: even bits must be among .* \(got 100\)",
        "Malformed bech32 string (no 1)": "must have the separator '1'",
        "Signature is not recoverable.": "signature: must be one that some public key made",
        "Invalid multiplier": r"its multiplier must be one of m, u, n, p or none \(got '2500x'\)",
        "Missing required `s` field.": "must have a payment secret, a field s",
    }
    for case in vectors["invalid"]:
        with pytest.raises(ValueError, match=rules[case["description"]]):
            decode_invoice(case["invoice"])


def test_what_the_examples_say() -> None:
    read = [decode_invoice(case["invoice"]).invoice for case in load()["valid"]]
    donation, nonsense, testnet, p2sh, p2wsh, list_of_items, coffee, metadata = read
    secret_features = (8, 14)
    assert donation == Invoice("bc", 1496314658, HASH, PAYMENT_SECRET, None, "Please consider supporting this project")
    assert (donation.features, donation.expires_at_s, donation.final_cltv_blocks) == (secret_features, 1496318258, 18)
    assert (nonsense.amount_msat, nonsense.description) == (250_000_000, "ナンセンス 1杯")
    assert (nonsense.expiry_s, nonsense.expires_at_s) == (60, 1496314718)
    assert (testnet.network, testnet.amount_msat, testnet.description_hash) == ("tb", 2_000_000_000, CAKES)
    # the hashes in mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP and 3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX
    assert testnet.fallbacks == (Fallback(17, bytes.fromhex("3172b5654f6683c8fb146959d347ce303cae4ca7")),)
    assert p2sh.fallbacks == (Fallback(18, bytes.fromhex("8f55563b9a19f321c211e9b9f38cdf686ea07845")),)
    _, address = bech32.decode("bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3")
    assert p2wsh.fallbacks == (Fallback(0, bech32.to_bytes("address", address[1:])),)
    assert (list_of_items.amount_msat, list_of_items.expiry_s, list_of_items.min_final_cltv_blocks) == (
        967_878_534,
        604_800,
        10,
    )
    hop = RouteHop(
        node_id=bytes.fromhex("03d06758583bb5154774a6eb221b1276c9e82d65bbaceca806d90e20c108f4b1c7"),
        short_channel_id=589390 << 40 | 3312 << 16 | 1,
        fee_base_msat=1000,
        fee_proportional_millionths=2500,
        cltv_expiry_delta_blocks=40,
    )
    assert list_of_items.routes == ((hop,),)
    assert coffee == COFFEE
    assert metadata.metadata == bytes.fromhex("01fafaf0")
    assert metadata.features == (8, 14, 48)


def test_examples_without_the_file() -> None:
    # BOLT 11, "Please make a donation of any amount": the printed digest, r, s and recovery id
    text = (
        f"lnbc1pvjluez{S}{P}{PROJECT}9qrsgq"
        "357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql"
    )
    invoice = Invoice("bc", 1496314658, HASH, PAYMENT_SECRET, None, "Please consider supporting this project")
    assert encode_invoice(invoice, SECRET) == text
    signature = bytes.fromhex(
        "8d3ce9e28357337f62da0162d9454df827f83cfe499aeb1c1db349d4d8112742"
        "5e434ca29929406c23bba1ae8ac6ca32880b38d4bf6ff874024cac34ba9625f101"
    )
    assert decode_invoice(text) == (invoice, NODE, signature)
    digest = bytes.fromhex("6daf4d488be41ce7cbb487cab1ef2975e5efcea879b20d421f0ef86b07cbb987")
    assert ecdsa.verify(digest, signature[:64], NODE)
    # "Same, but all upper case."
    upper = (
        f"LNBC25M1PVJLUEZ{P.upper()}DQ5VDHKVEN9V5SXYETPDEES{S.upper()}9Q5SQQQQQQQQQQQQQQQQSGQ2A25DXL5HRNTDTN6ZVYDT7D66"
        "HYZSYHQS4WDYNAVYS42XGL6SGX9C4G7ME86A27T07MDTFRY458RTJR0V92CNMSWPSJSCGT2VCSE3SGPZ3UAPA"
    )
    assert decode_invoice(upper)[:2] == (COFFEE, NODE)
    assert encode_invoice(COFFEE, SECRET, order="pds9") == upper.lower()


def test_an_example_with_fields_to_be_ignored() -> None:
    # BOLT 11, "Same, but including fields which must be ignored": unknown fields and versions, and p, h, s and n of
    # other lengths
    ignored = "2qrqqq" + "fppn" + 32 * "q"
    for head, length in (
        ("ppn", 51),
        ("pp4", 53),
        ("hpn", 51),
        ("hp4", 53),
        ("spn", 51),
        ("sp4", 53),
        ("np5", 52),
        ("npk", 54),
    ):
        ignored += head + length * "q"
    text = (
        f"lnbc25m1pvjluez{P}dq5vdhkven9v5sxyetpdees{S}9q5sqqqqqqqqqqqqqqqqsgq{ignored}"
        "z599y53s3ujmcfjp5xrdap68qxymkqphwsexhmhr8wdz5usdzkzrse33chw6dlp3jhuhge9ley7j2ayx36kawe7kmgg8sv5ugdyusdcqzn8z9x"
    )
    assert decode_invoice(text)[:2] == (COFFEE, NODE)


def test_examples_with_a_high_s() -> None:
    # BOLT 11, "Public-key recovery with high-S signature": accepted; the recovery id kept makes it another's
    recovered = decode_invoice(
        f"lnbc1pvjluez{S}{P}{PROJECT}9qrsgq"
        "357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap2r09nt4ndd0unm3z9u5t48y6ucv4r5sg7lk98c77ctvjczkspk5qprc90gx"
    )
    assert int.from_bytes(recovered.signature[32:64], "big") > ORDER // 2
    # BOLT 11, invalid, "Non canonical signature (high-S) with 'n' field defined"
    with pytest.raises(ValueError, match="must be a low-s signature of the stated payee"):
        decode_invoice(
            f"lnbc25m1p70xwfz{P}{PROJECT}np4q0n326hr8v9zprg8gsvezcch06gfaqqhde2aj730yg0durunfhv66{S}9qrsgq{S}"
            "p5cfzp9ugllvk03rltd6hvndxj26ux6gcxc5azyxk060rj9tzghct5zvjlps76gx8wpq5yuu79688k8gnm2c0al6v608s96l0xzrrlqqwnzxmu"
        )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        # BOLT 11, "Examples of Invalid Invoices"
        (
            f"lnbc2500u1pvjluez{P}dpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d"
            "5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrnt",
            "checksum must leave the remainder 1",
        ),
        (
            f"LNBC2500u1pvjluez{P}dpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d"
            "5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
            "must not mix upper and lower case",
        ),
        (
            f"lnbc1pvjluez{P}dpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6na6hlh",
            r"must have 111 words or more, .* \(got 103\)",
        ),
        (
            f"lnbc2500000001p1pvjluez{P}dq5xysxxatsyp3k7enxv4jsxqzpu{S}9qrsgq0lzc236j96a95uv0m3umg28gclm5lqxtqqwk32uuk4k"
            "6673k6n5kfvx3d2h8s295fad45fdhmusm8sjudfhlf6dcsxmfvkeywmjdkxcp99202x",
            r"must be whole millisatoshi, so pico-bitcoin must end in 0 \(got '2500000001p'\)",
        ),
    ],
)
def test_invalid_examples_without_the_file(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        decode_invoice(text)


@pytest.mark.parametrize(
    "text",
    [  # BIP 173, "Test vectors", valid
        "A12UEL5L",
        "a12uel5l",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        "?1ezyfcl",
    ],
)
def test_bech32_of_bip_173(text: str) -> None:
    assert bech32.encode(*bech32.decode(text)) == text.lower()


@pytest.mark.parametrize(
    ("text", "rule"),
    [  # BIP 173, "Test vectors", invalid
        (" 1nwldj5", "printable ASCII"),
        ("\x7f1axkwrx", "printable ASCII"),
        ("\x801eym55h", "printable ASCII"),
        ("pzry9x0s0muk", "separator"),
        ("1pzry9x0s0muk", "prefix: must be one or more"),
        ("x1b4n0q5v", r"alphabet only \(got 'b' at 2\)"),
        ("li1dgmt3", r"checksum of 6 characters \(got 5"),
        ("de1lg7wt\xff", "ASCII"),
        ("A1G7SGD8", "checksum must leave"),
        ("10a06t8", "prefix: must be one or more"),
        ("1qzzfhee", "prefix: must be one or more"),
        ("a12UEL5L", "mix upper and lower case"),
        ("\u212a12uel5l", "ASCII"),  # the Kelvin sign becomes k in lower case
    ],
)
def test_what_bech32_refuses(text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        bech32.decode(text)


def test_what_bech32_does_not_write() -> None:
    with pytest.raises(ValueError, match=r"words: must be from 0 to 31 \(got 32\)"):
        bech32.encode("ln", bytes([32]))
    with pytest.raises(ValueError, match="lower case"):
        bech32.encode("LN", b"")
    with pytest.raises(ValueError, match="printable"):
        bech32.encode("", b"")


@pytest.mark.parametrize(
    ("prefix", "network", "amount_msat"),
    [
        ("lnbc", "bc", None),
        ("lntb1", "tb", 10**11),
        ("lntbs20m", "tbs", 2_000_000_000),
        ("lnbcrt1u", "bcrt", 100_000),
        ("lnbc1n", "bc", 100),
        ("lnbc10p", "bc", 1),
        ("lnbc184467440737095516150p", "bc", 2**64 - 1),
    ],
)
def test_amounts_are_exact(prefix: str, network: str, amount_msat: int | None) -> None:
    assert read_prefix(prefix) == (network, amount_msat)
    assert write_prefix(network, amount_msat) == prefix


def test_amounts_need_not_be_shortest_to_be_read() -> None:
    assert read_prefix("lnbc1000u") == read_prefix("lnbc1m") == read_prefix("lnbc1000000000p") == ("bc", 10**8)


@pytest.mark.parametrize(
    ("prefix", "rule"),
    [
        ("lnxx20m", r"must be ln and one of bcrt, tbs, bc, tb \(got 'lnxx20m'\)"),
        ("bc20m", "must be ln and"),
        ("lnbc0m", "without leading zeros"),
        ("lnbc01m", "without leading zeros"),
        ("lnbcm", "positive whole number"),
        ("lnbc1.5m", "positive whole number"),
        ("lnbc-1m", "positive whole number"),
        ("lnbc\u00b2m", "positive whole number"),
        ("lnbc1k", "multiplier must be one of"),
        ("lnbc1mm", "multiplier must be one of"),
        ("lnbc1p", "must end in 0"),
        ("lnbc184467440737095516160p", r"from 1 to 2\*\*64 - 1"),
        ("lnbc" + "9" * 5000, r"at most 21 digits \(got 5000\)"),
    ],
)
def test_prefixes_that_are_refused(prefix: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        read_prefix(prefix)


HOP = bytes(NODE) + bytes(18)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        (REQUIRED[1:], "must have a payment hash, a field p of 52 words"),
        ((("p", bytes(51)), *REQUIRED[1:]), "must have a payment hash"),
        ((REQUIRED[0], REQUIRED[2]), "must have a payment secret"),
        (REQUIRED[:2], r"description: must be given as text .* \(got neither\)"),
        ((*REQUIRED, ("h", bytes(52))), r"\(got both\)"),
        ((*REQUIRED[:2], ("d", bech32.to_words(b"\xff"))), r"description: must be UTF-8 \(got ff\)"),
        ((("p", bytes([31]) * 52), *REQUIRED[1:]), "field p: must be whole bytes and at most 4 zero bits"),
        ((*REQUIRED, ("m", bytes(1))), "field m: must be whole bytes"),
        ((*REQUIRED, ("x", bytes([31]) * 13)), r"expiry_s: must be from 0 to 2\*\*64 - 1"),
        ((*REQUIRED, ("c", bytes([31]) * 7)), r"min_final_cltv_blocks: must be from 0 to 2\*\*32 - 1"),
        ((*REQUIRED, ("n", bytes(53))), "payee: must be a compressed point"),
        (
            (*REQUIRED, ("n", bech32.to_words(public_key(bytes([1]) * 32)))),
            "signature: must be a low-s signature of the stated payee",
        ),
        ((*REQUIRED, ("f", b"")), "field f: must have a version"),
        ((*REQUIRED, ("f", bytes([17]) + bech32.to_words(bytes(32)))), "version 17 must have 20 bytes"),
        ((*REQUIRED, ("f", bytes([0]) + bech32.to_words(bytes(21)))), r"version 0 must have 20 or 32 bytes \(got 21\)"),
        ((*REQUIRED, ("f", bytes([1]) + bech32.to_words(bytes(41)))), "version 1 must have 2 to 40 bytes"),
        ((*REQUIRED, ("r", b"")), "one or more hops of 51 bytes"),
        ((*REQUIRED, ("r", bech32.to_words(HOP[:-1]))), r"one or more hops of 51 bytes \(got 50 bytes\)"),
        ((*REQUIRED, ("r", bech32.to_words(bytes(51)))), "node_id: must be a compressed point"),
        ((*REQUIRED, ("9", number_to_words(1 << 2))), r"features: even bits must be among .* \(got 2\)"),
        ((*REQUIRED, ("9", number_to_words(1 << 17))), "multi-part payments .* must come with the payment secret"),
    ],
)
def test_fields_that_are_refused(fields: tuple[tuple[str, bytes], ...], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        decode_invoice(made_of(*fields))


def test_fields_that_are_skipped_and_defaults() -> None:
    fields = (*REQUIRED, ("p", bytes(52)), ("q", bytes(3)), ("f", bytes([19, 1])), ("9", bytes(4)), ("x", bytes(2)))
    invoice = decode_invoice(made_of(*fields)).invoice
    assert invoice == Invoice("bc", 1496314658, HASH, PAYMENT_SECRET, None, "tea", features=(), expiry_s=0)
    assert (invoice.expires_at_s, invoice.final_cltv_blocks) == (invoice.timestamp_s, 18)


def test_cut_invoices_are_refused() -> None:
    words = bech32.decode(made_of(*REQUIRED))[1][:-104]
    for length in range(7, len(words)):
        with pytest.raises(ValueError, match=r"^(field|fields|invoice|description)\b.*must"):
            decode_invoice(signed("lnbc", words[:length]))
    with pytest.raises(ValueError, match="must have 111 words or more"):
        decode_invoice(bech32.encode("lnbc", words[:6] + bytes(104)))


def test_the_stated_payee_must_have_signed() -> None:
    stated = replace(COFFEE, payee=NODE)
    text = encode_invoice(stated, SECRET)
    assert decode_invoice(text)[:2] == (stated, NODE)
    with pytest.raises(ValueError, match="payee: must be the key that signs"):
        encode_invoice(stated, bytes([1]) * 32)


@pytest.mark.parametrize("number", [0, ORDER, 2**256 - 1])
def test_numbers_that_sign_nothing(number: int) -> None:
    words = bech32.decode(encode_invoice(COFFEE, SECRET))[1][:-104]
    for said in (words, words + write_field("n", bech32.to_words(NODE))):
        for r, s in ((number, 1), (1, number)):
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x00"
            with pytest.raises(ValueError, match="signature: must be"):
                decode_invoice(bech32.encode("lnbc25m", said + bech32.to_words(signature)))
    with pytest.raises(ValueError, match="recovery id must be from 0 to 3"):
        decode_invoice(bech32.encode("lnbc25m", words + bech32.to_words(bytes(64) + b"\x04")))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"network": "xx"}, r"network: must be one of bcrt, tbs, bc, tb \(got 'xx'\)"),
        ({"amount_msat": 0}, r"amount_msat: must be from 1 to 2\*\*64 - 1 \(got 0\)"),
        ({"timestamp_s": 2**35}, r"timestamp_s: must be from 0 to 2\*\*35 - 1"),
        ({"timestamp_s": -1}, "timestamp_s: must be from 0"),
        ({"payment_hash": bytes(31)}, r"payment_hash: must be exactly 32 bytes \(got 31\)"),
        ({"payment_secret": bytes(33)}, "payment_secret: must be exactly 32 bytes"),
        ({"description": None}, r"\(got neither\)"),
        ({"description_hash": bytes(32)}, r"\(got both\)"),
        ({"description": "é" * 320}, r"description: must be at most 639 bytes \(got 640\)"),
        ({"metadata": bytes(640)}, "metadata: must be at most 639 bytes"),
        ({"expiry_s": -1}, "expiry_s: must be from 0"),
        ({"min_final_cltv_blocks": 2**32}, "min_final_cltv_blocks: must be from 0"),
        ({"payee": bytes(33)}, "payee: must be a compressed point"),
        ({"routes": ((),)}, "routes: each must have one hop or more"),
        ({"features": (14, 8)}, r"features: must be rising bit numbers \(got \(14, 8\)\)"),
        ({"features": (8, 8, 14)}, "rising"),
        ({"features": (-1,)}, r"features: must be from 0 to 5114 \(got -1"),
        ({"features": (14, 100)}, r"even bits must be among .* \(got 100\)"),
        ({"features": (16,)}, "must come with the payment secret"),
    ],
)
def test_invoices_that_cannot_be_made(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        replace(COFFEE, **changes)


def test_what_encoding_refuses() -> None:
    for order in ("pd9", "pdss9", "pds9?"):
        with pytest.raises(ValueError, match="order: must be letters of shpdmxcnfr9, each of s, p, d, 9 once"):
            encode_invoice(COFFEE, SECRET, order=order)
    with pytest.raises(ValueError, match="features: must have the payment secret, 14 or 15"):
        encode_invoice(replace(COFFEE, features=(8,)), SECRET)
    with pytest.raises(ValueError, match="secret: must be a number from 1 to n - 1"):
        encode_invoice(COFFEE, bytes(32))
    long_route = (RouteHop(NODE, 1, 0, 0, 0),) * 13
    with pytest.raises(ValueError, match=r"field r: must be at most 1023 words of five bits \(got 1061\)"):
        encode_invoice(replace(COFFEE, routes=(long_route,)), SECRET)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"node_id": NODE[1:]}, "exactly 33 bytes"),
        ({"node_id": bytes(33)}, "node_id: must be a compressed point"),
        ({"short_channel_id": 2**64}, r"short_channel_id: must be from 0 to 2\*\*64 - 1"),
        ({"fee_base_msat": -1}, "fee_base_msat: must be from 0"),
        ({"fee_proportional_millionths": 2**32}, "fee_proportional_millionths: must be"),
        ({"cltv_expiry_delta_blocks": 2**16}, "cltv_expiry_delta_blocks: must be from 0"),
    ],
)
def test_hops_that_cannot_be_made(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        replace(RouteHop(NODE, 1, 2, 3, 4), **changes)


def test_fallbacks_that_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"version must be from 0 to 18 \(got 19\)"):
        Fallback(19, bytes(20))
    with pytest.raises(ValueError, match="version 16 must have 2 to 40 bytes"):
        Fallback(16, bytes(1))
