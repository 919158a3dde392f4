"""Every form of batch gives back what went in: span batches, Arbitrum's segments, state differences, chunks."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.crypto.ethereum.transactions import FeeMarketTransaction
from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.channel import assemble, compress, decompress, payloads
from l2sim.systems.rollup.formats import chunks, diffs, felts, nitro, vaults
from l2sim.systems.rollup.formats.columns import split_columns, split_columns_plain
from l2sim.systems.rollup.formats.felt_packing import pack_elements, unpack_elements
from l2sim.systems.rollup.formats.span import Span, decode_span, encode_span
from l2sim.systems.rollup.formats.varint import bitlist, read_bitlist, read_uvarint, uvarint, uvarints
from tests.support.rollup import batch_of

WORD = st.integers(0, 2**64 - 1)
CHAIN_ID = 42_161
TRANSACTIONS = st.builds(
    FeeMarketTransaction,
    chain_id=st.just(CHAIN_ID),
    nonce=WORD,
    to=st.one_of(st.just(b""), st.binary(min_size=20, max_size=20)),
    value_wei=st.integers(0, 2**128 - 1),
    max_priority_fee_wei=st.integers(0, 2**60),
    max_fee_wei=st.integers(0, 2**60),
    gas_limit=WORD,
    data=st.one_of(st.binary(max_size=80), st.integers(200, 70_000).map(lambda size: b"\x05" * size)),
)
SIGNATURES = st.tuples(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.integers(0, 1)).map(
    lambda parts: parts[0].to_bytes(32, "big") + parts[1].to_bytes(32, "big") + bytes([parts[2]])
)
RAWS = st.builds(lambda transaction, signature: transaction.signed_bytes(signature), TRANSACTIONS, SIGNATURES)


@given(st.lists(RAWS, max_size=6))
def test_columns_are_the_same_in_both_forms(raws: list[bytes]) -> None:
    fast, plain = split_columns(batch_of(raws)), split_columns_plain(batch_of(raws))
    for name in ("parities", "signatures", "creates", "to", "nonces", "gas_limits", "bodies"):
        assert getattr(fast, name).tolist() == getattr(plain, name).tolist(), name


@given(st.binary(max_size=120))
def test_what_is_no_transaction_is_refused_and_never_read_past_its_end(raw: bytes) -> None:
    batch = batch_of([b"\x02" + raw, b"\x02" * 8])
    with pytest.raises(ValueError, match=r"transaction \d"):
        split_columns(batch)


@given(
    st.lists(st.tuples(st.booleans(), st.lists(RAWS, max_size=3)), min_size=1, max_size=12),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.sampled_from([("zlib", 6), ("brotli", 1)]),
    st.integers(60, 3_000),
)
def test_a_span_gives_back_its_blocks_through_channel_and_frames(
    blocks: list[tuple[bool, list[bytes]]], first_s: int, origin: int, how: tuple[str, int], most_bytes: int
) -> None:
    raws = [raw for _, rows in blocks for raw in rows]
    origins = origin + np.cumsum([changed for changed, _ in blocks], dtype=np.int64)
    counts = np.array([len(rows) for _, rows in blocks], np.int64)
    span = Span(first_s, origins, origin, b"p" * 20, b"o" * 20, counts)
    channel = compress(encode_span(span, batch_of(raws)), *how)  # type: ignore[arg-type]  # sampled
    parts = payloads(channel, bytes(16), most_bytes)
    read, read_raws = decode_span(decompress(assemble(parts)), CHAIN_ID)
    assert read_raws == raws
    assert (read.first_timestamp_s, read.parent_origin) == (first_s, origin)
    assert (read.parent_check, read.origin_check) == (span.parent_check, span.origin_check)
    assert read.origins.tolist() == origins.tolist()
    assert read.counts.tolist() == counts.tolist()


@given(st.lists(WORD, max_size=20), st.lists(st.booleans(), max_size=40))
def test_numbers_and_bits_come_back(values: list[int], bits: list[bool]) -> None:
    together = uvarints(np.array(values, np.uint64))
    assert together == b"".join(map(uvarint, values))
    place = 0
    for value in values:
        read, place = read_uvarint(together, place)
        assert read == value
    read_bits, end = read_bitlist(bitlist(bits), 0, len(bits))
    assert read_bits.tolist() == bits
    assert end == (len(bits) + 7) // 8


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1_000), st.integers(0, 100), st.lists(st.binary(min_size=1, max_size=300), max_size=4)
        ),
        max_size=8,
    ),
    st.integers(0, 11),
)
def test_segments_give_back_their_messages(steps: list[tuple[int, int, list[bytes]]], level: int) -> None:
    messages = []
    time_s, l1_block = 0, 0
    for seconds, l1_blocks, raws in steps:
        time_s, l1_block = time_s + seconds, l1_block + l1_blocks
        messages.append(nitro.Message(time_s, l1_block, tuple(raws)))
    payload = nitro.compress_segments(nitro.segments(messages), level)
    assert nitro.read_segments(nitro.decompress_segments(payload)) == messages


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_a_slots_value_comes_back_and_is_never_longer_than_whole(old: int, new: int) -> None:
    packed = diffs.pack_value(old, new)
    assert diffs.unpack_value(packed, 0, old) == (new, len(packed))
    assert len(packed) <= 33


ACCOUNTS = 12
STATES = st.dictionaries(
    st.integers(0, ACCOUNTS - 1), st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1)), min_size=1
)
WITHDRAWALS = st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 2**128)), max_size=3)


@given(st.lists(st.tuples(STATES, WITHDRAWALS), min_size=1, max_size=6))
def test_who_follows_the_state_differences_knows_the_state(
    batches: list[tuple[dict[int, tuple[int, int]], list[tuple[int, int]]]],
) -> None:
    state, follower = diffs.PostedState.empty(ACCOUNTS), diffs.Follower()
    expected: dict[bytes, int] = {}
    for accounts, withdrawals in batches:
        delta = _delta(accounts)
        pubdata = diffs.encode_diffs(state, delta, withdrawals)
        state.post(delta)
        assert follower.read(pubdata) == withdrawals
        for number, (balance, nonce) in accounts.items():
            for slot, value in ((2 * number, balance), (2 * number + 1, nonce)):
                if value or diffs.slot_key(slot) in expected:
                    expected[diffs.slot_key(slot)] = value
        assert follower.values == expected


AMOUNTS = st.builds(lambda mantissa, exponent: mantissa * 10**exponent, st.integers(0, 2**35 - 1), st.integers(0, 20))
FEES = st.builds(lambda mantissa, exponent: mantissa * 10**exponent, st.integers(0, 2**11 - 1), st.integers(0, 15))


@given(
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), AMOUNTS, st.booleans()), max_size=8),
    FEES,
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1)),
)
def test_operations_come_back_from_their_chunks(
    rows: list[tuple[int, int, int, bool]], fee_wei: int, other: tuple[int, int]
) -> None:
    account, amount = other
    new = np.array([row[3] for row in rows], np.bool_)
    addresses = np.full((len(rows), 20), 7, np.uint8)
    low = np.array([row[2] & 2**64 - 1 for row in rows], np.uint64)
    high = np.array([row[2] >> 64 for row in rows], np.uint64)
    payers, payees = (np.array([row[place] for row in rows], np.int32) for place in (0, 1))
    data = chunks.encode_deposit(account, amount, b"d" * 20)
    data += chunks.encode_transfers(payers, payees, (low, high), fee_wei, new, addresses)
    data += chunks.encode_withdrawal(account, amount, fee_wei, b"w" * 20)
    first, *transfers, last = chunks.decode_operations(data)
    assert first == chunks.Done("deposit", account, amount, address=b"d" * 20)
    assert last == chunks.Done("withdraw", account, amount, fee_wei, address=b"w" * 20)
    expected = [
        chunks.Done("transfer_to_new" if is_new else "transfer", payer, paid, fee_wei, payee, bytes([7]) * 20 * is_new)
        for payer, payee, paid, is_new in rows
    ]
    assert transfers == expected


@given(st.lists(st.integers(0, 2**100), max_size=6))
def test_amounts_with_few_digits_lie_just_below(values: list[int]) -> None:
    low = np.array([value & 2**64 - 1 for value in values], np.uint64)
    high = np.array([value >> 64 for value in values], np.uint64)
    rounded = chunks.packable_amounts(low, high)
    for value, a, b in zip(values, *rounded, strict=True):
        few = int(a) | int(b) << 64
        assert few <= value < few + max(1, value * 2**-31)
        assert chunks.unpack(chunks.pack(few, chunks.AMOUNT_MANTISSA_BITS)) == few


@given(st.lists(STATES, min_size=1, max_size=6))
def test_who_follows_felts_knows_the_state(batches: list[dict[int, tuple[int, int]]]) -> None:
    state, names, reader = diffs.PostedState.empty(ACCOUNTS), felts.Names(), felts.FeltReader()
    known: tuple[dict[int, int], dict[int, int]] = ({}, {})
    plain: dict[int, tuple[int, int]] = {}
    for number, accounts in enumerate(batches):
        # Nonces never fall.
        later = {user: (balance, plain.get(user, (0, 0))[1] + nonce % 2**60) for user, (balance, nonce) in
                 accounts.items()}  # fmt: skip
        plain |= later
        contracts = felts.contracts_of(felts.changed(state, _delta(later)), [(number, bytes([number]) * 32)])
        posted = felts.pack_felts(felts.encode_felts(contracts, names))
        names.give(names.new_in(contracts))
        state.post(_delta(later))
        read = reader.read(posted)
        assert [contract for contract in read if contract.address != felts.ALIASES] == contracts
        for whole, part in zip(known, felts.state_of(read), strict=True):
            whole.update(part)
    for place, whole in enumerate(known):
        assert {user: value for user, value in whole.items() if value} == {
            user: values[place] for user, values in plain.items() if values[place]
        }


@given(st.lists(st.integers(0, 2**252 - 1) | st.integers(0, 300), max_size=60))
def test_packed_elements_come_back(elements: list[int]) -> None:
    packed = deque(pack_elements(elements))
    packed.append(7)  # what follows is left alone
    assert unpack_elements(packed) == elements
    assert list(packed) == [7]


@given(STATES, STATES, WITHDRAWALS)
def test_vaults_say_what_changed_and_who_goes_out(
    before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]], withdrawals: list[tuple[int, int]]
) -> None:
    withdrawals = [(user % 2**32, amount % 2**128) for user, amount in withdrawals]
    state = diffs.PostedState.empty(ACCOUNTS)
    state.post(_delta(before))
    old = {number: before.get(number, (0, 0)) for number in after}
    balances = {number: balance for number, (balance, _) in sorted(after.items()) if balance != old[number][0]}
    data = vaults.encode_vaults(state, _delta(after), withdrawals)
    assert vaults.decode_vaults(data) == (balances, withdrawals)
    for cut in (data[:-1], data + bytes(1)):
        with pytest.raises(ValueError, match="vaults must end"):
            vaults.decode_vaults(cut)


def _delta(accounts: dict[int, tuple[int, int]]) -> StateDelta:
    numbers = np.array(sorted(accounts), np.int64)
    balances = [accounts[number][0] for number in numbers.tolist()]
    return StateDelta(
        numbers,
        np.array([balance & 2**64 - 1 for balance in balances], np.uint64),
        np.array([balance >> 64 for balance in balances], np.uint64),
        np.array([accounts[number][1] for number in numbers.tolist()], np.uint64),
    )
