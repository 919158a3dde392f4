"""Cheaters who publish revoked commitments, and who takes everything from them: victims and their watchtowers."""

from l2sim.crypto.bitcoin.claims import Claim, to_local_claim, to_remote_claim
from l2sim.crypto.bitcoin.penalty import revoked_to_local_claim
from l2sim.engine import Environment, Stream, ns
from l2sim.l1.base import Receipt
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.config import Breach
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish
from l2sim.systems.lightning.onchain.force_close import CloseKind, Closing, ForceCloses
from l2sim.systems.lightning.onchain.ids import next_txid
from l2sim.systems.lightning.onchain.transactions import BLOCK_DELAY_OF_ANCHORS, sweep_wu
from l2sim.systems.lightning.onchain.watchtower import tower_fee_sat
from l2sim.systems.lightning.state import Phase


class Breaches:
    """Lets cheaters cheat, and lets them be punished, in the channels that `home` takes on chain."""

    def __init__(self, environment: Environment, rules: Breach, home: ForceCloses, nodes: int, stream: Stream) -> None:
        self._environment = environment
        self._rules = rules
        self._home = home
        self._stream = stream
        cheaters = stream.generator.random(nodes) < rules.cheaters_share
        state = home.state
        self._mine = [edge for edge, node in enumerate(state.source.tolist()) if cheaters[node]]
        """The cheaters' sides of their channels."""
        self._best: dict[int, int] = {}
        """By side of a channel, the most its owner ever owned in it while it was idle, in msat."""
        self.attempts = 0
        """Revoked commitments published."""
        self.punished = 0
        self.by_towers = 0
        """Punished by a watchtower."""
        self.stolen_msat = 0
        """What cheaters got above what was theirs."""
        self.tower_rewards_sat = 0
        home.on_breach = self._breached

    def start(self) -> None:
        """Begin to look."""
        self._environment.call_in(ns(self._rules.every_s), self._look)

    def _look(self) -> None:
        """Remember the best states, and publish one where it has become worth it."""
        if self._home.quiet:
            return
        self._environment.call_in(ns(self._rules.every_s), self._look)
        state, rules = self._home.state, self._rules
        for edge in self._mine:
            channel = edge >> 1
            if state.phase[channel] != Phase.OPEN or state.in_use(channel):
                continue
            now_msat = int(state.balance_msat[edge])
            best_msat = self._best.get(edge, 0)
            if now_msat >= best_msat:
                self._best[edge] = now_msat
                continue
            gain_msat = best_msat - now_msat
            enough = gain_msat >= rules.gain_share * int(state.capacity_msat[channel])
            if enough and self._stream.uniform() < rules.probability:
                self._publish(edge, best_msat)

    def _publish(self, edge: int, best_msat: int) -> None:
        channel, side = edge >> 1, edge & 1
        other_msat = int(self._home.state.capacity_msat[channel]) - best_msat
        old = (best_msat, other_msat) if side == 0 else (other_msat, best_msat)
        if self._home.force(channel, side, old_msat=old) is not None:
            self.attempts += 1

    # Punishment.

    def _breached(self, closing: Closing, height: int) -> None:
        """The old commitment is in a block: the cheater waits for its delay, the victim does not wait."""
        rules, commitment = self._rules, closing.commitment
        if commitment.to_local_vout is None:
            closing.kind = CloseKind.BREACH_PUNISHED  # there is nothing to be had by cheating
            self.punished += 1
            self._take_own(closing, height)
            return
        deadline = height + self._home.rules.to_self_delay_blocks
        closing.open_claims += 1
        fight = _Fight(self, closing, height, deadline)
        fight.cheat()
        if self._stream.uniform() >= rules.victim_away_share:
            fight.punish()
            return
        tower = rules.watchtower
        if tower is not None and self._stream.uniform() < tower.clients_share:
            fight.punish_by_tower()
        self._home.chain.wait_for_height(height + rules.victim_back_blocks, lambda _: fight.punish())

    def _take_own(self, closing: Closing, height: int) -> None:
        """The victim takes its own balance, where nothing else is to be had or the rest is gone."""
        if closing.commitment.to_remote_vout is not None:
            claim = to_remote_claim(closing.commitment)
            self._home.sweep(closing, 1 - closing.side, claim, height + BLOCK_DELAY_OF_ANCHORS)


class _Fight:
    """The race for a revoked commitment's outputs between its publisher and the other side."""

    def __init__(self, breaches: Breaches, closing: Closing, height: int, deadline: int) -> None:
        self._breaches = breaches
        self._closing = closing
        self._height = height
        self._deadline = deadline
        self._home = breaches._home
        self._over = False
        self._bumpers: list[Bumper] = []
        self._claims: list[Claim] = [revoked_to_local_claim(closing.commitment)]
        if closing.commitment.to_remote_vout is not None:
            self._claims.append(to_remote_claim(closing.commitment))
        self._value_sat = sum([claim.value_sat for claim in self._claims])
        self._weight_wu = sweep_wu(self._claims)

    def cheat(self) -> None:
        """The cheater takes its balance once its delay is over, in a hurry."""
        closing, home = self._closing, self._home
        claim = to_local_claim(closing.commitment)
        wish = Wish(
            f"cheat/{closing.commitment.txid.hex()}", (claim.outpoint,), sweep_wu([claim]),
            int(claim.value_sat * home.rules.budget_share), closing.purpose, 1, valid_from_height=self._deadline,
        )  # fmt: skip
        self._bumpers.append(Bumper(home.chain, wish, home.most_sat_per_kvb, self._cheated))

    def _cheated(self, receipt: Receipt, _: bytes, fee: int) -> None:
        claim = self._claims[0]
        closing, state = self._closing, self._home.state
        self._stop()
        self._home.work.spend(1)
        closing.fees_sat += fee
        closing.paid_out_sat[closing.side] += claim.value_sat - fee
        due_msat = int(state.balance_msat[2 * closing.channel + closing.side])
        self._breaches.stolen_msat += max(0, claim.value_sat * MSAT_PER_SAT - due_msat)
        self._breaches._take_own(closing, receipt.height)
        self._home.done_with_one(closing)

    def punish(self) -> None:
        """The victim takes all, at what it costs before the cheater may take its part."""
        if self._over:
            return
        closing, home = self._closing, self._home
        wish = Wish(
            f"penalty/{closing.commitment.txid.hex()}",
            tuple([claim.outpoint for claim in self._claims]),
            self._weight_wu,
            int(self._value_sat * home.rules.budget_share),
            closing.purpose,
            home.rules.commitment_target_blocks,
            deadline_height=max(self._deadline, home.chain.height + 1),
            valid_from_height=self._height + BLOCK_DELAY_OF_ANCHORS,
        )
        bumper = Bumper(home.chain, wish, home.most_sat_per_kvb, lambda _, __, fee: self._punished(fee, by_tower=False))
        self._bumpers.append(bumper)

    def punish_by_tower(self) -> None:
        """A tower sends the penalty at its fixed rate, again each block until it is relayed."""
        rules = self._breaches._rules.watchtower
        assert rules is not None
        fee = min(tower_fee_sat(self._weight_wu, rules), self._value_sat)
        chain = self._home.chain
        transaction = BitcoinTransaction(
            next_txid(f"tower/{self._closing.commitment.txid.hex()}"),
            self._weight_wu,
            fee,
            self._closing.purpose,
            tuple([claim.outpoint for claim in self._claims]),
            valid_from_height=self._height + BLOCK_DELAY_OF_ANCHORS,
        )

        def send(_: int) -> None:
            if self._over or chain.waits(transaction.txid):
                return
            if chain.submit(transaction, lambda _: self._punished(fee, by_tower=True)) is not None:
                chain.wait_for_height(chain.height + 1, send)

        chain.wait_for_height(self._height + BLOCK_DELAY_OF_ANCHORS - 1, send)

    def _punished(self, fee: int, *, by_tower: bool) -> None:
        closing, breaches = self._closing, self._breaches
        self._stop()
        closing.kind = CloseKind.BREACH_PUNISHED
        self._home.work.spend(len(self._claims))
        closing.fees_sat += fee
        closing.paid_out_sat[1 - closing.side] += self._value_sat - fee
        breaches.punished += 1
        if by_tower:
            breaches.by_towers += 1
            assert breaches._rules.watchtower is not None
            breaches.tower_rewards_sat += (self._value_sat - fee) * breaches._rules.watchtower.reward_ppm // 1_000_000
        self._home.done_with_one(closing)

    def _stop(self) -> None:
        self._over = True
        for bumper in self._bumpers:
            bumper.stop()
