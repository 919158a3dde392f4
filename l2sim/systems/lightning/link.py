"""One channel as both its ends see it: updates, commitments, revocations, and what survives a disconnection.

BOLT 2's "Normal Operation" without clock, processors or signatures. An update by A (an HTLC added or removed, or
a new fee rate) is (1) sent, (2) in B's newest commitment once A has signed it, (3) due in A's once B has revoked
its old one, (4) in A's newest commitment once B has signed that, and (5) irrevocably committed once A has revoked
too. Each side signs only if something has changed, and never while a signature of its own awaits its
`revoke_and_ack`: so each side has at most one commitment that is not revoked beside its newest, and changes made
meanwhile go together under the next signature.

Sides are 0 and 1, side 0 the funder. Messages are `Update`, `Commit`, `Revoke` and `Reestablish`.
"""

from typing import TYPE_CHECKING, Final

from l2sim.errors import InvariantError

if TYPE_CHECKING:
    from l2sim.crypto.bitcoin.htlc import Htlc
    from l2sim.systems.lightning.htlc import Attempt
    from l2sim.systems.lightning.refusals import Refusal

ADD: Final = 0
FULFIL: Final = 1
FAIL: Final = 2
FEE: Final = 3


class LinkHtlc:
    """An HTLC in a channel."""

    __slots__ = ("amount_msat", "attempt", "failed_hop", "hop", "known", "output", "refusal", "removing", "side")

    def __init__(self, attempt: "Attempt", hop: int, side: int, amount_msat: int, output: "Htlc | None" = None) -> None:
        self.attempt = attempt
        self.hop = hop
        self.side = side
        """Who offered it."""
        self.amount_msat = amount_msat
        self.output = output
        """What a real signer needs for its output."""
        self.known = False
        """Whether the side that offered it has seen the preimage."""
        self.removing = False
        """Whether its target has begun to take it out: for `refusal`, or with the preimage if that is None."""
        self.failed_hop = -1
        self.refusal: Refusal | None = None


class Update:
    """A change that one side proposes: update_add_htlc, update_fulfill_htlc, update_fail_htlc or update_fee."""

    __slots__ = ("feerate", "htlc", "kind")

    def __init__(self, kind: int, htlc: LinkHtlc | None = None, feerate: int = 0) -> None:
        self.kind = kind
        self.htlc = htlc
        self.feerate = feerate
        """Satoshi per kw; only of `FEE`."""


class Commit:
    """A commitment_signed: the updates that it brings into the receiver's commitment, the signer's and its own."""

    __slots__ = ("before", "htlcs", "number", "of_receiver", "of_signer")

    def __init__(
        self, number: int, of_signer: list[Update], of_receiver: list[Update], htlcs: int, before: "Contents"
    ) -> None:
        self.number = number
        self.before = before
        """What the receiver's commitment said until this one."""
        self.of_signer = of_signer
        self.of_receiver = of_receiver
        self.htlcs = htlcs
        """Untrimmed HTLCs in the commitment: signatures beside its own."""


class Revoke:
    """A revoke_and_ack: gives up the commitment before number `number`."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Reestablish:
    """A channel_reestablish: the numbers of the next commitment and of the next revocation that are expected."""

    __slots__ = ("next_commitment", "next_revocation")

    def __init__(self, next_commitment: int, next_revocation: int) -> None:
        self.next_commitment = next_commitment
        self.next_revocation = next_revocation


Message = Update | Commit | Revoke | Reestablish


class Contents:
    """What one side's newest signed commitment says, before fees."""

    __slots__ = ("balances_msat", "feerate", "htlcs", "number", "outputs")

    def __init__(self, balances_msat: list[int], feerate: int) -> None:
        self.number = 0
        self.balances_msat = balances_msat
        """By side."""
        self.feerate = feerate
        self.htlcs: dict[LinkHtlc, None] = {}
        """In the order in which they came."""
        self.outputs = 0
        """Of these, those that are not trimmed."""

    def apply(self, update: Update, dust_limit_msat: int) -> None:
        """Bring an update in."""
        htlc = update.htlc
        if htlc is None:
            self.feerate = update.feerate
            return
        amount_msat = htlc.amount_msat
        if update.kind == ADD:
            self.balances_msat[htlc.side] -= amount_msat
            self.htlcs[htlc] = None
            self.outputs += amount_msat >= dust_limit_msat
            if self.balances_msat[htlc.side] < 0:
                raise InvariantError(
                    f"a commitment must not owe its sides less than nothing (got {self.balances_msat} msat after an "
                    f"HTLC of {amount_msat} msat)"
                )
        else:
            del self.htlcs[htlc]
            self.balances_msat[htlc.side ^ (update.kind == FULFIL)] += amount_msat
            self.outputs -= amount_msat >= dust_limit_msat

    def copy(self) -> "Contents":
        """The same, to be kept while this one changes."""
        copied = Contents([*self.balances_msat], self.feerate)
        copied.number, copied.outputs, copied.htlcs = self.number, self.outputs, self.htlcs.copy()
        return copied

    def total_msat(self) -> int:
        """All money in it."""
        return sum(self.balances_msat) + sum(htlc.amount_msat for htlc in self.htlcs)


class LinkSide:
    """One end of a channel."""

    __slots__ = (
        "announced", "contents", "outstanding", "owed", "peer_revoked", "ready", "received", "revoked", "revoked_last",
        "signed", "unsigned",
    )  # fmt: skip

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        """Its newest commitment, as the other side signed it."""
        self.unsigned: list[Update] = []
        """Its updates that are in no signature of its own yet, the first `announced` of them sent."""
        self.announced = 0
        self.owed: list[Update] = []
        """The other side's updates that are in its own commitment for good, and not yet in the other's."""
        self.outstanding: Commit | None = None
        """Its signature that awaits a revocation."""
        self.ready = True
        """Whether it may speak: connected, and after a disconnection once it got the other's channel_reestablish."""
        self.signed = 0
        """Commitments it signed for the other side."""
        self.received = 0
        """Commitments it was signed."""
        self.revoked = 0
        """Revocations it gave."""
        self.peer_revoked = 0
        """Revocations it got."""
        self.revoked_last = False
        """Whether its last revocation was sent after its last signature."""


class Link:
    """A channel between two sides; says what to send, and tells from what it receives what is committed for good."""

    __slots__ = ("_dust_limit_msat", "connected", "sides")

    def __init__(self, balances_msat: tuple[int, int], dust_limit_msat: int, feerate: int) -> None:
        self._dust_limit_msat = dust_limit_msat
        self.sides = (
            LinkSide(Contents([*balances_msat], feerate)),
            LinkSide(Contents([*balances_msat], feerate)),
        )
        self.connected = True

    @property
    def quiet(self) -> bool:
        """Whether nothing is in the channel or under way, so that both commitments say the same."""
        for side in self.sides:
            if side.unsigned or side.owed or side.outstanding is not None or side.contents.htlcs:
                return False
        return True

    def propose(self, side: int, update: Update) -> None:
        """A side makes an update; `sign` or `announce` gives it out."""
        self.sides[side].unsigned.append(update)

    def announce(self, side: int) -> list[Update]:
        """The updates of a side that have not been sent yet, which now are."""
        mine = self.sides[side]
        updates = mine.unsigned[mine.announced :]
        mine.announced = len(mine.unsigned)
        return updates

    def can_sign(self, side: int) -> bool:
        """Whether a side has something to sign and may."""
        mine = self.sides[side]
        return mine.ready and mine.outstanding is None and bool(mine.unsigned or mine.owed)

    def sign(self, side: int) -> Commit:
        """A side signs the other's next commitment, with all its own updates so far and those it owes the other."""
        mine, contents = self.sides[side], self.sides[1 - side].contents
        if mine.outstanding is not None or not (mine.unsigned or mine.owed):
            raise InvariantError(f"side {side} must not sign: nothing changed, or a signature awaits its revocation")
        before = contents.copy()
        for update in mine.owed:
            contents.apply(update, self._dust_limit_msat)
        for update in mine.unsigned:
            contents.apply(update, self._dust_limit_msat)
        contents.number += 1
        mine.signed += 1
        commit = Commit(mine.signed, mine.unsigned, mine.owed, contents.outputs, before)
        mine.outstanding = commit
        mine.unsigned, mine.owed, mine.announced = [], [], 0
        mine.revoked_last = False
        return commit

    def take_commit(self, side: int, commit: Commit) -> Revoke:
        """A side got its next commitment, and revokes the one before at once.

        The side's own updates in it (`of_receiver`) are thereby committed for good as it sees it.
        """
        mine = self.sides[side]
        mine.received += 1
        if commit.number != mine.received:
            raise InvariantError(f"side {side} must get commitment {mine.received} next (got {commit.number})")
        mine.owed.extend(commit.of_signer)
        mine.revoked += 1
        mine.revoked_last = True
        return Revoke(mine.revoked)

    def take_revoke(self, side: int, revoke: Revoke) -> list[Update]:
        """A side got the revocation for its signature; returns the other side's updates now committed for good."""
        mine = self.sides[side]
        mine.peer_revoked += 1
        commit, mine.outstanding = mine.outstanding, None
        if commit is None or revoke.number != commit.number or mine.peer_revoked != mine.signed:
            raise InvariantError(f"side {side} must get the revocation of {mine.signed} (got {revoke.number})")
        return commit.of_receiver

    def held(self, side: int) -> Contents:
        """The newest commitment that has reached a side: what it can publish."""
        mine, commit = self.sides[side], self.sides[1 - side].outstanding
        if commit is not None and commit.number > mine.received:
            return commit.before
        return mine.contents

    # Disconnection: what was under way is lost; what was not signed is forgotten, and proposed again.

    def disconnect(self) -> None:
        """The connection breaks, and all messages under way with it."""
        self.connected = False
        for side in self.sides:
            side.ready = False
            side.announced = 0

    def reestablish(self, side: int) -> Reestablish:
        """What a side says first when the connection is back."""
        mine = self.sides[side]
        return Reestablish(mine.received + 1, mine.peer_revoked)

    def resend(self, side: int, peer: Reestablish) -> list[Message]:
        """What a side must send again after the other's channel_reestablish, in the order it did before."""
        mine = self.sides[side]
        mine.ready = True
        again: list[Message] = []
        commit = mine.outstanding
        if peer.next_commitment == mine.signed and commit is not None:
            again += [*commit.of_signer, commit]
        elif peer.next_commitment != mine.signed + 1:
            raise InvariantError(f"side {side} signed {mine.signed} commitments; {peer.next_commitment} is asked for")
        if peer.next_revocation == mine.revoked - 1:
            revoke = Revoke(mine.revoked)
            again = [*again, revoke] if mine.revoked_last else [revoke, *again]
        elif peer.next_revocation != mine.revoked:
            raise InvariantError(f"side {side} revoked {mine.revoked}; {peer.next_revocation} are known")
        return again
