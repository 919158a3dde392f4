"""Commitment and HTLC transactions against BOLT 3's appendices C and F and the zero-fee proposal, byte for byte."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from l2sim.crypto.bitcoin.channel_type import ChannelType, commitment_fee_sat, htlc_fee_sat, is_trimmed
from l2sim.crypto.bitcoin.commitment import (
    Commitment,
    CommitmentParameters,
    CommitmentState,
    build_commitment,
    obscuring_factor,
)
from l2sim.crypto.bitcoin.commitment_signed import sign_commitment, verify_commitment
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.keys import Basepoints, CommitmentKeys, commitment_keys, derive_secret
from l2sim.crypto.bitcoin.script import p2wsh
from l2sim.crypto.bitcoin.sighash import segwit_digest
from l2sim.crypto.bitcoin.transaction import OutPoint, display_id, txid_from_display
from l2sim.crypto.hashing.reference import sha256
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from tests.shared import shared

PREIMAGES = [bytes([i]) * 32 for i in (0, 1, 2, 3, 4)]

# BOLT 3, Appendix C: secrets, and the point of the owner's per-commitment secret 1f1e...00.
OWNER_FUNDING_SECRET = bytes.fromhex("30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749")
PEER_FUNDING_SECRET = bytes.fromhex("1552dfba4f6cf29a62a0af13c8d6981d36d0ef8d61ba10fb0fe90da7634d7e13")
OWNER_PAYMENT_SECRET = bytes([0x11]) * 32
PEER_PAYMENT_SECRET = bytes([0x44]) * 32
DELAYED_SECRET = bytes([0x33]) * 32
REVOCATION_SECRET = bytes([0x22]) * 32
POINT = bytes.fromhex("025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486")
# Appendix C: received 0, 1, 4 and offered 2, 3; preimages are the number repeated, expiries 500 and on.
HTLCS = [
    Htlc(amount_sat * 1000, sha256(preimage), 500 + i)
    for i, (amount_sat, preimage) in enumerate(zip((1000, 2000, 2000, 3000, 4000), PREIMAGES, strict=True))
]
OFFERED, RECEIVED = (HTLCS[2], HTLCS[3]), (HTLCS[0], HTLCS[1], HTLCS[4])


def appendix_keys() -> CommitmentKeys:
    owner_payment, peer_payment = public_key(OWNER_PAYMENT_SECRET), public_key(PEER_PAYMENT_SECRET)
    unused = owner_payment
    owner = Basepoints(owner_payment, public_key(DELAYED_SECRET), owner_payment, unused)
    peer = Basepoints(peer_payment, unused, peer_payment, public_key(REVOCATION_SECRET))
    return commitment_keys(owner, peer, POINT)


def appendix_parameters(channel_type: ChannelType, dust_limit_sat: int = 546) -> CommitmentParameters:
    owner_payment, peer_payment = public_key(OWNER_PAYMENT_SECRET), public_key(PEER_PAYMENT_SECRET)
    return CommitmentParameters(
        channel_type=channel_type,
        funding=OutPoint(txid_from_display("8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be"), 0),
        funding_sat=10_000_000,
        owner_is_funder=True,
        owner_funding_key=public_key(OWNER_FUNDING_SECRET),
        peer_funding_key=public_key(PEER_FUNDING_SECRET),
        peer_payment_key=peer_payment,
        obscuring_factor=obscuring_factor(owner_payment, peer_payment),
        to_self_delay_blocks=144,
        dust_limit_sat=dust_limit_sat,
    )


def appendix_state(feerate_per_kw: int, owner_msat: int, peer_msat: int) -> CommitmentState:
    in_flight = owner_msat + peer_msat < 10_000_000_000
    return CommitmentState(
        number=42,
        keys=appendix_keys(),
        owner_msat=owner_msat,
        peer_msat=peer_msat,
        feerate_per_kw=feerate_per_kw,
        offered=OFFERED if in_flight else (),
        received=RECEIVED if in_flight else (),
    )


@dataclass
class Signer:
    """Both sides' secrets, so that a test can finish what BOLT 3 prints finished."""

    owner_funding: bytes
    peer_funding: bytes
    owner_htlc: bytes
    peer_htlc: bytes
    preimages: dict[bytes, bytes]

    def commitment(self, commitment: Commitment) -> str:
        owner = ecdsa.sign(commitment.digest, self.owner_funding)
        return commitment.signed(owner, self.peer_signature(commitment)).serialize().hex()

    def peer_signature(self, commitment: Commitment) -> bytes:
        return ecdsa.sign(commitment.digest, self.peer_funding)

    def second_stage(self, commitment: Commitment) -> list[str]:
        transactions = []
        for output in commitment.htlcs:
            preimage = None if output.offered else self.preimages[output.htlc.payment_hash]
            owner = ecdsa.sign(output.owner_digest, self.owner_htlc)
            peer = ecdsa.sign(output.digest, self.peer_htlc)
            transactions.append(output.signed(peer, owner, preimage).serialize().hex())
        return transactions


SIGNER = Signer(
    OWNER_FUNDING_SECRET,
    PEER_FUNDING_SECRET,
    derive_secret(OWNER_PAYMENT_SECRET, POINT),
    derive_secret(PEER_PAYMENT_SECRET, POINT),
    {sha256(preimage): preimage for preimage in PREIMAGES},
)


def cases(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(shared(f"vectors/lightning/bolt3/{name}.json").read_text())["cases"]
    return loaded


def test_the_appendix_c_constants_are_those_of_the_file() -> None:
    common = json.loads(shared("vectors/lightning/bolt3/commitment_legacy.json").read_text())["common"]
    keys, parameters = appendix_keys(), appendix_parameters(ChannelType.LEGACY)
    assert keys.owner_htlc.hex() == common["local_htlcpubkey"]
    assert keys.peer_htlc.hex() == common["remote_htlcpubkey"]
    assert keys.delayed.hex() == common["local_delayedpubkey"]
    assert keys.revocation.hex() == common["local_revocation_pubkey"]
    assert f"{parameters.obscuring_factor:012x}" == common["obscuring_factor"] == "2bb038521914"
    assert parameters.funding_script.hex() == common["funding_wscript"]


def test_legacy_commitments_of_appendix_c() -> None:
    parameters = appendix_parameters(ChannelType.LEGACY)
    seen = 0
    for case in cases("commitment_legacy"):
        state = appendix_state(case["local_feerate_per_kw"], case["to_local_msat"], case["to_remote_msat"])
        commitment = build_commitment(parameters, state)
        assert SIGNER.commitment(commitment) == case["commit_tx"], case["name"]
        assert ecdsa.compact_to_der(SIGNER.peer_signature(commitment)).hex() == case["remote_signature"]
        assert len(commitment.htlcs) == case["num_htlcs"]
        assert commitment.fee_sat == case["actual_commitment_fee_sat"]
        fee_sat = commitment_fee_sat(ChannelType.LEGACY, case["local_feerate_per_kw"], case["num_htlcs"])
        assert fee_sat == case["base_commitment_fee_sat"]
        assert SIGNER.second_stage(commitment) == [htlc["tx"] for htlc in case["htlc_txs"]]
        for output, htlc in zip(commitment.htlcs, case["htlc_txs"], strict=True):
            peer = ecdsa.compact_to_der(ecdsa.sign(output.digest, SIGNER.peer_htlc))
            assert peer.hex() == htlc["remote_htlc_signature"]
            assert ("timeout" if output.offered else "success") == htlc["kind"]
            assert output.outpoint.vout == int(htlc["output"])
            # The digest is hashed from the fields; the transaction itself must give the same.
            assert output.digest == segwit_digest(
                output.transaction, 0, output.witness_script, output.value_sat, output.hash_type
            )
        seen += 1
    assert seen == 10


def test_anchor_commitments_of_appendix_f() -> None:
    seen = 0
    for case in cases("commitment_anchors"):
        parameters = appendix_parameters(ChannelType.ANCHORS, case["DustLimitSatoshis"])
        state = appendix_state(case["FeePerKw"], case["LocalBalance"], case["RemoteBalance"])
        commitment = build_commitment(parameters, state)
        assert SIGNER.commitment(commitment) == case["ExpectedCommitmentTxHex"], case["Name"]
        assert ecdsa.compact_to_der(SIGNER.peer_signature(commitment)).hex() == case["RemoteSigHex"]
        assert SIGNER.second_stage(commitment) == [htlc["ResolutionTxHex"] for htlc in case["HtlcDescs"]]
        for output, htlc in zip(commitment.htlcs, case["HtlcDescs"], strict=True):
            peer = ecdsa.compact_to_der(ecdsa.sign(output.digest, SIGNER.peer_htlc))
            assert peer.hex() == htlc["RemoteSigHex"]
            assert output.digest == segwit_digest(
                output.transaction, 0, output.witness_script, output.value_sat, output.hash_type
            )
        seen += 1
    assert seen == 5


# Facts of the zero-fee proposal (lightning/bolts, pull request 1228): its parameters and first commitment.
ZERO_FEE: dict[str, Any] = {
    "local_funding_priv": "8f567cb6382507019349a47623902aa65d7a142ac85462eeb63dc11799ac2bb9",
    "remote_funding_priv": "4d22d96f0c0ccecffee4554d20ed43e51235917508ee292d281235bb7ebe0e3e",
    "funding_txid": "4b70a2ee47b3005a6316ff87055e94c6b3d433d0fd3b384c9ecf7813843c1eae",
    "funding_index": 1,
    "funding_amount_satoshis": 10_000_000,
    "commitment_number": 42,
    "to_self_delay": 720,
    "local_payment_basepoint_secret": "94f29d20a225ea2f7093331ba0f0f28a9382d8ed08e1fd121329925cd0c01b6d",
    "local_delayed_payment_basepoint_secret": "e9d4e1935bf16e948d76ad007baf0646df023af38f41bcf2c8799336949d291e",
    "local_htlc_basepoint_secret": "f699038ef4f95b6b16b22a5c04fcb3c508d68d02cd2f86cf197e0fac451681b0",
    "per_commitment_point": "0275d12130c276b4274358a328901f8fc47e6c72629102e4b46c9f27dd2c1dda98",
    "remote_payment_basepoint_secret": "580bff39085f3a6ae8b1f32905e67366c522ea8f2418391145b2e98f1a7cb3f2",
    "remote_htlc_basepoint_secret": "32df9c4dd46ab6210e74e81e15282106f8db883f45674eabb3324166c6513062",
    "revocation_basepoint": "026788d019ed90149cbc9aa5ff26dd7f1a6d3cd1bee8bf36cf7d8310fbd3606b14",
    "payment_hash_to_preimage": {},
    "tests": [
        {
            "name": "Commitment transaction without HTLCs, both outputs untrimmed",
            "dust_limit_satoshis": 500,
            "to_local_msat": 8_000_000_000,
            "to_remote_msat": 2_000_000_000,
            "signed_commit_tx": (
                "03000000000101ae1e3c841378cf9e4c383bfdd033d4b3c6945e0587ff16635a00b347eea2704b0100000000340fef80"
                "0300000000000000000451024e7380841e0000000000160014f2123f1a4b67887f2e5f02eda73e6327010152ea00127a"
                "0000000000220020f2d298ffcfd6d899a3abada37bfc6f42ce0b7b66f3e39e903e8419ac97dca75a0400483045022100"
                "a05afcdfaf045a0a7b6adb194dcda430bb8e47db8c6d1536b2a94bd98fed77ed02206d580dcd5cba42aebed39515fbd0"
                "0fdd90480825ae23cce87eef1f1711e2125e0148304502210094afa18972599f7a78b06467bd11d742875baf74aa9e51"
                "6a775720564671fd8e02206b9ed5f48fb92a1c19543d67f29ee3bd43afee1ec1af6f7f9b4e3371beb821620147522102"
                "7eb9596a68740445fb151ff37d5422e7f65f2c497c90fda63e738eb606c15bd62103bbc16dc8851bece603322f06b3c8"
                "da329401b7be7e9fdd3f3090ad19aed0807052aec50fbb20"
            ),
        }
    ],
}


def test_zero_fee_commitments_of_the_proposal() -> None:
    file = json.loads(shared("vectors/lightning/bolt3/zero_fee_commitments_proposal.json").read_text())
    assert {name: file[name] for name in ZERO_FEE if isinstance(ZERO_FEE[name], str | int)}.items() <= ZERO_FEE.items()
    check_zero_fee_commitments(file)
    assert len(file["tests"]) == 6


def test_a_zero_fee_commitment_without_the_file() -> None:
    check_zero_fee_commitments(ZERO_FEE)


def check_zero_fee_commitments(file: dict[str, Any]) -> None:
    secret = {key: bytes.fromhex(value) for key, value in file.items() if key.endswith(("_secret", "_priv"))}
    point = bytes.fromhex(file["per_commitment_point"])
    owner_payment = public_key(secret["local_payment_basepoint_secret"])
    peer_payment = public_key(secret["remote_payment_basepoint_secret"])
    revocation = bytes.fromhex(file["revocation_basepoint"])
    owner = Basepoints(
        owner_payment,
        public_key(secret["local_delayed_payment_basepoint_secret"]),
        public_key(secret["local_htlc_basepoint_secret"]),
        revocation,
    )
    peer = Basepoints(peer_payment, peer_payment, public_key(secret["remote_htlc_basepoint_secret"]), revocation)
    signer = Signer(
        secret["local_funding_priv"],
        secret["remote_funding_priv"],
        derive_secret(secret["local_htlc_basepoint_secret"], point),
        derive_secret(secret["remote_htlc_basepoint_secret"], point),
        {bytes.fromhex(k): bytes.fromhex(v) for k, v in file["payment_hash_to_preimage"].items()},
    )
    parameters = CommitmentParameters(
        channel_type=ChannelType.ZERO_FEE,
        funding=OutPoint(txid_from_display(file["funding_txid"]), file["funding_index"]),
        funding_sat=file["funding_amount_satoshis"],
        owner_is_funder=True,
        owner_funding_key=public_key(secret["local_funding_priv"]),
        peer_funding_key=public_key(secret["remote_funding_priv"]),
        peer_payment_key=peer_payment,
        obscuring_factor=obscuring_factor(owner_payment, peer_payment),
        to_self_delay_blocks=file["to_self_delay"],
        dust_limit_sat=546,
    )

    def htlcs(entries: list[dict[str, Any]]) -> tuple[Htlc, ...]:
        return tuple(
            Htlc(entry["amount_msat"], bytes.fromhex(entry["payment_hash"]), entry["cltv_expiry"]) for entry in entries
        )

    for case in file["tests"]:
        state = CommitmentState(
            number=file["commitment_number"],
            keys=commitment_keys(owner, peer, point),
            owner_msat=case["to_local_msat"],
            peer_msat=case["to_remote_msat"],
            feerate_per_kw=0,
            offered=htlcs(case.get("outgoing_htlcs", [])),
            received=htlcs(case.get("incoming_htlcs", [])),
        )
        commitment = build_commitment(replace(parameters, dust_limit_sat=case["dust_limit_satoshis"]), state)
        assert signer.commitment(commitment) == case["signed_commit_tx"], case["name"]
        second = dict(zip(commitment.htlcs, signer.second_stage(commitment), strict=True))
        assert [raw for output, raw in second.items() if not output.offered] == case.get("signed_htlc_success_txs", [])
        assert [raw for output, raw in second.items() if output.offered] == case.get("signed_htlc_timeout_txs", [])


# Facts of BOLT 3 for a clone alone: the peer's signatures that appendices C and F print, without sighash byte, of the
# commitment and of its first two HTLC transactions.
PRINTED = [
    (
        ChannelType.LEGACY,
        15_000,
        7_000_000_000,
        3_000_000_000,
        [
            "3045022100c3127b33dcc741dd6b05b1e63cbd1a9a7d816f37af9b6756fa2376b056f032370220408b96279808fe57eb7e46"
            "3710804cdf4f108388bc5cf722d8c848d2c7f9f3b0",
        ],
    ),
    (
        ChannelType.ANCHORS,
        15_000,
        7_000_000_000,
        3_000_000_000,
        [
            "3045022100f89034eba16b2be0e5581f750a0a6309192b75cce0f202f0ee2b4ec0cc394850022076c65dc507fe42276152b7"
            "a3d90e961e678adbe966e916ecfe85e64d430e75f3",
        ],
    ),
    (
        ChannelType.LEGACY,
        647,
        6_988_000_000,
        3_000_000_000,
        [
            "3045022100a135f9e8a5ed25f7277446c67956b00ce6f610ead2bdec2c2f686155b7814772022059f1f6e1a8b336a68efcc1"
            "af3fe4d422d4827332b5b067501b099c47b7b5b5ee",
            "30450221008437627f9ad84ac67052e2a414a4367b8556fd1f94d8b02590f89f50525cd33502205b9c21ff6e7fc864f23527"
            "46ad8ba59182510819acb644e25b8a12fc37bbf24f",
            "304402205a67f92bf6845cf2892b48d874ac1daf88a36495cf8a06f93d83180d930a6f75022031da1621d95c3f335cc06a30"
            "56cf960199dae600b7cf89088f65fc53cdbef28c",
        ],
    ),
    (
        ChannelType.ANCHORS,
        644,
        6_988_000_000,
        3_000_000_000,
        [
            "3045022100e0106830467a558c07544a3de7715610c1147062e7d091deeebe8b5c661cda9402202ad049c1a6d04834317a78"
            "483f723c205c9f638d17222aafc620800cc1b6ae35",
            "30440220746dc89a593e1b50915db63359b50c3c404f8324f78075c87708c866ccefda2502202a11062012dc8607b17e8c46"
            "ea4eefdfcc6b89a35440de99432ba12788d7bb17",
            "3045022100a847bc3b8cf2441013725ae32dc589c419835d069afd6d7f3d9834d8be7cea6e02204ce9d35ec7f0788da80e4d"
            "62e810c4ccd13617e58fa10832e38fb7ae87bdf338",
        ],
    ),
]


@pytest.mark.parametrize(("channel_type", "feerate_per_kw", "owner_msat", "peer_msat", "printed"), PRINTED)
def test_printed_signatures(
    channel_type: ChannelType, feerate_per_kw: int, owner_msat: int, peer_msat: int, printed: list[str]
) -> None:
    state = appendix_state(feerate_per_kw, owner_msat, peer_msat)
    commitment = build_commitment(appendix_parameters(channel_type), state)
    signatures = sign_commitment(commitment, SIGNER.peer_funding, SIGNER.peer_htlc)
    made = [signatures.commitment, *signatures.htlcs][: len(printed)]
    assert [ecdsa.compact_to_der(signature).hex() for signature in made] == printed


def test_the_worked_fee_example() -> None:
    # BOLT 3, "Fees": feerate 5000, dust 546, offered 5000 and 1000 sat, received 7000 and 800 sat.
    assert htlc_fee_sat(ChannelType.LEGACY, 5000, offered=True) == 3315
    assert htlc_fee_sat(ChannelType.LEGACY, 5000, offered=False) == 3515
    offered = tuple(Htlc(msat, sha256(b"a"), 500) for msat in (5_000_000, 1_000_000))
    received = tuple(Htlc(msat, sha256(b"b"), 500) for msat in (7_000_000, 800_000))
    state = replace(appendix_state(5000, 7_000_000_000, 3_000_000_000 - 13_800_000), offered=offered, received=received)
    commitment = build_commitment(appendix_parameters(ChannelType.LEGACY), state)
    assert [(output.offered, output.place) for output in commitment.htlcs] == [(True, 0), (False, 0)]
    assert commitment_fee_sat(ChannelType.LEGACY, 5000, 2) == 5340
    assert commitment.fee_sat == 7140
    trimmed = [
        is_trimmed(ChannelType.LEGACY, msat, feerate_per_kw=5000, dust_limit_sat=546, offered=side)
        for side, msat in ((True, 5_000_000), (True, 1_000_000), (False, 7_000_000), (False, 800_000))
    ]
    assert trimmed == [False, True, False, True]


def test_equal_htlcs_are_ordered_by_expiry() -> None:
    # BOLT 3, "Transaction Output Ordering": the script of an offered HTLC does not say its expiry.
    offered = tuple(Htlc(5_000_000, sha256(PREIMAGES[0]), expiry) for expiry in (506, 505))
    state = replace(appendix_state(253, 6_000_000_000, 3_990_000_000), offered=offered, received=())
    commitment = build_commitment(appendix_parameters(ChannelType.ANCHORS), state)
    assert [output.htlc.cltv_expiry_blocks for output in commitment.htlcs] == [505, 506]
    assert [output.place for output in commitment.htlcs] == [1, 0]


def test_both_sides_hold_mirrored_commitments() -> None:
    parameters = appendix_parameters(ChannelType.ANCHORS)
    mirror = replace(
        parameters,
        owner_is_funder=False,
        owner_funding_key=parameters.peer_funding_key,
        peer_funding_key=parameters.owner_funding_key,
        peer_payment_key=public_key(OWNER_PAYMENT_SECRET),
    )
    state = appendix_state(2500, 6_988_000_000, 3_000_000_000)
    mirrored = replace(
        state, owner_msat=state.peer_msat, peer_msat=state.owner_msat, offered=state.received, received=state.offered
    )
    ours, theirs = build_commitment(parameters, state), build_commitment(mirror, mirrored)
    assert ours.fee_sat == theirs.fee_sat
    assert sorted(output.value_sat for output in ours.transaction.outputs) == sorted(
        output.value_sat for output in theirs.transaction.outputs
    )
    assert {output.htlc for output in ours.htlcs if output.offered} == {
        output.htlc for output in theirs.htlcs if not output.offered
    }


def test_places_of_the_outputs() -> None:
    commitment = build_commitment(
        appendix_parameters(ChannelType.ANCHORS), appendix_state(644, 6_988_000_000, 3_000_000_000)
    )
    outputs = commitment.transaction.outputs
    places = [
        commitment.owner_anchor_vout,
        commitment.peer_anchor_vout,
        *[output.outpoint.vout for output in commitment.htlcs],
        commitment.to_remote_vout,
        commitment.to_local_vout,
    ]
    assert sorted(place for place in places if place is not None) == list(range(len(outputs))) == list(range(9))
    assert commitment.to_local_vout is not None
    assert outputs[commitment.to_local_vout].script == p2wsh(commitment.to_local_script)
    assert commitment.digests() == [commitment.digest, *[output.digest for output in commitment.htlcs]]
    assert display_id(commitment.txid) == display_id(commitment.transaction.txid)


@pytest.mark.parametrize("channel_type", list(ChannelType))
def test_commitment_signed_is_made_and_checked(channel_type: ChannelType) -> None:
    state = appendix_state(0, 6_988_000_000, 3_000_000_000)
    commitment = build_commitment(appendix_parameters(channel_type), state)
    signatures = sign_commitment(commitment, SIGNER.peer_funding, SIGNER.peer_htlc)
    assert [signatures.commitment, *signatures.htlcs] == [
        ecdsa.sign(digest, secret)
        for digest, secret in zip(commitment.digests(), [SIGNER.peer_funding, *[SIGNER.peer_htlc] * 5], strict=True)
    ]
    assert verify_commitment(commitment, signatures)
    first, second, *others = signatures.htlcs
    bad = [
        replace(signatures, commitment=first),
        replace(signatures, htlcs=signatures.htlcs[1:]),
        replace(signatures, htlcs=(*signatures.htlcs, first)),
        replace(signatures, htlcs=(second, first, *others)),
        sign_commitment(commitment, SIGNER.owner_funding, SIGNER.peer_htlc),
        sign_commitment(commitment, SIGNER.peer_funding, SIGNER.owner_htlc),
        sign_commitment(
            build_commitment(commitment.parameters, replace(state, number=43)), SIGNER.peer_funding, SIGNER.peer_htlc
        ),
    ]
    assert not any(verify_commitment(commitment, wrong) for wrong in bad)


def test_what_is_refused() -> None:
    parameters = appendix_parameters(ChannelType.ANCHORS)
    state = appendix_state(253, 6_988_000_000, 3_000_000_000)
    with pytest.raises(ValueError, match=r"add up to 10000000000 msat \(got 9999999999\)"):
        build_commitment(parameters, replace(state, owner_msat=state.owner_msat - 1))
    with pytest.raises(ValueError, match="at least 0"):
        build_commitment(parameters, replace(state, owner_msat=-1))
    with pytest.raises(ValueError, match="number"):
        build_commitment(parameters, replace(state, number=2**48))
    with pytest.raises(ValueError, match="feerate_per_kw"):
        build_commitment(replace(parameters, channel_type=ChannelType.ZERO_FEE), state)
    with pytest.raises(ValueError, match=r"pay for both anchors \(lacks 330 sat\)"):
        build_commitment(parameters, appendix_state(0, 0, 10_000_000_000))
    with pytest.raises(ValueError, match="obscuring_factor"):
        replace(parameters, obscuring_factor=2**48)
    with pytest.raises(ValueError, match="dust_limit_sat: must be at least 1"):
        replace(parameters, dust_limit_sat=0)
    with pytest.raises(ValueError, match="amount_msat: must be above 0"):
        Htlc(0, bytes(32), 500)
    with pytest.raises(ValueError, match="payment_hash"):
        Htlc(1, bytes(31), 500)
    with pytest.raises(ValueError, match="cltv_expiry_blocks"):
        Htlc(1, bytes(32), 500_000_000)
    commitment = build_commitment(parameters, state)
    received = next(output for output in commitment.htlcs if not output.offered)
    offered = next(output for output in commitment.htlcs if output.offered)
    signature = ecdsa.sign(received.digest, PEER_PAYMENT_SECRET)
    with pytest.raises(ValueError, match="must be that of the HTLC"):
        received.signed(signature, signature, bytes([9]) * 32)
    with pytest.raises(ValueError, match="must be None"):
        offered.signed(signature, signature, bytes(32))
