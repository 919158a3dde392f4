"""KZG commitments against the vectors of c-kzg-4844."""

import base64
import json
import sys
from pathlib import Path

import pytest

from l2sim.crypto import kzg
from tests.shared import shared

# The compressed point at infinity commits to the zero blob; its versioned hash is 0x01 and SHA-256's tail
# (c-kzg-4844, tests/blob_to_kzg_commitment, blob of zeros; EIP-4844, kzg_to_versioned_hash).
INFINITY = b"\xc0" + bytes(47)
INFINITY_HASH = "010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"


@pytest.fixture(scope="module")
def setup() -> kzg.KzgSetup:
    pytest.importorskip("ckzg", reason="the extra `blobs` is not installed")
    return kzg.load_setup(shared("vectors/rollup/kzg_trusted_setup.txt"))


def test_versioned_hash_fact() -> None:
    assert kzg.versioned_hash(INFINITY).hex() == INFINITY_HASH


def test_blob_commitment_file(setup: kzg.KzgSetup) -> None:
    for case in json.loads(shared("vectors/rollup/kzg_blob_commitment.json").read_text())["cases"]:
        blob = base64.b64decode(case["blob_b64"])
        if case["commitment"] is None:
            with pytest.raises(ValueError, match=r"blob: must "):
                setup.commit(blob)
            continue
        commitment, proof = setup.commit(blob), bytes.fromhex(case["blob_proof"][2:])
        assert commitment == bytes.fromhex(case["commitment"][2:])
        assert kzg.versioned_hash(commitment) == bytes.fromhex(case["versioned_hash"][2:])
        assert setup.prove_blob(blob, commitment) == proof
        assert setup.verify_blob(blob, commitment, proof)


def test_point_evaluation_file(setup: kzg.KzgSetup) -> None:
    for case in json.loads(shared("vectors/rollup/kzg_point_evaluation.json").read_text())["cases"]:
        commitment, z, y, proof = (bytes.fromhex(case[key][2:]) for key in ("commitment", "z", "y", "proof"))
        if case["expected"] is None:
            with pytest.raises(ValueError, match=r"must (be|hold)"):
                setup.verify_point(commitment, z, y, proof)
        else:
            assert setup.verify_point(commitment, z, y, proof) is case["expected"], case["case"]


def test_point_evaluation_by_pairings() -> None:
    """The twin that needs no setup says of every case what the library says."""
    pairing = pytest.importorskip("l2sim.crypto.kzg_pairing", reason="the extra `bls` is not installed")
    for case in json.loads(shared("vectors/rollup/kzg_point_evaluation.json").read_text())["cases"]:
        given = [bytes.fromhex(case[key][2:]) for key in ("commitment", "z", "y", "proof")]
        if case["expected"] is None:
            with pytest.raises(ValueError, match=r"must (be|hold)"):
                pairing.verify_point(*given)
        else:
            assert pairing.verify_point(*given) is case["expected"], case["case"]


def test_the_twin_uses_the_setup_s_own_point() -> None:
    pairing = pytest.importorskip("l2sim.crypto.kzg_pairing", reason="the extra `bls` is not installed")
    assert pairing.TAU_G2.hex() in shared("vectors/rollup/kzg_trusted_setup.txt").read_text().split()


def test_real_bytes_are_committed_and_proved(setup: kzg.KzgSetup) -> None:
    blob = kzg.blob_of(bytes(range(256)) * 10)
    commitment = setup.commit(blob)
    assert setup.commit(bytes(kzg.BLOB_BYTES)) == INFINITY
    proof, y = setup.prove_point(blob, (7).to_bytes(32, "big"))
    assert setup.verify_point(commitment, (7).to_bytes(32, "big"), y, proof)
    assert not setup.verify_point(commitment, (8).to_bytes(32, "big"), y, proof)


def test_blob_of_fits_and_refuses() -> None:
    full = kzg.blob_of(b"\xff" * kzg.USABLE_BYTES_PER_BLOB)
    assert len(full) == kzg.BLOB_BYTES == 131_072
    assert set(full[::32]) == {0}
    with pytest.raises(ValueError, match=r"data: must be at most 126976 bytes \(got 126977\)"):
        kzg.blob_of(bytes(kzg.USABLE_BYTES_PER_BLOB + 1))
    with pytest.raises(ValueError, match=r"commitment: must be 48 bytes \(got 3\)"):
        kzg.versioned_hash(b"abc")


def test_setup_is_named_or_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(kzg.SETUP_VARIABLE, raising=False)
    with pytest.raises(kzg.KzgUnavailableError, match=r"set L2SIM_KZG_TRUSTED_SETUP"):
        kzg.load_setup()
    pytest.importorskip("ckzg", reason="the extra `blobs` is not installed")
    with pytest.raises(kzg.KzgUnavailableError, match=r"nowhere.txt: no such KZG trusted setup"):
        kzg.load_setup(tmp_path / "nowhere.txt")
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("4096\n65\nnothing\n")
    with pytest.raises(kzg.KzgUnavailableError, match=r"wrong.txt: not a KZG trusted setup"):
        kzg.load_setup(wrong)


def test_setup_from_the_environment(setup: kzg.KzgSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kzg.SETUP_VARIABLE, setup.path)
    assert kzg.load_setup() is setup


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ckzg", None)
    with pytest.raises(kzg.KzgUnavailableError, match=r"pip install 'l2sim\[blobs\]'"):
        kzg.load_setup(tmp_path / "any.txt")
