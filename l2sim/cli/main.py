"""The `l2sim` command: its subcommands, and what each kind of error becomes.

Exit codes: 0 done; 1 a bug of l2sim; 2 bad usage or input, nothing written; 3 a benchmark past a stated
regression; 130 interrupted.
"""

import errno
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from l2sim._version import __version__
from l2sim.cli.bench import bench
from l2sim.cli.cloth import cloth
from l2sim.cli.compare import compare
from l2sim.cli.fees import fees
from l2sim.cli.posting import posting
from l2sim.cli.presets import presets
from l2sim.cli.results import export
from l2sim.cli.run import run
from l2sim.cli.scenario import new, schema, validate
from l2sim.cli.sweep import sweep
from l2sim.cli.topology import topology
from l2sim.errors import InputError

BUG, USAGE, INTERRUPTED = 1, 2, 130

# What the machine refuses, rather than what l2sim does wrong: no room, no right, a place that is not there.
_MACHINE_ERRORS = frozenset(
    {
        errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EISDIR, errno.EMFILE, errno.ENAMETOOLONG, errno.ENOENT,
        errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
    }
)  # fmt: skip


class ErrorsToExitCodes(click.Group):
    """A group that ends with the exit codes above and one clear message, never a traceback for bad input."""

    def main(  # type: ignore[override]  # click's overloads tell standalone_mode apart; this one always exits
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command line and exit."""
        extra["standalone_mode"] = False
        try:
            result = super().main(args, prog_name, **extra)
        except click.Abort as stop:
            sys.exit(_interrupted(stop.__cause__))
        except click.ClickException as error:
            error.show()
            sys.exit(USAGE)
        except InputError as error:
            _say(f"error: {error}" if "\n" not in str(error) else f"errors:\n{error}")
            sys.exit(USAGE)
        except OSError as error:
            if error.errno not in _MACHINE_ERRORS:
                sys.exit(_bug(error))
            place = f"{error.filename}: " if error.filename is not None else ""
            _say(f"error: {place}{error.strerror}")
            sys.exit(USAGE)
        except Exception as error:
            sys.exit(_bug(error))
        sys.exit(result if isinstance(result, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; a reader of our output that has gone, as `| head` does, is no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        return result


def _interrupted(cause: BaseException | None) -> int:
    """Say what is kept: a sweep says it itself, a run carries the result of the systems that were whole."""
    result = getattr(cause, "result", None)
    message = getattr(cause, "message", None)
    if message is not None:
        _say(f"interrupted: {message}")
    elif result is None or result.folder is None:
        _say("interrupted: nothing was whole yet, so nothing is kept")
    else:
        _say(f"interrupted: {', '.join(result.systems)} ran to the end and are kept in {result.folder}")
    return INTERRUPTED


def _bug(error: BaseException) -> int:
    traceback.print_exception(error)
    _say(
        f"\nbug: {type(error).__name__}: {error}\n"
        "This is a fault of l2sim, not of your input. Please report it with the text above, the scenario file and "
        f"this line: l2sim {__version__}, Python {platform.python_version()}, {platform.platform()}, "
        f"arguments {sys.argv[1:]}"
    )
    return BUG


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.group(cls=ErrorsToExitCodes, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="l2sim", message="%(prog)s %(version)s")
def cli() -> None:
    """Compare Layer-2 payment systems, payment by payment, on simulated L1s."""


for command in (run, sweep, compare, validate, schema, new, topology, export, bench, fees, posting, cloth, presets):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console script."""
    cli.main(prog_name="l2sim")
