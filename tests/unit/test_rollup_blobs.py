"""Blobs as the OP Stack and Arbitrum fill them, and real commitments of them in a run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l2sim
from l2sim.crypto.kzg import BLOB_BYTES, load_setup, versioned_hash
from l2sim.errors import InputError
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup import l1_account
from l2sim.systems.rollup.blobs import (
    MOST_DATA_BYTES,
    NITRO_DATA_BYTES,
    decode_blob,
    decode_nitro_blobs,
    encode_blob,
    encode_nitro_blob,
    encode_nitro_blobs,
    kzg_committer,
)
from l2sim.systems.rollup.posting import BLOB_BYTES as USABLE_BYTES
from tests.shared import shared
from tests.support.scenarios import SMALL, quickstart


@given(st.binary(max_size=700))
def test_any_data_comes_back_and_every_element_is_below_the_modulus(data: bytes) -> None:
    blob = encode_blob(data)
    assert len(blob) == BLOB_BYTES
    assert all(head < 0x40 for head in blob[::32]), "2**254 is below the modulus of BLS12-381"
    assert decode_blob(blob) == data


def test_a_full_blob_holds_what_the_batcher_reckons_with() -> None:
    full = bytes(i % 251 for i in range(MOST_DATA_BYTES))
    assert decode_blob(encode_blob(full)) == full
    assert MOST_DATA_BYTES == USABLE_BYTES == 130_044
    with pytest.raises(ValueError, match=r"must be at most 130044 bytes \(got 130045\)"):
        encode_blob(full + b"!")


def test_the_first_round_is_laid_out_as_the_specification_says() -> None:
    blob = encode_blob(bytes([0xFF]) * 123)  # version 0, length 123, then ones: exactly one round
    assert blob[:6] == bytes([0x3F, 0, 0, 0, 123, 0xFF])
    assert [blob[32 * i] for i in range(4)] == [0x3F, 0x3F, 0x3F, 0x3F]
    assert not any(blob[128:])


@pytest.mark.parametrize(
    ("place", "message"),
    [(0, "two highest bits"), (1, "must have version 0"), (200 * 32 + 5, "must hold zeros after its data")],
)
def test_a_damaged_blob_is_refused(place: int, message: str) -> None:
    blob = bytearray(encode_blob(b"batch"))
    blob[place] |= 0x40
    with pytest.raises(ValueError, match=message):
        decode_blob(bytes(blob))


def test_a_run_that_asks_for_real_commitments_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    setup_path = shared("vectors/rollup/kzg_trusted_setup.txt")
    posted: list[tuple[list[bytes], list[bytes]]] = []
    usual = l1_account.L1Account._submit

    def spy(self: l1_account.L1Account, waiting: l1_account.Waiting) -> None:
        if waiting.blobs:
            posted.append((list(waiting.blobs), list(waiting.blob_hashes)))
        usual(self, waiting)

    monkeypatch.setattr(l1_account.L1Account, "_submit", spy)
    setting = f"systems.validity.batcher={{commitments: kzg, kzg_setup_path: {setup_path}}}"
    result = l2sim.run(quickstart(*SMALL, setting), systems=["validity"])
    assert result.summary["validity"]["failures"].get(Outcome.DROPPED.label) is None
    setup = load_setup(setup_path)
    assert posted
    for blobs, hashes in posted[:2]:
        assert hashes == [versioned_hash(setup.commit(encode_blob(data))) for data in blobs]


def test_without_a_setup_it_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("L2SIM_KZG_TRUSTED_SETUP", raising=False)
    with pytest.raises(InputError, match="L2SIM_KZG_TRUSTED_SETUP"):
        kzg_committer(None)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 200) | st.integers(126_900, 130_060) | st.integers(0, 300_000))
def test_any_batch_of_arbitrums_comes_back_from_its_blobs(seed: int, size: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    blobs = encode_nitro_blobs(data)
    assert decode_nitro_blobs(blobs) == data
    for blob in blobs:
        elements = [int.from_bytes(blob[start : start + 32], "big") for start in range(0, BLOB_BYTES, 32)]
        assert max(elements) < 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


def test_arbitrums_blobs_hold_254_bits_an_element() -> None:
    assert NITRO_DATA_BYTES == 254 * 4_096 // 8 == 130_048
    full = NITRO_DATA_BYTES - 4  # the head of its RLP string
    assert len(encode_nitro_blobs(bytes(full))) == 1
    assert len(encode_nitro_blobs(bytes(full + 1))) == 2
    with pytest.raises(ValueError, match="at most 130048 bytes"):
        encode_nitro_blob(bytes(NITRO_DATA_BYTES + 1))


def test_arbitrums_first_elements_are_laid_out_by_hand() -> None:
    whole = 31 * 4_096
    part = bytes(range(1, 32)) + bytes(whole - 31) + bytes([0b11_100101, 0b0000_0110])
    blob = encode_nitro_blob(part)
    # Six bits an element, the lowest first: 100101, then 11 of the first byte and 0110 of the second above them.
    assert blob[:32] == bytes([0b100101]) + bytes(range(1, 32))
    assert blob[32] == 0b0110_11
    with pytest.raises(ValueError, match="two highest bits"):
        decode_nitro_blobs([b"\x40" + blob[1:]])
    with pytest.raises(ValueError, match="zeros after"):
        decode_nitro_blobs([encode_nitro_blob(b"\x01\x02")])
    with pytest.raises(ValueError, match="must be 131072 bytes"):
        decode_nitro_blobs([blob[1:]])
