"""The core benchmark: all rows run, its record is whole, comparisons and profiles follow from it."""

import copy
import json
from pathlib import Path

import pytest

from l2sim.bench import core, core_rows
from l2sim.bench.measure import Row, measure
from l2sim.crypto.profiles import load_profile


@pytest.fixture(scope="module")
def record() -> dict:
    seen = []
    found = core.run_core_benchmarks(quick=True, progress=seen.append)
    assert seen == found["rows"]
    return found


def test_record_is_whole(record: dict) -> None:
    assert json.loads(json.dumps(record)) == record
    assert record["format"] == core.FORMAT
    assert record["quick"] is True
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["cpu"]
    assert record["kernels"]["sha256"]["kernel"] in ("lanes", "reference")
    assert record["kernels"]["signatures"]["kernel"] in ("compiled", "reference")
    assert record["libraries"]["numpy"]
    names = [row["name"] for row in record["rows"]]
    assert len(set(names)) == len(names)
    for part in (
        "ECDSA verify, single",
        "Schnorr verify, batch, 1 core",
        "SHA-256 of 64 bytes, batch, 1 core",
        "Keccak-256 of 64 bytes, batch, 1 core",
        "Merkle root of",
        "sparse tree,",
        "onion build",
        "onion peel",
    ):
        assert any(name.startswith(part) for name in names), part
    for row in record["rows"]:
        assert row["ns_per_operation"] > 0
        assert row["operations_per_s"] == pytest.approx(1e9 / row["ns_per_operation"], rel=1e-2)
        assert (row["ratio"] is None) == (row["loop"] is None)
    reasons = {skipped["group"]: skipped["reason"] for skipped in record["skipped"]}
    assert set(reasons) <= {"bls", "blobs", "start"}


def test_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"groups: must be among signatures, .* \(got 'speed'\)"):
        core.run_core_benchmarks(quick=True, groups=["speed"])


def test_measure_takes_the_best_and_says_whether_it_is_met() -> None:
    calls: list[str] = []
    row = Row("row", lambda: calls.append("run"), 10, 1, lambda: calls.append("loop"), "loop", 10, target_ratio=1e-9)
    found = measure(row, 3)
    assert calls == ["run"] + ["run", "loop"] * 3
    assert found["met"] is True
    assert found["ratio"] == pytest.approx(found["loop_ns_per_operation"] / found["ns_per_operation"], rel=1e-2)
    assert found["rounds"] == 3
    assert found["ratio_quartiles"] == sorted(found["ratio_quartiles"])
    assert measure(Row("row", lambda: None, 1), 2)["ratio_quartiles"] is None
    assert measure(Row("row", lambda: None, 1), 2)["met"] is None
    assert measure(Row("row", lambda: None, 1, target_ns=1e12), 2)["met"] is True
    assert measure(Row("row", lambda: sum(range(1000)), 1, target_ns=1e-6), 2)["met"] is False


def test_compare_finds_what_slowed(record: dict) -> None:
    same = core.compare(record, record)
    assert len(same) == len(record["rows"])
    assert not any(row.regressed for row in same)
    assert all(row.change == 1 for row in same)
    slower = copy.deepcopy(record)
    hashed = next(row for row in slower["rows"] if row["ratio"] is not None)
    single = next(row for row in slower["rows"] if row["ratio"] is None)
    hashed["ratio"] /= 2
    single["ns_per_operation"] *= 1.3
    found = {row.name: row for row in core.compare(record, slower)}
    assert {name for name, row in found.items() if row.regressed} == {hashed["name"], single["name"]}
    assert found[hashed["name"]].change == pytest.approx(0.5)
    assert not any(row.regressed for row in core.compare(record, slower, threshold=0.6))
    assert not any(row.regressed for row in core.compare(slower, record))


def test_compare_refuses_what_is_no_record(record: dict) -> None:
    with pytest.raises(ValueError, match=r"old: must be a record of the format l2sim-core-benchmark-1 \(got None\)"):
        core.compare({}, record)
    with pytest.raises(ValueError, match=r"threshold: must be above 0 and below 1 \(got 1.5\)"):
        core.compare(record, record, threshold=1.5)


def test_profile_follows_from_the_rows(record: dict, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    missing = core.write_profile(path, record)
    found = load_profile(path)
    rows = {row["name"]: row["ns_per_operation"] for row in record["rows"]}
    assert found.name == "mine"
    assert found.date == record["date"]
    assert found.sha256_block_ns == pytest.approx(rows["SHA-256 of 64 bytes, batch, 1 core"] / 2, abs=1e-3)
    assert found.ecdsa_verify_ns == rows["ECDSA verify, batch, 1 core"]
    assert found.onion_build_ns == rows["onion build, 4 hops, single"]
    blobs_skipped = any(skipped["group"] == "blobs" for skipped in record["skipped"])
    bls_skipped = any(skipped["group"] == "bls" for skipped in record["skipped"])
    bls = ["bls_sign_ns", "bls_verify_ns", "bls_point_ns", "bls_pair_ns"] if bls_skipped else []
    assert missing == (["blob_commitment_ns"] if blobs_skipped else []) + bls
    if blobs_skipped:
        assert found.blob_commitment_ns == load_profile().blob_commitment_ns


def test_rows_that_cannot_run_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("L2SIM_KZG_TRUSTED_SETUP", raising=False)
    monkeypatch.setattr(core_rows, "_memory_bytes", lambda: 1)
    found = core.run_core_benchmarks(quick=True, groups=["blobs", "sparse"])
    assert found["rows"] == []
    assert [skipped["group"] for skipped in found["skipped"]] == ["blobs", "sparse"]
    assert "L2SIM_KZG_TRUSTED_SETUP" in found["skipped"][0]["reason"]
    assert "MiB of memory" in found["skipped"][1]["reason"]
