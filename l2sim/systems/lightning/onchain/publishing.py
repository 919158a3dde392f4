"""A commitment on its way into a block: by its own fee, or pushed by a child that spends an anchor.

That is its publisher's, or the other side's where the publisher has too little in it to pay for it, or no anchor.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from l2sim.crypto.bitcoin.channel_type import ChannelType, commitment_weight_wu
from l2sim.errors import InvariantError
from l2sim.l1.base import Receipt, Refusal
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.closing import Closing
from l2sim.systems.lightning.onchain.fee_bumping import NO_HURRY_BLOCKS, Bumper, Wish
from l2sim.systems.lightning.onchain.htlc_claims import TIMEOUT_DEADLINE_BLOCKS
from l2sim.systems.lightning.onchain.transactions import Spending, anchor_child

if TYPE_CHECKING:
    from l2sim.systems.lightning.onchain.force_close import ForceCloses


class Publisher:
    """Sends commitments, and looks after them block by block until they are in."""

    def __init__(self, home: "ForceCloses", on_confirmed: Callable[[Closing, Receipt], object]) -> None:
        self._home = home
        self._on_confirmed = on_confirmed

    def publish(self, closing: Closing) -> None:
        """Send the commitment; where it is not relayed by itself, with a child that pays for it, block by block."""
        if closing.confirmed_height is not None:
            return
        chain, commitment = self._home.chain, closing.commitment
        kind = commitment.parameters.channel_type
        parent = BitcoinTransaction(
            commitment.txid, commitment_weight_wu(kind, len(commitment.htlcs)), commitment.fee_sat, closing.purpose,
            (commitment.transaction.inputs[0].outpoint,), kind.transaction_version,
        )  # fmt: skip
        if not chain.waits(commitment.txid):
            refusal = chain.submit(parent, lambda receipt: self._confirmed(closing, receipt))
            if refusal in (Refusal.FEE_TOO_LOW, Refusal.MEMPOOL_FULL):
                self._publish_with_child(closing, parent)
            elif refusal is not None:
                raise InvariantError(f"channel {closing.channel}: its commitment must be relayed (refused: {refusal})")
        if closing.child is None and chain.waits(commitment.txid):
            closing.child = self._bid_for_child(closing, parent)
        chain.wait_for_height(chain.height + 1, lambda _: self.publish(closing))

    def _confirmed(self, closing: Closing, receipt: Receipt) -> None:
        if closing.child is not None:
            closing.child.stop()  # where it waits already, it will be in a block all the same, whenever that is
        closing.confirmed_height = receipt.height
        self._on_confirmed(closing, receipt)

    def _deadline(self, closing: Closing) -> int | None:
        """The last block that is in time for the HTLCs in it, if there are such that press.

        Those that its publisher received it must claim before they expire; those it offered it takes back soon
        after, and half of the time for that is the commitment's.
        """
        home, deadlines = self._home, []
        for (attempt, hop), htlc in zip(closing.attempts, closing.htlcs, strict=True):
            assert home.htlcs is not None  # who forces channels with HTLCs has a network that leaves them to the chain
            if htlc.side == closing.side:
                deadlines.append(htlc.expiry_blocks + TIMEOUT_DEADLINE_BLOCKS // 2)
            elif htlc.expiry_blocks > home.chain.height or home.htlcs.knows_preimage(attempt, hop):
                deadlines.append(htlc.expiry_blocks)
        return min(deadlines, default=None)

    def _budget_sat(self, closing: Closing, side: int) -> int:
        """What getting the commitment in may cost: a share of all that the side which pays has in it."""
        home = self._home
        balance_msat = int(home.state.balance_msat[2 * closing.channel + side])
        at_stake_msat = balance_msat + sum([htlc.amount_msat for htlc in closing.htlcs])
        return int(at_stake_msat / MSAT_PER_SAT * home.rules.budget_share)

    def _child(self, closing: Closing, parent: BitcoinTransaction) -> Spending | None:
        """The child of the publisher, or of the other side where the publisher's budget is not enough now; None if
        there is no anchor."""
        home, commitment = self._home, closing.commitment
        rate = home.chain.feerate_sat_per_kvb(home.rules.commitment_target_blocks)
        children = []
        shared = commitment.parameters.channel_type is ChannelType.ZERO_FEE
        for owner, vout in ((True, commitment.owner_anchor_vout), (False, commitment.peer_anchor_vout)):
            if vout is not None or shared:
                side = closing.side if owner else 1 - closing.side
                name = f"{home.name}/{'anchor' if owner else 'other anchor'}/{closing.channel}"
                child = anchor_child(name, closing.channel, side, commitment, owner=owner)
                fee = fee_sat(parent.weight_wu + child.weight_wu, rate) - parent.fee_sat
                if fee <= self._budget_sat(closing, side):
                    return child
                children.append(child)
        return children[0] if children else None

    def _bid_for_child(self, closing: Closing, parent: BitcoinTransaction) -> Bumper | None:
        """Pay for the commitment by a child, as soon as and as far as the market asks for it."""
        home = self._home
        first = closing.first_child
        child = self._child(closing, parent) if first is None else first[0]
        if child is None:
            return None
        target = home.rules.commitment_target_blocks
        deadline = self._deadline(closing)
        blocks = max(1, min(target, (deadline or NO_HURRY_BLOCKS) - home.chain.height))
        if first is None and fee_sat(parent.weight_wu, home.chain.feerate_sat_per_kvb(blocks)) <= parent.fee_sat:
            return None  # it pays enough by itself for now
        wish = Wish(
            child, self._budget_sat(closing, child.side), closing.purpose, target, deadline_height=deadline,
            parent_wu=parent.weight_wu, parent_fee_sat=parent.fee_sat,
        )  # fmt: skip
        return home.bump(
            wish, lambda _, __, fee: self._child_in(closing, child.side, fee), sent=None if first is None else first[1:]
        )

    def _publish_with_child(self, closing: Closing, parent: BitcoinTransaction) -> None:
        """Send both together at the market's rate; where HTLCs press, at what the budget pays if that is less."""
        home, child = self._home, self._child(closing, parent)
        if child is None:
            return
        rate = home.chain.feerate_sat_per_kvb(home.rules.commitment_target_blocks)
        fee = fee_sat(parent.weight_wu + child.weight_wu, rate) - parent.fee_sat
        budget_sat = self._budget_sat(closing, child.side)
        if fee > budget_sat:
            if self._deadline(closing) is None:
                return  # it waits for the market to fall
            fee = budget_sat
        txid = home.version(child, fee)
        refusal = home.chain.submit_with_child(
            parent,
            BitcoinTransaction(txid, child.weight_wu, fee, closing.purpose, child.spends, child.version),
            lambda receipt: self._confirmed(closing, receipt),
            lambda _: self._child_in(closing, child.side, fee),
        )
        if refusal is None:
            closing.first_child = child, txid, fee

    def _child_in(self, closing: Closing, side: int, fee: int) -> None:
        if closing.finished:
            self._home.late_child(closing, side, fee)
            return
        closing.pay_fee(side, fee, from_wallet=True)
        closing.anchors_sat -= closing.anchor_sat
        closing.paid_out_sat[side] += closing.anchor_sat
