"""Taproot outputs: script trees, tweaked keys, control blocks, and the digests their inputs sign (BIP 341)."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import pack
from typing import TypeAlias

from l2sim.crypto.bitcoin.script import p2tr
from l2sim.crypto.bitcoin.sighash import SigHash
from l2sim.crypto.bitcoin.transaction import Transaction, TxOutput, compact_size
from l2sim.crypto.hashing.reference import tagged_hash
from l2sim.crypto.signatures.keys import add_secrets, negate_secret, public_key, tweak_x_only

__all__ = ["Leaf", "ScriptTree", "TaprootDigests", "TaprootOutput", "taproot_output", "tweak_secret"]

TAPSCRIPT_VERSION = 0xC0  # BIP 342


@dataclass(frozen=True, slots=True)
class Leaf:
    """One script of a tree and its leaf version."""

    script: bytes
    version: int = TAPSCRIPT_VERSION

    @property
    def hash(self) -> bytes:
        """The 32 bytes by which the tree and a script-path signature commit to it."""
        return tagged_hash("TapLeaf", bytes((self.version,)) + compact_size(len(self.script)) + self.script)


ScriptTree: TypeAlias = Leaf | tuple["ScriptTree", "ScriptTree"]


@dataclass(frozen=True, slots=True)
class TaprootOutput:
    """An x-only output key, the root and the tweak it commits to, and a control block a leaf, from left to right."""

    output_key: bytes
    merkle_root: bytes | None
    tweak: bytes
    control_blocks: tuple[tuple[Leaf, bytes], ...]

    @property
    def script(self) -> bytes:
        """The output script, 34 bytes."""
        return p2tr(self.output_key)


def taproot_output(internal_key: bytes, tree: ScriptTree | None = None) -> TaprootOutput:
    """Return the output of an x-only internal key (32 bytes) and a tree of scripts, or no scripts at all.

    >>> from l2sim.crypto.signatures.schnorr import public_key as x_only_key
    >>> taproot_output(x_only_key(bytes(31) + bytes([1]))).script.hex()[:4]
    '5120'
    """
    root, paths = (None, []) if tree is None else _walk(tree)
    tweak = tagged_hash("TapTweak", internal_key + (root or b""))
    output_key, parity = tweak_x_only(internal_key, tweak)
    blocks = [(leaf, bytes((leaf.version | parity,)) + internal_key + path) for leaf, path in paths]
    return TaprootOutput(output_key, root, tweak, tuple(blocks))


def tweak_secret(secret: bytes, merkle_root: bytes | None = None) -> bytes:
    """Return the secret of the output key, from that of the internal key."""
    key = public_key(secret)
    even = secret if key[0] == 2 else negate_secret(secret)
    return add_secrets(even, tagged_hash("TapTweak", key[1:] + (merkle_root or b"")))


def _walk(tree: ScriptTree) -> tuple[bytes, list[tuple[Leaf, bytes]]]:
    """The hash of a tree, and each leaf with the hashes beside its path, from the leaf upwards."""
    if isinstance(tree, Leaf):
        return tree.hash, [(tree, b"")]
    (left, left_paths), (right, right_paths) = _walk(tree[0]), _walk(tree[1])
    paths = [(leaf, path + right) for leaf, path in left_paths] + [(leaf, path + left) for leaf, path in right_paths]
    return tagged_hash("TapBranch", min(left, right) + max(left, right)), paths


class TaprootDigests:
    """The digests of one transaction's taproot inputs; what they share is hashed once.

    `spent` are the outputs that the inputs spend, all of them, in order: a taproot signature commits to every one.
    Raises ValueError for another number.
    """

    __slots__ = ("_amounts", "_outputs", "_prevouts", "_scripts", "_sequences", "spent", "transaction")

    def __init__(self, transaction: Transaction, spent: Sequence[TxOutput]) -> None:
        inputs = transaction.inputs
        if len(spent) != len(inputs):
            raise ValueError(f"spent: must be one an input, {len(inputs)} (got {len(spent)})")
        self.transaction = transaction
        self.spent = tuple(spent)
        self._prevouts = _hash([txin.outpoint.serialize() for txin in inputs])
        self._amounts = _hash([pack("<Q", output.value_sat) for output in spent])
        self._scripts = _hash([compact_size(len(output.script)) + output.script for output in spent])
        self._sequences = _hash([pack("<I", txin.sequence) for txin in inputs])
        self._outputs = _hash([output.serialize() for output in transaction.outputs])

    def digest(self, index: int, hash_type: SigHash = SigHash.DEFAULT, leaf: Leaf | None = None) -> bytes:
        """Return the 32 bytes that input `index` signs: by the output key, or by the keys of a leaf's script."""
        return tagged_hash("TapSighash", self.message(index, hash_type, leaf))

    def message(self, index: int, hash_type: SigHash = SigHash.DEFAULT, leaf: Leaf | None = None) -> bytes:
        """Return the message whose tagged hash is the digest: the epoch byte and BIP 341's `SigMsg`, without annex.

        Raises ValueError for an input the transaction does not have, or SINGLE without an output to sign.
        """
        transaction, hash_type = self.transaction, SigHash(hash_type)
        if not 0 <= index < len(transaction.inputs):
            raise ValueError(f"index: must be from 0 to {len(transaction.inputs) - 1} (got {index})")
        base, alone = hash_type & 0x03, hash_type & 0x80
        if base == SigHash.SINGLE and index >= len(transaction.outputs):
            raise ValueError(f"index: SINGLE needs an output of the same place (got {index})")
        parts = [bytes((0, hash_type)), pack("<II", transaction.version, transaction.locktime)]
        if not alone:
            parts += (self._prevouts, self._amounts, self._scripts, self._sequences)
        if base not in (SigHash.NONE, SigHash.SINGLE):
            parts.append(self._outputs)
        parts.append(b"\x02" if leaf else b"\x00")
        if alone:
            txin = transaction.inputs[index]
            parts += (txin.outpoint.serialize(), self.spent[index].serialize(), pack("<I", txin.sequence))
        else:
            parts.append(pack("<I", index))
        if base == SigHash.SINGLE:
            parts.append(_hash([transaction.outputs[index].serialize()]))
        if leaf:
            # Key version 0 and no OP_CODESEPARATOR (BIP 342).
            parts += (leaf.hash, b"\x00", b"\xff\xff\xff\xff")
        return b"".join(parts)


def _hash(parts: list[bytes]) -> bytes:
    return sha256(b"".join(parts)).digest()
