"""P2WPKH payments: the digests of BIP 143, signing, verification and weight."""

from dataclasses import replace

import pytest

from l2sim.crypto.bitcoin.p2wpkh import (
    Coin,
    attach_signatures,
    payment_digests,
    payment_weight_wu,
    sign_payment,
    unsigned_payment,
    verify_payment,
    witness_signatures,
)
from l2sim.crypto.bitcoin.script import p2pkh_code, p2wpkh
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash, segwit_digest
from l2sim.crypto.bitcoin.transaction import OutPoint, TxOutput
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from tests.unit.test_crypto_bitcoin_transaction import BIP143_SIGNED, Transaction

# BIP 143, "Native P2WPKH": the second input's key, value and digest.
BIP143_SECRET = bytes.fromhex("619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9")
BIP143_VALUE_SAT = 600_000_000
BIP143_DIGEST = "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"


def wallet(inputs: int) -> tuple[list[Coin], list[bytes]]:
    secrets = [bytes(31) + bytes([i + 1]) for i in range(inputs)]
    coins = [Coin(OutPoint(bytes([i]) * 32, i), 50_000 + i, public_key(s)) for i, s in enumerate(secrets)]
    return coins, secrets


def test_the_digest_of_bip143() -> None:
    signed = Transaction.parse(BIP143_SIGNED)
    key = public_key(BIP143_SECRET)
    assert signed.inputs[1].witness[1] == key
    digest = segwit_digest(signed, 1, p2pkh_code(key), BIP143_VALUE_SAT)
    assert digest.hex() == BIP143_DIGEST
    assert ecdsa.compact_to_der(ecdsa.sign(digest, BIP143_SECRET)) == signed.inputs[1].witness[0][:-1]


@pytest.mark.parametrize("inputs", [1, 2, 5, 40])
def test_a_signed_payment_verifies_and_weighs_what_was_reckoned(inputs: int) -> None:
    coins, secrets = wallet(inputs)
    outputs = [TxOutput(20_000, p2wpkh(coins[0].public_key)), TxOutput(9_000, p2wpkh(coins[-1].public_key))]
    payment = unsigned_payment(coins, outputs)
    signed = sign_payment(payment, coins, secrets)
    assert verify_payment(signed, coins)
    assert signed.txid == payment.txid
    assert Transaction.parse(signed.serialize()) == signed
    reckoned = payment_weight_wu(inputs, [output.script for output in outputs])
    # An s or r starts with a zero byte once in 256: a few weight units below the usual one or none per input.
    assert reckoned - 3 * inputs <= signed.weight_wu <= reckoned
    assert attach_signatures(payment, coins, witness_signatures(signed)) == signed


def test_known_weights() -> None:
    # 1 input and 2 P2WPKH outputs: 140.5 vbytes in the usual reckoning, with 72-byte signatures.
    assert payment_weight_wu(1, [bytes(22)] * 2) == 562
    assert payment_weight_wu(2, [bytes(22)] * 2) == 562 + 272


def test_every_change_breaks_the_signature() -> None:
    coins, secrets = wallet(2)
    signed = sign_payment(unsigned_payment(coins, [TxOutput(1_000, p2wpkh(coins[0].public_key))]), coins, secrets)
    first, second = signed.inputs
    changed = [
        replace(signed, outputs=(replace(signed.outputs[0], value_sat=1_001),)),
        replace(signed, locktime=1),
        replace(signed, version=1),
        replace(signed, inputs=(replace(first, sequence=0), second)),
        replace(signed, inputs=(replace(first, witness=()), second)),
        replace(signed, inputs=(replace(first, witness=second.witness), second)),
        replace(signed, inputs=(replace(first, witness=(first.witness[0][:-1] + b"\x02", first.witness[1])), second)),
    ]
    assert verify_payment(signed, coins)
    assert not any(verify_payment(payment, coins) for payment in changed)
    assert not verify_payment(signed, [replace(coins[0], value_sat=1), coins[1]])


def test_what_is_refused() -> None:
    coins, _ = wallet(2)
    output = TxOutput(1_000, p2wpkh(coins[0].public_key))
    with pytest.raises(ValueError, match=r"must have coins and outputs \(got 0 and 1\)"):
        unsigned_payment([], [output])
    with pytest.raises(ValueError, match="at least the outputs'"):
        unsigned_payment(coins, [replace(output, value_sat=10**9)])
    payment = unsigned_payment(coins, [output])
    with pytest.raises(ValueError, match="in the same order"):
        payment_digests(payment, coins[::-1])
    with pytest.raises(ValueError, match=r"inputs\[0\].witness"):
        witness_signatures(payment)
    with pytest.raises(ValueError, match="index: must be from 0 to 1"):
        segwit_digest(payment, 2, b"", 0)
    with pytest.raises(ValueError, match="hash_type"):
        segwit_digest(payment, 0, b"", 0, SigHash.DEFAULT)
    with pytest.raises(ValueError, match="1 to 252 inputs"):
        payment_weight_wu(0, [b""])


def test_hash_types_commit_to_what_they_say() -> None:
    coins, _ = wallet(2)
    outputs = [TxOutput(1_000, p2wpkh(coins[0].public_key)), TxOutput(2_000, p2wpkh(coins[1].public_key))]
    payment = unsigned_payment(coins, outputs)
    one_more_input = unsigned_payment([*coins, replace(coins[0], outpoint=OutPoint(bytes(32), 9))], outputs)
    other_second_output = unsigned_payment(coins, [outputs[0], replace(outputs[1], value_sat=2_001)])

    def same(other: Transaction, hash_type: SigHash) -> bool:
        return SegwitDigests(payment).digest(0, b"\x51", 7, hash_type) == segwit_digest(other, 0, b"\x51", 7, hash_type)

    commits = {
        hash_type: (same(one_more_input, hash_type), same(other_second_output, hash_type))
        for hash_type in SigHash
        if hash_type
    }
    assert commits == {
        SigHash.ALL: (False, False),
        SigHash.NONE: (False, True),
        SigHash.SINGLE: (False, True),
        SigHash.ALL_ANYONECANPAY: (True, False),
        SigHash.NONE_ANYONECANPAY: (True, True),
        SigHash.SINGLE_ANYONECANPAY: (True, True),
    }
