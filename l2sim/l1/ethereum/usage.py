"""The fee market without a simulation: how full given blocks were in, the fees in force in each of them out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from l2sim.l1.ethereum.fees import (
    MAX_BLOB_EXPONENT,
    MIN_GAS_LIMIT,
    blob_base_fee,
    next_base_fee,
    next_excess_blob_gas,
)
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, Fork
from l2sim.l1.ethereum.rows import Cell, read_cells

MAX_GAS_LIMIT: Final = 2**63 - 1  # go-ethereum params/protocol_params.go
FEE_BITS: Final = 256
"""A header with a larger base fee is malformed (go-ethereum core/types/block.go, Header.SanityCheck)."""


class BlockUsage(NamedTuple):
    """How full a block was."""

    gas_used: int
    gas_limit: int
    blobs: int


class BlockFees(NamedTuple):
    """The fees in force in a block: wei per gas, blob gas above target, wei per blob gas."""

    base_fee_wei: int
    excess_blob_gas: int
    blob_base_fee_wei: int


def fees_in_force(
    usage: Iterable[BlockUsage], base_fee_wei: int, excess_blob_gas: int, fork: Fork
) -> Iterator[BlockFees]:
    """The fees in force in each block of `usage`, under the rules of `fork` throughout.

    `base_fee_wei` and `excess_blob_gas` are those of the first block. On a fork without blobs both blob
    figures stay 0. Raises ValueError with the number of the block, the first being 0, where a fee passes 256 bits.

    >>> from l2sim.l1.ethereum.forks import fork_named
    >>> full = BlockUsage(gas_used=30_000_000, gas_limit=30_000_000, blobs=6)
    >>> for fees in fees_in_force([full] * 3, 10**9, 39_321_600, fork_named("cancun")):
    ...     print(fees.base_fee_wei, fees.excess_blob_gas, fees.blob_base_fee_wei)
    1000000000 39321600 130392
    1125000000 39714816 146691
    1265625000 40108032 165028
    """
    if excess_blob_gas and not fork.max_blobs:
        raise ValueError(f"excess_blob_gas must be 0 on {fork.name}, which has no blobs (got {excess_blob_gas})")
    for block, (gas_used, gas_limit, blobs) in enumerate(usage):
        blob_fee_wei = _blob_fee(block, excess_blob_gas, fork)
        _check_size(block, "base fee", base_fee_wei)
        yield BlockFees(base_fee_wei, excess_blob_gas, blob_fee_wei)
        if fork.max_blobs:
            excess_blob_gas = next_excess_blob_gas(excess_blob_gas, blobs * GAS_PER_BLOB, base_fee_wei, fork)
        base_fee_wei = next_base_fee(base_fee_wei, gas_used, gas_limit)


def _blob_fee(block: int, excess_blob_gas: int, fork: Fork) -> int:
    if not fork.max_blobs:
        return 0
    if excess_blob_gas > MAX_BLOB_EXPONENT * fork.blob_update_fraction:
        raise ValueError(
            f"block {block}: excess blob gas must be at most {MAX_BLOB_EXPONENT} times the update fraction "
            f"{fork.blob_update_fraction}, or the blob base fee passes {FEE_BITS} bits (got {excess_blob_gas})"
        )
    fee_wei = blob_base_fee(excess_blob_gas, fork.blob_update_fraction)
    _check_size(block, "blob base fee", fee_wei)
    return fee_wei


def _check_size(block: int, name: str, fee_wei: int) -> None:
    if fee_wei.bit_length() > FEE_BITS:
        raise ValueError(f"block {block}: {name} must be below 2**{FEE_BITS} (got {fee_wei})")


def read_usage(path: Path, fork: Fork) -> list[BlockUsage]:
    """Read a CSV file with the columns gas_used, gas_limit and blobs (others are passed over), a row a block.

    Raises TraceError with path:line:column, the rule and the value.
    """
    return [_block(cells, fork) for cells in read_cells(path, BlockUsage._fields)]


def _block(cells: dict[str, Cell], fork: Fork) -> BlockUsage:
    gas_limit = cells["gas_limit"].whole("gas_limit", MIN_GAS_LIMIT, MAX_GAS_LIMIT)
    return BlockUsage(
        gas_used=cells["gas_used"].whole("gas_used", 0, gas_limit, ", the block's gas_limit"),
        gas_limit=gas_limit,
        blobs=cells["blobs"].whole("blobs", 0, fork.max_blobs, f", the most of {fork.name}"),
    )
