"""What extras bring is optional: the core works without it, and names the extra that it would need."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.shared import ROOT


def test_the_core_works_where_no_extra_is_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.required_only", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"scipy", "SALib", "dask", "distributed", "jupytext", "pytest"} <= set(found["kept out"])
    assert "SALib" in found["asked for"], "keeping out must work for the test to mean anything"


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named: dict[str, str] = {}
    for folder, pattern in (("l2sim", "*.py"), ("docs", "*.md"), ("tests", "*.py"), (".", "README.md")):
        for file in (ROOT / folder).glob(f"**/{pattern}" if folder != "." else pattern):
            for extra in re.findall(r"pip install '(?:l2sim|\.)\[(\w+)\]'", file.read_text(encoding="utf-8")):
                named[extra] = str(file.relative_to(ROOT))
    assert {"stats", "cluster", "blobs", "notebooks"} <= set(named)
    assert {extra: file for extra, file in named.items() if extra not in extras} == {}
