"""What a whole rollup posts in each form of batch, read back; and the published figures of the forms."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from l2sim.crypto.ethereum.transactions import FeeMarketTransaction, parse_signed
from l2sim.systems.base import World
from l2sim.systems.rollup.blobs import decode_nitro_blobs, encode_nitro_blob
from l2sim.systems.rollup.channel import assemble, decompress
from l2sim.systems.rollup.formats import chunks, diffs, felts, nitro
from l2sim.systems.rollup.formats.span import Span, decode_span, encode_span
from l2sim.systems.rollup.system import RollupSystem
from tests.shared import shared
from tests.support.rollup import batch_of, config, live, random_load, rollup

USERS = 10
LOAD = random_load(200, USERS, 300)


def lived(**settings: Any) -> tuple[RollupSystem, World, list[list[bytes]]]:
    """A rollup at the end of its life, and the payloads of every batch."""
    system, world = rollup(LOAD, **settings)
    system.batcher.poster.archive = []
    live(system, world)
    assert system.left
    return system, world, system.batcher.poster.archive


def values_of(raws: list[bytes]) -> list[int]:
    """The wei that plain payments of these transactions move: the last ten are withdrawals."""
    return [parse_signed(raw)[0].value_wei for raw in raws][:200]


def paid_wei(world: World) -> list[int]:
    return [world.prices.msat_to_wei(amount) for amount in LOAD.amount_msat.tolist()]


@pytest.mark.parametrize("crypto", ["modelled", "real"])
def test_span_batches_of_a_run_give_back_every_block_in_its_place(crypto: str) -> None:
    system, world, archive = lived(crypto=crypto, batcher={"format": "span", "max_interval_s": 40})
    following_s, origin = 2, 0
    raws = []
    for parts in archive:
        span, rows = decode_span(decompress(assemble(parts)), 10)
        assert span.first_timestamp_s == following_s
        assert span.parent_origin == origin
        following_s += 2 * len(span.counts)
        origin = int(span.origins[-1])
        # The block of slot k was made at 12 k seconds; a block looks back to the last one before it.
        times_s = span.first_timestamp_s + 2 * np.arange(len(span.counts))
        filled = span.counts > 0
        assert (span.origins[filled] == np.maximum(0, times_s[filled] // 12 - 1)).all()
        raws += rows
    assert len(archive) > 5
    assert values_of(raws) == paid_wei(world)
    if crypto == "real":
        transfer, signature = parse_signed(raws[0])
        assert transfer.sender(signature) == system.sequencer.wallets.addresses[int(LOAD.payer[0])].tobytes()


def test_segments_of_a_run_give_back_every_block() -> None:
    _, world, archive = lived(batcher={"format": "nitro", "medium": "blob"})
    batches = [decode_nitro_blobs([encode_nitro_blob(part) for part in parts]) for parts in archive]
    messages = [message for batch in batches for message in nitro.read_segments(nitro.decompress_segments(batch))]
    assert values_of([raw for message in messages for raw in message.transactions]) == paid_wei(world)
    times = [message.timestamp_s for message in messages]
    assert times == sorted(set(times))


def test_state_differences_of_a_run_give_back_its_state_and_its_withdrawals() -> None:
    system, world, archive = lived(settlement={"kind": "validity", "proof_s": 60}, batcher={"max_interval_s": 60})
    follower = diffs.Follower()
    withdrawals = [going for parts in archive for going in follower.read(b"".join(parts))]
    for user in range(USERS):
        assert follower.values[diffs.slot_key(2 * user)] == system.accounts.balance_wei(user)
        assert follower.values[diffs.slot_key(2 * user + 1)] == int(system.accounts.nonces[user])
    assert sorted(user for user, _ in withdrawals) == list(range(USERS))
    rows = world.recorder.batches.columns
    assert all(small < raw for small, raw in zip(rows["compressed_bytes"], rows["raw_bytes"], strict=True))


def test_felts_of_a_run_give_back_its_state_and_its_blocks() -> None:
    system, world, archive = lived(
        settlement={"kind": "validity", "proof_s": 60},
        batcher={"max_interval_s": 60, "format": "starknet", "medium": "blob"},
    )
    balances: dict[int, int] = {}
    nonces: dict[int, int] = {}
    hashes: dict[int, int] = {}
    reader = felts.FeltReader()
    for parts in archive:
        posted = b"".join(parts)
        assert all(element < 2**252 for element in felts.split_felts(posted))
        contracts = reader.read(posted)
        changed, counted = felts.state_of(contracts)
        balances |= changed
        nonces |= counted
        (blocks,) = [contract for contract in contracts if contract.address == felts.BLOCKS]
        hashes |= dict(blocks.cells)
    assert [balances[user] for user in range(USERS)] == [system.accounts.balance_wei(user) for user in range(USERS)]
    assert [nonces[user] for user in range(USERS)] == system.accounts.nonces[:USERS].tolist()
    assert sorted(hashes) == list(range(len(hashes)))
    rows = world.recorder.batches.columns
    # After the first batch, which names every key, packing leaves less than half.
    assert sum(rows["compressed_bytes"][1:]) < 0.5 * sum(rows["raw_bytes"][1:])
    # All leave in one batch: each by a message to L1 of 7 elements, 4 of them its payload.
    gas = 21_000 + USERS * (1_124 * 7 + 256 * 4 + 20_000 + 1_637)
    assert rows["gas"][-1] == gas


def test_a_payment_between_the_same_two_costs_no_more_bytes_when_it_is_made_a_hundred_times() -> None:
    """A rollup of this kind pays for the slots that a batch touches, not for transactions (rollups.md, section 6)."""
    sizes = {}
    for times in (1, 100):
        load = random_load(times, 2, 100)
        system, world = rollup(load, settlement={"kind": "validity", "proof_s": 60}, batcher={"max_interval_s": 200})
        live(system, world)
        sizes[times] = world.recorder.batches.columns["compressed_bytes"][0]
    assert sizes[100] <= sizes[1] + 40


def test_chunks_of_a_run_replayed_give_its_balances() -> None:
    system, world, archive = lived(
        settlement={"kind": "validity", "proof_s": 60}, batcher={"format": "chunks", "max_interval_s": 60}
    )
    balances = [0] * USERS
    fees = 0
    operations = [done for parts in archive for done in chunks.decode_operations(b"".join(parts))]
    for done in operations:
        fees += done.fee_wei
        if done.name == "deposit":
            balances[done.account] += done.amount_wei
            continue
        balances[done.account] -= done.amount_wei + done.fee_wei
        assert balances[done.account] >= 0
        if done.name != "withdraw":
            balances[done.to] += done.amount_wei
    assert balances == [system.accounts.balance_wei(user) for user in range(USERS)]
    assert fees == system.economics.service_fees + system.economics.exit_fees
    assert sum(done.name == "transfer" for done in operations) == 200
    first = world.recorder.batches.columns
    assert first["gas"][0] >= chunks.COMMIT_BASE_GAS + 300 * first["payments"][0]


def test_committing_to_chunks_costs_what_their_operations_do() -> None:
    """Users without deposits get their accounts by the first payment to them, which costs 940 gas in place of 300."""
    load = random_load(200, 30, 1_000)
    funds = load.funds_msat.copy()
    funds[15:] = 0
    poor = replace(load, funds_msat=funds)
    system, world = rollup(poor, batcher={"format": "chunks", "max_interval_s": 100}, settlement={"kind": "validity"})
    system.batcher.poster.archive = []
    live(system, world)
    names = [
        [done.name for done in chunks.decode_operations(b"".join(parts))] for parts in system.batcher.poster.archive
    ]
    assert sum(batch.count("transfer_to_new") for batch in names) == 15
    committed = [51_000 + sum(chunks.NAMED[name].commit_gas or 0 for name in batch) for batch in names]
    assert world.recorder.batches.columns["gas"] == [21_000 + gas for gas in committed]


def test_what_one_form_costs_against_another() -> None:
    """The published order: 12 to 22 bytes a transfer with proofs, some 90 to 120 with signatures (rollups.md, 6)."""
    each = {}
    load = random_load(3_000, 400, 60)
    for name in ("singular", "span", "nitro", "state_diffs", "chunks"):
        kind = "validity" if name in ("state_diffs", "chunks") else "optimistic"
        system, world = rollup(load, settlement={"kind": kind}, batcher={"format": name, "max_interval_s": 100})
        live(system, world)
        rows = world.recorder.batches.columns
        each[name] = rows["compressed_bytes"][0] / rows["payments"][0]
    assert 64 < each["span"] < each["singular"] < 115  # a signature does not shrink
    assert each["span"] < each["nitro"] < 115
    assert 20 <= each["chunks"] < 30  # two chunks, and the deposits
    assert each["state_diffs"] < each["chunks"] + 10


def test_a_chunk_is_what_the_published_figures_say() -> None:
    vectors = json.loads(shared("vectors/rollup/zksync_lite_pubdata.json").read_text())
    assert vectors["chunk_bytes"] == chunks.CHUNK_BYTES
    assert (vectors["commit_base_gas"], vectors["verify_base_gas"]) == (chunks.COMMIT_BASE_GAS, chunks.VERIFY_BASE_GAS)
    published = {row["op"]: (row["chunks"], row["significant"], row.get("commit_gas")) for row in vectors["operations"]}
    assert published == {name: (op.chunks, op.significant, op.commit_gas) for name, op in chunks.NAMED.items()}
    example = vectors["example"]
    fields = example["fields"]
    (done,) = chunks.decode_operations(bytes.fromhex(example["pubdata_hex"]).ljust(60, b"\0"))
    assert done == chunks.Done(
        example["op"],
        fields["from_account"],
        chunks.unpack(int(fields["packed_amount"], 16)),
        chunks.unpack(int(fields["packed_fee"], 16)),
        fields["to_account"],
        bytes.fromhex(fields["to_address"]),
    )
    amount = np.array([done.amount_wei & 2**64 - 1], np.uint64), np.array([done.amount_wei >> 64], np.uint64)
    to = np.frombuffer(done.address, np.uint8).reshape(1, 20)
    people = np.array([done.account], np.int32), np.array([done.to], np.int32)
    encoded = chunks.encode_transfers(*people, amount, done.fee_wei, np.array([True]), to)
    # The example is of another token than ether (bytes 5 to 8), and its amount and fee (9 to 13, 38 and 39) have more
    # tens than a wallet puts there: they stand for the same numbers.
    expected = bytes.fromhex(example["pubdata_hex"])
    for start, stop in ((0, 5), (14, 38), (40, 44)):
        assert encoded[start:stop] == expected[start:stop]


def test_an_amount_is_packed_as_the_published_test_has_it() -> None:
    """matter-labs/zksync, core/lib/crypto/src/primitives.rs, test_float_conversions."""
    assert chunks.pack(0xDEADBEAF, 35).to_bytes(5, "big") == bytes([27, 213, 183, 213, 224])
    assert chunks.pack(chunks.packable(2_051, 11), 11) == 205 << 5 | 1
    assert chunks.pack(chunks.packable(2_051, 11, up=True), 11) == 206 << 5 | 1
    with pytest.raises(ValueError, match="at most 11 bits"):
        chunks.pack(2_051, 11)


def test_a_span_batch_by_hand() -> None:
    """Every byte of a span of three blocks and one transfer, written out from the specification."""
    transfer = FeeMarketTransaction(10, 300, b"\x11" * 20, 5, 1, 2, gas_limit=21_000)
    raw = transfer.signed_bytes(b"\x22" * 32 + b"\x33" * 32 + b"\x01")
    span = Span(
        first_timestamp_s=300,
        origins=np.array([7, 8, 8]),
        parent_origin=7,
        parent_check=b"\xaa" * 20,
        origin_check=b"\xbb" * 20,
        counts=np.array([0, 1, 0]),
    )
    expected = (
        "01" "ac02" "08" + "aa" * 20 + "bb" * 20
        + "03" "02" "000100"
        + "00" "01" + "22" * 32 + "33" * 32 + "11" * 20 + "02c5050102" "80c0" + "ac02" "88a401"
    )  # fmt: skip
    body = bytes.fromhex(expected)
    encoded = encode_span(span, batch_of([raw]))
    assert encoded == bytes([0xB8, len(body)]) + body
    assert decode_span(encoded, 10)[1] == [raw]


@pytest.mark.parametrize(
    ("span", "message"),
    [
        (Span(0, np.array([9]), 7, b"", b"", np.array([0])), "rise by 0 or 1"),
        (Span(0, np.array([7]), 7, b"", b"", np.array([2])), "a transaction for each"),
        (Span(0, np.array([], np.int64), 7, b"", b"", np.array([], np.int64)), "a count for each"),
    ],
)
def test_a_span_that_cannot_be_is_refused(span: Span, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_span(span, batch_of([]))


@pytest.mark.parametrize("cut", [0, 5, 40, 60, 100, -1])
def test_a_cut_span_batch_is_refused(cut: int) -> None:
    raw = FeeMarketTransaction(10, 0, bytes(20), 5, 1, 2).signed_bytes(bytes(64) + b"\x00")
    span = Span(2, np.array([0]), 0, bytes(20), bytes(20), np.array([1]))
    encoded = encode_span(span, batch_of([raw]))
    with pytest.raises(ValueError, match=r"\w"):
        decode_span(encoded[:cut], 10)


def test_span_batches_need_whole_seconds() -> None:
    with pytest.raises(ValidationError, match="whole seconds"):
        config(batcher={"format": "span"}, sequencer={"block_time_s": 0.25})


def test_what_proves_posts_state_differences_unless_told_otherwise() -> None:
    assert config(settlement={"kind": "validity"}).batch_format == "state_diffs"
    assert config().batch_format == "span"
    assert config(sequencer={"block_time_s": 0.25}).batch_format == "singular"
    assert config(settlement={"kind": "validity"}, batcher={"format": "chunks"}).batch_format == "chunks"
