"""The fee market without a simulation: how full given blocks were in, the fees in force in each of them out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from l2sim.errors import TraceError
from l2sim.l1.ethereum.fees import MIN_GAS_LIMIT, blob_base_fee, next_base_fee, next_excess_blob_gas
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, Fork

MAX_GAS_LIMIT: Final = 2**63 - 1  # go-ethereum params/protocol_params.go
FEE_BITS: Final = 256
"""A header with a larger base fee is malformed (go-ethereum core/types/block.go, Header.SanityCheck)."""
MAX_BLOB_EXPONENT: Final = 178
"""Beyond e**178 > 2**256 a blob fee need not be worked out to be refused."""


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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: must be text in UTF-8 (got byte {error.object[error.start]:#04x})") from error
    while lines and not lines[-1].strip():
        lines.pop()
    header = [name for _, name in _cells(lines[0])] if lines else []
    for wanted in BlockUsage._fields:
        if header.count(wanted) != 1:
            raise TraceError(
                f"{path}:1:1: must have the columns {', '.join(BlockUsage._fields)}, each once "
                f"(got {', '.join(header)[:100] or 'none'})"
            )
    if len(lines) == 1:
        raise TraceError(f"{path}:2:1: must have a row for each block (got none)")
    places = [header.index(wanted) for wanted in BlockUsage._fields]
    return [
        _block(f"{path}:{number}", line, places, len(header), fork) for number, line in enumerate(lines[1:], start=2)
    ]


def _block(where: str, line: str, places: list[int], width: int, fork: Fork) -> BlockUsage:
    cells = _cells(line)
    if len(cells) != width:
        raise TraceError(f"{where}:1: must have {width} cells, as the header has (got {len(cells)})")
    used, limit, blobs = (cells[place] for place in places)
    gas_limit = _whole(where, "gas_limit", limit, MIN_GAS_LIMIT, MAX_GAS_LIMIT, "")
    return BlockUsage(
        gas_used=_whole(where, "gas_used", used, 0, gas_limit, ", the block's gas_limit"),
        gas_limit=gas_limit,
        blobs=_whole(where, "blobs", blobs, 0, fork.max_blobs, f", the most of {fork.name}"),
    )


def _whole(where: str, name: str, cell: tuple[int, str], low: int, high: int, why: str) -> int:
    column, text = cell
    # Nothing that may be in range has more than 19 digits; isdigit alone would let in digits of other scripts.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not low <= number <= high:
        raise TraceError(
            f"{where}:{column} {name}: must be a whole number from {low} to {high}{why} (got {text[:40] or 'nothing'})"
        )
    return number


def _cells(line: str) -> list[tuple[int, str]]:
    """The cells of a line with the columns where they begin, the first being 1."""
    cells = []
    column = 1
    for cell in line.split(","):
        cells.append((column + len(cell) - len(cell.lstrip()), cell.strip().strip('"')))
        column += len(cell) + 1
    return cells
