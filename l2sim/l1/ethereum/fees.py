"""Ethereum's fee rules on exact integers: base fee (EIP-1559), blob base fee (EIP-4844, EIP-7691, EIP-7918).

Every division floors. Amounts are wei per gas.
"""

from functools import lru_cache

from l2sim.l1.ethereum.forks import GAS_PER_BLOB, Fork

ELASTICITY = 2  # EIP-1559: limit over target
DENOMINATOR = 8  # EIP-1559: at most one eighth up or down a block
INITIAL_BASE_FEE_WEI = 1_000_000_000  # EIP-1559
MIN_GAS_LIMIT = 5_000  # go-ethereum params/protocol_params.go
GAS_LIMIT_BOUND = 1_024  # EIP-1559
MIN_BLOB_BASE_FEE_WEI = 1  # EIP-4844
MAX_BLOB_EXPONENT = 178
"""Beyond e**178 > 2**256 a blob fee need not be worked out to be refused."""
BLOB_BASE_COST_GAS = 8_192  # EIP-7918: 2**13, execution gas that a blob must be worth


def next_base_fee(
    base_fee_wei: int,
    gas_used: int,
    gas_limit: int,
    elasticity: int = ELASTICITY,
    denominator: int = DENOMINATOR,
) -> int:
    """The base fee of the block after one that had `base_fee_wei` and used `gas_used` (EIP-1559).

    OP Stack chains use other values of `elasticity` and `denominator`.

    >>> next_base_fee(1_000_000_000, gas_used=30_000_000, gas_limit=30_000_000)  # a full block
    1125000000
    """
    target = gas_limit // elasticity
    if gas_used > target:
        return base_fee_wei + max(base_fee_wei * (gas_used - target) // target // denominator, 1)
    return base_fee_wei - base_fee_wei * (target - gas_used) // target // denominator


def gas_limit_follows(parent_gas_limit: int, gas_limit: int) -> bool:
    """Whether a block of `gas_limit` may follow one of `parent_gas_limit`: less than 1/1024 away (EIP-1559)."""
    return gas_limit >= MIN_GAS_LIMIT and abs(gas_limit - parent_gas_limit) < parent_gas_limit // GAS_LIMIT_BOUND


def next_gas_limit(gas_limit: int, target: int) -> int:
    """The limit of the next block if its proposer wants `target`: as far towards it as the bound lets it go.

    >>> next_gas_limit(36_000_000, target=60_000_000)
    36035155
    """
    step = gas_limit // GAS_LIMIT_BOUND - 1
    return max(min(max(target, gas_limit - step), gas_limit + step), MIN_GAS_LIMIT)


def fake_exponential(factor: int, numerator: int, denominator: int) -> int:
    """factor * e**(numerator / denominator) by its Taylor series in integers (EIP-4844)."""
    term = factor * denominator
    total = 0
    i = 1
    while term > 0:
        total += term
        term = term * numerator // (denominator * i)
        i += 1
    return total // denominator


@lru_cache(maxsize=64)  # asked twice a block: for the price in force and for the next excess
def blob_base_fee(excess_blob_gas: int, update_fraction: int) -> int:
    """Wei per blob gas at that excess (EIP-4844)."""
    return fake_exponential(MIN_BLOB_BASE_FEE_WEI, excess_blob_gas, update_fraction)


def next_excess_blob_gas(excess: int, blob_gas_used: int, base_fee_wei: int, fork: Fork) -> int:
    """The excess blob gas after a block with `excess` that used `blob_gas_used` at `base_fee_wei`.

    `fork` is the one in force in the block whose excess is wanted: the first block of a fork already follows
    its target, limit and fraction (EIP-7691, EIP-7918).
    """
    target = fork.target_blobs * GAS_PER_BLOB
    if excess + blob_gas_used < target:
        return 0
    if fork.blob_reserve_price:
        blob_fee = blob_base_fee(excess, fork.blob_update_fraction)
        if BLOB_BASE_COST_GAS * base_fee_wei > GAS_PER_BLOB * blob_fee:
            return excess + blob_gas_used * (fork.max_blobs - fork.target_blobs) // fork.max_blobs
    return excess + blob_gas_used - target


def excess_for_blob_fee(blob_fee_wei: int, update_fraction: int) -> int:
    """The smallest excess blob gas at which the blob base fee is at least `blob_fee_wei`; 0 for 1 wei or less."""
    if blob_base_fee(0, update_fraction) >= blob_fee_wei:
        return 0
    low, high = 0, update_fraction
    while blob_base_fee(high, update_fraction) < blob_fee_wei:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if blob_base_fee(middle, update_fraction) < blob_fee_wei:
            low = middle
        else:
            high = middle
    return high
