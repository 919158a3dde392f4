"""Ethereum's forks as data: everything that a fork changed in the fee market and the limits.

No rule elsewhere asks for a fork by name; it asks for one of these columns. Forks that changed none of them (Arrow
Glacier, Gray Glacier, Paris, Shanghai) have no row. The block gas limit is no column: it is voted for, not forked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAS_PER_BLOB = 131_072  # EIP-4844: 2**17, one gas a byte


@dataclass(frozen=True, slots=True)
class Fork:
    """The rules in force from `activation_s` (unix seconds, mainnet) on; no blobs if `max_blobs` is 0."""

    name: str
    activation_s: int
    target_blobs: int
    max_blobs: int
    blob_update_fraction: int
    max_transaction_blobs: int
    """Most blobs of one transaction: the block's limit, 6 since Osaka (EIP-7594)."""
    calldata_floor: bool
    """Whether data has a floor price (EIP-7623)."""
    blob_reserve_price: bool
    """Whether the blob fee follows the base fee from below (EIP-7918)."""
    max_transaction_gas: int | None
    """Most gas of one transaction (EIP-7825); None: the block's limit."""
    max_block_bytes: int | None = None
    """Most bytes of a block without its blobs (EIP-7934); None: no such limit."""


_CAP = 2**24  # EIP-7825
_BYTES = 8_388_608  # EIP-7934: 10 MiB less 2 MiB for the beacon block around it

# Times: London is mainnet block 12,965,000 (EIP-1559); the others EIP-7569, EIP-7600, EIP-7607 and go-ethereum's
# params/config.go. Blobs: EIP-4844, EIP-7691, EIP-8134 and EIP-8135.
FORKS: tuple[Fork, ...] = (
    Fork("london", 1_628_166_822, 0, 0, 0, 0, False, False, None),
    Fork("cancun", 1_710_338_135, 3, 6, 3_338_477, 6, False, False, None),
    Fork("prague", 1_746_612_311, 6, 9, 5_007_716, 9, True, False, None),
    Fork("osaka", 1_764_798_551, 6, 9, 5_007_716, 6, True, True, _CAP, _BYTES),
    Fork("bpo1", 1_765_290_071, 10, 15, 8_346_193, 6, True, True, _CAP, _BYTES),
    Fork("bpo2", 1_767_747_671, 14, 21, 11_684_671, 6, True, True, _CAP, _BYTES),
)
_BY_NAME = {fork.name: fork for fork in FORKS}


def fork_named(name: str) -> Fork:
    """The fork of that name; raises ValueError with the list of known ones."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"must be one of {', '.join(_BY_NAME)} (got {name})") from None


def extended(rows: Sequence[Fork]) -> tuple[Fork, ...]:
    """Mainnet's table with further rows after it; raises ValueError unless times rise and names differ.

    The rows are called `forks.0`, `forks.1` ... there, as in a scenario.

    >>> later = Fork("bpo3", 1_900_000_000, 21, 32, 20_609_697, 6, True, True, _CAP, _BYTES)
    >>> extended([later])[-1].name
    'bpo3'
    """
    table = (*FORKS, *rows)
    for number, (before, after) in enumerate(pairwise(table), start=1 - len(FORKS)):
        if after.activation_s <= before.activation_s:
            raise ValueError(
                f"forks.{number}.activation_s must be later than {before.activation_s}, that of {before.name} "
                f"(got {after.activation_s})"
            )
    names = [fork.name for fork in FORKS]
    for number, row in enumerate(rows):
        if row.name in names:
            raise ValueError(f"forks.{number}.name must be none of {', '.join(names)} (got {row.name})")
        names.append(row.name)
    return table


def fork_at(unix_s: int) -> Fork:
    """The fork in force on mainnet at that time; raises ValueError before London.

    >>> fork_at(1_700_000_000).name, fork_at(1_767_747_671).name
    ('london', 'bpo2')
    """
    in_force = [fork for fork in FORKS if fork.activation_s <= unix_s]
    if not in_force:
        raise ValueError(f"unix_s must be at least {FORKS[0].activation_s}, the London fork (got {unix_s})")
    return in_force[-1]
