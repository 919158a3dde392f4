"""Merkle-Patricia roots against the trie tests of ethereum/tests."""

import json

import pytest

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.trees.patricia import EMPTY_ROOT, list_root, patricia_root
from tests.shared import shared


def as_bytes(text: str | None) -> bytes:
    """A value of the files: hexadecimal after 0x, else text; null deletes."""
    if text is None:
        return b""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode()


def test_facts() -> None:
    # Yellow Paper: the root of nothing. ethereum/tests, TrieTests/trieanyorder.json: `singleItem` and `dogs`.
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert patricia_root({}) == patricia_root({b"gone": b""}) == list_root([]) == EMPTY_ROOT
    single = patricia_root({b"A": b"a" * 50})
    assert single.hex() == "d23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab"
    dogs = patricia_root({b"doe": b"reindeer", b"dog": b"puppy", b"dogglesworth": b"cat"})
    assert dogs.hex() == "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3"


@pytest.mark.parametrize("name", ["mpt_trietest", "mpt_trieanyorder", "mpt_hex_encoded_securetrie_test"])
def test_trie_files(name: str) -> None:
    tests = json.loads(shared(f"vectors/rollup/{name}.json").read_text())["tests"]
    for label, case in tests.items():
        given = case["in"].items() if isinstance(case["in"], dict) else case["in"]
        pairs = {as_bytes(key): as_bytes(value) for key, value in given}
        root = patricia_root(pairs, secure="securetrie" in name)
        assert "0x" + root.hex() == case["root"], label


def test_secure_trie_hashes_its_keys() -> None:
    pairs = {bytes([i]): bytes([i]) * 40 for i in range(1, 30)}
    assert patricia_root(pairs, secure=True) == patricia_root({keccak256(k): v for k, v in pairs.items()})
    backwards = dict(reversed(pairs.items()))
    assert patricia_root(pairs) == patricia_root(backwards)
