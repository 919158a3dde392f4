"""Transactions: bytes, ids, weights, and what is refused."""

import json

import pytest

from l2sim.crypto.bitcoin.hashes import hash160, ripemd160, ripemd160_plain
from l2sim.crypto.bitcoin.script import P2A, dust_limit_sat, p2pkh, p2tr, p2wpkh, p2wsh, push, push_number
from l2sim.crypto.bitcoin.transaction import (
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    compact_size,
    display_id,
    txid_from_display,
)
from tests.shared import shared

# BIP 143, "Native P2WPKH": the signed transaction, and its witness-less form's fields.
BIP143_SIGNED = bytes.fromhex(
    "01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6"
    "a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4"
    "cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb2"
    "06000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d5"
    "0ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c"
    "4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f6"
    "2fc70f07aeee635711000000"
)
# The first bitcoin payment between people: block 170, txid f4184fc5... (also in bitcoin_merkle/blocks.json).
BLOCK_170_PAYMENT = bytes.fromhex(
    "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402204e45e16932b8af51"
    "4961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac4622082221a876"
    "8d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab3"
    "7397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac00286bee0000000043410411db93e1dcdb8a016b49840f8c53"
    "bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000"
)


def test_the_payment_of_block_170_has_the_known_id() -> None:
    payment = Transaction.parse(BLOCK_170_PAYMENT)
    assert display_id(payment.txid) == "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
    assert payment.wtxid == payment.txid
    assert payment.weight_wu == 4 * len(BLOCK_170_PAYMENT)
    assert payment.serialize() == BLOCK_170_PAYMENT
    assert [output.value_sat for output in payment.outputs] == [10 * 10**8, 40 * 10**8]


def test_a_segwit_transaction_survives_the_round_trip() -> None:
    signed = Transaction.parse(BIP143_SIGNED)
    assert signed.serialize() == BIP143_SIGNED
    assert signed.inputs[0].witness == ()
    assert len(signed.inputs[1].witness) == 2
    stripped = len(signed.serialize_stripped())
    assert signed.weight_wu == 3 * stripped + len(BIP143_SIGNED)
    assert signed.vsize_vbyte == (signed.weight_wu + 3) // 4
    assert signed.txid != signed.wtxid
    assert Transaction.parse(signed.serialize_stripped()).txid == signed.txid


def test_every_transaction_of_the_bolt3_vectors_survives_the_round_trip() -> None:
    funding = json.loads(shared("vectors/lightning/bolt3/funding.json").read_text())
    legacy = json.loads(shared("vectors/lightning/bolt3/commitment_legacy.json").read_text())
    raw = [funding["funding_tx"], funding["coinbase_tx"], *(case["commit_tx"] for case in legacy["cases"])]
    for text in raw:
        assert Transaction.parse(bytes.fromhex(text)).serialize().hex() == text
    assert display_id(Transaction.parse(bytes.fromhex(funding["funding_tx"])).txid) == funding["txid"]


@pytest.mark.parametrize("cut", [0, 3, 10, 41, 50, len(BIP143_SIGNED) - 1])
def test_bytes_that_end_early_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="transaction"):
        Transaction.parse(BIP143_SIGNED[:cut])


def test_other_malformed_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="must end after"):
        Transaction.parse(BIP143_SIGNED + b"\x00")
    plain = Transaction((TxInput(OutPoint(bytes(32), 0)),), (TxOutput(1, b""),)).serialize()
    with pytest.raises(ValueError, match="shortest form"):
        Transaction.parse(plain[:4] + b"\xfd\x01\x00" + plain[5:])
    with pytest.raises(ValueError, match="at least one item"):
        Transaction.parse(plain[:4] + b"\x00\x01" + plain[4:-4] + b"\x00" + plain[-4:])
    with pytest.raises(ValueError, match=r"value_sat: must be from 0 to 2100000000000000 \(got 18446744073709551615\)"):
        Transaction.parse(plain[:-13] + b"\xff" * 8 + plain[-5:])


def test_arguments_out_of_range_are_refused() -> None:
    payment = Transaction((TxInput(OutPoint(bytes(32), 0)),), (TxOutput(1, b""),))
    with pytest.raises(ValueError, match=r"vout: must be from 0 to 0 \(got 1\)"):
        payment.outpoint(1)
    with pytest.raises(ValueError, match=r"one an input, 1 \(got 2\)"):
        payment.with_witnesses([(b"a",), (b"b",)])
    with pytest.raises(ValueError, match=r"value_sat: must be from 0"):
        TxOutput(-1, b"")
    with pytest.raises(ValueError, match="outpoint: must be 32 bytes"):
        OutPoint(bytes(31), 0)
    with pytest.raises(ValueError, match="32-bit place"):
        OutPoint(bytes(32), 2**32)
    with pytest.raises(ValueError, match="64 hex digits"):
        txid_from_display("00" * 31)
    with pytest.raises(ValueError, match="at most 520 bytes"):
        push(bytes(521))
    with pytest.raises(ValueError, match="at least 0"):
        push_number(-1)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (252, "fc"),
        (253, "fdfd00"),
        (65_535, "fdffff"),
        (65_536, "fe00000100"),
        (2**32, "ff0000000001000000"),
    ],
)
def test_compact_size(value: int, encoded: str) -> None:
    assert compact_size(value).hex() == encoded


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "51"), (16, "60"), (17, "0111"), (127, "017f"), (128, "028000"), (502, "02f601")],
)
def test_script_numbers(value: int, encoded: str) -> None:
    assert push_number(value).hex() == encoded


def test_pushes_take_their_shortest_form() -> None:
    assert push(bytes(75))[:1] == b"\x4b"
    assert push(bytes(76))[:2] == b"\x4c\x4c"
    assert push(bytes(256))[:3] == b"\x4d\x00\x01"


def test_ripemd160_published_digests_and_the_twin() -> None:
    # Dobbertin, Bosselaers, Preneel, "RIPEMD-160", Appendix B.
    published = {
        b"": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
        b"a": "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe",
        b"message digest": "5d0689ef49d2fae572b881b123a85ffa21595f36",
        b"1234567890" * 8: "9b752e45573d4b39f4dbd3323cab82bf63326bfb",
    }
    for message, digest in published.items():
        assert ripemd160(message).hex() == ripemd160_plain(message).hex() == digest
    for length in range(130):
        assert ripemd160(bytes(range(length))) == ripemd160_plain(bytes(range(length)))


def test_hash160_of_the_bip143_key() -> None:
    key = Transaction.parse(BIP143_SIGNED).inputs[1].witness[1]
    assert hash160(key).hex() == "1d0f172a0ecb48aee1be1f2687d2963ae33f71a1"
    assert p2wpkh(key).hex() == "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1"


def test_dust_limits_of_bolt3() -> None:
    # BOLT 3, "Dust Limits".
    facts = {p2pkh(bytes(20)): 546, p2wpkh(bytes(33)): 294, p2wsh(b""): 330, P2A: 240, b"\x60\x28" + bytes(40): 354}
    for script, limit in facts.items():
        assert dust_limit_sat(script) == limit
    assert dust_limit_sat(b"\xa9\x14" + bytes(20) + b"\x87") == 540
    assert dust_limit_sat(p2tr(bytes(32))) == 330
    assert dust_limit_sat(b"\x6a" + bytes(30)) == 0
    table = json.loads(shared("vectors/lightning/bolt3/fees_and_weights.json").read_text())["dust_sat"]
    assert sorted(table.values()) == sorted([*facts.values(), 540])
