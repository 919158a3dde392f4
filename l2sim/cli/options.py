"""Arguments and options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from l2sim.errors import ResultsError

Function = TypeVar("Function", bound=Callable[..., Any])

PATH: click.Path = click.Path(path_type=Path)
"""A path as pathlib has it; whether it exists is for the code that opens it to say."""


def set_option(command: Function) -> Function:
    """`--set dotted.key=value`, repeatable."""
    return click.option(
        "--set", "overrides", metavar="KEY=VALUE", multiple=True,
        help="Change one key of the scenario, for example workload.users=100; may be given again.",
    )(command)  # fmt: skip


def force_option(command: Function) -> Function:
    """`--force`."""
    return click.option("--force", is_flag=True, help="Replace what is there.")(command)


def print_note(sentence: str) -> None:
    """Say on standard error what a run's user should know."""
    click.echo(f"note: {sentence}", err=True)


def refuse_existing_file(path: Path | None, force: bool) -> None:
    """Raise ResultsError if a file to be written, if any, is there already and may not be replaced."""
    if path is not None and path.exists() and not force:
        raise ResultsError(f"{path}: exists already; choose another name, or --force to replace it")
