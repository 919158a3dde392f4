"""Two rollups of a scenario that post into the same blobs of one L1: what is in them, who pays what, what it saves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import l2sim
from l2sim.cli.main import cli
from l2sim.crypto.profiles import load_profile
from l2sim.engine import Streams, ns
from l2sim.errors import ScenarioError
from l2sim.experiment.world import Life, live
from l2sim.l1.base import Purpose
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.scenario import parse_scenario
from l2sim.systems.base import Horizon
from l2sim.systems.rollup.channel import assemble, decompress
from l2sim.systems.rollup.formats.span import decode_span
from l2sim.systems.rollup.posting import BLOB_BYTES
from l2sim.systems.rollup.shared_blobs import blob_weights, pack, split, unpack
from l2sim.systems.rollup.sharing_config import BlobSharingConfig
from l2sim.systems.rollup.system import RollupSystem, share
from tests.support.rollup import QUIET, config, random_load
from tests.support.worlds import PRICES

SCENARIO = """\
name: shared
phases: {onboarding_s: 600, settling_s: 3600, leaving_s: 900000}
workload:
  users: 12
  duration_s: 1200
  arrivals: {kind: poisson, rate_per_s: 0.2}
  amounts: {kind: constant, usd: 1}
  funds: {kind: constant, usd: 500}
l1:
  eth: {kind: ethereum}
  other: {kind: ethereum}
systems:
  one: {kind: rollup, l1: eth, batcher: {max_interval_s: 300, medium: blob}}
  alone: {kind: rollup, l1: eth, batcher: {max_interval_s: 300, medium: blob}}
  two: {kind: rollup, l1: eth, batcher: {max_interval_s: 300, medium: blob}, settlement: {kind: validity}}
blob_sharing:
  - {systems: [one, two], wait_s: 300, split: SPLIT}
"""


def together(
    chain: dict[str, Any], rule: str = "bytes", wait_s: float = 300, interval_s: int = 300
) -> tuple[list[Life], Any]:
    """Two rollups that share blobs, the second with half the fees and another settlement; lived to the end."""
    load = random_load(200, 12, 1_500)
    horizon = Horizon(ns(600), ns(600 + 3_600), ns(20 * 86_400))
    lives: list[Life] = []
    for number, settlement in enumerate(({"kind": "optimistic"}, {"kind": "validity", "proof_s": 300})):
        batcher = {"max_interval_s": interval_s if number else 300, "medium": "blob"}
        settings = config(batcher=batcher, settlement=settlement)
        lives.append(
            Life(
                f"rollup {number}", settings, EthereumConfig.model_validate({"background": QUIET, **chain}),
                streams=Streams(1), workload=load, horizon=horizon, payments_end_ns=ns(600 + 1_500), prices=PRICES,
                profile=load_profile("reference"), crypto="modelled", ground=lives[0].ground if lives else None,
                tenant=number,
            )
        )  # fmt: skip
    systems = [life.system for life in lives if isinstance(life.system, RollupSystem)]
    sharing = BlobSharingConfig.model_validate({"systems": ["a", "b"], "wait_s": wait_s, "split": rule})
    shared = share(systems, sharing)
    shared.archive = []
    for system in systems:
        system.batcher.poster.archive = []
    live(lives)
    return lives, shared


@pytest.mark.parametrize("rule", ["bytes", "nash"])
@pytest.mark.parametrize(
    "chain",
    [{}, {"background": {"burn_in_slots": 8}}, {"reorgs": {"probability": 0.3, "max_depth": 2}}],
    ids=["quiet", "busy", "reorganised"],
)
def test_both_batches_are_in_the_blobs_and_every_wei_is_somebodys(rule: str, chain: dict[str, Any]) -> None:
    lives, shared = together(chain, rule)
    # What was posted gives back both rollups' batches.
    found: dict[int, list[bytes]] = {0: [], 1: []}
    for blobs in shared.archive:
        assert all(len(blob) <= BLOB_BYTES for blob in blobs)
        for member, payload in unpack(b"".join(blobs)):
            found[member].append(payload)
    for member, life in enumerate(lives):
        posted = [part for parts in life.system.batcher.poster.archive for part in parts]  # type: ignore[attr-defined]
        assert found[member] == posted
    spans = [decode_span(decompress(assemble([payload])), 10)[0] for payload in found[0]]
    rows = [life.world.recorder.batches.columns for life in lives]
    assert [int(span.counts.sum()) for span in spans] == rows[0]["payments"]
    # Money: each lives by its own books, and what the posts cost is the sum of what both were charged.
    for life in lives:
        assert life.system.left
        assert life.system.audit().conserved
        assert life.facts().everyone_left
    operated = [life.facts().l1_fees["operate"] for life in lives]
    batches = [sum(row["gas_fee_wei"]) + sum(row["blob_fee_wei"]) for row in rows]
    assert all(total >= part > 0 for total, part in zip(operated, batches, strict=True))
    chain_ = lives[0].chain
    booked = sum(chain_.spending_of(tenant)[purpose].fee for tenant in range(3) for purpose in Purpose)
    assert booked == chain_.burnt_wei + chain_.tips_wei  # type: ignore[attr-defined]
    poster = chain_.spending_of(2)[Purpose.OPERATE]
    assert (poster.transactions, poster.size_bytes, poster.fee) == (0, 0, 0)


def test_posting_together_costs_less_than_alone_and_the_split_is_as_stated() -> None:
    lives, shared = together({})
    alone = lives[0].world.recorder.batches.columns["blobs"]
    assert set(alone) == {1}
    assert shared.posts < 2 * len(alone)  # most posts carry both
    rows = [life.world.recorder.batches.columns for life in lives]
    # A post that carried both: the blob is paid for once, in proportion to bytes.
    pairs = [
        (a, b)
        for a in range(len(rows[0]["batch"]))
        for b in range(len(rows[1]["batch"]))
        if rows[0]["included_ns"][a] == rows[1]["included_ns"][b]
    ]
    assert pairs
    for a, b in pairs:
        paid = rows[0]["blob_fee_wei"][a] + rows[1]["blob_fee_wei"][b]
        assert paid % 131_072 == 0
        assert rows[0]["gas"][a] + rows[1]["gas"][b] == 21_000
        share_ = rows[0]["blob_fee_wei"][a] / paid
        sizes = [rows[0]["compressed_bytes"][a] + 24 + 5, rows[1]["compressed_bytes"][b] + 5]
        assert share_ == pytest.approx(sizes[0] / sum(sizes), rel=1e-3)


def test_who_waits_in_vain_posts_alone() -> None:
    lives, shared = together({}, wait_s=10, interval_s=260)
    assert shared.posts == sum(len(life.world.recorder.batches) for life in lives)
    for life in lives:
        assert set(life.world.recorder.batches.columns["gas"]) == {21_000}


@pytest.mark.parametrize("rule", ["bytes", "nash"])
def test_a_scenario_runs_them_side_by_side_and_the_third_as_ever(rule: str) -> None:
    scenario = parse_scenario(SCENARIO.replace("SPLIT", rule))
    assert scenario.together() == [("one", "two"), ("alone",)]
    result = l2sim.run(scenario)
    assert list(result.summary) == ["one", "alone", "two"]
    cost = {name: result.summary[name]["cost_usd"]["operators_l1"] for name in result.summary}
    assert cost["one"] < cost["alone"]
    assert all(result.summary[name]["conserved"] for name in result.summary)
    only = l2sim.run(scenario, systems=["alone", "one"])
    assert only.summary["one"]["cost_usd"]["operators_l1"] == only.summary["alone"]["cost_usd"]["operators_l1"]
    assert only.summary["alone"]["cost_usd"] == result.summary["alone"]["cost_usd"]  # whoever lives beside it


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[one, two]", "[one, tow]", "17:21 blob_sharing.0.systems.1: must be a rollup of systems; did you mean two?"),
        ("[one, two]", "[one, one]", "17:21 blob_sharing.0.systems.1: must share blobs once"),
        ("two: {kind: rollup, l1: eth", "two: {kind: rollup, l1: other", "must be on the same chain, eth"),
        ("medium: blob}, settlement", "medium: calldata}, settlement", "must be a rollup whose batches go into blobs"),
        ("[one, two]", "[one]", "must hold at least 2"),
    ],
)
def test_rollups_that_cannot_share_are_refused_with_their_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    text = SCENARIO.replace("SPLIT", "bytes")
    assert old in text
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text.replace(old, new), "shared.yaml")
    assert any(words in str(problem) for problem in caught.value.problems), caught.value.problems
    (tmp_path / "shared.yaml").write_text(text.replace(old, new))
    assert CliRunner().invoke(cli, ["validate", str(tmp_path / "shared.yaml")]).exit_code == 2


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=8))
def test_payloads_come_back_from_their_stream(payloads: list[tuple[int, bytes]]) -> None:
    stream = pack(payloads)
    assert list(unpack(stream)) == payloads
    if stream:
        with pytest.raises(ValueError, match="must end by byte"):
            list(unpack(stream + b"\x00\x00\x00\x00\x09short"))


@given(
    st.integers(0, 10**20),
    st.lists(st.integers(1, 800_000), min_size=1, max_size=6),
    st.sampled_from(["bytes", "nash"]),
)
def test_a_split_loses_no_wei_and_nobody_pays_more_than_alone(amount: int, sizes: list[int], rule: str) -> None:
    weights = blob_weights(sizes, rule)
    assert min(weights) >= 0
    parts = split(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0
    if rule == "nash":
        price = 131_072 * 7
        blobs = -(-sum(sizes) // BLOB_BYTES)
        alone = [-(-size // BLOB_BYTES) * price for size in sizes]
        assert all(part <= most + 1 for part, most in zip(split(blobs * price, weights), alone, strict=True))


def test_the_larger_pays_more_than_half_and_less_than_its_share_of_the_bytes_by_nash() -> None:
    """The ordering that Crapis, Felten and Mamageishvili prove."""
    sizes = [int(1.6 * BLOB_BYTES), int(0.3 * BLOB_BYTES)]
    nash = np.array(blob_weights(sizes, "nash"), float)
    assert 0.5 < nash[0] / nash.sum() < sizes[0] / sum(sizes)
