"""The rows of the core benchmark: signatures, hashes, trees, onions, blobs, and the start of the core."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sha3 import keccak_256

from l2sim.bench.measure import Row
from l2sim.crypto import hashing
from l2sim.crypto.cores import available_cores
from l2sim.crypto.trees.bitcoin_merkle import merkle_root
from l2sim.crypto.trees.sparse import SparseMerkleTree
from l2sim.crypto.trees.sparse_plain import PlainSparseTree
from l2sim.crypto.work import keccak_blocks, sha256_blocks

Bytes = NDArray[np.uint8]
_SEED = 20_090_103


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each row does."""

    signatures: int
    single: int
    hashes: int
    merkle_leaves: int
    accounts: int
    account_updates: tuple[int, ...]
    onions: int
    rounds: int


FULL = Sizes(2000, 300, 1 << 17, 1 << 20, 10_000_000, (100, 1000, 10_000), 100, 15)
QUICK = Sizes(64, 8, 1 << 10, 1 << 9, 5000, (10, 100, 1000), 2, 1)

BLS_POINTS = 6
"""Signatures of an aggregate."""
BLS_PAIRS = 16
"""Messages of one over several, as `bls_pair_ns` of a cost profile has it."""
ROUTE_HOPS = 4
"""Hops of the benchmark's onion, as `onion_build_ns` of a cost profile has it."""

# Targets: ratios to the plain loop on the reference machine (AVX-512, two cores).
_ECDSA_TARGET_PER_CORE = {1: 0.95, 2: 1.85}


class SkippedError(Exception):
    """Rows that cannot run here; the message says why."""


def random_bytes(*shape: int) -> Bytes:
    """Return bytes that are the same at each call."""
    return np.random.default_rng(_SEED).integers(0, 256, shape, dtype=np.uint8)


def core_counts() -> list[int]:
    """Return the numbers of cores to measure: one, and all if there are more."""
    return sorted({1, available_cores()})


def cores_word(cores: int) -> str:
    """Return the end of a row's name."""
    return "1 core" if cores == 1 else f"{cores} cores"


def signature_rows(sizes: Sizes) -> Iterator[Row]:
    """Sign, verify and recover, one at a time and in batches; the loop to verify is libsecp256k1 alone."""
    from l2sim.crypto.signatures import batch, ecdsa, keys, schnorr
    from l2sim.crypto.signatures.key_table import KeyTable

    n, single = sizes.signatures, sizes.single
    secrets, digests = random_bytes(n, 32), random_bytes(2, n, 32)[1]
    compressed = batch.public_keys_batch(secrets)
    x_only = np.ascontiguousarray(compressed[:, 1:])
    ecdsa_signed = batch.sign_ecdsa_batch(digests, secrets)
    schnorr_signed = batch.sign_schnorr_batch(digests, secrets)
    recoverable = batch.sign_ecdsa_recoverable_batch(digests, secrets)
    d, s, c, x, e, b, r = (
        [row.tobytes() for row in rows[:single]]
        for rows in (digests, secrets, compressed, x_only, ecdsa_signed, schnorr_signed, recoverable)
    )

    def one_by_one(function: Callable[..., object], *columns: list[bytes]) -> Callable[[], object]:
        return lambda: [function(*row) for row in zip(*columns, strict=True)]

    singles: list[tuple[str, Callable[[], object], str | None]] = [
        ("ECDSA sign", one_by_one(ecdsa.sign, d, s), "ecdsa_sign_ns"),
        ("Schnorr sign", one_by_one(schnorr.sign, d, s), "schnorr_sign_ns"),
        ("ECDSA verify", one_by_one(ecdsa.verify, d, e, c), None),
        ("Schnorr verify", one_by_one(schnorr.verify, d, b, x), None),
        ("ECDSA recover", one_by_one(ecdsa.recover, d, r), None),
        ("point multiplication", one_by_one(keys.multiply_point, c, s), "point_multiplication_ns"),
    ]
    for name, run, cost in singles:
        yield Row(f"{name}, single", run, single, costs=(cost, 1) if cost else None)

    table, x_table = KeyTable(compressed), KeyTable(x_only)
    chosen = np.arange(n)
    plain_ecdsa, plain_schnorr = _library_loops(compressed, digests, ecdsa_signed, schnorr_signed)
    own = "libsecp256k1's own call, keys parsed"
    batches: list[tuple[str, Callable[[int], object], Callable[[], object], str, str | None]] = [
        (
            "ECDSA verify",
            lambda t: batch.verify_ecdsa_batch(digests, ecdsa_signed, table.rows(chosen), threads=t),
            plain_ecdsa,
            own,
            "ecdsa_verify_ns",
        ),
        (
            "Schnorr verify",
            lambda t: batch.verify_schnorr_batch(digests, schnorr_signed, x_table.rows(chosen), threads=t),
            plain_schnorr,
            own,
            "schnorr_verify_ns",
        ),
        (
            "ECDSA recover",
            lambda t: batch.recover_batch(digests, recoverable, threads=t),
            singles[4][1],
            "single calls",
            "ecdsa_recover_ns",
        ),
        (
            "ECDSA sign",
            lambda t: batch.sign_ecdsa_batch(digests, secrets, threads=t),
            singles[0][1],
            "single calls",
            None,
        ),
        (
            "Schnorr sign",
            lambda t: batch.sign_schnorr_batch(digests, secrets, threads=t),
            singles[1][1],
            "single calls",
            None,
        ),
    ]
    for name, many, loop, loop_name, cost in batches:
        for cores in core_counts():
            yield Row(
                f"{name}, batch, {cores_word(cores)}",
                partial(many, cores),
                n,
                cores,
                loop,
                loop_name,
                n if loop_name == own else single,
                target_ratio=_ECDSA_TARGET_PER_CORE.get(cores) if loop_name == own else None,
                costs=(cost, 1) if cost and cores == 1 else None,
            )


def _library_loops(
    compressed: Bytes, digests: Bytes, ecdsa_signed: Bytes, schnorr_signed: Bytes
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Loops over libsecp256k1's verifying calls alone, everything parsed before."""
    from coincurve._libsecp256k1 import ffi, lib
    from coincurve.context import GLOBAL_CONTEXT

    context = GLOBAL_CONTEXT.ctx
    ecdsa_calls: list[tuple[object, ...]] = []
    schnorr_calls: list[tuple[object, ...]] = []
    for i, row in enumerate(compressed):
        key, x_only = ffi.new("secp256k1_pubkey *"), ffi.new("secp256k1_xonly_pubkey *")
        signature = ffi.new("secp256k1_ecdsa_signature *")
        lib.secp256k1_ec_pubkey_parse(context, key, row.tobytes(), len(row))
        lib.secp256k1_xonly_pubkey_from_pubkey(context, x_only, ffi.NULL, key)
        lib.secp256k1_ecdsa_signature_parse_compact(context, signature, ecdsa_signed[i].tobytes())
        digest = ffi.new("unsigned char[]", digests[i].tobytes())
        schnorr = ffi.new("unsigned char[]", schnorr_signed[i].tobytes())
        ecdsa_calls.append((context, signature, digest, key))
        schnorr_calls.append((context, schnorr, digest, 32, x_only))

    def all_hold(verify: Callable[..., int], calls: list[tuple[object, ...]]) -> None:
        if sum([verify(*call) for call in calls]) != len(calls):
            raise RuntimeError("libsecp256k1 refuses a signature that the batch made")

    return (
        partial(all_hold, lib.secp256k1_ecdsa_verify, ecdsa_calls),
        partial(all_hold, lib.secp256k1_schnorrsig_verify, schnorr_calls),
    )


def hash_rows(sizes: Sizes) -> Iterator[Row]:
    """Batches of messages by length, against a loop over the library a program would use."""
    plans: list[tuple[str, hashing.BatchHash, Callable[[list[bytes]], object], str, str, dict[int, float]]] = [
        ("SHA-256", hashing.sha256_batch, _hashlib_loop, "hashlib loop", "sha256_block_ns", {1: 12.0, 2: 20.0}),
        ("Keccak-256", hashing.keccak256_batch, _keccak_loop, "safe-pysha3 loop", "keccak_block_ns", {1: 10.0}),
    ]
    for name, batch, loop_over, loop_name, cost, targets in plans:
        for length in (32, 64, 136, 1024):
            n = sizes.hashes * 64 // max(64, length)
            messages = random_bytes(n, length)
            plain = [row.tobytes() for row in messages]
            blocks = sha256_blocks(length) if name == "SHA-256" else keccak_blocks(length)
            for cores in core_counts() if length == 64 else [1]:
                yield Row(
                    f"{name} of {length} bytes, batch, {cores_word(cores)}",
                    partial(batch, messages, threads=cores),
                    n,
                    cores,
                    partial(loop_over, plain),
                    loop_name,
                    n,
                    target_ratio=targets.get(cores) if length == 64 else None,
                    costs=(cost, blocks) if length == 64 and cores == 1 else None,
                )


def _hashlib_loop(messages: list[bytes]) -> list[bytes]:
    return [hashlib.sha256(message).digest() for message in messages]


def _keccak_loop(messages: list[bytes]) -> list[bytes]:
    return [keccak_256(message).digest() for message in messages]


def merkle_rows(sizes: Sizes) -> Iterator[Row]:
    """Bitcoin's Merkle root of many leaves; an operation is a whole root."""
    leaves = random_bytes(sizes.merkle_leaves, 32)
    rows = [row.tobytes() for row in leaves]

    def loop() -> bytes:
        sha256 = hashlib.sha256
        level: list[bytes] = rows
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha256(sha256(left + right).digest()).digest() for left, right in pairs]
        return level[0]

    avx512 = hashing.kernel_info().get("vector_bits") == 512
    for cores in core_counts():
        yield Row(
            f"Merkle root of {sizes.merkle_leaves:,} leaves, {cores_word(cores)}",
            partial(merkle_root, leaves, threads=cores),
            1,
            cores,
            loop,
            "hashlib loop",
            1,
            target_ratio=8.0 if avx512 and cores == 1 else None,
        )


def sparse_tree_rows(sizes: Sizes) -> Iterator[Row]:
    """Batches of account updates; an operation is one account. The loop's tree holds all accounts too."""
    needed = 600 * sizes.accounts  # measured: some 200 bytes an account here, 400 in the plain twin
    memory = _memory_bytes()
    if memory is not None and memory < needed:
        raise SkippedError(f"the trees of {sizes.accounts:,} accounts need {needed >> 20:,} MiB of memory")
    tree, plain = SparseMerkleTree(), PlainSparseTree()
    tree.update(np.arange(sizes.accounts, dtype=np.uint64), random_bytes(sizes.accounts, 32))
    for height in range(tree.depth + 1):
        count = (sizes.accounts - 1 >> height) + 1
        data = tree.nodes(height, count).tobytes()
        plain.levels[height] = {i: data[32 * i : 32 * i + 32] for i in range(count)}
    rng = np.random.default_rng(_SEED)

    def draw(updates: int) -> tuple[NDArray[np.uint64], Bytes]:
        chosen = rng.choice(sizes.accounts, updates, replace=False).astype(np.uint64)
        return chosen, rng.integers(0, 256, (updates, 32), dtype=np.uint8)

    for updates in sizes.account_updates:
        # Other accounts at each call, or their paths would lie in the processor's cache as no rollup's do.
        batches = iter([draw(updates) for _ in range(sizes.rounds + 1)])
        loops = iter([_as_mapping(*draw(updates)) for _ in range(sizes.rounds)])
        yield Row(
            f"sparse tree, {updates:,} updates among {sizes.accounts:,} accounts",
            partial(_update_next, tree, batches),
            updates,
            available_cores(),
            partial(_update_next_plain, plain, loops),
            "plain Python tree of the same design",
            updates,
            target_ratio=15.0 if updates == 10_000 and sizes.accounts == 10_000_000 else None,
        )


def _as_mapping(indices: NDArray[np.uint64], leaves: Bytes) -> dict[int, bytes]:
    return {int(index): leaf.tobytes() for index, leaf in zip(indices, leaves, strict=True)}


def _update_next(tree: SparseMerkleTree, batches: Iterator[tuple[NDArray[np.uint64], Bytes]]) -> bytes:
    return tree.update(*next(batches))


def _update_next_plain(tree: PlainSparseTree, batches: Iterator[dict[int, bytes]]) -> bytes:
    return tree.update(next(batches))


def _memory_bytes() -> int | None:
    """Return the machine's memory where the system tells it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def onion_rows(sizes: Sizes) -> Iterator[Row]:
    """Packets for a route of four hops."""
    from l2sim.crypto.onion.payload import HopPayload
    from l2sim.crypto.onion.sphinx import build_onion, peel_onion
    from l2sim.crypto.signatures.batch import public_keys_batch

    secrets = random_bytes(ROUTE_HOPS, 32)
    keys = [key.tobytes() for key in public_keys_batch(secrets)]
    forward = [HopPayload(15_000 + hop, 1500 - 40 * hop, short_channel_id=hop + 1) for hop in range(ROUTE_HOPS - 1)]
    payee = HopPayload(15_000, 1300, payment_secret=bytes(32), total_msat=15_000)
    payloads = [payload.encode() for payload in [*forward, payee]]
    session, payment_hash, first = bytes([7]) * 32, bytes(32), secrets[0].tobytes()
    packet = build_onion(session, keys, payloads, payment_hash).packet
    count = range(sizes.onions)
    yield Row(
        f"onion build, {ROUTE_HOPS} hops, single",
        lambda: [build_onion(session, keys, payloads, payment_hash) for _ in count],
        sizes.onions,
        costs=("onion_build_ns", 1),
    )
    yield Row(
        "onion peel, single",
        lambda: [peel_onion(packet, first, payment_hash) for _ in count],
        sizes.onions,
        costs=("onion_peel_ns", 1),
    )


def bls_rows() -> Iterator[Row]:
    """BLS signatures of a committee: one made, one checked, and each further one decoded and added."""
    try:
        from l2sim.crypto.signatures import bls
    except ImportError as error:
        raise SkippedError(str(error)) from error
    secrets = [number.to_bytes(32, "big") for number in range(1, BLS_PAIRS + 1)]
    message = bytes(32)
    signature, key = bls.sign(message, secrets[0]), bls.public_key(secrets[0])
    signatures = [bls.sign(message, secret) for secret in secrets[:BLS_POINTS]]
    yield Row("BLS sign, single", lambda: bls.sign(message, secrets[0]), 1, costs=("bls_sign_ns", 1))
    yield Row("BLS verify, single", lambda: bls.verify(message, signature, key), 1, costs=("bls_verify_ns", 1))
    messages = [bytes([number]) * 32 for number in range(BLS_PAIRS)]
    several = bls.aggregate([bls.sign(each, secret) for each, secret in zip(messages, secrets, strict=True)])
    keys = [bls.public_key(secret) for secret in secrets]
    yield Row("BLS aggregate verify, 16 messages", lambda: bls.aggregate_verify(messages, several, keys), BLS_PAIRS,
              costs=("bls_pair_ns", 1))  # fmt: skip
    yield Row("BLS aggregate", lambda: bls.aggregate(signatures), BLS_POINTS, costs=("bls_point_ns", 1))


def blob_rows(setup_path: str | Path | None) -> Iterator[Row]:
    """KZG commitments and proofs of full blobs."""
    from l2sim.crypto.kzg import USABLE_BYTES_PER_BLOB, KzgUnavailableError, blob_of, load_setup

    try:
        setup = load_setup(setup_path)
    except KzgUnavailableError as error:
        raise SkippedError(str(error)) from error
    blob = blob_of(random_bytes(USABLE_BYTES_PER_BLOB).tobytes())
    commitment = setup.commit(blob)
    yield Row("blob commitment, single", lambda: setup.commit(blob), 1, costs=("blob_commitment_ns", 1))
    yield Row("blob proof, single", lambda: setup.prove_blob(blob, commitment), 1)


def start_rows() -> Iterator[Row]:
    """A fresh interpreter: import the core and hash a batch with a kernel that is already compiled."""
    if hashing.kernel_info()["sha256"]["kernel"] != "lanes":
        raise SkippedError("no compiled kernel is used here")
    code = "import l2sim.crypto, numpy; l2sim.crypto.sha256_batch(numpy.zeros((1000, 64), numpy.uint8), kernel='lanes')"

    def start() -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    def empty() -> None:
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)

    yield Row(
        "start: import of l2sim.crypto and first use of a cached kernel",
        start,
        1,
        loop=empty,
        loop_name="a start that imports numpy",
        loop_operations=1,
        target_ns=500e6,
    )
