"""The commitment dance message by message: both sides' logs and commitments, waiting, batching, lost connections.

Each channel that carries something has a `link.Link`. What one node has to say over a channel at one instant goes
as one packet with one latency; packets of one direction arrive in the order in which they left. A signature waits
for the revocation of the one before, so that under load changes gather and share signatures. With a commit
interval (LND 50 ms, CLN 10 ms) a node sends its updates at once and signs them together after that time, or as
soon as `commit_batch` have gathered; what it owes the other side it signs at once.

When a node goes away (`disconnect`), packets under way on its channels are lost. HTLCs stay, and the two ends act on
by themselves: new HTLCs over the channel are refused, preimages learned before go on upstream. When both ends are
back, they exchange `channel_reestablish`, send again what the other lacks, and propose again what was not signed.

What outlives its deadline meanwhile is told to whoever watches deadlines (`watch`), who may take the channel on
chain (`take_on_chain`) and say later how each HTLC ended there (`resolve`).
"""

from typing import Any, Protocol

from l2sim.errors import InvariantError
from l2sim.systems.lightning.config import Channels
from l2sim.systems.lightning.htlc import Attempt, HtlcNetwork
from l2sim.systems.lightning.link import (
    ADD,
    FAIL,
    FEE,
    FULFIL,
    Commit,
    Link,
    LinkHtlc,
    Message,
    Reestablish,
    Revoke,
    Update,
)
from l2sim.systems.lightning.onchain.closing import Held
from l2sim.systems.lightning.refusals import Refusal


class LiveLink(Link):
    """A channel's link with what the simulation needs: where it is, which connection this is, what is due when."""

    __slots__ = ("arrival_ns", "channel", "due_ns", "epoch", "htlcs", "nodes", "on_chain")

    def __init__(self, channel: int, nodes: tuple[int, int], *link: Any) -> None:
        super().__init__(*link)
        self.channel = channel
        self.nodes = nodes
        self.epoch = 0
        """Connections lost so far."""
        self.arrival_ns = [0, 0]
        """When the last packet to each side arrives."""
        self.due_ns = [-1, -1]
        """When each side signs its updates, -1 if nothing waits for it."""
        self.htlcs: dict[tuple[Attempt, int], LinkHtlc] = {}
        self.on_chain = False


class DeadlineWatcher(Protocol):
    """Who acts when an HTLC nears its expiry in a channel whose other end does not answer."""

    def deadline(self, channel: int, attempt: Attempt, hop: int, *, offered: bool) -> None:
        """The HTLC of hop `hop` has reached its deadline.

        If `offered`, its source must go on chain to time it out; otherwise its target, who knows the preimage, must
        to claim it. Called once for each HTLC.
        """


class FullNetwork(HtlcNetwork):
    """Carries attempts through links."""

    def __init__(self, *network: Any, rules: Channels) -> None:
        super().__init__(*network)
        self._links: dict[int, LiveLink] = {}
        self._ended: dict[tuple[Attempt, int], None] = {}
        """HTLCs that ended on chain."""
        self.lost_msat = [0] * len(self.busy_ns)
        """What each node paid on although it was not paid itself, as one of the two HTLCs timed out on chain; below 0
        what it was paid and did not pay on."""
        self._interval_ns = round(rules.commit_interval_ms * 1_000_000)
        self._batch = rules.commit_batch

    def _link(self, channel: int) -> LiveLink:
        link = self._links.get(channel)
        if link is None:
            state = self._state
            edges = (2 * channel, 2 * channel + 1)
            balances = tuple(int(state.balance_msat[e] + state.in_flight_msat[e]) for e in edges)
            nodes = (int(state.source[2 * channel]), int(state.target[2 * channel]))
            link = LiveLink(channel, nodes, balances, state.dust_limit_msat, state.feerate_of(channel))
            self._links[channel] = link
            if not state.connected[channel]:
                link.disconnect()
        return link

    def _add(self, attempt: Attempt, hop: int) -> None:
        edge, amount_msat = attempt.taken[hop], attempt.amounts_msat[hop]
        link, side = self._link(edge >> 1), edge & 1
        htlc = LinkHtlc(attempt, hop, side, amount_msat, self._signer.add_htlc(attempt, hop))
        link.htlcs[attempt, hop] = htlc
        self._propose(link, side, Update(ADD, htlc))

    def _remove(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None) -> None:
        edge = attempt.taken[hop]
        if (attempt, hop) in self._ended:
            return  # it timed out or was claimed on chain before: whoever held the next HTLC bears what follows
        link = self._links.get(edge >> 1)
        htlc = None if link is None else link.htlcs.get((attempt, hop))
        if attempt.delivered and refusal is not None and (htlc is None or htlc.removing):
            return  # the preimage went on upstream before the next HTLC timed out on chain: the node has both
        assert link is not None
        assert htlc is not None  # what is to be taken out is in its channel
        htlc.failed_hop, htlc.refusal = failed_hop, refusal
        self._signer.remove_htlc(attempt, hop, refusal)
        htlc.removing = True
        if not link.on_chain:
            self._propose(link, 1 - (edge & 1), Update(FULFIL if refusal is None else FAIL, htlc))

    def update_fee(self, channel: int, feerate_sat_per_kw: int) -> None:
        """The funder of a channel proposes another fee rate for its commitments."""
        self._state.set_feerate(channel, feerate_sat_per_kw)
        self._propose(self._link(channel), 0, Update(FEE, feerate=feerate_sat_per_kw))

    def _unlock(self, attempt: Attempt, hop: int, failed_hop: int, refusal: Refusal | None, done_ns: int) -> None:
        """The HTLC of channel `hop` is out for good: what a node between loses or gains by it is written down."""
        before, this, after = 1 << hop >> 1, 1 << hop, 2 << hop
        amounts, nodes = attempt.amounts_msat, attempt.nodes
        if refusal is None:
            attempt.settled |= this
            if attempt.returned & before:
                self.lost_msat[nodes[hop]] += amounts[hop]
            if attempt.returned & after:
                self.lost_msat[nodes[hop + 1]] -= amounts[hop + 1]
        else:
            attempt.returned |= this
            if attempt.settled & before:
                self.lost_msat[nodes[hop]] -= amounts[hop]
            if attempt.settled & after:
                self.lost_msat[nodes[hop + 1]] += amounts[hop + 1]
        super()._unlock(attempt, hop, failed_hop, refusal, done_ns)

    # What is said, and when.

    def _propose(self, link: LiveLink, side: int, update: Update) -> None:
        link.propose(side, update)
        if not link.sides[side].ready:
            return
        if self._interval_ns == 0:
            self._speak(link, side, [], 0)
            return
        done_ns = self._compute(link.nodes[side], 0)
        self._send(link, side, list(link.announce(side)), done_ns)
        self._wait_to_sign(link, side)

    def _wait_to_sign(self, link: LiveLink, side: int) -> None:
        """Sign the waiting updates of a side once they are enough, or have waited long enough."""
        if len(link.sides[side].unsigned) >= self._batch:
            self._speak(link, side, [], 0)
        elif link.due_ns[side] < 0:
            due_ns = link.due_ns[side] = self._environment.now + self._interval_ns
            self._call_at(due_ns, self._due, link, side, link.epoch)

    def _due(self, link: LiveLink, side: int, epoch: int) -> None:
        """The commit interval of a side is over."""
        if epoch == link.epoch and link.due_ns[side] == self._environment.now:
            self._speak(link, side, [], 0)

    def _speak(self, link: LiveLink, side: int, messages: list[Message], done_ns: int) -> None:
        """Sign if a side may, and send that with what else it has to say, which it has worked out at `done_ns`."""
        mine = link.sides[side]
        due_ns = link.due_ns[side]
        if link.can_sign(side) and (mine.owed or due_ns <= self._environment.now or len(mine.unsigned) >= self._batch):
            link.due_ns[side] = -1
            messages += link.announce(side)
            commit = link.sign(side)
            self._signer.sign_commitment(2 * link.channel + side, link.sides[1 - side].contents)
            done_ns = self._compute(link.nodes[side], self._work.sign(commit.htlcs))
            messages.append(commit)
        if messages:
            self._send(link, side, messages, done_ns)

    def _send(self, link: LiveLink, side: int, messages: list[Message], done_ns: int) -> None:
        """Send one packet; it arrives after those before it."""
        arrival_ns = max(done_ns + self._latency_ns(*link.nodes), link.arrival_ns[1 - side])
        link.arrival_ns[1 - side] = arrival_ns
        self._call_at(arrival_ns, self._receive, link, 1 - side, messages, link.epoch)

    def _receive(self, link: LiveLink, side: int, messages: list[Message], epoch: int) -> None:
        """A packet has come to a side, unless its connection is gone."""
        if epoch != link.epoch:
            return
        node, edge = link.nodes[side], 2 * link.channel + side
        replies: list[Message] = []
        done_ns = self._environment.now
        for message in messages:
            if type(message) is Update:
                if message.kind == FULFIL:
                    self._learn_preimage(node, message)
            elif type(message) is Commit:
                done_ns = self._compute(node, self._work.verify(message.htlcs))
                replies.append(link.take_commit(side, message))
                self._signer.revoke(edge)
            elif type(message) is Revoke:
                done_ns = self._compute(node, self._work.check_revocation())
                for update in link.take_revoke(side, message):
                    self._committed(link, update, done_ns)
            else:
                assert type(message) is Reestablish
                replies += self._answer(link, side, message)
        self._speak(link, side, replies, done_ns)
        if link.quiet:
            self._forget(link)

    def _learn_preimage(self, node: int, update: Update) -> None:
        """A node that offered an HTLC sees its preimage: it goes on upstream at once, and only once."""
        htlc = update.htlc
        assert htlc is not None  # a fulfil is of an HTLC
        if htlc.known:
            return
        htlc.known = True
        done_ns = self._compute(node, self._work.check_preimage())
        if htlc.hop > 0:
            self._call_at(done_ns, self._remove, htlc.attempt, htlc.hop - 1, htlc.failed_hop, None)

    def _committed(self, link: LiveLink, update: Update, done_ns: int) -> None:
        """An update of the other side is committed for good."""
        htlc = update.htlc
        if htlc is None:
            return
        if update.kind == ADD:
            self._open(htlc.attempt, htlc.hop, 0)
        else:
            del link.htlcs[htlc.attempt, htlc.hop]
            self._state.drop_output(2 * link.channel, htlc.amount_msat)
            self._unlock(htlc.attempt, htlc.hop, htlc.failed_hop, htlc.refusal, done_ns)

    def _forget(self, link: LiveLink) -> None:
        """Nothing is left to be said over a channel: what it holds is in the state's columns."""
        state = self._state
        edges = (2 * link.channel, 2 * link.channel + 1)
        held = [int(state.balance_msat[e] + state.in_flight_msat[e]) for e in edges]
        for side in link.sides:
            if side.contents.balances_msat != held:
                raise InvariantError(
                    f"channel {link.channel}: both commitments must say what its sides own, {held} msat (got "
                    f"{side.contents.balances_msat})"
                )
        self._links.pop(link.channel, None)

    # Connections.

    def disconnect(self, channel: int) -> None:
        """An end of the channel went away."""
        self._state.connected[channel] = False
        link = self._links.get(channel)
        if link is not None and link.connected:
            link.disconnect()
            link.epoch += 1
            link.arrival_ns = [0, 0]
            link.due_ns = [-1, -1]

    def reconnect(self, channel: int) -> None:
        """Both ends of the channel are there again."""
        link = self._links.get(channel)
        if link is not None and link.on_chain:
            return
        self._state.connected[channel] = True
        if link is None or link.connected:
            return
        link.connected = True
        for side in (0, 1):
            self._send(link, side, [link.reestablish(side)], self._compute(link.nodes[side], 0))

    def _answer(self, link: LiveLink, side: int, message: Reestablish) -> list[Message]:
        """What a side says to the other's channel_reestablish: what was lost, and what was never signed."""
        replies = link.resend(side, message)
        if self._interval_ns and link.sides[side].unsigned:
            replies += link.announce(side)
            self._wait_to_sign(link, side)
        return replies

    # Deadlines and the chain.

    def watch(self, watcher: DeadlineWatcher, every_ns: int, claim_blocks: int, grace_blocks: int) -> None:
        """Tell `watcher` of HTLCs past their deadlines, looking every `every_ns` from now on.

        An offered HTLC's deadline is `grace_blocks` after its expiry; a fulfilled one's that its source has not
        taken out yet is `claim_blocks` before.
        """
        told: dict[LinkHtlc, None] = {}

        def look() -> None:
            self._environment.call_in(every_ns, look)
            height = self._judge.height
            for link in list(self._links.values()):
                for htlc in list(link.htlcs.values()):
                    attempt = htlc.attempt
                    expiry = attempt.height + attempt.expiries_blocks[htlc.hop]
                    fulfilled = htlc.removing and htlc.refusal is None
                    offered = not fulfilled
                    due = expiry + grace_blocks if offered else expiry - claim_blocks
                    if height >= due and htlc not in told and not link.on_chain:
                        told[htlc] = None
                        watcher.deadline(link.channel, attempt, htlc.hop, offered=offered)

        self._environment.call_in(every_ns, look)

    def take_on_chain(self, channel: int, side: int) -> Held:
        """Say nothing more over a channel; returns what a side can publish, with the HTLCs whose ends `resolve` tells.

        Updates that no commitment of that side has seen, or all have, are in none of its outputs.
        """
        link = self._link(channel)
        contents = link.held(side)
        link.disconnect()
        link.epoch += 1
        link.on_chain = True
        self._state.connected[channel] = False
        left, right = contents.balances_msat
        return Held(
            (left, right),
            contents.feerate,
            [(htlc.attempt, htlc.hop) for htlc in contents.htlcs],
            [(htlc.attempt, htlc.hop) for htlc in link.htlcs.values() if htlc not in contents.htlcs],
        )

    def knows_preimage(self, attempt: Attempt, hop: int) -> bool:
        """Whether the target of channel `hop` could claim the attempt's HTLC on chain now."""
        htlc = self._links[attempt.taken[hop] >> 1].htlcs[attempt, hop]
        return htlc.removing and htlc.refusal is None

    def resolve(self, attempt: Attempt, hop: int, *, fulfilled: bool) -> None:
        """On chain, the HTLC of channel `hop` was claimed with its preimage, or timed out.

        The preimage, or a permanent_channel_failure, goes on upstream.
        """
        edge = attempt.taken[hop]
        link = self._links[edge >> 1]
        htlc = link.htlcs.pop((attempt, hop))
        self._ended[attempt, hop] = None
        refusal = None
        if fulfilled:
            if not htlc.known and hop > 0:
                self._environment.call_in(0, self._remove, attempt, hop - 1, htlc.failed_hop, None)
        else:
            refusal = htlc.refusal or Refusal.PERMANENT_CHANNEL_FAILURE
            if htlc.refusal is None:
                htlc.failed_hop = hop
        self._state.drop_output(edge, htlc.amount_msat)
        self._unlock(attempt, hop, htlc.failed_hop, refusal, self._environment.now)
        if not link.htlcs:
            del self._links[link.channel]
