"""Posting policies side by side: the same L2 blocks through the real batcher, at every setting and price path.

The sequencer runs once. What a batcher does changes nothing in the blocks, so that each point of the grid only posts
them again: real bytes, really compressed (once for each run of blocks), in real L1 transactions on a chain of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from l2sim.crypto.profiles import load_profile
from l2sim.crypto.work import Work
from l2sim.engine import NS_PER_S, Environment, Streams, ns
from l2sim.errors import InputError
from l2sim.experiment.world import Life, horizon_of
from l2sim.l1.base import Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.gas import TRANSACTION_GAS
from l2sim.money import Asset, Prices
from l2sim.results.recorder import Recorder
from l2sim.systems.base import Horizon, World
from l2sim.systems.rollup.accounts import StateTree
from l2sim.systems.rollup.batcher import Batcher
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.formats.base import BatchFormat, L2Block
from l2sim.systems.rollup.formats.forms import build_format
from l2sim.systems.rollup.l1_account import L1Account, Operator
from l2sim.systems.rollup.poster import Batch, Poster
from l2sim.systems.rollup.posting import FRAME_PREFIX_BYTES, Medium
from l2sim.systems.rollup.sharing import BlobPrices
from l2sim.systems.rollup.system import RollupSystem
from l2sim.workload.draw import draw_workload, phase_ns
from l2sim.workload.payments import Workload

if TYPE_CHECKING:
    from l2sim.scenario import Scenario

DURATIONS_S = (12, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 18_000)
"""Channel durations that are tried unless asked otherwise, as far as the payments last twice as long."""
FRAMES = (1, 3, 6)
MEDIA: tuple[Medium, ...] = ("blob", "calldata")
GIVE_UP_NS = 6 * 3_600 * NS_PER_S
"""How long after the last block a replay waits for the last batch."""

Times = npt.NDArray[np.int64]
Seen = dict[tuple[int, int, tuple[int, ...]], tuple[bytes, int]]
"""Packed runs of blocks: the first block, how many, and what else their bytes depend on."""
Step = Callable[[int, int], None]
"""Told how many points are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the batcher on one price path."""

    price: str
    duration_s: float
    frames: int
    medium: str


@dataclass(frozen=True, slots=True)
class Posted:
    """What posting cost at a point, and how long it took; the columns of the table."""

    price: str
    """Name of the price path."""
    channel_duration_s: float
    frames: int
    medium: str
    cost_usd_per_transaction: float
    gas_usd_per_transaction: float
    """The part of it that paid for gas."""
    shared_cost_usd_per_transaction: float
    """What it would be if as many rollups as asked for, with the same traffic, posted into the same blobs at the same
    instant: worked out, not run. Nobody waits for another, and what a rollup's own contract executes is not shared."""
    safe_head_delay_mean_s: float
    """From an L2 block's confirmation until its batch is on L1, mean over transactions."""
    safe_head_delay_p95_s: float
    blob_fill: float | None
    """Share of the blobs' room that carried bytes; missing where none were posted."""
    bytes_per_transaction: float
    batches: int
    """Counted here: all but a last one that the end of the payments cut off, where there are three or more."""
    blobs: int
    calldata_share: float
    """Share of batches that went as calldata."""
    base_fee_gwei: float
    """Mean over the batches, as paid with the tip."""
    blob_fee_gwei: float | None


@dataclass(frozen=True, slots=True)
class Recording:
    """The L2 blocks of a rollup, and what they were made from."""

    name: str
    config: RollupConfig
    chain: EthereumConfig
    workload: Workload
    prices: Prices
    seed: int
    horizon: Horizon
    blob_bytes: int
    """What a blob holds in its form of batch."""
    blocks: tuple[tuple[int, L2Block], ...]
    """With the time at which each was confirmed."""

    @property
    def span_s(self) -> float:
        """From the start of the payments to the last block, seconds."""
        return (self.blocks[-1][0] - self.horizon.payments_ns) / NS_PER_S


def record_blocks(scenario: "Scenario", system: str | None = None) -> Recording:
    """Run the sequencer of one of the scenario's rollups, the first unless named, and keep its blocks.

    Raises InputError where the scenario has no such rollup that posts its data, or it makes no block.
    """
    rollups = {
        name: config
        for name, config in scenario.systems.items()
        if isinstance(config, RollupConfig) and config.settlement.kind != "validium"
    }
    if not rollups or (system is not None and system not in rollups):
        wanted = "a rollup" if system is None else f"a rollup called {system}"
        raise InputError(
            f"the scenario must have {wanted} that posts its data, not a validium (got {', '.join(rollups) or 'none'})"
        )
    name = system or next(iter(rollups))
    config = rollups[name]
    chain = scenario.l1[config.l1]
    if not isinstance(chain, EthereumConfig):
        raise InputError(f"{name} must settle to an Ethereum-like chain")
    prices = scenario.prices.prices()
    workload = draw_workload(scenario.workload, prices, Streams(scenario.seed))
    horizon, payments_end_ns = horizon_of(scenario, phase_ns(scenario.workload, workload))
    life = Life(
        name,
        config,
        chain,
        streams=Streams(scenario.seed),
        workload=workload,
        horizon=horizon,
        payments_end_ns=payments_end_ns,
        prices=prices,
        profile=load_profile(scenario.cost_profile),
        crypto=scenario.crypto,
    )
    rollup = life.system
    if not isinstance(rollup, RollupSystem):
        raise InputError(f"{name} must be a rollup")
    taken: list[tuple[int, L2Block]] = []
    rollup.batcher.taken = taken
    life.chain.start()
    rollup.onboard()
    environment = life.world.environment
    environment.run_until(horizon.payments_ns)
    rollup.open()
    while not rollup.sequencer.idle and environment.now < horizon.settle_ns:
        environment.run_until(environment.now + NS_PER_S)
    if not taken:
        raise InputError(f"{name} must make at least one L2 block (got none: are its users onboarded in time?)")
    blob_bytes = build_format(config, life.world).blob_bytes
    return Recording(name, config, chain, workload, prices, scenario.seed, horizon, blob_bytes, tuple(taken))


class Remembering(BatchFormat):
    """A form of batch that compresses a run of blocks only once, however often it is asked to."""

    def __init__(self, form: BatchFormat, numbers: Mapping[int, int], seen: "Seen") -> None:
        """`numbers` gives each block's place by its identity; `seen` is shared by all replays."""
        self._form = form
        self._numbers = numbers
        self._seen = seen
        self.blob_bytes = form.blob_bytes
        self.in_channels = form.in_channels
        self.by_division = form.by_division
        self._ends: tuple[int, ...] = ()
        """Last blocks of the batches before, where the bytes depend on them."""
        self.encode_blob = form.encode_blob

    def size(self, block: L2Block) -> int:
        """As the form has it."""
        return self._form.size(block)

    def content(self, blocks: Sequence[L2Block]) -> bytes:
        """As the form has it."""
        return self._form.content(blocks)

    def compress(self, content: bytes) -> bytes:
        """As the form has it."""
        return self._form.compress(content)

    def pack(self, blocks: Sequence[L2Block]) -> tuple[bytes, int]:
        """As the form has it, from memory if these blocks were packed before."""
        key = (self._numbers[id(blocks[0])], len(blocks), self._ends)
        if key not in self._seen:
            self._seen[key] = self._form.pack(blocks)
        return self._seen[key]

    def raw_bytes(self, blocks: Sequence[L2Block], content_bytes: int) -> int:
        """As the form has it."""
        return self._form.raw_bytes(blocks, content_bytes)

    def parts(self, channel: bytes, channel_id: bytes, most_bytes: int) -> list[bytes]:
        """As the form has it."""
        return self._form.parts(channel, channel_id, most_bytes)

    def blob_parts(self, channel: bytes, channel_id: bytes) -> list[bytes]:
        """As the form has it."""
        return self._form.blob_parts(channel, channel_id)

    def execution_gas(self, blocks: Sequence[L2Block]) -> int:
        """As the form has it."""
        return self._form.execution_gas(blocks)

    def posted(self, blocks: Sequence[L2Block]) -> None:
        """As the form has it."""
        if self.by_division:
            self._ends = (*self._ends, self._numbers[id(blocks[-1])])
        self._form.posted(blocks)


class Explorer:
    """Posts a recording again and again, at other settings and prices."""

    def __init__(self, recording: Recording, sharing: int = 1) -> None:
        """`sharing`: how many rollups of the same traffic post into the same blobs, for the column of that name."""
        self._recording = recording
        self._sharing = sharing
        self._numbers = {id(block): number for number, (_, block) in enumerate(recording.blocks)}
        self._seen: Seen = {}
        self.times: Times = np.repeat(
            np.array([time_ns for time_ns, _ in recording.blocks], np.int64),
            [len(block.transactions) for _, block in recording.blocks],
        )

    def explore(
        self,
        durations_s: Sequence[float],
        frames: Sequence[int],
        media: Sequence[str],
        prices: Mapping[str, EthereumConfig],
        step: Step | None = None,
    ) -> list[Posted]:
        """Every point of the grid, in order: price path, duration, frames, medium."""
        points = [
            Point(price, duration_s, count, medium)
            for price in prices
            for duration_s in durations_s
            for count in frames
            for medium in media
        ]
        outcomes = []
        for done, point in enumerate(points):
            outcomes.append(self.post(point, prices[point.price]))
            if step is not None:
                step(done + 1, len(points))
        return outcomes

    def post(self, point: Point, chain_config: EthereumConfig) -> Posted:
        """Post all blocks at one point."""
        recording = self._recording
        environment = Environment()
        streams = Streams(recording.seed)
        recorder = Recorder(0)
        chain = EthereumChain(recording.config.l1, chain_config, environment, streams, recorder)
        world = World(
            environment=environment,
            streams=streams,
            chains={recording.config.l1: chain},
            prices=recording.prices,
            profile=load_profile("reference"),
            crypto="modelled",
            workload=recording.workload,
            horizon=recording.horizon,
            recorder=recorder,
        )
        work = Work()
        account = L1Account(chain, world, work)
        config = self._config(point)
        form = Remembering(build_format(config, world), self._numbers, self._seen)
        operator = Operator(account, recording.workload.users, ns(config.batcher.resubmit_s))
        done: list[Batch] = []

        def included(batch: Batch, receipt: Receipt) -> None:
            del receipt
            done.append(batch)

        poster = Poster(config.batcher, form, world, chain, operator, StateTree(False, work), work, included)
        batcher = Batcher(config.batcher, form, world, chain, poster)
        chain.start()
        chain.sleep_until(recording.horizon.payments_ns)
        environment.run_until(recording.horizon.payments_ns)
        for time_ns, block in recording.blocks:
            environment.run_until(time_ns)
            batcher.add(block)
        last_ns = recording.blocks[-1][0] + ns(point.duration_s) + GIVE_UP_NS
        while not batcher.idle and environment.now < last_ns:
            environment.run_until(environment.now + ns(chain_config.slot_s))
        if not done:
            raise InputError(f"no batch came into a block of {recording.config.l1} on price path {point.price}")
        return self._outcome(point, done, recorder, form.blob_bytes, chain.fork.max_transaction_blobs or 1)

    def _config(self, point: Point) -> RollupConfig:
        """The recording's settings with those of the point."""
        config = self._recording.config
        batcher = config.batcher.model_copy(
            update={
                "max_interval_s": float(point.duration_s),
                "target_bytes": point.frames * (self._recording.blob_bytes - FRAME_PREFIX_BYTES),
                "medium": point.medium,
            }
        )
        return config.model_copy(update={"batcher": batcher})

    def _outcome(self, point: Point, done: list[Batch], recorder: Recorder, blob_bytes: int, most_blobs: int) -> Posted:
        rows = recorder.batches.columns
        order = sorted(batch.number for batch in done)
        kept = order[:-1] if len(order) >= 3 else order
        starts = np.concatenate(([0], np.cumsum(rows["payments"])))
        delays = np.concatenate(
            [(rows["included_ns"][k] - self.times[starts[k] : starts[k + 1]]) / NS_PER_S for k in kept]
        )
        column = {name: np.array([rows[name][k] for k in kept], np.float64) for name in (
            "payments", "gas", "gas_fee_wei", "blob_fee_wei", "blobs", "compressed_bytes"
        )}  # fmt: skip
        media = [rows["medium"][k] for k in kept]
        usd_per_wei = self._recording.prices.usd_per_unit(Asset.ETH)
        transactions = float(column["payments"].sum())
        gas_wei, blob_wei = float(column["gas_fee_wei"].sum()), float(column["blob_fee_wei"].sum())
        blobs = int(column["blobs"].sum())
        in_blobs = column["blobs"] > 0
        carried = column["compressed_bytes"][in_blobs] + FRAME_PREFIX_BYTES * column["blobs"][in_blobs]
        shared_wei = 0.0
        for k, medium in zip(kept, media, strict=True):
            paid = rows["gas_fee_wei"][k] + rows["blob_fee_wei"][k]
            if medium == "blob" and self._sharing > 1:
                gas, blobs_of = rows["gas"][k], rows["blobs"][k]
                prices = BlobPrices(
                    rows["gas_fee_wei"][k] // gas,
                    rows["blob_fee_wei"][k] // (blobs_of * GAS_PER_BLOB),
                    most_blobs,
                    blob_bytes,
                )
                size = rows["compressed_bytes"][k] + FRAME_PREFIX_BYTES * blobs_of
                own_gas = gas - TRANSACTION_GAS * -(-blobs_of // most_blobs)  # what its contract executes is its own
                paid = prices.cost_wei(self._sharing * size) / self._sharing + own_gas * prices.gas_price_wei
            shared_wei += paid
        return Posted(
            price=point.price,
            channel_duration_s=point.duration_s,
            frames=point.frames,
            medium=point.medium,
            cost_usd_per_transaction=(gas_wei + blob_wei) * usd_per_wei / transactions,
            gas_usd_per_transaction=gas_wei * usd_per_wei / transactions,
            shared_cost_usd_per_transaction=shared_wei * usd_per_wei / transactions,
            safe_head_delay_mean_s=float(delays.mean()),
            safe_head_delay_p95_s=float(np.percentile(delays, 95)),
            blob_fill=float(carried.sum() / (blobs * blob_bytes)) if blobs else None,
            bytes_per_transaction=float(column["compressed_bytes"].sum() / transactions),
            batches=len(kept),
            blobs=blobs,
            calldata_share=media.count("calldata") / len(media),
            base_fee_gwei=gas_wei / float(column["gas"].sum()) / 1e9,
            blob_fee_gwei=blob_wei / (blobs * GAS_PER_BLOB) / 1e9 if blobs else None,
        )


def default_durations(span_s: float) -> list[float]:
    """The usual durations that fit at least twice into the payments; the shortest if none does."""
    return [float(duration) for duration in DURATIONS_S if 2 * duration <= span_s] or [float(DURATIONS_S[0])]


def default_prices(chain: EthereumConfig) -> dict[str, EthereumConfig]:
    """Three price paths: the scenario's, a base fee ten times as high, and blobs far dearer than gas.

    In the third, more blobs are wanted than there is room for until they cost about a hundred times as much as gas:
    calldata takes over at forty times (sixteen before EIP-7623).
    """
    background = chain.background
    paths = {"as in the scenario": chain}
    paths["base fee x 10"] = changed(chain, {"background.base_fee_gwei": 10 * background.base_fee_gwei})
    spike = {
        "background.blob_share": 1.25,
        "background.blob_tolerance_gwei": 100 * background.base_fee_gwei,
        "background.burn_in_slots": max(512, background.burn_in_slots),
    }
    paths["blob spike"] = changed(chain, spike)
    return paths


def changed(chain: EthereumConfig, settings: Mapping[str, Any]) -> EthereumConfig:
    """The chain's settings with some changed, by dotted keys; raises InputError where they cannot be."""
    values = chain.model_dump()
    for key, value in settings.items():
        holder: Any = values
        *way, last = key.split(".")
        for part in way:
            holder = holder.get(part)
            if not isinstance(holder, dict):
                raise InputError(f"price path: {key} must be a key of the chain's settings")
        if last not in holder:
            raise InputError(f"price path: {key} must be a key of the chain's settings")
        holder[last] = value
    try:
        return EthereumConfig.model_validate(values)
    except ValueError as error:
        raise InputError(f"price path: {error}") from None


def cheapest(outcomes: Sequence[Posted], price: str, most_delay_s: float) -> Posted | None:
    """The cheapest point of a price path whose 95th percentile of delay is within the bound."""
    within = [o for o in outcomes if o.price == price and o.safe_head_delay_p95_s <= most_delay_s]
    return min(within, key=lambda o: (o.cost_usd_per_transaction, o.safe_head_delay_p95_s), default=None)


def table_rows(outcomes: Sequence[Posted]) -> Iterator[dict[str, Any]]:
    """The outcomes as rows for a CSV file."""
    for outcome in outcomes:
        yield asdict(outcome)
