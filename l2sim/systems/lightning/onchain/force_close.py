"""Force closes: a commitment on L1, pushed by a child where the market asks for it, and every output taken home.

The channel's money stays in the books of the channel until its last output is spent or given up; then all that was
paid out, all fees and what was left behind must add up to the capacity and what wallets put in beside it.

Both sides watch L1 whether or not they talk to each other. Fees of a commitment come from its funder's balance, of
its child and of HTLC transactions from the wallet of whoever wants them in, of sweeps from what is swept.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from l2sim.crypto.bitcoin.channel_type import ANCHOR_SAT, ChannelType, commitment_weight_wu
from l2sim.crypto.bitcoin.claims import Claim
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import Environment
from l2sim.errors import InvariantError
from l2sim.l1.base import Purpose, Receipt, Refusal
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.onchain.config import ChainRules
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish
from l2sim.systems.lightning.onchain.htlc_claims import HtlcClaim
from l2sim.systems.lightning.onchain.ids import next_txid
from l2sim.systems.lightning.onchain.transactions import (
    ChannelFacts,
    ForcedHtlc,
    anchor_child_wu,
    balance_claims,
    commitment_of,
    sweep_wu,
)
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.state import ChannelState, Phase

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt
    from l2sim.systems.lightning.opening import ChannelBook


class CloseKind(IntEnum):
    """How a channel ended."""

    NONE = 0
    MUTUAL = 1
    FORCE = 2
    BREACH_PAID = 3
    """By a revoked commitment, and the cheater kept what it published."""
    BREACH_PUNISHED = 4
    """By a revoked commitment, and the other side took all."""

    @property
    def label(self) -> str | None:
        """The name in files; None while the channel lives."""
        return self.name.lower() if self else None


@runtime_checkable
class HtlcsOnChain(Protocol):
    """The HTLC network, as far as a channel that goes on chain needs it."""

    def take_on_chain(self, channel: int) -> "list[tuple[Attempt, int]]":
        """Say nothing more over a channel; returns its HTLCs, attempt and hop."""

    def knows_preimage(self, attempt: "Attempt", hop: int) -> bool:
        """Whether the target of channel `hop` could claim the attempt's HTLC on chain now."""

    def resolve(self, attempt: "Attempt", hop: int, *, fulfilled: bool) -> None:
        """On chain, the HTLC of channel `hop` was claimed with its preimage, or timed out."""


class Closing:
    """A channel on its way home: its commitment, what is still to be claimed, what it has cost so far."""

    def __init__(self, channel: int, side: int, commitment: Commitment, purpose: Purpose, kind: CloseKind) -> None:
        self.channel = channel
        self.side = side
        self.commitment = commitment
        self.purpose = purpose
        self.kind = kind
        self.attempts: list[tuple[Attempt, int]] = []
        """The HTLCs in it, in the order of `htlcs`."""
        self.htlcs: list[ForcedHtlc] = []
        self.open_claims = 0
        """Outputs that somebody is still after."""
        self.confirmed_height: int | None = None
        self.fees_sat = commitment.fee_sat
        """L1 fees of all its transactions that are in blocks."""
        self.given_up_sat = 0
        """Outputs that nobody will spend."""
        self.from_wallets_sat = 0
        """What wallets added for fees."""
        self.paid_out_sat = [0, 0]
        """What came home to each side."""
        self.anchors_sat = ANCHOR_SAT * sum(
            vout is not None for vout in (commitment.owner_anchor_vout, commitment.peer_anchor_vout)
        )
        """Anchors nobody has spent yet."""
        self.child: Bumper | None = None
        self.child_is_late = False
        """Whether a child still waits although the commitment is in a block."""


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
        table: RoutingTable,
        book: "ChannelBook",
        backbone_channels: int,
        htlcs: HtlcsOnChain | None,
        work: DanceWork,
        on_closed: Callable[[int], object],
        name: str,
    ) -> None:
        self._environment = environment
        self.chain = chain
        self.rules = rules
        self.state = state
        self.htlcs = htlcs
        self.work = work
        """Signatures of what gets into blocks are counted here; versions that were replaced are not."""
        self._table = table
        self._book = book
        self._backbone = backbone_channels
        self._on_closed = on_closed
        self._name = name
        self.most_sat_per_kvb = 1_000 * rules.most_sat_per_vbyte
        self._live: dict[int, Closing] = {}
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

    def force(self, channel: int, side: int, *, old_msat: tuple[int, int] | None = None) -> Closing | None:
        """Let `side` publish its newest commitment, or an old and revoked one that says `old_msat`.

        Returns None, and does nothing, where the channel is on its way already or must be waited for.
        """
        state = self.state
        phase = Phase(int(state.phase[channel]))
        if channel in self._live or phase not in (Phase.OPEN, Phase.CLOSING):
            return None
        if state.in_use(channel) and (self.htlcs is None or old_msat is not None):
            return None
        if phase is Phase.OPEN:
            state.begin_closing(channel)
            self._table.announce(channel, 0)
        attempts = [] if self.htlcs is None else self.htlcs.take_on_chain(channel)
        forced = [self._forced(attempt, hop) for attempt, hop in attempts]
        balances = (int(state.balance_msat[2 * channel]), int(state.balance_msat[2 * channel + 1]))
        facts = ChannelFacts(
            channel,
            next_txid(f"{self._name}/funding/{channel}"),
            balances if old_msat is None else old_msat,
            self._feerate(channel),
            self.rules.to_self_delay_blocks,
            state.rules.dust_limit_sat,
            tuple(forced),
        )
        updates = 2 * int(state.settled[channel] + state.failed[channel])
        commitment = commitment_of(facts, side, updates + (old_msat is None))
        purpose = Purpose.OPERATE if channel < self._backbone else Purpose.EXIT
        kind = CloseKind.FORCE if old_msat is None else CloseKind.BREACH_PAID
        closing = Closing(channel, side, commitment, purpose, kind)
        closing.attempts, closing.htlcs = attempts, forced
        self._live[channel] = closing
        self._publish(closing)
        return closing

    def _feerate(self, channel: int) -> int:
        feerate_of = getattr(self.state, "feerate_of", None)
        rate = self.state.rules.commitment_feerate_sat_per_kw if feerate_of is None else feerate_of(channel)
        return int(rate)

    @staticmethod
    def _forced(attempt: "Attempt", hop: int) -> ForcedHtlc:
        edge = attempt.taken[hop]
        expiry = attempt.height + attempt.expiries_blocks[hop]
        preimage = next_txid(f"preimage of payment {attempt.payment}")
        return ForcedHtlc(edge & 1, attempt.amounts_msat[hop], max(1, expiry), preimage)

    # The commitment.

    def _publish(self, closing: Closing) -> None:
        """Send the commitment; where it is not relayed by itself, with a child that pays for it, block by block."""
        if closing.confirmed_height is not None:
            return
        commitment = closing.commitment
        weight_wu = commitment_weight_wu(ChannelType.ANCHORS, len(commitment.htlcs))
        funding = commitment.transaction.inputs[0].outpoint
        parent = BitcoinTransaction(commitment.txid, weight_wu, commitment.fee_sat, closing.purpose, (funding,))

        def confirmed(receipt: Receipt) -> None:
            self._confirmed(closing, receipt)

        if not self.chain.waits(commitment.txid):
            refusal = self.chain.submit(parent, confirmed)
            if refusal in (Refusal.FEE_TOO_LOW, Refusal.MEMPOOL_FULL):
                self._publish_with_child(closing, parent, confirmed)
            elif refusal is not None:
                raise InvariantError(f"channel {closing.channel}: its commitment must be relayed (refused: {refusal})")
        if closing.child is None and self.chain.waits(commitment.txid):
            closing.child = self._child(closing, parent)
        self.chain.wait_for_height(self.chain.height + 1, lambda _: self._publish(closing))

    def _deadline(self, closing: Closing) -> int | None:
        """The first expiry of an HTLC in it."""
        return min([htlc.expiry_blocks for htlc in closing.htlcs], default=None)

    def _budget_sat(self, closing: Closing) -> int:
        """What getting the commitment in may cost: a share of all that its publisher has in it."""
        balance_msat = int(self.state.balance_msat[2 * closing.channel + closing.side])
        at_stake_msat = balance_msat + sum([htlc.amount_msat for htlc in closing.htlcs])
        return int(at_stake_msat / MSAT_PER_SAT * self.rules.budget_share)

    def _child(self, closing: Closing, parent: BitcoinTransaction) -> Bumper | None:
        """Pay for the commitment through its publisher's anchor, as soon as and as far as the market asks for it."""
        commitment = closing.commitment
        if commitment.owner_anchor_vout is None:
            return None
        weight_wu = anchor_child_wu(commitment, owner=True)
        target = self.rules.commitment_target_blocks
        deadline = self._deadline(closing)
        rate = self.chain.feerate_sat_per_kvb(max(1, min(target, (deadline or 1_008) - self.chain.height)))
        if fee_sat(parent.weight_wu, rate) <= parent.fee_sat:
            return None  # it pays enough by itself for now
        wish = Wish(
            f"{self._name}/anchor/{closing.channel}",
            (OutPoint(commitment.txid, commitment.owner_anchor_vout),),
            weight_wu,
            self._budget_sat(closing),
            closing.purpose,
            target,
            deadline_height=deadline,
            parent_wu=parent.weight_wu,
            parent_fee_sat=parent.fee_sat,
        )
        return Bumper(
            self.chain,
            wish,
            self.most_sat_per_kvb,
            lambda _, __, fee: self._child_in(closing, fee),
            lambda: self._child_done(closing),
        )

    def _child_in(self, closing: Closing, fee: int) -> None:
        self.from_wallet(closing, fee)
        self.work.spend(2)
        closing.anchors_sat -= ANCHOR_SAT
        closing.paid_out_sat[closing.side] += ANCHOR_SAT
        self._child_done(closing)

    def _child_done(self, closing: Closing) -> None:
        if closing.child_is_late:
            closing.child_is_late = False
            self.done_with_one(closing)

    def _publish_with_child(
        self, closing: Closing, parent: BitcoinTransaction, confirmed: Callable[[Receipt], object]
    ) -> None:
        vout = closing.commitment.owner_anchor_vout
        if vout is None:
            return
        weight_wu = anchor_child_wu(closing.commitment, owner=True)
        rate = self.chain.feerate_sat_per_kvb(self.rules.commitment_target_blocks)
        fee = fee_sat(parent.weight_wu + weight_wu, rate) - parent.fee_sat
        if fee > self._budget_sat(closing):
            return
        txid = next_txid(f"{self._name}/anchor/{closing.channel}/package/{fee}")
        child = BitcoinTransaction(txid, weight_wu, fee, closing.purpose, (OutPoint(parent.txid, vout),))
        self.chain.submit_with_child(parent, child, confirmed, lambda _: self._child_in(closing, fee))

    def _confirmed(self, closing: Closing, receipt: Receipt) -> None:
        """The commitment is in a block: from here on every output is somebody's business."""
        if closing.child is not None:
            closing.child.stop()
            if closing.child.waits:  # bid for nothing, but it will be in a block all the same
                closing.open_claims += 1
                closing.child_is_late = True
        closing.confirmed_height = receipt.height
        self._book.closed_ns[closing.channel] = receipt.time_ns
        self.work.spend(1)
        closing.open_claims += 1  # until all of them are set up
        if closing.kind is CloseKind.FORCE:
            self._claim_balances(closing, receipt.height)
            self._claim_htlcs(closing)
        else:
            self.on_breach(closing, receipt.height)
        self.done_with_one(closing)

    def _claim_balances(self, closing: Closing, height: int) -> None:
        for owner, claim, delay in balance_claims(closing.commitment):
            side = closing.side if owner else 1 - closing.side
            self.sweep(closing, side, claim, height + delay)

    def sweep(self, closing: Closing, side: int, claim: Claim, valid_from_height: int) -> None:
        """Bring one output home to a side, from that height on; what is not worth its fee is given up."""
        closing.open_claims += 1
        weight_wu = sweep_wu([claim])
        target = self.rules.sweep_target_blocks

        def begin(_: int) -> None:
            fee = fee_sat(weight_wu, self.chain.feerate_sat_per_kvb(target))
            budget = int(claim.value_sat * self.rules.budget_share)
            if fee > budget:
                self.give_up(closing, claim.value_sat)
                return
            wish = Wish(
                f"{self._name}/sweep/{claim.outpoint.txid.hex()}/{claim.outpoint.vout}",
                (claim.outpoint,), weight_wu, budget, closing.purpose, target, valid_from_height=valid_from_height,
            )  # fmt: skip
            Bumper(self.chain, wish, self.most_sat_per_kvb, swept)

        def swept(_: Receipt, __: bytes, fee: int) -> None:
            self.work.spend(1)
            closing.fees_sat += fee
            closing.paid_out_sat[side] += claim.value_sat - fee
            self.done_with_one(closing)

        self.chain.wait_for_height(max(self.chain.height + 1, valid_from_height - 1), begin)

    def give_up(self, closing: Closing, value_sat: int) -> None:
        """Leave an output where it is."""
        closing.given_up_sat += value_sat
        self.given_up_sat += value_sat
        self.done_with_one(closing)

    def from_wallet(self, closing: Closing, fee: int) -> None:
        """A wallet paid an L1 fee."""
        closing.fees_sat += fee
        closing.from_wallets_sat += fee

    def _claim_htlcs(self, closing: Closing) -> None:
        """Let both sides go after each HTLC; trimmed ones have no output and end here."""
        if not closing.attempts or self.htlcs is None:
            return
        outputs = {(output.offered, output.place): output for output in closing.commitment.htlcs}
        places = [0, 0]
        for (attempt, hop), htlc in zip(closing.attempts, closing.htlcs, strict=True):
            offered = htlc.side == closing.side
            output = outputs.get((offered, places[htlc.side]))
            places[htlc.side] += 1
            if output is None:
                self.htlcs.resolve(attempt, hop, fulfilled=self.htlcs.knows_preimage(attempt, hop))
            else:
                closing.open_claims += 1
                HtlcClaim(self, closing, attempt, hop, htlc, output)

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
        lost_msat = held_msat + closing.from_wallets_sat * MSAT_PER_SAT - paid_msat
        known_sat = closing.fees_sat + closing.given_up_sat + closing.anchors_sat
        if lost_msat != known_sat * MSAT_PER_SAT + held_msat % MSAT_PER_SAT:
            raise InvariantError(
                f"channel {channel}: {held_msat} msat and {closing.from_wallets_sat} sat of wallets paid out "
                f"{closing.paid_out_sat} sat, {closing.fees_sat} sat fees, gave up {closing.given_up_sat} sat and "
                f"{closing.anchors_sat} sat in anchors"
            )
        self.entered_msat += closing.from_wallets_sat * MSAT_PER_SAT
        self.fees_msat += lost_msat
        self.left_msat += paid_msat
        self.closed += 1
        if closing.purpose is Purpose.OPERATE:
            self.operator_fees_sat += closing.fees_sat
        book = self._book
        book.close_fee_sat[channel] = closing.fees_sat
        book.close_kind[channel] = closing.kind
        book.home_ns[channel] = self._environment.now
        book.end_balance_msat[channel] = balances[0]
        del self._live[channel]
        self._on_closed(channel)
