"""Funding, mutual close, claims after a force close, and penalties: signed, checked and weighed."""

import json
from dataclasses import replace

import pytest

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.claims import (
    Claim,
    anchor_claim,
    peer_htlc_claim,
    second_stage_claim,
    sign_sweep,
    sweep_digests,
    sweep_weight_wu,
    to_local_claim,
    to_remote_claim,
    unsigned_sweep,
)
from l2sim.crypto.bitcoin.closing import ClosingSide, build_closing, closing_weight_wu
from l2sim.crypto.bitcoin.commitment import Commitment, build_commitment
from l2sim.crypto.bitcoin.funding import funding_output
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.keys import derive_revocation_secret, derive_secret
from l2sim.crypto.bitcoin.penalty import revoked_claims, revoked_second_stage_claim
from l2sim.crypto.bitcoin.script import multisig_2_of_2, p2pkh, p2wpkh, p2wsh
from l2sim.crypto.bitcoin.sighash import segwit_digest
from l2sim.crypto.bitcoin.transaction import OutPoint, Transaction, TxOutput, display_id
from l2sim.crypto.hashing.reference import sha256, sha256d
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from tests.shared import shared
from tests.unit.test_crypto_bolt3_commitment import (
    DELAYED_SECRET,
    OWNER_FUNDING_SECRET,
    PEER_FUNDING_SECRET,
    PEER_PAYMENT_SECRET,
    POINT,
    PREIMAGES,
    REVOCATION_SECRET,
    SIGNER,
    appendix_parameters,
    appendix_state,
)

WALLET = p2wpkh(public_key(bytes([5]) * 32))
COMMITMENT_SECRET = bytes(range(31, -1, -1))
ANCHORS = build_commitment(appendix_parameters(ChannelType.ANCHORS), appendix_state(644, 6_988_000_000, 3_000_000_000))
LEGACY = build_commitment(appendix_parameters(ChannelType.LEGACY), appendix_state(0, 6_988_000_000, 3_000_000_000))


def swept(claims: list[Claim], secrets: list[bytes], script: bytes = WALLET) -> Transaction:
    """Sign a sweep and check each signature as a node would: the digest is made anew from the signed bytes."""
    sweep = unsigned_sweep(claims, [TxOutput(sum(claim.value_sat for claim in claims) - 500, script)])
    signatures = [ecdsa.sign(d, s) for d, s in zip(sweep_digests(sweep, claims), secrets, strict=True)]
    signed = Transaction.parse(sign_sweep(sweep, claims, signatures).serialize())
    for i, (claim, secret) in enumerate(zip(claims, secrets, strict=True)):
        digest = segwit_digest(signed, i, claim.script_code, claim.value_sat)
        assert ecdsa.verify_der(digest, signed.inputs[i].witness[0][:-1], public_key(secret))
        assert signed.inputs[i].witness[1:] == claim.witness
    reckoned = sweep_weight_wu(claims, [script])
    assert reckoned - 4 * len(claims) <= signed.weight_wu <= reckoned - len(claims)  # low S: at least a byte less
    return signed


def test_the_funding_transaction_of_appendix_b() -> None:
    case = json.loads(shared("vectors/lightning/bolt3/funding.json").read_text())
    funding = Transaction.parse(bytes.fromhex(case["funding_tx"]))
    local, remote = bytes.fromhex(case["local_funding_pubkey"]), bytes.fromhex(case["remote_funding_pubkey"])
    assert multisig_2_of_2(local, remote) == multisig_2_of_2(remote, local) == bytes.fromhex(case["funding_wscript"])
    assert funding.outputs[0] == funding_output(local, remote, case["funding_satoshis"])
    secret = bytes.fromhex(case["coinbase_privkey"])
    assert funding.outputs[1] == TxOutput(case["change_satoshis"], p2wpkh(public_key(secret)))
    assert display_id(funding.txid) == case["txid"]
    # It spends a P2PKH output: before segwit the digest is of the transaction with that output's script in place.
    coinbase = Transaction.parse(bytes.fromhex(case["coinbase_tx"]))
    assert funding.inputs[0].outpoint.txid == coinbase.txid
    key_hash = coinbase.outputs[0].script[3:23]
    assert coinbase.outputs[0].script == p2pkh(key_hash)
    in_place = replace(funding, inputs=(replace(funding.inputs[0], script_sig=coinbase.outputs[0].script),))
    signature = ecdsa.compact_to_der(ecdsa.sign(sha256d(in_place.serialize() + b"\x01\x00\x00\x00"), secret))
    assert funding.inputs[0].script_sig[1 : 1 + len(signature)] == signature


def closing_sides(first_sat: int, second_sat: int) -> tuple[ClosingSide, ClosingSide]:
    first, second = public_key(OWNER_FUNDING_SECRET), public_key(PEER_FUNDING_SECRET)
    return ClosingSide(first, first_sat, p2wpkh(first)), ClosingSide(second, second_sat, p2wpkh(second))


def test_a_mutual_close_is_signed_by_both_and_weighs_what_is_said() -> None:
    funding, (payer, other) = OutPoint(bytes(32), 0), closing_sides(600_000, 399_999)
    closing = build_closing(funding, 1_000_000, payer, other, fee_sat=676)
    first, second = ecdsa.sign(closing.digest, OWNER_FUNDING_SECRET), ecdsa.sign(closing.digest, PEER_FUNDING_SECRET)
    signed = closing.signed(first, second)
    script = signed.inputs[0].witness[-1]
    digest = segwit_digest(signed, 0, script, 1_000_000)
    for item, key in zip(signed.inputs[0].witness[1:3], (script[2:35], script[36:69]), strict=True):
        assert ecdsa.verify_der(digest, item[:-1], key)
    assert [output.value_sat for output in signed.outputs] == [399_999, 599_324]
    assert closing.fee_sat == 677  # a satoshi of rounding goes with it
    scripts = payer.script, other.script
    assert closing_weight_wu(scripts) == 676
    assert closing_weight_wu(scripts[:1]) == 552
    assert 676 - 8 <= signed.weight_wu <= 676 - 2
    assert signed.inputs[0].sequence == 0xFFFFFFFF
    again = build_closing(funding, 1_000_000, payer, other, fee_sat=676, replaceable=True, locktime=800_000)
    assert (again.transaction.inputs[0].sequence, again.transaction.locktime) == (0xFFFFFFFD, 800_000)


def test_a_mutual_close_leaves_out_dust() -> None:
    payer, other = closing_sides(999_706, 293)
    closing = build_closing(OutPoint(bytes(32), 0), 1_000_000, payer, other, fee_sat=200)
    assert [output.value_sat for output in closing.transaction.outputs] == [999_506]
    assert closing.fee_sat == 494
    payer, other = closing_sides(200, 293)
    with pytest.raises(ValueError, match="at least one output must reach the dust limit"):
        build_closing(OutPoint(bytes(32), 0), 1_000_000, payer, other, fee_sat=100)
    with pytest.raises(ValueError, match=r"fee_sat: must be from 0 to the payer's balance, 200 \(got 201\)"):
        build_closing(OutPoint(bytes(32), 0), 1_000_000, payer, other, fee_sat=201)
    with pytest.raises(ValueError, match="together at most 100 sat"):
        build_closing(OutPoint(bytes(32), 0), 100, payer, other, fee_sat=0)


@pytest.mark.parametrize("commitment", [ANCHORS, LEGACY], ids=["anchors", "legacy"])
def test_the_owner_takes_its_balance_after_the_delay(commitment: Commitment) -> None:
    claim = to_local_claim(commitment)
    sweep = swept([claim], [derive_secret(DELAYED_SECRET, POINT)])
    assert claim.sequence == commitment.parameters.to_self_delay_blocks == 144
    # 486 where the script takes 79 bytes (LND, input/size.go); a delay of 144 makes it 77.
    assert sweep_weight_wu([claim], [WALLET]) == 486 - 2
    assert sweep.outputs[0].value_sat == claim.value_sat - 500


def test_the_owner_takes_the_second_stage_after_the_delay() -> None:
    for output in ANCHORS.htlcs:
        second = output.transaction
        claim = second_stage_claim(ANCHORS, output, second)
        swept([claim], [derive_secret(DELAYED_SECRET, POINT)])
        assert claim.outpoint.txid == second.txid
        assert claim.value_sat == output.value_sat  # no fee with anchors
    other = replace(ANCHORS.htlcs[0].transaction, outputs=(TxOutput(1000, WALLET),))
    with pytest.raises(ValueError, match="must be the output that the HTLC transaction pays"):
        second_stage_claim(ANCHORS, ANCHORS.htlcs[0], other)


def test_the_peer_takes_what_is_its_own() -> None:
    for commitment, sequence in ((ANCHORS, 1), (LEGACY, 0xFFFFFFFD)):
        remote = to_remote_claim(commitment)
        assert remote.sequence == sequence
        preimages = {sha256(preimage): preimage for preimage in PREIMAGES}
        claims, secrets = [remote], [PEER_PAYMENT_SECRET]
        for output in commitment.htlcs:
            claims.append(peer_htlc_claim(output, preimages[output.htlc.payment_hash] if output.offered else None))
            secrets.append(derive_secret(PEER_PAYMENT_SECRET, POINT))
        sweep = swept(claims, secrets)
        assert sweep.locktime == 504  # the last expiry among the HTLCs that the peer takes back
    with pytest.raises(ValueError, match="must be that of"):
        peer_htlc_claim(next(output for output in ANCHORS.htlcs if output.offered), bytes(32))
    with pytest.raises(ValueError, match="must be None"):
        peer_htlc_claim(next(output for output in ANCHORS.htlcs if not output.offered), bytes(32))


def test_anchors_are_spent_by_the_funding_keys() -> None:
    swept(
        [anchor_claim(ANCHORS, owner=True), to_local_claim(ANCHORS)],
        [OWNER_FUNDING_SECRET, derive_secret(DELAYED_SECRET, POINT)],
    )
    claim = anchor_claim(ANCHORS, owner=False)
    assert ANCHORS.transaction.outputs[claim.outpoint.vout] == TxOutput(330, p2wsh(claim.script_code))
    with pytest.raises(ValueError, match=r"must be of type anchors \(got legacy\)"):
        anchor_claim(LEGACY, owner=True)


def test_the_victim_takes_everything_of_a_revoked_commitment() -> None:
    secret = derive_revocation_secret(REVOCATION_SECRET, COMMITMENT_SECRET)
    for commitment in (ANCHORS, LEGACY):
        assert public_key(secret) == commitment.state.keys.revocation
        claims = revoked_claims(commitment)
        sweep = swept(claims, [secret] * len(claims))
        assert len(claims) == 1 + len(commitment.htlcs) == 6
        kept = {commitment.to_remote_vout, commitment.owner_anchor_vout, commitment.peer_anchor_vout}
        taken = {txin.outpoint.vout for txin in sweep.inputs}
        assert taken | kept - {None} == set(range(len(commitment.transaction.outputs)))
    second = ANCHORS.htlcs[0].signed(*second_stage_signatures())
    claim = revoked_second_stage_claim(ANCHORS, second)
    assert swept([claim], [secret]).inputs[0].outpoint.txid == second.txid


def second_stage_signatures() -> tuple[bytes, bytes, bytes]:
    output = ANCHORS.htlcs[0]
    peer, owner = ecdsa.sign(output.digest, SIGNER.peer_htlc), ecdsa.sign(output.owner_digest, SIGNER.owner_htlc)
    return peer, owner, PREIMAGES[0]


@pytest.mark.parametrize("received", [0, 1, 10, 300])
def test_the_weight_of_a_penalty_transaction(received: int) -> None:
    # BOLT 5, "Penalty Transactions Weight Calculation": 4 * 53 + 2 outside the inputs, to_local 324, to_remote 272,
    # accepted HTLCs 413 each; one byte more where the inputs need a longer count.
    htlcs = tuple(Htlc(2_000_000, sha256(bytes([i & 255, i >> 8])), 500_000 + i) for i in range(received))
    state = replace(
        appendix_state(253, 6_000_000_000, 4_000_000_000 - 2_000_000 * received), offered=(), received=htlcs
    )
    commitment = build_commitment(appendix_parameters(ChannelType.LEGACY), state)
    claims = [*revoked_claims(commitment), to_remote_claim(commitment)]
    weight = sweep_weight_wu(claims, [p2wsh(b"")])
    expected = 4 * 53 + 2 + 324 + 272 + 413 * received
    # BOLT 5 takes a to_local witness of 160 bytes, which is 155 at a delay of 144, and signs to_remote with 72 bytes.
    assert weight == expected - 5 + 1 + (8 if received > 250 else 0)


def test_what_is_refused() -> None:
    claim = to_local_claim(ANCHORS)
    with pytest.raises(ValueError, match="must have claims and outputs"):
        unsigned_sweep([claim], [])
    with pytest.raises(ValueError, match="at least the outputs'"):
        unsigned_sweep([claim], [TxOutput(claim.value_sat + 1, WALLET)])
    with pytest.raises(ValueError, match="in the same order"):
        sweep_digests(unsigned_sweep([claim], [TxOutput(1, WALLET)]), [to_remote_claim(ANCHORS)])
    without = build_commitment(appendix_parameters(ChannelType.ANCHORS), appendix_state(644, 10_000_000_000, 0))
    with pytest.raises(ValueError, match="no such output"):
        to_remote_claim(without)
    assert without.peer_anchor_vout is None
