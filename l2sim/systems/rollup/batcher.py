"""The batcher: gathers L2 blocks and closes a batch by size, by time, or when its policy says so."""

from dataclasses import dataclass, field

from l2sim.engine import Call, ns
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.systems.base import World
from l2sim.systems.rollup.batcher_config import BatcherConfig
from l2sim.systems.rollup.formats.base import BatchFormat, L2Block
from l2sim.systems.rollup.outages import Outages
from l2sim.systems.rollup.policies import Situation
from l2sim.systems.rollup.poster import Poster
from l2sim.systems.rollup.posting import FRAME_PREFIX_BYTES, Medium, gas_per_calldata_byte
from l2sim.systems.rollup.schedule import build_policy


@dataclass(slots=True)
class _Open:
    """The blocks of the batch that is open."""

    opened_ns: int
    """When the first of them came, be it into an earlier batch that had no room for it."""
    medium: Medium | None
    """Where it goes, if that is decided already."""
    blocks: list[tuple[int, L2Block]] = field(default_factory=list)
    """Each with the time at which it came."""
    raw_bytes: int = 0
    transactions: int = 0


class Batcher:
    """Closes a batch when the first of its triggers comes, and gives it to the poster.

    A posting policy, if there is one, is asked at each of its looks whether to close the batch before that.

    1. `max_interval_s` after its first block;
    2. `max_transactions` reached, if set: the block that reaches it is the last one in;
    3. the next block would make it larger than `target_bytes`, judged by how well the last batch compressed.
       A batch that turns out larger all the same gives its last blocks to the next one, where their time goes on.

    In an outage nothing is closed: blocks queue up. After it they go out in batches of the usual size, one by one at
    the same instant, and whatever waits for a block of L1 is looked after again.
    """

    def __init__(
        self, config: BatcherConfig, form: BatchFormat, world: World, chain: EthereumChain, poster: Poster
    ) -> None:
        self._config = config
        self._form = form
        self._world = world
        self._chain = chain
        self.poster = poster
        self._outages = Outages(config.outages, world.horizon.payments_ns)
        self._open: _Open | None = None
        self._timer: Call | None = None
        self._policy, self._poll_ns = build_policy(config.posting, world, chain)
        self._look_ns: int | None = None
        """When the policy is asked next."""
        self._ratio = 1.0
        """Compressed size over raw size of the last batch; 1 before the first."""
        self._content_bytes = 0
        """Size of what was compressed last."""
        self.taken: list[tuple[int, L2Block]] | None = None
        """Set to a list to keep every block that comes, with its time."""

    @property
    def idle(self) -> bool:
        """Whether no batch is open and none on its way into a block."""
        return self._open is None and not self.poster.on_the_way

    @property
    def due_ns(self) -> int | None:
        """When the open batch may be closed without another block; None if none is open."""
        if self._open is None:
            return None
        last_ns = self._open.opened_ns + ns(self._config.max_interval_s)
        return self._outages.after(last_ns if self._look_ns is None else min(last_ns, self._look_ns))

    @property
    def queued(self) -> tuple[int, int]:
        """Transactions that are not on L1 yet, and how long the first of their blocks has been waiting, ns."""
        waiting = self.poster.on_the_way.values()
        count = sum(batch.transactions for batch in waiting)
        since_ns = [batch.opened_ns for batch in waiting]
        if self._open is not None:
            count += self._open.transactions
            since_ns.append(self._open.opened_ns)
        return count, self._world.environment.now - min(since_ns) if since_ns else 0

    def add(self, block: L2Block) -> None:
        """Take in the next block."""
        if self.taken is not None:
            self.taken.append((self._world.environment.now, block))
        if self._open is not None:
            expected = (self._open.raw_bytes + self._form.size(block)) * self._ratio
            if expected > self._config.target_bytes:
                self.close()
        self._put(self._world.environment.now, block)

    def abandon(self) -> list[L2Block]:
        """Give up for good: what is open is never posted, and returned."""
        blocks = [] if self._open is None else [block for _, block in self._open.blocks]
        self._open = None
        if self._timer is not None:
            self._timer.cancel()
        return blocks

    def _put(self, came_ns: int, block: L2Block) -> None:
        if self._open is None:
            environment = self._world.environment
            self._open = _Open(came_ns, self.poster.cheaper(self._config.target_bytes) if self._decides_early else None)
            due_ns = max(environment.now, came_ns + ns(self._config.max_interval_s))
            self._timer = environment.call_at(due_ns, self.close)
            if self._policy is not None and self._look_ns is None:
                self._look_later()
        batch = self._open
        batch.blocks.append((came_ns, block))
        batch.raw_bytes += self._form.size(block)
        batch.transactions += len(block.hashes)
        limit = self._config.max_transactions
        if limit is not None and batch.transactions >= limit:
            self.close()

    @property
    def _decides_early(self) -> bool:
        now = self._world.environment.now
        early = self._config.medium == "auto" and self._config.decided == "at_opening"
        return early and self._outages.after(now) == now

    def _look_later(self) -> None:
        self._look_ns = (self._world.environment.now // self._poll_ns + 1) * self._poll_ns
        self._world.environment.call_at(self._look_ns, self._look)

    def _look(self) -> None:
        """Ask the policy whether to post what waits, and look again as long as something does."""
        self._look_ns = None
        opened, policy = self._open, self._policy
        if opened is None or policy is None:
            return
        _, tip_wei = self._chain.suggest_fees()
        situation = Situation(
            transactions=opened.transactions,
            price_wei=self._chain.base_fee_wei + tip_wei,
            cost_wei=self._expected_cost_wei(round(opened.raw_bytes * self._ratio), opened.medium),
        )
        if policy.posts(situation):
            self.close()
        if self._open is not None and self._look_ns is None:
            self._look_later()

    def _expected_cost_wei(self, channel_bytes: int, medium: Medium | None) -> int:
        """What a batch of that size costs at the fees in force."""
        _, tip_wei = self._chain.suggest_fees()
        price_wei = self._chain.base_fee_wei + tip_wei
        if (medium or self.poster.medium(channel_bytes)) == "blob":
            blobs = -(-channel_bytes // (self._form.blob_bytes - FRAME_PREFIX_BYTES))
            posts = -(-blobs // self._chain.fork.max_transaction_blobs)
            return TRANSACTION_GAS * posts * price_wei + GAS_PER_BLOB * blobs * self._chain.blob_base_fee_wei
        posts = -(-channel_bytes // self._config.max_calldata_bytes)
        return (TRANSACTION_GAS * posts + gas_per_calldata_byte(self._chain.fork) * channel_bytes) * price_wei

    def close(self) -> None:
        """Close the open batch and post it, after an outage if there is one.

        Its last blocks stay open if it is larger than it may be.
        """
        opened = self._open
        if opened is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        now = self._world.environment.now
        works_ns = self._outages.after(now)
        if works_ns > now:
            self._timer = self._world.environment.call_at(works_ns, self.close)
            return
        self._open = None
        blocks = self._fitting(opened)
        channel = self._compress(blocks)
        while len(channel) > self._config.target_bytes and len(blocks) > 1:
            keep = min(len(blocks) - 1, len(blocks) * self._config.target_bytes // len(channel)) or 1
            blocks = blocks[:keep]
            channel = self._compress(blocks)
        self.poster.post(blocks, channel, self._content_bytes, opened.opened_ns, opened.medium)
        for came_ns, block in opened.blocks[len(blocks) :]:
            self._put(came_ns, block)

    def _fitting(self, opened: _Open) -> list[L2Block]:
        """The first blocks, up to the most transactions and to what should compress to the target.

        All of them, except after an outage, in which more has come than goes into one batch.
        """
        most_bytes, most = self._config.target_bytes, self._config.max_transactions
        blocks: list[L2Block] = []
        size, count = 0, 0
        for _, block in opened.blocks:
            size += self._form.size(block)
            if blocks and (size * self._ratio > most_bytes or (most is not None and count >= most)):
                break
            blocks.append(block)
            count += len(block.hashes)
        return blocks

    def _compress(self, blocks: list[L2Block]) -> bytes:
        channel, self._content_bytes = self._form.pack(blocks)
        self._ratio = len(channel) / sum(self._form.size(block) for block in blocks)
        return channel
