"""Weights, fees and dust limits of channel transactions against the tables of BOLT 3 and BOLT 5."""

import json
from dataclasses import replace
from typing import Any

from l2sim.crypto.bitcoin.channel_type import (
    MAX_ACCEPTED_HTLCS,
    ChannelType,
    commitment_fee_sat,
    commitment_weight_wu,
    htlc_fee_sat,
    htlc_weight_wu,
    is_trimmed,
)
from l2sim.crypto.bitcoin.claims import sweep_weight_wu, to_remote_claim
from l2sim.crypto.bitcoin.commitment import Commitment, build_commitment
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.penalty import revoked_claims, revoked_to_local_claim
from l2sim.crypto.hashing.reference import sha256
from tests.shared import shared
from tests.unit.test_crypto_bolt3_commitment import appendix_parameters, appendix_state


def load() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared("vectors/lightning/bolt3/fees_and_weights.json").read_text())
    return loaded


def commitment_of(feerate_per_kw: int, offered_msat: list[int], received_msat: list[int]) -> Commitment:
    """A legacy commitment with these HTLCs, a dust limit of 546 sat and the delay of appendix C."""
    offered, received = (
        tuple(Htlc(msat, sha256(bytes([side, i])), 500_000) for i, msat in enumerate(amounts))
        for side, amounts in enumerate((offered_msat, received_msat))
    )
    state = appendix_state(feerate_per_kw, 6_000_000_000 - sum(offered_msat), 4_000_000_000 - sum(received_msat))
    return build_commitment(
        appendix_parameters(ChannelType.LEGACY, 546), replace(state, offered=offered, received=received)
    )


def test_expected_weights() -> None:
    table = load()["expected_weights"]
    names = {ChannelType.LEGACY: "no_anchors", ChannelType.ANCHORS: "anchors"}
    for channel_type, name in names.items():
        base, per_htlc = (int(part.strip(" *n")) for part in table[f"commitment_{name}"].split("+"))
        assert [commitment_weight_wu(channel_type, n) for n in (0, 1, 966)] == [
            base + per_htlc * n for n in (0, 1, 966)
        ]
        assert htlc_weight_wu(channel_type, offered=True) == table[f"htlc_timeout_{name}"]
        assert htlc_weight_wu(channel_type, offered=False) == table[f"htlc_success_{name}"]


def test_the_worked_example() -> None:
    example = load()["example"]
    feerate, dust = example["feerate_per_kw"], example["dust_limit_satoshis"]
    for offered, side, fee in ((True, "offered_msat", "timeout"), (False, "received_msat", "success")):
        assert htlc_fee_sat(ChannelType.LEGACY, feerate, offered=offered) == example[f"htlc_{fee}_fee_sat"]
        kept = [
            msat
            for msat in example[side]
            if not is_trimmed(ChannelType.LEGACY, msat, feerate_per_kw=feerate, dust_limit_sat=dust, offered=offered)
        ]
        assert kept == example["untrimmed"][side]
    commitment = commitment_of(feerate, example["offered_msat"], example["received_msat"])
    untrimmed = len(commitment.htlcs)
    assert untrimmed == 2
    assert commitment_weight_wu(ChannelType.LEGACY, untrimmed) == example["weight"]
    assert commitment_fee_sat(ChannelType.LEGACY, feerate, untrimmed) == example["base_fee_sat"]
    assert commitment.fee_sat == example["actual_fee_sat"]


def test_penalty_inputs() -> None:
    table = load()["penalty_input_weights"]
    commitment = commitment_of(253, [2_000_000], [3_000_000])
    to_local = revoked_to_local_claim(commitment)
    weight = sweep_weight_wu([to_local], [])
    added = {
        output.offered: sweep_weight_wu([to_local, claim], []) - weight
        for output, claim in zip(commitment.htlcs, revoked_claims(commitment)[1:], strict=True)
    }
    assert added == {True: table["offered_htlc"], False: table["accepted_htlc"]}
    # BOLT 5 reckons with a delay of 8 bytes in to_local, which at 144 blocks has 3, and with a 72-byte signature
    # item in to_remote, where we count 73 as everywhere.
    empty = 4 * (4 + 1 + 1 + 4) + 2
    assert weight - empty == table["to_local"] - 8 + 3
    remote = sweep_weight_wu([to_local, to_remote_claim(commitment)], []) - weight
    assert remote == table["to_remote_p2wpkh"] + 1
    # The standard transaction of 400 000 wu takes every HTLC that a commitment can have.
    fixed = table["to_local"] + table["to_remote_p2wpkh"] + 4 * table["rest_of_tx_non_witness_bytes"] + 2
    most = (400_000 - fixed) // added[False]
    assert most == table["max_htlcs_in_one_400000wu_tx"] == 2 * MAX_ACCEPTED_HTLCS
