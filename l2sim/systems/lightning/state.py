"""Truth: where the money of every channel is, in columns, and the rules that move it.

Channel c has the directed edges 2c (from its first node, who funded it) and 2c + 1. `balance_msat[e]` is what
the sender of edge e owns in the channel, `in_flight_msat[e]` what it has locked in HTLCs. For every channel,
at every instant, both balances and both amounts in flight add up to its capacity.

Money moves in three ways only: `lock` takes an HTLC out of a balance, `settle` gives it to the other side,
`release` gives it back.
"""

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.errors import InvariantError
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.routing import MAX_PAYMENT_MSAT

COMMITMENT_WU: Final = 1_124  # commitment transaction with anchors and without HTLCs (BOLT 3, appendix A)
HTLC_OUTPUT_WU: Final = 172  # each untrimmed HTLC adds an output (BOLT 3, appendix A)
ANCHORS_SAT: Final = 660  # two anchor outputs of 330 sat, paid by the funder (BOLT 3)
BUFFER_FACTOR: Final = 2  # the funder keeps the fee at twice the present fee rate (BOLT 2, fee spike buffer)
WU_PER_KW: Final = 1_000


class Phase(IntEnum):
    """What stage of its life a channel is in."""

    UNFUNDED = 0
    FUNDING = 1
    """The funding transaction is sent; the channel carries nothing yet."""
    OPEN = 2
    CLOSING = 3
    """No new HTLCs; the closing transaction is being waited for, or HTLCs before it."""
    CLOSED = 4


class Waived(IntEnum):
    """Which rules `ChannelState.spendable_msat` leaves out: the one named and all before it."""

    NOTHING = 0
    SLOTS = 1
    """What may be in flight at a time: HTLCs, their value, and dust."""
    OTHER_SIDES_FEE = 2
    """The commitment's fee, where the other side funded the channel and must pay it."""
    MAXIMUM = 3
    """The largest HTLC the edge announces."""
    BALANCE = 4
    """The sender's own money: only channels that are closed or disabled carry nothing."""


def commitment_fee_msat(feerate_sat_per_kw: int, htlcs: int) -> int:
    """The fee of a commitment transaction with that many untrimmed HTLCs, in msat (BOLT 3, rounded down to sat).

    >>> commitment_fee_msat(253, 5)  # 1984 weight units
    501000
    """
    weight_wu = COMMITMENT_WU + HTLC_OUTPUT_WU * htlcs
    return feerate_sat_per_kw * weight_wu // WU_PER_KW * MSAT_PER_SAT


class ChannelState:
    """The live state of m channels as numpy columns, with the scalar operations of an HTLC's life.

    Columns of channels have shape (m,), of edges (2m,). The scalar methods go through memory views of the
    same columns: reading an element of a view takes a third of the time of an element of an array.
    """

    def __init__(
        self,
        graph: ChannelGraph,
        rules: Channels,
        balance_msat: npt.NDArray[np.int64],
        phase: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        channels = graph.channel_count
        if balance_msat.shape != (2 * channels,):
            raise ValueError(f"balance_msat must have shape ({2 * channels},) (got {balance_msat.shape})")
        self.rules = rules
        self.source = graph.edge_source().copy()
        self.target = graph.edge_target().copy()
        self.enabled = graph.enabled.copy()
        self.htlc_min_msat = graph.htlc_min_msat.copy()
        self.htlc_max_msat = graph.htlc_max_msat.copy()
        self.phase = np.full(channels, Phase.OPEN, np.uint8) if phase is None else phase.copy()
        self.capacity_msat = graph.capacity_msat.copy()
        self.reserve_msat = np.zeros(channels, np.int64)
        self.balance_msat = balance_msat.astype(np.int64)
        self.in_flight_msat = np.zeros(2 * channels, np.int64)
        self.htlcs = np.zeros(2 * channels, np.int64)
        """HTLCs in flight in each direction: slots taken."""
        self.outputs = np.zeros(channels, np.int64)
        """Untrimmed HTLCs in the newest commitment transactions."""
        self.dust_msat = np.zeros(channels, np.int64)
        """Amounts of the trimmed ones."""
        self.rate = np.zeros(channels, np.int32)
        """Which of the fee rates in use its commitments have (`feerate_of`)."""
        self.connected = np.ones(channels, np.bool_)
        """Whether both ends are there and talk to each other."""
        self.settled = np.zeros(channels, np.int64)
        self.settled_msat = np.zeros(channels, np.int64)
        self.failed = np.zeros(channels, np.int64)
        self.fees_msat = np.zeros(channels, np.int64)
        self.earned_msat = np.zeros(2 * channels, np.int64)
        """What each edge's source earned by forwarding over it."""
        self.reserve_msat[:] = self._reserve_of(self.capacity_msat)
        self.in_flight_cap_msat = self._in_flight_cap_of(self.capacity_msat)
        self.dust_limit_msat = rules.dust_limit_sat * MSAT_PER_SAT
        self._max_htlcs = rules.max_accepted_htlcs
        self._max_dust_msat = rules.max_dust_exposure_sat * MSAT_PER_SAT
        self._make_fee_tables(rules)
        self._make_views()
        self.check("channels at the start")

    def _make_fee_tables(self, rules: Channels) -> None:
        """Tabulate what the funder must be able to pay, by fee rate and number of untrimmed HTLCs."""
        self._feerates: list[int] = []
        self._rate_index: dict[int, int] = {}
        self._fee_msat: list[list[int]] = []
        self._buffer_msat: list[list[int]] = []
        self._add_feerate(0 if rules.channel_type == "zero_fee" else rules.commitment_feerate_sat_per_kw)

    def _add_feerate(self, rate: int) -> int:
        """Make the tables of one more fee rate; returns its index."""
        # Without a fee rate commitments cost nothing: they are of that type, or the scenario leaves their fees out.
        anchors_msat = ANCHORS_SAT * MSAT_PER_SAT if rate else 0
        counts = range(2 * self.rules.max_accepted_htlcs + 3)
        self._fee_msat.append([commitment_fee_msat(rate, n) + anchors_msat for n in counts])
        self._buffer_msat.append([commitment_fee_msat(BUFFER_FACTOR * rate, n) + anchors_msat for n in counts])
        self._fee_table = np.array(self._fee_msat, np.int64)
        self._buffer_table = np.array(self._buffer_msat, np.int64)
        self._feerates.append(rate)
        index = self._rate_index[rate] = len(self._feerates) - 1
        return index

    def _make_views(self) -> None:
        self._phase = self.phase.data
        self._enabled = self.enabled.data
        self._minimum = self.htlc_min_msat.data
        self._maximum = self.htlc_max_msat.data
        self._reserve = self.reserve_msat.data
        self._balance = self.balance_msat.data
        self._in_flight = self.in_flight_msat.data
        self._htlcs = self.htlcs.data
        self._outputs = self.outputs.data
        self._dust = self.dust_msat.data
        self._connected = self.connected.data
        self._rate = self.rate.data
        self._in_flight_cap = self.in_flight_cap_msat.data
        self._settled = self.settled.data
        self._settled_msat = self.settled_msat.data
        self._failed = self.failed.data
        self._fees = self.fees_msat.data
        self._earned = self.earned_msat.data

    def _reserve_of(self, capacity_msat: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Each side's reserve: the configured part of the capacity, in whole sat."""
        capacity_sat = capacity_msat // MSAT_PER_SAT
        return capacity_sat * self.rules.reserve_ppm // 1_000_000 * MSAT_PER_SAT

    def _in_flight_cap_of(self, capacity_msat: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """What may be in flight in each direction."""
        share = self.rules.max_in_flight_ppm
        # The product may pass 2**63, its parts do not.
        return capacity_msat // 1_000_000 * share + capacity_msat % 1_000_000 * share // 1_000_000

    def refusal(self, edge: int, amount_msat: int) -> Refusal | None:
        """Why the source of `edge` cannot offer an HTLC of that amount over it now, or None."""
        channel = edge >> 1
        if self._phase[channel] != Phase.OPEN or not self._enabled[edge]:
            gone = self._phase[channel] not in (Phase.OPEN, Phase.CLOSING)
            return Refusal.UNKNOWN_NEXT_PEER if gone else Refusal.CHANNEL_DISABLED
        if not self._connected[channel]:
            return Refusal.PEER_OFFLINE
        if amount_msat < self._minimum[edge]:
            return Refusal.AMOUNT_BELOW_MINIMUM
        if amount_msat > self._maximum[edge]:
            return Refusal.AMOUNT_ABOVE_MAXIMUM
        if self._htlcs[edge] >= self._max_htlcs:
            return Refusal.TOO_MANY_HTLCS
        if self._in_flight[edge] + amount_msat > self._in_flight_cap[channel]:
            return Refusal.IN_FLIGHT_CAP
        if amount_msat < self.dust_limit_msat and self._dust[channel] + amount_msat > self._max_dust_msat:
            return Refusal.DUST_EXPOSURE
        left = self._balance[edge] - amount_msat - self._reserve[channel]
        outputs = self._outputs[channel] + (amount_msat >= self.dust_limit_msat)
        if edge & 1:
            # The funder, on the other side, must still be able to pay for the commitment.
            if left < 0 or self._balance[edge - 1] < self._fee_msat[self._rate[channel]][outputs]:
                return Refusal.INSUFFICIENT_BALANCE
        elif left < self._buffer_msat[self._rate[channel]][outputs + 1]:
            return Refusal.INSUFFICIENT_BALANCE
        return None

    def spendable_msat(self, edges: npt.NDArray[np.int64], waived: Waived = Waived.NOTHING) -> npt.NDArray[np.int64]:
        """The most that each edge's source could send over it now in one HTLC, at least 0, shape of `edges`.

        Up to that amount, and from the edge's minimum on, `refusal` is None. `waived` asks what could be sent
        without some of the rules.
        """
        channels = edges >> 1
        usable = (self.phase[channels] == Phase.OPEN) & self.enabled[edges] & self.connected[channels]
        if waived >= Waived.BALANCE:
            return np.where(usable, MAX_PAYMENT_MSAT, 0)
        if waived < Waived.SLOTS:
            usable &= self.htlcs[edges] < self._max_htlcs
        # An HTLC below the dust limit adds nothing to the commitment's fee. Where a larger one cannot be paid for,
        # dust is all that can be sent.
        most = self._affordable_msat(edges, 1, waived)
        dust = np.minimum(self._affordable_msat(edges, 0, waived), self.dust_limit_msat - 1)
        if waived < Waived.SLOTS:
            dust = np.minimum(dust, self._max_dust_msat - self.dust_msat[channels])
        most = np.where(most >= self.dust_limit_msat, most, dust)
        if waived < Waived.SLOTS:
            most = np.minimum(most, self.in_flight_cap_msat[channels] - self.in_flight_msat[edges])
        if waived < Waived.MAXIMUM:
            most = np.minimum(most, self.htlc_max_msat[edges])
        return np.where(usable, np.maximum(most, 0), 0)

    def _affordable_msat(self, edges: npt.NDArray[np.int64], new_outputs: int, waived: Waived) -> npt.NDArray[np.int64]:
        """What each edge's source owns above what it must keep once that many outputs are added; below 0 if none."""
        channels = edges >> 1
        outputs = self.outputs[channels] + new_outputs
        funder = (edges & 1) == 0
        cushion = np.where(funder, self._buffer_table[self.rate[channels], outputs + 1], 0)
        left: npt.NDArray[np.int64] = self.balance_msat[edges] - self.reserve_msat[channels] - cushion
        if waived < Waived.OTHER_SIDES_FEE:
            left[~funder & (self.balance_msat[edges ^ 1] < self._fee_table[self.rate[channels], outputs])] = -1
        return left

    def lock(self, edge: int, amount_msat: int) -> None:
        """Take an HTLC out of the balance of the source of `edge`; `refusal` must have been None."""
        balance = self._balance[edge] - amount_msat
        if balance < 0:
            raise InvariantError(f"edge {edge} must not lock {amount_msat} msat: {balance} msat would be left")
        self._balance[edge] = balance
        self._in_flight[edge] += amount_msat
        self._htlcs[edge] += 1
        if amount_msat >= self.dust_limit_msat:
            self._outputs[edge >> 1] += 1
        else:
            self._dust[edge >> 1] += amount_msat

    def drop_output(self, edge: int, amount_msat: int) -> None:
        """The HTLC leaves the newest commitment: its removal has begun."""
        if amount_msat >= self.dust_limit_msat:
            self._outputs[edge >> 1] -= 1
        else:
            self._dust[edge >> 1] -= amount_msat

    def settle(self, edge: int, amount_msat: int) -> None:
        """Give the HTLC's money to the target of `edge`."""
        self._unlock(edge, amount_msat)
        self._balance[edge ^ 1] += amount_msat
        channel = edge >> 1
        self._settled[channel] += 1
        self._settled_msat[channel] += amount_msat

    def earn(self, edge: int, fee_msat: int) -> None:
        """The source of `edge` has earned that by forwarding over it: it has been paid itself."""
        self._fees[edge >> 1] += fee_msat
        self._earned[edge] += fee_msat

    def release(self, edge: int, amount_msat: int) -> None:
        """Give the HTLC's money back to the source of `edge`."""
        self._unlock(edge, amount_msat)
        self._balance[edge] += amount_msat
        self._failed[edge >> 1] += 1

    def refused(self, edge: int) -> None:
        """Count an HTLC that the source of `edge` did not offer."""
        self._failed[edge >> 1] += 1

    def _unlock(self, edge: int, amount_msat: int) -> None:
        in_flight = self._in_flight[edge] - amount_msat
        if in_flight < 0 or self._htlcs[edge] < 1:
            raise InvariantError(
                f"edge {edge} must not unlock {amount_msat} msat: {in_flight + amount_msat} msat in "
                f"{self._htlcs[edge]} HTLCs are in flight"
            )
        self._in_flight[edge] = in_flight
        self._htlcs[edge] -= 1

    def feerate_of(self, channel: int) -> int:
        """The fee rate of the channel's commitments, in sat per kw."""
        return self._feerates[self._rate[channel]]

    def set_feerate(self, channel: int, feerate_sat_per_kw: int) -> None:
        """Another fee rate for the channel's commitments, as its funder proposed."""
        index = self._rate_index.get(feerate_sat_per_kw)
        if index is None:
            index = self._add_feerate(feerate_sat_per_kw)
        self._rate[channel] = index

    def outputs_of(self, channel: int) -> int:
        """Untrimmed HTLCs in the channel's newest commitments."""
        return self._outputs[channel]

    def funder_can_pay(self, channel: int) -> bool:
        """Whether the funder owns what the channel's commitments cost now."""
        return self._balance[2 * channel] >= self._fee_msat[self._rate[channel]][self._outputs[channel]]

    def in_use(self, channel: int) -> bool:
        """Whether the channel has HTLCs in flight."""
        return self._htlcs[2 * channel] + self._htlcs[2 * channel + 1] > 0

    def fund(self, channel: int, funder_msat: int, other_msat: int) -> None:
        """Put money into an unfunded channel; it opens once its funding is confirmed."""
        self._expect(channel, Phase.UNFUNDED)
        self.capacity_msat[channel] = funder_msat + other_msat
        self.reserve_msat[channel] = self._reserve_of(self.capacity_msat[channel : channel + 1])[0]
        self.in_flight_cap_msat[channel] = self._in_flight_cap_of(self.capacity_msat[channel : channel + 1])[0]
        self.htlc_max_msat[2 * channel : 2 * channel + 2] = funder_msat + other_msat
        self.balance_msat[2 * channel] = funder_msat
        self.balance_msat[2 * channel + 1] = other_msat
        self.phase[channel] = Phase.FUNDING

    def resize(self, edge: int, change_msat: int) -> None:
        """A splice adds to what the source of `edge` owns in an open channel, or takes from it."""
        channel = edge >> 1
        self._expect(channel, Phase.OPEN)
        before = int(self.capacity_msat[channel])
        if self._balance[edge] + change_msat < 0:
            raise InvariantError(f"edge {edge} must not lose {-change_msat} msat: it owns {self._balance[edge]} msat")
        self.capacity_msat[channel] = before + change_msat
        self._balance[edge] += change_msat
        one = self.capacity_msat[channel : channel + 1]
        self.reserve_msat[channel] = self._reserve_of(one)[0]
        self.in_flight_cap_msat[channel] = self._in_flight_cap_of(one)[0]
        for side in (2 * channel, 2 * channel + 1):
            if self._maximum[side] >= before or self._maximum[side] > before + change_msat:
                self._maximum[side] = before + change_msat

    def open(self, channel: int) -> None:
        """The funding is confirmed: the channel may carry HTLCs."""
        self._expect(channel, Phase.FUNDING)
        self.phase[channel] = Phase.OPEN

    def begin_closing(self, channel: int) -> None:
        """Accept no new HTLCs."""
        self._expect(channel, Phase.OPEN)
        self.phase[channel] = Phase.CLOSING

    def close(self, channel: int) -> tuple[int, int]:
        """Pay the channel out; returns both balances in msat, the funder's first. No HTLC may be in flight."""
        self._expect(channel, Phase.CLOSING)
        if self.in_use(channel):
            raise InvariantError(f"channel {channel} must not close with HTLCs in flight")
        balances = self._balance[2 * channel], self._balance[2 * channel + 1]
        self.balance_msat[2 * channel : 2 * channel + 2] = 0
        self.phase[channel] = Phase.CLOSED
        return balances

    def _expect(self, channel: int, phase: Phase) -> None:
        if self._phase[channel] != phase:
            raise InvariantError(
                f"channel {channel} must be {phase.name.lower()} (got {Phase(self._phase[channel]).name.lower()})"
            )

    def money_msat(self) -> tuple[int, int]:
        """All balances, and all amounts in flight."""
        return int(self.balance_msat.sum()), int(self.in_flight_msat.sum())

    def check(self, where: str) -> None:
        """Raise InvariantError unless every channel holds exactly its capacity and nothing is below zero."""
        held = self.balance_msat[0::2] + self.balance_msat[1::2] + self.in_flight_msat[0::2] + self.in_flight_msat[1::2]
        funded = (self.phase != Phase.UNFUNDED) & (self.phase != Phase.CLOSED)
        wrong = held != np.where(funded, self.capacity_msat, 0)
        for column in (self.balance_msat, self.in_flight_msat, self.htlcs):
            wrong |= (column[0::2] < 0) | (column[1::2] < 0)
        wrong |= (self.outputs < 0) | (self.outputs > self.htlcs[0::2] + self.htlcs[1::2])
        if wrong.any():
            c = int(np.argmax(wrong))
            raise InvariantError(
                f"{where}: channel {c} of {self.capacity_msat[c]} msat holds balances {self.balance_msat[2 * c]} and "
                f"{self.balance_msat[2 * c + 1]}, in flight {self.in_flight_msat[2 * c]} and "
                f"{self.in_flight_msat[2 * c + 1]}, {self.outputs[c]} HTLC outputs"
            )
