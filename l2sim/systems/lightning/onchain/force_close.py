"""Force closes: a commitment on L1, and every output of it taken home.

The channel's money stays in the books of the channel until its last output is spent or given up; then all that was
paid out, all fees and what was left behind must add up to the capacity and what wallets put in beside it.

Both sides watch L1 whether or not they talk to each other. Fees of a commitment come from its funder's balance, of
its child and of HTLC transactions from the wallet of whoever wants them in, of sweeps from what is swept.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.claims import Claim, to_local_claim, to_remote_claim
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import Environment
from l2sim.errors import InvariantError
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.onchain.closing import CloseKind, Closing, Held, HtlcsOnChain
from l2sim.systems.lightning.onchain.config import ChainRules
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish
from l2sim.systems.lightning.onchain.htlc_claims import HtlcClaim
from l2sim.systems.lightning.onchain.ids import next_txid
from l2sim.systems.lightning.onchain.publishing import Publisher
from l2sim.systems.lightning.onchain.transactions import (
    BLOCK_DELAY_OF_ANCHORS,
    ChannelFacts,
    ForcedHtlc,
    Key,
    Spending,
    sweep,
)
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState, Phase

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt
    from l2sim.systems.lightning.opening import ChannelBook


class ClosingNews(Protocol):
    """Who tells the network that a channel closes."""

    def closing(self, channel: int) -> None:
        """It takes no more HTLCs."""

    def spent(self, channel: int, closing: Receipt) -> None:
        """Its funding is spent in a block."""


class ForceCloses:
    """Takes channels on chain and brings their money home.

    `htlcs` is None where the network's dance does not know how to leave HTLCs to the chain; such channels are
    forced once they carry none.
    """

    def __init__(
        self,
        environment: Environment,
        chain: BitcoinChain,
        rules: ChainRules,
        state: ChannelState,
        news: ClosingNews,
        book: "ChannelBook",
        backbone_channels: int,
        htlcs: HtlcsOnChain | None,
        signer: Signer,
        work: DanceWork,
        on_closed: Callable[[int], object],
        name: str,
    ) -> None:
        self._environment = environment
        self.chain = chain
        self.rules = rules
        self.state = state
        self.htlcs = htlcs
        self.signer = signer
        self._work = work
        self._news = news
        self._book = book
        self._backbone = backbone_channels
        self._on_closed = on_closed
        self.name = name
        self._most_sat_per_kvb = 1_000 * rules.most_sat_per_vbyte
        self._live: dict[int, Closing] = {}
        self._publisher = Publisher(self, self._confirmed)
        self.on_breach: Callable[[Closing, int], object] = self._claim_balances
        """What follows once a revoked commitment is in a block of that height."""
        self.entered_msat = 0
        """What wallets added for fees, of channels that are done."""
        self.fees_msat = 0
        """Fees, trimmed outputs, roundings and outputs left behind, of channels that are done."""
        self.left_msat = 0
        """What came home."""
        self.operator_fees_sat = 0
        """L1 fees of the backbone's channels."""
        self.closed = 0
        """Channels done."""
        self.quiet = False
        """Set once users leave: nobody fails or cheats any more, so that the run can end."""
        self.given_up_sat = 0
        """Outputs that were not worth their fee."""

    @property
    def under_way(self) -> int:
        """Channels on their way home."""
        return len(self._live)

    def has(self, channel: int) -> bool:
        """Whether the channel is on its way home."""
        return channel in self._live

    def deadline(self, channel: int, attempt: "Attempt", hop: int, *, offered: bool) -> None:
        """An HTLC has reached its deadline and the other side does not answer: its holder goes on chain."""
        edge = attempt.taken[hop]
        self.force(channel, (edge & 1) if offered else 1 - (edge & 1))

    def force(self, channel: int, side: int, *, old: Held | None = None) -> Closing | None:
        """Let `side` publish its newest commitment, or an old and revoked one, that `old` describes.

        Returns None, and does nothing, where the channel is on its way already or must be waited for.
        """
        state = self.state
        phase = Phase(int(state.phase[channel]))
        if channel in self._live or phase not in (Phase.OPEN, Phase.CLOSING):
            return None
        if state.in_use(channel) and (self.htlcs is None or old is not None):
            return None
        if phase is Phase.OPEN:
            state.begin_closing(channel)
            self._news.closing(channel)
        held = self._held(channel, side)
        if old is not None:
            held = old
        forced = [self._forced(attempt, hop) for attempt, hop in held.htlcs]
        facts = ChannelFacts(
            channel,
            next_txid(f"{self.name}/funding/{channel}"),
            held.balances_msat,
            held.feerate_per_kw,
            self.rules.to_self_delay_blocks,
            max(1, state.rules.dust_limit_sat),
            ChannelType(state.rules.channel_type),
            tuple(forced),
            spare_side(int(self._book.start_balance_msat[channel]), int(state.capacity_msat[channel])),
        )
        updates = 2 * int(state.settled[channel] + state.failed[channel])
        commitment = self.signer.publish(facts, side, updates + (old is None), revoked=old is not None)
        self._work.spend(own=1, others=1)
        purpose = Purpose.OPERATE if channel < self._backbone else Purpose.EXIT
        kind = CloseKind.FORCE if old is None else CloseKind.BREACH_PAID
        closing = Closing(channel, side, commitment, purpose, kind)
        closing.attempts, closing.htlcs, closing.others = held.htlcs, forced, held.others
        self._live[channel] = closing
        self._publisher.publish(closing)
        return closing

    def _held(self, channel: int, side: int) -> Held:
        """What the newest commitment of a side says."""
        if self.htlcs is not None:
            return self.htlcs.take_on_chain(channel, side)
        return self.at_rest(channel)

    def at_rest(self, channel: int) -> Held:
        """What both commitments of a channel without HTLCs say."""
        state = self.state
        balances = (int(state.balance_msat[2 * channel]), int(state.balance_msat[2 * channel + 1]))
        return Held(balances, state.feerate_of(channel), [], [])

    def _forced(self, attempt: "Attempt", hop: int) -> ForcedHtlc:
        expiry = attempt.height + attempt.expiries_blocks[hop]
        preimage = self.signer.preimage(attempt.payment)
        return ForcedHtlc(attempt.taken[hop] & 1, attempt.amounts_msat[hop], max(1, expiry), preimage)

    # Transactions.

    def version(self, spending: Spending, fee: int) -> bytes:
        """Make and sign the version of a transaction that pays that fee; returns its id."""
        self._work.spend(own=spending.own_signatures, others=spending.other_signatures)
        return self.signer.spend(spending, fee)

    def bump(
        self,
        wish: Wish,
        on_included: Callable[[Receipt, bytes, int], object],
        sent: tuple[bytes, int] | None = None,
    ) -> Bumper:
        """Get a transaction into a block at what it takes; `sent` is the version that is under way already."""
        return Bumper(self.chain, wish, self._most_sat_per_kvb, self.version, on_included, sent=sent)

    def _confirmed(self, closing: Closing, receipt: Receipt) -> None:
        """The commitment is in a block: from here on every output is somebody's business."""
        self._book.closed_ns[closing.channel] = receipt.time_ns
        self._news.spent(closing.channel, receipt)
        closing.open_claims += 1  # until all of them are set up
        if closing.kind is CloseKind.FORCE:
            self._claim_balances(closing, receipt.height)
            self._claim_htlcs(closing)
        else:
            self.on_breach(closing, receipt.height)
        self.done_with_one(closing)

    def _claim_balances(self, closing: Closing, height: int) -> None:
        commitment = closing.commitment
        if commitment.to_local_vout is not None:
            delay = commitment.parameters.to_self_delay_blocks
            self.sweep(closing, closing.side, to_local_claim(commitment), Key.DELAYED, height + delay)
        self.claim_to_remote(closing, height)

    def claim_to_remote(self, closing: Closing, height: int) -> None:
        """The other side takes what the commitment, in a block of that height, leaves it."""
        if closing.commitment.to_remote_vout is not None:
            claim = to_remote_claim(closing.commitment)
            self.sweep(closing, 1 - closing.side, claim, Key.PAYMENT, height + BLOCK_DELAY_OF_ANCHORS)

    def sweep(self, closing: Closing, side: int, claim: Claim, key: Key, valid_from_height: int) -> None:
        """Bring one output home to a side, from that height on; what is not worth its fee is given up."""
        closing.open_claims += 1
        name = f"{self.name}/sweep/{claim.outpoint.txid.hex()}/{claim.outpoint.vout}"
        spending = sweep(name, closing.channel, side, closing.commitment, [claim], (key,))
        target = self.rules.sweep_target_blocks
        closing.due[claim.outpoint] = claim.value_sat, valid_from_height

        def begin(_: int) -> None:
            fee = fee_sat(spending.weight_wu, self.chain.feerate_sat_per_kvb(target))
            budget = int(claim.value_sat * self.rules.budget_share)
            if fee > budget:
                self.give_up(closing, claim.outpoint, claim.value_sat)
                return
            wish = Wish(spending, budget, closing.purpose, target, valid_from_height=valid_from_height)
            self.bump(wish, swept)

        def swept(_: Receipt, __: bytes, fee: int) -> None:
            closing.take_home(side, claim.outpoint, claim.value_sat, fee)
            self.done_with_one(closing)

        self.chain.wait_for_height(max(self.chain.height + 1, valid_from_height - 1), begin)

    def give_up(self, closing: Closing, outpoint: OutPoint, value_sat: int) -> None:
        """Leave an output where it is."""
        del closing.due[outpoint]
        closing.given_up_sat += value_sat
        self.given_up_sat += value_sat
        self.done_with_one(closing)

    def _claim_htlcs(self, closing: Closing) -> None:
        """Let both sides go after each HTLC; those without an output of their own end here."""
        if self.htlcs is None:
            return
        outputs = {(output.offered, output.place): output for output in closing.commitment.htlcs}
        places = [0, 0]
        ended = list(closing.others)
        for (attempt, hop), htlc in zip(closing.attempts, closing.htlcs, strict=True):
            offered = htlc.side == closing.side
            output = outputs.get((offered, places[htlc.side]))
            places[htlc.side] += 1
            if output is None:
                ended.append((attempt, hop))
            else:
                closing.open_claims += 1
                HtlcClaim(self, closing, attempt, hop, htlc, output)
        for attempt, hop in ended:
            self.htlcs.resolve(attempt, hop, fulfilled=self.htlcs.knows_preimage(attempt, hop))

    # The end.

    def done_with_one(self, closing: Closing) -> None:
        """One output is spent or given up; with the last one the channel is done."""
        closing.open_claims -= 1
        if closing.open_claims == 0:
            self._finish(closing)

    def _finish(self, closing: Closing) -> None:
        """Book what the channel paid out; every satoshi of it must be accounted for."""
        channel, state = closing.channel, self.state
        balances = state.close(channel)
        held_msat = sum(balances)
        paid_msat = sum(closing.paid_out_sat) * MSAT_PER_SAT
        from_wallets_sat = sum(closing.from_wallets_sat)
        lost_msat = held_msat + from_wallets_sat * MSAT_PER_SAT - paid_msat
        known_sat = closing.fees_sat + closing.given_up_sat + closing.anchors_sat
        if lost_msat != known_sat * MSAT_PER_SAT + held_msat % MSAT_PER_SAT:
            raise InvariantError(
                f"channel {channel}: {held_msat} msat and {from_wallets_sat} sat of wallets paid out "
                f"{closing.paid_out_sat} sat, {closing.fees_sat} sat fees, gave up {closing.given_up_sat} sat and "
                f"{closing.anchors_sat} sat in anchors"
            )
        self.entered_msat += from_wallets_sat * MSAT_PER_SAT
        self.fees_msat += lost_msat
        self.left_msat += paid_msat
        self.closed += 1
        if closing.purpose is Purpose.OPERATE:
            self.operator_fees_sat += closing.fees_sat
        self._note(closing)
        book = self._book
        edges = slice(2 * channel, 2 * channel + 2)
        book.lost_msat[edges] = closing.lost_msat(balances)
        book.home_ns[channel] = self._environment.now
        book.end_balance_msat[channel] = balances[0]
        del self._live[channel]
        closing.finished = True
        self._on_closed(channel)

    def _note(self, closing: Closing) -> None:
        """Write down how the channel was closed and what that has cost so far."""
        book, channel = self._book, closing.channel
        book.close_fee_sat[channel] = closing.fees_sat
        book.close_fee_of_sat[2 * channel : 2 * channel + 2] = closing.fees_of_sat
        book.close_kind[channel] = closing.kind

    def late_child(self, closing: Closing, side: int, fee: int) -> None:
        """A child that the commitment did not need came into a block when all else was home."""
        closing.pay_fee(side, fee, from_wallet=True)
        self._note(closing)
        anchor_msat = closing.anchor_sat * MSAT_PER_SAT
        self._book.lost_msat[2 * closing.channel + side] -= anchor_msat
        self.entered_msat += fee * MSAT_PER_SAT
        self.fees_msat += fee * MSAT_PER_SAT - anchor_msat
        self.left_msat += anchor_msat
        if closing.purpose is Purpose.OPERATE:
            self.operator_fees_sat += fee

    def stop(self) -> None:
        """The run ends: what is under way is written down as it stands."""
        for closing in self._live.values():
            if closing.confirmed_height is not None:
                self._note(closing)
                if closing.purpose is Purpose.OPERATE:
                    self.operator_fees_sat += closing.fees_sat

    def measures(self) -> dict[str, float]:
        """How many channels one side took on chain and what of their money is not home, by the names of
        `results.schema.SERIES`; nothing if there are none."""
        if self.closed + len(self._live) == 0:
            return {}
        by_delay = by_market = 0
        for closing in self._live.values():
            if closing.confirmed_height is None:
                by_market += int(self.state.capacity_msat[closing.channel]) // MSAT_PER_SAT
            for value_sat, height in closing.due.values():
                if height > self.chain.height + 1:
                    by_delay += value_sat
                else:
                    by_market += value_sat
        return {
            "forced_closes": float(self.closed + len(self._live)),
            "forced_under_way": float(len(self._live)),
            "forced_delayed_sat": float(by_delay),
            "forced_priced_out_sat": float(by_market),
            "forced_left_behind_sat": float(self.given_up_sat),
        }


def spare_side(funder_start_msat: int, capacity_msat: int) -> int:
    """Which side has what a channel holds beyond whole satoshis: the funder, if it had as much at the start."""
    return 0 if funder_start_msat >= capacity_msat % MSAT_PER_SAT else 1
