"""The table in docs/vectors.md: every file of published vectors, the tests that read it, and its state."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from tests.shared import ROOT, shared

DOCUMENT = ROOT / "docs" / "vectors.md"


class Row(NamedTuple):
    file: str
    checks: str
    modules: tuple[str, ...]
    state: str


def rows() -> list[Row]:
    """The rows whose first cell is a file in backquotes."""
    found = []
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            file, checks, modules, state = cells
            found.append(Row(file.strip("`"), checks, tuple(re.findall(r"`([^`]+)`", modules)), state))
    return found


def mentions(text: str, name: str) -> bool:
    """Whether a module names a file: at the end of a quoted string, or whole without its suffix."""
    file = PurePosixPath(name)
    return re.search(rf'["/]{re.escape(file.stem)}(?:{re.escape(file.suffix)})?"', text) is not None


def test_every_file_has_one_row_and_every_row_a_file() -> None:
    folder = shared("vectors")
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(row.file for row in rows()) == sorted(file for file in files if not file.endswith("README.md"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.file)
def test_a_row_says_what_its_tests_do(row: Row) -> None:
    assert row.checks
    if not row.modules:
        assert re.match(r"not used yet: \w", row.state)
        return
    assert re.match(r"passed($|; \w)|in part: \w", row.state)
    for module in row.modules:
        path = ROOT / module
        assert path.name.startswith("test_")
        text = path.read_text()
        assert mentions(text, row.file), f"{module} must name {row.file}"
        assert "shared(" in text


def test_a_file_called_not_used_is_not_used() -> None:
    unused = [row.file for row in rows() if not row.modules]
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        for file in unused:
            assert not mentions(text, file), f"{path.name} names {file}, which the table calls not used"


def test_mentions() -> None:
    assert mentions('load("onion-test")', "lightning/bolt4/onion-test.json")
    assert mentions('open("vectors/rollup/hashes.json")', "rollup/hashes.json")
    assert not mentions("the hashes of funding", "lightning/bolt3/funding.json")
    assert not mentions('"rfc6962_tree_of_8"', "rollup/rfc6962_tree.json")
