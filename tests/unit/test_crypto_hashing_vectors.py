"""Hashes against published values, errors, settings, and the life of the kernel cache."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from l2sim.crypto import compiler, cores, hashing
from l2sim.crypto.compiler import KernelUnavailableError
from l2sim.crypto.hashing import lanes, lanes_keccak, lanes_sha256, reference
from tests.shared import shared

BATCHES = [hashing.sha256_batch, hashing.sha256d_batch, hashing.keccak256_batch]


def rows_of(message: bytes, n: int) -> np.ndarray:
    return np.tile(np.frombuffer(message, np.uint8), (n, 1))


def lanes_or_skip() -> None:
    try:
        lanes.lane_kernel("sha256")
        lanes.lane_kernel("keccak256")
    except KernelUnavailableError as error:
        pytest.skip(f"vector kernels cannot run here: {error}")


# (message, SHA-256, Keccak-256): the one-block and two-block examples of NIST's SHA256.pdf; the Keccak team's
# ShortMsgKAT_256 for no bytes and for the byte 0xCC; Keccak-256 of "abc" as Solidity's keccak256("abc") gives it.
FACTS = [
    (
        b"",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    ),
    (
        b"abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    ),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        None,
    ),
    (
        b"\xcc",
        None,
        "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a",
    ),
]


@pytest.mark.parametrize("kernel", ["lanes", "reference"])
@pytest.mark.parametrize(("message", "sha256", "keccak256"), FACTS)
def test_published_digests(message: bytes, sha256: str | None, keccak256: str | None, kernel: str) -> None:
    if kernel == "lanes":
        lanes_or_skip()
    messages = rows_of(message, 19)
    for expected, function in ((sha256, hashing.sha256_batch), (keccak256, hashing.keccak256_batch)):
        if expected is not None:
            digests = function(messages, kernel=kernel)
            assert {digest.tobytes().hex() for digest in digests} == {expected}


@pytest.mark.parametrize("kernel", ["lanes", "reference"])
def test_hashes_file(kernel: str) -> None:
    cases = json.loads(shared("vectors/rollup/hashes.json").read_text())["cases"]
    if kernel == "lanes":
        lanes_or_skip()
    for case in cases:
        messages = rows_of(bytes.fromhex(case["input_hex"]), 17)
        assert hashing.sha256_batch(messages, kernel=kernel)[16].tobytes().hex() == case["sha256"]
        keccak = hashing.keccak256_batch(messages, kernel=kernel)[16].tobytes().hex()
        assert keccak == case["keccak256"] != case["sha3_256"]


def test_tagged_hash_is_the_challenge_of_bip340() -> None:
    # BIP-340: hash_tag(x) = SHA256(SHA256(tag) || SHA256(tag) || x); the tag's hash as Bitcoin Core's
    # TaggedHash("BIP0340/challenge") midstate comment gives it (src/secp256k1 schnorrsig main_impl.h).
    prefix = reference.tag_prefix("BIP0340/challenge")
    assert prefix[:4].hex() == "7bb52d7a"
    state = lanes_sha256.compress(lanes_sha256.INITIAL_STATE, prefix)
    assert state[0] == 0x9CECBA11  # secp256k1_schnorrsig_sha256_tagged, s[0]


def test_constants_are_those_of_the_standards() -> None:
    # FIPS 180-4, sections 4.2.2 and 5.3.3; Keccak reference 3.0, sections 1.2 and 2.3.2.
    assert [hex(k) for k in (lanes_sha256.ROUND_CONSTANTS[0], lanes_sha256.ROUND_CONSTANTS[63])] == [
        "0x428a2f98",
        "0xc67178f2",
    ]
    assert hex(lanes_sha256.INITIAL_STATE[7]) == "0x5be0cd19"
    assert lanes_keccak.ROUND_CONSTANTS[1] == 0x8082
    assert lanes_keccak.ROUND_CONSTANTS[23] == 0x8000000080008008
    assert lanes_keccak.ROTATIONS[:5] == [0, 1, 62, 28, 27]


@pytest.mark.parametrize("function", BATCHES)
def test_wrong_messages_are_refused(function) -> None:
    with pytest.raises(ValueError, match=r"messages: must be of type uint8 \(got float64\)"):
        function(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"messages: must have the shape \(n, length\) \(got \(3,\)\)"):
        function(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match=r"messages: must be a numpy array of uint8 \(got list\)"):
        function([b"abc"])
    with pytest.raises(ValueError, match=r"kernel: must be one of auto, lanes, reference \(got 'fast'\)"):
        function(np.zeros((2, 3), np.uint8), kernel="fast")
    with pytest.raises(ValueError, match=r"messages: must be .* without a mask \(got MaskedArray\); fill it first"):
        function(np.ma.masked_array(np.zeros((2, 3), np.uint8), mask=[[True] * 3, [False] * 3]))


@pytest.mark.parametrize("function", [*BATCHES, partial(hashing.tagged_hash_batch, "l2sim/test")])
@pytest.mark.parametrize("rows", [0, 1, 200])
@pytest.mark.parametrize("kernel", ["auto", "reference"])
def test_threads_are_none_or_at_least_one(function, rows: int, kernel: str) -> None:
    messages = np.zeros((rows, 3), np.uint8)
    for threads in (0, -2):
        with pytest.raises(ValueError, match=rf"^threads: must be at least 1 \(got {threads}\)"):
            function(messages, kernel=kernel, threads=threads)
    for threads in (1.5, 2.0, "2", True, np.bool_(True)):
        with pytest.raises(TypeError, match=r"^threads: must be an integer, or None .*\(got "):
            function(messages, kernel=kernel, threads=threads)
    assert np.array_equal(function(messages, kernel=kernel, threads=np.int64(2)), function(messages))


@pytest.mark.parametrize("tag", [b"TapLeaf", bytearray(b"TapLeaf"), None])
def test_a_tag_that_is_no_string_is_refused(tag) -> None:
    for call in (
        lambda: hashing.tagged_hash_batch(tag, np.zeros((2, 4), np.uint8), kernel="reference"),
        lambda: hashing.tagged_hash_batch(tag, np.zeros((0, 4), np.uint8)),
        lambda: reference.tagged_hash(tag, bytes(4)),
    ):
        with pytest.raises(TypeError, match=r"^tag: must be str \(got "):
            call()


def test_cores_are_counted_where_the_system_cannot_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores.count_threads(None) == cores.available_cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores.count_threads(None) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.available_cores() == 1


def test_hash_function_by_name() -> None:
    one = hashing.hash_function("sha256d")
    assert one.single(b"") == reference.sha256(reference.sha256(b""))
    assert one.batch(np.zeros((1, 0), np.uint8))[0].tobytes() == one.single(b"")
    with pytest.raises(ValueError, match=r"hash: must be one of sha256, sha256d, keccak256 \(got 'md5'\)"):
        hashing.hash_function("md5")


def test_setting_chooses_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = np.zeros((100, 5), np.uint8)
    monkeypatch.setenv("L2SIM_KERNELS", "reference")
    monkeypatch.setattr(lanes, "lane_kernel", lambda name: pytest.fail("the setting says reference"))
    assert hashing.sha256_batch(messages)[99].tobytes() == reference.sha256(bytes(5))
    info = hashing.kernel_info()
    assert info["sha256"] == {"kernel": "reference", "reason": "L2SIM_KERNELS is set to reference"}
    monkeypatch.setenv("L2SIM_KERNELS", "quick")
    with pytest.raises(ValueError, match=r"L2SIM_KERNELS: must be one of"):
        hashing.sha256_batch(messages)


def test_auto_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(name: str) -> lanes.LaneKernel:
        raise KernelUnavailableError("no vectors on this machine")

    monkeypatch.delenv("L2SIM_KERNELS", raising=False)
    monkeypatch.setattr(lanes, "lane_kernel", unavailable)
    messages = np.zeros((100, 5), np.uint8)
    assert hashing.keccak256_batch(messages)[7].tobytes() == reference.keccak256(bytes(5))
    assert hashing.kernel_info()["keccak256"] == {"kernel": "reference", "reason": "no vectors on this machine"}
    with pytest.raises(KernelUnavailableError, match="no vectors"):
        hashing.keccak256_batch(messages, kernel="lanes")


def test_kernel_info_names_processor_and_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes_or_skip()
    monkeypatch.delenv("L2SIM_KERNELS", raising=False)
    info = hashing.kernel_info()
    assert info["cpu"]
    assert info["sha256"]["kernel"] == "lanes"
    assert info["sha256"]["lanes"] == 2 * info["keccak256"]["lanes"] == info["vector_bits"] // 32
    assert info["sha256"]["source"] in ("cache", "compiled", "memory")
    json.dumps(info)


def run_python(code: str, **environment: str) -> str:
    root = Path(__file__).resolve().parents[2]
    found = {**os.environ, "PYTHONPATH": str(root), "L2SIM_KERNELS": "auto", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=found, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_import_loads_no_compiler() -> None:
    code = (
        "import sys, l2sim.crypto.hashing, l2sim.crypto.trees.sparse; "
        "print([m for m in ('llvmlite', 'numba', 'l2sim.crypto.compiler') if m in sys.modules])"
    )
    assert run_python(code) == "[]"


SOURCE = (
    "from l2sim.crypto.hashing import kernel_info, sha256_batch; import numpy as np; "
    "print(kernel_info()['sha256']['source'], sha256_batch(np.zeros((99, 1), np.uint8))[98].tobytes().hex()[:8])"
)
ZERO_BYTE = "6e340b9c"  # SHA-256 of one zero byte, also RFC 6962's hash of an empty leaf


def test_cache_is_written_read_and_recovers(tmp_path: Path) -> None:
    lanes_or_skip()
    place = str(tmp_path / "kernels")
    assert run_python(SOURCE, L2SIM_CACHE_DIR=place) == f"compiled {ZERO_BYTE}"
    assert run_python(SOURCE, L2SIM_CACHE_DIR=place) == f"cache {ZERO_BYTE}"
    files = sorted(Path(place).iterdir())
    assert [file.name.split("-")[0] for file in files] == ["keccak256", "sha256"]
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[:-100])
    assert run_python(SOURCE, L2SIM_CACHE_DIR=place) == f"compiled {ZERO_BYTE}"
    assert files[1].read_bytes() == whole


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    lanes_or_skip()
    blocked = tmp_path / "a file where the folder should be"
    blocked.write_text("")
    assert run_python(SOURCE, L2SIM_CACHE_DIR=str(blocked)) == f"memory {ZERO_BYTE}"


def test_cache_folder_of_each_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("L2SIM_CACHE_DIR", str(tmp_path))
    assert compiler.cache_folder() == tmp_path
    monkeypatch.delenv("L2SIM_CACHE_DIR")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "w"))
    for platform, folder in (("linux", "x"), ("win32", "w"), ("darwin", "Library/Caches")):
        monkeypatch.setattr(sys, "platform", platform)
        assert compiler.cache_folder() == tmp_path / folder / "l2sim" / "kernels"
