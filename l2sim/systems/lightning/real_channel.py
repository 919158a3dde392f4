"""A channel whose every key is there: both sides' secrets, and the commitments that they have signed for each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from l2sim.crypto.bitcoin.channel_type import ChannelType
from l2sim.crypto.bitcoin.commitment import (
    Commitment,
    CommitmentParameters,
    CommitmentState,
    build_commitment,
    obscuring_factor,
)
from l2sim.crypto.bitcoin.htlc import Htlc
from l2sim.crypto.bitcoin.keys import Basepoints, commitment_keys
from l2sim.crypto.bitcoin.shachain import SecretStore, per_commitment_index, per_commitment_secret
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.crypto.signatures.keys import public_key
from l2sim.engine import Streams
from l2sim.errors import InvariantError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.link import Contents, LinkHtlc

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt

START_HEIGHT: Final = 900_000  # added to the simulated chain's heights in HTLC expiries: that of mid 2025


@dataclass(frozen=True, slots=True)
class SignedCommitment:
    """A commitment as its owner got it: with the other side's signatures, 64 bytes each."""

    commitment: Commitment
    signature: bytes
    htlc_signatures: tuple[bytes, ...]
    """In output order."""


class Side:
    """One side of a channel: its secrets, its commitments, and the other's secrets that it was given."""

    def __init__(self, streams: Streams, edge: int) -> None:
        def secret(what: str) -> bytes:
            return streams.secret(f"lightning/{what}", edge)

        self.funding_secret = secret("funding key")
        self.payment_secret = secret("payment basepoint")
        self.delayed_payment_secret = secret("delayed payment basepoint")
        self.htlc_secret = secret("htlc basepoint")
        self.revocation_secret = secret("revocation basepoint")
        self.wallet_secret = secret("wallet key")
        self.seed = secret("commitment seed")
        self.funding_key = public_key(self.funding_secret)
        self.wallet_key = public_key(self.wallet_secret)
        self.basepoints = Basepoints(
            payment=public_key(self.payment_secret),
            delayed_payment=public_key(self.delayed_payment_secret),
            htlc=public_key(self.htlc_secret),
            revocation=public_key(self.revocation_secret),
        )
        self.points: dict[int, bytes] = {}
        """Per-commitment points given to the other side and not revoked yet, by commitment number."""
        self.commitments: dict[int, SignedCommitment] = {}
        """The commitments that are signed and not revoked yet, by number."""
        self.kept: tuple[int, SignedCommitment | None] | None = None
        """Number and content of one that it keeps although it will be revoked; without content, that of the start."""
        self.signed = 0
        """Number of the newest commitment that the other side signed."""
        self.revoked = 0
        """Commitments below this number are revoked: that of the newest one that it has."""
        self.received = SecretStore()

    def point(self, number: int) -> bytes:
        """The per-commitment point of one of this side's commitments."""
        point = self.points.get(number)
        if point is None:
            point = self.points[number] = public_key(self.commitment_secret(number))
        return point

    def commitment_secret(self, number: int) -> bytes:
        """The secret that revokes that commitment."""
        return per_commitment_secret(self.seed, per_commitment_index(number))


class Channel:
    """Both sides of a channel, its funding output, and what its newest commitments say."""

    def __init__(
        self,
        sides: tuple[Side, Side],
        funding: OutPoint,
        balances_msat: list[int],
        dust_sat: int,
        to_self_delay_blocks: int,
        channel_type: ChannelType,
        htlcs: "dict[tuple[Attempt, int], tuple[int, Htlc]] | None" = None,
    ) -> None:
        self.sides = sides
        self.funding = funding
        self.htlcs: dict[tuple[Attempt, int], tuple[int, Htlc]] = {} if htlcs is None else htlcs
        """HTLCs in the newest commitments: (attempt, hop) to (offering side, HTLC)."""
        held_msat = sum([htlc.amount_msat for _, htlc in self.htlcs.values()])
        self.capacity_sat = (sum(balances_msat) + held_msat) // MSAT_PER_SAT
        self.balances_msat = balances_msat
        self.spare_msat = [0, 0]
        """What each side owns beyond whole sat in all, which is in no output."""
        factor = obscuring_factor(sides[0].basepoints.payment, sides[1].basepoints.payment)
        self.parameters = tuple(
            CommitmentParameters(
                channel_type=channel_type,
                funding=funding,
                funding_sat=self.capacity_sat,
                owner_is_funder=owner == 0,
                owner_funding_key=sides[owner].funding_key,
                peer_funding_key=sides[1 - owner].funding_key,
                peer_payment_key=sides[1 - owner].basepoints.payment,
                obscuring_factor=factor,
                to_self_delay_blocks=to_self_delay_blocks,
                dust_limit_sat=dust_sat,
            )
            for owner in (0, 1)
        )

    def on(self, funding: OutPoint, owner: int, change_msat: int) -> "Channel":
        """The same channel on another funding, in which side `owner` owns that much more, or less if below 0."""
        balances = [*self.balances_msat]
        balances[owner] += change_msat
        common = self.parameters[0]
        moved = Channel(
            self.sides, funding, balances, common.dust_limit_sat, common.to_self_delay_blocks, common.channel_type,
            self.htlcs,
        )  # fmt: skip
        moved.spare_msat = self.spare_msat
        return moved

    def commitment(
        self, owner: int, number: int, feerate_sat_per_kw: int, contents: Contents | None = None
    ) -> Commitment:
        """The owner's commitment of that number, with these contents or with what is in the channel now."""
        if contents is None:
            balances, htlcs = self.balances_msat, list(self.htlcs.values())
        else:
            feerate_sat_per_kw = contents.feerate
            balances = [msat - spare for msat, spare in zip(contents.balances_msat, self.spare_msat, strict=True)]
            htlcs = [(htlc.side, _output(htlc)) for htlc in contents.htlcs]
        return self.build(owner, number, balances, feerate_sat_per_kw, htlcs)

    def build(
        self, owner: int, number: int, balances_msat: list[int], feerate_per_kw: int, htlcs: list[tuple[int, Htlc]]
    ) -> Commitment:
        """The owner's commitment that says this: balances by side, HTLCs each with who offered it."""
        side, peer = self.sides[owner], self.sides[1 - owner]
        state = CommitmentState(
            number=number,
            keys=commitment_keys(side.basepoints, peer.basepoints, side.point(number)),
            owner_msat=balances_msat[owner],
            peer_msat=balances_msat[1 - owner],
            feerate_per_kw=feerate_per_kw,
            offered=tuple(htlc for by, htlc in htlcs if by == owner),
            received=tuple(htlc for by, htlc in htlcs if by != owner),
        )
        return build_commitment(self.parameters[owner], state)


def _output(htlc: LinkHtlc) -> Htlc:
    """What the HTLC's output says, as `Signer.add_htlc` made it."""
    if htlc.output is None:
        raise InvariantError(f"payment {htlc.attempt.payment}: the HTLC of hop {htlc.hop} must have an output")
    return htlc.output
