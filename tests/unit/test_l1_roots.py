"""Transaction roots: real Bitcoin blocks, and what every block of a chain must commit to."""

import json

import pytest

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.trees.bitcoin_merkle import merkle_root
from l2sim.engine import NS_PER_S
from l2sim.l1.roots import EMPTY_TRIE_ROOT, bitcoin_root, ethereum_root, record
from tests.shared import shared
from tests.support.l1 import bitcoin, bitcoin_tx, ethereum, ethereum_tx


def test_roots_of_real_bitcoin_blocks() -> None:
    blocks = json.loads(shared("vectors/lightning/bitcoin_merkle/blocks.json").read_text())["blocks"]
    for block in blocks:
        ids = [bytes.fromhex(txid)[::-1] for txid in block["txids"]]
        assert bitcoin_root(ids)[::-1].hex() == block["merkle_root"]
    assert max(len(block["txids"]) for block in blocks) > 2


def test_same_root_as_the_batch_tree() -> None:
    for count in (1, 2, 3, 5, 40):
        ids = [bytes([n]) * 32 for n in range(count)]
        assert bitcoin_root(ids) == merkle_root(ids)


def test_bitcoin_block_has_a_coinbase() -> None:
    with pytest.raises(ValueError, match="coinbase"):
        bitcoin_root([])


def test_ethereum_root_by_hand() -> None:
    a, b, c = (bytes([n]) * 32 for n in (1, 2, 3))
    assert ethereum_root([a]) == a
    assert ethereum_root([a, b, c]) == keccak256(keccak256(a + b) + c)
    # The root of an empty trie in every Ethereum client (yellow paper, section 4.3).
    assert EMPTY_TRIE_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert ethereum_root([]) == EMPTY_TRIE_ROOT


def test_bitcoin_block_commits_to_its_transactions() -> None:
    environment, chain, recorder = bitcoin(block_times="clocked")
    transactions = [bitcoin_tx(n, 500 + n) for n in (1, 2, 3)]
    for transaction in transactions:
        assert chain.submit(transaction) is None
    environment.run_until(600 * NS_PER_S)
    coinbase = chain._leaves(0, chain._mempool.fill(0, None))
    expected = bitcoin_root(coinbase + [transaction.txid for transaction in reversed(transactions)])
    assert recorder.blocks.columns["transactions_root"] == [expected]


def test_ethereum_block_commits_to_transactions_and_background() -> None:
    environment, chain, recorder = ethereum(background={"blob_share": 0.25})
    chain.submit(ethereum_tx(7))
    environment.run_until(24 * NS_PER_S)
    roots = recorder.blocks.columns["transactions_root"]
    assert len({*roots, EMPTY_TRIE_ROOT}) == 3
    assert all(len(root) == 32 for root in roots)
    other_environment, _, other = ethereum(background={"blob_share": 0.25})
    other_environment.run_until(12 * NS_PER_S)
    assert other.blocks.columns["transactions_root"][0] != roots[0]


def test_records_tell_everything_apart() -> None:
    fields = [("gas", "a", 1, 2, 3), ("gas", "a", 1, 3, 2), ("gas", "b", 1, 2, 3), ("gas", "a", 2, 2, 3)]
    assert len({record(*values) for values in fields}) == len(fields)
