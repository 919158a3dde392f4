"""Cheaters who publish revoked commitments, and who takes everything from them: victims and their watchtowers."""

from l2sim.crypto.bitcoin.claims import Claim, to_local_claim, to_remote_claim
from l2sim.crypto.bitcoin.penalty import revoked_to_local_claim
from l2sim.engine import Environment, Stream, ns
from l2sim.l1.base import Receipt
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.closing import CloseKind, Closing, Held
from l2sim.systems.lightning.onchain.config import Breach
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish
from l2sim.systems.lightning.onchain.force_close import ForceCloses
from l2sim.systems.lightning.onchain.transactions import BLOCK_DELAY_OF_ANCHORS, Key, sweep
from l2sim.systems.lightning.onchain.watchtower import TowerBill, tower_fee_sat
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
        self._best: dict[int, tuple[int, Held]] = {}
        """By side of a channel, the state of it without HTLCs in which its owner owned most, and its capacity then."""
        self.attempts = 0
        """Revoked commitments published."""
        self.punished = 0
        self.seen_by_towers = 0
        """Published while the victim was away and a watchtower watched."""
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
            now = self._home.at_rest(channel)
            capacity_msat = int(state.capacity_msat[channel])
            best_capacity_msat, best = self._best.get(edge, (0, now))
            gain_msat = best.balances_msat[edge & 1] - now.balances_msat[edge & 1]
            if gain_msat <= 0 or best_capacity_msat != capacity_msat:  # a splice leaves nothing of older states
                self._best[edge] = capacity_msat, now
                self._home.signer.remember(edge)
                continue
            enough = gain_msat >= rules.gain_share * capacity_msat
            if enough and self._stream.uniform() < rules.probability:
                self.attempts += self._home.force(channel, edge & 1, old=best) is not None

    def measures(self, revocations: int) -> dict[str, float]:
        """What came of cheating and of watching for it, by the names of `results.schema.SERIES`.

        Of each revocation that a node was given, a client of a watchtower backs up what it needs to punish that state.
        """
        found = {
            "breaches": self.attempts,
            "breaches_punished": self.punished,
            "stolen_by_breaches_sat": self.stolen_msat / MSAT_PER_SAT,
        }
        tower = self._rules.watchtower
        if tower is not None:
            bill = TowerBill.of(round(revocations * tower.clients_share), tower)
            found |= {
                "tower_backups": bill.updates,
                "tower_stored_bytes": bill.stored_bytes,
                "tower_sessions": bill.sessions,
                "tower_price_sat": bill.price_sat,
                "tower_breaches_seen": self.seen_by_towers,
                "tower_breaches_punished": self.by_towers,
                "tower_rewards_sat": self.tower_rewards_sat,
            }
        return {name: float(value) for name, value in found.items()}

    # Punishment.

    def _breached(self, closing: Closing, height: int) -> None:
        """The old commitment is in a block: the cheater waits for its delay, the victim does not wait."""
        rules, commitment = self._rules, closing.commitment
        if commitment.to_local_vout is None:
            closing.kind = CloseKind.BREACH_PUNISHED  # there is nothing to be had by cheating
            self.punished += 1
            self._home.claim_to_remote(closing, height)
            return
        deadline = height + self._home.rules.to_self_delay_blocks
        closing.open_claims += 1
        claimed = to_local_claim(commitment)
        closing.due[claimed.outpoint] = claimed.value_sat, deadline
        fight = _Fight(self, closing, height, deadline)
        fight.cheat()
        if self._stream.uniform() >= rules.victim_away_share:
            fight.punish()
            return
        tower = rules.watchtower
        if tower is not None and self._stream.uniform() < tower.clients_share:
            self.seen_by_towers += 1
            fight.punish_by_tower()
        self._home.chain.wait_for_height(height + rules.victim_back_blocks, lambda _: fight.punish())


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
        keys = [Key.REVOCATION]
        if closing.commitment.to_remote_vout is not None:
            self._claims.append(to_remote_claim(closing.commitment))
            keys.append(Key.PAYMENT)
        self._value_sat = sum([claim.value_sat for claim in self._claims])
        name = f"penalty/{closing.commitment.txid.hex()}"
        self._penalty = sweep(name, closing.channel, 1 - closing.side, closing.commitment, self._claims, tuple(keys))

    def cheat(self) -> None:
        """The cheater takes its balance once its delay is over, in a hurry."""
        closing, home = self._closing, self._home
        claim, commitment = to_local_claim(closing.commitment), closing.commitment
        name = f"cheat/{commitment.txid.hex()}"
        spending = sweep(name, closing.channel, closing.side, commitment, [claim], (Key.DELAYED,))
        budget_sat = int(claim.value_sat * home.rules.budget_share)
        wish = Wish(spending, budget_sat, closing.purpose, 1, valid_from_height=self._deadline)
        self._bumpers.append(home.bump(wish, self._cheated))

    def _cheated(self, receipt: Receipt, _: bytes, fee: int) -> None:
        claim = self._claims[0]
        closing, state = self._closing, self._home.state
        self._stop()
        closing.take_home(closing.side, claim.outpoint, claim.value_sat, fee)
        due_msat = int(state.balance_msat[2 * closing.channel + closing.side])
        self._breaches.stolen_msat += max(0, claim.value_sat * MSAT_PER_SAT - due_msat)
        self._home.claim_to_remote(closing, receipt.height)
        self._home.done_with_one(closing)

    def punish(self) -> None:
        """The victim takes all, at what it costs before the cheater may take its part."""
        if self._over:
            return
        closing, home = self._closing, self._home
        wish = Wish(
            self._penalty,
            int(self._value_sat * home.rules.budget_share),
            closing.purpose,
            home.rules.commitment_target_blocks,
            deadline_height=max(self._deadline, home.chain.height + 1),
            valid_from_height=self._height + BLOCK_DELAY_OF_ANCHORS,
        )
        self._bumpers.append(home.bump(wish, lambda _, __, fee: self._punished(fee, by_tower=False)))

    def punish_by_tower(self) -> None:
        """A tower sends the penalty at its fixed rate, again each block until it is relayed."""
        rules = self._breaches._rules.watchtower
        assert rules is not None
        penalty = self._penalty
        fee = min(tower_fee_sat(penalty.weight_wu, rules), self._value_sat)
        chain = self._home.chain
        transaction = BitcoinTransaction(
            self._home.version(penalty, fee),
            penalty.weight_wu,
            fee,
            self._closing.purpose,
            penalty.spends,
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
        closing.take_home(1 - closing.side, self._claims[0].outpoint, self._value_sat, fee)
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
