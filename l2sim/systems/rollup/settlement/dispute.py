"""The dispute game: who says what of a trace of states, by bisection down to one step, with clocks and bonds.

A claim says what the state is after some step. The root claims the last state; each answer goes half as far, to the
left of what it attacks or to the right of what it defends, until a claim is about a single step, which L1 executes
itself. Then every claim falls that has an answer left standing, and its bond goes to the leftmost of those.

Source: ethereum-optimism/specs fd72cf79, specs/protocol/fault-proof/stage-one (fault-dispute-game.md,
bond-incentives.md, honest-challenger-fdg.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

BASE_BOND_GAS = 400_000
BOND_GROWTH = 1.09493
"""A bond pays for what answering to it may cost: so many gas for the root, and so much more a level."""
ASSUMED_GAS_PRICE_WEI = 200 * 10**9
NS_PER_S = 1_000_000_000


def bond_wei(depth: int) -> int:
    """What a claim at that depth has to deposit.

    >>> bond_wei(0), bond_wei(73) // 10**18
    (80000000000000000, 60)
    """
    return round(BASE_BOND_GAS * BOND_GROWTH**depth * ASSUMED_GAS_PRICE_WEI)


class MoveRefused(Exception):  # noqa: N818 - a refusal, not an error
    """The rules do not allow a move; the reason is its text."""


class Side(StrEnum):
    """Who wins when a game is resolved."""

    PROPOSER = "proposer"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True)
class Rules:
    """How deep a game goes and how long its clocks run."""

    max_depth: int = 73
    """Depth of the claims about single steps: a trace has 2**max_depth states."""
    split_depth: int = 30
    """Deepest claims about whole outputs; clocks are extended twice as far by claims one level above."""
    clock_ns: int = 302_400 * NS_PER_S
    """Time that each side has in all: 3.5 days."""
    extension_ns: int = 10_800 * NS_PER_S
    """What a side has left at least for its answer to an answer: 3 hours."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_depth <= 126:
            raise ValueError(f"max_depth must be from 1 to 126 (got {self.max_depth})")
        if self.clock_ns < 2 * self.extension_ns:
            raise ValueError(f"clock_ns must be at least twice extension_ns (got {self.clock_ns}, {self.extension_ns})")


@dataclass(slots=True)
class Claim:
    """What somebody says the state is after a step."""

    number: int
    parent: int | None
    depth: int
    index: int
    """Which of the 2**depth claims of its depth it can be, from the left."""
    value: bytes
    claimant: str
    bond_wei: int
    made_ns: int
    used_ns: int
    """What its side has used of its clock in this line of claims."""
    stepped_by: str | None = None
    """Who showed on L1 that the single step is wrong."""

    @property
    def by_proposer_side(self) -> bool:
        """Whether it speaks for the root: depths are even on that side."""
        return self.depth % 2 == 0


Step = Callable[[int, bytes], bytes]
"""What L1 executes: the state after step i, given the one before it."""


class DisputeGame:
    """One game over one root claim.

    `start` is the state before the first step, on which both sides agree. Times are ns and never fall from call to
    call. Everything that a move does is checked by the rules; whether it is wise is the player's affair.

    >>> states = [b"0", b"1", b"2", b"3", b"4"]
    >>> step = lambda i, before: states[states.index(before) + 1]
    >>> game = DisputeGame(Rules(max_depth=2), b"0", b"WRONG", "liar", 0, step)
    >>> _ = game.move(0, attack=True, value=b"2", player="watcher", now_ns=1)  # half the trace is agreed on
    >>> game.resolve(game.over_ns()), game.payouts()["watcher"] - bond_wei(1) == bond_wei(0)
    (<Side.CHALLENGER: 'challenger'>, True)
    """

    def __init__(self, rules: Rules, start: bytes, root: bytes, proposer: str, now_ns: int, step: Step) -> None:
        self.rules = rules
        self.start = start
        self.claims = [Claim(0, None, 0, 0, root, proposer, bond_wei(0), now_ns, 0)]
        self.winner: Side | None = None
        self._children: list[list[int]] = [[]]
        self._step = step
        self._payouts: dict[str, int] = {}
        self._made: set[tuple[int, int, bytes, int]] = set()

    def trace_index(self, depth: int, index: int) -> int:
        """The step after which a claim at that place says the state; the last of its part of the trace."""
        return ((index + 1) << (self.rules.max_depth - depth)) - 1

    def move(self, parent: int, *, attack: bool, value: bytes, player: str, now_ns: int) -> Claim:
        """Answer a claim: `attack` what it says, or defend it by a claim further right. Raises MoveRefused."""
        target = self.claims[parent]
        if self.winner is not None:
            raise MoveRefused("the game is resolved")
        if target.depth == self.rules.max_depth:
            raise MoveRefused("a single step is not divided: it is executed")
        if not attack and parent == 0:
            raise MoveRefused("nothing lies to the right of the root")
        depth = target.depth + 1
        index = 2 * target.index + (0 if attack else 2)
        if index >= 1 << depth:
            raise MoveRefused("nothing lies to the right of the last state")
        if (depth, index, value, parent) in self._made:
            raise MoveRefused("the claim has been made")
        used_ns = self._clock(target, now_ns)
        if used_ns >= self.rules.clock_ns:
            raise MoveRefused("the clock has run out")
        # The grandchild of a claim above the split is the first about a trace, and whoever makes it has one to run.
        extension_ns = self.rules.extension_ns * (2 if depth == self.rules.split_depth - 1 else 1)
        used_ns = min(used_ns, self.rules.clock_ns - extension_ns)
        claim = Claim(len(self.claims), parent, depth, index, value, player, bond_wei(depth), now_ns, used_ns)
        self._made.add((depth, index, value, parent))
        self.claims.append(claim)
        self._children.append([])
        self._children[parent].append(claim.number)
        return claim

    def execute(self, number: int, *, attack: bool, player: str, now_ns: int) -> None:
        """Have L1 execute the step that a deepest claim is about (`attack`), or the one after it.

        The claim falls if what it says is not what comes out; or, one step on, if what comes out bears out what the
        other side said there, or not what its own side said. Raises MoveRefused, also where the claim is borne out.
        """
        claim = self.claims[number]
        if self.winner is not None:
            raise MoveRefused("the game is resolved")
        if claim.depth != self.rules.max_depth:
            raise MoveRefused("only a single step is executed")
        if claim.stepped_by is not None:
            raise MoveRefused("the claim has fallen")
        if self._clock(claim, now_ns) >= self.rules.clock_ns:
            raise MoveRefused("the clock has run out")
        at = self.trace_index(claim.depth, claim.index)
        if attack:
            before = self.start if at == 0 else self._said(claim, at - 1).value
            falls = self._step(at, before) != claim.value
        else:
            after = self._said(claim, at + 1)
            own_side = (claim.depth - after.depth) % 2 == 0
            falls = (self._step(at + 1, claim.value) == after.value) != own_side
        if not falls:
            raise MoveRefused("L1 bears the claim out")
        claim.stepped_by = player

    def _said(self, claim: Claim, at: int) -> Claim:
        """The nearest of the claims above that says what the state after step `at` is."""
        walk: Claim | None = claim
        while walk is not None:
            if self.trace_index(walk.depth, walk.index) == at:
                return walk
            walk = None if walk.parent is None else self.claims[walk.parent]
        raise MoveRefused("nobody has said what the state is there")

    def _clock(self, target: Claim, now_ns: int) -> int:
        """What the side that answers `target` now has used of its clock."""
        before_ns = 0 if target.parent is None else self.claims[target.parent].used_ns
        return before_ns + now_ns - target.made_ns

    def over_ns(self) -> int:
        """When the last clock that could still be moved under runs out."""
        return max(
            claim.made_ns + self.rules.clock_ns - (0 if claim.parent is None else self.claims[claim.parent].used_ns)
            for claim in self.claims
        )

    def resolve(self, now_ns: int) -> Side:
        """Let claims fall from the deepest up, pay out the bonds, and say who won. Raises MoveRefused if too early."""
        if now_ns < self.over_ns():
            raise MoveRefused(f"clocks run until {self.over_ns()} ns")
        beaten_by: dict[int, str | None] = {}
        for claim in reversed(self.claims):  # answers come after what they answer
            standing = [child for child in self._children[claim.number] if beaten_by[child] is None]
            first = min(standing, key=lambda child: self._place(self.claims[child]), default=None)
            winner = claim.stepped_by if first is None else self.claims[first].claimant
            beaten_by[claim.number] = winner
            paid_to = claim.claimant if winner is None else winner
            self._payouts[paid_to] = self._payouts.get(paid_to, 0) + claim.bond_wei
        self.winner = Side.PROPOSER if beaten_by[0] is None else Side.CHALLENGER
        return self.winner

    def _place(self, claim: Claim) -> tuple[int, int]:
        return self.trace_index(claim.depth, claim.index), claim.number

    def payouts(self) -> dict[str, int]:
        """What each player gets of all bonds, once the game is resolved, wei."""
        return dict(self._payouts)

    def deposits(self) -> dict[str, int]:
        """What each player put down, wei."""
        found: dict[str, int] = {}
        for claim in self.claims:
            found[claim.claimant] = found.get(claim.claimant, 0) + claim.bond_wei
        return found


class HonestPlayer:
    """Knows the true states and answers every claim of the other side.

    `states(i)` is the state after step i. A true claim of the other side is defended, a false one attacked, and what
    is about a single step is executed; claims of its own side are left alone, whoever made them.
    """

    def __init__(self, name: str, game: DisputeGame, states: Callable[[int], bytes]) -> None:
        self.name = name
        self._game = game
        self._states = states
        root = game.claims[0]
        self._for_root = states(game.trace_index(0, 0)) == root.value
        self._answered: set[int] = set()

    def next_move(self) -> int | None:
        """The first claim that it has not answered yet, if there is one."""
        for claim in self._game.claims:
            if claim.by_proposer_side != self._for_root and claim.number not in self._answered:
                return claim.number
        return None

    def answer(self, number: int, now_ns: int) -> Claim | None:
        """Answer that claim; the new claim, or None where L1 executed a step or nothing needs to be done."""
        game = self._game
        self._answered.add(number)
        claim = game.claims[number]
        agrees = self._states(game.trace_index(claim.depth, claim.index)) == claim.value
        if claim.depth == game.rules.max_depth:
            game.execute(number, attack=not agrees, player=self.name, now_ns=now_ns)
            return None
        depth, index = claim.depth + 1, 2 * claim.index + (2 if agrees else 0)
        value = self._states(game.trace_index(depth, index))
        try:
            return game.move(number, attack=not agrees, value=value, player=self.name, now_ns=now_ns)
        except MoveRefused as refusal:
            if str(refusal) == "the claim has been made":  # somebody said the same before
                return None
            raise
