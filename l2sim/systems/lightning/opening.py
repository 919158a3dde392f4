"""Channels on L1: users' channels are funded, confirmed and closed; the backbone's are renewed.

A user's channel costs one funding transaction (one P2WPKH input, the 2-of-2 output and change; with the router
adding money, one input and one change output more) and one mutual close. The user pays both: the first out of its
funds, the second out of its balance, and what the balance cannot cover out of the router's.

The backbone is older than the run. What its channels cost on L1 is measured on a sample that really goes through
the mempool (see `config.Backbone`); `operator_share` scales what the sample paid to the run's part of the cost of
all.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from l2sim.engine import Environment, Stream, ns
from l2sim.errors import InvariantError
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.l1.bitcoin.mempool import BitcoinTransaction
from l2sim.money import MSAT_PER_SAT
from l2sim.results.recorder import NEVER
from l2sim.systems.base import Membership
from l2sim.systems.lightning.config import AttachedUsers, Backbone
from l2sim.systems.lightning.dance_work import DanceWork
from l2sim.systems.lightning.gossip import Announcements
from l2sim.systems.lightning.onchain.closing import CloseKind
from l2sim.systems.lightning.signer import Signer
from l2sim.systems.lightning.state import ChannelState, Phase
from l2sim.systems.lightning.users import Population

# Weights as wallets reckon them, P2WPKH signatures counted as 72 bytes and those of closes as 73 (BOLT 3); real
# transactions weigh this or one or two units less for each signature. BIP 141 byte counts.
FUNDING_WU: Final = 610  # 1 P2WPKH in, P2WSH and P2WPKH out
DUAL_FUNDING_WU: Final = 1_006  # 2 P2WPKH in, P2WSH and 2 P2WPKH out (BOLT 3, appendix G, with 108-wu witnesses)
CLOSING_WU: Final = 676  # 2-of-2 P2WSH in, 2 P2WPKH out
CLOSING_ONE_OUTPUT_WU: Final = 552
DUST_SAT: Final = 294  # smallest P2WPKH output that is relayed (BOLT 3, dust limits)


def closing_outputs(user_sat: int, router_sat: int, feerate_sat_per_kvb: int) -> tuple[int, int, int]:
    """What a mutual close pays out to the user and to the router, in sat, and its weight.

    The user pays the fee, and the router what the user's balance cannot cover. An output too small to be relayed
    is left to the miner.

    >>> closing_outputs(500_000, 400_000, 2_000)
    (499662, 400000, 676)
    >>> closing_outputs(200, 400_000, 2_000)
    (0, 399924, 552)
    """
    user_out_sat, router_out_sat = _less_fee(user_sat, router_sat, fee_sat(CLOSING_WU, feerate_sat_per_kvb))
    if min(user_out_sat, router_out_sat) >= DUST_SAT:
        return user_out_sat, router_out_sat, CLOSING_WU
    fee = fee_sat(CLOSING_ONE_OUTPUT_WU, feerate_sat_per_kvb)
    user_out_sat, router_out_sat = _less_fee(user_sat, router_sat, fee)
    # Where the fee would eat up a whole channel, the last output is still one that is relayed.
    if user_out_sat >= router_out_sat:
        return max(user_out_sat, DUST_SAT), 0, CLOSING_ONE_OUTPUT_WU
    return 0, max(router_out_sat, DUST_SAT), CLOSING_ONE_OUTPUT_WU


def _less_fee(user_sat: int, router_sat: int, fee: int) -> tuple[int, int]:
    fee = min(fee, user_sat + router_sat - DUST_SAT)
    from_user = min(user_sat, fee)
    return user_sat - from_user, router_sat - (fee - from_user)


class ChannelBook:
    """What L1 knows of each channel, in columns of shape (m,); times in ns, `NEVER` until they come."""

    def __init__(self, channels: int) -> None:
        self.opened_ns = np.full(channels, NEVER, np.int64)
        self.closed_ns = np.full(channels, NEVER, np.int64)
        self.open_fee_sat = np.zeros(channels, np.int64)
        self.close_fee_sat = np.zeros(channels, np.int64)
        self.start_balance_msat = np.zeros(channels, np.int64)
        self.start_capacity_msat = np.zeros(channels, np.int64)
        self.end_balance_msat = np.zeros(channels, np.int64)
        self.close_kind = np.zeros(channels, np.uint8)
        """Numbers of `onchain.closing.CloseKind`."""
        self.home_ns = np.full(channels, NEVER, np.int64)
        """When all its money was free again."""
        self.close_fee_of_sat = np.zeros(2 * channels, np.int64)
        """What of a forced close's fees each side paid, by the edge that it is the source of."""
        self.lost_msat = np.zeros(2 * channels, np.int64)
        """What each side got less of a forced channel than it owned, beyond fees; below 0 what it got more."""


class UserChannels:
    """Opens and closes the users' channels."""

    def __init__(
        self,
        environment: Environment,
        chain: BitcoinChain,
        users: AttachedUsers,
        confirmations: int,
        population: Population,
        state: ChannelState,
        announcements: Announcements,
        signer: Signer,
        work: DanceWork,
        book: ChannelBook,
    ) -> None:
        self._environment = environment
        self._chain = chain
        self._users = users
        self._confirmations = confirmations
        self._first = population.backbone_channels
        self._users_in_network = len(population.node_of_user)
        self._user_of_channel = population.user_of_channel
        self._funds_sat = population.funds_sat.tolist()
        self._state = state
        self._announcements = announcements
        self._signer = signer
        self._work = work
        self._book = book
        self._by_force: Callable[[int], bool] | None = None
        self._leaving = False
        self._due = [False] * len(self._funds_sat)
        """Whether the time of each channel's user to leave has come."""
        self._unscheduled = len(self._funds_sat)
        self._alive = 0
        self._closing: set[int] = set()
        self.entered_msat = 0
        """Money that users and routers put into these channels, funding fees included."""
        self.fees_msat = 0
        """Funding fees paid, and closing fees of channels that are closed."""
        self.left_msat = 0
        """Money paid out by closes."""
        self.too_small = 0
        """Channels that were not opened because the user's funds are too small."""
        self.stranded_msat = 0
        """Users' balances in channels whose close had nothing to pay them; it went into the closing fees."""

    def force_some(self, by_force: Callable[[int], bool]) -> None:
        """Ask `by_force` before each mutual close: it says whether it has forced the channel on chain instead."""
        self._by_force = by_force

    def forced(self, channel: int) -> None:
        """A channel that was forced on chain is done; the backbone's are none of ours."""
        if channel >= self._first:
            self._alive -= 1

    def onboard(self, window_ns: int, stream: Stream) -> None:
        """Open every channel at its own time, evenly spread over the next `window_ns`."""
        for i in range(len(self._funds_sat)):
            self._environment.call_in(int(stream.uniform() * window_ns), self._open, self._first + i)

    @property
    def all_closed(self) -> bool:
        """Whether no channel is being opened, open, or being closed."""
        return self._alive == 0 and self._unscheduled == 0

    def _open(self, channel: int) -> None:
        """Send the funding transaction, if there is time left and money enough."""
        self._unscheduled -= 1
        if self._leaving:
            return
        users = self._users
        weight_wu = DUAL_FUNDING_WU if users.inbound_share > 0 else FUNDING_WU
        fee = fee_sat(weight_wu, self._chain.feerate_sat_per_kvb(users.opening_target_blocks))
        own_sat = self._funds_sat[channel - self._first] - users.wallet_reserve_sat - fee
        if own_sat < users.min_channel_sat:
            self.too_small += 1
            return
        router_sat = int(own_sat * users.inbound_share)
        self._state.fund(channel, own_sat * MSAT_PER_SAT, router_sat * MSAT_PER_SAT)
        self._alive += 1
        self.entered_msat += (own_sat + router_sat + fee) * MSAT_PER_SAT
        self.fees_msat += fee * MSAT_PER_SAT
        self._book.open_fee_sat[channel] = fee
        self._book.start_balance_msat[channel] = own_sat * MSAT_PER_SAT
        self._book.start_capacity_msat[channel] = (own_sat + router_sat) * MSAT_PER_SAT
        txid = self._signer.fund(channel, own_sat, router_sat, fee)
        self._work.open_channel(inputs=2 if router_sat else 1)
        transaction = BitcoinTransaction(txid, weight_wu, fee, Purpose.ONBOARD)
        _submit(self._chain, transaction, lambda receipt: self._funded(channel, receipt))

    def _funded(self, channel: int, receipt: Receipt) -> None:
        self._chain.confirm(receipt, self._confirmations, lambda found: self._confirmed(channel, found))

    def _confirmed(self, channel: int, receipt: Receipt) -> None:
        """The channel is usable, and announced."""
        self._book.opened_ns[channel] = self._environment.now
        self._state.open(channel)
        if self._due[channel - self._first]:
            self._begin_closing(channel)
        else:
            self._announcements.opened(channel, receipt)

    def leave(self, times_ns: list[int]) -> None:
        """Open no more channels, and close each once the time of its user has come; `times_ns` has one a user."""
        self._leaving = True
        for i, user in enumerate(self._user_of_channel.tolist()):
            self._environment.call_at(times_ns[user], self._leave, self._first + i)

    def _leave(self, channel: int) -> None:
        """Close a channel as soon as its last HTLC is gone; one still being funded once it is confirmed."""
        self._due[channel - self._first] = True
        if self._state.phase[channel] == Phase.OPEN:
            self._begin_closing(channel)

    def _begin_closing(self, channel: int) -> None:
        self._state.begin_closing(channel)
        self._announcements.closing(channel)
        self._closing.add(channel)
        self.idle(channel)

    def idle(self, channel: int) -> None:
        """Send the closing transaction of a channel that is to be closed and has no HTLC."""
        if channel not in self._closing or self._state.in_use(channel):
            return
        self._closing.remove(channel)
        if self._by_force is not None and self._by_force(channel):
            return
        user_sat, router_sat = (int(self._state.balance_msat[2 * channel + i]) // MSAT_PER_SAT for i in (0, 1))
        rate = self._chain.feerate_sat_per_kvb(self._users.closing_target_blocks)
        user_out_sat, router_out_sat, weight_wu = closing_outputs(user_sat, router_sat, rate)
        fee = int(self._state.capacity_msat[channel]) // MSAT_PER_SAT - user_out_sat - router_out_sat
        txid = self._signer.close(channel, user_out_sat, router_out_sat)
        self._work.close_channel()
        transaction = BitcoinTransaction(txid, weight_wu, fee, Purpose.EXIT)
        _submit(self._chain, transaction, lambda receipt: self._closed(channel, fee, user_out_sat, receipt))

    def _closed(self, channel: int, fee: int, user_out_sat: int, receipt: Receipt) -> None:
        self._book.closed_ns[channel] = receipt.time_ns
        self._book.close_fee_sat[channel] = fee
        self._book.close_kind[channel] = CloseKind.MUTUAL
        self._announcements.spent(channel, receipt)
        self._book.home_ns[channel] = receipt.time_ns
        balances = self._state.close(channel)
        self._book.end_balance_msat[channel] = balances[0]
        self.fees_msat += fee * MSAT_PER_SAT
        self.left_msat += sum(balances) - fee * MSAT_PER_SAT
        if user_out_sat == 0:
            self.stranded_msat += balances[0]
        self._alive -= 1

    def membership(self) -> Membership:
        """Who has had a channel confirmed, and who of them has all channels closed on L1.

        Users that are nodes of the network are on it from the start, and stay.
        """
        if len(self._user_of_channel) == 0:
            return Membership(came_in=self._users_in_network, went_out=0, stranded=0)
        phase = self._state.phase[self._first :]
        came_in = np.zeros(self._users_in_network, np.bool_)
        came_in[self._user_of_channel[self._book.opened_ns[self._first :] != NEVER]] = True
        went_out = came_in.copy()
        went_out[self._user_of_channel[(phase != Phase.UNFUNDED) & (phase != Phase.CLOSED)]] = False
        return Membership(int(came_in.sum()), int(went_out.sum()), self.stranded_msat)


class Renewals:
    """Sends a sample of the backbone's closing and funding transactions through L1."""

    def __init__(
        self,
        environment: Environment,
        chain: BitcoinChain,
        config: Backbone,
        capacity_sat: list[int],
        signer: Signer,
        work: DanceWork,
        book: ChannelBook,
    ) -> None:
        self._environment = environment
        self._chain = chain
        self._config = config
        self._capacity_sat = capacity_sat
        self._signer = signer
        self._work = work
        self._book = book
        self._sample = min(config.renewals, len(capacity_sat))
        self._sent = 0
        self._included = 0

    def start(self, window_ns: int, stream: Stream) -> None:
        """Renew each channel of the sample at its own time, evenly spread over the next `window_ns`."""
        chosen = stream.generator.choice(len(self._capacity_sat), size=self._sample, replace=False)
        for channel in np.sort(chosen).tolist():
            self._environment.call_in(int(stream.uniform() * window_ns), self._renew, channel)

    def _renew(self, channel: int) -> None:
        rate = self._chain.feerate_sat_per_kvb(self._config.target_blocks)
        close_fee, open_fee = fee_sat(CLOSING_WU, rate), fee_sat(FUNDING_WU, rate)
        capacity_sat = self._capacity_sat[channel]
        half_sat = max(0, capacity_sat - close_fee) // 2
        txid = self._signer.close(channel, half_sat, half_sat, renewal=True)
        self._send(BitcoinTransaction(txid, CLOSING_WU, close_fee, Purpose.OPERATE))
        txid = self._signer.fund(channel, capacity_sat, 0, open_fee, renewal=True)
        self._send(BitcoinTransaction(txid, FUNDING_WU, open_fee, Purpose.OPERATE))
        self._work.close_channel()
        self._work.open_channel(inputs=1)
        self._book.close_fee_sat[channel] = close_fee
        self._book.open_fee_sat[channel] = open_fee

    def _send(self, transaction: BitcoinTransaction) -> None:
        self._sent += 1
        _submit(self._chain, transaction, self._in_block)

    def _in_block(self, _: Receipt) -> None:
        self._included += 1

    @property
    def waiting(self) -> bool:
        """Whether transactions of the sample wait for a block."""
        return self._sent > self._included

    def operator_share(self, run_ns: int) -> float:
        """The part of what the sample paid so far that a run of that length is charged with.

        Each channel is renewed once in its lifetime, so a run is charged run time / lifetime of the cost of
        renewing every channel, and the sample's transactions in blocks, two a channel, stand for all.
        """
        if self._included == 0:
            return 0.0
        lifetime_ns = ns(self._config.lifetime_days * 86_400)
        return run_ns / lifetime_ns * 2 * len(self._capacity_sat) / self._included


def _submit(chain: BitcoinChain, transaction: BitcoinTransaction, on_included: Callable[[Receipt], object]) -> None:
    refusal = chain.submit(transaction, on_included)
    if refusal is not None:
        raise InvariantError(
            f"chain {chain.name} must relay a channel's transaction of {transaction.weight_wu} wu that pays the "
            f"estimated fee, {transaction.fee_sat} sat (refused: {refusal})"
        )
