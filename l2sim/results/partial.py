"""A folder is written whole or not at all: under a temporary name beside its place, gone when its writer is, however
the writer ended."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from l2sim.errors import ResultsError

try:
    import fcntl
except ImportError:  # Windows, where nothing is taken for left behind
    fcntl = None  # type: ignore[assignment]  # the module is absent there

RUN_FILE = "run.json"
"""What marks a run folder."""

RANDOM = "[a-z0-9_]{8}"
"""What `tempfile` puts between a prefix and a suffix."""


def refuse_existing(folder: Path, force: bool, mark: str = RUN_FILE) -> None:
    """Raise ResultsError if `folder` is in the way; with `force` only one that holds `mark` may be replaced."""
    if not folder.exists():
        return
    if not force:
        raise ResultsError(f"{folder}: exists already; choose another place with --out, or --force to replace it")
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / mark).exists()):
        raise ResultsError(
            f"{folder}: is not a run folder: it holds no {mark}, so --force does not replace it; choose another --out"
        )


def write_folder(folder: Path, fill: Callable[[Path], None], *, force: bool = False, mark: str = RUN_FILE) -> None:
    """Make `folder` by letting `fill` write into a temporary one beside it, then renaming that.

    With `force` it replaces one that holds the file `mark`.

    Raises ResultsError if the place is taken or cannot be written. Whatever `fill` raises leaves nothing behind, and
    what killed writers of the same folder left is removed.
    """
    folder = Path(os.path.realpath(folder))  # a link stays, what it points to is replaced
    refuse_existing(folder, force, mark)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with partial_folder(folder.parent, folder.name) as partial:
            fill(partial)
            if folder.exists():
                replaced = partial.with_suffix(".replaced")
                os.replace(folder, replaced)
                os.replace(partial, folder)
                shutil.rmtree(replaced)
            else:
                os.replace(partial, folder)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be written: {error.strerror}") from error


@contextmanager
def partial_folder(parent: Path, name: str) -> Iterator[Path]:
    """An empty folder `.NAME.XXXXXXXX.partial` in `parent`, removed at the end unless it was moved by then.

    Its writer holds a lock on it, which ends with the process; what killed processes left under the same name is
    removed first. Raises OSError.
    """
    if fcntl is not None:
        for left in _of(parent, name):
            _remove_if_left(left)
    path, lock = _made(parent, name)
    try:
        path.chmod(0o777 & ~umask())
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _made(parent: Path, name: str) -> tuple[Path, int | None]:
    """A new folder and the descriptor that holds its lock, where there are locks."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".partial", dir=parent))
        if fcntl is None:
            return path, None
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # another writer found it before it was locked, and took it for left behind
            continue
        _lock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return path, descriptor
        os.close(descriptor)


def _of(parent: Path, name: str) -> list[Path]:
    """The temporary folders of that name, whoever made them."""
    pattern = re.compile(rf"\.{re.escape(name)}\.{RANDOM}\.partial")
    return [path for path in parent.iterdir() if pattern.fullmatch(path.name) and not path.is_symlink()]


def _remove_if_left(path: Path) -> None:
    """Remove a temporary folder that no living process holds; one that cannot be had stays."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it has just been moved or removed, or is somebody else's
        return
    try:
        if _lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    """Whether the lock could be had; never on a file system without locks, where nothing is taken for left behind."""
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def umask() -> int:
    """The rights that new files of this process lack; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
