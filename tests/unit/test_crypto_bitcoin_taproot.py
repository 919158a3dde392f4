"""Taproot against the wallet vectors of BIP 341."""

import json
from dataclasses import replace
from typing import Any

import pytest

from l2sim.crypto.bitcoin.script import p2pkh_code
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash, segwit_digest
from l2sim.crypto.bitcoin.taproot import Leaf, ScriptTree, TaprootDigests, taproot_output, tweak_secret
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from l2sim.crypto.signatures import ecdsa, schnorr
from l2sim.crypto.signatures.keys import public_key
from tests.shared import shared


def wallet_vectors() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared("vectors/lightning/bip341/wallet-test-vectors.json").read_text())
    return loaded


def tree(node: Any) -> ScriptTree:
    if isinstance(node, dict):
        return Leaf(bytes.fromhex(node["script"]), node["leafVersion"])
    return tree(node[0]), tree(node[1])


def optional(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def test_output_keys_of_bip341() -> None:
    cases = wallet_vectors()["scriptPubKey"]
    for case in cases:
        given, between, expected = case["given"], case["intermediary"], case["expected"]
        scripts = None if given["scriptTree"] is None else tree(given["scriptTree"])
        output = taproot_output(bytes.fromhex(given["internalPubkey"]), scripts)
        assert output.merkle_root == optional(between["merkleRoot"])
        assert output.tweak.hex() == between["tweak"]
        assert output.output_key.hex() == between["tweakedPubkey"]
        assert output.script.hex() == expected["scriptPubKey"]
        assert [leaf.hash.hex() for leaf, _ in output.control_blocks] == between.get("leafHashes", [])
        assert [block.hex() for _, block in output.control_blocks] == expected.get("scriptPathControlBlocks", [])
    assert len(cases) == 4


def test_key_path_spending_of_bip341() -> None:
    [case] = wallet_vectors()["keyPathSpending"]
    transaction = Transaction.parse(bytes.fromhex(case["given"]["rawUnsignedTx"]))
    spent = [TxOutput(utxo["amountSats"], bytes.fromhex(utxo["scriptPubKey"])) for utxo in case["given"]["utxosSpent"]]
    digests = TaprootDigests(transaction, spent)
    for spending in case["inputSpending"]:
        given, between = spending["given"], spending["intermediary"]
        index, hash_type = given["txinIndex"], SigHash(given["hashType"])
        assert digests.message(index, hash_type).hex() == between["sigMsg"]
        assert digests.digest(index, hash_type).hex() == between["sigHash"]
        secret, root = bytes.fromhex(given["internalPrivkey"]), optional(given["merkleRoot"])
        assert public_key(secret)[1:].hex() == between["internalPubkey"]
        tweaked = tweak_secret(secret, root)
        assert tweaked.hex() == between["tweakedPrivkey"]
        signature = schnorr.sign(digests.digest(index, hash_type), tweaked)
        flag = bytes((hash_type,)) if hash_type else b""
        assert [(signature + flag).hex()] == spending["expected"]["witness"]
        assert spent[index].script[2:] == schnorr.public_key(tweaked)
    assert len(case["inputSpending"]) == 7
    # The whole transaction has two older inputs: one of P2PKH, outside the witness, and one of P2WPKH.
    full = bytes.fromhex(case["auxiliary"]["fullySignedTx"])
    signed = Transaction.parse(full)
    assert signed.serialize() == full
    bare = tuple(replace(txin, script_sig=b"", witness=()) for txin in signed.inputs)
    assert replace(signed, inputs=bare) == transaction
    [index] = [i for i, output in enumerate(spent) if output.script[:2] == b"\x00\x14"]
    signature, key = signed.inputs[index].witness
    digest = segwit_digest(signed, index, p2pkh_code(key), spent[index].value_sat, SigHash(signature[-1]))
    assert ecdsa.verify_der(digest, signature[:-1], key)


def test_facts_of_bip341() -> None:
    # BIP 341, wallet vectors, first scriptPubKey and first leaf hash.
    output = taproot_output(bytes.fromhex("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d"))
    assert output.script.hex() == "512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"
    leaf = Leaf(bytes.fromhex("20b617298552a72ade070667e86ca63b8f5789a9fe8731ef91202a91c9f3459007ac"))
    assert leaf.hash.hex() == "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b"


def test_script_path_digests_commit_to_their_leaf() -> None:
    transaction = Transaction((TxInput(OutPoint(bytes(32), 0)),), (TxOutput(1, b""),))
    digests = TaprootDigests(transaction, [TxOutput(2, b"")])
    leaves = [None, Leaf(b"\x51"), Leaf(b"\x52"), Leaf(b"\x51", 0xC2)]
    assert len({digests.digest(0, SigHash.ALL, leaf) for leaf in leaves}) == 4
    # BIP 341: SigMsg is 174 bytes at most by key path and 37 more by script path, after the epoch byte.
    assert len(digests.message(0, SigHash.ALL, leaves[1])) == 1 + 174 + 37


def test_what_is_refused() -> None:
    transaction = Transaction((TxInput(OutPoint(bytes(32), 0)), TxInput(OutPoint(bytes(32), 1))), (TxOutput(1, b""),))
    with pytest.raises(ValueError, match=r"one an input, 2 \(got 1\)"):
        TaprootDigests(transaction, [TxOutput(2, b"")])
    digests = TaprootDigests(transaction, [TxOutput(2, b"")] * 2)
    with pytest.raises(ValueError, match="SINGLE needs an output"):
        digests.digest(1, SigHash.SINGLE)
    with pytest.raises(ValueError, match="index: must be from 0 to 1"):
        digests.digest(2)
    # Before taproot the same case signs zeros in place of the output (BIP 143).
    assert bytes(32) in SegwitDigests(transaction).preimage(1, b"", 2, SigHash.SINGLE)
    with pytest.raises(ValueError, match="x of a point"):
        taproot_output(bytes([0xFF]) * 32)
