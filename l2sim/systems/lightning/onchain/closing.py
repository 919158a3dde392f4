"""A channel on its way home: what its commitment holds, what is still to be claimed, what it has cost so far."""

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from l2sim.crypto.bitcoin.channel_type import commitment_fee_sat
from l2sim.crypto.bitcoin.commitment import Commitment
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.l1.base import Purpose
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.fee_bumping import Bumper
from l2sim.systems.lightning.onchain.transactions import ForcedHtlc, Spending

if TYPE_CHECKING:
    from l2sim.systems.lightning.htlc import Attempt


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


class Held(NamedTuple):
    """The newest commitment that one side of a channel holds, and the HTLCs of the channel, as (attempt, hop)."""

    balances_msat: tuple[int, int]
    """What it says that the sides own, by side, before fees."""
    feerate_per_kw: int
    htlcs: "list[tuple[Attempt, int]]"
    """Those in it, in the order in which they came."""
    others: "list[tuple[Attempt, int]]"
    """Those that are not: not in it yet, or taken out of it already."""


@runtime_checkable
class HtlcsOnChain(Protocol):
    """The HTLC network, as far as a channel that goes on chain needs it."""

    def take_on_chain(self, channel: int, side: int) -> Held:
        """Say nothing more over a channel; returns what the commitment of that side holds."""

    def knows_preimage(self, attempt: "Attempt", hop: int) -> bool:
        """Whether the target of channel `hop` could claim the attempt's HTLC on chain now."""

    def resolve(self, attempt: "Attempt", hop: int, *, fulfilled: bool) -> None:
        """On chain, the HTLC of channel `hop` was claimed with its preimage, or timed out."""


class Closing:
    """A channel that one side forced on chain."""

    def __init__(self, channel: int, side: int, commitment: Commitment, purpose: Purpose, kind: CloseKind) -> None:
        self.channel = channel
        self.side = side
        """Who published the commitment."""
        self.commitment = commitment
        self.purpose = purpose
        self.kind = kind
        self.attempts: list[tuple[Attempt, int]] = []
        """The HTLCs in it, in the order of `htlcs`."""
        self.htlcs: list[ForcedHtlc] = []
        self.others: list[tuple[Attempt, int]] = []
        """The channel's other HTLCs, which are in no output of it."""
        self.open_claims = 0
        """Outputs that somebody is still after."""
        self.due: dict[OutPoint, tuple[int, int]] = {}
        """Of these the value in sat, and the height from which a block can hold what takes it home."""
        self.finished = False
        self.confirmed_height: int | None = None
        self.fees_sat = commitment.fee_sat
        """L1 fees of all its transactions that are in blocks."""
        self.given_up_sat = 0
        """Outputs that nobody will spend."""
        # The funder's, as far as it goes; beyond that the miner has what was too small for an output.
        agreed_sat = commitment_fee_sat(
            commitment.parameters.channel_type, commitment.state.feerate_per_kw, len(commitment.htlcs)
        )
        self.fees_of_sat = [min(agreed_sat, commitment.fee_sat), 0]
        """What of the fees each side paid."""
        self.from_wallets_sat = [0, 0]
        """What each side's wallet added for fees."""
        self.paid_out_sat = [0, 0]
        """What came home to each side."""
        anchors = [
            commitment.transaction.outputs[vout].value_sat
            for vout in (commitment.owner_anchor_vout, commitment.peer_anchor_vout)
            if vout is not None
        ]
        self.anchor_sat = max(anchors, default=0)
        """What one anchor holds."""
        self.anchors_sat = sum(anchors)
        """Anchors nobody has spent yet."""
        self.child: Bumper | None = None
        self.first_child: tuple[Spending, bytes, int] | None = None
        """The child that the commitment was sent with, its id and its fee; None if it was relayed by itself."""

    def pay_fee(self, side: int, fee_sat: int, *, from_wallet: bool = False) -> None:
        """A side paid an L1 fee: out of what it took home, or by a coin of its wallet."""
        self.fees_sat += fee_sat
        self.fees_of_sat[side] += fee_sat
        if from_wallet:
            self.from_wallets_sat[side] += fee_sat

    def take_home(self, side: int, outpoint: OutPoint, value_sat: int, fee_sat: int) -> None:
        """A side has an output, less the fee of what took it there."""
        self.pay_fee(side, fee_sat)
        self.paid_out_sat[side] += value_sat - fee_sat
        self.due.pop(outpoint, None)

    def lost_msat(self, balances_msat: tuple[int, int]) -> list[int]:
        """What each side got less than these balances, beyond the fees that it paid; below 0 what it got more."""
        return [
            balances_msat[side]
            - (self.paid_out_sat[side] - self.from_wallets_sat[side] + self.fees_of_sat[side]) * MSAT_PER_SAT
            for side in (0, 1)
        ]
