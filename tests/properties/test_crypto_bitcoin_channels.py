"""Transactions survive the round trip; secrets, amounts and weights of channels hold for any state."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.bitcoin.channel_type import (
    ANCHOR_SAT,
    ChannelType,
    commitment_fee_sat,
    commitment_weight_wu,
    htlc_weight_wu,
    is_trimmed,
)
from l2sim.crypto.bitcoin.commitment import CommitmentState, build_commitment
from l2sim.crypto.bitcoin.hashes import ripemd160, ripemd160_plain
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.shachain import FIRST_INDEX, SecretStore, per_commitment_secret
from l2sim.crypto.bitcoin.sighash import segwit_digest
from l2sim.crypto.bitcoin.transaction import MAX_MONEY_SAT, OutPoint, Transaction, TxInput, TxOutput
from l2sim.crypto.hashing.reference import sha256
from l2sim.crypto.signatures import ecdsa
from tests.unit.test_crypto_bolt3_commitment import (
    OWNER_FUNDING_SECRET,
    PEER_FUNDING_SECRET,
    SIGNER,
    appendix_keys,
    appendix_parameters,
)

U32 = st.integers(0, 2**32 - 1)
ITEMS = st.lists(st.binary(max_size=300), max_size=3).map(tuple)
INPUTS = st.builds(
    TxInput, st.builds(OutPoint, st.binary(min_size=32, max_size=32), U32), U32, st.binary(max_size=300), ITEMS
)
OUTPUTS = st.builds(TxOutput, st.integers(0, MAX_MONEY_SAT), st.binary(max_size=300))
TRANSACTIONS = st.builds(
    Transaction,
    st.lists(INPUTS, min_size=1, max_size=4).map(tuple),
    st.lists(OUTPUTS, min_size=1, max_size=4).map(tuple),
    U32,
    U32,
)


@given(TRANSACTIONS)
def test_transactions_survive_the_round_trip(transaction: Transaction) -> None:
    raw = transaction.serialize()
    assert Transaction.parse(raw) == transaction
    stripped = transaction.serialize_stripped()
    assert transaction.weight_wu == 3 * len(stripped) + len(raw)
    bare = Transaction.parse(stripped)
    assert bare.txid == transaction.txid == bare.wtxid
    assert (transaction.txid == transaction.wtxid) != transaction.has_witness


@given(TRANSACTIONS, st.data())
def test_parsing_never_does_anything_but_refuse(transaction: Transaction, data: st.DataObject) -> None:
    raw = bytearray(transaction.serialize())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    for hostile in (bytes(raw), cut):
        try:
            parsed = Transaction.parse(hostile)
        except ValueError:
            continue
        assert parsed.serialize() == hostile


@given(st.binary(max_size=200))
def test_ripemd160_twins_agree(message: bytes) -> None:
    assert ripemd160(message) == ripemd160_plain(message)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.integers(1, 300))
def test_a_store_gives_back_every_secret(seed: bytes, count: int) -> None:
    store, indices = SecretStore(), range(FIRST_INDEX, FIRST_INDEX - count, -1)
    for index in indices:
        store.insert(index, per_commitment_secret(seed, index))
    assert all(store.secret(index) == per_commitment_secret(seed, index) for index in indices)
    assert store.next_index == FIRST_INDEX - count
    assert len(store) <= count.bit_length() + 1 <= 49


FUNDING_MSAT = 10_000_000_000
AMOUNTS = st.integers(1, 12_000_000) | st.integers(300_000, 1_200_000)
HTLCS = st.lists(
    st.builds(Htlc, AMOUNTS, st.binary(min_size=1, max_size=1).map(sha256), st.integers(1, 900_000)), max_size=12
).map(tuple)


@st.composite
def states(draw: st.DrawFn) -> CommitmentState:
    offered, received = draw(HTLCS), draw(HTLCS)
    free = FUNDING_MSAT - sum(htlc.amount_msat for htlc in offered + received)
    owner_msat = draw(st.integers(0, free) | st.sampled_from([0, free, 1_000_000]))
    return CommitmentState(
        draw(st.integers(0, 2**48 - 1)),
        KEYS,
        owner_msat,
        free - owner_msat,
        draw(st.sampled_from([0, 253, 2500, 15_000])),
        offered,
        received,
    )


KEYS = appendix_keys()
PARAMETERS = {kind: appendix_parameters(kind, 354) for kind in ChannelType}


@settings(max_examples=80)
@given(states(), st.sampled_from(ChannelType), st.booleans())
def test_any_commitment_keeps_the_rules(state: CommitmentState, kind: ChannelType, owner_is_funder: bool) -> None:
    parameters = replace(PARAMETERS[kind], owner_is_funder=owner_is_funder)
    if kind is ChannelType.ZERO_FEE:
        state = replace(state, feerate_per_kw=0)
    funder_msat = state.owner_msat if owner_is_funder else state.peer_msat
    try:
        commitment = build_commitment(parameters, state)
    except ValueError:  # the one state here that no commitment can hold: nobody pays for the anchors
        assert kind is ChannelType.ANCHORS
        assert funder_msat < 2 * ANCHOR_SAT * 1000
        return
    outputs = commitment.transaction.outputs

    # Nothing is created or lost, and outputs stand in order.
    assert sum(output.value_sat for output in outputs) + commitment.fee_sat == FUNDING_MSAT // 1000
    assert commitment.fee_sat >= 0
    assert [(o.value_sat, o.script) for o in outputs] == sorted((o.value_sat, o.script) for o in outputs)

    # Just the untrimmed HTLCs have outputs, in output order.
    feerate = state.feerate_per_kw
    kept = [
        htlc
        for offered, htlcs in ((True, state.offered), (False, state.received))
        for htlc in htlcs
        if not is_trimmed(kind, htlc.amount_msat, feerate_per_kw=feerate, dust_limit_sat=354, offered=offered)
    ]
    assert sorted(str(output.htlc) for output in commitment.htlcs) == sorted(map(str, kept))
    assert [output.outpoint.vout for output in commitment.htlcs] == sorted(
        output.outpoint.vout for output in commitment.htlcs
    )
    for output in commitment.htlcs:
        side = state.offered if output.offered else state.received
        assert side[output.place] is output.htlc
        assert outputs[output.outpoint.vout].value_sat == output.value_sat == output.htlc.amount_msat // 1000
        plain = segwit_digest(output.transaction, 0, output.witness_script, output.value_sat, output.hash_type)
        assert output.digest == plain

    # The number comes back out of sequence and locktime.
    sequence, locktime = commitment.transaction.inputs[0].sequence, commitment.transaction.locktime
    hidden = (sequence & 0xFFFFFF) << 24 | locktime & 0xFFFFFF
    assert hidden ^ parameters.obscuring_factor == state.number
    assert (sequence >> 24, locktime >> 24) == (0x80, 0x20)

    # The fee is the formula's where the funder can pay it and no output vanished.
    both = commitment.to_local_vout is not None and commitment.to_remote_vout is not None
    if both and len(kept) == len(state.offered + state.received) and kind is not ChannelType.ZERO_FEE:
        rounding = commitment.fee_sat - commitment_fee_sat(kind, feerate, len(kept))
        assert 0 <= rounding <= 2 + len(kept)
    if kind is ChannelType.ANCHORS:
        anchors = [commitment.owner_anchor_vout, commitment.peer_anchor_vout]
        assert all(outputs[vout].value_sat == ANCHOR_SAT for vout in anchors if vout is not None)


@settings(max_examples=30)
@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from(ChannelType))
def test_signed_transactions_weigh_what_bolt3_says(offered: int, received: int, kind: ChannelType) -> None:
    htlcs = tuple(Htlc(5_000_000, sha256(SECRET), 600_000 + i) for i in range(offered + received))
    free = FUNDING_MSAT - 5_000_000 * len(htlcs)
    state = CommitmentState(42, KEYS, free // 2, free - free // 2, 0, htlcs[:offered], htlcs[offered:])
    commitment = build_commitment(PARAMETERS[kind], state)
    digest = commitment.digest
    signed = commitment.signed(ecdsa.sign(digest, OWNER_FUNDING_SECRET), ecdsa.sign(digest, PEER_FUNDING_SECRET))
    # With anchors BOLT 3 counts three bytes for the number of outputs, which is one below 253 outputs. It counts 73
    # bytes a signature, which low S makes 71 or 72, rarely 70, with the sighash byte.
    reckoned = commitment_weight_wu(kind, len(htlcs)) - (4 * 2 if kind is ChannelType.ANCHORS else 0)
    assert reckoned - 2 * 3 <= signed.weight_wu <= reckoned - 2
    for output in commitment.htlcs:
        peer = ecdsa.sign(output.digest, SIGNER.peer_htlc)
        owner = ecdsa.sign(output.owner_digest, SIGNER.owner_htlc)
        second = output.signed(peer, owner, None if output.offered else SECRET)
        expected = htlc_weight_wu(kind, offered=output.offered)
        # HTLC-success is reckoned a byte too heavy (BOLT 3, Appendix A).
        assert expected - 2 * 3 - 1 <= second.weight_wu <= expected - 2


SECRET = bytes([7]) * 32
