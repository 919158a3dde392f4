"""Key derivation and per-commitment secrets against BOLT 3, appendices D and E."""

import json

import pytest

from l2sim.crypto.bitcoin.keys import (
    derive_public_key,
    derive_revocation_key,
    derive_revocation_secret,
    derive_secret,
)
from l2sim.crypto.bitcoin.shachain import FIRST_INDEX, SecretStore, per_commitment_index, per_commitment_secret
from l2sim.crypto.signatures.keys import public_key
from tests.shared import shared

BASE_SECRET = bytes(range(32))
COMMITMENT_SECRET = bytes(range(31, -1, -1))


def test_keys_of_appendix_e() -> None:
    basepoint, point = public_key(BASE_SECRET), public_key(COMMITMENT_SECRET)
    facts = {
        "base_point": (basepoint, "036d6caac248af96f6afa7f904f550253a0f3ef3f5aa2fe6838a95b216691468e2"),
        "per_commitment_point": (point, "025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486"),
        "localpubkey": (
            derive_public_key(basepoint, point),
            "0235f2dbfaa89b57ec7b055afe29849ef7ddfeb1cefdb9ebdc43f5494984db29e5",
        ),
        "localprivkey": (
            derive_secret(BASE_SECRET, point),
            "cbced912d3b21bf196a766651e436aff192362621ce317704ea2f75d87e7be0f",
        ),
        "revocationpubkey": (
            derive_revocation_key(basepoint, point),
            "02916e326636d19c33f13e8c0c3a03dd157f332f3e99c317c141dd865eb01f8ff0",
        ),
        "revocationprivkey": (
            derive_revocation_secret(BASE_SECRET, COMMITMENT_SECRET),
            "d09ffff62ddb2297ab000cc85bcb4283fdeb6aa052affbc9dddcf33b61078110",
        ),
    }
    for name, (derived, printed) in facts.items():
        assert derived.hex() == printed, name
    file = json.loads(shared("vectors/lightning/bolt3/key_derivation.json").read_text())
    assert {name: derived.hex() for name, (derived, _) in facts.items()}.items() <= file.items()


def test_secrets_of_appendix_d() -> None:
    seed = bytes([0xFF]) * 32
    assert per_commitment_secret(seed, 0xAAAAAAAAAAA).hex() == (
        "56f4008fb007ca9acf0e15b054d5c9fd12ee06cea347914ddbaed70d1c13a528"
    )
    file = json.loads(shared("vectors/lightning/bolt3/per_commitment_secrets.json").read_text())
    assert len(file["generate"]) == 3
    for case in file["generate"]:
        assert per_commitment_secret(bytes.fromhex(case["seed"]), case["I"]).hex() == case["output"], case["name"]


def test_storage_of_appendix_d() -> None:
    file = json.loads(shared("vectors/lightning/bolt3/per_commitment_secrets.json").read_text())
    refused = 0
    for case in file["store"]:
        store = SecretStore()
        for insert in case["inserts"]:
            secret = bytes.fromhex(insert["secret"])
            if insert["result"] == "OK":
                store.insert(insert["I"], secret)
                assert store.secret(insert["I"]) == secret
            else:
                refused += 1
                with pytest.raises(ValueError, match="must lead to the secret of index"):
                    store.insert(insert["I"], secret)
    assert refused == len(file["store"]) - 1 == 4


def test_what_is_refused() -> None:
    store = SecretStore()
    with pytest.raises(ValueError, match=f"next one downwards, {FIRST_INDEX}"):
        store.insert(5, bytes(32))
    with pytest.raises(ValueError, match="secret: must be exactly 32 bytes"):
        store.insert(FIRST_INDEX, bytes(31))
    with pytest.raises(LookupError, match="to come"):
        store.secret(FIRST_INDEX)
    with pytest.raises(ValueError, match="index: must be from 0"):
        per_commitment_secret(bytes(32), 2**48)
    with pytest.raises(ValueError, match="seed"):
        per_commitment_secret(bytes(33), 0)
    with pytest.raises(ValueError, match="commitment_number"):
        per_commitment_index(-1)
    assert per_commitment_index(0) == FIRST_INDEX
    assert per_commitment_index(FIRST_INDEX) == 0
