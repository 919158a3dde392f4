"""A dispute played out on L1: a liar's proposal, the watcher who saw through it, every move a transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from l2sim.crypto.hashing.reference import keccak256
from l2sim.engine import ns
from l2sim.l1.base import Receipt
from l2sim.systems.base import World
from l2sim.systems.rollup.l1_account import Operator
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.settlement.config import DisputeConfig
from l2sim.systems.rollup.settlement.dispute import DisputeGame, HonestPlayer, MoveRefused, Rules, Side
from l2sim.systems.rollup.settlement.replay import Operation, Replay

LIAR: Final = "liar"
WATCHER: Final = "watcher"
MOVE_DATA_BYTES: Final = 100
"""Calldata of a move: selector and three words, whichever move it is."""


@dataclass(slots=True)
class Dispute:
    """What became of a dispute."""

    proposal: int
    begun_ns: int
    moves: int = 0
    """Claims made after the root, both sides together."""
    resolved_ns: int | None = None
    watcher_won: bool = False
    watcher_gain_wei: int = 0
    """Bonds paid to the watcher beyond its own."""
    liar_loss_wei: int = 0
    """Bonds of the liar that were paid to others."""


class Trace:
    """The states of a dispute: after each of 2**depth instructions, of which each operation takes an equal share.

    An operation's effect shows with its last instruction; past the last operation nothing changes.
    """

    def __init__(self, replay: Replay, depth: int, lies_from: int, thief: int, stolen_wei: int) -> None:
        self._root_after = replay.root_after
        self._count = len(replay)
        self._shift = depth - max(1, (self._count - 1).bit_length())
        self._lies_from = lies_from
        self._thief = thief
        self._stolen_wei = stolen_wei

    def _done(self, instruction: int) -> int:
        """Operations that are done after an instruction."""
        return min((instruction + 1) >> self._shift, self._count)

    def truth(self, instruction: int) -> bytes:
        """The state's root after an instruction."""
        return self._root_after(self._done(instruction))

    def lie(self, instruction: int) -> bytes:
        """What the liar says it is: more on its account from one operation on."""
        done = self._done(instruction)
        stolen_wei = self._stolen_wei if done > self._lies_from else 0
        return self._root_after(done, thief=self._thief, stolen_wei=stolen_wei)

    def keep(self, roots: dict[tuple[int, int, int], bytes]) -> None:
        """From now on know only these roots: the replay goes on to other operations."""

        def known(count: int, *, thief: int = 0, stolen_wei: int = 0) -> bytes:
            return roots[count, thief, stolen_wei]

        self._root_after = known

    def execute(self, instruction: int, before: bytes) -> bytes:
        """One instruction as L1 executes it."""
        done = self._done(instruction - 1) if instruction else 0
        if self._done(instruction) == done:
            return before
        if before == self._root_after(done):
            return self._root_after(done + 1)
        return keccak256(b"the operation on another state" + before)


def players_of(game: DisputeGame, trace: Trace) -> dict[str, HonestPlayer]:
    """Both sides of a game; the liar answers by its lie as the watcher does by the truth."""
    return {
        WATCHER: HonestPlayer(WATCHER, game, trace.truth),
        LIAR: HonestPlayer(LIAR, game, trace.lie),
    }


def play_out(game: DisputeGame, trace: Trace, now_ns: int) -> None:
    """Make all moves of a game at one instant, until nobody has one."""
    players = players_of(game, trace)
    waiting = [WATCHER, LIAR]
    while (number := players[waiting[0]].next_move()) is not None:
        try:
            players[waiting[0]].answer(number, now_ns)
        except MoveRefused:
            return
        waiting.reverse()


class Challenge:
    """Plays one dispute out: each side answers `response_s` after the other's transaction is in a block."""

    def __init__(
        self,
        config: DisputeConfig,
        world: World,
        proposal: int,
        steps: Sequence[Operation],
        replay: Replay,
        operators: dict[str, Operator],
        on_resolved: Callable[["Challenge"], object],
        *,
        stolen_wei: int,
        awake: Outages,
        seen_ns: int,
    ) -> None:
        """`awake` says when the watcher moves, `seen_ns` when it has seen through the lie."""
        self._config = config
        self._world = world
        self._operators = operators
        self._on_resolved = on_resolved
        self.record = Dispute(proposal, world.environment.now)
        depth = config.max_depth
        rules = Rules(depth, min(config.split_depth, depth), ns(config.clock_s), ns(config.extension_s))
        lies_from = world.streams.get("rollup/lies").integer(len(steps))
        self.trace = Trace(replay, depth, lies_from, world.workload.users, stolen_wei)
        last = (1 << depth) - 1
        now = world.environment.now
        start, root = replay.root_after(0), self.trace.lie(last)
        play_out(DisputeGame(rules, start, root, LIAR, now, self.trace.execute), self.trace, now)
        self.trace.keep(dict(replay.roots))  # whatever the game below can ask for was asked for
        self.game = DisputeGame(rules, start, root, LIAR, now, self.trace.execute)
        self._players = players_of(self.game, self.trace)
        self.due_ns: int | None = None
        """When the next transaction is sent."""
        self._awake = awake
        self._turn_at(seen_ns, WATCHER)

    def _turn_at(self, time_ns: int, name: str) -> None:
        self.due_ns = max(self._world.environment.now, time_ns)
        if name == WATCHER:
            self.due_ns = self._awake.after(self.due_ns)
        self._world.environment.call_at(self.due_ns, self._turn, name)

    @property
    def bonded_wei(self) -> int:
        """What lies in bonds now."""
        return 0 if self.game.winner is not None else sum(self.game.deposits().values())

    def _turn(self, name: str) -> None:
        """Send that player's answer to the first claim that it has not answered, if there is one."""
        self.due_ns = None
        player = self._players[name]
        number = player.next_move()
        if number is None:
            self._wait_for_clocks()
            return
        deepest = self.game.claims[number].depth == self.game.rules.max_depth
        gas = self._config.step_gas if deepest else self._config.move_gas
        self._operators[name].send(gas, lambda receipt: self._moved(name, number, receipt), data=bytes(MOVE_DATA_BYTES))

    def _moved(self, name: str, number: int, receipt: Receipt) -> None:
        other = LIAR if name == WATCHER else WATCHER
        try:
            self._players[name].answer(number, receipt.time_ns)
        except MoveRefused:  # L1 does not bear it out, or its clock ran out: it gives up
            self._wait_for_clocks()
            return
        self._turn_at(self._world.environment.now + ns(self._config.response_s), other)

    def _wait_for_clocks(self) -> None:
        due_ns = max(self.game.over_ns(), self._world.environment.now)
        self.due_ns = due_ns
        self._world.environment.call_at(due_ns, self._resolve)

    def _resolve(self) -> None:
        self.due_ns = None
        self._operators[WATCHER].send(self._config.resolve_gas, self._resolved, data=bytes(MOVE_DATA_BYTES))

    def _resolved(self, receipt: Receipt) -> None:
        winner = self.game.resolve(receipt.time_ns)
        put_down, paid = self.game.deposits(), self.game.payouts()
        record = self.record
        record.moves = len(self.game.claims) - 1
        record.resolved_ns = receipt.time_ns
        record.watcher_won = winner is Side.CHALLENGER
        record.watcher_gain_wei = paid.get(WATCHER, 0) - put_down.get(WATCHER, 0)
        record.liar_loss_wei = put_down.get(LIAR, 0) - paid.get(LIAR, 0)
        self._on_resolved(self)
