"""Each tree equals its definition in plain Python; its proofs hold, and altered ones do not."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.hashing.reference import keccak256, sha256, sha256d
from l2sim.crypto.trees import bitcoin_merkle, fixed_depth, rfc6962, sorted_pair, ssz

SIZES = st.integers(1, 70)


def leaves_of(n: int, seed: int = 0) -> list[bytes]:
    return [hashlib.sha256(f"{seed}/{i}".encode()).digest() for i in range(n)]


def flip(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8 % len(value)] ^= 1 << bit % 8
    return bytes(changed)


@given(n=SIZES, at=st.integers(0, 69), bit=st.integers(0, 255))
def test_bitcoin_branches(n: int, at: int, bit: int) -> None:
    leaves = leaves_of(n)
    plain = list(leaves)
    while len(plain) > 1:
        plain += plain[-1:] if len(plain) % 2 else []
        plain = [sha256d(plain[i] + plain[i + 1]) for i in range(0, len(plain), 2)]
    root, index = bitcoin_merkle.merkle_root(leaves), at % n
    assert root == plain[0]
    branch = bitcoin_merkle.merkle_branch(leaves, index)
    assert bitcoin_merkle.verify_branch(root, leaves[index], index, branch)
    assert not bitcoin_merkle.verify_branch(root, flip(leaves[index], bit), index, branch)
    assert not bitcoin_merkle.verify_branch(root, leaves[index], index + (1 << len(branch)), branch)
    for i in range(len(branch)):
        altered = [*branch[:i], flip(branch[i], bit), *branch[i + 1 :]]
        assert not bitcoin_merkle.verify_branch(root, leaves[index], index, altered)


@given(n=SIZES, data=st.data())
def test_bitcoin_partial_trees(n: int, data: st.DataObject) -> None:
    leaves = leaves_of(n)
    matched = sorted(data.draw(st.sets(st.integers(0, n - 1))))
    proof = bitcoin_merkle.partial_tree(leaves, matched)
    root, found = bitcoin_merkle.extract_matches(proof)
    assert root == bitcoin_merkle.merkle_root(leaves)
    assert found == [(i, leaves[i]) for i in matched]
    short = bitcoin_merkle.PartialMerkleTree(n, proof.hashes[:-1], proof.flags)
    with pytest.raises(ValueError, match="must reach the end of the walk"):
        bitcoin_merkle.extract_matches(short)
    long = bitcoin_merkle.PartialMerkleTree(n + 1, (*proof.hashes, bytes(32)), proof.flags)
    with pytest.raises(ValueError, match="proof"):
        bitcoin_merkle.extract_matches(long)


def plain_rfc6962(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + plain_rfc6962(leaves[:k]) + plain_rfc6962(leaves[k:]))


@given(n=SIZES, at=st.integers(0, 69), earlier=st.integers(0, 69), bit=st.integers(0, 255))
def test_rfc6962_proofs(n: int, at: int, earlier: int, bit: int) -> None:
    leaves = leaves_of(n)
    tree, index, first = rfc6962.Rfc6962Tree(leaves), at % n, 1 + earlier % n
    assert tree.root == plain_rfc6962(leaves)
    path = tree.inclusion_proof(index)
    assert rfc6962.verify_inclusion(tree.root, leaves[index], index, n, path)
    assert not rfc6962.verify_inclusion(tree.root, flip(leaves[index], bit), index, n, path)
    assert not rfc6962.verify_inclusion(tree.root, leaves[index], index, n, [*path, bytes(32)])
    proof, old = tree.consistency_proof(first), plain_rfc6962(leaves[:first])
    assert rfc6962.verify_consistency(first, n, old, tree.root, proof)
    assert not rfc6962.verify_consistency(first, n, flip(old, bit), tree.root, proof)
    assert not rfc6962.verify_consistency(first, n, old, flip(tree.root, bit), proof)
    assert not rfc6962.verify_consistency(first, n, old, tree.root, [*proof, bytes(32)])


@given(
    n=st.integers(0, 40), depth=st.integers(6, 20), at=st.integers(0, 63), hash=st.sampled_from(["sha256", "keccak256"])
)
def test_fixed_depth_branches(n: int, depth: int, at: int, hash: str) -> None:
    leaves = leaves_of(n)
    single = sha256 if hash == "sha256" else keccak256
    zero, plain = bytes(32), list(leaves)
    for _ in range(depth):
        plain += [zero] * (len(plain) % 2)
        plain = [single(plain[i] + plain[i + 1]) for i in range(0, len(plain), 2)]
        zero = single(zero + zero)
    root = fixed_depth.padded_root(leaves, depth, hash)
    assert root == (plain[0] if plain else zero)
    branch = fixed_depth.padded_branch(leaves, at, depth, hash)
    leaf = leaves[at] if at < n else bytes(32)
    assert fixed_depth.verify_branch(root, leaf, at, branch, depth=depth, hash=hash)
    assert not fixed_depth.verify_branch(root, leaf, at, branch[:-1], depth=depth, hash=hash)
    assert not fixed_depth.verify_branch(root, flip(leaf, at), at, branch, depth=depth, hash=hash)


@given(n=st.integers(0, 30), data=st.data())
def test_ssz_multiproofs(n: int, data: st.DataObject) -> None:
    chunks, limit = leaves_of(n), 32
    root = ssz.merkleize(chunks, limit)
    places = sorted(data.draw(st.sets(st.integers(0, limit - 1), min_size=1, max_size=6)))
    indices = [limit + place for place in places]
    nodes = [ssz.node_at(chunks, limit, index) for index in indices]
    assert nodes == [chunks[place] if place < n else bytes(32) for place in places]
    proof = ssz.multiproof(chunks, limit, indices)
    assert ssz.verify_multiproof(root, nodes, proof, indices)
    for i in range(len(proof)):
        assert not ssz.verify_multiproof(root, nodes, [*proof[:i], flip(proof[i], i), *proof[i + 1 :]], indices)
    with pytest.raises(ValueError, match="proof: must hold"):
        ssz.verify_multiproof(root, nodes, [*proof, bytes(32)], indices)
    if indices != [1]:
        with pytest.raises(ValueError, match="indices:"):
            ssz.root_from_multiproof([*nodes, root], proof, [*indices, 1])


@given(n=SIZES, sort=st.booleans(), data=st.data())
@settings(max_examples=60)
def test_sorted_pair_multiproofs(n: int, sort: bool, data: st.DataObject) -> None:
    leaves = leaves_of(n)
    tree = sorted_pair.SortedPairTree(leaves, sort_leaves=sort)
    plain: list[bytes] = [b""] * (2 * n - 1)
    plain[n - 1 :] = (sorted(leaves) if sort else leaves)[::-1]
    for i in reversed(range(n - 1)):
        plain[i] = keccak256(b"".join(sorted(plain[2 * i + 1 : 2 * i + 3])))
    assert [node.tobytes() for node in tree.nodes] == plain
    chosen = sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=8)))
    proof = tree.prove_many(chosen)
    assert sorted(proof.leaves) == sorted(leaves[i] for i in chosen)
    assert sorted_pair.verify_multiproof(tree.root, proof)
    for i, value in enumerate(proof.proof):
        altered = (*proof.proof[:i], flip(value, i), *proof.proof[i + 1 :])
        assert not sorted_pair.verify_multiproof(tree.root, sorted_pair.MultiProof(proof.leaves, altered, proof.flags))
    for i in range(len(proof.flags)):
        flags = tuple(flag ^ (i == j) for j, flag in enumerate(proof.flags))
        assert not sorted_pair.verify_multiproof(tree.root, sorted_pair.MultiProof(proof.leaves, proof.proof, flags))


def test_equal_leaves_in_a_sorted_tree() -> None:
    tree = sorted_pair.SortedPairTree(np.zeros((5, 32), np.uint8))
    assert all(sorted_pair.verify_proof(tree.root, bytes(32), tree.prove(i)) for i in range(5))
