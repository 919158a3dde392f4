"""Counts of work, and the profiles that price them."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.crypto.profiles import COUNTER_OF_COST, CostProfile, ProfileError, load_profile, shipped_profiles
from l2sim.crypto.work import Work, keccak_blocks, sha256_blocks

ONE_EACH = {cost: float(i + 1) for i, cost in enumerate(COUNTER_OF_COST)}


def profile(**changed: float) -> CostProfile:
    return CostProfile(name="test", cpu="none", date="2026-01-01", **{**ONE_EACH, **changed})


def test_blocks_of_a_message() -> None:
    # FIPS 180-4: 0x80 and a 64-bit length follow the message; Keccak: at least one byte of padding in 136.
    assert [sha256_blocks(n) for n in (0, 55, 56, 64, 119, 120)] == [1, 1, 2, 2, 2, 3]
    assert [keccak_blocks(n) for n in (0, 135, 136, 271, 272)] == [1, 1, 2, 2, 3]


def test_work_counts_and_adds() -> None:
    work = Work()
    work.count_sha256(10, 64)
    work.count_keccak(3, 136)
    assert (work.sha256_blocks, work.keccak_blocks, work.hashes) == (20, 6, 13)
    other = Work(**{field.name: i + 1 for i, field in enumerate(fields(Work))})
    total = Work(**{field.name: 100 * (i + 1) for i, field in enumerate(fields(Work))})
    total.add(other)
    assert [getattr(total, field.name) for field in fields(Work)] == [101 * (i + 1) for i in range(len(fields(Work)))]
    assert other.signatures_made == other.ecdsa_signs + other.schnorr_signs + other.bls_signs
    checked = (
        other.ecdsa_verifies + other.schnorr_verifies + other.ecdsa_recovers + other.bls_verifies + other.bls_pairs
    )
    assert other.signatures_verified == checked


def test_each_cost_prices_its_counter() -> None:
    priced = set(COUNTER_OF_COST.values())
    assert priced | {"hashes"} == {field.name for field in fields(Work)}
    for cost, counter in COUNTER_OF_COST.items():
        assert profile().cost_ns(Work(**{counter: 7})) == 7 * ONE_EACH[cost]


def test_costs_are_exact_to_the_picosecond() -> None:
    fine = profile(sha256_block_ns=16.667)
    assert fine.cost_ns(Work(sha256_blocks=3)) == 50  # 50.001
    assert fine.cost_ns(Work(sha256_blocks=3_000_000_000)) == 50_001_000_000
    assert profile(sha256_block_ns=0.5).cost_ns(Work(sha256_blocks=1)) == 1


@given(st.lists(st.integers(0, 10**12), min_size=len(fields(Work)), max_size=len(fields(Work))))
def test_cost_is_a_whole_number_and_grows(counts: list[int]) -> None:
    names = [field.name for field in fields(Work)]
    work = Work(**dict(zip(names, counts, strict=True)))
    cost = load_profile().cost_ns(work)
    assert isinstance(cost, int)
    for counter in COUNTER_OF_COST.values():
        more = Work(**dict(zip(names, counts, strict=True)))
        setattr(more, counter, getattr(more, counter) + 1000)
        assert load_profile().cost_ns(more) > cost


def test_reference_profile_is_shipped_and_fixed() -> None:
    assert "reference" in shipped_profiles()
    found = load_profile()
    assert found == load_profile("reference")
    assert found.name == "reference"
    # A verification is two to four ten-thousandths of a second's thousandth on any processor of these years:
    # libsecp256k1 0.6 reports 25 to 60 microseconds.
    assert 20_000 < found.ecdsa_verify_ns < 60_000


def test_profile_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(profile().as_dict()))
    assert load_profile(path) == load_profile(str(path)) == profile()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("ecdsa_sign_ns"), r"mine.json: must hold exactly .* \(missing ecdsa_sign_ns\)"),
        (lambda d: d.update(speed=1), r"\(unknown speed\)"),
        (
            lambda d: d.update(keccak_block_ns=-1),
            r"mine.json: keccak_block_ns: must be finite and at least 0 \(got -1\)",
        ),
        (
            lambda d: d.update(keccak_block_ns="fast"),
            r"keccak_block_ns: must be a number of nanoseconds \(got 'fast'\)",
        ),
        (lambda d: d.update(keccak_block_ns=True), r"keccak_block_ns: must be a number of nanoseconds \(got True\)"),
        (lambda d: d.update(keccak_block_ns=float("nan")), r"keccak_block_ns: must be finite"),
        (lambda d: d.update(name=""), r"name: must be a text that is not empty \(got ''\)"),
    ],
)
def test_wrong_profiles_are_refused(change, message: str, tmp_path: Path) -> None:
    data = profile().as_dict()
    change(data)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ProfileError, match=message):
        load_profile(path)


def test_files_that_are_no_profiles(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"name": "x",\n oops}')
    with pytest.raises(ProfileError, match=r"mine.json:2:2: not JSON"):
        load_profile(path)
    path.write_text("[]")
    with pytest.raises(ProfileError, match=r"must hold one JSON object \(got list\)"):
        load_profile(path)
    with pytest.raises(ProfileError, match=r"absent.json: cannot read this cost profile .*--write-profile"):
        load_profile(tmp_path / "absent.json")
    with pytest.raises(ProfileError, match=r"must be one of .*reference.* \(got 'fastest'\)"):
        load_profile("fastest")
