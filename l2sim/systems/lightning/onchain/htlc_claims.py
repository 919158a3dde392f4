"""An HTLC on chain: its target claims it with the preimage, its source takes it back after the expiry, who is first.

Whoever published the commitment goes through an HTLC-success or HTLC-timeout transaction, whose fee a wallet adds,
and waits for its delay; the other side spends the output directly. Both may be in the mempool at once: the one that
pays more replaces the other, whichever is in a block first has it. Where neither is worth its fee, even without hurry,
the payment is told that it failed when its source should have had it back; an output that nobody bid for is left.
"""

from typing import TYPE_CHECKING, Final

from l2sim.crypto.bitcoin.htlc import HtlcOutput
from l2sim.l1.base import Receipt
from l2sim.systems.lightning.onchain.fee_bumping import Bumper, Wish, costs_too_much
from l2sim.systems.lightning.onchain.transactions import (
    BLOCK_DELAY_OF_ANCHORS,
    ForcedHtlc,
    Key,
    direct_claim,
    second_stage,
    second_stage_sweep,
    sweep,
)

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt
    from l2sim.systems.lightning.onchain.closing import Closing
    from l2sim.systems.lightning.onchain.force_close import ForceCloses

TIMEOUT_DEADLINE_BLOCKS: Final = 18
"""Blocks after the expiry within which its source wants an HTLC back: LDK assumes as many to confirm anything."""


class HtlcClaim:
    """Looks at one HTLC output each block until it is spent."""

    def __init__(
        self,
        home: "ForceCloses",
        closing: "Closing",
        attempt: "Attempt",
        hop: int,
        htlc: ForcedHtlc,
        output: HtlcOutput,
    ) -> None:
        self._home = home
        self._closing = closing
        self._attempt = attempt
        self._hop = hop
        self._htlc = htlc
        self._output = output
        self._bumpers: dict[bool, Bumper] = {}
        """By whether with the preimage."""
        self._over = False
        self._told = False
        closing.due[output.outpoint] = output.value_sat, htlc.expiry_blocks + 1
        self._look()

    def _look(self) -> None:
        if self._over:
            return
        home, chain = self._home, self._home.chain
        chain.wait_for_height(chain.height + 1, lambda _: self._look())
        assert home.htlcs is not None  # without HTLCs on chain there is nothing to look at
        deadline = self._htlc.expiry_blocks + TIMEOUT_DEADLINE_BLOCKS
        if True not in self._bumpers and not self._told and home.htlcs.knows_preimage(self._attempt, self._hop):
            self._claim(1 - self._htlc.side, self._htlc.expiry_blocks, 0)
        if False not in self._bumpers and chain.height >= self._htlc.expiry_blocks:
            # A locktime of the expiry lets the transaction into the block after that height.
            self._claim(self._htlc.side, deadline, self._htlc.expiry_blocks + 1)
        if not self._told and chain.height >= deadline and all(one.hopeless for one in self._bumpers.values()):
            self._tell(fulfilled=False)
            if not self._bumpers:
                self._over = True
                home.give_up(self._closing, self._output.outpoint, self._output.value_sat)

    def _tell(self, *, fulfilled: bool) -> None:
        """The HTLC has ended for the payment; what becomes of its output after that is the channel's alone."""
        if not self._told:
            self._told = True
            assert self._home.htlcs is not None  # as above
            self._home.htlcs.resolve(self._attempt, self._hop, fulfilled=fulfilled)

    def _claim(self, side: int, deadline_height: int, valid_from_height: int) -> None:
        """Send `side` after the output, if it is worth it: by a second-stage transaction if it published."""
        home, closing, output = self._home, self._closing, self._output
        height = closing.confirmed_height
        assert height is not None  # only claimed once the commitment is in a block
        fulfilled, by_owner = side != self._htlc.side, side == closing.side
        place = (
            f"htlc/{closing.commitment.txid.hex()}/{output.outpoint.vout}/{side}", closing.channel, side,
            closing.commitment,
        )  # fmt: skip
        if by_owner:
            spending = second_stage(*place, output, self._htlc.preimage if fulfilled else None)
        else:
            spending = sweep(*place, [direct_claim(output, self._htlc.preimage)], (Key.HTLC,))
        budget_sat = int(output.value_sat * home.rules.budget_share)
        if costs_too_much(home.chain, spending, budget_sat):
            return
        wish = Wish(
            spending,
            budget_sat,
            closing.purpose,
            home.rules.sweep_target_blocks,
            deadline_height=max(deadline_height, home.chain.height + 1),
            valid_from_height=max(valid_from_height, height + BLOCK_DELAY_OF_ANCHORS),
        )

        def included(receipt: Receipt, txid: bytes, fee: int) -> None:
            self._end(side, receipt, txid, fee, by_owner=by_owner, fulfilled=fulfilled)

        closing.due[output.outpoint] = output.value_sat, wish.valid_from_height
        self._bumpers[fulfilled] = home.bump(wish, included)

    def _end(self, side: int, receipt: Receipt, txid: bytes, fee: int, *, by_owner: bool, fulfilled: bool) -> None:
        """The output is spent: tell the payment, and bring the money home."""
        self._over = True
        for bumper in self._bumpers.values():
            bumper.stop()
        home, closing = self._home, self._closing
        self._tell(fulfilled=fulfilled)
        if by_owner:
            closing.pay_fee(side, fee, from_wallet=True)
            closing.due.pop(self._output.outpoint)
            claim = second_stage_sweep(closing.commitment, self._output, txid)
            home.sweep(closing, side, claim, Key.DELAYED, receipt.height + home.rules.to_self_delay_blocks)
        else:
            closing.take_home(side, self._output.outpoint, self._output.value_sat, fee)
        home.done_with_one(closing)
