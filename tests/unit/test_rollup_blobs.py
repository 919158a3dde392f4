"""Blobs as the OP Stack fills them, and real commitments of them in a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import l2sim
from l2sim.crypto.kzg import BLOB_BYTES, load_setup, versioned_hash
from l2sim.errors import InputError
from l2sim.results.outcomes import Outcome
from l2sim.systems.rollup import l1_account
from l2sim.systems.rollup.blobs import MOST_DATA_BYTES, decode_blob, encode_blob, kzg_committer
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
