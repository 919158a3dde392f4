"""The sparse account tree equals its plain twin, and old versions stay readable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.hashing.reference import keccak256, sha256
from l2sim.crypto.trees.nodes import LevelNodes, ScatteredNodes
from l2sim.crypto.trees.sparse import EMPTY_LEAF, SparseMerkleTree, SparseProof, empty_subtrees, verify_proof
from l2sim.crypto.trees.sparse_plain import PlainSparseTree

HASHES = st.sampled_from(["keccak256", "sha256", "sha256d"])


def update_of(rng: np.random.Generator, depth: int, count: int, spread: int) -> tuple[np.ndarray, np.ndarray]:
    """Some distinct indices below 2^min(depth, spread), shuffled, with their leaves, some of them empty."""
    end = (1 << min(depth, spread)) - 1
    indices = np.unique(rng.integers(0, end, count, dtype=np.uint64, endpoint=True))
    rng.shuffle(indices)
    leaves = rng.integers(0, 256, (len(indices), 32), dtype=np.uint8)
    leaves[rng.random(len(indices)) < 0.1] = 0
    return indices, leaves


def as_mapping(indices: np.ndarray, leaves: np.ndarray) -> dict[int, bytes]:
    return {int(i): leaf.tobytes() for i, leaf in zip(indices, leaves, strict=True)}


@given(
    seed=st.integers(0, 2**32),
    depth=st.sampled_from([1, 2, 7, 12, 32, 63, 64]),
    hash=HASHES,
    batches=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 64)), min_size=1, max_size=5),
)
@settings(max_examples=40)
def test_equals_plain_twin(seed: int, depth: int, hash: str, batches: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(seed)
    tree, plain = SparseMerkleTree(depth, hash, history=None), PlainSparseTree(depth, hash)
    roots, proofs = [tree.root], [tree.prove(0)]
    assert tree.root == plain.root
    for count, spread in batches:
        indices, leaves = update_of(rng, depth, count, spread)
        root = tree.update(indices, leaves)
        assert root == tree.root == plain.update(as_mapping(indices, leaves))
        assert np.array_equal(tree.get(indices), leaves)
        for index in [0, (1 << depth) - 1, *map(int, indices[:3])]:
            proof = tree.prove(index)
            assert proof == plain.prove(index)
            assert verify_proof(root, proof, depth=depth, hash=hash)
        roots.append(root)
        proofs.append(tree.prove(0))
    for version, (root, proof) in enumerate(zip(roots, proofs, strict=True)):
        assert tree.root_at(version) == root
        assert tree.prove(0, version=version) == proof
    for version in reversed(range(len(roots))):
        assert tree.rollback(version) == tree.root == roots[version]
        assert tree.prove(0) == proofs[version]
        assert tree.version == version


def test_root_of_one_leaf_by_hand() -> None:
    # Depth 2, leaf 2: the root is H(H(0 || 0) || H(leaf || 0)).
    leaf = bytes(range(32))
    for hash, single in (("keccak256", keccak256), ("sha256", sha256)):
        root = SparseMerkleTree(2, hash).update(np.array([2], np.uint64), [leaf])
        assert root == single(single(bytes(64)) + single(leaf + bytes(32)))


def test_empty_root_is_the_zero_hash_of_ssz() -> None:
    # zero_hashes[2] of the consensus specs (remerkleable 0.1.28).
    assert empty_subtrees(2, "sha256")[2].hex().startswith("db56114e00fdd4c1")
    assert SparseMerkleTree(2, "sha256").root == empty_subtrees(2, "sha256")[2]


@given(index=st.integers(0, 2**32 - 1), bit=st.integers(0, 255))
@settings(max_examples=30)
def test_altered_proofs_fail(index: int, bit: int) -> None:
    tree = SparseMerkleTree()
    indices = np.unique(np.array([5, 6, 1 << 31, index ^ 1], np.uint64))
    root = tree.update(indices, np.eye(len(indices), 32, dtype=np.uint8))
    proof = tree.prove(index)
    assert verify_proof(root, proof)
    flipped = bytearray(proof.leaf)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not verify_proof(root, SparseProof(index, bytes(flipped), proof.siblings))
    assert not verify_proof(root, SparseProof(index, proof.leaf, proof.siblings[:-1]))
    assert not verify_proof(root, SparseProof(index + (1 << 32), proof.leaf, proof.siblings))
    level = bit % 32
    other = bytearray(proof.siblings[level])
    other[0] ^= 1
    siblings = (*proof.siblings[:level], bytes(other), *proof.siblings[level + 1 :])
    assert not verify_proof(root, SparseProof(index, proof.leaf, siblings))


def test_order_of_a_batch_and_emptying_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    indices, leaves = update_of(rng, 32, 500, 40)
    forth, back = SparseMerkleTree(), SparseMerkleTree()
    forth.update(indices, leaves)
    for part in np.array_split(np.arange(len(indices))[::-1], 7):
        back.update(indices[part], leaves[part])
    assert forth.root == back.root
    assert forth.update(indices, np.zeros_like(leaves)) == SparseMerkleTree().root
    assert forth.prove(int(indices[0])).leaf == EMPTY_LEAF


def test_history_is_bounded() -> None:
    tree = SparseMerkleTree(history=2)
    one = np.array([1], np.uint64)
    roots = [tree.root] + [tree.update(one, np.full((1, 32), i, np.uint8)) for i in range(1, 5)]
    assert [tree.root_at(version) for version in (2, 3, 4)] == roots[2:]
    with pytest.raises(ValueError, match=r"version: must be at least 2 and at most 4 \(got 1\).*history=2"):
        tree.root_at(1)
    assert verify_proof(roots[2], tree.prove(1, version=2))


def test_wrong_updates_are_refused_and_change_nothing() -> None:
    tree = SparseMerkleTree(8)
    root = tree.root
    one = np.zeros((1, 32), np.uint8)
    for indices, leaves, message in [
        ([256], one, r"indices: must be at least 0 and below 2\^8 \(got 256\)"),
        ([-1], one, r"indices: must be at least 0 and below 2\^8 \(got -1\)"),
        ([[1]], one, r"indices: must have the shape \(k,\) \(got \(1, 1\)\)"),
        ([1.5], one, r"indices: must be of an integer type \(got float64\)"),
        ([1, 2], one, r"leaves: must be as many as indices = 2 \(got 1\)"),
        ([3, 1, 3], np.zeros((3, 32), np.uint8), r"indices: must be distinct \(got 3 more than once\)"),
        ([1], np.zeros((1, 31), np.uint8), r"leaves: must have the shape \(n, 32\) \(got \(1, 31\)\)"),
        ([1], np.zeros((1, 32)), r"leaves: must be of type uint8 \(got float64\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            tree.update(np.array(indices), leaves)
    assert (tree.root, tree.version) == (root, 0)
    with pytest.raises(ValueError, match=r"depth: must be at least 1 and at most 64 \(got 65\)"):
        SparseMerkleTree(65)
    with pytest.raises(ValueError, match=r"index: must be at least 0 and below 256 \(got 256\)"):
        tree.prove(256)


@given(seed=st.integers(0, 2**32), spreads=st.lists(st.integers(1, 63), min_size=1, max_size=6))
@settings(max_examples=40)
def test_level_holds_what_was_put(seed: int, spreads: list[int]) -> None:
    """Dense and scattered positions, and those that move from the table to the array as it grows."""
    rng = np.random.default_rng(seed)
    level, known = LevelNodes(1 << 63, bytes(32)), {}
    for spread in spreads:
        positions = np.unique(rng.integers(0, 1 << spread, 2000, dtype=np.uint64))
        nodes = rng.integers(0, 256, (len(positions), 32), dtype=np.uint8)
        level.put(positions, nodes)
        known |= as_mapping(positions, nodes)
        asked = np.array(sorted(known), np.uint64)
        assert [row.tobytes() for row in level.get(asked)] == [known[int(p)] for p in asked]
        parents = np.unique(asked >> np.uint64(1))
        pairs = [known.get(2 * int(p), bytes(32)) + known.get(2 * int(p) + 1, bytes(32)) for p in parents]
        assert [row.tobytes() for row in level.get_pairs(parents)] == pairs


def test_sequential_accounts_stay_in_the_array() -> None:
    level = LevelNodes(1 << 32, bytes(32))
    for start in range(0, 40_000, 1000):
        level.put(np.arange(start, start + 1000, dtype=np.uint64), np.ones((1000, 32), np.uint8))
    assert (len(level._array), len(level._scattered)) == (65_536, 0)


def test_scattered_nodes_keep_the_largest_key() -> None:
    table = ScatteredNodes()
    keys = np.array([2**64 - 1, 0, 2**63], np.uint64)
    table.put(keys, np.arange(96, dtype=np.uint8).view("V32"))
    assert table.find(keys).tolist() == [0, 1, 2]
    assert table.find(np.array([1, 2**64 - 2], np.uint64)).tolist() == [-1, -1]
