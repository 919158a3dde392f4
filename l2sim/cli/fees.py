"""`l2sim fees l1`, `rollup` and `calldata`: one question about fees, one exact answer."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from l2sim.cli.options import PATH, force_option, refuse_existing_file
from l2sim.errors import ResultsError, TraceError

L1_FORKS = "london, cancun, prague, osaka, bpo1 or bpo2."
OP_FORKS = "bedrock, regolith, canyon, delta, ecotone, fjord, granite, holocene, isthmus, jovian or karst."

Function = TypeVar("Function", bound=Callable[..., None])


def uint256(text: str) -> int:
    """A number as Ethereum's hold them, or click's error."""
    if text.isascii() and text.isdigit() and len(text) <= 78 and int(text) < 2**256:
        return int(text)
    raise click.BadParameter(f"must be a whole number from 0 to 2**256 - 1 (got {text[:100] or 'nothing'})")


def number(
    name: str, help_text: str, *, required: bool = False, default: str | None = None
) -> Callable[[Function], Function]:
    """An option that takes a whole number."""
    # Since click 8.3 even a default of None counts as given, and a required option left out would go unnoticed.
    more: dict[str, Any] = {} if default is None else {"default": default, "show_default": True}
    return click.option(name, metavar="N", type=uint256, required=required, help=help_text, **more)


@click.group()
def fees() -> None:
    """Work out fees exactly, without a simulation."""


@fees.command()
@click.option("--fork", required=True, metavar="NAME", help=L1_FORKS)
@click.option("--usage", required=True, metavar="FILE", type=PATH,
              help="CSV file with the columns gas_used, gas_limit and blobs, a row a block.")  # fmt: skip
@number("--base-fee", "Base fee in force in the first block, wei per gas.", required=True)
@number("--excess-blob-gas", "Excess blob gas in force in the first block; 0 on london.", required=True)
@click.option("--out", metavar="FILE", type=PATH, help="Write to a file instead of standard output.")
@force_option
def l1(fork: str, usage: Path, base_fee: int, excess_blob_gas: int, out: Path | None, force: bool) -> None:
    """Base fee and blob base fee in force in each block, as CSV.

    Blocks are numbered from 0, the first row of FILE. Fees are wei per gas and wei per blob gas.
    """
    refuse_existing_file(out, force)
    from l2sim.l1.ethereum.forks import fork_named
    from l2sim.l1.ethereum.usage import fees_in_force, read_usage

    try:
        rules = fork_named(fork)
    except ValueError as error:
        raise click.UsageError(f"--fork {error}") from None
    if excess_blob_gas and not rules.max_blobs:
        raise click.UsageError(f"--excess-blob-gas must be 0 with --fork {fork}, no blobs yet (got {excess_blob_gas})")
    blocks = read_usage(usage, rules)
    lines = ["block,base_fee,excess_blob_gas,blob_base_fee\n"]
    try:
        for block, in_force in enumerate(fees_in_force(blocks, base_fee, excess_blob_gas, rules)):
            lines.append(f"{block},{in_force.base_fee_wei},{in_force.excess_blob_gas},{in_force.blob_base_fee_wei}\n")
    except ValueError as error:
        raise TraceError(f"{usage}: {error}") from error
    if out is None:
        click.echo("".join(lines), nl=False)
    else:
        _write_whole(out, "".join(lines))


@fees.command()
@click.option("--stack", type=click.Choice(["op"]), required=True, expose_value=False, help="Whose rules.")
@click.option("--fork", required=True, metavar="NAME", help=OP_FORKS)
@click.option("--tx", required=True, metavar="HEX", help="The signed transaction, RLP encoded; - reads it from input.")
@number("--l1-base-fee", "L1 base fee, wei per gas.", required=True)
@number("--blob-base-fee", "L1 blob base fee, wei per blob gas; since ecotone.")
@number("--base-fee-scalar", "Weight of the L1 base fee, millionths; since ecotone.")
@number("--blob-base-fee-scalar", "Weight of the blob base fee, millionths; since ecotone.")
@number("--overhead", "Gas added to each transaction; before ecotone.")
@number("--scalar", "Weight of the L1 base fee, millionths; before ecotone.")
@number("--l2-gas", "Ask for the operator fee too, at that gas on L2; since isthmus.")
@number("--operator-fee-scalar", "Operator fee by gas.", default="0")
@number("--operator-fee-constant", "Operator fee besides, wei.", default="0")
def rollup(
    fork: str,
    tx: str,
    l1_base_fee: int,
    blob_base_fee: int | None,
    base_fee_scalar: int | None,
    blob_base_fee_scalar: int | None,
    overhead: int | None,
    scalar: int | None,
    l2_gas: int | None,
    operator_fee_scalar: int,
    operator_fee_constant: int,
) -> None:
    """What a rollup charges a transaction for its L1 data, as JSON.

    `gas` is the L1 gas that the receipt reports, `fee_wei` the L1 data fee; a deposit (first byte 7e) pays nothing. A
    fork's formula takes what it needs of the options and passes over the others.
    """
    transaction = _bytes("--tx", tx)
    if not transaction:
        raise click.UsageError("--tx must have at least one byte (got none)")
    if l2_gas is None and (operator_fee_scalar or operator_fee_constant):
        raise click.UsageError("--operator-fee-scalar and --operator-fee-constant need --l2-gas")
    from l2sim.systems.rollup.op_fees import L1FeeParameters, data_cost, is_deposit, op_fork_named, operator_fee

    given = {
        "l1_base_fee_wei": l1_base_fee,
        "blob_base_fee_wei": blob_base_fee,
        "base_fee_scalar": base_fee_scalar,
        "blob_base_fee_scalar": blob_base_fee_scalar,
        "overhead": overhead,
        "scalar": scalar,
    }
    try:
        rules = op_fork_named(fork)
        operator_fee_wei = (
            None if l2_gas is None else operator_fee(l2_gas, rules, operator_fee_scalar, operator_fee_constant)
        )
    except ValueError as error:
        raise click.UsageError(f"--fork {error}") from None
    missing = [name for name in rules.data_formula.parameters if given[name] is None]
    if missing:
        options = ", ".join(f"--{name.removesuffix('_wei').replace('_', '-')}" for name in missing)
        raise click.UsageError(f"--fork {fork} needs {options}")
    prices = L1FeeParameters(**{name: value for name, value in given.items() if value is not None})
    cost = data_cost(transaction, rules, prices)
    answer = {"gas": cost.gas, "fee_wei": cost.fee_wei}
    if operator_fee_wei is not None:
        answer["operator_fee_wei"] = 0 if is_deposit(transaction) else operator_fee_wei
    _print_json(answer)


@fees.command()
@click.option("--data", required=True, metavar="HEX", help="The calldata; - reads it from input.")
def calldata(data: str) -> None:
    """Gas of a call with that data on Ethereum, as JSON.

    `intrinsic_gas` is due before anything is executed (EIP-2028), `floor_gas` however little is executed (EIP-7623,
    since prague).
    """
    from l2sim.l1.ethereum.gas import byte_counts, floor_gas, intrinsic_gas

    zeros, others = byte_counts(_bytes("--data", data))
    _print_json({"intrinsic_gas": intrinsic_gas(zeros, others), "floor_gas": floor_gas(zeros, others)})


def _bytes(option: str, text: str) -> bytes:
    """The bytes that an option gives in hexadecimal, with 0x before them or not."""
    digits = (sys.stdin.read() if text == "-" else text).strip().removeprefix("0x")
    wrong = next((place for place, digit in enumerate(digits) if digit not in "0123456789abcdefABCDEF"), None)
    if wrong is not None:
        raise click.UsageError(f"{option} must be hexadecimal (got {digits[wrong]!r} as digit {wrong + 1})")
    if len(digits) % 2:
        raise click.UsageError(f"{option} must have two digits for each byte (got {len(digits)} digits)")
    return bytes.fromhex(digits)


def _print_json(answer: dict[str, int]) -> None:
    import json

    click.echo(json.dumps(answer, indent=2))


def _write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all; several may be written into one folder at a time."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        os.replace(partial, path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # it has its final name, or never came to be
            partial.unlink()
