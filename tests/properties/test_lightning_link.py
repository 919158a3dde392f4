"""One channel between two nodes that know only what they were told: any order of events keeps them of one mind.

Both sides add, fulfil, fail, change the fee, sign, lose the connection and come back, in any order, over a wire that
keeps the order of each direction and loses what is under way when it breaks. A second bookkeeper at each end sees
messages only. It must find in each signature exactly the updates it was sent and those of its own that the other
has revoked for, and must arrive at the same commitment.
"""

from collections import Counter
from types import SimpleNamespace
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.link import ADD, FAIL, FEE, FULFIL, Commit, Contents, Link, LinkHtlc, Reestablish, Revoke
from l2sim.systems.lightning.link import Update as LinkUpdate
from l2sim.systems.lightning.state import ChannelState, commitment_fee_msat
from tests.support.lightning import SAT, line

LEFT, RIGHT = 300_000 * SAT, 200_000 * SAT
FEERATES = (253, 500, 1_000, 2_500)


class Bookkeeper:
    """What one end works out from the messages it gets."""

    def __init__(self, dust_limit_msat):
        self.mine = Contents([LEFT, RIGHT], FEERATES[0])
        self.received = []  # the other side's updates that no signature has covered
        self.under_signature = []  # own updates in a signature of one's own that awaits a revocation
        self.revoked_for = []  # own updates that the other side has revoked for, due in the next signature
        self.dust_limit_msat = dust_limit_msat

    def signed(self, commit):
        self.under_signature = list(commit.of_signer)

    def got(self, message):
        if isinstance(message, LinkUpdate):
            self.received.append(message)
        elif isinstance(message, Revoke):
            self.revoked_for += self.under_signature
            self.under_signature = []
        elif isinstance(message, Commit):
            assert message.of_signer == self.received
            assert message.of_receiver == self.revoked_for
            for update in [*message.of_receiver, *message.of_signer]:
                self.mine.apply(update, self.dust_limit_msat)
            self.mine.number += 1
            assert message.htlcs == self.mine.outputs
            self.received, self.revoked_for = [], []

    def lost(self):
        self.received = []


WORDS = {ADD: "add", FULFIL: "fulfil", FAIL: "fail", FEE: "fee"}


class OneChannel(RuleBasedStateMachine):
    """A channel from funding to its last HTLC."""

    reached: ClassVar[Counter[str]] = Counter()
    """What has happened, over all examples."""

    def __init__(self):
        super().__init__()
        graph = line((LEFT // SAT, RIGHT // SAT))
        rules = Channels(max_accepted_htlcs=6, commitment_feerate_sat_per_kw=FEERATES[0])
        self.state = ChannelState(graph, rules, graph.balance_msat)
        self.link = Link((LEFT, RIGHT), self.state.dust_limit_msat, FEERATES[0])
        self.books = [Bookkeeper(self.state.dust_limit_msat) for _ in range(2)]
        self.wires = ([], [])  # to each side
        self.open_htlcs = []  # committed for good, not being removed
        self.closing = False
        self.count = 0

    def send(self, side, messages):
        self.wires[1 - side].extend(messages)

    @precondition(lambda self: not self.closing)
    @rule(side=st.integers(0, 1), amount_msat=st.integers(1, 150_000_000) | st.integers(353_000, 355_000))
    def add(self, side, amount_msat):
        if self.state.refusal(side, amount_msat) is not None:
            return
        self.state.lock(side, amount_msat)
        # The adder keeps its reserve, and the funder can pay for either commitment with all that may be in it.
        assert self.state.balance_msat[side] >= self.state.reserve_msat[0]
        self.count += 1
        htlc = LinkHtlc(SimpleNamespace(payment=self.count), 0, side, amount_msat)
        self.link.propose(side, LinkUpdate(ADD, htlc))

    @precondition(lambda self: self.open_htlcs)
    @rule(fulfilled=st.booleans(), data=st.data())
    def remove(self, fulfilled, data):
        htlc = self.open_htlcs.pop(data.draw(st.integers(0, len(self.open_htlcs) - 1)))
        self.link.propose(1 - htlc.side, LinkUpdate(FULFIL if fulfilled else FAIL, htlc))

    @precondition(lambda self: not self.closing)
    @rule(feerate=st.sampled_from(FEERATES))
    def change_fee(self, feerate):
        htlcs = int(self.state.htlcs.sum())
        if self.state.balance_msat[0] < commitment_fee_msat(2 * feerate, htlcs + 1) + 660 * SAT:
            return
        self.state.set_feerate(0, feerate)
        self.link.propose(0, LinkUpdate(FEE, feerate=feerate))

    @rule(side=st.integers(0, 1))
    def announce(self, side):
        if self.link.sides[side].ready:
            self.send(side, self.link.announce(side))

    @rule(side=st.integers(0, 1))
    def sign(self, side):
        if self.link.can_sign(side):
            updates = self.link.announce(side)
            commit = self.link.sign(side)
            self.books[side].signed(commit)
            self.send(side, [*updates, commit])

    @initialize(amounts_msat=st.lists(st.integers(1_000_000, 40_000_000), max_size=3))
    def begin(self, amounts_msat):
        """Some HTLCs are in it already."""
        for i, amount_msat in enumerate(amounts_msat):
            self.add(i % 2, amount_msat)
        self.talk(4)

    @rule(rounds=st.integers(1, 4))
    def talk(self, rounds):
        """Each side signs what it can, and all that is under way arrives, some times over."""
        for _ in range(rounds):
            for side in (0, 1):
                self.sign(side)
                while self.wires[1 - side]:
                    self.deliver(1 - side)

    @precondition(lambda self: self.link.connected)
    @rule(side=st.integers(0, 1), arrived=st.integers(0, 2))
    def lose_the_connection_in_the_middle_of_a_signature(self, side, arrived):
        """It is signed, some messages get through either way, and then nothing does; both come back."""
        self.sign(side)
        for _ in range(arrived):
            self.deliver(1 - side)
            self.deliver(side)
        self.disconnect()
        self.reconnect()

    @rule(side=st.integers(0, 1))
    def deliver(self, side):
        if not self.wires[side]:
            return
        message = self.wires[side].pop(0)
        self.books[side].got(message)
        if isinstance(message, Commit):
            self.send(side, [self.link.take_commit(side, message)])
        elif isinstance(message, Revoke):
            for update in self.link.take_revoke(side, message):
                self.reached[f"{WORDS[update.kind]} committed"] += 1
                self.committed(update)
        elif isinstance(message, Reestablish):
            again = self.link.resend(side, message)
            for kind in {type(one) for one in again}:
                self.reached[f"{kind.__name__} sent again"] += 1
            self.send(side, again)

    def committed(self, update):
        if update.kind == ADD:
            self.open_htlcs.append(update.htlc)
        elif update.kind != FEE:
            htlc = update.htlc
            self.state.drop_output(htlc.side, htlc.amount_msat)
            if update.kind == FULFIL:
                self.state.settle(htlc.side, htlc.amount_msat)
            else:
                self.state.release(htlc.side, htlc.amount_msat)

    @precondition(lambda self: self.link.connected)
    @rule()
    def disconnect(self):
        self.reached["disconnected"] += 1
        self.reached["disconnected with HTLCs"] += bool(self.state.htlcs.any())
        self.link.disconnect()
        for side in (0, 1):
            self.wires[side].clear()
            self.books[side].lost()

    @precondition(lambda self: not self.link.connected)
    @rule()
    def reconnect(self):
        self.link.connected = True
        for side in (0, 1):
            self.send(side, [self.link.reestablish(side)])

    @precondition(lambda self: self.count > 3)
    @rule()
    def close(self):
        """No new HTLCs; those that are there may still end."""
        self.reached["closing with HTLCs"] += bool(self.state.htlcs.any())
        self.closing = True

    @invariant()
    def money_is_conserved(self):
        for side in self.link.sides:
            assert side.contents.total_msat() == LEFT + RIGHT
            assert min(side.contents.balances_msat) >= 0
        self.state.check("property")
        assert sum(self.state.money_msat()) == LEFT + RIGHT

    @invariant()
    def the_funder_can_pay_for_both_commitments(self):
        for side in self.link.sides:
            contents = side.contents
            fee = commitment_fee_msat(contents.feerate, contents.outputs)
            assert contents.balances_msat[0] >= fee + 660 * SAT

    @invariant()
    def nobody_signs_twice_without_a_revocation(self):
        for side in self.link.sides:
            assert side.signed - side.peer_revoked in (0, 1)

    def teardown(self):
        """Whatever happened, with the connection back and all messages through both sides say the same."""
        if not self.link.connected:
            self.reconnect()
        for _ in range(30):
            if self.link.quiet:
                break
            for side in (0, 1):
                while self.wires[side]:
                    self.deliver(side)
            while self.open_htlcs:
                htlc = self.open_htlcs.pop()
                self.link.propose(1 - htlc.side, LinkUpdate(FAIL, htlc))
            for side in (0, 1):
                self.sign(side)
        assert self.link.quiet
        for side, book in zip(self.link.sides, self.books, strict=True):
            for contents in (side.contents, book.mine):
                assert contents.balances_msat == self.state.balance_msat.tolist()
                assert contents.feerate == self.state.feerate_of(0)
                assert contents.outputs == 0
        assert not self.state.in_use(0)
        self.state.begin_closing(0)
        assert sum(self.state.close(0)) == LEFT + RIGHT
        self.reached["closed"] += 1


def test_the_machine_reaches_all_that_can_happen_in_a_channel():
    OneChannel.reached.clear()
    run_state_machine_as_test(
        OneChannel, settings=settings(max_examples=40, stateful_step_count=40, deadline=None, derandomize=True)
    )
    often = {word: count for word, count in OneChannel.reached.items() if count >= 3}
    assert set(often) >= {
        "add committed", "fulfil committed", "fail committed", "fee committed", "disconnected",
        "disconnected with HTLCs", "Update sent again", "Commit sent again", "Revoke sent again",
        "closing with HTLCs", "closed",
    }, OneChannel.reached  # fmt: skip


TestOneChannel = OneChannel.TestCase
TestOneChannel.settings = settings(max_examples=50, stateful_step_count=60, deadline=None)
