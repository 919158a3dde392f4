"""The documentation builds without a warning, and every example in it runs.

On a page, in order: a block whose first line is `# file: NAME` is written to that file, a `console` block is run by a
shell in the same folder, a `python` block in the page's own namespace. Other blocks are for reading only.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from l2sim.experiment.metrics import always_there
from l2sim.results.metric_words import MEANINGS, meaning_of
from tests.shared import ROOT

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page: its language, its text, and the line it starts on."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], found[2], text.count("\n", 0, found.start()) + 1) for found in BLOCK.finditer(text)]


def runs_something(page: Path) -> bool:
    return any(block.language in ("console", "python") for block in blocks(page))


PAGES = sorted(page for page in DOCS.rglob("*.md") if "build" not in page.parts and runs_something(page))


def a_command_named_l2sim(folder: Path) -> dict[str, str]:
    """An environment in which `l2sim` is this very package."""
    program = folder / "bin" / "l2sim"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from l2sim.cli.main import main; main()" "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS).with_suffix("")))
def test_every_example_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = a_command_named_l2sim(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        first, _, rest = block.text.partition("\n")
        if first.startswith("# file: "):
            (folder / first.removeprefix("# file: ")).write_text(rest, encoding="utf-8")
        elif block.language == "console":
            commands = "\n".join(line[2:] for line in block.text.splitlines() if line.startswith("$ "))
            assert commands, f"{place}: a console block has lines that begin with a dollar sign"
            done = subprocess.run(
                ["bash", "-euc", commands], cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{place}: {done.stdout}\n{done.stderr}"
        elif block.language == "python":
            exec(compile(block.text, place, "exec"), names)


def test_there_are_pages_with_examples() -> None:
    assert len(PAGES) >= 5


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    settings = (tmp_path / "html" / "reference" / "scenario.html").read_text(encoding="utf-8")
    assert "max_accepted_htlcs" in settings
    assert "<!-- made from the code" not in settings


def test_every_figure_of_a_summary_has_a_meaning() -> None:
    for figure in always_there():
        assert meaning_of(figure).words
    families = [name for name in MEANINGS if name.endswith("*")]
    assert set(MEANINGS) - set(families) <= set(always_there()), "no meaning of a figure that is no more"
