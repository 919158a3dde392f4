"""How bids for a block rise towards a deadline, and what they never exceed (LND sweep/fee_function.go)."""

from types import SimpleNamespace
from typing import Any

import pytest

from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish
from tests.support.forced import OneChannel
from tests.support.l1 import bitcoin


def bids(monkeypatch: pytest.MonkeyPatch, estimate: int, deadline: int, **wish: Any) -> dict[int, int]:
    """Fees bid by the height of the first block that could hold them; no block ever does."""
    environment, chain, _ = bitcoin(block_times="clocked")
    sent: dict[int, int] = {}
    monkeypatch.setattr(chain, "feerate_sat_per_kvb", lambda _: estimate)
    monkeypatch.setattr(chain, "submit", lambda transaction, *_: sent.update({chain.height + 1: transaction.fee_sat}))
    monkeypatch.setattr(chain, "waits", lambda _: True)
    monkeypatch.setattr(chain, "least_replacement_fee_sat", lambda *_: 0)
    spending: Any = SimpleNamespace(name="test", weight_wu=700, version=2, spends=(OutPoint(b"1" * 32, 0),))
    wanted = Wish(spending, 1_750, Purpose.EXIT, target_blocks=6, deadline_height=deadline, **wish)
    Bumper(chain, wanted, 10**6, lambda _, fee: fee.to_bytes(32, "big"), lambda *_: None)
    environment.run_until((deadline + 3) * 600 * NS_PER_S)
    return sent


def test_the_whole_budget_is_bid_for_the_last_block_that_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # From 175 vB at 1 sat/vB for block 0 to the budget of 10 sat/vB for block 5, and no more afterwards.
    assert bids(monkeypatch, 1_000, 5) == {0: 175, 1: 490, 2: 805, 3: 1_120, 4: 1_435, 5: 1_750}


def test_a_deadline_one_block_away_is_worth_the_whole_budget_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bids(monkeypatch, 1_000, 0) == {0: 1_750}


def test_a_market_above_the_budget_is_bid_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bids(monkeypatch, 20_000, 5) == {0: 1_750}


def test_a_child_bids_what_its_budget_and_its_parents_fee_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = bids(monkeypatch, 20_000, 5, parent_wu=1_124, parent_fee_sat=284)
    assert list(found) == [0]
    assert 1_750 - 1 <= found[0] <= 1_750  # rates are whole satoshi per kvB


def test_a_commitment_forced_at_the_expiry_of_what_its_publisher_offered_does_not_begin_with_all_it_has() -> None:
    dear = {"background": {"load": 3.0, "median_sat_per_vb": 20.0}}
    one = OneChannel(5_000_000, 5_000_000, chain=dear, to_self_delay_blocks=10, commitment_target_blocks=2)
    one.htlcs.offer(0, 1_000_000, expiry=1)
    one.run(3)
    one.home.force(0, 0)
    one.run(100)
    one.check()
    estimate_sat_per_vb = 100  # far above what that market asks for
    assert one.home.entered_msat < 3 * 500 * estimate_sat_per_vb * 1_000
