"""The seam between the model and its cryptography: what really happens at each step, or nothing.

The model counts and prices all work itself (`dance_work`); a signer only performs it. With `crypto: modelled` this
one is used, which performs nothing. With `crypto: real` its child in `real_signer` makes and checks every key,
transaction, signature, revocation secret and onion, and raises InvariantError where a check fails. Neither changes
what the model does, so both give the same payments.
"""

import hashlib
from typing import TYPE_CHECKING

from l2sim.systems.lightning.onchain.ids import next_txid
from l2sim.systems.lightning.onchain.transactions import ChannelFacts, Spending, commitment_of

if TYPE_CHECKING:
    from l2sim.crypto.bitcoin.commitment import Commitment
    from l2sim.crypto.bitcoin.htlc import Htlc
    from l2sim.systems.lightning.agents.swap import Swap
    from l2sim.systems.lightning.htlc import Attempt
    from l2sim.systems.lightning.link import Contents
    from l2sim.systems.lightning.refusals import Refusal


class Signer:
    """The steps at which cryptography happens. Edges name a side: edge e is its source's side of its channel."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._splices = 0

    def fund(self, channel: int, funder_sat: int, other_sat: int, fee_sat: int, renewal: bool = False) -> bytes:
        """Make and sign a funding transaction; returns its id, 32 bytes."""
        return self._txid(f"fund/{channel}/{funder_sat}/{other_sat}/{fee_sat}/{renewal}")

    def close(self, channel: int, funder_sat: int, other_sat: int, renewal: bool = False) -> bytes:
        """Make and sign a mutual close that pays out these amounts; returns its id, 32 bytes."""
        return self._txid(f"close/{channel}/{funder_sat}/{other_sat}/{renewal}")

    def _txid(self, what: str) -> bytes:
        """An id in place of a transaction's: the hash of what it does."""
        return hashlib.sha256(f"{self._name}/{what}".encode()).digest()

    def build_onion(self, attempt: "Attempt") -> None:
        """Make the onion for an attempt's route."""

    def peel_onion(self, attempt: "Attempt", hop: int, fault: "Refusal | None" = None) -> None:
        """The target of channel `hop` opens its layer and checks amount and expiry against the HTLC's.

        With a malformed onion for a fault, it finds that it cannot.
        """

    def add_htlc(self, attempt: "Attempt", hop: int) -> "Htlc | None":  # noqa: ARG002  # its child needs them
        """The HTLC of channel `hop` enters the newest commitments; returns what its output says, if it is made."""
        return None

    def remove_htlc(self, attempt: "Attempt", hop: int, refusal: "Refusal | None") -> None:
        """It leaves them: with the preimage to the target's balance, or with a failure back to the source's.

        The failing node makes the failure packet, the others on the way back add their layers.
        """

    def read_failure(self, attempt: "Attempt", hop: int, refusal: "Refusal") -> None:
        """The payer opens the failure packet and finds that the source of channel `hop` sent it, and why."""

    def sign_commitment(self, edge: int, contents: "Contents | None" = None) -> None:
        """The source of `edge` signs the other side's next commitment; the other side verifies.

        `contents` is what that commitment says, where each side's is kept; else it says what is in the channel now.
        """

    def revoke(self, edge: int) -> None:
        """The source of `edge` reveals the secret of its oldest unrevoked commitment; the other side checks it."""

    # Channels that one side takes on chain.

    def remember(self, edge: int) -> None:
        """The source of `edge` keeps its newest commitment, to publish it although it will be revoked."""

    def publish(self, facts: ChannelFacts, side: int, number: int, *, revoked: bool = False) -> "Commitment":  # noqa: ARG002
        """Sign and return the newest commitment that `side` holds, or the revoked one it kept; `facts` is what it says.

        `number` is a number that no other commitment of the channel has.
        """
        return commitment_of(facts, side, number)

    def spend(self, spending: Spending, fee_sat: int) -> bytes:
        """Make and sign a transaction that spends what a closed channel left, at that fee; returns its id, 32 bytes."""
        return next_txid(f"{spending.name}/{fee_sat}")

    def preimage(self, payment: int) -> bytes:
        """What unlocks the HTLCs of a payment, 32 bytes."""
        return next_txid(f"preimage of payment {payment}")

    # Splices.

    def splice(self, edge: int, change_sat: int, fee_sat: int) -> bytes:
        """Make and sign the transaction by which the source of `edge` puts coins into its channel, or takes them out,
        and both commitments on the new funding; returns its id, 32 bytes."""
        self._splices += 1
        return self._txid(f"splice/{self._splices}/{edge}/{change_sat}/{fee_sat}")

    def move_funding(self, edge: int) -> None:
        """The channel is on the funding of the last splice that the source of `edge` made, or, as that is lost, on the
        one before again: both sides sign what the channel says now."""

    # Submarine swaps.

    def lock_swap(self, swap: "Swap", fee_sat: int) -> bytes:
        """Make and sign the transaction that locks a swap's coins; returns its id, 32 bytes."""
        return self._txid(f"swap/{swap.payment}/{swap.amount_sat}/{fee_sat}")

    def unlock_swap(self, swap: "Swap", fee_sat: int, *, claimed: bool) -> bytes:
        """Make and sign the one that takes them, with the preimage or back; returns its id, 32 bytes."""
        return self._txid(f"swap/{swap.payment}/{claimed}/{fee_sat}")
