"""The tables of a run: every column with its type, its unit and its meaning.

Files, docs and readers are made from these definitions; a column that is not here does not exist.
"""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = 3
"""Raised with every change of a table, a column or a key of `run.json`, whatever the version of l2sim.

Readers refuse newer ones. Of older ones they read what is there, and name what they ask for in vain. A sweep goes on
only with the schema it was begun with.
"""


class Kind(StrEnum):
    """The type of a column's values."""

    INT64 = "int64"
    INT32 = "int32"
    WIDE = "decimal128(38, 0)"
    """Whole numbers past 2**63, such as the wei of a whole block."""
    FLOAT64 = "float64"
    TEXT = "text"
    """Few distinct values: stored as a dictionary."""
    BYTES32 = "bytes32"
    BOOL = "bool"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, unit ('' if it has none), meaning, and whether a value may be missing."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a run folder."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    since: int = 1
    """The first schema that has it: run folders of older ones are whole without it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)


_SYSTEM = Column("system", Kind.TEXT, "", "name of the system in the scenario")

PAYMENTS = Table(
    "payments",
    "one row a payment and system; times count from the start of the run, negative columns do not exist: a time "
    "that never came is missing",
    (
        _SYSTEM,
        Column("payment", Kind.INT64, "", "number of the payment in the workload, the same in every system"),
        Column("payer", Kind.INT32, "", "number of the paying user"),
        Column("payee", Kind.INT32, "", "number of the paid user"),
        Column("amount_msat", Kind.INT64, "msat", "worth of the payment at the scenario's prices"),
        Column("outcome", Kind.TEXT, "", "completed, or why it failed"),
        Column("attempts", Kind.INT32, "", "how often it was tried: routes on a channel network, else 1"),
        Column("parts", Kind.INT32, "", "parts that delivered it, or under way at the end; 0 where nothing is divided"),
        Column(
            "hops",
            Kind.INT32,
            "",
            "channels of the route that carried it, or of the last tried, most of any part; else 0",
        ),
        Column("failed_hop", Kind.INT32, "", "which channel of the last route failed, from 0", nullable=True),
        Column(
            "failure_code",
            Kind.INT32,
            "",
            "what the last route's failure said (BOLT 4's number, flags included)",
            nullable=True,
        ),
        Column("submitted_ns", Kind.INT64, "ns", "when the payer sent it"),
        Column("assured_ns", Kind.INT64, "ns", "when the payee could act on it", nullable=True),
        Column("included_ns", Kind.INT64, "ns", "when an L1 block first held it or its batch", nullable=True),
        Column("l1_final_ns", Kind.INT64, "ns", "when that L1 block was final", nullable=True),
        Column(
            "final_ns", Kind.INT64, "ns", "when nobody could take it back any more, L1's courts included", nullable=True
        ),
        Column(
            "fee", Kind.INT64, "msat or wei", "what the payer paid on top of the amount, in the system's smallest unit"
        ),
        Column("fee_usd", Kind.FLOAT64, "USD", "the same in US dollars at the scenario's prices"),
    ),
)

BATCHES = Table(
    "batches",
    "one row a batch that a rollup posted",
    (
        _SYSTEM,
        Column("batch", Kind.INT64, "", "number of the batch"),
        Column("payments", Kind.INT64, "", "transactions in it"),
        Column("opened_ns", Kind.INT64, "ns", "when its first transaction entered it"),
        Column("closed_ns", Kind.INT64, "ns", "when the batcher closed it"),
        Column("included_ns", Kind.INT64, "ns", "when it was in an L1 block", nullable=True),
        Column("proven_ns", Kind.INT64, "ns", "when its proof was accepted on L1 (validity rollups)", nullable=True),
        Column("final_ns", Kind.INT64, "ns", "when its state could not be reverted any more", nullable=True),
        Column("raw_bytes", Kind.INT64, "bytes", "size before compression"),
        Column("compressed_bytes", Kind.INT64, "bytes", "size after compression"),
        Column("medium", Kind.TEXT, "", "blob, calldata, or committee: data that is not on L1"),
        Column("blobs", Kind.INT64, "", "blobs that carried it"),
        Column("gas", Kind.INT64, "gas", "L1 execution gas of its transaction(s)"),
        Column("gas_fee_wei", Kind.INT64, "wei", "paid for gas"),
        Column("blob_fee_wei", Kind.INT64, "wei", "paid for blob gas"),
        Column("payments_root", Kind.BYTES32, "", "Merkle root of its transactions"),
        Column("state_root", Kind.BYTES32, "", "root of the account tree after it", nullable=True),
    ),
)

BLOCKS = Table(
    "blocks",
    "one row an L1 block that was simulated",
    (
        _SYSTEM,
        Column("chain", Kind.TEXT, "", "name of the chain in the scenario"),
        Column("height", Kind.INT64, "", "height, from 0 at the start of the run"),
        Column("time_ns", Kind.INT64, "ns", "when it was made"),
        Column("transactions", Kind.INT64, "", "transactions of the system in it"),
        Column("used", Kind.INT64, "wu or gas", "block space used, background included"),
        Column("limit", Kind.INT64, "wu or gas", "block space there is"),
        Column(
            "fee_level", Kind.FLOAT64, "sat/vB or gwei", "lowest fee rate that got in (Bitcoin), base fee (Ethereum)"
        ),
        Column("blobs", Kind.INT64, "", "blobs in it, background included"),
        Column("blob_fee_level", Kind.FLOAT64, "gwei", "blob base fee; missing on Bitcoin", nullable=True),
        Column("pending", Kind.INT64, "", "transactions of the system still waiting after it"),
        Column("fees", Kind.WIDE, "msat or wei", "fees the system's transactions paid in it"),
        Column("transactions_root", Kind.BYTES32, "", "Merkle root of its transactions"),
        Column("orphaned_ns", Kind.INT64, "ns", "when a longer branch threw it out; missing if it stands", True),
    ),
)

CHANNELS = Table(
    "channels",
    "one row a channel",
    (
        _SYSTEM,
        Column("channel", Kind.INT64, "", "number of the channel"),
        Column("node_a", Kind.INT32, "", "number of its first node, who funded it"),
        Column("node_b", Kind.INT32, "", "number of its second node"),
        Column("capacity_sat", Kind.INT64, "sat", "money locked in it"),
        Column("paid_by", Kind.TEXT, "", "user or operator: whose cost its opening and closing are"),
        Column("opened_ns", Kind.INT64, "ns", "when its funding was confirmed", nullable=True),
        Column("closed_ns", Kind.INT64, "ns", "when its closing transaction was in a block", nullable=True),
        Column("close_kind", Kind.TEXT, "", "mutual, force, breach_paid or breach_punished; missing if alive", True),
        Column("home_ns", Kind.INT64, "ns", "when the last of its money was free again", nullable=True),
        Column("open_fee_sat", Kind.INT64, "sat", "L1 fee of the funding transaction"),
        Column("close_fee_sat", Kind.INT64, "sat", "L1 fees of all transactions that closed it"),
        Column("start_balance_a_msat", Kind.INT64, "msat", "balance of its first node at the start"),
        Column("end_balance_a_msat", Kind.INT64, "msat", "balance of its first node at the end"),
        Column("forwarded", Kind.INT64, "", "HTLCs settled over it, both directions"),
        Column("forwarded_msat", Kind.INT64, "msat", "volume settled over it, both directions"),
        Column("failed", Kind.INT64, "", "HTLCs refused by it or failed back over it"),
        Column("fees_msat", Kind.INT64, "msat", "routing fees its two nodes earned for forwarding into it"),
    ),
)

ROUTERS = Table(
    "routers",
    "one row a node of the channel network that is no user's",
    (
        _SYSTEM,
        Column("node", Kind.INT32, "", "number of the node"),
        Column("channels", Kind.INT64, "", "its channels, users' among them"),
        Column("capital_msat", Kind.INT64, "msat", "what it owned in them when they opened, or at the start"),
        Column("routing_income_msat", Kind.INT64, "msat", "fees it earned by forwarding"),
        Column("services_msat", Kind.INT64, "msat", "earned by swaps and leases sold, less paid for those bought"),
        Column("rebalancing_fee_msat", Kind.INT64, "msat", "routing fees paid for moving its own money in circles"),
        Column("chain_fee_msat", Kind.INT64, "msat", "L1 fees that it paid for swaps, splices and forced closes"),
        Column(
            "lost_msat",
            Kind.INT64,
            "msat",
            "principal lost on chain: HTLCs claimed too late, balances taken from it, outputs left behind; below 0 won",
        ),
        Column("agent_actions", Kind.INT64, "", "what liquidity agents did for it"),
        Column("agent_moved_msat", Kind.INT64, "msat", "how much they moved"),
        Column(
            "return_ppm_per_year",
            Kind.FLOAT64,
            "ppm",
            "income less costs over capital, scaled to a year",
            nullable=True,
        ),
    ),
    since=2,
)

SERIES = Table(
    "series",
    "one row an interval, system and measure",
    (
        _SYSTEM,
        Column("time_ns", Kind.INT64, "ns", "end of the interval"),
        Column(
            "measure",
            Kind.TEXT,
            "",
            "submitted, assured (payments in the interval); in_flight, failed_so_far (payments), "
            "capital_locked_usd (state at its end); of a rollup at its end: unposted (transactions confirmed and not "
            "on L1), safe_head_lag_s (for how long the first of them); of each dispute, when it is resolved: "
            "dispute_moves, dispute_gain_eth (bonds that the watcher won), dispute_hours; stolen_eth (taken by a lie "
            "that became final); channel_timeouts (a batch whose frames landed too far apart, by its number); of "
            "channels whose peers cheat, once at the end: breaches (revoked commitments published), "
            "breaches_punished, stolen_by_breaches_sat; and of their watchtowers tower_backups (revoked states "
            "stored), tower_stored_bytes, tower_sessions, tower_price_sat (paid by clients for sessions), "
            "tower_breaches_seen (while the victim was away), tower_breaches_punished, tower_rewards_sat; of channels "
            "that one side took on chain, once at the end: forced_closes, forced_under_way (of these not home), "
            "forced_delayed_sat (in them, and locked by a delay or an expiry), forced_priced_out_sat (in them, and "
            "waiting for a fee rate that it can pay, or for the next block), forced_left_behind_sat (not worth its "
            "fee)",
        ),
        Column("value", Kind.FLOAT64, "", "its value"),
    ),
)

BALANCES = Table(
    "balances",
    "one row an interval and channel, for the largest channels of a network: enough to draw it",
    (
        _SYSTEM,
        Column("time_ns", Kind.INT64, "ns", "end of the interval"),
        Column("channel", Kind.INT64, "", "number of the channel"),
        Column("balance_a_msat", Kind.INT64, "msat", "what its first node owns in it, in flight left out"),
        Column("balance_b_msat", Kind.INT64, "msat", "what its second node owns in it, in flight left out"),
    ),
)

TABLES = (PAYMENTS, BATCHES, BLOCKS, CHANNELS, ROUTERS, SERIES, BALANCES)


def tables_of(schema: int) -> tuple[Table, ...]:
    """The tables that a run folder of that schema has.

    >>> [table.name for table in tables_of(SCHEMA_VERSION) if table not in tables_of(1)]
    ['routers']
    """
    return tuple(table for table in TABLES if table.since <= schema)
