"""Trees against the values of those who defined them."""

import base64
import json

import numpy as np
import pytest

from l2sim.crypto.hashing import hash_function
from l2sim.crypto.hashing.reference import keccak256, sha256d
from l2sim.crypto.trees import bitcoin_merkle, fixed_depth, rfc6962, sorted_pair, ssz
from l2sim.crypto.trees.sparse import empty_subtrees
from tests.shared import shared


def internal(displayed: str) -> bytes:
    """A Bitcoin hash in internal byte order from the order it is displayed in."""
    return bytes.fromhex(displayed)[::-1]


# Bitcoin block 170, the first payment: its two transactions and the Merkle root in its header.
BLOCK_170 = (
    [
        "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
        "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
    ],
    "7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff",
)


def test_bitcoin_block_170() -> None:
    txids, root = BLOCK_170
    leaves = [internal(txid) for txid in txids]
    assert bitcoin_merkle.merkle_root(leaves) == internal(root)
    assert bitcoin_merkle.merkle_branch(leaves, 1) == [leaves[0]]


def test_bitcoin_blocks_file() -> None:
    blocks = json.loads(shared("vectors/lightning/bitcoin_merkle/blocks.json").read_text())["blocks"]
    for block in blocks:
        leaves = [internal(txid) for txid in block["txids"]]
        root = bitcoin_merkle.merkle_root(leaves)
        assert root == internal(block["merkle_root"]) == bytes.fromhex(block["header"])[36:68]
        assert not bitcoin_merkle.has_repeated_pair(leaves)


def test_segwit_block_file() -> None:
    path = shared("vectors/lightning/bitcoin_merkle/segwit_block.json")
    (block,) = json.loads(path.read_text())["blocks"]
    assert bitcoin_merkle.merkle_root([internal(t) for t in block["txids"]]) == internal(block["merkle_root"])
    # BIP 141: the coinbase's wtxid counts as zero; the commitment is SHA256d(witness root || reserved value).
    witness_root = bitcoin_merkle.merkle_root([bytes(32), *(internal(t) for t in block["wtxids"][1:])])
    commitment = sha256d(witness_root + bytes.fromhex(block["witness_reserved_value"]))
    assert witness_root == internal(block["witness_root"])
    assert commitment.hex() == block["witness_commitment"]


def test_partial_merkle_file() -> None:
    vector = json.loads(shared("vectors/lightning/bitcoin_merkle/partial_merkle.json").read_text())
    message = bytes.fromhex(vector["merkleblock"])
    # BIP 37 merkleblock: header 80, total u32, hash count varint, hashes, flag byte count varint, flags.
    total, count = int.from_bytes(message[80:84], "little"), message[84]
    hashes = tuple(message[85 + 32 * i : 117 + 32 * i] for i in range(count))
    flag_bytes = message[86 + 32 * count :]
    flags = tuple(bool(byte >> bit & 1) for byte in flag_bytes for bit in range(8))
    root, matches = bitcoin_merkle.extract_matches(bitcoin_merkle.PartialMerkleTree(total, hashes, flags))
    assert root == message[36:68]
    assert matches == [(0, internal(vector["matched_txid"]))]


def test_repeated_transactions_keep_the_root() -> None:
    # CVE-2012-2459: [1, 2, 3] and [1, 2, 3, 3] have one root.
    leaves = [bytes([i]) * 32 for i in (1, 2, 3)]
    assert bitcoin_merkle.merkle_root(leaves) == bitcoin_merkle.merkle_root([*leaves, leaves[2]])
    assert not bitcoin_merkle.has_repeated_pair(leaves)
    assert bitcoin_merkle.has_repeated_pair([*leaves, leaves[2]])


# RFC 6962 roots of the first n of the eight usual leaves (transparency-dev/merkle, testonly/constants.go).
RFC_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
RFC_ROOT_OF_3 = "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
RFC_ROOT_OF_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_rfc6962_facts() -> None:
    leaves = [rfc6962.leaf_hash(bytes.fromhex(leaf)) for leaf in RFC_LEAVES]
    assert rfc6962.Rfc6962Tree([]).root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert rfc6962.Rfc6962Tree(leaves[:3]).root.hex() == RFC_ROOT_OF_3
    assert rfc6962.Rfc6962Tree(leaves).root.hex() == RFC_ROOT_OF_8


def test_rfc6962_tree_file() -> None:
    vector = json.loads(shared("vectors/rollup/rfc6962_tree.json").read_text())
    leaves = [rfc6962.leaf_hash(bytes.fromhex(leaf)) for leaf in vector["leaf_inputs_hex"]]
    assert rfc6962.EMPTY_ROOT.hex() == vector["empty_root"]
    for size, root in vector["roots_by_size"].items():
        assert rfc6962.Rfc6962Tree(leaves[: int(size)]).root.hex() == root
    for case in vector["hasher"]:
        if case["op"] == "leaf":
            found = rfc6962.leaf_hash(bytes.fromhex(case["input_hex"]))
        else:
            found = rfc6962.node_hash(bytes.fromhex(case["left_hex"]), bytes.fromhex(case["right_hex"]))
        assert found.hex() == case["expected"]


def decoded(proof: list[str] | None) -> list[bytes]:
    return [base64.b64decode(item) for item in proof or []]


def accepted(check, *arguments) -> bool:
    """Whether a verification accepts; a value of a wrong length is refused with ValueError."""
    try:
        return bool(check(*arguments))
    except ValueError as error:
        if "must be 32 bytes" not in str(error):
            raise
        return False


def test_rfc6962_inclusion_file() -> None:
    cases = json.loads(shared("vectors/rollup/rfc6962_inclusion.json").read_text())["cases"]
    leaves = [rfc6962.leaf_hash(bytes.fromhex(leaf)) for leaf in RFC_LEAVES]
    for case in cases:
        root, leaf, proof = base64.b64decode(case["root"]), base64.b64decode(case["leafHash"]), decoded(case["proof"])
        found = accepted(rfc6962.verify_inclusion, root, leaf, case["leafIdx"], case["treeSize"], proof)
        assert found is not case["wantErr"], case["file"]
        if found:
            tree = rfc6962.Rfc6962Tree(leaves[: case["treeSize"]])
            assert (tree.root, tree.inclusion_proof(case["leafIdx"])) == (root, proof)


def test_rfc6962_consistency_file() -> None:
    cases = json.loads(shared("vectors/rollup/rfc6962_consistency.json").read_text())["cases"]
    leaves = [rfc6962.leaf_hash(bytes.fromhex(leaf)) for leaf in RFC_LEAVES]
    for case in cases:
        root1, root2, proof = base64.b64decode(case["root1"]), base64.b64decode(case["root2"]), decoded(case["proof"])
        found = accepted(rfc6962.verify_consistency, case["size1"], case["size2"], root1, root2, proof)
        assert found is not case["wantErr"], case["file"]
        if found:
            assert rfc6962.Rfc6962Tree(leaves[: case["size2"]]).consistency_proof(case["size1"]) == proof


def abi_string(text: str) -> bytes:
    """One string as Solidity's abi.encode writes it: offset, length, bytes to a multiple of 32."""
    data = text.encode()
    return (32).to_bytes(32, "big") + len(data).to_bytes(32, "big") + data + bytes(-len(data) % 32)


def test_openzeppelin_fact() -> None:
    # OpenZeppelin/merkle-tree, test/dumps/standard-v1.sorted.1_0_6.json: strings a to f.
    tree = sorted_pair.SortedPairTree([sorted_pair.standard_leaf(abi_string(text)) for text in "abcdef"])
    assert tree.root.hex() == "6deb52b5da8fd108f79fab00341f38d2587896634c646ee52e49f845680a70c8"


def test_openzeppelin_file() -> None:
    dumps = json.loads(shared("vectors/rollup/oz_merkle_tree.json").read_text())["dumps"]
    for dump in dumps.values():
        values = [entry["value"] for entry in dump["values"]]
        standard = dump["format"] == "standard-v1"
        if standard:
            leaves = [sorted_pair.standard_leaf(abi_string(text)) for (text,) in values]
        else:
            leaves = [bytes.fromhex(value[2:]) for value in values]
        tree = sorted_pair.SortedPairTree(leaves, sort_leaves=standard)
        assert ["0x" + node.tobytes().hex() for node in tree.nodes] == dump["tree"]
        assert [tree.place(i) for i in range(len(values))] == [entry["treeIndex"] for entry in dump["values"]]
        for i, leaf in enumerate(leaves):
            assert sorted_pair.verify_proof(tree.root, leaf, tree.prove(i))


def test_op_empty_tree_fact() -> None:
    # optimism op-challenger/game/keccak/merkle/testdata/proofs.json, case NoLeaves.
    root = fixed_depth.padded_root([], fixed_depth.OP_PREIMAGE_DEPTH)
    assert root.hex() == "2733e50f526ec2fa19a22b31e8ed50f23cd1fdf94c9154ed3a7609a2f1ff981f"


def test_op_keccak_file() -> None:
    cases = json.loads(shared("vectors/rollup/op_keccak_merkle16.json").read_text())["cases"]
    for case in cases:
        count, depth = case["leafCount"], fixed_depth.OP_PREIMAGE_DEPTH
        leaves = np.zeros((count, 32), np.uint8)  # leaf i is 0xff and the low byte of i, as the source's test makes it
        leaves[:, 0] = 0xFF
        leaves[:, 1] = np.arange(count) & 0xFF
        root = bytes.fromhex(case["rootHash"][2:])
        assert fixed_depth.padded_root(leaves, depth) == root
        if case["proofs"]:
            branch = [bytes.fromhex(node[2:]) for node in case["proofs"]]
            assert fixed_depth.padded_branch(leaves, case["index"], depth) == branch
            leaf = leaves[case["index"]].tobytes()
            assert fixed_depth.verify_branch(root, leaf, case["index"], branch, depth=depth)
            assert not fixed_depth.verify_branch(root, leaf, case["index"] ^ 1, branch, depth=depth)


def test_ssz_facts() -> None:
    # Deposit contract of the beacon chain: zero_hashes[1], and the root of an empty List[Bytes32, 2**20]
    # (remerkleable 0.1.28).
    assert empty_subtrees(1, "sha256")[1].hex().startswith("f5a5fd42d16a2030")
    assert ssz.list_root([], 1 << 20, 0).hex() == "7ffe241ea60187fdb0187bfa22de35d1f9bed7ab061d9401fd47e34a54fbede1"


def test_ssz_file() -> None:
    vector = json.loads(shared("vectors/rollup/ssz_merkle.json").read_text())
    zeros = empty_subtrees(len(vector["zero_hashes"]) - 1, "sha256")
    assert [zero.hex() for zero in zeros] == vector["zero_hashes"]
    for case in vector["cases"]:
        items = case["items"]
        if case["type"] == "List[Bytes32, 2**20]":
            chunks, limit = [bytes.fromhex(item.removeprefix("0x")) for item in items], 1 << 20
        else:
            assert case["type"] == "List[uint64, 2**30]"
            chunks, limit = ssz.pack(b"".join(int(item).to_bytes(8, "little") for item in items)), (1 << 30) * 8 // 32
        assert ssz.list_root(chunks, limit, len(items)).hex() == case["hash_tree_root"]


def test_errors_name_argument_rule_and_value() -> None:
    with pytest.raises(ValueError, match=r"hashes: must hold at least 1 hash.*\(got 0\)"):
        bitcoin_merkle.merkle_root([])
    with pytest.raises(ValueError, match=r"hashes: must have the shape \(n, 32\) \(got \(3, 31\)\)"):
        bitcoin_merkle.merkle_root(np.zeros((3, 31), np.uint8))
    with pytest.raises(ValueError, match=r"hashes\[1\]: must be 32 bytes \(got 3\)"):
        bitcoin_merkle.merkle_root([bytes(32), b"abc"])
    with pytest.raises(ValueError, match=r"index: must be at least 0 and below 2 \(got 2\)"):
        bitcoin_merkle.merkle_branch([bytes(32)] * 2, 2)
    with pytest.raises(ValueError, match=r"leaves: must be at most 2\^1 \(got 3\)"):
        fixed_depth.padded_root([bytes(32)] * 3, 1)
    with pytest.raises(ValueError, match=r"chunks: must be at most limit = 1 \(got 2\)"):
        ssz.merkleize([bytes(32)] * 2, 1)
    with pytest.raises(ValueError, match=r"earlier_size: must be at least 1 and at most 1 \(got 0\)"):
        rfc6962.Rfc6962Tree([bytes(32)]).consistency_proof(0)
    with pytest.raises(ValueError, match=r"leaves: must be distinct"):
        sorted_pair.SortedPairTree([bytes([i]) * 32 for i in range(4)]).prove_many([1, 1])
    assert keccak256(bytes(64)) == hash_function("keccak256").single(bytes(64))
