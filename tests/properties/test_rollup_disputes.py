"""Disputes: an honest watcher always wins, an honest proposer never loses its bond, whatever the other side does."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.systems.rollup.settlement.dispute import (
    Claim,
    DisputeGame,
    HonestPlayer,
    MoveRefused,
    Rules,
    Side,
    bond_wei,
)
from tests.shared import shared

HOUR_NS = 3_600 * 10**9
START = b"start"


def true_state(step: int) -> bytes:
    """What the state really is after a step."""
    return b"true %d" % step


def execute(step: int, before: bytes) -> bytes:
    """One step as L1 does it: from the true state to the next true one, from anything else to rubbish."""
    right = START if step == 0 else true_state(step - 1)
    return true_state(step) if before == right else b"rubbish after " + before


def answer_all(game: DisputeGame, honest: HonestPlayer, now_ns: int, delay_ns: int) -> int:
    """Let the honest player answer whatever is open; the time afterwards."""
    while (number := honest.next_move()) is not None:
        now_ns += delay_ns
        honest.answer(number, now_ns)
    return now_ns


actions = st.lists(
    st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from(["true", "lie", "step"]), st.integers(0, 50)),
    max_size=25,
)


def play(depth: int, root_is_true: bool, moves: list[tuple[int, bool, str, int]], delay_s: int) -> DisputeGame:
    """A game of an honest player against one who moves as it likes, as whoever it likes."""
    rules = Rules(max_depth=depth, split_depth=max(1, depth // 2))
    last = (1 << depth) - 1
    root = true_state(last) if root_is_true else b"lie"
    game = DisputeGame(rules, START, root, "honest" if root_is_true else "other", 0, execute)
    honest = HonestPlayer("honest", game, true_state)
    now_ns = answer_all(game, honest, 0, delay_s * 10**9)
    for target, attack, what, wait_hours in moves:
        now_ns += wait_hours * HOUR_NS
        parent: Claim = game.claims[target % len(game.claims)]
        try:
            if what == "step":
                game.execute(parent.number, attack=attack, player="other", now_ns=now_ns)
            else:
                index = 2 * parent.index + (0 if attack else 2)
                at = game.trace_index(parent.depth + 1, index) if parent.depth < depth else 0
                value = true_state(at) if what == "true" else b"lie %d" % target
                game.move(parent.number, attack=attack, value=value, player="other", now_ns=now_ns)
        except MoveRefused:
            continue
        now_ns = answer_all(game, honest, now_ns, delay_s * 10**9)
    game.resolve(max(now_ns, game.over_ns()))
    return game


@given(depth=st.integers(1, 7), root_is_true=st.booleans(), moves=actions, delay_s=st.integers(1, 600))
@settings(max_examples=150, deadline=None)
def test_truth_wins_and_whoever_says_it_gets_back_what_it_put_down(
    depth: int, root_is_true: bool, moves: list[tuple[int, bool, str, int]], delay_s: int
) -> None:
    game = play(depth, root_is_true, moves, delay_s)
    assert game.winner is (Side.PROPOSER if root_is_true else Side.CHALLENGER)
    put_down, paid = game.deposits(), game.payouts()
    assert paid.get("honest", 0) >= put_down.get("honest", 0)
    assert sum(paid.values()) == sum(put_down.values())


@pytest.mark.parametrize("lies_from", [0, 1, 5, 14, 15])
def test_a_lie_from_any_step_on_is_found_by_bisection_to_that_step(lies_from: int) -> None:
    def lying(step: int) -> bytes:
        return true_state(step) if step < lies_from else b"lie %d" % step

    game = DisputeGame(Rules(max_depth=4, split_depth=2), START, lying(15), "liar", 0, execute)
    watcher = HonestPlayer("watcher", game, true_state)
    liar = HonestPlayer("liar", game, lying)
    executed = []
    real = game.execute

    def spy(number: int, **how: Any) -> None:
        executed.append(game.trace_index(4, game.claims[number].index))
        real(number, **how)

    game.execute = spy  # type: ignore[method-assign]
    now_ns = 0
    while (number := watcher.next_move()) is not None:
        now_ns += HOUR_NS
        watcher.answer(number, now_ns)
        reply = liar.next_move()
        if reply is not None:
            now_ns += HOUR_NS
            if game.claims[reply].depth == 4:
                with pytest.raises(MoveRefused, match="L1 bears the claim out"):
                    liar.answer(reply, now_ns)
            else:
                liar.answer(reply, now_ns)
    assert game.resolve(game.over_ns()) is Side.CHALLENGER
    assert game.payouts() == {"watcher": sum(game.deposits().values())}
    assert len(game.claims) == 5  # the root and a claim a level
    assert executed
    assert executed[-1] in (lies_from, lies_from - 1)


def test_who_does_not_answer_in_time_loses() -> None:
    rules = Rules(max_depth=3, split_depth=1)
    game = DisputeGame(rules, START, true_state(7), "honest", 0, execute)
    game.move(0, attack=True, value=b"lie", player="other", now_ns=HOUR_NS)
    with pytest.raises(MoveRefused, match="clocks run until"):
        game.resolve(rules.clock_ns)
    late_ns = game.over_ns()
    with pytest.raises(MoveRefused, match="clock has run out"):
        game.move(1, attack=True, value=true_state(1), player="honest", now_ns=late_ns)
    assert game.resolve(late_ns) is Side.CHALLENGER
    assert game.payouts() == {"other": bond_wei(0) + bond_wei(1)}


def test_bonds_are_those_of_the_vectors() -> None:
    cases = json.loads(shared("vectors/rollup/op_dispute_bonds.json").read_text())["cases"]
    assert len(cases) == 8
    for case in cases:
        assert bond_wei(case["depth"]) / 1e18 == pytest.approx(case["bond_eth"], rel=1e-9)


@pytest.mark.parametrize(("depth", "extensions"), [(1, 1), (2, 2), (3, 1)])
def test_a_late_move_leaves_an_extension_and_two_where_the_next_but_one_begins_a_trace(
    depth: int, extensions: int
) -> None:
    """fault-dispute-game.md, game clock: the potential grandchild of a claim at depth 2 is a trace's root, at 4."""
    rules = Rules(max_depth=6, split_depth=3)
    game = DisputeGame(rules, START, true_state(63), "honest", 0, execute)
    now_ns = 0
    for at in range(depth):
        now_ns += rules.clock_ns - 1 if at == depth - 1 else 0
        claim = game.move(at, attack=True, value=b"lie %d" % at, player="other", now_ns=now_ns)
    assert rules.clock_ns - claim.used_ns == extensions * rules.extension_ns
